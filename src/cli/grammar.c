// SPDX-License-Identifier: Apache-2.0
#include "cli/grammar.h"

#include <string.h>

#include "base/strconv.h"
#include "cli/textfile.h"

/* Arguments from files, also through files that name files, come to an end here. */
enum { FILE_ARGS_MAX = 1 << 16, FILE_BYTES_MAX = 1 << 20 };

typedef enum token_kind { TOKEN_END, TOKEN_ARG, TOKEN_LONG, TOKEN_SHORT } token_kind;

typedef struct token {
    token_kind kind;
    const char *text; /* a long flag without `--`, the one letter of a short one */
} token;

typedef struct parser {
    an_arena *a;
    an_parse *out;
    /* What is left, last first: expanding a file or a bundle pushes in front. */
    const char **stack;
    size_t n, cap, n_from_files;
    token ahead[2]; /* tokens looked at, last first */
    size_t n_ahead;
} parser;

static void push_arg(parser *p, const char *arg)
{
    if (p->n == p->cap) {
        size_t cap = p->cap == 0 ? 64 : p->cap * 2;
        const char **v = (const char **)an_arena_alloc(p->a, cap * sizeof *v);
        if (p->n != 0) memcpy((void *)v, (const void *)p->stack, p->n * sizeof *v);
        p->stack = v;
        p->cap = cap;
    }
    p->stack[p->n++] = arg;
}

static void push_token(parser *p, token_kind kind, const char *text)
{
    an_assert(p->n_ahead < sizeof p->ahead / sizeof *p->ahead);
    p->ahead[p->n_ahead++] = (token){kind, text};
}

static const an_flag_def *find_flag(const an_parse *p, const char *name, char letter)
{
    for (size_t i = 0; i < p->n_path; i++) {
        for (const an_flag_def *d = p->path[i]->flags; d != NULL && d->name != NULL; d++) {
            if (name != NULL ? strcmp(d->name, name) == 0 : d->letter == letter) return d;
        }
    }
    return NULL;
}

static bool is_blank(const char *s) { return s[strspn(s, " \t\v\f\r\n")] == 0; }

/* Puts the lines of the file in place of the argument @name. */
static an_rc expand_file(parser *p, const char *name, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf text, quoted;
    const char **lines = NULL;
    size_t n = 0;

    an_buf_init(&text, FILE_BYTES_MAX, NULL);
    an_buf_init(&quoted, 1 << 16, NULL);
    an_quote(&quoted, an_slice_str(name));
    AN_CHECK(*name != 0, err, AN_EINVALID, "expected @ file to expand arguments from");
    if ((rc = an_textfile_read(name, &text, err)) != AN_OK) {
        bool opened = strncmp(err->msg, "read ", 5) == 0;
        an_err_wrap(err,
                    opened ? "failed to read arguments from %.*s"
                           : "failed to open arguments file %.*s",
                    AN_PRI(an_buf_slice(&quoted)));
        goto out;
    }
    /* A NUL would end the argument early without a word. */
    AN_CHECK(text.n == 0 || memchr(text.p, 0, text.n) == NULL, err, AN_EINVALID,
             "failed to read arguments from %.*s: it holds a NUL byte",
             AN_PRI(an_buf_slice(&quoted)));
    lines = (const char **)an_arena_alloc(p->a, (text.n + 1) * sizeof *lines);
    for (size_t at = 0; at < text.n;) {
        const uint8_t *nl = memchr(text.p + at, '\n', text.n - at);
        size_t end = nl == NULL ? text.n : (size_t)(nl - text.p);
        size_t len = end - at;
        if (len > 0 && text.p[end - 1] == '\r') len--;
        const char *line = an_arena_str(p->a, an_slice_of(text.p + at, len));
        if (*line != '#' && !is_blank(line)) lines[n++] = line;
        at = end + 1;
    }
    p->n_from_files += n;
    AN_CHECK(p->n_from_files <= FILE_ARGS_MAX, err, AN_EINVALID,
             "arguments files hold more than %d arguments (does %.*s name itself?)", FILE_ARGS_MAX,
             AN_PRI(an_buf_slice(&quoted)));
    while (n > 0) push_arg(p, lines[--n]);
out:
    an_buf_deinit(&text);
    an_buf_deinit(&quoted);
    return rc;
}

static void short_flag(parser *p, const char *arg)
{
    /* One letter of UTF-8, so that the error shows it whole. */
    size_t size = 1;
    while (((uint8_t)arg[1 + size] & 0xc0) == 0x80 && ((uint8_t)arg[1] & 0x80) != 0) size++;
    const char *letter = an_arena_str(p->a, an_slice_of(arg + 1, size));
    const char *rest = arg + 1 + size;
    const an_flag_def *d = size == 1 ? find_flag(p->out, NULL, *letter) : NULL;

    if (*rest != 0) {
        if (d != NULL && d->type != AN_FLAG_BOOL) {
            push_token(p, TOKEN_ARG, rest); /* -oVALUE */
        } else {
            push_arg(p, an_arena_printf(p->a, "-%s", rest)); /* -wh */
        }
    }
    push_token(p, TOKEN_SHORT, letter);
}

