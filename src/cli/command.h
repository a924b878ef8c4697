// SPDX-License-Identifier: Apache-2.0
/* cli/command.h: the frame every command runs in: logger, signals, context, and how errors end.
 *
 * A command has two parts, as upstream's: what fails while it is set up is told as `preparing X
 * command failed: ...`, what fails later as `X command failed: ...`. Both are one line of level
 * error with the chain outermost first in `err` and no msg; exit code 1. A run that was interrupted
 * by a signal ends with 0 and says so in its last line. spec/operations.md 1.6. */
#pragma once
#include "cli/cli.h"
#include "cli/signals.h"
#include "cli/terminal.h"
#include "objstore/bucket.h"

typedef struct an_command {
    an_cli *cli;
    const char *name; /* "tools bucket ls" */
    an_screen screen; /* where the log goes: stderr */
    int journal;      /* or here; -1 */
    an_log log;
    an_ctx ctx; /* ends with SIGTERM and SIGINT */
    an_arena *a;
    void *arg; /* the command's own */
} an_command;

typedef an_rc (*an_command_fn)(an_command *c, an_err *err);

/* The exit code. `work` may be NULL: all was done while setting up. */
int an_command_run(an_cli *cli, an_command_fn prepare, an_command_fn work, void *arg);

/* The bucket of --objstore.config and its file. */
AN_MUST_CHECK an_rc an_command_bucket(an_command *c, bool required, an_bucket **out, an_err *err);
