// SPDX-License-Identifier: Apache-2.0
/* base/regex.h: the regular expressions of relabeling and matchers: RE2's language as Go accepts
 * it, anchored at both ends, `.` matches newlines too (upstream compiles ^(?s:...)$).
 *
 * What Go refuses is refused with Go's text (lookaround, backreferences, possessive quantifiers,
 * repeats over 1000, ...). Matches and submatches are Go's; time is bounded by the pattern's size
 * times the subject's. Subjects may be any bytes; one that is not UTF-8 counts as U+FFFD, as in Go.
 * Unicode properties and cases come from PCRE2. Known differences: (?i) with \p{Lu}, \p{Ll} or
 * \p{Lt} stands for all cased letters, not only the other cases of the members; scripts that are
 * new in Unicode 15 are refused.
 * Oracle: golden/vectors/regex.
 *
 * Threads: an_regex is immutable after compiling and may be shared; an_regex_match is the caller's.
 */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

typedef struct an_regex an_regex;

enum {
    AN_REGEX_PATTERN_MAX = 1 << 20, /* bytes */
    AN_REGEX_GROUPS_MAX = 1000,     /* capture groups */
};

/* AN_EINVALID with the reason when Go refuses the pattern; AN_ELIMIT when it is too large for us.
 */
AN_MUST_CHECK an_rc an_regex_compile(an_slice pattern, an_regex **out, an_err *err);
void an_regex_free(an_regex *re); /* NULL is fine */

/* Whether the whole subject matches. AN_ELIMIT: the memory this needs is over a fixed maximum. */
AN_MUST_CHECK an_rc an_regex_matches(const an_regex *re, an_slice subject, bool *yes, an_err *err);

/* The submatches: group 0 is the whole subject; unset groups have start = SIZE_MAX. Offsets are
 * bytes of the subject. v lives in the arena. */
typedef struct an_regex_match {
    bool matched;
    size_t n; /* 1 + the groups of the pattern, 0 without a match */
    struct {
        size_t start, end;
    } *v;
} an_regex_match;

/* The first match and its groups. AN_ELIMIT as above. */
AN_MUST_CHECK an_rc an_regex_find(const an_regex *re, an_arena *a, an_slice subject,
                                  an_regex_match *out, an_err *err);

/* Appends the template with $1, ${1}, $name, ${name} and $$ replaced as Go's Regexp.Expand does:
 * the longest run of letters, digits and _ is the name, unknown names are empty, a `$` that starts
 * nothing valid stays. */
void an_regex_expand(const an_regex *re, an_buf *out, an_slice template, an_slice subject,
                     const an_regex_match *m);
