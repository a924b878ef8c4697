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
#include <assert.h>

#include "tsdb/chunk/codecs.h"
#include "tsdb/chunk/fast_bits.h"

enum {
    HEADER = 3,
    JOINT_BITS_MAX = 5 + 64 + 14 + 64,
    SAMPLE_BITS_MAX = JOINT_BITS_MAX + 72,
    FIRST_BITS_MAX = 80 + 64 + 80
};

static_assert((int)JOINT_BITS_MAX <= (int)AN_VIEW_ELEMENT,
              "time and value are read as one element");

static uint32_t xor2_count(an_slice data) { return (uint32_t)data.p[0] << 8 | data.p[1]; }

static an_rc xor2_open(an_chunk_iter *it, an_err *err)
{
    (void)err;
    it->f.st = an_st_dec_of(it->data.p[2]);
    return AN_OK;
}

/* The changed bits of a value, behind its code; `fresh` holds the 11 bits of a new window on top.
 * False for an impossible window. */
AN_HOT bool xor2_bits(an_view *in, an_float_state *f, bool is_fresh, uint64_t fresh)
{
    if (is_fresh) {
        unsigned lead = (unsigned)(fresh >> 59), width = fresh >> 53 & 63;
        if (width == 0) width = 64;
        if (lead + width > 64) return false;
        f->win = (an_xor_rwin){(uint8_t)width, (uint8_t)(64 - lead - width)};
        in->pos += 11;
    }
    f->v ^= an_view_bits64(in) >> (64 - f->win.width) << f->win.trail;
    in->pos += f->win.width;
    return true;
}

/* A value behind a dod that is not 0; w holds the bits at the view. */
AN_HOT bool xor2_value(an_view *in, an_float_state *f, uint64_t w, uint64_t *v)
{
    bool good = true;

    if (w >> 63 == 0) {
        in->pos += 1;
    } else if (w >> 61 == 7) {
        in->pos += 3;
        *v = AN_STALE_NAN;
        return true;
    } else {
        bool fresh = w >> 62 == 3;
        in->pos += fresh ? 3 : 2;
        good = xor2_bits(in, f, fresh, w << 3);
    }
    *v = f->v;
    return good;
}

static inline uint64_t two_complement(uint64_t u, unsigned n)
{
    return u >> (n - 1) == 0 ? u : u - (UINT64_C(1) << n);
}

/* Sample 2 or later without its ST; false for an impossible window. */
AN_HOT bool xor2_joint(an_view *in, an_float_state *f, uint64_t *v)
{
    uint64_t w = an_view_bits57(in);
    bool good = true;

    if (w >> 63 == 0) {
        in->pos += 1;
        *v = f->v;
    } else if (w >> 62 == 2) {
        in->pos += 3;
        good = xor2_bits(in, f, (w >> 61 & 1) != 0, w << 3);
        *v = f->v;
    } else if (w >> 61 == 6) {
        f->t_delta += two_complement(w << 3 >> 51, 13);
        in->pos += 16;
        good = xor2_value(in, f, w << 16, v);
    } else if (w >> 60 == 14) {
        f->t_delta += two_complement(w << 4 >> 44, 20);
        in->pos += 24;
        good = xor2_value(in, f, w << 24, v);
    } else if (w >> 59 == 30) {
        in->pos += 5;
        f->t_delta += an_view_bits64(in);
        in->pos += 64;
        good = xor2_value(in, f, an_view_bits57(in), v);
    } else {
        in->pos += 5;
        *v = AN_STALE_NAN;
    }
    f->t = (int64_t)((uint64_t)f->t + f->t_delta);
    return good;
}

/* Samples 0 and 1, whose times are coded otherwise, as far as they are wanted. */
static an_rc xor2_first(an_chunk_iter *it, uint32_t want, uint32_t *done, an_err *err)
{
    an_float_state *f = &it->f;
    an_bitr r = it->in;
    uint32_t i = 0;

    for (; i < want && it->n_read + i < 2; i++) {
        uint32_t index = it->n_read + i;
        int64_t before = f->t;
        uint64_t v = AN_STALE_NAN;

        if (index == 0) {
            f->t = an_bitr_varint(&r);
            v = an_bitr_get(&r, 64);
            if (v != AN_STALE_NAN) f->v = v;
        } else {
            f->t_delta = an_bitr_uvarint(&r);
            f->t = (int64_t)((uint64_t)f->t + f->t_delta);
            unsigned code = an_bitr_ones(&r, 3); /* as xor2_value */
            if (code == 2 && !an_xor_window_get(&r, &f->win))
                return an_chunk_bad_window(it, index, err);
            if (code == 1 || code == 2) f->v ^= an_bitr_get(&r, f->win.width) << f->win.trail;
            if (code != 3) v = f->v;
        }
        an_st_get(&f->st, &r, index, f->t, before);
        if (r.bad) return an_chunk_short(it, index, err);
        it->t[i] = f->t;
        it->v[i] = v;
        it->st[i] = f->st.st;
    }
    it->in = r;
    f->pos = it->data.n * 8 - an_bitr_left(&r);
    *done = i;
    return AN_OK;
}

