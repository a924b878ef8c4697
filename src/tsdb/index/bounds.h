// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/bounds.h: what the index of a merge will need, from the heads of its inputs' indexes,
 * before anything is read or written: the three limits of the format (spec/tsdb-block.md 4.2).
 *
 * `lo` holds for a result that has every series of at least the largest input (nothing deleted or
 * cut away, labels kept): over the limit, the plan cannot succeed. `hi` holds for every merge of
 * these inputs: within the limits, it cannot fail. In between only the merge itself can tell; the
 * writer checks again as it writes. Threads: pure functions. */
#pragma once
#include "tsdb/index/index_reader.h"

#define AN_INDEX_MAX (UINT64_C(16) * UINT32_MAX) /* file: 64 GiB, what series ids can address */
#define AN_SECTION_MAX UINT32_MAX                /* symbols, postings table, one postings list */

typedef struct an_index_bounds {
    struct {
        uint64_t lo, hi;
    } symbols, postings_table, file; /* bytes; sections without length and CRC */
} an_index_bounds;

void an_index_bounds_of(const an_index *inputs, size_t n, an_index_bounds *out);
/* AN_ELIMIT, cause symbols-4g or index-64g, when a lower bound is above its limit. */
AN_MUST_CHECK an_rc an_index_bounds_check(const an_index_bounds *b, an_err *err);
/* No merge of these inputs can meet a limit. */
bool an_index_bounds_safe(const an_index_bounds *b);
