// SPDX-License-Identifier: Apache-2.0
/* Chunk frames: the file of the specification (7.7), damage of every kind, and the rule of cutting
 * files against upstream's loop. */
#include "tsdb/segment/segment.h"
#include "base/crc32c.h"
#include "support/streams.h"
#include "unit/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* chunks/000001 of spec/tsdb-block.md 7.7; chunks at 8, 29 and 47 */
static const uint8_t file[65] = {0x85, 0xbd, 0x40, 0xdd, 0x01, 0x00, 0x00, 0x00, 0x0f, 0x01, 0x00,
                                 0x02, 0xd0, 0x0f, 0x3f, 0xf0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                                 0xe8, 0x07, 0x00, 0x8c, 0x40, 0x93, 0x60, 0x0c, 0x01, 0x00, 0x01,
                                 0xf0, 0x2e, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xb4,
                                 0xe0, 0xbe, 0x6a, 0x0c, 0x01, 0x00, 0x01, 0xb8, 0x17, 0x40, 0x14,
                                 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x25, 0xdf, 0x4f, 0x3f};
static const struct {
    uint64_t off;
    size_t data, raw;
} chunks[] = {{8, 15, 21}, {29, 12, 18}, {47, 12, 18}};

static an_rc read_from(an_slice bytes, size_t piece, test_source_mode mode, uint64_t off,
                       an_chunk_frame *out, an_buf *copy, an_err *err)
{
    test_source ts = {.bytes = bytes, .piece = piece, .mode = mode};
    an_source src = test_source_open(&ts);
    an_buf own;

    an_buf_init(&own, 1 << 20, NULL);
    an_rc rc = an_chunk_frame_read(&src, off, &own, out, err);
    if (rc == AN_OK && copy != NULL) {
        an_buf_clear(copy);
        an_buf_slice_add(copy, out->raw);
    }
    an_buf_deinit(&own);
    test_source_close(&ts);
    return rc;
}

static void the_file_of_the_specification_is_read_and_written(void **state)
{
    (void)state;
    an_err err;
    an_chunk_frame f;
    an_buf b, copy;

    assert_int_equal(an_segment_check_header(an_slice_of(file, 8), &err), AN_OK);
    assert_memory_equal(file, an_segment_header, AN_SEGMENT_HEADER);
    an_buf_init(&b, 100, NULL);
    an_buf_init(&copy, 100, NULL);
    an_buf_add(&b, an_segment_header, AN_SEGMENT_HEADER);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(b.n, chunks[i].off);
        const an_slice all = an_slice_of(file, sizeof file);
        an_source src = an_source_mem(&all);
        assert_int_equal(an_chunk_frame_read(&src, chunks[i].off, &copy, &f, &err), AN_OK);
        assert_int_equal(f.encoding, 1);
        assert_int_equal(f.data.n, chunks[i].data);
        assert_int_equal(f.raw.n, chunks[i].raw);
        assert_true(f.canonical);
        an_chunk_frame_write(&b, f.encoding, f.data);
    }
    assert_int_equal(b.n, sizeof file);
    assert_memory_equal(b.p, file, sizeof file);
    an_buf_deinit(&b);
    an_buf_deinit(&copy);
}

