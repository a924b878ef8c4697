// SPDX-License-Identifier: Apache-2.0
/* Indexes known byte by byte: those of the specification (7.7), and files that lie in upstream's
 * repositories (7.8), given here as hex or made again and compared by their SHA-256. */
#include "base/hash.h"
#include "support/index_v1_writer.h"
#include "support/index_walk.h"
#include "tsdb/index/health.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const char two_series[] = "baaad70002"
                                 "0000001800000005085f5f6e616d655f5f01610162036a6f62027570f0b315e7"
                                 "0000000000000000000000"
                                 "0f020004030102d00fe80708e807002aea72c8ad"
                                 "000000000000000000000000"
                                 "0a020004030201b817002fea41edfc"
                                 "00"
                                 "0000000c000000020000000300000005bb33cbd4"
                                 "0000000c000000020000000300000005bb33cbd4"
                                 "000000080000000100000003a7692ed2"
                                 "00000008000000010000000581c8c93a"
                                 "0000002800000004"
                                 "02000060"
                                 "02085f5f6e616d655f5f02757074"
                                 "02036a6f6201618801"
                                 "02036a6f6201629801"
                                 "675899e0"
                                 "00000000000000050000000000000025000000000000005f00000000000000a8"
                                 "000000000000005f00000000000000a875100f79";
static const char two_series_sha256[] =
    "8bc0b3af5143210f41d908fb37549e37a33d12c5cbee3980eebee84c4759d329";

static const char no_series[] =
    "baaad7000200000004000000004867"
    "4bc7"
    "000000"
    "00000004000000004867"
    "4bc7"
    "0000000800000001"
    "02000014"
    "dc9aaed7"
    "00000000000000050000000000000011000000000000001100000000000000200000000000000011"
    "00000000000000202c08621c";

/* By a writer of 2018: label index sections, the second chunk earlier than the first. */
static const char out_of_order_chunks[] =
    "baaad700020000000b000000020131046c626c311306ee0d000000000000"
    "00002d01010002faffffffffffffffff01018cedbbfb8591a0a955838080"
    "8080808080800101bcca8ad9f4efa9dac9013058feba00000000000c0000"
    "00010000000100000000e74f0cb90000000800000001000000025502add1"
    "0000000800000001000000025502add10000000b0000000101046c626c31"
    "54b6d9f47f00000011000000020200006802046c626c31013178a1f78588"
    "000000000000000500000000000000180000000000000052000000000000"
    "00880000000000000068000000000000009b0b23b48a";
static const char out_of_order_chunks_sha256[] =
    "92072f8e8f87d40cf29f547e481cbff833ae86590f2c5ca96fcb0fe0774bc510";

/* Prometheus 2.1's mistake: the layout of version 2 under a version byte of 1, no list of all. */
static const char version_mix_up[] = "baaad700010000000c000000040131013201610162b37207b60000000000"
                                     "00000602020003000016aac362000000000006020201030000cbef69da00"
                                     "0000000c000000020000000200000003a583439000000004000000004867"
                                     "4bc70000000a0000000102016201313c20aae5ca00000000000000050000"
                                     "00000000001900000000000000000000000000000050000000000000003b"
                                     "000000000000005c3c3e2a05";
static const char version_mix_up_sha256[] =
    "8dcce86ddfa9477703b26daf9a796ff9704b7317b7819b8a85c8d10e48d458f5";

