// SPDX-License-Identifier: Apache-2.0
/* New blocks: invisible until they are published, dropped when they are there already, refused
 * where something else lies; and old ones: which segments a listing shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "bucket/block_presence.h"
#include "bucket/block_writer.h"
#include "objstore/memory.h"
#include "tsdb/index/index_writer.h"

typedef struct world {
    an_bucket *bucket;
    an_ctx ctx;
    an_arena *arena;
    an_ulid id, source;
    char text[AN_ULID_TEXT + 1];
} world;

static void open_world(world *w)
{
    const uint8_t entropy[10] = {1};

    w->bucket = an_mem_bucket_new();
    an_mem_bucket_set_time(w->bucket, 5000);
    an_ctx_init(&w->ctx, NULL);
    w->arena = an_arena_new(NULL);
    w->id = an_ulid_make(5, entropy);
    w->source = an_ulid_make(4, entropy);
    an_ulid_format(w->id, w->text);
}

static void close_world(world *w)
{
    an_arena_free(w->arena);
    an_bucket_free(w->bucket);
}

static void put(world *w, const char *name, an_slice body)
{
    char key[64];
    an_err err;
    (void)snprintf(key, sizeof key, "%s/%s", w->text, name);
    assert_int_equal(an_bucket_put(w->bucket, &w->ctx, an_slice_str(key), body, 0, &err), AN_OK);
}

static size_t n_objects(world *w)
{
    an_block_presence p;
    an_err err;
    assert_int_equal(an_block_list(w->bucket, &w->ctx, w->arena, w->id, &p, &err), AN_OK);
    return p.n_objects;
}

static an_meta meta_of(world *w)
{
    an_meta m = {.ulid = w->id, .mint = 0, .maxt = 10, .version = 1};
    m.compaction.level = 1;
    m.compaction.n_sources = 1;
    m.compaction.sources = &w->source;
    m.thanos.present = true;
    return m;
}

/* Two segments and an index; *out is not published yet. */
static an_block_writer *write_all(world *w, bool sha256, uint64_t *written)
{
    an_err err = {0};
    an_block_writer *bw;
    an_block_writer_opts o = {
        .ulid = w->id, .nonce = AN_LIT("nonce"), .sha256 = sha256, .bytes_written = written};

    assert_int_equal(an_block_writer_open(w->bucket, &w->ctx, &o, &bw, &err), AN_OK);
    assert_int_equal(an_block_writer_chunks(bw, AN_LIT("abc"), &err), AN_OK);
    assert_int_equal(an_block_writer_chunks(bw, AN_LIT("def"), &err), AN_OK);
    an_block_writer_cut(bw);
    assert_int_equal(an_block_writer_chunks(bw, AN_LIT("ghi"), &err), AN_OK);
    an_sink sink = an_block_writer_index(bw);
    assert_int_equal(an_sink_write(&sink, AN_LIT("index bytes"), &err), AN_OK);
    return bw;
}

static void nothing_is_visible_before_publish(void **state)
{
    world w;
    uint64_t written = 0;

    (void)state;
    open_world(&w);
    an_block_writer *bw = write_all(&w, false, &written);
    assert_int_equal(n_objects(&w), 0);
    assert_int_equal(written, 8 + 6 + 8 + 3 + 11);
    an_block_writer_close(bw);
    assert_int_equal(n_objects(&w), 0); /* thrown away */
    close_world(&w);
}

