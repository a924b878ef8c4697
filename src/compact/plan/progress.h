// SPDX-License-Identifier: Apache-2.0
/* compact/plan/progress.h: which blocks are due for downsampling, and how much work is left.
 * spec/compaction.md 1.3 and 1.5. Oracle: golden/vectors/todo. Threads: plain functions. */
#pragma once
#include "compact/plan/clean.h"
#include "compact/plan/plan.h"

/* Width from which on a block is downsampled, ms. */
#define AN_DOWNSAMPLE_RAW_MS INT64_C(144000000) /* 40 h, raw to 5m */
#define AN_DOWNSAMPLE_5M_MS INT64_C(864000000)  /* 10 d, 5m to 1h */

/* Appends a DOWNSAMPLE for each block that is wide enough and whose sources are not all in blocks
 * of the next resolution, ids ascending. A block with a no-downsample mark or a bad verdict is not
 * scheduled, but still counts as cover. */
void an_downsample_due(an_arena *a, const an_plan_block *const *b, size_t n, an_outcomes *out);

typedef struct an_todo {
    uint64_t compactions, compaction_blocks, downsample_blocks, deletion_blocks;
} an_todo;

/* The four estimates. Compactions are simulated with upstream's bare planner until nothing is due;
 * each simulated block has an identity of its own (upstream's may share one). */
void an_todo_count(an_arena *a, const an_group *groups, size_t n, const an_plan_opts *opts,
                   const an_retention *r, an_todo *out);
