// SPDX-License-Identifier: Apache-2.0
#include "objstore/fs/fs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

enum {
    BUFFER = 64 << 10,   /* smaller writes are gathered */
    KICK = 8 << 20,      /* so many bytes later the disk may start: then flushing is short */
    WRITE_MAX = 1 << 30, /* of one write(2) */
};

typedef struct fs_upload {
    an_upload base;
    an_slice key;           /* own memory */
    char tmp[NAME_MAX + 1]; /* the file below the folder of unfinished files */
    bool there;             /* it exists */
    bool broken;            /* a write failed: its bytes are not what was asked for */
    bool synced;
    int fd;                /* -1 once flushed */
    uint64_t done, kicked; /* bytes written; bytes whose writing to disk has been started */
    size_t n_buf;
    uint8_t buf[BUFFER];
} fs_upload;

static an_fs *fs_of(const fs_upload *u) { return (an_fs *)u->base.bucket; }

/* The key of a file in the folder of unfinished files. */
static an_slice tmp_key(const an_fs *fs, const char *name, char buf[AN_KEY_MAX + NAME_MAX + 2])
{
    int n = snprintf(buf, AN_KEY_MAX + NAME_MAX + 2, "%s/%s", fs->tmp, name);
    an_assert(n > 0);
    return an_slice_of(buf, (size_t)n);
}

static void remove_tmp(an_fs *fs, const char *tmp)
{
    char buf[AN_KEY_MAX + NAME_MAX + 2], name[NAME_MAX + 1];
    an_slice key = tmp_key(fs, tmp, buf);
    an_err ignored;
    int dfd = -1;

    if (an_fs_step(fs, "unlink", key, &ignored) == AN_OK &&
        an_fs_parent(fs, key, FS_FIND, &dfd, name, &ignored) == AN_OK)
        (void)unlinkat(dfd, name, 0); /* what stays is swept once it is old */
    an_fs_leave(fs, dfd);
}

/* A name that says what it is for and is nobody else's. */
static void name_tmp(an_fs *fs, an_slice key, const char *nonce, size_t nonce_n,
                     char tmp[NAME_MAX + 1])
{
    enum { TAIL = 80 };
    char tail[TAIL + 1];
    size_t n = key.n < TAIL ? key.n : TAIL;

    for (size_t i = 0; i < n; i++) {
        uint8_t c = key.p[key.n - n + i];
        tail[i] = (char)(c == '/' ? (uint8_t)'_' : c);
    }
    tail[n] = '\0';
    uint64_t serial = atomic_fetch_add(&fs->serial, 1);
    int len = snprintf(tmp, NAME_MAX + 1, "%.*s.%llx-%llx.%s", (int)nonce_n, nonce,
                       (unsigned long long)fs->nonce, (unsigned long long)serial, tail);
    an_assert(len > 0 && len <= NAME_MAX);
}

static an_rc create_tmp(an_fs *fs, const char *tmp, int *fd, an_err *err)
{
    an_rc rc = AN_OK;
    char buf[AN_KEY_MAX + NAME_MAX + 2], name[NAME_MAX + 1];
    an_slice key = tmp_key(fs, tmp, buf);
    int dfd = -1;

    for (int i = 0;; i++) {
        AN_TRY(an_fs_parent(fs, key, FS_MAKE, &dfd, name, err));
        AN_TRY(an_fs_step(fs, "create", key, err));
        *fd = openat(dfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (*fd >= 0) break;
        if (errno != ENOENT || i == FS_TRIES) {
            rc = an_fs_fail(fs, errno, "create", key, err);
            if (rc == AN_ENOTFOUND) err->rc = rc = AN_ERETRY; /* the folder comes and goes */
            break;
        }
        an_fs_leave(fs, dfd);
        dfd = -1;
    }
out:
    an_fs_leave(fs, dfd);
    return rc;
}

static an_rc write_all(an_fs *fs, int fd, an_slice key, an_slice bytes, an_err *err)
{
    an_rc rc = AN_OK;

    if (bytes.n == 0) return AN_OK;
    AN_TRY(an_fs_step(fs, "write", key, err));
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n < WRITE_MAX ? bytes.n : WRITE_MAX);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return an_fs_fail(fs, errno, "write", key, err);
        bytes.p += n;
        bytes.n -= (size_t)n;
    }
out:
    return rc;
}

/* Syncs if asked to, and closes: after that the bytes are the kernel's. */
static an_rc finish_tmp(an_fs *fs, int fd, an_slice key, bool sync, an_err *err)
{
    an_rc rc = AN_OK;

    if (sync) {
        AN_TRY(an_fs_step(fs, "fsync", key, err));
        while (fsync(fd) != 0) {
            if (errno == EINTR) continue;
            rc = an_fs_fail(fs, errno, "fsync", key, err);
            goto out;
        }
    }
    if (close(fd) != 0 && errno != EINTR) rc = an_fs_fail(fs, errno, "close", key, err);
    return rc;
out:
    (void)close(fd); /* the first error counts */
    return rc;
}

