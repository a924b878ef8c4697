// SPDX-License-Identifier: Apache-2.0
/* The bit reader against one that takes bit by bit; then what was read is written again.
 *
 * Input: a byte with the number of operations, the operations (a byte each), the stream. */
#include "base/bits.h"
#include "base/err.h"
#include "fuzz/fuzz.h"

typedef struct plain {
    an_slice s;
    uint64_t at;
    bool bad;
} plain;

static uint64_t plain_get(plain *r, unsigned n)
{
    uint64_t v = 0;

    if (r->bad || r->s.n * 8 - r->at < n) {
        r->bad = true;
        return 0;
    }
    for (; n > 0; n--, r->at++) v = v << 1 | (r->s.p[r->at / 8] >> (7 - r->at % 8) & 1);
    return v;
}

static uint64_t plain_ones(plain *r, unsigned max)
{
    unsigned n = 0;

    while (n < max && plain_get(r, 1) != 0) n++;
    return r->bad ? 0 : n;
}

static uint64_t plain_uvarint(plain *r)
{
    uint64_t v = 0, b = 0x80;

    for (unsigned i = 0; i < 10 && b >= 0x80; i++) {
        b = plain_get(r, 8);
        if (i == 9 && b > 1) r->bad = true;
        v |= (b & 0x7f) << (7 * i);
    }
    return r->bad ? 0 : v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n_ops = size == 0 ? 0 : data[0];
    an_buf out;

    if (size == 0 || size - 1 < n_ops) return 0;
    an_slice s = {data + 1 + n_ops, size - 1 - n_ops};
    plain want = {.s = s};
    an_bitr got = an_bitr_of(s);
    an_buf_init(&out, 1 << 16, NULL);
    an_bitw w = an_bitw_to(&out);
    bool varints = false; /* those may be overlong in the input */

    for (size_t i = 0; i < n_ops; i++) {
        unsigned op = data[1 + i], n = op & 0x3f;
        uint64_t a, b;
        if (op < 0x80) { /* 0 to 63 bits; the upper half: one more */
            n += op >> 6;
            a = plain_get(&want, n);
            b = an_bitr_get(&got, n);
            an_bitw_put(&w, b, n);
        } else if (op < 0xc0) {
            if (n > 56) n = 56;
            a = plain_ones(&want, n);
            b = an_bitr_ones(&got, n);
            for (uint64_t k = 0; k < b; k++) an_bitw_bit(&w, true);
            if (b < n) an_bitw_bit(&w, false);
        } else if (n < 0x20) {
            a = plain_uvarint(&want);
            b = an_bitr_uvarint(&got);
            an_bitw_uvarint(&w, b);
            varints = true;
        } else {
            if (n > 56) n = 56;
            plain ahead = want;
            uint64_t left = s.n * 8 - want.at;
            a = want.bad ? 0 : plain_get(&ahead, left < n ? (unsigned)left : n);
            a = left < n && !want.bad ? a << (n - left) : a;
            b = an_bitr_peek(&got, n);
        }
        an_assert(a == b && want.bad == got.bad);
        an_assert(want.bad || an_bitr_left(&got) == s.n * 8 - want.at);
        if (got.bad) break;
    }
    an_assert(an_bitw_finish(&w, NULL));
    if (!got.bad && !varints) { /* what was read is what is written, up to the padding */
        an_assert(out.n == (want.at + 7) / 8);
        plain again = {.s = an_buf_slice(&out)}, first = {.s = s};
        for (uint64_t k = 0; k < want.at; k++) {
            an_assert(plain_get(&again, 1) == plain_get(&first, 1));
        }
        while (again.at < out.n * 8) an_assert(plain_get(&again, 1) == 0);
    }
    an_buf_deinit(&out);
    return 0;
}
