// SPDX-License-Identifier: Apache-2.0
/* What the decorators add: numbers, retries, keys below a prefix, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "objstore/fault.h"
#include "objstore/memory.h"
#include "objstore/metered.h"
#include "objstore/prefix.h"
#include "objstore/retry.h"

static an_ctx ctx;

static an_rc gather(void *arg, const an_object *o, an_err *err)
{
    (void)err;
    an_buf_slice_add(arg, o->key);
    an_buf_u8(arg, '\n');
    return AN_OK;
}

static an_rc put(an_bucket *b, const char *key, const char *body, int flags, an_err *err)
{
    return an_bucket_put(b, &ctx, an_slice_str(key), an_slice_str(body), flags, err);
}

/* ---- metered ---- */

static int64_t tick(void *arg) /* 2 ms later at each look */
{
    int64_t *ns = arg;
    return *ns += INT64_C(2000000);
}

static int64_t wall(void *arg)
{
    (void)arg;
    return 1700000000;
}

static void calls_are_counted_under_upstreams_names(void **state)
{
    (void)state;
    an_bucket_stats st = {0};
    int64_t ns = 0;
    an_metered_clock clock = {tick, wall, &ns};
    an_bucket *fault = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
    an_bucket *b = an_metered_bucket_new(fault, &st, &clock);
    an_err err;
    an_object o;
    an_upload *u = NULL;
    uint8_t got[40000];
    an_buf buf;

    assert_int_equal(put(b, "k", "12345", 0, &err), AN_OK);
    assert_int_equal(an_upload_open(b, &ctx, AN_LIT("u"), AN_LIT("n"), &u, &err), AN_OK);
    memset(got, 'x', sizeof got);
    assert_int_equal(an_upload_write(u, &ctx, an_slice_of(got, sizeof got), &err), AN_OK);
    assert_int_equal(an_upload_complete(u, &ctx, 0, &err), AN_OK);
    an_upload_close(u);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("u"), 0, 40000, got, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k"), 1, 3, got, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("gone"), 1, 3, got, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("B/meta.json"), 0, 1, got, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("B/deletion-mark.json"), &o, &err),
                     AN_ENOTFOUND);
    assert_int_equal(put(b, "k", "12345", AN_PUT_IF_ABSENT, &err), AN_EEXISTS);
    an_buf_init(&buf, 1000, NULL);
    assert_int_equal(an_bucket_list(b, &ctx, AN_LIT(""), AN_LIT(""), gather, &buf, &err), AN_OK);
    an_buf_deinit(&buf);
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("k"), &err), AN_OK);

    const an_bucket_op_stats *get = &st.op[AN_OP_GET_RANGE], *up = &st.op[AN_OP_UPLOAD];
    assert_int_equal(get->n, 4);
    assert_int_equal(get->failures, 1); /* a missing meta.json is none */
    assert_int_equal(get->fetched_bytes, 40003);
    assert_int_equal(get->size[0], 1); /* up to 32 KiB */
    assert_int_equal(get->size[1], 1);
    assert_int_equal(get->size_sum, 40003);
    assert_int_equal(get->duration[1], 2); /* 2 ms: above 1 ms, up to 10 ms */
    assert_int_equal(get->duration_sum_ns, 4000000);
    assert_int_equal(up->n, 3);
    assert_int_equal(up->failures, 0); /* an object that was there is none */
    assert_int_equal(up->size_sum, 40005);
    assert_int_equal(up->fetched_bytes, 0);
    assert_int_equal(st.op[AN_OP_ITER].n, 1);
    assert_int_equal(st.op[AN_OP_DELETE].n, 1);
    assert_int_equal(st.op[AN_OP_ATTRIBUTES].n, 1);
    assert_int_equal(st.op[AN_OP_ATTRIBUTES].failures, 0);
    assert_int_equal(st.op[AN_OP_GET].n + st.op[AN_OP_EXISTS].n, 0);
    assert_int_equal(st.last_upload_s, 1700000000);

    /* one upload is one failure, however many of its steps fail */
    an_fault_plan dead = {.armed = true, .at = 1, .onwards = true, .rc = AN_ERETRY};
    an_fault_bucket_plan(fault, &dead);
    assert_int_equal(an_upload_open(b, &ctx, AN_LIT("u"), AN_LIT("n"), &u, &err), AN_OK);
    assert_int_equal(an_upload_write(u, &ctx, AN_LIT("x"), &err), AN_ERETRY);
    assert_int_equal(an_upload_flush(u, &ctx, &err), AN_ERETRY);
    an_upload_close(u);
    assert_int_equal(up->n, 4);
    assert_int_equal(up->failures, 1);
    an_ctx_cancel(&ctx);
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("k"), &err), AN_ECANCELED);
    an_ctx_init(&ctx, NULL);
    assert_int_equal(st.op[AN_OP_DELETE].failures, 0);
    for (size_t i = 0; i < AN_OP__COUNT; i++) assert_non_null(an_bucket_op_name[i]);
    an_bucket_free(b);
}

