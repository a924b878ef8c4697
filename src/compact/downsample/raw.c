// SPDX-License-Identifier: Apache-2.0
/* Raw samples into windows. spec/downsampling.md 2 to 4.
 *
 * How many samples a batch has depends on how many there are and when the last one is, which is
 * known only after all were decoded. So a run is done by what the chunks' headers and the index say
 * of it, and once more in the rare case that stale or falling samples make that another plan. */
#include <float.h>
#include <math.h>

#include "compact/downsample/series.h"
#include "compact/downsample/window.h"

/* Whatever the interval is. */
#define RAW_INTERVAL_MS INT64_C(60000)

uint64_t an_ds_batch_size(const an_ds_seen *run, int64_t to)
{
    return run->n / an_ds_target_chunks(run->first_t, run->last_t, RAW_INTERVAL_MS, to, run->n) + 1;
}

static an_rc open_chunk(an_ds *d, const an_task_chunk *c, an_err *err)
{
    const an_chunk_codec *codec = an_chunk_codec_of(c->encoding);

    an_assert(codec != NULL); /* the frame was checked */
    return an_ds_at(d, c->ref, an_chunk_iter_open(&d->it, codec, c->data, err), err);
}

/* The next run of samples of the chunk. The first time may not lie before what the index says, and
 * times that fall are passed over: so runs of chunks rise as their index does. */
static an_rc fill(an_ds *d, const an_task_chunk *c, an_err *err)
{
    an_rc rc = an_chunk_fill(&d->it, err);

    if (rc == AN_OK && d->it.n > 0 && d->it.n_read == d->it.n && d->it.t[0] < c->mint)
        rc = AN_FAIL(err, AN_ECORRUPT, "its first sample is at %lld, the index says %lld",
                     (long long)d->it.t[0], (long long)c->mint);
    return an_ds_at(d, c->ref, rc, err);
}

static an_rc check_end(const an_ds *d, const an_task_chunk *c, int64_t last, an_err *err)
{
    if (last == 0 || last <= c->maxt) return AN_OK;
    return an_ds_at(d, c->ref,
                    AN_FAIL(err, AN_ECORRUPT, "it has a sample at %lld, the index says %lld",
                            (long long)last, (long long)c->maxt),
                    err);
}

/* ---- batches ---- */

/* Where a batch is: it ends with the window of the sample that makes it full. */
typedef struct batch {
    uint64_t size, have; /* samples, those that are no number included */
    int64_t end;         /* last millisecond of a full one; INT64_MAX before */
    an_ds_seen seen;     /* of the run, this batch not included in n */
} batch;

static batch batch_of(uint64_t size) { return (batch){.size = size, .end = INT64_MAX}; }

static bool is_over(const batch *b, int64_t t) { return b->have >= b->size && t > b->end; }

static void begin_batch(batch *b)
{
    b->seen.n += b->have;
    b->have = 0;
    b->end = INT64_MAX;
}

/* n more samples, in the window that ends at `end`. */
static void count_in(batch *b, uint64_t n, int64_t end)
{
    b->have += n;
    if (b->have >= b->size && b->end == INT64_MAX) b->end = end;
}

static void note_first(batch *b, int64_t t)
{
    if (b->seen.n == 0 && b->have == 0) b->seen.first_t = t;
}

/* ---- floats ---- */

typedef struct float_run {
    an_ds *d;
    batch b;
    bool any; /* the batch has a number */
    /* the present window */
    int64_t end, last_t;
    uint64_t count;
    double sum, min, max;
    /* of the batch */
    double counter, last;
} float_run;

static an_rc grow_windows(an_ds *d, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_windows *w = &d->windows;
    an_ds_windows more = {.n = w->n, .cap = w->cap == 0 ? 30 : 2 * w->cap + 2};
    size_t all = more.cap + 2;

    more.t = an_arena_try(d->arena, (1 + AN_AGGR__COUNT) * all, sizeof(int64_t));
    AN_CHECK(more.t != NULL, err, AN_ELIMIT, "no memory for %zu windows", more.cap);
    for (size_t i = 0; i < AN_AGGR__COUNT; i++)
        more.v[i] = (uint64_t *)(void *)more.t + (i + 1) * all;
    if (w->cap > 0) {
        memcpy(more.t, w->t, (w->n + 1) * sizeof *w->t);
        for (int i = 0; i < AN_AGGR__COUNT; i++)
            memcpy(more.v[i], w->v[i], (w->n + 1) * sizeof *w->v[i]);
    }
    *w = more;
out:
    return rc;
}

