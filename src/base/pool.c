// SPDX-License-Identifier: Apache-2.0
#include "base/pool.h"

#include "base/cond.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct an_pool {
    pthread_mutex_t mu;
    pthread_cond_t queued; /* work was queued, or the end has come */
    pthread_cond_t done;   /* work that somebody waits for has run */
    an_work *first, *last;
    size_t n_running, n_waiting, n_threads;
    bool ending;
    pthread_t threads[];
};

static void unlink_locked(an_pool *p, an_work *w)
{
    if (w->prev != NULL) {
        w->prev->next = w->next;
    } else {
        p->first = w->next;
    }
    if (w->next != NULL) {
        w->next->prev = w->prev;
    } else {
        p->last = w->prev;
    }
    w->prev = w->next = NULL;
}

/* Called and left with the lock held; it is not held while the work runs. */
static void run_locked(an_pool *p, an_work *w)
{
    unlink_locked(p, w);
    w->state = AN_WORK_RUNNING;
    p->n_running++;
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
    w->run(w);
    an_assert(pthread_mutex_lock(&p->mu) == 0);
    p->n_running--;
    w->state = AN_WORK_DONE; /* w is the waiter's as soon as the lock is free */
    if (p->n_waiting > 0) an_assert(pthread_cond_broadcast(&p->done) == 0);
}

static void *thread_main(void *arg)
{
    an_pool *p = arg;

    an_assert(pthread_mutex_lock(&p->mu) == 0);
    for (;;) {
        while (p->first == NULL && !p->ending) {
            an_assert(pthread_cond_wait(&p->queued, &p->mu) == 0);
        }
        if (p->first == NULL) break;
        run_locked(p, p->first);
    }
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
    return NULL;
}

an_rc an_pool_new(size_t n_threads, const char *name, an_pool **out, an_err *err)
{
    an_rc rc = AN_OK;
    sigset_t all, before;
    an_pool *p = calloc(1, sizeof *p + n_threads * sizeof *p->threads);

    *out = NULL;
    an_assert(p != NULL);
    an_assert(pthread_mutex_init(&p->mu, NULL) == 0);
    an_cond_init(&p->queued);
    an_cond_init(&p->done);
    /* A thread begins with its maker's signal mask. */
    an_assert(sigfillset(&all) == 0);
    an_assert(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    for (; p->n_threads < n_threads; p->n_threads++) {
        int e = pthread_create(&p->threads[p->n_threads], NULL, thread_main, p);
        if (e != 0) {
            rc = AN_FAIL(err, AN_EIO, "thread %zu of %zu for %s: %s", p->n_threads + 1, n_threads,
                         name, strerrordesc_np(e));
            break;
        }
        (void)pthread_setname_np(p->threads[p->n_threads], name); /* for people only */
    }
    an_assert(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (rc != AN_OK) {
        an_pool_free(p);
        return rc;
    }
    *out = p;
    return AN_OK;
}

void an_pool_free(an_pool *p)
{
    if (p == NULL) return;
    an_assert(pthread_mutex_lock(&p->mu) == 0);
    an_assert(p->first == NULL && p->n_running == 0);
    p->ending = true;
    an_assert(pthread_cond_broadcast(&p->queued) == 0);
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
    for (size_t i = 0; i < p->n_threads; i++) an_assert(pthread_join(p->threads[i], NULL) == 0);
    an_assert(pthread_cond_destroy(&p->queued) == 0);
    an_assert(pthread_cond_destroy(&p->done) == 0);
    an_assert(pthread_mutex_destroy(&p->mu) == 0);
    free(p);
}

void an_pool_submit(an_pool *p, an_work *w)
{
    an_assert(pthread_mutex_lock(&p->mu) == 0);
    an_assert(w->state == AN_WORK_IDLE);
    w->state = AN_WORK_QUEUED;
    w->prev = p->last;
    w->next = NULL;
    if (p->last != NULL) {
        p->last->next = w;
    } else {
        p->first = w;
    }
    p->last = w;
    an_assert(pthread_cond_signal(&p->queued) == 0);
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
}

/* Until w is idle again. */
static void finish_locked(an_pool *p, an_work *w)
{
    p->n_waiting++;
    while (w->state == AN_WORK_RUNNING) an_assert(pthread_cond_wait(&p->done, &p->mu) == 0);
    p->n_waiting--;
    w->state = AN_WORK_IDLE;
}

void an_pool_wait(an_pool *p, an_work *w)
{
    an_assert(pthread_mutex_lock(&p->mu) == 0);
    if (w->state == AN_WORK_QUEUED) run_locked(p, w);
    finish_locked(p, w);
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
}

bool an_pool_revoke(an_pool *p, an_work *w)
{
    an_assert(pthread_mutex_lock(&p->mu) == 0);
    bool revoked = w->state == AN_WORK_QUEUED;
    if (revoked) {
        unlink_locked(p, w);
        w->state = AN_WORK_IDLE;
    }
    finish_locked(p, w);
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
    return revoked;
}

size_t an_pool_threads(const an_pool *p) { return p->n_threads; }
