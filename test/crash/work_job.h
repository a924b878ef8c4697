// SPDX-License-Identifier: Apache-2.0
/* crash/work_job.h: one plan as work in a sandbox: look at its blocks, run the job, mark them. With
 * small segments, so that the result has several. Threads: one. */
#pragma once
#include "base/ulid.h"
#include "crash/sandbox.h"

typedef struct work_job {
    size_t n;
    an_ulid blocks[32]; /* the plan */
    uint64_t segment_max;
} work_job;

an_rc work_job_run(const void *arg, const sandbox *s, an_err *err);