static an_slice unhex(const char *hex)
{
    const size_t n = strlen(hex) / 2;
    uint8_t *p = malloc(n);

    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        const char two[3] = {hex[2 * i], hex[2 * i + 1], 0};
        p[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    return an_slice_of(p, n);
}

static void free_slice(an_slice s) { free((void *)(uintptr_t)s.p); }

static void assert_sha256(an_slice s, const char *want)
{
    uint8_t sum[AN_SHA256_BYTES];
    char hex[2 * AN_SHA256_BYTES + 1];

    an_sha256_of(s, sum);
    an_hex(sum, sizeof sum, hex);
    assert_string_equal(hex, want);
}

static void assert_dump(an_slice bytes, const char *want)
{
    an_err err;
    an_buf dump;
    const walk_opts o = {0};

    an_buf_init(&dump, SIZE_MAX, NULL);
    if (index_walk(bytes, &o, &dump, &err) != AN_OK) fail_msg("%s", err.msg);
    an_buf_u8(&dump, 0);
    assert_string_equal((const char *)dump.p, want);
    an_buf_deinit(&dump);
}

static const an_chunk_meta chunks_a[] = {{1000, 2000, 8}, {3000, 3000, 29}};
static const an_chunk_meta chunks_b[] = {{1500, 1500, 47}};

static void write_two_series(const an_sink *sink, an_budget *b, const an_spill *spill,
                             an_index_written *out)
{
    static const char *const symbols[] = {"__name__", "a", "b", "job", "up"};
    static const uint32_t labels[][4] = {{0, 4, 3, 1}, {0, 4, 3, 2}};
    an_err err;
    an_strtab *t;
    an_index_writer *w;

    assert_int_equal(an_strtab_new(b, spill, &t, &err), AN_OK);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(an_strtab_add(t, an_slice_str(symbols[i]), &err), AN_OK);
    assert_int_equal(an_index_writer_open(sink, t, b, spill, &w, &err), AN_OK);
    assert_int_equal(an_index_writer_add(w, labels[0], 2, chunks_a, 2, &err), AN_OK);
    assert_int_equal(an_index_writer_add(w, labels[1], 2, chunks_b, 1, &err), AN_OK);
    assert_int_equal(an_index_writer_finish(w, out, &err), AN_OK);
    an_index_writer_close(w);
    an_strtab_free(t);
}

static void the_index_of_two_series_is_written_byte_for_byte(void **state)
{
    (void)state;
    an_index_written out;
    test_sink s;
    an_sink sink = test_sink_open(&s);
    an_slice want = unhex(two_series);

    assert_sha256(want, two_series_sha256);
    write_two_series(&sink, NULL, NULL, &out);
    assert_int_equal(s.out.n, 268);
    assert_memory_equal(s.out.p, want.p, want.n);
    assert_int_equal(out.size, 268);
    assert_int_equal(out.n_series, 2);
    assert_int_equal(out.series_max_size, 32);
    assert_int_equal(out.chunk_max_size, 0);
    free_slice(want);
    test_sink_close(&s);
}

static void the_index_of_two_series_is_read(void **state)
{
    (void)state;
    an_slice b = unhex(two_series);

    assert_dump(b, "list 96 0: 0:\n"
                   "list 116 8:__name__ 2:up\n"
                   "list 136 3:job 1:a\n"
                   "list 152 3:job 1:b\n"
                   "series 48 3 0 8:__name__ 4 2:up 3 3:job 1 1:a [1000 2000 8] [3000 3000 29]\n"
                   "series 80 5 0 8:__name__ 4 2:up 3 3:job 2 1:b [1500 1500 47]\n"
                   "version 2, 5 symbols, 4 lists, all at 96, 2 series\n");
    free_slice(b);
}

static void an_index_without_series_is_a_hundred_bytes(void **state)
{
    (void)state;
    an_err err;
    an_strtab *t;
    an_index_writer *w;
    an_index_written out;
    test_sink s;
    an_sink sink = test_sink_open(&s);
    an_slice want = unhex(no_series);

    assert_int_equal(want.n, 100);
    assert_int_equal(an_strtab_new(NULL, NULL, &t, &err), AN_OK);
    assert_int_equal(an_index_writer_open(&sink, t, NULL, NULL, &w, &err), AN_OK);
    assert_int_equal(an_index_writer_finish(w, &out, &err), AN_OK);
    assert_int_equal(s.out.n, 100);
    assert_memory_equal(s.out.p, want.p, want.n);
    assert_int_equal(out.n_series, 0);
    assert_int_equal(out.series_max_size, 0);
    assert_dump(want, "list 20 0: 0:\nversion 2, 0 symbols, 1 lists, all at 20, 0 series\n");
    an_index_writer_close(w);
    an_strtab_free(t);
    test_sink_close(&s);
    free_slice(want);
}

/* The version 1 index in upstream's test data: 102 series of one label and one chunk each, its
 * lists in the order of a hash map. */
static void make_version_1(an_buf *out)
{
    static const size_t order[] = {
        38, 66, 2,  60, 83,  29, 88,  102, 44, 42, 46, 53, 16, 96, 31, 92, 84, 85, 20, 15, 26,
        5,  4,  27, 63, 90,  98, 12,  52,  77, 93, 34, 48, 25, 28, 37, 47, 94, 99, 30, 10, 35,
        39, 72, 55, 70, 43,  57, 7,   11,  56, 86, 49, 79, 75, 76, 91, 64, 74, 0,  69, 32, 21,
        59, 73, 45, 67, 3,   62, 19,  9,   68, 71, 80, 23, 81, 95, 54, 41, 14, 18, 6,  97, 17,
        33, 78, 22, 40, 100, 50, 101, 82,  51, 8,  24, 61, 87, 13, 89, 1,  58, 65, 36};
    static char numbers[100][3];
    static const char *symbols[105];
    static raw_series series[102];

    for (size_t i = 0; i < 100; i++) {
        (void)snprintf(numbers[i], sizeof numbers[i], "%zu", i);
        series[i].labels[0] = "bar";
        series[i].labels[1] = numbers[i];
    }
    for (size_t i = 0; i < 100; i++) symbols[i] = numbers[i];
    for (size_t i = 1; i < 100; i++) { /* as strings */
        const char *s = symbols[i];
        size_t k = i;
        for (; k > 0 && strcmp(symbols[k - 1], s) > 0; k--) symbols[k] = symbols[k - 1];
        symbols[k] = s;
    }
    for (size_t i = 0; i < 100; i++) series[i].labels[1] = symbols[i];
    symbols[100] = "bar";
    symbols[101] = "baz";
    symbols[102] = "foo";
    symbols[103] = "meh";
    symbols[104] = NULL;
    series[100] = (raw_series){.labels = {"foo", "bar"}};
    series[101] = (raw_series){.labels = {"foo", "baz"}};
    for (size_t i = 0; i < 102; i++) {
        series[i].n_chunks = 1;
        const int64_t t = i == 100 ? 1 : i == 101 ? 3 : 0;
        series[i].chunks[0] = (an_chunk_meta){t, t, 8 + 18 * i};
    }
    const raw_index ix = {
        .version = 1, .symbols = symbols, .series = series, .n_series = 102, .table_order = order};
    raw_index_write(&ix, out, NULL);
}

static void upstreams_version_1_index_is_read(void **state)
{
    (void)state;
    an_err err;
    an_buf b, dump;
    const walk_opts o = {0};

    an_buf_init(&b, SIZE_MAX, NULL);
    an_buf_init(&dump, SIZE_MAX, NULL);
    make_version_1(&b);
    assert_int_equal(b.n, 5407);
    assert_sha256(an_buf_slice(&b),
                  "b775447cfdb8c5ed33508d7edfa6500523a3667f8cb329e5a29d796f9e0d715e");
    assert_int_equal(index_walk(an_buf_slice(&b), &o, &dump, &err), AN_OK);
    an_buf_u8(&dump, 0);
    const char *text = (const char *)dump.p;
    assert_non_null(strstr(text, "\nseries 323 323 303 3:bar 13 1:0 [0 0 8]\n"));
    assert_non_null(strstr(text, "\nseries 1791 1791 311 3:foo 307 3:baz [3 3 1826]\n"));
    assert_non_null(strstr(text, "\nversion 1, 104 symbols, 103 lists, all at "));
    assert_non_null(strstr(text, ", 102 series\n"));
    an_buf_deinit(&dump);
    an_buf_deinit(&b);
}

static void an_index_of_an_old_writer_shows_its_out_of_order_chunk(void **state)
{
    (void)state;
    an_err err;
    an_index ix;
    an_series_iter *it;
    an_series_entry e;
    an_index_health h;
    uint64_t all;
    an_slice b = unhex(out_of_order_chunks);
    an_source src = an_source_mem(&b);

    assert_sha256(b, out_of_order_chunks_sha256);
    assert_int_equal(an_index_open(&src, &ix, &err), AN_OK);
    assert_int_equal(an_postings_table_walk(&ix, &src, NULL, NULL, NULL, &all, &err), AN_OK);
    assert_int_equal(an_series_iter_open(&ix, &src, &src, all, NULL, &it, &err), AN_OK);
    an_index_health_init(&h, &ix, INT64_MIN, INT64_MAX, NULL);
    while (an_series_iter_next(it, &e, &err) == AN_OK)
        assert_int_equal(an_index_health_add(&h, &e, &err), AN_OK);
    assert_int_equal(h.n_series, 1);
    assert_int_equal(h.n_chunks, 2);
    assert_int_equal(h.ooo_chunks, 1);
    assert_int_equal(an_index_health_input(&h, 0, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_OOO_CHUNKS);
    assert_string_equal(err.msg,
                        "1/1 series have an average of 1.000 out-of-order chunks: 0.000 of "
                        "these are exact duplicates (in terms of data and time range)");
    an_index_health_deinit(&h);
    an_series_iter_close(it);
    free_slice(b);
}

static void a_version_mix_up_does_not_read_as_an_empty_index(void **state)
{
    (void)state;
    an_err err;
    const walk_opts o = {0};
    an_slice b = unhex(version_mix_up);

    assert_sha256(b, version_mix_up_sha256);
    assert_int_equal(index_walk(b, &o, NULL, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_INCOMPLETE);
    assert_int_equal(err.expected, 2);
    assert_int_equal(err.found, 0);
    free_slice(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_index_of_two_series_is_written_byte_for_byte),
        cmocka_unit_test(the_index_of_two_series_is_read),
        cmocka_unit_test(an_index_without_series_is_a_hundred_bytes),
        cmocka_unit_test(upstreams_version_1_index_is_read),
        cmocka_unit_test(an_index_of_an_old_writer_shows_its_out_of_order_chunk),
        cmocka_unit_test(a_version_mix_up_does_not_read_as_an_empty_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
