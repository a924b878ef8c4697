// SPDX-License-Identifier: Apache-2.0
/* Postings lists against plain arrays, with memory for a few lists only: runs, runs of runs, and
 * their joining. */
#include "tsdb/index/postings.h"
#include "support/streams.h"
#include "unit/prng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NAMES = 5, VALUES = 60, PAIRS = NAMES * VALUES, MAX_LABELS = 6 };

/* ids[0]: the list of all; ids[1 + name * VALUES + value] */
typedef struct plain {
    uint32_t *ids[1 + PAIRS];
    size_t n[1 + PAIRS];
} plain;

static void plain_add(plain *p, size_t list, uint32_t id)
{
    if ((p->n[list] & (p->n[list] - 1)) == 0) /* at a power of two */
        p->ids[list] = realloc(p->ids[list], (p->n[list] == 0 ? 1 : 2 * p->n[list]) * sizeof id);
    assert_non_null(p->ids[list]);
    p->ids[list][p->n[list]++] = id;
}

static void plain_free(plain *p)
{
    for (size_t i = 0; i <= PAIRS; i++) free(p->ids[i]);
}

/* As sorted series have them: mostly the labels of the one before. */
static size_t next_labels(uint64_t *seed, uint32_t *labels, size_t n)
{
    if (n == 0 || prng(seed) % 50 == 0) n = prng(seed) % (MAX_LABELS + 1);
    for (size_t i = 0; i < n; i++) {
        labels[2 * i] = (uint32_t)(i % NAMES);
        if (prng(seed) % 3 == 0) labels[2 * i + 1] = (uint32_t)(prng(seed) % (i == 0 ? 3 : VALUES));
    }
    return n;
}

static an_rc add_series(an_postings *p, plain *want, uint64_t seed, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t labels[2 * MAX_LABELS] = {0}, id = 0;
    size_t n_labels = 0;

    for (size_t i = 0; i < n; i++) {
        id += 1 + (uint32_t)(prng(&seed) % 20);
        if (prng(&seed) % 500 == 0) id += 100000; /* differences of two to four bytes */
        n_labels = next_labels(&seed, labels, n_labels);
        AN_TRY(an_postings_add(p, id, labels, n_labels, err));
        if (want == NULL) continue;
        plain_add(want, 0, id);
        for (size_t k = 0; k < n_labels; k++)
            plain_add(want, 1 + labels[2 * k] * VALUES + labels[2 * k + 1], id);
    }
out:
    return rc;
}

/* Reads all lists; compares with `want` unless NULL; ids only when wanted. */
static an_rc read_lists(an_postings *p, const plain *want, bool ids, an_err *err)
{
    an_rc rc = AN_OK;
    an_postings_list list;
    size_t at = 0; /* the next list of `want` that is not empty */

    AN_TRY(an_postings_finish(p, err));
    while ((rc = an_postings_next(p, &list, err)) == AN_OK) {
        uint32_t id = list.first, d = 0;
        unsigned shift = 0;
        size_t n = 1;
        an_slice b;
        while (want != NULL && at > 0 && want->n[at] == 0) at++;
        if (want != NULL) {
            const size_t key = at == 0 ? 0 : 1 + (at - 1) / VALUES;
            assert_int_equal(list.key, key);
            assert_int_equal(list.value, at == 0 ? 0 : (at - 1) % VALUES);
            assert_int_equal(list.n, want->n[at]);
            if (list.n > 0) assert_int_equal(list.first, want->ids[at][0]);
        }
        do {
            if (!ids) break;
            AN_TRY(an_postings_bytes(p, &b, err));
            for (size_t i = 0; i < b.n; i++) {
                d |= (uint32_t)(b.p[i] & 0x7f) << shift;
                shift += 7;
                if (b.p[i] >= 0x80) continue;
                id += d;
                d = shift = 0;
                if (want != NULL) assert_int_equal(id, want->ids[at][n]);
                n++;
            }
        } while (b.n > 0);
        if (ids && list.n > 0) assert_int_equal(n, list.n);
        at++;
    }
    if (rc != AN_ENOTFOUND) goto out;
    rc = AN_OK;
    while (want != NULL && at <= PAIRS) assert_int_equal(want->n[at++], 0);
out:
    return rc;
}

static void lists_are_what_was_added_whatever_the_budget(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 10 << 10, 12 << 10, 16 << 10, 40 << 10, 1 << 20};
    const uint64_t start = prng_seed();
    uint64_t seed = start;
    an_err err;

    for (size_t round = 0; round < 12; round++) {
        const size_t n = round == 0 ? 0 : round == 11 ? 60000 : prng(&seed) % 3000;
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            plain want = {0};
            test_spill ts;
            an_spill spill = test_spill_open(&ts);
            an_budget *b = limits[i] == 0 ? NULL : an_budget_new(limits[i]);
            an_postings *p;

            assert_int_equal(an_postings_new(b, &spill, &p, &err), AN_OK);
            if (add_series(p, &want, start + round, n, &err) != AN_OK ||
                read_lists(p, &want, true, &err) != AN_OK ||
                read_lists(p, &want, false, &err) != AN_OK)
                fail_msg("%zu series, %zu bytes: %s", n, limits[i], err.msg);
            if (round == 11) {
                printf("%zu bytes: %zu bytes spilled in %" PRIu64 " calls\n", limits[i],
                       ts.open[0] ? ts.files[0].n : 0, ts.calls);
                assert_true(ts.open[0] == (limits[i] > 0 && limits[i] <= 40 << 10));
            }
            an_postings_free(p);
            test_spill_close(&ts);
            if (b != NULL) assert_int_equal(an_budget_used(b), 0);
            an_budget_free(b);
            plain_free(&want);
        }
    }
}

static void any_call_of_the_spill_may_fail(void **state)
{
    (void)state;
    an_err err;

    for (uint64_t fail_at = 1;; fail_at += 1 + fail_at / 8) {
        test_spill ts;
        an_spill spill = test_spill_open(&ts);
        an_budget *b = an_budget_new(12 << 10);
        an_postings *p;

        ts.fail_at = fail_at;
        assert_int_equal(an_postings_new(b, &spill, &p, &err), AN_OK);
        an_rc rc = add_series(p, NULL, 1, 4000, &err);
        if (rc == AN_OK) rc = read_lists(p, NULL, true, &err);
        if (rc == AN_OK) rc = read_lists(p, NULL, false, &err);
        an_postings_free(p);
        test_spill_close(&ts);
        assert_int_equal(an_budget_used(b), 0);
        an_budget_free(b);
        if (rc == AN_OK) {
            assert_true(ts.calls < fail_at && fail_at > 100);
            break;
        }
        assert_int_equal(rc, AN_ERETRY);
    }
}

static void without_a_spill_a_spent_budget_is_a_limit(void **state)
{
    (void)state;
    an_err err;
    an_budget *b = an_budget_new(12 << 10);
    an_postings *p;

    assert_int_equal(an_postings_new(b, NULL, &p, &err), AN_OK);
    assert_int_equal(add_series(p, NULL, 1, 4000, &err), AN_ELIMIT);
    an_postings_free(p);
    an_budget_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_what_was_added_whatever_the_budget),
        cmocka_unit_test(any_call_of_the_spill_may_fail),
        cmocka_unit_test(without_a_spill_a_spent_budget_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
