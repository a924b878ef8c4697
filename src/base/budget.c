// SPDX-License-Identifier: Apache-2.0
#include "base/budget.h"

#include "base/cond.h"

#include <stdlib.h>

struct an_budget {
    pthread_mutex_t mu;
    pthread_cond_t freed;
    size_t limit, used, peak;
    an_budget *parent; /* where `limit` was reserved; NULL at the root */
};

an_budget *an_budget_new(size_t limit_bytes)
{
    an_budget *b = calloc(1, sizeof *b);

    an_assert(b != NULL);
    b->limit = limit_bytes;
    an_assert(pthread_mutex_init(&b->mu, NULL) == 0);
    an_cond_init(&b->freed);
    return b;
}

void an_budget_free(an_budget *b)
{
    if (b == NULL) return;
    an_assert(b->used == 0);
    if (b->parent != NULL) an_budget_give(b->parent, b->limit);
    an_assert(pthread_cond_destroy(&b->freed) == 0);
    an_assert(pthread_mutex_destroy(&b->mu) == 0);
    free(b);
}

static bool take_locked(an_budget *b, size_t n)
{
    if (n > b->limit - b->used) return false;
    b->used += n;
    if (b->used > b->peak) b->peak = b->used;
    return true;
}

bool an_budget_take(an_budget *b, size_t n)
{
    if (b == NULL) return true;
    an_assert(pthread_mutex_lock(&b->mu) == 0);
    bool ok = take_locked(b, n);
    an_assert(pthread_mutex_unlock(&b->mu) == 0);
    return ok;
}

void an_budget_give(an_budget *b, size_t n)
{
    if (b == NULL || n == 0) return;
    an_assert(pthread_mutex_lock(&b->mu) == 0);
    an_assert(b->used >= n);
    b->used -= n;
    an_assert(pthread_cond_broadcast(&b->freed) == 0);
    an_assert(pthread_mutex_unlock(&b->mu) == 0);
}

an_rc an_budget_reserve(an_budget *b, an_ctx *ctx, size_t n, an_budget **child, an_err *err)
{
    an_rc rc = AN_OK;

    *child = NULL;
    if (n > b->limit)
        return AN_FAIL(err, AN_ELIMIT, "needs %zu bytes of memory, the limit is %zu", n, b->limit);
    an_assert(pthread_mutex_lock(&b->mu) == 0);
    while (!take_locked(b, n)) {
        AN_TRY(an_ctx_check(ctx, err));
        struct timespec t = an_monotonic_in_ms(100);         /* look at ctx ten times a second */
        (void)pthread_cond_timedwait(&b->freed, &b->mu, &t); /* the loop decides */
    }
    *child = an_budget_new(n);
    (*child)->parent = b;
out:
    an_assert(pthread_mutex_unlock(&b->mu) == 0);
    return rc;
}

size_t an_budget_limit(const an_budget *b) { return b->limit; }

static size_t read_locked(an_budget *b, const size_t *field)
{
    an_assert(pthread_mutex_lock(&b->mu) == 0);
    size_t n = *field;
    an_assert(pthread_mutex_unlock(&b->mu) == 0);
    return n;
}

size_t an_budget_used(an_budget *b) { return read_locked(b, &b->used); }
size_t an_budget_peak(an_budget *b) { return read_locked(b, &b->peak); }
