// SPDX-License-Identifier: Apache-2.0
/* Aggregates into longer windows. spec/downsampling.md 5. */
#include <float.h>
#include <math.h>

#include "base/cursor.h"
#include "compact/downsample/series.h"
#include "compact/downsample/window.h"
#include "tsdb/meta/meta.h"

/* ---- reading ---- */

static an_rc invalid(const an_ds *d, const an_ds_chunk *c, an_err *err)
{
    (void)an_err_cause(err, AN_CAUSE_DS_INVALID_SIZE);
    return an_ds_at(d, c->ref, err->rc, err);
}

/* One aggregate of a chunk; codec NULL: it has none. */
static an_rc get_part(const an_ds *d, const an_ds_chunk *c, int which, an_vtype type,
                      an_aggr_part *out, an_err *err)
{
    an_rc rc = an_aggr_get(c->data, which, out, err);

    if (rc == AN_ENOTFOUND) {
        *out = (an_aggr_part){0};
        return AN_OK;
    }
    if (rc == AN_OK && (out->codec->type == AN_VAL_FLOAT) != (type == AN_VAL_FLOAT))
        rc = AN_FAIL(err, AN_ECORRUPT, "aggregate %s holds %s samples", an_aggr_name(which),
                     out->codec->name);
    return rc == AN_OK ? rc : invalid(d, c, err);
}

/* The times of an aggregate must be those of the count; where a chunk has no count, there is
 * nothing to compare with. `at`: how many were compared before. */
static void check_times(const an_ds *d, const an_ds_chunk *c, int which, size_t at,
                        an_ds_gaps *gaps)
{
    const an_chunk_iter *it = &d->it;
    const an_ds_floats *times = &d->times;
    bool equal = it->n == 0 ? at == times->n
                            : at + it->n <= times->n &&
                                  memcmp(times->t + at, it->t, it->n * sizeof *it->t) == 0;

    if (equal || gaps->unaligned) return;
    gaps->unaligned = true;
    gaps->which = which;
    gaps->ref = c->ref;
}

/* Appends the samples of a chunk's aggregate to d->in[which]. The count comes first. */
static an_rc read_floats(an_ds *d, const an_ds_chunk *c, int which, bool *counted, an_ds_gaps *gaps,
                         an_err *err)
{
    an_rc rc = AN_OK;
    an_aggr_part part;
    an_chunk_iter *it = &d->it;
    int64_t last = 0;
    size_t at = 0;

    AN_TRY(get_part(d, c, which, AN_VAL_FLOAT, &part, err));
    if (part.codec == NULL) goto out;
    AN_TRY(an_ds_at(d, c->ref, an_chunk_iter_open(it, part.codec, part.data, err), err));
    for (;;) {
        AN_TRY(an_ds_at(d, c->ref, an_chunk_fill(it, err), err));
        if (which != AN_AGGR_COUNT && *counted) check_times(d, c, which, at, gaps);
        if (it->n == 0) break;
        at += it->n;
        for (uint32_t i = 0; i < it->n; i++) {
            if (which == AN_AGGR_COUNT) AN_TRY(an_ds_floats_add(d, &d->times, it->t[i], 0, err));
            if (it->v[i] == AN_STALE_NAN || it->t[i] < last) continue;
            last = it->t[i];
            AN_TRY(an_ds_floats_add(d, &d->in[which], last, it->v[i], err));
        }
    }
    if (which == AN_AGGR_COUNT) *counted = true;
out:
    return rc;
}

/* ---- windows of floats ---- */

typedef struct span {
    int64_t mint, maxt;
} span;

static void include(span *s, int64_t t)
{
    if (t < s->mint) s->mint = t;
    if (t > s->maxt) s->maxt = t;
}

static inline an_rc push(an_ds *d, span *s, int64_t t, double v, an_err *err)
{
    include(s, t);
    return an_ds_floats_add(d, &d->made, t, an_float_bits(v), err);
}

/* The windows of n > 0 samples, appended to d->made. With a constant `which` this is one loop for
 * each aggregate. */
