// SPDX-License-Identifier: Apache-2.0
/* A chunk frame anywhere in any bytes: through a window as in the whole file; a canonical frame is
 * what our writer makes of its contents.
 *
 * Input: window length, flags (2 bits: how the window answers; the top bit: put the checksum right
 * first), two bytes of offset, the file. */
#include "base/crc32c.h"
#include "base/cursor.h"
#include "fuzz/fuzz.h"
#include "support/streams.h"
#include "tsdb/segment/segment.h"

#include <stdlib.h>

static void fix_checksum(uint8_t *p, size_t n, size_t off)
{
    if (off > n) return;
    an_cursor c = an_cursor_of(an_slice_of(p + off, n - off));
    const uint64_t len = an_cursor_uvarint(&c);
    if (c.bad || c.left < 5 || len > c.left - 5) return;
    const size_t from = n - c.left;
    const uint32_t crc = an_crc32c(an_slice_of(p + from, 1 + (size_t)len));
    for (unsigned i = 0; i < 4; i++) p[from + 1 + len + i] = (uint8_t)(crc >> (24 - 8 * i));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err, err2;
    an_chunk_frame a, b;
    an_buf own_a, own_b, again;

    if (size < 4) return 0;
    const size_t n = size - 4, off = (size_t)data[2] << 8 | data[3];
    uint8_t *p = malloc(n == 0 ? 1 : n);
    an_assert(p != NULL);
    memcpy(p, data + 4, n);
    if (data[1] & 0x80) fix_checksum(p, n, off);
    const an_rc head = an_segment_check_header(an_slice_of(p, n < 8 ? n : 8), &err);
    an_assert(head == AN_OK || err.cause == AN_CAUSE_SEGMENT_HEADER);

    an_slice bytes = an_slice_of(p, n);
    const an_source whole = an_source_mem(&bytes);
    test_source ts = {.bytes = bytes,
                      .piece = 64 + data[0],
                      .mode = (test_source_mode)((data[1] & 3u) % TEST_SOURCE_MODES)};
    const an_source window = test_source_open(&ts);
    an_buf_init(&own_a, 1 << 20, NULL);
    an_buf_init(&own_b, 1 << 20, NULL);
    an_buf_init(&again, 1 << 21, NULL);
    const an_rc rc = an_chunk_frame_read(&whole, off, &own_a, &a, &err);
    const an_rc rc2 = an_chunk_frame_read(&window, off, &own_b, &b, &err2);
    an_assert(rc == rc2);
    if (rc == AN_OK) {
        an_assert(a.encoding == b.encoding && a.canonical == b.canonical);
        an_assert(an_slice_eq(a.data, b.data) && an_slice_eq(a.raw, b.raw));
        an_chunk_frame_write(&again, a.encoding, a.data);
        an_assert(an_slice_eq(an_buf_slice(&again), a.raw) == a.canonical);
    } else {
        an_assert(rc == AN_ECORRUPT && err.cause == err2.cause && err.offset == (int64_t)off);
    }
    an_buf_deinit(&own_a);
    an_buf_deinit(&own_b);
    an_buf_deinit(&again);
    test_source_close(&ts);
    free(p);
    return 0;
}
