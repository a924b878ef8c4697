// SPDX-License-Identifier: Apache-2.0
#include "base/duration.h"

#include "base/strconv.h"

#include <stdio.h>

typedef struct unit {
    an_slice name;
    int64_t ns;
} unit;

static const unit go_units[] = {
    {AN_LIT("ns"), 1},
    {AN_LIT("us"), AN_US},
    {AN_LIT("\xc2\xb5s"), AN_US}, /* U+00B5 micro sign */
    {AN_LIT("\xce\xbcs"), AN_US}, /* U+03BC Greek mu */
    {AN_LIT("ms"), AN_MS},
    {AN_LIT("s"), AN_SECOND},
    {AN_LIT("m"), AN_MINUTE},
    {AN_LIT("h"), AN_HOUR},
    {AN_LIT("d"), AN_DAY},
    {AN_LIT("w"), 7 * AN_DAY},
    {{NULL, 0}, 0},
};

static const unit prom_units[] = {
    /* in the order they must come */
    {AN_LIT("y"), 365 * AN_DAY}, {AN_LIT("w"), 7 * AN_DAY},
    {AN_LIT("d"), AN_DAY},       {AN_LIT("h"), AN_HOUR},
    {AN_LIT("m"), AN_MINUTE},    {AN_LIT("s"), AN_SECOND},
    {AN_LIT("ms"), AN_MS},       {{NULL, 0}, 0},
};

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static size_t digits(an_slice s, size_t i)
{
    size_t n = 0;

    while (i + n < s.n && is_digit(s.p[i + n])) n++;
    return n;
}

/* A unit is everything up to the next digit (or point, in Go's grammar). */
static an_slice unit_text(an_slice s, size_t i, bool point_ends)
{
    size_t n = 0;

    while (i + n < s.n && !is_digit(s.p[i + n]) && !(point_ends && s.p[i + n] == '.')) n++;
    return an_slice_of(s.p + i, n);
}

static const unit *find_unit(const unit *u, an_slice name)
{
    for (; u->name.n > 0; u++) {
        if (an_slice_eq(u->name, name)) return u;
    }
    return NULL;
}

/* The digits behind a decimal point as f / scale. More than fit 63 bits are dropped, as in Go. */
static void read_fraction(an_slice digit_text, int64_t *f, double *scale)
{
    *f = 0;
    *scale = 1;
    for (size_t i = 0; i < digit_text.n; i++) {
        int64_t next;
        if (__builtin_mul_overflow(*f, INT64_C(10), &next) ||
            __builtin_add_overflow(next, digit_text.p[i] - '0', &next)) {
            break;
        }
        *f = next;
        *scale *= 10;
    }
}

an_rc an_duration_parse(an_slice text, int64_t *ns, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice s = text;
    int64_t sum = 0;
    bool negative = s.n > 0 && s.p[0] == '-';

    if (s.n > 0 && (negative || s.p[0] == '+')) s = an_slice_of(s.p + 1, s.n - 1);
    if (an_slice_eq(s, AN_LIT("0"))) {
        *ns = 0;
        goto out;
    }
    AN_CHECK(s.n > 0, err, AN_EINVALID, "time: invalid duration \"%.*s\"", AN_PRI(text));
    for (size_t i = 0; i < s.n;) {
        int64_t f, v = 0, part;
        double scale;
        size_t n_frac = 0, n = digits(s, i);
        bool fits = n == 0 || an_int64_parse(an_slice_of(s.p + i, n), &v);
        i += n;
        if (i < s.n && s.p[i] == '.') n_frac = digits(s, ++i);
        read_fraction(an_slice_of(s.p + i, n_frac), &f, &scale);
        i += n_frac;
        AN_CHECK(fits && n + n_frac > 0, err, AN_EINVALID, "time: invalid duration \"%.*s\"",
                 AN_PRI(text));
        an_slice name = unit_text(s, i, true);
        AN_CHECK(name.n > 0, err, AN_EINVALID, "time: missing unit in duration \"%.*s\"",
                 AN_PRI(text));
        const unit *u = find_unit(go_units, name);
        AN_CHECK(u != NULL, err, AN_EINVALID, "time: unknown unit \"%.*s\" in duration \"%.*s\"",
                 AN_PRI(name), AN_PRI(text));
        i += name.n;
        /* f / scale < 1, so the product stays below a week and fits. */
        bool over =
            __builtin_mul_overflow(v, u->ns, &part) ||
            __builtin_add_overflow(part, (int64_t)((double)f * ((double)u->ns / scale)), &part) ||
            __builtin_add_overflow(sum, part, &sum);
        AN_CHECK(!over, err, AN_EINVALID, "time: invalid duration \"%.*s\"", AN_PRI(text));
    }
    *ns = negative ? -sum : sum;
out:
    return rc;
}

