// SPDX-License-Identifier: Apache-2.0
/* The program: parse, print or run, exit. Nothing else in the tree exits. */
#include "cli/cli.h"
#include "cli/terminal.h"

int main(int argc, char **argv)
{
    an_cli cli;
    an_arena *a = an_arena_new(NULL);
    const char **args = (const char **)an_arena_alloc(a, ((size_t)argc + 1) * sizeof *args);

    for (int i = 0; i < argc; i++) args[i] = argv[i];
    an_cli_init(&cli, a, &an_program, (size_t)argc, args, an_terminal_width(AN_FD_ERR));
    int code = an_cli_parse(&cli);
    if (code < 0) code = an_parse_cmd(&cli.parse)->run(&cli);
    /* What could not be told to anybody counts only where it is the result. */
    if (!an_terminal_write(AN_FD_OUT, an_buf_slice(&cli.out)) && code == 0) code = 1;
    (void)an_terminal_write(AN_FD_ERR, an_buf_slice(&cli.err));
    an_cli_deinit(&cli);
    an_arena_free(a);
    return code;
}
