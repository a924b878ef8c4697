// SPDX-License-Identifier: Apache-2.0
/* Regular expressions: what Go accepts, matches and captures, on every recorded case. */
#include "base/regex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/prng.h"
#include "unit/vectors.h"

static const char template[] = "<$1|${n}|$2x|$$|$9>";

static an_regex *compile_ok(an_slice pattern)
{
    an_err err;
    an_regex *re;
    if (an_regex_compile(pattern, &re, &err) != AN_OK) {
        fail_msg("%.*s: %s", AN_PRI(pattern), err.msg);
    }
    return re;
}

static bool matches(const an_regex *re, an_slice subject)
{
    an_err err;
    bool yes = false;
    if (an_regex_matches(re, subject, &yes, &err) != AN_OK) { fail_msg("%s", err.msg); }
    return yes;
}

/* Whether and where must agree. */
static an_regex_match find(const an_regex *re, an_arena *a, an_slice subject)
{
    an_err err;
    an_regex_match m = {0};
    if (an_regex_find(re, a, subject, &m, &err) != AN_OK) { fail_msg("%s", err.msg); }
    if (m.matched != matches(re, subject)) {
        fail_msg("the two questions have two answers on %.*s", AN_PRI(subject));
    }
    return m;
}

static void check_submatch(an_arena *a, an_slice p, const an_regex *re, const an_json *want)
{
    an_slice s = vectors_str(want, "s");
    const an_json *groups = vectors_get(want, "groups");
    an_regex_match m = find(re, a, s);
    an_buf b;

    assert_true(m.matched);
    assert_int_equal(groups->n, m.n - 1);
    assert_true(m.v[0].start == 0 && m.v[0].end == s.n);
    for (size_t i = 0; i < groups->n; i++) {
        const an_json *g = &groups->items[i];
        bool set = m.v[i + 1].start != SIZE_MAX;
        if (set != (g->type == AN_JSON_STRING)) {
            fail_msg("%.*s on %.*s: group %zu set: %d", AN_PRI(p), AN_PRI(s), i + 1, set);
        }
        if (!set) continue;
        an_slice got = an_slice_of(s.p + m.v[i + 1].start, m.v[i + 1].end - m.v[i + 1].start);
        if (!an_slice_eq(got, g->text)) {
            fail_msg("%.*s on %.*s: group %zu is '%.*s', want '%.*s'", AN_PRI(p), AN_PRI(s), i + 1,
                     AN_PRI(got), AN_PRI(g->text));
        }
    }
    an_buf_init(&b, 1000, NULL);
    an_regex_expand(re, &b, an_slice_str(template), s, &m);
    if (!an_slice_eq(an_buf_slice(&b), vectors_str(want, "expand"))) {
        fail_msg("%.*s on %.*s: %.*s", AN_PRI(p), AN_PRI(s), AN_PRI(an_buf_slice(&b)));
    }
    an_buf_deinit(&b);
}

static bool listed(const an_json *list, an_slice s)
{
    for (size_t i = 0; i < list->n; i++) {
        if (an_slice_eq(list->items[i].text, s)) return true;
    }
    return false;
}

static void check_case(an_arena *a, const an_json *root, const an_json *c)
{
    const an_json *err_want = vectors_opt(c, "err"), *hex = vectors_opt(c, "pattern_hex");
    an_slice pattern = hex != NULL ? vectors_hex(a, hex->text) : vectors_str(c, "pattern");
    an_err err;
    an_regex *re;

    an_rc rc = an_regex_compile(pattern, &re, &err);
    assert_true((re == NULL) == (rc != AN_OK));
    if (err_want != NULL) {
        if (rc != AN_EINVALID) fail_msg("accepted: %.*s", AN_PRI(pattern));
        /* the recording cannot hold the bad byte itself */
        if (hex == NULL && !an_slice_eq(an_slice_str(err.msg), err_want->text)) {
            fail_msg("%s, want %.*s", err.msg, AN_PRI(err_want->text));
        }
        return;
    }
    if (rc != AN_OK) fail_msg("%.*s: %s", AN_PRI(pattern), err.msg);
    const an_json *subjects = vectors_get(root, "subjects"), *match = vectors_get(c, "match");
    for (size_t i = 0; i < subjects->n; i++) {
        an_slice s = subjects->items[i].text;
        if (find(re, a, s).matched != listed(match, s)) {
            fail_msg("%.*s on %.*s", AN_PRI(pattern), AN_PRI(s));
        }
    }
    const an_json *sub = vectors_opt(c, "submatch");
    for (size_t i = 0; sub != NULL && i < sub->n; i++)
        check_submatch(a, pattern, re, &sub->items[i]);
    an_regex_free(re);
}

