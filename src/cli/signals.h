// SPDX-License-Identifier: Apache-2.0
/* cli/signals.h: SIGTERM and SIGINT end the work, at once and for sure.
 *
 * They are blocked in all threads and taken by one thread of its own, which logs upstream's line
 * and cancels the context. When the work has not come to its end some seconds later (a hung disk),
 * that thread ends the process: everything that anneal leaves at any moment is a state from which
 * the next run goes on. SIGHUP is logged, SIGUSR1, SIGUSR2 and SIGPIPE are ignored, and SIGXFSZ: a
 * write over the limit of file sizes fails as on a full disk.
 * Source: spec/operations.md 1.6. */
#pragma once
#include "base/ctx.h"
#include "base/log.h"

enum { AN_SIGNALS_GRACE_MS = 4000 };

typedef struct an_signals an_signals;

/* To be called before any other thread is made: they inherit the blocked signals. */
AN_MUST_CHECK an_rc an_signals_start(const an_log *log, an_ctx *ctx, an_signals **out, an_err *err);
/* Ends the thread. The signal that came, or 0. NULL is fine. */
int an_signals_stop(an_signals *s);

/* "terminated", "interrupt", "hangup": as upstream prints them. */
const char *an_signal_name(int signo);
