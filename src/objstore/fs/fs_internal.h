// SPDX-License-Identifier: Apache-2.0
/* objstore/fs/fs_internal.h: what the files of the file system provider share: the bucket, walking
 * down a key, the table of open files. For this folder only. */
#pragma once
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "objstore/fs/fs.h"

/* ---- files kept open for reading (fs_fds.c) ---- */
typedef struct fs_fd {
    int fd;              /* -1: free slot */
    unsigned users;      /* reads under way */
    bool stale;          /* to be closed by its last user */
    uint64_t hash, used; /* of the key; when last taken */
    size_t key_n;
    char *key;
} fs_fd;

typedef struct fs_fds {
    pthread_mutex_t mu;
    size_t n;
    fs_fd *v;
    uint64_t clock;
    uint64_t forgotten; /* how often something was: what was opened before that is not kept */
} fs_fds;

typedef struct an_fs {
    an_bucket base;
    int root;
    char *dir; /* absolute */
    char *tmp; /* a key */
    unsigned without;
    an_rc (*step)(void *arg, const char *name, an_slice key, an_err *err);
    void *step_arg;
    atomic_uint_fast64_t serial; /* of temp files */
    uint64_t nonce;              /* of this bucket, in names of temp files */
    fs_fds fds;
} an_fs;

/* n: how many files at most. */
void an_fs_fds_init(fs_fds *t, size_t n);
void an_fs_fds_deinit(fs_fds *t);
/* Closes what belongs to `key`, or everything when key.n is 0 (at once, or after its last read). */
void an_fs_fds_forget(fs_fds *t, an_slice key);

/* ---- walking and errors (fs_path.c) ---- */
/* The error for errno `e` while `doing` something with `key`. */
an_rc an_fs_fail(const an_fs *fs, int e, const char *doing, an_slice key, an_err *err);
AN_MUST_CHECK an_rc an_fs_step(an_fs *fs, const char *name, an_slice key, an_err *err);

typedef enum fs_walk { FS_FIND, FS_MAKE } fs_walk;
enum { FS_TRIES = 8 }; /* when somebody else removes an empty folder in between */
/* The folder that holds the last part of `key`, and that part. FS_FIND: AN_ENOTFOUND when a folder
 * is missing or is a file; FS_MAKE makes missing ones. *dfd goes back through an_fs_leave. */
AN_MUST_CHECK an_rc an_fs_parent(an_fs *fs, an_slice key, fs_walk how, int *dfd,
                                 char name[NAME_MAX + 1], an_err *err);
void an_fs_leave(const an_fs *fs, int dfd); /* -1 is fine */
/* fsync of every folder from the root down to the one that holds `key`. */
AN_MUST_CHECK an_rc an_fs_sync_folders(an_fs *fs, an_slice key, an_err *err);
/* A folder opened for reading; `key` may be empty: the root. */
AN_MUST_CHECK an_rc an_fs_folder(an_fs *fs, an_slice key, int *fd, an_err *err);
/* AN_EDENIED: the object is a symbolic link. */
an_rc an_fs_is_link(const an_fs *fs, an_slice key, an_err *err);

void an_fs_object(const struct stat *st, an_object *out); /* size, mtime, etag */

/* ---- operations ---- */
an_rc an_fs_list(an_bucket *b, an_ctx *ctx, an_slice prefix, an_slice from, an_list_fn fn,
                 void *arg, an_err *err);
an_rc an_fs_get(an_bucket *b, an_ctx *ctx, an_slice key, uint64_t off, size_t n, uint8_t *dst,
                an_err *err);
an_rc an_fs_put(an_bucket *b, an_ctx *ctx, an_slice key, an_slice body, int flags, an_err *err);
an_rc an_fs_upload_open(an_bucket *b, an_ctx *ctx, an_slice key, an_slice nonce, an_upload **out,
                        an_err *err);
an_rc an_fs_upload_write(an_upload *u, an_ctx *ctx, an_slice bytes, an_err *err);
an_rc an_fs_upload_flush(an_upload *u, an_ctx *ctx, an_err *err);
an_rc an_fs_upload_complete(an_upload *u, an_ctx *ctx, int flags, an_err *err);
void an_fs_upload_close(an_upload *u);
an_rc an_fs_sweep(an_bucket *b, an_ctx *ctx, int64_t before_ms, uint64_t *n, an_err *err);
