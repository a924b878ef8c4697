// SPDX-License-Identifier: Apache-2.0
#include "base/stream.h"

static an_rc mem_at(void *arg, uint64_t off, size_t min, size_t max, an_slice *out, an_err *err)
{
    const an_slice *s = arg;

    if (off > s->n || min > s->n - off) {
        an_rc rc = AN_FAIL(err, AN_ECORRUPT, "%zu bytes at offset %llu, but only %zu in all", min,
                           (unsigned long long)off, s->n);
        (void)an_err_at(err, NULL, NULL, (int64_t)off);
        return rc;
    }
    size_t n = s->n - (size_t)off;
    *out = (an_slice){s->p + off, n < max ? n : max};
    return AN_OK;
}

an_source an_source_mem(const an_slice *bytes)
{
    return (an_source){mem_at, (void *)(uintptr_t)bytes, bytes->n, SIZE_MAX};
}

an_rc an_source_gather(const an_source *s, uint64_t off, size_t n, an_buf *own, an_slice *out,
                       an_err *err)
{
    an_rc rc = AN_OK;

    if (n <= s->piece) return an_source_at(s, off, n, n, out, err);
    an_buf_clear(own);
    AN_CHECK(off <= s->size && n <= s->size - off, err, AN_ECORRUPT,
             "%zu bytes at offset %llu, but only %llu in all", n, (unsigned long long)off,
             (unsigned long long)s->size);
    AN_CHECK(an_buf_reserve(own, n), err, AN_ELIMIT, "no memory for %zu bytes in one piece", n);
    while (own->n < n) {
        an_slice part;
        size_t want = n - own->n < s->piece ? n - own->n : s->piece;
        AN_TRY(an_source_at(s, off + own->n, want, want, &part, err));
        an_buf_slice_add(own, part);
    }
    *out = an_buf_slice(own);
out:
    return rc;
}
