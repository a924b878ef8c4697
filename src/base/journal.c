// SPDX-License-Identifier: Apache-2.0
#include "base/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

an_rc an_journal_open(const char *path, int *fd, an_err *err)
{
    an_rc rc = AN_OK;
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int s = -1;

    if (path == NULL) path = "/run/systemd/journal/socket";
    an_assert(strlen(path) < sizeof to.sun_path);
    memcpy(to.sun_path, path, strlen(path));
    s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    AN_CHECK(s >= 0 && connect(s, (const struct sockaddr *)&to, sizeof to) == 0, err, AN_EINVALID,
             "journald log format requested but systemd journal is not available");
    *fd = s;
    s = -1;
out:
    if (s >= 0) (void)close(s); /* nothing was sent on it */
    return rc;
}

void an_journal_field(an_buf *entry, const char *name, an_slice value)
{
    an_buf_str(entry, name);
    if (value.n > 0 && memchr(value.p, '\n', value.n) != NULL) {
        uint8_t length[8];
        for (unsigned i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)value.n >> 8 * i);
        an_buf_u8(entry, '\n');
        an_buf_add(entry, length, sizeof length);
    } else {
        an_buf_u8(entry, '=');
    }
    an_buf_slice_add(entry, value);
    an_buf_u8(entry, '\n');
}

/* The entry in a memory file that nobody can change any more, or -1. */
static int sealed_file(an_slice entry)
{
    int fd = memfd_create("log-entry", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0) return -1;
    while (entry.n > 0) {
        ssize_t n = write(fd, entry.p, entry.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) goto fail;
        entry = an_slice_of(entry.p + n, entry.n - (size_t)n);
    }
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) {
        return fd;
    }
fail:
    (void)close(fd); /* in memory: nothing to lose */
    return -1;
}

static void send_file(int to, int fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr m = {.msg_control = &control, .msg_controllen = sizeof control};

    memset(&control, 0, sizeof control);
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
    while (sendmsg(to, &m, MSG_NOSIGNAL) < 0 && errno == EINTR) continue;
}

void an_journal_send(void *arg, an_slice entry)
{
    int to = *(const int *)arg;
    ssize_t n;

    do {
        n = send(to, entry.p, entry.n, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    if (n >= 0 || (errno != EMSGSIZE && errno != ENOBUFS)) return;
    int fd = sealed_file(entry);
    if (fd < 0) return;
    send_file(to, fd);
    (void)close(fd); /* the journal has its own */
}
