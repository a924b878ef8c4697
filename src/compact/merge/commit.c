// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/commit.h"

#include <stdlib.h>

enum { LABELS_SHOWN = 32, TEXT_MAX = 240 };

void an_commit_init(an_commit *c, an_block_writer *blocks, an_index_writer *index,
                    an_strtab *symbols, uint64_t segment_max, size_t n_inputs, an_budget *budget)
{
    memset(c, 0, sizeof *c);
    c->blocks = blocks;
    c->index = index;
    c->symbols = symbols;
    c->segment_max = segment_max;
    c->input_samples = calloc(2 * n_inputs + 1, sizeof *c->input_samples);
    an_assert(c->input_samples != NULL);
    c->input_plain = c->input_samples + n_inputs;
    an_buf_init(&c->pending, SIZE_MAX, budget);
}

void an_commit_deinit(an_commit *c)
{
    an_buf_deinit(&c->pending);
    free(c->input_samples);
    memset(c, 0, sizeof *c);
}

void an_commit_wrap_series(an_strtab *symbols, const uint32_t *labels, size_t n_labels, an_err *err)
{
    an_arena *a = an_arena_new(NULL);
    an_label pairs[LABELS_SHOWN];
    an_labels ls = {0, pairs};
    an_buf text;
    an_err ignored; /* of a text that explains an error that is there already */
    an_slice s;

    an_buf_init(&text, 64 << 10, NULL);
    for (size_t i = 0; i < n_labels && i < LABELS_SHOWN; i++, ls.n++) {
        if (an_strtab_get(symbols, labels[2 * i], &s, &ignored) != AN_OK) break;
        pairs[i].name = an_arena_dup(a, s);
        if (an_strtab_get(symbols, labels[2 * i + 1], &s, &ignored) != AN_OK) break;
        pairs[i].value = an_arena_dup(a, s);
    }
    an_labels_print(&text, ls);
    an_err_wrap(err, "series %.*s%s", (int)(text.n < TEXT_MAX ? text.n : TEXT_MAX),
                (const char *)text.p, text.n < TEXT_MAX ? "" : "...");
    an_buf_deinit(&text);
    an_arena_free(a);
}

/* Frames that lie one behind the other and go out with one write. */
typedef struct span {
    const an_buf *buf;
    size_t from, to;
} span;

static an_rc flush(an_commit *c, span *s, an_err *err)
{
    an_rc rc = AN_OK;

    if (s->to > s->from)
        rc = an_block_writer_chunks(c->blocks, an_slice_of(s->buf->p + s->from, s->to - s->from),
                                    err);
    s->from = s->to;
    return rc;
}

/* Payload of a frame of n bytes, whose length is written in the fewest bytes. */
static uint64_t data_len(size_t n)
{
    uint64_t len = n - 1 - AN_FRAME_CRC - 1; /* if the length took one byte */

    for (uint64_t limit = 0x80; len >= limit; limit <<= 7) len--;
    return len;
}

/* Gives a frame its place: its reference replaces its offset in buf. */
static an_rc place(an_commit *c, span *s, const an_buf *buf, an_chunk_meta *m, size_t len,
                   an_err *err)
{
    an_rc rc = AN_OK;
    size_t at = (size_t)m->ref;

    if (s->buf != buf || s->to != at) {
        AN_TRY(flush(c, s, err));
        *s = (span){buf, at, at};
    }
    bool cut = an_segment_cutter_next(&c->cutter, data_len(len));
    if (c->pos == 0) {
        c->pos = AN_SEGMENT_HEADER;
    } else if (cut) {
        AN_TRY(flush(c, s, err));
        an_block_writer_cut(c->blocks);
        c->segment++;
        c->pos = AN_SEGMENT_HEADER;
    }
    m->ref = (uint64_t)c->segment << 32 | c->pos;
    s->to = at + len;
    c->pos += len;
out:
    return rc;
}

static an_rc add_series(an_commit *c, const uint32_t *labels, const an_batch_task *t,
                        const an_chunk_meta *m, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    if (t->first && t->last) {
        if (n > 0) AN_TRY(an_index_writer_add(c->index, labels, t->n_labels, m, n, err));
        goto out;
    }
    if (t->first) an_buf_clear(&c->pending);
    an_buf_add(&c->pending, m, n * sizeof *m);
    AN_CHECK(!c->pending.failed, err, AN_ELIMIT,
             "no memory for the entry of a series with %zu chunks", c->pending.n / sizeof *m + n);
    if (!t->last) goto out;
    AN_TRY(an_index_writer_add(c->index, labels, t->n_labels, an_batch_metas(&c->pending),
                               c->pending.n / sizeof *m, err));
out:
    return rc;
}

static an_rc commit_task(an_commit *c, an_batch *b, const an_batch_task *t, span *s, an_err *err)
{
    an_rc rc = AN_OK;
    const uint32_t *labels = an_batch_labels(b, t);
    bool fold = t->n_members > 0;
    const an_buf *buf = fold ? &b->out.frames : &b->in;
    an_buf *metas = fold ? &b->out.metas : &b->metas;
    size_t from = fold ? t->out : t->frame, n = fold ? t->n_out : t->n_frames;
    an_chunk_meta *m = n == 0 ? NULL : an_batch_metas(metas) + from;
    size_t n_all = metas->n / sizeof *m;

    if (t->first) c->cutter = an_segment_cutter_of(c->segment_max, c->pos);
    for (size_t i = 0; i < n; i++) {
        /* The next frame's offset is not overwritten yet: places are given in order. */
        size_t end = from + i + 1 < n_all ? (size_t)m[i + 1].ref : buf->n;
        AN_TRY(place(c, s, buf, &m[i], end - (size_t)m[i].ref, err));
    }
    AN_TRY(add_series(c, labels, t, m, n, err));
out:
    if (rc != AN_OK) an_commit_wrap_series(c->symbols, labels, t->n_labels, err);
    return rc;
}

an_rc an_commit_batch(an_commit *c, an_batch *b, an_err *err)
{
    an_rc rc = AN_OK;
    size_t n;
    an_batch_task *tasks = an_batch_tasks(b, &n);
    span s = {NULL, 0, 0};

    if (b->rc != AN_OK) {
        const an_batch_task *t = &tasks[b->bad_task];
        *err = b->err;
        an_commit_wrap_series(c->symbols, an_batch_labels(b, t), t->n_labels, err);
        return b->rc;
    }
    for (size_t i = 0; i < n; i++) AN_TRY(commit_task(c, b, &tasks[i], &s, err));
    AN_TRY(flush(c, &s, err));
    c->counts.all += b->counts.all;
    c->counts.floats += b->counts.floats;
    c->counts.histograms += b->counts.histograms;
    c->n_series += b->n_series;
    c->n_chunks += b->n_chunks;
    for (size_t i = 0; i < b->o.n_inputs; i++) {
        c->input_samples[i] += b->input_samples[i];
        c->input_plain[i] += b->input_plain[i];
    }
out:
    return rc;
}
