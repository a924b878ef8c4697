// SPDX-License-Identifier: Apache-2.0
/* Jobs on upstream's recorded plans: index and chunks are upstream's bytes, meta.json is equal but
 * for the ULIDs and the time of upload. With one worker and with many, with little memory, with
 * windows of a few KiB over a bucket that refuses larger reads. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compact/job/spill.h"
#include "compact/merge/merge.h"
#include "objstore/fault.h"
#include "support/streams.h"
#include "support/tmpdir.h"
#include "tsdb/segment/segment.h"
#include "unit/compact/golden_job.h"

enum { MIB = 1 << 20 };

typedef struct variant {
    const char *name;
    size_t memory, window;
    size_t workers;
} variant;

static const variant variants[] = {
    {"one thread", 256 * MIB, 0, 0},
    {"one worker", 256 * MIB, 0, 1},
    {"two workers", 256 * MIB, 0, 2},
    {"eight workers", 256 * MIB, 0, 8},
    {"32 MiB", 32 * MIB, 0, 2},
    {"windows of 2 KiB", 32 * MIB, 2048, 0},
    {"windows of 2 KiB, 2 workers", 256 * MIB, 2048, 2},
};

/* Recorded results and what they come from. */
static const char
    *out_dir; /* of the case at hand: out; c16: what Prometheus 3.14 makes, out-prometheus */

static an_slice want_file(golden_case *c, size_t no, const char *name)
{
    char path[1300];
    (void)snprintf(path, sizeof path, "%s/%s/%zu/%s", c->dir, out_dir, no, name);
    return golden_read_file(c->arena, path);
}

static an_slice got_object(golden_case *c, an_ulid id, an_slice name, uint64_t size)
{
    char text[AN_ULID_TEXT + 1];
    an_err err;

    an_ulid_format(id, text);
    const char *key = an_arena_printf(c->arena, "%s/%.*s", text, AN_PRI(name));
    uint8_t *p = an_arena_alloc(c->arena, (size_t)size + 1);
    assert_int_equal(an_bucket_get(c->bucket, &c->ctx, an_slice_str(key), 0, (size_t)size, p, &err),
                     AN_OK);
    return an_slice_of(p, (size_t)size);
}

static void expect_bytes(const char *what, an_slice want, an_slice got)
{
    size_t i = 0;

    while (i < want.n && i < got.n && want.p[i] == got.p[i]) i++;
    if (i == want.n && i == got.n) return;
    fail_msg("%s: %zu bytes, wanted %zu; first difference at %zu", what, got.n, want.n, i);
}

/* The result that has these parents, numbered from 1. */
static size_t output_of(const golden_case *c, size_t plan)
{
    json_t *plans = json_object_get(c->expect, "plans"), *outputs, *o;
    json_t *blocks = json_object_get(json_array_get(plans, plan), "blocks");
    size_t i;

    outputs = json_object_get(c->expect, "outputs");
    if (json_array_size(outputs) == 0) return plan + 1;
    json_array_foreach(outputs, i, o)
    {
        json_t *parents = json_object_get(o, "parents"), *p;
        size_t k, same = 0;
        json_array_foreach(parents, k, p)
        {
            same += (size_t)json_equal(json_object_get(p, "ulid"), json_array_get(blocks, k));
        }
        if (same == json_array_size(blocks) && same == json_array_size(parents))
            return (size_t)json_integer_value(json_object_get(o, "n"));
    }
    fail_msg("%s: no recorded result has the parents of plan %zu", c->dir, plan);
    return 0;
}

/* Upstream's meta.json with our ULIDs and our time in it. */
static an_slice want_meta(golden_case *c, size_t no, const an_job_result *r)
{
    an_meta m;
    an_err err = {0};
    an_buf text;

    if (an_meta_parse(c->arena, want_file(c, no, "meta.json"), &m, &err) != AN_OK)
        fail_msg("out/%zu/meta.json: %s", no, err.msg);
    m.ulid = r->ulid;
    for (size_t i = 0; i < m.compaction.n_parents; i++) {
        an_meta_parent *p = &m.compaction.parents[i];
        json_t *outputs = json_object_get(c->expect, "outputs"), *o;
        size_t k;
        char was[AN_ULID_TEXT + 1];
        an_ulid_format(p->ulid, was);
        json_array_foreach(outputs, k, o)
        {
            size_t n = (size_t)json_integer_value(json_object_get(o, "n"));
            if (strcmp(json_string_value(json_object_get(o, "ulid")), was) == 0)
                p->ulid = c->results[n - 1];
        }
    }
    m.thanos.upload_time = (an_meta_time){.sec = 1700000000, .nsec = 123456789};
    an_buf_init(&text, 16 * MIB, NULL);
    an_meta_write(&text, &m);
    an_slice s = an_arena_dup(c->arena, an_buf_slice(&text));
    an_buf_deinit(&text);
    return s;
}

