// SPDX-License-Identifier: Apache-2.0
/* cli/cli.h: one run of the program, from its arguments to its exit code.
 *
 * an_cli_parse decides what the arguments ask for, in kingpin's order: what was understood counts
 * even when an error stands behind it; --version, --help-long, --help-man and the completion
 * scripts come first, then syntax errors (exit 1), then --help, then wrong values and missing flags
 * (usage and exit 2), then "no command" (usage and exit 0). It prints nothing: texts are left in
 * `out` (for stdout) and `err` (for stderr), so that tests read them.
 *
 * Source: spec/operations.md 1.1; oracle: golden/vectors/cli.json. Threads: one. */
#pragma once
#include "cli/grammar.h"

typedef struct an_cli {
    an_arena *a; /* everything below lives in it */
    const an_cmd_def *program;
    const char *prog; /* argv[0] without its folder */
    size_t argc;
    const char *const *argv;
    size_t width;
    an_parse parse;
    an_flags flags; /* all flags of the commands on the path */
    an_buf out, err;
} an_cli;

/* Caller's storage; argv is borrowed. `width` is that of the terminal. */
void an_cli_init(an_cli *cli, an_arena *a, const an_cmd_def *program, size_t argc,
                 const char *const *argv, size_t width);
void an_cli_deinit(an_cli *cli);

/* -1: the selected command is to be run, its flags are set. Else the exit code; out and err hold
 * what is to be printed. */
int an_cli_parse(an_cli *cli);

/* The program with all its commands: cli/table.c. */
extern const an_cmd_def an_program;
