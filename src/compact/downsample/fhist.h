// SPDX-License-Identifier: Apache-2.0
/* compact/downsample/fhist.h: arithmetic on float histograms, as upstream's library does it, to the
 * last bit: the order of additions, which spans a bucket that is new goes to, what a zero bucket
 * takes in when it grows. spec/downsampling.md 4.3 to 4.5.
 *
 * An an_fhist is a float histogram with buckets of its own, which grow in an arena and are used
 * again. What it is computed from are plain an_hist (tsdb/chunk/hist.h) with is_float set.
 *
 *     an_fhist_copy, an_fhist_reduce ──► an_fhist ◄── an_fhist_add, an_fhist_sub
 *     an_fhist_is_reset: is one histogram after another the begin of a new count?
 *
 * Custom bounds are borrowed, except where an addition has made new ones. Exponential and custom
 * buckets do not mix: whoever adds sees to that.
 *
 * Errors: AN_ECORRUPT for a mix, and for what no writer makes (a zero threshold that is no number,
 * a custom bucket below the first); AN_ELIMIT without memory or beyond AN_HIST_MAX_BUCKETS.
 * Threads: one each. */
#pragma once
#include "tsdb/chunk/hist.h"

/* Memory for one side. */
typedef struct an_fhist_room {
    an_span *spans;
    uint64_t *v;
    size_t spans_cap, v_cap;
} an_fhist_room;

typedef struct an_fhist {
    an_hist h; /* its pointers show into `side` and `custom` below, or borrow custom bounds */
    an_arena *arena;
    an_fhist_room side[2], spare; /* spare: where a changed layout is built */
    uint64_t *custom;
    double *work; /* bounds and counts while custom buckets are mapped */
    size_t custom_cap, work_cap;
} an_fhist;

/* Nothing is allocated yet. */
void an_fhist_init(an_fhist *f, an_arena *a);
/* A copy; of custom buckets without zero bucket and negative side. */
AN_MUST_CHECK an_rc an_fhist_copy(an_fhist *f, const an_hist *from, an_err *err);
/* A copy at a schema below that of `from`; its hint is unknown, whatever it was. */
AN_MUST_CHECK an_rc an_fhist_reduce(an_fhist *f, const an_hist *from, int32_t schema, an_err *err);
AN_MUST_CHECK an_rc an_fhist_add(an_fhist *f, const an_hist *b, an_err *err);
AN_MUST_CHECK an_rc an_fhist_sub(an_fhist *f, const an_hist *b, an_err *err);
/* Replaces the buckets of both sides by these; the number of buckets is what the spans say. */
AN_MUST_CHECK an_rc an_fhist_set_sides(an_fhist *f, const an_hist_side sides[2], an_err *err);

/* Does h, which comes after prev, say that counting began anew? */
AN_MUST_CHECK an_rc an_fhist_is_reset(const an_hist *h, const an_hist *prev, bool *reset,
                                      an_err *err);

/* For the two .c files of this header. */

/* Upper bound of bucket `index` of a side at `schema`, absolute. */
double an_fhist_bound(const an_hist *h, int32_t schema, int64_t index);
/* Buckets whose bound lies inside the zero bucket are passed over only with these schemas. */
static inline bool an_fhist_plain_schema(int32_t schema)
{
    return schema >= -4 && schema <= AN_HIST_SCHEMA_MAX;
}
/* The zero bucket of h with a threshold of *threshold, which is larger than its own, or with the
 * next one that does not divide a bucket; the count of that. */
double an_fhist_widen(const an_hist *h, double *threshold);
bool an_fhist_same_bounds(const an_hist *a, const an_hist *b);