static void compare(golden_case *c, size_t no, const an_job_result *r)
{
    an_block_presence p;
    an_err err;
    size_t n_files = 0;
    json_t *files = NULL, *o;
    size_t i;
    char name[64];

    json_array_foreach(json_object_get(c->expect, "outputs"), i, o)
    {
        if ((size_t)json_integer_value(json_object_get(o, "n")) == no)
            files = json_object_get(o, "files");
    }
    assert_int_equal(an_block_list(c->bucket, &c->ctx, c->arena, r->ulid, &p, &err), AN_OK);
    for (i = 0; i < p.n_objects; i++) {
        an_slice got = got_object(c, r->ulid, p.objects[i].name, p.objects[i].size);
        (void)snprintf(name, sizeof name, "%.*s", AN_PRI(p.objects[i].name));
        if (strcmp(name, "meta.json") == 0) {
            if (files != NULL) expect_bytes(name, want_meta(c, no, r), got);
            continue;
        }
        if (files != NULL) assert_non_null(json_object_get(files, name));
        expect_bytes(name, want_file(c, no, name), got);
        n_files++;
    }
    assert_int_equal(n_files, files != NULL ? json_object_size(files) : 2);
}

static void run_case(const char *name, const variant *v)
{
    golden_case c;
    an_err err = {0};
    tmpdir t;
    an_pool *pool = NULL;

    print_message("%s, %s\n", name, v->name);
    out_dir = strncmp(name, "c16", 3) == 0 ? "out-prometheus" : "out";
    golden_open(&c, "compact", name);
    tmpdir_make(&t);
    an_spill_dir *spill = an_spill_dir_new(t.path);
    an_budget *budget = an_budget_new(v->memory);
    an_bucket *fault = an_fault_bucket_new(c.bucket, AN_FAULT_BORROWS);
    an_fault_plan plan = {.max_read = v->window > 0 ? v->window : 0};
    an_fault_bucket_plan(fault, &plan);
    if (v->workers > 0)
        assert_int_equal(an_pool_new(v->workers, "test-workers", &pool, &err), AN_OK);
    an_job_opts o = {.budget = budget,
                     .window_bytes = v->window,
                     .workers = pool,
                     .spill = an_spill_dir_table(spill)};
    const an_fold fold = golden_fold(&c);
    o.fold = &fold;
    bool dedup = strncmp(name, "c08", 3) == 0 || strncmp(name, "c09", 3) == 0;

    size_t n = json_array_size(golden_array(c.expect, "plans"));
    for (size_t i = 0; i < n; i++) {
        an_job_result r;
        if (dedup) o.labels = golden_labels(&c, i);
        if (golden_run_plan(&c, fault, i, &o, &r, &err) != AN_OK)
            fail_msg("plan %zu: %s (%s, %s:%d)", i, err.msg, an_rc_name(err.rc), err.file,
                     err.line);
        assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
        size_t no = output_of(&c, i);
        c.results[no - 1] = r.ulid;
        if (no > c.n_results) c.n_results = no;
        compare(&c, no, &r);
        if (golden_run_plan(&c, fault, i, &o, &r, &err) != AN_OK) fail_msg("again: %s", err.msg);
        assert_int_equal(r.outcome, AN_JOB_DONE_BEFORE); /* the same work has the same name */
        assert_true(an_ulid_eq(r.ulid, c.results[no - 1]));
    }
    an_pool_free(pool);
    an_bucket_free(fault);
    an_budget_free(budget); /* asserts that all was given back */
    an_spill_dir_free(spill);
    tmpdir_remove(&t);
    golden_close(&c);
}

static void upstreams_plans_become_upstreams_bytes(void **state)
{
    static const char *const cases[] = {
        "c01-basic-8h",
        "c02-ladder-14d",
        "c03-groups",
        "c04a-special-values",
        "c04b-negative-time",
        "c05a-labels",
        "c05b-empty-label-value",
        "c06a-chunk-shapes",
        "c06c-single-segment-gap",
        "c10a-hist-horizontal",
        "c12c-one-empty-block",
        "c14M-index-mint-mismatch",
        "c15a-no-compact-mark",
        "c15b-deletion-marks",
        "c15e-unreadable-mark",
        "c15f-foreign-objects",
        "c14b-ooo-labels-accept",
        "c17a-plan-hole",
        "c17b-plan-big-gap",
        "c17c-plan-mixed-levels",
        "c17d-plan-partial-window",
        "c17e-plan-index-limit",
        "c17f-plan-max-level",
        "c17g-plan-min-max-time",
        "c17h-plan-selector",
        "c17j-plan-unaligned",
        "c19d-resolutions",
        "c17k-plan-1h-blocks",
        "c17l-plan-aligned-8h-2d",
        "c17m-plan-no-files-size",
        "c18a-extensions-equal",
        "c18b-extensions-differ",
        "c18c-extensions-none-in-common",
        "c18d-extensions-not-object",
        "c18e-meta-extras",
        "c18f-hash-func",
        "c18g-index-stats",
        "c18h-index-stats-none",
        "c18i-minimal-meta",
        "c19a-5m-horizontal",
        "c20a-many-series",
        "c20b-large-chunks",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], &variants[0]);
}

