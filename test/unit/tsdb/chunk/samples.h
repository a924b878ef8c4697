// SPDX-License-Identifier: Apache-2.0
/* unit/tsdb/chunk/samples.h: samples in the tests of chunks: read from the recorded vectors, made
 * at random, compared. A test that includes this needs PkgConfig::JANSSON and unit/golden.h's
 * conventions. */
#pragma once
#include "tsdb/chunk/chunk.h"
#include "unit/golden.h"
#include "unit/prng.h"
#include "unit/tsdb/chunk/same.h"

static inline uint64_t hex64(const json_t *v)
{
    assert_true(json_is_string(v) && json_string_length(v) == 16);
    return strtoull(json_string_value(v), NULL, 16);
}

/* A number of a bucket or a count: an integer, or the bits of a float in hex. */
static inline uint64_t hist_number(const json_t *v)
{
    return json_is_string(v) ? hex64(v) : (uint64_t)json_integer_value(v);
}

static inline an_hist_side hist_side(an_arena *a, const json_t *spans, const json_t *buckets)
{
    size_t n_spans = json_array_size(spans), n = json_array_size(buckets); /* 0 for null */
    an_span *s = an_arena_alloc(a, n_spans * sizeof *s);
    uint64_t *v = an_arena_alloc(a, n * sizeof *v);

    for (size_t i = 0; i < n_spans; i++) {
        const json_t *p = json_array_get(spans, i);
        s[i] = (an_span){(int32_t)json_integer_value(json_array_get(p, 0)),
                         (uint32_t)json_integer_value(json_array_get(p, 1))};
    }
    for (size_t i = 0; i < n; i++) v[i] = hist_number(json_array_get(buckets, i));
    return (an_hist_side){(uint32_t)n_spans, (uint32_t)n, s, v};
}

/* A sample of the vectors: [t, "bits"], [st, t, "bits"], or a histogram object. */
static inline an_sample json_sample(an_arena *a, const json_t *j)
{
    if (json_is_array(j)) {
        size_t n = json_array_size(j);
        an_sample s = {.type = AN_VAL_FLOAT, .v = hex64(json_array_get(j, n - 1))};
        s.t = json_integer_value(json_array_get(j, n - 2));
        if (n == 3) s.st = json_integer_value(json_array_get(j, 0));
        return s;
    }
    bool is_float = strcmp(json_string_value(json_object_get(j, "type")), "fh") == 0;
    an_hist *h = an_arena_alloc(a, sizeof *h);
    const json_t *custom = json_object_get(j, "custom");
    uint64_t *bounds = an_arena_alloc(a, json_array_size(custom) * sizeof *bounds);

    for (size_t i = 0; i < json_array_size(custom); i++)
        bounds[i] = hex64(json_array_get(custom, i));
    *h = (an_hist){
        .is_float = is_float,
        .hint = (an_hist_hint)golden_int(j, "hint"),
        .schema = (int32_t)golden_int(j, "schema"),
        .n_custom = (uint32_t)json_array_size(custom),
        .custom = bounds,
        .zero_threshold = hex64(json_object_get(j, "zt")),
        .sum = hex64(json_object_get(j, "sum")),
        .count = hist_number(json_object_get(j, "count")),
        .zero_count = hist_number(json_object_get(j, "zc")),
        .side = {hist_side(a, json_object_get(j, "ps"), json_object_get(j, "pb")),
                 hist_side(a, json_object_get(j, "ns"), json_object_get(j, "nb"))},
    };
    return (an_sample){
        .t = golden_int(j, "t"), .type = is_float ? AN_VAL_FHIST : AN_VAL_HIST, .h = h};
}

static inline an_hist_side side_copy(an_arena *a, const an_hist_side *s)
{
    an_span *spans = an_arena_alloc(a, s->n_spans * sizeof *spans);
    uint64_t *v = an_arena_alloc(a, s->n * sizeof *v);

    if (s->n_spans > 0) memcpy(spans, s->spans, s->n_spans * sizeof *spans);
    if (s->n > 0) memcpy(v, s->v, s->n * sizeof *v);
    return (an_hist_side){s->n_spans, s->n, spans, v};
}

/* A sample that outlives its iterator. */
static inline an_sample sample_copy(an_arena *a, const an_sample *s)
{
    an_sample c = *s;

    if (s->h == NULL) return c;
    an_hist *h = an_arena_alloc(a, sizeof *h);
    uint64_t *custom = an_arena_alloc(a, s->h->n_custom * sizeof *custom);
    *h = *s->h;
    if (h->n_custom > 0) memcpy(custom, h->custom, h->n_custom * sizeof *custom);
    h->custom = custom;
    for (int i = AN_POS; i <= AN_NEG; i++) h->side[i] = side_copy(a, &s->h->side[i]);
    c.h = h;
    return c;
}

/* Exactly n bytes of memory, so that ASan sees the first one too far. The caller frees .p. */
static inline an_slice exact(an_slice s)
{
    uint8_t *p = malloc(s.n == 0 ? 1 : s.n);

    assert_non_null(p);
    if (s.n > 0) memcpy(p, s.p, s.n);
    return an_slice_of(p, s.n);
}
static inline void exact_free(an_slice s) { free((void *)(uintptr_t)s.p); }

/* Bytes as in the specification: hex digits, blanks do not count. The caller frees .p. */
static inline an_slice from_hex(const char *hex)
{
    uint8_t *p = malloc(strlen(hex) / 2 + 1);
    size_t n = 0;
    unsigned half = 0, digits = 0;

    assert_non_null(p);
    for (; *hex != 0; hex++) {
        if (*hex == ' ') continue;
        char one[2] = {*hex, 0}, *end;
        half = half << 4 | (unsigned)strtoul(one, &end, 16);
        assert_true(end == one + 1);
        if (++digits % 2 == 0) {
            p[n++] = (uint8_t)half;
            half = 0;
        }
    }
    assert_int_equal(digits % 2, 0);
    an_slice s = exact(an_slice_of(p, n));
    free(p);
    return s;
}
