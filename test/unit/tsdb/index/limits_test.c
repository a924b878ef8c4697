// SPDX-License-Identifier: Apache-2.0
/* The limits of the format, with the index sources built for smaller ones (CMakeLists.txt): a file
 * of 64 KiB instead of 64 GiB, sections of 8 KiB instead of 4 GiB. Before a merge the bounds tell,
 * during it the writer. */
#include "support/streams.h"
#include "tsdb/index/bounds.h"
#include "tsdb/index/index_writer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static an_rc add_symbols(an_strtab *t, size_t n, const char *fmt_digits, an_err *err)
{
    an_rc rc = AN_OK;
    char s[64];

    AN_TRY(an_strtab_add(t, AN_LIT("a"), err));
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(s, sizeof s, "b%s%05zu", fmt_digits, i);
        AN_TRY(an_strtab_add(t, an_slice_str(s), err));
    }
    AN_TRY(an_strtab_add(t, AN_LIT("c"), err));
out:
    return rc;
}

/* n series a="b<fill>nnnnn", c="b<fill>nnnnn", each with `n_chunks` chunks; without c where there
 * are values enough. */
static an_rc write_index(size_t n, size_t n_values, const char *fill, size_t n_chunks,
                         const an_sink *sink, an_err *err)
{
    an_rc rc = AN_OK;
    an_strtab *t = NULL;
    an_index_writer *w = NULL;
    an_index_written out;
    an_chunk_meta chunks[8];

    for (size_t i = 0; i < 8; i++)
        chunks[i] = (an_chunk_meta){(int64_t)i * 1000, (int64_t)i * 1000 + 999, 8 + i};
    AN_TRY(an_strtab_new(NULL, NULL, &t, err));
    AN_TRY(add_symbols(t, n_values, fill, err));
    AN_TRY(an_index_writer_open(sink, t, NULL, NULL, &w, err));
    for (size_t i = 0; i < n; i++) {
        const uint32_t two[] = {0, 1 + (uint32_t)(i / n_values), 1 + (uint32_t)n_values,
                                1 + (uint32_t)(i % n_values)};
        const uint32_t one[] = {0, 1 + (uint32_t)i};
        for (size_t k = 0; k < 8; k++) chunks[k].ref = 100 * i + 8 + k;
        const bool wide = n > n_values;
        AN_TRY(an_index_writer_add(w, wide ? two : one, wide ? 2 : 1, chunks, n_chunks, err));
    }
    AN_TRY(an_index_writer_finish(w, &out, err));
out:
    an_index_writer_close(w);
    an_strtab_free(t);
    return rc;
}

static void assert_limit(size_t n, size_t n_values, const char *fill, size_t n_chunks,
                         an_cause cause, uint64_t limit, const char *part)
{
    an_err err;
    test_sink s;
    an_sink sink = test_sink_open(&s);

    assert_int_equal(write_index(n, n_values, fill, n_chunks, &sink, &err), AN_ELIMIT);
    assert_int_equal(err.cause, cause);
    assert_true(err.has_values && err.expected == limit && err.found > limit);
    if (strstr(err.msg, part) == NULL) fail_msg("\"%s\" has no \"%s\"", err.msg, part);
    assert_true(s.out.n <= AN_INDEX_MAX);
    test_sink_close(&s);
}

static void each_limit_is_met_while_writing(void **state)
{
    (void)state;
    /* 10 bytes a symbol: 819 fit 8 KiB, not 900 */
    assert_limit(1, 900, "xxx", 1, AN_CAUSE_SYMBOLS_4G, AN_SECTION_MAX,
                 "symbol table size exceeds 8192 bytes: 819");
    /* 48 bytes a series: 1365 and something fit 64 KiB */
    assert_limit(1400, 40, "", 8, AN_CAUSE_INDEX_64G, AN_INDEX_MAX, "64GiB after 13");
    /* 32 bytes a series, and then the lists */
    assert_limit(1600, 40, "", 1, AN_CAUSE_INDEX_64G, AN_INDEX_MAX, "64GiB after 1600 series");
    /* 16 bytes a series */
    assert_limit(2100, 50, "", 0, AN_CAUSE_SYMBOLS_4G, AN_SECTION_MAX,
                 "posting size exceeds 4 bytes: 8404");
    /* 16 bytes a table entry, 7 a symbol */
    assert_limit(700, 700, "", 1, AN_CAUSE_SYMBOLS_4G, AN_SECTION_MAX,
                 "postings offset table length exceeds 4 bytes: ");
}

