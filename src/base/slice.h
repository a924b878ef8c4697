// SPDX-License-Identifier: Apache-2.0
/* base/slice.h: borrowed bytes and the order Go gives to strings.
 *
 * A slice owns nothing and is not NUL-terminated; it may hold any byte. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct an_slice {
    const uint8_t *p;
    size_t n;
} an_slice;

/* For printf: printf("%.*s", AN_PRI(s)). Cuts at INT_MAX; stops at a NUL byte. */
#define AN_PRI(s) (int)((s).n > 0x7fffffff ? 0x7fffffff : (s).n), (const char *)(s).p

static inline an_slice an_slice_of(const void *p, size_t n) { return (an_slice){p, n}; }
static inline an_slice an_slice_str(const char *s)
{
    return (an_slice){(const uint8_t *)s, strlen(s)};
}
#define AN_LIT(s) ((an_slice){(const uint8_t *)(s), sizeof(s) - 1})

/* Go's string order: bytes, then length. */
static inline int an_slice_cmp(an_slice a, an_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int d = n == 0 ? 0 : memcmp(a.p, b.p, n);
    return d != 0 ? d : (a.n > b.n) - (a.n < b.n);
}

static inline bool an_slice_eq(an_slice a, an_slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool an_slice_has_prefix(an_slice s, an_slice prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool an_slice_has_suffix(an_slice s, an_slice suffix)
{
    return s.n >= suffix.n &&
           (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
