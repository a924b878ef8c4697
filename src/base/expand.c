// SPDX-License-Identifier: Apache-2.0
#include "base/expand.h"

static bool is_name(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The NAME of a reference that begins at i, or an empty slice. */
static an_slice reference(an_slice in, size_t i)
{
    size_t n = 0;

    if (in.n - i < 4 || in.p[i] != '$' || in.p[i + 1] != '(') return (an_slice){NULL, 0};
    i += 2;
    while (i + n < in.n && is_name(in.p[i + n])) n++;
    if (i + n == in.n || in.p[i + n] != ')') n = 0;
    return an_slice_of(in.p + i, n);
}

an_rc an_expand(an_slice in, an_expand_fn get, void *arg, an_buf *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf name;

    an_buf_init(&name, in.n + 1, NULL);
    for (size_t i = 0; i < in.n;) {
        an_slice ref = reference(in, i);
        if (ref.n == 0) {
            an_buf_u8(out, in.p[i++]);
            continue;
        }
        an_buf_clear(&name);
        an_buf_slice_add(&name, ref);
        an_buf_u8(&name, 0);
        AN_CHECK(!name.failed, err, AN_ELIMIT, "no memory to expand environment variables");
        const char *value = get(arg, (const char *)name.p);
        AN_CHECK(value != NULL, err, AN_EINVALID,
                 "found reference to unset environment variable \"%.*s\"", AN_PRI(ref));
        an_buf_str(out, value);
        i += ref.n + 3;
    }
    AN_CHECK(!out->failed, err, AN_ELIMIT, "content is longer than %zu bytes after expansion",
             out->max);
out:
    an_buf_deinit(&name);
    return rc;
}
