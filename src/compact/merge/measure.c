// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/measure.h"

#include <stdlib.h>

#include "compact/merge/arrange.h"
#include "tsdb/segment/segment.h"

typedef struct measure {
    an_series_cursor *cursors;
    size_t n;
    uint64_t segment_max;
    uint64_t *eaten; /* per input: bytes of frames before its present chunk */
    uint64_t all;    /* their sum: bytes of frames before the present chunk of the result */
    uint64_t last;   /* reference given last */
    an_buf chunks;   /* of the present series */
} measure;

static an_rc nowhere(void *arg, an_slice bytes, an_err *err)
{
    (void)arg;
    (void)bytes;
    (void)err;
    return AN_OK;
}

/* Frames before a reference, when all frames of a block lie back to back. */
static uint64_t before(const an_block_reader *b, uint64_t ref)
{
    uint64_t seg = ref >> 32, sum = ref & UINT32_MAX;

    for (size_t i = 0; i < seg && i < b->n_segments; i++) sum += b->segments[i].size;
    uint64_t heads = AN_SEGMENT_HEADER * (seg + 1);
    return sum > heads ? sum - heads : 0;
}

static void place(measure *m, size_t input, const an_chunk_meta *c)
{
    an_chunk_meta out = *c;
    uint64_t now = before(m->cursors[input].o.block, c->ref);

    m->all += now - m->eaten[input]; /* wraps for a reference that jumps back, and back again */
    m->eaten[input] = now;
    out.ref = m->all / m->segment_max << 32 | (m->all % m->segment_max + AN_SEGMENT_HEADER);
    if (out.ref < m->last) out.ref = m->last;
    m->last = out.ref;
    an_buf_add(&m->chunks, &out, sizeof out);
}

/* False: the series may vanish, and counts as nothing. */
static bool place_series(measure *m, an_arrangement *a, an_series_cursor *const *set, size_t n_set)
{
    an_buf_clear(&m->chunks);
    for (size_t i = 0; i < n_set; i++) {
        if (set[i]->cut) return false;
    }
    if (!an_arrange(a, set, n_set)) { /* one chunk remains at least */
        place(m, (size_t)(set[0] - m->cursors), &set[0]->chunks[0]);
        return true;
    }
    for (size_t i = 0; i < a->n; i++) {
        const an_run *x = &a->runs[i];
        for (size_t k = x->from; k < x->from + x->n; k++)
            place(m, (size_t)(x->cursor - m->cursors), &x->cursor->chunks[k]);
    }
    return true;
}

an_rc an_measure_index(an_series_cursor *cursors, size_t n, an_strtab *symbols,
                       uint64_t segment_max, an_budget *index, const an_spill *spill, an_err *err)
{
    an_rc rc = AN_OK;
    measure m = {.cursors = cursors, .n = n, .segment_max = segment_max};
    an_series_merge merge = {.n_set = 0};
    an_arrangement a = {0};
    an_index_writer *w = NULL;
    an_index_written written;
    const an_sink sink = {nowhere, NULL};

    an_buf_init(&m.chunks, SIZE_MAX, NULL); /* no more than an entry in memory already */
    m.eaten = calloc(n + 1, sizeof *m.eaten);
    an_assert(m.eaten != NULL);
    AN_TRY(an_index_writer_open(&sink, symbols, index, spill, &w, err));
    an_series_merge_open(&merge, cursors, n);
    for (;;) {
        AN_TRY(an_series_merge_next(&merge, err));
        if (merge.n_set == 0) break;
        if (!place_series(&m, &a, merge.set, merge.n_set)) continue;
        const void *chunks = m.chunks.p;
        AN_TRY(an_index_writer_add(w, merge.set[0]->labels, merge.set[0]->n_labels, chunks,
                                   m.chunks.n / sizeof(an_chunk_meta), err));
    }
    AN_TRY(an_index_writer_finish(w, &written, err));
out:
    an_index_writer_close(w);
    an_series_merge_close(&merge);
    an_arrangement_deinit(&a);
    an_buf_deinit(&m.chunks);
    free(m.eaten);
    return rc;
}