/* ---- retry ---- */

typedef struct waits {
    uint64_t n;
    int64_t total_ms, last_ms;
    bool cancel;
} waits;

static an_rc wait(void *arg, an_ctx *c, int64_t ms, an_err *err)
{
    waits *w = arg;

    w->n++;
    w->total_ms += ms;
    w->last_ms = ms;
    if (w->cancel) an_ctx_cancel(c);
    return an_ctx_check(c, err);
}

static uint64_t highest(void *arg) /* the longest wait there is */
{
    (void)arg;
    return UINT64_C(0xffffffffffffffff) / 5041 * 5041 - 1; /* -1 modulo 21, 71, 101 */
}

typedef struct flaky {
    unsigned failures; /* left */
    int64_t retry_after_ms;
} flaky;

static an_rc flake(void *arg, const an_fault_op *op, an_err *err)
{
    flaky *f = arg;

    if (f->failures == 0) return AN_OK;
    f->failures--;
    (void)AN_FAIL(err, AN_ERETRY, "%s: try again", op->name);
    err->retry_after_ms = f->retry_after_ms;
    return AN_ERETRY;
}

typedef struct retry_env {
    flaky f;
    waits w;
    an_bucket *fault, *b;
} retry_env;

static void retry_open(retry_env *e, unsigned attempts, unsigned reserve)
{
    an_retry_opts opts = {.attempts = attempts,
                          .reserve = reserve,
                          .first_ms = 20,
                          .max_ms = 70,
                          .wait = wait,
                          .random = highest,
                          .arg = &e->w};
    an_fault_plan plan = {.before = flake, .arg = &e->f};

    memset(e, 0, sizeof *e);
    e->f.retry_after_ms = -1;
    e->fault = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
    an_fault_bucket_plan(e->fault, &plan);
    e->b = an_retry_bucket_new(e->fault, &opts);
    opts.arg = NULL; /* was copied */
}

