// SPDX-License-Identifier: Apache-2.0
#include "objstore/metered.h"

#include <stdlib.h>
#include <time.h>

const char *const an_bucket_op_name[AN_OP__COUNT] = {
    [AN_OP_ITER] = "iter",
    [AN_OP_GET] = "get",
    [AN_OP_GET_RANGE] = "get_range",
    [AN_OP_EXISTS] = "exists",
    [AN_OP_UPLOAD] = "upload",
    [AN_OP_DELETE] = "delete",
    [AN_OP_ATTRIBUTES] = "attributes",
};

#define MS INT64_C(1000000)
const int64_t an_bucket_op_duration_ns[AN_OP_DURATIONS] = {
    1 * MS,    10 * MS,   100 * MS,   300 * MS,   600 * MS,   1000 * MS,  3000 * MS,
    6000 * MS, 9000 * MS, 20000 * MS, 30000 * MS, 60000 * MS, 90000 * MS, 120000 * MS,
};
const uint64_t an_bucket_op_size[AN_OP_SIZES] = {
    1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22,
    1 << 23, 1 << 24, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30,
};

typedef struct metered_bucket {
    an_bucket base;
    an_bucket *inner;
    an_bucket_stats *stats;
    an_metered_clock clock;
} metered_bucket;

typedef struct metered_upload {
    an_upload base;
    an_upload *inner;
    int64_t begun_ns;
    bool failed; /* one failure per upload is enough */
} metered_upload;

static int64_t system_ns(clockid_t id)
{
    struct timespec t;

    an_assert(clock_gettime(id, &t) == 0);
    return (int64_t)t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int64_t system_mono_ns(void *arg)
{
    (void)arg;
    return system_ns(CLOCK_MONOTONIC);
}

static int64_t system_unix_s(void *arg)
{
    (void)arg;
    return system_ns(CLOCK_REALTIME) / INT64_C(1000000000);
}

static int64_t now(const metered_bucket *m) { return m->clock.mono_ns(m->clock.arg); }

static void add(atomic_uint_fast64_t *c, uint64_t n)
{
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void count_size(an_bucket_op_stats *s, uint64_t bytes)
{
    size_t i = 0;

    while (i < AN_OP_SIZES && bytes > an_bucket_op_size[i]) i++;
    add(&s->size[i], 1);
    add(&s->size_sum, bytes);
}

static void count_duration(an_bucket_op_stats *s, int64_t ns)
{
    size_t i = 0;

    if (ns < 0) ns = 0;
    while (i < AN_OP_DURATIONS && ns > an_bucket_op_duration_ns[i]) i++;
    add(&s->duration[i], 1);
    add(&s->duration_sum_ns, (uint64_t)ns);
}

/* What anneal asks for without knowing that it is there. */
static bool may_be_missing(an_slice key)
{
    return an_slice_has_suffix(key, AN_LIT("meta.json")) ||
           an_slice_has_suffix(key, AN_LIT("-mark.json"));
}

static void count_failure(an_bucket_op_stats *s, an_rc rc, an_slice key)
{
    if (rc == AN_ECANCELED || rc == AN_EEXISTS) return;
    if (rc == AN_ENOTFOUND && may_be_missing(key)) return;
    add(&s->failures, 1);
}

static an_rc metered_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                          void *arg, an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    an_bucket_op_stats *s = &m->stats->op[AN_OP_ITER];
    int64_t begun = now(m);
    an_rc rc = an_bucket_list(m->inner, ctx, prefix, from, fn, arg, err);

    add(&s->n, 1);
    count_duration(s, now(m) - begun); /* also of failed ones, as upstream */
    if (rc != AN_OK) count_failure(s, rc, prefix);
    return rc;
}

static an_rc metered_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    an_bucket_op_stats *s = &m->stats->op[AN_OP_ATTRIBUTES];
    int64_t begun = now(m);
    an_rc rc = an_bucket_stat(m->inner, ctx, key, out, err);

    add(&s->n, 1);
    if (rc == AN_OK)
        count_duration(s, now(m) - begun);
    else
        count_failure(s, rc, key);
    return rc;
}

static an_rc metered_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n,
                         uint8_t *dst, an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    an_bucket_op_stats *s = &m->stats->op[AN_OP_GET_RANGE];
    int64_t begun = now(m);
    an_rc rc = an_bucket_get(m->inner, ctx, key, off, n, dst, err);

    add(&s->n, 1);
    if (rc != AN_OK) {
        count_failure(s, rc, key);
        return rc;
    }
    count_duration(s, now(m) - begun);
    count_size(s, n);
    add(&s->fetched_bytes, n);
    return rc;
}

