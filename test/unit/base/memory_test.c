// SPDX-License-Identifier: Apache-2.0
/* Arena, buffer, budget and cursor: the limits they promise. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void an_arena_gives_zeroed_memory_and_stays_inside_its_budget(void **state)
{
    (void)state;
    an_budget *b = an_budget_new(100000);
    an_arena *a = an_arena_new(b);

    for (int round = 0; round < 3; round++) {
        for (size_t i = 1; i < 200; i++) {
            uint8_t *p = an_arena_alloc(a, i);
            for (size_t j = 0; j < i; j++) assert_int_equal(p[j], 0);
            memset(p, 0xff, i);
            assert_int_equal((uintptr_t)p % 16, 0);
        }
        an_arena_reset(a);
    }
    assert_null(an_arena_try(a, 100001, 1));
    assert_null(an_arena_try(a, SIZE_MAX, SIZE_MAX));
    assert_true(an_budget_used(b) <= 100000);
    an_arena_free(a);
    assert_int_equal(an_budget_used(b), 0);
    an_budget_free(b);
}

static void a_buffer_keeps_its_maximum(void **state)
{
    (void)state;
    an_buf b;

    an_buf_init(&b, 10, NULL);
    an_buf_str(&b, "12345678");
    an_buf_be16(&b, 0x3930);
    assert_false(b.failed);
    an_buf_u8(&b, 1);
    assert_true(b.failed);
    assert_memory_equal(b.p, "1234567890", 10);
    assert_int_equal(b.n, 10);
    an_buf_deinit(&b);
}

static void uvarints_round_trip_and_overlong_ones_are_bad(void **state)
{
    (void)state;
    static const uint64_t v[] = {0,         1, 127, 128, 300, 16384, UINT32_MAX, UINT64_MAX - 1,
                                 UINT64_MAX};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_buf b;
        an_buf_init(&b, 10, NULL);
        an_buf_uvarint(&b, v[i]);
        for (size_t cut = 0; cut < b.n; cut++) {
            an_cursor c = an_cursor_of(an_slice_of(b.p, cut));
            (void)an_cursor_uvarint(&c);
            assert_true(c.bad);
        }
        an_cursor c = an_cursor_of(an_buf_slice(&b));
        assert_true(an_cursor_uvarint(&c) == v[i] && !c.bad && c.left == 0);
        an_buf_deinit(&b);
    }
    an_cursor c = an_cursor_of(AN_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
    (void)an_cursor_uvarint(&c);
    assert_true(c.bad);
}

static void a_reservation_is_the_limit_of_its_child(void **state)
{
    (void)state;
    an_err err;
    an_ctx ctx;
    an_budget *b = an_budget_new(100), *child = NULL, *none = NULL;

    an_ctx_init(&ctx, NULL);
    assert_int_equal(an_budget_reserve(b, &ctx, 101, &none, &err), AN_ELIMIT);
    assert_int_equal(an_budget_reserve(b, &ctx, 60, &child, &err), AN_OK);
    assert_true(an_budget_take(child, 60));
    assert_false(an_budget_take(child, 1));
    assert_false(an_budget_take(b, 41));
    an_ctx_cancel(&ctx);
    assert_int_equal(an_budget_reserve(b, &ctx, 60, &none, &err), AN_ECANCELED);
    an_budget_give(child, 60);
    an_budget_free(child);
    assert_int_equal(an_budget_used(b), 0);
    an_budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_gives_zeroed_memory_and_stays_inside_its_budget),
        cmocka_unit_test(a_buffer_keeps_its_maximum),
        cmocka_unit_test(uvarints_round_trip_and_overlong_ones_are_bad),
        cmocka_unit_test(a_reservation_is_the_limit_of_its_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
