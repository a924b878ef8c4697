// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/hist_align.h"

#include "tsdb/chunk/hist_layout.h"

static bool is_below(const an_hist *h, uint64_t a, uint64_t b)
{
    return h->is_float ? an_float(a) < an_float(b) : a < b;
}

static bool same_bounds(const an_hist *a, const an_hist *b)
{
    if (a->n_custom != b->n_custom) return false;
    for (uint32_t i = 0; i < a->n_custom; i++)
        if (!(an_float(a->custom[i]) == an_float(b->custom[i]))) return false;
    return true;
}

static bool same_spans(const an_hist_side *a, const an_hist_side *b)
{
    return a->n_spans == b->n_spans &&
           (a->n_spans == 0 || memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) == 0);
}

/* A number of a bucket that is met in order: the deltas of integers are summed up. */
static uint64_t absolute(bool is_float, uint64_t sum, uint64_t v) { return is_float ? v : sum + v; }

static bool fell(bool is_float, uint64_t from, uint64_t to)
{
    return is_float ? an_float(from) > an_float(to) : (int64_t)from > (int64_t)to;
}

static bool is_zero(bool is_float, uint64_t v) { return is_float ? an_float(v) == 0 : v == 0; }

/* Did no bucket fall, where both have the same ones? */
static bool none_fell(const an_hist_side *last, const an_hist_side *h, bool is_float)
{
    uint64_t a = 0, b = 0;

    for (uint32_t i = 0; i < last->n; i++) {
        a = absolute(is_float, a, last->v[i]);
        b = absolute(is_float, b, h->v[i]);
        if (fell(is_float, a, b)) return false;
    }
    return true;
}

/* Appends a bucket to the union: its numbers in chunk and sample, or AN_ALIGN_NONE. */
static an_rc add_bucket(an_hist_align *al, int side, int32_t index, int32_t *last, int32_t chunk,
                        int32_t sample, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t n = al->n[side], at = n + (side == AN_NEG ? al->n[AN_POS] : 0);
    uint32_t *n_spans = &al->n_spans[side];
    an_span *spans = al->spans + (side == AN_NEG ? al->n_spans[AN_POS] : 0);
    int64_t gap = (int64_t)index - *last - 1;

    AN_CHECK(n < AN_HIST_MAX_BUCKETS, err, AN_ELIMIT,
             "histograms with more than %d buckets between them", (int)AN_HIST_MAX_BUCKETS);
    AN_CHECK(n == 0 || gap <= INT32_MAX, err, AN_ECORRUPT,
             "histograms with buckets %d and %d and none between them", *last, index);
    al->from_chunk[at] = chunk;
    al->from_sample[at] = sample;
    if (n > 0 && gap == 0)
        spans[*n_spans - 1].length++;
    else
        spans[(*n_spans)++] = (an_span){n == 0 ? index : (int32_t)gap, 1};
    *last = index;
    al->n[side]++;
out:
    return rc;
}

/* One side; *reset: the counter was reset, and the union is of no use. */
static an_rc align_side(an_hist_align *al, int side, const an_hist *last, const an_hist *h,
                        bool gauge, bool *reset, an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist_side *sa = &last->side[side], *sb = &h->side[side];
    an_bucket_cursor ca = an_bucket_cursor_of(sa), cb = an_bucket_cursor_of(sb);
    int32_t a = 0, b = 0, na = 0, nb = 0, last_index = 0;
    bool more_a = an_bucket_next(&ca, &a), more_b = an_bucket_next(&cb, &b);
    uint64_t va = more_a ? sa->v[0] : 0, vb = more_b ? sb->v[0] : 0;

    while (more_a || more_b) {
        bool in_a = more_a && (!more_b || a <= b), in_b = more_b && (!more_a || b <= a);
        int32_t index = in_a ? a : b;

        if (!gauge && in_a && (in_b ? fell(h->is_float, va, vb) : !is_zero(h->is_float, va))) {
            *reset = true;
            goto out;
        }
        AN_TRY(add_bucket(al, side, index, &last_index, in_a ? na : AN_ALIGN_NONE,
                          in_b ? nb : AN_ALIGN_NONE, err));
        if (!in_a) al->grown[side] = true;
        if (!in_b) al->missing[side] = true;
        if (in_a) {
            na++;
            more_a = an_bucket_next(&ca, &a);
            if (more_a) va = absolute(h->is_float, va, sa->v[na]);
        }
        if (in_b) {
            nb++;
            more_b = an_bucket_next(&cb, &b);
            if (more_b) vb = absolute(h->is_float, vb, sb->v[nb]);
        }
    }
out:
    return rc;
}

