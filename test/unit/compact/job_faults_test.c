// SPDX-License-Identifier: Apache-2.0
/* Jobs on damaged blocks: the cause and the block are those that golden/faults/expected.json and
 * golden/compact/expected-anneal.json ask for, and the bucket is as it was. Harmless oddities go
 * through and are counted. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/compact/golden_job.h"

/* Causes that a job finds; the others are the planner's. */
static const an_cause found_by_jobs[] = {
    AN_CAUSE_OOO_CHUNKS,
    AN_CAUSE_OUTSIDE_CHUNKS,
    AN_CAUSE_ISSUE347,
    AN_CAUSE_OOO_LABELS,
    AN_CAUSE_OOO_SERIES,
    AN_CAUSE_EMPTY_SERIES,
    AN_CAUSE_INDEX_UNREADABLE,
    AN_CAUSE_INDEX_MISSING,
    AN_CAUSE_INDEX_INCOMPLETE,
    AN_CAUSE_CHUNKS_MISSING,
    AN_CAUSE_CHUNK_TRUNCATED,
    AN_CAUSE_CHUNK_CHECKSUM,
    AN_CAUSE_CHUNK_ENCODING,
    AN_CAUSE_CHUNK_COUNT,
    AN_CAUSE_SEGMENT_HEADER,
    AN_CAUSE_DUP_CHUNKS,
    AN_CAUSE_TOMBSTONES_UNREADABLE,
};

static bool job_finds(const char *cause)
{
    for (size_t i = 0; cause != NULL && i < sizeof found_by_jobs / sizeof found_by_jobs[0]; i++) {
        if (strcmp(an_cause_name(found_by_jobs[i]), cause) == 0) return true;
    }
    return false;
}

static an_rc count_objects(void *arg, const an_object *o, an_err *err)
{
    uint64_t *sum = arg;
    (void)err;
    *sum += 1 + o->size;
    return AN_OK;
}

static uint64_t bucket_sum(golden_case *c)
{
    uint64_t sum = 0;
    an_err err;
    assert_int_equal(
        an_bucket_list(c->bucket, &c->ctx, AN_LIT(""), AN_LIT(""), count_objects, &sum, &err),
        AN_OK);
    return sum;
}

static void expect_finding(golden_case *c, const char *name, an_rc rc, const an_err *err,
                           const char *cause, uint64_t sum_before)
{
    if (rc == AN_OK) fail_msg("%s: no error, wanted %s", name, cause);
    if (strcmp(an_cause_name(err->cause), cause) != 0)
        fail_msg("%s: cause %s, wanted %s: %s", name, an_cause_name(err->cause), cause, err->msg);
    if (rc != AN_ECORRUPT && rc != AN_EHALT && rc != AN_EUNSUPPORTED)
        fail_msg("%s: %s does not isolate: %s", name, an_rc_name(rc), err->msg);
    assert_true(err->object[0] != '\0'); /* a human must know where to look */
    assert_int_equal(bucket_sum(c), sum_before);
}

static size_t workers;

static an_rc run(golden_case *c, const an_ulid *ids, size_t n, bool accept, an_job_result *r,
                 an_err *err)
{
    an_job_input in[8];
    an_pool *pool = NULL;

    assert_true(n <= 8);
    if (workers > 0) assert_int_equal(an_pool_new(workers, "test-workers", &pool, err), AN_OK);
    an_budget *budget = an_budget_new(64 << 20);
    an_job_opts o = {.budget = budget, .now_ns = golden_clock, .workers = pool};
    for (size_t i = 0; i < n; i++) golden_input(c, ids[i], &in[i]);
    golden_group(c, in[0].block, &o);
    o.accept_malformed_index = accept;
    an_rc rc = an_job_run(c->arena, c->bucket, &c->ctx, in, n, &o, r, err);
    an_budget_free(budget); /* all was given back, also after an error */
    an_pool_free(pool);
    return rc;
}

static an_ulid role(const json_t *fault, const char *name)
{
    return golden_ulid(golden_str(json_object_get(fault, "blocks"), name));
}