static void patterns_match_and_capture_as_in_go(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "regex.json"), *cases = vectors_get(root, "cases");

    assert_int_equal(cases->n, 145);
    for (size_t i = 0; i < cases->n; i++) check_case(a, root, &cases->items[i]);
    an_arena_free(a);
}

static void patterns_are_refused_as_in_go(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "regex.json"), *cases = vectors_get(root, "reject");

    assert_int_equal(cases->n, 88);
    for (size_t i = 0; i < cases->n; i++) check_case(a, root, &cases->items[i]);
    an_arena_free(a);
}

static void subjects_may_be_any_bytes(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "regex.json"), "bytes");

    assert_int_equal(cases->n, 22);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_regex *re = compile_ok(vectors_str(c, "pattern"));
        an_slice s = vectors_hex(a, vectors_str(c, "subject_hex"));
        if (find(re, a, s).matched != vectors_bool(c, "match")) {
            fail_msg("%.*s on %.*s", AN_PRI(vectors_str(c, "pattern")),
                     AN_PRI(vectors_str(c, "subject_hex")));
        }
        an_regex_free(re);
    }
    /* offsets are those of the subject as it was given */
    an_regex *re = compile_ok(AN_LIT("(.)(a)(.*)"));
    an_regex_match m = find(re, a,
                            AN_LIT("\xff"
                                   "a\xc3"
                                   "b\xc3\xa9"));
    assert_true(m.v[1].start == 0 && m.v[1].end == 1 && m.v[2].start == 1 && m.v[2].end == 2 &&
                m.v[3].start == 2 && m.v[3].end == 6);
    an_regex_free(re);
    an_arena_free(a);
}

static void random_patterns_match_and_capture_as_in_go(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "regex.json"), *cases = vectors_get(root, "random");
    const an_json *subjects = vectors_get(root, "small_subjects");
    size_t captures = 0;

    assert_int_equal(cases->n, 300);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *at = vectors_opt(c, "groups_at");
        an_slice p = vectors_str(c, "pattern"), bits = vectors_hex(a, vectors_str(c, "bits"));
        an_regex *re = compile_ok(p);
        for (size_t k = 0; k < subjects->n; k++) {
            an_slice s = subjects->items[k].text;
            bool want = bits.p[k / 8] >> k % 8 & 1;
            if (find(re, a, s).matched != want) fail_msg("%.*s on %.*s", AN_PRI(p), AN_PRI(s));
        }
        for (size_t k = 0; at != NULL && k < at->n; k++) {
            an_slice s = at->items[k].items[0].text;
            const an_json *want = &at->items[k].items[1];
            an_regex_match m = find(re, a, s);
            assert_int_equal(want->n, 2 * (m.n - 1));
            for (size_t g = 0; g < want->n; g++) {
                int64_t w;
                size_t got = g % 2 == 0 ? m.v[1 + g / 2].start : m.v[1 + g / 2].end;
                assert_true(an_json_int64(&want->items[g], &w));
                if (got != (size_t)w) {
                    fail_msg("%.*s on %.*s: offset %zu is %zd, want %lld", AN_PRI(p), AN_PRI(s), g,
                             (ssize_t)got, (long long)w);
                }
            }
            captures++;
        }
        an_regex_free(re);
    }
    print_message("%zu patterns on %zu subjects, %zu sets of groups\n", cases->n, subjects->n,
                  captures);
    an_arena_free(a);
}

