// SPDX-License-Identifier: Apache-2.0
/* Jobs whose series need a fold: upstream's recorded plans with overlapping, touching, replicated
 * and deleted data become upstream's bytes, in index and chunks. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compact/job/spill.h"
#include "compact/merge/chunk_merge.h"
#include "support/tmpdir.h"
#include "unit/compact/golden_job.h"

enum { MIB = 1 << 20 };

/* The recorded result with these parents: the folder of its bytes, and its number. */
static const char *want_dir(golden_case *c, size_t plan, size_t *no)
{
    json_t *plans = json_object_get(c->expect, "plans"), *o;
    json_t *blocks = json_object_get(json_array_get(plans, plan), "blocks");
    size_t i;

    *no = 0;
    if (json_array_size(json_object_get(c->expect, "outputs")) == 0) /* upstream halts there */
        return an_arena_printf(c->arena, "%s/out-prometheus/1", c->dir);
    json_array_foreach(json_object_get(c->expect, "outputs"), i, o)
    {
        json_t *parents = json_object_get(o, "parents"), *p;
        size_t k, same = 0;
        json_array_foreach(parents, k, p)
        {
            for (size_t b = 0; b < json_array_size(blocks); b++)
                same += (size_t)json_equal(json_object_get(p, "ulid"), json_array_get(blocks, b));
        }
        if (same != json_array_size(blocks) || same != json_array_size(parents)) continue;
        *no = (size_t)json_integer_value(json_object_get(o, "n"));
        return an_arena_printf(c->arena, "%s/out/%zu", c->dir, *no);
    }
    fail_msg("%s: no recorded result has the parents of plan %zu", c->dir, plan);
    return NULL;
}

static void compare(golden_case *c, const char *dir, an_ulid id)
{
    an_block_presence p;
    an_err err;
    char ulid[AN_ULID_TEXT + 1];
    size_t files = 0;

    an_ulid_format(id, ulid);
    assert_int_equal(an_block_list(c->bucket, &c->ctx, c->arena, id, &p, &err), AN_OK);
    for (size_t i = 0; i < p.n_objects; i++) {
        an_slice name = p.objects[i].name;
        size_t n = (size_t)p.objects[i].size, at = 0;
        if (an_slice_eq(name, AN_LIT("meta.json"))) continue;
        const char *key = an_arena_printf(c->arena, "%s/%.*s", ulid, AN_PRI(name));
        uint8_t *got = an_arena_alloc(c->arena, n + 1);
        assert_int_equal(an_bucket_get(c->bucket, &c->ctx, an_slice_str(key), 0, n, got, &err),
                         AN_OK);
        an_slice want =
            golden_read_file(c->arena, an_arena_printf(c->arena, "%s/%.*s", dir, AN_PRI(name)));
        while (at < n && at < want.n && got[at] == want.p[at]) at++;
        if (at != n || at != want.n)
            fail_msg("%s/%.*s: %zu bytes, wanted %zu; first difference at %zu", dir, AN_PRI(name),
                     n, want.n, at);
        files++;
    }
    assert_true(files >= 2);
}

