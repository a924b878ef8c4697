// SPDX-License-Identifier: Apache-2.0
/* A job that is stopped at every operation on the bucket: dead from there on, failed once, answered
 * but lost, cancelled. Afterwards the sources are untouched, nothing half-made looks like a block,
 * and the next run makes the same block. The same with every amount of memory. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "compact/job/spill.h"
#include "objstore/fault.h"
#include "support/tmpdir.h"
#include "unit/compact/golden_job.h"

static const char CASE[] = "c06a-chunk-shapes"; /* several segments per input */

typedef struct digest {
    an_sha256 h;
    golden_case *c;
    an_ulid result; /* what belongs to it is hashed, or everything else */
    bool of_result;
    size_t n, n_meta;
} digest;

static an_rc add_object(void *arg, const an_object *o, an_err *err)
{
    an_rc rc = AN_OK;
    digest *d = arg;
    an_ulid id;
    bool mine = o->key.n > AN_ULID_TEXT &&
                an_ulid_parse(an_slice_of(o->key.p, AN_ULID_TEXT), &id) &&
                an_ulid_eq(id, d->result);

    if (mine != d->of_result) goto out;
    uint8_t *p = malloc((size_t)o->size + 1);
    char key[256];
    (void)snprintf(key, sizeof key, "%.*s", AN_PRI(o->key));
    assert_int_equal(
        an_bucket_get(d->c->bucket, &d->c->ctx, an_slice_str(key), 0, (size_t)o->size, p, err),
        AN_OK);
    an_sha256_update(&d->h, an_slice_of(key, strlen(key) + 1));
    an_sha256_update(&d->h, an_slice_of(p, (size_t)o->size));
    free(p);
    d->n++;
    d->n_meta += strstr(key, "/meta.json") != NULL;
out:
    return rc;
}

/* Names and bytes of the result's objects, or of all others. */
static size_t digest_of(golden_case *c, an_ulid result, bool of_result, uint8_t out[32],
                        size_t *n_meta)
{
    digest d = {.c = c, .result = result, .of_result = of_result};
    an_err err;

    an_sha256_init(&d.h);
    assert_int_equal(
        an_bucket_list(c->bucket, &c->ctx, AN_LIT(""), AN_LIT(""), add_object, &d, &err), AN_OK);
    an_sha256_final(&d.h, out);
    if (n_meta != NULL) *n_meta = d.n_meta;
    return d.n;
}

static an_rc run(golden_case *c, an_bucket *b, size_t memory, const an_spill *spill,
                 an_job_result *r, an_err *err)
{
    an_budget *budget = an_budget_new(memory);
    an_job_opts o = {.budget = budget, .spill = spill, .window_bytes = 512};
    an_rc rc = golden_run_plan(c, b, 0, &o, r, err);

    an_budget_free(budget);
    return rc;
}

typedef struct reference { /* an undisturbed run */
    uint64_t n_ops;
    an_ulid id;
    uint8_t result[32], sources[32];
    size_t n_objects;
} reference;

static void make_reference(reference *ref)
{
    golden_case c;
    an_job_result r;
    an_err err = {0};

    golden_open(&c, "compact", CASE);
    an_bucket *b = an_fault_bucket_new(c.bucket, AN_FAULT_BORROWS);
    an_fault_bucket_plan(b, NULL);
    if (run(&c, b, 64 << 20, NULL, &r, &err) != AN_OK) fail_msg("%s", err.msg);
    ref->n_ops = an_fault_bucket_count(b);
    ref->id = r.ulid;
    ref->n_objects = digest_of(&c, r.ulid, true, ref->result, NULL);
    (void)digest_of(&c, r.ulid, false, ref->sources, NULL);
    an_bucket_free(b);
    golden_close(&c);
}

static void expect_sources_untouched(golden_case *c, const reference *ref, uint64_t n)
{
    uint8_t now[32];

    (void)digest_of(c, ref->id, false, now, NULL);
    if (memcmp(now, ref->sources, sizeof now) != 0)
        fail_msg("operation %llu", (unsigned long long)n);
}

