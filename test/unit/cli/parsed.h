// SPDX-License-Identifier: Apache-2.0
/* unit/cli/parsed.h: one command line, parsed. `PARSED(p, &program, "compact", "--wait")` declares
 * and parses; the tests read p.cli, p.code and the texts; parsed_free ends it. */
#pragma once
#include "cli/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct parsed {
    an_arena *a;
    an_cli cli;
    int code;
    char *out, *err;
} parsed;

static inline char *text_of(const an_buf *b)
{
    char *s = calloc(1, b->n + 1);
    assert_non_null(s);
    if (b->n > 0) memcpy(s, b->p, b->n);
    return s;
}

static inline void parse_into(parsed *p, const an_cmd_def *program, size_t argc,
                              const char *const *argv)
{
    p->a = an_arena_new(NULL);
    an_cli_init(&p->cli, p->a, program, argc, argv, 80);
    p->code = an_cli_parse(&p->cli);
    p->out = text_of(&p->cli.out);
    p->err = text_of(&p->cli.err);
}

static inline void parsed_free(parsed *p)
{
    free(p->out);
    free(p->err);
    an_cli_deinit(&p->cli);
    an_arena_free(p->a);
}

#define PARSED(name, program, ...)                                                                 \
    const char *const name##_argv[] = {"bin/prog", __VA_ARGS__};                                   \
    parsed name;                                                                                   \
    parse_into(&name, (program), sizeof name##_argv / sizeof *name##_argv, name##_argv)