static void each_fault_is_found_with_its_cause_and_its_block(void **state)
{
    json_t *expected = golden_json("faults/expected.json"), *f;
    size_t i, n = 0;

    (void)state;
    json_array_foreach(golden_array(expected, "faults"), i, f)
    {
        const char *name = json_string_value(json_object_get(f, "fault"));
        const char *cause = json_string_value(json_object_get(f, "cause"));
        const char *class = json_string_value(json_object_get(f, "class"));
        json_t *blocks = json_object_get(f, "blocks"), *bad = json_object_get(f, "isolated_blocks");
        golden_case c;
        an_job_result r;
        an_err err = {0};
        char block[AN_ULID_TEXT + 1];

        if (strcmp(class, "isolate") != 0 || !job_finds(cause)) continue;
        if (json_object_get(blocks, "A") == NULL || json_array_size(bad) != 1) continue;
        golden_open(&c, "faults", name);
        an_ulid ids[2] = {role(f, "A"), role(f, "B")};
        bool accept = strstr(name, "-accept") != NULL;
        uint64_t sum = bucket_sum(&c);
        an_rc rc = run(&c, ids, 2, accept, &r, &err);
        expect_finding(&c, name, rc, &err, cause, sum);
        an_ulid_format(role(f, json_string_value(json_array_get(bad, 0))), block);
        if (strcmp(err.block, block) != 0)
            fail_msg("%s: block %s, wanted %s: %s", name, err.block, block, err.msg);
        golden_close(&c);
        n++;
    }
    json_decref(expected);
    print_message("%zu faults\n", n);
    assert_true(n >= 40);
}

static void each_broken_plan_is_refused_with_its_cause(void **state)
{
    json_t *expected = golden_json("compact/expected-anneal.json"), *e;
    const char *name;
    size_t n = 0;

    (void)state;
    json_object_foreach(json_object_get(expected, "cases"), name, e)
    {
        const char *cause = json_string_value(json_object_get(e, "cause"));
        const char *class = json_string_value(json_object_get(e, "class"));
        golden_case c;
        an_job_result r;
        an_err err = {0};

        if (class == NULL || strcmp(class, "isolate") != 0 || !job_finds(cause)) continue;
        if (strncmp(name, "c14K", 4) == 0) continue; /* its first plan is of a healthy group */
        golden_open(&c, "compact", name);
        an_budget *budget = an_budget_new(64 << 20);
        const an_fold fold = golden_fold(&c);
        an_job_opts o = {.budget = budget, .fold = &fold};
        if (strncmp(name, "c09", 3) == 0) o.labels = golden_labels(&c, 0);
        uint64_t sum = bucket_sum(&c);
        an_rc rc = golden_run_plan(&c, c.bucket, 0, &o, &r, &err);
        expect_finding(&c, name, rc, &err, cause, sum);
        an_budget_free(budget);
        golden_close(&c);
        n++;
    }
    json_decref(expected);
    print_message("%zu plans\n", n);
    assert_true(n >= 25);
}

static void the_finding_does_not_depend_on_workers(void **state)
{
    workers = 2;
    each_fault_is_found_with_its_cause_and_its_block(state);
    workers = 0;
}

static void harmless_oddities_go_through_and_are_counted(void **state)
{
    static const struct {
        const char *fault;
        uint64_t edge_samples, dup_chunks;
        bool stats_differ;
    } cases[] = {
        {"ok-baseline", 0, 0, false},
        {"dup-chunks-copy", 0, 1, false},
        {"dup-chunks-same-ref", 0, 1, false},
        {"m10-stats-zero", 0, 0, false},
        {"sample-at-maxt", 1, 0, false},
        {"symbols-extra", 0, 0, false},
        {"hist-int", 0, 0, false},
        {"hist-nhcbfloat", 0, 0, false},
        {"meta-files-lie", 0, 0, false},
        {"foreign-objects", 0, 0, false},
        {"timestamps-negative", 0, 0, false},
    };
    json_t *expected = golden_json("faults/expected.json"), *f;

    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        golden_case c;
        an_job_result r;
        an_err err = {0};
        size_t i;
        bool found = false;

        json_array_foreach(golden_array(expected, "faults"), i, f)
        {
            if (strcmp(json_string_value(json_object_get(f, "fault")), cases[k].fault) != 0)
                continue;
            found = true;
            golden_open(&c, "faults", cases[k].fault);
            an_ulid ids[2] = {role(f, "A"), role(f, "B")};
            if (run(&c, ids, 2, false, &r, &err) != AN_OK)
                fail_msg("%s: %s", cases[k].fault, err.msg);
            assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
            assert_int_equal(r.sources[0].edge_samples + r.sources[1].edge_samples,
                             cases[k].edge_samples);
            assert_int_equal(r.sources[0].dup_chunks + r.sources[1].dup_chunks,
                             cases[k].dup_chunks);
            if (r.sources[0].stats_differ || r.sources[1].stats_differ != cases[k].stats_differ)
                fail_msg("%s: stats differ", cases[k].fault);
            golden_close(&c);
        }
        assert_true(found);
    }
    json_decref(expected);
}

