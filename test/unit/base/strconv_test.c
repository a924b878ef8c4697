// SPDX-License-Identifier: Apache-2.0
/* Numbers and quoted strings in the text forms of Go. The floats as JSON are json_test's. */
#include "base/strconv.h"
#include "base/unicode.h"
#include "base/utf8.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/prng.h"

#define assert_slice(s, lit)                                                                       \
    do {                                                                                           \
        an_slice s_ = (s), want_ = AN_LIT(lit);                                                    \
        if (!an_slice_eq(s_, want_)) fail_msg("got %.*s, want %s", AN_PRI(s_), lit);               \
    } while (0)

static void strings_are_quoted_as_go_quotes_them(void **state)
{
    (void)state;
    static const struct {
        an_slice in;
        const char *out;
    } v[] = {
        {AN_LIT(""), "\"\""},
        {AN_LIT("a\"b\\c"), "\"a\\\"b\\\\c\""},
        {AN_LIT("\a\b\f\n\r\t\v"), "\"\\a\\b\\f\\n\\r\\t\\v\""},
        {AN_LIT("\x00\x1f\x7f"), "\"\\x00\\x1f\\x7f\""},
        {AN_LIT("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {AN_LIT("\xff\xc3"), "\"\\xff\\xc3\""},
        /* spaces and format characters but U+0020, U+FFFD itself prints */
        {AN_LIT("\xc2\xa0\xc2\xad\xe2\x80\x8b\xe2\x80\xa8\xef\xbb\xbf\xef\xbf\xbd"),
         "\"\\u00a0\\u00ad\\u200b\\u2028\\ufeff\xef\xbf\xbd\""},
        /* the last code point, private use, unassigned */
        {AN_LIT("\xf4\x8f\xbf\xbf\xee\x80\x80\xcd\xb8"), "\"\\U0010ffff\\ue000\\u0378\""},
        {AN_LIT("\xe6\x97\xa5\xe6\x9c\xac x'`"), "\"\xe6\x97\xa5\xe6\x9c\xac x'`\""},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_buf b;
        an_buf_init(&b, 1000, NULL);
        an_quote(&b, v[i].in);
        an_buf_u8(&b, 0);
        assert_string_equal((const char *)b.p, v[i].out);
        an_buf_deinit(&b);
    }
}

static void literals_are_read_as_go_reads_them(void **state)
{
    (void)state;
    static const struct {
        an_slice in, out; /* out {NULL, 0}: no literal */
    } v[] = {
        {AN_LIT("\"a\\\"b\\x41\\u00e9\\U0001f600\\101\\a\\\\\""),
         AN_LIT("a\"bA\xc3\xa9\xf0\x9f\x98\x80"
                "A\a\\")},
        {AN_LIT("\"\""), AN_LIT("")},
        {AN_LIT("`a\\n\rb`"), AN_LIT("a\\nb")},
        {AN_LIT("'x'"), AN_LIT("x")},
        {AN_LIT("'\\''"), AN_LIT("'")},
        {AN_LIT("''"), AN_LIT("")},
        {AN_LIT("\"'\""), AN_LIT("'")},
        {AN_LIT("\"\\xff\""), AN_LIT("\xff")},
        {AN_LIT("\"\xff\""), AN_LIT("\xef\xbf\xbd")},
        {AN_LIT("'xy'"), {NULL, 0}},
        {AN_LIT("\"\\'\""), {NULL, 0}},
        {AN_LIT("'\\\"'"), {NULL, 0}},
        {AN_LIT("\"a"), {NULL, 0}},
        {AN_LIT("\""), {NULL, 0}},
        {AN_LIT(""), {NULL, 0}},
        {AN_LIT("a"), {NULL, 0}},
        {AN_LIT("aa"), {NULL, 0}},
        {AN_LIT("\"a\nb\""), {NULL, 0}},
        {AN_LIT("\"a\"b\""), {NULL, 0}},
        {AN_LIT("`a`b`"), {NULL, 0}},
        {AN_LIT("\"\\x4\""), {NULL, 0}},
        {AN_LIT("\"\\u12\""), {NULL, 0}},
        {AN_LIT("\"\\ud800\""), {NULL, 0}},
        {AN_LIT("\"\\U00110000\""), {NULL, 0}},
        {AN_LIT("\"\\400\""), {NULL, 0}},
        {AN_LIT("\"\\18\""), {NULL, 0}},
        {AN_LIT("\"\\q\""), {NULL, 0}},
        {AN_LIT("\"\\\""), {NULL, 0}},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_buf b;
        an_buf_init(&b, 1000, NULL);
        an_buf_str(&b, "kept ");
        bool ok = an_unquote(&b, v[i].in);
        if (ok != (v[i].out.p != NULL)) fail_msg("%.*s: %d", AN_PRI(v[i].in), ok);
        assert_true(an_slice_has_prefix(an_buf_slice(&b), AN_LIT("kept ")));
        assert_true(an_slice_eq(an_slice_of(b.p + 5, b.n - 5), v[i].out));
        an_buf_deinit(&b);
    }
}

static void what_is_quoted_reads_back(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (int i = 0; i < 20000; i++) {
        uint8_t s[12];
        size_t n = prng(&seed) % sizeof s;
        an_buf q, back;
        for (size_t k = 0; k < n; k++) s[k] = (uint8_t)(prng(&seed) >> (prng(&seed) % 3 * 8));
        an_buf_init(&q, 1000, NULL);
        an_buf_init(&back, 1000, NULL);
        an_quote(&q, an_slice_of(s, n));
        assert_true(an_unquote(&back, an_buf_slice(&q)));
        assert_true(an_slice_eq(an_buf_slice(&back), an_slice_of(s, n)));
        an_buf_deinit(&q);
        an_buf_deinit(&back);
    }
}

static void floats_are_read_by_gos_grammar(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double v;
    } good[] = {
        {"0", 0},
        {"-1.5e3", -1500},
        {"+.5", 0.5},
        {"5.", 5},
        {"1_000", 1000},
        {"1_0.5_0", 10.5},
        {"0x1p4", 16},
        {"0x_1.8p+1", 3},
        {"0X.8P0", 0.5},
        {"1e-400", 0},
        {"inf", INFINITY},
        {"+Infinity", INFINITY},
        {"-INF", -INFINITY},
        {"1e1_0", 1e10},
    };
    static const char *const bad[] = {
        "",     "+",    ".",    "e1",   "1e",    "1e+",      "0x10", "0x",   "0xp1",   "0b1",
        "0o7",  " 1",   "1 ",   "1__0", "_1",    "1_",       "1_.5", "1._5", "0x1_p0", "0x1p_1",
        "1e_1", "infi", "+nan", "nano", "1.2.3", "\xd9\xa3", "0x1p", "--1",
    };
    an_err err;
    double v = 0;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (an_float_parse(an_slice_str(good[i].text), &v, &err) != AN_OK || v != good[i].v) {
            fail_msg("%s", good[i].text);
        }
    }
    assert_int_equal(an_float_parse(AN_LIT("NaN"), &v, &err), AN_OK);
    assert_true(isnan(v));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (an_float_parse(an_slice_str(bad[i]), &v, &err) != AN_EINVALID) fail_msg("%s", bad[i]);
    }
    assert_int_equal(an_float_parse(AN_LIT("1\0"), &v, &err), AN_EINVALID);
    assert_string_equal(err.msg, "strconv.ParseFloat: parsing \"1\\x00\": invalid syntax");
    assert_int_equal(an_float_parse(AN_LIT("1e400"), &v, &err), AN_EINVALID);
    assert_string_equal(err.msg, "strconv.ParseFloat: parsing \"1e400\": value out of range");
}

