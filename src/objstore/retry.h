// SPDX-License-Identifier: Apache-2.0
/* objstore/retry.h: a decorator that tries again what failed with AN_ERETRY and may run twice.
 *
 * Tried again: list (from behind the last object that was reported; never when the callback itself
 * failed), stat, get, del, upload_open, and put unless it is AN_PUT_IF_ABSENT, whose lost answer
 * would look like somebody else's object. Not tried again: the steps of an upload, whose provider
 * alone knows which parts arrived.
 *
 * Waiting: a random time up to first_ms * 2^i, at most max_ms ("full jitter"), or what the server
 * asked for (err->retry_after_ms). Besides the attempts of one call, all calls share a reserve: a
 * retry takes one, a success gives a tenth back; when it is empty the error goes up at once, so
 * that a store that is down is not asked `attempts` times as much.
 *
 * Threads: internally locked (`mu`, a leaf lock, not held while waiting). */
#pragma once
#include "objstore/bucket.h"

typedef struct an_retry_opts {
    unsigned attempts; /* of one call, the first included; at least 1 */
    unsigned reserve;  /* retries that may be in hand for all calls together */
    int64_t first_ms, max_ms;
    /* Waits, or returns an error (AN_ECANCELED) that ends the call. */
    an_rc (*wait)(void *arg, an_ctx *ctx, int64_t ms, an_err *err);
    uint64_t (*random)(void *arg);
    void *arg;
} an_retry_opts;

/* opts are copied. */
an_bucket *an_retry_bucket_new(an_bucket *inner, const an_retry_opts *opts);
/* Retries so far. */
uint64_t an_retry_bucket_count(an_bucket *b);
