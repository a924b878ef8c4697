// SPDX-License-Identifier: Apache-2.0
/* cli/timeline.h: a bucket drawn over time, one picture per group: `tools bucket timeline`.
 *
 *   0@{cluster="eu1"}   11 blocks  41.2 MiB  3.1M samples
 *     level 3 |[=======][=======]                    |  2 blocks  20.1 MiB
 *     level 1 |                  [][][].[]            |  9 blocks  21.1 MiB
 *              09-13 00:00                   09-15 00:00
 *
 * All groups share one time axis. A block is a bar from `[` to `]`; what is shorter than two
 * columns is one character. Fill: `=` live, `.` marked for deletion, `n` marked for no compaction,
 * `%` where blocks of one row overlap. Threads: plain functions. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "compact/plan/plan.h"

typedef struct an_timeline_block {
    const an_meta *meta;
    uint64_t bytes; /* of all its objects */
    bool deletion, no_compact;
} an_timeline_block;

/* `width`: columns of the whole drawing. */
void an_timeline_draw(an_arena *a, an_buf *out, const an_timeline_block *blocks, size_t n,
                      size_t width);

/* 1536 as `1.5 KiB`, 8377876 as `8.4M`. */
void an_human_bytes(an_buf *out, uint64_t bytes);
void an_human_count(an_buf *out, uint64_t n);
