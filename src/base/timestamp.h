// SPDX-License-Identifier: Apache-2.0
/* base/timestamp.h: points in time as seconds and nanoseconds since 1970 UTC, RFC 3339, and flags
 * that take either a time or a duration.
 *
 * The calendar is the proleptic Gregorian one, computed here: no localtime, no TZ for UTC output.
 * Years 0 to 9999 can be read. Source: spec/operations.md 1.2; oracle: golden/vectors/durations. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

typedef struct an_civil { /* a date and time of day, no zone */
    int64_t year;
    int month, day; /* from 1 */
    int hour, min, sec;
} an_civil;

/* Each undoes the other. */
an_civil an_civil_from_unix(int64_t sec);
int64_t an_civil_to_unix(an_civil c); /* fields in range; no check */

/* RFC 3339 as Go's time.Parse reads it: one-digit hour, ',' as decimal mark and offsets up to
 * +24:00 pass; lower case t and z, a missing offset or a bare date do not. Digits after the ninth
 * are dropped. *offset_s is the zone's distance to UTC. AN_EINVALID: the text
 * says which part could not be read. */
AN_MUST_CHECK an_rc an_time_parse(an_slice text, int64_t *sec, int32_t *nsec, int32_t *offset_s,
                                  an_err *err);

/* NUL-terminated; the length is returned. */
enum { AN_TIME_TEXT = 64 };
/* 2026-01-02T03:04:05.678Z: nanoseconds with trailing zeros trimmed, none if zero. */
size_t an_time_print(int64_t sec, int32_t nsec, char out[AN_TIME_TEXT]);
/* The same with a given offset: ...+02:00, or Z when it is 0. */
size_t an_time_print_offset(int64_t sec, int32_t nsec, int32_t offset_s, char out[AN_TIME_TEXT]);
/* Offset of the machine's zone (TZ, /etc/localtime) at that moment: for people, never for files. */
int32_t an_time_local_offset(int64_t sec);

/* --min-time and --max-time: an RFC 3339 time, or an optionally negative Prometheus duration
 * relative to now, evaluated at each use. */
typedef struct an_time_or_dur {
    bool relative;
    int64_t sec; /* absolute */
    int32_t nsec, offset_s;
    int64_t rel_ns; /* relative */
} an_time_or_dur;

/* AN_EINVALID with upstream's text; an empty text is an error, too. */
AN_MUST_CHECK an_rc an_time_or_dur_parse(an_slice text, an_time_or_dur *out, an_err *err);
/* Unix milliseconds, rounded down. */
int64_t an_time_or_dur_ms(an_time_or_dur v, int64_t now_ms);
/* `2026-01-01 00:00:00 +0200 +0200` or `-1d`, as the flags API of upstream shows it. */
size_t an_time_or_dur_print(an_time_or_dur v, char out[AN_TIME_TEXT]);
