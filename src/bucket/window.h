// SPDX-License-Identifier: Apache-2.0
/* bucket/window.h: a bucket object read through a sliding window.
 *
 * A window holds one piece of the object (up to opts.bytes long) and, for stores that are not
 * local, has the next ones already under way on the transfer pool. It serves rising offsets from
 * memory; a jump drops what was fetched and starts again there, with a short piece first: who jumps
 * may jump again, and pieces grow as long as he does not. No read asks the store for more than
 * opts.bytes, so a bucket that refuses larger reads works; a request that straddles two pieces is
 * put together in the window's own buffer. All memory is taken from the budget at open.
 *
 * Ownership: the window borrows bucket, ctx, budget and pool; the key is copied. Threads: one. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"
#include "objstore/bucket.h"

typedef struct an_window an_window;

typedef struct an_window_opts {
    size_t bytes;         /* length of one piece; at least 64 */
    unsigned ahead;       /* pieces under way beyond the current one; 0 for local stores */
    an_budget *budget;    /* (2 + ahead) * bytes are taken (less for a smaller object); AN_ELIMIT at
                             open if it has not that much */
    struct an_pool *pool; /* where `ahead` reads run; may be NULL when ahead is 0 */
    uint64_t *bytes_read; /* counts what was fetched; may be NULL */
} an_window_opts;

/* `size` is the object's, from the listing. No read happens yet. */
AN_MUST_CHECK an_rc an_window_open(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t size,
                                   const an_window_opts *opts, an_window **out, an_err *err);
void an_window_close(an_window *w); /* waits for reads under way; NULL is fine */

/* The window as a source: at() serves min up to opts.bytes. Errors carry key and offset. Valid as
 * long as the window. */
an_source an_window_source(an_window *w);
