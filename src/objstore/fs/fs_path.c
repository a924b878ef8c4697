// SPDX-License-Identifier: Apache-2.0
#include "objstore/fs/fs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

an_rc an_fs_fail(const an_fs *fs, int e, const char *doing, an_slice key, an_err *err)
{
    const char *why = strerrordesc_np(e);
    an_rc rc = AN_ERETRY;
    an_cause cause = AN_CAUSE_NONE;
    char limit[64] = "";
    struct rlimit lim;

    switch (e) {
    case ENOENT:
    case ENOTDIR:
        rc = AN_ENOTFOUND;
        break;
    case EACCES:
    case EPERM:
    case EROFS:
        rc = AN_EDENIED;
        cause = AN_CAUSE_STORE_DENIED;
        break;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        cause = AN_CAUSE_DISK_FULL;
        break;
    case EMFILE:
    case ENFILE:
        cause = AN_CAUSE_FD_MAP_LIMIT;
        if (e == EMFILE && getrlimit(RLIMIT_NOFILE, &lim) == 0)
            (void)snprintf(limit, sizeof limit, " (limit %llu)", (unsigned long long)lim.rlim_cur);
        break;
    case ENAMETOOLONG:
    case EISDIR:
        rc = AN_EINVALID;
        break;
    default:
        break; /* the disk or the network behind it: may be better the next time */
    }
    (void)AN_FAIL(err, rc, "%s %s/%.*s: %s%s", doing, fs->dir, AN_PRI(key),
                  why != NULL ? why : "unknown error", limit);
    return an_err_cause(err, cause);
}

an_rc an_fs_is_link(const an_fs *fs, an_slice key, an_err *err)
{
    (void)AN_FAIL(err, AN_EDENIED,
                  "open %s/%.*s: a symbolic link, which is not followed inside a bucket", fs->dir,
                  AN_PRI(key));
    return an_err_cause(err, AN_CAUSE_STORE_DENIED);
}

an_rc an_fs_step(an_fs *fs, const char *name, an_slice key, an_err *err)
{
    return fs->step == NULL ? AN_OK : fs->step(fs->step_arg, name, key, err);
}

void an_fs_leave(const an_fs *fs, int dfd)
{
    if (dfd >= 0 && dfd != fs->root) (void)close(dfd); /* nothing was written through it */
}

/* Copies the part of `key` that starts at *pos and moves *pos behind it and its slash. */
static bool take_part(an_slice key, size_t *pos, char name[NAME_MAX + 1])
{
    size_t end = *pos;

    while (end < key.n && key.p[end] != '/') end++;
    size_t n = end - *pos;
    if (n > NAME_MAX) return false;
    memcpy(name, key.p + *pos, n);
    name[n] = '\0';
    *pos = end < key.n ? end + 1 : end;
    return true;
}

