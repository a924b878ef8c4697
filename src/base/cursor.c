// SPDX-License-Identifier: Apache-2.0
#include "base/cursor.h"

uint8_t an_cursor_u8(an_cursor *c)
{
    an_slice s = an_cursor_take(c, 1);
    return s.n == 1 ? s.p[0] : 0;
}

uint16_t an_cursor_be16(an_cursor *c)
{
    an_slice s = an_cursor_take(c, 2);
    if (s.n != 2) return 0;
    return (uint16_t)(s.p[0] << 8 | s.p[1]);
}

uint32_t an_cursor_be32(an_cursor *c)
{
    an_slice s = an_cursor_take(c, 4);
    uint32_t v = 0;
    for (size_t i = 0; i < s.n; i++) v = v << 8 | s.p[i];
    return v;
}

uint64_t an_cursor_be64(an_cursor *c)
{
    an_slice s = an_cursor_take(c, 8);
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) v = v << 8 | s.p[i];
    return v;
}

uint64_t an_cursor_uvarint_slow(an_cursor *c)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 10; i++) {
        uint8_t b = an_cursor_u8(c);
        if (c->bad) return 0;
        if (i == 9 && b > 1) break; /* the tenth byte has one bit left of 64 */
        v |= (uint64_t)(b & 0x7f) << (7 * i);
        if (b < 0x80) return v;
    }
    c->bad = true;
    return 0;
}

int64_t an_cursor_varint(an_cursor *c)
{
    uint64_t u = an_cursor_uvarint(c);
    return (int64_t)(u >> 1 ^ (0 - (u & 1)));
}
