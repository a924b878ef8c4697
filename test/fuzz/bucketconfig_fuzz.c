// SPDX-License-Identifier: Apache-2.0
/* The YAML that says which bucket to open. */
#include "fuzz/fuzz.h"
#include "objstore/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_arena *a = an_arena_new(NULL);
    an_bucket_config c = {0};
    an_err err;
    an_rc rc = an_bucket_config_parse(a, (an_slice){data, size}, &c, &err);

    if (rc == AN_OK) {
        an_assert(c.directory.n > 0 && memchr(c.directory.p, '\0', c.directory.n) == NULL);
        an_assert(c.prefix.n == 0 || (c.prefix.p[0] != '/' && c.prefix.p[c.prefix.n - 1] != '/'));
    } else {
        an_assert(rc == AN_EINVALID || rc == AN_EUNSUPPORTED || rc == AN_ELIMIT);
        an_assert(err.cause != AN_CAUSE_NONE && err.msg[0] != '\0');
    }
    an_arena_free(a);
    return 0;
}
