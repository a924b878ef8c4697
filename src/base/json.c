// SPDX-License-Identifier: Apache-2.0
#include "base/json.h"

#include "base/jsonw.h"
#include "base/strconv.h"
#include "base/utf8.h"

#include <jansson.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* jansson parses, but it keeps less than Go does: numbers lose their text and end at int64, of
 * equal keys one is left and its place is lost, a key may not hold \u0000, and strings with invalid
 * UTF-8 or a lone surrogate are refused. All of that is outside the grammar of brackets, commas and
 * colons, which is what jansson is trusted with. So a scan of the tokens goes first. It repairs
 * strings, puts an ordinal in the place of every number and of every key, and keeps what stood
 * there: the numbers as slices of the document, the keys as a JSON array of their own.
 * `{"a":1.0,"a":x}` becomes `{"0":0,"1":x}` and `["a","a"]`. Both are parsed, and while the tree is
 * copied into the arena the ordinals are looked up. (Rewriting costs a copy of the document;
 * documents have a maximum. The alternative, a parser of our own, would make this scan the smaller
 * half of it.) */

typedef struct scan {
    an_slice doc;
    size_t i;
    int line;
    size_t depth, n_values, n_keys, n_arrays, n_objects;
    an_buf body, keys;
    an_buf numbers; /* an_slice each */
    an_err *err;
} scan;

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* The value of four hexadecimal digits at i, or -1. */
static int32_t hex4(an_slice s, size_t i)
{
    int32_t v = 0;

    if (s.n < i || s.n - i < 4) return -1;
    for (size_t k = i; k < i + 4; k++) {
        uint8_t c = s.p[k] | 0x20;
        if (!is_digit(s.p[k]) && (c < 'a' || c > 'f')) return -1;
        v = v * 16 + (is_digit(s.p[k]) ? s.p[k] - '0' : c - 'a' + 10);
    }
    return v;
}

/* One escape at the backslash s->i: checked and copied; a surrogate without its other half is
 * replaced. */
static an_rc scan_escape(scan *s)
{
    an_rc rc = AN_OK;
    size_t i = s->i, n = 2;
    uint8_t c = s->doc.n - i > 1 ? s->doc.p[i + 1] : 0;

    AN_CHECK(c != 0 && strchr("\"\\/bfnrtu", c) != NULL, s->err, AN_ECORRUPT,
             "json: line %d: invalid escape in a string", s->line);
    if (c == 'u') {
        int32_t u = hex4(s->doc, i + 2);
        AN_CHECK(u >= 0, s->err, AN_ECORRUPT, "json: line %d: invalid \\u escape in a string",
                 s->line);
        n = 6;
        if (u >= 0xd800 && u < 0xe000) {
            bool pair = u < 0xdc00 && s->doc.n - i >= 12 && s->doc.p[i + 6] == '\\' &&
                        s->doc.p[i + 7] == 'u';
            int32_t low = pair ? hex4(s->doc, i + 8) : -1;
            if (low < 0xdc00 || low >= 0xe000) {
                an_buf_str(&s->body, "\\ufffd");
                s->i += n;
                goto out;
            }
            n = 12;
        }
    }
    an_buf_add(&s->body, s->doc.p + i, n);
    s->i += n;
out:
    return rc;
}

/* The string at s->i, copied to the body with its quotes; s->i moves behind it. */
static an_rc scan_string(scan *s)
{
    an_rc rc = AN_OK;

    an_buf_u8(&s->body, s->doc.p[s->i++]);
    for (;;) {
        AN_CHECK(s->i < s->doc.n, s->err, AN_ECORRUPT,
                 "json: line %d: the document ends inside a string", s->line);
        uint8_t c = s->doc.p[s->i];
        if (c == '"') break;
        AN_CHECK(c >= 0x20, s->err, AN_ECORRUPT,
                 "json: line %d: control character 0x%02x in a string", s->line, c);
        if (c == '\\') {
            AN_TRY(scan_escape(s));
            continue;
        }
        uint32_t r;
        size_t n = an_utf8_decode(s->doc.p + s->i, s->doc.n - s->i, &r);
        if (n == 1 && r == AN_RUNE_ERROR) {
            an_buf_str(&s->body, "\\ufffd");
        } else {
            an_buf_add(&s->body, s->doc.p + s->i, n);
        }
        s->i += n;
    }
    an_buf_u8(&s->body, s->doc.p[s->i++]);
out:
    return rc;
}

