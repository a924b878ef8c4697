// SPDX-License-Identifier: Apache-2.0
#include "tsdb/meta/meta.h"

/* Copies n elements; false when there is no memory. */
static bool dup_array(an_arena *a, void *out, const void *v, size_t n, size_t size)
{
    void *p = an_arena_try(a, n, size);

    if (p == NULL) return false;
    if (n > 0) memcpy(p, v, n * size);
    memcpy(out, &p, sizeof p);
    return true;
}

static bool dup_slice(an_arena *a, an_slice *s)
{
    if (s->p == NULL) return true;
    *s = an_arena_try_dup(a, *s);
    return s->p != NULL;
}

static bool dup_slices(an_arena *a, an_slice **v, size_t n)
{
    bool ok = dup_array(a, v, *v, n, sizeof **v);

    for (size_t i = 0; ok && i < n; i++) ok = dup_slice(a, &(*v)[i]);
    return ok;
}

an_meta *an_meta_dup(an_arena *a, const an_meta *from)
{
    an_meta *m = an_arena_try(a, 1, sizeof *m);

    if (m == NULL) return NULL;
    *m = *from;
    bool ok = dup_array(a, &m->compaction.sources, m->compaction.sources, m->compaction.n_sources,
                        sizeof *m->compaction.sources) &&
              dup_array(a, &m->compaction.parents, m->compaction.parents, m->compaction.n_parents,
                        sizeof *m->compaction.parents) &&
              dup_slices(a, &m->compaction.hints, m->compaction.n_hints) &&
              dup_array(a, &m->thanos.labels.v, m->thanos.labels.v, m->thanos.labels.n,
                        sizeof *m->thanos.labels.v) &&
              dup_slice(a, &m->thanos.source) &&
              dup_slices(a, &m->thanos.segment_files, m->thanos.n_segment_files) &&
              dup_array(a, &m->thanos.files, m->thanos.files, m->thanos.n_files,
                        sizeof *m->thanos.files) &&
              dup_slice(a, &m->thanos.rewrites) && dup_slice(a, &m->thanos.extensions);
    for (size_t i = 0; ok && i < m->thanos.labels.n; i++)
        ok =
            dup_slice(a, &m->thanos.labels.v[i].name) && dup_slice(a, &m->thanos.labels.v[i].value);
    for (size_t i = 0; ok && i < m->thanos.n_files; i++) {
        an_meta_file *f = &m->thanos.files[i];
        ok = dup_slice(a, &f->rel_path) && dup_slice(a, &f->hash_func) &&
             dup_slice(a, &f->hash_value);
    }
    return ok ? m : NULL;
}