static void a_call_that_may_run_twice_is_tried_again(void **state)
{
    (void)state;
    retry_env e;
    an_err err;
    an_object o;
    uint8_t c;
    an_upload *u = NULL;

    retry_open(&e, 4, 100);
    e.f.failures = 3;
    assert_int_equal(put(e.b, "k", "v", 0, &err), AN_OK);
    assert_int_equal(e.w.n, 3);
    e.f.failures = 3;
    assert_int_equal(an_bucket_get(e.b, &ctx, AN_LIT("k"), 0, 1, &c, &err), AN_OK);
    e.f.failures = 3;
    assert_int_equal(an_bucket_stat(e.b, &ctx, AN_LIT("k"), &o, &err), AN_OK);
    e.f.failures = 3;
    assert_int_equal(an_upload_open(e.b, &ctx, AN_LIT("u"), AN_LIT("n"), &u, &err), AN_OK);
    e.f.failures = 1;
    assert_int_equal(an_upload_write(u, &ctx, AN_LIT("x"), &err), AN_ERETRY); /* not this one */
    an_upload_close(u);
    e.f.failures = 1;
    assert_int_equal(put(e.b, "n", "v", AN_PUT_IF_ABSENT, &err), AN_ERETRY); /* nor this one */
    e.f.failures = 3;
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_OK);
    assert_int_equal(an_retry_bucket_count(e.b), 15);
    e.f.failures = 4;
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_ERETRY);
    assert_string_equal(err.msg, "del: try again");
    assert_int_equal(an_bucket_get(e.b, &ctx, AN_LIT("k"), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_int_equal(an_retry_bucket_count(e.b), 18); /* an answer is not tried again */
    an_bucket_free(e.b);
}

static void waits_grow_are_capped_and_obey_the_server(void **state)
{
    (void)state;
    retry_env e;
    an_err err;

    retry_open(&e, 9, 100);
    e.f.failures = 1;
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_OK);
    assert_true(e.w.last_ms <= 20);
    e.w = (waits){0};
    e.f.failures = 8;
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_OK);
    assert_true(e.w.n == 8 && e.w.last_ms <= 70 && e.w.total_ms <= 20 + 40 + 70 * 6);
    e.w = (waits){0};
    e.f = (flaky){.failures = 1, .retry_after_ms = 70};
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_OK);
    assert_int_equal(e.w.last_ms, 70);
    e.f = (flaky){.failures = 1, .retry_after_ms = 71}; /* longer than a call may wait */
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_ERETRY);
    assert_int_equal(err.retry_after_ms, 71);
    e.f = (flaky){.failures = 5, .retry_after_ms = -1};
    e.w = (waits){.cancel = true};
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_ECANCELED);
    assert_int_equal(e.w.n, 1);
    an_ctx_init(&ctx, NULL);
    an_bucket_free(e.b);
}

static void a_store_that_is_down_exhausts_the_reserve(void **state)
{
    (void)state;
    retry_env e;
    an_err err;

    retry_open(&e, 5, 10);
    e.f.failures = 1000;
    for (int i = 0; i < 100; i++)
        assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_ERETRY);
    assert_int_equal(an_retry_bucket_count(e.b), 10); /* not 400 */
    e.f.failures = 0;
    for (int i = 0; i < 20; i++)
        assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_OK);
    e.f.failures = 5;
    assert_int_equal(an_bucket_del(e.b, &ctx, AN_LIT("k"), &err), AN_ERETRY);
    assert_int_equal(an_retry_bucket_count(e.b), 12); /* ten successes earn one */
    an_bucket_free(e.b);
}

typedef struct breaking {
    an_buf got;
    an_bucket *fault;
    unsigned after; /* entries until the connection breaks; then so many again */
    unsigned left;
    bool mine; /* the callback itself fails */
} breaking;

static an_rc note(void *arg, const an_object *o, an_err *err)
{
    breaking *x = arg;

    if (x->mine && x->left-- == 0) return AN_FAIL(err, AN_ERETRY, "the caller's own");
    return gather(&x->got, o, err);
}

/* A provider whose listing breaks off after every `after` objects. */
typedef struct cut_bucket {
    an_bucket base;
    an_bucket *inner;
    an_bucket_ops ops;
    unsigned after, seen;
    an_list_fn fn;
    void *arg;
} cut_bucket;

static an_rc cut_one(void *arg, const an_object *o, an_err *err)
{
    cut_bucket *c = arg;

    if (c->seen++ == c->after) return AN_FAIL(err, AN_ERETRY, "connection reset");
    return c->fn(c->arg, o, err);
}

static an_rc cut_list(an_bucket *b, an_ctx *x, an_slice prefix, an_slice from, an_list_fn fn,
                      void *arg, an_err *err)
{
    cut_bucket *c = (cut_bucket *)b;

    c->seen = 0;
    c->fn = fn;
    c->arg = arg;
    return an_bucket_list(c->inner, x, prefix, from, cut_one, c, err);
}

static void cut_free(an_bucket *b)
{
    an_bucket_free(((cut_bucket *)b)->inner);
    free(b);
}

