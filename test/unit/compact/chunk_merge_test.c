// SPDX-License-Identifier: Apache-2.0
/* Chunks of several blocks merged: against upstream's recorded merges, and what must hold for every
 * merge. */
#include "compact/dedup/penalty.h"
#include "tsdb/chunk/aggr.h"
#include "unit/compact/task_builder.h"

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
    an_sample s = {0};

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

static an_sample f(int64_t t, double v)
{
    return (an_sample){.t = t, .v = an_float_bits(v), .type = AN_VAL_FLOAT};
}

/* A chunk of an aggregate block, each part given as times and values up to a time of -1. */
static void builder_aggr(builder *b, int64_t mint, int64_t maxt,
                         const double parts[AN_AGGR__COUNT][12])
{
    an_aggr aggr = {0};
    an_buf payload;
    an_err err;

    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        an_chunk_enc *e = an_arena_alloc(b->a, sizeof *e);
        an_chunk_enc_init(e, b->a);
        an_chunk_start(e, an_chunk_codec_of(AN_ENC_XOR));
        for (size_t k = 0; k < 12 && parts[i][k] >= 0; k += 2) {
            an_sample s = f((int64_t)parts[i][k], parts[i][k + 1]);
            assert_int_equal(e->codec->floats(e, 1, &s.t, &s.v, NULL, &err), AN_OK);
        }
        aggr.part[i] = (an_aggr_part){e->codec, an_chunk_finish(e)};
    }
    an_buf_init(&payload, 4096, NULL);
    an_aggr_write(&payload, &aggr);
    builder_chunk(b, AN_ENC_AGGR, mint, maxt, an_buf_slice(&payload));
    an_buf_deinit(&payload);
}

/* Two 5m chunks of samples a minute apart, 0 to 540 s and 120 to 660 s, value = time: upstream's
 * own example (spec/compaction.md 7.3). */
static void overlapping_aggregates(builder *b)
{
    static const double one[AN_AGGR__COUNT][12] = {
        {299999, 5, 540000, 5, -1},
        {299999, 600000, 540000, 2100000, -1},
        {299999, 0, 540000, 300000, -1},
        {299999, 240000, 540000, 540000, -1},
        {0, 0, 299999, 240000, 540000, 540000, 540000, 540000, -1}};
    static const double two[AN_AGGR__COUNT][12] = {
        {299999, 3, 599999, 5, 660000, 2, -1},
        {299999, 540000, 599999, 2100000, 660000, 1260000, -1},
        {299999, 120000, 599999, 300000, 660000, 600000, -1},
        {299999, 240000, 599999, 540000, 660000, 660000, -1},
        {120000, 120000, 299999, 240000, 599999, 540000, 660000, 660000, 660000, 660000, -1}};

    builder_member(b);
    builder_aggr(b, 299999, 540000, one);
    builder_member(b);
    builder_aggr(b, 299999, 660000, two);
}

static void aggregates_are_deduplicated_as_upstream(void **state)
{
    (void)state;
    builder *b = builder_new();
    static const double want[AN_AGGR__COUNT][4] = {{299999, 3, 540000, 5},
                                                   {299999, 540000, 540000, 2100000},
                                                   {299999, 120000, 540000, 300000},
                                                   {299999, 240000, 540000, 540000},
                                                   {299999, 240000, 299999, 240000}};
    result r;
    an_err err;
    uint8_t encoding;
    an_chunk_iter it;
    an_sample s = {0};

    overlapping_aggregates(b);
    assert_int_equal(fold(b, AN_MERGE_PENALTY, &r, &err), AN_OK);
    assert_int_equal(r.n, 1);
    assert_true(r.meta[0].mint == 299999 && r.meta[0].maxt == 540000);
    an_slice data = result_chunk(&r, 0, &encoding);
    assert_int_equal(encoding, AN_ENC_AGGR);
    an_chunk_iter_init(&it, b->a);
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        an_aggr_part part;
        assert_int_equal(an_aggr_get(data, i, &part, &err), AN_OK);
        assert_int_equal(an_chunk_iter_open(&it, part.codec, part.data, &err), AN_OK);
        for (int k = 0; k < 4; k += 2) {
            assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
            assert_true(s.type == AN_VAL_FLOAT && s.t == (int64_t)want[i][k] &&
                        an_float(s.v) == want[i][k + 1]);
        }
        assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
        assert_int_equal(s.type, AN_VAL_NONE);
    }
    result_free(&r);
    builder_free(b);
}

static void the_chain_refuses_overlapping_aggregates(void **state)
{
    (void)state;
    builder *b = builder_new();
    result r;
    an_err err;

    overlapping_aggregates(b);
    assert_int_equal(fold(b, AN_MERGE_CHAIN, &r, &err), AN_EHALT);
    assert_int_equal(err.cause, AN_CAUSE_VERTICAL_DOWNSAMPLED);
    result_free(&r);
    builder_free(b);
}

/* Two members whose chunks overlap, of so many floats each. */
static builder *two_members(size_t n)
{
    builder *b = builder_new();
    an_sample *s = an_arena_alloc(b->a, n * sizeof *s);

    for (int m = 0; m < 2; m++) {
        builder_member(b);
        for (size_t i = 0; i < n; i++) s[i] = f(1000 * (int64_t)i + 300 * m, (double)i + m);
        assert_true(builder_samples(b, s, n));
    }
    return b;
}

