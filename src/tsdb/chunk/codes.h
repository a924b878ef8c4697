// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/codes.h: the bit-level codes that several chunk encodings share.
 *
 * A bounded signed field of n bits holds -(2^(n-1) - 1) .. 2^(n-1): the positive end is one larger.
 * Read as u, it is negative when u > 2^(n-1).
 *
 * varbit: a row of the table, as so many 1 bits and a 0 (the last row has no 0), then the payload:
 *
 *   row      0   1   2   3   4   5   6   7   8
 *   payload  0   3   6   9  12  18  25  56  64 bits; signed: bounded fields, the last one is raw
 *
 * xorv, a value against the one before it, d = value ^ before:
 *
 *   0                        d = 0
 *   10  d >> trail           in the window (lead, trail) of before
 *   11  lead:5  width:6  d   a new window; width 64 is stored as 0, lead is at most 31
 *
 * spec/tsdb-block.md 3.1. Everything is inline: this is where decoding spends its time. */
#pragma once
#include "base/bits.h"

/* The value by which a series says that it has ended. Compare bits: it is a signalling NaN. */
#define AN_STALE_NAN UINT64_C(0x7ff0000000000002)

static const uint8_t an_varbit_width[9] = {0, 3, 6, 9, 12, 18, 25, 56, 64};

static inline int64_t an_bounded_signed(uint64_t u, unsigned n)
{
    if (n > 0 && n < 64 && u > UINT64_C(1) << (n - 1)) u -= UINT64_C(1) << n;
    return (int64_t)u;
}

static inline bool an_fits_bounded(int64_t x, unsigned n)
{
    return x >= -((INT64_C(1) << (n - 1)) - 1) && x <= INT64_C(1) << (n - 1);
}

static inline uint64_t an_varbit_uint_get(an_bitr *r)
{
    return an_bitr_get(r, an_varbit_width[an_bitr_ones(r, 8)]);
}

static inline int64_t an_varbit_int_get(an_bitr *r)
{
    unsigned n = an_varbit_width[an_bitr_ones(r, 8)];
    return an_bounded_signed(an_bitr_get(r, n), n);
}

/* Row `row` with its payload; the payload's high bits are cut. */
static inline void an_varbit_row_put(an_bitw *w, unsigned row, uint64_t v)
{
    unsigned n = an_varbit_width[row], prefix = row == 8 ? 8 : row + 1;
    uint64_t ones = row == 8 ? 0xff : (UINT64_C(2) << row) - 2;

    if (prefix + n <= 64) {
        if (n < 64) v &= (UINT64_C(1) << n) - 1;
        an_bitw_put(w, ones << n | v, prefix + n);
    } else {
        an_bitw_put(w, ones, prefix);
        an_bitw_put(w, v, n);
    }
}

static inline void an_varbit_uint_put(an_bitw *w, uint64_t v)
{
    unsigned row = 0;

    while (row < 8 && v > (UINT64_C(1) << an_varbit_width[row]) - 1) row++;
    an_varbit_row_put(w, row, v);
}

static inline void an_varbit_int_put(an_bitw *w, int64_t v)
{
    unsigned row = 0;

    if (v != 0) {
        row = 1;
        while (row < 8 && !an_fits_bounded(v, an_varbit_width[row])) row++;
    }
    an_varbit_row_put(w, row, (uint64_t)v);
}

/* The window of a reader, which begins as wide as a value. */
typedef struct an_xor_rwin {
    uint8_t width, trail;
} an_xor_rwin;

#define AN_XOR_RWIN ((an_xor_rwin){64, 0})

/* The 11 bits of a new window; false if it is wider than a value: no writer makes that. */
static inline bool an_xor_window_get(an_bitr *r, an_xor_rwin *w)
{
    unsigned head = (unsigned)an_bitr_get(r, 11), lead = head >> 6, width = head & 63;

    if (width == 0) width = 64;
    if (lead + width > 64) return false;
    *w = (an_xor_rwin){(uint8_t)width, (uint8_t)(64 - lead - width)};
    return true;
}

/* *v becomes the next value; false for an impossible window. */
static inline bool an_xorv_get(an_bitr *r, uint64_t *v, an_xor_rwin *w)
{
    if (!an_bitr_bit(r)) return true;
    if (an_bitr_bit(r) && !an_xor_window_get(r, w)) return false;
    *v ^= an_bitr_get(r, w->width) << w->trail;
    return true;
}

/* The window of a writer; lead 0xff: there is none yet. */
typedef struct an_xor_wwin {
    uint8_t lead, trail;
} an_xor_wwin;

#define AN_XOR_WWIN ((an_xor_wwin){0xff, 0})

/* A code in front of the bits of a value: its bits, and how many. */
typedef struct an_xor_code {
    uint64_t bits;
    unsigned n;
} an_xor_code;
