// SPDX-License-Identifier: Apache-2.0
#include "tsdb/labels/matchers.h"

#include "base/buf.h"
#include "base/duration.h"
#include "base/strconv.h"

enum { SELECTOR_MAX = 1 << 20, MATCHERS_MAX = 10000 };

typedef struct reader {
    an_slice text;
    size_t at;
    an_arena *a;
    an_matchers *out;
    size_t cap;
    an_err *err;
} reader;

static int peek(const reader *r) { return r->at < r->text.n ? r->text.p[r->at] : -1; }

static void skip_space(reader *r)
{
    for (;;) {
        int c = peek(r);
        if (c == '#') { /* to the end of the line */
            while (peek(r) != '\n' && peek(r) != -1) r->at++;
        } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            r->at++;
        } else {
            return;
        }
    }
}

static bool take(reader *r, char c)
{
    skip_space(r);
    if (peek(r) != c) return false;
    r->at++;
    return true;
}

static bool is_name_byte(int c, bool first, bool colons)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_') return true;
    return (colons && c == ':') || (!first && c >= '0' && c <= '9');
}

/* An identifier, or an empty slice. */
static an_slice read_name(reader *r, bool colons)
{
    size_t from;

    skip_space(r);
    from = r->at;
    while (is_name_byte(peek(r), r->at == from, colons)) r->at++;
    return an_slice_of(r->text.p + from, r->at - from);
}

static an_rc fail(reader *r, const char *what)
{
    return AN_FAIL(r->err, AN_EINVALID, "1:%zu: parse error: %s", r->at + 1, what);
}

static bool is_quote(int c) { return c == '"' || c == '\'' || c == '`'; }

/* A string in any of the three quotes. Go knows '...' for one character only: it is read as if it
 * stood in double quotes. */
static an_rc read_string(reader *r, an_slice *out)
{
    an_rc rc = AN_OK;
    int quote = peek(r);
    an_buf literal, value;

    an_buf_init(&literal, 2 * SELECTOR_MAX + 2, NULL);
    an_buf_init(&value, SELECTOR_MAX, NULL);
    an_buf_u8(&literal, quote == '`' ? '`' : '"');
    for (r->at++; peek(r) != quote; r->at++) {
        int c = peek(r);
        if (c == -1 || (c == '\n' && quote != '`')) {
            rc = fail(r, "unterminated quoted string");
            goto out;
        }
        if (c == '\\' && quote != '`') {
            r->at++;
            c = peek(r);
            if (c == -1 || (is_quote(c) && c != quote)) {
                rc = fail(r, "invalid escape in a quoted string");
                goto out;
            }
            if (c != '\'') an_buf_u8(&literal, '\\');
        } else if (c == '"' && quote == '\'') {
            an_buf_u8(&literal, '\\');
        }
        an_buf_u8(&literal, (uint8_t)peek(r));
    }
    r->at++;
    an_buf_u8(&literal, quote == '`' ? '`' : '"');
    if (!an_unquote(&value, an_buf_slice(&literal))) {
        rc = fail(r, "invalid escape in a quoted string");
        goto out;
    }
    *out = an_arena_dup(r->a, an_buf_slice(&value));
out:
    an_buf_deinit(&literal);
    an_buf_deinit(&value);
    return rc;
}

static an_rc add(reader *r, an_match_op op, an_slice name, an_slice value)
{
    an_regex *regex = NULL;

    if (r->out->n == r->cap) return fail(r, "too many matchers");
    if (op == AN_MATCH_RE || op == AN_MATCH_NRE) {
        if (an_regex_compile(value, &regex, r->err) != AN_OK) {
            an_err_wrap(r->err, "1:%zu: parse error", r->at + 1);
            return r->err->rc;
        }
    }
    r->out->v[r->out->n++] = (an_matcher){op, an_arena_dup(r->a, name), value, regex};
    return AN_OK;
}

static bool read_op(reader *r, an_match_op *op)
{
    bool negated;

    skip_space(r);
    negated = peek(r) == '!';
    if (!negated && peek(r) != '=') return false;
    r->at++;
    if (peek(r) == '~') {
        r->at++;
        *op = negated ? AN_MATCH_NRE : AN_MATCH_RE;
        return true;
    }
    if (!negated) {
        *op = AN_MATCH_EQ;
        return true;
    }
    if (peek(r) != '=') return false;
    r->at++;
    *op = AN_MATCH_NE;
    return true;
}