static an_rc push_window(float_run *f, int64_t t, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_windows *w = &f->d->windows;

    if (w->n == w->cap) AN_TRY(grow_windows(f->d, err));
    size_t i = ++w->n;
    w->t[i] = t;
    w->v[AN_AGGR_COUNT][i] = an_float_bits((double)f->count);
    w->v[AN_AGGR_SUM][i] = an_float_bits(f->sum);
    w->v[AN_AGGR_MIN][i] = an_float_bits(f->min);
    w->v[AN_AGGR_MAX][i] = an_float_bits(f->max);
    w->v[AN_AGGR_COUNTER][i] = an_float_bits(f->counter);
out:
    return rc;
}

/* The batch becomes a chunk; one without a number becomes none. */
static an_rc end_float_batch(float_run *f, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_windows *w = &f->d->windows;
    an_aggr aggr;

    if (!f->any) goto out;
    AN_TRY(push_window(f, f->end < f->last_t ? f->end : f->last_t, err));
    for (int i = AN_AGGR_COUNT; i <= AN_AGGR_MAX; i++)
        AN_TRY(an_ds_encode(f->d, i, w->n, w->t + 1, w->v[i] + 1, &aggr, err));
    /* t[0] and the counter before the first window were set with the first number. */
    w->t[w->n + 1] = w->t[w->n];
    w->v[AN_AGGR_COUNTER][w->n + 1] = an_float_bits(f->last);
    AN_TRY(an_ds_encode(f->d, AN_AGGR_COUNTER, w->n + 2, w->t, w->v[AN_AGGR_COUNTER], &aggr, err));
    an_task_emit_aggr(f->d->out, w->t[1], w->t[w->n], &aggr);
    w->n = 0;
    f->any = false;
out:
    f->end = INT64_MIN;
    begin_batch(&f->b);
    return rc;
}

/* The present window ends before t, and with it the batch if that is full. */
static an_rc open_window(float_run *f, int64_t t, uint64_t v, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_windows *w = &f->d->windows;
    int64_t next = f->end, r = f->d->to;

    if (is_over(&f->b, t))
        AN_TRY(end_float_batch(f, err));
    else if (f->any)
        AN_TRY(push_window(f, f->end, err));
    note_first(&f->b, t);
    /* Windows follow each other more often than not. */
    if (next >= 0 && t - next <= r && next <= INT64_MAX - r)
        f->end = next + r;
    else
        f->end = an_ds_window_end(t, r);
    f->count = 0;
    f->sum = 0;
    f->min = DBL_MAX;
    f->max = -DBL_MAX;
    if (!f->any) {
        f->any = true;
        f->counter = -0.0; /* the first value is added to it unchanged, ... */
        f->last = 0;       /* ... and does not count as a step */
        if (w->cap == 0) AN_TRY(grow_windows(f->d, err));
        w->t[0] = t;
        w->v[AN_AGGR_COUNTER][0] = v;
    }
out:
    return rc;
}

/* Numbers of the present window from sample i on, which is one; returns the first that is not. */
static uint32_t add_numbers(float_run *f, const an_chunk_iter *it, uint32_t i, int64_t *last_t)
{
    const int64_t end = f->end > it->t[i] ? f->end : it->t[i]; /* where windows wrap */
    const uint32_t from = i;
    int64_t before = *last_t;
    double sum = f->sum, min = f->min, max = f->max, counter = f->counter, last = f->last;

    for (; i < it->n; i++) {
        int64_t t = it->t[i];
        double v = an_float(it->v[i]);
        if (t > end || t < before || v != v) break;
        before = t;
        counter += v < last ? v : v - last; /* after a reset all of v is new */
        last = v;
        sum += v;
        min = v < min ? v : min;
        max = v > max ? v : max;
    }
    f->sum = sum;
    f->min = min;
    f->max = max;
    f->counter = counter;
    f->last = last;
    f->count += i - from;
    f->last_t = *last_t = before;
    count_in(&f->b, i - from, end);
    return i;
}

