// SPDX-License-Identifier: Apache-2.0
/* The merge against a slow and literal one: random blocks, written by the plain index writer of
 * test/support, are merged with random windows, batches and workers; index and segments must be,
 * byte for byte, what an insertion sort over all of it in memory makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "bucket/block_presence.h"
#include "compact/merge/merge.h"
#include "objstore/memory.h"
#include "support/index_v1_writer.h"
#include "support/streams.h"
#include "unit/prng.h"

enum {
    ROUNDS = 3000,
    BLOCKS = 4,
    SETS = 14,  /* label sets there are */
    SLOTS = 8,  /* times a chunk may have; each is used once per label set */
    SLOT = 500, /* ms */
    DATA = 300,
    SEGMENTS = 40
};

typedef struct slow_chunk {
    int64_t mint, maxt;
    uint8_t encoding;
    size_t n;
    uint8_t data[DATA];
    uint32_t samples;
    bool deleted;
    uint64_t ref; /* in its block */
} slow_chunk;

typedef struct slow_series {
    const char *labels[16];
    size_t n_chunks;
    slow_chunk chunks[SLOTS];
} slow_series;

typedef struct slow_block {
    an_ulid id;
    int64_t mint, maxt;
    int version;
    size_t n;
    slow_series series[SETS];
    const char *symbols[64]; /* ascending, NULL at the end */
    size_t n_segments;
    an_buf segments[SEGMENTS];
    an_meta meta;
} slow_block;

static uint64_t seed;
static uint64_t rnd(uint64_t n) { return prng(&seed) % n; }

static const char *const names[] = {"__name__", "a", "bb", "c"};
static const char *const values[] = {"", "a", "x", "xy", "y", "zz"};
static const char *const extras[] = {"", "0", "b", "unused", "zzz"};

static int cmp_labels(const slow_series *a, const slow_series *b)
{
    for (size_t i = 0;; i++) {
        if (a->labels[i] == NULL || b->labels[i] == NULL)
            return (a->labels[i] != NULL) - (b->labels[i] != NULL);
        int d = strcmp(a->labels[i], b->labels[i]);
        if (d != 0) return d;
    }
}

static void add_symbol(slow_block *b, const char *s)
{
    size_t n = 0, at = 0;

    while (b->symbols[n] != NULL) n++;
    while (at < n && strcmp(b->symbols[at], s) < 0) at++;
    if (at < n && strcmp(b->symbols[at], s) == 0) return;
    memmove(&b->symbols[at + 1], &b->symbols[at], (n - at + 1) * sizeof b->symbols[0]);
    b->symbols[at] = s;
}

/* Inserts a series where it belongs; the one that is there already, if any. */
static slow_series *find_series(slow_block *b, const slow_series *labels)
{
    size_t at = 0;

    while (at < b->n && cmp_labels(&b->series[at], labels) < 0) at++;
    if (at < b->n && cmp_labels(&b->series[at], labels) == 0) return &b->series[at];
    memmove(&b->series[at + 1], &b->series[at], (b->n - at) * sizeof b->series[0]);
    b->n++;
    memset(&b->series[at], 0, sizeof b->series[at]);
    memcpy(b->series[at].labels, labels->labels, sizeof labels->labels);
    for (size_t i = 0; labels->labels[i] != NULL; i++) add_symbol(b, labels->labels[i]);
    return &b->series[at];
}

static void add_chunk(slow_series *s, const slow_chunk *c)
{
    size_t at = 0;

    while (at < s->n_chunks && s->chunks[at].mint < c->mint) at++;
    memmove(&s->chunks[at + 1], &s->chunks[at], (s->n_chunks - at) * sizeof s->chunks[0]);
    s->chunks[at] = *c;
    s->n_chunks++;
}

static void random_labels(slow_series *s)
{
    size_t n = 0;

    memset(s, 0, sizeof *s);
    do {
        for (size_t i = 0; i < 4; i++) {
            if (rnd(2) == 0) continue;
            s->labels[n++] = names[i];
            s->labels[n++] = values[rnd(6)];
        }
    } while (n == 0);
}

