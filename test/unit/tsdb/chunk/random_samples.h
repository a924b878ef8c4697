// SPDX-License-Identifier: Apache-2.0
/* unit/tsdb/chunk/random_samples.h: series of samples made at random, with everything that decides
 * about bytes: special bits, stale markers, resets, new and vanishing buckets, gauges, bounds of
 * their own, changes of type, start timestamps. */
#pragma once
#include "unit/tsdb/chunk/samples.h"

static inline uint64_t below(uint64_t *seed, uint64_t n) { return prng(seed) % n; }
static inline bool one_in(uint64_t *seed, uint64_t n) { return below(seed, n) == 0; }

/* Mostly a scrape interval, sometimes a step of any size, sometimes backwards. */
static inline int64_t random_step(uint64_t *seed)
{
    switch (below(seed, 12)) {
    case 0:
        return 15000 + (int64_t)below(seed, 40) - 20;
    case 1:
        return 1 + (int64_t)(prng(seed) >> (24 + below(seed, 40)));
    case 2:
        return 15000 * (int64_t)(1 + below(seed, 30));
    default:
        return 15000;
    }
}

static inline uint64_t random_bits(uint64_t *seed, uint64_t before)
{
    static const uint64_t special[] = {0,
                                       UINT64_C(1) << 63,
                                       0x7ff0000000000000,
                                       0xfff0000000000000,
                                       AN_STALE_NAN,
                                       0x7ff8000000000001,
                                       0x7ff0000000000001,
                                       1,
                                       UINT64_MAX};
    switch (below(seed, 10)) {
    case 0:
        return special[below(seed, sizeof special / sizeof *special)];
    case 1:
        return prng(seed);
    case 2:
        return before ^ prng(seed) >> below(seed, 64) << below(seed, 64);
    case 3:
    case 4:
        return before;
    default:
        return an_float_bits((double)below(seed, 1000000) / 8);
    }
}

/* Floats in any order of times; `st`: with start timestamps. */
static inline size_t random_floats(uint64_t *seed, an_sample *s, size_t n, bool st)
{
    int64_t t = (int64_t)(prng(seed) >> 20) - (INT64_C(1) << 42), start = 0;
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++) {
        if (one_in(seed, 40)) t = (int64_t)prng(seed);
        v = random_bits(seed, v);
        if (st && one_in(seed, 9)) start = one_in(seed, 3) ? 0 : t - (int64_t)below(seed, 100000);
        s[i] = (an_sample){.t = t, .st = start, .v = v, .type = AN_VAL_FLOAT};
        t = (int64_t)((uint64_t)t + (uint64_t)random_step(seed));
    }
    return n;
}

/* A histogram as it grows: absolute counts by bucket index. */
enum { RANDOM_BUCKETS = 24 };
typedef struct growing {
    bool is_float, gauge;
    int32_t schema, first; /* index of bucket 0 */
    uint64_t threshold;
    uint32_t n_custom;
    uint64_t custom[6];
    uint64_t count[2][RANDOM_BUCKETS];
    bool used[2][RANDOM_BUCKETS];
    uint64_t zero;
} growing;

static inline void random_kind(uint64_t *seed, growing *g)
{
    static const double thresholds[] = {0, 0.001, 0x1p-128, 1};

    memset(g, 0, sizeof *g);
    g->is_float = one_in(seed, 2);
    g->gauge = one_in(seed, 3);
    g->schema = one_in(seed, 4) ? AN_HIST_CUSTOM : (int32_t)below(seed, 13) - 4;
    g->first = g->schema == AN_HIST_CUSTOM ? 0 : (int32_t)below(seed, 40) - 20;
    g->threshold = an_float_bits(thresholds[below(seed, 4)]);
    if (g->schema == AN_HIST_CUSTOM) {
        g->n_custom = 1 + (uint32_t)below(seed, 6);
        for (uint32_t i = 0; i < g->n_custom; i++)
            g->custom[i] = an_float_bits(i + (double)below(seed, 4000) / 1000 +
                                         (one_in(seed, 4) ? 0x1p-40 : 0));
        g->threshold = 0;
    }
}