/* A string in the place of a key moves from the body to the keys. */
static an_rc scan_string_or_key(scan *s)
{
    an_rc rc = AN_OK;
    size_t start = s->body.n;

    AN_TRY(scan_string(s));
    size_t j = s->i;
    while (j < s->doc.n && is_space(s->doc.p[j])) j++;
    if (j == s->doc.n || s->doc.p[j] != ':' || s->body.failed) goto out;
    if (s->n_keys > 0) an_buf_u8(&s->keys, ',');
    an_buf_add(&s->keys, s->body.p + start, s->body.n - start);
    s->body.n = start;
    an_buf_printf(&s->body, "\"%zu\"", s->n_keys++);
out:
    return rc;
}

static size_t digits(an_slice s, size_t i)
{
    size_t n = 0;

    while (i + n < s.n && is_digit(s.p[i + n])) n++;
    return n;
}

static an_rc scan_number(scan *s)
{
    an_rc rc = AN_OK;
    an_slice d = s->doc;
    size_t start = s->i, i = start;

    if (d.p[i] == '-') i++;
    size_t whole = digits(d, i);
    bool ok = whole > 0 && (whole == 1 || d.p[i] != '0');
    i += whole;
    if (ok && i < d.n && d.p[i] == '.') {
        size_t n = digits(d, i + 1);
        ok = n > 0;
        i += 1 + n;
    }
    if (ok && i < d.n && (d.p[i] == 'e' || d.p[i] == 'E')) {
        i++;
        if (i < d.n && (d.p[i] == '+' || d.p[i] == '-')) i++;
        size_t n = digits(d, i);
        ok = n > 0;
        i += n;
    }
    /* What follows must end it, or two ordinals side by side would read as one number. */
    ok = ok && (i == d.n || is_space(d.p[i]) || d.p[i] == ',' || d.p[i] == ']' || d.p[i] == '}');
    AN_CHECK(ok, s->err, AN_ECORRUPT, "json: line %d: invalid number", s->line);
    an_slice text = an_slice_of(d.p + start, i - start);
    an_buf_printf(&s->body, "%zu", s->numbers.n / sizeof text);
    an_buf_add(&s->numbers, &text, sizeof text);
    s->i = i;
out:
    return rc;
}

static an_rc scan_document(scan *s)
{
    an_rc rc = AN_OK;

    an_buf_u8(&s->keys, '[');
    while (s->i < s->doc.n) {
        uint8_t c = s->doc.p[s->i];
        bool number = c == '-' || is_digit(c);
        if (c == '"' || c == '[' || c == '{' || number) s->n_values++;
        AN_CHECK(s->n_values <= AN_JSON_VALUES_MAX, s->err, AN_ECORRUPT,
                 "json: line %d: more than %d values", s->line, AN_JSON_VALUES_MAX);
        if (c == '[' || c == '{') s->depth++;
        s->n_arrays += c == '[';
        s->n_objects += c == '{';
        if ((c == ']' || c == '}') && s->depth > 0) s->depth--;
        AN_CHECK(s->depth <= AN_JSON_DEPTH, s->err, AN_ECORRUPT,
                 "json: line %d: nested deeper than %d", s->line, AN_JSON_DEPTH);
        if (c == '"') {
            AN_TRY(scan_string_or_key(s));
        } else if (number) {
            AN_TRY(scan_number(s));
        } else {
            /* jansson drops a NUL byte here and there instead of refusing it. */
            AN_CHECK(is_space(c) || (c > 0x20 && c < 0x7f), s->err, AN_ECORRUPT,
                     "json: line %d: byte 0x%02x outside a string", s->line, c);
            if (c == '\n') s->line++;
            an_buf_u8(&s->body, c);
            s->i++;
        }
    }
    an_buf_u8(&s->keys, ']');
    AN_CHECK(!s->body.failed && !s->keys.failed && !s->numbers.failed, s->err, AN_ELIMIT,
             "json: no memory for a document of %zu bytes", s->doc.n);
out:
    return rc;
}

typedef struct builder {
    an_arena *a;
    const json_t *keys;
    const an_slice *numbers;
    size_t n_numbers;
    an_err *err;
} builder;

static an_rc build(builder *b, json_t *j, an_json *out);

