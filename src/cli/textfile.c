// SPDX-License-Identifier: Apache-2.0
#include "cli/textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void an_errno_text(int error, char out[128])
{
    const char *s = strerrordesc_np(error);

    if (s == NULL) {
        (void)snprintf(out, 128, "errno %d", error);
        return;
    }
    (void)snprintf(out, 128, "%s", s);
    /* `Is a directory` but not `RPC version wrong` */
    bool word = out[0] >= 'A' && out[0] <= 'Z' && out[1] >= 'a' && out[1] <= 'z';
    if (word) out[0] = (char)(out[0] - 'A' + 'a');
}

an_rc an_textfile_read(const char *path, an_buf *out, an_err *err)
{
    an_rc rc = AN_OK;
    char why[128];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        an_errno_text(errno, why);
        return AN_FAIL(err, AN_EINVALID, "open %s: %s", path, why);
    }
    for (;;) {
        uint8_t chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            an_errno_text(errno, why);
            rc = AN_FAIL(err, AN_EINVALID, "read %s: %s", path, why);
            goto out;
        }
        if (n == 0) break;
        an_buf_add(out, chunk, (size_t)n);
        AN_CHECK(!out->failed, err, AN_EINVALID, "read %s: larger than %zu bytes", path, out->max);
    }
out:
    (void)close(fd); /* only read from */
    return rc;
}
