// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/merge.h"

#include <stdio.h>
#include <stdlib.h>

#include "compact/merge/arrange.h"
#include "compact/merge/batch.h"
#include "compact/merge/commit.h"
#include "compact/merge/measure.h"
#include "compact/merge/series_merge.h"
#include "compact/merge/symbols.h"
#include "tsdb/index/bounds.h"
#include "tsdb/index/health.h"

typedef struct input {
    an_window *series_window, *postings_window;
    an_source series, postings;
    uint64_t all_postings; /* offset of the list of all series */
    an_chunk_reader *chunks;
    an_ordmap *map;
} input;

typedef struct run {
    const an_merge_opts *o;
    const an_merge_input *in;
    size_t n;
    input *inputs;
    an_series_cursor *cursors;
    const an_block_reader **blocks;
    an_strtab *symbols;
    an_index_writer *index;
    an_sink index_sink;
    an_commit commit;
    an_series_merge merge;
    an_arrangement arranged;
    an_batch *ring;
    size_t head, n_out; /* oldest batch that is out, and how many are */
    an_batch *cur;      /* being filled */
    bool open;          /* a task in it has begun and not ended */
    bool failed;        /* a commit has: what comes later in output order is of no interest */
} run;

static an_rc merge_symbols(run *r, an_err *err)
{
    an_rc rc = AN_OK;
    size_t bad = SIZE_MAX;
    an_window **windows = (an_window **)calloc(r->n + 1, sizeof *windows);
    an_source *sources = calloc(r->n + 1, sizeof *sources);
    an_symbols_input *v = calloc(r->n + 1, sizeof *v);

    an_assert(windows != NULL && sources != NULL && v != NULL);
    for (size_t i = 0; i < r->n; i++) {
        AN_TRY(an_block_reader_window(r->in[i].block, AN_BLOCK_INDEX, &r->o->symbol_window,
                                      &windows[i], err));
        sources[i] = an_window_source(windows[i]);
        v[i] = (an_symbols_input){&r->in[i].block->index, &sources[i], NULL};
    }
    AN_TRY(an_strtab_new(r->o->symbols, r->o->spill, &r->symbols, err));
    rc = an_symbols_merge(v, r->n, r->symbols, r->o->maps, r->o->budget, r->o->spill, &bad, err);
    if (rc != AN_OK && bad < r->n) (void)an_block_reader_err(r->in[bad].block, "index", err);
out:
    for (size_t i = 0; i < r->n; i++) {
        r->inputs[i].map = v[i].map;
        an_window_close(windows[i]);
    }
    free((void *)windows);
    free(sources);
    free(v);
    return rc;
}

static an_rc open_cursor(run *r, size_t i, bool no_chunks, an_err *err)
{
    an_rc rc = AN_OK;
    const input *in = &r->inputs[i];
    an_series_cursor_opts co = {.block = r->in[i].block,
                                .chunks = in->chunks,
                                .series = &in->series,
                                .postings = &in->postings,
                                .all_postings = in->all_postings,
                                .map = in->map,
                                .tombstones = r->in[i].tombstones,
                                .mint = r->o->uncut ? INT64_MIN : r->o->mint,
                                .maxt = r->o->uncut ? INT64_MAX : r->o->maxt,
                                .accept = r->o->accept,
                                .no_chunks = no_chunks,
                                .budget = r->o->budget};

    AN_TRY(an_series_cursor_open(&co, &r->cursors[i], err));
out:
    return rc;
}

static void close_cursors(run *r)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->cursors[i].o.block != NULL) an_series_cursor_close(&r->cursors[i]);
    }
}

/* Will the result's index fit its format? Plans that cannot succeed end here, before the first byte
 * of a chunk is read. For all but enormous inputs the heads of their indexes say so. */
static an_rc check_bounds(run *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_index_bounds b;
    an_index *heads = calloc(r->n + 1, sizeof *heads);
    an_source *sources = calloc(r->n + 1, sizeof *sources);

    an_assert(heads != NULL && sources != NULL);
    for (size_t i = 0; i < r->n; i++) {
        heads[i] = r->in[i].block->index;
        sources[i] = r->inputs[i].postings;
    }
    an_index_bounds_of(heads, r->n, &b);
    if (an_index_bounds_safe(&b)) goto out;
    b.symbols_lo = 4 + an_strtab_bytes(r->symbols);
    AN_TRY(an_index_bounds_postings(heads, sources, r->n, r->o->budget, &b, err));
    AN_TRY(an_index_bounds_check(&b, err));
    for (size_t i = 0; i < r->n; i++) AN_TRY(open_cursor(r, i, true, err));
    AN_TRY(an_measure_index(r->cursors, r->n, r->symbols, r->o->segment_max, r->o->index,
                            r->o->spill, err));
out:
    close_cursors(r);
    free(heads);
    free(sources);
    return rc;
}

