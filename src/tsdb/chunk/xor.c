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
#include <endian.h>

#include "tsdb/chunk/codecs.h"

enum { HEADER = 2, SAMPLE_BITS_MAX = 4 + 64 + 13 + 64, FIRST_BITS_MAX = 80 + 64 };

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

/* The stream seen by position: every sample loads its bits anew, so that the next load waits for no
 * shift of the last one. Against an_bitr that took 4.2 instead of 5.8 ns per sample of a counter,
 * 2.3 instead of 3.6 of an idle one. A load reads up to 9 bytes; the stream's last bytes are
 * therefore read in a copy with zeros behind it. */
typedef struct view {
    const uint8_t *p;
    uint64_t end;              /* bits; a position behind it: the stream was too short */
    uint64_t switch_at, shift; /* go over to the copy there; bits that the copy leaves out */
    uint8_t copy[80];
} view;

enum { SAMPLE_BYTES_MAX = (SAMPLE_BITS_MAX + 7) / 8, COPIED = SAMPLE_BYTES_MAX + 9 };

static_assert(COPIED + SAMPLE_BYTES_MAX + 9 <= sizeof((view){0}.copy), "a sample behind the end");

/* The bits at pos: 57 of them and zeros, or 64. */
static inline uint64_t bits57(const uint8_t *p, uint64_t pos)
{
    return an_bits_load(p + (pos >> 3)) << (pos & 7);
}

static inline uint64_t bits64(const uint8_t *p, uint64_t pos)
{
    return bits57(p, pos) | (uint64_t)p[(pos >> 3) + 8] >> (8 - (pos & 7));
}

static view view_of(an_slice data)
{
    view v = {.p = data.p, .end = (uint64_t)data.n * 8};

    v.switch_at = data.n > COPIED ? (uint64_t)(data.n - COPIED) * 8 : 0;
    return v;
}

/* Makes the copy from the byte of *pos on. */
static __attribute__((noinline)) void view_switch(view *v, uint64_t *pos)
{
    uint64_t at = *pos >> 3, n = v->end / 8 - at;

    memset(v->copy, 0, sizeof v->copy);
    memcpy(v->copy, v->p + at, n);
    v->p = v->copy;
    v->shift = at * 8;
    v->end -= v->shift;
    v->switch_at = UINT64_MAX;
    *pos -= v->shift;
}

/* The step changes by what stands at *pos, where the bits w are; returns the bits behind that. */
static inline uint64_t xor_dod(const uint8_t *p, uint64_t *pos, uint64_t w, uint64_t *t_delta)
{
    if (w >> 63 == 0) {
        *pos += 1;
        return w << 1;
    }
    if (w >> 62 == 2) {
        *t_delta += (uint64_t)an_bounded_signed(w << 2 >> 50, 14);
        *pos += 16;
        return w << 16;
    }
    if (w >> 61 == 6) {
        *t_delta += (uint64_t)an_bounded_signed(w << 3 >> 47, 17);
        *pos += 20;
        return w << 20;
    }
    if (w >> 60 == 14) {
        *t_delta += (uint64_t)an_bounded_signed(w << 4 >> 44, 20);
        *pos += 24;
        return w << 24;
    }
    *t_delta += bits64(p, *pos + 4);
    *pos += 68;
    return bits57(p, *pos);
}

static an_rc xor_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    an_rc rc = AN_OK;
    an_float_state *f = &it->f;
    uint32_t i = 0;

    if (it->n_read < 2) AN_TRY(xor_first(it, want, &i, err));
    view in = view_of(it->data);
    const uint8_t *p = in.p;
    uint64_t pos = f->pos, t = (uint64_t)f->t, t_delta = f->t_delta, v = f->v;
    unsigned width = f->win.width, trail = f->win.trail;

    for (; i < want; i++) {
        if (__builtin_expect(pos >= in.switch_at, 0)) {
            view_switch(&in, &pos);
            p = in.p;
        }
        uint64_t w = bits57(p, pos);
        if (w >> 62 == 0) {
            pos += 2; /* neither the step nor the value changes */
        } else {
            w = xor_dod(p, &pos, w, &t_delta);
            if (w >> 63 == 0) {
                pos += 1;
            } else {
                if (w >> 62 == 3) {
                    unsigned lead = w >> 57 & 31;
                    width = w >> 51 & 63;
                    if (width == 0) width = 64;
                    if (lead + width > 64) return an_chunk_bad_window(it, it->n_read + i, err);
                    trail = 64 - lead - width;
                    pos += 11;
                }
                pos += 2;
                v ^= bits64(p, pos) >> (64 - width) << trail;
                pos += width;
            }
        }
        if (__builtin_expect(pos > in.end, 0)) return an_chunk_short(it, it->n_read + i, err);
        t += t_delta;
        it->t[i] = (int64_t)t;
        it->v[i] = v;
    }
    f->pos = pos + in.shift;
    f->t = (int64_t)t;
    f->t_delta = t_delta;
    f->v = v;
    f->win = (an_xor_rwin){(uint8_t)width, (uint8_t)trail};
out:
    return rc;
}