/* Runs plan 0 of a case that upstream makes nothing, or nothing good, of. */
static an_rc run_other(const char *name, an_job_result *r, an_err *err)
{
    golden_case c;
    tmpdir t;

    print_message("%s\n", name);
    golden_open(&c, "compact", name);
    tmpdir_make(&t);
    an_spill_dir *spill = an_spill_dir_new(t.path);
    an_budget *budget = an_budget_new(256 * MIB);
    an_fold fold = an_chunk_merge_fold(
        golden_has_flag(&c, "--deduplication.func=penalty") ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
    an_job_opts o = {.budget = budget, .spill = an_spill_dir_table(spill), .fold = &fold};
    an_rc rc = golden_run_plan(&c, c.bucket, 0, &o, r, err);
    an_budget_free(budget);
    an_spill_dir_free(spill);
    tmpdir_remove(&t);
    golden_close(&c);
    return rc;
}

static void run_case(const char *name, size_t workers)
{
    golden_case c;
    an_err err = {0};
    tmpdir t;
    an_pool *pool = NULL;

    print_message("%s, %zu workers\n", name, workers);
    golden_open(&c, "compact", name);
    tmpdir_make(&t);
    an_spill_dir *spill = an_spill_dir_new(t.path);
    an_budget *budget = an_budget_new(256 * MIB);
    if (workers > 0) assert_int_equal(an_pool_new(workers, "test-workers", &pool, &err), AN_OK);
    an_fold fold = an_chunk_merge_fold(
        golden_has_flag(&c, "--deduplication.func=penalty") ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
    an_job_opts o = {
        .budget = budget, .workers = pool, .spill = an_spill_dir_table(spill), .fold = &fold};
    for (size_t i = 0; i < json_array_size(golden_array(c.expect, "plans")); i++) {
        an_job_result r;
        size_t no;
        const char *dir = want_dir(&c, i, &no);
        if (golden_run_plan(&c, c.bucket, i, &o, &r, &err) != AN_OK)
            fail_msg("plan %zu: %s (%s, %s:%d)", i, err.msg, an_rc_name(err.rc), err.file,
                     err.line);
        assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
        if (no > 0) c.results[no - 1] = r.ulid;
        if (no > c.n_results) c.n_results = no;
        compare(&c, dir, r.ulid);
    }
    an_pool_free(pool);
    an_budget_free(budget);
    an_spill_dir_free(spill);
    tmpdir_remove(&t);
    golden_close(&c);
}

static void overlapping_blocks_become_upstreams_bytes(void **state)
{
    static const char *const cases[] = {
        "c06b-touching-chunks",          "c07a-vertical-identical",
        "c07b-vertical-disjoint",        "c07c-vertical-interleaved",
        "c07d-vertical-partial",         "c07e-vertical-tie-2",
        "c07f-vertical-tie-3",           "c07g-vertical-tie-4",
        "c07i-vertical-special-values",  "c07j-vertical-transitive",
        "c07k-vertical-then-horizontal", "c13d-duplicate-chunk-two-blocks",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], 0);
}

static void overlapping_histograms_become_upstreams_bytes(void **state)
{
    static const char *const cases[] = {
        "c10b-hist-vertical-int",   "c10c-hist-vertical-float",
        "c10d-hist-vertical-gauge", "c10e-hist-vertical-gauge-float",
        "c10f-hist-vertical-nhcb",  "c10g-hist-vertical-nhcb-float",
        "c10h-hist-vertical-mixed",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], 2);
}

static void replicas_become_upstreams_bytes(void **state)
{
    static const char *const cases[] = {
        "c08a-dedup-offset",
        "c08b-dedup-aligned",
        "c08c-dedup-staggered",
        "c08d-dedup-only-replica-label",
        "c08e-dedup-two-labels",
        "c08f-dedup-no-compact",
        "c09a-penalty-2",
        "c09b-penalty-3",
        "c09c-penalty-missing-replica",
        "c09d-penalty-blocks-equal-mintime",
        "c09e-penalty-histograms",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], 0);
}

static void deleted_samples_are_cut_out_of_chunks(void **state)
{
    (void)state;
    run_case("c11a-tombstones", 0);
    run_case("c16e-xor2-tombstone", 0);
}

static void chunks_with_start_timestamps_become_prometheus_bytes(void **state)
{
    static const char *const cases[] = {"c16a-xor2-horizontal", "c16b-xor2-vertical",
                                        "c16c-histogram-st", "c16d-histogram-st-vertical",
                                        "c16f-one-xor2-chunk"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], 0);
}

/* Upstream fails at a stale marker in a gauge chunk that is cut; here another chunk begins. */
static void a_cut_gauge_chunk_with_a_stale_marker_becomes_several(void **state)
{
    (void)state;
    an_job_result r = {0};
    an_err err = {0};

    assert_int_equal(run_other("c11d-tombstones-histogram-stale", &r, &err), AN_OK);
    assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
    /* The interval holds four samples, 0 to 180 s, of the four times 180. */
    assert_int_equal(r.meta.stats.samples, 4 * 180 - 4);
    assert_int_equal(r.meta.stats.chunks, 4 * 3 + 1);
}

/* Penalty dedup upstream takes a chunk with a wrong checksum for the end of its series. */
static void a_wrong_checksum_is_an_error_with_every_function(void **state)
{
    (void)state;
    an_job_result r;
    an_err err = {0};

    assert_int_equal(run_other("c09f-penalty-chunk-crc", &r, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_CHUNK_CHECKSUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(overlapping_blocks_become_upstreams_bytes),
        cmocka_unit_test(overlapping_histograms_become_upstreams_bytes),
        cmocka_unit_test(replicas_become_upstreams_bytes),
        cmocka_unit_test(deleted_samples_are_cut_out_of_chunks),
        cmocka_unit_test(chunks_with_start_timestamps_become_prometheus_bytes),
        cmocka_unit_test(a_cut_gauge_chunk_with_a_stale_marker_becomes_several),
        cmocka_unit_test(a_wrong_checksum_is_an_error_with_every_function),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