static void random_chunk(slow_chunk *c, size_t slot)
{
    int64_t from = (int64_t)slot * SLOT;

    memset(c, 0, sizeof *c);
    c->mint = from + (int64_t)rnd(SLOT / 2);
    c->maxt = from + SLOT / 2 + (int64_t)rnd(SLOT / 2);
    if (rnd(5) == 0) c->maxt = c->mint;
    c->encoding = (uint8_t)(1 + rnd(3));
    c->n = 3 + rnd(rnd(4) == 0 ? DATA - 3 : 40);
    for (size_t i = 0; i < c->n; i++) c->data[i] = (uint8_t)prng(&seed);
    c->samples = 1 + (uint32_t)rnd(120);
    c->data[0] = 0;
    c->data[1] = (uint8_t)c->samples;
}

static void put_frame(an_buf *out, const slow_chunk *c, bool padded)
{
    if (padded) { /* one byte more than it takes */
        an_buf_u8(out, (uint8_t)(c->n | 0x80));
        an_buf_u8(out, (uint8_t)(c->n >> 7 | 0x80));
        an_buf_u8(out, 0);
    } else {
        an_buf_uvarint(out, c->n);
    }
    uint32_t crc = an_crc32c_update(an_crc32c_update(0, &c->encoding, 1), c->data, c->n);
    an_buf_u8(out, c->encoding);
    an_buf_add(out, c->data, c->n);
    an_buf_be32(out, crc);
}

/* Writes the frames in some order into up to three segments. */
static void write_segments(slow_block *b)
{
    static const uint8_t head[8] = {0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0};
    slow_chunk *all[SETS * SLOTS];
    size_t n = 0;
    bool shuffle = rnd(3) == 0, gaps = rnd(3) == 0;

    for (size_t i = 0; i < b->n; i++) {
        for (size_t k = 0; k < b->series[i].n_chunks; k++) all[n++] = &b->series[i].chunks[k];
    }
    for (size_t i = n; shuffle && i > 1; i--) {
        size_t k = rnd(i);
        slow_chunk *t = all[i - 1];
        all[i - 1] = all[k];
        all[k] = t;
    }
    b->n_segments = n == 0 ? 0 : 1;
    for (size_t i = 0; i < SEGMENTS; i++) {
        an_buf_init(&b->segments[i], 1 << 20, NULL);
        an_buf_add(&b->segments[i], head, sizeof head);
    }
    for (size_t i = 0; i < n; i++) {
        if (b->n_segments < 3 && rnd(n) == 0) b->n_segments++;
        size_t seg = shuffle ? rnd(b->n_segments) : b->n_segments - 1;
        an_buf *out = &b->segments[seg];
        if (gaps && rnd(4) == 0) an_buf_fill(out, 0xee, rnd(20));
        all[i]->ref = (uint64_t)seg << 32 | out->n;
        put_frame(out, all[i], rnd(10) == 0);
    }
}

static void put(an_bucket *b, an_ctx *ctx, an_ulid id, const char *name, an_slice bytes)
{
    char text[AN_ULID_TEXT + 1], key[64];
    an_err err;

    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/%s", text, name);
    assert_int_equal(an_bucket_put(b, ctx, an_slice_str(key), bytes, 0, &err), AN_OK);
}

static void to_raw(const slow_block *b, raw_series *raw)
{
    for (size_t i = 0; i < b->n; i++) {
        raw[i] = (raw_series){.n_chunks = b->series[i].n_chunks};
        memcpy(raw[i].labels, b->series[i].labels, sizeof raw[i].labels);
        for (size_t k = 0; k < raw[i].n_chunks; k++) {
            const slow_chunk *c = &b->series[i].chunks[k];
            raw[i].chunks[k] = (an_chunk_meta){c->mint, c->maxt, c->ref};
        }
    }
}

