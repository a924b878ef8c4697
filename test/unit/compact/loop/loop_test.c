// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/duration.h"
#include "compact/loop/loop.h"
#include "objstore/fault.h"
#include "unit/compact/golden_job.h"

/* A recorded bucket, a loop over it, and what it logged. */
typedef struct bench {
    golden_case c;
    an_bucket *fault; /* over the recorded bucket */
    an_budget *budget;
    an_fold fold;
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_log log;
    an_buf lines;
    an_loop_opts o;
    an_loop *loop;
    an_ctx ctx;
    an_iteration it;
    an_err err;
    int64_t now_ms;
} bench;

static int64_t bench_now(void *arg) { return ((bench *)arg)->now_ms * AN_MS; }
static void keep(void *arg, an_slice line) { an_buf_slice_add(arg, line); }

static void open_bench(bench *b, const char *set, const char *name)
{
    memset(b, 0, sizeof *b);
    golden_open(&b->c, set, name);
    b->fault = an_fault_bucket_new(b->c.bucket, AN_FAULT_BORROWS);
    b->budget = an_budget_new((size_t)512 << 20);
    b->fold = an_chunk_merge_fold(AN_MERGE_CHAIN);
    b->now_ms = INT64_C(1800000000000);
    an_mem_bucket_set_time(b->c.bucket, b->now_ms);
    an_buf_init(&b->lines, 16 << 20, NULL);
    b->log = an_log_new(&(an_log_opts){.level = AN_LOG_INFO, .sink = keep, .arg = &b->lines});
    an_ctx_init(&b->ctx, NULL);
    b->o = (an_loop_opts){
        .bucket = b->fault,
        .state = {.bucket = b->fault},
        .data_dir = ".",
        .log = &b->log,
        .budget = b->budget,
        .concurrency = 1,
        .plan = {.ranges = b->ranges, .max_index_bytes = INT64_C(64) << 30},
        .filter = {.delete_delay_ms = INT64_C(172800000), .downsampling_disabled = true},
        .max_time = {.sec = INT64_C(253402300799)},
        .min_time = {.sec = INT64_C(-62167219200)},
        .delete_delay_ms = INT64_C(172800000),
        .fold = &b->fold,
        .now_ns = bench_now,
        .now_arg = b,
    };
    assert_int_equal(an_plan_ranges(4, b->ranges, &b->o.plan.n_ranges, &b->err), AN_OK);
}

static void new_loop(bench *b)
{
    an_loop_free(b->loop);
    b->loop = NULL;
    assert_int_equal(an_loop_new(&b->o, &b->loop, &b->err), AN_OK);
}

static an_rc iterate(bench *b)
{
    if (b->loop == NULL) new_loop(b);
    return an_loop_iterate(b->loop, &b->ctx, &b->it, &b->err);
}

static void close_bench(bench *b)
{
    an_loop_free(b->loop);
    an_bucket_free(b->fault);
    an_budget_free(b->budget);
    an_log_free(&b->log);
    an_buf_deinit(&b->lines);
    golden_close(&b->c);
}

/* How many lines hold the text. */
static size_t logged(bench *b, const char *text)
{
    size_t n = 0;
    const uint8_t *p = b->lines.p, *end = b->lines.p + b->lines.n;

    for (size_t k = strlen(text); p != NULL && p < end; n++) {
        p = memmem(p, (size_t)(end - p), text, k);
        if (p == NULL) break;
        p += k;
    }
    return n;
}

typedef struct contents { /* every object of a bucket, as text */
    an_bucket *bucket;
    an_arena *a;
    an_buf out;
    bool with_marks;
} contents;

static an_rc add_object(void *arg, const an_object *o, an_err *err)
{
    contents *c = arg;
    an_slice body;
    an_rc rc = an_bucket_read(c->bucket, &(an_ctx){.deadline_mono_ms = INT64_MAX}, c->a, o->key,
                              o->size, 64 << 20, &body, err);

    if (rc != AN_OK) return rc;
    if (!c->with_marks && memmem(o->key.p, o->key.n, "mark.json", 9) != NULL) return AN_OK;
    an_buf_slice_add(&c->out, o->key);
    an_buf_u8(&c->out, 0);
    an_buf_slice_add(&c->out, body);
    an_buf_u8(&c->out, 0);
    return AN_OK;
}

