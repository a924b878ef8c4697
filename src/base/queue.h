// SPDX-License-Identifier: Apache-2.0
/* base/queue.h: a bounded queue of pointers between threads, first in, first out.
 *
 * Closing says that nothing more will come: what is in the queue is still handed out, then every
 * pop answers AN_ENOTFOUND. The queue owns no element; after an error its user drains it with
 * an_queue_try_pop before freeing it.
 *
 * Threads: any may push, pop and close; internally locked (`mu`, a leaf lock). */
#pragma once
#include "base/ctx.h"
#include "base/err.h"

typedef struct an_queue an_queue;

an_queue *an_queue_new(size_t cap); /* cap > 0 */
void an_queue_free(an_queue *q); /* NULL is fine; nobody may be inside; asserts that it is empty */

/* Waits for room. AN_ECANCELED or AN_ERETRY when ctx ends; AN_ECANCELED when the queue is closed.
 */
AN_MUST_CHECK an_rc an_queue_push(an_queue *q, an_ctx *ctx, void *item, an_err *err);
/* Waits for an element. AN_ENOTFOUND: closed and empty; AN_ECANCELED or AN_ERETRY when ctx ends. */
AN_MUST_CHECK an_rc an_queue_pop(an_queue *q, an_ctx *ctx, void **out, an_err *err);
/* Never waits; false: nothing there now. */
bool an_queue_try_pop(an_queue *q, void **out);
void an_queue_close(an_queue *q); /* again is fine; wakes everybody */
