// SPDX-License-Identifier: Apache-2.0
/* Queue and pool. cmocka's assertions jump, so other threads count and the test asserts. */
#include "base/pool.h"
#include "base/queue.h"
#include "base/random.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_queue_hands_out_in_order_and_ends_after_its_last_element(void **state)
{
    (void)state;
    an_err err;
    an_ctx ctx;
    int v[5];
    void *got = v;
    an_queue *q = an_queue_new(3);

    an_ctx_init(&ctx, NULL);
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(an_queue_push(q, &ctx, &v[i], &err), AN_OK);
        }
        for (int i = 0; i < (round < 4 ? 3 : 1); i++) {
            assert_int_equal(an_queue_pop(q, &ctx, &got, &err), AN_OK);
            assert_ptr_equal(got, &v[i]);
        }
    }
    an_queue_close(q);
    an_queue_close(q);
    assert_int_equal(an_queue_push(q, &ctx, &v[4], &err), AN_ECANCELED);
    assert_int_equal(an_queue_pop(q, &ctx, &got, &err), AN_OK);
    assert_ptr_equal(got, &v[1]);
    assert_true(an_queue_try_pop(q, &got));
    assert_ptr_equal(got, &v[2]);
    assert_false(an_queue_try_pop(q, &got));
    assert_int_equal(an_queue_pop(q, &ctx, &got, &err), AN_ENOTFOUND);
    assert_null(got);
    an_queue_free(q);
}

static void waiting_at_a_queue_ends_with_the_context(void **state)
{
    (void)state;
    an_err err;
    an_ctx canceled, late;
    int v;
    void *got = NULL;
    an_queue *q = an_queue_new(1);

    an_ctx_init(&canceled, NULL);
    an_ctx_cancel(&canceled);
    an_ctx_init(&late, NULL);
    late.deadline_mono_ms = an_mono_ms();
    assert_int_equal(an_queue_pop(q, &canceled, &got, &err), AN_ECANCELED);
    assert_int_equal(an_queue_pop(q, &late, &got, &err), AN_ERETRY);
    assert_int_equal(an_queue_push(q, &canceled, &v, &err), AN_OK); /* there is room: no wait */
    assert_int_equal(an_queue_push(q, &canceled, &v, &err), AN_ECANCELED);
    assert_int_equal(an_queue_push(q, &late, &v, &err), AN_ERETRY);
    assert_true(an_queue_try_pop(q, &got));
    an_queue_free(q);
}

enum { N_PUSHERS = 3, N_POPPERS = 3, N_EACH = 2000 };
typedef struct traffic {
    an_queue *q;
    an_ctx ctx;
    atomic_int sum, n, n_errors;
    int v[N_EACH];
} traffic;

static void *push_all(void *arg)
{
    traffic *t = arg;
    an_err err;

    for (int i = 0; i < N_EACH; i++) {
        if (an_queue_push(t->q, &t->ctx, &t->v[i], &err) != AN_OK)
            atomic_fetch_add(&t->n_errors, 1);
    }
    return NULL;
}

static void *pop_all(void *arg)
{
    traffic *t = arg;
    an_err err;
    void *got;
    an_rc rc;

    while ((rc = an_queue_pop(t->q, &t->ctx, &got, &err)) == AN_OK) {
        atomic_fetch_add(&t->sum, *(int *)got);
        atomic_fetch_add(&t->n, 1);
    }
    if (rc != AN_ENOTFOUND) atomic_fetch_add(&t->n_errors, 1);
    return NULL;
}

static void many_threads_lose_and_double_nothing(void **state)
{
    (void)state;
    pthread_t pushers[N_PUSHERS], poppers[N_POPPERS];
    traffic *t = calloc(1, sizeof *t);

    assert_non_null(t);
    an_ctx_init(&t->ctx, NULL);
    t->q = an_queue_new(4);
    for (int i = 0; i < N_EACH; i++) t->v[i] = i;
    for (int i = 0; i < N_POPPERS; i++) {
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_all, t), 0);
    }
    for (int i = 0; i < N_PUSHERS; i++) {
        assert_int_equal(pthread_create(&pushers[i], NULL, push_all, t), 0);
    }
    for (int i = 0; i < N_PUSHERS; i++) assert_int_equal(pthread_join(pushers[i], NULL), 0);
    an_queue_close(t->q);
    for (int i = 0; i < N_POPPERS; i++) assert_int_equal(pthread_join(poppers[i], NULL), 0);
    assert_int_equal(atomic_load(&t->n_errors), 0);
    assert_int_equal(atomic_load(&t->n), N_PUSHERS * N_EACH);
    assert_int_equal(atomic_load(&t->sum), N_PUSHERS * (N_EACH * (N_EACH - 1) / 2));
    an_queue_free(t->q);
    free(t);
}

/* Squares a number; with a pool, by way of two further pieces of work. */
typedef struct square {
    an_work work;
    an_pool *pool; /* NULL: alone */
    int in, out;
    bool ran_here; /* by the thread that made it */
    pthread_t maker;
} square;