static void a_broken_listing_goes_on_where_it_stopped(void **state)
{
    (void)state;
    waits w = {0};
    an_retry_opts opts = {.attempts = 2,
                          .reserve = 100,
                          .first_ms = 1,
                          .max_ms = 1,
                          .wait = wait,
                          .random = highest,
                          .arg = &w};
    cut_bucket *c = calloc(1, sizeof *c);
    an_err err;
    breaking x = {0};

    assert_non_null(c);
    c->inner = an_mem_bucket_new();
    c->ops = *c->inner->ops;
    c->ops.list = cut_list;
    c->ops.free = cut_free;
    c->base = *c->inner;
    c->base.ops = &c->ops;
    c->after = 2;
    static const char *const keys[] = {"a", "a/b", "b", "c", "d", "e", "f"};
    for (size_t i = 0; i < 7; i++) assert_int_equal(put(c->inner, keys[i], "", 0, &err), AN_OK);
    an_bucket *b = an_retry_bucket_new(&c->base, &opts);
    an_buf_init(&x.got, 1000, NULL);
    assert_int_equal(an_bucket_list(b, &ctx, AN_LIT(""), AN_LIT(""), note, &x, &err), AN_OK);
    assert_true(an_slice_eq(an_buf_slice(&x.got), AN_LIT("a\na/b\nb\nc\nd\ne\nf\n")));
    assert_int_equal(w.n, 3);

    an_buf_clear(&x.got);
    c->after = 0; /* no progress at all */
    assert_int_equal(an_bucket_list(b, &ctx, AN_LIT(""), AN_LIT(""), note, &x, &err), AN_ERETRY);
    assert_int_equal(w.n, 4);
    c->after = 100;
    x.mine = true;
    x.left = 1;
    assert_int_equal(an_bucket_list(b, &ctx, AN_LIT(""), AN_LIT(""), note, &x, &err), AN_ERETRY);
    assert_string_equal(err.msg, "the caller's own");
    assert_int_equal(w.n, 4);
    an_buf_deinit(&x.got);
    an_bucket_free(b);
}

/* ---- prefix ---- */

static void a_prefix_is_trimmed_at_its_ends_only(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},    {"/", ""},        {"//", ""},       {"a", "a"}, {"a/", "a"},
        {"/a", "a"}, {"/a/b/", "a/b"}, {"a//b", "a//b"}, {" ", " "}, {"///x///", "x"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_true(
            an_slice_eq(an_prefix_trim(an_slice_str(cases[i][0])), an_slice_str(cases[i][1])));
}

static void keys_below_a_prefix_and_errors_about_them(void **state)
{
    (void)state;
    an_err err;
    an_bucket *b = NULL;
    an_bucket *fault = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
    uint8_t c;
    an_object o;
    char longest[AN_KEY_MAX];

    assert_int_equal(put(fault, "a", "outside", 0, &err), AN_OK);
    assert_int_equal(put(fault, "t/x0", "beside", 0, &err), AN_OK);
    assert_int_equal(an_prefix_bucket_new(fault, AN_LIT("t/x"), &b, &err), AN_OK);
    assert_int_equal(put(b, "k", "v", 0, &err), AN_OK);
    assert_int_equal(an_bucket_stat(fault, &ctx, AN_LIT("t/x/k"), &o, &err), AN_OK);
    an_buf buf;
    an_buf_init(&buf, 1000, NULL);
    assert_int_equal(an_bucket_list(b, &ctx, AN_LIT(""), AN_LIT(""), gather, &buf, &err), AN_OK);
    assert_true(an_slice_eq(an_buf_slice(&buf), AN_LIT("k\n")));
    an_buf_deinit(&buf);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("a"), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_string_equal(err.object, "a");
    memset(longest, 'k', sizeof longest);
    assert_int_equal(an_bucket_stat(b, &ctx, an_slice_of(longest, sizeof longest), &o, &err),
                     AN_EINVALID); /* too long with the prefix */
    an_bucket_free(b);

    static const char *const bad[] = {"..", "a/../b", "a//b", "."};
    for (size_t i = 0; i < 4; i++) {
        an_bucket *inner = an_mem_bucket_new();
        assert_int_equal(an_prefix_bucket_new(inner, an_slice_str(bad[i]), &b, &err), AN_EINVALID);
        assert_null(b);
        assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
        an_bucket_free(inner);
    }
    an_bucket *inner = an_mem_bucket_new();
    assert_int_equal(an_prefix_bucket_new(inner, AN_LIT(""), &b, &err), AN_OK);
    assert_ptr_equal(b, inner);
    an_bucket_free(b);
}