/* One folder further down. `path` is its key, for texts. With O_DIRECTORY a link is ENOTDIR. */
static an_rc descend(an_fs *fs, int at, const char *name, an_slice path, int flags, fs_walk how,
                     int *fd, an_err *err)
{
    an_rc rc = AN_OK;
    struct stat st;

    for (int i = 0;; i++) {
        *fd = openat(at, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (*fd >= 0) return AN_OK;
        int e = errno;
        if (e == ENOENT && how == FS_MAKE && i == 0) {
            AN_TRY(an_fs_step(fs, "mkdir", path, err));
            if (mkdirat(at, name, 0777) == 0 || errno == EEXIST) continue;
            return an_fs_fail(fs, errno, "mkdir", path, err);
        }
        if ((e == ENOTDIR || e == ELOOP) && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISLNK(st.st_mode))
            return an_fs_is_link(fs, path, err);
        if (e == ENOTDIR && how == FS_MAKE)
            return AN_FAIL(err, AN_EINVALID, "mkdir %s/%.*s: a file is in its place", fs->dir,
                           AN_PRI(path));
        return an_fs_fail(fs, e, "open", path, err);
    }
out:
    return rc;
}

static an_rc walk(an_fs *fs, an_slice key, fs_walk how, int *dfd, char name[NAME_MAX + 1],
                  an_err *err)
{
    an_rc rc = AN_OK;
    size_t pos = 0;
    int at = fs->root;

    *dfd = -1;
    for (;;) {
        AN_CHECK(take_part(key, &pos, name), err, AN_EINVALID,
                 "%.*s: a part of the name is longer than %d bytes", AN_PRI(key), NAME_MAX);
        if (pos == key.n) break;
        int fd = -1;
        /* O_PATH: passing through takes no permission to read the folder. */
        AN_TRY(descend(fs, at, name, (an_slice){key.p, pos - 1}, O_PATH, how, &fd, err));
        an_fs_leave(fs, at);
        at = fd;
    }
    *dfd = at;
    at = -1;
out:
    an_fs_leave(fs, at);
    return rc;
}

an_rc an_fs_parent(an_fs *fs, an_slice key, fs_walk how, int *dfd, char name[NAME_MAX + 1],
                   an_err *err)
{
    an_rc rc = AN_OK;

    /* A folder that is empty may be removed by somebody else at any moment, also under us. */
    for (int i = 0; i < FS_TRIES; i++) {
        rc = walk(fs, key, how, dfd, name, err);
        if (rc != AN_ENOTFOUND || how == FS_FIND) return rc;
    }
    return err->rc = AN_ERETRY;
}

an_rc an_fs_folder(an_fs *fs, an_slice key, int *fd, an_err *err)
{
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];
    int at = -1;

    *fd = -1;
    if (key.n == 0) {
        struct stat st;
        if (fstat(fs->root, &st) == 0 && st.st_nlink == 0) {
            (void)AN_FAIL(err, AN_ERETRY, "%s was removed while in use", fs->dir);
            return an_err_cause(err, AN_CAUSE_STORE_CONFIG);
        }
        return descend(fs, fs->root, ".", key, O_RDONLY, FS_FIND, fd, err);
    }
    AN_TRY(an_fs_parent(fs, key, FS_FIND, &at, name, err));
    rc = descend(fs, at, name, key, O_RDONLY, FS_FIND, fd, err);
out:
    an_fs_leave(fs, at);
    return rc;
}

static an_rc sync_folder(an_fs *fs, int fd, an_slice path, an_err *err)
{
    an_assert(fd >= 0);
    if (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP)
        return AN_OK; /* not every file system can sync folders; then there is nothing to wait for
                       */
    return an_fs_fail(fs, errno, "fsync", path, err);
}

an_rc an_fs_sync_folders(an_fs *fs, an_slice key, an_err *err)
{
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];
    size_t pos = 0;
    int at = fs->root;

    AN_TRY(an_fs_step(fs, "fsync-dir", key, err));
    AN_TRY(sync_folder(fs, fs->root, (an_slice){key.p, 0}, err));
    for (;;) {
        an_assert(take_part(key, &pos, name));
        if (pos == key.n) break;
        an_slice path = {key.p, pos - 1};
        int fd = -1;
        AN_TRY(descend(fs, at, name, path, O_RDONLY, FS_FIND, &fd, err));
        an_fs_leave(fs, at);
        at = fd;
        AN_TRY(sync_folder(fs, fd, path, err));
    }
out:
    an_fs_leave(fs, at);
    return rc == AN_ENOTFOUND ? AN_OK : rc; /* somebody deleted what was just written */
}

void an_fs_object(const struct stat *st, an_object *out)
{
    int64_t ns = (int64_t)st->st_mtim.tv_nsec;

    out->size = (uint64_t)st->st_size;
    out->mtime_ms = (int64_t)st->st_mtim.tv_sec * 1000 + ns / 1000000;
    memset(&out->etag, 0, sizeof out->etag);
    int n = snprintf(out->etag.v, sizeof out->etag.v, "%llx-%llx.%09lld-%llx",
                     (unsigned long long)st->st_ino, (unsigned long long)st->st_mtim.tv_sec,
                     (long long)ns, (unsigned long long)st->st_size);
    an_assert(n > 0 && (size_t)n < sizeof out->etag.v);
    out->etag.n = (uint8_t)n;
}
