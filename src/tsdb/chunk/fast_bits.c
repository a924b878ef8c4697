// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/fast_bits.h"

an_view an_view_limit(an_view v, an_view_copy *copy)
{
    if (!v.copied) {
        uint64_t at = v.pos >> 3, n = v.end / 8 - at;

        memset(copy, 0, sizeof *copy);
        memcpy(copy->b, v.p + at, n);
        v.p = copy->b;
        v.left_out = at * 8;
        v.end -= v.left_out;
        v.pos -= v.left_out;
        v.copied = true;
        v.limit = v.end + 1;
    }
    if (v.pos > v.end) { /* the element before this one was cut */
        v.bad = true;
        v.pos = v.end;
    }
    return v;
}

an_pen an_pen_of(const an_bitw *w)
{
    an_pen to = {w->p + w->n / 8, 0, w->n % 8};
    uint64_t top = w->n == 0 ? 0 : w->acc << (64 - w->n), word = htobe64(top);

    memcpy(w->p, &word, sizeof word);
    if (to.n > 0) to.acc = top << (w->n - to.n);
    return to;
}
