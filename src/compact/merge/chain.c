// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/chain.h"

#include "base/heap.h"

static bool earlier(const void *a, const void *b)
{
    return ((const an_feed *)a)->t < ((const an_feed *)b)->t;
}

static an_rc give_out(an_feed *f, int64_t *last, an_reencoder *re, an_err *err)
{
    an_rc rc = AN_OK;
    an_sample s;

    AN_TRY(an_feed_sample(f, &s, err));
    AN_TRY(an_reencode_sample(re, &s, err));
    *last = f->t;
out:
    return rc;
}

/* f goes on as long as it lies before all that is queued, or alone to its end. A time that was
 * given out already is passed over. */
static an_rc go_on(an_feed *f, const an_heap *queue, int64_t *last, an_reencoder *re, an_err *err)
{
    an_rc rc = AN_OK;
    const an_feed *top = queue->n > 0 ? queue->v[0] : NULL;

    while (f->live) {
        if (f->t != *last) {
            if (top != NULL && f->t >= top->t) break;
            AN_TRY(give_out(f, last, re, err));
        }
        AN_TRY(an_feed_next(f, err));
    }
out:
    return rc;
}

an_rc an_chain_merge(an_readers *readers, const an_piece *const *pieces, size_t n, an_reencoder *re,
                     an_err *err)
{
    an_rc rc = AN_OK;
    int64_t last = INT64_MIN; /* a sample of that time is passed over, as upstream does */
    an_feed *feeds = an_arena_try(readers->arena, n, sizeof *feeds), *cur = feeds;
    an_heap queue = {(void **)an_arena_try(readers->arena, n, sizeof(void *)), 0};

    AN_CHECK(feeds != NULL && queue.v != NULL, err, AN_ELIMIT,
             "no memory to merge %zu overlapping chunks", n);
    for (size_t i = 0; i < n; i++) {
        AN_TRY(an_feed_open(&feeds[i], readers, pieces[i], err));
        if (i > 0 && feeds[i].live) an_heap_push(&queue, &feeds[i], earlier);
    }
    for (;;) {
        AN_TRY(go_on(cur, &queue, &last, re, err));
        if (cur->live)
            an_heap_push(&queue, cur, earlier);
        else if (queue.n == 0)
            break;
        cur = an_heap_pop(&queue, earlier);
        if (cur->t != last) AN_TRY(give_out(cur, &last, re, err));
        AN_TRY(an_feed_next(cur, err));
    }
out:
    return rc;
}