static inline an_rc make_windows(an_ds *d, int which, const an_ds_floats *in, span *s, an_err *err)
{
    an_rc rc = AN_OK;
    const double zero = which == AN_AGGR_MIN ? DBL_MAX : which == AN_AGGR_MAX ? -DBL_MAX : 0;
    double acc = which == AN_AGGR_COUNTER ? -0.0 : zero, last = 0; /* as in raw.c */
    int64_t next = -1, end = in->t[in->n - 1];

    for (size_t i = 0; i < in->n; i++) {
        int64_t t = in->t[i];
        double v = an_float(in->v[i]);
        if (t > next) {
            if (next != -1) AN_TRY(push(d, s, next, acc, err));
            if (which != AN_AGGR_COUNTER) acc = zero;
            next = an_ds_window_end(t, d->to);
            if (next > end) next = end;
        }
        switch (which) {
        case AN_AGGR_MIN:
            acc = v < acc ? v : acc;
            break;
        case AN_AGGR_MAX:
            acc = v > acc ? v : acc;
            break;
        case AN_AGGR_COUNTER:
            acc += v < last ? v : v - last;
            last = v;
            break;
        default:
            acc += v;
        }
    }
    rc = push(d, s, next, acc, err);
out:
    return rc;
}

static an_rc windows_of(an_ds *d, int which, const an_ds_floats *in, span *s, an_err *err)
{
    switch (which) {
    case AN_AGGR_MIN:
        return make_windows(d, AN_AGGR_MIN, in, s, err);
    case AN_AGGR_MAX:
        return make_windows(d, AN_AGGR_MAX, in, s, err);
    case AN_AGGR_COUNTER:
        return make_windows(d, AN_AGGR_COUNTER, in, s, err);
    default:
        return make_windows(d, AN_AGGR_SUM, in, s, err);
    }
}

/* ---- counters ---- */

an_rc an_ds_counter(an_ds *d, const an_aggr_part *parts, size_t n, an_ds_floats *out, double *last,
                    an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_iter *it = &d->it;
    bool begun = false;
    int64_t last_t = 0, wanted = INT64_MIN;
    double last_v = 0, total = 0;

    for (size_t k = 0; k < n; k++) {
        AN_TRY(an_chunk_iter_open(it, parts[k].codec, parts[k].data, err));
        for (;;) {
            AN_TRY(an_chunk_fill(it, err));
            if (it->n == 0) break;
            for (uint32_t i = 0; i < it->n; i++) {
                int64_t t = it->t[i];
                double v = an_float(it->v[i]);
                if (isnan(v)) continue;
                if (begun && t <= last_t) {
                    if (t == last_t) last_v = v; /* the true last value of a chunk */
                    continue;
                }
                total = !begun ? v : v >= last_v ? total + (v - last_v) : total + v;
                last_v = v;
                last_t = t;
                begun = true;
                if (last_t < wanted) continue;
                wanted = INT64_MIN;
                if (t >= 0) AN_TRY(an_ds_floats_add(d, out, t, an_float_bits(total), err));
            }
        }
        /* After a chunk the time has to advance, from 0 at first. */
        if (last_t >= wanted) wanted = last_t < INT64_MAX ? last_t + 1 : last_t;
    }
    *last = last_v;
out:
    return rc;
}

static an_rc make_counter(an_ds *d, size_t n, an_aggr *aggr, span *s, an_err *err)
{
    an_rc rc = AN_OK;
    an_ds_floats *in = &d->in[AN_AGGR_COUNTER], *made = &d->made;
    double last;

    AN_TRY(an_ds_counter(d, d->counters, n, in, &last, err));
    if (in->n == 0) goto out;
    AN_TRY(an_ds_floats_add(d, made, in->t[0], in->v[0], err));
    AN_TRY(windows_of(d, AN_AGGR_COUNTER, in, s, err));
    AN_TRY(an_ds_floats_add(d, made, made->t[made->n - 1], an_float_bits(last), err));
    AN_TRY(an_ds_encode(d, AN_AGGR_COUNTER, made->n, made->t, made->v, aggr, err));
out:
    return rc;
}

/* ---- batches of floats ---- */

static an_rc read_float_chunk(an_ds *d, const an_ds_chunk *c, size_t *n_counters, an_ds_gaps *gaps,
                              an_err *err)
{
    an_rc rc = AN_OK;
    bool counted = false;
    an_aggr_part part;

    d->times.n = 0;
    for (int i = AN_AGGR_COUNT; i <= AN_AGGR_MAX; i++)
        AN_TRY(read_floats(d, c, i, &counted, gaps, err));
    AN_TRY(get_part(d, c, AN_AGGR_COUNTER, AN_VAL_FLOAT, &part, err));
    if (part.codec != NULL) d->counters[(*n_counters)++] = part;
out:
    return rc;
}