static void headers_are_checked_in_upstreams_order(void **state)
{
    (void)state;
    an_err err;
    uint8_t h[8];

    for (size_t n = 0; n < 8; n++) {
        assert_int_equal(an_segment_check_header(an_slice_of(file, n), &err), AN_ECORRUPT);
        assert_int_equal(err.cause, AN_CAUSE_SEGMENT_HEADER);
        assert_int_equal(err.found, n);
    }
    memcpy(h, file, 8);
    h[3] = 0xde;
    assert_int_equal(an_segment_check_header(an_slice_of(h, 8), &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_SEGMENT_HEADER);
    assert_string_equal(err.msg, "invalid magic number 85bd40de");
    h[3] = 0xdd;
    h[4] = 2;
    assert_int_equal(an_segment_check_header(an_slice_of(h, 8), &err), AN_ECORRUPT);
    assert_string_equal(err.msg, "invalid chunk format version 2");
    assert_int_equal(err.offset, 4);
    h[4] = 1;
    h[6] = 0xff; /* nobody looks at the padding */
    assert_int_equal(an_segment_check_header(an_slice_of(h, 8), &err), AN_OK);
}

static void a_file_cut_inside_a_frame_is_truncated(void **state)
{
    (void)state;
    an_err err;
    an_chunk_frame f;

    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n < sizeof file; n++) {
            const an_rc rc = read_from(an_slice_of(file, n), SIZE_MAX / 2, TEST_SOURCE_ALL,
                                       chunks[i].off, &f, NULL, &err);
            if (n >= chunks[i].off + chunks[i].raw) {
                assert_int_equal(rc, AN_OK);
                continue;
            }
            assert_int_equal(rc, AN_ECORRUPT);
            assert_int_equal(err.cause, AN_CAUSE_CHUNK_TRUNCATED);
            assert_int_equal(err.offset, (int64_t)chunks[i].off);
            assert_int_equal(err.found, n);
        }
    }
    assert_int_equal(read_from(an_slice_of(file, sizeof file), SIZE_MAX / 2, TEST_SOURCE_ALL,
                               UINT64_MAX, &f, NULL, &err),
                     AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_CHUNK_TRUNCATED);
}

