// SPDX-License-Identifier: Apache-2.0
/* Where memory is short: symbol maps in files, chunks longer than what there is, long series that
 * take turns, the sizes of a job. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucket/block_presence.h"
#include "compact/job/sizing.h"
#include "compact/merge/chunk_merge.h"
#include "compact/merge/merge.h"
#include "compact/merge/ordmap.h"
#include "objstore/memory.h"
#include "support/index_v1_writer.h"
#include "support/streams.h"
#include "tsdb/chunk/chunk.h"
#include "tsdb/segment/segment.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static void fill_and_check_map(int version, uint32_t n, size_t memory, bool spilled)
{
    test_spill files;
    an_spill spill = test_spill_open(&files);
    an_budget *b = an_budget_new(memory);
    an_ordmap *m;
    an_err err = {0};
    uint32_t ord;

    assert_int_equal(an_ordmap_new(b, 0, &spill, version, n, &m, &err), AN_OK);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t ref = version == 1 ? 5 + 3 * i : i;
        assert_int_equal(an_ordmap_add(m, ref, 7 * i, &err), AN_OK);
    }
    assert_int_equal(an_ordmap_seal(m, &err), AN_OK);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = (uint32_t)((uint64_t)k * 2654435761 % n);
        assert_int_equal(an_ordmap_get(m, version == 1 ? 5 + 3 * i : i, &ord, &err), AN_OK);
        assert_int_equal(ord, 7 * i);
    }
    assert_int_equal(an_ordmap_get(m, version == 1 ? 6 : n, &ord, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_UNREADABLE);
    assert_int_equal(files.opened > 0, spilled);
    an_ordmap_free(m);
    an_budget_free(b);
    test_spill_close(&files);
}

static void a_symbol_map_answers_the_same_from_memory_and_from_a_file(void **state)
{
    (void)state;
    for (int version = 1; version <= 2; version++) {
        fill_and_check_map(version, 70000, MIB, false);
        fill_and_check_map(version, 70000, 200 * KIB, true);
        fill_and_check_map(version, 1, 200 * KIB, false);
        fill_and_check_map(version, 1024 * 40, 140 * KIB, true); /* whole pages */
    }
}

static void a_symbol_map_without_memory_or_file_is_refused(void **state)
{
    an_budget *b = an_budget_new(100);
    an_ordmap *m;
    an_err err;

    (void)state;
    assert_int_equal(an_ordmap_new(b, 0, NULL, 2, 1000, &m, &err), AN_ELIMIT);
    assert_null(m);
    an_budget_free(b);
}

static void sizes_fit_the_limit_or_say_what_they_need(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 200; n = n * 3 / 2 + 1) {
        for (size_t limit = 256 * KIB; limit <= (size_t)1 << 34; limit = limit * 5 / 4) {
            for (int local = 0; local < 2; local++) {
                an_job_sizes s;
                an_err err;
                an_rc rc =
                    an_job_sizes_of(n, (uint64_t)n * 70 * MIB, limit, 0, local != 0, 2, &s, &err);
                if (rc == AN_ELIMIT) {
                    assert_true(limit < 32 * MIB || n > 60); /* what the documentation promises */
                    continue;
                }
                assert_int_equal(rc, AN_OK);
                assert_true(s.total <= limit);
                assert_true(s.total == s.io + s.maps + s.symbols + s.index);
                assert_true(s.chunk_window >= 4096 && s.batch >= 32 * KIB);
                assert_true(s.index >= 64 * KIB && s.maps >= n * AN_ORDMAP_SPILLED_BYTES);
            }
        }
    }
}

static void a_usual_job_takes_less_than_a_hundred_megabytes(void **state)
{
    an_job_sizes s;
    an_err err;

    (void)state;
    assert_int_equal(
        an_job_sizes_of(4, (uint64_t)300 * MIB, (size_t)12 << 30, 0, true, 2, &s, &err), AN_OK);
    assert_true(s.total < 110 * MIB);
}

/* ---- Blocks with long chunks ---- */

typedef struct world {
    an_bucket *bucket;
    an_ctx ctx;
    an_arena *arena;
    an_meta meta[2];
    an_merge_input in[2];
} world;

static void put(world *w, an_ulid id, const char *name, an_slice bytes)
{
    char text[AN_ULID_TEXT + 1], key[64];
    an_err err;

    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/%s", text, name);
    assert_int_equal(an_bucket_put(w->bucket, &w->ctx, an_slice_str(key), bytes, 0, &err), AN_OK);
}