/* The next sample of it: some buckets grow, appear, fall, or vanish. */
static inline void random_growth(uint64_t *seed, growing *g)
{
    bool reset = one_in(seed, 25);

    g->zero += below(seed, 3);
    if (reset) g->zero = 0;
    for (int side = AN_POS; side <= AN_NEG; side++) {
        int n = side == AN_NEG && g->schema == AN_HIST_CUSTOM ? 0 : RANDOM_BUCKETS;
        for (int i = 0; i < n; i++) {
            if (!g->used[side][i] && one_in(seed, 60)) g->used[side][i] = true;
            if (!g->used[side][i]) continue;
            if (reset || one_in(seed, 400)) g->count[side][i] = below(seed, 3);
            if (g->gauge && one_in(seed, 10)) g->count[side][i] = below(seed, 100);
            if (one_in(seed, 2))
                g->count[side][i] += below(seed, 1 + (UINT64_C(1) << below(seed, 12)));
            if (one_in(seed, 30) && (g->count[side][i] == 0 || one_in(seed, 20))) {
                g->used[side][i] = false;
                g->count[side][i] = 0;
            }
        }
    }
}

/* Spans of the used buckets, sometimes cut in two or with an empty one, as producers may write. */
static inline an_hist_side grown_side(uint64_t *seed, an_arena *a, const growing *g, int side,
                                      uint64_t *total)
{
    an_span *spans = an_arena_alloc(a, 2 * RANDOM_BUCKETS * sizeof *spans);
    uint64_t *v = an_arena_alloc(a, RANDOM_BUCKETS * sizeof *v), before = 0;
    uint32_t n = 0, n_spans = 0;
    int32_t next = 0;

    for (int32_t i = 0; i < RANDOM_BUCKETS; i++) {
        if (!g->used[side][i]) continue;
        int32_t index = g->first + i, gap = n_spans == 0 ? index : index - next;
        if (n_spans == 0 || gap > 0 || one_in(seed, 40)) {
            if (n_spans > 0 && gap > 1 && one_in(seed, 10)) {
                spans[n_spans++] = (an_span){1, 0};
                gap--;
            }
            spans[n_spans++] = (an_span){gap, 0};
        }
        spans[n_spans - 1].length++;
        next = index + 1;
        uint64_t c = g->count[side][i];
        *total += c;
        v[n++] = g->is_float ? an_float_bits((double)c / 2) : c - before;
        before = c;
    }
    return (an_hist_side){n_spans, n, spans, v};
}

static inline an_sample grown_sample(uint64_t *seed, an_arena *a, const growing *g, int64_t t)
{
    an_hist *h = an_arena_alloc(a, sizeof *h);
    uint64_t *custom = an_arena_alloc(a, sizeof g->custom), total = g->zero;
    an_sample s = {.t = t, .type = g->is_float ? AN_VAL_FHIST : AN_VAL_HIST, .h = h};

    memcpy(custom, g->custom, sizeof g->custom);
    *h = (an_hist){.is_float = g->is_float,
                   .hint = g->gauge ? AN_HINT_GAUGE : AN_HINT_UNKNOWN,
                   .schema = g->schema,
                   .zero_threshold = g->threshold,
                   .n_custom = g->n_custom,
                   .custom = custom};
    for (int side = AN_POS; side <= AN_NEG; side++)
        h->side[side] = grown_side(seed, a, g, side, &total);
    h->zero_count = g->is_float ? an_float_bits((double)g->zero / 2) : g->zero;
    h->count = g->is_float ? an_float_bits((double)total / 2) : total;
    h->sum = an_float_bits((double)total * 1.25);
    if (one_in(seed, 30))
        *h = (an_hist){.is_float = g->is_float, .hint = h->hint, .sum = AN_STALE_NAN};
    if (one_in(seed, 60) && !g->gauge) h->hint = AN_HINT_RESET;
    return s;
}

/* Samples of every type with rising times. */
static inline size_t random_mixed(uint64_t *seed, an_arena *a, an_sample *s, size_t n, bool st)
{
    int64_t t = 1700000000000 + (int64_t)below(seed, 100000), start = 0;
    bool floats = one_in(seed, 4);
    uint64_t v = 0;
    growing g;

    random_kind(seed, &g);
    for (size_t i = 0; i < n; i++) {
        if (one_in(seed, 50)) floats = !floats;
        if (one_in(seed, 60)) random_kind(seed, &g);
        if (st && one_in(seed, 12)) start = one_in(seed, 3) ? 0 : t - (int64_t)below(seed, 100000);
        t += 1 + (int64_t)below(seed, 30000);
        if (floats) {
            v = random_bits(seed, v);
            s[i] = (an_sample){.t = t, .v = v, .type = AN_VAL_FLOAT};
        } else {
            random_growth(seed, &g);
            s[i] = grown_sample(seed, a, &g, t);
        }
        s[i].st = start;
    }
    return n;
}
