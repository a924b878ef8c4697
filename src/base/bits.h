// SPDX-License-Identifier: Apache-2.0
/* base/bits.h: bit streams of chunk payloads, most significant bit first.
 *
 * A stream is a run of bytes; its first bit is the highest bit of the first byte, the last byte is
 * padded with zero bits. Varints go in as ordinary bytes, wherever the stream stands
 * (spec/tsdb-block.md 3.1, 3.2).
 *
 * Reader (an_bitr): as the cursor, a read past the end returns zero, sets `bad` and stays bad; no
 * byte outside of the slice is ever touched. Bits of the padding are bits like any other. It
 * borrows the slice. Keep it in a local variable: all of it is inline and lets nothing escape, so
 * that the compiler holds it in registers.
 *
 * Writer (an_bitw): appends to an an_buf, or fills memory of a fixed size; a stream that does not
 * fit sets `failed` and stays failed. Until an_bitw_finish the bytes are incomplete and the an_buf
 * belongs to the writer.
 *
 * Threads: one each. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

typedef struct an_bitr {
    const uint8_t *p, *end; /* not yet in acc */
    uint64_t acc;           /* the next n bits from the top; below them zeros or later bits */
    unsigned n;
    bool bad;
} an_bitr;

static inline an_bitr an_bitr_of(an_slice s)
{
    return (an_bitr){s.p, s.n == 0 ? s.p : s.p + s.n, 0, 0, false};
}

/* The first `left` (below 8) bytes at p as the top of a word. By value: see "Reader" above. */
uint64_t an_bits_tail(const uint8_t *p, size_t left);

static inline uint64_t an_bits_load(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(w) : w;
}

/* At least 56 bits in acc, or all that are left. The bits of a partly taken byte are put into acc
 * a second time by the next refill: the same bits to the same place. */
static inline void an_bitr_refill(an_bitr *r)
{
    size_t left = (size_t)(r->end - r->p), take = (63 - r->n) >> 3;

    if (left >= 8) {
        r->acc |= an_bits_load(r->p) >> r->n;
    } else {
        r->acc |= an_bits_tail(r->p, left) >> r->n;
        if (take > left) take = left;
    }
    r->p += take;
    r->n += (unsigned)take * 8;
}

/* How many bits are left, padding included. */
static inline uint64_t an_bitr_left(const an_bitr *r)
{
    return (uint64_t)(r->end - r->p) * 8 + r->n;
}

static inline void an_bitr_fail(an_bitr *r)
{
    r->p = r->end;
    r->acc = 0;
    r->n = 0;
    r->bad = true;
}

/* The next n <= 56 bits without taking them; zeros past the end, which is not yet `bad`. */
static inline uint64_t an_bitr_peek(an_bitr *r, unsigned n)
{
    if (r->n < n) an_bitr_refill(r);
    return r->acc >> 1 >> (63 - n); /* two shifts: n may be 0 */
}

/* Takes n <= 56 bits; false (and bad) when they are not there. */
static inline bool an_bitr_skip(an_bitr *r, unsigned n)
{
    if (__builtin_expect(r->n < n, 0)) {
        an_bitr_refill(r);
        if (r->n < n) {
            an_bitr_fail(r);
            return false;
        }
    }
    r->acc <<= n;
    r->n -= n;
    return true;
}

/* The next n <= 64 bits as an unsigned number. */
static inline uint64_t an_bitr_get(an_bitr *r, unsigned n)
{
    uint64_t hi = 0, lo;

    if (n > 56) {
        hi = an_bitr_peek(r, n - 32);
        if (!an_bitr_skip(r, n - 32)) return 0;
        n = 32;
    }
    lo = an_bitr_peek(r, n);
    return an_bitr_skip(r, n) ? hi << 32 | lo : 0;
}

static inline bool an_bitr_bit(an_bitr *r) { return an_bitr_get(r, 1) != 0; }

/* Counts the 1 bits ahead, at most max <= 56, and takes them with the 0 bit that ends a shorter
 * run: the row of a prefix code ("0", "10", "110", ...). */
static inline unsigned an_bitr_ones(an_bitr *r, unsigned max)
{
    if (r->n < max) an_bitr_refill(r);
    unsigned ones = (unsigned)__builtin_clzll(~r->acc | 1ull << (63 - max));
    return an_bitr_skip(r, ones + (ones < max)) ? ones : 0;
}

/* At most 10 bytes and 64 bits, then bad. */
static inline uint64_t an_bitr_uvarint(an_bitr *r)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 10; i++) {
        uint64_t b = an_bitr_get(r, 8);
        if (r->bad) return 0;
        if (i == 9 && b > 1) break; /* the tenth byte has one bit left of 64 */
        v |= (b & 0x7f) << (7 * i);
        if (b < 0x80) return v;
    }
    an_bitr_fail(r);
    return 0;
}

/* Zig-zag. */
static inline int64_t an_bitr_varint(an_bitr *r)
{
    uint64_t u = an_bitr_uvarint(r);
    return (int64_t)(u >> 1 ^ (0 - (u & 1)));
}

typedef struct an_bitw {
    uint8_t *p, *end; /* room for whole words */
    an_buf *buf;      /* NULL: fixed memory */
    uint8_t *start;   /* of the fixed memory */
    uint64_t acc;     /* the lowest n bits are not yet at p; above them old bits */
    unsigned n;       /* below 64 */
    bool failed;
} an_bitw;

/* Appends after what `buf` holds. Fails when the buffer is full or has failed before. */
an_bitw an_bitw_to(an_buf *buf);
/* Fills the n bytes at p from their start. */
an_bitw an_bitw_fixed(uint8_t *p, size_t n);
/* Goes on in the n bytes at p, into which the caller has copied what was filled; fixed memory only.
 */
void an_bitw_move(an_bitw *w, uint8_t *p, size_t n);

/* For an_bitw_put: stores a word where there was no room for one. */
void an_bitw_word_slow(an_bitw *w, uint64_t word);

/* Appends the lowest n <= 64 bits of v, the highest of them first. */
static inline void an_bitw_put(an_bitw *w, uint64_t v, unsigned n)
{
    unsigned room = 64 - w->n;

    if (n < 64) v &= (1ull << n) - 1;
    if (n < room) {
        w->acc = w->acc << (n & 63) | v; /* n is below 64 here, which not every reader sees */
        w->n += n;
        return;
    }
    unsigned rest = n - room; /* below 64: n - room = n + w->n - 64 */
    uint64_t word = (room == 64 ? 0 : w->acc << room) | v >> rest;
    w->acc = v;
    w->n = rest;
    if (__builtin_expect(w->end - w->p < 8, 0)) {
        an_bitw_word_slow(w, word);
        return;
    }
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) word = __builtin_bswap64(word);
    memcpy(w->p, &word, sizeof word);
    w->p += 8;
}

static inline void an_bitw_bit(an_bitw *w, bool bit) { an_bitw_put(w, bit, 1); }
/* Byte by byte, as an_buf_uvarint; varint is zig-zag. */
void an_bitw_uvarint(an_bitw *w, uint64_t v);
void an_bitw_varint(an_bitw *w, int64_t v);

/* Pads with zero bits to a byte and completes the bytes: of the an_buf, or *n_bytes (may be NULL)
 * of the fixed memory. False when the stream did not fit; an an_buf then ends as it began and has
 * `failed` set. The writer may not be used again. */
bool an_bitw_finish(an_bitw *w, size_t *n_bytes);
