// SPDX-License-Identifier: Apache-2.0
#include "base/yaml_scalar.h"

#include "base/strconv.h"

#include <math.h>
#include <string.h>

static bool any_of(an_slice s, const char *words) /* each followed by a blank */
{
    for (size_t n; *words != '\0'; words += n + 1) {
        n = strcspn(words, " ");
        if (an_slice_eq(s, an_slice_of(words, n))) return true;
    }
    return false;
}

/* The words that stand for a value; false: s is none of them. */
static bool resolve_word(an_yaml *v)
{
    an_slice s = v->text;

    if (s.n == 0 || any_of(s, "~ null Null NULL ")) {
        v->type = AN_YAML_NULL;
    } else if (any_of(s, "y Y yes Yes YES true True TRUE on On ON ")) {
        v->type = AN_YAML_BOOL;
        v->truth = true;
    } else if (any_of(s, "n N no No NO false False FALSE off Off OFF ")) {
        v->type = AN_YAML_BOOL;
    } else if (any_of(s, ".nan .NaN .NAN ")) {
        v->type = AN_YAML_FLOAT;
        v->f = NAN;
    } else if (any_of(s, ".inf .Inf .INF +.inf +.Inf +.INF ")) {
        v->type = AN_YAML_FLOAT;
        v->f = INFINITY;
    } else if (any_of(s, "-.inf -.Inf -.INF ")) {
        v->type = AN_YAML_FLOAT;
        v->f = -INFINITY;
    } else {
        return false;
    }
    return true;
}

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static int digit_value(uint8_t c)
{
    if (is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

/* 12, 0x1f, 0o17, 017, 0b11 with a sign, as far as it fits 64 bits. Without a sign up to
 * UINT64_MAX, with a plus only up to INT64_MAX, as strconv's two readers take it. */
static bool resolve_int(an_yaml *v, an_slice s)
{
    bool sign = s.n > 0 && (s.p[0] == '-' || s.p[0] == '+');
    bool negative = sign && s.p[0] == '-';
    int base = 10;
    uint64_t u = 0;

    if (sign) s = an_slice_of(s.p + 1, s.n - 1);
    if (s.n > 1 && s.p[0] == '0') {
        uint8_t c = s.p[1] | 0x20;
        base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
        size_t skip = c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
        s = an_slice_of(s.p + skip, s.n - skip);
    }
    if (s.n == 0) return false;
    for (size_t i = 0; i < s.n; i++) {
        int d = digit_value(s.p[i]);
        if (d >= base || __builtin_mul_overflow(u, (uint64_t)base, &u) ||
            __builtin_add_overflow(u, (uint64_t)d, &u)) {
            return false;
        }
    }
    if (sign && u > (uint64_t)INT64_MAX + negative) return false;
    v->type = AN_YAML_INT;
    v->is_uint = u > INT64_MAX && !negative;
    v->u = negative ? 0 : u;
    v->i = v->is_uint ? 0 : (int64_t)(negative ? 0 - u : u);
    v->f = v->is_uint ? (double)v->u : (double)v->i;
    return true;
}

/* [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(an_slice s)
{
    size_t i = 0, whole = 0, fraction = 0, exponent = 0;

    if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
    for (; i < s.n && is_digit(s.p[i]); i++) whole++;
    if (i < s.n && s.p[i] == '.') {
        for (i++; i < s.n && is_digit(s.p[i]); i++) fraction++;
    }
    if (whole + fraction == 0) return false;
    if (i < s.n && (s.p[i] | 0x20) == 'e') {
        i++;
        if (i < s.n && (s.p[i] == '-' || s.p[i] == '+')) i++;
        for (; i < s.n && is_digit(s.p[i]); i++) exponent++;
        if (exponent == 0) return false;
    }
    return i == s.n;
}

static bool resolve_float(an_yaml *v, an_slice s)
{
    an_err err;
    double f;

    if (an_float_parse(s, &f, &err) != AN_OK) return false; /* out of range: text */
    v->type = AN_YAML_FLOAT;
    v->f = f;
    return true;
}

static void resolve_number(an_yaml *v)
{
    an_slice s = v->text;
    an_buf plain;

    if (s.n == 0 || s.n > 400) return;
    if (s.p[0] == '.') { /* straight to the float reader, underscores and all */
        (void)resolve_float(v, s);
        return;
    }
    if (!is_digit(s.p[0]) && s.p[0] != '-' && s.p[0] != '+') return;
    an_buf_init(&plain, s.n, NULL);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '_') an_buf_u8(&plain, s.p[i]);
    }
    s = an_buf_slice(&plain);
    if (!plain.failed && !resolve_int(v, s) && is_float(s)) (void)resolve_float(v, s);
    an_buf_deinit(&plain);
}

