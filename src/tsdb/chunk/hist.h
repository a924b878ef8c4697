// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/hist.h: one native histogram, integer or float, as a chunk holds it.
 *
 * A side (positive or negative buckets) is a list of spans and one number per bucket. The first
 * span's offset is the index of its first bucket, a later one's the gap before it; a span of length
 * 0 only widens the gap. The numbers of an integer histogram are int64_t deltas from bucket to
 * bucket, those of a float histogram are the bits of absolute doubles. Schema -53 has bounds of its
 * own (`custom`), the others (-4 to 8) are exponential. A histogram whose sum is AN_STALE_NAN is a
 * stale marker: nothing else in it counts.
 *
 * All floats are carried as bits, so that no payload of a NaN is lost. An an_hist borrows what its
 * pointers show. spec/tsdb-block.md 3.3 to 3.6. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

enum {
    AN_HIST_CUSTOM = -53, /* the schema with custom bounds */
    AN_HIST_SCHEMA_MAX = 8,
    AN_HIST_SCHEMA_LOWEST = -9,   /* known when reading ... */
    AN_HIST_SCHEMA_HIGHEST = 52,  /* ... and reduced to AN_HIST_SCHEMA_MAX */
    AN_HIST_MAX_BUCKETS = 1 << 20 /* per side, spans and custom bounds as well; schema 8 has less
                                     than 2^20 buckets between the smallest and the largest float */
};

typedef enum an_hist_hint {
    AN_HINT_UNKNOWN,
    AN_HINT_RESET,
    AN_HINT_NOT_RESET,
    AN_HINT_GAUGE
} an_hist_hint;

enum { AN_POS, AN_NEG }; /* the sides */

typedef struct an_span {
    int32_t offset;
    uint32_t length;
} an_span;

typedef struct an_hist_side {
    uint32_t n_spans, n;
    const an_span *spans;
    const uint64_t *v;
} an_hist_side;

typedef struct an_hist {
    bool is_float;
    an_hist_hint hint;
    int32_t schema;
    uint32_t n_custom;
    uint64_t zero_threshold, sum; /* bits */
    uint64_t count, zero_count;   /* integers, or bits */
    an_hist_side side[2];
    const uint64_t *custom; /* bits */
} an_hist;

static inline double an_float(uint64_t bits)
{
    double d;

    memcpy(&d, &bits, sizeof d);
    return d;
}

static inline uint64_t an_float_bits(double d)
{
    uint64_t bits;

    memcpy(&bits, &d, sizeof bits);
    return bits;
}

/* Walks the buckets of a side in order of their indexes. */
typedef struct an_bucket_cursor {
    const an_span *span, *end;
    uint32_t left;
    int64_t index; /* of the next bucket, when there is one */
} an_bucket_cursor;

/* Before the first bucket of a side whose spans were checked. */
an_bucket_cursor an_bucket_cursor_of(const an_hist_side *s);
/* The index of the next bucket; false after the last one. */
static inline bool an_bucket_next(an_bucket_cursor *c, int32_t *index)
{
    while (c->left == 0) {
        if (c->span == c->end) return false;
        c->index += c->span->offset;
        c->left = c->span->length;
        c->span++;
    }
    c->left--;
    *index = (int32_t)c->index++;
    return true;
}

/* Spans whose bucket indexes rise and fit 32 bits: what the functions above and below rely on. The
 * number of buckets goes to *n. AN_ECORRUPT otherwise, AN_ELIMIT above AN_HIST_MAX_BUCKETS. */
AN_MUST_CHECK an_rc an_spans_check(const an_span *spans, uint32_t n_spans, uint32_t *n,
                                   an_err *err);

/* Memory for `n` numbers and as many spans of one side, for an_hist_reduce. */
typedef struct an_hist_room {
    an_span *spans;
    uint64_t *v;
} an_hist_room;

/* One side at schema `from`, above AN_HIST_SCHEMA_MAX, becomes that of AN_HIST_SCHEMA_MAX: buckets
 * that fall together are added. `room` has place for s->n of each. */
an_hist_side an_hist_reduce(const an_hist_side *s, int32_t from, bool is_float, an_hist_room room);
