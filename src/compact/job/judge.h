// SPDX-License-Identifier: Apache-2.0
/* compact/job/judge.h: which defect a human is told of, once a job has failed. Threads: one. */
#pragma once
#include "compact/job/job.h"

/* rc and *err are how the job failed; returns what it is to be reported as.
 *
 * 1. Damage met under a listing that no longer holds (an input's objects are others now, or one has
 *    vanished) is AN_ERETRY: the next sync knows better.
 * 2. Damage is what upstream would name: the indexes of all inputs are verified in plan order, and
 *    the first finding replaces the error. Without one the error stays.
 * 3. Everything else stays as it is. */
an_rc an_job_judge(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *inputs, size_t n,
                   unsigned accept, const an_window_opts *windows, an_rc rc, an_err *err);
