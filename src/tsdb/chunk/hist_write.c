// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/hist_write.h"

#include "tsdb/chunk/codecs.h"
#include "tsdb/chunk/fast_bits.h"
#include "tsdb/chunk/hist_layout.h"

void an_hist_start(an_chunk_enc *e)
{
    an_hist_write *h = &e->h;

    h->header = AN_HH_UNKNOWN;
    h->count_delta = h->zero_delta = 0;
    h->count_win = h->zero_win = h->sum_win = AN_XOR_WWIN;
    e->st = (an_st_enc){0};
}

void an_hist_finish(an_chunk_enc *e)
{
    e->bytes[0] = (uint8_t)(e->n >> 8);
    e->bytes[1] = (uint8_t)e->n;
    if (e->codec->has_st) {
        e->bytes[0] = (uint8_t)(e->bytes[0] | e->h.header);
        e->bytes[2] = e->st.header;
    } else {
        e->bytes[2] = e->h.header;
    }
}

/* Bits of any sample, its layout not counted. */
static uint64_t sample_bits(const an_hist *h)
{
    return 80 + 80 + 3 * 77 + 77 * ((uint64_t)h->side[AN_POS].n + h->side[AN_NEG].n);
}

/* The layout of a new chunk is that of its first sample: what later ones are judged by. */
static an_rc keep_layout(an_chunk_enc *e, const an_hist *h, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_write *w = &e->h;
    const an_hist_side *pos = &h->side[AN_POS], *neg = &h->side[AN_NEG];
    size_t n_spans = (size_t)pos->n_spans + neg->n_spans, n = (size_t)pos->n + neg->n;

    AN_TRY(
        an_hist_grow(e->arena, (void **)&w->spans, &w->spans_cap, n_spans, sizeof(an_span), err));
    AN_TRY(an_hist_grow(e->arena, (void **)&w->custom, &w->custom_cap, h->n_custom,
                        sizeof(uint64_t), err));
    AN_TRY(an_hist_grow(e->arena, (void **)&w->v, &w->v_cap, n, sizeof(uint64_t), err));
    if (h->is_float) {
        AN_TRY(an_hist_grow(e->arena, (void **)&w->win, &w->win_cap, n, sizeof *w->win, err));
        for (size_t i = 0; i < n; i++) w->win[i] = AN_XOR_WWIN;
    } else {
        AN_TRY(an_hist_grow(e->arena, (void **)&w->delta, &w->delta_cap, n, sizeof(uint64_t), err));
        memset(w->delta, 0, n * sizeof *w->delta);
    }
    if (pos->n_spans > 0) memcpy(w->spans, pos->spans, pos->n_spans * sizeof(an_span));
    if (neg->n_spans > 0)
        memcpy(w->spans + pos->n_spans, neg->spans, neg->n_spans * sizeof(an_span));
    if (h->n_custom > 0) memcpy(w->custom, h->custom, h->n_custom * sizeof(uint64_t));
    w->last = *h;
    w->last.custom = w->custom;
    w->last.side[AN_POS] = (an_hist_side){pos->n_spans, pos->n, w->spans, w->v};
    w->last.side[AN_NEG] =
        (an_hist_side){neg->n_spans, neg->n, w->spans + pos->n_spans, w->v + pos->n};
out:
    return rc;
}

static an_rc put_first(an_chunk_enc *e, int64_t t, const an_hist *h, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(keep_layout(e, h, err));
    AN_TRY(an_chunk_enc_room(e, an_hist_layout_bits(h) + sample_bits(h), err));
    an_bitw w = e->w;
    unsigned n = 0;
    an_hist_layout_put(&w, h);
    an_varbit_int_put(&w, t);
    if (h->is_float) {
        an_bitw_put(&w, h->count, 64);
        an_bitw_put(&w, h->zero_count, 64);
    } else {
        an_varbit_uint_put(&w, h->count);
        an_varbit_uint_put(&w, h->zero_count);
    }
    an_bitw_put(&w, h->sum, 64);
    for (int side = AN_POS; side <= AN_NEG; side++) {
        for (uint32_t i = 0; i < h->side[side].n; i++) {
            uint64_t v = h->side[side].v[i];
            if (h->is_float)
                an_bitw_put(&w, v, 64);
            else
                an_varbit_int_put(&w, (int64_t)v);
            e->h.v[n++] = v;
        }
    }
    e->w = w;
    e->t_delta = 0;
out:
    return rc;
}

