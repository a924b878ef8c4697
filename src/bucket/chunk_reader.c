// SPDX-License-Identifier: Apache-2.0
#include "bucket/chunk_reader.h"

#include <stdio.h>
#include <stdlib.h>

#include "tsdb/segment/segment.h"

enum { MOVE_AFTER = 2 }; /* slots filled in a row from one place that move the window there */

typedef struct slot {
    uint64_t base; /* reference of buf[0] */
    size_t n;      /* 0: empty */
    uint64_t used; /* tick of the last use */
    uint8_t *buf;
} slot;

typedef struct reader {
    an_chunk_reader pub; /* first: the public pointer is this one */
    an_chunk_reader_opts opts;
    size_t held;   /* bytes taken from the budget for what follows */
    bool *checked; /* per segment: header seen and right */
    slot *slots;
    uint64_t tick;
    an_window *window; /* over segment `seg`; NULL: none yet */
    an_source src;
    size_t seg;
    uint64_t at;     /* offset last asked of the window */
    size_t miss_seg; /* where slots were filled from, and how often in a row */
    unsigned misses;
} reader;

static size_t own_bytes(const an_chunk_reader_opts *o, size_t n_segments)
{
    return n_segments * sizeof(bool) + o->n_slots * (sizeof(slot) + o->slot_bytes);
}

an_rc an_chunk_reader_open(const an_block_reader *r, const an_chunk_reader_opts *opts,
                           an_chunk_reader **out, an_err *err)
{
    an_rc rc = AN_OK;
    size_t held = own_bytes(opts, r->n_segments);

    *out = NULL;
    an_assert(opts->n_slots > 0 && opts->slot_bytes >= 64);
    AN_CHECK(an_budget_take(opts->window.budget, held), err, AN_ELIMIT,
             "block %s: no memory for %u chunk buffers of %zu bytes", r->id, opts->n_slots,
             opts->slot_bytes);
    reader *c = calloc(1, sizeof *c);
    an_assert(c != NULL);
    c->pub.block = r;
    c->opts = *opts;
    c->opts.window.bytes_read = r->bytes_read;
    c->held = held;
    c->checked = calloc(r->n_segments + 1, sizeof *c->checked);
    c->slots = calloc(opts->n_slots, sizeof *c->slots);
    an_assert(c->checked != NULL && c->slots != NULL);
    *out = &c->pub;
    for (unsigned i = 0; i < opts->n_slots; i++) {
        c->slots[i].buf = malloc(opts->slot_bytes);
        an_assert(c->slots[i].buf != NULL); /* bounded by our own options */
    }
out:
    return rc;
}

void an_chunk_reader_close(an_chunk_reader *pub)
{
    reader *c = (reader *)pub;

    if (c == NULL) return;
    an_window_close(c->window);
    for (unsigned i = 0; i < c->opts.n_slots; i++) free(c->slots[i].buf);
    free(c->slots);
    free(c->checked);
    an_budget_give(c->opts.window.budget, c->held);
    free(c);
}

static void key_of(const reader *c, size_t seg, char key[static 96])
{
    an_slice name = c->pub.block->segments[seg].name;
    (void)snprintf(key, 96, "%s/%.*s", c->pub.block->id, AN_PRI(name));
}

static an_rc at_segment(const reader *c, size_t seg, uint64_t off, an_err *err)
{
    return an_block_reader_chunk_err(c->pub.block, (uint64_t)seg << 32 | off, err);
}

static an_rc get(reader *c, size_t seg, uint64_t off, size_t n, uint8_t *dst, an_err *err)
{
    char key[96];

    key_of(c, seg, key);
    an_rc rc =
        an_bucket_get(c->pub.block->bucket, c->pub.block->ctx, an_slice_str(key), off, n, dst, err);
    if (rc == AN_OK && c->pub.block->bytes_read != NULL) *c->pub.block->bytes_read += n;
    return rc == AN_OK ? rc : at_segment(c, seg, off, err);
}

static an_rc check_header(reader *c, size_t seg, an_err *err)
{
    an_rc rc = AN_OK;
    uint8_t head[AN_SEGMENT_HEADER];
    size_t n = sizeof head;

    if (c->checked[seg]) return AN_OK;
    if (c->pub.block->segments[seg].size < n) n = (size_t)c->pub.block->segments[seg].size;
    if (n > 0) AN_TRY(get(c, seg, 0, n, head, err));
    AN_TRY(an_segment_check_header((an_slice){head, n}, err));
    c->checked[seg] = true;
out:
    return rc == AN_OK ? rc : at_segment(c, seg, 0, err);
}

static an_rc move_window(reader *c, size_t seg, an_err *err)
{
    char key[96];

    an_window_close(c->window);
    c->window = NULL;
    c->misses = 0;
    key_of(c, seg, key);
    an_rc rc = an_window_open(c->pub.block->bucket, c->pub.block->ctx, an_slice_str(key),
                              c->pub.block->segments[seg].size, &c->opts.window, &c->window, err);
    if (rc != AN_OK) return at_segment(c, seg, 0, err);
    c->src = an_window_source(c->window);
    c->seg = seg;
    c->at = 0;
    return AN_OK;
}