/* Block number `no` over [0, 1000), opened as input. */
static void add_block(world *w, size_t no, const raw_index *ix, an_slice chunks)
{
    const uint8_t entropy[10] = {(uint8_t)no};
    an_ulid id = an_ulid_make(1000 + no, entropy);
    an_buf index;
    an_err err = {0};
    an_block_presence p;
    an_window_opts wo = {.bytes = 4 * KIB};
    an_block_reader *r;

    an_buf_init(&index, 1 << 20, NULL);
    raw_index_write(ix, &index, NULL);
    put(w, id, "index", an_buf_slice(&index));
    put(w, id, "chunks/000001", chunks);
    an_buf_deinit(&index);
    w->meta[no] = (an_meta){.ulid = id, .mint = 0, .maxt = 1000, .version = 1};
    assert_int_equal(an_block_list(w->bucket, &w->ctx, w->arena, id, &p, &err), AN_OK);
    if (an_block_reader_open(w->arena, w->bucket, &w->ctx, id, &w->meta[no], p.objects, p.n_objects,
                             &wo, &r, &err) != AN_OK)
        fail_msg("%s", err.msg);
    w->in[no] = (an_merge_input){.block = r};
}

/* One series {a="0"} with one chunk over [0, 100]. */
static void make_chunk_block(world *w, size_t no, an_slice data)
{
    raw_series series = {.labels = {"a", "0"}, .n_chunks = 1, .chunks = {{0, 100, 8}}};
    raw_index ix = {.version = 2, .series = &series, .n_series = 1};
    an_buf chunks;

    an_buf_init(&chunks, 1 << 26, NULL);
    an_buf_add(&chunks, an_segment_header, AN_SEGMENT_HEADER);
    an_chunk_frame_write(&chunks, AN_ENC_XOR, data);
    add_block(w, no, &ix, an_buf_slice(&chunks));
    an_buf_deinit(&chunks);
}

/* A block of n series {a="0".."n-1"}, one chunk of `len` bytes each, over [0, 100]. */
static void make_block(world *w, size_t no, size_t n, size_t len, bool damage)
{
    static const char *const names[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    raw_series series[8];
    raw_index ix = {.version = 2, .series = series, .n_series = n};
    an_buf chunks;

    memset(series, 0, sizeof series);
    an_buf_init(&chunks, 1 << 26, NULL);
    an_buf_add(&chunks, an_segment_header, AN_SEGMENT_HEADER);
    uint8_t *data = calloc(1, len);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 2; k < len; k++) data[k] = (uint8_t)(k * 31 + i + no * 7);
        data[1] = 10;
        series[i].labels[0] = "a";
        series[i].labels[1] = names[i];
        series[i].n_chunks = 1;
        series[i].chunks[0] = (an_chunk_meta){0, 100, chunks.n};
        an_chunk_frame_write(&chunks, 1, an_slice_of(data, len));
    }
    free(data);
    if (damage) chunks.p[chunks.n / 2] ^= 1;
    add_block(w, no, &ix, an_buf_slice(&chunks));
    an_buf_deinit(&chunks);
}

static void open_world(world *w)
{
    memset(w, 0, sizeof *w);
    w->bucket = an_mem_bucket_new();
    an_ctx_init(&w->ctx, NULL);
    w->arena = an_arena_new(NULL);
}

static void close_world(world *w)
{
    an_arena_free(w->arena);
    an_bucket_free(w->bucket);
}

/* Keeps the first member's chunk, and needs as much memory as it has. */
static an_rc greedy(void *arg, an_arena *scratch, const an_task *t, an_task_out *out, an_err *err)
{
    const an_task_chunk *c = &t->members[0].chunks[0];

    (void)arg;
    uint8_t *p = an_arena_try(scratch, c->data.n, 1);
    if (p == NULL) return AN_FAIL(err, AN_ELIMIT, "no memory for %zu bytes", c->data.n);
    memcpy(p, c->data.p, c->data.n);
    an_task_emit(out, c->mint, c->maxt, c->encoding, an_slice_of(p, c->data.n));
    return AN_OK;
}

static an_rc merge(world *w, size_t n, size_t memory, size_t workers, const an_fold *fold,
                   an_merge_result *r, an_err *err)
{
    const uint8_t entropy[10] = {9};
    an_budget *budget = an_budget_new(memory);
    an_pool *pool = NULL;
    an_block_writer *writer;
    an_window_opts wo = {.bytes = 4 * KIB, .budget = budget};
    an_block_writer_opts bo = {.ulid = an_ulid_make(1, entropy), .nonce = AN_LIT("x")};

    if (workers > 0) assert_int_equal(an_pool_new(workers, "merge", &pool, err), AN_OK);
    an_merge_opts o = {.ctx = &w->ctx,
                       .mint = 0,
                       .maxt = 1000,
                       .fold = fold,
                       .pool = pool,
                       .n_batches = 4,
                       .batch_bytes = 4 * KIB,
                       .segment_max = AN_SEGMENT_MAX,
                       .symbol_window = wo,
                       .series_window = wo,
                       .postings_window = wo,
                       .chunks = {.window = wo, .slot_bytes = 4 * KIB, .n_slots = 1},
                       .budget = budget};
    assert_int_equal(an_block_writer_open(w->bucket, &w->ctx, &bo, &writer, err), AN_OK);
    an_rc rc = an_merge_run(w->arena, w->in, n, &o, writer, r, err);
    an_block_writer_close(writer);
    an_pool_free(pool);
    an_budget_free(budget);
    return rc;
}

