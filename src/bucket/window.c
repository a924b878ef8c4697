// SPDX-License-Identifier: Apache-2.0
#include "bucket/window.h"

#include <stdlib.h>

#include "base/pool.h"

enum { SHORT_PIECE = 32 << 10 }; /* bytes after a jump; doubled from piece to piece */

typedef struct piece {
    an_work work; /* first: fetch() is handed a pointer to it */
    an_window *w;
    an_ctx ctx; /* of the read under way; a dropped piece is cancelled */
    uint64_t off;
    size_t n;
    an_rc rc;
    an_err err;
    uint8_t *buf; /* w->cap bytes */
} piece;

/* `own` holds the bytes [own_off, own_off + own_n): from in front of the current piece up to it or
 * into it. It is where a request that straddles two pieces is put together. */
struct an_window {
    an_bucket *b;
    an_ctx *ctx;
    an_pool *pool;
    an_budget *budget;
    uint64_t *bytes_read;
    uint64_t size;
    size_t bytes;    /* opts.bytes */
    size_t cap;      /* the same, or the object's size if that is less */
    size_t next_len; /* of the next piece that is asked for */
    size_t n_pieces, cur;
    size_t n_ahead; /* pieces under way: those after `cur` in the ring */
    uint64_t own_off;
    size_t own_n;
    uint8_t *own; /* cap bytes */
    uint8_t *memory;
    size_t taken; /* from the budget */
    size_t key_n;
    uint8_t key[AN_KEY_MAX];
    piece pieces[];
};

static piece *nth(an_window *w, size_t i) { return &w->pieces[(w->cur + i) % w->n_pieces]; }
static uint64_t end_of(const piece *p) { return p->off + p->n; }
static bool has(const piece *p, uint64_t off) { return off >= p->off && off - p->off < p->n; }

static void fetch(an_work *work)
{
    piece *p = (piece *)work;

    p->rc = an_bucket_get(p->w->b, &p->ctx, an_slice_of(p->w->key, p->w->key_n), p->off, p->n,
                          p->buf, &p->err);
}

static void aim(an_window *w, piece *p, uint64_t off)
{
    uint64_t left = w->size - off;

    p->off = off;
    p->n = left < w->next_len ? (size_t)left : w->next_len;
    w->next_len = w->next_len > w->cap / 2 ? w->cap : w->next_len * 2;
    an_ctx_init(&p->ctx, w->ctx);
}

/* Has the pool fetch what follows, as far as there are pieces for it. */
static void look_ahead(an_window *w)
{
    uint64_t off = end_of(nth(w, w->n_ahead));

    while (w->n_ahead + 1 < w->n_pieces && off < w->size) {
        piece *p = nth(w, ++w->n_ahead);
        aim(w, p, off);
        p->work = (an_work){.run = fetch};
        an_pool_submit(w->pool, &p->work);
        off = end_of(p);
    }
}

static void drop_ahead(an_window *w)
{
    for (size_t i = 1; i <= w->n_ahead; i++) an_ctx_cancel(&nth(w, i)->ctx);
    for (size_t i = 1; i <= w->n_ahead; i++) (void)an_pool_revoke(w->pool, &nth(w, i)->work);
    w->n_ahead = 0;
}

/* The current piece has been read, or not: then nothing is current and the next request asks for
 * it again. */
static an_rc arrived(an_window *w, an_err *err)
{
    piece *p = nth(w, 0);

    if (p->rc == AN_OK) {
        if (w->bytes_read != NULL) *w->bytes_read += p->n;
        return AN_OK;
    }
    *err = p->err;
    drop_ahead(w);
    p->n = 0;
    w->own_n = 0;
    return err->rc;
}

/* Makes a piece current that holds `off`; a fresh one holds `min` bytes from there on. */
static an_rc seek(an_window *w, uint64_t off, size_t min, an_err *err)
{
    an_rc rc = AN_OK;
    piece *p = nth(w, 0);
    bool sequential = off >= end_of(p) && off - end_of(p) <= w->cap; /* a small gap is none */
    bool first = p->off == 0 && p->n == 0;

    while (w->n_ahead > 0 && off >= end_of(p) && off < end_of(nth(w, w->n_ahead))) {
        an_pool_wait(w->pool, &nth(w, 1)->work);
        w->cur = (w->cur + 1) % w->n_pieces;
        w->n_ahead--;
        p = nth(w, 0);
        AN_TRY(arrived(w, err));
    }
    if (!has(p, off)) {
        drop_ahead(w);
        if (!sequential && !first) w->next_len = SHORT_PIECE < w->cap ? SHORT_PIECE : w->cap;
        if (w->next_len < min) w->next_len = min;
        if (w->n_pieces == 1 && w->size <= w->bytes) {
            off = 0; /* all of it is one piece */
            w->next_len = w->cap;
        }
        aim(w, p, off);
        fetch(&p->work);
        AN_TRY(arrived(w, err));
    }
    if (sequential && !first) look_ahead(w);
out:
    return rc;
}

/* Puts [own_off, own_off + min) together, of which own_n bytes are there. */
static an_rc gather(an_window *w, size_t min, an_err *err)
{
    an_rc rc = AN_OK;

    while (w->own_n < min) {
        uint64_t at = w->own_off + w->own_n;
        size_t had = w->own_n;
        if (!has(nth(w, 0), at)) AN_TRY(seek(w, at, min - had, err));
        const piece *p = nth(w, 0);
        size_t n = (size_t)(end_of(p) - at);
        if (n > min - had) n = min - had;
        memcpy(w->own + had, p->buf + (at - p->off), n);
        w->own_n = had + n;
    }
out:
    return rc;
}