static void write_index(const slow_block *b, an_buf *out, uint64_t *off)
{
    raw_series raw[SETS];
    raw_index ix = {.version = b->version,
                    .symbols = b->symbols,
                    .series = raw,
                    .n_series = b->n,
                    .legacy = b->version == 1};

    to_raw(b, raw);
    raw_index_write(&ix, out, off);
}

/* Deletes some chunks whole; the file goes into the bucket. */
static void write_tombstones(an_bucket *bucket, an_ctx *ctx, slow_block *b, const uint64_t *off)
{
    struct an_tombstone v[SETS];
    an_interval iv[SETS][SLOTS];
    an_tombstones t = {.v = v};
    an_buf doc;

    for (size_t i = 0; i < b->n; i++) {
        size_t n = 0;
        for (size_t k = 0; k < b->series[i].n_chunks; k++) {
            slow_chunk *c = &b->series[i].chunks[k];
            if (rnd(4) > 0) continue;
            c->deleted = true;
            iv[i][n++] = (an_interval){c->mint, c->maxt};
        }
        if (n == 0) continue;
        v[t.n].id = b->version == 2 ? off[i] / 16 : off[i];
        v[t.n++].times = (an_intervals){n, iv[i]};
    }
    an_buf_init(&doc, 1 << 20, NULL);
    an_tombstones_write(&doc, &t);
    put(bucket, ctx, b->id, "tombstones", an_buf_slice(&doc));
    an_buf_deinit(&doc);
}

static void write_block(an_bucket *bucket, an_ctx *ctx, slow_block *b, bool tombstones)
{
    an_buf index;
    uint64_t off[SETS];
    char name[32];

    write_segments(b);
    an_buf_init(&index, 1 << 20, NULL);
    write_index(b, &index, off);
    put(bucket, ctx, b->id, "index", an_buf_slice(&index));
    an_buf_deinit(&index);
    for (size_t i = 0; i < b->n_segments; i++) {
        (void)snprintf(name, sizeof name, "chunks/%06zu", i + 1);
        put(bucket, ctx, b->id, name, an_buf_slice(&b->segments[i]));
    }
    if (tombstones) write_tombstones(bucket, ctx, b, off);
    b->meta = (an_meta){.ulid = b->id, .mint = b->mint, .maxt = b->maxt, .version = 1};
}

/* Blocks side by side in time, or all over the same time with chunks that take turns. */
static size_t random_blocks(slow_block *b)
{
    slow_series sets[SETS];
    size_t n = 1 + rnd(BLOCKS), n_sets = 1 + rnd(SETS);
    bool turns = rnd(3) == 0;
    size_t clash = rnd(10) == 0 ? rnd(n_sets) : SETS; /* the set in which chunks overlap */
    const size_t each = SLOTS / BLOCKS;

    memset(b, 0, BLOCKS * sizeof *b);
    for (size_t i = 0; i < n_sets; i++) {
        random_labels(&sets[i]);
        for (size_t k = 0; k < i; k++) {
            if (cmp_labels(&sets[i], &sets[k]) != 0) continue;
            i--; /* there already: draw again */
            break;
        }
    }
    for (size_t i = 0; i < n; i++) {
        uint8_t entropy[10] = {(uint8_t)i};
        b[i].id = an_ulid_make(1000 + i, entropy);
        b[i].version = rnd(4) == 0 ? 1 : 2;
        b[i].mint = turns ? 0 : (int64_t)(i * each) * SLOT;
        b[i].maxt = turns ? SLOTS * SLOT : (int64_t)((i + 1) * each) * SLOT;
        for (size_t k = rnd(3); k > 0; k--) add_symbol(&b[i], extras[rnd(5)]);
    }
    for (size_t s = 0; s < n_sets; s++) {
        for (size_t slot = 0; slot < SLOTS; slot++) {
            size_t owner = turns ? rnd(n) : slot / each;
            slow_chunk c;
            if (owner >= n || rnd(3) == 0) continue;
            random_chunk(&c, slot);
            add_chunk(find_series(&b[owner], &sets[s]), &c);
            if (turns && s == clash && owner + 1 < n) {
                c.data[2]++; /* the same time in another block, with other data */
                add_chunk(find_series(&b[owner + 1], &sets[s]), &c);
                clash = SETS;
            }
        }
    }
    return n;
}

