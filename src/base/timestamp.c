// SPDX-License-Identifier: Apache-2.0
#include "base/timestamp.h"

#include "base/duration.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- Calendar ----
 *
 * Days are counted from 0000-03-01, so that the leap day ends a year and the months before it have
 * the fixed lengths 31 30 31 30 31 repeated: 153 days in every five months. */

static int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

enum { DAYS_400Y = 146097, DAYS_TO_1970 = 719468 };

int64_t an_civil_to_unix(an_civil c)
{
    int64_t y = c.month <= 2 ? c.year - 1 : c.year;
    int64_t era = floor_div(y, 400), of_era = y - era * 400;
    int64_t month = (c.month + 9) % 12; /* March is 0 */
    int64_t of_year = (153 * month + 2) / 5 + c.day - 1;
    int64_t day = era * DAYS_400Y + of_era * 365 + of_era / 4 - of_era / 100 + of_year;

    return (day - DAYS_TO_1970) * 86400 + INT64_C(3600) * c.hour + INT64_C(60) * c.min + c.sec;
}

an_civil an_civil_from_unix(int64_t sec)
{
    int64_t day = floor_div(sec, 86400), second = sec - day * 86400;

    day += DAYS_TO_1970;
    int64_t era = floor_div(day, DAYS_400Y), of_era = day - era * DAYS_400Y;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t month = (5 * of_year + 2) / 153;

    return (an_civil){
        .year = era * 400 + y + (month >= 10),
        .month = (int)(month < 10 ? month + 3 : month - 9),
        .day = (int)(of_year - (153 * month + 2) / 5 + 1),
        .hour = (int)(second / 3600),
        .min = (int)(second / 60 % 60),
        .sec = (int)(second % 60),
    };
}

static int days_in(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap);
}

/* ---- RFC 3339 ---- */

typedef struct reader {
    an_slice s;
    size_t i;
    const char *bad; /* what could not be read; the first one stays */
} reader;

static bool is_digit(uint8_t c) { return c >= '0' && c <= '9'; }

static void expect(reader *r, uint8_t c, const char *what)
{
    if (r->bad == NULL && (r->i >= r->s.n || r->s.p[r->i] != c)) r->bad = what;
    r->i++;
}

/* `most` digits (`least` if the next one is none), within lo .. hi. */
static int number(reader *r, int least, int most, int lo, int hi, const char *what)
{
    int v = 0, n = 0;

    for (; n < most && r->bad == NULL && r->i < r->s.n && is_digit(r->s.p[r->i]); n++) {
        v = v * 10 + (r->s.p[r->i++] - '0');
    }
    if (r->bad == NULL && (n < least || v < lo || v > hi)) r->bad = what;
    return v;
}

static int32_t fraction(reader *r)
{
    int32_t ns = 0, unit = 100000000;

    if (r->bad != NULL || r->s.n - r->i < 2 || (r->s.p[r->i] != '.' && r->s.p[r->i] != ',') ||
        !is_digit(r->s.p[r->i + 1])) {
        return 0;
    }
    for (r->i++; r->i < r->s.n && is_digit(r->s.p[r->i]); r->i++) {
        ns += (r->s.p[r->i] - '0') * unit;
        unit /= 10;
    }
    return ns;
}

static int32_t zone(reader *r)
{
    static const char what[] = "time zone";

    if (r->bad != NULL) return 0;
    if (r->i >= r->s.n) {
        r->bad = what;
        return 0;
    }
    uint8_t c = r->s.p[r->i++];
    if (c == 'Z') return 0;
    if (c != '+' && c != '-') r->bad = what;
    int hour = number(r, 2, 2, 0, 24, what);
    expect(r, ':', what);
    int min = number(r, 2, 2, 0, 60, what); /* 60 passes in Go too */
    return (c == '-' ? -1 : 1) * (hour * 3600 + min * 60);
}