static void a_chunk_longer_than_the_memory_is_told_from_a_damaged_one(void **state)
{
    (void)state;
    for (int damage = 0; damage < 2; damage++) {
        world w;
        an_merge_result r;
        an_err err = {0};
        open_world(&w);
        make_block(&w, 0, 1, 2 * MIB, damage != 0);
        an_rc rc = merge(&w, 1, MIB, 0, NULL, &r, &err);
        assert_int_equal(rc, damage ? AN_ECORRUPT : AN_ELIMIT);
        assert_int_equal(err.cause, damage ? AN_CAUSE_CHUNK_CHECKSUM : AN_CAUSE_NONE);
        assert_string_equal(err.object, "chunks/000001");
        assert_int_equal(err.offset, 8);
        close_world(&w);
    }
}

static an_rc merge_long_series(size_t memory, size_t workers)
{
    const an_fold fold = {greedy, NULL, false};
    world w;
    an_merge_result r;
    an_err err = {0};

    open_world(&w);
    make_block(&w, 0, 6, 300 * KIB, false);
    make_block(&w, 1, 6, 300 * KIB, false);
    an_rc rc = merge(&w, 2, memory, workers, &fold, &r, &err);
    if (rc == AN_OK)
        assert_int_equal(r.series, 6);
    else
        assert_int_equal(rc, AN_ELIMIT);
    close_world(&w);
    return rc;
}

/* Six series, each of which takes most of the memory while it is merged. */
static void long_series_take_turns(void **state)
{
    size_t least = 200 * KIB;

    (void)state;
    while (merge_long_series(least, 0) != AN_OK) least += 50 * KIB;
    print_message("one at a time needs %zu KiB\n", least / KIB);
    assert_true(least < 3 * MIB); /* not six times what one takes */
    for (size_t workers = 1; workers < 4; workers++) {
        for (size_t memory = least * 3 / 2; memory < 8 * MIB; memory += 700 * KIB) {
            if (merge_long_series(memory, workers) != AN_OK)
                fail_msg("%zu workers, %zu KiB", workers, memory / KIB);
        }
    }
}

/* ---- What a fold may not make ---- */

/* A block of one series {a="0"} with one chunk of two floats at t and t + 10, which the index says
 * to lie in [0, 100]. */
static void make_floats(world *w, size_t no, int64_t t)
{
    const int64_t times[] = {t, t + 10};
    const uint64_t values[] = {1, 2};
    an_chunk_enc enc;
    an_err err = {0};

    an_chunk_enc_init(&enc, w->arena);
    an_chunk_start(&enc, an_chunk_codec_of(AN_ENC_XOR));
    assert_int_equal(an_chunk_codec_of(AN_ENC_XOR)->floats(&enc, 2, times, values, NULL, &err),
                     AN_OK);
    make_chunk_block(w, no, an_chunk_finish(&enc));
}

static void samples_outside_their_block_are_no_result(void **state)
{
    const an_fold fold = an_chunk_merge_fold(AN_MERGE_CHAIN);

    (void)state;
    for (int stray = 0; stray < 2; stray++) {
        world w;
        an_merge_result r;
        an_err err = {0};
        open_world(&w);
        make_floats(&w, 0, 10);
        make_floats(&w, 1, stray ? 5000 : 15);
        an_rc rc = merge(&w, 2, MIB, 0, &fold, &r, &err);
        if (!stray) {
            assert_int_equal(rc, AN_OK);
            assert_int_equal(r.samples, 4);
        } else {
            assert_int_equal(rc, AN_EHALT); /* as upstream, which verifies its result */
            assert_int_equal(err.cause, AN_CAUSE_OUTSIDE_CHUNKS);
            assert_string_equal(err.block, w.in[1].block->id);
            assert_string_equal(err.object, "chunks/000001");
        }
        close_world(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_symbol_map_answers_the_same_from_memory_and_from_a_file),
        cmocka_unit_test(a_symbol_map_without_memory_or_file_is_refused),
        cmocka_unit_test(sizes_fit_the_limit_or_say_what_they_need),
        cmocka_unit_test(a_usual_job_takes_less_than_a_hundred_megabytes),
        cmocka_unit_test(a_chunk_longer_than_the_memory_is_told_from_a_damaged_one),
        cmocka_unit_test(long_series_take_turns),
        cmocka_unit_test(samples_outside_their_block_are_no_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