/* The first plan of a recorded case. */
static an_rc run_case(golden_case *c, const char *name, const an_fold *fold, an_identity_kind kind,
                      an_job_result *r, an_err *err)
{
    golden_open(c, "compact", name);
    an_budget *budget = an_budget_new(64 << 20);
    an_job_opts o = {.kind = kind, .budget = budget, .fold = fold};
    an_rc rc = golden_run_plan(c, c->bucket, 0, &o, r, err);
    an_budget_free(budget);
    return rc;
}

static void overlaps_without_a_fold_name_blocks_and_series(void **state)
{
    golden_case c;
    an_job_result r;
    an_err err = {0};

    (void)state;
    assert_int_equal(run_case(&c, "c06b-touching-chunks", NULL, AN_ID_COMPACT, &r, &err),
                     AN_EUNSUPPORTED);
    assert_int_equal(err.cause, AN_CAUSE_NOT_BUILT);
    assert_non_null(strstr(err.msg, "01DRFRN078AGM0KMSF4F3J4KN8"));
    assert_non_null(strstr(err.msg, "series {__name__="));
    golden_close(&c);
}

static void copies_within_one_block_are_kept_once(void **state)
{
    golden_case c;
    an_job_result r;
    an_err err = {0};
    uint64_t samples = 0, dup_chunks = 0;

    (void)state;
    if (run_case(&c, "c13c-duplicate-chunk-one-block", NULL, AN_ID_COMPACT, &r, &err) != AN_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
    for (size_t i = 0; i < r.meta.compaction.n_parents; i++) {
        samples += r.sources[i].samples;
        dup_chunks += r.sources[i].dup_chunks;
        assert_false(r.sources[i].stats_differ);
    }
    assert_true(dup_chunks > 0);
    assert_int_equal(r.meta.stats.samples, samples);
    golden_close(&c);
}

static void nothing_left_is_no_block(void **state)
{
    static const struct {
        const char *name;
        bool had_series;
    } cases[] = {{"c12a-all-deleted", true}, {"c12b-empty-blocks", false}};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        golden_case c;
        an_job_result r;
        an_err err = {0};
        if (run_case(&c, cases[k].name, NULL, AN_ID_COMPACT, &r, &err) != AN_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(r.outcome, AN_JOB_EMPTY);
        assert_int_equal(r.sources[0].n_series > 0, cases[k].had_series);
        assert_int_equal(r.meta.stats.samples, 0);
        golden_close(&c);
    }
}

static void a_rewrite_is_older_than_its_input(void **state)
{
    golden_case c;
    an_job_result r;
    an_err err = {0};

    (void)state;
    golden_open(&c, "compact", "c11b-tombstone-plan");
    const an_fold fold = golden_fold(&c);
    golden_close(&c);
    if (run_case(&c, "c11b-tombstone-plan", &fold, AN_ID_REWRITE, &r, &err) != AN_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
    assert_int_equal(r.meta.compaction.n_parents, 1);
    assert_int_equal(an_ulid_ms(r.ulid) + 1, an_ulid_ms(r.meta.compaction.parents[0].ulid));
    golden_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_found_with_its_cause_and_its_block),
        cmocka_unit_test(the_finding_does_not_depend_on_workers),
        cmocka_unit_test(each_broken_plan_is_refused_with_its_cause),
        cmocka_unit_test(harmless_oddities_go_through_and_are_counted),
        cmocka_unit_test(overlaps_without_a_fold_name_blocks_and_series),
        cmocka_unit_test(copies_within_one_block_are_kept_once),
        cmocka_unit_test(nothing_left_is_no_block),
        cmocka_unit_test(a_rewrite_is_older_than_its_input),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
