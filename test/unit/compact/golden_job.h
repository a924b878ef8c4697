// SPDX-License-Identifier: Apache-2.0
/* unit/compact/golden_job.h: a recorded bucket in memory, and jobs run on its plans without the
 * loop around them. A test that includes this needs cmocka before it and GOLDEN compact (or
 * faults). Whatever is missing fails the test. */
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "bucket/block_presence.h"
#include "compact/job/job.h"
#include "compact/merge/chunk_merge.h"
#include "objstore/memory.h"
#include "unit/golden.h"

typedef struct golden_case {
    char dir[1024]; /* of the case, absolute */
    json_t *expect;
    an_bucket *bucket;
    an_arena *arena;
    an_ctx ctx;
    size_t n_results;
    an_ulid results[64]; /* ULIDs of the results so far, as expect.json numbers them from 1 */
} golden_case;

static inline an_slice golden_read_file(an_arena *a, const char *path)
{
    an_buf b;
    uint8_t part[65536];
    size_t n;
    FILE *f = fopen(path, "rb");

    if (f == NULL) fail_msg("cannot open %s", path);
    an_buf_init(&b, 1 << 30, NULL);
    while ((n = fread(part, 1, sizeof part, f)) > 0) an_buf_add(&b, part, n);
    (void)fclose(f);
    an_slice s = an_arena_dup(a, an_buf_slice(&b));
    an_buf_deinit(&b);
    return s;
}

/* Puts every file below `dir` into the bucket, under its path below it. */
static inline void golden_load(an_bucket *b, an_ctx *ctx, const char *dir, const char *key)
{
    an_arena *a = an_arena_new(NULL);
    an_err err;
    DIR *d = opendir(dir);

    if (d == NULL) fail_msg("cannot open %s", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        if (e->d_name[0] == '.') continue;
        char *path = an_arena_printf(a, "%s/%s", dir, e->d_name);
        char *sub = an_arena_printf(a, "%s%s%s", key, key[0] == '\0' ? "" : "/", e->d_name);
        assert_int_equal(stat(path, &st), 0);
        if (S_ISDIR(st.st_mode)) {
            golden_load(b, ctx, path, sub);
            continue;
        }
        an_slice bytes = golden_read_file(a, path);
        assert_int_equal(an_bucket_put(b, ctx, an_slice_str(sub), bytes, 0, &err), AN_OK);
    }
    (void)closedir(d);
    an_arena_free(a);
}

/* `set` is "compact" or "faults"; expect.json is read where there is one. */
static inline void golden_open(golden_case *c, const char *set, const char *name)
{
    char in[1100], expect[1100];
    struct stat st;
    const char *golden = getenv("AN_GOLDEN");

    assert_non_null(golden);
    memset(c, 0, sizeof *c);
    (void)snprintf(c->dir, sizeof c->dir, "%s/%s/%s", golden, set, name);
    (void)snprintf(in, sizeof in, "%s/in", c->dir);
    (void)snprintf(expect, sizeof expect, "%s/expect.json", c->dir);
    c->arena = an_arena_new(NULL);
    c->bucket = an_mem_bucket_new();
    an_mem_bucket_set_time(c->bucket, 1700000000000); /* as golden_clock */
    an_ctx_init(&c->ctx, NULL);
    if (stat(expect, &st) == 0) {
        (void)snprintf(in, sizeof in, "%s/%s/expect.json", set, name);
        c->expect = golden_json(in);
        (void)snprintf(in, sizeof in, "%s/in", c->dir);
    }
    golden_load(c->bucket, &c->ctx, in, "");
}

static inline void golden_close(golden_case *c)
{
    if (c->expect != NULL) json_decref(c->expect);
    an_bucket_free(c->bucket);
    an_arena_free(c->arena);
}

static inline an_ulid golden_ulid(an_slice text)
{
    an_ulid u;
    assert_true(an_ulid_parse(text, &u));
    return u;
}

/* The block as the planner has it, with everything the listing shows. */
static inline void golden_input(golden_case *c, an_ulid id, an_job_input *out)
{
    char text[AN_ULID_TEXT + 1];
    an_err err = {0};
    an_block_presence p;
    an_plan_block *b = an_arena_alloc(c->arena, sizeof *b);
    an_meta *m = an_arena_alloc(c->arena, sizeof *m);

    an_ulid_format(id, text);
    assert_int_equal(an_block_list(c->bucket, &c->ctx, c->arena, id, &p, &err), AN_OK);
    uint8_t *doc = an_arena_alloc(c->arena, (size_t)p.meta_bytes + 1);
    const char *key = an_arena_printf(c->arena, "%s/meta.json", text);
    assert_int_equal(
        an_bucket_get(c->bucket, &c->ctx, an_slice_str(key), 0, (size_t)p.meta_bytes, doc, &err),
        AN_OK);
    if (an_meta_parse(c->arena, an_slice_of(doc, (size_t)p.meta_bytes), m, &err) != AN_OK)
        fail_msg("%s: %s", text, err.msg);
    *b = (an_plan_block){.id = id, .meta = m, .index_bytes = -1};
    for (size_t i = 0; i < p.n_objects; i++) {
        if (an_slice_eq(p.objects[i].name, AN_LIT("index")))
            b->index_bytes = (int64_t)p.objects[i].size;
    }
    *out = (an_job_input){b, p.n_objects, p.objects};
}

