// SPDX-License-Identifier: Apache-2.0
/* The health counts against the table of the specification (6.4), literally; verdicts and texts. */
#include "tsdb/index/health.h"
#include "unit/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MINT = 1000, MAXT = 2000 };

static an_index_health open_health(void)
{
    const an_index ix = {.version = 2};
    an_index_health h;

    an_index_health_init(&h, &ix, MINT, MAXT, NULL);
    return h;
}

static an_rc add(an_index_health *h, const uint32_t *labels, size_t n_labels,
                 const an_chunk_meta *chunks, size_t n_chunks, an_err *err)
{
    const an_series_entry e = {.off = 16 * (h->n_series + 7),
                               .id = (uint32_t)h->n_series + 7,
                               .labels = labels,
                               .n_labels = n_labels,
                               .chunks = chunks,
                               .n_chunks = n_chunks};
    return an_index_health_add(h, &e, err);
}

/* spec/tsdb-block.md 6.4, word by word. */
typedef struct literal {
    uint64_t outside, complete, issue347, dup, ooo, ooo_series;
    int64_t chunk_max;
} literal;

static void count(literal *l, const an_chunk_meta *c, size_t n)
{
    uint64_t ooo = 0;

    for (size_t i = 0; i < n; i++) {
        if (i + 2 < n && c[i].ref >> 32 == c[i + 1].ref >> 32) {
            int64_t d = (int64_t)(c[i + 1].ref & 0xffffffff) - (int64_t)(c[i].ref & 0xffffffff);
            if (d > l->chunk_max) l->chunk_max = d;
        }
        if (c[i].mint < MINT || c[i].maxt > MAXT) {
            l->outside++;
            if (c[i].mint > MAXT || c[i].maxt < MINT)
                l->complete++;
            else if (c[i].mint == MAXT)
                l->issue347++;
        }
        if (i > 0 && c[i].mint <= c[i - 1].maxt) {
            if (c[i].mint == c[i - 1].mint && c[i].maxt == c[i - 1].maxt)
                l->dup++;
            else
                ooo++;
        }
    }
    l->ooo += ooo;
    l->ooo_series += ooo > 0;
}

static void counts_are_those_of_the_specification(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();
    an_err err;

    for (size_t round = 0; round < 1000; round++) {
        an_index_health h = open_health();
        literal want = {0};
        uint64_t n_chunks = 0;
        const uint32_t n = 1 + (uint32_t)(prng(&seed) % 5);
        for (uint32_t i = 0; i < n; i++) {
            an_chunk_meta c[6];
            const size_t k = 1 + prng(&seed) % 6;
            const uint32_t labels[] = {1, i};
            for (size_t j = 0; j < k; j++) {
                c[j].mint = 980 + (int64_t)(prng(&seed) % 1040);
                c[j].maxt = c[j].mint + (int64_t)(prng(&seed) % 40);
                c[j].ref = (prng(&seed) % 8 == 0 ? UINT64_C(1) << 32 : 0) + prng(&seed) % 1000;
                if (j > 0 && prng(&seed) % 4 == 0) {
                    c[j].mint = c[j - 1].mint;
                    c[j].maxt = c[j - 1].maxt;
                }
                if (prng(&seed) % 8 == 0) c[j].mint = MAXT;
            }
            count(&want, c, k);
            n_chunks += k;
            assert_int_equal(add(&h, labels, 1, c, k, &err), AN_OK);
        }
        assert_int_equal(h.n_series, n);
        assert_int_equal(h.n_chunks, n_chunks);
        assert_int_equal(h.outside, want.outside);
        assert_int_equal(h.complete_outside, want.complete);
        assert_int_equal(h.issue347, want.issue347);
        assert_int_equal(h.dup_chunks, want.dup);
        assert_int_equal(h.ooo_chunks, want.ooo);
        assert_int_equal(h.ooo_series, want.ooo_series);
        assert_int_equal(h.estimate.chunk_max_size, want.chunk_max);
        assert_int_equal(h.estimate.series_max_size, n > 1 ? 16 : 0);
        an_index_health_deinit(&h);
    }
}

static const an_chunk_meta inside[] = {{1000, 1500, 8}, {1501, 2000, 9}};

