// SPDX-License-Identifier: Apache-2.0
/* The writer against a plain one (support/index_v1_writer.h), with budgets so small that postings
 * and strings go to the spill many times over, and with everything that may fail failing in turn.
 */
#include "support/index_v1_writer.h"
#include "support/index_walk.h"
#include "tsdb/index/health.h"
#include "unit/prng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MAX_SERIES = 600 };

/* A random set of series in label order, with values shared by few, many and no others. */
typedef struct scene {
    raw_series v[MAX_SERIES];
    size_t n;
    char text[MAX_SERIES][4][24];
} scene;

static int cmp_series(const void *a, const void *b)
{
    const raw_series *x = a, *y = b;

    for (size_t i = 0; i < 16; i++) {
        if (x->labels[i] == NULL || y->labels[i] == NULL)
            return (x->labels[i] != NULL) - (y->labels[i] != NULL);
        int d = strcmp(x->labels[i], y->labels[i]);
        if (d != 0) return d;
    }
    return 0;
}

static void make_scene(scene *s, uint64_t *seed, size_t n)
{
    static const char *const names[] = {"__name__", "instance", "job", "le"};
    static const uint64_t values[] = {7, UINT32_MAX, 3, 40};

    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        for (size_t l = 0; l < 4; l++) {
            if (l > 0 && prng(seed) % 4 == 0) continue;
            (void)snprintf(s->text[i][l], sizeof s->text[i][l], "v%" PRIu64,
                           prng(seed) % values[l]);
            s->v[i].labels[k++] = names[l];
            s->v[i].labels[k++] = s->text[i][l];
        }
    }
    qsort(s->v, n, sizeof s->v[0], cmp_series);
    for (size_t i = 0; i < n; i++)
        if (s->n == 0 || cmp_series(&s->v[s->n - 1], &s->v[i]) != 0) s->v[s->n++] = s->v[i];
    uint64_t ref = 8;
    for (size_t i = 0; i < s->n; i++) {
        int64_t t = (int64_t)(prng(seed) % 1000000) - 500000;
        s->v[i].n_chunks = 1 + prng(seed) % 7;
        for (size_t c = 0; c < s->v[i].n_chunks; c++) {
            s->v[i].chunks[c].mint = t;
            s->v[i].chunks[c].maxt = t += (int64_t)(prng(seed) % (UINT64_C(1) << prng(seed) % 40));
            s->v[i].chunks[c].ref = ref;
            t += 1 + (int64_t)(prng(seed) % 3);
            if (prng(seed) % 50 == 0) ref = ((ref >> 32) + 1) << 32 | 8;
            ref += prng(seed) % 3 == 0 ? 0 : prng(seed) % 200;
        }
    }
}

static void plain_write(const scene *s, an_buf *out)
{
    const raw_index ix = {.version = 2, .series = s->v, .n_series = s->n};

    an_buf_init(out, SIZE_MAX, NULL);
    raw_index_write(&ix, out, NULL);
}

static void written_as_a_plain_writer_writes_it_whatever_the_budget(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 32 << 10, 40 << 10, 64 << 10, 300 << 10, 2 << 20};
    uint64_t seed = prng_seed();
    an_err err;
    an_index_written out;
    an_buf want;
    scene *s = malloc(sizeof *s);
    uint64_t spills = 0;

    assert_non_null(s);
    for (size_t round = 0; round < 60; round++) {
        make_scene(s, &seed, round < 30 ? 1 + prng(&seed) % 20 : prng(&seed) % MAX_SERIES);
        plain_write(s, &want);
        for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
            test_sink ts;
            test_spill tsp;
            an_sink sink = test_sink_open(&ts);
            an_spill spill = test_spill_open(&tsp);
            an_budget *b = limits[i] == 0 ? NULL : an_budget_new(limits[i]);
            const walk_opts o = {.mode = TEST_SOURCE_ALL};
            if (index_copy(an_buf_slice(&want), &o, b, &spill, &sink, &out, &err) != AN_OK)
                fail_msg("round %zu, %zu bytes: %s", round, limits[i], err.msg);
            assert_int_equal(ts.out.n, want.n);
            assert_memory_equal(ts.out.p, want.p, want.n);
            assert_int_equal(out.n_series, s->n);
            assert_int_equal(out.size, want.n);
            spills += tsp.opened;
            test_spill_close(&tsp);
            test_sink_close(&ts);
            if (b != NULL) assert_int_equal(an_budget_used(b), 0);
            an_budget_free(b);
        }
        an_buf_deinit(&want);
    }
    printf("%" PRIu64 " spill files\n", spills);
    assert_true(spills > 10);
    free(s);
}

