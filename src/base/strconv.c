// SPDX-License-Identifier: Apache-2.0
#include "base/strconv.h"

#include "base/unicode.h"
#include "base/utf8.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Floats ---- */

typedef struct digits {
    char d[20]; /* no leading zero; NUL-terminated */
    int n;
    int exp; /* value = 0.d * 10^exp */
} digits;

static double digits_value(const digits *g)
{
    char t[40];
    (void)snprintf(t, sizeof t, "0.%se%d", g->d, g->exp);
    return strtod(t, NULL);
}

static digits digits_nearest(double v, int n)
{
    char t[40];
    digits g = {.n = n};

    (void)snprintf(t, sizeof t, "%.*e", n - 1, v); /* d.ddde±dd */
    const char *e = strchr(t, 'e');
    g.d[0] = t[0];
    if (n > 1) memcpy(g.d + 1, t + 2, (size_t)n - 1);
    g.d[n] = '\0';
    g.exp = (int)strtol(e + 1, NULL, 10) + 1;
    return g;
}

static void digits_increment(digits *g)
{
    int i = g->n - 1;

    while (i >= 0 && g->d[i] == '9') g->d[i--] = '0';
    if (i >= 0) {
        g->d[i]++;
    } else {
        g->d[0] = '1';
        g->exp++;
    }
}

/* v > 0 and finite. Fifteen digits are enough to name every decimal that short, so a shorter answer
 * is those with the zeros cut off; only subnormals need to be tried from one digit on. Below a
 * power of two doubles lie closer than above it, so there the nearest 16 digits may read back as
 * the neighbour below while the next number up still reads as v. */
static digits digits_shortest(double v)
{
    int exp2;
    bool power_of_two = frexp(v, &exp2) == 0.5;
    digits g;

    for (int n = v < DBL_MIN ? 1 : 15; n < 17; n++) {
        g = digits_nearest(v, n);
        if (digits_value(&g) == v) goto out;
        if (power_of_two && n == 16) {
            digits_increment(&g);
            if (digits_value(&g) == v) goto out;
        }
    }
    g = digits_nearest(v, 17);
out:
    while (g.n > 1 && g.d[g.n - 1] == '0') g.d[--g.n] = '\0';
    return g;
}

size_t an_float_print(double v, char fmt, char out[AN_FLOAT_TEXT])
{
    size_t n = 0;

    if (isnan(v) || isinf(v)) {
        const char *name = isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf";
        memcpy(out, name, strlen(name) + 1);
        return strlen(name);
    }
    if (signbit(v)) out[n++] = '-';
    digits g = {.d = "0", .n = 1, .exp = 1};
    if (v != 0) g = digits_shortest(fabs(v));
    int exp = g.exp - 1;
    if (fmt == 'e' || (fmt == 'g' && (exp < -4 || exp >= 6))) {
        out[n++] = g.d[0];
        if (g.n > 1) {
            out[n++] = '.';
            memcpy(out + n, g.d + 1, (size_t)g.n - 1);
            n += (size_t)g.n - 1;
        }
        n += (size_t)snprintf(out + n, AN_FLOAT_TEXT - n, "e%c%02d", exp < 0 ? '-' : '+', abs(exp));
        return n;
    }
    if (g.exp <= 0) { /* 0.000ddd */
        out[n++] = '0';
        out[n++] = '.';
        for (int i = 0; i < -g.exp; i++) out[n++] = '0';
        memcpy(out + n, g.d, (size_t)g.n);
        n += (size_t)g.n;
    } else {
        for (int i = 0; i < g.exp; i++) out[n++] = (char)(i < g.n ? g.d[i] : '0');
        if (g.n > g.exp) {
            out[n++] = '.';
            memcpy(out + n, g.d + g.exp, (size_t)(g.n - g.exp));
            n += (size_t)(g.n - g.exp);
        }
    }
    out[n] = '\0';
    return n;
}

static uint8_t lower(uint8_t c) { return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c; }
static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }
static bool is_hex(uint8_t c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

static bool equal_fold(an_slice s, const char *word)
{
    if (s.n != strlen(word)) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (lower(s.p[i]) != (uint8_t)word[i]) return false;
    }
    return true;
}

/* Digits from *i on, at least one; '_' only between digits (`after_digit`: one went before, as the
 * prefix 0x does). What they say goes to `clean`. */
