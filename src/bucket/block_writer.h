// SPDX-License-Identifier: Apache-2.0
/* bucket/block_writer.h: a new block, written as it is made and published at the end.
 *
 *   chunks/000001  chunks/000002 ...  index          uploads, invisible while they grow
 *          │              │             │
 *          └── flush all ─┴─────────────┘            everything is on stable storage
 *              list the ULID's prefix                a complete block there: ours is dropped
 *              complete segments, then index         each becomes visible whole
 *              put meta.json, if absent              now it is a block
 *
 * Nothing is visible before publish; what a crash leaves behind are temp files of our nonce, or
 * objects without a meta.json, which the next attempt under the same ULID replaces by the same
 * bytes. Two writers of one ULID never mix: objects are replaced whole, and their bytes are equal.
 *
 * Threads: one. */
#pragma once
#include "base/arena.h"
#include "base/stream.h"
#include "objstore/bucket.h"
#include "tsdb/meta/meta.h"

typedef struct an_block_writer an_block_writer;

typedef struct an_block_writer_opts {
    an_ulid ulid;
    an_slice nonce;          /* of this attempt: letters and digits */
    bool sha256;             /* hash every file on the way: --hash-func=SHA256 */
    uint64_t *bytes_written; /* counts; may be NULL */
} an_block_writer_opts;

/* Opens nothing in the bucket yet. */
AN_MUST_CHECK an_rc an_block_writer_open(an_bucket *b, an_ctx *ctx,
                                         const an_block_writer_opts *opts, an_block_writer **out,
                                         an_err *err);
/* Throws away what was not published; NULL is fine. */
void an_block_writer_close(an_block_writer *w);

/* Appends whole frames to the open segment; the first call opens 000001 with its header. */
AN_MUST_CHECK an_rc an_block_writer_chunks(an_block_writer *w, an_slice frames, an_err *err);
/* What is appended next goes to a new segment. */
void an_block_writer_cut(an_block_writer *w);
/* Where the index goes; the object `index` is opened by the first write. */
an_sink an_block_writer_index(an_block_writer *w);

typedef enum an_published {
    AN_PUBLISHED,
    AN_PUBLISHED_BEFORE /* a complete block with these sources was there: ours was dropped */
} an_published;

/* Fills m->thanos: segment_files and files (in `a`), upload_time = now, and publishes. m has the
 * ULID of opts. AN_EHALT: something else lies under this ULID. */
AN_MUST_CHECK an_rc an_block_writer_publish(an_block_writer *w, an_arena *a, an_meta *m,
                                            an_meta_time now, an_published *how, an_err *err);
