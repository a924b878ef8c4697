// SPDX-License-Identifier: Apache-2.0
#include "base/bytesize.h"

#include <stdio.h>

static const char letters[] = "KMGTPE";

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

/* 0: no such unit. */
static double unit_bytes(an_slice u, bool binary_style)
{
    double bytes = 1;

    if (an_slice_eq(u, AN_LIT("B"))) return 1;
    if (u.n != (binary_style ? 3 : 2)) return 0;
    for (const char *l = letters; *l != '\0'; l++) {
        bytes *= 1024;
        if (u.p[0] != (uint8_t)*l) continue;
        u = an_slice_of(u.p + 1, u.n - 1);
        return an_slice_eq(u, binary_style ? AN_LIT("iB") : AN_LIT("B")) ? bytes : 0;
    }
    return 0;
}

/* Digits at *i as an integer; false when there are too many. */
static bool take_int(an_slice s, size_t *i, int64_t *v)
{
    const int64_t limit = (INT64_MAX - 9) / 10; /* upstream stops a little early, so do we */

    for (*v = 0; *i < s.n && is_digit(s.p[*i]); ++*i) {
        if (*v >= limit) return false;
        *v = *v * 10 + (s.p[*i] - '0');
    }
    return true;
}

static an_rc parse(an_slice text, bool binary_style, int64_t *bytes, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice s = text;
    double sum = 0;
    bool negative = s.n > 0 && s.p[0] == '-';

    if (s.n > 0 && (negative || s.p[0] == '+')) s = an_slice_of(s.p + 1, s.n - 1);
    if (an_slice_eq(s, AN_LIT("0"))) {
        *bytes = 0;
        goto out;
    }
    AN_CHECK(s.n > 0, err, AN_EINVALID, "units: invalid %.*s", AN_PRI(text));
    for (size_t i = 0; i < s.n;) {
        int64_t whole, frac = 0;
        size_t start = i, n_frac = 0;
        bool ok = take_int(s, &i, &whole);
        size_t n_whole = i - start;
        double scale = 1;
        if (ok && i < s.n && s.p[i] == '.') {
            start = ++i;
            ok = take_int(s, &i, &frac);
            n_frac = i - start;
        }
        AN_CHECK(ok && n_whole + n_frac > 0, err, AN_EINVALID, "units: invalid %.*s", AN_PRI(text));
        for (size_t k = 0; k < n_frac; k++) scale *= 10;
        start = i;
        while (i < s.n && s.p[i] != '.' && !is_digit(s.p[i])) i++;
        an_slice name = an_slice_of(s.p + start, i - start);
        double unit = unit_bytes(name, binary_style);
        AN_CHECK(unit != 0, err, AN_EINVALID, "units: unknown unit %.*s in %.*s", AN_PRI(name),
                 AN_PRI(text));
        sum += ((double)whole + (double)frac / scale) * unit;
    }
    if (negative) sum = -sum;
    AN_CHECK(sum >= -0x1p63 && sum <= 0x1p63, err, AN_EINVALID, "units: overflow parsing unit");
    *bytes = sum < 0x1p63 ? (int64_t)sum : INT64_MIN;
out:
    return rc;
}

an_rc an_bytesize_parse(an_slice text, int64_t *bytes, an_err *err)
{
    if (parse(text, true, bytes, err) == AN_OK) return AN_OK;
    return parse(text, false, bytes, err);
}

size_t an_bytesize_print(int64_t bytes, char out[AN_BYTESIZE_TEXT])
{
    int digit[7]; /* in base 1024, lowest first; all with the sign of bytes */
    int n = 0;
    size_t len = 0;

    do {
        digit[n++] = (int)(bytes % 1024);
        bytes /= 1024;
    } while (bytes != 0);
    for (int i = n - 1; i >= 0; i--) {
        if (digit[i] == 0 && !(i == 0 && n == 1)) continue;
        int w = i == 0 ? snprintf(out + len, AN_BYTESIZE_TEXT - len, "%dB", digit[i])
                       : snprintf(out + len, AN_BYTESIZE_TEXT - len, "%d%ciB", digit[i],
                                  letters[i - 1]);
        len += (size_t)w;
    }
    return len;
}