static an_rc open_input(run *r, size_t i, an_err *err)
{
    an_rc rc = AN_OK;
    input *in = &r->inputs[i];
    const an_block_reader *b = r->in[i].block;

    AN_TRY(an_block_reader_window(b, AN_BLOCK_INDEX, &r->o->postings_window, &in->postings_window,
                                  err));
    AN_TRY(
        an_block_reader_window(b, AN_BLOCK_INDEX, &r->o->series_window, &in->series_window, err));
    in->postings = an_window_source(in->postings_window);
    in->series = an_window_source(in->series_window);
    AN_TRY(an_postings_table_walk(&b->index, &in->postings, r->o->budget, NULL, NULL,
                                  &in->all_postings, err));
    AN_TRY(an_chunk_reader_open(b, &r->o->chunks, &in->chunks, err));
out:
    if (rc != AN_OK) (void)an_block_reader_err(b, "index", err);
    return rc;
}

static void work_on(an_work *w) { an_batch_work((an_batch *)w); /* work is its first member */ }

/* A fold that ran out of memory may have shared it with others: it is tried once more when nobody
 * else works and all their scratch is given back. */
static void work_alone(run *r, an_batch *b)
{
    for (size_t i = 1; i < r->n_out; i++) {
        an_batch *other = &r->ring[(r->head + i) % r->o->n_batches];
        if (r->o->pool != NULL) an_pool_wait(r->o->pool, &other->work);
        an_arena_reset(other->scratch);
    }
    an_batch_work(b);
}

/* Commits the oldest batch that is out. */
static an_rc commit_head(run *r, an_err *err)
{
    an_batch *b = &r->ring[r->head];

    if (r->o->pool != NULL) an_pool_wait(r->o->pool, &b->work);
    if (b->rc == AN_ELIMIT && r->n_out > 1) work_alone(r, b);
    r->head = (r->head + 1) % r->o->n_batches;
    r->n_out--;
    an_rc rc = an_commit_batch(&r->commit, b, err);
    an_batch_reset(b);
    r->failed = rc != AN_OK;
    if (rc == AN_OK && r->o->progress != NULL) r->o->progress(r->o->progress_arg);
    return rc;
}

static void send_out(run *r)
{
    an_batch *b = r->cur;

    if (r->o->pool != NULL)
        an_pool_submit(r->o->pool, &b->work);
    else
        an_batch_work(b);
    r->n_out++;
    r->cur = NULL;
}

/* The batch at hand goes out; an empty one takes its place. */
static an_rc rotate(run *r, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_ctx_check(r->o->ctx, err));
    send_out(r);
    if (r->n_out == r->o->n_batches) AN_TRY(commit_head(r, err));
    r->cur = &r->ring[(r->head + r->n_out) % r->o->n_batches];
out:
    return rc;
}

static size_t input_of(const run *r, const an_series_cursor *c) { return (size_t)(c - r->cursors); }

static an_rc add_passing(run *r, an_err *err)
{
    an_rc rc = AN_OK;
    const an_series_cursor *first = r->merge.set[0];

    AN_TRY(an_batch_begin(r->cur, first->labels, first->n_labels, true, err));
    r->open = true;
    for (size_t i = 0; i < r->arranged.n; i++) {
        an_run x = r->arranged.runs[i];
        size_t no = input_of(r, x.cursor), taken = 0;
        for (;;) {
            AN_TRY(an_batch_take(r->cur, no, r->inputs[no].chunks, x.cursor->chunks + x.from, x.n,
                                 false, &taken, err));
            x.from += taken;
            x.n -= taken;
            if (x.n == 0) break;
            an_batch_end(r->cur, false); /* full: the series continues in the next one */
            r->open = false;
            AN_TRY(rotate(r, err));
            AN_TRY(an_batch_begin(r->cur, first->labels, first->n_labels, false, err));
            r->open = true;
        }
    }
    an_batch_end(r->cur, true);
    r->open = false;
out:
    return rc;
}