static contents read_all(bench *b, bool with_marks)
{
    contents c = {.bucket = b->c.bucket, .a = an_arena_new(NULL), .with_marks = with_marks};
    an_buf_init(&c.out, 256 << 20, NULL);
    assert_int_equal(
        an_bucket_list(b->c.bucket, &b->ctx, AN_LIT(""), AN_LIT(""), add_object, &c, &b->err),
        AN_OK);
    return c;
}

static void free_contents(contents *c)
{
    an_buf_deinit(&c->out);
    an_arena_free(c->a);
}

static size_t count_marks(bench *b, const char *details)
{
    contents c = read_all(b, true);
    size_t n = 0;
    const uint8_t *p = c.out.p, *end = c.out.p + c.out.n;

    while ((p = memmem(p, (size_t)(end - p), details, strlen(details))) != NULL) {
        n++;
        p++;
    }
    free_contents(&c);
    return n;
}

static void put_text(bench *b, const char *key, const char *text)
{
    assert_int_equal(
        an_bucket_put(b->c.bucket, &b->ctx, an_slice_str(key), an_slice_str(text), 0, &b->err),
        AN_OK);
}

/* ---- ---- */

static void an_iteration_ends_with_a_pass_that_found_nothing(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c02-ladder-14d");
    assert_int_equal(iterate(&b), AN_OK);
    assert_int_equal(b.it.passes, 2); /* all plans of the group in the first one */
    assert_true(b.it.compactions > 1);
    assert_int_equal(b.it.isolated + b.it.failed, 0);
    assert_int_equal(logged(&b, "compacted blocks"), b.it.compactions);
    contents before = read_all(&b, true);
    new_loop(&b); /* another process */
    assert_int_equal(iterate(&b), AN_OK);
    assert_int_equal(b.it.passes, 1);
    assert_int_equal(b.it.compactions, 0);
    contents after = read_all(&b, true);
    assert_true(an_slice_eq(an_buf_slice(&before.out), an_buf_slice(&after.out)));
    free_contents(&before);
    free_contents(&after);
    close_bench(&b);
}

static void groups_side_by_side_make_the_same_bucket(void **state)
{
    (void)state;
    bench one, four;
    open_bench(&one, "compact", "c03-groups");
    open_bench(&four, "compact", "c03-groups");
    four.o.concurrency = 4;
    assert_int_equal(iterate(&one), AN_OK);
    assert_int_equal(iterate(&four), AN_OK);
    assert_true(one.it.groups > 1);
    assert_int_equal(one.it.compactions, four.it.compactions);
    contents a = read_all(&one, true), b = read_all(&four, true);
    assert_true(an_slice_eq(an_buf_slice(&a.out), an_buf_slice(&b.out)));
    free_contents(&a);
    free_contents(&b);
    close_bench(&one);
    close_bench(&four);
}

static void a_defect_stops_its_group_and_nothing_else(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "faults", "overlap-twin");
    assert_int_equal(iterate(&b), AN_EHALT);
    assert_int_equal(b.it.isolated, 1);
    assert_int_equal(b.it.compactions, 1); /* the healthy group */
    assert_int_equal(logged(&b, "msg=\"group isolated\" cause=overlap-twin"), 1);
    assert_non_null(strstr(b.err.msg, "compaction: group 0@"));
    assert_non_null(strstr(b.err.msg, "pre compaction overlap check: overlaps found"));
    assert_int_equal(count_marks(&b, "source of compacted block"), 2);
    close_bench(&b);
}

/* Both are no meta.json today and will be none tomorrow: waiting for them would stop every group
 * that has a gap in its plan. */
