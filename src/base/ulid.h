// SPDX-License-Identifier: Apache-2.0
/* base/ulid.h: block ids. 16 bytes: 48-bit big-endian Unix milliseconds, 80 bits of entropy; text
 * is 26 characters of Crockford base 32. Text order = byte order = time order.
 * spec/tsdb-block.md 1.2 */
#pragma once
#include <stdint.h>

#include "base/slice.h"

enum { AN_ULID_TEXT = 26 };

typedef struct an_ulid {
    uint8_t b[16];
} an_ulid;

/* Strict: 26 characters of the alphabet in upper case, the first at most '7'. */
bool an_ulid_parse(an_slice text, an_ulid *out);
/* As Go's JSON reading: 26 bytes, first at most '7', lower case accepted, other characters read as
 * an undefined value. For ids inside JSON only, never for names of directories. */
bool an_ulid_parse_lenient(an_slice text, an_ulid *out);
void an_ulid_format(an_ulid u, char out[AN_ULID_TEXT + 1]);        /* NUL-terminated */
an_ulid an_ulid_make(uint64_t unix_ms, const uint8_t entropy[10]); /* ms modulo 2^48 */
uint64_t an_ulid_ms(an_ulid u);
static inline int an_ulid_cmp(an_ulid a, an_ulid b) { return memcmp(a.b, b.b, sizeof a.b); }
static inline bool an_ulid_eq(an_ulid a, an_ulid b) { return an_ulid_cmp(a, b) == 0; }
