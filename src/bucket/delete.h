// SPDX-License-Identifier: Apache-2.0
/* bucket/delete.h: a block is removed so that at every moment what is left cannot be mistaken.
 *
 *   meta.json     from here on it is no block, but a partial one
 *   index         and not one that somebody might want to complete
 *   the rest      in order of names, also what others put there
 *   a second listing: what came meanwhile is removed in the same order
 *   deletion-mark.json   as long as it is there, somebody will finish this
 *
 * spec/operations.md 3.6. A deletion that is cut off is finished by whoever comes next. */
#pragma once
#include "objstore/bucket.h"
#include "base/ulid.h"

/* What must still hold when the deletion begins: between the listing that it was decided on and
 * this moment somebody may have taken the mark back, or gone on with an upload. */
typedef struct an_delete_if {
    bool marked;       /* the deletion mark is there */
    bool partial;      /* meta.json is not ... */
    int64_t newest_ms; /* ... and no object is newer than this (Unix ms) */
} an_delete_if;

typedef struct an_deleted {
    uint64_t objects, bytes;
    bool kept; /* the condition does not hold any more: nothing was removed */
} an_deleted;

/* Removes what is there; *out counts it. only: NULL for no condition. Nothing there is AN_OK.
 * AN_ERETRY: somebody keeps writing into the block. After a failure the deletion mark is still
 * there; AN_EDENIED has the cause delete-denied. */
AN_MUST_CHECK an_rc an_block_delete(an_bucket *b, an_ctx *ctx, an_ulid id, const an_delete_if *only,
                                    an_deleted *out, an_err *err);