/* One aggregate of a batch; without samples it is absent, and says that the chunk begins at 0. */
static an_rc make_part(an_ds *d, int which, an_aggr *aggr, span *s, an_ds_gaps *gaps, an_err *err)
{
    an_rc rc = AN_OK;

    d->made.n = 0;
    if (d->in[which].n == 0) {
        gaps->absent[which] = true;
        include(s, 0);
        goto out;
    }
    AN_TRY(windows_of(d, which, &d->in[which], s, err));
    AN_TRY(an_ds_encode(d, which, d->made.n, d->made.t, d->made.v, aggr, err));
out:
    return rc;
}

static an_rc float_batch(an_ds *d, const an_ds_chunk *c, size_t n, an_ds_gaps *gaps, an_err *err)
{
    an_rc rc = AN_OK;
    span s = {INT64_MAX, INT64_MIN};
    an_aggr aggr = {0};
    size_t n_counters = 0;

    if (n > d->counters_cap) {
        d->counters = an_arena_try(d->arena, n, sizeof *d->counters);
        AN_CHECK(d->counters != NULL, err, AN_ELIMIT, "no memory for %zu counters", n);
        d->counters_cap = n;
    }
    for (int i = 0; i < AN_AGGR__COUNT; i++) d->in[i].n = 0;
    for (size_t i = 0; i < n; i++) AN_TRY(read_float_chunk(d, &c[i], &n_counters, gaps, err));
    for (int i = AN_AGGR_COUNT; i <= AN_AGGR_MAX; i++)
        AN_TRY(make_part(d, i, &aggr, &s, gaps, err));
    d->made.n = 0;
    rc = make_counter(d, n_counters, &aggr, &s, err);
    if (rc != AN_OK) {
        (void)an_ds_at(d, c[0].ref, rc, err);
        goto out;
    }
    an_task_emit_aggr(d->out, s.mint, s.maxt, &aggr);
out:
    return rc;
}

an_rc an_ds_aggr_floats(an_ds *d, const an_ds_chunk *c, size_t n, size_t size, an_ds_gaps *gaps,
                        an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t from = 0; from < n; from += size)
        AN_TRY(float_batch(d, c + from, n - from < size ? n - from : size, gaps, err));
out:
    return rc;
}

/* ---- batches of histograms ---- */

static an_rc read_hists(an_ds *d, const an_ds_chunk *c, int which, an_err *err)
{
    an_rc rc = AN_OK;
    an_aggr_part part;
    an_sample s;
    int64_t last = 0;

    AN_TRY(get_part(d, c, which, AN_VAL_FHIST, &part, err));
    if (part.codec == NULL) goto out;
    AN_TRY(an_ds_at(d, c->ref, an_chunk_iter_open(&d->it, part.codec, part.data, err), err));
    for (;;) {
        AN_TRY(an_ds_at(d, c->ref, an_chunk_next(&d->it, &s, err), err));
        if (s.type == AN_VAL_NONE) break;
        if (s.h->sum == AN_STALE_NAN || s.t < last) continue;
        last = s.t;
        AN_TRY(an_ds_hists_add(&d->hists, s.t, s.h, err));
    }
out:
    return rc;
}

typedef struct hist_part {
    an_ds *d;
    int which;
    span *s;
} hist_part;

static an_rc hist_window(void *arg, int64_t t, an_ds_hist_agg *a, an_err *err)
{
    const hist_part *p = arg;

    include(p->s, t);
    return an_ds_append_hist(&p->d->enc[p->which], t,
                             p->which == AN_AGGR_COUNTER ? &a->counter : &a->sum, err);
}

static bool is_custom(const an_ds_hist *h) { return h->h.schema == AN_HIST_CUSTOM; }