static void a_chunk_that_cannot_be_decoded_is_named(void **state)
{
    (void)state;
    for (int func = AN_MERGE_CHAIN; func <= AN_MERGE_PENALTY; func++) {
        builder *b = two_members(50);
        an_task_chunk *c = &b->chunk[1][0];
        result r;
        an_err err;

        c->data.n -= 10;
        assert_int_equal(fold(b, (an_merge_func)func, &r, &err), AN_ECORRUPT);
        assert_string_equal(err.block, b->member[1].block);
        assert_int_equal(err.offset, c->ref);
        assert_non_null(strstr(err.msg, "of 50"));
        result_free(&r);
        builder_free(b);
    }
}

/* What a member's cuts leave of its chunks, alone and when it overlaps with another. */
static void cuts_come_before_the_merge(void **state)
{
    (void)state;
    builder *b = two_members(50);
    an_interval iv[] = {{INT64_MIN, 9999}, {20000, 29999}};
    an_chunk_iter it;
    an_chunk_info info;
    result r;
    an_err err;
    uint8_t encoding;

    b->member[0].cuts = (an_intervals){2, iv};
    b->chunk[0][0].cut = true;
    an_chunk_iter_init(&it, b->a);
    assert_int_equal(fold(b, AN_MERGE_CHAIN, &r, &err), AN_OK);
    assert_int_equal(r.n, 1);
    an_slice data = result_chunk(&r, 0, &encoding);
    assert_int_equal(an_chunk_validate(&it, an_chunk_codec_of(encoding), data, &info, &err), AN_OK);
    assert_true(info.n == 80 && info.first_t == 300 && info.last_t == 49300);
    result_free(&r);

    b->task.n_members = 1; /* alone: trimmed, otherwise as it is */
    assert_int_equal(fold(b, AN_MERGE_CHAIN, &r, &err), AN_OK);
    assert_int_equal(r.n, 1);
    assert_true(r.meta[0].mint == 10000 && r.meta[0].maxt == 49000);
    result_free(&r);

    iv[0].maxt = INT64_MAX; /* nothing is left */
    b->member[0].cuts.n = 1;
    assert_int_equal(fold(b, AN_MERGE_CHAIN, &r, &err), AN_OK);
    assert_int_equal(r.n, 0);
    result_free(&r);
    builder_free(b);
}

/* The scratch arena fails at every size it might: an error, no crash; in the end the same bytes. */
static void memory_that_ends_is_an_error(void **state)
{
    (void)state;
    for (int func = AN_MERGE_CHAIN; func <= AN_MERGE_PENALTY; func++) {
        builder *b = two_members(300);
        an_fold how = an_chunk_merge_fold((an_merge_func)func);
        unsigned failed = 0;
        result whole;
        an_err err;

        assert_int_equal(fold(b, (an_merge_func)func, &whole, &err), AN_OK);
        for (size_t limit = 256;; limit += limit / 4) {
            an_budget *budget = an_budget_new(limit);
            an_arena *scratch = an_arena_new(budget);
            an_task_out out;
            an_buf_init(&out.frames, 1 << 20, NULL);
            an_buf_init(&out.metas, 1 << 20, NULL);
            an_rc rc = how.run(how.arg, scratch, &b->task, &out, &err);
            bool same = out.frames.n == whole.out.frames.n &&
                        memcmp(out.frames.p, whole.out.frames.p, out.frames.n) == 0;
            an_buf_deinit(&out.frames);
            an_buf_deinit(&out.metas);
            an_arena_free(scratch);
            an_budget_free(budget);
            if (rc == AN_OK) {
                assert_true(same);
                break;
            }
            assert_int_equal(rc, AN_ELIMIT);
            failed++;
        }
        assert_true(failed > 3);
        result_free(&whole);
        builder_free(b);
    }
}

/* Streams that run side by side nest: how many, is bounded. */
static void too_many_replicas_at_one_time_are_refused(void **state)
{
    (void)state;
    builder *b = builder_new();
    enum { N = AN_PENALTY_DEPTH + 100 };
    an_piece *pieces = an_arena_alloc(b->a, N * sizeof *pieces);
    const an_piece **list = an_arena_alloc(b->a, N * sizeof *list);
    an_readers readers = an_readers_of(b->a);
    an_sample s[40];
    an_penalty p;
    an_feed *at;
    an_err err;
    an_rc rc = AN_OK;

    builder_member(b);
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < 40; k++) s[k] = f((int64_t)(100000 * k + i), 1);
        b->member[0].n_chunks = 0;
        assert_true(builder_samples(b, s, 40));
        pieces[i] = (an_piece){.codec = an_chunk_codec_of(AN_ENC_XOR), .data = b->chunk[0][0].data};
        list[i] = &pieces[i];
    }
    assert_int_equal(an_penalty_open(&p, &readers, list, N, &err), AN_OK);
    while (rc == AN_OK) {
        rc = an_penalty_next(&p, &at, &err);
        assert_true(rc != AN_OK || at != NULL);
    }
    assert_int_equal(rc, AN_ELIMIT);
    builder_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_merges_as_upstream),
        cmocka_unit_test(penalty_deduplicates_as_upstream),
        cmocka_unit_test(aggregates_are_deduplicated_as_upstream),
        cmocka_unit_test(the_chain_refuses_overlapping_aggregates),
        cmocka_unit_test(a_chunk_that_cannot_be_decoded_is_named),
        cmocka_unit_test(cuts_come_before_the_merge),
        cmocka_unit_test(memory_that_ends_is_an_error),
        cmocka_unit_test(too_many_replicas_at_one_time_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