static void any_flipped_bit_of_a_frame_is_noticed(void **state)
{
    (void)state;
    an_err err;
    an_chunk_frame f;
    uint8_t b[sizeof file];

    memcpy(b, file, sizeof b);
    for (size_t bit = 8 * 29; bit < 8 * 47; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(
            read_from(an_slice_of(b, sizeof b), 64, TEST_SOURCE_ALIGNED, 29, &f, NULL, &err),
            AN_ECORRUPT);
        assert_true(err.cause == AN_CAUSE_CHUNK_CHECKSUM || err.cause == AN_CAUSE_CHUNK_TRUNCATED);
        assert_true(err.has_values && err.offset == 29);
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    b[43] ^= 1; /* the first byte of the CRC */
    assert_int_equal(
        read_from(an_slice_of(b, sizeof b), 64, TEST_SOURCE_ALIGNED, 29, &f, NULL, &err),
        AN_ECORRUPT);
    assert_string_equal(err.msg, "checksum mismatch expected:b5e0be6a, actual:b4e0be6a");
    assert_true(err.expected == 0xb5e0be6a && err.found == 0xb4e0be6a);
}

static void a_length_in_more_bytes_than_it_needs_is_read_but_not_canonical(void **state)
{
    (void)state;
    an_err err;
    an_chunk_frame f;
    an_buf b, frame;

    an_buf_init(&b, 100, NULL);
    an_buf_init(&frame, 100, NULL);
    an_buf_add(&b, an_segment_header, AN_SEGMENT_HEADER);
    an_buf_u8(&b, 0x82);
    an_buf_u8(&b, 0x00);
    const uint8_t sum[] = {1, 0xaa, 0xbb};
    an_buf_add(&b, sum, sizeof sum);
    an_buf_be32(&b, an_crc32c(an_slice_of(sum, sizeof sum)));
    const an_slice all = an_buf_slice(&b);
    an_source src = an_source_mem(&all);
    assert_int_equal(an_chunk_frame_read(&src, 8, &frame, &f, &err), AN_OK);
    assert_false(f.canonical);
    assert_int_equal(f.raw.n, 9);
    assert_int_equal(f.data.n, 2);
    an_buf_clear(&frame);
    an_chunk_frame_write(&frame, f.encoding, f.data);
    assert_int_equal(frame.n, 8);
    b.p[8] = b.p[9] = b.p[10] = b.p[11] = b.p[12] = 0xff; /* no length in five bytes */
    assert_int_equal(an_chunk_frame_read(&src, 8, &frame, &f, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_CHUNK_TRUNCATED);
    an_buf_deinit(&b);
    an_buf_deinit(&frame);
}

static void frames_of_all_lengths_come_through_windows_of_all_shapes(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 40, 54, 58, 59, 60, 127, 128, 300, 5000, 20000};
    enum { N = sizeof lengths / sizeof *lengths };
    uint64_t seed = prng_seed(), off[N];
    an_err err;
    an_chunk_frame f;
    an_buf b, copy;

    an_buf_init(&b, SIZE_MAX, NULL);
    an_buf_init(&copy, SIZE_MAX, NULL);
    an_buf_add(&b, an_segment_header, AN_SEGMENT_HEADER);
    for (size_t i = 0; i < N; i++) {
        uint8_t *data = malloc(lengths[i] + 1);
        assert_non_null(data);
        for (size_t k = 0; k < lengths[i]; k++) data[k] = (uint8_t)prng(&seed);
        off[i] = b.n;
        an_chunk_frame_write(&b, 7, an_slice_of(data, lengths[i]));
        free(data);
    }
    for (size_t piece = 64; piece < 30000; piece = piece * 5 / 4) {
        for (unsigned mode = 0; mode < TEST_SOURCE_MODES; mode++) {
            for (size_t i = 0; i < N; i++) {
                assert_int_equal(read_from(an_buf_slice(&b), piece, (test_source_mode)mode, off[i],
                                           &f, &copy, &err),
                                 AN_OK);
                const uint64_t end = i + 1 < N ? off[i + 1] : b.n;
                assert_int_equal(copy.n, end - off[i]);
                assert_memory_equal(copy.p, b.p + off[i], copy.n);
                assert_int_equal(f.data.n, lengths[i]);
                assert_int_equal(f.encoding, 7);
            }
        }
    }
    an_buf_deinit(&b);
    an_buf_deinit(&copy);
}

/* Upstream's batches, as spec/tsdb-block.md 2 has them. */
static void literal_cuts(uint64_t max, uint64_t pos, const uint64_t *len, size_t n, bool *cut)
{
    uint64_t batch = 0;
    bool first = true;

    for (size_t i = 0; i < n; i++) {
        const uint64_t sz = 5 + 1 + len[i] + 4;
        batch += sz;
        cut[i] = i != 0 && batch + 8 > max;
        if (first && pos > 8) {
            cut[i] = batch + pos > max;
            if (cut[i]) first = false;
        }
        if (cut[i]) batch = sz;
    }
}

static void files_are_cut_where_upstream_cuts_them(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();
    size_t cuts = 0;

    for (size_t round = 0; round < 3000; round++) {
        const uint64_t max = 100 + prng(&seed) % 400;
        const uint64_t pos = prng(&seed) % 4 == 0   ? 0
                             : prng(&seed) % 4 == 0 ? 8
                                                    : 8 + prng(&seed) % (max + 50);
        uint64_t len[30];
        bool want[30];
        const size_t n = prng(&seed) % 30;
        for (size_t i = 0; i < n; i++)
            len[i] = prng(&seed) % 20 == 0 ? max + 50 : prng(&seed) % 120;
        literal_cuts(max, pos, len, n, want);
        an_segment_cutter c = an_segment_cutter_of(max, pos);
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(an_segment_cutter_next(&c, len[i]), want[i]);
            cuts += want[i];
        }
    }
    assert_true(cuts > 1000);
    /* 512 MiB are filled to the last byte of the estimate */
    an_segment_cutter c = an_segment_cutter_of(AN_SEGMENT_MAX, 9);
    assert_false(an_segment_cutter_next(&c, AN_SEGMENT_MAX - 9 - 10));
    assert_true(an_segment_cutter_next(&c, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_of_the_specification_is_read_and_written),
        cmocka_unit_test(headers_are_checked_in_upstreams_order),
        cmocka_unit_test(a_file_cut_inside_a_frame_is_truncated),
        cmocka_unit_test(any_flipped_bit_of_a_frame_is_noticed),
        cmocka_unit_test(a_length_in_more_bytes_than_it_needs_is_read_but_not_canonical),
        cmocka_unit_test(frames_of_all_lengths_come_through_windows_of_all_shapes),
        cmocka_unit_test(files_are_cut_where_upstream_cuts_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