static void a_meta_that_is_too_large_or_too_deep_stops_no_group(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) {
        bench b;
        char *doc = malloc(((size_t)17 << 20) + 1);
        size_t n = k == 0 ? 3000 : (size_t)17 << 20;
        assert_non_null(doc);
        memset(doc, k == 0 ? '[' : ' ', n);
        doc[n] = 0;
        open_bench(&b, "compact", "c01-basic-8h");
        assert_int_equal(an_bucket_del(b.c.bucket, &b.ctx,
                                       AN_LIT("01DRFZGREGWA8CD6WDH5ZSQ6RQ/meta.json"), &b.err),
                         AN_OK);
        put_text(&b, "01DRFRN07811111111111111AA/meta.json", doc);
        assert_int_equal(iterate(&b), AN_EHALT);
        assert_int_equal(b.it.isolated, 1);
        assert_int_equal(b.it.failed, 0);
        assert_int_equal(b.it.compactions, 1);
        assert_int_equal(logged(&b, "msg=\"group isolated\" cause=meta-corrupt"), 1);
        close_bench(&b);
        free(doc);
    }
}

static void with_process_scope_nothing_goes_on_behind_the_first_defect(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "faults", "overlap-twin");
    b.o.halt_process = true;
    b.o.retention =
        (an_retention){.raw_ns = AN_HOUR, .five_min_ns = AN_HOUR, .one_hour_ns = AN_HOUR};
    contents before = read_all(&b, true);
    assert_int_equal(iterate(&b), AN_EHALT);
    contents after = read_all(&b, true);
    assert_int_equal(b.it.compactions, 0); /* the healthy group's key sorts behind */
    assert_true(an_slice_eq(an_buf_slice(&before.out), an_buf_slice(&after.out)));
    free_contents(&before);
    free_contents(&after);
    close_bench(&b);
}

static void retention_marks_blocks_of_isolated_groups_too(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "faults", "overlap-twin");
    b.o.retention = (an_retention){.raw_ns = AN_HOUR};
    assert_int_equal(iterate(&b), AN_EHALT);
    /* four of the isolated group; the healthy one: its result and its newest block */
    assert_int_equal(count_marks(&b, "block exceeding retention of 1h0m0s"), 6);
    close_bench(&b);
}

static an_rc no_marks(void *arg, const an_fault_op *op, an_err *err)
{
    (void)arg;
    if (strcmp(op->name, "put") != 0 || !an_slice_has_suffix(op->key, AN_LIT("mark.json"))) {
        return AN_OK;
    }
    return AN_FAIL(err, AN_ERETRY, "no marks today");
}

static void sources_that_could_not_be_marked_are_marked_the_next_time(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c01-basic-8h");
    an_fault_bucket_plan(b.fault, &(an_fault_plan){.before = no_marks});
    assert_int_equal(iterate(&b), AN_ERETRY);
    assert_int_equal(b.it.failed, 5); /* the group, and each covered source in the next pass */
    assert_int_equal(count_marks(&b, "deletion_time"), 0);
    contents first = read_all(&b, false);

    an_fault_bucket_plan(b.fault, NULL);
    new_loop(&b);
    assert_int_equal(iterate(&b), AN_OK);
    contents second = read_all(&b, false);
    assert_true(an_slice_eq(an_buf_slice(&first.out), an_buf_slice(&second.out)));
    assert_int_equal(count_marks(&b, "outdated block"), 4);
    free_contents(&first);
    free_contents(&second);
    close_bench(&b);
}

/* Answers as if the result had vanished once it was published. */
typedef struct vanishing {
    bool published;
    an_bucket *inner;
} vanishing;

static an_rc hide_result(void *arg, const an_fault_op *op, an_err *err)
{
    vanishing *v = arg;
    if (strcmp(op->name, "put") == 0 && an_slice_has_suffix(op->key, AN_LIT("/meta.json"))) {
        v->published = true;
        return AN_OK;
    }
    if (v->published && strcmp(op->name, "get") == 0) {
        return AN_FAIL(err, AN_ENOTFOUND, "it was here a moment ago");
    }
    return AN_OK;
}

