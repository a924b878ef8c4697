// SPDX-License-Identifier: Apache-2.0
/* compact/downsample/series.h: one series at work; for the files of this folder and their tests.
 *
 *   raw chunks ──── runs of floats, runs of histograms ─► batches of samples ─► windows ─┐
 *   aggregate chunks ─ runs of either ─► batches of whole chunks ─► windows ─────────────┤
 *                                                                                        ▼
 *                                     count, sum, min, max, counter: one chunk for each batch
 *
 * Threads: one for each an_ds. */
#pragma once
#include "compact/downsample/hists.h"
#include "compact/merge/task.h"
#include "tsdb/chunk/aggr.h"

/* Samples of a group of sub-chunks, one behind the other. */
typedef struct an_ds_floats {
    size_t n, cap;
    int64_t *t;
    uint64_t *v; /* bits */
} an_ds_floats;

/* The windows of one aggregate chunk of floats. Every array has a place before its first window and
 * one behind its last: the counter begins with the first value and ends with the last one. */
typedef struct an_ds_windows {
    size_t n, cap;
    int64_t *t;                  /* window i is t[i + 1] */
    uint64_t *v[AN_AGGR__COUNT]; /* bits */
} an_ds_windows;

typedef struct an_ds {
    int64_t to; /* length of a window, ms */
    an_arena *arena;
    an_task_out *out;
    const char *block; /* where the chunks come from; for errors */
    an_chunk_iter it;
    an_chunk_enc enc[AN_AGGR__COUNT];
    an_ds_windows windows;
    an_ds_floats in[AN_AGGR__COUNT]; /* of a batch of aggregate chunks */
    an_ds_floats made;
    an_ds_floats times; /* of the counts of one chunk; v is not used */
    an_aggr_part *counters;
    size_t counters_cap;
    an_ds_hists hists;
    an_ds_hist_agg *agg; /* made with the first histogram */
} an_ds;

/* Caller's storage; everything is kept in `a`. */
void an_ds_init(an_ds *d, int64_t to, an_arena *a, an_task_out *out, const char *block);

/* Room for one more sample. */
AN_MUST_CHECK an_rc an_ds_floats_grow(an_ds *d, an_ds_floats *f, an_err *err);

static inline AN_MUST_CHECK an_rc an_ds_floats_add(an_ds *d, an_ds_floats *f, int64_t t, uint64_t v,
                                                   an_err *err)
{
    if (f->n == f->cap) {
        an_rc rc = an_ds_floats_grow(d, f, err);
        if (rc != AN_OK) return rc;
    }
    f->t[f->n] = t;
    f->v[f->n++] = v;
    return AN_OK;
}

/* Encodes n samples as sub-chunk `which` of the chunk being made. */
AN_MUST_CHECK an_rc an_ds_encode(an_ds *d, int which, size_t n, const int64_t *t, const uint64_t *v,
                                 an_aggr *out, an_err *err);
/* Begins sub-chunk `which` of histograms; completes it. */
void an_ds_start_hist(an_ds *d, int which);
void an_ds_finish_hist(an_ds *d, int which, an_aggr *out);
AN_MUST_CHECK an_rc an_ds_agg(an_ds *d, an_err *err); /* makes d->agg */

/* An error about the samples of a chunk, with block and ref. */
an_rc an_ds_at(const an_ds *d, uint64_t ref, an_rc rc, an_err *err);

/* ---- raw.c ---- */

/* What a run turned out to be; a plan made for another one may not fit it. */
typedef struct an_ds_seen {
    uint64_t n;              /* samples, without stale and falling ones */
    int64_t first_t, last_t; /* of those */
} an_ds_seen;

/* How many samples a batch has. */
uint64_t an_ds_batch_size(const an_ds_seen *run, int64_t to);

/* A run of chunks of floats, or of histograms, in batches of `size` samples and what else their
 * last window has. */
AN_MUST_CHECK an_rc an_ds_raw_floats(an_ds *d, const an_task_chunk *c, size_t n, uint64_t size,
                                     an_ds_seen *seen, an_err *err);
AN_MUST_CHECK an_rc an_ds_raw_hists(an_ds *d, const an_task_chunk *c, size_t n, uint64_t size,
                                    an_ds_seen *seen, an_err *err);
/* All chunks of a raw series. */
AN_MUST_CHECK an_rc an_ds_raw(an_ds *d, const an_task_chunk *c, size_t n, an_err *err);

/* ---- aggregates.c ---- */

/* One chunk of a downsampled series. */
typedef struct an_ds_chunk {
    int64_t mint, maxt;
    an_slice data; /* the payload of an aggregate chunk */
    uint64_t ref;
} an_ds_chunk;

/* What the chunks lack, and upstream does not mind: it writes results that nobody can use. */
typedef struct an_ds_gaps {
    bool absent[AN_AGGR__COUNT]; /* no sample in a whole batch: its chunk would begin at time 0 */
    bool unaligned;              /* an aggregate has other times than the count */
    int which;                   /* the first such, ... */
    uint64_t ref;                /* ... and where it is */
} an_ds_gaps;

/* A run of chunks of floats, or of histograms, in batches of `size` chunks. */
AN_MUST_CHECK an_rc an_ds_aggr_floats(an_ds *d, const an_ds_chunk *c, size_t n, size_t size,
                                      an_ds_gaps *gaps, an_err *err);
AN_MUST_CHECK an_rc an_ds_aggr_hists(an_ds *d, const an_ds_chunk *c, size_t n, size_t size,
                                     an_ds_gaps *gaps, an_err *err);
/* All chunks of a series with windows of `from` ms. */
AN_MUST_CHECK an_rc an_ds_aggr(an_ds *d, const an_task_chunk *c, size_t n, int64_t from,
                               an_ds_gaps *gaps, an_err *err);

/* The samples of counter sub-chunks as one series that never falls: *last is the true last value.
 * spec/downsampling.md 5.3. */
AN_MUST_CHECK an_rc an_ds_counter(an_ds *d, const an_aggr_part *parts, size_t n, an_ds_floats *out,
                                  double *last, an_err *err);
