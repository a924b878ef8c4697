// SPDX-License-Identifier: Apache-2.0
/* cli/help.h: usage, long help, the man page and shell completion, all from the flag tables.
 *
 * The shape is kingpin's, which upstream's users know; the sentences are ours. Two columns: the
 * flag, then its text wrapped to the width of the terminal. */
#pragma once
#include "cli/grammar.h"

/* Usage of the command that was selected (the last on the path). */
void an_help_usage(an_buf *out, const char *prog, const an_parse *p, size_t width);
/* Every command with every flag. */
void an_help_long(an_buf *out, const char *prog, const an_cmd_def *program, size_t width);
/* A man page in troff: flags under the headings of their groups. Does not depend on the build. */
void an_help_man(an_buf *out, const char *prog, const an_cmd_def *program);

/* Scripts to be sourced, and the words that may follow `args` (what stands behind
 * --completion-bash), one a line without a last line end. */
void an_complete_script_bash(an_buf *out, const char *prog);
void an_complete_script_zsh(an_buf *out, const char *prog);
void an_complete_words(an_buf *out, const an_parse *p, size_t n, const char *const *args);