static void floats_print_in_gos_three_forms(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *e, *f, *g;
    } v[] = {
        {0, "0e+00", "0", "0"},
        {-0.0, "-0e+00", "-0", "-0"},
        {1e6, "1e+06", "1000000", "1e+06"},
        {123456, "1.23456e+05", "123456", "123456"},
        {1234567, "1.234567e+06", "1234567", "1.234567e+06"},
        {0.0001, "1e-04", "0.0001", "0.0001"},
        {0.00001, "1e-05", "0.00001", "1e-05"},
        {1e100, "1e+100",
         "1000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "0000000000000",
         "1e+100"},
        {INFINITY, "+Inf", "+Inf", "+Inf"},
        {-INFINITY, "-Inf", "-Inf", "-Inf"},
        {NAN, "NaN", "NaN", "NaN"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        char t[AN_FLOAT_TEXT];
        (void)an_float_print(v[i].v, 'e', t);
        assert_string_equal(t, v[i].e);
        (void)an_float_print(v[i].v, 'f', t);
        assert_string_equal(t, v[i].f);
        (void)an_float_print(v[i].v, 'g', t);
        assert_string_equal(t, v[i].g);
    }
    char t[AN_FLOAT_TEXT]; /* the longest text there is */
    size_t n = an_float_print(-5e-324, 'f', t);
    assert_int_equal(n, 3 + 324);
}

