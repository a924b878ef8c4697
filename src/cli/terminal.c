// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/strconv.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

size_t an_terminal_width(int fd)
{
    const char *columns = getenv("COLUMNS");
    struct winsize w;
    int64_t n = 0;

    if (columns == NULL || !an_int64_parse(an_slice_str(columns), &n)) {
        n = ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
    }
    if (n <= 0) return WIDTH_DEFAULT;
    return n < WIDTH_MIN ? WIDTH_MIN : n > WIDTH_MAX ? WIDTH_MAX : (size_t)n;
}

bool an_terminal_is(int fd) { return isatty(fd) == 1; }

bool an_terminal_write(int fd, an_slice text)
{
    while (text.n > 0) {
        ssize_t n = write(fd, text.p, text.n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        text.p += n;
        text.n -= (size_t)n;
    }
    return true;
}