/* The estimate of index_stats, from a second look at what was written. */
static void statistics_are_what_a_health_scan_of_the_result_estimates(void **state)
{
    (void)state;
    uint64_t seed = prng_seed(), all;
    an_err err;
    an_index ix;
    an_series_entry e;
    an_index_health h;
    an_index_written out;
    an_buf b;
    scene *s = malloc(sizeof *s);

    assert_non_null(s);
    for (size_t round = 0; round < 20; round++) {
        an_series_iter *it;
        test_sink ts;
        an_sink sink = test_sink_open(&ts);
        const walk_opts o = {.mode = TEST_SOURCE_ALL};
        make_scene(s, &seed, 1 + prng(&seed) % 100);
        plain_write(s, &b);
        assert_int_equal(index_copy(an_buf_slice(&b), &o, NULL, NULL, &sink, &out, &err), AN_OK);
        an_slice bytes = an_buf_slice(&b);
        an_source src = an_source_mem(&bytes);
        assert_int_equal(an_index_open(&src, &ix, &err), AN_OK);
        assert_int_equal(an_postings_table_walk(&ix, &src, NULL, NULL, NULL, &all, &err), AN_OK);
        assert_int_equal(an_series_iter_open(&ix, &src, &src, all, NULL, &it, &err), AN_OK);
        an_index_health_init(&h, &ix, INT64_MIN, INT64_MAX, NULL);
        while (an_series_iter_next(it, &e, &err) == AN_OK)
            assert_int_equal(an_index_health_add(&h, &e, &err), AN_OK);
        assert_int_equal(an_index_health_any(&h, &err), AN_OK);
        assert_int_equal(h.n_series, out.n_series);
        assert_int_equal(h.estimate.series_max_size, out.series_max_size);
        assert_int_equal(h.estimate.chunk_max_size, out.chunk_max_size);
        an_index_health_deinit(&h);
        an_series_iter_close(it);
        test_sink_close(&ts);
        an_buf_deinit(&b);
    }
    free(s);
}

static void any_write_to_sink_or_spill_may_fail(void **state)
{
    (void)state;
    uint64_t seed = 3;
    an_err err;
    an_index_written out;
    an_buf want;
    scene *s = malloc(sizeof *s);
    uint64_t n_sink = 1, n_spill = 1;

    assert_non_null(s);
    make_scene(s, &seed, 500);
    plain_write(s, &want);
    for (int which = 0; which < 2; which++) {
        for (;;) {
            test_sink ts;
            test_spill tsp;
            an_sink sink = test_sink_open(&ts);
            an_spill spill = test_spill_open(&tsp);
            an_budget *b = an_budget_new(30 << 10);
            const walk_opts o = {.mode = TEST_SOURCE_ALL};
            if (which == 0)
                ts.fail_at = n_sink;
            else
                tsp.fail_at = n_spill;
            const an_rc rc = index_copy(an_buf_slice(&want), &o, b, &spill, &sink, &out, &err);
            test_sink_close(&ts);
            test_spill_close(&tsp); /* whatever happened, no file stays */
            assert_int_equal(an_budget_used(b), 0);
            an_budget_free(b);
            if (rc == AN_OK) break;
            assert_int_equal(rc, AN_ERETRY);
            if (which == 0)
                n_sink++;
            else
                n_spill++;
        }
    }
    printf("%" PRIu64 " writes, %" PRIu64 " calls of the spill\n", n_sink - 1, n_spill - 1);
    assert_true(n_sink > 10 && n_spill > 10);
    an_buf_deinit(&want);
    free(s);
}