static an_rc refuse(const an_window *w, uint64_t off, size_t min, an_err *err)
{
    char key[sizeof err->object];
    size_t n = w->key_n < sizeof key - 1 ? w->key_n : sizeof key - 1;

    memcpy(key, w->key, n);
    key[n] = '\0';
    if (off > w->size || min > w->size - off) {
        (void)AN_FAIL(err, AN_ECORRUPT, "%s: %zu bytes at offset %llu, but it ends at %llu", key,
                      min, (unsigned long long)off, (unsigned long long)w->size);
        (void)an_err_values(err, off + min, w->size);
    } else {
        (void)AN_FAIL(err, AN_ELIMIT, "%s: %zu bytes at offset %llu, a window is %zu long", key,
                      min, (unsigned long long)off, w->bytes);
        (void)an_err_values(err, w->bytes, min);
    }
    return an_err_at(err, NULL, key, off <= INT64_MAX ? (int64_t)off : -1);
}

static an_slice view(const uint8_t *p, size_t n, size_t max)
{
    return (an_slice){p, n < max ? n : max};
}

static an_rc window_at(void *arg, uint64_t off, size_t min, size_t max, an_slice *out, an_err *err)
{
    an_window *w = arg;
    an_rc rc = AN_OK;
    const piece *p = &w->pieces[w->cur];
    uint64_t in = off - p->off; /* wraps in front of the piece: then it is past its end */

    if (in <= p->n && min <= p->n - in && (min > 0 || off == w->size || in < p->n)) {
        *out = view(p->buf + in, p->n - (size_t)in, max);
        return AN_OK;
    }
    if (off > w->size || min > w->size - off || min > w->bytes) return refuse(w, off, min, err);
    if (off == w->size) {
        *out = view(w->memory, 0, max);
        return AN_OK;
    }
    if (min == 0) min = 1;
    if (w->own_n > 0 && off >= w->own_off && off < p->off) {
        size_t skip = (size_t)(off - w->own_off);
        size_t keep = (size_t)(p->off - off); /* the rest is in the piece */
        if (min <= w->own_n - skip) {
            *out = view(w->own + skip, w->own_n - skip, max);
            return AN_OK;
        }
        memmove(w->own, w->own + skip, keep);
        w->own_n = keep;
    } else {
        w->own_n = 0;
        if (!has(p, off)) AN_TRY(seek(w, off, min, err));
        p = nth(w, 0);
        if (min <= end_of(p) - off) {
            *out = view(p->buf + (off - p->off), (size_t)(end_of(p) - off), max);
            return AN_OK;
        }
    }
    w->own_off = off;
    AN_TRY(gather(w, min, err));
    *out = view(w->own, w->own_n, max);
out:
    return rc;
}

an_rc an_window_open(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t size,
                     const an_window_opts *opts, an_window **out, an_err *err)
{
    an_rc rc = AN_OK;
    bool whole = size <= opts->bytes;
    size_t n_pieces = whole ? 1 : 1 + (size_t)opts->ahead;
    size_t cap = whole ? (size_t)size : opts->bytes;
    size_t taken = 0;
    an_window *w = NULL;

    *out = NULL;
    an_assert(opts->bytes >= 64 && (opts->ahead == 0 || opts->pool != NULL));
    AN_TRY(an_key_check(key, err));
    /* one buffer a piece, and `own`, which an object of one piece does not need */
    bool fits = !__builtin_mul_overflow(cap, whole ? 1 : n_pieces + 1, &taken) &&
                an_budget_take(opts->budget, taken);
    AN_CHECK(fits, err, AN_ELIMIT, "window over %.*s: no memory for %zu pieces of %zu bytes",
             AN_PRI(key), n_pieces + 1, cap);

    w = calloc(1, sizeof *w + n_pieces * sizeof *w->pieces);
    uint8_t *memory = malloc(taken > 0 ? taken : 1);
    if (w == NULL || memory == NULL) {
        free(w);
        free(memory);
        an_budget_give(opts->budget, taken);
        return AN_FAIL(err, AN_ELIMIT, "window over %.*s: the system has no %zu bytes", AN_PRI(key),
                       taken);
    }
    w->b = b;
    w->ctx = ctx;
    w->pool = opts->pool;
    w->budget = opts->budget;
    w->bytes_read = opts->bytes_read;
    w->size = size;
    w->bytes = opts->bytes;
    w->cap = w->next_len = cap;
    w->n_pieces = n_pieces;
    w->memory = memory;
    w->taken = taken;
    memcpy(w->key, key.p, key.n);
    w->key_n = key.n;
    for (size_t i = 0; i < n_pieces; i++) {
        w->pieces[i].w = w;
        w->pieces[i].buf = memory + i * cap;
    }
    if (!whole) w->own = memory + n_pieces * cap;
    *out = w;
out:
    return rc;
}

void an_window_close(an_window *w)
{
    if (w == NULL) return;
    drop_ahead(w);
    an_budget_give(w->budget, w->taken);
    free(w->memory);
    free(w);
}

an_source an_window_source(an_window *w) { return (an_source){window_at, w, w->size, w->bytes}; }
