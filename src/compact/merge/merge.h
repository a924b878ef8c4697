// SPDX-License-Identifier: Apache-2.0
/* compact/merge/merge.h: many blocks become one, as a stream (spec/compaction.md 6).
 *
 *   symbols of all inputs ─► union, one map per input
 *   series cursors ─► k-way merge ─► batch ─► worker ─► commit ─► segments, index
 *                     (this thread)  │  ▲     (pool)    (this thread, in order)
 *                                    └──┴─ a ring of batches: bounded bytes between the two ends
 *
 * The calling thread merges and commits; workers check frames and run folds. While all batches of
 * the ring are out, it waits for the oldest (or works on it itself, when no worker has begun) and
 * commits it. With no pool it does everything, one batch at a time. The bytes are the same.
 *
 * An error is the first one in output order, however the work was spread: before a damaged index
 * entry is reported, the chunks of all series before it are checked. Which input a human would
 * be told of first is another question: bucket/block_check.h.
 *
 * Memory: windows and batches from `budget`, the maps from `maps`, the symbol table from `symbols`,
 * the index writer from `index`; the latter three spill, and take what they can get before they do.
 *
 * Threads: one, and those of the pool. */
#pragma once
#include "base/pool.h"
#include "bucket/block_writer.h"
#include "bucket/chunk_reader.h"
#include "compact/merge/task.h"
#include "tsdb/index/index_writer.h"
#include "tsdb/tombstones/tombstones.h"

typedef struct an_merge_input {
    const an_block_reader *block;
    const an_tombstones *tombstones; /* NULL: none */
} an_merge_input;

typedef struct an_merge_opts {
    an_ctx *ctx;
    int64_t mint, maxt;  /* range of the result, [mint, maxt) ms */
    bool uncut;          /* nothing outside of that is cut off: what is made of it must be inside */
    unsigned accept;     /* index health checks let pass: tsdb/index/health.h */
    const an_fold *fold; /* NULL: series that need one are AN_EUNSUPPORTED, cause not-built */
    an_pool *pool;       /* workers; NULL: none */
    unsigned n_batches;  /* in the ring, 1 at least */
    size_t batch_bytes;  /* of frames in each */
    uint64_t segment_max; /* AN_SEGMENT_MAX; less in tests */
    an_window_opts symbol_window, series_window, postings_window; /* over the indexes */
    an_chunk_reader_opts chunks;
    an_budget *budget, *maps, *symbols, *index;
    const an_spill *spill;       /* may be NULL: AN_ELIMIT instead */
    void (*progress)(void *arg); /* after each commit; may be NULL */
    void *progress_arg;
} an_merge_opts;

typedef struct an_merge_sums { /* of one input */
    uint64_t n_series;
    uint64_t samples;      /* header counts of the chunks that were read */
    uint64_t dup_samples;  /* of those left out because they are there already */
    uint64_t edge_samples; /* left out because they lie at exactly maxt */
    uint64_t unread_edge;  /* ... in chunks that hold nothing else, and were not read */
    uint64_t dup_chunks;
    uint64_t unread_chunks; /* deleted as a whole: their samples are in no sum */
    uint64_t ooo_labels;    /* accepted */
    uint64_t plain_chunks;  /* of raw samples, in a block of aggregates */
} an_merge_sums;

typedef struct an_merge_result {
    uint64_t samples, float_samples, histogram_samples, series, chunks;
    an_index_written index;
    an_merge_sums *inputs; /* as many as there were; in the arena */
} an_merge_result;

/* inputs in plan order. Nothing is published: that is the caller's, and dropping a result without
 * samples. */
AN_MUST_CHECK an_rc an_merge_run(an_arena *a, const an_merge_input *inputs, size_t n,
                                 const an_merge_opts *opts, an_block_writer *w,
                                 an_merge_result *out, an_err *err);
