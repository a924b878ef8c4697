// SPDX-License-Identifier: Apache-2.0
/* unit/compact/task_builder.h: tasks of one series, put together chunk by chunk, and what a fold
 * makes of them. */
#pragma once
#include "base/cursor.h"
#include "compact/merge/chunk_merge.h"
#include "tsdb/segment/segment.h"
#include "unit/tsdb/chunk/random_samples.h"

enum { MEMBERS_MAX = 8, CHUNKS_MAX = 64 };

/* A task that is put together chunk by chunk. */
typedef struct builder {
    an_arena *a;
    an_task task;
    an_task_member member[MEMBERS_MAX];
    an_task_chunk chunk[MEMBERS_MAX][CHUNKS_MAX];
} builder;

static inline builder *builder_new(void)
{
    an_arena *a = an_arena_new(NULL);
    builder *b = an_arena_alloc(a, sizeof *b);

    b->a = a;
    b->task.members = b->member;
    return b;
}

static inline void builder_free(builder *b) { an_arena_free(b->a); }

static inline an_task_member *builder_member(builder *b)
{
    size_t n = b->task.n_members++;

    assert_true(n < MEMBERS_MAX);
    b->member[n].input = n;
    b->member[n].block = "01ARYZ6S41TSV4RRFFQ69G5FAV";
    b->member[n].chunks = b->chunk[n];
    return &b->member[n];
}

/* A chunk as it lies in a segment, in exactly its bytes of memory: they live until the end. */
static inline void builder_chunk(builder *b, uint8_t encoding, int64_t mint, int64_t maxt,
                                 an_slice data)
{
    size_t m = b->task.n_members - 1;
    an_buf frame;

    assert_true(b->member[m].n_chunks < CHUNKS_MAX);
    an_task_chunk *c = &b->chunk[m][b->member[m].n_chunks++];
    an_buf_init(&frame, 1 << 26, NULL);
    an_chunk_frame_write(&frame, encoding, data);
    *c = (an_task_chunk){.mint = mint,
                         .maxt = maxt,
                         .ref = 100 * m + b->member[m].n_chunks,
                         .encoding = encoding,
                         .frame = an_arena_dup(b->a, an_buf_slice(&frame))};
    an_cursor cur = an_cursor_of(c->frame);
    uint64_t len = an_cursor_uvarint(&cur);
    (void)an_cursor_u8(&cur);
    c->data = an_cursor_take(&cur, len);
    an_buf_deinit(&frame);
}

/* Samples that must fit one chunk; false (and nothing added) when histograms do not. */
static inline bool builder_samples(builder *b, const an_sample *s, size_t n)
{
    static const uint8_t encodings[] = {0, AN_ENC_XOR, AN_ENC_HIST, AN_ENC_FHIST};
    uint8_t encoding = encodings[s[0].type];
    an_chunk_enc *e = an_arena_alloc(b->a, sizeof *e);
    an_hist_fit fit = {0};
    an_err err;

    an_chunk_enc_init(e, b->a);
    an_chunk_start(e, an_chunk_codec_of(encoding));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(s[i].type, s[0].type);
        if (s[i].type == AN_VAL_FLOAT)
            assert_int_equal(e->codec->floats(e, 1, &s[i].t, &s[i].v, &s[i].st, &err), AN_OK);
        else
            assert_int_equal(e->codec->hist(e, s[i].t, s[i].st, s[i].h, &fit, &err), AN_OK);
        if (fit.cut) return false;
    }
    builder_chunk(b, encoding, s[0].t, s[n - 1].t, an_chunk_finish(e));
    return true;
}

/* What a fold made of a task. */
typedef struct result {
    an_task_out out;
    const an_chunk_meta *meta;
    size_t n;
} result;

static inline an_rc fold(builder *b, an_merge_func func, result *r, an_err *err)
{
    an_fold f = an_chunk_merge_fold(func);
    an_arena *scratch = an_arena_new(NULL);

    an_buf_init(&r->out.frames, 1 << 26, NULL);
    an_buf_init(&r->out.metas, 1 << 26, NULL);
    an_rc rc = f.run(f.arg, scratch, &b->task, &r->out, err);
    an_arena_free(scratch);
    assert_false(r->out.frames.failed || r->out.metas.failed);
    r->meta = (const an_chunk_meta *)(const void *)r->out.metas.p;
    r->n = r->out.metas.n / sizeof *r->meta;
    return rc;
}

static inline void result_free(result *r)
{
    an_buf_deinit(&r->out.frames);
    an_buf_deinit(&r->out.metas);
}

/* Chunk i of the result: its encoding and payload. */
static inline an_slice result_chunk(const result *r, size_t i, uint8_t *encoding)
{
    an_cursor c = an_cursor_of(an_buf_slice(&r->out.frames));

    (void)an_cursor_take(&c, r->meta[i].ref);
    uint64_t len = an_cursor_uvarint(&c);
    *encoding = an_cursor_u8(&c);
    an_slice data = an_cursor_take(&c, len);
    assert_false(c.bad);
    return data;
}
