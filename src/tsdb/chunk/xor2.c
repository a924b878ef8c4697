// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/xor2.c: encoding 4, float samples with start timestamps.
 *
 *   be16 count | u8 ST header | bits:
 *   sample 0   varint t           | 64 bits value | [ST]
 *   sample 1   uvarint t - before | value         | [ST]
 *   others     control, dod       | value         | [ST]
 *
 * `base` is the last value that was not stale, 0 before the first one; dod the change of the time
 * step, an ordinary two's complement field here.
 *
 *   0                     dod 0, value = base
 *   10  0 or 1 head bits  dod 0, another value: in the present window, or in a new one
 *   11111                 dod 0, stale
 *   110 dod:13            \
 *   1110 dod:20            > then value: 0 base | 10 in the window | 110 new window | 111 stale
 *   11110 dod:64          /
 *
 * Windows are those of xorv (codes.h) against base; a stale value changes neither. ST: st.h.
 * spec/tsdb-block.md 3.7 */
#include "tsdb/chunk/codecs.h"

enum { HEADER = 3, SAMPLE_BITS_MAX = 5 + 64 + 14 + 64 + 72, FIRST_BITS_MAX = 80 + 64 + 80 };

static uint32_t xor2_count(an_slice data) { return (uint32_t)data.p[0] << 8 | data.p[1]; }

static an_rc xor2_open(an_chunk_iter *it, an_err *err)
{
    (void)err;
    it->f.st = an_st_dec_of(it->data.p[2]);
    return AN_OK;
}

/* A value after a dod that is not 0; false for an impossible window. */
static inline bool xor2_value(an_bitr *r, an_float_state *f, uint64_t *v)
{
    unsigned control = an_bitr_ones(r, 3);

    if (control == 3) {
        *v = AN_STALE_NAN;
        return true;
    }
    if (control == 2 && !an_xor_window_get(r, &f->win)) return false;
    if (control != 0) f->v ^= an_bitr_get(r, f->win.width) << f->win.trail;
    *v = f->v;
    return true;
}

static inline uint64_t two_complement(uint64_t u, unsigned n)
{
    return u >> (n - 1) == 0 ? u : u - (UINT64_C(1) << n);
}

/* Sample 2 or later without its ST; false for an impossible window. */
static inline bool xor2_joint(an_bitr *r, an_float_state *f, uint64_t *v)
{
    unsigned control = an_bitr_ones(r, 5);

    switch (control) {
    case 0:
        *v = f->v;
        break;
    case 1:
        if (an_bitr_bit(r) && !an_xor_window_get(r, &f->win)) return false;
        f->v ^= an_bitr_get(r, f->win.width) << f->win.trail;
        *v = f->v;
        break;
    case 2:
        f->t_delta += two_complement(an_bitr_get(r, 13), 13);
        break;
    case 3:
        f->t_delta += two_complement(an_bitr_get(r, 20), 20);
        break;
    case 4:
        f->t_delta += an_bitr_get(r, 64);
        break;
    default:
        *v = AN_STALE_NAN;
        break;
    }
    f->t = (int64_t)((uint64_t)f->t + f->t_delta);
    return control < 2 || control > 4 || xor2_value(r, f, v);
}

static bool xor2_first(an_bitr *r, an_float_state *f, uint32_t index, uint64_t *v)
{
    if (index == 0) {
        f->t = an_bitr_varint(r);
        *v = an_bitr_get(r, 64);
        if (*v != AN_STALE_NAN) f->v = *v;
        return true;
    }
    f->t_delta = an_bitr_uvarint(r);
    f->t = (int64_t)((uint64_t)f->t + f->t_delta);
    return xor2_value(r, f, v);
}

