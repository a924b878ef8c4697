// SPDX-License-Identifier: Apache-2.0
/* JSON: a document is refused or is a tree; what Go would print of it reads back as the same; and
 * what jansson by itself takes is never refused but for a limit of ours.
 *
 * Input: the document. */
#include "base/json.h"
#include "fuzz/fuzz.h"

#include <jansson.h>

#include <string.h>

static bool jansson_takes(an_slice doc)
{
    json_error_t e;

    if (memchr(doc.p, 0, doc.n) != NULL) return false; /* outside strings it drops some */
    json_t *j = json_loadb((const char *)doc.p, doc.n,
                           JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &e);
    bool taken = j != NULL;

    json_decref(j);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    const an_json *v, *again;
    an_arena *a = an_arena_new(NULL);
    an_buf once, twice;
    an_slice doc = {data, size};
    an_rc rc = an_json_parse(a, doc, 1 << 20, &v, &err);

    an_assert((v != NULL) == (rc == AN_OK));
    an_assert(rc == AN_OK || rc == AN_ECORRUPT || rc == AN_ELIMIT);
    an_assert(rc != AN_ECORRUPT || size == 0 || !jansson_takes(doc));
    an_buf_init(&once, 64 << 20, NULL);
    an_buf_init(&twice, 64 << 20, NULL);
    if (rc == AN_OK && an_json_print_any(&once, v, size % 2 == 0, NULL)) {
        an_assert(an_json_parse(a, an_buf_slice(&once), 64 << 20, &again, &err) == AN_OK);
        an_assert(an_json_print_any(&twice, again, size % 2 == 0, NULL));
        an_assert(an_slice_eq(an_buf_slice(&once), an_buf_slice(&twice)));
    }
    an_buf_deinit(&once);
    an_buf_deinit(&twice);
    an_arena_free(a);
    return 0;
}
