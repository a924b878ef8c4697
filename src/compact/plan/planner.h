// SPDX-License-Identifier: Apache-2.0
/* compact/plan/planner.h: upstream's planners, as they are: spec/compaction.md 4.1 to 4.3.
 *
 * Input is a group's blocks in ascending order of min time and the set of those that may not be
 * compacted, as one flag per block (`held`). Results are indexes into the blocks. The index size
 * and vertical planners ask for marks; they write none.
 * Oracle: golden/vectors/planner, split. Threads: plain functions. */
#pragma once
#include "compact/plan/plan.h"

typedef enum an_picked_by {
    AN_PICKED_NONE,
    AN_PICKED_OVERLAP,
    AN_PICKED_RANGE,
    AN_PICKED_TOMBSTONES
} an_picked_by;

typedef struct an_wanted_mark {
    size_t block;
    enum { AN_WANT_INDEX_SIZE, AN_WANT_DOWNSAMPLE_OVERLAP } why;
} an_wanted_mark;

typedef struct an_picked {
    an_picked_by by;
    int64_t range; /* ms, by RANGE */
    size_t n;
    size_t *v;     /* ascending */
    size_t failed; /* first block whose `failed` flag kept a due range away; SIZE_MAX: none */
} an_picked;

typedef struct an_wanted_marks { /* in the order in which they are asked for; start with zero */
    size_t n;
    an_wanted_mark *v;
} an_wanted_marks;

/* A run of blocks that lie in one aligned range. */
typedef struct an_part {
    size_t from, n;
} an_part;
/* Cuts the blocks into parts of ranges of `range` ms; blocks that are too long or misaligned belong
 * to none. `parts` has room for n; returns the number of parts. */
size_t an_split(const an_plan_block *const *b, size_t n, int64_t range, an_part *parts);

/* The first cluster of overlapping blocks among b[of[0]], b[of[1]], ...: its elements of `of` are
 * copied to out (room for n); returns how many. */
size_t an_select_overlapping(const an_plan_block *const *b, const size_t *of, size_t n,
                             size_t *out);

/* 4.1: overlaps, ranges, tombstones. */
void an_pick(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b, size_t n,
             const bool *held, an_picked *out);
/* 4.2: the same, with blocks held back until the plan's index sizes stay below 85 % of the limit.
 * AN_ECORRUPT with cause index-missing and the block when a size is neither in meta.json nor in the
 * listing; `marks` then holds those asked for before. */
AN_MUST_CHECK an_rc an_pick_by_index_size(an_arena *a, const an_plan_opts *o,
                                          const an_plan_block *const *b, size_t n, const bool *held,
                                          an_picked *out, an_wanted_marks *marks, an_err *err);
/* 4.3: the same, with downsampled blocks that overlap held back. Used when opts->vertical is set.
 */
AN_MUST_CHECK an_rc an_pick_vertical(an_arena *a, const an_plan_opts *o,
                                     const an_plan_block *const *b, size_t n, const bool *held,
                                     an_picked *out, an_wanted_marks *marks, an_err *err);
