// SPDX-License-Identifier: Apache-2.0
#include "compact/loop/trouble.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { TOLD = 20 }; /* troubles whose text is told at the end of a run */

typedef struct seen { /* something that was logged */
    an_cause cause;
    an_ulid block;
} seen;

struct an_troubles {
    pthread_mutex_t mu;
    an_arena *a;
    size_t n, cap;
    an_trouble *v;
    size_t n_logged, cap_logged;
    an_trouble *logged; /* survive the start of a pass, so that one line is written per run */
    size_t n_seen, cap_seen;
    seen *seen;
    size_t n_verdicts, cap_verdicts;
    an_verdict *verdicts;
};

an_trouble_class an_trouble_class_of(const an_err *err)
{
    switch (err->rc) {
    case AN_ECANCELED:
        return AN_TROUBLE_CANCEL;
    case AN_ECORRUPT:
    case AN_EUNSUPPORTED:
    case AN_EHALT:
        return AN_TROUBLE_HALT;
    case AN_ELIMIT: /* of a format: a human decides; of memory or disk: later */
        return err->cause == AN_CAUSE_INDEX_64G || err->cause == AN_CAUSE_SYMBOLS_4G ||
                       err->cause == AN_CAUSE_OBJECT_LIMIT
                   ? AN_TROUBLE_HALT
                   : AN_TROUBLE_RETRY;
    default:
        return AN_TROUBLE_RETRY;
    }
}

an_troubles *an_troubles_new(void)
{
    an_troubles *t = calloc(1, sizeof *t);

    an_assert(t != NULL && pthread_mutex_init(&t->mu, NULL) == 0);
    t->a = an_arena_new(NULL);
    return t;
}

void an_troubles_free(an_troubles *t)
{
    if (t == NULL) return;
    an_arena_free(t->a);
    an_assert(pthread_mutex_destroy(&t->mu) == 0);
    free(t);
}

static void lock(an_troubles *t) { an_assert(pthread_mutex_lock(&t->mu) == 0); }
static void unlock(an_troubles *t) { an_assert(pthread_mutex_unlock(&t->mu) == 0); }

/* Room for one more element of a list that lives in the arena. */
static void *more(an_arena *a, void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return v;
    *cap = *cap == 0 ? 16 : *cap * 2;
    void *bigger = an_arena_alloc(a, *cap * size);
    if (n > 0) memcpy(bigger, v, n * size);
    return bigger;
}

static bool equal(const an_trouble *a, const an_trouble *b)
{
    return a->kind == b->kind && a->cause == b->cause && an_slice_eq(a->group, b->group) &&
           an_slice_eq(a->text, b->text);
}

static bool add(an_troubles *t, an_trouble **v, size_t *n, size_t *cap, const an_trouble *what)
{
    for (size_t i = 0; i < *n; i++) {
        if (equal(&(*v)[i], what)) return false;
    }
    *v = more(t->a, *v, *n, cap, sizeof **v);
    (*v)[(*n)++] = *what;
    return true;
}

bool an_troubles_add(an_troubles *t, const an_trouble *what)
{
    an_trouble copy = *what;

    lock(t);
    copy.group = an_arena_dup(t->a, what->group);
    copy.labels = an_arena_dup(t->a, what->labels);
    copy.text = an_arena_dup(t->a, what->text);
    an_ulid *blocks = an_arena_alloc(t->a, (what->n_blocks + 1) * sizeof *blocks);
    if (what->n_blocks > 0) memcpy(blocks, what->blocks, what->n_blocks * sizeof *blocks);
    copy.blocks = blocks;
    (void)add(t, &t->v, &t->n, &t->cap, &copy);
    bool first = add(t, &t->logged, &t->n_logged, &t->cap_logged, &copy);
    unlock(t);
    return first;
}

bool an_troubles_first(an_troubles *t, an_cause cause, an_ulid block)
{
    bool first = true;

    lock(t);
    for (size_t i = 0; i < t->n_seen && first; i++) {
        first = t->seen[i].cause != cause || !an_ulid_eq(t->seen[i].block, block);
    }
    if (first) {
        t->seen = more(t->a, t->seen, t->n_seen, &t->cap_seen, sizeof *t->seen);
        t->seen[t->n_seen++] = (seen){cause, block};
    }
    unlock(t);
    return first;
}

void an_troubles_new_pass(an_troubles *t)
{
    size_t kept = 0;

    lock(t);
    for (size_t i = 0; i < t->n; i++) {
        if (t->v[i].from == AN_FROM_JOB) t->v[kept++] = t->v[i];
    }
    t->n = kept;
    unlock(t);
}

bool an_troubles_stopped(an_troubles *t, an_slice group)
{
    bool found = false;

    lock(t);
    for (size_t i = 0; i < t->n && !found; i++) { found = an_slice_eq(t->v[i].group, group); }
    unlock(t);
    return found;
}

size_t an_troubles_count(an_troubles *t, an_trouble_class kind)
{
    size_t n = 0;

    lock(t);
    for (size_t i = 0; i < t->n; i++) n += t->v[i].kind == kind;
    unlock(t);
    return n;
}

void an_troubles_judge(an_troubles *t, const an_verdict *v)
{
    size_t i = 0;

    lock(t);
    while (i < t->n_verdicts && !an_ulid_eq(t->verdicts[i].id, v->id)) i++;
    if (i == t->n_verdicts) {
        t->verdicts = more(t->a, t->verdicts, t->n_verdicts, &t->cap_verdicts, sizeof *t->verdicts);
        t->n_verdicts++;
    }
    t->verdicts[i] = *v;
    t->verdicts[i].text = an_arena_dup(t->a, v->text);
    unlock(t);
}

bool an_troubles_verdict(an_troubles *t, an_ulid id, uint64_t data, an_verdict *out)
{
    bool found = false;

    lock(t);
    for (size_t i = 0; i < t->n_verdicts && !found; i++) {
        found = an_ulid_eq(t->verdicts[i].id, id) && t->verdicts[i].data == data;
        if (found) *out = t->verdicts[i];
    }
    unlock(t);
    return found;
}

void an_troubles_text(an_troubles *t, an_buf *out)
{
    lock(t);
    if (t->n > 1) an_buf_printf(out, "%zu errors: ", t->n);
    for (size_t i = 0; i < t->n && i < TOLD; i++) {
        const an_trouble *w = &t->v[i];
        if (i > 0) an_buf_str(out, "; ");
        if (w->group.n > 0) an_buf_printf(out, "group %.*s: ", AN_PRI(w->group));
        an_buf_slice_add(out, w->text);
    }
    if (t->n > TOLD) an_buf_printf(out, "; and %zu more", t->n - TOLD);
    unlock(t);
}