static an_rc make_hist_part(an_ds *d, const an_ds_chunk *c, size_t n, int which, an_aggr *aggr,
                            span *s, an_err *err)
{
    an_rc rc = AN_OK;
    const an_ds_hists *h = &d->hists;
    hist_part p = {d, which, s};
    bool whole = true;

    an_ds_hists_clear(&d->hists);
    for (size_t i = 0; i < n; i++) AN_TRY(read_hists(d, &c[i], which, err));
    for (size_t i = 1; i < h->n; i++) whole = whole && is_custom(&h->v[i]) == is_custom(&h->v[0]);
    if (h->n == 0 || !whole) {
        rc = AN_FAIL(err, AN_ECORRUPT, "invalid size: %s in aggregate %s of %zu chunks",
                     h->n == 0 ? "no histogram" : "two kinds of buckets", an_aggr_name(which), n);
        (void)invalid(d, c, err);
        goto out;
    }
    AN_TRY(an_ds_agg(d, err));
    an_ds_start_hist(d, which);
    AN_TRY(an_ds_hist_windows(d->agg, h->v, h->n, d->to,
                              which == AN_AGGR_COUNTER ? AN_DS_COUNTER : AN_DS_SUM, hist_window, &p,
                              err));
    an_ds_finish_hist(d, which, aggr);
out:
    return rc;
}

static an_rc hist_batch(an_ds *d, const an_ds_chunk *c, size_t n, an_ds_gaps *gaps, an_err *err)
{
    an_rc rc = AN_OK;
    span s = {INT64_MAX, INT64_MIN};
    an_aggr aggr = {0};
    bool counted = false;

    AN_TRY(make_hist_part(d, c, n, AN_AGGR_COUNTER, &aggr, &s, err));
    AN_TRY(make_hist_part(d, c, n, AN_AGGR_SUM, &aggr, &s, err));
    d->in[AN_AGGR_COUNT].n = 0;
    for (size_t i = 0; i < n; i++) {
        d->times.n = 0;
        AN_TRY(read_floats(d, &c[i], AN_AGGR_COUNT, &counted, gaps, err));
    }
    AN_TRY(make_part(d, AN_AGGR_COUNT, &aggr, &s, gaps, err));
    an_task_emit_aggr(d->out, s.mint, s.maxt, &aggr);
out:
    return rc;
}

/* Has the chunk's counter custom buckets? */
static an_rc find_kind(an_ds *d, const an_ds_chunk *c, bool *custom, an_err *err)
{
    an_rc rc = AN_OK;
    an_aggr_part part;
    an_sample s;

    AN_TRY(get_part(d, c, AN_AGGR_COUNTER, AN_VAL_FHIST, &part, err));
    AN_TRY(an_ds_at(d, c->ref, an_chunk_iter_open(&d->it, part.codec, part.data, err), err));
    AN_TRY(an_ds_at(d, c->ref, an_chunk_next(&d->it, &s, err), err));
    *custom = s.type != AN_VAL_NONE && s.h->schema == AN_HIST_CUSTOM;
out:
    return rc;
}

/* Where exponential buckets follow custom ones a batch ends: upstream crashes. */
an_rc an_ds_aggr_hists(an_ds *d, const an_ds_chunk *c, size_t n, size_t size, an_ds_gaps *gaps,
                       an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t from = 0; from < n;) {
        size_t end = n - from < size ? n : from + size;
        while (from < end) {
            bool first, next;
            size_t to = from + 1;
            AN_TRY(find_kind(d, &c[from], &first, err));
            for (; to < end; to++) {
                AN_TRY(find_kind(d, &c[to], &next, err));
                if (next != first) break;
            }
            AN_TRY(hist_batch(d, c + from, to - from, gaps, err));
            from = to;
        }
    }
out:
    return rc;
}

/* ---- chunks that are no aggregates ---- */

static an_slice payload_of(const an_task_out *out, size_t i)
{
    const an_chunk_meta *m = (const an_chunk_meta *)(const void *)out->metas.p;
    an_cursor c =
        an_cursor_of(an_slice_of(out->frames.p + m[i].ref, out->frames.n - (size_t)m[i].ref));
    uint64_t len = an_cursor_uvarint(&c);

    (void)an_cursor_u8(&c); /* the encoding */
    return an_cursor_take(&c, len);
}

/* Raw samples in a downsampled block become aggregates of 5 min, in their place; chunks without
 * samples go. *n_made[i]: how many chunk i has become in `made`. */
