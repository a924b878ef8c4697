// SPDX-License-Identifier: Apache-2.0
#include "bucket/meta_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crc32c.h"
#include "base/cursor.h"

enum {
    HEAD = 8, /* of a record: length and CRC */
    FIXED = 1 + 16 + 8 + 8 + 8,
    BUFFER = 1 << 20,
    BUCKET_MAX = 4096,
    PIECE = HEAD + FIXED + AN_CACHE_DOC_MAX /* the largest record */
};
#define MAGIC "ANCACHE1"

struct an_meta_cache {
    int fd;
    char *path;
    an_slice bucket; /* own memory */
    uint64_t bytes;  /* of the file, without what is in `buf` */
    an_buf buf;      /* to be appended */
};

static an_rc os_error(const char *doing, const char *path, an_err *err)
{
    int e = errno;
    an_rc rc = e == EACCES || e == EPERM || e == EROFS ? AN_EDENIED : AN_EIO;

    (void)AN_FAIL(err, rc, "%s %s: %s", doing, path, strerrordesc_np(e));
    return an_err_cause(err, e == ENOSPC || e == EDQUOT ? AN_CAUSE_DISK_FULL : AN_CAUSE_DATA_DIR);
}

/* ---- reading ---- */

static an_rc damaged(uint64_t at, const char *what, an_err *err)
{
    (void)AN_FAIL(err, AN_ECORRUPT, "cache of metas: %s at offset %llu", what,
                  (unsigned long long)at);
    (void)an_err_cause(err, AN_CAUSE_DATA_DIR);
    return an_err_at(err, NULL, NULL, (int64_t)at);
}

static an_rc walk_header(const an_source *src, an_slice bucket, uint64_t *end, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice head;

    if (src->size < sizeof MAGIC - 1 + 4) return damaged(0, "no header", err);
    AN_TRY(an_source_at(src, 0, sizeof MAGIC - 1 + 4, sizeof MAGIC - 1 + 4, &head, err));
    if (memcmp(head.p, MAGIC, sizeof MAGIC - 1) != 0) return damaged(0, "no header", err);
    an_cursor c = an_cursor_of(an_slice_of(head.p + sizeof MAGIC - 1, 4));
    size_t n = an_cursor_be32(&c);
    size_t all = sizeof MAGIC - 1 + 4 + n;
    if (n > BUCKET_MAX || src->size < all + 4) return damaged(8, "a header that is too long", err);
    AN_TRY(an_source_at(src, 0, all + 4, all + 4, &head, err));
    c = an_cursor_of(an_slice_of(head.p + all, 4));
    if (an_cursor_be32(&c) != an_crc32c(an_slice_of(head.p, all)))
        return damaged(all, "a wrong checksum", err);
    if (!an_slice_eq(an_slice_of(head.p + sizeof MAGIC - 1 + 4, n), bucket))
        return AN_FAIL(err, AN_ENOTFOUND, "cache of metas: made for another bucket");
    *end = all + 4;
out:
    return rc;
}

/* Checks a record against its CRC and takes it apart. */
static an_rc decode(an_slice bytes, uint64_t at, an_cache_record *r, an_slice *doc, an_err *err)
{
    an_cursor c = an_cursor_of(bytes);
    uint32_t n = an_cursor_be32(&c), crc = an_cursor_be32(&c);
    an_slice payload = an_cursor_take(&c, n);

    if (c.bad || c.left > 0 || n < FIXED) return damaged(at, "a wrong length", err);
    if (an_crc32c(payload) != crc) return damaged(at, "a wrong checksum", err);
    c = an_cursor_of(payload);
    *r = (an_cache_record){.what = an_cursor_u8(&c), .at = at};
    an_slice id = an_cursor_take(&c, sizeof r->id.b);
    if (id.n == sizeof r->id.b) memcpy(r->id.b, id.p, id.n);
    r->version.size = an_cursor_be64(&c);
    r->version.etag = an_cursor_be64(&c);
    r->version.mtime_ms = (int64_t)an_cursor_be64(&c);
    r->n = n - FIXED;
    *doc = an_cursor_take(&c, r->n);
    if (r->what >= AN_CACHE_WHATS) return damaged(at, "an unknown kind", err);
    return AN_OK;
}

