// SPDX-License-Identifier: Apache-2.0
#include "objstore/prefix.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct prefix_bucket {
    an_bucket base;
    an_bucket *inner;
    size_t n; /* with the slash at its end */
    char prefix[AN_KEY_MAX + 1];
} prefix_bucket;

typedef struct long_key {
    uint8_t v[2 * AN_KEY_MAX + 2];
} long_key;

/* A key of here as one of there; too long ones are refused by the inner bucket's check. */
static an_slice there(const prefix_bucket *p, an_slice key, long_key *buf)
{
    size_t n = key.n <= AN_KEY_MAX ? key.n : AN_KEY_MAX; /* was checked; listings pass `from` too */

    memcpy(buf->v, p->prefix, p->n);
    if (n > 0) memcpy(buf->v + p->n, key.p, n);
    return an_slice_of(buf->v, p->n + n);
}

static an_rc here(const prefix_bucket *p, an_rc rc, an_err *err)
{
    if (rc != AN_OK && strncmp(err->object, p->prefix, p->n) == 0)
        memmove(err->object, err->object + p->n, strlen(err->object) - p->n + 1);
    return rc;
}

typedef struct strip {
    const prefix_bucket *p;
    an_list_fn fn;
    void *arg;
} strip;

static an_rc strip_one(void *arg, const an_object *o, an_err *err)
{
    const strip *s = arg;
    an_object mine = *o;

    an_assert(o->key.n > s->p->n);
    mine.key = an_slice_of(o->key.p + s->p->n, o->key.n - s->p->n);
    return s->fn(s->arg, &mine, err);
}

static an_rc prefix_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                         void *arg, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    strip s = {p, fn, arg};
    long_key k1, k2;

    return here(p,
                an_bucket_list(p->inner, ctx, there(p, prefix, &k1), there(p, from, &k2), strip_one,
                               &s, err),
                err);
}

static an_rc prefix_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    long_key k;
    an_rc rc = here(p, an_bucket_stat(p->inner, ctx, there(p, key, &k), out, err), err);

    if (rc == AN_OK) out->key = key;
    return rc;
}

static an_rc prefix_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n,
                        uint8_t *dst, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    long_key k;

    return here(p, an_bucket_get(p->inner, ctx, there(p, key, &k), off, n, dst, err), err);
}

static an_rc prefix_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags,
                        an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    long_key k;

    return here(p, an_bucket_put(p->inner, ctx, there(p, key, &k), body, flags, err), err);
}

static an_rc prefix_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    long_key k;

    return here(p, an_bucket_del(p->inner, ctx, there(p, key, &k), err), err);
}

/* The upload handed out is the inner bucket's own, so its steps go there directly; the slots below
 * are filled because all slots are. */
static an_rc prefix_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                                an_upload **out, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;
    long_key k;

    return here(p, an_upload_open(p->inner, ctx, there(p, key, &k), nonce, out, err), err);
}

static an_rc prefix_upload_write(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err)
{
    return an_upload_write(u, ctx, bytes, err);
}

static an_rc prefix_upload_flush(an_upload *u, an_ctx *ctx, an_err *err)
{
    return an_upload_flush(u, ctx, err);
}

static an_rc prefix_upload_complete(an_upload *u, an_ctx *ctx, int flags, an_err *err)
{
    return an_upload_complete(u, ctx, flags, err);
}

static void prefix_upload_close(an_upload *u) { an_upload_close(u); }

static an_rc prefix_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    prefix_bucket *p = (prefix_bucket *)b;

    return here(p, an_bucket_sweep(p->inner, ctx, before_ms, n, err), err);
}

static void prefix_free(an_bucket *b)
{
    prefix_bucket *p = (prefix_bucket *)b;

    an_bucket_free(p->inner);
    free(p);
}

static const an_bucket_ops prefix_ops = {
    .name = "prefix",
    .list = prefix_list,
    .stat = prefix_stat,
    .get = prefix_get,
    .put = prefix_put,
    .del = prefix_del,
    .upload_open = prefix_upload_open,
    .upload_write = prefix_upload_write,
    .upload_flush = prefix_upload_flush,
    .upload_complete = prefix_upload_complete,
    .upload_close = prefix_upload_close,
    .sweep = prefix_sweep,
    .free = prefix_free,
};

an_slice an_prefix_trim(an_slice s)
{
    while (s.n > 0 && s.p[0] == '/') s = (an_slice){s.p + 1, s.n - 1};
    while (s.n > 0 && s.p[s.n - 1] == '/') s.n--;
    return s;
}

an_rc an_prefix_bucket_new(an_bucket *inner, an_slice prefix, an_bucket **out, an_err *err)
{
    an_rc rc = AN_OK;

    *out = NULL;
    if (prefix.n == 0) {
        *out = inner;
        return AN_OK;
    }
    rc = an_key_check(prefix, err);
    if (rc != AN_OK) {
        an_err_wrap(err, "prefix of the bucket");
        return an_err_cause(err, AN_CAUSE_STORE_CONFIG);
    }
    prefix_bucket *p = calloc(1, sizeof *p);
    an_assert(p != NULL);
    p->base = *inner; /* caps and name: the metric label leaves the prefix out, as upstream's */
    p->base.ops = &prefix_ops;
    p->inner = inner;
    memcpy(p->prefix, prefix.p, prefix.n);
    p->prefix[prefix.n] = '/';
    p->n = prefix.n + 1;
    *out = &p->base;
    return AN_OK;
}
