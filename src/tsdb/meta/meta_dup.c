// SPDX-License-Identifier: Apache-2.0
#include "tsdb/meta/meta.h"

/* A copy of n elements; NULL, and *ok false, when there is no memory. */
static void *dup_array(an_arena *a, const void *v, size_t n, size_t size, bool *ok)
{
    void *p = *ok ? an_arena_try(a, n, size) : NULL;

    if (p == NULL)
        *ok = false;
    else if (n > 0)
        memcpy(p, v, n * size);
    return p;
}

static void dup_slice(an_arena *a, an_slice *s, bool *ok)
{
    if (s->p == NULL || !*ok) return;
    *s = an_arena_try_dup(a, *s);
    *ok = s->p != NULL;
}

static an_slice *dup_slices(an_arena *a, const an_slice *v, size_t n, bool *ok)
{
    an_slice *d = dup_array(a, v, n, sizeof *d, ok);

    for (size_t i = 0; *ok && i < n; i++) dup_slice(a, &d[i], ok);
    return d;
}

an_meta *an_meta_dup(an_arena *a, const an_meta *from)
{
    bool ok = true;
    an_meta *m = dup_array(a, from, 1, sizeof *m, &ok);

    if (m == NULL) return NULL;
    m->compaction.sources = dup_array(a, from->compaction.sources, from->compaction.n_sources,
                                      sizeof *m->compaction.sources, &ok);
    m->compaction.parents = dup_array(a, from->compaction.parents, from->compaction.n_parents,
                                      sizeof *m->compaction.parents, &ok);
    m->compaction.hints = dup_slices(a, from->compaction.hints, from->compaction.n_hints, &ok);
    m->thanos.labels.v =
        dup_array(a, from->thanos.labels.v, from->thanos.labels.n, sizeof *m->thanos.labels.v, &ok);
    for (size_t i = 0; ok && i < m->thanos.labels.n; i++) {
        dup_slice(a, &m->thanos.labels.v[i].name, &ok);
        dup_slice(a, &m->thanos.labels.v[i].value, &ok);
    }
    dup_slice(a, &m->thanos.source, &ok);
    m->thanos.segment_files =
        dup_slices(a, from->thanos.segment_files, from->thanos.n_segment_files, &ok);
    m->thanos.files =
        dup_array(a, from->thanos.files, from->thanos.n_files, sizeof *m->thanos.files, &ok);
    for (size_t i = 0; ok && i < m->thanos.n_files; i++) {
        dup_slice(a, &m->thanos.files[i].rel_path, &ok);
        dup_slice(a, &m->thanos.files[i].hash_func, &ok);
        dup_slice(a, &m->thanos.files[i].hash_value, &ok);
    }
    dup_slice(a, &m->thanos.rewrites, &ok);
    dup_slice(a, &m->thanos.extensions, &ok);
    return ok ? m : NULL;
}
