// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/cursor.h"

#include "compact/merge/frame.h"

enum { FRAME_MAX = 256 << 20 }; /* longest frames that are compared byte by byte */

an_rc an_series_cursor_open(const an_series_cursor_opts *opts, an_series_cursor *c, an_err *err)
{
    an_rc rc = AN_OK;
    const an_index *ix = &opts->block->index;
    const an_meta *m = opts->block->meta;

    memset(c, 0, sizeof *c);
    c->o = *opts;
    an_buf_init(&c->label_buf, AN_INDEX_ITEM_MAX, opts->budget);
    an_buf_init(&c->chunk_buf, (size_t)AN_INDEX_ITEM_MAX * 8, opts->budget);
    an_buf_init(&c->dup_buf, FRAME_MAX, opts->budget);
    an_index_health_init(&c->health, ix, m->mint, m->maxt, opts->budget);
    c->arena = an_arena_new(opts->budget);
    AN_TRY(an_series_iter_open(ix, opts->series, opts->postings, opts->all_postings, opts->budget,
                               &c->it, err));
out:
    if (rc != AN_OK) (void)an_block_reader_err(opts->block, "index", err);
    return rc;
}

void an_series_cursor_close(an_series_cursor *c)
{
    an_series_iter_close(c->it);
    an_index_health_deinit(&c->health);
    an_buf_deinit(&c->label_buf);
    an_buf_deinit(&c->chunk_buf);
    an_buf_deinit(&c->dup_buf);
    an_arena_free(c->arena);
    memset(c, 0, sizeof *c);
}

static an_rc judge(an_series_cursor *c, const an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    an_index_health *h = &c->health;

    AN_TRY(an_block_check_entry(c->o.block, h, e, err));
    if ((h->outside | h->ooo_chunks | h->ooo_labels) != 0)
        AN_TRY(an_index_health_input(h, c->o.accept, err));
out:
    return rc;
}

static an_rc map_labels(an_series_cursor *c, const an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    size_t n = 2 * e->n_labels;

    an_buf_clear(&c->label_buf);
    AN_CHECK(an_buf_reserve(&c->label_buf, n * sizeof(uint32_t)), err, AN_ELIMIT,
             "no memory for a series of %zu labels", e->n_labels);
    void *words = c->label_buf.p;
    uint32_t *v = words;
    for (size_t i = 0; i < n; i++) AN_TRY(an_ordmap_get(c->o.map, e->labels[i], &v[i], err));
    c->labels = v;
    c->n_labels = e->n_labels;
out:
    return rc;
}

static an_rc add_frame(an_series_cursor *c, uint64_t ref, an_frame_size *size, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf *b = &c->dup_buf;

    AN_TRY(an_frame_measure(c->o.chunks, ref, size, err));
    AN_CHECK(size->total <= b->max && an_buf_reserve(b, (size_t)size->total), err, AN_ELIMIT,
             "no memory to compare chunks of %llu bytes", (unsigned long long)size->total);
    AN_TRY(an_chunk_reader_copy(c->o.chunks, ref, (size_t)size->total, b->p + b->n, err));
    b->n += (size_t)size->total;
out:
    return rc;
}

/* Chunks i - 1 and i have one range. The same data: counted and left out. Other data: nobody may
 * choose. */
static an_rc drop_copy(an_series_cursor *c, const an_series_entry *e, size_t i, an_err *err)
{
    an_rc rc = AN_OK;
    an_frame_size a, b;
    uint64_t ref_a = e->chunks[i - 1].ref, ref_b = e->chunks[i].ref;

    if (c->o.no_chunks) return AN_OK;
    an_buf_clear(&c->dup_buf);
    AN_TRY(add_frame(c, ref_a, &a, err));
    size_t second = c->dup_buf.n;
    AN_TRY(add_frame(c, ref_b, &b, err));
    an_slice fa = an_slice_of(c->dup_buf.p + a.head, (size_t)a.total - a.head);
    an_slice fb = an_slice_of(c->dup_buf.p + second + b.head, (size_t)b.total - b.head);
    if (!an_slice_eq(fa, fb)) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "block %s: two chunks of one series have the range [%lld, %lld] and different "
                     "data",
                     c->o.block->id, (long long)e->chunks[i].mint, (long long)e->chunks[i].maxt);
        (void)an_err_cause(err, AN_CAUSE_DUP_CHUNKS);
        goto out;
    }
    c->dup_chunks++;
    c->dup_samples += an_frame_samples(fb.p[0], an_slice_of(fb.p + 1, b.data));
