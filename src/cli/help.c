// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <string.h>

#include "cli/notbuilt.h"
#include "cli/version.h"

enum { COLUMN_MAX = 30, INDENT = 2, PADDING = 2 };

static void spaces(an_buf *out, size_t n) { an_buf_fill(out, ' ', n); }

/* Paragraphs (parted by empty lines) of greedily filled lines; every line but the first of all
 * begins with `indent` blanks, and none ends in a line end. A word longer than the width stands
 * alone. */
static void wrap(an_buf *out, const char *text, size_t indent, size_t width)
{
    size_t col = 0;

    for (const char *p = text; *p != 0;) {
        if (*p == '\n') {
            an_buf_str(out, "\n\n");
            spaces(out, indent);
            col = 0;
            p += strspn(p, "\n");
            continue;
        }
        size_t n = strcspn(p, " \n");
        if (col > 0 && col + 1 + n > width) {
            an_buf_u8(out, '\n');
            spaces(out, indent);
            col = 0;
        }
        if (col > 0) {
            an_buf_u8(out, ' ');
            col++;
        }
        an_buf_add(out, p, n);
        col += n;
        p += n;
        p += strspn(p, " ");
    }
}

static bool counts(const an_flag_def *d) /* in the summary: not the built-in ones */
{
    static const char *const builtin[] = {"help",
                                          "help-long",
                                          "help-man",
                                          "completion-bash",
                                          "completion-script-bash",
                                          "completion-script-zsh"};
    for (size_t i = 0; i < sizeof builtin / sizeof *builtin; i++) {
        if (strcmp(d->name, builtin[i]) == 0) return false;
    }
    return true;
}

/* ` --id=ID [<flags>] <command> [<args> ...]` */
static void summary(an_buf *out, const an_cmd_def *c)
{
    bool optional = false;

    for (const an_flag_def *d = c->flags; d != NULL && d->name != NULL; d++) {
        if (d->required) {
            an_buf_printf(out, " --%s=", d->name);
            an_flag_placeholder(out, d);
        } else if (counts(d)) {
            optional = true;
        }
    }
    if (optional) an_buf_str(out, " [<flags>]");
    if (c->takes_args) an_buf_str(out, " [<command>...]");
}

static void flag_column(an_buf *out, const an_flag_def *d, bool letters)
{
    if (d->letter != 0) {
        an_buf_printf(out, "-%c, ", d->letter);
    } else if (letters) {
        spaces(out, 4);
    }
    an_buf_printf(out, d->type == AN_FLAG_BOOL ? "--[no-]%s" : "--%s=", d->name);
    if (d->type != AN_FLAG_BOOL) an_flag_placeholder(out, d);
    if (an_flag_repeats(d)) an_buf_str(out, " ...");
}

/* The help of a flag, of a command: with what is not built of it, NUL-terminated. */
static const char *flag_text(an_buf *out, const an_flag_def *d)
{
    an_buf_clear(out);
    an_buf_str(out, d->help);
    an_not_built_note(out, d->name);
    an_buf_u8(out, 0);
    return (const char *)out->p;
}

static const char *command_text(an_buf *out, const an_cmd_def *c, an_slice name)
{
    an_buf_clear(out);
    an_buf_slice_add(out, name);
    an_buf_u8(out, 0);
    const an_not_built *t = an_not_built_command((const char *)out->p);
    an_buf_clear(out);
    an_buf_str(out, c->help);
    if (t != NULL) an_buf_str(out, " Not built yet.");
    an_buf_u8(out, 0);
    return (const char *)out->p;
}

/* The visible flags of n tables in two columns. */
static void flag_rows(an_buf *out, const an_flag_def *const *tables, size_t n, size_t indent,
                      size_t width)
{
    size_t column = 0;
    bool letters = false;
    an_buf name, text;

    an_buf_init(&name, 1 << 12, NULL);
    an_buf_init(&text, 1 << 14, NULL);
    for (size_t i = 0; i < n; i++) {
        for (const an_flag_def *d = tables[i]; d != NULL && d->name != NULL; d++) {
            letters = letters || d->letter != 0;
        }
    }
    for (int pass = 0; pass < 2; pass++) { /* measure, then print */
        for (size_t i = 0; i < n; i++) {
            for (const an_flag_def *d = tables[i]; d != NULL && d->name != NULL; d++) {
                if (d->hidden) continue;
                an_buf_clear(&name);
                flag_column(&name, d, letters);
                if (pass == 0) {
                    if (name.n > column && name.n < COLUMN_MAX) column = name.n;
                    continue;
                }
                size_t text_at = indent + column + PADDING;
                spaces(out, indent);
                an_buf_slice_add(out, an_buf_slice(&name));
                if (name.n >= COLUMN_MAX) {
                    spaces(out, PADDING);
                    an_buf_u8(out, '\n');
                    spaces(out, text_at);
                } else {
                    spaces(out, column - name.n + PADDING);
                }
                wrap(out, flag_text(&text, d), text_at,
                     width > text_at + 20 ? width - text_at : 20);
                an_buf_u8(out, '\n');
            }
        }
    }
    an_buf_deinit(&text);
    an_buf_deinit(&name);
}

