// SPDX-License-Identifier: Apache-2.0
/* bucket/block_check.h: is a block's index fit to be merged? The door check of a block that no plan
 * has read yet, and the judge when a merge has met damage: upstream verifies every input whole, in
 * plan order, before it merges anything, so what it would name is found by walking the indexes once
 * more in that order. Healthy plans never pay for this.
 *
 * The order of findings is upstream's (spec/compaction.md 5.4): form of the index (header,
 * contents, symbols, postings table, then entry by entry), labels and order of series on the way,
 * and at the end the verdict over the counts. Two findings are ours: a name that stands twice in
 * one label set (ooo-labels), and an entry that is out of place because of its unsorted labels
 * (ooo-labels, where upstream says that the series is out of order). Threads: one. */
#pragma once
#include "bucket/block_reader.h"
#include "tsdb/index/health.h"

/* One entry of a walk, on its way into the counts: AN_ECORRUPT with its cause when the walk ends
 * there. */
AN_MUST_CHECK an_rc an_block_check_entry(const an_block_reader *r, an_index_health *h,
                                         const an_series_entry *e, an_err *err);

/* The whole index. `opts` is for its windows (two at a time); accept as an_index_health_input. *out
 * has the counts when the result is AN_OK; deinit it then. */
AN_MUST_CHECK an_rc an_block_check_index(const an_block_reader *r, const an_window_opts *opts,
                                         unsigned accept, an_index_health *out, an_err *err);
