// SPDX-License-Identifier: Apache-2.0
/* Chunks of several blocks merged: against upstream's recorded merges, and what must hold for every
 * merge. */
#include "base/cursor.h"
#include "compact/merge/chunk_merge.h"
#include "tsdb/segment/segment.h"
#include "unit/tsdb/chunk/random_samples.h"

enum { MEMBERS_MAX = 8, CHUNKS_MAX = 64 };

/* A task that is put together chunk by chunk. */
typedef struct builder {
    an_arena *a;
    an_task task;
    an_task_member member[MEMBERS_MAX];
    an_task_chunk chunk[MEMBERS_MAX][CHUNKS_MAX];
} builder;

static builder *builder_new(void)
{
    an_arena *a = an_arena_new(NULL);
    builder *b = an_arena_alloc(a, sizeof *b);

    b->a = a;
    b->task.members = b->member;
    return b;
}

static void builder_free(builder *b) { an_arena_free(b->a); }

static an_task_member *builder_member(builder *b)
{
    size_t n = b->task.n_members++;

    assert_true(n < MEMBERS_MAX);
    b->member[n].input = n;
    b->member[n].block = "01ARYZ6S41TSV4RRFFQ69G5FAV";
    b->member[n].chunks = b->chunk[n];
    return &b->member[n];
}

/* A chunk as it lies in a segment, in exactly its bytes of memory: they live until the end. */
static void builder_chunk(builder *b, uint8_t encoding, int64_t mint, int64_t maxt, an_slice data)
{
    size_t m = b->task.n_members - 1;
    an_buf frame;

    assert_true(b->member[m].n_chunks < CHUNKS_MAX);
    an_task_chunk *c = &b->chunk[m][b->member[m].n_chunks++];
    an_buf_init(&frame, 1 << 26, NULL);
    an_chunk_frame_write(&frame, encoding, data);
    *c = (an_task_chunk){.mint = mint,
                         .maxt = maxt,
                         .ref = 100 * m + b->member[m].n_chunks,
                         .encoding = encoding,
                         .frame = an_arena_dup(b->a, an_buf_slice(&frame))};
    an_cursor cur = an_cursor_of(c->frame);
    uint64_t len = an_cursor_uvarint(&cur);
    (void)an_cursor_u8(&cur);
    c->data = an_cursor_take(&cur, len);
    an_buf_deinit(&frame);
}

/* Samples that must fit one chunk; false (and nothing added) when histograms do not. */
static bool builder_samples(builder *b, const an_sample *s, size_t n)
{
    static const uint8_t encodings[] = {0, AN_ENC_XOR, AN_ENC_HIST, AN_ENC_FHIST};
    uint8_t encoding = encodings[s[0].type];
    an_chunk_enc *e = an_arena_alloc(b->a, sizeof *e);
    an_hist_fit fit = {0};
    an_err err;

    an_chunk_enc_init(e, b->a);
    an_chunk_start(e, an_chunk_codec_of(encoding));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s[i].type, s[0].type);
        if (s[i].type == AN_VAL_FLOAT)
            assert_int_equal(e->codec->floats(e, 1, &s[i].t, &s[i].v, &s[i].st, &err), AN_OK);
        else
            assert_int_equal(e->codec->hist(e, s[i].t, s[i].st, s[i].h, &fit, &err), AN_OK);
        if (fit.cut) return false;
    }
    builder_chunk(b, encoding, s[0].t, s[n - 1].t, an_chunk_finish(e));
    return true;
}

/* What a fold made of a task. */
typedef struct result {
    an_task_out out;
    const an_chunk_meta *meta;
    size_t n;
} result;

static an_rc fold(builder *b, an_merge_func func, result *r, an_err *err)
{
    an_fold f = an_chunk_merge_fold(func);
    an_arena *scratch = an_arena_new(NULL);

    an_buf_init(&r->out.frames, 1 << 26, NULL);
    an_buf_init(&r->out.metas, 1 << 26, NULL);
    an_rc rc = f.run(f.arg, scratch, &b->task, &r->out, err);
    an_arena_free(scratch);
    assert_false(r->out.frames.failed || r->out.metas.failed);
    r->meta = (const an_chunk_meta *)(const void *)r->out.metas.p;
    r->n = r->out.metas.n / sizeof *r->meta;
    return rc;
}

