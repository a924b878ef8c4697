// SPDX-License-Identifier: Apache-2.0
/* bucket/state.h: what is in the bucket now: one listing, and of the metas and marks it shows only
 * those read that are new or changed.
 *
 *   LIST ─► blocks ─┬─ version known: memory ─┐
 *                   ├─ known: cache file ─────┼─► parsed ─► snapshot: blocks with meta, marks,
 *                   └─ new or changed: GET ───┘              objects, and what is wrong with them
 *
 * Version means etag, or size and mtime, whatever the store can be trusted for. As in git's index,
 * an object changed less than two seconds before it was read may change again without a trace (on
 * a file system); it is read again the next time.
 *
 * A listing is no snapshot. Where what was read does not fit it (gone, shorter, unreadable, a part
 * missing that meta.json lists), the block is listed once more, and only what that second listing
 * bears out is told.
 *
 * One block's defect is that block's: an object that may not be read, a meta.json of another
 * version, a mark that is no mark are findings. Only a listing that fails as a whole, the end of
 * the context and the end of memory fail a sync.
 *
 * Ownership: a snapshot is the caller's to free and holds all it points to. Threads: an an_state
 * belongs to one thread at a time; snapshots are immutable and may be shared. */
#pragma once
#include "base/pool.h"
#include "bucket/listing.h"
#include "tsdb/meta/marks.h"
#include "tsdb/meta/meta.h"

typedef enum an_block_kind {
    AN_BLOCK_LOADED,    /* meta.json was read */
    AN_BLOCK_PARTIAL,   /* there is none: an upload under way or broken off, a deletion cut off */
    AN_BLOCK_CORRUPT,   /* there is one that is not a meta.json: the block is held */
    AN_BLOCK_FOREIGN,   /* its version is not ours: kept out */
    AN_BLOCK_UNREADABLE /* it cannot be looked at this time: nothing is decided about the block */
} an_block_kind;

typedef enum an_mark_state {
    AN_MARK_ABSENT,
    AN_MARK_READ,
    AN_MARK_CORRUPT,    /* no mark at all, as upstream; reported */
    AN_MARK_FOREIGN,    /* its version is not ours: neither obeyed nor ignored */
    AN_MARK_UNREADABLE, /* it cannot be read this time */
} an_mark_state;

typedef struct an_state_mark {
    an_mark_state state;
    const an_mark *mark; /* READ */
    int64_t mtime_ms;    /* of the object */
    const an_err *err;   /* CORRUPT, FOREIGN, UNREADABLE */
} an_state_mark;

typedef struct an_state_block {
    an_listed_block seen; /* id, objects, sizes, ages, fingerprints */
    an_block_kind kind;
    const an_err *err;      /* CORRUPT, FOREIGN, UNREADABLE */
    const an_meta *meta;    /* LOADED; its ulid may differ from seen.id, which is the identity */
    const an_meta *earlier; /* not LOADED: what meta.json said when it could last be read, or NULL;
                               tells the group */
    an_state_mark marks[AN_MARK__COUNT];
    const an_err *incomplete; /* LOADED: an object that meta.json lists is missing or has another
                                 size, in two listings; else NULL */
    unsigned listings; /* in how many listings in a row its objects were just these, at least 1 */
} an_state_block;

typedef struct an_finding {
    const an_state_block *block;
    const an_err *err; /* cause, block and object are set */
} an_finding;

typedef struct an_snapshot {
    size_t n;
    const an_state_block *blocks; /* ascending by id */
    size_t n_findings;
    const an_finding *findings; /* in order of blocks */
    uint64_t n_objects, bytes;  /* in blocks */
    uint64_t n_foreign;         /* folders that are no blocks */
    uint64_t n_read, n_cached;  /* documents: read from the bucket; from the cache file */
    an_err note;                /* about the cache file, if rc is not AN_OK: the sync is fine */
} an_snapshot;

typedef struct an_state_opts {
    an_bucket *bucket;
    an_pool *pool;          /* where documents are read; NULL: one after the other, here */
    size_t n_reads;         /* under way at once: --block-meta-fetch-concurrency; 0: as 1 */
    an_budget *budget;      /* of metas and snapshots; may be NULL */
    const char *cache_path; /* NULL: no file */
    an_slice cache_for;     /* the bucket and its prefix, in words: a file of another is dropped */
} an_state_opts;

typedef struct an_state an_state;

/* opts are copied, their strings too. Opens nothing yet. */
an_state *an_state_new(const an_state_opts *opts);
void an_state_free(an_state *s); /* NULL is fine; snapshots live on */

/* now_ms: the wall clock, Unix. */
AN_MUST_CHECK an_rc an_state_sync(an_state *s, an_ctx *ctx, int64_t now_ms, an_snapshot **out,
                                  an_err *err);
void an_snapshot_free(an_snapshot *snap); /* NULL is fine */
