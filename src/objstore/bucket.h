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

#include "base/ctx.h"
#include "base/err.h"
#include "base/slice.h"

typedef struct an_bucket an_bucket;
typedef struct an_upload an_upload;

typedef struct an_object {
    an_slice key;     /* valid during the callback only */
    uint64_t size;    /* bytes */
    int64_t mtime_ms; /* Unix ms; -1: the store does not tell */
    an_slice etag;    /* empty: the store has none; opaque, compared bytewise */
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
     * `from`: only keys >= from (empty: all). Keys under `anneal/tmp/` are never reported. */
    an_rc (*list)(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                  void *arg, an_err *err);
    /* AN_ENOTFOUND: no such object. *out.key is `key`; its etag lives until the next call by this
     * thread. */
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
     * objects of one block become visible close together. */
    an_rc (*upload_flush)(an_upload *u, an_ctx *ctx, an_err *err);
    an_rc (*upload_complete)(an_upload *u, an_ctx *ctx, int flags, an_err *err);
    void (*upload_close)(an_upload *u);
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

/* The calls everybody uses: they check the key and go through the table. */
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
void an_bucket_free(an_bucket *b);  /* NULL is fine */
