// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/xor.c: encoding 1, float samples.
 *
 *   be16 count | bits:
 *   sample 0   varint t               | 64 bits value
 *   sample 1   uvarint t - before     | xorv
 *   others     dod                    | xorv
 *
 *   dod, the change of the time step:  0          0
 *                                      10   14    bounded signed field of so many bits
 *                                      110  17
 *                                      1110 20
 *                                      1111 64    raw
 *
 * The varints go in as whole bytes, wherever the stream stands; xorv is that of codes.h. Equal and
 * falling times can be written. spec/tsdb-block.md 3.2 */
#include "tsdb/chunk/codecs.h"

enum { HEADER = 2, SAMPLE_BITS_MAX = 4 + 64 + 13 + 64, FIRST_BITS_MAX = 80 + 64 };

static uint32_t xor_count(an_slice data) { return (uint32_t)data.p[0] << 8 | data.p[1]; }

static an_rc xor_open(an_chunk_iter *it, an_err *err)
{
    (void)err;
    (void)it; /* no header but the count */
    return AN_OK;
}

/* Samples 0 and 1, whose times are coded otherwise. False for an impossible window. */
static bool xor_first(an_bitr *r, an_float_state *f, uint32_t index)
{
    if (index == 0) {
        f->t = an_bitr_varint(r);
        f->v = an_bitr_get(r, 64);
        return true;
    }
    f->t_delta = an_bitr_uvarint(r);
    f->t = (int64_t)((uint64_t)f->t + f->t_delta);
    return an_xorv_get(r, &f->v, &f->win);
}

/* The time step changes by what the first bits of `word` say; returns how many bits that were, 0
 * for a raw step, which is taken from the stream. */
static inline unsigned xor_dod(an_bitr *r, uint64_t word, uint64_t *t_delta)
{
    if (word >> 62 == 2) {
        *t_delta += (uint64_t)an_bounded_signed(word << 2 >> 50, 14);
        return 16;
    }
    if (word >> 61 == 6) {
        *t_delta += (uint64_t)an_bounded_signed(word << 3 >> 47, 17);
        return 20;
    }
    if (word >> 60 == 14) {
        *t_delta += (uint64_t)an_bounded_signed(word << 4 >> 44, 20);
        return 24;
    }
    (void)an_bitr_skip(r, 4); /* a short stream shows in r->bad */
    *t_delta += an_bitr_get(r, 64);
    return 0;
}

static an_rc xor_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_rc rc = AN_OK;
    an_bitr r = it->in;
    an_float_state f = it->f;
    uint32_t i = 0;

    for (; i < want && it->n_read + i < 2; i++) {
        if (!xor_first(&r, &f, it->n_read + i)) goto window;
        it->t[i] = f.t;
        it->v[i] = f.v;
    }
    for (; i < want && !r.bad; i++) {
        /* 56 bits at least, or all there are: enough for the longest dod and a window's head. */
        an_bitr_refill(&r);
        uint64_t word = r.acc;
        unsigned used = 1;

        if (word >> 63 != 0) {
            used = xor_dod(&r, word, &f.t_delta);
            if (used == 0) an_bitr_refill(&r);
            word = r.acc << used;
        } else {
            word <<= 1;
        }
        f.t = (int64_t)((uint64_t)f.t + f.t_delta);
        if (word >> 63 == 0) {
            (void)an_bitr_skip(&r, used + 1);
        } else {
            used += 2;
            if (word >> 62 == 3) {
                unsigned lead = word >> 57 & 31, width = word >> 51 & 63;
                if (width == 0) width = 64;
                if (lead + width > 64) goto window;
                f.win = (an_xor_rwin){(uint8_t)width, (uint8_t)(64 - lead - width)};
                used += 11;
            }
            (void)an_bitr_skip(&r, used);
            f.v ^= an_bitr_get(&r, f.win.width) << f.win.trail;
        }
        it->t[i] = f.t;
        it->v[i] = f.v;
    }
    if (r.bad) return an_chunk_short(it, it->n_read + i - 1, err);
    it->in = r;
    it->f = f;
    return rc;
window:
    return an_chunk_bad_window(it, it->n_read + i, err);
}

static void xor_start(an_chunk_enc *e) { e->win = AN_XOR_WWIN; }

static inline void xor_put_dod(an_bitw *w, int64_t dod)
{
    uint64_t u = (uint64_t)dod;

    if (dod == 0)
        an_bitw_put(w, 0, 1);
    else if (an_fits_bounded(dod, 14))
        an_bitw_put(w, UINT64_C(2) << 14 | (u & 0x3fff), 16);
    else if (an_fits_bounded(dod, 17))
        an_bitw_put(w, UINT64_C(6) << 17 | (u & 0x1ffff), 20);
    else if (an_fits_bounded(dod, 20))
        an_bitw_put(w, UINT64_C(14) << 20 | (u & 0xfffff), 24);
    else {
        an_bitw_put(w, 15, 4);
        an_bitw_put(w, u, 64);
    }
}

static an_rc xor_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                        const int64_t *st, an_err *err)
{
    an_rc rc = AN_OK;
    size_t i = 0;

    (void)st; /* an encoding without start timestamps */
    AN_TRY(an_chunk_enc_room(e, FIRST_BITS_MAX + (uint64_t)n * SAMPLE_BITS_MAX, err));
    an_bitw w = e->w;
    an_xor_wwin win = e->win;
    uint64_t t_delta = e->t_delta, last_v = e->v;
    int64_t last_t = e->t;

    for (; i < n && e->n + i < 2; i++) {
        if (e->n + i == 0) {
            an_bitw_varint(&w, t[i]);
            an_bitw_put(&w, v[i], 64);
        } else {
            t_delta = (uint64_t)t[i] - (uint64_t)last_t;
            an_bitw_uvarint(&w, t_delta);
            an_xorv_put(&w, v[i], last_v, &win);
        }
        last_t = t[i];
        last_v = v[i];
    }
    for (; i < n; i++) {
        uint64_t step = (uint64_t)t[i] - (uint64_t)last_t;

        xor_put_dod(&w, (int64_t)(step - t_delta));
        an_xorv_put(&w, v[i], last_v, &win);
        t_delta = step;
        last_t = t[i];
        last_v = v[i];
    }
    e->w = w;
    e->win = win;
    e->t_delta = t_delta;
    e->v = last_v;
    e->t = last_t;
    e->n += (uint32_t)n;
out:
    return rc;
}

static void xor_finish(an_chunk_enc *e)
{
    e->bytes[0] = (uint8_t)(e->n >> 8);
    e->bytes[1] = (uint8_t)e->n;
}

const an_chunk_codec an_codec_xor = {
    .name = "XOR",
    .encoding = AN_ENC_XOR,
    .header = HEADER,
    .sample_bits_min = 2,
    .type = AN_VAL_FLOAT,
    .max_samples = UINT16_MAX,
    .count = xor_count,
    .open = xor_open,
    .fill = xor_fill,
    .start = xor_start,
    .floats = xor_floats,
    .hist = an_chunk_no_hist,
    .finish = xor_finish,
};