an_rc an_time_parse(an_slice text, int64_t *sec, int32_t *nsec, int32_t *offset_s, an_err *err)
{
    an_rc rc = AN_OK;
    reader r = {.s = text};
    an_civil c = {0};

    c.year = number(&r, 4, 4, 0, 9999, "year");
    expect(&r, '-', "-");
    c.month = number(&r, 2, 2, 1, 12, "month");
    expect(&r, '-', "-");
    c.day = number(&r, 2, 2, 1, r.bad == NULL ? days_in(c.year, c.month) : 31, "day");
    expect(&r, 'T', "T");
    c.hour = number(&r, 1, 2, 0, 23, "hour");
    expect(&r, ':', ":");
    c.min = number(&r, 2, 2, 0, 59, "minute");
    expect(&r, ':', ":");
    c.sec = number(&r, 2, 2, 0, 59, "second");
    int32_t ns = fraction(&r);
    int32_t offset = zone(&r);
    if (r.bad == NULL && r.i != text.n) r.bad = "end of text";
    AN_CHECK(r.bad == NULL, err, AN_EINVALID,
             "parsing time \"%.*s\" as \"2006-01-02T15:04:05Z07:00\": cannot parse the %s",
             AN_PRI(text), r.bad);
    *sec = an_civil_to_unix(c) - offset;
    *nsec = ns;
    *offset_s = offset;
out:
    return rc;
}

/* "<date><between><time>[.<fraction>]" */
static size_t print_clock(int64_t sec, int32_t nsec, char between, char out[AN_TIME_TEXT])
{
    an_civil c = an_civil_from_unix(sec);
    int n = snprintf(out, AN_TIME_TEXT, "%04lld-%02d-%02d%c%02d:%02d:%02d", (long long)c.year,
                     c.month, c.day, between, c.hour, c.min, c.sec);

    if (nsec != 0) {
        n += snprintf(out + n, AN_TIME_TEXT - (size_t)n, ".%09d", (int)nsec);
        while (out[n - 1] == '0') out[--n] = '\0';
    }
    return (size_t)n;
}

static size_t print_zone(int32_t offset_s, const char *between, char *out, size_t cap)
{
    int32_t abs = offset_s < 0 ? -offset_s : offset_s;

    return (size_t)snprintf(out, cap, "%c%02d%s%02d", offset_s < 0 ? '-' : '+', (int)(abs / 3600),
                            between, (int)(abs / 60 % 60));
}

size_t an_time_print_offset(int64_t sec, int32_t nsec, int32_t offset_s, char out[AN_TIME_TEXT])
{
    size_t n = print_clock(sec + offset_s, nsec, 'T', out);

    if (offset_s == 0) return n + (size_t)snprintf(out + n, AN_TIME_TEXT - n, "Z");
    return n + print_zone(offset_s, ":", out + n, AN_TIME_TEXT - n);
}

size_t an_time_print(int64_t sec, int32_t nsec, char out[AN_TIME_TEXT])
{
    return an_time_print_offset(sec, nsec, 0, out);
}

int32_t an_time_local_offset(int64_t sec)
{
    time_t t = (time_t)sec;
    struct tm tm;

    return localtime_r(&t, &tm) != NULL ? (int32_t)tm.tm_gmtoff : 0;
}

/* ---- Time or duration ---- */

an_rc an_time_or_dur_parse(an_slice text, an_time_or_dur *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_time_or_dur v = {0};

    if (an_time_parse(text, &v.sec, &v.nsec, &v.offset_s, err) != AN_OK) {
        /* The complaint of the second attempt is the one upstream shows. */
        bool negative = text.n > 0 && text.p[0] == '-';
        an_slice rest = negative ? an_slice_of(text.p + 1, text.n - 1) : text;
        v = (an_time_or_dur){.relative = true};
        AN_TRY(an_duration_parse_prom(rest, &v.rel_ns, err));
        if (negative) v.rel_ns = -v.rel_ns;
    }
    *out = v;
out:
    return rc;
}

int64_t an_time_or_dur_ms(an_time_or_dur v, int64_t now_ms)
{
    return v.relative ? now_ms + v.rel_ns / AN_MS : v.sec * 1000 + v.nsec / 1000000;
}

size_t an_time_or_dur_print(an_time_or_dur v, char out[AN_TIME_TEXT])
{
    if (v.relative) {
        char text[AN_DURATION_TEXT];
        (void)an_duration_print_prom(v.rel_ns, text);
        return (size_t)snprintf(out, AN_TIME_TEXT, "%s", text);
    }
    size_t n = print_clock(v.sec + v.offset_s, v.nsec, ' ', out);
    if (v.offset_s == 0) return n + (size_t)snprintf(out + n, AN_TIME_TEXT - n, " +0000 UTC");
    for (int i = 0; i < 2; i++) { /* the second stands for the zone's name, which it lacks */
        out[n++] = ' ';
        n += print_zone(v.offset_s, "", out + n, AN_TIME_TEXT - n);
    }
    return n;
}
