// SPDX-License-Identifier: Apache-2.0
/* base/duration.h: the two duration grammars upstream uses, and how each prints.
 *
 * Go's, as kingpin extends it: optional sign, then numbers with optional fraction and a unit of
 *   ns us µs μs ms s m h d w, in any order and number; a bare 0. d = 24h, w = 7d. Prints 1h30m0s.
 * Prometheus': unsigned integers with units y w d h m s ms, each at most once and in this order; a
 *   bare 0. y = 365d. Prints 1h30m, and y and w only where they divide without rest.
 * Both are int64 nanoseconds. Errors are AN_EINVALID with upstream's texts.
 * Source: spec/operations.md 1.2; oracle: golden/vectors/durations. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define AN_US INT64_C(1000)
#define AN_MS INT64_C(1000000)
#define AN_SECOND INT64_C(1000000000)
#define AN_MINUTE (60 * AN_SECOND)
#define AN_HOUR (60 * AN_MINUTE)
#define AN_DAY (24 * AN_HOUR)

AN_MUST_CHECK an_rc an_duration_parse(an_slice text, int64_t *ns, an_err *err);
AN_MUST_CHECK an_rc an_duration_parse_prom(an_slice text, int64_t *ns, an_err *err);

/* Each returns the length; the text is NUL-terminated. */
enum { AN_DURATION_TEXT = 48 };
size_t an_duration_print(int64_t ns, char out[AN_DURATION_TEXT]);
size_t an_duration_print_prom(int64_t ns, char out[AN_DURATION_TEXT]);
