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
    return (an_source){mem_at, (void *)(uintptr_t)bytes, bytes->n};
}