/* Makes the next token ahead[n_ahead - 1]. */
static an_rc peek(parser *p, token *out, an_err *err)
{
    an_rc rc = AN_OK;

    while (p->n_ahead == 0) {
        if (p->n == 0) {
            *out = (token){TOKEN_END, ""};
            return AN_OK;
        }
        const char *arg = p->stack[--p->n];
        if (p->out->only_args || (arg[0] != '-' && arg[0] != '@')) {
            push_token(p, TOKEN_ARG, arg);
        } else if (strcmp(arg, "--") == 0) {
            p->out->only_args = true;
        } else if (arg[0] == '-' && arg[1] == '-') {
            const char *eq = strchr(arg, '=');
            if (eq != NULL) {
                push_token(p, TOKEN_ARG, eq + 1);
                push_token(p, TOKEN_LONG,
                           an_arena_str(p->a, an_slice_of(arg + 2, (size_t)(eq - arg - 2))));
            } else {
                push_token(p, TOKEN_LONG, arg + 2);
            }
        } else if (strcmp(arg, "-") == 0) {
            push_token(p, TOKEN_ARG, "");
        } else if (arg[0] == '-') {
            short_flag(p, arg);
        } else {
            AN_TRY(expand_file(p, arg + 1, err));
        }
    }
    *out = p->ahead[p->n_ahead - 1];
out:
    return rc;
}

static void take(parser *p)
{
    an_assert(p->n_ahead > 0);
    p->n_ahead--;
}

static void add_element(parser *p, an_element e)
{
    an_parse *o = p->out;
    if (o->n == o->cap) {
        size_t cap = o->cap == 0 ? 32 : o->cap * 2;
        an_element *v = an_arena_alloc(p->a, cap * sizeof *v);
        if (o->n != 0) memcpy(v, o->v, o->n * sizeof *v);
        o->v = v;
        o->cap = cap;
    }
    o->v[o->n++] = e;
}

static an_rc parse_flag(parser *p, token t, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flag_def *d;
    const char *dashes = t.kind == TOKEN_LONG ? "--" : "-", *value = "true";
    const char *kind = t.kind == TOKEN_LONG ? "long" : "short";

    d = t.kind == TOKEN_LONG ? find_flag(p->out, t.text, 0) : NULL;
    if (t.kind == TOKEN_SHORT && t.text[1] == 0) d = find_flag(p->out, NULL, *t.text);
    if (d == NULL && t.kind == TOKEN_LONG && strncmp(t.text, "no-", 3) == 0) {
        d = find_flag(p->out, t.text + 3, 0);
        if (d != NULL && d->type != AN_FLAG_BOOL) d = NULL;
        value = "false";
    }
    AN_CHECK(d != NULL, err, AN_EINVALID, "unknown %s flag '%s%s'", kind, dashes, t.text);
    take(p);
    if (d->type != AN_FLAG_BOOL) {
        token v = {TOKEN_END, ""};
        bool found = peek(p, &v, err) == AN_OK && v.kind == TOKEN_ARG;
        AN_CHECK(found, err, AN_EINVALID, "expected argument for flag '%s%s'", dashes, t.text);
        take(p);
        value = v.text;
    }
    add_element(p, (an_element){.flag = d, .text = value});
out:
    return rc;
}

static an_rc unknown_command(const char *word, an_err *err)
{
    an_buf quoted;

    an_buf_init(&quoted, 1 << 16, NULL);
    an_quote(&quoted, an_slice_str(word));
    (void)AN_FAIL(err, AN_EINVALID, "expected command but got %.*s", AN_PRI(an_buf_slice(&quoted)));
    an_buf_deinit(&quoted);
    return AN_EINVALID;
}

static an_rc parse_word(parser *p, token t, an_err *err)
{
    an_rc rc = AN_OK;
    const an_cmd_def *c = an_parse_cmd(p->out)->subs;

    if (c != NULL) {
        while (c->name != NULL && strcmp(c->name, t.text) != 0) c++;
        if (c->name == NULL) return unknown_command(t.text, err);
        an_assert(p->out->n_path < AN_CMD_DEPTH);
        p->out->path[p->out->n_path++] = c;
        add_element(p, (an_element){.cmd = c, .text = t.text});
    } else {
        AN_CHECK(an_parse_cmd(p->out)->takes_args, err, AN_EINVALID, "unexpected %s", t.text);
        add_element(p, (an_element){.text = t.text});
    }
    take(p);
out:
    return rc;
}

an_rc an_grammar_parse(an_arena *a, const an_cmd_def *program, size_t n, const char *const *args,
                       an_parse *out, an_err *err)
{
    an_rc rc = AN_OK;
    parser p = {.a = a, .out = out};

    *out = (an_parse){.path = {program}, .n_path = 1};
    while (n > 0) push_arg(&p, args[--n]);
    for (;;) {
        token t;
        AN_TRY(peek(&p, &t, err));
        if (t.kind == TOKEN_END) break;
        AN_TRY(t.kind == TOKEN_ARG ? parse_word(&p, t, err) : parse_flag(&p, t, err));
    }
out:
    return rc;
}

void an_parse_cmd_name(an_buf *out, const an_parse *p)
{
    for (size_t i = 1; i < p->n_path; i++) {
        if (i > 1) an_buf_u8(out, ' ');
        an_buf_str(out, p->path[i]->name);
    }
}