static an_rc read_matcher(reader *r, bool *named)
{
    an_rc rc = AN_OK;
    an_slice name = {NULL, 0}, value = {NULL, 0};
    an_match_op op = AN_MATCH_EQ;
    bool quoted = is_quote(peek(r));

    if (quoted) {
        AN_TRY(read_string(r, &name));
    } else {
        name = read_name(r, false);
        if (name.n == 0) return fail(r, "unexpected character in label matching");
    }
    if (!read_op(r, &op)) {
        skip_space(r);
        if (!quoted || (peek(r) != ',' && peek(r) != '}'))
            return fail(r, "expected a label matching operator");
        if (*named) return fail(r, "metric name must not be set twice");
        *named = true; /* a quoted metric name */
        return add(r, AN_MATCH_EQ, AN_LIT("__name__"), name);
    }
    skip_space(r);
    if (!is_quote(peek(r))) return fail(r, "expected a string in label matching");
    AN_TRY(read_string(r, &value));
    rc = add(r, op, name, value);
out:
    return rc;
}

static an_rc read_braces(reader *r, bool *named)
{
    an_rc rc = AN_OK;

    for (;;) {
        if (take(r, '}')) return AN_OK;
        AN_TRY(read_matcher(r, named));
        if (take(r, '}')) return AN_OK;
        if (!take(r, ',')) return fail(r, "expected \",\" or \"}\" in label matching");
    }
out:
    return rc;
}

/* `offset 5m`: says when, not what. */
static an_rc read_offset(reader *r)
{
    int64_t ns;
    an_slice word = read_name(r, false);

    if (word.n == 0) return AN_OK;
    if (!an_slice_eq(word, AN_LIT("offset"))) return fail(r, "unexpected identifier");
    skip_space(r);
    if (peek(r) == '-') r->at++;
    size_t from = r->at;
    while (is_name_byte(peek(r), false, false)) r->at++;
    return an_duration_parse_prom(an_slice_of(r->text.p + from, r->at - from), &ns, r->err);
}

static an_rc read_selector(reader *r)
{
    an_rc rc = AN_OK;
    an_slice metric = read_name(r, true);
    bool named = metric.n > 0;
    bool braces = take(r, '{');

    if (!named && !braces) return fail(r, "no selector found in input");
    if (braces) AN_TRY(read_braces(r, &named));
    if (metric.n > 0) {
        for (size_t i = 0; i < r->out->n; i++) {
            if (an_slice_eq(r->out->v[i].name, AN_LIT("__name__")))
                return fail(r, "metric name must not be set twice");
        }
        AN_TRY(add(r, AN_MATCH_EQ, AN_LIT("__name__"), an_arena_dup(r->a, metric)));
    }
    AN_TRY(read_offset(r));
    skip_space(r);
    if (peek(r) != -1) return fail(r, "unexpected text after the selector");
out:
    return rc;
}

an_rc an_matchers_parse(an_slice text, an_matchers **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_arena *own = an_arena_new(NULL);
    an_matchers *m = an_arena_alloc(own, sizeof *m);
    reader r = {.text = text, .a = own, .out = m, .err = err};

    *out = NULL;
    m->arena = own;
    AN_CHECK(text.n <= SELECTOR_MAX, err, AN_EINVALID, "selector of %zu bytes is above %d", text.n,
             SELECTOR_MAX);
    r.cap = text.n / 2 + 1 < MATCHERS_MAX ? text.n / 2 + 1 : MATCHERS_MAX;
    m->v = an_arena_alloc(own, r.cap * sizeof *m->v);
    AN_TRY(read_selector(&r));
    *out = m;
    m = NULL;
out:
    an_matchers_free(m);
    return rc;
}

void an_matchers_free(an_matchers *m)
{
    if (m == NULL) return;
    for (size_t i = 0; i < m->n; i++) an_regex_free(m->v[i].regex);
    an_arena_free(m->arena);
}

const char *an_match_op_name(an_match_op op)
{
    static const char *const names[] = {"=", "!=", "=~", "!~"};

    return names[op];
}

an_rc an_matcher_matches(const an_matcher *m, an_slice value, bool *yes, an_err *err)
{
    an_rc rc = AN_OK;
    bool match = false;

    if (m->regex == NULL)
        match = an_slice_eq(m->value, value);
    else
        AN_TRY(an_regex_matches(m->regex, value, &match, err));
    *yes = match == (m->op == AN_MATCH_EQ || m->op == AN_MATCH_RE);
out:
    return rc;
}
