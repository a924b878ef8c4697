// SPDX-License-Identifier: Apache-2.0
#include "objstore/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"

typedef struct mem_object {
    uint64_t serial;
    int64_t mtime_ms;
    size_t key_n, size;
    uint8_t *key, *bytes;
} mem_object;

typedef struct mem_bucket {
    an_bucket base;
    pthread_mutex_t mu;
    int64_t now_ms;
    uint64_t serial;
    size_t n, cap;
    mem_object **v; /* ascending by key */
} mem_bucket;

typedef struct mem_upload {
    an_upload base;
    an_slice key; /* own memory */
    an_buf buf;
    bool ended;
} mem_upload;

static void lock(mem_bucket *m) { an_assert(pthread_mutex_lock(&m->mu) == 0); }
static void unlock(mem_bucket *m) { an_assert(pthread_mutex_unlock(&m->mu) == 0); }

/* Index of the first object whose key is not below `key`; *is: it is that key. */
static size_t find(const mem_bucket *m, an_slice key, bool *is)
{
    size_t lo = 0, hi = m->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (an_slice_cmp(an_slice_of(m->v[mid]->key, m->v[mid]->key_n), key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    *is = lo < m->n && an_slice_eq(an_slice_of(m->v[lo]->key, m->v[lo]->key_n), key);
    return lo;
}

static void describe(const mem_object *o, an_object *out)
{
    out->size = o->size;
    out->mtime_ms = o->mtime_ms;
    memset(&out->etag, 0, sizeof out->etag);
    int n = snprintf(out->etag.v, sizeof out->etag.v, "%llu", (unsigned long long)o->serial);
    out->etag.n = (uint8_t)n;
}

static an_rc mem_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                      void *arg, an_err *err)
{
    mem_bucket *m = (mem_bucket *)b;
    an_rc rc = AN_OK;
    uint8_t key[AN_KEY_MAX], next[AN_KEY_MAX + 1];
    an_slice at = an_slice_cmp(prefix, from) > 0 ? prefix : from;

    for (;;) {
        an_object o;
        bool is;
        AN_TRY(an_ctx_check(ctx, err));
        lock(m); /* not held over fn: it may use the bucket */
        size_t i = find(m, at, &is);
        bool end = i == m->n;
        if (!end) {
            memcpy(key, m->v[i]->key, m->v[i]->key_n);
            o.key = an_slice_of(key, m->v[i]->key_n);
            describe(m->v[i], &o);
        }
        unlock(m);
        if (end || !an_slice_has_prefix(o.key, prefix)) break;
        if (!an_slice_has_prefix(o.key, AN_LIT("anneal/tmp/"))) AN_TRY(fn(arg, &o, err));
        memcpy(next, key, o.key.n); /* the smallest key above: one NUL more */
        next[o.key.n] = 0;
        at = an_slice_of(next, o.key.n + 1);
    }
out:
    return rc;
}

static an_rc no_such(an_slice key, an_err *err)
{
    return AN_FAIL(err, AN_ENOTFOUND, "no object %.*s", AN_PRI(key));
}

static an_rc mem_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    mem_bucket *m = (mem_bucket *)b;
    bool is;

    (void)ctx;
    lock(m);
    size_t i = find(m, key, &is);
    if (is) {
        out->key = key;
        describe(m->v[i], out);
    }
    unlock(m);
    return is ? AN_OK : no_such(key, err);
}

static an_rc mem_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n, uint8_t *dst,
                     an_err *err)
{
    mem_bucket *m = (mem_bucket *)b;
    bool is;
    size_t size = 0;

    (void)ctx;
    lock(m);
    size_t i = find(m, key, &is);
    if (is) size = m->v[i]->size;
    bool fits = off <= size && n <= size - off;
    if (is && fits && n > 0) memcpy(dst, m->v[i]->bytes + off, n);
    unlock(m);
    if (!is) return no_such(key, err);
    if (fits) return AN_OK;
    (void)AN_FAIL(err, AN_ECORRUPT, "%.*s: %zu bytes at offset %llu, but it ends at %zu",
                  AN_PRI(key), n, (unsigned long long)off, size);
    return an_err_values(err, off + n, size);
}

static void object_free(mem_object *o)
{
    if (o == NULL) return;
    free(o->key);
    free(o->bytes);
    free(o);
}

static uint8_t *copy_of(an_slice s)
{
    uint8_t *p = malloc(s.n + 1);

    an_assert(p != NULL);
    if (s.n > 0) memcpy(p, s.p, s.n);
    return p;
}

