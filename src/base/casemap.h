// SPDX-License-Identifier: Apache-2.0
/* base/casemap.h: upper and lower case of strings, as Go's strings.ToUpper and ToLower map them.
 *
 * One code point at a time (no special casing: a sharp s stays), Unicode 15, no locale. A byte that
 * is not UTF-8 becomes U+FFFD when the string has anything beyond ASCII. */
#pragma once
#include "base/arena.h"
#include "base/slice.h"

/* The mapped string; `s` itself when nothing changes. */
an_slice an_lower(an_arena *a, an_slice s);
an_slice an_upper(an_arena *a, an_slice s);