/* The last resort of AN_PUT_IF_ABSENT, for file systems with neither way: a look, then a rename;
 * two writers at the same moment could both win, and determinism makes their bytes equal. */
static int rename_if_absent(const an_fs *fs, int tfd, const char *tmp, int dfd, const char *name)
{
    struct stat st;

    if ((fs->without & AN_FS_WITHOUT_RENAME_NOREPLACE) == 0) {
        if (renameat2(tfd, tmp, dfd, name, RENAME_NOREPLACE) == 0) return 0;
        if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return -1;
    }
    if ((fs->without & AN_FS_WITHOUT_LINK) == 0) {
        if (linkat(tfd, tmp, dfd, name, 0) == 0) {
            (void)unlinkat(tfd, tmp, 0); /* what stays is swept once it is old */
            return 0;
        }
        if (errno != EPERM && errno != ENOSYS && errno != ENOTSUP && errno != EMLINK) return -1;
    }
    if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return renameat(tfd, tmp, dfd, name);
}

static an_rc publish_failed(const an_fs *fs, int e, an_slice key, an_err *err)
{
    if (e == EEXIST) return AN_FAIL(err, AN_EEXISTS, "%s/%.*s exists", fs->dir, AN_PRI(key));
    if (e == ENOENT)
        return AN_FAIL(err, AN_ERETRY, "rename to %s/%.*s: the unfinished file is gone", fs->dir,
                       AN_PRI(key));
    if (e == EXDEV) {
        (void)AN_FAIL(err, AN_EINVALID, "rename to %s/%.*s: not on the file system of %s/%s",
                      fs->dir, AN_PRI(key), fs->dir, fs->tmp);
        return an_err_cause(err, AN_CAUSE_STORE_CONFIG);
    }
    an_rc rc = an_fs_fail(fs, e, "rename to", key, err);
    return rc == AN_ENOTFOUND ? (err->rc = AN_EINVALID) : rc; /* ENOTDIR */
}

/* Moves the finished file `tmp` to its key. *there tells whether it still exists under its first
 * name. */
static an_rc publish(an_fs *fs, const char *tmp, an_slice key, int flags, bool *there, an_err *err)
{
    an_rc rc = AN_OK;
    char buf[AN_KEY_MAX + NAME_MAX + 2], from[NAME_MAX + 1], name[NAME_MAX + 1];
    int tfd = -1, dfd = -1;

    rc = an_fs_parent(fs, tmp_key(fs, tmp, buf), FS_FIND, &tfd, from, err);
    if (rc == AN_ENOTFOUND) rc = publish_failed(fs, ENOENT, key, err);
    if (rc != AN_OK) goto out;
    for (int i = 0;; i++) {
        int failed;
        AN_TRY(an_fs_parent(fs, key, FS_MAKE, &dfd, name, err));
        if ((flags & AN_PUT_IF_ABSENT) != 0) {
            AN_TRY(an_fs_step(fs, "link", key, err));
            failed = rename_if_absent(fs, tfd, from, dfd, name);
        } else {
            AN_TRY(an_fs_step(fs, "rename", key, err));
            failed = renameat(tfd, from, dfd, name);
        }
        if (failed == 0) break;
        if (errno != ENOENT || i == FS_TRIES) { /* ENOENT: the folder was empty and removed */
            rc = publish_failed(fs, errno, key, err);
            goto out;
        }
        an_fs_leave(fs, dfd);
        dfd = -1;
    }
    *there = false;
    an_fs_fds_forget(&fs->fds, key);
    if ((flags & AN_PUT_DURABLE) != 0) rc = an_fs_sync_folders(fs, key, err);
out:
    an_fs_leave(fs, dfd);
    an_fs_leave(fs, tfd);
    return rc;
}

an_rc an_fs_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags, an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    char tmp[NAME_MAX + 1];
    bool there = false;
    int fd = -1;

    (void)ctx;
    name_tmp(fs, key, "put", 3, tmp);
    AN_TRY(create_tmp(fs, tmp, &fd, err));
    there = true;
    rc = write_all(fs, fd, key, body, err);
    if (rc != AN_OK) {
        (void)close(fd);
        goto out;
    }
    AN_TRY(finish_tmp(fs, fd, key, (flags & AN_PUT_DURABLE) != 0, err));
    rc = publish(fs, tmp, key, flags, &there, err);
out:
    if (there) remove_tmp(fs, tmp);
    return rc;
}

an_rc an_fs_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce, an_upload **out,
                        an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    fs_upload *u = malloc(sizeof *u + key.n);

    (void)ctx;
    an_assert(u != NULL);
    memset(u, 0, offsetof(fs_upload, buf));
    u->base.bucket = b;
    u->fd = -1;
    uint8_t *copy = (uint8_t *)(u + 1);
    memcpy(copy, key.p, key.n);
    u->key = (an_slice){copy, key.n};
    name_tmp(fs, key, (const char *)nonce.p, nonce.n, u->tmp);
    AN_TRY(create_tmp(fs, u->tmp, &u->fd, err));
    u->there = true;
    *out = &u->base;
    u = NULL;
