// SPDX-License-Identifier: Apache-2.0
#include "bucket/block_reader.h"

#include <stdio.h>
#include <stdlib.h>

static const an_slice CHUNKS = {(const uint8_t *)"chunks/", 7};

an_rc an_block_reader_err(const an_block_reader *r, const char *object, an_err *err)
{
    return an_err_at(err, r->id, object, -1);
}

an_rc an_block_reader_chunk_err(const an_block_reader *r, uint64_t ref, an_err *err)
{
    size_t seg = (size_t)(ref >> 32);
    char name[64] = "chunks"; /* there is no such segment */

    if (seg < r->n_segments)
        (void)snprintf(name, sizeof name, "%.*s", AN_PRI(r->segments[seg].name));
    return an_err_at(err, r->id, name, (int64_t)(ref & UINT32_MAX));
}

static bool is_segment(an_slice name)
{
    if (!an_slice_has_prefix(name, CHUNKS) || name.n == CHUNKS.n) return false;
    for (size_t i = CHUNKS.n; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9') return false;
    }
    return true;
}

/* 0: not a number that a writer would give. */
static uint64_t segment_number(an_slice name)
{
    uint64_t v = 0;

    for (size_t i = CHUNKS.n; i < name.n; i++) {
        if (v > UINT32_MAX) return 0;
        v = v * 10 + (uint64_t)(name.p[i] - '0');
    }
    return v;
}

static int cmp_names(const void *a, const void *b)
{
    return an_slice_cmp(((const an_block_object *)a)->name, ((const an_block_object *)b)->name);
}

/* What meta.json says about segments, by position; *n stays 0 when it says nothing. */
static void listed_segments(an_arena *a, const an_meta *m, an_block_object **v, size_t *n)
{
    *n = 0;
    if (m->thanos.n_files > 0) {
        *v = an_arena_alloc(a, m->thanos.n_files * sizeof **v);
        for (size_t i = 0; i < m->thanos.n_files; i++) {
            const an_meta_file *f = &m->thanos.files[i];
            uint64_t size = f->size_bytes > 0 ? (uint64_t)f->size_bytes : 0;
            if (is_segment(f->rel_path)) (*v)[(*n)++] = (an_block_object){f->rel_path, size};
        }
        qsort(*v, *n, sizeof **v, cmp_names);
        return;
    }
    *v = an_arena_alloc(a, (m->thanos.n_segment_files + 1) * sizeof **v);
    for (size_t i = 0; i < m->thanos.n_segment_files; i++)
        (*v)[(*n)++] = (an_block_object){m->thanos.segment_files[i], 0};
}

static an_rc check_numbering(an_arena *a, an_block_reader *r, an_err *err)
{
    an_rc rc = AN_OK;
    size_t gap = 0, n = 0;
    an_block_object *listed = NULL;
    char missing[32];

    while (gap < r->n_segments && segment_number(r->segments[gap].name) == gap + 1) gap++;
    if (gap == r->n_segments) goto out;
    listed_segments(a, r->meta, &listed, &n);
    if (n == 0) goto out; /* nobody knows better than the listing */
    (void)snprintf(missing, sizeof missing, "chunks/%06zu", gap + 1);
    if (n != r->n_segments) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "block %s: %s is missing: the listing shows %zu segments with a gap in their "
                     "numbers, meta.json %zu",
                     r->id, missing, r->n_segments, n);
    }
    for (size_t i = 0; rc == AN_OK && i < n; i++) {
        if (listed[i].size == 0 || listed[i].size == r->segments[i].size) continue;
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "block %s: %s is missing or not itself: segment %zu has %llu bytes, in "
                     "meta.json %llu",
                     r->id, missing, i, (unsigned long long)r->segments[i].size,
                     (unsigned long long)listed[i].size);
    }
    if (rc == AN_OK) goto out;
    (void)an_err_cause(err, AN_CAUSE_CHUNKS_MISSING);
    (void)an_err_values(err, n, r->n_segments);
    (void)an_err_at(err, r->id, missing, -1);
out:
    return rc;
}

static an_rc open_index(an_block_reader *r, const an_window_opts *opts, an_err *err)
{
    an_rc rc = AN_OK;
    an_window *w = NULL;

    AN_TRY(an_block_reader_window(r, AN_BLOCK_INDEX, opts, &w, err));
    an_source src = an_window_source(w);
    AN_TRY(an_index_open(&src, &r->index, err));
out:
    an_window_close(w);
    return rc;
}

an_rc an_block_reader_open(an_arena *a, an_bucket *b, an_ctx *ctx, an_ulid id, const an_meta *meta,
                           const an_block_object *objects, size_t n_objects,
                           const an_window_opts *opts, an_block_reader **out, an_err *err)
{
    an_rc rc = AN_OK;
    bool has_index = false;

    *out = NULL;
    an_block_reader *r = an_arena_alloc(a, sizeof *r);
    r->bucket = b;
    r->ctx = ctx;
    r->meta = meta;
    r->bytes_read = opts->bytes_read;
    an_ulid_format(id, r->id);
    r->segments = an_arena_try(a, n_objects + 1, sizeof *r->segments);
    AN_CHECK(r->segments != NULL, err, AN_ELIMIT, "block %s: no memory for %zu object names", r->id,
             n_objects);
    for (size_t i = 0; i < n_objects; i++) {
        const an_block_object *o = &objects[i];
        if (an_slice_eq(o->name, AN_LIT("index"))) {
            has_index = true;
            r->index_bytes = o->size;
        } else if (an_slice_eq(o->name, AN_LIT("tombstones"))) {
            r->has_tombstones = true;
            r->tombstones_bytes = o->size;
        } else if (is_segment(o->name)) {
            r->segments[r->n_segments++] = *o;
            r->chunks_bytes += o->size;
        }
    }
    qsort(r->segments, r->n_segments, sizeof *r->segments, cmp_names);
    AN_CHECK_CAUSE(has_index, err, AN_ECORRUPT, AN_CAUSE_INDEX_MISSING,
                   "block %s has no object `index`", r->id);
    rc = open_index(r, opts, err);
    if (rc != AN_OK) {
        (void)an_block_reader_err(r, "index", err);
        goto out;
    }
    AN_TRY(check_numbering(a, r, err));
    *out = r;
out:
    if (rc != AN_OK) (void)an_block_reader_err(r, has_index ? NULL : "index", err);
    return rc;
}

an_rc an_block_reader_window(const an_block_reader *r, an_block_part part,
                             const an_window_opts *opts, an_window **out, an_err *err)
{
    const char *name = part == AN_BLOCK_INDEX ? "index" : "tombstones";
    an_window_opts o = *opts;
    char key[AN_ULID_TEXT + 16];

    an_assert(part == AN_BLOCK_INDEX || r->has_tombstones);
    o.bytes_read = r->bytes_read;
    (void)snprintf(key, sizeof key, "%s/%s", r->id, name);
    return an_window_open(r->bucket, r->ctx, an_slice_str(key),
                          part == AN_BLOCK_INDEX ? r->index_bytes : r->tombstones_bytes, &o, out,
                          err);
}
