// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/codecs.h"
#include "tsdb/chunk/fast_bits.h"
#include "tsdb/chunk/hist_layout.h"

enum { HEADER = 3 };

static uint32_t hist_count(an_slice data) { return (uint32_t)data.p[0] << 8 | data.p[1]; }

static uint32_t hist_st_count(an_slice data)
{
    return ((uint32_t)data.p[0] & 0x3f) << 8 | data.p[1];
}

static an_rc hist_open(an_chunk_iter *it, an_err *err)
{
    an_hist_read *h = &it->h;
    bool st = it->codec->has_st;

    (void)err;
    h->header = it->data.p[st ? 0 : 2] & AN_HH_GAUGE;
    h->st = an_st_dec_of(st ? it->data.p[2] : 0);
    h->stored = (an_hist){.is_float = it->codec->type == AN_VAL_FHIST};
    h->t = 0;
    h->t_delta = h->count_delta = h->zero_delta = 0;
    h->count_win = h->zero_win = h->sum_win = AN_XOR_RWIN;
    return AN_OK;
}

/* The layout, and memory for the buckets it announces: each takes a bit at least, 64 as a float. */
static an_rc read_layout(an_chunk_iter *it, an_bitr *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_read *h = &it->h;
    an_hist *s = &h->stored;

    AN_TRY(an_hist_layout_get(it->arena, h, r, err));
    if (r->bad) goto out;
    uint64_t n = (uint64_t)s->side[AN_POS].n + s->side[AN_NEG].n;
    uint64_t bits = n * (s->is_float ? 64 : 1);
    AN_CHECK(bits <= an_bitr_left(r), err, AN_ECORRUPT,
             "histogram chunk: %llu buckets do not fit the %llu bits that are left",
             (unsigned long long)n, (unsigned long long)an_bitr_left(r));
    AN_TRY(an_hist_grow(it->arena, (void **)&h->v, &h->v_cap, n, sizeof *h->v, err));
    if (s->is_float) {
        AN_TRY(an_hist_grow(it->arena, (void **)&h->win, &h->win_cap, n, sizeof *h->win, err));
        for (uint64_t i = 0; i < n; i++) h->win[i] = AN_XOR_RWIN;
    } else {
        AN_TRY(
            an_hist_grow(it->arena, (void **)&h->delta, &h->delta_cap, n, sizeof *h->delta, err));
        memset(h->delta, 0, n * sizeof *h->delta);
    }
    s->side[AN_POS].v = h->v;
    s->side[AN_NEG].v = h->v + s->side[AN_POS].n;
out:
    return rc;
}

static size_t n_buckets(const an_hist_read *h)
{
    return (size_t)h->stored.side[AN_POS].n + h->stored.side[AN_NEG].n;
}

static void first_sample(an_hist_read *h, an_bitr *r, size_t n)
{
    an_hist *s = &h->stored;

    h->t = an_varbit_int_get(r);
    if (s->is_float) {
        s->count = an_bitr_get(r, 64);
        s->zero_count = an_bitr_get(r, 64);
        h->sum = an_bitr_get(r, 64);
        for (size_t i = 0; i < n; i++) h->v[i] = an_bitr_get(r, 64);
    } else {
        s->count = an_varbit_uint_get(r);
        s->zero_count = an_varbit_uint_get(r);
        h->sum = an_bitr_get(r, 64);
        for (size_t i = 0; i < n; i++) h->v[i] = (uint64_t)an_varbit_int_get(r);
    }
}

AN_HOT void next_ints(an_hist_read *h, an_view *r, an_view_copy *copy, size_t n)
{
    uint64_t *v = h->v, *delta = h->delta;

    for (uint64_t *end = v + n; v < end; v++, delta++) {
        *delta += (uint64_t)an_view_varbit_int(r, copy);
        *v += *delta;
    }
}

AN_HOT bool next_floats(an_hist_read *h, an_view *r, an_view_copy *copy, size_t n)
{
    uint64_t *v = h->v;
    an_xor_rwin *win = h->win;

    for (uint64_t *end = v + n; v < end; v++, win++)
        if (!an_view_xorv(r, copy, v, win)) return false;
    return true;
}

/* A later sample, without its ST; false for an impossible window. */
static bool next_sample(an_hist_read *h, an_slice data, size_t n, bool *bad)
{
    an_hist *s = &h->stored;
    an_view r = an_view_of(data, h->pos);
    an_view_copy copy;

    h->t_delta += (uint64_t)an_view_varbit_int(&r, &copy);
    h->t = (int64_t)((uint64_t)h->t + h->t_delta);
    if (s->is_float) {
        if (!an_view_xorv(&r, &copy, &s->count, &h->count_win)) return false;
        if (!an_view_xorv(&r, &copy, &s->zero_count, &h->zero_win)) return false;
    } else {
        s->count += h->count_delta += (uint64_t)an_view_varbit_int(&r, &copy);
        s->zero_count += h->zero_delta += (uint64_t)an_view_varbit_int(&r, &copy);
    }
    if (!an_view_xorv(&r, &copy, &h->sum, &h->sum_win)) return false;
    if (h->sum != AN_STALE_NAN) {
        if (!s->is_float)
            next_ints(h, &r, &copy, n);
        else if (!next_floats(h, &r, &copy, n))
            return false;
    }
    h->pos = an_view_pos(&r);
    *bad = an_view_bad(&r);
    return true;
}

