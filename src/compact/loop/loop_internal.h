// SPDX-License-Identifier: Apache-2.0
/* compact/loop/loop_internal.h: what the parts of the loop share. Threads: see each field. */
#pragma once
#include <stdatomic.h>

#include "base/duration.h"

#include "bucket/block_presence.h"
#include "compact/loop/loop.h"
#include "compact/loop/trouble.h"
#include "compact/loop/view.h"

struct an_loop {
    an_loop_opts o;
    an_troubles *troubles; /* internally locked */
    an_pool *groups;       /* concurrency - 1 threads: the caller of a pass works too */
    an_viewer *viewer;     /* one thread */
    atomic_bool stop;      /* no further group is begun in this iteration */
    atomic_size_t compactions;
    atomic_uint_least64_t bytes_read, bytes_written;
};

/* Unix ms. */
int64_t an_loop_now_ms(const an_loop *l);

/* One group, planned and compacted until nothing is due: compact/loop/group.c. True in *changed:
 * the bucket is not what the view says any more. Troubles are recorded; only AN_ECANCELED is
 * returned. */
AN_MUST_CHECK an_rc an_loop_group(an_loop *l, an_ctx *ctx, const an_view *view, const an_group *g,
                                  bool *changed, an_err *err);

/* The parts besides compaction: compact/loop/clean.c. Failures are recorded; only AN_ECANCELED is
 * returned. *look_again: a partial upload must be seen in a second listing. */
AN_MUST_CHECK an_rc an_loop_clean_marked(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v,
                                         an_err *err);
AN_MUST_CHECK an_rc an_loop_garbage(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v,
                                    an_err *err);
AN_MUST_CHECK an_rc an_loop_retention(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v,
                                      an_err *err);
AN_MUST_CHECK an_rc an_loop_partials(an_loop *l, an_ctx *ctx, const an_view *v, bool *look_again,
                                     an_err *err);
/* Names every block that is due; how many. */
size_t an_loop_due_downsample(an_loop *l, an_arena *a, const an_view *v);

/* Writes one mark (kind, details and reason of `what`) and logs it. AN_OK when one is there
 * already: *written (may be NULL) stays as it is then. The write is not cut short by the end of
 * ctx: a result whose sources are only half marked would be work for the next run. */
AN_MUST_CHECK an_rc an_loop_mark(an_loop *l, const an_log *log, const an_plan_block *b,
                                 const an_mark *what, bool *written, an_err *err);

/* Records and logs an error: `group isolated`, `group failed`. *err may have no group (key and
 * labels empty). Not for cancellations. */
void an_loop_trouble(an_loop *l, an_trouble_from from, an_slice key, an_slice labels,
                     const an_ulid *blocks, size_t n, const an_err *err);
/* The same for a block that a sync could not judge. */
void an_loop_unjudged(an_loop *l, const an_view *v, const an_state_block *b);
/* The same for an outcome of planning: ISOLATE, or a finding (HOLD, LEAVE_OUT, REPORT). */
void an_loop_outcome(an_loop *l, const an_log *log, an_slice labels, const an_outcome *o);
