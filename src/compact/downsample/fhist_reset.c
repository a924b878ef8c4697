// SPDX-License-Identifier: Apache-2.0
/* Is a histogram the begin of a new count? spec/downsampling.md 4.5. */
#include "compact/downsample/fhist.h"

#include <math.h>

/* Buckets at a schema that may be coarser than their own: those that fall together are one, their
 * counts added up from 0. */
typedef struct walk {
    const an_hist *h;
    const an_hist_side *side;
    an_bucket_cursor c;
    int32_t schema;
    uint32_t at; /* of `ahead` */
    bool more;   /* there is one ahead */
    int32_t ahead;
    /* the present one */
    int64_t index;
    double count;
} walk;

static int64_t target(const walk *w, int64_t index)
{
    return w->schema == w->h->schema ? index : ((index - 1) >> (w->h->schema - w->schema)) + 1;
}

static walk walk_of(const an_hist *h, int side, int32_t schema)
{
    walk w = {.h = h, .side = &h->side[side], .schema = schema};

    w.c = an_bucket_cursor_of(w.side);
    w.more = an_bucket_next(&w.c, &w.ahead);
    return w;
}

static bool next(walk *w)
{
    if (!w->more) return false;
    w->index = target(w, w->ahead);
    w->count = w->schema == w->h->schema ? -0.0 : 0.0; /* -0.0 + v is v */
    do {
        w->count += an_float(w->side->v[w->at++]);
        w->more = an_bucket_next(&w->c, &w->ahead);
    } while (w->more && w->schema != w->h->schema && target(w, w->ahead) == w->index);
    return true;
}

/* The first bucket that does not lie inside a zero bucket as wide as `threshold`. */
static bool first_outside(walk *w, double threshold)
{
    bool skip = threshold != 0 && an_fhist_plain_schema(w->schema);

    while (next(w))
        if (!skip || !(an_fhist_bound(w->h, w->schema, w->index) <= threshold)) return true;
    return false;
}

/* Did a bucket of prev fall, or vanish that was not 0? Where h has no more buckets, only the first
 * one of prev that is left is looked at: upstream's loop does not advance. */
static bool side_was_reset(walk *h, walk *prev, double threshold)
{
    if (!first_outside(prev, threshold)) return false;
    bool more = first_outside(h, threshold);
    for (;;) {
        while (more && h->index < prev->index) more = next(h);
        if (!more || h->index > prev->index) {
            if (prev->count != 0) return true;
            if (!more) return false;
        } else if (h->count < prev->count) {
            return true;
        }
        if (!next(prev)) return false;
    }
}

/* The buckets up to `bound` that were not counted before. */
static double roll_up(walk *w, bool *begun, bool *more, double bound)
{
    double sum = 0;

    if (!*begun) {
        *begun = true;
        *more = next(w);
    }
    while (*more && an_fhist_bound(w->h, AN_HIST_CUSTOM, w->index) <= bound) {
        sum += w->count;
        *more = next(w);
    }
    return sum;
}

static double bound_at(const an_hist *h, uint32_t i)
{
    return i < h->n_custom ? an_float(h->custom[i]) : INFINITY;
}

/* Custom buckets with different bounds are compared between the bounds they have in common. */
static bool mismatched_reset(const an_hist *h, const an_hist *prev)
{
    walk wh = walk_of(h, AN_POS, AN_HIST_CUSTOM), wp = walk_of(prev, AN_POS, AN_HIST_CUSTOM);
    bool begun_h = false, begun_p = false, more_h = false, more_p = false;

    for (uint32_t i = 0, j = 0; i <= h->n_custom && j <= prev->n_custom;) {
        double x = bound_at(h, i), y = bound_at(prev, j);
        if (x == y) {
            double sum_h = roll_up(&wh, &begun_h, &more_h, x);
            double sum_p = roll_up(&wp, &begun_p, &more_p, x);
            if (sum_h < sum_p) return true;
        }
        if (x == y || x < y) i++;
        if (x == y || !(x < y)) j++;
    }
    return false;
}

an_rc an_fhist_is_reset(const an_hist *h, const an_hist *prev, bool *reset, an_err *err)
{
    an_rc rc = AN_OK;
    double threshold = an_float(h->zero_threshold), before = an_float(prev->zero_threshold);

    *reset = true;
    if (h->hint == AN_HINT_RESET) goto out;
    if (h->hint == AN_HINT_NOT_RESET) {
        *reset = false;
        goto out;
    }
    if (an_float(h->count) < an_float(prev->count)) goto out;
    if (h->schema == AN_HIST_CUSTOM && prev->schema != AN_HIST_CUSTOM) goto out;
    if (h->schema == AN_HIST_CUSTOM && !an_fhist_same_bounds(h, prev)) {
        *reset = mismatched_reset(h, prev);
        goto out;
    }
    if (h->schema > prev->schema || threshold < before) goto out;
    AN_CHECK(!isnan(threshold) && !isnan(before), err, AN_ECORRUPT,
             "the zero threshold of a histogram is no number");
    double widened = threshold, zero_count = an_fhist_widen(prev, &widened);
    if (widened != threshold || an_float(h->zero_count) < zero_count) goto out;
    for (int side = AN_POS; side <= AN_NEG; side++) {
        walk wh = walk_of(h, side, h->schema), wp = walk_of(prev, side, h->schema);
        if (side_was_reset(&wh, &wp, threshold)) goto out;
    }
    *reset = false;
out:
    return rc;
}
