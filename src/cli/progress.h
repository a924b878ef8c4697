// SPDX-License-Identifier: Apache-2.0
/* cli/progress.h: how far the jobs are, on a terminal one line that is drawn over itself, otherwise
 * a log line now and then.
 *
 *   0@{cluster="eu1"}  4 blocks  61 %  54.0 of 88.0 MiB  410.0 MiB/s  about 1m20s left
 *
 * The time left is told once 5 % are done and the job has run for a while, from its own rate.
 * On a terminal the log goes through here as well, so that lines do not mix.
 *
 * Threads: internally locked (`mu`, a leaf lock, held over the writes that must not mix). */
#pragma once
#include "cli/command.h"
#include "compact/loop/loop.h"

typedef struct an_progress an_progress;

/* A log line every `every_ms` per job; on a terminal the line is drawn instead. */
an_progress *an_progress_new(an_command *c);
void an_progress_free(an_progress *p); /* NULL is fine */
void an_progress_show(void *arg, const an_loop_progress *at);

/* The text of the line, without any control character. */
void an_progress_text(an_buf *out, const an_loop_progress *at);
