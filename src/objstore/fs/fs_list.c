// SPDX-License-Identifier: Apache-2.0
#include "objstore/fs/fs_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"

enum {
    DEPTH_MAX = 64,         /* of folders below each other, each an open descriptor */
    NAMES_MAX = 1 << 30,    /* bytes of names in one folder */
    ENTRIES_MAX = 64 << 20, /* in one folder */
    LOOK_AT_CTX = 256       /* entries between two looks */
};

typedef struct lister {
    an_fs *fs;
    an_ctx *ctx;
    an_slice prefix, from, tmp;
    an_list_fn fn;
    void *arg;
    an_err *err;
    an_buf path; /* key of the folder at hand with its slash; empty: the root */
    unsigned seen;
} lister;

typedef struct entry {
    uint32_t off; /* of the name, NUL-terminated, in the folder's names */
    uint32_t n;   /* of the name, with the slash of a folder */
} entry;

typedef struct folder {
    an_buf names;
    size_t n, cap;
    entry *v;
} folder;

/* An error about the folder at hand and all in it: an_bucket_ops.list says what that means. A key
 * that is too long for the error is cut to a folder further up. */
static an_rc at_subtree(lister *l, an_rc rc)
{
    char text[sizeof l->err->object];
    size_t n = l->path.n;

    if (l->err->cause == AN_CAUSE_FD_MAP_LIMIT) return rc; /* the next folder fares no better */
    while (n >= sizeof text || (n > 0 && l->path.p[n - 1] != '/')) n--;
    if (n > 0) memcpy(text, l->path.p, n);
    text[n] = '\0';
    if (n > 0) (void)an_err_at(l->err, NULL, text, -1);
    return rc;
}

static an_slice here(const lister *l) /* the folder at hand, without its slash */
{
    return (an_slice){l->path.p, l->path.n > 0 ? l->path.n - 1 : 0};
}

/* Whether anything at or (in_it) below `key` can be asked for. */
static bool wanted(const lister *l, an_slice key, bool in_it)
{
    if (!in_it) return an_slice_has_prefix(key, l->prefix) && an_slice_cmp(key, l->from) >= 0;
    if (an_slice_has_prefix(key, l->tmp) && key.n > l->tmp.n && key.p[l->tmp.n] == '/')
        return false;
    if (!an_slice_has_prefix(key, l->prefix) && !an_slice_has_prefix(l->prefix, key)) return false;
    return an_slice_cmp(key, l->from) >= 0 || an_slice_has_prefix(l->from, key);
}

static int by_key(const void *a, const void *b, void *names)
{
    const entry *x = a, *y = b;
    const uint8_t *p = names;

    return an_slice_cmp(an_slice_of(p + x->off, x->n), an_slice_of(p + y->off, y->n));
}

/* Adds what may be wanted of one name to `f`. Folders sort as if they ended in a slash, so that
 * the keys come out in byte order. */
static an_rc add_name(lister *l, folder *f, int fd, const struct dirent *d)
{
    an_rc rc = AN_OK;
    size_t n = strlen(d->d_name);
    bool is_dir = d->d_type == DT_DIR;
    bool is_file = d->d_type == DT_REG || d->d_type == DT_LNK;
    size_t before = l->path.n;

    if (d->d_type == DT_UNKNOWN) { /* some file systems do not tell */
        struct stat st;
        if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return AN_OK;
            return at_subtree(l, an_fs_fail(l->fs, errno, "stat in", here(l), l->err));
        }
        is_dir = S_ISDIR(st.st_mode);
        is_file = S_ISREG(st.st_mode) || S_ISLNK(st.st_mode);
    }
    if (!is_dir && !is_file) return AN_OK; /* a pipe, a socket, a device */

    an_buf_add(&l->path, d->d_name, n);
    if (is_dir) an_buf_u8(&l->path, '/');
    bool want = wanted(l, an_buf_slice(&l->path), is_dir);
    bool fits = !l->path.failed;
    l->path.n = before;
    l->path.failed = false;
    AN_CHECK(fits, l->err, AN_ELIMIT, "list %s/%.*s: a name in it makes a key longer than %d bytes",
             l->fs->dir, AN_PRI(here(l)), AN_KEY_MAX);
    if (!want) return AN_OK;

    uint32_t off = (uint32_t)f->names.n;
    an_buf_add(&f->names, d->d_name, n);
    if (is_dir) an_buf_u8(&f->names, '/');
    an_buf_u8(&f->names, '\0');
    if (f->n == f->cap && !f->names.failed && f->cap < ENTRIES_MAX) {
        size_t cap = f->cap == 0 ? 64 : f->cap * 2;
        entry *v = reallocarray(f->v, cap, sizeof *v);
        if (v != NULL) {
            f->v = v;
            f->cap = cap;
        }
    }
    AN_CHECK(!f->names.failed && f->n < f->cap, l->err, AN_ELIMIT,
             "list %s/%.*s: no memory for more than %zu names", l->fs->dir, AN_PRI(here(l)), f->n);
    f->v[f->n++] = (entry){off, (uint32_t)(n + (is_dir ? 1 : 0))};
