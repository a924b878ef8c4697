// SPDX-License-Identifier: Apache-2.0
/* compact/merge/chain.h: the samples of overlapping chunks, one per time.
 *
 * Several streams become one that rises strictly. The stream that gave the last sample goes on as
 * long as its next time is below that of all others; else it is queued, and the first of the queue
 * takes over. So where two have the same time, it is the queued one's sample that stays; with three
 * or more, they take turns. Which one that is shows in the result's bytes: the queue is the heap of
 * base/heap.h, which keeps upstream's order of equal elements. No value is computed, no type and no
 * stale marker preferred. spec/compaction.md 6.5, 6.6. Threads: one. */
#pragma once
#include "tsdb/chunk/feed.h"
#include "tsdb/chunk/reencode.h"

/* Merges n >= 1 pieces, in the order upstream lists them, into `re`, which has begun and is not
 * ended here. */
AN_MUST_CHECK an_rc an_chain_merge(an_readers *readers, const an_piece *const *pieces, size_t n,
                                   an_reencoder *re, an_err *err);
