// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/hist_layout.h"

#include <math.h>

an_rc an_hist_grow(an_arena *a, void **p, size_t *cap, size_t n, size_t size, an_err *err)
{
    an_rc rc = AN_OK;
    size_t more = *cap < 16 ? 16 : *cap;

    if (n <= *cap && *p != NULL) return AN_OK;
    while (more < n) more *= 2; /* n is at most a few AN_HIST_MAX_BUCKETS */
    void *q = an_arena_try(a, more, size);
    AN_CHECK(q != NULL, err, AN_ELIMIT, "histogram chunk: no memory for %zu elements of %zu bytes",
             more, size);
    *p = q;
    *cap = more;
out:
    return rc;
}

static uint64_t zero_threshold_get(an_bitr *r)
{
    uint64_t b = an_bitr_get(r, 8);

    if (b == 0) return 0;
    if (b == 255) return an_bitr_get(r, 64);
    return (b - 244 + 1023) << 52; /* 2^(b - 244): no denormals between 2^-243 and 2^10 */
}

static void zero_threshold_put(an_bitw *w, uint64_t bits)
{
    uint64_t exponent = bits >> 52; /* with the sign on top: negative ones are out of range */

    if (bits << 1 == 0) /* 0 and -0 */
        an_bitw_put(w, 0, 8);
    else if (bits << 12 == 0 && exponent >= 1023 - 243 && exponent <= 1023 + 10)
        an_bitw_put(w, exponent - 1023 + 244, 8);
    else {
        an_bitw_put(w, 255, 8);
        an_bitw_put(w, bits, 64);
    }
}

static uint64_t bound_get(an_bitr *r)
{
    uint64_t u = an_varbit_uint_get(r);

    return u == 0 ? an_bitr_get(r, 64) : an_float_bits((double)(u - 1) / 1000);
}

static void bound_put(an_bitw *w, uint64_t bits)
{
    double x = an_float(bits), milli = x * 1000;

    if (milli >= 0 && milli <= 33554430 && round(milli) / 1000 == x) {
        an_varbit_uint_put(w, (uint64_t)round(milli) + 1);
    } else {
        an_bitw_put(w, 0, 1);
        an_bitw_put(w, bits, 64);
    }
}

/* The spans of both sides; the second list is put behind the first. */
static an_rc spans_get(an_arena *a, an_hist_read *h, an_bitr *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist *s = &h->stored;
    size_t have = 0;

    for (int side = AN_POS; side <= AN_NEG; side++) {
        uint64_t n = an_varbit_uint_get(r);
        /* A span takes two bits at least. */
        AN_CHECK(n <= an_bitr_left(r) / 2 && n <= AN_HIST_MAX_BUCKETS, err, AN_ECORRUPT,
                 "histogram chunk: %llu spans do not fit the %llu bits that are left",
                 (unsigned long long)n, (unsigned long long)an_bitr_left(r));
        if (have + n > h->spans_cap || h->spans == NULL) {
            an_span *old = h->spans;
            AN_TRY(an_hist_grow(a, (void **)&h->spans, &h->spans_cap, have + n, sizeof *h->spans,
                                err));
            if (have > 0) memcpy(h->spans, old, have * sizeof *old);
        }
        an_span *spans = h->spans + have;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t length = an_varbit_uint_get(r);
            int64_t offset = an_varbit_int_get(r);
            AN_CHECK(length <= UINT32_MAX && offset >= INT32_MIN && offset <= INT32_MAX, err,
                     AN_ECORRUPT, "histogram chunk: span %llu of %llu has length %llu, offset %lld",
                     (unsigned long long)i, (unsigned long long)n, (unsigned long long)length,
                     (long long)offset);
            spans[i] = (an_span){(int32_t)offset, (uint32_t)length};
        }
        s->side[side].n_spans = (uint32_t)n;
        AN_TRY(an_spans_check(spans, (uint32_t)n, &s->side[side].n, err));
        have += n;
    }
    s->side[AN_POS].spans = h->spans;
    s->side[AN_NEG].spans = h->spans + s->side[AN_POS].n_spans;
out:
    return rc;
}

an_rc an_hist_layout_get(an_arena *a, an_hist_read *h, an_bitr *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist *s = &h->stored;

    s->zero_threshold = zero_threshold_get(r);
    int64_t schema = an_varbit_int_get(r);
    if (r->bad) goto out;
    /* Upstream's sentence; it looks at the number as 32 bits. */
    s->schema = (int32_t)schema;
    AN_CHECK(s->schema == AN_HIST_CUSTOM ||
                 (s->schema >= AN_HIST_SCHEMA_LOWEST && s->schema <= AN_HIST_SCHEMA_HIGHEST),
             err, AN_ECORRUPT,
             "histogram has an unknown schema, which must be between -9 and 52 for exponential "
             "buckets, or -53 for custom buckets, got schema %d",
             s->schema);
    AN_TRY(spans_get(a, h, r, err));
    if (s->schema != AN_HIST_CUSTOM) goto out;
    uint64_t n = an_varbit_uint_get(r);
    /* A bound takes five bits at least. */
    AN_CHECK(n <= an_bitr_left(r) / 5 && n <= AN_HIST_MAX_BUCKETS, err, AN_ECORRUPT,
             "histogram chunk: %llu bounds do not fit the %llu bits that are left",
             (unsigned long long)n, (unsigned long long)an_bitr_left(r));
    AN_TRY(an_hist_grow(a, (void **)&h->custom, &h->custom_cap, n, sizeof *h->custom, err));
    for (uint64_t i = 0; i < n; i++) h->custom[i] = bound_get(r);
    s->n_custom = (uint32_t)n;
    s->custom = h->custom;
out:
    return rc;
}

uint64_t an_hist_layout_bits(const an_hist *h)
{
    uint64_t spans = (uint64_t)h->side[AN_POS].n_spans + h->side[AN_NEG].n_spans;

    return 72 + 4 * 72 + spans * 144 + (uint64_t)h->n_custom * 65;
}

void an_hist_layout_put(an_bitw *w, const an_hist *h)
{
    zero_threshold_put(w, h->zero_threshold);
    an_varbit_int_put(w, h->schema);
    for (int side = AN_POS; side <= AN_NEG; side++) {
        const an_hist_side *s = &h->side[side];
        an_varbit_uint_put(w, s->n_spans);
        for (uint32_t i = 0; i < s->n_spans; i++) {
            an_varbit_uint_put(w, s->spans[i].length);
            an_varbit_int_put(w, s->spans[i].offset);
        }
    }
    if (h->schema != AN_HIST_CUSTOM) return;
    an_varbit_uint_put(w, h->n_custom);
    for (uint32_t i = 0; i < h->n_custom; i++) bound_put(w, h->custom[i]);
}
