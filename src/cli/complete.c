// SPDX-License-Identifier: Apache-2.0
#include "cli/help.h"

#include <string.h>

void an_complete_script_bash(an_buf *out, const char *prog)
{
    an_buf_printf(out,
                  "\n_%s_bash_autocomplete() {\n"
                  "    local cur=\"${COMP_WORDS[COMP_CWORD]}\"\n"
                  "    local opts=$(\"${COMP_WORDS[0]}\" --completion-bash "
                  "\"${COMP_WORDS[@]:1:$COMP_CWORD}\")\n"
                  "    COMPREPLY=($(compgen -W \"$opts\" -- \"$cur\"))\n"
                  "}\n"
                  "complete -F _%s_bash_autocomplete -o default %s\n",
                  prog, prog, prog);
}

void an_complete_script_zsh(an_buf *out, const char *prog)
{
    an_buf_printf(out,
                  "#compdef %s\n\n"
                  "_%s() {\n"
                  "    local words_here=($(${words[1]} --completion-bash "
                  "\"${(@)words[2,$CURRENT]}\"))\n"
                  "    compadd -a words_here\n"
                  "    if [[ $compstate[nmatches] -eq 0 && $words[$CURRENT] != -* ]]; then\n"
                  "        _files\n"
                  "    fi\n"
                  "}\n\n"
                  "[[ \"$(basename -- ${(%%):-%%x})\" == \"_%s\" ]] || compdef _%s %s\n",
                  prog, prog, prog, prog, prog);
}

static void word(an_buf *out, const char *a, const char *b, size_t n)
{
    if (out->n > 0) an_buf_u8(out, '\n');
    an_buf_str(out, a);
    an_buf_add(out, b, n);
}

static void commands(an_buf *out, const an_cmd_def *c)
{
    if (c->takes_args) return; /* nothing to offer */
    for (const an_cmd_def *s = c->subs; s != NULL && s->name != NULL; s++) {
        if (!s->hidden) word(out, "", s->name, strlen(s->name));
    }
}

typedef enum match { MATCH_NONE, MATCH_NAME, MATCH_VALUE } match;

/* The choices of the flag `name` when the table has it, else all its visible flags. */
static match flags(an_buf *out, const an_flag_def *table, const char *name, const char *value)
{
    for (const an_flag_def *d = table; d != NULL && d->name != NULL; d++) {
        if (strcmp(d->name, name) != 0) continue;
        if (d->choices == NULL) return MATCH_VALUE;
        bool prefix = false, exact = false;
        for (const char *p = d->choices; *p != 0; p += *p == ',') {
            size_t n = strcspn(p, ",");
            exact = exact || (strlen(value) == n && strncmp(p, value, n) == 0);
            prefix = prefix || (strlen(value) < n && strncmp(p, value, strlen(value)) == 0);
            word(out, "", p, n);
            p += n;
        }
        return exact && !prefix ? MATCH_VALUE : MATCH_NAME;
    }
    for (const an_flag_def *d = table; d != NULL && d->name != NULL; d++) {
        if (!d->hidden) word(out, "--", d->name, strlen(d->name));
    }
    return MATCH_NONE;
}

void an_complete_words(an_buf *out, const an_parse *p, size_t n, const char *const *args)
{
    const char *cur = n > 0 ? args[n - 1] : "", *prev = n > 1 ? args[n - 2] : "";
    const char *name, *value = "";
    const an_cmd_def *c = an_parse_cmd(p);

    if (strncmp(cur, "--", 2) == 0) {
        name = cur + 2;
    } else if (strncmp(prev, "--", 2) == 0) {
        name = prev + 2;
        value = cur;
    } else {
        commands(out, c);
        return;
    }
    /* A `--` that is still being written ends nothing yet. */
    if (p->only_args && strcmp(cur, "--") != 0) return;
    for (size_t i = p->n_path; i-- > 0;) { /* the command's flags, then those above it */
        match m = flags(out, p->path[i]->flags, name, value);
        if (m == MATCH_NONE) continue;
        an_buf_clear(out);
        if (m == MATCH_NAME) {
            (void)flags(out, p->path[i]->flags, name, value); /* the choices alone */
        } else {
            commands(out, c);
        }
        return;
    }
}
