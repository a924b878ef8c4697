// SPDX-License-Identifier: Apache-2.0
#include "support/index_walk.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SYMBOLS, TABLE, SERIES, LIST, SOURCES };

/* One source per iterator, as a job has one window per iterator. */
typedef struct sources {
    test_source test[SOURCES];
    an_source src[SOURCES];
} sources;

static void open_sources(sources *s, an_slice bytes, const walk_opts *o)
{
    for (size_t i = 0; i < SOURCES; i++) {
        s->test[i] = (test_source){.bytes = bytes,
                                   .piece = o->piece == 0 ? SIZE_MAX / 2 : o->piece,
                                   .mode = o->mode,
                                   .fail_at = o->fail_at};
        s->src[i] = test_source_open(&s->test[i]);
    }
}

static void close_sources(sources *s)
{
    for (size_t i = 0; i < SOURCES; i++) test_source_close(&s->test[i]);
}

/* Symbols by reference, as the merge would keep them. */
typedef struct symbols {
    an_strtab *tab;
    uint32_t *refs; /* of each ordinal */
} symbols;

static an_rc read_symbols(const an_index *ix, const an_source *src, an_budget *b,
                          const an_spill *spill, symbols *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_symbol_iter *it = NULL;
    an_slice sym;
    uint32_t ref, n = 0;

    AN_TRY(an_strtab_new(b, spill, &out->tab, err));
    out->refs = calloc((size_t)ix->n_symbols + 1, sizeof *out->refs);
    an_assert(out->refs != NULL);
    AN_TRY(an_symbol_iter_open(ix, src, b, &it, err));
    while ((rc = an_symbol_iter_next(it, &sym, &ref, err)) == AN_OK) {
        AN_TRY(an_strtab_add(out->tab, sym, err));
        out->refs[n++] = ref;
    }
    if (rc != AN_ENOTFOUND) goto out;
    an_assert(n == ix->n_symbols && an_strtab_n(out->tab) == n);
    rc = AN_OK;
out:
    an_symbol_iter_close(it);
    return rc;
}

static void free_symbols(symbols *s)
{
    an_strtab_free(s->tab);
    free(s->refs);
}

/* The ordinal of a reference; the reader has checked its range, not that a symbol begins there. */
static an_rc ordinal_of(const symbols *s, uint32_t ref, uint32_t *ord, an_err *err)
{
    uint32_t lo = 0, hi = an_strtab_n(s->tab);

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->refs[mid] < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == an_strtab_n(s->tab) || s->refs[lo] != ref) {
        (void)AN_FAIL(err, AN_ECORRUPT, "unknown symbol offset %u", ref);
        return an_err_cause(err, AN_CAUSE_INDEX_UNREADABLE);
    }
    *ord = lo;
    return AN_OK;
}

static an_rc dump_pair(void *arg, an_slice name, an_slice value, uint64_t off, an_err *err)
{
    an_buf *dump = arg;

    (void)err;
    an_buf_printf(dump, "list %" PRIu64 " %zu:", off, name.n);
    an_buf_slice_add(dump, name);
    an_buf_printf(dump, " %zu:", value.n);
    an_buf_slice_add(dump, value);
    an_buf_str(dump, "\n");
    return AN_OK;
}

/* what: 'n' for all numbers too, 'c' for content only */
static an_rc dump_entry(an_buf *dump, char what, const symbols *sym, const an_series_entry *e,
                        an_err *err)
{
    an_rc rc = AN_OK;
    an_slice s;
    uint32_t ord;

    if (dump != NULL && what == 'n') an_buf_printf(dump, "series %" PRIu64 " %u", e->off, e->id);
    for (size_t i = 0; i < 2 * e->n_labels; i++) {
        AN_TRY(ordinal_of(sym, e->labels[i], &ord, err));
        AN_TRY(an_strtab_get(sym->tab, ord, &s, err));
        if (dump == NULL) continue;
        if (what == 'n') an_buf_printf(dump, " %u", e->labels[i]);
        an_buf_printf(dump, " %zu:", s.n);
        an_buf_slice_add(dump, s);
    }
    for (size_t i = 0; i < e->n_chunks && dump != NULL; i++)
        an_buf_printf(dump, " [%" PRId64 " %" PRId64 " %" PRIu64 "]", e->chunks[i].mint,
                      e->chunks[i].maxt, e->chunks[i].ref);
    if (dump != NULL) an_buf_str(dump, "\n");
out:
    return rc;
}

