// SPDX-License-Identifier: Apache-2.0
#include "objstore/fault.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct fault_bucket {
    an_bucket base;
    an_bucket *inner;
    an_fault_inner own;
    pthread_mutex_t mu;
    an_fault_plan plan;
    uint64_t count;
} fault_bucket;

typedef struct fault_upload {
    an_upload base;
    an_upload *inner;
    size_t key_n;
    uint8_t key[AN_KEY_MAX];
} fault_upload;

static an_rc fail(const an_fault_plan *p, const an_fault_op *op, an_err *err)
{
    (void)AN_FAIL(err, p->rc, "injected failure of operation %llu (%s %.*s)",
                  (unsigned long long)op->index, op->name, AN_PRI(op->key));
    return an_err_cause(err, p->cause);
}

/* Counts the operation and says whether it may go on. *lose: it is done, its result is lost. */
static an_rc before(fault_bucket *f, const char *name, an_slice key, uint64_t off, size_t n,
                    an_fault_plan *lose, an_fault_op *op, an_err *err)
{
    an_rc rc = AN_OK;

    *op = (an_fault_op){.name = name, .key = key, .off = off, .n = n};
    an_assert(pthread_mutex_lock(&f->mu) == 0);
    an_fault_plan p = f->plan;
    op->index = f->count++;
    an_assert(pthread_mutex_unlock(&f->mu) == 0);

    lose->armed = false;
    if (p.before != NULL) AN_TRY(p.before(p.arg, op, err));
    if (p.armed && (op->index == p.at || (p.onwards && op->index > p.at))) {
        if (!p.after || op->index != p.at) return fail(&p, op, err);
        *lose = p;
    }
    if (p.max_read > 0 && strcmp(name, "get") == 0)
        AN_CHECK(n <= p.max_read, err, AN_ELIMIT, "a read of %zu bytes, at most %zu are allowed", n,
                 p.max_read);
out:
    return rc;
}

static an_rc after(an_rc rc, const an_fault_plan *lose, const an_fault_op *op, an_err *err)
{
    return lose->armed ? fail(lose, op, err) : rc;
}

/* Runs `call` between the two. */
#define FAULTY(f, name, key, off, n, call)                                                         \
    do {                                                                                           \
        an_fault_plan lose;                                                                        \
        an_fault_op op;                                                                            \
        AN_TRY(before((f), (name), (key), (off), (n), &lose, &op, err));                           \
        rc = (call);                                                                               \
        rc = after(rc, &lose, &op, err);                                                           \
    } while (0)

static an_rc fault_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                        void *arg, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "list", prefix, 0, 0, an_bucket_list(f->inner, ctx, prefix, from, fn, arg, err));
out:
    return rc;
}

static an_rc fault_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "stat", key, 0, 0, an_bucket_stat(f->inner, ctx, key, out, err));
out:
    return rc;
}

static an_rc fault_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n,
                       uint8_t *dst, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "get", key, off, n, an_bucket_get(f->inner, ctx, key, off, n, dst, err));
out:
    return rc;
}

static an_rc fault_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags,
                       an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "put", key, 0, body.n, an_bucket_put(f->inner, ctx, key, body, flags, err));
out:
    return rc;
}

static an_rc fault_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "del", key, 0, 0, an_bucket_del(f->inner, ctx, key, err));
out:
    return rc;
}

static an_rc fault_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                               an_upload **out, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;
    fault_upload *u = calloc(1, sizeof *u);

    an_assert(u != NULL);
    u->base.bucket = b;
    u->key_n = key.n;
    memcpy(u->key, key.p, key.n);
    FAULTY(f, "upload_open", key, 0, 0, an_upload_open(f->inner, ctx, key, nonce, &u->inner, err));
    if (rc != AN_OK) goto out;
    *out = &u->base;
    u = NULL;
out:
    if (u != NULL) an_upload_close(u->inner);
    free(u);
    return rc;
}

static an_rc fault_upload_write(an_upload *up, an_ctx *ctx, an_slice bytes, an_err *err)
{
    fault_upload *u = (fault_upload *)up;
    an_rc rc = AN_OK;

    FAULTY((fault_bucket *)up->bucket, "upload_write", an_slice_of(u->key, u->key_n), 0, bytes.n,
           an_upload_write(u->inner, ctx, bytes, err));
out:
    return rc;
}

static an_rc fault_upload_flush(an_upload *up, an_ctx *ctx, an_err *err)
{
    fault_upload *u = (fault_upload *)up;
    an_rc rc = AN_OK;

    FAULTY((fault_bucket *)up->bucket, "upload_flush", an_slice_of(u->key, u->key_n), 0, 0,
           an_upload_flush(u->inner, ctx, err));
out:
    return rc;
}

static an_rc fault_upload_complete(an_upload *up, an_ctx *ctx, int flags, an_err *err)
{
    fault_upload *u = (fault_upload *)up;
    an_rc rc = AN_OK;

    FAULTY((fault_bucket *)up->bucket, "upload_complete", an_slice_of(u->key, u->key_n), 0, 0,
           an_upload_complete(u->inner, ctx, flags, err));
out:
    return rc;
}

static void fault_upload_close(an_upload *up)
{
    fault_upload *u = (fault_upload *)up;

    an_upload_close(u->inner);
    free(u);
}

static an_rc fault_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    fault_bucket *f = (fault_bucket *)b;
    an_rc rc = AN_OK;

    FAULTY(f, "sweep", ((an_slice){NULL, 0}), 0, 0,
           an_bucket_sweep(f->inner, ctx, before_ms, n, err));
out:
    return rc;
}

static void fault_free(an_bucket *b)
{
    fault_bucket *f = (fault_bucket *)b;

    if (f->own == AN_FAULT_OWNS) an_bucket_free(f->inner);
    an_assert(pthread_mutex_destroy(&f->mu) == 0);
    free(f);
}

static const an_bucket_ops fault_ops = {
    .name = "fault",
    .list = fault_list,
    .stat = fault_stat,
    .get = fault_get,
    .put = fault_put,
    .del = fault_del,
    .upload_open = fault_upload_open,
    .upload_write = fault_upload_write,
    .upload_flush = fault_upload_flush,
    .upload_complete = fault_upload_complete,
    .upload_close = fault_upload_close,
    .sweep = fault_sweep,
    .free = fault_free,
};

an_bucket *an_fault_bucket_new(an_bucket *inner, an_fault_inner own)
{
    fault_bucket *f = calloc(1, sizeof *f);

    an_assert(f != NULL);
    f->base = *inner; /* caps and name */
    f->base.ops = &fault_ops;
    f->inner = inner;
    f->own = own;
    an_assert(pthread_mutex_init(&f->mu, NULL) == 0);
    return &f->base;
}

void an_fault_bucket_plan(an_bucket *b, const an_fault_plan *plan)
{
    static const an_fault_plan none = {0};
    fault_bucket *f = (fault_bucket *)b;

    an_assert(pthread_mutex_lock(&f->mu) == 0);
    f->plan = plan != NULL ? *plan : none;
    f->count = 0;
    an_assert(pthread_mutex_unlock(&f->mu) == 0);
}

uint64_t an_fault_bucket_count(an_bucket *b)
{
    fault_bucket *f = (fault_bucket *)b;

    an_assert(pthread_mutex_lock(&f->mu) == 0);
    uint64_t n = f->count;
    an_assert(pthread_mutex_unlock(&f->mu) == 0);
    return n;
}
