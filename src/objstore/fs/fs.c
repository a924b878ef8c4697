// SPDX-License-Identifier: Apache-2.0
#include "objstore/fs/fs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/random.h"

static an_rc fs_stat(an_bucket *b, an_ctx *ctx, an_slice key, an_object *out, an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];
    struct stat st;
    int dfd = -1;

    (void)ctx;
    an_fs_fds_forget(&fs->fds, key); /* what is read after this is what is told here */
    AN_TRY(an_fs_parent(fs, key, FS_FIND, &dfd, name, err));
    if (fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        rc = an_fs_fail(fs, errno, "stat", key, err);
        goto out;
    }
    if (S_ISLNK(st.st_mode)) {
        rc = an_fs_is_link(fs, key, err);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = an_fs_fail(fs, ENOENT, "stat", key, err); /* a folder is no object */
        goto out;
    }
    out->key = key;
    an_fs_object(&st, out);
out:
    an_fs_leave(fs, dfd);
    return rc;
}

/* Removes the folders above `key` that are empty now; they are no objects, so nothing is lost when
 * one stays. */
static an_rc prune(an_fs *fs, an_slice key, an_err *err)
{
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];

    for (;;) {
        an_err ignored;
        int dfd = -1;
        size_t n = key.n;
        while (n > 0 && key.p[n - 1] != '/') n--;
        if (n == 0) return AN_OK;
        key.n = n - 1;
        AN_TRY(an_fs_step(fs, "rmdir", key, err));
        bool gone = an_fs_parent(fs, key, FS_FIND, &dfd, name, &ignored) == AN_OK &&
                    unlinkat(dfd, name, AT_REMOVEDIR) == 0;
        an_fs_leave(fs, dfd);
        if (!gone) return AN_OK;
    }
out:
    return rc;
}

static an_rc fs_del(an_bucket *b, an_ctx *ctx, an_slice key, an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];
    struct stat st;
    int dfd = -1;

    (void)ctx;
    AN_TRY(an_fs_parent(fs, key, FS_FIND, &dfd, name, err));
    AN_TRY(an_fs_step(fs, "unlink", key, err));
    if (unlinkat(dfd, name, 0) != 0) {
        int e = errno;
        bool is_dir = fstatat(dfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
        /* a folder is no object: EISDIR, or EPERM on some file systems */
        rc = is_dir ? AN_ENOTFOUND : an_fs_fail(fs, e, "delete", key, err);
        if (rc == AN_EDENIED) err->cause = AN_CAUSE_DELETE_DENIED;
        goto out;
    }
    an_fs_fds_forget(&fs->fds, key);
    rc = prune(fs, key, err);
out:
    an_fs_leave(fs, dfd);
    return rc == AN_ENOTFOUND ? AN_OK : rc;
}

static void fs_free(an_bucket *b)
{
    an_fs *fs = (an_fs *)b;
    an_err ignored;
    char key[AN_KEY_MAX + 3];

    fs->step = NULL;
    if (fs->root >= 0) {
        (void)snprintf(key, sizeof key, "%s/x", fs->tmp);
        (void)prune(fs, an_slice_str(key), &ignored); /* leave no empty folders of ours behind */
        (void)close(fs->root);
    }
    an_fs_fds_deinit(&fs->fds);
    free(fs->dir);
    free(fs->tmp);
    free(fs);
}

static const an_bucket_ops fs_ops = {
    .name = "FILESYSTEM",
    .list = an_fs_list,
    .stat = fs_stat,
    .get = an_fs_get,
    .put = an_fs_put,
    .del = fs_del,
    .upload_open = an_fs_upload_open,
    .upload_write = an_fs_upload_write,
    .upload_flush = an_fs_upload_flush,
    .upload_complete = an_fs_upload_complete,
    .upload_close = an_fs_upload_close,
    .sweep = an_fs_sweep,
    .free = fs_free,
};

/* As Go's filepath.Abs: the working directory in front, then `.`, `..` and double slashes are
 * resolved in the text. */
static an_rc absolute(const char *dir, char **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf b;
    char cwd[PATH_MAX];
    an_slice from[2] = {{NULL, 0}, an_slice_str(dir)};

    an_buf_init(&b, PATH_MAX, NULL);
    if (dir[0] != '/') {
        AN_CHECK(getcwd(cwd, sizeof cwd) != NULL, err, AN_EIO, "no working directory: %s",
                 strerrordesc_np(errno));
        from[0] = an_slice_str(cwd);
    }
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0, start = 0; i <= from[k].n; i++) {
            if (i < from[k].n && from[k].p[i] != '/') continue;
            an_slice part = {from[k].p + start, i - start};
            start = i + 1;
            if (part.n == 0 || an_slice_eq(part, AN_LIT("."))) continue;
            if (an_slice_eq(part, AN_LIT(".."))) {
                while (b.n > 0 && b.p[b.n - 1] != '/') b.n--;
                if (b.n > 0) b.n--;
                continue;
            }
            an_buf_u8(&b, '/');
            an_buf_slice_add(&b, part);
        }
    }
    if (b.n == 0) an_buf_u8(&b, '/');
    an_buf_u8(&b, '\0');
    AN_CHECK(!b.failed, err, AN_EINVALID, "directory name is longer than %d bytes", PATH_MAX);
    *out = (char *)b.p;
    b = (an_buf){0};
out:
    an_buf_deinit(&b);
    return rc;
}

static unsigned open_files(const an_fs_opts *opts)
{
    struct rlimit lim;
    rlim_t n = 128;

    if (opts->max_open > 0) return opts->max_open;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0 && lim.rlim_cur / 8 < n) n = lim.rlim_cur / 8;
    return n == 0 ? 1 : (unsigned)n;
}

an_rc an_fs_open(const char *dir, const an_fs_opts *opts, an_bucket **out, an_err *err)
{
    an_rc rc = AN_OK;
    static const an_fs_opts none = {0};
    an_fs *fs = calloc(1, sizeof *fs);

    *out = NULL;
    an_assert(fs != NULL);
    if (opts == NULL) opts = &none;
    fs->root = -1;
    fs->base.ops = &fs_ops;
    fs->base.caps = AN_CAP_SIZE | AN_CAP_MTIME | AN_CAP_ETAG | AN_CAP_IF_ABSENT | AN_CAP_LOCAL;
    fs->without = opts->without;
    fs->step = opts->step;
    fs->step_arg = opts->step_arg;
    an_fs_fds_init(&fs->fds, open_files(opts));
    fs->tmp = strdup(opts->tmp != NULL ? opts->tmp : "anneal/tmp");
    an_assert(fs->tmp != NULL);
    an_random_bytes(&fs->nonce, sizeof fs->nonce);
    AN_TRY(an_key_check(an_slice_str(fs->tmp), err));
    AN_TRY(absolute(dir, &fs->dir, err));
    (void)snprintf(fs->base.name, sizeof fs->base.name, "fs: %s", fs->dir);
    fs->root = open(fs->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fs->root < 0) {
        int e = errno;
        an_rc class = e == EACCES || e == EPERM ? AN_EDENIED : AN_EINVALID;
        rc = AN_FAIL(err, class, "bucket directory %s: %s", fs->dir, strerrordesc_np(e));
        (void)an_err_cause(err,
                           class == AN_EDENIED ? AN_CAUSE_STORE_DENIED : AN_CAUSE_STORE_CONFIG);
        goto out;
    }
    *out = &fs->base;
    fs = NULL;
out:
    if (fs != NULL) fs_free(&fs->base);
    return rc;
}
