// SPDX-License-Identifier: Apache-2.0
/* crash/sandbox.h: work on a bucket folder in a process of its own, which something happens to.
 *
 *   work ─► fault decorator ─► fs provider ─► files
 *             │ operations       │ steps that change something
 *             └──────────┬───────┘
 *                     numbered from 0: at number n the process dies, or that step fails
 *
 * Dying is _exit: nothing is flushed, closed or removed. What the work gets of the world is its
 * bucket and a clock that stands still; so two runs of the same work write the same bytes.
 * Takes from memory budgets are numbered too (the program is linked with --wrap).
 * Threads: one; the work may have more. */
#pragma once
#include <stdatomic.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/log.h"
#include "objstore/bucket.h"

typedef struct sandbox {
    an_bucket *bucket;
    const char *data_dir; /* exists */
    const an_log *log;
    int64_t now_ns;
} sandbox;

/* The work; the result is that of the run. */
typedef an_rc (*sandbox_work)(const void *arg, const sandbox *s, an_err *err);

typedef struct disturb {
    enum {
        UNDISTURBED,
        DIE,       /* at step `at` */
        FAIL,      /* step `at` fails with `rc` */
        LOSE,      /* bucket operation `at` is done, but its answer is `rc` */
        NO_MEMORY, /* take `at` is refused */
        SHUFFLE    /* each step waits for a random moment; `at` seeds it */
    } how;
    uint64_t at;
    an_rc rc;
    an_cause cause;
} disturb;

enum { SANDBOX_TRACE = 8192, SANDBOX_STEP = 96, SANDBOX_LOG = 1 << 16 };

typedef struct sandbox_result {
    bool died; /* as asked for */
    an_rc rc;
    an_cause cause;
    char msg[480];
    atomic_uint_fast64_t n_steps, n_ops, n_takes; /* n_steps counts the ops too */
    char at[SANDBOX_STEP];                        /* what the disturbed step was */
    char trace[SANDBOX_TRACE][SANDBOX_STEP];      /* "fs rename <key>", "op put <key>" */
    atomic_size_t log_n;
    char log[SANDBOX_LOG];
} sandbox_result;

typedef struct sandbox_run sandbox_run;

/* Starts the work in a child over `dir`/bucket and `dir`/data. */
sandbox_run *sandbox_start(const char *dir, sandbox_work work, const void *arg, int64_t now_ns,
                           const disturb *d);
/* Waits for it. The result is shared memory until sandbox_done. A child that ends by a signal, or
 * that leaks memory, or finds a bug of ours, ends the test. */
sandbox_result *sandbox_wait(sandbox_run *r);
void sandbox_done(sandbox_run *r);
