// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/bounds.h: what the index of a merge will need, from the heads of its inputs' indexes
 * and their postings tables, before a chunk is read: the limits of spec/tsdb-block.md 4.2.
 *
 *   an_index_bounds_of        upper bounds from the heads alone. Safe: nothing can go wrong, which
 *                             is the answer for all but the largest blocks.
 *   an_index_bounds_postings  else: lower bounds from the union of the postings tables. Over a
 *                             limit: the plan cannot succeed.
 *   in between                only the merge itself can tell: an index writer fed with its entries
 *                             and a sink that drops the bytes fails as the real one would.
 *
 * Lower bounds hold where every series of every input gets into the result. The writer checks
 * again as it writes. Threads: one per call. */
#pragma once
#include "tsdb/index/index_reader.h"

/* A test builds this folder with small limits, to meet them. */
#ifndef AN_INDEX_MAX
#define AN_INDEX_MAX (UINT64_C(16) * UINT32_MAX) /* file: 64 GiB, what series ids can address */
#define AN_SECTION_MAX UINT32_MAX                /* symbols, postings table, one postings list */
#endif

typedef struct an_index_bounds { /* bytes; sections without their length and CRC */
    uint64_t symbols_lo, symbols_hi;
    uint64_t postings_table_lo, postings_table_hi;
    uint64_t file_lo, file_hi;
} an_index_bounds;

void an_index_bounds_of(const an_index *inputs, size_t n, an_index_bounds *out);
/* No merge of these inputs can meet a limit. */
bool an_index_bounds_safe(const an_index_bounds *b);
/* Raises the lower bounds by one walk over the inputs' postings tables, side by side; sources[i]
 * is over inputs[i]. Inputs of version 1, whose tables are in no order, do not count. A caller that
 * has united the symbols already puts their size into symbols_lo first. */
AN_MUST_CHECK an_rc an_index_bounds_postings(const an_index *inputs, const an_source *sources,
                                             size_t n, an_budget *budget, an_index_bounds *io,
                                             an_err *err);
/* AN_ELIMIT, cause symbols-4g or index-64g, when a lower bound is above its limit. */
AN_MUST_CHECK an_rc an_index_bounds_check(const an_index_bounds *b, an_err *err);
