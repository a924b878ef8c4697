// SPDX-License-Identifier: Apache-2.0
/* Plans whose result cannot be written are refused before the first byte of a chunk is read. Linked
 * with indexes of small limits: a file of 64 KiB, sections of 8 KiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "compact/job/job.h"
#include "objstore/fault.h"
#include "objstore/memory.h"
#include "support/index_v1_writer.h"
#include "tsdb/segment/segment.h"

enum { MAX_SERIES = 680, NUMBERS = 32 };

typedef struct made { /* a block of n series with one chunk each */
    an_ulid id;
    an_meta meta;
    an_plan_block block;
    an_block_object objects[2];
} made;

static void put(an_bucket *b, an_ctx *ctx, const char *id, const char *name, an_slice bytes)
{
    char key[64];
    an_err err;

    (void)snprintf(key, sizeof key, "%s/%s", id, name);
    assert_int_equal(an_bucket_put(b, ctx, an_slice_str(key), bytes, 0, &err), AN_OK);
}

typedef enum shape {
    MANY_VALUES, /* {a="<prefix>-000000"}: symbols and postings grow */
    MANY_SERIES  /* {a="00", <prefix>="00", z="z"}: entries grow, the rest hardly */
} shape;

static void make_block(an_bucket *bucket, an_ctx *ctx, made *m, unsigned no, const char *prefix,
                       shape how, size_t n)
{
    static raw_series series[MAX_SERIES];
    static char values[MAX_SERIES][24], numbers[NUMBERS][12];
    const uint8_t entropy[10] = {(uint8_t)no}, data[] = {0, 1, 0, 0, 0};
    char id[AN_ULID_TEXT + 1];
    an_buf index, chunks;

    memset(m, 0, sizeof *m);
    memset(series, 0, sizeof series);
    an_buf_init(&index, 1 << 20, NULL);
    an_buf_init(&chunks, 1 << 20, NULL);
    an_buf_add(&chunks, an_segment_header, AN_SEGMENT_HEADER);
    for (unsigned i = 0; i < NUMBERS; i++) (void)snprintf(numbers[i], sizeof numbers[i], "%02u", i);
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(values[i], sizeof values[i], "%s-%06zu", prefix, i);
        const char *const many[] = {"a", numbers[i / NUMBERS], prefix, numbers[i % NUMBERS], "z",
                                    "z"};
        const char *const one[] = {"a", values[i]};
        if (how == MANY_SERIES)
            memcpy(series[i].labels, many, sizeof many);
        else
            memcpy(series[i].labels, one, sizeof one);
        series[i].n_chunks = 1;
        series[i].chunks[0] = (an_chunk_meta){no * 1000, no * 1000 + 10, chunks.n};
        an_chunk_frame_write(&chunks, 1, an_slice_of(data, sizeof data));
    }
    raw_index ix = {.version = 2, .series = series, .n_series = n};
    raw_index_write(&ix, &index, NULL);
    m->id = an_ulid_make(1000 + no, entropy);
    an_ulid_format(m->id, id);
    put(bucket, ctx, id, "index", an_buf_slice(&index));
    put(bucket, ctx, id, "chunks/000001", an_buf_slice(&chunks));
    m->meta = (an_meta){.ulid = m->id, .mint = no * 1000, .maxt = no * 1000 + 1000, .version = 1};
    m->block = (an_plan_block){.id = m->id, .meta = &m->meta, .index_bytes = (int64_t)index.n};
    m->objects[0] = (an_block_object){AN_LIT("chunks/000001"), chunks.n};
    m->objects[1] = (an_block_object){AN_LIT("index"), index.n};
    an_buf_deinit(&index);
    an_buf_deinit(&chunks);
}