static void a_published_block_lists_its_files(void **state)
{
    (void)state;
    for (int sha256 = 0; sha256 < 2; sha256++) {
        world w;
        an_err err = {0};
        an_published how;
        an_block_presence p;
        open_world(&w);
        an_meta m = meta_of(&w);
        an_block_writer *bw = write_all(&w, sha256 != 0, NULL);
        assert_int_equal(
            an_block_writer_publish(bw, w.arena, &m, (an_meta_time){.sec = 7}, &how, &err), AN_OK);
        an_block_writer_close(bw);
        assert_int_equal(how, AN_PUBLISHED);
        assert_int_equal(
            an_block_presence_of(w.bucket, &w.ctx, w.arena, w.id, &w.source, 1, &p, &err), AN_OK);
        assert_true(p.has_meta && p.complete && p.same_sources && !p.has_deletion_mark);
        assert_int_equal(p.newest_ms, 5000);
        assert_int_equal(p.n_objects, 4);
        assert_int_equal(p.meta.thanos.n_segment_files, 2);
        assert_true(an_slice_eq(p.meta.thanos.segment_files[1], AN_LIT("000002")));
        assert_int_equal(p.meta.thanos.n_files, 4);
        assert_true(an_slice_eq(p.meta.thanos.files[0].rel_path, AN_LIT("chunks/000001")));
        assert_int_equal(p.meta.thanos.files[0].size_bytes, 14);
        assert_true(an_slice_eq(p.meta.thanos.files[2].rel_path, AN_LIT("index")));
        assert_int_equal(p.meta.thanos.upload_time.sec, 7);
        assert_int_equal(p.meta.thanos.files[2].has_hash, sha256);
        if (sha256) {
            uint8_t sum[AN_SHA256_BYTES];
            char hex[2 * AN_SHA256_BYTES + 1];
            an_sha256_of(AN_LIT("index bytes"), sum);
            an_hex(sum, sizeof sum, hex);
            assert_true(an_slice_eq(p.meta.thanos.files[2].hash_value, an_slice_str(hex)));
        }
        close_world(&w);
    }
}

static void publish_again(world *w, an_rc want, an_published want_how)
{
    an_err err = {0};
    an_published how = AN_PUBLISHED;
    an_meta m = meta_of(w);
    an_block_writer *bw = write_all(w, false, NULL);

    assert_int_equal(
        an_block_writer_publish(bw, w->arena, &m, (an_meta_time){.sec = 9}, &how, &err), want);
    assert_int_equal(how, want_how);
    an_block_writer_close(bw);
}

static void a_complete_block_that_is_there_stays(void **state)
{
    world w;
    an_block_presence p;
    an_err err;

    (void)state;
    open_world(&w);
    publish_again(&w, AN_OK, AN_PUBLISHED);
    publish_again(&w, AN_OK, AN_PUBLISHED_BEFORE);
    assert_int_equal(an_block_presence_of(w.bucket, &w.ctx, w.arena, w.id, &w.source, 1, &p, &err),
                     AN_OK);
    assert_int_equal(p.meta.thanos.upload_time.sec, 9);
    w.source.b[15] ^= 1; /* other sources under the same ULID */
    publish_again(&w, AN_EHALT, AN_PUBLISHED);
    close_world(&w);
}

static void leftovers_without_meta_are_replaced(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    put(&w, "chunks/000001", AN_LIT("half of a chu"));
    put(&w, "index", AN_LIT(""));
    publish_again(&w, AN_OK, AN_PUBLISHED);
    assert_int_equal(n_objects(&w), 4);
    close_world(&w);
}

static void an_unreadable_meta_is_not_written_over(void **state)
{
    world w;

    (void)state;
    open_world(&w);
    put(&w, "meta.json", AN_LIT("{"));
    publish_again(&w, AN_EHALT, AN_PUBLISHED);
    assert_int_equal(n_objects(&w), 1);
    close_world(&w);
}

/* ---- Reading ---- */

static an_slice empty_index(world *w)
{
    an_err err = {0};
    an_strtab *symbols;
    an_index_writer *iw;
    an_index_written written;
    an_block_writer *bw;
    an_block_writer_opts o = {.ulid = w->id, .nonce = AN_LIT("n")};
    an_published how;
    an_meta m = meta_of(w);
    uint8_t *p = an_arena_alloc(w->arena, 4096);
    char key[64];

    assert_int_equal(an_strtab_new(NULL, NULL, &symbols, &err), AN_OK);
    assert_int_equal(an_block_writer_open(w->bucket, &w->ctx, &o, &bw, &err), AN_OK);
    an_sink sink = an_block_writer_index(bw);
    assert_int_equal(an_index_writer_open(&sink, symbols, NULL, NULL, &iw, &err), AN_OK);
    assert_int_equal(an_index_writer_finish(iw, &written, &err), AN_OK);
    assert_int_equal(an_block_writer_publish(bw, w->arena, &m, (an_meta_time){0}, &how, &err),
                     AN_OK);
    an_index_writer_close(iw);
    an_strtab_free(symbols);
    an_block_writer_close(bw);
    (void)snprintf(key, sizeof key, "%s/index", w->text);
    assert_int_equal(
        an_bucket_get(w->bucket, &w->ctx, an_slice_str(key), 0, (size_t)written.size, p, &err),
        AN_OK);
    return an_slice_of(p, (size_t)written.size);
}