static void xor_start(an_chunk_enc *e) { e->win = AN_XOR_WWIN; }

/* The stream as it is written here: whole bytes at p, fewer than 8 bits on top of acc. Every code
 * is stored at once, instead of when a word is full: whether it is cannot be predicted, and that
 * costs more than the store. 5.4 to 4.3 ns per sample of a counter. */
typedef struct pen {
    uint8_t *p;
    uint64_t acc;
    unsigned n;
} pen;

static pen pen_of(const an_bitw *w)
{
    pen to = {w->p + w->n / 8, 0, w->n % 8};
    uint64_t top = w->n == 0 ? 0 : w->acc << (64 - w->n), word = htobe64(top);

    memcpy(w->p, &word, sizeof word);
    if (to.n > 0) to.acc = top << (w->n - to.n);
    return to;
}

static void pen_back(const pen *from, an_bitw *w)
{
    w->p = from->p;
    w->n = from->n;
    w->acc = from->n == 0 ? 0 : from->acc >> (64 - from->n);
}

/* The lowest k bits of v, which has no others; k is 1 to 56. */
static inline void put56(pen *w, uint64_t v, unsigned k)
{
    uint64_t word;

    w->acc |= v << (64 - w->n - k);
    word = htobe64(w->acc);
    memcpy(w->p, &word, sizeof word);
    unsigned bytes = (w->n + k) / 8;
    w->p += bytes;
    w->acc <<= bytes * 8;
    w->n = (w->n + k) % 8;
}

static inline void put64(pen *w, uint64_t v)
{
    put56(w, v >> 32, 32);
    put56(w, v & 0xffffffff, 32);
}

/* The code of a change of the step; a raw one is written at once, and nothing is left. */
static inline an_xor_code xor_dod_code(pen *w, int64_t dod)
{
    uint64_t u = (uint64_t)dod;

    if (dod == 0) return (an_xor_code){0, 1};
    if (an_fits_bounded(dod, 14)) return (an_xor_code){UINT64_C(2) << 14 | (u & 0x3fff), 16};
    if (an_fits_bounded(dod, 17)) return (an_xor_code){UINT64_C(6) << 17 | (u & 0x1ffff), 20};
    if (an_fits_bounded(dod, 20)) return (an_xor_code){UINT64_C(14) << 20 | (u & 0xfffff), 24};
    put56(w, 15, 4);
    put64(w, u);
    return (an_xor_code){0, 0};
}

/* A value that changes by d, behind the code of its time: xorv. */
static inline void put_value(pen *w, uint64_t d, an_xor_wwin *win, an_xor_code code)
{
    unsigned lead = (unsigned)__builtin_clzll(d), trail = (unsigned)__builtin_ctzll(d), width;

    if (lead > 31) lead = 31;
    if (lead >= win->lead && trail >= win->trail) { /* never with 0xff */
        trail = win->trail;
        width = 64u - win->lead - trail;
        code = (an_xor_code){code.bits << 2 | 2, code.n + 2};
    } else {
        *win = (an_xor_wwin){(uint8_t)lead, (uint8_t)trail};
        width = 64 - lead - trail;
        code = (an_xor_code){(code.bits << 2 | 3) << 11 | lead << 6 | (width & 63), code.n + 13};
    }
    d >>= trail;
    if (width + code.n <= 56) {
        put56(w, code.bits << width | d, width + code.n);
        return;
    }
    put56(w, code.bits, code.n);
    if (width > 56) {
        put56(w, d >> 32, width - 32);
        put56(w, d & 0xffffffff, 32);
    } else {
        put56(w, d, width);
    }
}

static an_rc xor_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                        const int64_t *st, an_err *err)
{
    an_rc rc = AN_OK;
    size_t i = 0;

    (void)st; /* an encoding without start timestamps */
    AN_TRY(an_chunk_enc_room(e, FIRST_BITS_MAX + (uint64_t)n * SAMPLE_BITS_MAX, err));
    an_xor_wwin win = e->win;
    uint64_t t_delta = e->t_delta, last_v = e->v;
    int64_t last_t = e->t;

    for (; i < n && e->n + i < 2; i++) {
        if (e->n + i == 0) {
            an_bitw_varint(&e->w, t[i]);
            an_bitw_put(&e->w, v[i], 64);
        } else {
            t_delta = (uint64_t)t[i] - (uint64_t)last_t;
            an_bitw_uvarint(&e->w, t_delta);
            an_xorv_put(&e->w, v[i], last_v, &win);
        }
        last_t = t[i];
        last_v = v[i];
    }
    pen w = pen_of(&e->w);
    for (; i < n; i++) {
        uint64_t step = (uint64_t)t[i] - (uint64_t)last_t;

        an_xor_code dod = xor_dod_code(&w, (int64_t)(step - t_delta));
        if (v[i] == last_v)
            put56(&w, dod.bits << 1, dod.n + 1);
        else
            put_value(&w, v[i] ^ last_v, &win, dod);
        t_delta = step;
        last_t = t[i];
        last_v = v[i];
    }
    pen_back(&w, &e->w);
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
