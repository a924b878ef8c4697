// SPDX-License-Identifier: Apache-2.0
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void an_buf_init(an_buf *b, size_t max, an_budget *budget)
{
    *b = (an_buf){.max = max, .budget = budget};
}

void an_buf_deinit(an_buf *b)
{
    free(b->p);
    an_budget_give(b->budget, b->cap);
    *b = (an_buf){.max = b->max, .budget = b->budget};
}

bool an_buf_grow(an_buf *b, size_t n)
{
    size_t need;

    if (__builtin_add_overflow(b->n, n, &need) || need > b->max) goto fail;
    size_t cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need && cap <= b->max / 2) cap *= 2;
    if (cap < need || cap > b->max) cap = b->max;
    if (cap <= b->cap) return true;
    size_t more = cap - b->cap;
    if (!an_budget_take(b->budget, more)) goto fail;
    uint8_t *p = realloc(b->p, cap);
    if (p == NULL) {
        an_budget_give(b->budget, more);
        goto fail;
    }
    b->p = p;
    b->cap = cap;
    return true;
fail:
    b->failed = true;
    return false;
}

void an_buf_add(an_buf *b, const void *p, size_t n)
{
    if (n == 0 || b->failed || !an_buf_reserve(b, n)) return;
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void an_buf_str(an_buf *b, const char *s) { an_buf_add(b, s, strlen(s)); }
void an_buf_u8(an_buf *b, uint8_t v) { an_buf_add(b, &v, 1); }

void an_buf_be16(an_buf *b, uint16_t v)
{
    uint8_t t[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    an_buf_add(b, t, sizeof t);
}

void an_buf_be32(an_buf *b, uint32_t v)
{
    uint8_t t[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    an_buf_add(b, t, sizeof t);
}

void an_buf_be64(an_buf *b, uint64_t v)
{
    an_buf_be32(b, (uint32_t)(v >> 32));
    an_buf_be32(b, (uint32_t)v);
}

size_t an_put_uvarint(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    while (v >= 0x80) {
        p[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (uint8_t)v;
    return n;
}

void an_buf_uvarint(an_buf *b, uint64_t v)
{
    uint8_t t[10];
    an_buf_add(b, t, an_put_uvarint(t, v));
}

void an_buf_varint(an_buf *b, int64_t v)
{
    an_buf_uvarint(b, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

void an_buf_fill(an_buf *b, uint8_t v, size_t n)
{
    if (n == 0 || b->failed || !an_buf_reserve(b, n)) return;
    memset(b->p + b->n, v, n);
    b->n += n;
}

void an_buf_printf(an_buf *b, const char *fmt, ...)
{
    va_list ap, ap2;

    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n >= 0 && !b->failed && an_buf_reserve(b, (size_t)n + 1)) { /* + 1: vsnprintf's NUL */
        (void)vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, ap2);
        b->n += (size_t)n;
    }
    va_end(ap2);
}