static void no_source_is_marked_for_a_result_that_is_not_there(void **state)
{
    (void)state;
    bench b;
    vanishing v = {0};
    open_bench(&b, "compact", "c01-basic-8h");
    an_fault_bucket_plan(b.fault, &(an_fault_plan){.before = hide_result, .arg = &v});
    assert_int_equal(iterate(&b), AN_ERETRY);
    assert_true(v.published);
    assert_int_equal(count_marks(&b, "deletion_time"), 0);
    close_bench(&b);
}

static void a_cancelled_context_ends_the_iteration_and_is_no_trouble(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c01-basic-8h");
    an_ctx_cancel(&b.ctx);
    assert_int_equal(iterate(&b), AN_ECANCELED);
    assert_int_equal(b.it.isolated + b.it.failed, 0);
    assert_int_equal(logged(&b, "level=error"), 0);
    close_bench(&b);
}

typedef struct canceller {
    an_ctx *ctx;
    uint64_t at;
} canceller;

static an_rc cancel_at(void *arg, const an_fault_op *op, an_err *err)
{
    canceller *c = arg;
    (void)err;
    if (op->index == c->at) an_ctx_cancel(c->ctx);
    return AN_OK;
}

static void a_run_cancelled_at_any_operation_is_finished_by_the_next(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c01-basic-8h");
    assert_int_equal(iterate(&b), AN_OK);
    uint64_t n = an_fault_bucket_count(b.fault);
    size_t n_marks = count_marks(&b, "deletion_time");
    contents want = read_all(&b, false);
    close_bench(&b);
    assert_true(n > 20);
    for (uint64_t at = 0; at < n; at++) {
        canceller c = {&b.ctx, at};
        open_bench(&b, "compact", "c01-basic-8h");
        an_fault_bucket_plan(b.fault, &(an_fault_plan){.before = cancel_at, .arg = &c});
        an_rc rc = iterate(&b);
        assert_true(rc == AN_OK || rc == AN_ECANCELED);
        assert_int_equal(b.it.isolated + b.it.failed, 0);
        an_fault_bucket_plan(b.fault, NULL);
        an_ctx_init(&b.ctx, NULL);
        new_loop(&b);
        assert_int_equal(iterate(&b), AN_OK);
        contents got = read_all(&b, false);
        assert_true(an_slice_eq(an_buf_slice(&want.out), an_buf_slice(&got.out)));
        assert_int_equal(count_marks(&b, "deletion_time"), n_marks);
        free_contents(&got);
        close_bench(&b);
    }
    free_contents(&want);
}

static an_rc fail_listing(void *arg, const an_fault_op *op, an_err *err)
{
    (void)arg;
    if (strcmp(op->name, "list") != 0) return AN_OK;
    return AN_FAIL(err, AN_ERETRY, "listing: try later");
}

static void a_sync_that_fails_is_told_as_upstream_tells_it(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c01-basic-8h");
    an_fault_bucket_plan(b.fault, &(an_fault_plan){.before = fail_listing});
    assert_int_equal(iterate(&b), AN_ERETRY);
    assert_int_equal(strncmp(b.err.msg, "compaction: sync: ", 18), 0);
    close_bench(&b);
}

static void an_old_partial_upload_is_removed_once_two_listings_agree(void **state)
{
    (void)state;
    bench b;
    an_object o;
    open_bench(&b, "compact", "c01-basic-8h");
    an_mem_bucket_set_time(b.c.bucket, b.now_ms - INT64_C(172800000) - 1);
    put_text(&b, "01DRFRN07811111111111111AA/chunks/000001", "half");
    an_mem_bucket_set_time(b.c.bucket, b.now_ms - INT64_C(172800000) + 60000);
    put_text(&b, "01DRFRN07822222222222222AA/chunks/000001", "half");
    assert_int_equal(iterate(&b), AN_OK);
    assert_int_equal(logged(&b, "deleted aborted partial upload"), 1);
    assert_int_equal(an_bucket_stat(b.c.bucket, &b.ctx,
                                    AN_LIT("01DRFRN07811111111111111AA/chunks/000001"), &o, &b.err),
                     AN_ENOTFOUND);
    assert_int_equal(an_bucket_stat(b.c.bucket, &b.ctx,
                                    AN_LIT("01DRFRN07822222222222222AA/chunks/000001"), &o, &b.err),
                     AN_OK);
    close_bench(&b);
}

