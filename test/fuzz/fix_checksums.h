// SPDX-License-Identifier: Apache-2.0
/* fuzz/fix_checksums.h: puts the checksums of a mutated index or segment right where they can be
 * found, so that a fuzzer gets past them to the contents. */
#pragma once
#include <stdint.h>

#include "base/crc32c.h"

enum { FIX_TOC = 52 };

static inline uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static inline void put_crc(uint8_t *at, const uint8_t *p, size_t n)
{
    const uint32_t crc = an_crc32c(an_slice_of(p, n));
    for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static inline void fix_section(uint8_t *p, size_t n, uint64_t at)
{
    if (at >= n || n - at < 8) return;
    const uint64_t len = be(p + at, 4);
    if (len <= n - at - 8) put_crc(p + at + 4 + len, p + at + 4, (size_t)len);
}

static inline void fix_series(uint8_t *p, size_t n, uint64_t at, uint64_t end)
{
    while (at < end && end <= n) {
        an_slice rest = an_slice_of(p + at, (size_t)(end - at));
        uint64_t len = 0;
        size_t head = 0;
        if (p[at] == 0) {
            at++;
            continue;
        }
        while (head < rest.n && head < 5) {
            len |= (uint64_t)(rest.p[head] & 0x7f) << (7 * head);
            if (rest.p[head++] < 0x80) break;
        }
        if (len > rest.n || rest.n - len < head + 4) return;
        put_crc(p + at + head + len, p + at + head, (size_t)len);
        at += head + len + 4;
    }
}

static inline void fix_checksums(uint8_t *p, size_t n)
{
    if (n < 5 + FIX_TOC) return;
    const uint8_t *toc = p + n - FIX_TOC;
    const uint64_t symbols = be(toc, 8), series = be(toc + 8, 8), table = be(toc + 40, 8);
    const uint64_t postings = be(toc + 32, 8);
    fix_section(p, n, symbols);
    fix_series(p, n, series, postings);
    fix_section(p, n, table);
    for (uint64_t at = postings; at < n && at < postings + 4; at++) /* the list of all, mostly */
        if (at % 4 == 0) fix_section(p, n, at);
    put_crc(p + n - 4, toc, FIX_TOC - 4);
}

/* Frames one behind the other from the header on, as far as their lengths make sense. */
static inline void fix_frames(uint8_t *p, size_t n)
{
    size_t at = 8;

    while (at < n) {
        uint64_t len = 0;
        size_t head = 0;
        while (at + head < n && head < 5) {
            len |= (uint64_t)(p[at + head] & 0x7f) << (7 * head);
            if (p[at + head++] < 0x80) break;
        }
        if (head > n - at || len > n - at - head || n - at - head - len < 5) return;
        put_crc(p + at + head + 1 + len, p + at + head, (size_t)len + 1);
        at += head + 1 + (size_t)len + 4;
    }
}