static an_rc repair(an_ds *d, const an_task_chunk *c, size_t n, an_task_out *made, uint32_t *n_made,
                    an_err *err)
{
    an_rc rc = AN_OK;
    an_task_out *out = d->out;
    int64_t to = d->to;

    d->out = made;
    d->to = AN_RES_5M;
    for (size_t i = 0; i < n; i++) {
        size_t before = made->metas.n / sizeof(an_chunk_meta);
        uint32_t samples;
        an_task_chunk alone = c[i];
        if (c[i].encoding == AN_ENC_AGGR) continue;
        AN_TRY(an_chunk_count(an_chunk_codec_of(c[i].encoding), c[i].data, &samples, err));
        alone.mint = INT64_MIN; /* nothing rests on what the index says of it */
        alone.maxt = INT64_MAX;
        if (samples > 0) AN_TRY(an_ds_raw(d, &alone, 1, err));
        AN_CHECK(!made->frames.failed && !made->metas.failed, err, AN_ELIMIT,
                 "no memory for raw samples in a downsampled block");
        n_made[i] = (uint32_t)(made->metas.n / sizeof(an_chunk_meta) - before);
    }
out:
    d->out = out;
    d->to = to;
    return rc;
}

static size_t list_chunks(const an_task_chunk *c, size_t n, const an_task_out *made,
                          const uint32_t *n_made, an_ds_chunk *out)
{
    const an_chunk_meta *m = (const an_chunk_meta *)(const void *)made->metas.p;
    size_t k = 0, at = 0;

    for (size_t i = 0; i < n; i++) {
        if (c[i].encoding == AN_ENC_AGGR)
            out[k++] = (an_ds_chunk){c[i].mint, c[i].maxt, c[i].data, c[i].ref};
        for (uint32_t j = 0; j < n_made[i]; j++, at++)
            out[k++] = (an_ds_chunk){m[at].mint, m[at].maxt, payload_of(made, at), c[i].ref};
    }
    return k;
}

/* ---- runs ---- */

/* A counter of histograms makes a chunk of histograms; what cannot be read counts as floats. */
static bool is_hist(const an_ds_chunk *c)
{
    an_aggr_part part;
    an_err ignored; /* whoever reads the counter will say so */

    return an_aggr_get(c->data, AN_AGGR_COUNTER, &part, &ignored) == AN_OK &&
           part.codec->type != AN_VAL_FLOAT;
}

static an_rc do_run(an_ds *d, const an_ds_chunk *c, size_t n, int64_t from, an_ds_gaps *gaps,
                    an_err *err)
{
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_AGGR);
    uint64_t samples = 0;

    for (size_t i = 0; i < n; i++) samples += codec->count(c[i].data);
    size_t size = n / an_ds_target_chunks(c[0].mint, c[n - 1].maxt, from, d->to, samples);
    if (size == 0) size = 1; /* upstream does not end */
    return is_hist(&c[0]) ? an_ds_aggr_hists(d, c, n, size, gaps, err)
                          : an_ds_aggr_floats(d, c, n, size, gaps, err);
}

an_rc an_ds_aggr(an_ds *d, const an_task_chunk *c, size_t n, int64_t from, an_ds_gaps *gaps,
                 an_err *err)
{
    an_rc rc = AN_OK;
    an_task_out made;
    uint32_t *n_made = an_arena_try(d->arena, n, sizeof *n_made);

    an_buf_init(&made.frames, SIZE_MAX, d->out->frames.budget);
    an_buf_init(&made.metas, SIZE_MAX, d->out->metas.budget);
    AN_CHECK(n_made != NULL, err, AN_ELIMIT, "no memory for %zu chunks", n);
    AN_TRY(repair(d, c, n, &made, n_made, err));
    size_t most = n + made.metas.n / sizeof(an_chunk_meta);
    an_ds_chunk *all = an_arena_try(d->arena, most, sizeof *all);
    AN_CHECK(all != NULL, err, AN_ELIMIT, "no memory for %zu chunks", most);
    most = list_chunks(c, n, &made, n_made, all);
    for (size_t i = 0, to; i < most; i = to) {
        for (to = i + 1; to < most && is_hist(&all[to]) == is_hist(&all[i]); to++) {}
        AN_TRY(do_run(d, all + i, to - i, from, gaps, err));
    }
out:
    an_buf_deinit(&made.frames);
    an_buf_deinit(&made.metas);
    return rc;
}