AN_HOT void put_next_ints(an_hist_write *a, an_pen *w, const an_hist *h)
{
    an_hist *last = &a->last;
    bool stale = h->sum == AN_STALE_NAN;
    uint64_t count_delta = h->count - last->count, zero_delta = h->zero_count - last->zero_count;

    an_pen_varbit_int(w, stale ? 0 : (int64_t)(count_delta - a->count_delta));
    an_pen_varbit_int(w, stale ? 0 : (int64_t)(zero_delta - a->zero_delta));
    an_pen_xorv(w, h->sum, last->sum, &a->sum_win);
    a->count_delta = count_delta;
    a->zero_delta = zero_delta;
    uint64_t *was = a->v, *was_delta = a->delta;
    for (int side = AN_POS; side <= AN_NEG && !stale; side++) {
        const uint64_t *v = h->side[side].v, *end = v + h->side[side].n;
        for (; v < end; v++, was++, was_delta++) {
            uint64_t delta = *v - *was;
            an_pen_varbit_int(w, (int64_t)(delta - *was_delta));
            *was_delta = delta;
            *was = *v;
        }
    }
}

AN_HOT void put_next_floats(an_hist_write *a, an_pen *w, const an_hist *h)
{
    an_hist *last = &a->last;
    uint64_t *was = a->v;
    an_xor_wwin *win = a->win;

    an_pen_xorv(w, h->count, last->count, &a->count_win);
    an_pen_xorv(w, h->zero_count, last->zero_count, &a->zero_win);
    an_pen_xorv(w, h->sum, last->sum, &a->sum_win);
    for (int side = AN_POS; side <= AN_NEG && h->sum != AN_STALE_NAN; side++) {
        const uint64_t *v = h->side[side].v, *end = v + h->side[side].n;
        for (; v < end; v++, was++, win++) {
            an_pen_xorv(w, *v, *was, win);
            *was = *v;
        }
    }
}

/* A sample behind the first one. */
static void put_next(an_chunk_enc *e, int64_t t, const an_hist *h)
{
    an_pen w = an_pen_of(&e->w);
    uint64_t t_delta = (uint64_t)t - (uint64_t)e->t;

    an_pen_varbit_int(&w, (int64_t)(t_delta - e->t_delta));
    if (h->is_float)
        put_next_floats(&e->h, &w, h);
    else
        put_next_ints(&e->h, &w, h);
    an_pen_back(&w, &e->w);
    e->t_delta = t_delta;
    e->h.last.count = h->count;
    e->h.last.zero_count = h->zero_count;
    e->h.last.sum = h->sum;
}

/* Appends to a chunk with the same buckets, or begins one. */
static an_rc put(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *sample, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist blank = {.is_float = sample->is_float, .sum = AN_STALE_NAN};
    const an_hist *h = sample->sum == AN_STALE_NAN ? &blank : sample;

    if (e->n == 0) {
        AN_TRY(put_first(e, t, h, err));
    } else {
        AN_TRY(an_chunk_enc_room(e, sample_bits(h), err));
        put_next(e, t, h);
    }
    if (e->codec->has_st) an_st_put(&e->st, &e->w, e->n, t, e->t, st);
    e->t = t;
    e->n++;
out:
    return rc;
}

