// SPDX-License-Identifier: Apache-2.0
/* unit/tsdb/chunk/same.h: when two samples are the same observation; for unit tests and fuzz
 * targets. */
#pragma once
#include "tsdb/chunk/chunk.h"

/* The count of the bucket with this index, as bits or as an integer; 0 where there is none. */
static inline uint64_t bucket_value(const an_hist *h, int side, int32_t index)
{
    an_bucket_cursor c = an_bucket_cursor_of(&h->side[side]);
    uint64_t sum = 0;
    int32_t at;

    for (uint32_t i = 0; an_bucket_next(&c, &at); i++) {
        sum = h->is_float ? h->side[side].v[i] : sum + h->side[side].v[i];
        if (at == index) return sum;
    }
    return 0;
}

/* Both sides hold the same counts; a bucket that is not there counts 0. */
static inline bool side_same(const an_hist *a, const an_hist *b, int side)
{
    an_bucket_cursor ca = an_bucket_cursor_of(&a->side[side]),
                     cb = an_bucket_cursor_of(&b->side[side]);
    int32_t ia = 0, ib = 0;
    uint32_t na = 0, nb = 0;
    uint64_t va = 0, vb = 0; /* absolute */
    bool more_a = an_bucket_next(&ca, &ia), more_b = an_bucket_next(&cb, &ib);

    while (more_a || more_b) {
        bool in_a = more_a && (!more_b || ia <= ib), in_b = more_b && (!more_a || ib <= ia);
        if (in_a) {
            va = a->is_float ? a->side[side].v[na] : va + a->side[side].v[na];
            na++;
            more_a = an_bucket_next(&ca, &ia);
        }
        if (in_b) {
            vb = b->is_float ? b->side[side].v[nb] : vb + b->side[side].v[nb];
            nb++;
            more_b = an_bucket_next(&cb, &ib);
        }
        if ((in_a ? va : 0) != (in_b ? vb : 0)) return false;
    }
    return true;
}

/* 0 and -0 are one threshold or bound; a NaN is itself. */
static inline bool number_same(uint64_t a, uint64_t b)
{
    return a == b || an_float(a) == an_float(b);
}

/* The same observation: hints do not count, a stale marker is only its sum. */
static inline bool hist_same(const an_hist *a, const an_hist *b)
{
    if (a->is_float != b->is_float || a->sum != b->sum) return false;
    if (a->sum == AN_STALE_NAN) return true;
    if (a->schema != b->schema || a->count != b->count || a->zero_count != b->zero_count ||
        !number_same(a->zero_threshold, b->zero_threshold))
        return false;
    if (a->schema == AN_HIST_CUSTOM) {
        if (a->n_custom != b->n_custom) return false;
        for (uint32_t i = 0; i < a->n_custom; i++)
            if (!number_same(a->custom[i], b->custom[i])) return false;
    }
    return side_same(a, b, AN_POS) && side_same(a, b, AN_NEG);
}

static inline bool sample_same(const an_sample *a, const an_sample *b)
{
    if (a->type != b->type || a->t != b->t || a->st != b->st) return false;
    return a->type == AN_VAL_FLOAT ? a->v == b->v : hist_same(a->h, b->h);
}
