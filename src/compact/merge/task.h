// SPDX-License-Identifier: Apache-2.0
/* compact/merge/task.h: what a worker is given for one series, and what it gives back.
 *
 * A series task is one label set with the inputs that have it. Most tasks never become one: where
 * no chunk touches another and none is cut, the frames go from the window to the output as they
 * are. The others are handed, with all their bytes, to a fold:
 *
 *     members' chunks ──► fold (overlap merge, dedup, trim, downsample) ──► frames and their ranges
 *
 * A fold is a pure function of the task: no clock, no thread number, no state between tasks. So the
 * output does not depend on how many workers there are. Labels are no business of a fold.
 *
 * Ownership: everything in a task is borrowed for the call. Threads: a fold runs on many workers at
 * once, each with an arena and an an_task_out of its own. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "tsdb/chunk/aggr.h"
#include "tsdb/index/index_reader.h"
#include "tsdb/tombstones/tombstones.h"

/* One chunk of one input. The frame was checked: length, CRC, a known encoding, a header. */
typedef struct an_task_chunk {
    int64_t mint, maxt; /* as the index says, both inclusive */
    uint64_t ref;       /* in its input; for texts */
    uint8_t encoding;
    bool cut;       /* touches a cut of its member: samples inside are to be dropped, the rest
                       becomes one chunk (spec/compaction.md 6.1, step 5) */
    an_slice data;  /* the payload, inside `frame` */
    an_slice frame; /* length in the fewest bytes, encoding, data, CRC */
} an_task_chunk;

typedef struct an_task_member {
    size_t input;      /* number of the input, in plan order */
    const char *block; /* its id */
    size_t n_chunks;
    const an_task_chunk *chunks; /* in the order of the input's index */
    an_intervals cuts;           /* tombstones and the ends of the result's range */
} an_task_member;

typedef struct an_task {
    int64_t resolution; /* of the inputs, ms */
    size_t n_members;
    const an_task_member *members; /* in merge order: spec/compaction.md 6.3 and 6.5 */
} an_task;

/* The chunks of one result, in order. A fold appends to what is there and leaves that alone. */
typedef struct an_task_out {
    an_buf frames; /* whole frames back to back */
    an_buf metas;  /* an_chunk_meta each; ref is the frame's offset in `frames` */
} an_task_out;

/* Appends an unchanged chunk. */
void an_task_pass(an_task_out *out, const an_task_chunk *c);
/* Appends a new chunk made of encoding and data; an aggregate chunk made of its parts. All set
 * out->frames.failed or out->metas.failed when the memory is gone; whoever called the fold looks at
 * those. */
void an_task_emit(an_task_out *out, int64_t mint, int64_t maxt, uint8_t encoding, an_slice data);
void an_task_emit_aggr(an_task_out *out, int64_t mint, int64_t maxt, const an_aggr *a);

/* No chunk appended: the series is left out. Damage met while decoding is AN_ECORRUPT with block
 * and, as offset, the chunk's ref; the batch puts the segment and the offset in it there instead.
 */
typedef struct an_fold {
    an_rc (*run)(void *arg, an_arena *scratch, const an_task *t, an_task_out *out, an_err *err);
    void *arg;
    bool every_task; /* also for series whose chunks could pass as they are */
} an_fold;
