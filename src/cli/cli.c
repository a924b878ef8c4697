// SPDX-License-Identifier: Apache-2.0
#include "cli/cli.h"

#include <string.h>

#include "cli/help.h"
#include "cli/notbuilt.h"
#include "cli/version.h"

enum { TEXT_MAX = 16 << 20 }; /* help, and command lines quoted in errors */

void an_cli_init(an_cli *cli, an_arena *a, const an_cmd_def *program, size_t argc,
                 const char *const *argv, size_t width)
{
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;

    *cli = (an_cli){
        .a = a,
        .program = program,
        .prog = slash != NULL ? slash + 1
                : argc > 0    ? argv[0]
                              : "anneal",
        .argc = argc,
        .argv = argv,
        .width = width,
    };
    an_buf_init(&cli->out, TEXT_MAX, NULL);
    an_buf_init(&cli->err, TEXT_MAX, NULL);
}

void an_cli_deinit(an_cli *cli)
{
    an_buf_deinit(&cli->out);
    an_buf_deinit(&cli->err);
}

static void list_flags(an_cli *cli)
{
    size_t n = 0;

    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) cli->flags.v = an_arena_alloc(cli->a, (n + 1) * sizeof *cli->flags.v);
        for (size_t i = 0; i < cli->parse.n_path; i++) {
            const an_flag_def *d = cli->parse.path[i]->flags;
            for (; d != NULL && d->name != NULL; d++) {
                if (pass == 0) {
                    n++;
                } else {
                    cli->flags.v[cli->flags.n++] = (an_flag){.def = d};
                }
            }
        }
    }
}

static an_flag *flag_of(an_cli *cli, const an_flag_def *d)
{
    size_t i = 0;

    while (cli->flags.v[i].def != d) i++;
    return &cli->flags.v[i];
}

/* In the order of the command line; the first error ends it. */
static an_rc set_values(an_cli *cli, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t i = 0; i < cli->parse.n; i++) {
        const an_element *e = &cli->parse.v[i];
        if (e->flag == NULL) continue;
        an_flag *f = flag_of(cli, e->flag);
        AN_CHECK(!f->set || an_flag_repeats(e->flag), err, AN_EINVALID,
                 "flag '%s' cannot be repeated", e->flag->name);
        AN_TRY(an_flag_set(cli->a, f, e->text, err));
        f->set = true;
    }
    for (size_t i = 0; i < cli->flags.n; i++) {
        if (!cli->flags.v[i].set) an_flag_set_default(cli->a, &cli->flags.v[i]);
    }
    if (cli->parse.n_path > 1 && an_parse_cmd(&cli->parse)->subs != NULL) {
        an_buf name;
        an_buf_init(&name, 256, NULL);
        an_parse_cmd_name(&name, &cli->parse);
        rc = AN_FAIL(err, AN_EINVALID, "must select a subcommand of '%.*s'",
                     AN_PRI(an_buf_slice(&name)));
        an_buf_deinit(&name);
    }
out:
    return rc;
}

static an_rc check_required(an_cli *cli, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf missing;

    an_buf_init(&missing, 4096, NULL);
    for (size_t i = 0; i < cli->flags.n; i++) {
        const an_flag *f = &cli->flags.v[i];
        if (!f->def->required || f->set) continue;
        an_buf_printf(&missing, "%s'--%s'", missing.n > 0 ? ", " : "", f->def->name);
    }
    AN_CHECK(missing.n == 0, err, AN_EINVALID, "required flag(s) %.*s not provided",
             AN_PRI(an_buf_slice(&missing)));
out:
    an_buf_deinit(&missing);
    return rc;
}

/* One line `prog: error: text`, exit 1. */
static int syntax_error(an_cli *cli, const an_err *err)
{
    an_buf_printf(&cli->err, "%s: error: %s\n", cli->prog, err->msg);
    return 1;
}

static int usage_and_error(an_cli *cli, const an_err *err)
{
    an_help_usage(&cli->err, cli->prog, &cli->parse, cli->width);
    an_buf_str(&cli->err, "error parsing commandline arguments: [");
    for (size_t i = 0; i < cli->argc; i++) {
        an_buf_printf(&cli->err, "%s%s", i > 0 ? " " : "", cli->argv[i]);
    }
    an_buf_printf(&cli->err, "]: %s\n", err->msg);
    return 2;
}

/* `help tools bucket`: the usage of that command. */
static int help_command(an_cli *cli)
{
    const char **words = (const char **)an_arena_alloc(cli->a, (cli->parse.n + 1) * sizeof *words);
    size_t n = 0;
    an_parse p;
    an_err err;

    for (size_t i = 0; i < cli->parse.n; i++) {
        const an_element *e = &cli->parse.v[i];
        if (e->flag == NULL && e->cmd == NULL) words[n++] = e->text;
    }
    if (an_grammar_parse(cli->a, cli->program, n, words, &p, &err) != AN_OK) {
        return syntax_error(cli, &err);
    }
    an_help_usage(&cli->err, cli->prog, &p, cli->width);
    return 0;
}

/* What acts as soon as it is understood, whatever stands behind it. -1: nothing of that. */
static int early_action(an_cli *cli)
{
    for (size_t i = 0; i < cli->parse.n; i++) {
        const an_element *e = &cli->parse.v[i];
        if (e->cmd != NULL && e->cmd->takes_args) return help_command(cli);
        if (e->flag == NULL) continue;
        const char *name = e->flag->name;
        if (strcmp(name, "version") == 0) {
            an_version_print(&cli->err, cli->prog);
        } else if (strcmp(name, "help-long") == 0) {
            an_help_long(&cli->out, cli->prog, cli->program, cli->width);
        } else if (strcmp(name, "help-man") == 0) {
            an_help_man(&cli->out, cli->prog, cli->program);
        } else if (strcmp(name, "not-built") == 0) {
            an_not_built_print(&cli->out);
        } else if (strcmp(name, "completion-script-bash") == 0) {
            an_complete_script_bash(&cli->out, cli->prog);
        } else if (strcmp(name, "completion-script-zsh") == 0) {
            an_complete_script_zsh(&cli->out, cli->prog);
        } else {
            continue;
        }
        return 0;
    }
    return -1;
}

static bool was_said(const an_cli *cli, const char *name)
{
    for (size_t i = 0; i < cli->parse.n; i++) {
        const an_element *e = &cli->parse.v[i];
        if (e->flag != NULL && strcmp(e->flag->name, name) == 0) return true;
    }
    return false;
}

int an_cli_parse(an_cli *cli)
{
    an_err syntax, value;
    const char *const *args = cli->argv + (cli->argc > 0);
    size_t n = cli->argc > 0 ? cli->argc - 1 : 0;
    bool bad_syntax =
        an_grammar_parse(cli->a, cli->program, n, args, &cli->parse, &syntax) != AN_OK;

    list_flags(cli);
    bool bad_value = set_values(cli, &value) != AN_OK;
    if (was_said(cli, "completion-bash")) {
        an_complete_words(&cli->out, &cli->parse, n > 0 ? n - 1 : 0, args + 1);
        return 0;
    }
    int code = early_action(cli);
    if (code >= 0) return code;
    if (bad_syntax) return syntax_error(cli, &syntax);
    if (was_said(cli, "help")) {
        an_help_usage(&cli->err, cli->prog, &cli->parse, cli->width);
        return 0;
    }
    if (bad_value || check_required(cli, &value) != AN_OK) return usage_and_error(cli, &value);
    if (cli->parse.n_path == 1) {
        an_help_usage(&cli->err, cli->prog, &cli->parse, cli->width);
        return 0;
    }
    return -1;
}
