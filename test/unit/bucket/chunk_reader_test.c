// SPDX-License-Identifier: Apache-2.0
/* Chunk segments by reference: the bytes are right in whatever order they are asked for, no read is
 * longer than allowed, rising references cost a read per window, interleaved ones a read per slot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bucket/chunk_reader.h"
#include "objstore/fault.h"
#include "objstore/memory.h"
#include "tsdb/segment/segment.h"
#include "unit/prng.h"

enum { SEGMENTS = 3, SIZE = 60000, WINDOW = 1000, SLOT = 500 };

typedef struct world {
    an_bucket *bucket;
    an_ctx ctx;
    an_arena *arena;
    an_meta meta;
    an_block_reader reader;
    an_block_object objects[SEGMENTS];
    uint8_t bytes[SEGMENTS][SIZE];
    uint64_t read;
    an_chunk_reader *chunks;
} world;

static void open_world(world *w, size_t sizes[SEGMENTS])
{
    static const char *const names[SEGMENTS] = {"chunks/000001", "chunks/000002", "chunks/000003"};
    const uint8_t entropy[10] = {1};
    an_err err = {0};
    char key[64];
    uint64_t seed = 7;

    memset(w, 0, sizeof *w);
    an_bucket *mem = an_mem_bucket_new();
    w->bucket = an_fault_bucket_new(mem, AN_FAULT_OWNS);
    an_ctx_init(&w->ctx, NULL);
    an_ulid_format(an_ulid_make(5, entropy), w->reader.id);
    for (size_t s = 0; s < SEGMENTS; s++) {
        for (size_t i = 0; i < SIZE; i++) w->bytes[s][i] = (uint8_t)prng(&seed);
        memcpy(w->bytes[s], an_segment_header, AN_SEGMENT_HEADER);
        w->objects[s] = (an_block_object){an_slice_str(names[s]), sizes[s]};
        (void)snprintf(key, sizeof key, "%s/%s", w->reader.id, names[s]);
        an_slice body = an_slice_of(w->bytes[s], sizes[s]);
        assert_int_equal(an_bucket_put(w->bucket, &w->ctx, an_slice_str(key), body, 0, &err),
                         AN_OK);
    }
    w->reader.bucket = w->bucket;
    w->reader.ctx = &w->ctx;
    w->reader.meta = &w->meta;
    w->reader.n_segments = SEGMENTS;
    w->reader.segments = w->objects;
    w->reader.bytes_read = &w->read;
    an_chunk_reader_opts o = {.window = {.bytes = WINDOW}, .slot_bytes = SLOT, .n_slots = 2};
    assert_int_equal(an_chunk_reader_open(&w->reader, &o, &w->chunks, &err), AN_OK);
    an_fault_plan plan = {.max_read = WINDOW};
    an_fault_bucket_plan(w->bucket, &plan);
}

static void close_world(world *w)
{
    an_chunk_reader_close(w->chunks);
    an_bucket_free(w->bucket);
}

static size_t full[SEGMENTS] = {SIZE, SIZE, SIZE};

static void expect_at(world *w, size_t seg, uint64_t off, size_t n)
{
    an_err err = {0};
    uint8_t *got = malloc(n); /* exactly: ASan sees the first byte too far */

    if (an_chunk_reader_copy(w->chunks, (uint64_t)seg << 32 | off, n, got, &err) != AN_OK)
        fail_msg("%s", err.msg);
    assert_memory_equal(got, w->bytes[seg] + off, n);
    free(got);
}

static void any_order_gives_the_right_bytes(void **state)
{
    world w;
    uint64_t seed = prng_seed();

    (void)state;
    open_world(&w, full);
    for (int i = 0; i < 20000; i++) {
        size_t seg = prng(&seed) % SEGMENTS;
        uint64_t off = prng(&seed) % SIZE;
        size_t n = 1 + prng(&seed) % 1500;
        an_slice v;
        an_err err = {0};
        if (n > SIZE - off) n = SIZE - off;
        if (prng(&seed) % 2 == 0) {
            expect_at(&w, seg, off, n);
            continue;
        }
        size_t min = n < 5 ? n : 5;
        assert_int_equal(an_chunk_reader_view(w.chunks, (uint64_t)seg << 32 | off, min, &v, &err),
                         AN_OK);
        assert_true(v.n >= min && v.n <= SIZE - off);
        assert_memory_equal(v.p, w.bytes[seg] + off, v.n);
    }
    close_world(&w);
}

