// SPDX-License-Identifier: Apache-2.0
/* compact/merge/series_merge.h: the inputs' cursors as one stream of series in label order.
 *
 * Inputs whose present labels are equal form one merge set. The order inside a set decides which
 * sample wins where two say different things about one time, so it is upstream's, to the letter:
 * the pop order of a binary heap with base/heap.h's discipline, into which all inputs are pushed at
 * the start in plan order, and the members of the last set, advanced, in member order, while all
 * others stay where they are (spec/compaction.md 6.3). Threads: one. */
#pragma once
#include "base/heap.h"
#include "compact/merge/cursor.h"

typedef struct an_series_merge {
    an_heap heap;
    an_series_cursor **set;    /* the present merge set, in merge order */
    size_t n_set;              /* 0: no more series */
    an_series_cursor *current; /* the one that was moved last: where an error comes from */
} an_series_merge;

/* Cursors are open and have not been moved; they must outlive the merge. */
void an_series_merge_open(an_series_merge *m, an_series_cursor *cursors, size_t n);
void an_series_merge_close(an_series_merge *m);
/* Advances the members of the present set, and makes the next. */
AN_MUST_CHECK an_rc an_series_merge_next(an_series_merge *m, an_err *err);
