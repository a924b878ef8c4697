// SPDX-License-Identifier: Apache-2.0
/* Windows against a plain array: every byte, no read larger than a piece, errors where they are. */
#include "bucket/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/pool.h"
#include "objstore/fault.h"
#include "objstore/memory.h"

enum { OBJECT = 300000 };

static an_ctx ctx;
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
    seed = seed * 1664525 + 1013904223;
    return below == 0 ? 0 : (uint32_t)((uint64_t)seed * below >> 32);
}

typedef struct env {
    uint8_t *bytes;
    an_bucket *b;
    an_budget *budget;
    an_pool *pool;
    uint64_t read;
    an_window_opts opts;
    an_window *w;
    an_source src;
} env;

static void env_open(env *e, size_t piece, unsigned ahead, size_t size)
{
    an_err err;
    an_fault_plan plan = {.max_read = piece};

    memset(e, 0, sizeof *e);
    e->bytes = malloc(size + 1);
    assert_non_null(e->bytes);
    for (size_t i = 0; i < size; i++) e->bytes[i] = (uint8_t)(i * 2654435761u >> 11);
    e->b = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
    assert_int_equal(
        an_bucket_put(e->b, &ctx, AN_LIT("B/index"), an_slice_of(e->bytes, size), 0, &err), AN_OK);
    an_fault_bucket_plan(e->b, &plan);
    e->budget = an_budget_new((2 + (size_t)ahead) * piece);
    if (ahead > 0) assert_int_equal(an_pool_new(2, "test", &e->pool, &err), AN_OK);
    e->opts = (an_window_opts){.bytes = piece,
                               .ahead = ahead,
                               .budget = e->budget,
                               .pool = e->pool,
                               .bytes_read = &e->read};
    assert_int_equal(an_window_open(e->b, &ctx, AN_LIT("B/index"), size, &e->opts, &e->w, &err),
                     AN_OK);
    e->src = an_window_source(e->w);
    assert_int_equal(e->src.size, size);
    assert_int_equal(e->src.piece, piece);
}

static void env_close(env *e)
{
    an_window_close(e->w);
    an_pool_free(e->pool);
    an_budget_free(e->budget); /* asserts that all came back */
    an_bucket_free(e->b);
    free(e->bytes);
}

static void check(env *e, uint64_t off, size_t min, size_t max)
{
    an_err err;
    an_slice got = {NULL, 0};
    an_rc rc = an_source_at(&e->src, off, min, max, &got, &err);

    if (rc != AN_OK) fail_msg("%zu at %llu: %s", min, (unsigned long long)off, err.msg);
    if (got.n < min || got.n > max)
        fail_msg("%zu at %llu: got %zu", min, (unsigned long long)off, got.n);
    assert_true(off + got.n <= e->src.size);
    if (memcmp(got.p, e->bytes + off, got.n) != 0)
        fail_msg("other bytes at %llu", (unsigned long long)off);
}

static const struct {
    size_t piece;
    unsigned ahead;
} shapes[] = {{64, 0}, {100, 0}, {4096, 0}, {65536, 0}, {1 << 20, 0},
              {64, 1}, {100, 3}, {4096, 2}, {65536, 2}, {1 << 20, 2}};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

static void a_rising_walk_reads_every_byte_once(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++) {
        env e;
        size_t longest = shapes[s].piece < 3000 ? shapes[s].piece : 3000;
        uint64_t off = 0;

        env_open(&e, shapes[s].piece, shapes[s].ahead, OBJECT);
        while (off < OBJECT) {
            size_t min = 1 + rnd((uint32_t)longest);
            if (min > OBJECT - off) min = (size_t)(OBJECT - off);
            check(&e, off, rnd(3) == 0 ? 1 : min, min);
            check(&e, off, min, min + rnd(100)); /* first a head, then the whole, as readers do */
            off += min;
        }
        check(&e, OBJECT, 0, 10);
        assert_int_equal(e.read, OBJECT);
        env_close(&e);
    }
}

static void any_request_at_any_place_is_served(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++) {
        env e;
        uint64_t off = 0;

        env_open(&e, shapes[s].piece, shapes[s].ahead, OBJECT);
        for (int i = 0; i < 20000; i++) {
            size_t min = rnd((uint32_t)(shapes[s].piece < OBJECT ? shapes[s].piece : OBJECT) + 1);
            switch (rnd(6)) {
            case 0:
                off = rnd(OBJECT + 1);
                break;
            case 1:
                off = off > 50 ? off - rnd(50) : 0;
                break; /* a little back */
            case 2:
                off += rnd(200);
                break;
            default:
                min = rnd(60);
                off += rnd(40);
                break;
            }
            if (off > OBJECT) off = OBJECT;
            if (min > OBJECT - off) min = (size_t)(OBJECT - off);
            check(&e, off, min, min + rnd(1000));
        }
        env_close(&e);
    }
}

static void objects_of_every_small_size(void **state)
{
    (void)state;
    for (size_t size = 0; size < 400; size++) {
        for (unsigned ahead = 0; ahead < 3; ahead += 2) {
            env e;
            env_open(&e, 64, ahead, size);
            for (uint64_t off = 0; off <= size; off += 1 + rnd(30))
                check(&e, off, (size_t)(size - off < 40 ? size - off : 40), 64);
            check(&e, size, 0, 1);
            env_close(&e);
        }
    }
}

static void jumps_cost_short_reads(void **state)
{
    (void)state;
    env e;

    env_open(&e, 1 << 17, 0, OBJECT);
    check(&e, 290000, 10, 10);
    uint64_t first = e.read;
    assert_int_equal(first, 10000); /* what is left of the object */
    check(&e, 100, 10, 10);
    assert_int_equal(e.read - first, 32 << 10);
    check(&e, 100 + (32 << 10), 10, 10); /* goes on: longer */
    assert_int_equal(e.read - first, (32 << 10) + (64 << 10));
    env_close(&e);
}