static void loops_that_can_take_nothing_capture_as_in_go(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *subject, *expand;
    } v[] = {
        {"(|a)*", "aa", "<a|||$|>"},
        {"(|a)+(a*)", "aa", "<|||$|>"},
        {"(|a){2,}", "aaa", "<a|||$|>"},
        {"(a|b*)*", "ab", "<b|||$|>"},
        {"(?:(?P<n>a)|b*)*", "abab", "<a|a||$|>"},
        {"((|a)*)*", "aa", "<aa|||$|>"},
        {"(a*)*b", "aab", "<aa|||$|>"},
    };
    an_arena *a = an_arena_new(NULL);

    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_regex *re = compile_ok(an_slice_str(v[i].pattern));
        an_slice s = an_slice_str(v[i].subject);
        an_regex_match m = find(re, a, s);
        an_buf b;
        an_buf_init(&b, 1000, NULL);
        assert_true(m.matched);
        an_regex_expand(re, &b, an_slice_str(template), s, &m);
        if (!an_slice_eq(an_buf_slice(&b), an_slice_str(v[i].expand))) {
            fail_msg("%s on %s: %.*s", v[i].pattern, v[i].subject, AN_PRI(an_buf_slice(&b)));
        }
        an_buf_deinit(&b);
        an_regex_free(re);
    }
    an_arena_free(a);
}

static void anchors_stand_around_the_text_not_around_a_group(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_regex *re = compile_ok(AN_LIT("a)|(b")); /* ^(?s:a)|(b)$, as upstream would have it */
    an_regex_match m = find(re, a, AN_LIT("xb"));

    assert_true(m.matched && m.v[0].start == 1 && m.v[1].start == 1 && m.v[1].end == 2);
    assert_true(find(re, a, AN_LIT("ax")).matched);
    assert_false(find(re, a, AN_LIT("bx")).matched);
    an_regex_free(re);
    an_arena_free(a);
}

static void templates_are_expanded_as_in_go(void **state)
{
    (void)state;
    static const struct {
        const char *template, *want;
    } v[] = {
        {"$1", "ab"},
        {"${1}x", "abx"},
        {"$1x", ""},
        {"$0", "abc"},
        {"$n-$x", "c-"},
        {"$", "$"},
        {"$$1", "$1"},
        {"${1", "${1"},
        {"${}", "${}"},
        {"$-", "$-"},
        {"a$", "a$"},
        {"$1$2", "abc"},
        {"$01", ""},
        {"$3", ""},
        {"${n}", "c"},
        {"$1\xc3\xa9", ""},
        {"$1\xe2\x82\xac", "ab\xe2\x82\xac"},
        {"$99999999999", ""},
        {"$1\xff", "ab\xff"},
        {"${1 }", "${1 }"},
    };
    an_arena *a = an_arena_new(NULL);
    an_regex *re = compile_ok(AN_LIT("(ab)(?P<n>c)"));
    an_slice s = AN_LIT("abc");
    an_regex_match m = find(re, a, s);

    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_buf b;
        an_buf_init(&b, 1000, NULL);
        an_regex_expand(re, &b, an_slice_str(v[i].template), s, &m);
        if (!an_slice_eq(an_buf_slice(&b), an_slice_str(v[i].want))) {
            fail_msg("%s: %.*s", v[i].template, AN_PRI(an_buf_slice(&b)));
        }
        an_buf_deinit(&b);
    }
    an_regex_free(re);
    an_arena_free(a);
}

static void no_pattern_makes_matching_explode(void **state)
{
    (void)state;
    static const char *const patterns[] = {"(x+x+)+y", "(x*)*y", "(?:x?){30}x{30}", "(x|xx)+y",
                                           "(.*)(.*)(.*)(.*)(.*)[^x]"};
    uint8_t xs[2000];

    memset(xs, 'x', sizeof xs);
    for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
        an_arena *a = an_arena_new(NULL);
        an_regex *re = compile_ok(an_slice_str(patterns[i]));
        assert_int_equal(find(re, a, an_slice_of(xs, 30)).matched, i == 2);
        assert_false(matches(re, an_slice_of(xs, sizeof xs)));
        an_regex_free(re);
        an_arena_free(a);
    }
}