/* The leaves below `c`, each with its full name, its text and (long) its flags. */
static void command_rows(an_buf *out, const an_cmd_def *c, const char *prefix, bool with_flags,
                         size_t width)
{
    for (const an_cmd_def *s = c->subs; s != NULL && s->name != NULL; s++) {
        an_buf name, text;
        if (s->hidden) continue;
        an_buf_init(&name, 256, NULL);
        an_buf_init(&text, 1 << 14, NULL);
        an_buf_printf(&name, "%s%s", prefix, s->name);
        if (s->subs != NULL) {
            an_buf_str(&name, " ");
            an_buf_u8(&name, 0);
            command_rows(out, s, (const char *)name.p, with_flags, width);
        } else {
            an_buf_slice_add(out, an_buf_slice(&name));
            summary(out, s);
            an_buf_str(out, "\n    ");
            wrap(out, command_text(&text, s, an_buf_slice(&name)), 4, width - 4);
            an_buf_str(out, "\n\n");
            if (with_flags && s->flags != NULL) {
                flag_rows(out, &s->flags, 1, 4, width);
                an_buf_u8(out, '\n');
            }
        }
        an_buf_deinit(&text);
        an_buf_deinit(&name);
    }
}

static void usage_line(an_buf *out, const char *prog, const an_parse *p, const an_cmd_def *c)
{
    an_buf_printf(out, "usage: %s", prog);
    if (p != NULL && p->n_path > 1) {
        an_buf_u8(out, ' ');
        an_parse_cmd_name(out, p);
    }
    summary(out, c);
    if (c->subs != NULL) an_buf_str(out, " <command> [<args> ...]");
    an_buf_str(out, "\n\n");
}

void an_help_usage(an_buf *out, const char *prog, const an_parse *p, size_t width)
{
    const an_flag_def *tables[AN_CMD_DEPTH];
    const an_cmd_def *c = an_parse_cmd(p);
    an_buf prefix, text;

    usage_line(out, prog, p, c);
    an_buf_init(&prefix, 256, NULL);
    an_buf_init(&text, 1 << 14, NULL);
    an_parse_cmd_name(&prefix, p);
    wrap(out, command_text(&text, c, an_buf_slice(&prefix)), 0, width);
    an_buf_deinit(&text);
    an_buf_deinit(&prefix);
    an_buf_str(out, "\n\n\nFlags:\n");
    for (size_t i = 0; i < p->n_path; i++) tables[i] = p->path[i]->flags;
    flag_rows(out, tables, p->n_path, INDENT, width);
    an_buf_u8(out, '\n');
    if (c->takes_args) an_buf_str(out, "Args:\n  [<command>]  Show help on command.\n\n");
    if (c->subs == NULL) return;
    an_buf_init(&prefix, 256, NULL);
    an_parse_cmd_name(&prefix, p);
    if (prefix.n > 0) an_buf_u8(&prefix, ' ');
    an_buf_u8(&prefix, 0);
    an_buf_str(out, p->n_path > 1 ? "Subcommands:\n" : "Commands:\n");
    command_rows(out, c, (const char *)prefix.p, false, width);
    an_buf_deinit(&prefix);
}

void an_help_long(an_buf *out, const char *prog, const an_cmd_def *program, size_t width)
{
    usage_line(out, prog, NULL, program);
    wrap(out, program->help, 0, width);
    an_buf_str(out, "\n\n\nFlags:\n");
    flag_rows(out, &program->flags, 1, INDENT, width);
    an_buf_str(out, "\nCommands:\n");
    command_rows(out, program, "", true, width);
}