static void any_budget_gives_the_same_bytes_or_a_limit(void **state)
{
    (void)state;
    uint64_t seed = 5;
    an_err err;
    an_index_written out;
    an_buf want;
    scene *s = malloc(sizeof *s);
    size_t least[2] = {0, 0};

    assert_non_null(s);
    make_scene(s, &seed, 300);
    plain_write(s, &want);
    for (int spilling = 0; spilling < 2; spilling++) {
        size_t ok = 0;
        for (size_t limit = 0; ok < 5; limit += 509) {
            test_sink ts;
            test_spill tsp;
            an_sink sink = test_sink_open(&ts);
            an_spill spill = test_spill_open(&tsp);
            an_budget *b = an_budget_new(limit);
            const walk_opts o = {.mode = TEST_SOURCE_ALL};
            const an_rc rc =
                index_copy(an_buf_slice(&want), &o, b, spilling ? &spill : NULL, &sink, &out, &err);
            if (rc == AN_OK) {
                assert_int_equal(ts.out.n, want.n);
                assert_memory_equal(ts.out.p, want.p, want.n);
                if (ok++ == 0) least[spilling] = limit;
            } else {
                assert_int_equal(rc, AN_ELIMIT);
            }
            assert_int_equal(an_budget_used(b), 0);
            an_budget_free(b);
            test_spill_close(&tsp);
            test_sink_close(&ts);
            assert_true(limit < 1 << 20);
        }
    }
    printf("%zu bytes of memory without a spill, %zu with one\n", least[0], least[1]);
    assert_true(least[1] <= 64 << 10 && least[1] <= least[0]);
    an_buf_deinit(&want);
    free(s);
}

/* 800 small series that fill the postings, then one with 1,500 chunks. */
static an_rc write_one_long_series(an_budget *b, const an_spill *spill, const an_sink *sink,
                                   an_err *err)
{
    an_rc rc = AN_OK;
    static an_chunk_meta chunks[1500];
    an_strtab *t = NULL;
    an_index_writer *w = NULL;
    an_index_written out;
    char s[16];

    for (size_t i = 0; i < 1500; i++)
        chunks[i] = (an_chunk_meta){(int64_t)i * 120000, (int64_t)i * 120000 + 119000, 100 * i};
    AN_TRY(an_strtab_new(NULL, NULL, &t, err));
    for (size_t i = 0; i < 900; i++) {
        (void)snprintf(s, sizeof s, "s%03zu", i);
        AN_TRY(an_strtab_add(t, an_slice_str(s), err));
    }
    AN_TRY(an_index_writer_open(sink, t, b, spill, &w, err));
    for (uint32_t i = 1; i < 800; i++) {
        const uint32_t labels[] = {0, i, 1, i / 2};
        AN_TRY(an_index_writer_add(w, labels, 2, chunks, 1, err));
    }
    const uint32_t last[] = {0, 800};
    AN_TRY(an_index_writer_add(w, last, 1, chunks, 1500, err));
    AN_TRY(an_index_writer_finish(w, &out, err));
out:
    an_index_writer_close(w);
    an_strtab_free(t);
    return rc;
}

static void postings_make_way_for_a_long_entry(void **state)
{
    (void)state;
    an_err err;
    test_sink want, got;
    test_spill ts;
    an_sink sink = test_sink_open(&want);
    an_spill spill = test_spill_open(&ts);
    an_budget *b = an_budget_new(48 << 10);

    assert_int_equal(write_one_long_series(NULL, NULL, &sink, &err), AN_OK);
    sink = test_sink_open(&got);
    if (write_one_long_series(b, &spill, &sink, &err) != AN_OK) fail_msg("%s", err.msg);
    assert_int_equal(ts.opened, 1);
    assert_int_equal(got.out.n, want.out.n);
    assert_memory_equal(got.out.p, want.out.p, want.out.n);
    an_budget_free(b);
    test_spill_close(&ts);
    test_sink_close(&got);
    test_sink_close(&want);
}

/* A writer over the symbols a, b, c, d with one series {a="b"} already in. */
typedef struct misuse {
    test_sink ts;
    an_sink sink;
    an_strtab *symbols;
    an_index_writer *w;
} misuse;

static void misuse_open(misuse *m)
{
    static const uint32_t labels[] = {0, 1};
    static const an_chunk_meta chunk = {10, 20, 100};
    an_err err;

    m->sink = test_sink_open(&m->ts);
    assert_int_equal(an_strtab_new(NULL, NULL, &m->symbols, &err), AN_OK);
    for (const char *s = "a\0b\0c\0d\0"; *s != '\0'; s += 2)
        assert_int_equal(an_strtab_add(m->symbols, an_slice_str(s), &err), AN_OK);
    assert_int_equal(an_index_writer_open(&m->sink, m->symbols, NULL, NULL, &m->w, &err), AN_OK);
    assert_int_equal(an_index_writer_add(m->w, labels, 1, &chunk, 1, &err), AN_OK);
}

