// SPDX-License-Identifier: Apache-2.0
/* An index of any bytes: what the reader says through a window is what it says of the whole file;
 * what it reads, our writer writes, and is read again the same.
 *
 * Input: window length, flags (2 bits: how the window answers; the top bit: put the checksums
 * right first, so that contents are reached), the file. */
#include "base/crc32c.h"
#include "fuzz/fuzz.h"
#include "support/index_walk.h"

#include <stdlib.h>

enum { TOC = 52 };

static uint64_t be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++) v = v << 8 | p[i];
    return v;
}

static void put_crc(uint8_t *at, const uint8_t *p, size_t n)
{
    const uint32_t crc = an_crc32c(an_slice_of(p, n));
    for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(crc >> (24 - 8 * i));
}

static void fix_section(uint8_t *p, size_t n, uint64_t at)
{
    if (at >= n || n - at < 8) return;
    const uint64_t len = be(p + at, 4);
    if (len <= n - at - 8) put_crc(p + at + 4 + len, p + at + 4, (size_t)len);
}

static void fix_series(uint8_t *p, size_t n, uint64_t at, uint64_t end)
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

static void fix_checksums(uint8_t *p, size_t n)
{
    if (n < 5 + TOC) return;
    const uint8_t *toc = p + n - TOC;
    const uint64_t symbols = be(toc, 8), series = be(toc + 8, 8), table = be(toc + 40, 8);
    const uint64_t postings = be(toc + 32, 8);
    fix_section(p, n, symbols);
    fix_series(p, n, series, postings);
    fix_section(p, n, table);
    for (uint64_t at = postings; at < n && at < postings + 4; at++) /* the list of all, mostly */
        if (at % 4 == 0) fix_section(p, n, at);
    put_crc(p + n - 4, toc, TOC - 4);
}

static void rewrite(an_slice bytes, const walk_opts *o, an_err *err)
{
    test_sink s;
    an_sink sink = test_sink_open(&s);
    an_index_written w;
    an_buf a, b;

    an_buf_init(&a, SIZE_MAX, NULL);
    an_buf_init(&b, SIZE_MAX, NULL);
    if (index_copy(bytes, o, NULL, NULL, &sink, &w, err) == AN_OK) {
        an_assert(w.size == s.out.n);
        an_assert(index_content(bytes, &a, err) == AN_OK);
        an_assert(index_content(an_buf_slice(&s.out), &b, err) == AN_OK);
        an_assert(a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0));
    }
    an_buf_deinit(&a);
    an_buf_deinit(&b);
    test_sink_close(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err, err2;
    an_buf whole, part;

    if (size < 2) return 0;
    const size_t n = size - 2;
    uint8_t *p = malloc(n == 0 ? 1 : n);
    an_assert(p != NULL);
    memcpy(p, data + 2, n);
    if (data[1] & 0x80) fix_checksums(p, n);
    const an_slice bytes = an_slice_of(p, n);
    const walk_opts all = {.mode = TEST_SOURCE_ALL};
    const walk_opts window = {.piece = 64 + 3u * data[0],
                              .mode = (test_source_mode)((data[1] & 3u) % TEST_SOURCE_MODES)};

    an_buf_init(&whole, SIZE_MAX, NULL);
    an_buf_init(&part, SIZE_MAX, NULL);
    const an_rc rc = index_walk(bytes, &all, &whole, &err);
    const an_rc rc2 = index_walk(bytes, &window, &part, &err2);
    an_assert(rc == rc2 && (rc == AN_OK || err.cause == err2.cause));
    an_assert(rc == AN_OK || err.cause != AN_CAUSE_NONE || rc == AN_ELIMIT);
    if (rc == AN_OK) {
        an_assert(whole.n == part.n && memcmp(whole.p, part.p, whole.n) == 0);
        rewrite(bytes, &window, &err);
    }
    an_buf_deinit(&whole);
    an_buf_deinit(&part);
    free(p);
    return 0;
}