static slot *find_slot(reader *c, uint64_t ref, size_t min)
{
    for (unsigned i = 0; i < c->opts.n_slots; i++) {
        slot *s = &c->slots[i];
        uint64_t skip = ref - s->base;
        if (skip < s->n && s->n - skip >= min) return s;
    }
    return NULL;
}

static an_rc fill_slot(reader *c, size_t seg, uint64_t off, slot **out, an_err *err)
{
    an_rc rc = AN_OK;
    slot *s = &c->slots[0];

    for (unsigned i = 1; i < c->opts.n_slots; i++) {
        if (c->slots[i].used < s->used) s = &c->slots[i];
    }
    uint64_t left = c->pub.block->segments[seg].size - off;
    size_t n = left < c->opts.slot_bytes ? (size_t)left : c->opts.slot_bytes;
    s->n = 0; /* a failed read leaves nothing to believe */
    AN_TRY(get(c, seg, off, n, s->buf, err));
    s->base = (uint64_t)seg << 32 | off;
    s->n = n;
    *out = s;
out:
    return rc;
}

static an_rc serve(reader *c, size_t seg, uint64_t off, size_t min, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t ref = (uint64_t)seg << 32 | off;
    bool ahead = c->window != NULL && seg == c->seg && off >= c->at;
    slot *s = ahead ? NULL : find_slot(c, ref, min);

    if (!ahead && s == NULL) {
        c->misses = seg == c->miss_seg ? c->misses + 1 : 1;
        c->miss_seg = seg;
        if (c->window == NULL || c->misses >= MOVE_AFTER)
            AN_TRY(move_window(c, seg, err));
        else
            AN_TRY(fill_slot(c, seg, off, &s, err));
    }
    if (s != NULL) {
        s->used = ++c->tick;
        *out = (an_slice){s->buf + (ref - s->base), s->n - (size_t)(ref - s->base)};
        goto out;
    }
    c->misses = 0;
    c->at = off;
    rc = an_source_at(&c->src, off, min, SIZE_MAX, out, err);
    if (rc != AN_OK) (void)at_segment(c, seg, off, err);
out:
    return rc;
}

uint64_t an_chunk_reader_left(const an_chunk_reader *pub, uint64_t ref)
{
    const reader *c = (const reader *)pub;
    uint64_t seg = ref >> 32, off = ref & UINT32_MAX;

    if (seg >= c->pub.block->n_segments || off > c->pub.block->segments[seg].size) return 0;
    uint64_t end = c->pub.block->segments[seg].size;
    if (end > UINT64_C(1) << 32) end = UINT64_C(1) << 32; /* further no reference reaches */
    return end - off;
}

an_rc an_chunk_reader_at(an_chunk_reader *pub, uint64_t ref, size_t min, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;
    reader *c = (reader *)pub;
    const an_block_reader *b = c->pub.block;
    uint64_t off = ref & UINT32_MAX, left = an_chunk_reader_left(pub, ref);
    size_t seg = (size_t)(ref >> 32);

    if (seg >= b->n_segments) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "block %s: segment index %zu out of range, there are %zu segments", b->id, seg,
                     b->n_segments);
        (void)an_err_cause(err, AN_CAUSE_CHUNKS_MISSING);
        (void)an_err_values(err, seg + 1, b->n_segments);
        (void)an_block_reader_chunk_err(b, ref, err);
        goto out;
    }
    AN_TRY(check_header(c, seg, err));
    if (min > left || left == 0) {
        rc = AN_FAIL(err, AN_ECORRUPT, "block %s: segment %zu ends %zu bytes before a chunk does",
                     b->id, seg, min - (size_t)left);
        (void)an_err_cause(err, AN_CAUSE_CHUNK_TRUNCATED);
        (void)an_err_values(err, off + min, b->segments[seg].size);
        (void)at_segment(c, seg, off, err);
        goto out;
    }
    AN_TRY(serve(c, seg, off, min, out, err));
    c->pub.base = ref;
    c->pub.view = *out;
out:
    if (rc != AN_OK) c->pub.view = (an_slice){NULL, 0};
    return rc;
}

an_rc an_chunk_reader_copy(an_chunk_reader *c, uint64_t ref, size_t n, uint8_t *dst, an_err *err)
{
    an_rc rc = AN_OK;

    while (n > 0) {
        an_slice s;
        AN_TRY(an_chunk_reader_view(c, ref, 1, &s, err));
        size_t take = s.n < n ? s.n : n;
        memcpy(dst, s.p, take);
        dst += take;
        ref += take;
        n -= take;
    }
out:
    return rc;
}

an_rc an_chunk_reader_finish(an_chunk_reader *pub, an_err *err)
{
    reader *c = (reader *)pub;

    for (size_t seg = 0; seg < c->pub.block->n_segments; seg++) {
        an_rc rc = check_header(c, seg, err);
        if (rc != AN_OK) return rc;
    }
    return AN_OK;
}