static an_rc not_built(const run *r, an_err *err)
{
    char ids[160] = "";
    size_t n = 0;

    for (size_t i = 0; i < r->merge.n_set && n + 40 < sizeof ids; i++) {
        int k = snprintf(ids + n, sizeof ids - n, "%s%s", i == 0 ? "" : ", ",
                         r->merge.set[i]->o.block->id);
        if (k > 0) n += (size_t)k;
    }
    an_rc rc =
        AN_FAIL(err, AN_EUNSUPPORTED,
                "chunks of %zu blocks (%s%s) overlap, touch or have to be cut; merging their "
                "samples is not built yet",
                r->merge.n_set, ids, n + 40 < sizeof ids ? "" : ", ...");
    (void)an_err_cause(err, AN_CAUSE_NOT_BUILT);
    return rc;
}

static an_rc fill_fold(run *r, an_err *err)
{
    an_rc rc = AN_OK;
    const an_series_cursor *first = r->merge.set[0];

    AN_TRY(an_batch_begin(r->cur, first->labels, first->n_labels, true, err));
    r->open = true;
    for (size_t i = 0; i < r->merge.n_set; i++) {
        const an_series_cursor *c = r->merge.set[i];
        size_t no = input_of(r, c), taken;
        AN_TRY(an_batch_take(r->cur, no, r->inputs[no].chunks, c->chunks, c->n_chunks, true, &taken,
                             err));
        AN_TRY(an_batch_member_end(r->cur, no, c->cuts, err));
    }
    an_batch_end(r->cur, true);
    r->open = false;
out:
    return rc;
}

/* The batches that are out hold more than a quarter of the memory: with long series in them, the
 * oldest might lack what its fold takes. */
static bool window_is_full(const run *r)
{
    size_t held = 0;

    if (r->o->budget == NULL) return false;
    for (size_t i = 0; i < r->n_out; i++) {
        const an_batch *b = &r->ring[(r->head + i) % r->o->n_batches];
        held += b->in.cap > 2 * b->o.limit ? b->in.cap : 0;
    }
    return held > an_budget_limit(r->o->budget) / 4;
}

/* All chunks of the series go into one batch. When there is no memory for them, all batches that
 * are out come home first and give back what they have: the series at the head has all there is. */
static an_rc add_folded(run *r, an_err *err)
{
    an_rc rc = AN_OK;

    if (r->o->fold == NULL) return not_built(r, err);
    while (window_is_full(r)) AN_TRY(commit_head(r, err));
    an_batch_mark mark = an_batch_mark_of(r->cur);
    rc = fill_fold(r, err);
    if (rc != AN_ELIMIT) goto out;
    an_batch_rollback(r->cur, mark);
    r->open = false;
    if (!an_batch_empty(r->cur)) send_out(r);
    while (r->n_out > 0) AN_TRY(commit_head(r, err));
    r->cur = &r->ring[r->head];
    rc = fill_fold(r, err);
out:
    return rc;
}

static an_rc merge_series(run *r, an_err *err)
{
    an_rc rc = AN_OK;

    an_series_merge_open(&r->merge, r->cursors, r->n);
    for (;;) {
        AN_TRY(an_series_merge_next(&r->merge, err));
        if (r->merge.n_set == 0) break;
        if (an_batch_full(r->cur)) AN_TRY(rotate(r, err));
        bool pass = an_arrange(&r->arranged, r->merge.set, r->merge.n_set) &&
                    (r->o->fold == NULL || !r->o->fold->every_task);
        rc = pass ? add_passing(r, err) : add_folded(r, err);
        if (rc == AN_OK) continue;
        const an_series_cursor *c = r->merge.set[0];
        if (!r->failed) an_commit_wrap_series(r->symbols, c->labels, c->n_labels, err);
        goto out;
    }
    if (!an_batch_empty(r->cur)) send_out(r);
    while (r->n_out > 0) AN_TRY(commit_head(r, err));
out:
    return rc;
}

/* The merge thread has met an error. What lies before it in output order is worked off first, so
 * that an earlier defect is found no matter how far the workers were. */
static an_rc settle(run *r, an_rc rc, an_err *err)
{
    an_err earlier;

    if (!r->failed && (rc == AN_ECORRUPT || rc == AN_EHALT || rc == AN_EUNSUPPORTED)) {
        if (r->open) an_batch_end(r->cur, false);
        if (r->cur != NULL && !an_batch_empty(r->cur)) {
            size_t n;
            an_batch_task *tasks = an_batch_tasks(r->cur, &n);
            if (r->open) tasks[n - 1].n_members = 0; /* only checked */
            send_out(r);
        }
        while (r->n_out > 0) {
            an_rc first = commit_head(r, &earlier);
            if (first == AN_OK) continue;
            *err = earlier;
            rc = first;
            break;
        }
    }
    for (; r->n_out > 0; r->n_out--) {
        an_batch *b = &r->ring[r->head];
        if (r->o->pool != NULL) (void)an_pool_revoke(r->o->pool, &b->work); /* ran or not: waste */
        r->head = (r->head + 1) % r->o->n_batches;
    }
    return rc;
}