out:
    return rc == AN_OK ? AN_OK : at_subtree(l, rc);
}

/* Takes fd over. */
static an_rc read_names(lister *l, int fd, folder *f)
{
    an_rc rc = AN_OK;
    DIR *d = fdopendir(fd);

    if (d == NULL) {
        rc = an_fs_fail(l->fs, errno, "list", here(l), l->err);
        (void)close(fd);
        return at_subtree(l, rc);
    }
    for (;;) {
        if (++l->seen % LOOK_AT_CTX == 0) AN_TRY(an_ctx_check(l->ctx, l->err));
        errno = 0;
        const struct dirent *e = readdir(d); // NOLINT(concurrency-mt-unsafe): own stream
        if (e == NULL && errno != 0) {
            rc = at_subtree(l, an_fs_fail(l->fs, errno, "list", here(l), l->err));
            goto out;
        }
        if (e == NULL) break;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        AN_TRY(add_name(l, f, fd, e));
    }
out:
    (void)closedir(d); /* reading only */
    return rc;
}

static an_rc report(lister *l, int fd, const char *name)
{
    struct stat st;
    an_object o = {.key = an_buf_slice(&l->path)};

    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return AN_OK; /* gone since the folder was read */
        an_rc rc = an_fs_fail(l->fs, errno, "stat", o.key, l->err);
        l->path.n -= strlen(name);
        return at_subtree(l, rc);
    }
    if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return AN_OK; /* became another thing */
    an_fs_object(&st, &o);
    return l->fn(l->arg, &o, l->err);
}

/* Lists the folder l->path. fd is the caller's to close. Recursion: DEPTH_MAX. */
static an_rc list_folder(lister *l, int fd, unsigned depth)
{
    an_rc rc = AN_OK;
    folder f = {0};
    size_t here_n = l->path.n;

    an_buf_init(&f.names, NAMES_MAX, NULL);
    if (depth == DEPTH_MAX) {
        rc = AN_FAIL(l->err, AN_ELIMIT, "list %s/%.*s: folders are nested deeper than %d",
                     l->fs->dir, AN_PRI(here(l)), DEPTH_MAX);
        return at_subtree(l, rc);
    }
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* closedir closes the one it reads */
    if (copy < 0) return at_subtree(l, an_fs_fail(l->fs, errno, "list", here(l), l->err));
    AN_TRY(read_names(l, copy, &f));
    if (f.n > 1) qsort_r(f.v, f.n, sizeof *f.v, by_key, f.names.p);

    for (size_t i = 0; i < f.n; i++) {
        char *name = (char *)f.names.p + f.v[i].off;
        bool is_dir = name[f.v[i].n - 1] == '/';
        if (++l->seen % LOOK_AT_CTX == 0) AN_TRY(an_ctx_check(l->ctx, l->err));
        l->path.n = here_n;
        an_buf_add(&l->path, name, f.v[i].n); /* fits: add_name tried */
        if (!is_dir) {
            AN_TRY(report(l, fd, name));
            continue;
        }
        name[f.v[i].n - 1] = '\0';
        int sub = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0) {
            int e = errno;
            if (e == ENOENT || e == ENOTDIR || e == ELOOP) continue; /* gone or replaced since */
            rc = at_subtree(l, an_fs_fail(l->fs, e, "list", here(l), l->err));
            goto out;
        }
        rc = list_folder(l, sub, depth + 1);
        (void)close(sub);
        if (rc != AN_OK) goto out;
    }
out:
    free(f.v);
    an_buf_deinit(&f.names);
    return rc;
}

an_rc an_fs_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                 void *arg, an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    int fd = -1;
    size_t n = prefix.n;
    lister l = {
        .fs = fs, .ctx = ctx, .prefix = prefix, .from = from, .fn = fn, .arg = arg, .err = err};

    l.tmp = an_slice_str(fs->tmp);
    an_buf_init(&l.path, AN_KEY_MAX, NULL);
    an_fs_fds_forget(&fs->fds, (an_slice){NULL, 0}); /* what is read after this is what is listed */
    while (n > 0 && prefix.p[n - 1] != '/') n--;
    an_buf_add(&l.path, prefix.p, n);
    if (n > 0 && !wanted(&l, an_buf_slice(&l.path), true)) goto out;
    rc = an_fs_folder(fs, here(&l), &fd, err);
    if (rc == AN_ENOTFOUND) {
        rc = AN_OK; /* nothing lies there */
        goto out;
    }
    rc = rc == AN_OK ? list_folder(&l, fd, 0) : at_subtree(&l, rc);
out:
    if (fd >= 0) (void)close(fd);
    an_buf_deinit(&l.path);
    return rc;
}
