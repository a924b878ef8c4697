// SPDX-License-Identifier: Apache-2.0
/* compact/plan/overlap.h: overlapping blocks of one group, and what the metas say about the cause.
 *
 * Two blocks overlap when one begins before the other ends (half-open ranges). Evidence is weighed
 * in this order, spec/halts.md 1.1: resolution, hints, lineage, equal blocks, other shapes. Equal
 * windows in one place are a twin; in several windows they are two producers with the same labels
 * (only the samples can tell for sure).
 * Threads: plain functions. */
#pragma once
#include "base/buf.h"
#include "compact/plan/plan.h"

/* Appends upstream's text: `overlaps found while gathering blocks. [mint: ...`, ranges ascending.
 * False, nothing appended: no two of the blocks overlap. Blocks are in ascending order of min time.
 */
bool an_overlap_text(an_arena *a, an_buf *out, const an_plan_block *const *b, size_t n);

/* Appends one ISOLATE for each cause among the overlaps; a REPORT where all overlapping blocks
 * carry no-compact marks, which is somebody's decision to leave them as they are. */
void an_overlap_judge(an_arena *a, const an_group *g, const an_plan_block *const *b, size_t n,
                      an_outcomes *out);

/* Before publishing: the blocks of the group that a result over [mint, maxt) would overlap, other
 * than its inputs. Returns how many; they are copied to out (room for n). */
size_t an_overlap_with_result(const an_plan_block *const *b, size_t n,
                              const an_plan_block *const *inputs, size_t n_inputs, int64_t mint,
                              int64_t maxt, const an_plan_block **out);
