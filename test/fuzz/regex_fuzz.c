// SPDX-License-Identifier: Apache-2.0
/* Regular expressions: a pattern is refused or matches with groups that lie inside the subject; the
 * question whether and the question where have the same answer.
 *
 * Input: pattern, newline, subject; the pattern is the template, too. */
#include "base/regex.h"
#include "fuzz/fuzz.h"

#include <string.h>

enum { SUBJECT_MAX = 256 }; /* time is the product of both lengths, and that is no bug */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_regex *re;
    bool yes;
    const uint8_t *end = size > 0 ? memchr(data, '\n', size) : NULL;
    an_slice pattern = {data, end != NULL ? (size_t)(end - data) : size};
    an_slice s = {data + size, 0};

    if (end != NULL) s = (an_slice){end + 1, size - pattern.n - 1};
    if (s.n > SUBJECT_MAX) s.n = SUBJECT_MAX;
    an_rc rc = an_regex_compile(pattern, &re, &err);
    an_assert((re != NULL) == (rc == AN_OK));
    an_assert(rc == AN_OK || rc == AN_EINVALID || rc == AN_ELIMIT);
    if (rc != AN_OK) return 0;
    an_arena *a = an_arena_new(NULL);
    an_regex_match m;
    an_buf out;
    an_buf_init(&out, 1 << 20, NULL);
    if (an_regex_matches(re, s, &yes, &err) == AN_OK &&
        an_regex_find(re, a, s, &m, &err) == AN_OK) {
        an_assert(m.matched == yes);
        an_assert((m.n > 0) == yes);
        for (size_t i = 0; i < m.n; i++) {
            bool unset = m.v[i].start == SIZE_MAX;
            an_assert(unset ? i > 0 && m.v[i].end == SIZE_MAX
                            : m.v[i].start <= m.v[i].end && m.v[i].end <= s.n);
        }
        an_regex_expand(re, &out, pattern, s, &m);
    }
    an_buf_deinit(&out);
    an_arena_free(a);
    an_regex_free(re);
    return 0;
}
