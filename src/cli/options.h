// SPDX-License-Identifier: Apache-2.0
/* cli/options.h: the flags of `compact` as options of the loop, checked in the order and with the
 * texts of upstream's start (spec/operations.md 1.5); after those come our own checks.
 *
 * Ownership: what was opened for the options is closed by an_options_close. Threads: one. */
#pragma once
#include "cli/command.h"
#include "compact/loop/loop.h"
#include "compact/merge/chunk_merge.h"

typedef struct an_options {
    an_loop_opts loop;
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_bucket *bucket;
    an_relabel *selector;
    an_fold fold;
    an_identity_option option; /* of the fold */
    an_budget *metadata, *jobs;
    an_pool *workers, *transfers;
    uint64_t memory_limit;
} an_options;

/* Opens the bucket and everything else that a run needs; logs as upstream's start does. */
AN_MUST_CHECK an_rc an_options_open(an_command *c, an_options *o, an_err *err);
void an_options_close(an_options *o); /* also after a failure; o was zero before the open */

/* The selector of `tools bucket` and `compact`: NULL when no rule is given. */
AN_MUST_CHECK an_rc an_options_selector(const an_flags *fs, an_relabel **out, an_err *err);
/* --min-time and --max-time; empty ones are refused. */
AN_MUST_CHECK an_rc an_options_times(const an_flags *fs, an_time_or_dur *min, an_time_or_dur *max,
                                     an_err *err);
int64_t an_options_now_ns(void *arg); /* the system's clock; arg is not used */