/* The ST of a sample, where h->pos is. */
static void next_st(an_chunk_iter *it, int64_t before, bool *bad)
{
    an_hist_read *h = &it->h;
    size_t at = (size_t)(h->pos / 8);
    an_bitr r = an_bitr_of(an_slice_of(it->data.p + at, it->data.n - at));

    *bad = !an_bitr_skip(&r, (unsigned)(h->pos % 8));
    an_st_get(&h->st, &r, it->n_read, h->t, before);
    *bad = *bad || r.bad;
    it->st[0] = h->st.st;
    h->pos = (uint64_t)it->data.n * 8 - an_bitr_left(&r);
}

/* What the reader of a sample sees of it. */
static an_rc give_out(an_chunk_iter *it, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_read *h = &it->h;

    if (h->sum == AN_STALE_NAN) {
        h->h = (an_hist){.is_float = h->stored.is_float, .sum = h->sum};
        return AN_OK;
    }
    h->h = h->stored;
    h->h.sum = h->sum;
    if (h->header == AN_HH_GAUGE)
        h->h.hint = AN_HINT_GAUGE;
    else
        h->h.hint = it->n_read == 0 ? AN_HINT_UNKNOWN : AN_HINT_NOT_RESET;
    if (h->h.schema <= AN_HIST_SCHEMA_MAX) goto out;
    size_t room[2] = {h->stored.side[AN_POS].n, h->stored.side[AN_NEG].n};
    size_t most = room[AN_POS] + room[AN_NEG], cap = h->reduced_cap;
    AN_TRY(an_hist_grow(it->arena, (void **)&h->reduced[0].v, &cap, most, sizeof(uint64_t), err));
    AN_TRY(an_hist_grow(it->arena, (void **)&h->reduced[0].spans, &h->reduced_cap, most,
                        sizeof(an_span), err));
    h->reduced[AN_NEG] = (an_hist_room){h->reduced[AN_POS].spans + room[AN_POS],
                                        h->reduced[AN_POS].v + room[AN_POS]};
    for (int side = AN_POS; side <= AN_NEG; side++)
        h->h.side[side] = an_hist_reduce(&h->stored.side[side], h->stored.schema,
                                         h->stored.is_float, h->reduced[side]);
    h->h.schema = AN_HIST_SCHEMA_MAX;
out:
    return rc;
}

static an_rc hist_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_read *h = &it->h;
    int64_t before = h->t;
    bool bad = false;

    (void)want; /* one at a time */
    if (it->n_read == 0) {
        an_bitr r = it->in;
        AN_TRY(read_layout(it, &r, err));
        if (!r.bad) first_sample(h, &r, n_buckets(h));
        h->pos = (uint64_t)it->data.n * 8 - an_bitr_left(&r);
        bad = r.bad;
    } else if (!next_sample(h, it->data, n_buckets(h), &bad)) {
        return an_chunk_bad_window(it, it->n_read, err);
    }
    if (!bad && it->codec->has_st) next_st(it, before, &bad);
    if (bad) return an_chunk_short(it, it->n_read, err);
    it->t[0] = h->t;
    rc = give_out(it, err);
out:
    return rc;
}

const an_chunk_codec an_codec_hist = {
    .name = "histogram",
    .encoding = AN_ENC_HIST,
    .header = HEADER,
    .sample_bits_min = 4,
    .type = AN_VAL_HIST,
    .max_samples = UINT16_MAX,
    .count = hist_count,
    .open = hist_open,
    .fill = hist_fill,
    .start = an_hist_start,
    .floats = an_chunk_no_floats,
    .hist = an_hist_append,
    .finish = an_hist_finish,
};

const an_chunk_codec an_codec_fhist = {
    .name = "float histogram",
    .encoding = AN_ENC_FHIST,
    .header = HEADER,
    .sample_bits_min = 4,
    .type = AN_VAL_FHIST,
    .max_samples = UINT16_MAX,
    .count = hist_count,
    .open = hist_open,
    .fill = hist_fill,
    .start = an_hist_start,
    .floats = an_chunk_no_floats,
    .hist = an_hist_append,
    .finish = an_hist_finish,
};

const an_chunk_codec an_codec_hist_st = {
    .name = "histogram with start timestamps",
    .encoding = AN_ENC_HIST_ST,
    .header = HEADER,
    .sample_bits_min = 4,
    .has_st = true,
    .type = AN_VAL_HIST,
    .max_samples = 0x3fff,
    .count = hist_st_count,
    .open = hist_open,
    .fill = hist_fill,
    .start = an_hist_start,
    .floats = an_chunk_no_floats,
    .hist = an_hist_append,
    .finish = an_hist_finish,
};

const an_chunk_codec an_codec_fhist_st = {
    .name = "float histogram with start timestamps",
    .encoding = AN_ENC_FHIST_ST,
    .header = HEADER,
    .sample_bits_min = 4,
    .has_st = true,
    .type = AN_VAL_FHIST,
    .max_samples = 0x3fff,
    .count = hist_st_count,
    .open = hist_open,
    .fill = hist_fill,
    .start = an_hist_start,
    .floats = an_chunk_no_floats,
    .hist = an_hist_append,
    .finish = an_hist_finish,
};