static an_rc mem_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags, an_err *err)
{
    mem_bucket *m = (mem_bucket *)b;
    mem_object *o = calloc(1, sizeof *o), *old = NULL;
    bool is;

    (void)ctx;
    an_assert(o != NULL);
    *o = (mem_object){.key_n = key.n, .size = body.n, .key = copy_of(key), .bytes = copy_of(body)};
    lock(m);
    size_t i = find(m, key, &is);
    bool refused = is && (flags & AN_PUT_IF_ABSENT) != 0;
    o->serial = ++m->serial;
    o->mtime_ms = m->now_ms;
    if (refused) {
        old = o;
    } else if (is) {
        old = m->v[i];
        m->v[i] = o;
    } else {
        if (m->n == m->cap) {
            m->cap = m->cap == 0 ? 16 : m->cap * 2;
            m->v = (mem_object **)reallocarray((void *)m->v, m->cap, sizeof(mem_object *));
            an_assert(m->v != NULL);
        }
        for (size_t k = m->n; k > i; k--) m->v[k] = m->v[k - 1];
        m->v[i] = o;
        m->n++;
    }
    unlock(m);
    object_free(old);
    return refused ? AN_FAIL(err, AN_EEXISTS, "%.*s exists", AN_PRI(key)) : AN_OK;
}

static an_rc mem_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    mem_bucket *m = (mem_bucket *)b;
    mem_object *old = NULL;
    bool is;

    (void)ctx;
    (void)err;
    lock(m);
    size_t i = find(m, key, &is);
    if (is) {
        old = m->v[i];
        m->n--;
        for (size_t k = i; k < m->n; k++) m->v[k] = m->v[k + 1];
    }
    unlock(m);
    object_free(old);
    return AN_OK;
}

static an_rc mem_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                             an_upload **out, an_err *err)
{
    mem_upload *u = calloc(1, sizeof *u);

    (void)ctx;
    (void)nonce; /* an upload here has no name of its own */
    (void)err;
    an_assert(u != NULL);
    u->base.bucket = b;
    u->key = an_slice_of(copy_of(key), key.n);
    an_buf_init(&u->buf, SIZE_MAX / 2, NULL);
    *out = &u->base;
    return AN_OK;
}

static an_rc mem_upload_write(an_upload *up, an_ctx *ctx, an_slice bytes, an_err *err)
{
    mem_upload *u = (mem_upload *)up;

    (void)ctx;
    if (u->ended)
        return AN_FAIL(err, AN_EINVALID, "upload of %.*s is written to after its end",
                       AN_PRI(u->key));
    an_buf_slice_add(&u->buf, bytes);
    an_assert(!u->buf.failed);
    return AN_OK;
}

static an_rc mem_upload_flush(an_upload *up, an_ctx *ctx, an_err *err)
{
    (void)ctx;
    (void)err;
    ((mem_upload *)up)->ended = true;
    return AN_OK;
}

static an_rc mem_upload_complete(an_upload *up, an_ctx *ctx, int flags, an_err *err)
{
    mem_upload *u = (mem_upload *)up;

    u->ended = true;
    return mem_put(up->bucket, ctx, u->key, an_buf_slice(&u->buf), flags, err);
}

static void mem_upload_close(an_upload *up)
{
    mem_upload *u = (mem_upload *)up;

    an_buf_deinit(&u->buf);
    free((void *)(uintptr_t)u->key.p);
    free(u);
}

static an_rc mem_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    (void)b; /* unfinished uploads end with the process */
    (void)ctx;
    (void)before_ms;
    (void)n;
    (void)err;
    return AN_OK;
}

static void mem_free(an_bucket *b)
{
    mem_bucket *m = (mem_bucket *)b;

    for (size_t i = 0; i < m->n; i++) object_free(m->v[i]);
    free((void *)m->v);
    an_assert(pthread_mutex_destroy(&m->mu) == 0);
    free(m);
}

static const an_bucket_ops mem_ops = {
    .name = "MEMORY",
    .list = mem_list,
    .stat = mem_stat,
    .get = mem_get,
    .put = mem_put,
    .del = mem_del,
    .upload_open = mem_upload_open,
    .upload_write = mem_upload_write,
    .upload_flush = mem_upload_flush,
    .upload_complete = mem_upload_complete,
    .upload_close = mem_upload_close,
    .sweep = mem_sweep,
    .free = mem_free,
};

an_bucket *an_mem_bucket_new(void)
{
    mem_bucket *m = calloc(1, sizeof *m);

    an_assert(m != NULL);
    m->base.ops = &mem_ops;
    m->base.caps = AN_CAP_SIZE | AN_CAP_MTIME | AN_CAP_ETAG | AN_CAP_IF_ABSENT | AN_CAP_LOCAL;
    (void)snprintf(m->base.name, sizeof m->base.name, "memory");
    an_assert(pthread_mutex_init(&m->mu, NULL) == 0);
    return &m->base;
}

void an_mem_bucket_set_time(an_bucket *b, int64_t now_ms)
{
    mem_bucket *m = (mem_bucket *)b;

    lock(m);
    m->now_ms = now_ms;
    unlock(m);
}

bool an_mem_bucket_touch(an_bucket *b, an_slice key, int64_t mtime_ms)
{
    mem_bucket *m = (mem_bucket *)b;
    bool is;

    lock(m);
    size_t i = find(m, key, &is);
    if (is) m->v[i]->mtime_ms = mtime_ms;
    unlock(m);
    return is;
}
