// SPDX-License-Identifier: Apache-2.0
/* cli/flag.h: the words of the command line, as tables.
 *
 * One table per command lists its flags: name, letter, type, default, help. The tables drive the
 * parser, the checks of values, --help, --help-long, --help-man and completion; nothing about a
 * flag stands anywhere else. Types and texts are those of kingpin as upstream uses it:
 * spec/operations.md 1.2.
 *
 * Threads: the tables are constant; values are written while parsing and read only afterwards. */
#pragma once
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/err.h"
#include "base/timestamp.h"

typedef enum an_flag_type {
    AN_FLAG_BOOL,          /* --x, --no-x; takes no value */
    AN_FLAG_STRING,        /* shown quoted in the help */
    AN_FLAG_STRINGS,       /* may be repeated */
    AN_FLAG_ENUM,          /* one of `choices` */
    AN_FLAG_ENUMS,         /* may be repeated */
    AN_FLAG_INT,           /* a float cut to an integer, as upstream reads it */
    AN_FLAG_INTS,          /* may be repeated */
    AN_FLAG_FLOAT,         /* as Go reads it */
    AN_FLAG_DURATION,      /* 1h30m, 1.5h: an_duration_parse */
    AN_FLAG_DURATIONS,     /* may be repeated */
    AN_FLAG_PROM_DURATION, /* 1d12h: an_duration_parse_prom */
    AN_FLAG_BYTES,         /* 64GB: powers of two */
    AN_FLAG_TIME,          /* RFC 3339 or a duration relative to now */
} an_flag_type;

typedef struct an_flag_def {
    const char *name; /* NULL ends a table */
    an_flag_type type;
    char letter; /* 0: none */
    bool hidden, required;
    const char *def;         /* NULL: none; of a repeated flag: a comma list */
    const char *choices;     /* of an enum: a comma list; a comma at the end allows "" too */
    const char *placeholder; /* in the help; NULL: the default, else the name in capitals */
    const char *group;       /* heading in the man page */
    const char *help;
} an_flag_def;

/* A flag of the command line at hand with its value: the default, or what the user gave. */
typedef struct an_flag {
    const an_flag_def *def;
    bool set; /* by the user */
    size_t n; /* values: 0 or 1, more for a repeated flag */
    const char **texts;
    bool on;             /* AN_FLAG_BOOL */
    int64_t number;      /* INT, BYTES; nanoseconds of a duration */
    double real;         /* FLOAT */
    an_time_or_dur when; /* TIME */
} an_flag;

typedef struct an_flags {
    size_t n;
    an_flag *v;
} an_flags;

/* A command, or (as the root) the program. */
struct an_cli;
typedef struct an_cmd_def {
    const char *name; /* NULL ends a table */
    const char *help;
    const an_flag_def *flags;      /* may be NULL */
    const struct an_cmd_def *subs; /* NULL: a leaf */
    bool takes_args;               /* `help` only */
    bool hidden;
    /* A leaf does its work and returns the exit code. */
    int (*run)(struct an_cli *cli);
} an_cmd_def;

/* May the flag be given several times? */
bool an_flag_repeats(const an_flag_def *d);

/* Checks `text` and takes it as (the next) value of f. AN_EINVALID with upstream's text. */
AN_MUST_CHECK an_rc an_flag_set(an_arena *a, an_flag *f, const char *text, an_err *err);
/* Gives f its default; defaults are right by construction (a test walks them). */
void an_flag_set_default(an_arena *a, an_flag *f);

/* What the help shows behind `--name=`. */
void an_flag_placeholder(an_buf *out, const an_flag_def *d);

/* The flag of that name; a name that is not in the tables is a bug and asserts. */
const an_flag *an_flag_get(const an_flags *fs, const char *name);
/* Shorthands over an_flag_get; text is "" when there is no value. */
bool an_flag_on(const an_flags *fs, const char *name);
const char *an_flag_text(const an_flags *fs, const char *name);
int64_t an_flag_number(const an_flags *fs, const char *name);
