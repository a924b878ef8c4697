// SPDX-License-Identifier: Apache-2.0
/* objstore/bucket.h: what anneal needs of an object store, made for streaming.
 *
 * Providers (fs, later s3, gcs, ...) and decorators (metrics, retry, prefix, fault) look alike: an
 * an_bucket with a table of operations. A decorator holds an inner bucket and frees it.
 *
 * Keys are `/`-separated, relative, without empty, `.` or `..` parts; a provider refuses others
 * with AN_EINVALID before it touches anything. Objects are immutable between writes: a put or a
 * completed upload replaces the whole object at once, readers see the old or the new one, never a
 * part.
 *
 * Threads: a bucket may be used by many at once; an upload by one at a time. */
#pragma once
#include <stdint.h>

#include "base/arena.h"
#include "base/ctx.h"
#include "base/err.h"
#include "base/slice.h"

enum { AN_KEY_MAX = 1024 }; /* bytes of a key: the smallest limit of the stores we know */

typedef struct an_bucket an_bucket;
typedef struct an_upload an_upload;

/* Changes whenever the object's bytes do; opaque. A provider whose own is longer hashes it. */
typedef struct an_etag {
    uint8_t n; /* bytes of v, the rest is zero; 0: the store has none */
    char v[63];
} an_etag;

typedef struct an_object {
    an_slice key;     /* in a listing: valid during the callback only */
    uint64_t size;    /* bytes */
    int64_t mtime_ms; /* Unix ms; -1: the store does not tell */
    an_etag etag;
} an_object;

/* Called once per object; any other return than AN_OK ends the listing with that result. */
typedef an_rc (*an_list_fn)(void *arg, const an_object *o, an_err *err);

enum {                       /* an_bucket_ops.put and .upload_complete flags */
       AN_PUT_IF_ABSENT = 1, /* AN_EEXISTS when the key exists; needs AN_CAP_IF_ABSENT */
       AN_PUT_DURABLE =
           2 /* on stable storage before the call returns (fs: fsync file and folder) */
};
enum { /* an_bucket.caps: what a listing can be trusted for, and what the store can do */
       AN_CAP_SIZE = 1,
       AN_CAP_MTIME = 2,
       AN_CAP_ETAG = 4,
       AN_CAP_IF_ABSENT = 8,
       AN_CAP_LOCAL = 16 /* reads are page-cache copies: no prefetching threads needed */
};

typedef struct an_bucket_ops { /* all slots filled; "cannot" is AN_EUNSUPPORTED, never NULL */
    const char *name;
    /* Every object whose key starts with `prefix`, in ascending byte order of keys, recursively.
     * `from`: only keys >= from (empty: all). Keys under `anneal/tmp/` are never reported.
     * When a subtree cannot be looked at (a folder of a filesystem without permission), err->object
     * is its key with a `/` at the end, and everything before it has been reported: a caller who
     * can do without it lists again from behind it. */
    an_rc (*list)(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                  void *arg, an_err *err);
    /* AN_ENOTFOUND: no such object. out->key is `key`. */
    an_rc (*stat)(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err);
    /* Reads exactly n bytes at off. AN_ENOTFOUND: no such object; a short object is AN_ECORRUPT
     * with expected and found. */
    an_rc (*get)(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n, uint8_t *dst,
                 an_err *err);
    an_rc (*put)(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags, an_err *err);
    /* A deletion of what is not there is AN_OK. */
    an_rc (*del)(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err);

    /* Uploads in parts: nothing is visible under `key` until complete. `nonce` names temp files and
     * parts, so that two writers of one key never mix. Every upload ends with complete (even when
     * it fails) followed by close, or with close alone, which throws away what was written. */
    an_rc (*upload_open)(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce, an_upload **out,
                         an_err *err);
    an_rc (*upload_write)(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err);
    /* All bytes are on stable storage, still invisible: the long part of completing, so that the
     * objects of one block become visible close together. Nothing is written after it. */
    an_rc (*upload_flush)(an_upload *u, an_ctx *ctx, an_err *err);
    an_rc (*upload_complete)(an_upload *u, an_ctx *ctx, int flags, an_err *err);
    void (*upload_close)(an_upload *u);
    /* Removes what uploads left behind whose process died (temp files, parts), if it was last
     * written before `before_ms` (Unix ms); *n counts them. */
    an_rc (*sweep)(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err);
    void (*free)(an_bucket *b);
} an_bucket_ops;

struct an_bucket { /* first member of an_fs_bucket, an_fault_bucket, ... */
    const an_bucket_ops *ops;
    unsigned caps;
    char name[256]; /* for logs and the metric label `bucket`: "fs: /abs/dir" */
};
struct an_upload { /* first member of a provider's upload */
    an_bucket *bucket;
    uint64_t written; /* bytes taken so far */
};

/* AN_EINVALID unless `key` is one (see above). */
AN_MUST_CHECK an_rc an_key_check(an_slice key, an_err *err);

/* The calls everybody uses: they check ctx and key and go through the table. Errors carry the key.
 */
AN_MUST_CHECK an_rc an_bucket_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from,
                                   an_list_fn fn, void *arg, an_err *err);
AN_MUST_CHECK an_rc an_bucket_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out,
                                   an_err *err);
AN_MUST_CHECK an_rc an_bucket_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n,
                                  uint8_t *dst, an_err *err);
AN_MUST_CHECK an_rc an_bucket_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags,
                                  an_err *err);
AN_MUST_CHECK an_rc an_bucket_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err);
AN_MUST_CHECK an_rc an_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce,
                                   an_upload **out, an_err *err);
AN_MUST_CHECK an_rc an_upload_write(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err);
AN_MUST_CHECK an_rc an_upload_flush(an_upload *u, an_ctx *ctx, an_err *err);
AN_MUST_CHECK an_rc an_upload_complete(an_upload *u, an_ctx *ctx, int flags, an_err *err);
void an_upload_close(an_upload *u); /* NULL is fine */
AN_MUST_CHECK an_rc an_bucket_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n,
                                    an_err *err);
void an_bucket_free(an_bucket *b); /* NULL is fine */

/* A whole small object of `size` bytes (as listed) in the arena: AN_ELIMIT above `max`. */
AN_MUST_CHECK an_rc an_bucket_read(an_bucket *b, an_ctx *ctx, an_arena *a, an_slice key,
                                   uint64_t size, size_t max, an_slice *out, an_err *err);
