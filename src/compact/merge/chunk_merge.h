// SPDX-License-Identifier: Apache-2.0
/* compact/merge/chunk_merge.h: the fold of a compaction: chunks of one series from several blocks.
 *
 *   members' chunks ─► cut ─► heap by (mint, maxt) ─► alone: as it is
 *                                     ▲            └► overlapping: samples merged, new chunks
 *                                     └── all but the first of the new chunks ──┘
 *
 * Cut: what a member's tombstones and the result's range leave of a chunk; an aggregate chunk that
 * would have to be cut is left out as a whole, as upstream does. One member: that is all.
 *
 * Several: the earliest chunk is taken, and after it every one that begins no later than the latest
 * end so far; one that equals the one taken before it (range and bytes) is dropped. If nothing else
 * was found, the chunk goes out as it came. Else their samples are merged, by the chain (chain.h)
 * or by penalty (compact/dedup/penalty.h), and re-encoded; the first new chunk goes out, and the
 * others come back as one more stream, so that they may overlap with what follows.
 *
 * spec/compaction.md 6.4, 6.5, 7. A pure function of the task; all memory is in its scratch arena.
 * Aggregate chunks that overlap cannot be merged by the chain: AN_EHALT, vertical-downsampled. */
#pragma once
#include "compact/merge/task.h"

typedef enum an_merge_func { AN_MERGE_CHAIN, AN_MERGE_PENALTY } an_merge_func;

/* A fold for any number of threads. */
an_fold an_chunk_merge_fold(an_merge_func func);
