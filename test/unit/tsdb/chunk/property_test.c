// SPDX-License-Identifier: Apache-2.0
/* What must hold for every chunk: what went in comes out, whichever way it is read; a chunk that is
 * cut anywhere is refused; mutated bytes end in a result or an error. */
#include "tsdb/chunk/aggr.h"
#include "tsdb/chunk/reencode.h"
#include "unit/tsdb/chunk/random_samples.h"

enum { ROUNDS = 400, MAX_SAMPLES = 420 };

static uint64_t seed;

typedef struct chunks {
    an_arena *a;
    size_t n;
    struct {
        const an_chunk_codec *codec;
        int64_t mint, maxt;
        uint32_t n;
        an_slice data;
    } v[MAX_SAMPLES];
} chunks;

static an_rc keep(void *arg, const an_chunk_out *c, an_err *err)
{
    (void)err;
    chunks *to = arg;

    assert_true(to->n < MAX_SAMPLES);
    to->v[to->n].codec = an_chunk_codec_of(c->encoding);
    to->v[to->n].mint = c->mint;
    to->v[to->n].maxt = c->maxt;
    to->v[to->n].n = c->n;
    to->v[to->n++].data = an_arena_dup(to->a, c->data);
    return AN_OK;
}

/* Reads a chunk in three ways: by sample, by run, by validate. */
static size_t read_back(an_arena *a, const an_chunk_codec *codec, an_slice data,
                        const an_sample *want, size_t most)
{
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_chunk_info info;
    an_slice copy = exact(data);
    an_err err;
    an_sample s = {0};
    size_t n = 0, runs = 0;

    an_chunk_iter_init(it, a);
    assert_int_equal(an_chunk_iter_open(it, codec, copy, &err), AN_OK);
    for (;; n++) {
        assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
        if (s.type == AN_VAL_NONE) break;
        assert_true(n < most && sample_same(&s, &want[n]));
    }
    assert_int_equal(an_chunk_iter_open(it, codec, copy, &err), AN_OK);
    for (;;) {
        assert_int_equal(an_chunk_fill(it, &err), AN_OK);
        if (it->n == 0) break;
        for (uint32_t i = 0; i < it->n; i++, runs++) {
            s = an_chunk_at(it, i);
            assert_true(runs < n && sample_same(&s, &want[runs]));
        }
    }
    assert_int_equal(runs, n);
    assert_int_equal(an_chunk_validate(it, codec, copy, &info, &err), AN_OK);
    assert_int_equal(info.n, n);
    assert_true(n == 0 || (info.first_t == want[0].t && info.last_t == want[n - 1].t));
    exact_free(copy);
    return n;
}

static void floats_round_trip_however_they_are_handed_over(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    static an_sample s[MAX_SAMPLES];
    static int64_t t[MAX_SAMPLES], st[MAX_SAMPLES];
    static uint64_t v[MAX_SAMPLES];
    an_err err;

    for (int round = 0; round < ROUNDS; round++) {
        an_arena_reset(a);
        const an_chunk_codec *codec = an_chunk_codec_of(round % 2 ? AN_ENC_XOR2 : AN_ENC_XOR);
        size_t n = random_floats(&seed, s, 1 + below(&seed, MAX_SAMPLES - 1),
                                 codec->has_st && one_in(&seed, 2));
        an_chunk_enc e;
        for (size_t i = 0; i < n; i++) {
            t[i] = s[i].t;
            v[i] = s[i].v;
            st[i] = s[i].st;
        }
        an_chunk_enc_init(&e, a);
        an_chunk_start(&e, codec);
        for (size_t at = 0; at < n;) {
            size_t piece = 1 + below(&seed, n - at);
            assert_int_equal(codec->floats(&e, piece, t + at, v + at, st + at, &err), AN_OK);
            at += piece;
        }
        assert_int_equal(read_back(a, codec, an_chunk_finish(&e), s, n), n);
    }
    an_arena_free(a);
}

