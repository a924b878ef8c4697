// SPDX-License-Identifier: Apache-2.0
/* cli/grammar.h: what the arguments say, before anybody looks at values.
 *
 *   prog [global flags] command [subcommand ...] [flags]
 *
 * A word is a command while the present command has subcommands. A flag is known from the command
 * on that has it. --name=value or --name value (which then may not begin with `-`; a single `-`
 * reads as an empty value); booleans take none; letters bundle (-wh, -oVALUE); `--` ends the
 * flags; an argument @file is replaced by the lines of that file. What was understood up to a
 * syntax error is kept, because --help and --version win over errors behind them.
 * Source: spec/operations.md 1.1; oracle: golden/vectors/cli.json. */
#pragma once
#include "cli/flag.h"

enum { AN_CMD_DEPTH = 4 }; /* program, tools, bucket, ls */

/* One understood piece: a flag with its text, a command, or (both NULL) an argument of `help`. */
typedef struct an_element {
    const an_flag_def *flag;
    const an_cmd_def *cmd;
    const char *text;
} an_element;

typedef struct an_parse {
    const an_cmd_def *path[AN_CMD_DEPTH]; /* path[0] is the program */
    size_t n_path;
    an_element *v;
    size_t n, cap;
    bool only_args; /* a `--` was met */
} an_parse;

/* args are those behind argv[0]. AN_EINVALID: a syntax error with kingpin's text; *out holds what
 * was understood before it. Everything lives as long as `a`. */
AN_MUST_CHECK an_rc an_grammar_parse(an_arena *a, const an_cmd_def *program, size_t n,
                                     const char *const *args, an_parse *out, an_err *err);

static inline const an_cmd_def *an_parse_cmd(const an_parse *p) { return p->path[p->n_path - 1]; }

/* "tools bucket ls"; "" for the program itself. */
void an_parse_cmd_name(an_buf *out, const an_parse *p);
