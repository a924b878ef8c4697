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
#include <assert.h>

#include "tsdb/chunk/codecs.h"
#include "tsdb/chunk/fast_bits.h"

enum { HEADER = 2, SAMPLE_BITS_MAX = 4 + 64 + 13 + 64, FIRST_BITS_MAX = 80 + 64 };

static_assert((int)SAMPLE_BITS_MAX <= (int)AN_VIEW_ELEMENT, "a sample is read as one element");

static uint32_t xor_count(an_slice data) { return (uint32_t)data.p[0] << 8 | data.p[1]; }

static an_rc xor_open(an_chunk_iter *it, an_err *err)
{
    (void)err;
    (void)it; /* no header but the count */
    return AN_OK;
}

/* Samples 0 and 1, whose times are coded otherwise, as far as they are wanted. */
static an_rc xor_first(an_chunk_iter *it, uint32_t want, uint32_t *done, an_err *err)
{
    an_float_state *f = &it->f;
    an_bitr r = it->in;
    uint32_t i = 0;

    for (; i < want && it->n_read + i < 2; i++) {
        if (it->n_read + i == 0) {
            f->t = an_bitr_varint(&r);
            f->v = an_bitr_get(&r, 64);
        } else {
            f->t_delta = an_bitr_uvarint(&r);
            f->t = (int64_t)((uint64_t)f->t + f->t_delta);
            if (!an_xorv_get(&r, &f->v, &f->win))
                return an_chunk_bad_window(it, it->n_read + i, err);
        }
        if (r.bad) return an_chunk_short(it, it->n_read + i, err);
        it->t[i] = f->t;
        it->v[i] = f->v;
    }
    it->in = r;
    f->pos = it->data.n * 8 - an_bitr_left(&r);
    *done = i;
    return AN_OK;
}

/* The step changes by what stands at the view, where the bits w are; returns the bits behind that.
 */
static inline uint64_t xor_dod(an_view *in, uint64_t w, uint64_t *t_delta)
{
    if (w >> 63 == 0) {
        in->pos += 1;
        return w << 1;
    }
    if (w >> 62 == 2) {
        *t_delta += (uint64_t)an_bounded_signed(w << 2 >> 50, 14);
        in->pos += 16;
        return w << 16;
    }
    if (w >> 61 == 6) {
        *t_delta += (uint64_t)an_bounded_signed(w << 3 >> 47, 17);
        in->pos += 20;
        return w << 20;
    }
    if (w >> 60 == 14) {
        *t_delta += (uint64_t)an_bounded_signed(w << 4 >> 44, 20);
        in->pos += 24;
        return w << 24;
    }
    in->pos += 4;
    *t_delta += an_view_bits64(in);
    in->pos += 64;
    return an_view_bits57(in);
}

static an_rc xor_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_rc rc = AN_OK;
    an_float_state *f = &it->f;
    uint32_t i = 0;

    if (it->n_read < 2) AN_TRY(xor_first(it, want, &i, err));
    an_view_copy copy;
    an_view in = an_view_of(it->data, f->pos);
    uint64_t t = (uint64_t)f->t, t_delta = f->t_delta, v = f->v;
    unsigned width = f->win.width, trail = f->win.trail;

    for (; i < want; i++) {
        an_view_ready(&in, &copy);
        uint64_t w = an_view_bits57(&in);
        if (w >> 62 == 0) {
            in.pos += 2; /* neither the step nor the value changes */
        } else {
            w = xor_dod(&in, w, &t_delta);
            if (w >> 63 == 0) {
                in.pos += 1;
            } else {
                if (w >> 62 == 3) {
                    unsigned lead = w >> 57 & 31;
                    width = w >> 51 & 63;
                    if (width == 0) width = 64;
                    if (lead + width > 64) return an_chunk_bad_window(it, it->n_read + i, err);
                    trail = 64 - lead - width;
                    in.pos += 11;
                }
                in.pos += 2;
                v ^= an_view_bits64(&in) >> (64 - width) << trail;
                in.pos += width;
            }
        }
        if (__builtin_expect(in.pos > in.end, 0)) return an_chunk_short(it, it->n_read + i, err);
        t += t_delta;
        it->t[i] = (int64_t)t;
        it->v[i] = v;
    }
    f->pos = an_view_pos(&in);
    f->t = (int64_t)t;
    f->t_delta = t_delta;
    f->v = v;
    f->win = (an_xor_rwin){(uint8_t)width, (uint8_t)trail};
out:
    return rc;
}

static void xor_start(an_chunk_enc *e) { e->win = AN_XOR_WWIN; }

/* The code of a change of the step; a raw one is written at once, and nothing is left. */
static inline an_xor_code xor_dod_code(an_pen *w, int64_t dod)
{
    uint64_t u = (uint64_t)dod;

    if (dod == 0) return (an_xor_code){0, 1};
    if (an_fits_bounded(dod, 14)) return (an_xor_code){UINT64_C(2) << 14 | (u & 0x3fff), 16};
    if (an_fits_bounded(dod, 17)) return (an_xor_code){UINT64_C(6) << 17 | (u & 0x1ffff), 20};
    if (an_fits_bounded(dod, 20)) return (an_xor_code){UINT64_C(14) << 20 | (u & 0xfffff), 24};
    an_pen_put(w, 15, 4);
    an_pen_put64(w, u, 64);
    return (an_xor_code){0, 0};
}

/* Samples 0 and 1 of a chunk. */
static void xor_put_first(an_chunk_enc *e, int64_t t, uint64_t v)
{
    if (e->n == 0) {
        an_bitw_varint(&e->w, t);
        an_bitw_put(&e->w, v, 64);
    } else {
        e->t_delta = (uint64_t)t - (uint64_t)e->t;
        an_bitw_uvarint(&e->w, e->t_delta);
        an_pen pen = an_pen_of(&e->w);
        an_pen_xorv(&pen, v, e->v, &e->win);
        an_pen_back(&pen, &e->w);
    }
    e->t = t;
    e->v = v;
    e->n++;
}

static an_rc xor_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                        const int64_t *st, an_err *err)
{
    an_rc rc = AN_OK;
    size_t i = 0;

    (void)st; /* an encoding without start timestamps */
    AN_TRY(an_chunk_enc_room(e, FIRST_BITS_MAX + (uint64_t)n * SAMPLE_BITS_MAX, err));
    for (; i < n && e->n < 2; i++) xor_put_first(e, t[i], v[i]);
    an_pen w = an_pen_of(&e->w);
    an_xor_wwin win = e->win;
    uint64_t t_delta = e->t_delta, last_v = e->v;
    int64_t last_t = e->t;
    e->n += (uint32_t)(n - i);
    for (; i < n; i++) {
        uint64_t step = (uint64_t)t[i] - (uint64_t)last_t;

        an_xor_code dod = xor_dod_code(&w, (int64_t)(step - t_delta));
        if (v[i] == last_v)
            an_pen_put(&w, dod.bits << 1, dod.n + 1);
        else
            an_pen_xor_bits(&w, v[i] ^ last_v, &win, (an_xor_code){dod.bits << 2 | 2, dod.n + 2},
                            (an_xor_code){dod.bits << 2 | 3, dod.n + 2});
        t_delta = step;
        last_t = t[i];
        last_v = v[i];
    }
    an_pen_back(&w, &e->w);
    e->win = win;
    e->t_delta = t_delta;
    e->v = last_v;
    e->t = last_t;
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
