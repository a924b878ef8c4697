// SPDX-License-Identifier: Apache-2.0
#include "compact/job/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct an_spill_dir {
    an_spill table;
    char dir[PATH_MAX];
    unsigned n_open;
};

static an_rc fail(const an_spill_dir *d, const char *what, int error, an_err *err)
{
    bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    const char *text = strerrordesc_np(error);
    an_rc rc = AN_FAIL(err, full ? AN_ERETRY : AN_EIO, "spill file in %s: %s: %s", d->dir, what,
                       text != NULL ? text : "?");

    return full ? an_err_cause(err, AN_CAUSE_DISK_FULL) : rc;
}

static an_rc spill_open(void *arg, int *file, an_err *err)
{
    an_spill_dir *d = arg;
    int fd = open(d->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT)) {
        char name[PATH_MAX + 32]; /* a file system without O_TMPFILE: a name for a moment */
        (void)snprintf(name, sizeof name, "%s/spill.XXXXXX", d->dir);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) (void)unlink(name); /* a name that stays is no harm */
    }
    if (fd < 0) return fail(d, "open", errno, err);
    d->n_open++;
    *file = fd;
    return AN_OK;
}

static an_rc spill_append(void *arg, int file, an_slice bytes, an_err *err)
{
    const an_spill_dir *d = arg;

    while (bytes.n > 0) {
        ssize_t n = write(file, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(d, "write", errno, err);
        bytes = an_slice_of(bytes.p + n, bytes.n - (size_t)n);
    }
    return AN_OK;
}

static an_rc spill_read(void *arg, int file, uint64_t off, size_t n, uint8_t *dst, an_err *err)
{
    const an_spill_dir *d = arg;

    while (n > 0) {
        ssize_t got = pread(file, dst, n, (off_t)off);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(d, "read", errno, err);
        if (got == 0)
            return AN_FAIL(err, AN_EIO, "spill file in %s is shorter than written", d->dir);
        dst += got;
        off += (uint64_t)got;
        n -= (size_t)got;
    }
    return AN_OK;
}

static void spill_close(void *arg, int file)
{
    an_spill_dir *d = arg;

    (void)close(file); /* nobody wants its bytes any more */
    d->n_open--;
}

an_spill_dir *an_spill_dir_new(const char *dir)
{
    an_spill_dir *d = calloc(1, sizeof *d);

    an_assert(d != NULL && strlen(dir) < sizeof d->dir);
    (void)snprintf(d->dir, sizeof d->dir, "%s", dir);
    d->table = (an_spill){spill_open, spill_append, spill_read, spill_close, d};
    return d;
}

void an_spill_dir_free(an_spill_dir *d)
{
    if (d == NULL) return;
    an_assert(d->n_open == 0);
    free(d);
}

const an_spill *an_spill_dir_table(an_spill_dir *d) { return &d->table; }