static bool take_digits(an_slice s, size_t *i, bool hex, bool after_digit, bool *any, an_buf *clean)
{
    *any = false;
    for (; *i < s.n; ++*i) {
        uint8_t c = s.p[*i];
        if (c == '_') {
            bool before = after_digit;
            bool behind = *i + 1 < s.n && (hex ? is_hex(s.p[*i + 1]) : is_digit(s.p[*i + 1]));
            if (!before || !behind) return false;
            after_digit = false;
        } else if (hex ? is_hex(c) : is_digit(c)) {
            an_buf_u8(clean, c);
            after_digit = *any = true;
        } else {
            break;
        }
    }
    return true;
}

/* The grammar of Go's floating-point literals with a sign; what strtod may read goes to `clean`. */
static bool float_syntax(an_slice s, an_buf *clean)
{
    size_t i = 0;
    bool whole, fraction = false, any;

    if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) an_buf_u8(clean, s.p[i++]);
    bool hex = s.n - i > 2 && s.p[i] == '0' && lower(s.p[i + 1]) == 'x';
    if (hex) {
        an_buf_str(clean, "0x");
        i += 2;
    }
    if (!take_digits(s, &i, hex, hex, &whole, clean)) return false;
    if (i < s.n && s.p[i] == '.') {
        an_buf_u8(clean, s.p[i++]);
        if (!take_digits(s, &i, hex, false, &fraction, clean)) return false;
    }
    if (!whole && !fraction) return false;
    if (i < s.n && lower(s.p[i]) == (hex ? 'p' : 'e')) {
        an_buf_u8(clean, s.p[i++]);
        if (i < s.n && (s.p[i] == '+' || s.p[i] == '-')) an_buf_u8(clean, s.p[i++]);
        if (!take_digits(s, &i, false, false, &any, clean) || !any) return false;
    } else if (hex) {
        return false; /* Go wants the exponent of a hexadecimal float */
    }
    return i == s.n;
}

an_rc an_float_parse(an_slice text, double *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf clean;
    an_slice rest = text;
    bool sign = text.n > 0 && (text.p[0] == '+' || text.p[0] == '-');

    an_buf_init(&clean, text.n + 8, NULL);
    if (sign) rest = an_slice_of(text.p + 1, text.n - 1);
    if (equal_fold(rest, "inf") || equal_fold(rest, "infinity")) {
        *out = sign && text.p[0] == '-' ? -INFINITY : INFINITY;
        goto out;
    }
    if (!sign && equal_fold(text, "nan")) {
        *out = NAN;
        goto out;
    }
    bool ok = float_syntax(text, &clean);
    an_buf_u8(&clean, 0);
    if (!ok || clean.failed) {
        an_buf quoted;
        an_buf_init(&quoted, 400, NULL);
        an_quote(&quoted, text);
        rc = AN_FAIL(err, AN_EINVALID, "strconv.ParseFloat: parsing %.*s: invalid syntax",
                     AN_PRI(an_buf_slice(&quoted)));
        an_buf_deinit(&quoted);
        goto out;
    }
    double v = strtod((const char *)clean.p, NULL);
    AN_CHECK(!isinf(v), err, AN_EINVALID,
             "strconv.ParseFloat: parsing \"%.*s\": value out of range", AN_PRI(text));
    *out = v;
out:
    an_buf_deinit(&clean);
    return rc;
}

an_rc an_int_flag_parse(an_slice text, int64_t *out, an_err *err)
{
    an_rc rc = AN_OK;
    double v = 0;

    AN_TRY(an_float_parse(text, &v, err));
    /* The value amd64's conversion gives for everything it cannot represent. */
    *out = v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN;
out:
    return rc;
}

/* ---- Integers ---- */

bool an_uint64_parse(an_slice text, uint64_t *out)
{
    uint64_t v = 0;

    if (text.n == 0) return false;
    for (size_t i = 0; i < text.n; i++) {
        if (!is_digit(text.p[i]) || __builtin_mul_overflow(v, (uint64_t)10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(text.p[i] - '0'), &v)) {
            return false;
        }
    }
    *out = v;
    return true;
}

bool an_int64_parse(an_slice text, int64_t *out)
{
    uint64_t v;
    bool negative = text.n > 0 && text.p[0] == '-';

    if (text.n > 0 && (negative || text.p[0] == '+')) text = an_slice_of(text.p + 1, text.n - 1);
    if (!an_uint64_parse(text, &v) || v > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

void an_thousands(an_buf *out, int64_t v)
{
    char t[24];
    int n =
        snprintf(t, sizeof t, "%llu", v < 0 ? 0 - (unsigned long long)v : (unsigned long long)v);

    if (v < 0) an_buf_u8(out, '-');
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) an_buf_u8(out, ',');
        an_buf_u8(out, (uint8_t)t[i]);
    }
}