static void misuse_close(misuse *m)
{
    an_index_writer_close(m->w);
    an_strtab_free(m->symbols);
    test_sink_close(&m->ts);
}

static void assert_refused(const uint32_t *labels, size_t n_labels, const an_chunk_meta *chunks,
                           size_t n_chunks, an_cause cause, const char *text)
{
    an_err err;
    misuse m;

    misuse_open(&m);
    assert_int_equal(an_index_writer_add(m.w, labels, n_labels, chunks, n_chunks, &err), AN_EHALT);
    assert_int_equal(err.cause, cause);
    assert_string_equal(err.msg, text);
    misuse_close(&m);
}

static void wrong_order_is_refused_in_upstreams_words(void **state)
{
    (void)state;
    static const uint32_t same[] = {0, 1}, above[] = {0, 2}, longer[] = {0, 1, 2, 3};
    static const uint32_t none[] = {0, 9};
    const an_chunk_meta ok[] = {{1, 2, 100}, {3, 4, 100}};
    const an_chunk_meta back[] = {{1, 2, 99}};
    const an_chunk_meta touch[] = {{1, 3, 100}, {3, 4, 101}};
    const an_chunk_meta twin[] = {{1, 3, 100}, {1, 3, 101}};
    const an_chunk_meta turned[] = {{5, 4, 100}};
    misuse m;
    an_err err;

    assert_refused(same, 1, ok, 2, AN_CAUSE_OOO_SERIES,
                   "out-of-order series added with label set {a=\"b\"}, last label set {a=\"b\"}");
    assert_refused(same, 0, ok, 2, AN_CAUSE_OOO_SERIES,
                   "out-of-order series added with label set {}, last label set {a=\"b\"}");
    assert_refused(none, 1, ok, 2, AN_CAUSE_NONE, "symbol entry for ordinal 9 does not exist");
    assert_refused(above, 1, back, 1, AN_CAUSE_NONE, "unsorted chunk reference: 99, previous: 100");
    assert_refused(above, 1, touch, 2, AN_CAUSE_OOO_CHUNKS,
                   "chunk minT 3 is not higher than previous chunk maxT 3");
    assert_refused(above, 1, twin, 2, AN_CAUSE_DUP_CHUNKS,
                   "chunk minT 1 is not higher than previous chunk maxT 3");
    assert_refused(above, 1, turned, 1, AN_CAUSE_OOO_CHUNKS, "chunk maxT 4 is less than minT 5");
    misuse_open(&m);
    assert_int_equal(an_index_writer_add(m.w, longer, 2, ok, 2, &err), AN_OK);
    misuse_close(&m);
}

static void a_name_used_more_often_than_there_are_series_is_refused(void **state)
{
    (void)state;
    static const uint32_t twice[] = {0, 2, 0, 3}; /* a="c", a="d" */
    const an_chunk_meta chunk = {1, 2, 100};
    an_index_written out;
    misuse m;
    an_err err;

    misuse_open(&m);
    assert_int_equal(an_index_writer_add(m.w, twice, 2, &chunk, 1, &err), AN_OK);
    assert_int_equal(an_index_writer_finish(m.w, &out, &err), AN_EHALT);
    assert_string_equal(err.msg, "corruption detected when writing postings to index: label \"a\" "
                                 "has 3 uses, but maxPostings is 2");
    misuse_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_as_a_plain_writer_writes_it_whatever_the_budget),
        cmocka_unit_test(statistics_are_what_a_health_scan_of_the_result_estimates),
        cmocka_unit_test(any_write_to_sink_or_spill_may_fail),
        cmocka_unit_test(any_budget_gives_the_same_bytes_or_a_limit),
        cmocka_unit_test(postings_make_way_for_a_long_entry),
        cmocka_unit_test(wrong_order_is_refused_in_upstreams_words),
        cmocka_unit_test(a_name_used_more_often_than_there_are_series_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
