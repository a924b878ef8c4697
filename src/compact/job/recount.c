// SPDX-License-Identifier: Apache-2.0
#include "compact/job/recount.h"

#include "compact/merge/frame.h"

enum { FRAME_MAX = 256 << 20 };

typedef struct recount {
    const an_block_reader *block;
    an_chunk_reader *chunks;
    an_arena *arena;
    an_chunk_iter it;
    an_buf frame;
} recount;

static an_rc decode(recount *r, const an_chunk_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    an_frame_size size;
    an_frame_info info;
    an_chunk_info all;
    const an_chunk_codec *codec;

    AN_TRY(an_frame_measure(r->chunks, m->ref, &size, err));
    an_buf_clear(&r->frame);
    AN_CHECK(size.total <= FRAME_MAX && an_buf_reserve(&r->frame, (size_t)size.total), err,
             AN_ELIMIT, "no memory for a chunk of %llu bytes", (unsigned long long)size.total);
    AN_TRY(an_chunk_reader_copy(r->chunks, m->ref, (size_t)size.total, r->frame.p, err));
    an_slice frame = an_slice_of(r->frame.p, (size_t)size.total);
    AN_TRY(an_frame_check(frame, r->block, &r->it, &info, err));
    AN_TRY(an_chunk_codec_find(info.encoding, &codec, err));
    an_arena_reset(r->arena);
    an_chunk_iter_init(&r->it, r->arena);
    rc = an_chunk_validate(&r->it, codec, info.data, &all, err);
    if (rc == AN_OK && all.n > 0 &&
        (!all.rising || all.first_t < m->mint || all.last_t > m->maxt)) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "its %u samples lie between %lld and %lld, the index says [%lld, %lld]", all.n,
                     (long long)all.min_t, (long long)all.max_t, (long long)m->mint,
                     (long long)m->maxt);
    }
    if (rc == AN_OK) goto out;
    an_err_wrap(err, "chunk %llu of block %s counts %u samples", (unsigned long long)m->ref,
                r->block->id, info.samples);
    (void)an_err_cause(err, AN_CAUSE_CHUNK_COUNT);
out:
    return rc == AN_OK ? rc : an_block_reader_chunk_err(r->block, m->ref, err);
}

an_rc an_recount(const an_block_reader *r, const an_window_opts *index_windows,
                 const an_chunk_reader_opts *chunks, an_err *err)
{
    an_rc rc = AN_OK;
    an_window *series_window = NULL, *postings_window = NULL;
    an_series_iter *it = NULL;
    an_series_entry e;
    uint64_t all = 0;
    recount c = {.block = r, .arena = an_arena_new(chunks->window.budget)};

    an_buf_init(&c.frame, FRAME_MAX, chunks->window.budget);
    AN_TRY(an_block_reader_window(r, AN_BLOCK_INDEX, index_windows, &postings_window, err));
    AN_TRY(an_block_reader_window(r, AN_BLOCK_INDEX, index_windows, &series_window, err));
    an_source postings = an_window_source(postings_window),
              series = an_window_source(series_window);
    AN_TRY(
        an_postings_table_walk(&r->index, &postings, index_windows->budget, NULL, NULL, &all, err));
    AN_TRY(an_chunk_reader_open(r, chunks, &c.chunks, err));
    AN_TRY(
        an_series_iter_open(&r->index, &series, &postings, all, index_windows->budget, &it, err));
    an_chunk_iter_init(&c.it, c.arena);
    while ((rc = an_series_iter_next(it, &e, err)) == AN_OK) {
        for (size_t i = 0; i < e.n_chunks; i++) AN_TRY(decode(&c, &e.chunks[i], err));
    }
    if (rc == AN_ENOTFOUND) rc = AN_OK;
out:
    an_series_iter_close(it);
    an_chunk_reader_close(c.chunks);
    an_window_close(series_window);
    an_window_close(postings_window);
    an_buf_deinit(&c.frame);
    an_arena_free(c.arena);
    return rc;
}
