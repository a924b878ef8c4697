// SPDX-License-Identifier: Apache-2.0
/* Tombstones: the file of the specification (7.7), every error of 5.1, and sets of intervals
 * against a plain array of points. */
#include "tsdb/tombstones/tombstones.h"
#include "base/crc32c.h"
#include "unit/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* series 2: [-5, 10] and [1000, 1999] + [2000, 2500], fused */
static const uint8_t file[] = {0x01, 0x30, 0xba, 0x30, 0x01, 0x02, 0x09, 0x14, 0x02,
                               0xd0, 0x0f, 0x88, 0x27, 0xf4, 0xc6, 0xef, 0x73};
static const uint8_t empty[] = {0x01, 0x30, 0xba, 0x30, 0x01, 0, 0, 0, 0};

static an_rc parse(an_arena *a, const void *p, size_t n, an_tombstones *t, an_err *err)
{
    uint8_t *exact = malloc(n == 0 ? 1 : n);

    assert_non_null(exact);
    memcpy(exact, p, n);
    const an_rc rc = an_tombstones_parse(a, an_slice_of(exact, n), t, err);
    free(exact);
    return rc;
}

static void the_file_of_the_specification_is_read_and_written(void **state)
{
    (void)state;
    an_err err;
    an_tombstones t;
    an_buf b;
    an_arena *a = an_arena_new(NULL);

    assert_int_equal(parse(a, file, sizeof file, &t, &err), AN_OK);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.n_intervals, 2);
    const an_intervals in = an_tombstones_get(&t, 2);
    assert_int_equal(in.n, 2);
    assert_true(in.v[0].mint == -5 && in.v[0].maxt == 10);
    assert_true(in.v[1].mint == 1000 && in.v[1].maxt == 2500);
    assert_int_equal(an_tombstones_get(&t, 1).n, 0);
    assert_int_equal(an_tombstones_get(&t, 3).n, 0);
    an_buf_init(&b, 100, NULL);
    an_tombstones_write(&b, &t);
    assert_int_equal(b.n, sizeof file);
    assert_memory_equal(b.p, file, sizeof file);
    an_buf_clear(&b);

    assert_int_equal(parse(a, empty, sizeof empty, &t, &err), AN_OK);
    assert_int_equal(t.n, 0);
    assert_int_equal(an_tombstones_get(&t, 0).n, 0);
    an_tombstones_write(&b, &t);
    assert_int_equal(b.n, sizeof empty);
    assert_memory_equal(b.p, empty, sizeof empty);
    an_buf_deinit(&b);
    an_arena_free(a);
}

/* A file with these entries (id, mint, maxt) and a good checksum. */
static void make(an_buf *b, const int64_t (*entries)[3], size_t n)
{
    an_buf_init(b, SIZE_MAX, NULL);
    an_buf_add(b, empty, 5);
    for (size_t i = 0; i < n; i++) {
        an_buf_uvarint(b, (uint64_t)entries[i][0]);
        an_buf_varint(b, entries[i][1]);
        an_buf_varint(b, entries[i][2]);
    }
    an_buf_be32(b, an_crc32c(an_slice_of(b->p + 5, b->n - 5)));
}

