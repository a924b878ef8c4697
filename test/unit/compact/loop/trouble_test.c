// SPDX-License-Identifier: Apache-2.0
#include "compact/loop/trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static an_trouble trouble(an_trouble_class kind, an_trouble_from from, const char *group,
                          const char *text)
{
    return (an_trouble){.kind = kind,
                        .from = from,
                        .cause = AN_CAUSE_OVERLAP_OOO,
                        .group = an_slice_str(group),
                        .text = an_slice_str(text)};
}

static void the_class_follows_from_result_and_cause(void **state)
{
    (void)state;
    static const struct {
        an_rc rc;
        an_cause cause;
        an_trouble_class want;
    } cases[] = {
        {AN_ECORRUPT, AN_CAUSE_CHUNK_CHECKSUM, AN_TROUBLE_HALT},
        {AN_EUNSUPPORTED, AN_CAUSE_NOT_BUILT, AN_TROUBLE_HALT},
        {AN_EHALT, AN_CAUSE_LABELS_EMPTY, AN_TROUBLE_HALT},
        {AN_ELIMIT, AN_CAUSE_INDEX_64G, AN_TROUBLE_HALT},
        {AN_ELIMIT, AN_CAUSE_SYMBOLS_4G, AN_TROUBLE_HALT},
        {AN_ELIMIT, AN_CAUSE_NONE, AN_TROUBLE_RETRY}, /* memory */
        {AN_ERETRY, AN_CAUSE_DISK_FULL, AN_TROUBLE_RETRY},
        {AN_EDENIED, AN_CAUSE_STORE_DENIED, AN_TROUBLE_RETRY},
        {AN_ENOTFOUND, AN_CAUSE_STORE_404, AN_TROUBLE_RETRY},
        {AN_EIO, AN_CAUSE_NONE, AN_TROUBLE_RETRY},
        {AN_ECANCELED, AN_CAUSE_NONE, AN_TROUBLE_CANCEL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        an_err err;
        (void)AN_FAIL(&err, cases[i].rc, "x");
        an_err_cause(&err, cases[i].cause);
        assert_int_equal(an_trouble_class_of(&err), cases[i].want);
    }
}

static void a_trouble_is_told_once_a_run(void **state)
{
    (void)state;
    an_troubles *t = an_troubles_new();
    an_trouble a = trouble(AN_TROUBLE_HALT, AN_FROM_PLAN, "g", "x");
    an_trouble b = trouble(AN_TROUBLE_HALT, AN_FROM_PLAN, "g", "y");

    assert_true(an_troubles_add(t, &a));
    assert_false(an_troubles_add(t, &a));
    assert_true(an_troubles_add(t, &b));
    assert_int_equal(an_troubles_count(t, AN_TROUBLE_HALT), 2);
    an_troubles_new_pass(t);
    assert_int_equal(an_troubles_count(t, AN_TROUBLE_HALT), 0);
    assert_false(an_troubles_add(t, &a)); /* found again, not told again */
    assert_int_equal(an_troubles_count(t, AN_TROUBLE_HALT), 1);
    an_ulid id = {{1}};
    assert_true(an_troubles_first(t, AN_CAUSE_FUTURE_BLOCK, id));
    assert_false(an_troubles_first(t, AN_CAUSE_FUTURE_BLOCK, id));
    assert_true(an_troubles_first(t, AN_CAUSE_CLOCK_SKEW, id));
    an_troubles_free(t);
}

static void what_a_job_met_stays_for_the_run(void **state)
{
    (void)state;
    an_troubles *t = an_troubles_new();
    an_trouble a = trouble(AN_TROUBLE_HALT, AN_FROM_JOB, "g", "x");

    assert_false(an_troubles_stopped(t, AN_LIT("g")));
    assert_true(an_troubles_add(t, &a));
    an_troubles_new_pass(t);
    assert_true(an_troubles_stopped(t, AN_LIT("g")));
    assert_false(an_troubles_stopped(t, AN_LIT("h")));
    an_troubles_free(t);
}

static void the_text_is_upstreams_multi_error(void **state)
{
    (void)state;
    an_troubles *t = an_troubles_new();
    an_buf out;
    an_trouble a = trouble(AN_TROUBLE_HALT, AN_FROM_JOB, "0@1", "pre compaction overlap check: x");
    an_trouble b = trouble(AN_TROUBLE_RETRY, AN_FROM_JOB, "", "cleaning marked blocks: y");

    an_buf_init(&out, 1 << 16, NULL);
    an_troubles_text(t, &out);
    assert_int_equal(out.n, 0);
    (void)an_troubles_add(t, &a);
    an_troubles_text(t, &out);
    assert_true(
        an_slice_eq(an_buf_slice(&out), AN_LIT("group 0@1: pre compaction overlap check: x")));
    (void)an_troubles_add(t, &b);
    an_buf_clear(&out);
    an_troubles_text(t, &out);
    assert_true(an_slice_eq(an_buf_slice(&out),
                            AN_LIT("2 errors: group 0@1: pre compaction overlap check: x; "
                                   "cleaning marked blocks: y")));
    for (int i = 0; i < 40; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "t%d", i);
        an_trouble more = trouble(AN_TROUBLE_RETRY, AN_FROM_JOB, "g", text);
        assert_true(an_troubles_add(t, &more));
    }
    an_buf_clear(&out);
    an_troubles_text(t, &out);
    assert_true(an_slice_has_prefix(an_buf_slice(&out), AN_LIT("42 errors: ")));
    assert_true(an_slice_has_suffix(an_buf_slice(&out), AN_LIT("; and 22 more")));
    an_buf_deinit(&out);
    an_troubles_free(t);
}

static void a_verdict_holds_for_the_bytes_it_was_given_for(void **state)
{
    (void)state;
    an_troubles *t = an_troubles_new();
    an_ulid id = {{7}};
    an_verdict v = {.id = id, .data = 1, .bad = AN_CAUSE_CHUNK_CHECKSUM, .text = AN_LIT("bad")};
    an_verdict out;

    assert_false(an_troubles_verdict(t, id, 1, &out));
    an_troubles_judge(t, &v);
    assert_true(an_troubles_verdict(t, id, 1, &out));
    assert_int_equal(out.bad, AN_CAUSE_CHUNK_CHECKSUM);
    assert_true(an_slice_eq(out.text, AN_LIT("bad")));
    assert_false(an_troubles_verdict(t, id, 2, &out)); /* other bytes */
    v.data = 2;
    v.bad = AN_CAUSE_NONE;
    an_troubles_judge(t, &v);
    assert_false(an_troubles_verdict(t, id, 1, &out));
    assert_true(an_troubles_verdict(t, id, 2, &out));
    assert_int_equal(out.bad, AN_CAUSE_NONE);
    an_troubles_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_class_follows_from_result_and_cause),
        cmocka_unit_test(a_trouble_is_told_once_a_run),
        cmocka_unit_test(what_a_job_met_stays_for_the_run),
        cmocka_unit_test(the_text_is_upstreams_multi_error),
        cmocka_unit_test(a_verdict_holds_for_the_bytes_it_was_given_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
