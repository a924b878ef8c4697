// SPDX-License-Identifier: Apache-2.0
/* bucket/marks_io.h: marks written beside a block, with upstream's bytes, never over another mark.
 * spec/operations.md 3.2 */
#pragma once
#include "objstore/bucket.h"
#include "tsdb/meta/marks.h"

typedef enum an_mark_over {
    AN_MARK_OVER_NOTHING,   /* any object of that name stays */
    AN_MARK_OVER_UNREADABLE /* one that is no mark at all is replaced: a deletion mark that nobody
                               can read would keep a block for ever */
} an_mark_over;

typedef enum an_mark_written {
    AN_MARK_WRITTEN,
    AN_MARK_REPLACED, /* what was there was no mark */
    AN_MARK_THERE,    /* a mark was there; it stays as it is */
    AN_MARK_BLOCKED   /* something that is no mark of ours was there; it stays as it is */
} an_mark_written;

/* Writes `m` beside the block m->id. What is there is not looked at by the caller's listing but at
 * the moment of writing: the store creates only if absent, or the object is asked for just before.
 * The mark is on stable storage when this returns. */
AN_MUST_CHECK an_rc an_mark_put(an_bucket *b, an_ctx *ctx, const an_mark *m, an_mark_over over,
                                an_mark_written *how, an_err *err);