static void entries_of_one_series_are_united_in_any_order(void **state)
{
    (void)state;
    static const int64_t entries[][3] = {
        {7, 30, 40},      {3, INT64_MIN, -1}, {7, 10, 20}, {3, 0, 0}, {7, 22, 28},
        {7, 21, 21},      {9, 5, INT64_MAX},  {7, 50, 60}, {9, 1, 4}, {9, INT64_MIN, INT64_MIN},
        {INT64_MAX, 1, 1}};
    an_err err;
    an_tombstones t;
    an_buf b;
    an_arena *a = an_arena_new(NULL);

    make(&b, entries, sizeof entries / sizeof *entries);
    assert_int_equal(parse(a, b.p, b.n, &t, &err), AN_OK);
    assert_int_equal(t.n, 4);
    an_intervals in = an_tombstones_get(&t, 7);
    assert_int_equal(in.n, 3); /* 10 to 28, 30 to 40, 50 to 60 */
    assert_true(in.v[0].mint == 10 && in.v[0].maxt == 28);
    assert_true(in.v[1].mint == 30 && in.v[1].maxt == 40);
    assert_true(in.v[2].mint == 50 && in.v[2].maxt == 60);
    in = an_tombstones_get(&t, 3);
    assert_int_equal(in.n, 1);
    assert_true(in.v[0].mint == INT64_MIN && in.v[0].maxt == 0);
    in = an_tombstones_get(&t, 9);
    assert_int_equal(in.n, 2);
    assert_true(in.v[1].mint == 1 && in.v[1].maxt == INT64_MAX);
    assert_int_equal(an_tombstones_get(&t, INT64_MAX).n, 1);
    assert_int_equal(t.n_intervals, 7);
    an_buf_deinit(&b);
    an_arena_free(a);
}

