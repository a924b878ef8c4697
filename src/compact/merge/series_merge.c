// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/series_merge.h"

#include <stdlib.h>

static bool less(const void *pa, const void *pb)
{
    const an_series_cursor *a = pa, *b = pb;
    return an_ords_cmp(a->labels, a->n_labels, b->labels, b->n_labels) < 0;
}

void an_series_merge_open(an_series_merge *m, an_series_cursor *cursors, size_t n)
{
    memset(m, 0, sizeof *m);
    m->heap.v = (void **)calloc(n + 1, sizeof *m->heap.v);
    m->set = (an_series_cursor **)calloc(n + 1, sizeof *m->set);
    an_assert(m->heap.v != NULL && m->set != NULL); /* a pointer for each input */
    for (size_t i = 0; i < n; i++) m->set[m->n_set++] = &cursors[i];
}

void an_series_merge_close(an_series_merge *m)
{
    free((void *)m->heap.v);
    free((void *)m->set);
    memset(m, 0, sizeof *m);
}

an_rc an_series_merge_next(an_series_merge *m, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t i = 0; i < m->n_set; i++) {
        m->current = m->set[i];
        AN_TRY(an_series_cursor_next(m->current, err));
        if (!m->current->done) an_heap_push(&m->heap, m->current, less);
    }
    m->n_set = 0;
    if (m->heap.n == 0) goto out;
    m->set[m->n_set++] = an_heap_pop(&m->heap, less);
    while (m->heap.n > 0) {
        const an_series_cursor *a = m->set[0], *b = m->heap.v[0];
        if (an_ords_cmp(a->labels, a->n_labels, b->labels, b->n_labels) != 0) break;
        m->set[m->n_set++] = an_heap_pop(&m->heap, less);
    }
out:
    return rc;
}