static void entries_without_labels_or_chunks_and_wrong_order_end_the_scan(void **state)
{
    (void)state;
    static const uint32_t one[] = {1, 2}, more[] = {1, 2, 3, 4}, next[] = {1, 3};
    an_index_health h = open_health();
    an_err err;

    assert_int_equal(add(&h, one, 0, inside, 2, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_EMPTY_SERIES);
    assert_string_equal(err.msg, "empty label set detected for series 7");
    assert_int_equal(err.offset, 112);
    assert_int_equal(add(&h, one, 1, inside, 0, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_EMPTY_SERIES);
    assert_string_equal(err.msg, "empty chunks for series 7");
    an_index_health_deinit(&h);

    h = open_health();
    assert_int_equal(add(&h, one, 1, inside, 2, &err), AN_OK);
    assert_int_equal(add(&h, one, 1, inside, 2, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_OOO_SERIES);
    assert_int_equal(add(&h, more, 2, inside, 2, &err), AN_OK); /* a prefix sorts first */
    assert_int_equal(add(&h, one, 1, inside, 2, &err), AN_ECORRUPT);
    assert_int_equal(add(&h, next, 1, inside, 2, &err), AN_OK);
    assert_int_equal(h.n_series, 3);
    assert_int_equal(an_index_health_any(&h, &err), AN_OK);
    an_index_health_deinit(&h);
}

static void assert_finding(an_rc rc, const an_err *err, an_rc want, an_cause cause, uint64_t found,
                           const char *text)
{
    assert_int_equal(rc, want);
    assert_int_equal(err->cause, cause);
    assert_int_equal(err->found, found);
    assert_int_equal(err->offset, 112);
    assert_string_equal(err->msg, text);
}

static void verdicts_come_in_upstreams_order_and_words(void **state)
{
    (void)state;
    static const uint32_t unsorted[] = {3, 1, 2, 1, 1, 1};
    /* partly outside, issue 347, completely outside twice, a twin, out of order */
    const an_chunk_meta c[] = {{999, 1100, 1},  {2000, 2100, 2}, {2200, 2300, 3},
                               {2400, 2500, 4}, {2400, 2500, 5}, {1200, 1300, 6}};
    an_index_health h = open_health();
    an_err err;

    assert_int_equal(add(&h, unsorted, 3, c, 6, &err), AN_OK);
    assert_finding(an_index_health_input(&h, 0, &err), &err, AN_EHALT, AN_CAUSE_OUTSIDE_CHUNKS, 4,
                   "found 1 chunks non-completely outside the block time range, found 3 chunks "
                   "completely outside the block time range");
    unsigned accept = 1u << AN_HEALTH_OUTSIDE;
    assert_finding(an_index_health_input(&h, accept, &err), &err, AN_ECORRUPT, AN_CAUSE_OOO_CHUNKS,
                   1,
                   "1/1 series have an average of 1.000 out-of-order chunks: 1.000 of these are "
                   "exact duplicates (in terms of data and time range)");
    accept |= 1u << AN_HEALTH_OOO_CHUNKS;
    assert_finding(an_index_health_input(&h, accept, &err), &err, AN_ECORRUPT, AN_CAUSE_ISSUE347, 1,
                   "found 1 chunks outside the block time range introduced by "
                   "https://github.com/prometheus/tsdb/issues/347");
    accept |= 1u << AN_HEALTH_ISSUE347;
    assert_finding(an_index_health_input(&h, accept, &err), &err, AN_ECORRUPT, AN_CAUSE_OOO_LABELS,
                   2, "index contains 2 postings with out of order labels");
    accept |= 1u << AN_HEALTH_OOO_LABELS;
    assert_int_equal(an_index_health_input(&h, accept, &err), AN_OK); /* twins are no verdict */
    assert_finding(an_index_health_check(&h, AN_HEALTH_DUP_CHUNKS, &err), &err, AN_ECORRUPT,
                   AN_CAUSE_DUP_CHUNKS, 1,
                   "found 1 chunks with the time range of their predecessor");
    assert_finding(
        an_index_health_any(&h, &err), &err, AN_EHALT, AN_CAUSE_OUTSIDE_CHUNKS, 4,
        "found 1 chunks non-completely outside the block time range, found 3 chunks completely "
        "outside the block time range, found 1 chunks outside the block time range introduced by "
        "https://github.com/prometheus/tsdb/issues/347, index contains 2 postings with out of "
        "order labels, 1/1 series have an average of 1.000 out-of-order chunks: 1.000 of these are "
        "exact duplicates (in terms of data and time range)");
    an_index_health_deinit(&h);
}

static void a_block_may_end_with_a_chunk_at_its_max_time(void **state)
{
    (void)state;
    static const uint32_t labels[] = {0, 0};
    const an_chunk_meta c[] = {{1000, 1999, 1}, {2000, 2000, 2}};
    an_index_health h = open_health();
    an_err err;

    assert_int_equal(add(&h, labels, 1, c, 2, &err), AN_OK);
    assert_int_equal(an_index_health_any(&h, &err), AN_OK);
    an_index_health_deinit(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_those_of_the_specification),
        cmocka_unit_test(entries_without_labels_or_chunks_and_wrong_order_end_the_scan),
        cmocka_unit_test(verdicts_come_in_upstreams_order_and_words),
        cmocka_unit_test(a_block_may_end_with_a_chunk_at_its_max_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
