// SPDX-License-Identifier: Apache-2.0
/* base/strconv.h: numbers and quoted strings in the text forms of Go's strconv, as flags, log lines
 * and tables of upstream show them. No locale takes part. Threads: any. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* The shortest decimal that reads back as v, NUL-terminated, its length returned. fmt 'e':
 * d.ddde±dd with two digits of exponent at least; 'f': no exponent; 'g': 'e' for exponents below -4
 * and from 6 on, else 'f', as strconv.FormatFloat(v, 'g', -1, 64). NaN, +Inf and -Inf by these
 * names. */
enum { AN_FLOAT_TEXT = 352 };
size_t an_float_print(double v, char fmt, char out[AN_FLOAT_TEXT]);

/* Go's ParseFloat: decimal or hexadecimal digits, underscores only as Go allows them, inf and nan.
 * AN_EINVALID with Go's text: strconv.ParseFloat: parsing "x": invalid syntax. */
AN_MUST_CHECK an_rc an_float_parse(an_slice text, double *out, an_err *err);

/* An integer flag as kingpin reads it: a float, cut to an integer; what does not fit int64 (and
 * NaN) becomes INT64_MIN. */
AN_MUST_CHECK an_rc an_int_flag_parse(an_slice text, int64_t *out, an_err *err);

/* Decimal digits with an optional sign, nothing else; false when empty, foreign or out of range. */
bool an_int64_parse(an_slice text, int64_t *out);
bool an_uint64_parse(an_slice text, uint64_t *out); /* no sign */

/* Appends s in Go's double quotes (%q): escapes for control characters, invalid bytes as \xff,
 * what does not print as \u. */
void an_quote(an_buf *out, an_slice s);
/* Reads a Go string literal ("...", `...` or at most one character in '...'); appends its value.
 * False: not a literal; out is as before. */
bool an_unquote(an_buf *out, an_slice text);

/* 8377876 as 8,377,876. */
void an_thousands(an_buf *out, int64_t v);