/* The reference: everything by hand, in memory. False: chunks overlap, that needs a fold. */
static bool merge_slowly(slow_block *blocks, size_t n, slow_block *out)
{
    memset(out, 0, sizeof *out);
    out->version = 2;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; blocks[i].symbols[k] != NULL; k++) add_symbol(out, blocks[i].symbols[k]);
        for (size_t k = 0; k < blocks[i].n; k++) {
            for (size_t j = 0; j < blocks[i].series[k].n_chunks; j++) {
                const slow_chunk *c = &blocks[i].series[k].chunks[j];
                if (c->deleted) continue;
                slow_series *s = find_series(out, &blocks[i].series[k]);
                for (size_t q = 0; q < s->n_chunks; q++) {
                    if (s->chunks[q].mint <= c->maxt && c->mint <= s->chunks[q].maxt) return false;
                }
                add_chunk(s, c);
            }
        }
    }
    return true;
}

/* spec/tsdb-block.md 2, "segment cutting", word for word. */
static void cut_slowly(slow_block *b, uint64_t max)
{
    static const uint8_t head[8] = {0x85, 0xbd, 0x40, 0xdd, 1, 0, 0, 0};
    size_t seg = 0;

    for (size_t i = 0; i < SEGMENTS; i++) {
        an_buf_init(&b->segments[i], 1 << 20, NULL);
        an_buf_add(&b->segments[i], head, sizeof head);
    }
    b->n_segments = 0;
    for (size_t i = 0; i < b->n; i++) {
        uint64_t batch = 0, pos = b->n_segments == 0 ? 0 : b->segments[seg].n;
        bool first = true;
        for (size_t k = 0; k < b->series[i].n_chunks; k++) {
            slow_chunk *c = &b->series[i].chunks[k];
            uint64_t sz = 5 + 1 + c->n + 4;
            batch += sz;
            bool cut = k != 0 && batch + 8 > max;
            if (first && pos > 8) {
                cut = batch + pos > max;
                if (cut) first = false;
            }
            if (cut) batch = sz;
            if (b->n_segments == 0)
                b->n_segments = 1;
            else if (cut) {
                seg++;
                b->n_segments++;
            }
            assert_true(seg < SEGMENTS);
            c->ref = (uint64_t)seg << 32 | b->segments[seg].n;
            put_frame(&b->segments[seg], c, false);
        }
    }
}

static void expect_object(an_bucket *b, an_ctx *ctx, an_ulid id, const char *name, an_slice want)
{
    char text[AN_ULID_TEXT + 1], key[64];
    an_err err;
    an_object o;

    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/%s", text, name);
    assert_int_equal(an_bucket_stat(b, ctx, an_slice_str(key), &o, &err), AN_OK);
    uint8_t *got = malloc((size_t)o.size + 1);
    assert_int_equal(an_bucket_get(b, ctx, an_slice_str(key), 0, (size_t)o.size, got, &err), AN_OK);
    if (o.size != want.n || memcmp(got, want.p, want.n) != 0) {
        fail_msg("%s: %llu bytes, wanted %zu", name, (unsigned long long)o.size, want.n);
    }
    free(got);
}

typedef struct machine { /* what must not show in the bytes */
    size_t window, batch;
    unsigned n_batches;
    size_t workers;
    bool spill;
} machine;

