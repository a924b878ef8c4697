// SPDX-License-Identifier: Apache-2.0
/* Command lines: whatever the arguments, parsing ends with an exit code or with a command and
 * values for all its flags, and says something where it refuses. Every text is also a template of
 * `tools bucket ls`.
 *
 * Input: one argument a line; those that name files are left out. */
#include "cli/block_template.h"
#include "cli/cli.h"
#include "fuzz/fuzz.h"

enum { ARGS_MAX = 200 };

static void parse(an_arena *a, size_t argc, const char *const *argv)
{
    an_cli cli;

    an_cli_init(&cli, a, &an_program, argc, argv, 80);
    int code = an_cli_parse(&cli);
    an_assert(code >= -1 && code <= 2);
    if (code == -1) {
        an_assert(an_parse_cmd(&cli.parse)->run != NULL && cli.out.n == 0 && cli.err.n == 0);
        for (size_t i = 0; i < cli.flags.n; i++) {
            const an_flag *f = &cli.flags.v[i];
            an_assert(f->n > 0 || f->def->def == NULL);
            an_assert(f->n <= 1 || an_flag_repeats(f->def));
        }
    } else if (code > 0) {
        an_assert(cli.err.n > 0);
    }
    an_assert(!cli.out.failed && !cli.err.failed);
    an_cli_deinit(&cli);
}

static void as_template(an_arena *a, an_slice text)
{
    an_block_template *t;
    an_meta m = {.version = 1};
    an_buf out;
    an_err err;

    if (an_block_template_parse(a, text, &t, &err) != AN_OK) {
        an_assert(err.rc == AN_EINVALID && t == NULL);
        return;
    }
    an_buf_init(&out, 1 << 24, NULL);
    an_block_template_print(t, &m, &out);
    an_assert(out.n > 0 && out.p[out.n - 1] == '\n');
    an_buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_arena *a = an_arena_new(NULL);
    const char *argv[ARGS_MAX] = {"anneal"};
    size_t argc = 1;

    for (size_t at = 0; at < size && argc < ARGS_MAX;) {
        const uint8_t *nl = memchr(data + at, '\n', size - at);
        size_t end = nl == NULL ? size : (size_t)(nl - data);
        const char *arg = an_arena_str(a, an_slice_of(data + at, end - at));
        if (*arg != '@') argv[argc++] = arg;
        at = end + 1;
    }
    parse(a, argc, argv);
    as_template(a, an_slice_of(data, size));
    an_arena_free(a);
    return 0;
}