static an_rc build_text(builder *b, an_slice text, an_slice *out)
{
    an_rc rc = AN_OK;
    an_slice copy = an_arena_try_dup(b->a, text);

    AN_CHECK(copy.p != NULL, b->err, AN_ELIMIT, "json: no memory for a string of %zu bytes",
             text.n);
    *out = copy;
out:
    return rc;
}

static an_slice string_of(const json_t *j)
{
    return an_slice_of(json_string_value(j), json_string_length(j));
}

static an_rc build_items(builder *b, json_t *j, an_json *out)
{
    an_rc rc = AN_OK;
    bool object = json_is_object(j);

    out->type = object ? AN_JSON_OBJECT : AN_JSON_ARRAY;
    out->n = object ? json_object_size(j) : json_array_size(j);
    if (out->n == 0) return AN_OK;
    an_json *items = an_arena_try(b->a, out->n, sizeof *items);
    an_slice *keys = object ? an_arena_try(b->a, out->n, sizeof *keys) : NULL;
    AN_CHECK(items != NULL && (keys != NULL || !object), b->err, AN_ELIMIT,
             "json: no memory for %zu values", out->n);
    out->items = items;
    out->keys = keys;
    if (object) {
        size_t i = 0;
        for (void *it = json_object_iter(j); it != NULL; it = json_object_iter_next(j, it), i++) {
            size_t ordinal = strtoul(json_object_iter_key(it), NULL, 10);
            AN_TRY(build_text(b, string_of(json_array_get(b->keys, ordinal)), &keys[i]));
            AN_TRY(build(b, json_object_iter_value(it), &items[i]));
        }
    } else {
        for (size_t i = 0; i < out->n; i++) AN_TRY(build(b, json_array_get(j, i), &items[i]));
    }
out:
    return rc;
}

/* Recursion is bounded by AN_JSON_DEPTH. */
static an_rc build(builder *b, json_t *j, an_json *out)
{
    switch (json_typeof(j)) {
    case JSON_NULL:
        out->type = AN_JSON_NULL;
        return AN_OK;
    case JSON_TRUE:
    case JSON_FALSE:
        out->type = AN_JSON_BOOL;
        out->truth = json_is_true(j);
        return AN_OK;
    case JSON_STRING:
        out->type = AN_JSON_STRING;
        return build_text(b, string_of(j), &out->text);
    case JSON_INTEGER: {
        size_t ordinal = (size_t)json_integer_value(j);
        an_assert(ordinal < b->n_numbers);
        out->type = AN_JSON_NUMBER;
        return build_text(b, b->numbers[ordinal], &out->text);
    }
    case JSON_REAL:
        an_assert(json_typeof(j) != JSON_REAL); /* every number was replaced by its ordinal */
        return AN_ECORRUPT;
    default:
        return build_items(b, j, out);
    }
}

/* jansson's text without its ` near '...'`, which would show the rewritten document. */
static an_rc syntax_error(const json_error_t *e, an_err *err)
{
    const char *near = strstr(e->text, " near ");
    int n = (int)(near != NULL ? (size_t)(near - e->text) : strlen(e->text));

    if (json_error_code(e) == json_error_out_of_memory) {
        return AN_FAIL(err, AN_ELIMIT, "json: out of memory");
    }
    return AN_FAIL(err, AN_ECORRUPT, "json: line %d: %.*s", e->line, n, e->text);
}

/* What jansson's two trees take at most: a value with its place in its parent, what an empty array
 * and an empty object come with, a key as member and as text, and all strings. */
static size_t jansson_bytes(const scan *s)
{
    return 4096 + 96 * s->n_values + 144 * s->n_arrays + 240 * s->n_objects + 160 * s->n_keys +
           s->body.n + s->keys.n;
}

