// SPDX-License-Identifier: Apache-2.0
/* Series selectors against golden/vectors/matchers.json. */
#include "tsdb/labels/matchers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

static void every_recorded_selector_is_read_or_refused(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "matchers.json"), "cases");
    size_t refused = 0;

    assert_int_equal(cases->n, 36);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice in = vectors_str(c, "in");
        an_matchers *m;
        an_err err;
        an_rc rc = an_matchers_parse(in, &m, &err);
        if (vectors_opt(c, "err") != NULL) {
            if (rc != AN_EINVALID || m != NULL) fail_msg("accepted: %.*s", AN_PRI(in));
            refused++;
            continue;
        }
        if (rc != AN_OK) fail_msg("%.*s: %s", AN_PRI(in), err.msg);
        const an_json *want = vectors_get(c, "matchers");
        assert_int_equal(m->n, want->n);
        for (size_t k = 0; k < m->n; k++) {
            const an_json *w = &want->items[k];
            assert_true(an_slice_eq(m->v[k].name, w->items[0].text));
            assert_true(an_slice_eq(an_slice_str(an_match_op_name(m->v[k].op)), w->items[1].text));
            assert_true(an_slice_eq(m->v[k].value, w->items[2].text));
        }
        an_matchers_free(m);
    }
    assert_int_equal(refused, 14);
    an_arena_free(a);
}

static void values_are_matched_whole(void **state)
{
    (void)state;
    static const struct {
        const char *selector, *value;
        bool yes;
    } cases[] = {
        {"{a=\"1\"}", "1", true},      {"{a=\"1\"}", "11", false},  {"{a!=\"1\"}", "1", false},
        {"{a!=\"1\"}", "", true},      {"{a=~\"1|2\"}", "2", true}, {"{a=~\"1|2\"}", "12", false},
        {"{a!~\"x.*\"}", "xy", false}, {"{a!~\"x.*\"}", "y", true}, {"{a=~\".*\"}", "", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        an_matchers *m;
        an_err err;
        bool yes = !cases[i].yes;
        assert_int_equal(an_matchers_parse(an_slice_str(cases[i].selector), &m, &err), AN_OK);
        assert_int_equal(an_matcher_matches(&m->v[0], an_slice_str(cases[i].value), &yes, &err),
                         AN_OK);
        if (yes != cases[i].yes) fail_msg("%s on \"%s\"", cases[i].selector, cases[i].value);
        an_matchers_free(m);
    }
}

static void a_selector_cut_at_any_byte_is_refused_or_shorter(void **state)
{
    (void)state;
    static const char whole[] = "up{a=\"b\\\"\",c=~'d|e'} offset 5m";
    for (size_t n = 0; n <= strlen(whole); n++) {
        char *copy = malloc(n > 0 ? n : 1); /* exactly: ASan sees the first byte too far */
        an_matchers *m;
        an_err err;
        assert_non_null(copy);
        memcpy(copy, whole, n);
        an_rc rc = an_matchers_parse(an_slice_of(copy, n), &m, &err);
        assert_true((m != NULL) == (rc == AN_OK));
        an_matchers_free(m);
        free(copy);
    }
}

static void quotes_follow_gos_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *in, *value; /* NULL: refused */
    } cases[] = {
        {"{a='it\\'s \"x\"'}", "it's \"x\""},
        {"{a=\"it's\"}", "it's"},
        {"{a=`\\n`}", "\\n"},
        {"{a=\"\\u00e9\\x41\"}", "\u00e9A"},
        {"{a=\"\\'\"}", NULL},
        {"{a='\\\"'}", NULL},
        {"{a=\"\\q\"}", NULL},
        {"{a=\"\n\"}", NULL},
        {"{a=\"x}", NULL},
        {"{a=\"x\\", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        an_matchers *m;
        an_err err;
        an_rc rc = an_matchers_parse(an_slice_str(cases[i].in), &m, &err);
        if ((rc == AN_OK) != (cases[i].value != NULL)) fail_msg("%s", cases[i].in);
        if (rc == AN_OK) assert_true(an_slice_eq(m->v[0].value, an_slice_str(cases[i].value)));
        an_matchers_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_selector_is_read_or_refused),
        cmocka_unit_test(values_are_matched_whole),
        cmocka_unit_test(a_selector_cut_at_any_byte_is_refused_or_shorter),
        cmocka_unit_test(quotes_follow_gos_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
