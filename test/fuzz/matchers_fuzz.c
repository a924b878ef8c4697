// SPDX-License-Identifier: Apache-2.0
/* Series selectors: a text is refused or is matchers that answer.
 *
 * Input: the text. */
#include "tsdb/labels/matchers.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_matchers *m;
    an_rc rc = an_matchers_parse(an_slice_of(data, size), &m, &err);

    an_assert((m != NULL) == (rc == AN_OK));
    for (size_t i = 0; m != NULL && i < m->n && i < 16; i++) {
        bool yes;
        rc = an_matcher_matches(&m->v[i], m->v[i].value, &yes, &err);
        an_assert(rc == AN_OK || rc == AN_ELIMIT);
        if (m->v[i].op == AN_MATCH_EQ) an_assert(yes);
    }
    an_matchers_free(m);
    return 0;
}
