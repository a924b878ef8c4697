// SPDX-License-Identifier: Apache-2.0
/* base/utf8.h: UTF-8 by Go's rules.
 *
 * Any byte that does not begin a valid sequence (overlong, surrogate, above U+10FFFF, cut short)
 * decodes as U+FFFD of length 1, so that every input can be walked to its end. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AN_RUNE_ERROR = 0xfffd, AN_RUNE_MAX = 0x10ffff };

/* n > 0. The number of bytes used; *rune is AN_RUNE_ERROR with length 1 for an invalid byte (a
 * valid U+FFFD has length 3). */
static inline size_t an_utf8_decode(const uint8_t *p, size_t n, uint32_t *rune)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t c = p[0];
    size_t len = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (len == 1) {
        *rune = c;
        return 1;
    }
    *rune = AN_RUNE_ERROR;
    if (len == 0 || len > n) return 1;
    uint32_t r = c & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) return 1;
        r = r << 6 | (p[i] & 0x3fu);
    }
    if (r < least[len] || r > AN_RUNE_MAX || (r >= 0xd800 && r < 0xe000)) return 1;
    *rune = r;
    return len;
}

/* Writes 1 to 4 bytes; surrogates and values above the maximum are written as U+FFFD. */
static inline size_t an_utf8_encode(uint32_t r, uint8_t out[4])
{
    if (r > AN_RUNE_MAX || (r >= 0xd800 && r < 0xe000)) r = AN_RUNE_ERROR;
    if (r < 0x80) {
        out[0] = (uint8_t)r;
        return 1;
    }
    if (r < 0x800) {
        out[0] = (uint8_t)(0xc0 | r >> 6);
        out[1] = (uint8_t)(0x80 | (r & 0x3f));
        return 2;
    }
    if (r < 0x10000) {
        out[0] = (uint8_t)(0xe0 | r >> 12);
        out[1] = (uint8_t)(0x80 | (r >> 6 & 0x3f));
        out[2] = (uint8_t)(0x80 | (r & 0x3f));
        return 3;
    }
    out[0] = (uint8_t)(0xf0 | r >> 18);
    out[1] = (uint8_t)(0x80 | (r >> 12 & 0x3f));
    out[2] = (uint8_t)(0x80 | (r >> 6 & 0x3f));
    out[3] = (uint8_t)(0x80 | (r & 0x3f));
    return 4;
}

static inline bool an_utf8_valid(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t r;
        size_t len = an_utf8_decode(p + i, n - i, &r);
        if (r == AN_RUNE_ERROR && len == 1) return false;
        i += len;
    }
    return true;
}