/* Both sides. */
static an_rc align(an_arena *a, const an_hist *last, const an_hist *h, bool gauge, bool *reset,
                   an_hist_align *al, an_err *err)
{
    an_rc rc = AN_OK;
    size_t most = 0;

    al->differs = !same_spans(&last->side[AN_POS], &h->side[AN_POS]) ||
                  !same_spans(&last->side[AN_NEG], &h->side[AN_NEG]);
    for (int side = AN_POS; side <= AN_NEG; side++) {
        al->n[side] = al->n_spans[side] = 0;
        al->grown[side] = al->missing[side] = false;
        most += (size_t)last->side[side].n + h->side[side].n;
    }
    if (!al->differs) {
        *reset = !gauge && !(none_fell(&last->side[AN_POS], &h->side[AN_POS], h->is_float) &&
                             none_fell(&last->side[AN_NEG], &h->side[AN_NEG], h->is_float));
        return AN_OK;
    }
    AN_TRY(an_hist_grow(a, (void **)&al->spans, &al->spans_cap, most, sizeof *al->spans, err));
    AN_TRY(an_hist_grow(a, (void **)&al->from_chunk, &al->chunk_cap, most, sizeof(int32_t), err));
    AN_TRY(an_hist_grow(a, (void **)&al->from_sample, &al->sample_cap, most, sizeof(int32_t), err));
    for (int side = AN_POS; side <= AN_NEG && !*reset; side++)
        AN_TRY(align_side(al, side, last, h, gauge, reset, err));
out:
    return rc;
}

static bool same_kind(const an_hist *a, const an_hist *b)
{
    return a->schema == b->schema && an_float(a->zero_threshold) == an_float(b->zero_threshold);
}

static an_rc judge_gauge(an_arena *a, const an_hist *last, an_hist_header header, const an_hist *h,
                         an_hist_fit *fit, an_hist_align *al, an_err *err)
{
    bool reset = false;

    if (header == AN_HH_GAUGE && h->sum == AN_STALE_NAN) return AN_OK;
    if (header != AN_HH_GAUGE || last->sum == AN_STALE_NAN || !same_kind(last, h) ||
        (h->schema == AN_HIST_CUSTOM && !same_bounds(last, h))) {
        *fit = (an_hist_fit){true, AN_HH_GAUGE};
        return AN_OK;
    }
    return align(a, last, h, true, &reset, al, err);
}

/* The rows of the table that need no look at the buckets, stale samples apart. */
static an_hist_fit judge_head(const an_hist *last, an_hist_header header, const an_hist *h)
{
    const an_hist_fit reset = {true, AN_HH_RESET}, unknown = {true, AN_HH_UNKNOWN};

    if (header == AN_HH_GAUGE)
        return (an_hist_fit){true, h->is_float ? AN_HH_UNKNOWN : AN_HH_NOT_RESET};
    if (h->hint == AN_HINT_RESET) return reset;
    if (h->sum == AN_STALE_NAN) return (an_hist_fit){0};
    if (last->sum == AN_STALE_NAN) return unknown;
    if (is_below(h, h->count, last->count)) return reset;
    if (!same_kind(last, h)) return unknown;
    if (h->schema == AN_HIST_CUSTOM && !same_bounds(last, h)) return reset;
    if (is_below(h, h->zero_count, last->zero_count)) return reset;
    return (an_hist_fit){0};
}

an_rc an_hist_judge(an_arena *a, const an_hist *last, an_hist_header header, const an_hist *h,
                    an_hist_fit *fit, an_hist_align *al, an_err *err)
{
    an_rc rc = AN_OK;
    bool reset = false;

    *fit = (an_hist_fit){0};
    al->differs = false;
    if (h->hint == AN_HINT_GAUGE) return judge_gauge(a, last, header, h, fit, al, err);
    *fit = judge_head(last, header, h);
    if (fit->cut || h->sum == AN_STALE_NAN) goto out;
    AN_TRY(align(a, last, h, false, &reset, al, err));
    if (reset) *fit = (an_hist_fit){true, AN_HH_RESET};
out:
    return rc;
}

void an_hist_widen(const uint64_t *v, const int32_t *from, uint32_t n, bool is_float, uint64_t *to)
{
    uint64_t value = 0, before = 0; /* absolute counts of integers */

    for (uint32_t i = 0; i < n; i++) {
        if (is_float) {
            to[i] = from[i] == AN_ALIGN_NONE ? 0 : v[from[i]];
            continue;
        }
        if (from[i] != AN_ALIGN_NONE) value += v[from[i]];
        uint64_t now = from[i] == AN_ALIGN_NONE ? 0 : value;
        to[i] = now - before;
        before = now;
    }
}
