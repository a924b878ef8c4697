// SPDX-License-Identifier: Apache-2.0
#include "bucket/block_presence.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct seen {
    an_arena *arena;
    size_t prefix; /* bytes of `<ULID>/` */
    an_block_presence *out;
    an_block_object *objects;
    size_t n, cap;
} seen;

static an_rc on_object(void *arg, const an_object *o, an_err *err)
{
    seen *s = arg;
    an_slice name = an_slice_of(o->key.p + s->prefix, o->key.n - s->prefix);

    (void)err;
    if (s->n == s->cap) {
        size_t cap = s->cap == 0 ? 8 : 2 * s->cap;
        an_block_object *more = an_arena_try(s->arena, cap, sizeof *more);
        if (more == NULL)
            return AN_FAIL(err, AN_ELIMIT, "no memory for a listing of %zu objects", cap);
        if (s->n > 0) memcpy(more, s->objects, s->n * sizeof *more);
        s->objects = more;
        s->cap = cap;
    }
    s->objects[s->n++] = (an_block_object){an_arena_dup(s->arena, name), o->size};
    if (o->mtime_ms > s->out->newest_ms) s->out->newest_ms = o->mtime_ms;
    return AN_OK;
}

an_rc an_block_list(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id, an_block_presence *out,
                    an_err *err)
{
    an_rc rc = AN_OK;
    char prefix[AN_ULID_TEXT + 2];
    char text[AN_ULID_TEXT + 1];
    seen s = {.arena = a, .prefix = AN_ULID_TEXT + 1, .out = out};

    *out = (an_block_presence){.newest_ms = -1};
    an_ulid_format(id, text);
    (void)snprintf(prefix, sizeof prefix, "%s/", text);
    AN_TRY(an_bucket_list(b, ctx, an_slice_str(prefix), AN_LIT(""), on_object, &s, err));
    out->objects = s.objects;
    out->n_objects = s.n;
    for (size_t i = 0; i < s.n; i++) {
        if (an_slice_eq(s.objects[i].name, AN_LIT("meta.json")))
            out->meta_bytes = s.objects[i].size;
        out->has_meta = out->has_meta || an_slice_eq(s.objects[i].name, AN_LIT("meta.json"));
        out->has_deletion_mark =
            out->has_deletion_mark || an_slice_eq(s.objects[i].name, AN_LIT("deletion-mark.json"));
    }
out:
    return rc;
}

/* True when every object that meta.json lists is in the listing with its size. */
static bool all_there(const an_block_presence *p, const an_meta *m)
{
    for (size_t i = 0; i < m->thanos.n_files; i++) {
        const an_meta_file *f = &m->thanos.files[i];
        bool found = false;
        for (size_t j = 0; j < p->n_objects && !found; j++) {
            const an_block_object *o = &p->objects[j];
            found = an_slice_eq(o->name, f->rel_path) &&
                    (f->size_bytes <= 0 || o->size == (uint64_t)f->size_bytes);
        }
        if (!found) return false;
    }
    return m->thanos.n_files > 0;
}

static int cmp_ulids(const void *a, const void *b)
{
    return an_ulid_cmp(*(const an_ulid *)a, *(const an_ulid *)b);
}

static bool same_ulids(an_arena *a, const an_ulid *v, size_t n, const an_ulid *w, size_t m)
{
    if (n != m) return false;
    an_ulid *x = an_arena_alloc(a, (n + 1) * sizeof *x),
            *y = an_arena_alloc(a, (m + 1) * sizeof *y);
    if (n > 0) memcpy(x, v, n * sizeof *x);
    if (m > 0) memcpy(y, w, m * sizeof *y);
    qsort(x, n, sizeof *x, cmp_ulids);
    qsort(y, m, sizeof *y, cmp_ulids);
    return n == 0 || memcmp(x, y, n * sizeof *x) == 0;
}

an_rc an_block_presence_of(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id,
                           const an_ulid *sources, size_t n_sources, an_block_presence *out,
                           an_err *err)
{
    an_rc rc = AN_OK;
    char text[AN_ULID_TEXT + 1], key[64];

    AN_TRY(an_block_list(b, ctx, a, id, out, err));
    if (!out->has_meta || out->meta_bytes > AN_META_MAX) goto out;
    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/meta.json", text);
    uint8_t *doc = an_arena_try(a, (size_t)out->meta_bytes + 1, 1);
    AN_CHECK(doc != NULL, err, AN_ELIMIT, "no memory for %s", key);
    AN_TRY(an_bucket_get(b, ctx, an_slice_str(key), 0, (size_t)out->meta_bytes, doc, err));
    rc = an_meta_parse(a, an_slice_of(doc, (size_t)out->meta_bytes), &out->meta, err);
    if (rc == AN_ECORRUPT || rc == AN_EUNSUPPORTED)
        rc = AN_OK; /* not a block of ours, then */
    else if (rc == AN_OK) {
        out->complete = all_there(out, &out->meta);
        out->same_sources = same_ulids(a, out->meta.compaction.sources,
                                       out->meta.compaction.n_sources, sources, n_sources);
    }
out:
    return rc;
}