static void square_run(an_work *w)
{
    square *s = (square *)w; /* work is the first member */

    s->ran_here = pthread_equal(s->maker, pthread_self()) != 0;
    if (s->pool == NULL) {
        s->out = s->in * s->in;
        return;
    }
    /* (a + b)^2 by a^2 + b^2 + 2ab */
    int a = s->in / 2, b = s->in - a;
    square x = {.work.run = square_run, .in = a, .maker = pthread_self()};
    square y = {.work.run = square_run, .in = b, .maker = pthread_self()};
    an_pool_submit(s->pool, &x.work);
    an_pool_submit(s->pool, &y.work);
    an_pool_wait(s->pool, &y.work);
    an_pool_wait(s->pool, &x.work);
    s->out = x.out + y.out + 2 * a * b;
}

static void work_runs_once_and_nested_waits_do_not_deadlock(void **state)
{
    (void)state;
    enum { N = 300 };
    static const size_t threads[] = {0, 1, 2, 8};

    for (size_t k = 0; k < sizeof threads / sizeof *threads; k++) {
        an_err err;
        an_pool *p = NULL;
        square *s = calloc(N, sizeof *s);
        assert_non_null(s);
        assert_int_equal(an_pool_new(threads[k], "test", &p, &err), AN_OK);
        assert_int_equal(an_pool_threads(p), threads[k]);
        for (int round = 0; round < 3; round++) { /* waited for, a piece may come again */
            for (int i = 0; i < N; i++) {
                s[i] = (square){.work.run = square_run, .in = i, .maker = pthread_self()};
                if (i % 2 == 0) s[i].pool = p;
                an_pool_submit(p, &s[i].work);
            }
            for (int i = 0; i < N; i++) {
                an_pool_wait(p, &s[i].work);
                assert_int_equal(s[i].out, i * i);
                if (threads[k] == 0) assert_true(s[i].ran_here);
            }
        }
        an_pool_free(p);
        free(s);
    }
}

typedef struct gate {
    an_work work;
    atomic_int begun, open;
} gate;

static void gate_run(an_work *w)
{
    gate *g = (gate *)w; /* work is the first member */

    atomic_store(&g->begun, 1);
    while (atomic_load(&g->open) == 0) (void)sched_yield();
}

static void revoked_work_does_not_run_unless_it_has_begun(void **state)
{
    (void)state;
    an_err err;
    an_pool *p = NULL;
    gate busy = {.work.run = gate_run};
    square s[3];

    assert_int_equal(an_pool_new(1, "test", &p, &err), AN_OK);
    an_pool_submit(p, &busy.work);
    while (atomic_load(&busy.begun) == 0) (void)sched_yield(); /* the only thread is in there */
    for (int i = 0; i < 3; i++) {
        s[i] = (square){.work.run = square_run, .in = 7, .maker = pthread_self()};
        an_pool_submit(p, &s[i].work);
    }
    assert_true(an_pool_revoke(p, &s[1].work));  /* from the middle */
    assert_false(an_pool_revoke(p, &s[1].work)); /* no longer there */
    assert_int_equal(s[1].out, 0);
    an_pool_wait(p, &s[2].work);
    assert_true(s[2].ran_here && s[2].out == 49);
    assert_true(an_pool_revoke(p, &s[0].work));
    atomic_store(&busy.open, 1);
    assert_false(an_pool_revoke(p, &busy.work)); /* had begun: waits for it */
    an_pool_wait(p, &s[0].work);                 /* not submitted: at once */
    assert_int_equal(s[0].out, 0);
    an_pool_free(p);
}

typedef struct mask {
    an_work work;
    bool blocked;
} mask;

static void mask_run(an_work *w)
{
    sigset_t now;

    ((mask *)w)->blocked = pthread_sigmask(SIG_SETMASK, NULL, &now) == 0 &&
                           sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGINT) == 1;
}

static void pool_threads_take_no_signals(void **state)
{
    (void)state;
    an_err err;
    an_pool *p = NULL;
    gate busy = {.work.run = gate_run};
    mask m = {.work.run = mask_run};
    sigset_t now;

    assert_int_equal(an_pool_new(1, "test", &p, &err), AN_OK);
    an_pool_submit(p, &m.work);
    an_pool_submit(p, &busy.work); /* its beginning says that m ran, and in the pool's thread */
    while (atomic_load(&busy.begun) == 0) (void)sched_yield();
    atomic_store(&busy.open, 1);
    an_pool_wait(p, &busy.work);
    an_pool_wait(p, &m.work);
    assert_true(m.blocked);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    assert_int_equal(sigismember(&now, SIGTERM), 0);
    an_pool_free(p);
}

static void random_bytes_fill_all_and_differ(void **state)
{
    (void)state;
    uint8_t a[600] = {0}, b[600] = {0};
    size_t zeros = 0;

    an_random_bytes(a, sizeof a);
    an_random_bytes(b, sizeof b - 1);
    assert_true(memcmp(a, b, 16) != 0);
    for (size_t i = 0; i < sizeof a; i++) zeros += a[i] == 0;
    assert_true(zeros < 60); /* 2 expected; a 16th of the tail unfilled would be more */
    assert_int_equal(b[sizeof b - 1], 0);
    an_random_bytes(b, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_hands_out_in_order_and_ends_after_its_last_element),
        cmocka_unit_test(waiting_at_a_queue_ends_with_the_context),
        cmocka_unit_test(many_threads_lose_and_double_nothing),
        cmocka_unit_test(work_runs_once_and_nested_waits_do_not_deadlock),
        cmocka_unit_test(revoked_work_does_not_run_unless_it_has_begun),
        cmocka_unit_test(pool_threads_take_no_signals),
        cmocka_unit_test(random_bytes_fill_all_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
