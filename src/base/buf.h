// SPDX-License-Identifier: Apache-2.0
/* base/buf.h: a growing byte buffer with a maximum from birth.
 *
 * Appending past the maximum (or past the budget) sets `failed` and keeps what was there; a writer
 * appends a whole record and asks once, as with the cursor. Threads: one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/slice.h"

typedef struct an_buf {
    uint8_t *p;
    size_t n, cap, max;
    an_budget *budget; /* may be NULL */
    bool failed;
} an_buf;

void an_buf_init(an_buf *b, size_t max,
                 an_budget *budget); /* caller's storage, nothing allocated */
void an_buf_deinit(an_buf *b);
static inline void an_buf_clear(an_buf *b)
{
    b->n = 0;
    b->failed = false;
}
static inline an_slice an_buf_slice(const an_buf *b) { return (an_slice){b->p, b->n}; }

/* Room for n more bytes at p + n, or false (failed is set). */
bool an_buf_grow(an_buf *b, size_t n);
static inline bool an_buf_reserve(an_buf *b, size_t n)
{
    return b->cap - b->n >= n || an_buf_grow(b, n);
}

/* Appending: all or nothing. Numbers are big-endian. */
void an_buf_add(an_buf *b, const void *p, size_t n);
static inline void an_buf_slice_add(an_buf *b, an_slice s) { an_buf_add(b, s.p, s.n); }
void an_buf_str(an_buf *b, const char *s);
void an_buf_u8(an_buf *b, uint8_t v);
void an_buf_be16(an_buf *b, uint16_t v);
void an_buf_be32(an_buf *b, uint32_t v);
void an_buf_be64(an_buf *b, uint64_t v);
void an_buf_uvarint(an_buf *b, uint64_t v);
void an_buf_varint(an_buf *b, int64_t v); /* zig-zag */
void an_buf_fill(an_buf *b, uint8_t v, size_t n);
void an_buf_printf(an_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes v at p, returns the number of bytes (1 to 10). */
size_t an_put_uvarint(uint8_t *p, uint64_t v);
