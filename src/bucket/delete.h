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

typedef struct an_deleted {
    uint64_t objects, bytes;
} an_deleted;

/* Removes what is there; *out counts it. Nothing there is AN_OK. AN_ERETRY: somebody keeps writing
 * into the block. After a failure the deletion mark is still there; AN_EDENIED has the cause
 * delete-denied. */
AN_MUST_CHECK an_rc an_block_delete(an_bucket *b, an_ctx *ctx, an_ulid id, an_deleted *out,
                                    an_err *err);