static void open_input(an_bucket *bucket, an_ctx *ctx, an_arena *a, const slow_block *b,
                       const an_window_opts *wo, an_merge_input *in)
{
    an_block_presence p;
    an_err err = {0};
    an_block_reader *r;
    char key[64];

    assert_int_equal(an_block_list(bucket, ctx, a, b->id, &p, &err), AN_OK);
    if (an_block_reader_open(a, bucket, ctx, b->id, &b->meta, p.objects, p.n_objects, wo, &r,
                             &err) != AN_OK)
        fail_msg("%s", err.msg);
    *in = (an_merge_input){.block = r};
    if (!r->has_tombstones) return;
    an_tombstones *t = an_arena_alloc(a, sizeof *t);
    uint8_t *doc = an_arena_alloc(a, (size_t)r->tombstones_bytes);
    (void)snprintf(key, sizeof key, "%s/tombstones", r->id);
    assert_int_equal(
        an_bucket_get(bucket, ctx, an_slice_str(key), 0, (size_t)r->tombstones_bytes, doc, &err),
        AN_OK);
    assert_int_equal(an_tombstones_parse(a, an_slice_of(doc, (size_t)r->tombstones_bytes), t, &err),
                     AN_OK);
    in->tombstones = t;
}

static an_rc run_merge(an_bucket *bucket, an_ctx *ctx, an_arena *a, slow_block *blocks, size_t n,
                       const machine *m, uint64_t segment_max, const an_fold *fold,
                       an_block_writer *w, an_merge_result *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_merge_input in[BLOCKS];
    an_pool *pool = NULL;
    test_spill files;
    an_spill spill = test_spill_open(&files);
    an_budget *tiny = an_budget_new(600 << 10);
    an_window_opts wo = {.bytes = m->window};
    an_merge_opts o = {.ctx = ctx,
                       .mint = INT64_MAX,
                       .maxt = INT64_MIN,
                       .fold = fold,
                       .n_batches = m->n_batches,
                       .batch_bytes = m->batch,
                       .segment_max = segment_max,
                       .symbol_window = wo,
                       .series_window = wo,
                       .postings_window = wo,
                       .chunks = {.window = wo, .slot_bytes = m->window, .n_slots = 2},
                       .maps = m->spill ? tiny : NULL,
                       .symbols = NULL,
                       .index = NULL,
                       .spill = &spill};

    for (size_t i = 0; i < n; i++) {
        open_input(bucket, ctx, a, &blocks[i], &wo, &in[i]);
        if (blocks[i].mint < o.mint) o.mint = blocks[i].mint;
        if (blocks[i].maxt > o.maxt) o.maxt = blocks[i].maxt;
    }
    if (m->workers > 0) assert_int_equal(an_pool_new(m->workers, "merge", &pool, err), AN_OK);
    o.pool = pool;
    rc = an_merge_run(a, in, n, &o, w, r, err);
    an_pool_free(pool);
    an_budget_free(tiny);
    test_spill_close(&files);
    return rc;
}

/* A fold that does what passing does: the members' chunks by time, unchanged. */
static an_rc pass_by_time(void *arg, an_arena *scratch, const an_task *t, an_task_out *out,
                          an_err *err)
{
    size_t *next = an_arena_alloc(scratch, t->n_members * sizeof *next);

    (void)arg;
    (void)err;
    for (;;) {
        const an_task_chunk *first = NULL;
        size_t of = 0;
        for (size_t i = 0; i < t->n_members; i++) {
            const an_task_chunk *c = &t->members[i].chunks[next[i]];
            if (next[i] == t->members[i].n_chunks || (first != NULL && first->mint < c->mint))
                continue;
            first = c;
            of = i;
        }
        if (first == NULL) return AN_OK;
        next[of]++;
        if (rnd(2) == 0)
            an_task_pass(out, first);
        else
            an_task_emit(out, first->mint, first->maxt, first->encoding, first->data);
    }
}

