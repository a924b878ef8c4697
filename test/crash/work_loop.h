// SPDX-License-Identifier: Apache-2.0
/* crash/work_loop.h: a whole iteration over the bucket as work in a sandbox: what `anneal compact`
 * does once, without the command line. Threads: one, or those of `workers`. */
#pragma once
#include "crash/sandbox.h"

typedef struct work_loop {
    int64_t delete_delay_ms;
    size_t workers;       /* of the jobs; 0: none, so that steps come in one order */
    unsigned concurrency; /* groups at once; 0: 1 */
} work_loop;

an_rc work_loop_run(const void *arg, const sandbox *s, an_err *err);
