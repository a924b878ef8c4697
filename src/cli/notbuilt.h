// SPDX-License-Identifier: Apache-2.0
/* cli/notbuilt.h: what this version refuses because it is not there yet.
 *
 * One table names every such flag, command and plan. A flag in it is refused by name when it is not
 * at its default, never silently ignored. Flags of the HTTP listener and --auto-remedy are the
 * exception: they are taken without effect, with one warning that names them. `anneal --not-built`
 * prints the table, `make check` its count. */
#pragma once
#include "cli/flag.h"

typedef enum an_not_built_kind {
    AN_NOT_BUILT_FLAG,    /* refused when it is not at its default */
    AN_NOT_BUILT_VALUE,   /* one value of a flag is refused */
    AN_NOT_BUILT_CONTENT, /* refused when it has content: cli/command.c */
    AN_NOT_BUILT_IDLE,    /* taken without effect, with a warning when given */
    AN_NOT_BUILT_COMMAND, /* refused */
    AN_NOT_BUILT_PLAN,    /* isolates its group, or is named at the end of the run */
} an_not_built_kind;

typedef struct an_not_built {
    an_not_built_kind kind;
    const char *name;  /* of the flag, without dashes; of the command; NULL ends the table */
    const char *value; /* the value in question; NULL: any */
    const char *text;  /* what is missing, for people */
} an_not_built;

extern const an_not_built an_not_built_table[];

/* AN_EINVALID: a flag that is not built yet is not at its default; the text names it. */
AN_MUST_CHECK an_rc an_not_built_check(const an_flags *fs, an_err *err);

/* Appends the idle flags that the user gave, comma-separated; false: none. */
bool an_not_built_idle(const an_flags *fs, an_buf *out);

/* The row of a command, or NULL. */
const an_not_built *an_not_built_command(const char *name);

/* Appends what the help adds to a flag that is not there yet, wholly or with some values; nothing
 * for others. */
void an_not_built_note(an_buf *out, const char *flag);

/* Appends the table as lines, and its count as the last one. */
void an_not_built_print(an_buf *out);
