// SPDX-License-Identifier: Apache-2.0
/* bucket/block_reader.h: a block of a bucket, opened from its entry in the listing.
 *
 * Opening looks at names and sizes, and reads the head and the table of contents of the index, no
 * more. What is read after that goes through windows (bucket/window.h): one each for symbols,
 * postings table, all-postings list and series, because each of them runs through the index at its
 * own pace; chunks are read through bucket/chunk_reader.h.
 *
 * Segments are the objects below `chunks/` whose names are decimal digits only, in byte order; a
 * chunk reference counts them from 0 in that order, whatever their numbers are (spec/tsdb-block.md
 * 2). So a missing file in the middle would silently shift all later ones. Therefore a gap in the
 * numbering is accepted only when meta.json does not contradict it: `thanos.files` (or
 * `segment_files`) counts as many segments as there are, and the sizes it knows are theirs by
 * position. Else it is the finding chunks-missing.
 *
 * Findings (AN_ECORRUPT, with block and object): index-missing, index-unreadable, chunks-missing,
 * tombstones-unreadable. A listing is no snapshot: before anybody is told that a part is missing,
 * the caller lists the block again.
 *
 * Ownership: an an_block_reader lives in an arena and borrows bucket, meta and names; windows made
 * from it are closed by their owner. Threads: immutable after open. */
#pragma once
#include "bucket/window.h"
#include "tsdb/index/index_reader.h"
#include "tsdb/meta/meta.h"

/* An object of a block: `index`, `chunks/000001`, ... as the listing has it, without the ULID. */
typedef struct an_block_object {
    an_slice name;
    uint64_t size; /* bytes */
} an_block_object;

typedef struct an_block_reader {
    an_bucket *bucket;
    an_ctx *ctx;
    const an_meta *meta;
    char id[AN_ULID_TEXT + 1];
    an_index index;
    uint64_t index_bytes;
    size_t n_segments;
    an_block_object *segments; /* names as in the listing, `chunks/` included */
    uint64_t chunks_bytes;     /* of all segments */
    bool has_tombstones;
    uint64_t tombstones_bytes;
    uint64_t *bytes_read; /* counts what was fetched; may be NULL */
} an_block_reader;

/* `id` names the folder in the bucket. `objects`: all of the block, in any order; names must
 * outlive `a`. `opts` is for the window that the head of the index is read through, which is closed
 * again; its counter bytes_read is the reader's from then on. */
AN_MUST_CHECK an_rc an_block_reader_open(an_arena *a, an_bucket *b, an_ctx *ctx, an_ulid id,
                                         const an_meta *meta, const an_block_object *objects,
                                         size_t n_objects, const an_window_opts *opts,
                                         an_block_reader **out, an_err *err);

typedef enum an_block_part { AN_BLOCK_INDEX, AN_BLOCK_TOMBSTONES } an_block_part;

/* A window over one of the two; the counter in opts is replaced by the reader's. Asking for
 * tombstones that are not there is a bug. */
AN_MUST_CHECK an_rc an_block_reader_window(const an_block_reader *r, an_block_part part,
                                           const an_window_opts *opts, an_window **out,
                                           an_err *err);

/* Puts block and object into an error that does not name them yet, and returns err->rc. */
an_rc an_block_reader_err(const an_block_reader *r, const char *object, an_err *err);
/* The same for the segment and the offset of a chunk reference. */
an_rc an_block_reader_chunk_err(const an_block_reader *r, uint64_t ref, an_err *err);