static void expect_result(an_bucket *bucket, an_ctx *ctx, an_ulid id, const slow_block *want,
                          const an_merge_result *r)
{
    uint64_t samples = 0, chunks = 0;
    char name[32];
    an_buf index;

    for (size_t i = 0; i < want->n; i++) {
        for (size_t k = 0; k < want->series[i].n_chunks; k++, chunks++)
            samples += want->series[i].chunks[k].samples;
    }
    assert_int_equal(r->series, want->n);
    assert_int_equal(r->chunks, chunks);
    assert_int_equal(r->samples, samples);
    an_buf_init(&index, 1 << 20, NULL);
    write_index(want, &index, NULL);
    expect_object(bucket, ctx, id, "index", an_buf_slice(&index));
    an_buf_deinit(&index);
    for (size_t i = 0; i < want->n_segments; i++) {
        (void)snprintf(name, sizeof name, "chunks/%06zu", i + 1);
        expect_object(bucket, ctx, id, name, an_buf_slice(&want->segments[i]));
    }
}

static void free_block(slow_block *b)
{
    for (size_t i = 0; i < SEGMENTS; i++) an_buf_deinit(&b->segments[i]);
}

static void one_round(an_rc *how)
{
    static slow_block blocks[BLOCKS], want; /* too large for a stack */
    an_bucket *bucket = an_mem_bucket_new();
    an_ctx ctx;
    an_err err = {0};
    an_arena *a = an_arena_new(NULL);
    an_block_writer *w = NULL;
    an_merge_result r;
    uint8_t entropy[10] = {99};
    an_published published;
    const uint64_t segment_max = 1200 + rnd(20000);
    const an_fold fold = {pass_by_time, NULL, true};
    const machine m = {.window = 64 + rnd(rnd(2) == 0 ? 200 : 8000),
                       .batch = (size_t)32 << rnd(12),
                       .n_batches = 1 + (unsigned)rnd(4),
                       .workers = rnd(8) == 0 ? 2 : 0,
                       .spill = rnd(2) == 0};
    const bool folded = m.workers == 0 && rnd(4) == 0; /* rnd is not for many threads */

    an_ctx_init(&ctx, NULL);
    size_t n = random_blocks(blocks);
    bool tombstones = rnd(3) == 0;
    for (size_t i = 0; i < n; i++) write_block(bucket, &ctx, &blocks[i], tombstones);
    bool possible = merge_slowly(blocks, n, &want);
    if (possible) cut_slowly(&want, segment_max);
    an_block_writer_opts wo = {.ulid = an_ulid_make(5000, entropy), .nonce = AN_LIT("n")};
    assert_int_equal(an_block_writer_open(bucket, &ctx, &wo, &w, &err), AN_OK);
    *how = run_merge(bucket, &ctx, a, blocks, n, &m, segment_max, folded && possible ? &fold : NULL,
                     w, &r, &err);
    if (possible != (*how == AN_OK)) fail_msg("%s", err.msg);
    if (possible) {
        an_meta meta = {.ulid = wo.ulid, .version = 1};
        assert_int_equal(an_block_writer_publish(w, a, &meta, (an_meta_time){0}, &published, &err),
                         AN_OK);
        expect_result(bucket, &ctx, wo.ulid, &want, &r);
    } else {
        assert_int_equal(err.cause, AN_CAUSE_NOT_BUILT);
    }
    an_block_writer_close(w);
    for (size_t i = 0; i < n; i++) free_block(&blocks[i]);
    free_block(&want);
    an_arena_free(a);
    an_bucket_free(bucket);
}

static void random_blocks_become_what_a_slow_merge_makes_of_them(void **state)
{
    size_t done = 0;

    (void)state;
    seed = prng_seed();
    for (int i = 0; i < ROUNDS; i++) {
        an_rc how;
        uint64_t at = seed;
        one_round(&how);
        done += how == AN_OK;
        if (how != AN_OK && how != AN_EUNSUPPORTED) fail_msg("seed %#llx", (unsigned long long)at);
    }
    print_message("%zu of %d merged\n", done, ROUNDS);
    assert_true(done > ROUNDS / 2 && done < ROUNDS); /* both answers were seen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_blocks_become_what_a_slow_merge_makes_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
