// SPDX-License-Identifier: Apache-2.0
#include "base/queue.h"

#include "base/cond.h"

#include <stdlib.h>

struct an_queue {
    pthread_mutex_t mu;
    pthread_cond_t not_empty, not_full;
    size_t cap, n, head;
    bool closed;
    void *ring[];
};

an_queue *an_queue_new(size_t cap)
{
    an_assert(cap > 0);
    an_queue *q = calloc(1, sizeof *q + cap * sizeof *q->ring);
    an_assert(q != NULL);
    q->cap = cap;
    an_assert(pthread_mutex_init(&q->mu, NULL) == 0);
    an_cond_init(&q->not_empty);
    an_cond_init(&q->not_full);
    return q;
}

void an_queue_free(an_queue *q)
{
    if (q == NULL) return;
    an_assert(q->n == 0);
    an_assert(pthread_cond_destroy(&q->not_empty) == 0);
    an_assert(pthread_cond_destroy(&q->not_full) == 0);
    an_assert(pthread_mutex_destroy(&q->mu) == 0);
    free(q);
}

an_rc an_queue_push(an_queue *q, an_ctx *ctx, void *item, an_err *err)
{
    an_rc rc = AN_OK;

    an_assert(pthread_mutex_lock(&q->mu) == 0);
    while (q->n == q->cap && !q->closed) {
        AN_TRY(an_ctx_check(ctx, err));
        struct timespec t = an_monotonic_in_ms(100);            /* look at ctx ten times a second */
        (void)pthread_cond_timedwait(&q->not_full, &q->mu, &t); /* the loop decides */
    }
    AN_CHECK(!q->closed, err, AN_ECANCELED, "queue is closed");
    q->ring[(q->head + q->n) % q->cap] = item;
    q->n++;
    an_assert(pthread_cond_signal(&q->not_empty) == 0);
out:
    an_assert(pthread_mutex_unlock(&q->mu) == 0);
    return rc;
}

static void *take_locked(an_queue *q)
{
    void *item = q->ring[q->head];

    q->head = (q->head + 1) % q->cap;
    q->n--;
    an_assert(pthread_cond_signal(&q->not_full) == 0);
    return item;
}

an_rc an_queue_pop(an_queue *q, an_ctx *ctx, void **out, an_err *err)
{
    an_rc rc = AN_OK;

    *out = NULL;
    an_assert(pthread_mutex_lock(&q->mu) == 0);
    while (q->n == 0) {
        AN_CHECK(!q->closed, err, AN_ENOTFOUND, "queue is closed and empty");
        AN_TRY(an_ctx_check(ctx, err));
        struct timespec t = an_monotonic_in_ms(100);
        (void)pthread_cond_timedwait(&q->not_empty, &q->mu, &t);
    }
    *out = take_locked(q);
out:
    an_assert(pthread_mutex_unlock(&q->mu) == 0);
    return rc;
}

bool an_queue_try_pop(an_queue *q, void **out)
{
    an_assert(pthread_mutex_lock(&q->mu) == 0);
    bool there = q->n > 0;
    if (there) *out = take_locked(q);
    an_assert(pthread_mutex_unlock(&q->mu) == 0);
    return there;
}

void an_queue_close(an_queue *q)
{
    an_assert(pthread_mutex_lock(&q->mu) == 0);
    q->closed = true;
    an_assert(pthread_cond_broadcast(&q->not_empty) == 0);
    an_assert(pthread_cond_broadcast(&q->not_full) == 0);
    an_assert(pthread_mutex_unlock(&q->mu) == 0);
}
