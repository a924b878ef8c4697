// SPDX-License-Identifier: Apache-2.0
/* compact/merge/measure.h: how large the index of a merge becomes, from the inputs' indexes alone.
 *
 * Run only when cheaper bounds (tsdb/index/bounds.h) leave it open, that is for indexes of several
 * gigabytes: the series are merged once without their chunks, into an index writer whose bytes go
 * nowhere. It refuses what the real one would refuse, hours later.
 *
 * Where all chunks pass through, that is exact: what a chunk's reference will be follows from where
 * it lies in its own segment, as frames lie there back to back. Series that are folded or cut count
 * as one chunk or as nothing, so the result is a lower bound in any case. Threads: one. */
#pragma once
#include "compact/merge/series_merge.h"
#include "tsdb/index/index_writer.h"

/* Cursors are open and have not been moved; they are used up. symbols: of the result. The writer
 * takes its memory from `index` and may spill, as the real one will. AN_ELIMIT, cause index-64g or
 * symbols-4g; and whatever is wrong with the indexes. */
AN_MUST_CHECK an_rc an_measure_index(an_series_cursor *cursors, size_t n, an_strtab *symbols,
                                     uint64_t segment_max, an_budget *index, const an_spill *spill,
                                     an_err *err);