/* The buckets of h in the places of the union. `to` has room for both sides. */
static an_hist widened(const an_hist *h, const an_hist_align *al, const int32_t *from, uint64_t *to)
{
    an_hist wide = *h;

    for (int side = AN_POS; side <= AN_NEG; side++) {
        uint32_t at = side == AN_NEG ? al->n[AN_POS] : 0;
        an_hist_widen(h->side[side].v, from + at, al->n[side], h->is_float, to + at);
        wide.side[side].n = al->n[side];
        wide.side[side].v = to + at;
    }
    return wide;
}

/* Writes the open chunk again, with new spans and 0 in the buckets it lacked. */
static an_rc recode(an_chunk_enc *e, const an_hist_side spans[2], an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_write *w = &e->h;
    an_hist_align *al = &w->align;
    uint8_t header = w->header;
    an_slice old = an_chunk_finish(e);
    uint8_t *bytes = e->bytes;
    size_t cap = e->cap;
    an_sample s;

    if (w->reader == NULL) {
        w->reader = an_arena_try(e->arena, 1, sizeof *w->reader);
        AN_CHECK(w->reader != NULL, err, AN_ELIMIT, "histogram chunk: no memory for a reader");
        an_chunk_iter_init(w->reader, e->arena);
    }
    AN_TRY(an_chunk_iter_open(w->reader, e->codec, old, err));
    e->bytes = w->spare;
    e->cap = w->spare_cap;
    w->spare = bytes;
    w->spare_cap = cap;
    an_chunk_start(e, e->codec);
    w->header = header;
    for (;;) {
        AN_TRY(an_chunk_next(w->reader, &s, err));
        if (s.h == NULL) break;
        if (s.h->sum == AN_STALE_NAN) { /* never the first: the chunk could not grow then */
            AN_TRY(put(e, s.t, s.st, s.h, err));
            continue;
        }
        an_hist wide = widened(s.h, al, al->from_chunk, w->wide);
        for (int side = AN_POS; side <= AN_NEG; side++) {
            wide.side[side].n_spans = spans[side].n_spans;
            wide.side[side].spans = spans[side].spans;
        }
        AN_TRY(put(e, s.t, s.st, &wide, err));
    }
out:
    return rc;
}

/* The spans of a chunk that is rewritten for h: hist_align.h. */
static void new_spans(const an_hist_align *al, const an_hist *h, an_hist_side spans[2])
{
    bool any = al->missing[AN_POS] || al->missing[AN_NEG];

    for (int side = AN_POS; side <= AN_NEG; side++) {
        bool canonical = h->hint == AN_HINT_GAUGE ? any : al->missing[side];
        spans[side] = h->side[side];
        if (!canonical) continue;
        spans[side].n_spans = al->n_spans[side];
        spans[side].spans = al->spans + (side == AN_NEG ? al->n_spans[AN_POS] : 0);
    }
}

an_rc an_hist_append(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *h, an_hist_fit *fit,
                     an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_write *w = &e->h;
    an_hist_align *al = &w->align;

    if (e->n == 0) {
        *fit = (an_hist_fit){0};
        if (h->hint == AN_HINT_GAUGE) w->header = AN_HH_GAUGE;
        if (h->hint == AN_HINT_RESET) w->header = AN_HH_RESET;
        return put(e, t, st, h, err);
    }
    AN_TRY(an_hist_judge(e->arena, &w->last, w->header, h, fit, al, err));
    if (fit->cut) goto out;
    if (!al->differs) {
        rc = put(e, t, st, h, err);
        goto out;
    }
    bool grown = al->grown[AN_POS] || al->grown[AN_NEG];
    size_t n = (size_t)al->n[AN_POS] + al->n[AN_NEG];
    AN_TRY(an_hist_grow(e->arena, (void **)&w->wide, &w->wide_cap, n, sizeof *w->wide, err));
    if (grown) {
        an_hist_side spans[2];
        new_spans(al, h, spans);
        AN_TRY(recode(e, spans, err));
    }
    an_hist wide = widened(h, al, al->from_sample, w->wide);
    rc = put(e, t, st, &wide, err);
out:
    return rc;
}
