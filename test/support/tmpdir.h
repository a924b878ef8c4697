// SPDX-License-Identifier: Apache-2.0
/* support/tmpdir.h: a folder of the test's own, gone at its end; files in it in one line. */
#pragma once
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"

typedef struct tmpdir {
    char path[PATH_MAX];
} tmpdir;

static inline void tmpdir_make(tmpdir *t)
{
    const char *base = getenv("TMPDIR");

    (void)snprintf(t->path, sizeof t->path, "%s/anneal-test-XXXXXX", base != NULL ? base : "/tmp");
    an_assert(mkdtemp(t->path) != NULL);
}

static inline int tmpdir_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    return type == FTW_DP || type == FTW_D || type == FTW_DNR ? rmdir(path) : unlink(path);
}

static inline int tmpdir_open_one(const char *path, const struct stat *st, int type,
                                  struct FTW *ftw)
{
    (void)st;
    (void)ftw;
    if (type == FTW_D || type == FTW_DNR) (void)chmod(path, 0700);
    return 0;
}

static inline void tmpdir_remove(tmpdir *t)
{
    (void)nftw(t->path, tmpdir_open_one, 16, FTW_PHYS);
    (void)nftw(t->path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* The absolute name of `rel` in the folder. */
static inline const char *tmpdir_name(const tmpdir *t, const char *rel, char out[PATH_MAX])
{
    int n = snprintf(out, PATH_MAX, "%s/%s", t->path, rel);
    an_assert(n > 0 && n < PATH_MAX);
    return out;
}

/* Writes a file, with the folders above it. */
static inline void tmpdir_write(const tmpdir *t, const char *rel, const void *bytes, size_t n)
{
    char name[PATH_MAX];

    (void)tmpdir_name(t, rel, name);
    for (char *p = name + strlen(t->path) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        (void)mkdir(name, 0777);
        *p = '/';
    }
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    an_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n && close(fd) == 0);
}

static inline bool tmpdir_has(const tmpdir *t, const char *rel)
{
    char name[PATH_MAX];
    struct stat st;

    return lstat(tmpdir_name(t, rel, name), &st) == 0;
}