static void whatever_is_reencoded_comes_out_again(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *kept = an_arena_new(NULL);
    an_reencoder *r = an_arena_alloc(kept, sizeof *r);
    static an_sample s[MAX_SAMPLES];
    static chunks got;
    unsigned per_encoding[7] = {0};
    an_err err;

    an_reencoder_init(r, kept);
    for (int round = 0; round < ROUNDS; round++) {
        an_arena_reset(a);
        size_t n = random_mixed(&seed, a, s, 1 + below(&seed, MAX_SAMPLES - 1), round % 3 == 0);
        got.a = a;
        got.n = 0;
        an_reencode_begin(r, (an_chunk_sink){keep, &got});
        for (size_t i = 0; i < n; i++) assert_int_equal(an_reencode_sample(r, &s[i], &err), AN_OK);
        assert_int_equal(an_reencode_end(r, &err), AN_OK);
        size_t at = 0;
        for (size_t i = 0; i < got.n; i++) {
            assert_in_range(got.v[i].n, 1, AN_REENCODE_SPLIT);
            assert_true(got.v[i].mint == s[at].t);
            assert_int_equal(read_back(a, got.v[i].codec, got.v[i].data, s + at, n - at),
                             got.v[i].n);
            at += got.v[i].n;
            assert_true(got.v[i].maxt == s[at - 1].t);
            per_encoding[got.v[i].codec->encoding]++;
        }
        assert_int_equal(at, n);
    }
    for (int i = AN_ENC_XOR; i <= AN_ENC_FHIST_ST; i++) assert_true(per_encoding[i] > 50);
    an_arena_free(kept);
    an_arena_free(a);
}

/* One chunk of each encoding, of a few samples; [255] holds some of the others. */
static void one_of_each(an_arena *a, an_slice out[256])
{
    static an_sample s[MAX_SAMPLES];
    an_reencoder *r = an_arena_alloc(a, sizeof *r);
    static chunks got;
    an_aggr aggr = {0};
    an_buf buf;
    an_err err;
    unsigned found = 0;

    an_reencoder_init(r, a);
    memset(out, 0, 256 * sizeof *out);
    while (found < 6) {
        size_t n = random_mixed(&seed, a, s, 40, one_in(&seed, 2));
        got = (chunks){.a = a};
        an_reencode_begin(r, (an_chunk_sink){keep, &got});
        for (size_t i = 0; i < n; i++) assert_int_equal(an_reencode_sample(r, &s[i], &err), AN_OK);
        assert_int_equal(an_reencode_end(r, &err), AN_OK);
        for (size_t i = 0; i < got.n; i++) {
            an_slice *slot = &out[got.v[i].codec->encoding];
            if (slot->p != NULL || got.v[i].n < 3) continue;
            *slot = got.v[i].data;
            found++;
        }
    }
    for (int i = 0; i < AN_AGGR__COUNT; i++)
        aggr.part[i] = (an_aggr_part){an_chunk_codec_of((uint8_t)(i + 1)), out[i + 1]};
    an_buf_init(&buf, 1 << 20, NULL);
    an_aggr_write(&buf, &aggr);
    out[AN_ENC_AGGR] = an_arena_dup(a, an_buf_slice(&buf));
    an_buf_deinit(&buf);
}

static an_rc validate(an_arena *a, uint8_t encoding, an_slice data)
{
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_chunk_info info;
    an_slice copy = exact(data);
    an_err err;

    an_chunk_iter_init(it, a);
    an_rc rc = an_chunk_validate(it, an_chunk_codec_of(encoding), copy, &info, &err);
    exact_free(copy);
    return rc;
}

