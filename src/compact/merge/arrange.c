// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/arrange.h"

#include <stdlib.h>

void an_arrangement_deinit(an_arrangement *a)
{
    free(a->runs);
    free(a->next);
    *a = (an_arrangement){0};
}

/* Adds n chunks from `from` on to the end: to the last run when they continue it. Runs are as many
 * as the series has chunks at most, which are in memory already. */
static void place(an_arrangement *a, an_series_cursor *c, size_t from, size_t n)
{
    if (a->n > 0 && a->runs[a->n - 1].cursor == c &&
        a->runs[a->n - 1].from + a->runs[a->n - 1].n == from) {
        a->runs[a->n - 1].n += n;
        return;
    }
    if (a->n == a->cap) {
        size_t cap = a->cap == 0 ? 16 : 2 * a->cap;
        an_run *more = realloc(a->runs, cap * sizeof *more);
        an_assert(more != NULL);
        a->runs = more;
        a->cap = cap;
    }
    a->runs[a->n++] = (an_run){c, from, n};
}

/* One input after the other: what blocks of neighbouring times look like. The runs are sorted by
 * insertion, since there are few and they come almost in order. */
static bool one_by_one(an_arrangement *a, an_series_cursor *const *set, size_t n_set)
{
    for (size_t i = 0; i < n_set; i++) {
        place(a, set[i], 0, set[i]->n_chunks);
        for (size_t j = a->n - 1; j > 0; j--) {
            an_run *lo = &a->runs[j - 1], *hi = &a->runs[j], t = *lo;
            if (lo->cursor->chunks[0].mint <= hi->cursor->chunks[0].mint) break;
            *lo = *hi;
            *hi = t;
        }
    }
    for (size_t i = 1; i < a->n; i++) {
        const an_series_cursor *p = a->runs[i - 1].cursor, *c = a->runs[i].cursor;
        if (c->chunks[0].mint <= p->chunks[p->n_chunks - 1].maxt) return false;
    }
    return true;
}

static bool chunk_by_chunk(an_arrangement *a, an_series_cursor *const *set, size_t n_set)
{
    const an_chunk_meta *last = NULL;

    if (a->n_next < n_set) {
        free(a->next);
        a->next = calloc(n_set, sizeof *a->next);
        an_assert(a->next != NULL);
        a->n_next = n_set;
    }
    memset(a->next, 0, n_set * sizeof *a->next);
    for (;;) {
        size_t best = n_set;
        const an_chunk_meta *m = NULL;
        for (size_t i = 0; i < n_set; i++) {
            if (a->next[i] == set[i]->n_chunks) continue;
            const an_chunk_meta *c = &set[i]->chunks[a->next[i]];
            if (m != NULL && m->mint <= c->mint) continue;
            best = i;
            m = c;
        }
        if (m == NULL) return true;
        if (last != NULL && m->mint <= last->maxt) return false;
        place(a, set[best], a->next[best]++, 1);
        last = m;
    }
}

bool an_arrange(an_arrangement *a, an_series_cursor *const *set, size_t n_set)
{
    a->n = 0;
    for (size_t i = 0; i < n_set; i++) {
        if (set[i]->cut) return false;
    }
    if (one_by_one(a, set, n_set)) return true;
    a->n = 0;
    return chunk_by_chunk(a, set, n_set);
}