an_rc an_json_parse(an_arena *a, an_slice doc, size_t max_bytes, const an_json **out, an_err *err)
{
    an_rc rc = AN_OK;
    scan s = {.doc = doc, .line = 1, .err = err};
    json_t *body = NULL, *keys = NULL;
    json_error_t e;

    *out = NULL;
    /* A byte grows into \ufffd at most; an ordinal is at most seven digits long. */
    size_t most = max_bytes < SIZE_MAX / 16 ? max_bytes * 8 + 16 : SIZE_MAX;
    an_budget *budget = an_arena_budget(a);
    size_t taken = 0;
    an_buf_init(&s.body, most, budget);
    an_buf_init(&s.keys, most, budget);
    an_buf_init(&s.numbers, AN_JSON_VALUES_MAX * sizeof(an_slice), budget);
    AN_CHECK(doc.n <= max_bytes, err, AN_ELIMIT, "json: %zu bytes, more than the maximum %zu",
             doc.n, max_bytes);
    AN_CHECK(doc.n > 0, err, AN_ECORRUPT, "json: the document is empty");
    AN_TRY(scan_document(&s));
    AN_CHECK(an_budget_take(budget, jansson_bytes(&s)), err, AN_ELIMIT,
             "json: no memory for %zu values: %zu bytes", s.n_values, jansson_bytes(&s));
    taken = jansson_bytes(&s);
    body = json_loadb((const char *)s.body.p, s.body.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &e);
    if (body == NULL) {
        rc = syntax_error(&e, err);
        goto out;
    }
    keys = json_loadb((const char *)s.keys.p, s.keys.n, JSON_ALLOW_NUL, &e);
    if (keys == NULL) {
        rc = syntax_error(&e, err);
        goto out;
    }
    an_json *root = an_arena_try(a, 1, sizeof *root);
    AN_CHECK(root != NULL, err, AN_ELIMIT, "json: no memory");
    builder b = {.a = a,
                 .keys = keys,
                 .numbers = (const an_slice *)s.numbers.p,
                 .n_numbers = s.numbers.n / sizeof(an_slice),
                 .err = err};
    AN_TRY(build(&b, body, root));
    *out = root;
out:
    json_decref(body);
    json_decref(keys);
    an_budget_give(budget, taken);
    an_buf_deinit(&s.body);
    an_buf_deinit(&s.keys);
    an_buf_deinit(&s.numbers);
    return rc;
}

const char *an_json_type_name(const an_json *v)
{
    static const char *const name[] = {"null", "bool", "number", "string", "array", "object"};
    return name[v->type];
}

/* ---- Members as fields of a struct ---- */

bool an_json_key_is(an_slice key, const char *name)
{
    for (size_t i = 0; i < key.n; name++) {
        uint32_t r, want = (uint8_t)*name;
        i += an_utf8_decode(key.p + i, key.n - i, &r);
        if (want == 0) return false;
        if (want >= 'a' && want <= 'z') want -= 32;
        if (r >= 'a' && r <= 'z') r -= 32;
        if (r == 0x17f) r = 'S';  /* LATIN SMALL LETTER LONG S */
        if (r == 0x212a) r = 'K'; /* KELVIN SIGN */
        if (r != want) return false;
    }
    return *name == '\0';
}

const an_json *an_json_next(const an_json *obj, const char *name, size_t *pos)
{
    for (size_t i = *pos; obj->type == AN_JSON_OBJECT && i < obj->n; i++) {
        if (an_json_key_is(obj->keys[i], name)) {
            *pos = i + 1;
            return &obj->items[i];
        }
    }
    return NULL;
}

const an_json *an_json_field(const an_json *obj, const char *name)
{
    const an_json *last = NULL, *v;
    size_t pos = 0;

    while ((v = an_json_next(obj, name, &pos)) != NULL) last = v;
    return last;
}

const an_json *an_json_key(const an_json *obj, an_slice key)
{
    for (size_t i = obj->type == AN_JSON_OBJECT ? obj->n : 0; i > 0; i--) {
        if (an_slice_eq(obj->keys[i - 1], key)) return &obj->items[i - 1];
    }
    return NULL;
}

static an_rc wrong(const char *name, const char *want, const an_json *v, an_err *err)
{
    bool number = v->type == AN_JSON_NUMBER;

    return AN_FAIL(err, AN_ECORRUPT, "json: field %s: %s%s%.*s is not %s", name,
                   an_json_type_name(v), number ? " " : "",
                   number && v->text.n < 100 ? (int)v->text.n : 0,
                   number ? (const char *)v->text.p : "", want);
}