static inline int64_t golden_clock(void *arg)
{
    (void)arg;
    return INT64_C(1700000000123456789);
}

static inline bool golden_has_flag(const golden_case *c, const char *flag)
{
    size_t i;
    json_t *v;

    json_array_foreach(json_object_get(c->expect, "flags"), i, v)
    {
        if (strcmp(json_string_value(v), flag) == 0) return true;
    }
    return false;
}

/* Every ULID that is a folder of the bucket. */
typedef struct golden_ids {
    size_t n;
    an_ulid v[256];
} golden_ids;

static inline an_rc golden_on_object(void *arg, const an_object *o, an_err *err)
{
    golden_ids *ids = arg;
    an_ulid u;

    (void)err;
    if (o->key.n != AN_ULID_TEXT + 10 || !an_slice_has_suffix(o->key, AN_LIT("/meta.json")))
        return AN_OK;
    if (!an_ulid_parse(an_slice_of(o->key.p, AN_ULID_TEXT), &u)) return AN_OK;
    assert_true(ids->n < sizeof ids->v / sizeof ids->v[0]);
    ids->v[ids->n++] = u;
    return AN_OK;
}

/* Labels, resolution and extensions of the group that a block is in. */
static inline void golden_group(golden_case *c, const an_plan_block *of, an_job_opts *o)
{
    golden_ids ids = {0};
    an_err err;
    an_group *groups;
    size_t n;

    assert_int_equal(
        an_bucket_list(c->bucket, &c->ctx, AN_LIT(""), AN_LIT(""), golden_on_object, &ids, &err),
        AN_OK);
    const an_plan_block **all = an_arena_alloc(c->arena, (ids.n + 1) * sizeof(void *));
    for (size_t i = 0; i < ids.n; i++) {
        an_job_input in;
        golden_input(c, ids.v[i], &in);
        all[i] = in.block;
    }
    an_groups_build(c->arena, all, ids.n, &groups, &n);
    for (size_t g = 0; g < n; g++) {
        for (size_t i = 0; i < groups[g].n; i++) {
            if (!an_ulid_eq(groups[g].blocks[i]->id, of->id)) continue;
            if (o->labels.n == 0) o->labels = groups[g].labels;
            o->resolution = groups[g].resolution;
            if (an_group_extensions(c->arena, &groups[g], &o->extensions, &err) != AN_OK)
                fail_msg("extensions: %s", err.msg);
            return;
        }
    }
    fail_msg("no group has the block");
}

/* The fold that the case's flags ask for. */
static inline an_fold golden_fold(const golden_case *c)
{
    bool penalty = golden_has_flag(c, "--deduplication.func=penalty");
    return an_chunk_merge_fold(penalty ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
}

/* The labels of a result, as recorded; replica labels are gone. Empty: not recorded. */
static inline an_labels golden_labels(golden_case *c, size_t plan)
{
    json_t *outputs = json_object_get(c->expect, "outputs");
    json_t *labels = json_object_get(
        json_array_get(outputs, plan < json_array_size(outputs) ? plan : 0), "labels");
    an_labels ls = {0};
    const char *name;
    json_t *v;

    ls.v = an_arena_alloc(c->arena, (json_object_size(labels) + 1) * sizeof *ls.v);
    json_object_foreach(labels, name, v) ls.v[ls.n++] =
        (an_label){an_slice_str(name), an_slice_str(json_string_value(v))};
    an_labels_sort(&ls);
    return ls;
}

/* Runs plan number `plan` of expect.json. `base` holds what the test varies. */
static inline an_rc golden_run_inputs(golden_case *c, an_bucket *b, const an_job_input *in,
                                      size_t n, const an_job_opts *base, an_job_result *out,
                                      an_err *err)
{
    an_job_opts o = *base;

    golden_group(c, in[0].block, &o);
    o.now_ns = golden_clock;
    o.sha256 = golden_has_flag(c, "--hash-func=SHA256");
    o.accept_malformed_index = golden_has_flag(c, "--debug.accept-malformed-index");
    return an_job_run(c->arena, b, &c->ctx, in, n, &o, out, err);
}

static inline an_rc golden_run_plan(golden_case *c, an_bucket *b, size_t plan,
                                    const an_job_opts *base, an_job_result *out, an_err *err)
{
    json_t *blocks =
        json_object_get(json_array_get(golden_array(c->expect, "plans"), plan), "blocks");
    size_t n = json_array_size(blocks);
    an_job_input *in = an_arena_alloc(c->arena, n * sizeof *in);

    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(blocks, i));
        size_t no = strncmp(name, "out:", 4) == 0 ? strtoul(name + 4, NULL, 10) : 0;
        assert_true(no <= c->n_results);
        golden_input(c, no > 0 ? c->results[no - 1] : golden_ulid(an_slice_str(name)), &in[i]);
    }
    return golden_run_inputs(c, b, in, n, base, out, err);
}