/* A NaN is no number of any window, but it is a sample of its batch. */
static an_rc pass_nan(float_run *f, int64_t t, an_err *err)
{
    an_rc rc = AN_OK;

    if (is_over(&f->b, t)) AN_TRY(end_float_batch(f, err));
    note_first(&f->b, t);
    count_in(&f->b, 1, an_ds_window_end(t, f->d->to));
out:
    return rc;
}

static an_rc add_floats(float_run *f, const an_chunk_iter *it, int64_t *last_t, an_err *err)
{
    an_rc rc = AN_OK;

    for (uint32_t i = 0; i < it->n;) {
        int64_t t = it->t[i];
        if (t < *last_t || it->v[i] == AN_STALE_NAN) {
            i++;
        } else if (isnan(an_float(it->v[i]))) {
            *last_t = t;
            AN_TRY(pass_nan(f, t, err));
            i++;
        } else {
            if (t > f->end) AN_TRY(open_window(f, t, it->v[i], err));
            i = add_numbers(f, it, i, last_t);
        }
    }
out:
    return rc;
}

an_rc an_ds_raw_floats(an_ds *d, const an_task_chunk *c, size_t n, uint64_t size, an_ds_seen *seen,
                       an_err *err)
{
    an_rc rc = AN_OK;
    float_run f = {.d = d, .b = batch_of(size), .end = INT64_MIN};

    d->windows.n = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t last = 0; /* in each chunk anew */
        uint64_t before = f.b.seen.n + f.b.have;
        AN_TRY(open_chunk(d, &c[i], err));
        for (;;) {
            AN_TRY(fill(d, &c[i], err));
            if (d->it.n == 0) break;
            AN_TRY(add_floats(&f, &d->it, &last, err));
        }
        AN_TRY(check_end(d, &c[i], last, err));
        if (f.b.seen.n + f.b.have > before) f.b.seen.last_t = last;
    }
    AN_TRY(end_float_batch(&f, err));
    *seen = f.b.seen;
out:
    return rc;
}

/* ---- histograms ---- */

typedef struct hist_run {
    an_ds *d;
    batch b;
    bool gauge;
} hist_run;

static an_rc hist_window(void *arg, int64_t t, an_ds_hist_agg *a, an_err *err)
{
    an_rc rc = AN_OK;
    hist_run *r = arg;
    an_ds *d = r->d;

    if (r->gauge) a->counter.h.hint = AN_HINT_GAUGE;
    AN_TRY(an_ds_append_hist(&d->enc[AN_AGGR_COUNTER], t, &a->counter, err));
    AN_TRY(an_ds_append_hist(&d->enc[AN_AGGR_SUM], t, &a->sum, err));
    AN_TRY(an_ds_floats_add(d, &d->made, t, an_float_bits((double)a->count), err));
out:
    return rc;
}

static bool is_custom(const an_ds_hist *h) { return h->h.schema == AN_HIST_CUSTOM; }

/* Histograms of one kind become one chunk. */
static an_rc make_hist_chunk(hist_run *r, const an_ds_hist *v, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds *d = r->d;
    an_aggr aggr = {0};

    r->gauge = v[0].h.hint == AN_HINT_GAUGE;
    d->made.n = 0;
    an_ds_start_hist(d, AN_AGGR_SUM);
    an_ds_start_hist(d, AN_AGGR_COUNTER);
    AN_TRY(an_ds_agg(d, err));
    AN_TRY(an_ds_hist_windows(d->agg, v, n, d->to, AN_DS_COUNTER | AN_DS_SUM, hist_window, r, err));
    AN_TRY(an_ds_encode(d, AN_AGGR_COUNT, d->made.n, d->made.t, d->made.v, &aggr, err));
    an_ds_finish_hist(d, AN_AGGR_SUM, &aggr);
    an_ds_finish_hist(d, AN_AGGR_COUNTER, &aggr);
    an_task_emit_aggr(d->out, d->made.t[0], d->made.t[d->made.n - 1], &aggr);
out:
    return rc;
}