static void overlaps_become_upstreams_bytes(void **state)
{
    static const char *const cases[] = {
        "c06b-touching-chunks",
        "c07a-vertical-identical",
        "c07b-vertical-disjoint",
        "c07c-vertical-interleaved",
        "c07d-vertical-partial",
        "c07e-vertical-tie-2",
        "c07f-vertical-tie-3",
        "c07g-vertical-tie-4",
        "c07i-vertical-special-values",
        "c07j-vertical-transitive",
        "c07k-vertical-then-horizontal",
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
        "c10b-hist-vertical-int",
        "c10c-hist-vertical-float",
        "c10d-hist-vertical-gauge",
        "c10e-hist-vertical-gauge-float",
        "c10f-hist-vertical-nhcb",
        "c10g-hist-vertical-nhcb-float",
        "c10h-hist-vertical-mixed",
        "c11a-tombstones",
        "c13d-duplicate-chunk-two-blocks",
        "c19c-5m-tombstone",
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run_case(cases[i], &variants[0]);
        run_case(cases[i], &variants[2]);
    }
}

static void start_timestamps_become_the_bytes_of_a_newer_prometheus(void **state)
{
    static const char *const cases[] = {"c16a-xor2-horizontal", "c16b-xor2-vertical",
                                        "c16c-histogram-st",    "c16d-histogram-st-vertical",
                                        "c16e-xor2-tombstone",  "c16f-one-xor2-chunk"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) run_case(cases[i], &variants[0]);
}

static void bytes_depend_neither_on_workers_nor_on_memory_nor_on_windows(void **state)
{
    static const char *const cases[] = {"c05a-labels", "c06a-chunk-shapes",
                                        "c06c-single-segment-gap", "c20a-many-series",
                                        "c20b-large-chunks"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t v = 1; v < sizeof variants / sizeof variants[0]; v++)
            run_case(cases[i], &variants[v]);
    }
}

/* A merge with next to no memory for postings: they go through files. */
static void postings_in_files_give_the_same_bytes(void **state)
{
    golden_case c;
    an_err err = {0};
    test_spill files;
    an_spill spill = test_spill_open(&files);
    an_merge_input in[8];
    an_merge_result r;
    an_block_writer *w;
    an_published how;
    const uint8_t entropy[10] = {1};
    an_window_opts wo = {.bytes = 4096};
    an_budget *index = an_budget_new(96 << 10);

    (void)state;
    golden_open(&c, "compact", "c20a-many-series");
    json_t *blocks = json_object_get(json_array_get(golden_array(c.expect, "plans"), 0), "blocks");
    size_t n = json_array_size(blocks);
    an_merge_opts o = {.ctx = &c.ctx,
                       .mint = INT64_MAX,
                       .maxt = INT64_MIN,
                       .n_batches = 1,
                       .batch_bytes = 1 << 16,
                       .segment_max = AN_SEGMENT_MAX,
                       .symbol_window = wo,
                       .series_window = wo,
                       .postings_window = wo,
                       .chunks = {.window = wo, .slot_bytes = 4096, .n_slots = 2},
                       .index = index,
                       .spill = &spill};
    assert_true(n <= 8);
    for (size_t i = 0; i < n; i++) {
        an_job_input ji;
        an_block_reader *b;
        golden_input(&c, golden_ulid(an_slice_str(json_string_value(json_array_get(blocks, i)))),
                     &ji);
        assert_int_equal(an_block_reader_open(c.arena, c.bucket, &c.ctx, ji.block->id,
                                              ji.block->meta, ji.objects, ji.n_objects, &wo, &b,
                                              &err),
                         AN_OK);
        in[i] = (an_merge_input){.block = b};
        if (ji.block->meta->mint < o.mint) o.mint = ji.block->meta->mint;
        if (ji.block->meta->maxt > o.maxt) o.maxt = ji.block->meta->maxt;
    }
    an_block_writer_opts bo = {.ulid = an_ulid_make(1, entropy), .nonce = AN_LIT("n")};
    assert_int_equal(an_block_writer_open(c.bucket, &c.ctx, &bo, &w, &err), AN_OK);
    if (an_merge_run(c.arena, in, n, &o, w, &r, &err) != AN_OK) fail_msg("%s", err.msg);
    an_meta m = {.ulid = bo.ulid, .version = 1};
    assert_int_equal(an_block_writer_publish(w, c.arena, &m, (an_meta_time){0}, &how, &err), AN_OK);
    an_block_writer_close(w);
    assert_true(files.opened > 0);
    out_dir = "out";
    static const char *const names[] = {"index", "chunks/000001"};
    for (size_t i = 0; i < 2; i++) {
        an_slice want = want_file(&c, 1, names[i]);
        expect_bytes(names[i], want, got_object(&c, bo.ulid, an_slice_str(names[i]), want.n));
    }
    test_spill_close(&files);
    an_budget_free(index);
    golden_close(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(upstreams_plans_become_upstreams_bytes),
        cmocka_unit_test(overlaps_become_upstreams_bytes),
        cmocka_unit_test(start_timestamps_become_the_bytes_of_a_newer_prometheus),
        cmocka_unit_test(bytes_depend_neither_on_workers_nor_on_memory_nor_on_windows),
        cmocka_unit_test(postings_in_files_give_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
