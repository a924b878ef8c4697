// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/codecs.h"
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

static void first_sample(an_hist_read *h, an_bitr *r, size_t n_buckets)
{
    an_hist *s = &h->stored;

    h->t = an_varbit_int_get(r);
    if (s->is_float) {
        s->count = an_bitr_get(r, 64);
        s->zero_count = an_bitr_get(r, 64);
        h->sum = an_bitr_get(r, 64);
        for (size_t i = 0; i < n_buckets; i++) h->v[i] = an_bitr_get(r, 64);
    } else {
        s->count = an_varbit_uint_get(r);
        s->zero_count = an_varbit_uint_get(r);
        h->sum = an_bitr_get(r, 64);
        for (size_t i = 0; i < n_buckets; i++) h->v[i] = (uint64_t)an_varbit_int_get(r);
    }
}

/* Buckets of an integer histogram. Most steps do not change: runs of 0 bits, taken at once. */
static void next_int_buckets(an_hist_read *h, an_bitr *r, size_t n)
{
    for (size_t i = 0; i < n && !r->bad;) {
        uint64_t ahead = an_bitr_peek(r, 56);
        unsigned zeros = ahead == 0 ? 56 : (unsigned)__builtin_clzll(ahead) - 8;

        if (zeros > n - i) zeros = (unsigned)(n - i);
        if (!an_bitr_skip(r, zeros)) return;
        for (size_t end = i + zeros; i < end; i++) h->v[i] += (uint64_t)h->delta[i];
        if (i == n || zeros == 56) continue;
        uint64_t dod = (uint64_t)an_varbit_int_get(r);
        h->delta[i] = (int64_t)((uint64_t)h->delta[i] + dod);
        h->v[i] += (uint64_t)h->delta[i];
        i++;
    }
}

/* A later sample; false for an impossible window. */
static bool next_sample(an_hist_read *h, an_bitr *r, size_t n_buckets)
{
    an_hist *s = &h->stored;

    h->t_delta = (int64_t)((uint64_t)h->t_delta + (uint64_t)an_varbit_int_get(r));
    h->t = (int64_t)((uint64_t)h->t + (uint64_t)h->t_delta);
    if (s->is_float) {
        if (!an_xorv_get(r, &s->count, &h->count_win)) return false;
        if (!an_xorv_get(r, &s->zero_count, &h->zero_win)) return false;
    } else {
        h->count_delta = (int64_t)((uint64_t)h->count_delta + (uint64_t)an_varbit_int_get(r));
        s->count += (uint64_t)h->count_delta;
        h->zero_delta = (int64_t)((uint64_t)h->zero_delta + (uint64_t)an_varbit_int_get(r));
        s->zero_count += (uint64_t)h->zero_delta;
    }
    if (!an_xorv_get(r, &h->sum, &h->sum_win)) return false;
    if (h->sum == AN_STALE_NAN) return true;
    if (!s->is_float) {
        next_int_buckets(h, r, n_buckets);
        return true;
    }
    for (size_t i = 0; i < n_buckets && !r->bad; i++)
        if (!an_xorv_get(r, &h->v[i], &h->win[i])) return false;
    return true;
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
    an_bitr r = it->in;
    int64_t before = h->t;

    (void)want; /* one at a time */
    if (it->n_read == 0) AN_TRY(read_layout(it, &r, err));
    size_t n = (size_t)h->stored.side[AN_POS].n + h->stored.side[AN_NEG].n;
    if (it->n_read == 0 && !r.bad)
        first_sample(h, &r, n);
    else if (!r.bad && !next_sample(h, &r, n))
        return an_chunk_bad_window(it, it->n_read, err);
    if (it->codec->has_st) {
        an_st_get(&h->st, &r, it->n_read, h->t, before);
        it->st[0] = h->st.st;
    }
    if (r.bad) return an_chunk_short(it, it->n_read, err);
    it->t[0] = h->t;
    it->in = r;
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
