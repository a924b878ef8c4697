// SPDX-License-Identifier: Apache-2.0
/* Downsampling of upstream's recorded blocks: index and chunks are upstream's bytes, meta.json is
 * equal but for the ULID and the time of upload. With one worker and with many, with little memory,
 * with windows of a few KiB over a bucket that refuses larger reads. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compact/job/spill.h"
#include "objstore/fault.h"
#include "support/tmpdir.h"
#include "unit/compact/golden_job.h"

enum { MIB = 1 << 20 };

typedef struct variant {
    const char *name;
    size_t memory, window, workers;
} variant;

static const variant variants[] = {
    {"one thread", 256 * MIB, 0, 0},
    {"two workers", 256 * MIB, 0, 2},
    {"eight workers", 256 * MIB, 0, 8},
    {"16 MiB", 16 * MIB, 0, 1},
    {"windows of 2 KiB, 2 workers", 256 * MIB, 2048, 2},
};

static an_slice object(golden_case *c, an_ulid id, an_slice name, uint64_t size)
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

static an_slice recorded(golden_case *c, size_t no, const char *name)
{
    char path[1300];
    (void)snprintf(path, sizeof path, "%s/out/%zu/%s", c->dir, no, name);
    return golden_read_file(c->arena, path);
}

static void expect_bytes(const golden_case *c, size_t no, const char *what, an_slice want,
                         an_slice got)
{
    size_t i = 0;

    while (i < want.n && i < got.n && want.p[i] == got.p[i]) i++;
    if (i == want.n && i == got.n) return;
    fail_msg("%s, out/%zu, %s: %zu bytes, wanted %zu; first difference at %zu", c->dir, no, what,
             got.n, want.n, i);
}

/* Upstream's meta.json with our ULID and our time in it. */
static an_slice wanted_meta(golden_case *c, size_t no, an_ulid id)
{
    an_meta m;
    an_err err = {0};
    an_buf text;

    if (an_meta_parse(c->arena, recorded(c, no, "meta.json"), &m, &err) != AN_OK)
        fail_msg("out/%zu/meta.json: %s", no, err.msg);
    m.ulid = id;
    m.thanos.upload_time = (an_meta_time){.sec = 1700000000, .nsec = 123456789};
    an_buf_init(&text, 16 * MIB, NULL);
    an_meta_write(&text, &m);
    an_slice s = an_arena_dup(c->arena, an_buf_slice(&text));
    an_buf_deinit(&text);
    return s;
}

static void compare(golden_case *c, const json_t *output, an_ulid id)
{
    size_t no = (size_t)golden_int(output, "n"), n_files = 0;
    an_block_presence p;
    an_err err;

    assert_int_equal(an_block_list(c->bucket, &c->ctx, c->arena, id, &p, &err), AN_OK);
    for (size_t i = 0; i < p.n_objects; i++) {
        an_slice got = object(c, id, p.objects[i].name, p.objects[i].size);
        const char *name = an_arena_str(c->arena, p.objects[i].name);
        if (strcmp(name, "meta.json") == 0) {
            expect_bytes(c, no, name, wanted_meta(c, no, id), got);
            continue;
        }
        assert_non_null(json_object_get(json_object_get(output, "files"), name));
        expect_bytes(c, no, name, recorded(c, no, name), got);
        n_files++;
    }
    assert_int_equal(n_files, json_object_size(json_object_get(output, "files")));
}

static bool same_sources(const an_meta *m, const json_t *sources)
{
    if (m->compaction.n_sources != json_array_size(sources)) return false;
    for (size_t i = 0; i < m->compaction.n_sources; i++) {
        char text[AN_ULID_TEXT + 1];
        an_ulid_format(m->compaction.sources[i], text);
        if (strcmp(text, json_string_value(json_array_get(sources, i))) != 0) return false;
    }
    return true;
}

/* The block of which upstream has made this one: the next finer one of the same sources. */
static void find_input(golden_case *c, const json_t *output, an_job_input *in)
{
    golden_ids ids = {0};
    an_err err;
    int64_t finer = golden_int(output, "resolution") == AN_RES_5M ? AN_RES_RAW : AN_RES_5M;

    assert_int_equal(
        an_bucket_list(c->bucket, &c->ctx, AN_LIT(""), AN_LIT(""), golden_on_object, &ids, &err),
        AN_OK);
    for (size_t i = 0; i < ids.n; i++) {
        golden_input(c, ids.v[i], in);
        if (in->block->meta->thanos.resolution == finer &&
            same_sources(in->block->meta, json_object_get(output, "sources")))
            return;
    }
    fail_msg("%s: no block for out/%lld", c->dir, (long long)golden_int(output, "n"));
}

/* The labels that the recorded block has: without replica labels. */
static an_labels wanted_labels(golden_case *c, const json_t *output)
{
    json_t *labels = json_object_get(output, "labels"), *v;
    an_labels ls = {0};
    const char *name;

    ls.v = an_arena_alloc(c->arena, (json_object_size(labels) + 1) * sizeof *ls.v);
    json_object_foreach(labels, name, v) ls.v[ls.n++] =
        (an_label){an_slice_str(name), an_slice_str(json_string_value(v))};
    an_labels_sort(&ls);
    return ls;
}