static void rising_references_cost_a_read_per_window(void **state)
{
    world w;

    (void)state;
    open_world(&w, full);
    for (size_t seg = 0; seg < SEGMENTS; seg++) {
        for (uint64_t off = 8; off + 100 <= SIZE; off += 100) expect_at(&w, seg, off, 100);
    }
    /* Little more than the bytes themselves: headers, and the first pieces of a segment. */
    assert_true(w.read < SEGMENTS * (SIZE + 4 * SLOT));
    assert_true(an_fault_bucket_count(w.bucket) < SEGMENTS * (SIZE / WINDOW + 12));
    close_world(&w);
}

static void interleaved_references_cost_a_read_per_slot(void **state)
{
    world w;
    uint64_t n = 0;

    (void)state;
    open_world(&w, full);
    for (uint64_t off = 8; off + 50 <= SIZE; off += 50) {
        for (size_t seg = 0; seg < SEGMENTS; seg++, n++) expect_at(&w, seg, off, 50);
    }
    assert_true(an_fault_bucket_count(w.bucket) < n / 4);
    close_world(&w);
}

static void going_back_for_good_moves_the_window(void **state)
{
    world w;

    (void)state;
    open_world(&w, full);
    expect_at(&w, 0, 50000, 100);
    for (uint64_t off = 8; off + 100 <= SIZE; off += 100) expect_at(&w, 0, off, 100);
    assert_true(an_fault_bucket_count(w.bucket) < SIZE / WINDOW + 12);
    close_world(&w);
}

static void expect_error(world *w, uint64_t ref, size_t min, an_cause cause, const char *object)
{
    an_err err = {0};
    an_slice v;

    assert_int_equal(an_chunk_reader_view(w->chunks, ref, min, &v, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, cause);
    assert_string_equal(err.object, object);
    assert_string_equal(err.block, w->reader.id);
}

static void what_is_not_there_is_named(void **state)
{
    world w;
    size_t sizes[SEGMENTS] = {SIZE, 4, 8};
    an_err err = {0};

    (void)state;
    open_world(&w, sizes);
    expect_error(&w, UINT64_C(3) << 32 | 8, 1, AN_CAUSE_CHUNKS_MISSING, "chunks");
    expect_error(&w, UINT64_C(1) << 32 | 8, 1, AN_CAUSE_SEGMENT_HEADER, "chunks/000002");
    expect_error(&w, UINT64_C(2) << 32 | 8, 1, AN_CAUSE_CHUNK_TRUNCATED, "chunks/000003");
    expect_error(&w, SIZE - 3, 5, AN_CAUSE_CHUNK_TRUNCATED, "chunks/000001");
    expect_error(&w, SIZE + 10, 1, AN_CAUSE_CHUNK_TRUNCATED, "chunks/000001");
    expect_error(&w, UINT32_MAX, 1, AN_CAUSE_CHUNK_TRUNCATED, "chunks/000001");
    assert_int_equal(an_chunk_reader_finish(w.chunks, &err), AN_ECORRUPT); /* nobody read it */
    assert_int_equal(err.cause, AN_CAUSE_SEGMENT_HEADER);
    expect_at(&w, 0, 100, 50); /* an error does no harm to what is good */
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_gives_the_right_bytes),
        cmocka_unit_test(rising_references_cost_a_read_per_window),
        cmocka_unit_test(interleaved_references_cost_a_read_per_slot),
        cmocka_unit_test(going_back_for_good_moves_the_window),
        cmocka_unit_test(what_is_not_there_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