/* Stopped at operation n as `plan` says, then run again. */
static void stop_and_rerun(const reference *ref, uint64_t n, an_fault_plan plan)
{
    golden_case c;
    an_job_result r;
    an_err err = {0};
    uint8_t now[32];
    size_t n_meta = 0;

    golden_open(&c, "compact", CASE);
    an_bucket *b = an_fault_bucket_new(c.bucket, AN_FAULT_BORROWS);
    plan.armed = true;
    plan.at = n;
    an_fault_bucket_plan(b, &plan);
    an_rc rc = run(&c, b, 64 << 20, NULL, &r, &err);
    if (rc == AN_OK && !plan.after) assert_true(r.outcome != AN_JOB_EMPTY);
    expect_sources_untouched(&c, ref, n);
    size_t objects = digest_of(&c, ref->id, true, now, &n_meta);
    if (n_meta > 0) { /* a block: then all of it */
        assert_int_equal(objects, ref->n_objects);
        assert_memory_equal(now, ref->result, sizeof now);
    } else if (rc == AN_OK) {
        fail_msg("operation %llu: success without a block", (unsigned long long)n);
    }
    an_fault_bucket_plan(b, NULL);
    rc = run(&c, b, 64 << 20, NULL, &r, &err);
    if (rc != AN_OK) fail_msg("operation %llu, again: %s", (unsigned long long)n, err.msg);
    assert_true(an_ulid_eq(r.ulid, ref->id));
    assert_int_equal(r.outcome, n_meta > 0 ? AN_JOB_DONE_BEFORE : AN_JOB_PUBLISHED);
    assert_int_equal(digest_of(&c, ref->id, true, now, NULL), ref->n_objects);
    assert_memory_equal(now, ref->result, sizeof now);
    expect_sources_untouched(&c, ref, n);
    an_bucket_free(b);
    golden_close(&c);
}

static void a_job_stopped_anywhere_is_finished_by_the_next_run(void **state)
{
    reference ref;

    (void)state;
    make_reference(&ref);
    print_message("%llu operations on the bucket\n", (unsigned long long)ref.n_ops);
    assert_true(ref.n_ops > 50);
    for (uint64_t n = 0; n < ref.n_ops; n++) {
        stop_and_rerun(&ref, n, (an_fault_plan){.rc = AN_EIO, .onwards = true}); /* killed */
        stop_and_rerun(&ref, n, (an_fault_plan){.rc = AN_ERETRY, .cause = AN_CAUSE_DISK_FULL});
        stop_and_rerun(&ref, n, (an_fault_plan){.rc = AN_ERETRY, .after = true});
    }
}

typedef struct canceller {
    an_ctx *ctx;
    uint64_t at;
} canceller;

static an_rc cancel_at(void *arg, const an_fault_op *op, an_err *err)
{
    const canceller *c = arg;

    (void)err;
    if (op->index == c->at) an_ctx_cancel(c->ctx);
    return AN_OK;
}

static void a_cancelled_job_says_so_and_leaves_its_sources_alone(void **state)
{
    reference ref;

    (void)state;
    make_reference(&ref);
    for (uint64_t n = 0; n < ref.n_ops; n++) {
        golden_case c;
        an_job_result r;
        an_err err = {0};
        size_t n_meta;
        uint8_t now[32];

        golden_open(&c, "compact", CASE);
        an_bucket *b = an_fault_bucket_new(c.bucket, AN_FAULT_BORROWS);
        canceller arg = {&c.ctx, n};
        an_fault_plan plan = {.before = cancel_at, .arg = &arg};
        an_fault_bucket_plan(b, &plan);
        an_rc rc = run(&c, b, 64 << 20, NULL, &r, &err);
        an_ctx_init(&c.ctx, NULL);
        (void)digest_of(&c, ref.id, true, now, &n_meta);
        if (rc == AN_OK)
            assert_int_equal(n_meta, 1); /* it was too late to stop */
        else
            assert_int_equal(rc, AN_ECANCELED);
        if (n < ref.n_ops / 2) assert_int_equal(n_meta, 0);
        expect_sources_untouched(&c, &ref, n);
        an_bucket_free(b);
        golden_close(&c);
    }
}

static void every_amount_of_memory_gives_the_same_block_or_a_number(void **state)
{
    reference ref;
    tmpdir t;
    size_t refused = 0, made = 0;

    (void)state;
    make_reference(&ref);
    tmpdir_make(&t);
    for (size_t memory = 256 << 10; made < 12; memory += 128 << 10) {
        golden_case c;
        an_job_result r;
        an_err err = {0};
        uint8_t now[32];
        an_spill_dir *spill = an_spill_dir_new(t.path);

        golden_open(&c, "compact", CASE);
        an_rc rc = run(&c, c.bucket, memory, an_spill_dir_table(spill), &r, &err);
        if (rc == AN_ELIMIT) {
            if (made > 0)
                fail_msg("%zu bytes: %s", memory, err.msg); /* more memory is never worse */
            assert_int_equal(digest_of(&c, ref.id, true, now, NULL), 0);
            refused++;
        } else {
            if (rc != AN_OK) fail_msg("%zu bytes: %s", memory, err.msg);
            assert_int_equal(digest_of(&c, ref.id, true, now, NULL), ref.n_objects);
            assert_memory_equal(now, ref.result, sizeof now);
            made++;
        }
        an_spill_dir_free(spill);
        golden_close(&c);
    }
    print_message("refused %zu times, made from %zu KiB on\n", refused, 256 + 128 * refused);
    assert_true(refused > 0 && refused < 64); /* well below the 32 MiB that are promised */
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_stopped_anywhere_is_finished_by_the_next_run),
        cmocka_unit_test(a_cancelled_job_says_so_and_leaves_its_sources_alone),
        cmocka_unit_test(every_amount_of_memory_gives_the_same_block_or_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