static an_rc deny_delete(void *arg, const an_fault_op *op, an_err *err)
{
    (void)arg;
    if (strcmp(op->name, "del") != 0) return AN_OK;
    (void)AN_FAIL(err, AN_EDENIED, "no");
    return an_err_cause(err, AN_CAUSE_DELETE_DENIED);
}

static void a_block_that_cannot_be_removed_does_not_stop_compaction(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "faults", "delete-denied");
    an_fault_bucket_plan(b.fault, &(an_fault_plan){.before = deny_delete});
    /* the recorded mark is of the time of the recording */
    b.o.delete_delay_ms = b.o.filter.delete_delay_ms = 0;
    if (iterate(&b) != AN_ERETRY) fail_msg("%s %.*s", b.err.msg, AN_PRI(an_buf_slice(&b.lines)));
    assert_int_equal(b.it.isolated, 0);
    assert_true(b.it.failed >= 1);
    assert_int_equal(b.it.compactions, 2);
    close_bench(&b);
}

static void blocks_due_for_downsampling_are_named(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "faults", "ds-ok");
    b.o.downsampling = true;
    b.o.filter.downsampling_disabled = false;
    assert_int_equal(iterate(&b), AN_ERETRY);
    assert_int_equal(b.err.cause, AN_CAUSE_NOT_BUILT);
    assert_int_equal(b.it.due_downsample, 1);
    assert_int_equal(logged(&b, "is due for downsampling, which is not built yet"), 1);
    assert_int_equal(b.it.compactions, 1); /* the rest was done */
    close_bench(&b);
}

static unsigned n_progress;
static void count_progress(void *arg, const an_loop_progress *p)
{
    (void)arg;
    assert_true(p->done <= p->all && p->n_inputs > 0 && p->labels.n > 0);
    n_progress += p->ended;
}

static void every_job_ends_its_progress(void **state)
{
    (void)state;
    bench b;
    open_bench(&b, "compact", "c03-groups");
    b.o.progress = count_progress;
    n_progress = 0;
    assert_int_equal(iterate(&b), AN_OK);
    assert_int_equal(n_progress, b.it.compactions);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_iteration_ends_with_a_pass_that_found_nothing),
        cmocka_unit_test(groups_side_by_side_make_the_same_bucket),
        cmocka_unit_test(a_defect_stops_its_group_and_nothing_else),
        cmocka_unit_test(a_meta_that_is_too_large_or_too_deep_stops_no_group),
        cmocka_unit_test(with_process_scope_nothing_goes_on_behind_the_first_defect),
        cmocka_unit_test(retention_marks_blocks_of_isolated_groups_too),
        cmocka_unit_test(sources_that_could_not_be_marked_are_marked_the_next_time),
        cmocka_unit_test(no_source_is_marked_for_a_result_that_is_not_there),
        cmocka_unit_test(a_cancelled_context_ends_the_iteration_and_is_no_trouble),
        cmocka_unit_test(a_run_cancelled_at_any_operation_is_finished_by_the_next),
        cmocka_unit_test(a_sync_that_fails_is_told_as_upstream_tells_it),
        cmocka_unit_test(an_old_partial_upload_is_removed_once_two_listings_agree),
        cmocka_unit_test(a_block_that_cannot_be_removed_does_not_stop_compaction),
        cmocka_unit_test(blocks_due_for_downsampling_are_named),
        cmocka_unit_test(every_job_ends_its_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