static an_rc walk(an_slice bytes, const walk_opts *o, an_buf *dump, char what, an_err *err)
{
    an_rc rc = AN_OK;
    an_index ix;
    sources s;
    symbols sym = {0};
    uint64_t all;
    an_series_iter *it = NULL;
    an_series_entry e;
    uint32_t n = 0;
    const an_postings_fn fn = dump == NULL || what == 'c' ? NULL : dump_pair;

    open_sources(&s, bytes, o);
    AN_TRY(an_index_open(&s.src[SYMBOLS], &ix, err));
    AN_TRY(read_symbols(&ix, &s.src[SYMBOLS], o->budget, NULL, &sym, err));
    AN_TRY(an_postings_table_walk(&ix, &s.src[TABLE], o->budget, fn, dump, &all, err));
    AN_TRY(an_series_iter_open(&ix, &s.src[SERIES], &s.src[LIST], all, o->budget, &it, err));
    while ((rc = an_series_iter_next(it, &e, err)) == AN_OK) {
        AN_TRY(dump_entry(dump, what, &sym, &e, err));
        n++;
    }
    if (rc != AN_ENOTFOUND) goto out;
    an_assert(n == an_series_iter_n(it));
    rc = AN_OK;
    if (dump != NULL && what == 'n')
        an_buf_printf(dump, "version %d, %u symbols, %u lists, all at %" PRIu64 ", %u series\n",
                      ix.version, ix.n_symbols, ix.n_postings, all, n);
    for (uint32_t i = 0; dump != NULL && what == 'c' && i < ix.n_symbols; i++) {
        an_slice str;
        AN_TRY(an_strtab_get(sym.tab, i, &str, err));
        an_buf_printf(dump, "symbol %zu:", str.n);
        an_buf_slice_add(dump, str);
    }
out:
    an_series_iter_close(it);
    free_symbols(&sym);
    close_sources(&s);
    return rc;
}

an_rc index_walk(an_slice bytes, const walk_opts *o, an_buf *dump, an_err *err)
{
    return walk(bytes, o, dump, 'n', err);
}

an_rc index_content(an_slice bytes, an_buf *dump, an_err *err)
{
    const walk_opts o = {.mode = TEST_SOURCE_ALL};
    return walk(bytes, &o, dump, 'c', err);
}

static an_rc copy_series(an_series_iter *it, const symbols *sym, an_index_writer *w, an_err *err)
{
    an_rc rc = AN_OK;
    an_series_entry e;
    uint32_t *labels = NULL;

    while ((rc = an_series_iter_next(it, &e, err)) == AN_OK) {
        free(labels);
        labels = calloc(2 * e.n_labels + 1, sizeof *labels);
        an_assert(labels != NULL);
        for (size_t i = 0; i < 2 * e.n_labels; i++)
            AN_TRY(ordinal_of(sym, e.labels[i], &labels[i], err));
        AN_TRY(an_index_writer_add(w, labels, e.n_labels, e.chunks, e.n_chunks, err));
    }
    if (rc == AN_ENOTFOUND) rc = AN_OK;
out:
    free(labels);
    return rc;
}

an_rc index_copy(an_slice bytes, const walk_opts *o, an_budget *b, const an_spill *spill,
                 const an_sink *sink, an_index_written *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_index ix;
    sources s;
    symbols sym = {0};
    uint64_t all;
    an_series_iter *it = NULL;
    an_index_writer *w = NULL;

    open_sources(&s, bytes, o);
    AN_TRY(an_index_open(&s.src[SYMBOLS], &ix, err));
    AN_TRY(read_symbols(&ix, &s.src[SYMBOLS], b, spill, &sym, err));
    AN_TRY(an_postings_table_walk(&ix, &s.src[TABLE], o->budget, NULL, NULL, &all, err));
    AN_TRY(an_series_iter_open(&ix, &s.src[SERIES], &s.src[LIST], all, o->budget, &it, err));
    AN_TRY(an_index_writer_open(sink, sym.tab, b, spill, &w, err));
    AN_TRY(copy_series(it, &sym, w, err));
    AN_TRY(an_index_writer_finish(w, out, err));
out:
    an_index_writer_close(w);
    an_series_iter_close(it);
    free_symbols(&sym);
    close_sources(&s);
    return rc;
}
