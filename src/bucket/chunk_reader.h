// SPDX-License-Identifier: Apache-2.0
/* bucket/chunk_reader.h: the chunk segments of one block as bytes by reference.
 *
 * References of a healthy block rise in series order, so almost every read continues where the last
 * one ended: a sliding window over the present segment serves them. A reference that lies elsewhere
 * (an earlier offset, another segment) is served from a few small buffers, each with a piece of
 * some segment, the least recently used one being filled again; so two or three interleaved streams
 * of references cost one read per piece, too. The window moves to another segment when that one is
 * asked for several times in a row.
 *
 *     seg 0  ───────────────┤ window ├──────────   rising references
 *     seg 3  ────┤slot├──────────────────────────  a jump
 *
 * A segment's header (magic, version) is checked when it is first touched; an_chunk_reader_finish
 * checks those that nobody touched. Frames are not looked at here.
 *
 * Findings (AN_ECORRUPT): segment-header, chunks-missing (no such segment), chunk-truncated (past
 * the end of the segment). Memory: 2 windows of opts.bytes (2 + ahead) and the slots, all taken
 * from the budget at open. Threads: one. */
#pragma once
#include "bucket/block_reader.h"

typedef struct an_chunk_reader an_chunk_reader;

typedef struct an_chunk_reader_opts {
    an_window_opts window;
    size_t slot_bytes; /* 64 at least; no read is longer than window.bytes or this */
    unsigned n_slots;  /* 1 at least */
} an_chunk_reader_opts;

/* What an_chunk_reader_view needs inline. */
struct an_chunk_reader {
    uint64_t base; /* reference of view.p[0] */
    an_slice view; /* empty: nothing at hand */
    const an_block_reader *block;
};

/* Reads nothing yet. r must outlive the reader. */
AN_MUST_CHECK an_rc an_chunk_reader_open(const an_block_reader *r, const an_chunk_reader_opts *opts,
                                         an_chunk_reader **out, an_err *err);
void an_chunk_reader_close(an_chunk_reader *c); /* NULL is fine */

/* The slow way of an_chunk_reader_view. */
AN_MUST_CHECK an_rc an_chunk_reader_at(an_chunk_reader *c, uint64_t ref, size_t min, an_slice *out,
                                       an_err *err);

/* Bytes at `ref`: at least min (at most 64, or what a slot holds), more when they are at hand.
 * Valid until the next call. */
static inline AN_MUST_CHECK an_rc an_chunk_reader_view(an_chunk_reader *c, uint64_t ref, size_t min,
                                                       an_slice *out, an_err *err)
{
    uint64_t skip = ref - c->base; /* wraps to something huge below the view */

    if (skip < c->view.n && c->view.n - skip >= min) {
        *out = (an_slice){c->view.p + skip, c->view.n - (size_t)skip};
        return AN_OK;
    }
    return an_chunk_reader_at(c, ref, min, out, err);
}

/* Copies n bytes, however many reads that takes. */
AN_MUST_CHECK an_rc an_chunk_reader_copy(an_chunk_reader *c, uint64_t ref, size_t n, uint8_t *dst,
                                         an_err *err);

/* Bytes from ref to the end of its segment; 0 when there is no such segment or offset. */
uint64_t an_chunk_reader_left(const an_chunk_reader *c, uint64_t ref);

/* Checks the headers of segments that were never touched. */
AN_MUST_CHECK an_rc an_chunk_reader_finish(an_chunk_reader *c, an_err *err);