/* ---- Quotes ---- */

/* The letter behind the backslash of a short escape, 0: there is none. */
static char short_escape(uint32_t r)
{
    switch (r) {
    case '\a':
        return 'a';
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    case '\v':
        return 'v';
    case '"':
    case '\\':
        return (char)r;
    default:
        return 0;
    }
}

void an_quote(an_buf *out, an_slice s)
{
    an_buf_u8(out, '"');
    for (size_t i = 0; i < s.n;) {
        uint32_t r;
        size_t len = an_utf8_decode(s.p + i, s.n - i, &r);
        char e = short_escape(r);
        if (r == AN_RUNE_ERROR && len == 1) {
            an_buf_printf(out, "\\x%02x", s.p[i]);
        } else if (e != 0) {
            an_buf_u8(out, '\\');
            an_buf_u8(out, (uint8_t)e);
        } else if (an_rune_prints(r)) {
            an_buf_add(out, s.p + i, len);
        } else if (r < 0x80) {
            an_buf_printf(out, "\\x%02x", (unsigned)r);
        } else if (r < 0x10000) {
            an_buf_printf(out, "\\u%04x", (unsigned)r);
        } else {
            an_buf_printf(out, "\\U%08x", (unsigned)r);
        }
        i += len;
    }
    an_buf_u8(out, '"');
}

static int hex_value(uint8_t c) { return is_digit(c) ? c - '0' : lower(c) - 'a' + 10; }

/* n digits of the base from s at *i, or -1. */
static int64_t escape_number(an_slice s, size_t *i, size_t n, int base)
{
    int64_t v = 0;

    if (s.n - *i < n) return -1;
    for (size_t k = 0; k < n; k++) {
        uint8_t c = s.p[*i + k];
        if (base == 16 ? !is_hex(c) : c < '0' || c > '7') return -1;
        v = v * base + hex_value(c);
    }
    *i += n;
    return v;
}

/* One escape of an interpreted literal; *i stands behind the backslash. */
static bool unescape(an_buf *out, an_slice s, size_t *i, uint8_t quote)
{
    static const char from[] = "abfnrtv\\", to[] = "\a\b\f\n\r\t\v\\";
    uint8_t utf8[4];
    int64_t v;

    if (*i >= s.n) return false;
    uint8_t c = s.p[(*i)++];
    const char *e = c == 0 ? NULL : strchr(from, c);
    if (e != NULL || c == quote) {
        an_buf_u8(out, e != NULL ? (uint8_t)to[e - from] : c);
        return true;
    }
    switch (c) {
    case 'x':
        if ((v = escape_number(s, i, 2, 16)) < 0) return false;
        an_buf_u8(out, (uint8_t)v);
        return true;
    case 'u':
    case 'U':
        v = escape_number(s, i, c == 'u' ? 4 : 8, 16);
        if (v < 0 || v > AN_RUNE_MAX || (v >= 0xd800 && v < 0xe000)) return false;
        an_buf_add(out, utf8, an_utf8_encode((uint32_t)v, utf8));
        return true;
    default:
        (*i)--;
        if ((v = escape_number(s, i, 3, 8)) < 0 || v > 255) return false;
        an_buf_u8(out, (uint8_t)v);
        return true;
    }
}

bool an_unquote(an_buf *out, an_slice text)
{
    size_t old = out->n;

    if (text.n < 2 || text.p[0] != text.p[text.n - 1]) return false;
    uint8_t quote = text.p[0];
    an_slice s = an_slice_of(text.p + 1, text.n - 2);
    if (quote == '`') {
        if (s.n > 0 && memchr(s.p, '`', s.n) != NULL) return false;
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] != '\r') an_buf_u8(out, s.p[i]); /* as in Go's source text */
        }
        return true;
    }
    if (quote != '"' && quote != '\'') return false;
    size_t runes = 0;
    for (size_t i = 0; i < s.n; runes++) {
        uint8_t utf8[4];
        uint32_t r;
        uint8_t c = s.p[i];
        if (c == quote || c == '\n') goto bad;
        if (c == '\\') {
            i++;
            if (!unescape(out, s, &i, quote)) goto bad;
            continue;
        }
        size_t len = an_utf8_decode(s.p + i, s.n - i, &r);
        if (len == 1 && r == AN_RUNE_ERROR) {
            an_buf_add(out, utf8, an_utf8_encode(r, utf8));
        } else {
            an_buf_add(out, s.p + i, len);
        }
        i += len;
    }
    if (quote == '\'' && runes > 1) goto bad; /* Go takes '' too */
    return true;
bad:
    out->n = old;
    return false;
}