an_rc an_cache_walk(const an_source *src, an_slice bucket, an_cache_fn fn, void *arg, uint64_t *end,
                    an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t at = 0;

    AN_TRY(walk_header(src, bucket, &at, err));
    while (src->size - at >= HEAD) {
        an_slice bytes, doc;
        an_cache_record r;
        AN_TRY(an_source_at(src, at, HEAD, HEAD, &bytes, err));
        an_cursor c = an_cursor_of(bytes);
        uint32_t n = an_cursor_be32(&c);
        if (n < FIXED || n > FIXED + AN_CACHE_DOC_MAX) {
            rc = damaged(at, "a wrong length", err);
            goto out;
        }
        if (src->size - at < HEAD + (uint64_t)n) break; /* cut off by a crash */
        AN_TRY(an_source_at(src, at, HEAD + n, HEAD + n, &bytes, err));
        AN_TRY(decode(bytes, at, &r, &doc, err));
        AN_TRY(fn(arg, &r, err));
        at += HEAD + n;
    }
    *end = at;
out:
    return rc;
}

typedef struct file_source {
    int fd;
    const char *path;
    uint64_t size, off;
    size_t n; /* bytes of buf */
    uint8_t *buf;
} file_source;

static an_rc read_at(int fd, const char *path, uint64_t off, uint8_t *dst, size_t n, an_err *err)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(fd, dst + done, n - done, (off_t)(off + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return os_error("read", path, err);
        if (got == 0) return damaged(off + done, "an early end", err);
        done += (size_t)got;
    }
    return AN_OK;
}

static an_rc file_at(void *arg, uint64_t off, size_t min, size_t max, an_slice *out, an_err *err)
{
    file_source *f = arg;

    if (off < f->off || off - f->off > f->n || f->n - (off - f->off) < min) {
        uint64_t left = f->size - off;
        size_t n = left < PIECE ? (size_t)left : PIECE;
        f->n = 0;
        an_rc rc = read_at(f->fd, f->path, off, f->buf, n, err);
        if (rc != AN_OK) return rc;
        f->off = off;
        f->n = n;
    }
    size_t have = f->n - (size_t)(off - f->off);
    *out = an_slice_of(f->buf + (off - f->off), have < max ? have : max);
    return AN_OK;
}

static an_rc load(an_meta_cache *c, an_cache_fn fn, void *arg, uint64_t *end, an_err *err)
{
    an_rc rc = AN_OK;
    struct stat st;
    file_source f = {.fd = c->fd, .path = c->path};

    if (fstat(c->fd, &st) != 0) return os_error("stat", c->path, err);
    if (st.st_size == 0) return AN_FAIL(err, AN_ENOTFOUND, "empty");
    f.size = (uint64_t)st.st_size;
    f.buf = malloc(PIECE);
    if (f.buf == NULL) return AN_FAIL(err, AN_EIO, "no memory to read %s", c->path);
    an_source src = {file_at, &f, f.size, PIECE};
    rc = an_cache_walk(&src, c->bucket, fn, arg, end, err);
    free(f.buf);
    return rc;
}

/* ---- writing ---- */

static void put_header(an_buf *b, an_slice bucket)
{
    an_buf_add(b, MAGIC, sizeof MAGIC - 1);
    an_buf_be32(b, (uint32_t)bucket.n);
    an_buf_slice_add(b, bucket);
    an_buf_be32(b, an_crc32c(an_buf_slice(b)));
}