static void result_free(result *r)
{
    an_buf_deinit(&r->out.frames);
    an_buf_deinit(&r->out.metas);
}

/* Chunk i of the result: its encoding and payload. */
static an_slice result_chunk(const result *r, size_t i, uint8_t *encoding)
{
    an_cursor c = an_cursor_of(an_buf_slice(&r->out.frames));

    (void)an_cursor_take(&c, r->meta[i].ref);
    uint64_t len = an_cursor_uvarint(&c);
    *encoding = an_cursor_u8(&c);
    an_slice data = an_cursor_take(&c, len);
    assert_false(c.bad);
    return data;
}

static void sample_is(const an_sample *s, const json_t *want)
{
    assert_int_equal(s->t, json_integer_value(json_array_get(want, 0)));
    if (json_array_size(want) == 2) {
        assert_int_equal(s->type, AN_VAL_FLOAT);
        assert_int_equal(s->v, hex64(json_array_get(want, 1)));
    } else {
        assert_int_equal(s->type, AN_VAL_HIST);
        assert_int_equal(s->h->count, json_integer_value(json_array_get(want, 2)));
    }
}

static void result_is(an_arena *a, const result *r, const json_t *want)
{
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_err err;
    an_sample s;

    an_chunk_iter_init(it, a);
    assert_int_equal(r->n, json_array_size(want));
    for (size_t i = 0; i < r->n; i++) {
        const json_t *w = json_array_get(want, i), *samples = golden_array(w, "samples");
        uint8_t encoding;
        an_slice data = result_chunk(r, i, &encoding);
        assert_int_equal(encoding, golden_int(w, "enc"));
        assert_int_equal(r->meta[i].mint, golden_int(w, "mint"));
        assert_int_equal(r->meta[i].maxt, golden_int(w, "maxt"));
        assert_int_equal(an_chunk_iter_open(it, an_chunk_codec_of(encoding), data, &err), AN_OK);
        for (size_t k = 0; k < json_array_size(samples); k++) {
            assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
            assert_int_not_equal(s.type, AN_VAL_NONE);
            sample_is(&s, json_array_get(samples, k));
        }
        assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
        assert_int_equal(s.type, AN_VAL_NONE);
    }
}

/* The members of a case. A few chunks there cannot be made, their histograms do not fit one chunk:
 * upstream's reading of that member fails there, which penalty dedup takes for the member's end. */
static bool members_of(builder *b, const json_t *members)
{
    bool whole = true;

    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *chunks = json_array_get(members, i);
        builder_member(b);
        for (size_t k = 0; k < json_array_size(chunks); k++) {
            const json_t *samples = json_array_get(chunks, k);
            size_t n = json_array_size(samples);
            an_sample *s = an_arena_alloc(b->a, n * sizeof *s);
            for (size_t j = 0; j < n; j++) s[j] = json_sample(b->a, json_array_get(samples, j));
            if (builder_samples(b, s, n)) continue;
            whole = false;
            break;
        }
    }
    return whole;
}

static void merges_are_upstreams(an_merge_func func, const char *key)
{
    json_t *doc = golden_json("vectors/chunkmerge.json");
    json_t *cases = golden_array(doc, "merge");
    unsigned compared = 0, not_made = 0;

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *want = json_object_get(c, key);
        builder *b = builder_new();
        result r;
        an_err err;
        bool whole = members_of(b, golden_array(c, "members"));
        /* Nothing can be made of a chunk that does not exist: the chain has no answer then. */
        assert_true(whole == (json_object_get(c, "default_err") == NULL));
        if (want != NULL) {
            assert_int_equal(fold(b, func, &r, &err), AN_OK);
            result_is(b->a, &r, want);
            result_free(&r);
            compared++;
        } else {
            not_made++;
        }
        builder_free(b);
    }
    printf("%s: %u merges compared, %u without an answer\n", key, compared, not_made);
    assert_true(compared >= 205);
    json_decref(doc);
}

static void the_chain_merges_as_upstream(void **state)
{
    (void)state;
    merges_are_upstreams(AN_MERGE_CHAIN, "default");
}

static void penalty_deduplicates_as_upstream(void **state)
{
    (void)state;
    merges_are_upstreams(AN_MERGE_PENALTY, "penalty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_merges_as_upstream),
        cmocka_unit_test(penalty_deduplicates_as_upstream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
