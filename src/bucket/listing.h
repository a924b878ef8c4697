// SPDX-License-Identifier: Apache-2.0
/* bucket/listing.h: the one LIST of a sync, folded into blocks while it comes in.
 *
 * A block is a top-level folder whose name is a ULID, strictly: 26 characters of its alphabet in
 * upper case (upstream looks at the first one only). Everything else at top level is not read
 * beyond its name. ULIDs begin with 0 to 7, so the listing starts and ends there.
 *
 * A folder that cannot be looked at is a block that cannot be judged (`rc` and `err`); the listing
 * goes on behind it. A listing is no snapshot: what it shows of one block may be half of a change.
 *
 * Ownership: all in the arena. Threads: plain functions. */
#pragma once
#include "base/ulid.h"
#include "bucket/block_reader.h"
#include "objstore/bucket.h"
#include "tsdb/meta/marks.h"

/* Which bytes an object has, as far as the store tells in a listing. */
typedef struct an_version {
    uint64_t size;
    uint64_t etag;    /* XXH64 of the store's; 0: it has none */
    int64_t mtime_ms; /* Unix; -1: the store does not tell */
} an_version;

/* True when they are surely the same bytes; `caps` says what the store can be trusted for. */
bool an_version_same(const an_version *a, const an_version *b, unsigned caps);

typedef struct an_listed_block {
    an_ulid id;
    an_rc rc;          /* AN_OK, or why the folder could not be (wholly) listed */
    const an_err *err; /* then */
    size_t n_objects;
    const an_block_object *objects; /* ascending names, without the ULID */
    uint64_t bytes;                 /* of all of them */
    int64_t newest_ms;              /* newest of them; -1: the store does not tell, or none */
    int64_t index_bytes;            /* -1: no index */
    bool has_all_segments;          /* chunks/000001 up to the last one, at least one */
    bool has_meta, has_mark[AN_MARK__COUNT];
    an_version meta, mark[AN_MARK__COUNT];
    uint64_t data;       /* changes when an object does that holds data, or meta.json: neither marks
                            nor what anneal writes beside them */
    uint64_t everything; /* changes when any object does */
} an_listed_block;

typedef struct an_listing {
    size_t n;
    an_listed_block *blocks; /* ascending by id */
    uint64_t n_objects;      /* in blocks */
    uint64_t bytes;
    uint64_t n_foreign; /* folders at top level, between 0 and 8, that are no blocks and were met */
} an_listing;

enum { AN_BLOCK_OBJECTS_MAX = 1 << 20 }; /* in one block; more is AN_ELIMIT, object-limit */

/* The whole bucket. */
AN_MUST_CHECK an_rc an_listing_read(an_bucket *b, an_ctx *ctx, an_arena *a, an_listing *out,
                                    an_err *err);
/* One block, listed now. A block of which nothing is there has no objects. */
AN_MUST_CHECK an_rc an_listing_block(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id,
                                     an_listed_block *out, an_err *err);
