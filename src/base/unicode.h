// SPDX-License-Identifier: Apache-2.0
/* base/unicode.h: which code points print.
 *
 * Go's quoted strings (label sets in logs and errors, group names) escape what unicode.IsPrint
 * refuses, and texts that are compared with upstream's must escape the same. Unicode 15. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Letters, marks, numbers, punctuation, symbols, and of the spaces only U+0020. */
bool an_rune_prints(uint32_t r);
