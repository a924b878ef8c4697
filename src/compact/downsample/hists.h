// SPDX-License-Identifier: Apache-2.0
/* compact/downsample/hists.h: histograms of one batch, and their windows.
 *
 *   decoder ─► an_ds_hists ─► an_ds_hist_agg ─► counter, sum ─► an_ds_append_hist ─► sub-chunks
 *              kept, as floats  window by window
 *
 * A batch is kept whole: the smallest schema in it and its last time must be known before the first
 * window is closed. Buckets lie in a pool that is used again for the next batch; histograms of one
 * layout share their spans. spec/downsampling.md 4. Threads: one. */
#pragma once
#include "compact/downsample/fhist.h"
#include "tsdb/chunk/chunk.h"

typedef struct an_ds_hist {
    int64_t t;
    an_hist h; /* is_float; shows into the pool */
} an_ds_hist;

typedef struct an_ds_slab an_ds_slab;

typedef struct an_ds_hists {
    an_arena *arena;
    an_ds_hist *v;
    size_t n, cap;
    an_ds_slab *slabs, *at; /* the pool: all of it, and where it is being filled */
    size_t next_words;
} an_ds_hists;

/* Empty; everything is kept in `a`. clear keeps the memory. */
void an_ds_hists_init(an_ds_hists *b, an_arena *a);
void an_ds_hists_clear(an_ds_hists *b);
/* Keeps a copy. Integer buckets become floats: running sums of the deltas. */
AN_MUST_CHECK an_rc an_ds_hists_add(an_ds_hists *b, int64_t t, const an_hist *h, an_err *err);

typedef struct an_ds_hist_agg {
    int32_t schema; /* the smallest of the batch: all others are reduced to it */
    uint64_t total; /* histograms so far */
    uint64_t count; /* in the present window */
    an_fhist counter;
    an_fhist sum; /* of the present window; always a gauge */
    an_fhist delta, reduced[2];
    unsigned turn;
    const an_hist *previous;
} an_ds_hist_agg;

/* Nothing aggregated yet. */
void an_ds_hist_agg_init(an_ds_hist_agg *a, an_arena *arena);

typedef enum an_ds_hist_want { AN_DS_COUNTER = 1, AN_DS_SUM = 2 } an_ds_hist_want;

/* Called at the end of each window, with its time. */
typedef an_rc an_ds_hist_window(void *arg, int64_t t, an_ds_hist_agg *a, an_err *err);

/* All windows of n > 0 histograms, of which none or all have custom buckets. What is not wanted is
 * not computed. */
AN_MUST_CHECK an_rc an_ds_hist_windows(an_ds_hist_agg *a, const an_ds_hist *v, size_t n,
                                       int64_t resolution, unsigned want, an_ds_hist_window *window,
                                       void *arg, an_err *err);

/* Appends to a chunk of float histograms that was started. As upstream: where h does not fit, a new
 * chunk with nothing but h replaces the open one; where h lacks buckets of the chunk, h gets them.
 */
AN_MUST_CHECK an_rc an_ds_append_hist(an_chunk_enc *e, int64_t t, an_fhist *f, an_err *err);
