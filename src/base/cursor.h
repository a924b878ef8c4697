// SPDX-License-Identifier: Apache-2.0
/* base/cursor.h: the only way bytes from outside are read. A read past the end returns zero,
 * sets `bad` and stays bad: a decoder reads a whole record and asks once. Big-endian throughout. */
#pragma once
#include "base/slice.h"

typedef struct an_cursor {
    const uint8_t *p;
    size_t left;
    bool bad;
} an_cursor;

static inline an_cursor an_cursor_of(an_slice s) { return (an_cursor){s.p, s.n, false}; }

static inline an_slice an_cursor_take(an_cursor *c, uint64_t n)
{
    if (c->bad || n > c->left) { /* never `p + n > end`: that wraps */
        c->bad = true;
        return (an_slice){NULL, 0};
    }
    an_slice s = {c->p, (size_t)n};
    c->p += s.n;
    c->left -= s.n;
    return s;
}

/* One number each; zero and `bad` past the end. */
uint8_t an_cursor_u8(an_cursor *c);
uint16_t an_cursor_be16(an_cursor *c);
uint32_t an_cursor_be32(an_cursor *c);
uint64_t an_cursor_be64(an_cursor *c);
uint64_t an_cursor_uvarint_slow(an_cursor *c);
/* At most 10 bytes and 64 bits, then bad. */
static inline uint64_t an_cursor_uvarint(an_cursor *c)
{
    if (!c->bad && c->left > 0 && *c->p < 0x80) { /* one byte: the common case in an index */
        c->left--;
        return *c->p++;
    }
    return an_cursor_uvarint_slow(c);
}
int64_t an_cursor_varint(an_cursor *c); /* zig-zag */
/* A uvarint length followed by that many bytes. */
static inline an_slice an_cursor_str(an_cursor *c)
{
    return an_cursor_take(c, an_cursor_uvarint(c));
}