/* ---- fault ---- */

static void the_planned_operation_fails_and_a_lost_answer_was_done(void **state)
{
    (void)state;
    an_err err;
    an_object o;
    uint8_t got[10];
    an_bucket *mem = an_mem_bucket_new();
    an_bucket *b = an_fault_bucket_new(mem, AN_FAULT_BORROWS);
    an_fault_plan p = {.armed = true, .at = 1, .rc = AN_ERETRY, .cause = AN_CAUSE_DISK_FULL};

    an_fault_bucket_plan(b, &p);
    assert_int_equal(put(b, "0", "v", 0, &err), AN_OK);
    assert_int_equal(put(b, "1", "v", 0, &err), AN_ERETRY);
    assert_int_equal(err.cause, AN_CAUSE_DISK_FULL);
    assert_int_equal(put(b, "2", "v", 0, &err), AN_OK);
    assert_int_equal(an_fault_bucket_count(b), 3);
    assert_int_equal(an_bucket_stat(mem, &ctx, AN_LIT("1"), &o, &err), AN_ENOTFOUND);

    p.onwards = p.after = true;
    an_fault_bucket_plan(b, &p);
    assert_int_equal(put(b, "3", "v", 0, &err), AN_OK);
    assert_int_equal(put(b, "4", "v", 0, &err), AN_ERETRY);
    assert_int_equal(put(b, "5", "v", 0, &err), AN_ERETRY);
    assert_int_equal(an_bucket_stat(mem, &ctx, AN_LIT("4"), &o, &err), AN_OK); /* it happened */
    assert_int_equal(an_bucket_stat(mem, &ctx, AN_LIT("5"), &o, &err), AN_ENOTFOUND);

    an_fault_plan small = {.max_read = 4};
    an_fault_bucket_plan(b, &small);
    assert_int_equal(put(b, "k", "1234567890", 0, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k"), 6, 4, got, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k"), 0, 5, got, &err), AN_ELIMIT);
    an_bucket_free(b);
    assert_int_equal(an_bucket_stat(mem, &ctx, AN_LIT("k"), &o, &err), AN_OK); /* outlives it */
    an_bucket_free(mem);
}

static void a_memory_bucket_tells_the_times_it_was_given(void **state)
{
    (void)state;
    an_err err;
    an_object o;
    an_bucket *b = an_mem_bucket_new();

    an_mem_bucket_set_time(b, 5000);
    assert_int_equal(put(b, "k", "v", 0, &err), AN_OK);
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("k"), &o, &err), AN_OK);
    assert_int_equal(o.mtime_ms, 5000);
    assert_true(an_mem_bucket_touch(b, AN_LIT("k"), 7));
    assert_false(an_mem_bucket_touch(b, AN_LIT("j"), 7));
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("k"), &o, &err), AN_OK);
    assert_int_equal(o.mtime_ms, 7);
    an_bucket_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_counted_under_upstreams_names),
        cmocka_unit_test(a_call_that_may_run_twice_is_tried_again),
        cmocka_unit_test(waits_grow_are_capped_and_obey_the_server),
        cmocka_unit_test(a_store_that_is_down_exhausts_the_reserve),
        cmocka_unit_test(a_broken_listing_goes_on_where_it_stopped),
        cmocka_unit_test(a_prefix_is_trimmed_at_its_ends_only),
        cmocka_unit_test(keys_below_a_prefix_and_errors_about_them),
        cmocka_unit_test(the_planned_operation_fails_and_a_lost_answer_was_done),
        cmocka_unit_test(a_memory_bucket_tells_the_times_it_was_given),
    };
    an_ctx_init(&ctx, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