out:
    free(u);
    return rc;
}

/* Straight from the caller's memory. */
static an_rc write_through(fs_upload *u, an_slice bytes, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(write_all(fs_of(u), u->fd, u->key, bytes, err));
    u->done += bytes.n;
    if (u->done - u->kicked >= KICK) {
        (void)sync_file_range(u->fd, (off_t)u->kicked, (off_t)(u->done - u->kicked),
                              SYNC_FILE_RANGE_WRITE); /* a hint: fsync is what counts */
        u->kicked = u->done;
    }
out:
    if (rc != AN_OK) u->broken = true;
    return rc;
}

static an_rc write_buffered(fs_upload *u, an_err *err)
{
    size_t n = u->n_buf;

    u->n_buf = 0;
    return write_through(u, an_slice_of(u->buf, n), err);
}

static an_rc usable(const fs_upload *u, bool writing, an_err *err)
{
    if (u->broken)
        return AN_FAIL(err, AN_EINVALID, "upload of %.*s goes on after a failure", AN_PRI(u->key));
    if (writing && u->fd < 0)
        return AN_FAIL(err, AN_EINVALID, "upload of %.*s is written to after its end",
                       AN_PRI(u->key));
    return AN_OK;
}

an_rc an_fs_upload_write(an_upload *up, an_ctx *ctx, an_slice bytes, an_err *err)
{
    fs_upload *u = (fs_upload *)up;
    an_rc rc = AN_OK;

    (void)ctx;
    AN_TRY(usable(u, true, err));
    if (bytes.n > BUFFER - u->n_buf) AN_TRY(write_buffered(u, err));
    if (bytes.n >= BUFFER) return write_through(u, bytes, err);
    memcpy(u->buf + u->n_buf, bytes.p, bytes.n);
    u->n_buf += bytes.n;
out:
    return rc;
}

/* The descriptor goes too: many flushed objects may wait for their block to be complete. */
static an_rc end_writing(fs_upload *u, bool sync, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(usable(u, false, err));
    if (u->fd < 0) return AN_OK;
    AN_TRY(write_buffered(u, err));
    int fd = u->fd;
    u->fd = -1;
    rc = finish_tmp(fs_of(u), fd, u->key, sync, err);
    u->synced = sync && rc == AN_OK;
    if (rc != AN_OK) u->broken = true; /* after a failed fsync the bytes may be gone for good */
out:
    return rc;
}

an_rc an_fs_upload_flush(an_upload *up, an_ctx *ctx, an_err *err)
{
    (void)ctx;
    return end_writing((fs_upload *)up, true, err);
}

an_rc an_fs_upload_complete(an_upload *up, an_ctx *ctx, int flags, an_err *err)
{
    fs_upload *u = (fs_upload *)up;
    an_rc rc = AN_OK;

    (void)ctx;
    AN_TRY(end_writing(u, (flags & AN_PUT_DURABLE) != 0, err));
    rc = publish(fs_of(u), u->tmp, u->key, flags, &u->there, err);
out:
    return rc;
}

void an_fs_upload_close(an_upload *up)
{
    fs_upload *u = (fs_upload *)up;

    if (u->fd >= 0) (void)close(u->fd); /* thrown away */
    if (u->there) remove_tmp(fs_of(u), u->tmp);
    free(u);
}

an_rc an_fs_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    an_slice tmp = an_slice_str(fs->tmp);
    DIR *d = NULL;
    int fd = -1;

    rc = an_fs_folder(fs, tmp, &fd, err);
    if (rc == AN_ENOTFOUND) return AN_OK;
    if (rc != AN_OK) return rc;
    d = fdopendir(fd);
    if (d == NULL) {
        rc = an_fs_fail(fs, errno, "list", tmp, err);
        (void)close(fd);
        return rc;
    }
    for (;;) {
        struct stat st;
        an_object o;
        errno = 0;
        const struct dirent *e = readdir(d); // NOLINT(concurrency-mt-unsafe): own stream
        if (e == NULL && errno != 0) {
            rc = an_fs_fail(fs, errno, "list", tmp, err);
            break;
        }
        if (e == NULL) break;
        AN_TRY(an_ctx_check(ctx, err));
        if (fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) continue;
        an_fs_object(&st, &o);
        if (o.mtime_ms >= before_ms) continue;
        AN_TRY(an_fs_step(fs, "unlink", tmp, err));
        if (unlinkat(fd, e->d_name, 0) == 0) {
            (*n)++;
        } else if (errno != ENOENT) {
            rc = an_fs_fail(fs, errno, "remove from", tmp, err);
            break;
        }
    }
out:
    (void)closedir(d); /* reading only; closes fd */
    return rc;
}
