// SPDX-License-Identifier: Apache-2.0
/* cli/terminal.h: what is known about where stdout and stderr go, writing to them whole, and a
 * screen: log lines above one status line that is drawn over itself.
 *
 * A screen that is no terminal has no status line: setting one does nothing.
 *
 * Threads: a screen is internally locked (`mu`, a leaf lock, held over the write so that lines do
 * not mix). */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { AN_FD_OUT = 1, AN_FD_ERR = 2 };

/* Columns: the environment's COLUMNS, else the terminal's, else 80. */
size_t an_terminal_width(int fd);
/* False: not all of it could be written (errno says why). */
bool an_terminal_write(int fd, an_slice text);

enum { AN_SCREEN_STATUS_MAX = 240 };
typedef struct an_screen {
    pthread_mutex_t mu;
    int fd;
    bool is_terminal;
    size_t n;
    char status[AN_SCREEN_STATUS_MAX];
} an_screen;

void an_screen_init(an_screen *s, int fd); /* caller's storage */
void an_screen_deinit(an_screen *s);       /* the status line is gone */
/* A whole line, with its line end. The form of a log's sink; arg is the screen. */
void an_screen_line(void *arg, an_slice line);
/* Empty: none. Cut to the width. */
void an_screen_status(an_screen *s, an_slice text);