static void integers_are_digits_that_fit(void **state)
{
    (void)state;
    int64_t i = 0;
    uint64_t u = 0;

    assert_true(an_int64_parse(AN_LIT("-9223372036854775808"), &i) && i == INT64_MIN);
    assert_true(an_int64_parse(AN_LIT("+9223372036854775807"), &i) && i == INT64_MAX);
    assert_false(an_int64_parse(AN_LIT("9223372036854775808"), &i));
    assert_false(an_int64_parse(AN_LIT("-9223372036854775809"), &i));
    assert_false(an_int64_parse(AN_LIT("-"), &i) || an_int64_parse(AN_LIT(""), &i) ||
                 an_int64_parse(AN_LIT("1 "), &i) || an_int64_parse(AN_LIT("--1"), &i));
    assert_true(an_uint64_parse(AN_LIT("18446744073709551615"), &u) && u == UINT64_MAX);
    assert_false(an_uint64_parse(AN_LIT("18446744073709551616"), &u));
    assert_false(an_uint64_parse(AN_LIT("+1"), &u) || an_uint64_parse(AN_LIT("-0"), &u));
}

static void counts_have_thousands_separators(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *text;
    } v[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {8377876, "8,377,876"},
        {-1234, "-1,234"},
        {-123, "-123"},
        {INT64_MIN, "-9,223,372,036,854,775,808"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_buf b;
        an_buf_init(&b, 100, NULL);
        an_thousands(&b, v[i].v);
        an_buf_u8(&b, 0);
        assert_string_equal((const char *)b.p, v[i].text);
        an_buf_deinit(&b);
    }
}

static void every_code_point_survives_utf8(void **state)
{
    (void)state;
    for (uint32_t r = 0; r <= AN_RUNE_MAX + 2; r++) {
        uint8_t p[4];
        uint32_t back;
        bool valid = r <= AN_RUNE_MAX && (r < 0xd800 || r >= 0xe000);
        size_t n = an_utf8_encode(r, p);
        assert_int_equal(an_utf8_decode(p, n, &back), n);
        assert_int_equal(back, valid ? r : AN_RUNE_ERROR);
        for (size_t cut = 1; cut < n; cut++) {
            assert_int_equal(an_utf8_decode(p, cut, &back), 1);
            assert_int_equal(back, AN_RUNE_ERROR);
        }
    }
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xfe",
                                      "\xff"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t r;
        an_slice s = an_slice_str(bad[i]);
        assert_int_equal(an_utf8_decode(s.p, s.n, &r), 1);
        assert_int_equal(r, AN_RUNE_ERROR);
        assert_false(an_utf8_valid(s.p, s.n));
    }
    assert_true(an_utf8_valid((const uint8_t *)"\xef\xbf\xbd", 3));
    assert_true(an_rune_prints('a') && an_rune_prints(0xe9) && !an_rune_prints(0xa0) &&
                !an_rune_prints(AN_RUNE_MAX) && !an_rune_prints(0x7f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_quoted_as_go_quotes_them),
        cmocka_unit_test(literals_are_read_as_go_reads_them),
        cmocka_unit_test(what_is_quoted_reads_back),
        cmocka_unit_test(floats_are_read_by_gos_grammar),
        cmocka_unit_test(floats_print_in_gos_three_forms),
        cmocka_unit_test(integers_are_digits_that_fit),
        cmocka_unit_test(counts_have_thousands_separators),
        cmocka_unit_test(every_code_point_survives_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
