// SPDX-License-Identifier: Apache-2.0
/* compact/downsample/downsample.h: the fold that makes a series of 5m or 1h windows.
 *
 *   raw samples ─► windows of 5 min ─► aggregate chunks (encoding 255) ─► windows of 1 h
 *
 * What comes out is what upstream computes, float operation by float operation. Three oddities of
 * it are worth knowing:
 *
 * - A window's time is its last millisecond, but the last window of a chunk ends at the last
 *   sample. So a chunk's range begins with the end of its first window.
 * - Counters are corrected for resets inside one chunk only. Therefore the counter aggregate begins
 *   with the first raw value and ends with the last one, under the time of the last window once
 *   more: who reads on in the next chunk compares with that.
 * - Chunks of 1h data are made of whole chunks of 5m data; a window of 1 h that two of them share
 *   appears twice.
 *
 * What is not upstream's: chunks with start timestamps are read (their samples count, the start
 * timestamps do not); custom and exponential histogram buckets in one chunk, at which upstream
 * crashes, become two chunks; one chunk at least goes into each chunk, where upstream does not end.
 * Aggregate chunks that lack what the result needs are AN_ECORRUPT, cause ds-invalid-size.
 *
 * A series in which no sample is usable gives no chunk. A pure function; all memory is in the
 * task's scratch arena. spec/downsampling.md 2 to 6. */
#pragma once
#include "compact/merge/task.h"

typedef struct an_downsample {
    int64_t resolution; /* of the result, ms */
} an_downsample;

/* For any number of threads; `to` must outlive it. Tasks have one member, whose chunks are in
 * order. */
an_fold an_downsample_fold(const an_downsample *to);