an_rc an_json_get_int64(const an_json *obj, const char *name, int64_t *out, an_err *err)
{
    const an_json *v;
    int64_t x = *out;

    for (size_t pos = 0; (v = an_json_next(obj, name, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if (!an_json_int64(v, &x)) return wrong(name, "a 64-bit integer", v, err);
    }
    *out = x;
    return AN_OK;
}

an_rc an_json_get_uint64(const an_json *obj, const char *name, uint64_t *out, an_err *err)
{
    const an_json *v;
    uint64_t x = *out;

    for (size_t pos = 0; (v = an_json_next(obj, name, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if (!an_json_uint64(v, &x)) return wrong(name, "an unsigned 64-bit integer", v, err);
    }
    *out = x;
    return AN_OK;
}

an_rc an_json_get_bool(const an_json *obj, const char *name, bool *out, an_err *err)
{
    const an_json *v;
    bool x = *out;

    for (size_t pos = 0; (v = an_json_next(obj, name, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if (v->type != AN_JSON_BOOL) return wrong(name, "a bool", v, err);
        x = v->truth;
    }
    *out = x;
    return AN_OK;
}

an_rc an_json_get_string(const an_json *obj, const char *name, an_slice *out, an_err *err)
{
    const an_json *v;
    an_slice x = *out;

    for (size_t pos = 0; (v = an_json_next(obj, name, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if (v->type != AN_JSON_STRING) return wrong(name, "a string", v, err);
        x = v->text;
    }
    *out = x;
    return AN_OK;
}

/* ---- Numbers ---- */

bool an_json_int64(const an_json *v, int64_t *out)
{
    return v->type == AN_JSON_NUMBER && an_int64_parse(v->text, out);
}

bool an_json_uint64(const an_json *v, uint64_t *out)
{
    return v->type == AN_JSON_NUMBER && an_uint64_parse(v->text, out);
}

bool an_json_float64(const an_json *v, double *out)
{
    if (v->type != AN_JSON_NUMBER) return false;
    double x = strtod((const char *)v->text.p, NULL); /* the arena's copies end with a NUL */
    if (isinf(x)) return false;
    *out = x;
    return true;
}

/* ---- Printing ---- */

typedef struct member {
    an_slice key;
    const an_json *value;
    size_t i; /* place in the document: qsort is not stable */
} member;

static int cmp_member(const void *a, const void *b)
{
    const member *x = a, *y = b;
    int d = an_slice_cmp(x->key, y->key);
    return d != 0 ? d : (x->i > y->i) - (x->i < y->i);
}

static bool print(an_buf *out, const an_json *v, bool html, const an_json **bad);

static bool print_object(an_buf *out, const an_json *v, bool html, const an_json **bad)
{
    bool ok = true, first = true;
    an_buf sorted;

    an_buf_init(&sorted, v->n * sizeof(member), NULL);
    for (size_t i = 0; i < v->n; i++) {
        member m = {v->keys[i], &v->items[i], i};
        an_buf_add(&sorted, &m, sizeof m);
    }
    if (sorted.failed) out->failed = true;
    member *m = (member *)sorted.p;
    size_t n = sorted.n / sizeof *m;
    if (n > 1) qsort(m, n, sizeof *m, cmp_member);
    an_buf_u8(out, '{');
    for (size_t i = 0; ok && i < n; i++) {
        if (i + 1 < n && an_slice_eq(m[i].key, m[i + 1].key)) continue; /* the last one counts */
        if (!first) an_buf_u8(out, ',');
        first = false;
        an_json_quote(out, m[i].key, html);
        an_buf_u8(out, ':');
        ok = print(out, m[i].value, html, bad);
    }
    an_buf_u8(out, '}');
    an_buf_deinit(&sorted);
    return ok;
}

/* Recursion is bounded by AN_JSON_DEPTH. */
static bool print(an_buf *out, const an_json *v, bool html, const an_json **bad)
{
    double x;

    switch (v->type) {
    case AN_JSON_NULL:
        an_buf_str(out, "null");
        break;
    case AN_JSON_BOOL:
        an_buf_str(out, v->truth ? "true" : "false");
        break;
    case AN_JSON_STRING:
        an_json_quote(out, v->text, html);
        break;
    case AN_JSON_NUMBER:
        if (!an_json_float64(v, &x)) {
            *bad = v;
            return false;
        }
        an_json_float64_text(out, x);
        break;
    case AN_JSON_ARRAY:
        an_buf_u8(out, '[');
        for (size_t i = 0; i < v->n; i++) {
            if (i > 0) an_buf_u8(out, ',');
            if (!print(out, &v->items[i], html, bad)) return false;
        }
        an_buf_u8(out, ']');
        break;
    case AN_JSON_OBJECT:
        return print_object(out, v, html, bad);
    }
    return true;
}

bool an_json_print_any(an_buf *out, const an_json *v, bool html, const an_json **bad)
{
    const an_json *where;
    size_t old = out->n;
    bool ok = print(out, v, html, bad != NULL ? bad : &where);

    if (!ok) out->n = old;
    return ok;
}
