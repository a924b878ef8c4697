// SPDX-License-Identifier: Apache-2.0
/* An index of any bytes: what the reader says through a window is what it says of the whole file;
 * what it reads, our writer writes, and is read again the same.
 *
 * Input: window length, flags (2 bits: how the window answers; the top bit: put the checksums
 * right first, so that contents are reached), the file. */
#include "fuzz/fix_checksums.h"
#include "fuzz/fuzz.h"
#include "support/index_walk.h"

#include <stdlib.h>

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
