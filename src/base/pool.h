// SPDX-License-Identifier: Apache-2.0
/* base/pool.h: a fixed number of threads that run pieces of work, oldest first: prefetching reads,
 * merge workers.
 *
 * A piece of work is a struct of its submitter with an an_work inside; input, result and error
 * stand beside it, and the pool allocates nothing. Every submitted piece is waited for (or
 * revoked), also after an error: until then its memory belongs to the pool. What one piece may do
 * for long looks at an an_ctx of its own.
 *
 * Who waits for a piece that no thread has begun runs it himself. So work may submit and wait for
 * further work without a deadlock, and a pool of no threads is a plain, ordered call at the wait.
 *
 * Threads: any may submit and wait; internally locked (`mu`, a leaf lock, not held while work
 * runs). One waiter a piece. Pool threads take no signals. */
#pragma once
#include "base/err.h"

#include <stddef.h>

typedef struct an_pool an_pool;

typedef struct an_work {
    void (*run)(struct an_work *w); /* set by the submitter */
    enum { AN_WORK_IDLE, AN_WORK_QUEUED, AN_WORK_RUNNING, AN_WORK_DONE } state; /* the pool's */
    struct an_work *prev, *next;                                                /* the pool's */
} an_work;

/* `name` (up to 15 characters) is what the system shows for the threads. AN_EIO: no thread to be
 * had. */
AN_MUST_CHECK an_rc an_pool_new(size_t n_threads, const char *name, an_pool **out, an_err *err);
void an_pool_free(an_pool *p); /* NULL is fine; asserts that no work is left; joins the threads */

/* w is set to zero but for `run`, or was waited for and comes again. Never blocks. */
void an_pool_submit(an_pool *p, an_work *w);
/* Returns when w has run, which is visible to the caller; then w is the caller's again. At once
 * when w was not submitted. */
void an_pool_wait(an_pool *p, an_work *w);
/* As an_pool_wait, but work that has not begun will not run: true then. */
bool an_pool_revoke(an_pool *p, an_work *w);
size_t an_pool_threads(const an_pool *p);