/* Where exponential buckets follow custom ones a chunk ends: upstream crashes. */
static an_rc end_hist_batch(hist_run *r, an_err *err)
{
    an_rc rc = AN_OK;
    const an_ds_hists *b = &r->d->hists;

    for (size_t from = 0, to; from < b->n; from = to) {
        for (to = from + 1; to < b->n && is_custom(&b->v[to]) == is_custom(&b->v[from]); to++) {}
        AN_TRY(make_hist_chunk(r, b->v + from, to - from, err));
    }
    an_ds_hists_clear(&r->d->hists);
    begin_batch(&r->b);
out:
    return rc;
}

static an_rc add_hist(hist_run *r, const an_sample *s, an_err *err)
{
    an_rc rc = AN_OK;

    if (is_over(&r->b, s->t)) AN_TRY(end_hist_batch(r, err));
    note_first(&r->b, s->t);
    count_in(&r->b, 1, an_ds_window_end(s->t, r->d->to));
    if (!isnan(an_float(s->h->sum))) AN_TRY(an_ds_hists_add(&r->d->hists, s->t, s->h, err));
out:
    return rc;
}

an_rc an_ds_raw_hists(an_ds *d, const an_task_chunk *c, size_t n, uint64_t size, an_ds_seen *seen,
                      an_err *err)
{
    an_rc rc = AN_OK;
    hist_run r = {.d = d, .b = batch_of(size)};

    an_ds_hists_clear(&d->hists);
    for (size_t i = 0; i < n; i++) {
        int64_t last = 0;
        AN_TRY(open_chunk(d, &c[i], err));
        for (;;) {
            AN_TRY(fill(d, &c[i], err));
            if (d->it.n == 0) break;
            an_sample s = an_chunk_at(&d->it, 0); /* histograms come one at a time */
            if (s.h->sum == AN_STALE_NAN || s.t < last) continue;
            last = r.b.seen.last_t = s.t;
            AN_TRY(add_hist(&r, &s, err));
        }
        AN_TRY(check_end(d, &c[i], last, err));
    }
    AN_TRY(end_hist_batch(&r, err));
    *seen = r.b.seen;
out:
    return rc;
}

/* ---- runs ---- */

static bool is_hist(const an_task_chunk *c)
{
    return an_chunk_codec_of(c->encoding)->type != AN_VAL_FLOAT;
}

/* By what is known before anything is decoded. */
static an_rc guess(const an_task_chunk *c, size_t n, an_ds_seen *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_seen s = {.first_t = c[0].mint, .last_t = c[n - 1].maxt};

    for (size_t i = 0; i < n; i++) {
        uint32_t samples;
        AN_TRY(an_chunk_count(an_chunk_codec_of(c[i].encoding), c[i].data, &samples, err));
        s.n += samples;
    }
    *out = s;
out:
    return rc;
}

static an_rc do_run(an_ds *d, const an_task_chunk *c, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    bool hist = is_hist(&c[0]);
    size_t frames = d->out->frames.n, metas = d->out->metas.n;
    uint64_t size, tried;
    an_ds_seen seen;

    AN_TRY(guess(c, n, &seen, err));
    size = an_ds_batch_size(&seen, d->to);
    do {
        d->out->frames.n = frames;
        d->out->metas.n = metas;
        tried = size;
        if (hist)
            AN_TRY(an_ds_raw_hists(d, c, n, tried, &seen, err));
        else
            AN_TRY(an_ds_raw_floats(d, c, n, tried, &seen, err));
        size = an_ds_batch_size(&seen, d->to);
    } while (size != tried && (size < seen.n || tried < seen.n)); /* else one batch in any case */
out:
    return rc;
}

an_rc an_ds_raw(an_ds *d, const an_task_chunk *c, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t from = 0, to; from < n; from = to) {
        for (to = from + 1; to < n && is_hist(&c[to]) == is_hist(&c[from]); to++) {}
        AN_TRY(do_run(d, c + from, to - from, err));
    }
out:
    return rc;
}
