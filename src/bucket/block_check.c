// SPDX-License-Identifier: Apache-2.0
#include "bucket/block_check.h"

/* A name that stands in the set twice. Sorted sets show it between neighbours; others (accepted
 * with --debug.accept-malformed-index) are searched. */
static bool repeats_a_name(const an_series_entry *e)
{
    bool sorted = true;

    for (size_t i = 1; i < e->n_labels; i++) {
        if (e->labels[2 * i] == e->labels[2 * i - 2]) return true;
        sorted = sorted && e->labels[2 * i] > e->labels[2 * i - 2];
    }
    for (size_t i = 0; !sorted && i < e->n_labels; i++) {
        for (size_t j = i + 1; j < e->n_labels; j++) {
            if (e->labels[2 * i] == e->labels[2 * j]) return true;
        }
    }
    return false;
}

static bool names_ascend(const an_series_entry *e)
{
    for (size_t i = 1; i < e->n_labels; i++) {
        if (e->labels[2 * i] <= e->labels[2 * i - 2]) return false;
    }
    return true;
}

an_rc an_block_check_entry(const an_block_reader *r, an_index_health *h, const an_series_entry *e,
                           an_err *err)
{
    an_rc rc = an_index_health_add(h, e, err);

    if (rc == AN_OK && repeats_a_name(e)) {
        rc = AN_FAIL(err, AN_ECORRUPT, "a label name stands twice in the series at offset %llu",
                     (unsigned long long)e->off);
        (void)an_err_cause(err, AN_CAUSE_OOO_LABELS);
        (void)an_err_at(err, NULL, NULL, (int64_t)e->off);
    }
    if (rc == AN_OK) return rc;
    /* Labels in the wrong order are what puts a series in the wrong place. */
    if (err->cause == AN_CAUSE_OOO_SERIES && (h->ooo_labels > 0 || !names_ascend(e)))
        err->cause = AN_CAUSE_OOO_LABELS;
    return an_block_reader_err(r, "index", err);
}

static an_rc check_symbols(const an_block_reader *r, const an_source *src, an_budget *budget,
                           an_err *err)
{
    an_rc rc = AN_OK;
    an_symbol_iter *it = NULL;
    an_slice sym;
    uint32_t ref;

    AN_TRY(an_symbol_iter_open(&r->index, src, budget, &it, err));
    do rc = an_symbol_iter_next(it, &sym, &ref, err);
    while (rc == AN_OK);
    if (rc == AN_ENOTFOUND) rc = AN_OK;
out:
    an_symbol_iter_close(it);
    return rc;
}

an_rc an_block_check_index(const an_block_reader *r, const an_window_opts *opts, unsigned accept,
                           an_index_health *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_window *series_window = NULL, *postings_window = NULL;
    an_series_iter *it = NULL;
    an_series_entry e;
    uint64_t all = 0;

    an_index_health_init(out, &r->index, r->meta->mint, r->meta->maxt, opts->budget);
    AN_TRY(an_block_reader_window(r, AN_BLOCK_INDEX, opts, &postings_window, err));
    AN_TRY(an_block_reader_window(r, AN_BLOCK_INDEX, opts, &series_window, err));
    an_source postings = an_window_source(postings_window),
              series = an_window_source(series_window);
    AN_TRY(check_symbols(r, &postings, opts->budget, err));
    AN_TRY(an_postings_table_walk(&r->index, &postings, opts->budget, NULL, NULL, &all, err));
    AN_TRY(an_series_iter_open(&r->index, &series, &postings, all, opts->budget, &it, err));
    while ((rc = an_series_iter_next(it, &e, err)) == AN_OK)
        AN_TRY(an_block_check_entry(r, out, &e, err));
    if (rc == AN_ENOTFOUND) rc = an_index_health_input(out, accept, err);
out:
    an_series_iter_close(it);
    an_window_close(series_window);
    an_window_close(postings_window);
    if (rc != AN_OK) {
        an_index_health_deinit(out);
        (void)an_block_reader_err(r, "index", err);
    }
    return rc;
}