out:
    return rc == AN_OK ? rc : an_block_reader_chunk_err(c->o.block, ref_b, err);
}

static bool add_cut(an_series_cursor *c, int64_t mint, int64_t maxt)
{
    return an_intervals_add(c->arena, &c->cuts, (an_interval){mint, maxt});
}

/* spec/compaction.md 6.1, steps 2 to 4, where something is to be left out or cut. */
static an_rc clamp_slowly(an_series_cursor *c, const an_series_entry *e, an_intervals deleted,
                          an_err *err)
{
    an_rc rc = AN_OK;
    const int64_t lo = c->o.mint, hi = c->o.maxt - 1;
    bool before = false, after = false, memory = true;

    an_buf_clear(&c->chunk_buf);
    for (size_t i = 0; i < e->n_chunks; i++) {
        const an_chunk_meta *m = &e->chunks[i];
        if (m->maxt < lo || m->mint > hi) {
            /* Times rise within a chunk, so one of a single time holds a single sample. */
            bool edge = m->mint == c->o.maxt && m->maxt == c->o.maxt;
            c->edge_samples += edge;
            c->unread_edge += edge;
            c->unread_chunks += !edge;
            continue;
        }
        if (an_intervals_cover(deleted, (an_interval){m->mint, m->maxt})) {
            c->unread_chunks++;
            continue;
        }
        if (i > 0 && m->mint == m[-1].mint && m->maxt == m[-1].maxt) {
            AN_TRY(drop_copy(c, e, i, err));
            continue;
        }
        an_buf_add(&c->chunk_buf, m, sizeof *m);
        before = before || m->mint < lo;
        after = after || m->maxt > hi;
        if (m->maxt == c->o.maxt) c->edge_samples++;
    }
    c->n_chunks = c->chunk_buf.n / sizeof(an_chunk_meta);
    const void *kept = c->chunk_buf.p;
    c->chunks = kept;
    AN_CHECK(!c->chunk_buf.failed, err, AN_ELIMIT, "no memory for a series of %zu chunks",
             e->n_chunks);
    an_arena_reset(c->arena);
    c->cuts = (an_intervals){0};
    for (size_t i = 0; i < deleted.n && memory; i++)
        memory = add_cut(c, deleted.v[i].mint, deleted.v[i].maxt);
    if (before && memory) memory = add_cut(c, INT64_MIN, lo - 1);
    if (after && memory) memory = add_cut(c, hi + 1, INT64_MAX);
    AN_CHECK(memory, err, AN_ELIMIT, "no memory for %zu deleted intervals", deleted.n);
    for (size_t i = 0; i < c->n_chunks && !c->cut; i++)
        c->cut = an_intervals_overlap(c->cuts, (an_interval){c->chunks[i].mint, c->chunks[i].maxt});
out:
    return rc;
}

static an_rc clamp(an_series_cursor *c, const an_series_entry *e, an_err *err)
{
    const int64_t lo = c->o.mint, hi = c->o.maxt - 1;
    an_intervals deleted = {0};
    bool plain = true;

    c->cut = false;
    c->cuts = deleted;
    if (c->o.tombstones != NULL) deleted = an_tombstones_get(c->o.tombstones, e->id);
    for (size_t i = 0; i < e->n_chunks; i++) {
        const an_chunk_meta *m = &e->chunks[i];
        plain = plain && m->mint >= lo && m->maxt <= hi &&
                (i == 0 || m->mint != m[-1].mint || m->maxt != m[-1].maxt);
    }
    if (!plain || deleted.n > 0) return clamp_slowly(c, e, deleted, err);
    c->n_chunks = e->n_chunks;
    c->chunks = e->chunks;
    return AN_OK;
}

an_rc an_series_cursor_next(an_series_cursor *c, an_err *err)
{
    an_rc rc = AN_OK;
    an_series_entry e;

    do {
        rc = an_series_iter_next(c->it, &e, err);
        if (rc == AN_ENOTFOUND) {
            c->done = true;
            c->n_chunks = 0;
            return AN_OK;
        }
        if (rc != AN_OK) goto out;
        c->n_entries++;
        c->entry_off = e.off;
        AN_TRY(judge(c, &e, err));
        AN_TRY(map_labels(c, &e, err));
        AN_TRY(clamp(c, &e, err));
    } while (c->n_chunks == 0);
out:
    if (rc != AN_OK) (void)an_block_reader_err(c->o.block, "index", err);
    return rc;
}
