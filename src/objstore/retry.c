// SPDX-License-Identifier: Apache-2.0
#include "objstore/retry.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct retry_bucket {
    an_bucket base;
    an_bucket *inner;
    an_retry_opts opts;
    pthread_mutex_t mu;
    uint64_t tenths; /* of a retry, left in the reserve */
    uint64_t count;
} retry_bucket;

static void lock(retry_bucket *r) { an_assert(pthread_mutex_lock(&r->mu) == 0); }
static void unlock(retry_bucket *r) { an_assert(pthread_mutex_unlock(&r->mu) == 0); }

/* After attempt `i` (from 0) ended with rc: AN_OK to try again, else the call's result. */
static an_rc again(retry_bucket *r, an_ctx *ctx, an_rc rc, unsigned i, an_err *err)
{
    uint64_t full = (uint64_t)r->opts.reserve * 10;

    lock(r);
    if (rc == AN_OK && r->tenths < full) r->tenths++;
    bool go = rc == AN_ERETRY && i + 1 < r->opts.attempts && r->tenths >= 10;
    if (go) {
        r->tenths -= 10;
        r->count++;
    }
    unlock(r);
    if (!go) return rc;

    int64_t top =
        i < 32 && r->opts.first_ms <= r->opts.max_ms >> i ? r->opts.first_ms << i : r->opts.max_ms;
    int64_t ms = (int64_t)(r->opts.random(r->opts.arg) % ((uint64_t)top + 1));
    if (err->retry_after_ms > ms) ms = err->retry_after_ms;
    if (ms > r->opts.max_ms) return rc; /* the server wants a longer pause than a call may take */
    an_err first = *err;
    an_rc waited = r->opts.wait(r->opts.arg, ctx, ms, err);
    if (waited == AN_ECANCELED) return waited;
    *err = first;
    return waited == AN_OK ? AN_OK : rc;
}

/* Runs `call` until it succeeds, fails for good or may not be tried any more. */
#define RETRIED(r, call)                                                                           \
    do {                                                                                           \
        for (unsigned attempt = 0;; attempt++) {                                                   \
            rc = (call);                                                                           \
            bool done = rc == AN_OK;                                                               \
            rc = again((r), ctx, rc, attempt, err);                                                \
            if (done || rc != AN_OK) break;                                                        \
        }                                                                                          \
    } while (0)

typedef struct progress {
    an_list_fn fn;
    void *arg;
    an_rc told; /* by fn, if it ended the listing */
    uint64_t seen;
    size_t n; /* of `next` */
    uint8_t next[AN_KEY_MAX + 1];
} progress;

static an_rc pass_on(void *arg, const an_object *o, an_err *err)
{
    progress *p = arg;

    an_assert(o->key.n <= AN_KEY_MAX);
    p->told = p->fn(p->arg, o, err);
    memcpy(p->next, o->key.p, o->key.n); /* the smallest key above: one NUL more */
    p->next[o->key.n] = 0;
    p->n = o->key.n + 1;
    p->seen++;
    return p->told;
}

static an_rc retry_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                        void *arg, an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    progress p = {.fn = fn, .arg = arg};

    for (unsigned attempt = 0;; attempt++) {
        uint64_t before = p.seen;
        an_slice at = p.n > 0 ? an_slice_of(p.next, p.n) : from;
        an_rc rc = an_bucket_list(r->inner, ctx, prefix, at, pass_on, &p, err);
        if (p.told != AN_OK) return rc;
        if (p.seen > before) attempt = 0; /* it moved: pages of a long listing count anew */
        bool done = rc == AN_OK;
        rc = again(r, ctx, rc, attempt, err);
        if (done || rc != AN_OK) return rc;
    }
}

static an_rc retry_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    an_rc rc;

    RETRIED(r, an_bucket_stat(r->inner, ctx, key, out, err));
    return rc;
}

static an_rc retry_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n,
                       uint8_t *dst, an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    an_rc rc;

    RETRIED(r, an_bucket_get(r->inner, ctx, key, off, n, dst, err));
    return rc;
}

static an_rc retry_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags,
                       an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    an_rc rc;

    if ((flags & AN_PUT_IF_ABSENT) != 0) return an_bucket_put(r->inner, ctx, key, body, flags, err);
    RETRIED(r, an_bucket_put(r->inner, ctx, key, body, flags, err));
    return rc;
}

static an_rc retry_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    an_rc rc;

    RETRIED(r, an_bucket_del(r->inner, ctx, key, err));
    return rc;
}

/* The upload handed out is the inner bucket's own, so its steps go there directly; the slots below
 * are filled because all slots are. */
static an_rc retry_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                               an_upload **out, an_err *err)
{
    retry_bucket *r = (retry_bucket *)b;
    an_rc rc;

    RETRIED(r, an_upload_open(r->inner, ctx, key, nonce, out, err));
    return rc;
}

static an_rc retry_upload_write(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err)
{
    return an_upload_write(u, ctx, bytes, err);
}

static an_rc retry_upload_flush(an_upload *u, an_ctx *ctx, an_err *err)
{
    return an_upload_flush(u, ctx, err);
}

static an_rc retry_upload_complete(an_upload *u, an_ctx *ctx, int flags, an_err *err)
{
    return an_upload_complete(u, ctx, flags, err);
}

static void retry_upload_close(an_upload *u) { an_upload_close(u); }

static an_rc retry_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    return an_bucket_sweep(((retry_bucket *)b)->inner, ctx, before_ms, n, err);
}

static void retry_free(an_bucket *b)
{
    retry_bucket *r = (retry_bucket *)b;

    an_bucket_free(r->inner);
    an_assert(pthread_mutex_destroy(&r->mu) == 0);
    free(r);
}

static const an_bucket_ops retry_ops = {
    .name = "retry",
    .list = retry_list,
    .stat = retry_stat,
    .get = retry_get,
    .put = retry_put,
    .del = retry_del,
    .upload_open = retry_upload_open,
    .upload_write = retry_upload_write,
    .upload_flush = retry_upload_flush,
    .upload_complete = retry_upload_complete,
    .upload_close = retry_upload_close,
    .sweep = retry_sweep,
    .free = retry_free,
};

an_bucket *an_retry_bucket_new(an_bucket *inner, const an_retry_opts *opts)
{
    retry_bucket *r = calloc(1, sizeof *r);

    an_assert(r != NULL && opts->attempts >= 1 && opts->first_ms >= 0 &&
              opts->first_ms <= opts->max_ms);
    r->base = *inner; /* caps and name */
    r->base.ops = &retry_ops;
    r->inner = inner;
    r->opts = *opts;
    r->tenths = (uint64_t)opts->reserve * 10;
    an_assert(pthread_mutex_init(&r->mu, NULL) == 0);
    return &r->base;
}

uint64_t an_retry_bucket_count(an_bucket *b)
{
    retry_bucket *r = (retry_bucket *)b;

    lock(r);
    uint64_t n = r->count;
    unlock(r);
    return n;
}