static an_rc open_all(run *r, an_block_writer *w, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(merge_symbols(r, err));
    for (size_t i = 0; i < r->n; i++) AN_TRY(open_input(r, i, err));
    AN_TRY(check_bounds(r, err));
    for (size_t i = 0; i < r->n; i++) AN_TRY(open_cursor(r, i, false, err));
    r->index_sink = an_block_writer_index(w);
    const bool anywhere = (r->o->accept & 1u << AN_HEALTH_OUTSIDE) != 0;
    const an_batch_opts bo = {.limit = r->o->batch_bytes,
                              .inputs = r->blocks,
                              .n_inputs = r->n,
                              .fold = r->o->fold,
                              .mint = anywhere ? INT64_MIN : r->o->mint,
                              .maxt = anywhere ? INT64_MAX : r->o->maxt,
                              .budget = r->o->budget};
    for (size_t i = 0; i < r->o->n_batches; i++) {
        an_batch *b = &r->ring[i];
        AN_TRY(an_batch_init(b, &bo, err));
        b->work.run = work_on;
    }
    r->cur = &r->ring[0];
    AN_TRY(
        an_index_writer_open(&r->index_sink, r->symbols, r->o->index, r->o->spill, &r->index, err));
    an_commit_init(&r->commit, w, r->index, r->symbols, r->o->segment_max, r->n, r->o->budget);
out:
    return rc;
}

static void close_all(run *r)
{
    an_commit_deinit(&r->commit);
    an_index_writer_close(r->index);
    an_series_merge_close(&r->merge);
    an_arrangement_deinit(&r->arranged);
    for (size_t i = 0; i < r->o->n_batches; i++) an_batch_deinit(&r->ring[i]);
    close_cursors(r);
    for (size_t i = 0; i < r->n; i++) {
        an_chunk_reader_close(r->inputs[i].chunks);
        an_window_close(r->inputs[i].series_window);
        an_window_close(r->inputs[i].postings_window);
        an_ordmap_free(r->inputs[i].map);
    }
    an_strtab_free(r->symbols);
    free(r->inputs);
    free(r->cursors);
    free((void *)r->blocks);
    free(r->ring);
}

static void sum_up(const run *r, an_arena *a, an_merge_result *out)
{
    const an_commit *c = &r->commit;

    out->samples = c->counts.all;
    out->float_samples = c->counts.floats;
    out->histogram_samples = c->counts.histograms;
    out->series = c->n_series;
    out->chunks = c->n_chunks;
    out->inputs = an_arena_alloc(a, r->n * sizeof *out->inputs);
    for (size_t i = 0; i < r->n; i++) {
        const an_series_cursor *s = &r->cursors[i];
        out->inputs[i] = (an_merge_sums){.n_series = s->n_entries,
                                         .samples = c->input_samples[i],
                                         .plain_chunks = c->input_plain[i],
                                         .dup_samples = s->dup_samples,
                                         .edge_samples = s->edge_samples,
                                         .unread_edge = s->unread_edge,
                                         .ooo_labels = s->health.ooo_labels,
                                         .dup_chunks = s->dup_chunks,
                                         .unread_chunks = s->unread_chunks};
    }
}

an_rc an_merge_run(an_arena *a, const an_merge_input *inputs, size_t n, const an_merge_opts *opts,
                   an_block_writer *w, an_merge_result *out, an_err *err)
{
    an_rc rc = AN_OK;
    run r = {.o = opts, .in = inputs, .n = n};

    an_assert(n > 0 && opts->n_batches > 0 && opts->mint < opts->maxt);
    r.inputs = calloc(n, sizeof *r.inputs);
    r.cursors = calloc(n, sizeof *r.cursors);
    r.blocks = (const an_block_reader **)calloc(n, sizeof *r.blocks);
    r.ring = calloc(opts->n_batches, sizeof *r.ring);
    an_assert(r.inputs != NULL && r.cursors != NULL && r.blocks != NULL && r.ring != NULL);
    for (size_t i = 0; i < n; i++) r.blocks[i] = inputs[i].block;
    AN_TRY(open_all(&r, w, err));
    rc = merge_series(&r, err);
    if (rc != AN_OK) {
        rc = settle(&r, rc, err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) AN_TRY(an_chunk_reader_finish(r.inputs[i].chunks, err));
    AN_TRY(an_index_writer_finish(r.index, &out->index, err));
    sum_up(&r, a, out);
out:
    close_all(&r);
    return rc;
}