static an_rc xor2_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_bitr r = it->in;
    an_float_state f = it->f;
    uint32_t i = 0;

    for (; i < want && !r.bad; i++) {
        uint32_t index = it->n_read + i;
        int64_t before = f.t;
        uint64_t v = 0;

        if (!(index < 2 ? xor2_first(&r, &f, index, &v) : xor2_joint(&r, &f, &v)))
            return an_chunk_bad_window(it, index, err);
        an_st_get(&f.st, &r, index, f.t, before);
        it->t[i] = f.t;
        it->v[i] = v;
        it->st[i] = f.st.st;
    }
    if (r.bad) return an_chunk_short(it, it->n_read + i - 1, err);
    it->in = r;
    it->f = f;
    return AN_OK;
}

static void xor2_start(an_chunk_enc *e)
{
    e->win = AN_XOR_WWIN;
    e->st = (an_st_enc){0};
}

static inline void xor2_put_value(an_chunk_enc *e, an_bitw *w, uint64_t v)
{
    if (v == AN_STALE_NAN)
        an_bitw_put(w, 7, 3);
    else if (v == e->v)
        an_bitw_put(w, 0, 1);
    else
        an_xor_bits_put(w, v ^ e->v, &e->win, (an_xor_code){2, 2}, (an_xor_code){6, 3});
}

static void xor2_put_joint(an_chunk_enc *e, an_bitw *w, int64_t dod, uint64_t v)
{
    uint64_t u = (uint64_t)dod;

    if (dod == 0) {
        if (v == AN_STALE_NAN)
            an_bitw_put(w, 31, 5);
        else if (v == e->v)
            an_bitw_put(w, 0, 1);
        else
            an_xor_bits_put(w, v ^ e->v, &e->win, (an_xor_code){4, 3}, (an_xor_code){5, 3});
        return;
    }
    if (dod >= -4096 && dod <= 4095)
        an_bitw_put(w, UINT64_C(6) << 13 | (u & 0x1fff), 16);
    else if (dod >= -524288 && dod <= 524287)
        an_bitw_put(w, UINT64_C(14) << 20 | (u & 0xfffff), 24);
    else {
        an_bitw_put(w, 30, 5);
        an_bitw_put(w, u, 64);
    }
    xor2_put_value(e, w, v);
}

static an_rc xor2_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                         const int64_t *st, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_chunk_enc_room(e, FIRST_BITS_MAX + (uint64_t)n * SAMPLE_BITS_MAX, err));
    an_bitw w = e->w;
    for (size_t i = 0; i < n; i++, e->n++) {
        uint64_t step = (uint64_t)t[i] - (uint64_t)e->t;

        if (e->n == 0) {
            an_bitw_varint(&w, t[i]);
            an_bitw_put(&w, v[i], 64);
            step = 0;
        } else if (e->n == 1) {
            an_bitw_uvarint(&w, step);
            xor2_put_value(e, &w, v[i]);
        } else {
            xor2_put_joint(e, &w, (int64_t)(step - e->t_delta), v[i]);
        }
        an_st_put(&e->st, &w, e->n, t[i], e->t, st == NULL ? 0 : st[i]);
        if (v[i] != AN_STALE_NAN) e->v = v[i];
        e->t_delta = step;
        e->t = t[i];
    }
    e->w = w;
out:
    return rc;
}

static void xor2_finish(an_chunk_enc *e)
{
    e->bytes[0] = (uint8_t)(e->n >> 8);
    e->bytes[1] = (uint8_t)e->n;
    e->bytes[2] = e->st.header;
}

const an_chunk_codec an_codec_xor2 = {
    .name = "XOR2",
    .encoding = AN_ENC_XOR2,
    .header = HEADER,
    .sample_bits_min = 1,
    .has_st = true,
    .type = AN_VAL_FLOAT,
    .max_samples = UINT16_MAX,
    .count = xor2_count,
    .open = xor2_open,
    .fill = xor2_fill,
    .start = xor2_start,
    .floats = xor2_floats,
    .hist = an_chunk_no_hist,
    .finish = xor2_finish,
};