static void what_lies_outside_is_refused_with_numbers(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 2; ahead++) {
        env e;
        an_err err;
        an_slice got;

        env_open(&e, 100, ahead, 1000);
        assert_int_equal(an_source_at(&e.src, 990, 11, 11, &got, &err), AN_ECORRUPT);
        assert_true(err.has_values && err.expected == 1001 && err.found == 1000 &&
                    err.offset == 990);
        assert_string_equal(err.object, "B/index");
        assert_int_equal(an_source_at(&e.src, 1001, 0, 11, &got, &err), AN_ECORRUPT);
        assert_int_equal(an_source_at(&e.src, UINT64_MAX, 2, 11, &got, &err), AN_ECORRUPT);
        assert_int_equal(an_source_at(&e.src, 0, SIZE_MAX, SIZE_MAX, &got, &err), AN_ECORRUPT);
        assert_int_equal(an_source_at(&e.src, 0, 101, 101, &got, &err), AN_ELIMIT);
        assert_true(err.expected == 100 && err.found == 101);
        check(&e, 0, 100, 100);
        env_close(&e);
    }
}

static void an_object_that_became_shorter_is_corrupt_at_its_end(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 3; ahead++) {
        env e;
        an_err err;
        an_slice got;
        an_rc rc = AN_OK;
        uint64_t off;

        env_open(&e, 100, ahead, 1000);
        assert_int_equal(
            an_bucket_put(e.b, &ctx, AN_LIT("B/index"), an_slice_of(e.bytes, 555), 0, &err), AN_OK);
        for (off = 0; rc == AN_OK; off += 10) rc = an_source_at(&e.src, off, 10, 10, &got, &err);
        assert_int_equal(rc, AN_ECORRUPT);
        assert_int_equal(off, 510); /* the piece from 500 on is not all there */
        assert_string_equal(err.object, "B/index");
        env_close(&e);
    }
}

static void after_a_failed_read_the_same_request_works(void **state)
{
    (void)state;
    uint64_t failures = 0;

    for (size_t s = 0; s < N_SHAPES; s++) {
        env e;
        an_err err;
        an_slice got;

        env_open(&e, shapes[s].piece, shapes[s].ahead, OBJECT);
        for (uint64_t off = 0; off < OBJECT;) {
            size_t min = 1 + rnd((uint32_t)(shapes[s].piece < 3000 ? shapes[s].piece : 3000));
            if (min > OBJECT - off) min = (size_t)(OBJECT - off);
            an_fault_plan plan = {.armed = rnd(4) == 0, .at = rnd(2), .rc = AN_ERETRY};
            if (rnd(3) == 0) an_fault_bucket_plan(e.b, &plan);
            an_rc rc = an_source_at(&e.src, off, min, min, &got, &err);
            an_fault_bucket_plan(e.b, NULL);
            if (rc == AN_ERETRY)
                failures++;
            else
                assert_int_equal(rc, AN_OK);
            check(&e, off, min, min);
            off += min;
        }
        env_close(&e);
    }
    assert_true(failures > 100);
}

static void memory_comes_from_the_budget_or_not_at_all(void **state)
{
    (void)state;
    env e;
    an_err err;
    an_window *w = NULL, *small = NULL;

    env_open(&e, 1000, 0, 5000);
    assert_int_equal(an_budget_used(e.budget), 2000);
    assert_int_equal(an_window_open(e.b, &ctx, AN_LIT("B/index"), 5000, &e.opts, &w, &err),
                     AN_ELIMIT);
    assert_null(w);
    an_window_close(e.w);
    assert_int_equal(an_budget_used(e.budget), 0);
    assert_int_equal(an_window_open(e.b, &ctx, AN_LIT("B/index"), 700, &e.opts, &small, &err),
                     AN_OK);
    assert_int_equal(an_budget_used(e.budget), 700); /* a small object takes what it needs */
    e.w = small;
    env_close(&e);
}

static void a_cancelled_context_ends_the_reading(void **state)
{
    (void)state;
    for (unsigned ahead = 0; ahead < 3; ahead++) {
        env e;
        an_err err;
        an_slice got;
        an_rc rc = AN_OK;

        env_open(&e, 64, ahead, 5000);
        check(&e, 0, 64, 64);
        an_ctx_cancel(&ctx);
        for (uint64_t off = 64; rc == AN_OK && off < 4900; off += 64)
            rc = an_source_at(&e.src, off, 64, 64, &got, &err);
        assert_int_equal(rc, AN_ECANCELED);
        an_ctx_init(&ctx, NULL);
        env_close(&e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rising_walk_reads_every_byte_once),
        cmocka_unit_test(any_request_at_any_place_is_served),
        cmocka_unit_test(objects_of_every_small_size),
        cmocka_unit_test(jumps_cost_short_reads),
        cmocka_unit_test(what_lies_outside_is_refused_with_numbers),
        cmocka_unit_test(an_object_that_became_shorter_is_corrupt_at_its_end),
        cmocka_unit_test(after_a_failed_read_the_same_request_works),
        cmocka_unit_test(memory_comes_from_the_budget_or_not_at_all),
        cmocka_unit_test(a_cancelled_context_ends_the_reading),
    };
    an_ctx_init(&ctx, NULL);
    seed = (uint32_t)(getenv("AN_SEED") != NULL ? strtoul(getenv("AN_SEED"), NULL, 10) : 1);
    print_message("seed %u\n", seed);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