static an_rc compile_rc(an_slice pattern)
{
    an_err err;
    an_regex *re;
    an_rc rc = an_regex_compile(pattern, &re, &err);
    an_regex_free(re);
    return rc;
}

static void patterns_over_a_limit_are_errors(void **state)
{
    (void)state;
    an_buf b;
    an_buf_init(&b, 4 << 20, NULL);

    an_buf_fill(&b, 'a', AN_REGEX_PATTERN_MAX + 1);
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_ELIMIT);
    an_buf_clear(&b);
    an_buf_fill(&b, '(', 100000);
    an_buf_fill(&b, ')', 100000);
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_ELIMIT);
    an_buf_clear(&b);
    an_buf_u8(&b, 'a');
    for (int i = 0; i < 100000; i++) an_buf_str(&b, "(?i)*");
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_ELIMIT);
    an_buf_clear(&b);
    for (int i = 0; i < AN_REGEX_GROUPS_MAX + 1; i++) an_buf_str(&b, "()");
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_ELIMIT);
    an_buf_clear(&b);
    for (int i = 0; i < 5000; i++) an_buf_str(&b, "(?:ab){1000}");
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_ELIMIT);
    an_buf_clear(&b);
    for (int i = 0; i < 200; i++) an_buf_str(&b, "(?:(?:a*|b)|");
    for (int i = 0; i < 200; i++) an_buf_str(&b, ")*");
    assert_int_equal(compile_rc(an_buf_slice(&b)), AN_OK);
    an_buf_deinit(&b);
}

static void no_cut_and_no_changed_byte_of_a_pattern_overruns(void **state)
{
    (void)state;
    static const char pattern[] =
        "(?i:(?P<n>a[b-d\\x{e9}[:^alpha:]\\d]*?)|\\Qx.\\E{2,3})+(?m-s)^\\pL\\P{Greek}$|(\\b|z?)*.";
    uint64_t seed = prng_seed();
    size_t ok = 0;
    an_arena *a = an_arena_new(NULL);

    for (int i = 0; i < 4000; i++) {
        size_t n = i < (int)sizeof pattern ? (size_t)i : sizeof pattern - 1;
        uint8_t *t = malloc(n > 0 ? n : 1);
        an_err err;
        an_regex *re;
        memcpy(t, pattern, n);
        for (int k = 0; i >= (int)sizeof pattern && k < 3; k++) {
            t[prng(&seed) % n] = (uint8_t)"()[]{}*+?|\\^$.-:PQEx0a"[prng(&seed) % 22];
        }
        an_rc rc = an_regex_compile(an_slice_of(t, n), &re, &err);
        assert_true(rc == AN_OK || rc == AN_EINVALID);
        if (rc == AN_OK) {
            ok++;
            (void)find(re, a, AN_LIT("ab\n\xc3\xa9z"));
            an_regex_free(re);
        }
        free(t);
        an_arena_reset(a);
    }
    assert_true(ok > 100);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_match_and_capture_as_in_go),
        cmocka_unit_test(patterns_are_refused_as_in_go),
        cmocka_unit_test(subjects_may_be_any_bytes),
        cmocka_unit_test(random_patterns_match_and_capture_as_in_go),
        cmocka_unit_test(loops_that_can_take_nothing_capture_as_in_go),
        cmocka_unit_test(anchors_stand_around_the_text_not_around_a_group),
        cmocka_unit_test(templates_are_expanded_as_in_go),
        cmocka_unit_test(no_pattern_makes_matching_explode),
        cmocka_unit_test(patterns_over_a_limit_are_errors),
        cmocka_unit_test(no_cut_and_no_changed_byte_of_a_pattern_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