static void a_chunk_cut_at_any_byte_is_corrupt(void **state)
{
    (void)state;
    an_slice c[256];

    for (int round = 0; round < 20; round++) {
        an_arena *a = an_arena_new(NULL);
        one_of_each(a, c);
        for (unsigned e = 0; e <= UINT8_MAX; e++) {
            if (c[e].p == NULL) continue;
            assert_int_equal(validate(a, (uint8_t)e, c[e]), AN_OK);
            for (size_t n = 0; n < c[e].n; n++)
                assert_int_equal(validate(a, (uint8_t)e, an_slice_of(c[e].p, n)), AN_ECORRUPT);
        }
        an_arena_free(a);
    }
}

static void mutated_chunks_end_in_a_result_or_an_error(void **state)
{
    (void)state;
    an_slice c[256];
    unsigned ok = 0, refused = 0;

    for (int round = 0; round < 60; round++) {
        an_arena *a = an_arena_new(NULL);
        one_of_each(a, c);
        for (unsigned e = 0; e <= UINT8_MAX; e++) {
            if (c[e].p == NULL) continue;
            for (int k = 0; k < 40; k++) {
                an_slice m = exact(c[e]);
                uint8_t *p = (uint8_t *)(uintptr_t)m.p;
                for (uint64_t flips = 1 + below(&seed, 4); flips > 0; flips--) {
                    if (one_in(&seed, 2))
                        p[below(&seed, m.n)] ^= (uint8_t)(1 << below(&seed, 8));
                    else
                        p[below(&seed, m.n < 12 ? m.n : 12)] = (uint8_t)prng(&seed);
                }
                /* Read as what it is, and as each of the others. */
                uint8_t as = one_in(&seed, 4) ? (uint8_t)(1 + below(&seed, 6)) : (uint8_t)e;
                if (validate(a, as, m) == AN_OK)
                    ok++;
                else
                    refused++;
                exact_free(m);
            }
        }
        an_arena_free(a);
    }
    printf("mutated: %u read, %u refused\n", ok, refused);
    assert_true(ok > 100 && refused > 100);
}

static bool in_any(an_intervals drop, int64_t t)
{
    for (size_t i = 0; i < drop.n; i++)
        if (t >= drop.v[i].mint && t <= drop.v[i].maxt) return true;
    return false;
}

static void a_trimmed_chunk_holds_what_was_not_dropped(void **state)
{
    (void)state;
    static an_sample s[MAX_SAMPLES], left[MAX_SAMPLES];
    static chunks all, got;
    an_arena *kept = an_arena_new(NULL);
    an_reencoder *r = an_arena_alloc(kept, sizeof *r);
    an_trimmer *tr = an_arena_alloc(kept, sizeof *tr);
    unsigned more_than_one = 0, none = 0;
    an_err err;

    an_reencoder_init(r, kept);
    an_trimmer_init(tr, kept);
    for (int round = 0; round < ROUNDS; round++) {
        an_arena *a = an_arena_new(NULL);
        size_t n = random_mixed(&seed, a, s, 1 + below(&seed, 200), round % 3 == 0), at = 0;
        all = (chunks){.a = a};
        an_reencode_begin(r, (an_chunk_sink){keep, &all});
        for (size_t i = 0; i < n; i++) assert_int_equal(an_reencode_sample(r, &s[i], &err), AN_OK);
        assert_int_equal(an_reencode_end(r, &err), AN_OK);
        for (size_t i = 0; i < all.n; at += all.v[i++].n) {
            an_interval iv[3];
            an_intervals drop = {0, iv};
            uint32_t from = (uint32_t)below(&seed, all.v[i].n), to;
            for (; drop.n < 3 && from < all.v[i].n; drop.n++, from = to + 2) {
                to = from + (uint32_t)below(&seed, 1 + (all.v[i].n - from) / 2);
                iv[drop.n] = (an_interval){s[at + from].t, s[at + to].t};
            }
            if (one_in(&seed, 5)) iv[0].mint = INT64_MIN;
            if (one_in(&seed, 5)) iv[drop.n - 1].maxt = INT64_MAX;
            size_t n_left = 0, back = 0;
            for (uint32_t k = 0; k < all.v[i].n; k++)
                if (!in_any(drop, s[at + k].t)) left[n_left++] = s[at + k];
            got = (chunks){.a = a};
            assert_int_equal(an_chunk_trim(tr, all.v[i].codec, all.v[i].data, drop,
                                           (an_chunk_sink){keep, &got}, &err),
                             AN_OK);
            for (size_t k = 0; k < got.n; k++) {
                assert_ptr_equal(got.v[k].codec, all.v[i].codec);
                assert_true(got.v[k].mint == left[back].t);
                back += read_back(a, got.v[k].codec, got.v[k].data, left + back, n_left - back);
                assert_true(got.v[k].maxt == left[back - 1].t);
            }
            assert_int_equal(back, n_left);
            more_than_one += got.n > 1;
            none += got.n == 0;
        }
        an_arena_free(a);
    }
    printf("trimmed: %u to nothing, %u to more than one chunk\n", none, more_than_one);
    assert_true(none > 0);
    an_arena_free(kept);
}