static void make_output(golden_case *c, an_bucket *b, const an_job_opts *base, json_t *output)
{
    an_job_input in;
    an_job_opts o = *base;
    an_job_result r;
    an_err err = {0};

    find_input(c, output, &in);
    an_plan_block block = *in.block; /* as the sync gives it: labels of replicas removed */
    an_meta meta = *in.block->meta;
    meta.thanos.labels = wanted_labels(c, output);
    block.meta = &meta;
    in.block = &block;
    o.kind = AN_ID_DOWNSAMPLE;
    o.labels = meta.thanos.labels;
    o.resolution = golden_int(output, "resolution");
    o.now_ns = golden_clock;
    o.sha256 = golden_has_flag(c, "--hash-func=SHA256");
    o.accept_malformed_index = golden_has_flag(c, "--debug.accept-malformed-index");
    if (an_job_run(c->arena, b, &c->ctx, &in, 1, &o, &r, &err) != AN_OK)
        fail_msg("%s: %s (%s, %s:%d)", c->dir, err.msg, an_rc_name(err.rc), err.file, err.line);
    assert_int_equal(r.outcome, AN_JOB_PUBLISHED);
    compare(c, output, r.ulid);
    assert_int_equal(an_job_run(c->arena, b, &c->ctx, &in, 1, &o, &r, &err), AN_OK);
    assert_int_equal(r.outcome, AN_JOB_DONE_BEFORE); /* the same work has the same name */
}

static void run_case(const char *name, const variant *v)
{
    golden_case c;
    an_err err = {0};
    tmpdir t;
    an_pool *pool = NULL;
    size_t i;
    json_t *output;

    golden_open(&c, "downsample", name);
    tmpdir_make(&t);
    an_spill_dir *spill = an_spill_dir_new(t.path);
    an_budget *budget = an_budget_new(v->memory);
    an_bucket *fault = an_fault_bucket_new(c.bucket, AN_FAULT_BORROWS);
    an_fault_plan plan = {.max_read = v->window};
    an_fault_bucket_plan(fault, &plan);
    if (v->workers > 0)
        assert_int_equal(an_pool_new(v->workers, "test-workers", &pool, &err), AN_OK);
    an_job_opts o = {.budget = budget,
                     .window_bytes = v->window,
                     .workers = pool,
                     .spill = an_spill_dir_table(spill)};
    json_array_foreach(golden_array(c.expect, "outputs"), i, output)
        make_output(&c, fault, &o, output);
    an_pool_free(pool);
    an_bucket_free(fault);
    an_budget_free(budget); /* asserts that all was given back */
    an_spill_dir_free(spill);
    tmpdir_remove(&t);
    golden_close(&c);
}

static const char *const floats[] = {
    "a01-gauge",   "a02-counter",      "a03-constant",   "a04-special", "a05-sparse",
    "a06-borders", "a07-15s-20series", "a08-500-series", "a09-sizing",  "a10-jitter",
    "a11-epoch",   "a12-some-stale",   "a13-all-stale",  "a14-28d",
};
static const char *const histograms[] = {
    "b01-int-counter", "b02-float-counter", "b03-gauge", "b04-schema",     "b05-spans",
    "b06-zero-bucket", "b07-nhcb",          "b08-mixed", "b09-stale-hist", "b11-hist-14d",
};
static const char *const aggregates[] = {
    "c01-5m-14d",    "c02-handmade",  "c05-absent-min-some",
    "c06-empty-xor", "c07-raw-in-5m", "c08-hist-5m",
};
static const char *const blocks[] = {
    "d01-width-40h",      "d02-width-10d",      "d03-mark-raw",    "d05-mark-bad",
    "d08-one-of-two",     "d09-union",          "d10-concurrency", "d11-replica-label",
    "d12-only-replica",   "d15-hash",           "d16-meta-carry",  "d17-tombstones",
    "d20-outside-accept", "d25-time-partition", "d26-tools",
};

#define ALL(list, v)                                                                               \
    for (size_t i = 0; i < sizeof(list) / sizeof *(list); i++) run_case((list)[i], &variants[v])

static void floats_become_upstreams_bytes(void **state)
{
    (void)state;
    ALL(floats, 0);
}

static void histograms_become_upstreams_bytes(void **state)
{
    (void)state;
    ALL(histograms, 0);
}

static void aggregates_become_upstreams_bytes(void **state)
{
    (void)state;
    ALL(aggregates, 0);
}

static void everything_about_a_block_is_as_upstream_has_it(void **state)
{
    (void)state;
    ALL(blocks, 0);
}

static void bytes_depend_neither_on_workers_nor_on_memory_nor_on_windows(void **state)
{
    static const char *const some[] = {"a04-special", "a08-500-series", "a10-jitter",
                                       "b08-mixed",   "b11-hist-14d",   "c07-raw-in-5m"};

    (void)state;
    for (size_t v = 1; v < sizeof variants / sizeof *variants; v++) ALL(some, v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_become_upstreams_bytes),
        cmocka_unit_test(histograms_become_upstreams_bytes),
        cmocka_unit_test(aggregates_become_upstreams_bytes),
        cmocka_unit_test(everything_about_a_block_is_as_upstream_has_it),
        cmocka_unit_test(bytes_depend_neither_on_workers_nor_on_memory_nor_on_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
