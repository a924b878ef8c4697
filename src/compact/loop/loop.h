// SPDX-License-Identifier: Apache-2.0
/* compact/loop/loop.h: iterations over a bucket, as spec/compaction.md 1.3 and 1.4, without the
 * halt.
 *
 *   pass: sync ─► remove marked blocks ─► mark covered ones ─► groups ─► plan, jobs, marks ─┐
 *     ▲                                                                                     │
 *     └───────────────── while a pass changed something ────────────────────────────────────┘
 *   then: name what is due for downsampling ─► retention ─► unfinished uploads
 *
 * A group is planned and compacted until nothing is due in it; what this process did itself is
 * applied to its blocks in memory, and the next pass starts from a new listing, so that every
 * iteration ends with a pass that found nothing to do. Groups run side by side as far as
 * `concurrency` and the memory budget allow.
 *
 * An error about one group stops that group (compact/loop/trouble.h); retention and cleaning go on
 * for it too. Sources are marked only after their result was found complete in the bucket.
 *
 * Threads: an_loop_iterate by one at a time. */
#pragma once
#include "base/budget.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/timestamp.h"
#include "bucket/filters.h"
#include "bucket/state.h"
#include "compact/merge/task.h"
#include "compact/plan/clean.h"
#include "compact/plan/identity.h"
#include "compact/plan/plan.h"
#include "objstore/bucket.h"

typedef struct an_loop an_loop;

/* How far a job is: called by the job's thread, a few times a second at most, and once with
 * `ended`. */
typedef struct an_loop_progress {
    an_slice labels; /* of the group, as in the log */
    size_t n_inputs;
    uint64_t done, all; /* bytes read of the inputs */
    int64_t took_ms;
    bool ended;
} an_loop_progress;

typedef struct an_loop_opts {
    an_bucket *bucket;
    an_state_opts state;  /* of the same bucket */
    const char *data_dir; /* exists */
    const an_log *log;
    an_budget *budget;
    an_pool *workers;   /* of the jobs; NULL: each job's own thread does all */
    an_pool *transfers; /* reads ahead and small objects; may be NULL */
    unsigned concurrency;
    an_plan_opts plan;     /* now is set by each pass */
    an_filter_opts filter; /* times and now are set by each pass */
    an_time_or_dur min_time, max_time;
    an_retention retention;
    int64_t delete_delay_ms;
    bool downsampling;    /* name what is due */
    bool halt_process;    /* --halt.scope=process: the first halt-class error ends the iteration */
    bool skip_ooo_chunks; /* --compact.skip-block-with-out-of-order-chunks */
    bool accept_malformed_index;
    bool sha256;
    const an_fold *fold; /* merges overlapping chunks */
    size_t n_options;    /* that change bytes and are not at their default */
    const an_identity_option *options;
    int64_t (*now_ns)(void *arg); /* Unix time */
    void *now_arg;
    void (*progress)(void *arg, const an_loop_progress *p); /* may be NULL */
    void *progress_arg;
} an_loop_opts;

/* opts is copied; what it points to is borrowed. */
AN_MUST_CHECK an_rc an_loop_new(const an_loop_opts *opts, an_loop **out, an_err *err);
void an_loop_free(an_loop *l); /* NULL is fine */

typedef struct an_iteration {
    size_t passes, groups, compactions;
    size_t isolated, failed; /* troubles: groups, blocks, the cleaner */
    size_t due_downsample;   /* blocks */
    uint64_t bytes_read, bytes_written;
} an_iteration;

/* Does everything that can be done now. AN_EHALT: something waits for a human; AN_ERETRY: something
 * failed, or (downsampling) is due and not built yet; the text is upstream's chain. AN_ECANCELED:
 * ctx ended; nothing is half done. *out is filled in any case. */
AN_MUST_CHECK an_rc an_loop_iterate(an_loop *l, an_ctx *ctx, an_iteration *out, an_err *err);