/* Buckets of a schema that is not written any more, against adding them up one by one. */
static void fine_schemas_are_reduced_to_8(void **state)
{
    (void)state;
    enum { LOW = -4096, N = 8192 };
    static uint64_t want[N];

    for (int round = 0; round < ROUNDS; round++) {
        an_arena *a = an_arena_new(NULL);
        bool is_float = one_in(&seed, 2);
        int32_t schema = 9 + (int32_t)below(&seed, 44), next = 0;
        an_span spans[20];
        uint64_t v[20 * 6], before = 0;
        uint32_t n = 0, n_spans = (uint32_t)below(&seed, 20);
        int shift = schema - 8;
        memset(want, 0, sizeof want);
        for (uint32_t i = 0; i < n_spans; i++) {
            int32_t gap = i == 0 ? (int32_t)below(&seed, 400) - 200 : (int32_t)below(&seed, 40);
            spans[i] = (an_span){gap, (uint32_t)below(&seed, 6)};
            next += gap;
            for (uint32_t k = 0; k < spans[i].length; k++, next++) {
                uint64_t c = below(&seed, 50);
                v[n++] = is_float ? an_float_bits((double)c) : c - before;
                before = c;
                /* Bucket i of schema 8 ends where bucket i * 2^shift ends. */
                int64_t to = next;
                for (int h = 0; h < shift; h++) to = to > 0 ? (to + 1) / 2 : -(-to / 2);
                want[to - LOW] += c;
            }
        }
        an_hist h = {.is_float = is_float, .schema = AN_HIST_SCHEMA_MAX};
        an_hist_side side = {n_spans, n, spans, v};
        an_hist_room room = {an_arena_alloc(a, n * sizeof(an_span)), an_arena_alloc(a, n * 8)};
        uint32_t buckets = 0;
        an_err err;
        h.side[AN_POS] = an_hist_reduce(&side, schema, is_float, room);
        assert_int_equal(
            an_spans_check(h.side[AN_POS].spans, h.side[AN_POS].n_spans, &buckets, &err), AN_OK);
        assert_int_equal(buckets, h.side[AN_POS].n);
        for (int32_t i = LOW; i < LOW + N; i++) {
            uint64_t c = want[i - LOW];
            assert_int_equal(bucket_value(&h, AN_POS, i),
                             is_float && c > 0 ? an_float_bits((double)c) : c);
        }
        an_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats_round_trip_however_they_are_handed_over),
        cmocka_unit_test(whatever_is_reencoded_comes_out_again),
        cmocka_unit_test(a_chunk_cut_at_any_byte_is_corrupt),
        cmocka_unit_test(mutated_chunks_end_in_a_result_or_an_error),
        cmocka_unit_test(a_trimmed_chunk_holds_what_was_not_dropped),
        cmocka_unit_test(fine_schemas_are_reduced_to_8),
    };
    seed = prng_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