static an_rc uploaded(metered_bucket *m, an_rc rc, an_slice key, uint64_t bytes, int64_t begun)
{
    an_bucket_op_stats *s = &m->stats->op[AN_OP_UPLOAD];

    add(&s->n, 1);
    if (rc != AN_OK) {
        count_failure(s, rc, key);
        return rc;
    }
    count_duration(s, now(m) - begun);
    count_size(s, bytes);
    atomic_store(&m->stats->last_upload_s, m->clock.unix_s(m->clock.arg));
    return rc;
}

static an_rc metered_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags,
                         an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    int64_t begun = now(m);

    return uploaded(m, an_bucket_put(m->inner, ctx, key, body, flags, err), key, body.n, begun);
}

static an_rc metered_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    an_bucket_op_stats *s = &m->stats->op[AN_OP_DELETE];
    int64_t begun = now(m);
    an_rc rc = an_bucket_del(m->inner, ctx, key, err);

    add(&s->n, 1);
    if (rc == AN_OK)
        count_duration(s, now(m) - begun);
    else
        count_failure(s, rc, key);
    return rc;
}

static an_rc metered_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                                 an_upload **out, an_err *err)
{
    metered_bucket *m = (metered_bucket *)b;
    metered_upload *u = calloc(1, sizeof *u);

    an_assert(u != NULL);
    u->base.bucket = b;
    u->begun_ns = now(m);
    an_rc rc = an_upload_open(m->inner, ctx, key, nonce, &u->inner, err);
    if (rc != AN_OK) {
        free(u);
        return uploaded(m, rc, key, 0, 0);
    }
    *out = &u->base;
    return AN_OK;
}

static an_rc upload_step(metered_upload *u, an_rc rc)
{
    metered_bucket *m = (metered_bucket *)u->base.bucket;

    if (rc != AN_OK && !u->failed) {
        u->failed = true;
        (void)uploaded(m, rc, (an_slice){NULL, 0}, 0, 0); /* counts; rc goes up unchanged */
    }
    return rc;
}

static an_rc metered_upload_write(an_upload *up, an_ctx *ctx, an_slice bytes, an_err *err)
{
    metered_upload *u = (metered_upload *)up;

    return upload_step(u, an_upload_write(u->inner, ctx, bytes, err));
}

static an_rc metered_upload_flush(an_upload *up, an_ctx *ctx, an_err *err)
{
    metered_upload *u = (metered_upload *)up;

    return upload_step(u, an_upload_flush(u->inner, ctx, err));
}

static an_rc metered_upload_complete(an_upload *up, an_ctx *ctx, int flags, an_err *err)
{
    metered_upload *u = (metered_upload *)up;
    metered_bucket *m = (metered_bucket *)up->bucket;
    an_rc rc = upload_step(u, an_upload_complete(u->inner, ctx, flags, err));

    return rc == AN_OK ? uploaded(m, rc, (an_slice){NULL, 0}, up->written, u->begun_ns) : rc;
}

static void metered_upload_close(an_upload *up)
{
    metered_upload *u = (metered_upload *)up;

    an_upload_close(u->inner);
    free(u);
}

static an_rc metered_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    return an_bucket_sweep(((metered_bucket *)b)->inner, ctx, before_ms, n, err);
}

static void metered_free(an_bucket *b)
{
    metered_bucket *m = (metered_bucket *)b;

    an_bucket_free(m->inner);
    free(m);
}

static const an_bucket_ops metered_ops = {
    .name = "metered",
    .list = metered_list,
    .stat = metered_stat,
    .get = metered_get,
    .put = metered_put,
    .del = metered_del,
    .upload_open = metered_upload_open,
    .upload_write = metered_upload_write,
    .upload_flush = metered_upload_flush,
    .upload_complete = metered_upload_complete,
    .upload_close = metered_upload_close,
    .sweep = metered_sweep,
    .free = metered_free,
};

an_bucket *an_metered_bucket_new(an_bucket *inner, an_bucket_stats *stats,
                                 const an_metered_clock *clock)
{
    metered_bucket *m = calloc(1, sizeof *m);

    an_assert(m != NULL);
    m->base = *inner; /* caps and name */
    m->base.ops = &metered_ops;
    m->inner = inner;
    m->stats = stats;
    m->clock = clock != NULL ? *clock : (an_metered_clock){system_mono_ns, system_unix_s, NULL};
    return &m->base;
}
