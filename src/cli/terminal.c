// SPDX-License-Identifier: Apache-2.0
#include "cli/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strconv.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000 };

size_t an_terminal_width(int fd)
{
    const char *columns = getenv("COLUMNS"); // NOLINT(concurrency-mt-unsafe): nobody sets it
    struct winsize w;
    int64_t n = 0;

    if (columns == NULL || !an_int64_parse(an_slice_str(columns), &n)) {
        n = ioctl(fd, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
    }
    if (n <= 0) return WIDTH_DEFAULT;
    return n < WIDTH_MIN ? WIDTH_MIN : n > WIDTH_MAX ? WIDTH_MAX : (size_t)n;
}

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

/* Back to the first column, and the rest of the line empty. */
#define CLEAR "\r\x1b[K"

void an_screen_init(an_screen *s, int fd)
{
    *s = (an_screen){.fd = fd, .is_terminal = isatty(fd) == 1};
    an_assert(pthread_mutex_init(&s->mu, NULL) == 0);
}

void an_screen_deinit(an_screen *s)
{
    an_screen_status(s, AN_LIT(""));
    an_assert(pthread_mutex_destroy(&s->mu) == 0);
}

/* One write: a line, and below it the status line again. */
static void draw(an_screen *s, an_slice line)
{
    an_buf out;

    an_buf_init(&out, line.n + sizeof CLEAR + sizeof s->status, NULL);
    if (s->is_terminal) an_buf_str(&out, CLEAR);
    an_buf_slice_add(&out, line);
    an_buf_add(&out, s->status, s->n);
    (void)an_terminal_write(s->fd, an_buf_slice(&out)); /* nobody is left to tell */
    an_buf_deinit(&out);
}

void an_screen_line(void *arg, an_slice line)
{
    an_screen *s = arg;

    an_assert(pthread_mutex_lock(&s->mu) == 0);
    draw(s, line);
    an_assert(pthread_mutex_unlock(&s->mu) == 0);
}

void an_screen_status(an_screen *s, an_slice text)
{
    if (!s->is_terminal) return;
    size_t width = an_terminal_width(s->fd) - 1, max = sizeof s->status;
    an_assert(pthread_mutex_lock(&s->mu) == 0);
    s->n = text.n;
    if (s->n > width) s->n = width;
    if (s->n > max) s->n = max;
    if (s->n > 0) memcpy(s->status, text.p, s->n);
    draw(s, AN_LIT(""));
    an_assert(pthread_mutex_unlock(&s->mu) == 0);
}
