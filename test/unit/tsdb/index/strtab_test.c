// SPDX-License-Identifier: Apache-2.0
/* The string table: what goes in comes out by its number, in memory and from the spill. */
#include "tsdb/index/strtab.h"
#include "support/streams.h"
#include "unit/prng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 6000 };

/* Ascending strings with common beginnings; the first is empty, some are longer than a page. */
static an_slice string_no(size_t i, uint8_t *room)
{
    const size_t extra = i % 997 == 5 ? 20000 + i : i % 50 == 7 ? 300 : i % 23;

    if (i == 0) return an_slice_of(room, 0);
    (void)snprintf((char *)room, 16, "s%06zu\xff", i);
    for (size_t k = 0; k < extra; k++) room[8 + k] = (uint8_t)(i + k);
    return an_slice_of(room, 8 + extra);
}

static an_rc fill(an_strtab *t, an_err *err)
{
    an_rc rc = AN_OK;
    static uint8_t room[40000];

    for (size_t i = 0; i < N; i++) AN_TRY(an_strtab_add(t, string_no(i, room), err));
out:
    return rc;
}

static void assert_string(an_strtab *t, size_t i)
{
    static uint8_t room[40000];
    an_err err;
    an_slice got, want = string_no(i, room);

    assert_int_equal(an_strtab_get(t, (uint32_t)i, &got, &err), AN_OK);
    if (!an_slice_eq(got, want)) fail_msg("string %zu", i);
}

static void strings_come_back_by_number(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 160 << 10, 300 << 10, 4 << 20};
    static uint8_t room[40000];
    uint64_t seed = prng_seed();
    an_err err;

    for (size_t k = 0; k < sizeof limits / sizeof *limits; k++) {
        test_spill ts;
        an_spill spill = test_spill_open(&ts);
        an_budget *b = limits[k] == 0 ? NULL : an_budget_new(limits[k]);
        an_strtab *t;
        an_buf want, got;
        an_slice page;

        assert_int_equal(an_strtab_new(b, &spill, &t, &err), AN_OK);
        if (fill(t, &err) != AN_OK) fail_msg("%zu bytes: %s", limits[k], err.msg);
        assert_int_equal(an_strtab_n(t), N);
        for (size_t i = 0; i < N; i++) assert_string(t, i);
        for (size_t i = 0; i < N; i++) assert_string(t, prng(&seed) % N);
        assert_true(ts.open[0] == (limits[k] > 0 && limits[k] < 1 << 20));

        an_buf_init(&want, SIZE_MAX, NULL);
        an_buf_init(&got, SIZE_MAX, NULL);
        for (size_t i = 0; i < N; i++) {
            const an_slice s = string_no(i, room);
            an_buf_uvarint(&want, s.n);
            an_buf_slice_add(&want, s);
        }
        for (size_t i = 0; i < an_strtab_pages(t); i++) {
            assert_int_equal(an_strtab_page(t, i, &page, &err), AN_OK);
            an_buf_slice_add(&got, page);
        }
        assert_int_equal(an_strtab_bytes(t), want.n);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        an_buf_deinit(&want);
        an_buf_deinit(&got);
        an_strtab_free(t);
        test_spill_close(&ts);
        if (b != NULL) assert_int_equal(an_budget_used(b), 0);
        an_budget_free(b);
    }
}

static void any_budget_and_any_failing_call_leave_nothing_behind(void **state)
{
    (void)state;
    an_err err;
    size_t limited = 0, failed = 0;

    for (size_t limit = 0;; limit += 4001) {
        test_spill ts;
        an_spill spill = test_spill_open(&ts);
        an_budget *b = an_budget_new(limit);
        an_strtab *t;
        assert_int_equal(an_strtab_new(b, &spill, &t, &err), AN_OK);
        const an_rc rc = fill(t, &err);
        an_strtab_free(t);
        test_spill_close(&ts);
        assert_int_equal(an_budget_used(b), 0);
        an_budget_free(b);
        if (rc == AN_OK) break;
        assert_int_equal(rc, AN_ELIMIT);
        limited++;
        assert_true(limit < 200 << 10);
    }
    for (uint64_t n = 1;; n++) {
        static uint8_t room[40000];
        test_spill ts;
        an_spill spill = test_spill_open(&ts);
        an_budget *b = an_budget_new(200 << 10);
        an_strtab *t;
        an_slice s;
        ts.fail_at = n;
        assert_int_equal(an_strtab_new(b, &spill, &t, &err), AN_OK);
        an_rc rc = fill(t, &err);
        for (uint32_t i = 0; i < N && rc == AN_OK; i += 700) {
            rc = an_strtab_get(t, i, &s, &err);
            if (rc == AN_OK) assert_true(an_slice_eq(s, string_no(i, room)));
        }
        an_strtab_free(t);
        test_spill_close(&ts);
        an_budget_free(b);
        if (rc == AN_OK) break;
        assert_int_equal(rc, AN_ERETRY);
        failed++;
    }
    printf("%zu budgets too small, %zu calls failed\n", limited, failed);
    assert_true(limited > 5 && failed > 20);
}

static void strings_must_ascend(void **state)
{
    (void)state;
    an_err err;
    an_strtab *t;

    assert_int_equal(an_strtab_new(NULL, NULL, &t, &err), AN_OK);
    assert_int_equal(an_strtab_add(t, AN_LIT(""), &err), AN_OK);
    assert_int_equal(an_strtab_add(t, AN_LIT("a"), &err), AN_OK);
    assert_int_equal(an_strtab_add(t, AN_LIT("a"), &err), AN_EHALT);
    assert_string_equal(err.msg, "symbol \"a\" out-of-order");
    assert_int_equal(an_strtab_add(t, AN_LIT(""), &err), AN_EHALT);
    assert_int_equal(an_strtab_add(t, AN_LIT("a\0b"), &err), AN_OK);
    assert_int_equal(an_strtab_n(t), 3);
    an_strtab_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_come_back_by_number),
        cmocka_unit_test(any_budget_and_any_failing_call_leave_nothing_behind),
        cmocka_unit_test(strings_must_ascend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
