// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/symbols.h"

#include <stdlib.h>

#include "base/heap.h"

typedef struct head { /* one input: its present symbol */
    an_symbol_iter *it;
    an_slice sym;
    uint32_t ref;
    size_t input;
} head;

static bool less(const void *a, const void *b)
{
    return an_slice_cmp(((const head *)a)->sym, ((const head *)b)->sym) < 0;
}

/* The next symbol of an input goes into the heap, if there is one. */
static an_rc advance(an_heap *heap, head *h, an_err *err)
{
    an_rc rc = an_symbol_iter_next(h->it, &h->sym, &h->ref, err);

    if (rc == AN_OK) an_heap_push(heap, h, less);
    return rc == AN_ENOTFOUND ? AN_OK : rc;
}

an_rc an_symbols_merge(an_symbols_input *inputs, size_t n, an_strtab *union_table, an_budget *maps,
                       an_budget *scratch, const an_spill *spill, size_t *bad, an_err *err)
{
    an_rc rc = AN_OK;
    an_heap heap = {.n = 0};
    an_buf sym; /* the iterator's own copy is gone once it moves on */

    *bad = SIZE_MAX;
    an_buf_init(&sym, AN_INDEX_ITEM_MAX, scratch);
    head *heads = calloc(n + 1, sizeof *heads);
    heap.v = (void **)calloc(n + 1, sizeof *heap.v);
    an_assert(heads != NULL && heap.v != NULL);
    for (size_t i = 0; i < n; i++) inputs[i].map = NULL;
    for (size_t i = 0; i < n; i++) {
        const an_index *ix = inputs[i].index;
        *bad = heads[i].input = i;
        AN_TRY(an_ordmap_new(maps, (n - i - 1) * AN_ORDMAP_SPILLED_BYTES, spill, ix->version,
                             ix->n_symbols, &inputs[i].map, err));
        AN_TRY(an_symbol_iter_open(ix, inputs[i].source, scratch, &heads[i].it, err));
        AN_TRY(advance(&heap, &heads[i], err));
    }
    while (heap.n > 0) {
        const head *first = heap.v[0];
        uint32_t ord = an_strtab_n(union_table);
        *bad = SIZE_MAX;
        an_buf_clear(&sym);
        an_buf_slice_add(&sym, first->sym);
        AN_CHECK(!sym.failed, err, AN_ELIMIT, "no memory for a symbol of %zu bytes", first->sym.n);
        AN_TRY(an_strtab_add(union_table, first->sym, err));
        while (heap.n > 0 && an_slice_eq(((const head *)heap.v[0])->sym, an_buf_slice(&sym))) {
            head *h = an_heap_pop(&heap, less);
            *bad = h->input;
            AN_TRY(an_ordmap_add(inputs[h->input].map, h->ref, ord, err));
            AN_TRY(advance(&heap, h, err));
        }
    }
    for (size_t i = 0; i < n; i++) {
        *bad = i;
        AN_TRY(an_ordmap_seal(inputs[i].map, err));
    }
    *bad = SIZE_MAX;
out:
    for (size_t i = 0; i < n; i++) an_symbol_iter_close(heads[i].it);
    an_buf_deinit(&sym);
    free(heads);
    free((void *)heap.v);
    return rc;
}
