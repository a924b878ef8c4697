// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/feed.h: many chunks as streams of samples, side by side.
 *
 * A merge may look at hundreds of chunks, of which two or three are being read. So a feed knows the
 * time of its first sample at once, but takes a reader (an an_chunk_iter of a few KiB) only when it
 * is read, and gives it back at its end.
 *
 *     an_feed_open ──► t is that of the first sample
 *     an_feed_next ──► t is that of the next one; after the last one `live` is false
 *     an_feed_sample ► the sample at t; its histogram is valid until the feed moves
 *
 * Errors carry the block and, as offset, the ref of the chunk. Threads: one for all feeds of one
 * set of readers. */
#pragma once
#include "tsdb/chunk/chunk.h"

/* A chunk as merges hand it around. */
typedef struct an_piece {
    int64_t mint, maxt; /* as its index says */
    const an_chunk_codec *codec;
    an_slice data;
    const char *block; /* where it comes from; NULL: made on the way */
    uint64_t ref;
} an_piece;

typedef struct an_reader {
    an_chunk_iter it;
    struct an_reader *next;
} an_reader;

typedef struct an_readers {
    an_arena *arena;
    an_reader *unused;
} an_readers;

typedef struct an_feed {
    const an_piece *piece;
    an_readers *readers;
    an_reader *reader; /* NULL: not yet, or not any more */
    int64_t t;
    bool live;
} an_feed;

static inline an_readers an_readers_of(an_arena *a) { return (an_readers){a, NULL}; }

AN_MUST_CHECK an_rc an_feed_open(an_feed *f, an_readers *readers, const an_piece *piece,
                                 an_err *err);
/* For the inline functions below: what they leave out. */
AN_MUST_CHECK an_rc an_feed_read(an_feed *f, an_err *err);
AN_MUST_CHECK an_rc an_feed_refill(an_feed *f, an_err *err);

/* To the next sample. */
static inline AN_MUST_CHECK an_rc an_feed_next(an_feed *f, an_err *err)
{
    if (f->reader == NULL || f->reader->it.i + 1 >= f->reader->it.n) return an_feed_refill(f, err);
    f->t = f->reader->it.t[++f->reader->it.i];
    return AN_OK;
}

/* The present sample of a live feed. */
static inline AN_MUST_CHECK an_rc an_feed_sample(an_feed *f, an_sample *s, an_err *err)
{
    if (f->reader == NULL) {
        an_rc rc = an_feed_read(f, err);
        if (rc != AN_OK) return rc;
    }
    *s = an_chunk_at(&f->reader->it, f->reader->it.i);
    return AN_OK;
}
