// SPDX-License-Identifier: Apache-2.0
/* base/bytesize.h: sizes as flags take them: 64GB, 1.5GiB, 1GB512MB.
 *
 * Optional sign, then numbers with optional fraction, each with a unit: B, and KB MB GB TB PB EB or
 * KiB MiB ... EiB, both counting in 1024s (one text uses one of the two styles); a bare 0 needs
 * none. kB, 1G and blanks are refused. Prints 1GiB512MiB.
 * Source: spec/operations.md 1.2; oracle: golden/vectors/durations. Threads: any. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

/* AN_EINVALID with upstream's text. As upstream, exactly 2^63 becomes INT64_MIN. */
AN_MUST_CHECK an_rc an_bytesize_parse(an_slice text, int64_t *bytes, an_err *err);

/* NUL-terminated; the length is returned. */
enum { AN_BYTESIZE_TEXT = 64 };
size_t an_bytesize_print(int64_t bytes, char out[AN_BYTESIZE_TEXT]);