static void assert_error(const void *p, size_t n, const char *text)
{
    an_err err;
    an_tombstones t;
    an_arena *a = an_arena_new(NULL);

    assert_int_equal(parse(a, p, n, &t, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_TOMBSTONES_UNREADABLE);
    assert_true(err.offset >= 0);
    if (strstr(err.msg, text) == NULL) fail_msg("\"%s\" has no \"%s\"", err.msg, text);
    an_arena_free(a);
}

static void every_kind_of_damage_has_its_error(void **state)
{
    (void)state;
    static const int64_t turned[][3] = {{7, 30, 40}, {7, 20, 19}};
    uint8_t f[sizeof file];
    an_buf b;

    for (size_t n = 0; n < 9; n++) assert_error(file, n, "tombstones header: invalid size");
    for (size_t n = 9; n < sizeof file; n++) assert_error(file, n, "checksum did not match");
    memcpy(f, file, sizeof f);
    f[1] = 0x31;
    assert_error(f, sizeof f, "invalid magic number 131ba30");
    f[1] = 0x30;
    f[4] = 2;
    assert_error(f, sizeof f, "invalid tombstone format 2");
    f[6] ^= 0x80; /* the checksum comes before the version */
    assert_error(f, sizeof f, "checksum did not match");

    make(&b, turned, 2);
    assert_error(b.p, b.n, "entry 1 ends at 19, before it begins at 20");
    an_buf_deinit(&b);
    for (size_t cut = 6; cut < sizeof file - 4; cut++) { /* a good checksum over half an entry */
        if (cut == 8) continue;                          /* the first one whole */
        an_buf_init(&b, 100, NULL);
        an_buf_add(&b, file, cut);
        an_buf_be32(&b, an_crc32c(an_slice_of(b.p + 5, cut - 5)));
        assert_error(b.p, b.n, "invalid size");
        an_buf_deinit(&b);
    }
}

static void any_flipped_bit_is_noticed(void **state)
{
    (void)state;
    an_err err;
    an_tombstones t;
    uint8_t f[sizeof file];
    an_arena *a = an_arena_new(NULL);

    memcpy(f, file, sizeof f);
    for (size_t bit = 0; bit < 8 * sizeof f; bit++) {
        f[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(parse(a, f, sizeof f, &t, &err), AN_ECORRUPT);
        f[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    an_arena_free(a);
}

static void entries_that_do_not_fit_the_budget_are_a_limit(void **state)
{
    (void)state;
    static int64_t entries[1000][3];
    an_err err;
    an_tombstones t;
    an_buf b;

    for (int64_t i = 0; i < 1000; i++) {
        entries[i][0] = 1000 - i;
        entries[i][1] = entries[i][2] = i;
    }
    make(&b, (const int64_t(*)[3])entries, 1000);
    for (size_t limit = 1000; limit < 400000; limit += 7000) {
        an_budget *budget = an_budget_new(limit);
        an_arena *a = an_arena_new(budget);
        const an_rc rc = parse(a, b.p, b.n, &t, &err);
        assert_true(rc == AN_ELIMIT || rc == AN_OK);
        if (limit == 1000) assert_int_equal(rc, AN_ELIMIT);
        if (limit > 300000) assert_int_equal(rc, AN_OK);
        an_arena_free(a);
        an_budget_free(budget);
    }
    an_buf_deinit(&b);
}

enum { POINTS = 64 };

static void intervals_are_sets_of_points(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (size_t round = 0; round < 2000; round++) {
        bool in_set[POINTS] = {false};
        an_arena *a = an_arena_new(NULL);
        an_intervals in = {0, NULL};
        const size_t n = prng(&seed) % 10;
        for (size_t i = 0; i < n; i++) {
            const int64_t lo = (int64_t)(prng(&seed) % POINTS);
            const int64_t far = lo + (int64_t)(prng(&seed) % 6);
            const int64_t hi = far < POINTS ? far : POINTS - 1;
            const an_intervals before = in;
            an_interval copy[20];
            for (size_t k = 0; k < before.n; k++) copy[k] = before.v[k];
            assert_true(an_intervals_add(a, &in, (an_interval){lo, hi}));
            for (size_t k = 0; k < before.n; k++) /* the old array is left alone */
                assert_true(copy[k].mint == before.v[k].mint && copy[k].maxt == before.v[k].maxt);
            for (int64_t t = lo; t <= hi; t++) in_set[t] = true;
        }
        size_t at = 0; /* the same set, with gaps between all intervals */
        for (int64_t t = 0; t < POINTS; t++) {
            if (!in_set[t]) continue;
            const int64_t from = t;
            while (t + 1 < POINTS && in_set[t + 1]) t++;
            assert_true(at < in.n && in.v[at].mint == from && in.v[at].maxt == t);
            at++;
        }
        assert_int_equal(at, in.n);
        for (size_t i = 0; i < 30; i++) {
            const int64_t lo = (int64_t)(prng(&seed) % POINTS);
            const int64_t hi = lo + (int64_t)(prng(&seed) % (uint64_t)(POINTS - lo));
            bool all = true, any = false;
            for (int64_t t = lo; t <= hi; t++) {
                all = all && in_set[t];
                any = any || in_set[t];
            }
            assert_int_equal(an_intervals_cover(in, (an_interval){lo, hi}), all);
            assert_int_equal(an_intervals_overlap(in, (an_interval){lo, hi}), any);
        }
        an_arena_free(a);
    }
}

static void intervals_reach_both_ends_of_time(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_intervals in = {0, NULL};

    assert_true(an_intervals_add(a, &in, (an_interval){100, 200}));
    assert_true(an_intervals_add(a, &in, (an_interval){INT64_MIN, 50}));
    assert_true(an_intervals_add(a, &in, (an_interval){300, INT64_MAX}));
    assert_int_equal(in.n, 3);
    assert_true(an_intervals_cover(in, (an_interval){INT64_MIN, 0}));
    assert_true(an_intervals_cover(in, (an_interval){400, INT64_MAX}));
    assert_false(an_intervals_overlap(in, (an_interval){51, 99}));
    assert_true(an_intervals_add(a, &in, (an_interval){INT64_MIN, INT64_MAX}));
    assert_int_equal(in.n, 1);
    assert_true(an_intervals_add(a, &in, (an_interval){INT64_MAX, INT64_MAX}));
    assert_int_equal(in.n, 1);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_of_the_specification_is_read_and_written),
        cmocka_unit_test(entries_of_one_series_are_united_in_any_order),
        cmocka_unit_test(every_kind_of_damage_has_its_error),
        cmocka_unit_test(any_flipped_bit_is_noticed),
        cmocka_unit_test(entries_that_do_not_fit_the_budget_are_a_limit),
        cmocka_unit_test(intervals_are_sets_of_points),
        cmocka_unit_test(intervals_reach_both_ends_of_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