static void just_below_the_limits_an_index_is_written(void **state)
{
    (void)state;
    an_err err;
    test_sink s;
    an_sink sink = test_sink_open(&s);

    assert_int_equal(write_index(550, 550, "", 1, &sink, &err), AN_OK);
    assert_true(s.out.n > 16 * 550 && s.out.n < AN_INDEX_MAX);
    test_sink_close(&s);
}

static void open_index(test_sink *s, const an_sink *sink, size_t n, const char *fill, an_slice *b,
                       an_source *src, an_index *ix)
{
    an_err err;

    assert_int_equal(write_index(n, n, fill, 1, sink, &err), AN_OK);
    *b = an_buf_slice(&s->out);
    *src = an_source_mem(b);
    assert_int_equal(an_index_open(src, ix, &err), AN_OK);
}

static void bounds_tell_before_a_merge_what_cannot_work(void **state)
{
    (void)state;
    an_err err;
    test_sink s[3];
    an_sink sink[3];
    an_slice b[3];
    an_source src[3];
    an_index ix[3];
    an_index_bounds bounds;
    static const char *const fill[] = {"", "", "y"};

    for (size_t i = 0; i < 3; i++) {
        sink[i] = test_sink_open(&s[i]);
        open_index(&s[i], &sink[i], 350, fill[i], &b[i], &src[i], &ix[i]);
    }
    /* alone, and twice the same: everything is safe, or at least possible */
    an_index_bounds_of(ix, 1, &bounds);
    assert_int_equal(bounds.symbols_lo, ix[0].symbols_len);
    assert_int_equal(bounds.symbols_hi, ix[0].symbols_len);
    assert_true(bounds.postings_table_hi >= ix[0].postings_table_len);
    assert_true(bounds.file_hi >= ix[0].size && bounds.file_lo <= ix[0].size);
    assert_int_equal(an_index_bounds_postings(ix, src, 1, NULL, &bounds, &err), AN_OK);
    assert_true(bounds.postings_table_lo <= ix[0].postings_table_len);
    assert_true(bounds.postings_table_lo >= ix[0].postings_table_len - 350);
    assert_true(bounds.file_lo <= ix[0].size && bounds.file_lo > ix[0].size / 3);
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_OK);

    an_index_bounds_of(ix, 2, &bounds);
    const uint64_t before = bounds.postings_table_hi;
    assert_true(before > AN_SECTION_MAX && !an_index_bounds_safe(&bounds));
    assert_int_equal(an_index_bounds_postings(ix, src, 2, NULL, &bounds, &err), AN_OK);
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_OK); /* the union is not the sum */

    /* with other values: twice as many pairs, too many */
    an_index_bounds_of(ix, 3, &bounds);
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_OK);
    assert_int_equal(an_index_bounds_postings(ix, src, 3, NULL, &bounds, &err), AN_OK);
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_ELIMIT);
    assert_int_equal(err.cause, AN_CAUSE_SYMBOLS_4G);
    assert_true(err.expected == AN_SECTION_MAX && err.found > AN_SECTION_MAX);

    bounds = (an_index_bounds){.symbols_lo = AN_SECTION_MAX + 1u};
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_ELIMIT);
    assert_int_equal(err.cause, AN_CAUSE_SYMBOLS_4G);
    bounds = (an_index_bounds){.file_lo = AN_INDEX_MAX + 1u};
    assert_int_equal(an_index_bounds_check(&bounds, &err), AN_ELIMIT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_64G);
    for (size_t i = 0; i < 3; i++) test_sink_close(&s[i]);
}

static void small_inputs_are_safe(void **state)
{
    (void)state;
    test_sink s;
    an_sink sink = test_sink_open(&s);
    an_slice b;
    an_source src;
    an_index ix[2];
    an_index_bounds bounds;

    open_index(&s, &sink, 50, "", &b, &src, &ix[0]);
    ix[1] = ix[0];
    an_index_bounds_of(ix, 2, &bounds);
    assert_true(an_index_bounds_safe(&bounds));
    test_sink_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_is_met_while_writing),
        cmocka_unit_test(just_below_the_limits_an_index_is_written),
        cmocka_unit_test(bounds_tell_before_a_merge_what_cannot_work),
        cmocka_unit_test(small_inputs_are_safe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