static an_rc xor2_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t i = 0;

    if (it->n_read < 2) AN_TRY(xor2_first(it, want, &i, err));
    an_float_state f = it->f;
    an_view_copy copy;
    an_view in = an_view_of(it->data, f.pos);

    for (; i < want; i++) {
        uint32_t index = it->n_read + i;
        int64_t before = f.t;

        an_view_ready(&in, &copy);
        if (!xor2_joint(&in, &f, &it->v[i])) return an_chunk_bad_window(it, index, err);
        if (f.st.change_on != 0 && index >= f.st.change_on)
            an_st_step(&f.st, index, (uint64_t)an_view_varbit_int(&in, &copy), before);
        if (an_view_bad(&in)) return an_chunk_short(it, index, err);
        it->t[i] = f.t;
        it->st[i] = f.st.st;
    }
    f.pos = an_view_pos(&in);
    it->f = f;
out:
    return rc;
}

static void xor2_start(an_chunk_enc *e)
{
    e->win = AN_XOR_WWIN;
    e->st = (an_st_enc){0};
}

/* A value behind the code of its time. */
AN_HOT void xor2_put_value(an_pen *w, uint64_t v, uint64_t base, an_xor_wwin *win, an_xor_code t)
{
    if (v == AN_STALE_NAN)
        an_pen_put(w, t.bits << 3 | 7, t.n + 3);
    else if (v == base)
        an_pen_put(w, t.bits << 1, t.n + 1);
    else
        an_pen_xor_bits(w, v ^ base, win, (an_xor_code){t.bits << 2 | 2, t.n + 2},
                        (an_xor_code){t.bits << 3 | 6, t.n + 3});
}

AN_HOT void xor2_put_joint(an_pen *w, int64_t dod, uint64_t v, uint64_t base, an_xor_wwin *win)
{
    uint64_t u = (uint64_t)dod;
    an_xor_code t = {0, 0};

    if (dod == 0) {
        if (v == AN_STALE_NAN)
            an_pen_put(w, 31, 5);
        else if (v == base)
            an_pen_put(w, 0, 1);
        else
            an_pen_xor_bits(w, v ^ base, win, (an_xor_code){4, 3}, (an_xor_code){5, 3});
        return;
    }
    if (dod >= -4096 && dod <= 4095) {
        t = (an_xor_code){UINT64_C(6) << 13 | (u & 0x1fff), 16};
    } else if (dod >= -524288 && dod <= 524287) {
        t = (an_xor_code){UINT64_C(14) << 20 | (u & 0xfffff), 24};
    } else {
        an_pen_put(w, 30, 5);
        an_pen_put64(w, u, 64);
    }
    xor2_put_value(w, v, base, win, t);
}

/* Samples 0 and 1 of a chunk. */
static void xor2_put_first(an_chunk_enc *e, int64_t t, uint64_t v, int64_t st)
{
    if (e->n == 0) {
        an_bitw_varint(&e->w, t);
        an_bitw_put(&e->w, v, 64);
    } else {
        e->t_delta = (uint64_t)t - (uint64_t)e->t;
        an_bitw_uvarint(&e->w, e->t_delta);
        an_pen pen = an_pen_of(&e->w);
        xor2_put_value(&pen, v, e->v, &e->win, (an_xor_code){0, 0});
        an_pen_back(&pen, &e->w);
    }
    an_st_put(&e->st, &e->w, e->n, t, e->t, st);
    if (v != AN_STALE_NAN) e->v = v;
    e->t = t;
    e->n++;
}

static an_rc xor2_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                         const int64_t *st, an_err *err)
{
    an_rc rc = AN_OK;
    size_t i = 0;

    AN_TRY(an_chunk_enc_room(e, FIRST_BITS_MAX + (uint64_t)n * SAMPLE_BITS_MAX, err));
    for (; i < n && e->n < 2; i++) xor2_put_first(e, t[i], v[i], st == NULL ? 0 : st[i]);
    an_pen w = an_pen_of(&e->w);
    an_xor_wwin win = e->win;
    uint64_t base = e->v, t_delta = e->t_delta;
    int64_t last_t = e->t;
    uint32_t index = e->n;
    e->n += (uint32_t)(n - i);
    for (; i < n; i++, index++) {
        int64_t start = st == NULL ? 0 : st[i], field;
        uint64_t step = (uint64_t)t[i] - (uint64_t)last_t;

        xor2_put_joint(&w, (int64_t)(step - t_delta), v[i], base, &win);
        if (an_st_next(&e->st, index, last_t, start, &field)) an_pen_varbit_int(&w, field);
        if (v[i] != AN_STALE_NAN) base = v[i];
        t_delta = step;
        last_t = t[i];
    }
    an_pen_back(&w, &e->w);
    e->win = win;
    e->v = base;
    e->t_delta = t_delta;
    e->t = last_t;
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