/* ---- the man page ---- */

static void troff(an_buf *out, const char *text)
{
    bool line_start = true;

    for (const char *p = text; *p != 0; p++) {
        if (*p == '\n') {
            p += strspn(p, "\n") - 1;
            an_buf_str(out, "\n.PP\n");
            line_start = true;
            continue;
        }
        if (line_start && (*p == '.' || *p == '\'')) an_buf_str(out, "\\&");
        if (*p == '\\') {
            an_buf_str(out, "\\e");
        } else if (*p == '-') {
            an_buf_str(out, "\\-");
        } else {
            an_buf_u8(out, (uint8_t)*p);
        }
        line_start = false;
    }
}

static void man_flag(an_buf *out, const an_flag_def *d)
{
    an_buf name, text;

    an_buf_init(&name, 1 << 12, NULL);
    an_buf_init(&text, 1 << 14, NULL);
    flag_column(&name, d, false);
    an_buf_u8(&name, 0);
    an_buf_str(out, ".TP\n\\fB");
    troff(out, (const char *)name.p);
    an_buf_str(out, "\\fR\n");
    troff(out, flag_text(&text, d));
    if (d->hidden) an_buf_str(out, " (Not shown in the help.)");
    an_buf_u8(out, '\n');
    an_buf_deinit(&text);
    an_buf_deinit(&name);
}

/* Flags under the headings of their groups, groups in the order in which the table names them. */
static void man_flags(an_buf *out, const an_flag_def *table)
{
    for (const an_flag_def *g = table; g != NULL && g->name != NULL; g++) {
        bool first = true;
        for (const an_flag_def *d = table; d < g && first; d++) {
            first = strcmp(d->group, g->group) != 0;
        }
        if (!first) continue;
        an_buf_str(out, ".PP\n\\fI");
        troff(out, g->group);
        an_buf_str(out, "\\fR\n");
        for (const an_flag_def *d = g; d->name != NULL; d++) {
            if (strcmp(d->group, g->group) == 0) man_flag(out, d);
        }
    }
}

static void man_commands(an_buf *out, const an_cmd_def *c, const char *prefix)
{
    for (const an_cmd_def *s = c->subs; s != NULL && s->name != NULL; s++) {
        an_buf name, text;
        if (s->hidden) continue;
        an_buf_init(&name, 256, NULL);
        an_buf_init(&text, 1 << 14, NULL);
        an_buf_printf(&name, "%s%s", prefix, s->name);
        an_buf_str(out, ".SS \"");
        an_buf_slice_add(out, an_buf_slice(&name));
        summary(out, s);
        if (s->subs != NULL) an_buf_str(out, " <command>");
        an_buf_str(out, "\"\n");
        troff(out, command_text(&text, s, an_buf_slice(&name)));
        an_buf_u8(out, '\n');
        man_flags(out, s->flags);
        an_buf_str(&name, " ");
        an_buf_u8(&name, 0);
        man_commands(out, s, (const char *)name.p);
        an_buf_deinit(&text);
        an_buf_deinit(&name);
    }
}

void an_help_man(an_buf *out, const char *prog, const an_cmd_def *program)
{
    an_buf_printf(out, ".TH %s 1 \"\" \"%s %s\"\n.SH NAME\n%s \\- ", prog, prog, AN_VERSION, prog);
    troff(out, program->help);
    an_buf_printf(out,
                  "\n.SH SYNOPSIS\n\\fB%s\\fR [<flags>] <command> [<args> ...]\n.SH DESCRIPTION\n",
                  prog);
    troff(out, "Flags are given as --name=value or --name value, booleans as --name or --no-name. "
               "An argument @file is replaced by the lines of that file. Global flags may stand "
               "before or behind the command.");
    an_buf_str(out, "\n.SH \"GLOBAL FLAGS\"\n");
    man_flags(out, program->flags);
    an_buf_str(out, ".SH COMMANDS\n");
    man_commands(out, program, "");
    an_buf_str(out, ".SH \"EXIT STATUS\"\n");
    troff(out, "0: all that could be done was done, or the run was interrupted by SIGTERM or "
               "SIGINT. 1: a wrong command line or configuration, or a run after which a group is "
               "isolated or failed; all other work was finished before. 2: a flag "
               "value that cannot be read, or a required flag or subcommand that is missing.");
    an_buf_u8(out, '\n');
}