/* Appends all of b to the file; what was begun is cut off again when it fails. */
static an_rc append(int fd, const char *path, uint64_t *bytes, an_slice b, an_err *err)
{
    for (size_t done = 0; done < b.n;) {
        ssize_t n = pwrite(fd, b.p + done, b.n - done, (off_t)(*bytes + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            an_rc rc = os_error("write", path, err);
            if (ftruncate(fd, (off_t)*bytes) != 0) {} /* what stays is cut off when it is read */
            return rc;
        }
        done += (size_t)n;
    }
    *bytes += b.n;
    return AN_OK;
}

static an_rc begin_anew(an_meta_cache *c, an_err *err)
{
    an_buf b;

    if (ftruncate(c->fd, 0) != 0) return os_error("truncate", c->path, err);
    c->bytes = 0;
    an_buf_init(&b, BUCKET_MAX + 100, NULL);
    put_header(&b, c->bucket);
    an_rc rc = append(c->fd, c->path, &c->bytes, an_buf_slice(&b), err);
    an_buf_deinit(&b);
    return rc;
}

an_rc an_meta_cache_open(const char *path, an_slice bucket, an_cache_fn fn, void *arg,
                         bool *dropped, an_meta_cache **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_meta_cache *c = calloc(1, sizeof *c);
    uint64_t end = 0;
    struct stat st;

    *out = NULL;
    *dropped = false;
    an_assert(c != NULL);
    an_buf_init(&c->buf, (size_t)BUFFER + PIECE, NULL);
    c->path = strdup(path);
    uint8_t *copy = malloc(bucket.n + 1);
    an_assert(c->path != NULL && copy != NULL);
    if (bucket.n > BUCKET_MAX) bucket.n = BUCKET_MAX;
    memcpy(copy, bucket.p, bucket.n);
    c->bucket = an_slice_of(copy, bucket.n);
    c->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (c->fd < 0) {
        rc = os_error("open", path, err);
        goto out;
    }
    AN_CHECK(fstat(c->fd, &st) == 0 && S_ISREG(st.st_mode), err, AN_EIO, "%s is no file", path);
    if (flock(c->fd, LOCK_EX | LOCK_NB) != 0) {
        rc = errno == EWOULDBLOCK ? AN_FAIL(err, AN_EIO, "%s is in use by another process", path)
                                  : os_error("lock", path, err);
        goto out;
    }
    rc = load(c, fn, arg, &end, err);
    if (rc == AN_OK) {
        c->bytes = end;
        if (ftruncate(c->fd, (off_t)end) != 0) rc = os_error("truncate", path, err);
    } else if (rc == AN_ECORRUPT || rc == AN_ENOTFOUND) {
        *dropped = st.st_size > 0;
        an_err why = *err;
        rc = begin_anew(c, err);
        if (rc == AN_OK) *err = why; /* for who tells that it was dropped */
    }
    if (rc != AN_OK) goto out;
    *out = c;
    c = NULL;
out:
    an_meta_cache_close(c);
    return rc;
}

void an_meta_cache_close(an_meta_cache *c)
{
    if (c == NULL) return;
    if (c->fd >= 0) (void)close(c->fd); /* what counts was flushed */
    an_buf_deinit(&c->buf);
    free(c->path);
    free((void *)(uintptr_t)c->bucket.p);
    free(c);
}

an_rc an_meta_cache_read(an_meta_cache *c, an_arena *a, const an_cache_record *r, an_slice *doc,
                         an_err *err)
{
    an_rc rc = AN_OK;
    size_t n = (size_t)HEAD + FIXED + r->n;
    an_cache_record now = {0};

    AN_TRY(an_meta_cache_flush(c, err));
    uint8_t *p = an_arena_try(a, n, 1);
    AN_CHECK(p != NULL, err, AN_ELIMIT, "no memory for %zu bytes of the cache", n);
    AN_TRY(read_at(c->fd, c->path, r->at, p, n, err));
    AN_TRY(decode(an_slice_of(p, n), r->at, &now, doc, err));
    if (now.what != r->what || !an_ulid_eq(now.id, r->id) ||
        memcmp(&now.version, &r->version, sizeof now.version) != 0)
        rc = damaged(r->at, "another document", err);
out:
    return rc;
}

an_rc an_meta_cache_add(an_meta_cache *c, an_cache_record *r, an_slice doc, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf p;

    an_assert(doc.n <= AN_CACHE_DOC_MAX);
    if (c->buf.n >= BUFFER) AN_TRY(an_meta_cache_flush(c, err));
    an_buf_init(&p, (size_t)FIXED + AN_CACHE_DOC_MAX, NULL);
    an_buf_u8(&p, (uint8_t)r->what);
    an_buf_add(&p, r->id.b, sizeof r->id.b);
    an_buf_be64(&p, r->version.size);
    an_buf_be64(&p, r->version.etag);
    an_buf_be64(&p, (uint64_t)r->version.mtime_ms);
    an_buf_slice_add(&p, doc);
    r->at = c->bytes + c->buf.n;
    r->n = (uint32_t)doc.n;
    if (!p.failed && an_buf_reserve(&c->buf, HEAD + p.n)) {
        an_buf_be32(&c->buf, (uint32_t)p.n);
        an_buf_be32(&c->buf, an_crc32c(an_buf_slice(&p)));
        an_buf_slice_add(&c->buf, an_buf_slice(&p));
    } else {
        rc = AN_FAIL(err, AN_ELIMIT, "no memory for the cache of metas");
    }
    an_buf_deinit(&p);
out:
    return rc;
}

an_rc an_meta_cache_flush(an_meta_cache *c, an_err *err)
{
    an_rc rc = append(c->fd, c->path, &c->bytes, an_buf_slice(&c->buf), err);

    an_buf_clear(&c->buf);
    return rc;
}

uint64_t an_meta_cache_bytes(const an_meta_cache *c) { return c->bytes + c->buf.n; }

an_rc an_meta_cache_rewrite(an_meta_cache *c, an_cache_record *const *live, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    an_meta_cache *new = calloc(1, sizeof *new);
    size_t path_n = strlen(c->path) + 5;
    char *path = malloc(path_n);
    uint64_t *at = calloc(n + 1, sizeof *at);
    an_arena *work = an_arena_new(NULL);

    an_assert(new != NULL &&path != NULL &&at != NULL);
    (void)snprintf(path, path_n, "%s.new", c->path);
    *new = (an_meta_cache){.path = path, .bucket = c->bucket};
    an_buf_init(&new->buf, (size_t)BUFFER + PIECE, NULL);
    (void)unlink(path); /* of a crash */
    new->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (new->fd < 0) {
        rc = os_error("open", path, err);
        goto out;
    }
    AN_CHECK(flock(new->fd, LOCK_EX | LOCK_NB) == 0, err, AN_EIO, "%s cannot be locked", path);
    AN_TRY(begin_anew(new, err));
    for (size_t i = 0; i < n; i++) {
        an_cache_record r = *live[i];
        an_slice doc = {NULL, 0};
        an_arena_reset(work);
        AN_TRY(an_meta_cache_read(c, work, live[i], &doc, err));
        AN_TRY(an_meta_cache_add(new, &r, doc, err));
        at[i] = r.at;
    }
    AN_TRY(an_meta_cache_flush(new, err));
    if (rename(path, c->path) != 0) {
        rc = os_error("rename", path, err);
        goto out;
    }
    for (size_t i = 0; i < n; i++) live[i]->at = at[i];
    int old = c->fd;
    c->fd = new->fd;
    new->fd = old;
    c->bytes = new->bytes;
out:
    if (rc != AN_OK) (void)unlink(path);
    if (new->fd >= 0) (void)close(new->fd);
    an_buf_deinit(&new->buf);
    free(new);
    free(path);
    free(at);
    an_arena_free(work);
    return rc;
}
