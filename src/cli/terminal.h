// SPDX-License-Identifier: Apache-2.0
/* cli/terminal.h: what is known about where stdout and stderr go, and writing to them whole.
 * Threads: any, but texts of several threads may mix. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

enum { AN_FD_OUT = 1, AN_FD_ERR = 2 };

/* Columns: the environment's COLUMNS, else the terminal's, else 80. */
size_t an_terminal_width(int fd);
bool an_terminal_is(int fd);
/* False: not all of it could be written (errno says why). */
bool an_terminal_write(int fd, an_slice text);