const char *an_yaml_tag(const an_yaml *v)
{
    static const char *const scalar[] = {"!!null", "!!bool", "!!int", "!!float", "!!str"};
    return v->kind == AN_YAML_SCALAR ? scalar[v->type] : v->kind == AN_YAML_SEQ ? "!!seq" : "!!map";
}

static int base64_value(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (is_digit(c)) return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Groups of four with padding, line ends anywhere. The text becomes what it encodes. */
static an_rc decode_base64(an_arena *a, an_yaml *v, an_err *err)
{
    an_rc rc = AN_OK;
    uint8_t *out = an_arena_try(a, v->text.n / 4 * 3 + 4, 1);
    uint32_t group = 0;
    size_t n = 0, digits = 0, padding = 0;
    bool bad = false;

    AN_CHECK(out != NULL, err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    for (size_t i = 0; i < v->text.n; i++) {
        uint8_t c = v->text.p[i];
        int d = base64_value(c);
        if (c == '\n' || c == '\r') continue;
        bad |= c == '=' ? digits % 4 < 2 && padding == 0 : d < 0 || padding > 0;
        padding += c == '=';
        group = group << 6 | (uint32_t)(d < 0 ? 0 : d);
        if (++digits % 4 != 0) continue;
        for (size_t k = 0; k < 3 - (padding < 3 ? padding : 3); k++) {
            out[n++] = (uint8_t)(group >> (16 - 8 * k));
        }
        group = 0;
    }
    AN_CHECK(!bad && digits % 4 == 0 && padding <= 2, err, AN_EINVALID,
             "yaml: line %d: !!binary value contains invalid base64 data", v->line);
    v->text = an_slice_of(out, n);
out:
    return rc;
}

an_rc an_yaml_resolve(an_arena *a, an_yaml *v, const char *tag, an_err *err)
{
    static const char prefix[] = "tag:yaml.org,2002:";
    an_rc rc = AN_OK;
    char want[16] = "";

    v->type = AN_YAML_STR;
    if (strncmp(tag, prefix, sizeof prefix - 1) == 0) {
        an_slice name = an_slice_str(tag + sizeof prefix - 1);
        if (any_of(name, "null bool int float ")) {
            memcpy(want, "!!", 2);
            memcpy(want + 2, name.p, name.n);
        }
        if (an_slice_eq(name, AN_LIT("binary"))) return decode_base64(a, v, err);
    }
    if (tag[0] != '\0' && want[0] == '\0') goto out; /* text by its tag */
    if (!resolve_word(v)) resolve_number(v);
    if (strcmp(want, "!!float") == 0 && v->type == AN_YAML_INT) v->type = AN_YAML_FLOAT;
    AN_CHECK(want[0] == '\0' || strcmp(want, an_yaml_tag(v)) == 0, err, AN_EINVALID,
             "yaml: line %d: cannot decode %s `%.*s` as a %s", v->line, an_yaml_tag(v),
             AN_PRI(v->text), want);
out:
    return rc;
}
