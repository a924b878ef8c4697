// SPDX-License-Identifier: Apache-2.0
/* compact/merge/batch.h: the unit that travels from the merge to a worker to the commit: some
 * series in output order, with the bytes of all their chunks.
 *
 *   in      frame frame frame │ frame frame │ frame ...     as copied from the inputs
 *   tasks   ──── series 1 ────┤── series 2 ─┤
 *
 * For series that pass through, `in` IS the output: the frames lie there in output order, so a
 * batch of such series is committed with one write. A series too long for one batch continues in
 * the next (`first`, `last`). A series that needs a fold stands in one batch whole; the fold's
 * frames go to `out`.
 *
 * A batch is filled by the merge thread, worked on by one worker (an_batch_work: every frame
 * checked, folds run, samples counted), then read by the commit. Its buffers keep their size when
 * it is reset. Threads: one at a time. */
#pragma once
#include "base/pool.h"
#include "compact/merge/frame.h"
#include "compact/merge/task.h"

typedef struct an_batch_frame {
    uint64_t ref; /* in its input */
    uint32_t len, input;
} an_batch_frame;

typedef struct an_batch_member { /* of a fold */
    size_t input, frame, n_frames, cut, n_cuts;
} an_batch_member;

typedef struct an_batch_task {
    size_t label, n_labels;   /* into labels: 2 * n_labels ordinals */
    size_t frame, n_frames;   /* into frames and metas */
    size_t member, n_members; /* into members; none: passes through */
    size_t out, n_out;        /* a fold's results: into out.metas */
    bool first, last;         /* parts of a series; both for a whole one */
} an_batch_task;

typedef struct an_batch_opts {
    size_t limit; /* bytes of frames after which it is full */
    const an_block_reader *const *inputs;
    size_t n_inputs;
    const an_fold *fold; /* may be NULL when no task has members */
    int64_t mint, maxt;  /* of the result: no chunk of a fold may leave [mint, maxt], ms */
    an_budget *budget;   /* pays for everything a batch holds */
} an_batch_opts;

typedef struct an_batch {
    an_work work; /* for the pool */
    an_batch_opts o;
    an_buf in, frames, metas, tasks, labels, members, cuts;
    an_task_out out;
    an_arena *scratch;
    an_chunk_iter *decoder;
    /* what an_batch_work found */
    an_rc rc;
    an_err err;
    size_t bad_task;         /* where rc comes from */
    an_sample_counts counts; /* of the results */
    uint64_t n_chunks, n_series;
    uint64_t *input_samples; /* per input, header counts of the frames read */
    uint64_t *input_plain;   /* per input, chunks of raw samples in a block of aggregates */
} an_batch;

/* What the options point to stays the caller's. */
AN_MUST_CHECK an_rc an_batch_init(an_batch *b, const an_batch_opts *opts, an_err *err);
void an_batch_deinit(an_batch *b); /* a zeroed one is fine */
void an_batch_reset(an_batch *b);
bool an_batch_full(const an_batch *b);
bool an_batch_empty(const an_batch *b);

/* A series begins (or continues: first is false). */
AN_MUST_CHECK an_rc an_batch_begin(an_batch *b, const uint32_t *labels, size_t n_labels, bool first,
                                   an_err *err);
/* Appends the frames of chunks m[0..n) of one input. Stops early when the batch is full, unless
 * `whole`; *taken says how many went in, at least one when the batch was empty. */
AN_MUST_CHECK an_rc an_batch_take(an_batch *b, size_t input, an_chunk_reader *c,
                                  const an_chunk_meta *m, size_t n, bool whole, size_t *taken,
                                  an_err *err);
/* The frames taken since the last an_batch_member_end or an_batch_begin are a member of a fold. */
AN_MUST_CHECK an_rc an_batch_member_end(an_batch *b, size_t input, an_intervals cuts, an_err *err);
void an_batch_end(an_batch *b, bool last);

/* A series that did not fit is taken out again, as if it had never begun. */
typedef struct an_batch_mark {
    size_t in, frames, metas, tasks, labels, members, cuts;
} an_batch_mark;
an_batch_mark an_batch_mark_of(const an_batch *b);
void an_batch_rollback(an_batch *b, an_batch_mark m);

/* Checks, folds, counts; sets rc and err. Again is fine: what it found before is forgotten. */
void an_batch_work(an_batch *b);

/* The tasks, the ordinals that they point into, and the chunks of those that pass or were folded.
 */
static inline const uint32_t *an_batch_labels(const an_batch *b, const an_batch_task *t)
{
    const void *v = b->labels.p;
    return (const uint32_t *)v + t->label;
}
static inline an_chunk_meta *an_batch_metas(const an_buf *metas)
{
    void *v = metas->p;
    return v;
}
static inline an_batch_task *an_batch_tasks(const an_batch *b, size_t *n)
{
    void *v = b->tasks.p;
    *n = b->tasks.n / sizeof(an_batch_task);
    return v;
}
