// SPDX-License-Identifier: Apache-2.0
#include "objstore/fs/fs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t hash_key(an_slice key) /* FNV-1a: tells slots apart, nothing more */
{
    uint64_t h = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < key.n; i++) h = (h ^ key.p[i]) * UINT64_C(1099511628211);
    return h;
}

void an_fs_fds_init(fs_fds *t, size_t n)
{
    *t = (fs_fds){.n = n};
    an_assert(pthread_mutex_init(&t->mu, NULL) == 0);
    t->v = calloc(n, sizeof *t->v);
    an_assert(t->v != NULL);
    for (size_t i = 0; i < n; i++) t->v[i].fd = -1;
}

void an_fs_fds_deinit(fs_fds *t)
{
    an_fs_fds_forget(t, (an_slice){NULL, 0});
    free(t->v);
    an_assert(pthread_mutex_destroy(&t->mu) == 0);
}

static void lock(fs_fds *t) { an_assert(pthread_mutex_lock(&t->mu) == 0); }
static void unlock(fs_fds *t) { an_assert(pthread_mutex_unlock(&t->mu) == 0); }

/* Empties a slot; the descriptor is the caller's to close, after unlocking. */
static int take_out(fs_fd *s)
{
    int fd = s->fd;

    free(s->key);
    *s = (fs_fd){.fd = -1};
    return fd;
}

/* The descriptor of one idle file that is to be forgotten, or -1; those in use become stale. */
static int forget_one(fs_fds *t, an_slice key, uint64_t h)
{
    int fd = -1;

    lock(t);
    t->forgotten++;
    for (size_t i = 0; i < t->n && fd < 0; i++) {
        fs_fd *s = &t->v[i];
        if (s->fd < 0) continue;
        if (key.n > 0 && (s->hash != h || !an_slice_eq(an_slice_of(s->key, s->key_n), key)))
            continue;
        if (s->users > 0)
            s->stale = true;
        else
            fd = take_out(s);
    }
    unlock(t);
    return fd;
}

void an_fs_fds_forget(fs_fds *t, an_slice key)
{
    uint64_t h = hash_key(key);

    for (int fd; (fd = forget_one(t, key, h)) >= 0;)
        (void)close(fd); /* read-only: cannot fail us */
}

static fs_fd *find(fs_fds *t, uint64_t h, an_slice key)
{
    for (size_t i = 0; i < t->n; i++) {
        fs_fd *s = &t->v[i];
        if (s->fd >= 0 && s->hash == h && !s->stale &&
            an_slice_eq(an_slice_of(s->key, s->key_n), key))
            return s;
    }
    return NULL;
}

/* A free slot, or that of the idle file used longest ago; NULL when all are in use. */
static fs_fd *slot_for(fs_fds *t, int *evicted)
{
    fs_fd *best = NULL;

    *evicted = -1;
    for (size_t i = 0; i < t->n; i++) {
        fs_fd *s = &t->v[i];
        if (s->fd < 0) return s;
        if (s->users == 0 && (best == NULL || s->used < best->used)) best = s;
    }
    if (best != NULL) *evicted = take_out(best);
    return best;
}

static an_rc open_object(an_fs *fs, an_slice key, int *out, an_err *err)
{
    an_rc rc = AN_OK;
    char name[NAME_MAX + 1];
    struct stat st;
    int dfd = -1, fd = -1;

    AN_TRY(an_fs_parent(fs, key, FS_FIND, &dfd, name, err));
    fd = openat(dfd, name,
                O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC); /* a pipe never hangs us */
    if (fd < 0) {
        rc = errno == ELOOP ? an_fs_is_link(fs, key, err)
             : errno == ENXIO /* a socket */
                 ? an_fs_fail(fs, ENOENT, "open", key, err)
                 : an_fs_fail(fs, errno, "open", key, err);
        goto out;
    }
    if (fstat(fd, &st) != 0) {
        rc = an_fs_fail(fs, errno, "stat", key, err);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        rc = an_fs_fail(fs, ENOENT, "open", key, err); /* a folder is no object */
        goto out;
    }
    *out = fd;
    fd = -1;
out:
    if (fd >= 0) (void)close(fd);
    an_fs_leave(fs, dfd);
    return rc;
}

/* A descriptor to read `key` from: that of a slot (*slot), or one of the caller's own (NULL). */
static an_rc acquire(an_fs *fs, an_slice key, int *fd, fs_fd **slot, an_err *err)
{
    fs_fds *t = &fs->fds;
    uint64_t h = hash_key(key);
    int evicted = -1;

    fs_fd *s;
    uint64_t seen;
    an_rc rc = AN_OK;

    *fd = -1;
    for (bool again = false;; again = true) {
        lock(t);
        s = find(t, h, key);
        seen = t->forgotten;
        if (s != NULL) {
            s->users++;
            s->used = ++t->clock;
            *fd = s->fd;
        }
        unlock(t);
        *slot = s;
        if (s != NULL) return AN_OK;
        rc = open_object(fs, key, fd, err);
        if (again || rc != AN_ERETRY || err->cause != AN_CAUSE_FD_MAP_LIMIT) break;
        an_fs_fds_forget(t, (an_slice){NULL, 0}); /* ours may be in the way */
    }
    if (rc != AN_OK) return rc;

    char *copy = malloc(key.n);
    an_assert(copy != NULL); /* at most AN_KEY_MAX */
    memcpy(copy, key.p, key.n);
    lock(t);
    /* Opened before something was forgotten: it may be the very file. Read it, do not keep it. */
    if (t->forgotten == seen && find(t, h, key) == NULL) s = slot_for(t, &evicted);
    if (s != NULL) {
        *s = (fs_fd){.fd = *fd, .users = 1, .hash = h, .used = ++t->clock, .key_n = key.n};
        s->key = copy;
        copy = NULL;
    }
    unlock(t);
    free(copy);
    if (evicted >= 0) (void)close(evicted);
    *slot = s;
    return AN_OK;
}

static void release(an_fs *fs, int fd, fs_fd *slot)
{
    fs_fds *t = &fs->fds;

    if (slot != NULL) {
        lock(t);
        fd = --slot->users == 0 && slot->stale ? take_out(slot) : -1;
        unlock(t);
    }
    if (fd >= 0) (void)close(fd);
}

an_rc an_fs_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n, uint8_t *dst,
                an_err *err)
{
    an_fs *fs = (an_fs *)b;
    an_rc rc = AN_OK;
    fs_fd *slot = NULL;
    size_t done = 0;
    int fd = -1;

    (void)ctx; /* a read of the page cache or of a disk is not worth interrupting */
    AN_TRY(acquire(fs, key, &fd, &slot, err));
    while (done < n) {
        size_t want = n - done < ((size_t)1 << 30) ? n - done : (size_t)1 << 30;
        ssize_t got = pread(fd, dst + done, want, (off_t)(off + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            rc = an_fs_fail(fs, errno, "read", key, err);
            break;
        }
        if (got == 0) {
            struct stat st;
            uint64_t size = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : off + done;
            rc =
                AN_FAIL(err, AN_ECORRUPT, "%s/%.*s: %zu bytes at offset %llu, but it ends at %llu",
                        fs->dir, AN_PRI(key), n, (unsigned long long)off, (unsigned long long)size);
            (void)an_err_values(err, off + n, size);
            break;
        }
        done += (size_t)got;
    }
    release(fs, fd, slot);
out:
    return rc;
}
