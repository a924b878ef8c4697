// SPDX-License-Identifier: Apache-2.0
/* Chunks against upstream's recorded ones: every byte, and back. */
#include "tsdb/chunk/reencode.h"
#include "unit/tsdb/chunk/samples.h"

typedef struct expect {
    const json_t *chunks;
    size_t next;
} expect;

static an_rc compare_chunk(void *arg, const an_chunk_out *c, an_err *err)
{
    (void)err;
    expect *e = arg;
    const json_t *want = json_array_get(e->chunks, e->next++);

    assert_non_null(want);
    an_slice hex = golden_hex(want, "hex");
    assert_int_equal(c->encoding, golden_int(want, "enc"));
    assert_int_equal(c->n, golden_int(want, "n"));
    assert_int_equal(c->mint, golden_int(want, "mint"));
    assert_int_equal(c->maxt, golden_int(want, "maxt"));
    assert_int_equal(c->data.n, hex.n);
    assert_memory_equal(c->data.p, hex.p, hex.n);
    golden_free(hex);
    return AN_OK;
}

/* What the chunks of one case hold is the samples of the case, in order. */
static void chunks_hold(an_arena *a, const json_t *chunks, const json_t *samples)
{
    an_err err;
    an_chunk_iter it;
    an_sample s = {0};
    size_t at = 0;

    an_chunk_iter_init(&it, a);
    for (size_t i = 0; i < json_array_size(chunks); i++) {
        const json_t *c = json_array_get(chunks, i);
        an_slice data = golden_hex(c, "hex");
        const an_chunk_codec *codec = an_chunk_codec_of((uint8_t)golden_int(c, "enc"));
        assert_non_null(codec);
        assert_int_equal(an_chunk_iter_open(&it, codec, data, &err), AN_OK);
        for (;;) {
            assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
            if (s.type == AN_VAL_NONE) break;
            an_sample want = json_sample(a, json_array_get(samples, at++));
            assert_true(sample_same(&s, &want));
        }
        golden_free(data);
    }
    assert_int_equal(at, json_array_size(samples));
}

static void reencode_set(const char *set)
{
    json_t *doc = golden_json("vectors/chunks.json");
    json_t *cases = golden_array(doc, set);
    an_arena *scratch = an_arena_new(NULL), *kept = an_arena_new(NULL);
    an_reencoder *r = an_arena_alloc(kept, sizeof *r);
    an_err err;

    an_reencoder_init(r, kept); /* one for all cases */
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *samples = json_object_get(c, "samples");
        expect e = {json_object_get(c, "chunks"), 0};

        an_arena_reset(scratch);
        an_reencode_begin(r, (an_chunk_sink){compare_chunk, &e});
        for (size_t k = 0; k < json_array_size(samples); k++) {
            an_sample s = json_sample(scratch, json_array_get(samples, k));
            assert_int_equal(an_reencode_sample(r, &s, &err), AN_OK);
        }
        assert_int_equal(an_reencode_end(r, &err), AN_OK);
        assert_int_equal(e.next, json_array_size(e.chunks));
        chunks_hold(scratch, e.chunks, samples);
    }
    printf("%s: %zu cases\n", set, json_array_size(cases));
    an_arena_free(kept);
    an_arena_free(scratch);
    json_decref(doc);
}

static void floats_become_upstreams_chunks(void **state)
{
    (void)state;
    reencode_set("float");
}

static void histograms_become_upstreams_chunks(void **state)
{
    (void)state;
    reencode_set("histogram");
}

static void mixed_samples_become_upstreams_chunks(void **state)
{
    (void)state;
    reencode_set("mixed");
}

static void xor2_chunks_are_prometheus_own(void **state)
{
    (void)state;
    json_t *doc = golden_json("vectors/xor2.json");
    json_t *cases = golden_array(doc, "cases");
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_XOR2);
    an_arena *a = an_arena_new(NULL);
    an_chunk_enc e;
    an_chunk_iter it;
    an_err err;

    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *samples = json_object_get(c, "samples");
        size_t n = json_array_size(samples);
        an_slice want = golden_hex(c, "hex");
        an_sample s = {0};

        an_arena_reset(a);
        an_chunk_enc_init(&e, a);
        an_chunk_iter_init(&it, a);
        an_chunk_start(&e, codec);
        assert_int_equal(an_chunk_iter_open(&it, codec, want, &err), AN_OK);
        for (size_t k = 0; k < n; k++) {
            an_sample w = json_sample(a, json_array_get(samples, k));
            assert_int_equal(codec->floats(&e, 1, &w.t, &w.v, &w.st, &err), AN_OK);
            assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
            assert_true(sample_same(&s, &w));
        }
        assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
        assert_int_equal(s.type, AN_VAL_NONE);
        an_slice got = an_chunk_finish(&e);
        assert_int_equal(got.n, want.n);
        assert_memory_equal(got.p, want.p, want.n);
        golden_free(want);
    }
    printf("xor2: %zu cases\n", json_array_size(cases));
    an_arena_free(a);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_become_upstreams_chunks),
        cmocka_unit_test(histograms_become_upstreams_chunks),
        cmocka_unit_test(mixed_samples_become_upstreams_chunks),
        cmocka_unit_test(xor2_chunks_are_prometheus_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