static an_rc open_reader(world *w, const an_meta *m, const char *const *segments, size_t n,
                         const char *more, an_block_reader **r, an_err *err)
{
    an_block_object o[16];
    size_t k = 0;
    an_window_opts wo = {.bytes = 64};

    o[k++] = (an_block_object){AN_LIT("index"), empty_index(w).n};
    for (size_t i = 0; i < n; i++) o[k++] = (an_block_object){an_slice_str(segments[i]), 100 + i};
    if (more != NULL) o[k++] = (an_block_object){an_slice_str(more), 5};
    return an_block_reader_open(w->arena, w->bucket, &w->ctx, w->id, m, o, k, &wo, r, err);
}

static void segments_are_the_names_of_digits_in_byte_order(void **state)
{
    static const char *const names[] = {"chunks/000010", "chunks/000002", "chunks/000001"};
    world w;
    an_err err = {0};
    an_block_reader *r;

    (void)state;
    open_world(&w);
    an_meta m = meta_of(&w);
    if (open_reader(&w, &m, names, 3, "chunks/extra.bin", &r, &err) != AN_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(r->n_segments, 3); /* a gap, but nobody knows better */
    assert_int_equal(r->segments[0].size, 102);
    assert_int_equal(r->segments[2].size, 100);
    assert_int_equal(r->chunks_bytes, 303);
    assert_false(r->has_tombstones);
    close_world(&w);
}

static void a_gap_is_a_finding_when_meta_says_so(void **state)
{
    static const char *const names[] = {"chunks/000001", "chunks/000003"};
    static an_meta_file files[] = {
        {.rel_path = {(const uint8_t *)"chunks/000001", 13}, .size_bytes = 100},
        {.rel_path = {(const uint8_t *)"chunks/000002", 13}, .size_bytes = 101},
        {.rel_path = {(const uint8_t *)"chunks/000003", 13}}};
    an_slice segment_files[] = {AN_LIT("000001"), AN_LIT("000002"), AN_LIT("000003")};
    world w;
    an_err err = {0};
    an_block_reader *r;

    (void)state;
    open_world(&w);
    an_meta m = meta_of(&w);
    m.thanos.files = files;
    m.thanos.n_files = 3; /* one more than there are */
    assert_int_equal(open_reader(&w, &m, names, 2, NULL, &r, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_CHUNKS_MISSING);
    assert_string_equal(err.object, "chunks/000002");
    m.thanos.n_files = 2; /* renumbered: the same sizes in the same order */
    assert_int_equal(open_reader(&w, &m, names, 2, NULL, &r, &err), AN_OK);
    files[1].size_bytes = 999;
    assert_int_equal(open_reader(&w, &m, names, 2, NULL, &r, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_CHUNKS_MISSING);
    m.thanos.n_files = 0;
    m.thanos.segment_files = segment_files;
    m.thanos.n_segment_files = 3;
    assert_int_equal(open_reader(&w, &m, names, 2, NULL, &r, &err), AN_ECORRUPT);
    m.thanos.n_segment_files = 2;
    assert_int_equal(open_reader(&w, &m, names, 2, NULL, &r, &err), AN_OK);
    close_world(&w);
}

static void a_block_without_an_index_is_index_missing(void **state)
{
    world w;
    an_err err = {0};
    an_block_reader *r;
    an_block_object o = {AN_LIT("chunks/000001"), 100};
    an_window_opts wo = {.bytes = 64};

    (void)state;
    open_world(&w);
    an_meta m = meta_of(&w);
    assert_int_equal(
        an_block_reader_open(w.arena, w.bucket, &w.ctx, w.id, &m, &o, 1, &wo, &r, &err),
        AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_MISSING);
    assert_string_equal(err.block, w.text);
    assert_null(r);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_visible_before_publish),
        cmocka_unit_test(a_published_block_lists_its_files),
        cmocka_unit_test(a_complete_block_that_is_there_stays),
        cmocka_unit_test(leftovers_without_meta_are_replaced),
        cmocka_unit_test(an_unreadable_meta_is_not_written_over),
        cmocka_unit_test(segments_are_the_names_of_digits_in_byte_order),
        cmocka_unit_test(a_gap_is_a_finding_when_meta_says_so),
        cmocka_unit_test(a_block_without_an_index_is_index_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
