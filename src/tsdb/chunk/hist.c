// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/hist.h"

an_bucket_cursor an_bucket_cursor_of(const an_hist_side *s)
{
    return (an_bucket_cursor){s->spans, s->n_spans == 0 ? s->spans : s->spans + s->n_spans, 0, 0};
}

an_rc an_spans_check(const an_span *spans, uint32_t n_spans, uint32_t *n, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t next = 0; /* index of the bucket after the last span */
    uint64_t total = 0;

    for (uint32_t i = 0; i < n_spans; i++) {
        AN_CHECK(i == 0 || spans[i].offset >= 0, err, AN_ECORRUPT,
                 "histogram span %u of %u goes back: offset %d", i, n_spans, spans[i].offset);
        next += spans[i].offset;
        total += spans[i].length;
        next += spans[i].length;
        AN_CHECK(total <= AN_HIST_MAX_BUCKETS, err, AN_ELIMIT,
                 "histogram with %llu buckets on one side, at most %d are handled",
                 (unsigned long long)total, (int)AN_HIST_MAX_BUCKETS);
        AN_CHECK(next <= INT32_MAX, err, AN_ECORRUPT, "histogram span %u of %u ends at bucket %lld",
                 i, n_spans, (long long)next);
    }
    *n = (uint32_t)total;
out:
    return rc;
}

/* The bucket of the lower schema that holds bucket `index`; `shift` is the difference. */
static int32_t coarser(int32_t index, unsigned shift)
{
    return (int32_t)(((int64_t)index - 1) >> shift) + 1;
}

an_hist_side an_hist_reduce(const an_hist_side *s, int32_t from, bool is_float, an_hist_room room)
{
    unsigned shift = (unsigned)(from - AN_HIST_SCHEMA_MAX);
    an_hist_side to = {0, 0, room.spans, room.v};
    an_bucket_cursor c = an_bucket_cursor_of(s);
    uint64_t fine = 0, coarse = 0, before = 0; /* absolute counts of integer buckets */
    int32_t index, last = 0;

    for (uint32_t i = 0; an_bucket_next(&c, &index); i++) {
        int32_t t = coarser(index, shift);
        bool joins = to.n > 0 && t == last;

        if (!joins) {
            if (to.n > 0 && t == last + 1)
                room.spans[to.n_spans - 1].length++;
            else
                room.spans[to.n_spans++] = (an_span){to.n == 0 ? t : t - last - 1, 1};
            last = t;
            to.n++;
        }
        uint64_t *v = &room.v[to.n - 1];
        if (is_float) {
            *v = joins ? an_float_bits(an_float(*v) + an_float(s->v[i])) : s->v[i];
            continue;
        }
        fine += s->v[i];
        if (!joins) {
            before = coarse;
            coarse = 0;
        }
        coarse += fine;
        *v = coarse - before;
    }
    return to;
}
