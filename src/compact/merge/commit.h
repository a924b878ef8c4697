// SPDX-License-Identifier: Apache-2.0
/* compact/merge/commit.h: the one place where order is made: batches come in output order, their
 * frames go to the chunk segments, their series to the index. So the bytes do not depend on who
 * worked on a batch, or when. Threads: one. */
#pragma once
#include "bucket/block_writer.h"
#include "compact/merge/batch.h"
#include "tsdb/index/index_writer.h"
#include "tsdb/segment/segment.h"

typedef struct an_commit {
    an_block_writer *blocks;
    an_index_writer *index;
    an_strtab *symbols;
    uint64_t segment_max; /* AN_SEGMENT_MAX, less in tests */
    /* where the next frame goes */
    uint32_t segment;
    uint64_t pos; /* 0: no segment is open */
    an_segment_cutter cutter;
    an_buf pending; /* chunks of a series that continues in the next batch */
    /* sums */
    an_sample_counts counts;
    uint64_t n_series, n_chunks;
    uint64_t *input_samples; /* per input */
    uint64_t *input_plain;   /* as in a batch */
} an_commit;

/* All borrowed; pending chunks are paid by `budget`. */
void an_commit_init(an_commit *c, an_block_writer *blocks, an_index_writer *index,
                    an_strtab *symbols, uint64_t segment_max, size_t n_inputs, an_budget *budget);
void an_commit_deinit(an_commit *c); /* a zeroed one is fine */

/* A batch that was worked on. Its own error is returned as it is, with the labels of the series in
 * front. */
AN_MUST_CHECK an_rc an_commit_batch(an_commit *c, an_batch *b, an_err *err);

/* Puts `series {a="b", ...}` in front of the text. */
void an_commit_wrap_series(an_strtab *symbols, const uint32_t *labels, size_t n_labels,
                           an_err *err);
