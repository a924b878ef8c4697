// SPDX-License-Identifier: Apache-2.0
#include "objstore/bucket.h"

/* The parts of a key, or of all of a list prefix but its last part. */
static bool parts_ok(an_slice s)
{
    size_t start = 0;

    for (size_t i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] == '\0') return false;
        if (i < s.n && s.p[i] != '/') continue;
        an_slice part = {s.p + start, i - start};
        if (part.n == 0 || an_slice_eq(part, AN_LIT(".")) || an_slice_eq(part, AN_LIT("..")))
            return false;
        start = i + 1;
    }
    return true;
}

/* Keys come from outside too (a name in a listing, meta.json): what is told of a bad one is cut. */
static an_rc bad_key(an_slice key, const char *what, an_err *err)
{
    an_slice shown = {key.p, key.n < 100 ? key.n : 100};

    return AN_FAIL(err, AN_EINVALID, "%s %s\"%.*s\"%s of %zu bytes is not a path inside a bucket",
                   what, key.n > AN_KEY_MAX ? "(too long) " : "", AN_PRI(shown),
                   shown.n < key.n ? "..." : "", key.n);
}

an_rc an_key_check(an_slice key, an_err *err)
{
    if (key.n <= AN_KEY_MAX && parts_ok(key)) return AN_OK;
    return bad_key(key, "key", err);
}

static an_rc prefix_check(an_slice prefix, an_err *err)
{
    size_t n = prefix.n;

    while (n > 0 && prefix.p[n - 1] != '/') n--; /* "01K" and "a/01K" are prefixes too */
    if (prefix.n <= AN_KEY_MAX && (n == 0 || parts_ok((an_slice){prefix.p, n - 1})) &&
        (prefix.n == 0 || memchr(prefix.p, '\0', prefix.n) == NULL))
        return AN_OK;
    return bad_key(prefix, "prefix", err);
}

/* Puts the key into an error that has none yet. */
static an_rc at_key(an_rc rc, an_slice key, an_err *err)
{
    if (rc == AN_OK) return AN_OK;
    char text[sizeof err->object];
    size_t n = key.n < sizeof text - 1 ? key.n : sizeof text - 1;
    memcpy(text, key.p, n);
    text[n] = '\0';
    return an_err_at(err, NULL, text, -1);
}

an_rc an_bucket_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                     void *arg, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(prefix_check(prefix, err));
    AN_TRY(an_ctx_check(ctx, err));
    rc = b->ops->list(b, ctx, prefix, from, fn, arg, err);
out:
    return rc;
}

an_rc an_bucket_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_key_check(key, err));
    AN_TRY(an_ctx_check(ctx, err));
    rc = at_key(b->ops->stat(b, ctx, key, out, err), key, err);
out:
    return rc;
}

an_rc an_bucket_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n, uint8_t *dst,
                    an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_key_check(key, err));
    AN_TRY(an_ctx_check(ctx, err));
    AN_CHECK(off <= INT64_MAX && n <= INT64_MAX - off, err, AN_EINVALID,
             "%zu bytes at offset %llu are past any object's end", n, (unsigned long long)off);
    rc = at_key(b->ops->get(b, ctx, key, off, n, dst, err), key, err);
    if (rc != AN_OK) an_err_at(err, NULL, NULL, (int64_t)off);
out:
    return rc;
}

an_rc an_bucket_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_key_check(key, err));
    AN_TRY(an_ctx_check(ctx, err));
    rc = at_key(b->ops->put(b, ctx, key, body, flags, err), key, err);
out:
    return rc;
}

an_rc an_bucket_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_key_check(key, err));
    AN_TRY(an_ctx_check(ctx, err));
    rc = at_key(b->ops->del(b, ctx, key, err), key, err);
out:
    return rc;
}

/* A nonce becomes part of a file name. */
static bool nonce_ok(an_slice s)
{
    if (s.n == 0 || s.n > 64) return false;
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool ok =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
        if (!ok) return false;
    }
    return true;
}

an_rc an_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce, an_upload **out,
                     an_err *err)
{
    an_rc rc = AN_OK;

    *out = NULL;
    AN_TRY(an_key_check(key, err));
    AN_CHECK(nonce_ok(nonce), err, AN_EINVALID, "nonce of %zu bytes: 1 to 64 of 0-9 A-Z a-z -",
             nonce.n);
    AN_TRY(an_ctx_check(ctx, err));
    rc = at_key(b->ops->upload_open(b, ctx, key, nonce, out, err), key, err);
out:
    return rc;
}

an_rc an_upload_write(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_ctx_check(ctx, err));
    AN_TRY(u->bucket->ops->upload_write(u, ctx, bytes, err));
    u->written += bytes.n;
out:
    return rc;
}

an_rc an_upload_flush(an_upload *u, an_ctx *ctx, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_ctx_check(ctx, err));
    rc = u->bucket->ops->upload_flush(u, ctx, err);
out:
    return rc;
}

an_rc an_upload_complete(an_upload *u, an_ctx *ctx, int flags, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_ctx_check(ctx, err));
    rc = u->bucket->ops->upload_complete(u, ctx, flags, err);
out:
    return rc;
}

void an_upload_close(an_upload *u)
{
    if (u != NULL) u->bucket->ops->upload_close(u);
}

an_rc an_bucket_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    an_rc rc = AN_OK;

    *n = 0;
    AN_TRY(an_ctx_check(ctx, err));
    rc = b->ops->sweep(b, ctx, before_ms, n, err);
out:
    return rc;
}

void an_bucket_free(an_bucket *b)
{
    if (b != NULL) b->ops->free(b);
}

an_rc an_bucket_read(an_bucket *b, an_ctx *ctx, an_arena *a, an_slice key, uint64_t size,
                     size_t max, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;

    if (size > max) {
        (void)AN_FAIL(err, AN_ELIMIT, "%llu bytes, at most %zu are read", (unsigned long long)size,
                      max);
        (void)an_err_values(err, max, size);
        return at_key(AN_ELIMIT, key, err);
    }
    uint8_t *p = an_arena_try(a, (size_t)size + 1, 1); /* + 1: a NUL follows, for texts */
    AN_CHECK(p != NULL, err, AN_ELIMIT, "no memory for an object of %llu bytes",
             (unsigned long long)size);
    AN_TRY(an_bucket_get(b, ctx, key, 0, (size_t)size, p, err));
    *out = (an_slice){p, (size_t)size};
out:
    return rc;
}
