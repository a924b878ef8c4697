// SPDX-License-Identifier: Apache-2.0
/* tsdb/labels/matchers.h: series selectors like {a="1",b=~"x|y"} or up{a!="1"}, by PromQL's
 * grammar. An offset behind it is read and means nothing here, as upstream. A metric name becomes
 * the last matcher, on __name__; a quoted one inside the braces stays in its place.
 * Oracle: golden/vectors/matchers. Ownership: free them. Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "tsdb/labels/labels.h"

typedef enum an_match_op { AN_MATCH_EQ, AN_MATCH_NE, AN_MATCH_RE, AN_MATCH_NRE } an_match_op;

typedef struct an_matcher {
    an_match_op op;
    an_slice name, value;
    an_regex *regex; /* RE, NRE */
} an_matcher;

typedef struct an_matchers {
    size_t n;
    an_matcher *v;
    an_arena *arena; /* holds all of it */
} an_matchers;

/* "=", "!=", "=~", "!~" */
const char *an_match_op_name(an_match_op op);

/* AN_EINVALID when the text is not a selector. */
AN_MUST_CHECK an_rc an_matchers_parse(an_slice text, an_matchers **out, an_err *err);
void an_matchers_free(an_matchers *m); /* NULL is fine */

/* Whether `value` satisfies one matcher. AN_ELIMIT: a regex gave up. */
AN_MUST_CHECK an_rc an_matcher_matches(const an_matcher *m, an_slice value, bool *yes, an_err *err);