static an_rc count_chunk_reads(void *arg, const an_fault_op *op, an_err *err)
{
    size_t *n = arg;
    char key[128];

    (void)err;
    (void)snprintf(key, sizeof key, "%.*s", AN_PRI(op->key));
    if (strcmp(op->name, "get") == 0 && strstr(key, "/chunks/") != NULL) ++*n;
    return AN_OK;
}

static int64_t clock_at_zero(void *arg)
{
    (void)arg;
    return 0;
}

/* Two blocks of n series each, with no series in common. */
static an_rc merge_two(shape how, size_t n, size_t *chunk_reads, an_err *err)
{
    static made m[2];
    an_arena *a = an_arena_new(NULL);
    an_ctx ctx;
    an_job_input in[2];
    an_job_result r;
    an_label label = {AN_LIT("cluster"), AN_LIT("x")};
    an_bucket *mem = an_mem_bucket_new(), *b = an_fault_bucket_new(mem, AN_FAULT_OWNS);
    an_fault_plan plan = {.before = count_chunk_reads, .arg = chunk_reads};
    an_budget *budget = an_budget_new(64 << 20);

    an_ctx_init(&ctx, NULL);
    make_block(mem, &ctx, &m[0], 0, "first", how, n);
    make_block(mem, &ctx, &m[1], 1, "second", how, n);
    for (size_t i = 0; i < 2; i++) in[i] = (an_job_input){&m[i].block, 2, m[i].objects};
    *chunk_reads = 0;
    an_fault_bucket_plan(b, &plan);
    an_job_opts o = {.labels = {1, &label}, .budget = budget, .now_ns = clock_at_zero};
    an_rc rc = an_job_run(a, b, &ctx, in, 2, &o, &r, err);
    an_budget_free(budget);
    an_bucket_free(b);
    an_arena_free(a);
    return rc;
}

static void what_fits_is_merged(void **state)
{
    an_err err = {0};
    size_t reads;

    (void)state;
    if (merge_two(MANY_VALUES, 180, &reads, &err) != AN_OK) fail_msg("%s", err.msg);
    assert_true(reads > 0);
}

static void symbols_that_cannot_fit_are_refused_before_chunks_are_read(void **state)
{
    an_err err = {0};
    size_t reads;

    (void)state;
    assert_int_equal(merge_two(MANY_VALUES, 400, &reads, &err), AN_ELIMIT); /* 2 * 400 * 14 bytes */
    assert_int_equal(err.cause, AN_CAUSE_SYMBOLS_4G);
    assert_int_equal(reads, 0);
}

static void a_postings_table_that_cannot_fit_is_refused_before_chunks_are_read(void **state)
{
    an_err err = {0};
    size_t reads;

    (void)state;
    assert_int_equal(merge_two(MANY_VALUES, 250, &reads, &err), AN_ELIMIT); /* 2 * 250 * 20 bytes */
    assert_int_equal(err.cause, AN_CAUSE_SYMBOLS_4G); /* the cause of every section's limit */
    assert_non_null(strstr(err.msg, "postings table"));
    assert_int_equal(reads, 0);
}

static void an_index_that_cannot_fit_is_refused_before_chunks_are_read(void **state)
{
    an_err err = {0};
    size_t reads, n = 100;

    (void)state;
    while (n < MAX_SERIES && merge_two(MANY_SERIES, n, &reads, &err) == AN_OK) {
        assert_true(reads > 0);
        n += 10;
    }
    assert_int_equal(err.rc, AN_ELIMIT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_64G);
    assert_int_equal(reads, 0); /* not one that was begun and failed at the end */
    print_message("%zu series are too many\n", 2 * n);
    assert_true(n > 300 && n < MAX_SERIES); /* inputs of half the size were no obstacle */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_merged),
        cmocka_unit_test(symbols_that_cannot_fit_are_refused_before_chunks_are_read),
        cmocka_unit_test(a_postings_table_that_cannot_fit_is_refused_before_chunks_are_read),
        cmocka_unit_test(an_index_that_cannot_fit_is_refused_before_chunks_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