/* `<before>"<escaped text>"`, as Go's %q shows it. */
static an_rc refuse(an_err *err, const char *before, an_slice text)
{
    an_buf quoted;

    an_buf_init(&quoted, sizeof err->msg, NULL);
    an_quote(&quoted, text);
    an_rc rc = AN_FAIL(err, AN_EINVALID, "%s%.*s", before, AN_PRI(an_buf_slice(&quoted)));
    an_buf_deinit(&quoted);
    return rc;
}

static an_rc refuse_unit(an_err *err, an_slice name, an_slice text)
{
    an_buf before;

    an_buf_init(&before, sizeof err->msg, NULL);
    an_buf_str(&before, "unknown unit ");
    an_quote(&before, name);
    an_buf_str(&before, " in duration ");
    an_buf_u8(&before, 0);
    an_rc rc = refuse(err, before.failed ? "unknown unit in " : (const char *)before.p, text);
    an_buf_deinit(&before);
    return rc;
}

an_rc an_duration_parse_prom(an_slice text, int64_t *ns, an_err *err)
{
    int64_t sum = 0;
    const unit *last = NULL;

    if (text.n == 0) return AN_FAIL(err, AN_EINVALID, "empty duration string");
    if (an_slice_eq(text, AN_LIT("0"))) {
        *ns = 0;
        return AN_OK;
    }
    for (size_t i = 0; i < text.n;) {
        uint64_t v;
        int64_t part;
        size_t n = digits(text, i);
        bool number = an_uint64_parse(an_slice_of(text.p + i, n), &v);
        an_slice name = unit_text(text, i + n, false);
        if (!number || name.n == 0) return refuse(err, "not a valid duration string: ", text);
        const unit *u = find_unit(prom_units, name);
        if (u == NULL) return refuse_unit(err, name, text);
        if (last != NULL && u <= last) return refuse(err, "not a valid duration string: ", text);
        last = u;
        i += n + name.n;
        if (v > INT64_MAX || __builtin_mul_overflow((int64_t)v, u->ns, &part) ||
            __builtin_add_overflow(sum, part, &sum)) {
            return AN_FAIL(err, AN_EINVALID, "duration out of range");
        }
    }
    *ns = sum;
    return AN_OK;
}

/* "12.345" with trailing zeros of the fraction cut off; `frac` has `width` digits. */
static int print_decimal(char *out, size_t cap, uint64_t whole, uint64_t frac, int width)
{
    while (width > 0 && frac % 10 == 0) {
        frac /= 10;
        width--;
    }
    if (width == 0) return snprintf(out, cap, "%llu", (unsigned long long)whole);
    return snprintf(out, cap, "%llu.%0*llu", (unsigned long long)whole, width,
                    (unsigned long long)frac);
}

size_t an_duration_print(int64_t ns, char out[AN_DURATION_TEXT])
{
    uint64_t u = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
    const uint64_t second = (uint64_t)AN_SECOND;
    const char *end = "s";
    char *p = out;

#define ROOM (AN_DURATION_TEXT - (size_t)(p - out))
    if (ns < 0) *p++ = '-';
    if (u == 0) {
        p += snprintf(p, ROOM, "0s");
        return (size_t)(p - out);
    }
    if (u < 1000) {
        p += print_decimal(p, ROOM, u, 0, 0);
        end = "ns";
    } else if (u < 1000000) {
        p += print_decimal(p, ROOM, u / 1000, u % 1000, 3);
        end = "\xc2\xb5s";
    } else if (u < second) {
        p += print_decimal(p, ROOM, u / 1000000, u % 1000000, 6);
        end = "ms";
    } else {
        uint64_t sec = u / second;
        if (sec >= 3600) p += snprintf(p, ROOM, "%lluh", (unsigned long long)(sec / 3600));
        if (sec >= 60) p += snprintf(p, ROOM, "%llum", (unsigned long long)(sec / 60 % 60));
        p += print_decimal(p, ROOM, sec % 60, u % second, 9);
    }
    p += snprintf(p, ROOM, "%s", end);
#undef ROOM
    return (size_t)(p - out);
}

size_t an_duration_print_prom(int64_t ns, char out[AN_DURATION_TEXT])
{
    uint64_t left = (ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns) / (uint64_t)AN_MS;
    size_t n = 0;

    if (left == 0) return (size_t)snprintf(out, AN_DURATION_TEXT, "0s");
    if (ns < 0) out[n++] = '-';
    for (const unit *u = prom_units; u->name.n > 0; u++) {
        uint64_t ms = (uint64_t)(u->ns / AN_MS), v = left / ms;
        bool exact_only = u->ns > AN_DAY; /* 90d reads better than 12w6d */
        if (v == 0 || (exact_only && left % ms != 0)) continue;
        n += (size_t)snprintf(out + n, AN_DURATION_TEXT - n, "%llu%.*s", (unsigned long long)v,
                              AN_PRI(u->name));
        left -= v * ms;
    }
    return n;
}
