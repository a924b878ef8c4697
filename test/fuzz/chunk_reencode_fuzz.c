// SPDX-License-Identifier: Apache-2.0
/* A chunk of any encoding (the first byte), decoded and re-encoded: the new chunks hold the same
 * samples. The same bytes, trimmed by nothing, stay one chunk of their encoding with the same
 * samples, unless a histogram begins a new one. */
#include "fuzz/chunk_fuzz.h"
#include "tsdb/chunk/reencode.h"

typedef struct check {
    an_chunk_iter want, got;
    uint32_t n;
} check;

static an_rc same_samples(void *arg, const an_chunk_out *c, an_err *err)
{
    check *k = arg;
    an_sample a, b;

    an_assert(an_chunk_iter_open(&k->got, an_chunk_codec_of(c->encoding), c->data, err) == AN_OK);
    for (uint32_t i = 0;; i++) {
        an_assert(an_chunk_next(&k->got, &b, err) == AN_OK);
        if (b.type == AN_VAL_NONE) {
            an_assert(i == c->n);
            break;
        }
        an_assert(an_chunk_next(&k->want, &a, err) == AN_OK && sample_same(&a, &b));
        if (i == 0) an_assert(c->mint == a.t);
        an_assert(i + 1 < c->n || c->maxt == a.t);
    }
    k->n += c->n;
    return AN_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) return 0;
    const an_chunk_codec *codec = an_chunk_codec_of((uint8_t)(1 + data[0] % 6));
    an_slice s = an_slice_of(data + 1, size - 1);
    an_budget *b = an_budget_new(CHUNK_FUZZ_BUDGET);
    an_arena *a = an_arena_new(b);
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_chunk_info info;
    an_err err;

    an_chunk_iter_init(it, a);
    if (an_chunk_validate(it, codec, s, &info, &err) == AN_OK) {
        check *k = an_arena_alloc(a, sizeof *k);
        an_reencoder *r = an_arena_alloc(a, sizeof *r);
        an_trimmer *tr = an_arena_alloc(a, sizeof *tr);
        an_chunk_sink sink = {same_samples, k};
        an_sample x;
        an_rc rc;

        an_chunk_iter_init(&k->want, a);
        an_chunk_iter_init(&k->got, a);
        an_assert(an_chunk_iter_open(&k->want, codec, s, &err) == AN_OK);
        an_assert(an_chunk_iter_open(it, codec, s, &err) == AN_OK);
        an_reencoder_init(r, a);
        an_reencode_begin(r, sink);
        while ((rc = an_chunk_next(it, &x, &err)) == AN_OK && x.type != AN_VAL_NONE)
            if ((rc = an_reencode_sample(r, &x, &err)) != AN_OK) break;
        if (rc == AN_OK) rc = an_reencode_end(r, &err);
        an_assert(rc == AN_ELIMIT || (rc == AN_OK && k->n == info.n));

        an_assert(an_chunk_iter_open(&k->want, codec, s, &err) == AN_OK);
        k->n = 0;
        an_trimmer_init(tr, a);
        rc = an_chunk_trim(tr, codec, s, (an_intervals){0, NULL}, sink, &err);
        an_assert(rc == AN_ELIMIT || (rc == AN_OK && k->n == info.n));
    }
    an_arena_free(a);
    an_budget_free(b);
    return 0;
}
