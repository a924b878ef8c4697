// SPDX-License-Identifier: Apache-2.0
/* JSON: what Go accepts is accepted and kept, what it writes is written byte for byte. */
#include "base/json.h"
#include "base/jsonw.h"
#include "base/strconv.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/prng.h"
#include "unit/vectors.h"

static an_rc parse(an_arena *a, an_slice doc, const an_json **out)
{
    an_err err;
    uint8_t *copy = malloc(doc.n + 1); /* exactly sized below: ASan sees the first byte too far */
    copy = realloc(copy, doc.n > 0 ? doc.n : 1);
    if (doc.n > 0) memcpy(copy, doc.p, doc.n);
    an_rc rc = an_json_parse(a, an_slice_of(copy, doc.n), 1 << 20, out, &err);
    free(copy);
    assert_true((*out != NULL) == (rc == AN_OK));
    if (rc != AN_OK) assert_true(err.rc == rc && strncmp(err.msg, "json: ", 6) == 0);
    return rc;
}

static const an_json *parse_ok(an_arena *a, const char *doc)
{
    const an_json *v;
    if (parse(a, an_slice_str(doc), &v) != AN_OK) fail_msg("refused: %s", doc);
    return v;
}

#define assert_slice(s, lit)                                                                       \
    do {                                                                                           \
        an_slice s_ = (s), want_ = AN_LIT(lit);                                                    \
        if (!an_slice_eq(s_, want_)) fail_msg("got %.*s, want %s", AN_PRI(s_), lit);               \
    } while (0)

static void the_tree_keeps_order_duplicates_and_number_texts(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *v = parse_ok(
        a, " {\"b\":1.50,\"a\":[true,null,-0,12345678901234567000,\"x\"],\"b\":{},\"\\u0000\":1} ");

    assert_int_equal(v->type, AN_JSON_OBJECT);
    assert_int_equal(v->n, 4);
    assert_slice(v->keys[0], "b");
    assert_slice(v->keys[1], "a");
    assert_slice(v->keys[2], "b");
    assert_slice(v->keys[3], "\0");
    assert_slice(v->items[0].text, "1.50");
    const an_json *arr = an_json_key(v, AN_LIT("a"));
    assert_int_equal(arr->n, 5);
    assert_true(arr->items[0].type == AN_JSON_BOOL && arr->items[0].truth);
    assert_int_equal(arr->items[1].type, AN_JSON_NULL);
    assert_slice(arr->items[2].text, "-0");
    assert_slice(arr->items[3].text, "12345678901234567000");
    assert_slice(arr->items[4].text, "x");
    assert_int_equal(an_json_key(v, AN_LIT("b"))->type, AN_JSON_OBJECT);
    an_arena_free(a);
}

static void what_is_not_json_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "[",
        "}",
        "]",
        "{]",
        "[}",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{1:2}",
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "[01]",
        "[1.]",
        "[.5]",
        "[+1]",
        "[-]",
        "[1e]",
        "[1e+]",
        "[0x1]",
        "[--1]",
        "[1-2]",
        "nul",
        "nulll",
        "True",
        "true false",
        "1 2",
        "{} {}",
        "[]x",
        "\"a",
        "\"\\x\"",
        "\"\\\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\t\"",
        "\"\n\"",
        "\xef\xbb\xbf{}",
        "[NaN]",
        "[Infinity]",
        "/**/1",
        "[1]//",
        "{\"a\":1 \"b\":2}",
        "\xff",
        "[true1]",
        "[1,2,3-4]",
        "[1,2,3\"a\"]",
        "[1,2,34e5.6]",
        "[1,2,3e4e5]",
        "[1,2,3x]",
        "[\"a\":1]",
        "{\"a\":\"b\":1}",
        "{\"a\"::1}",
        "\"a\":1",
        ":",
        "[0:1]",
        "{\"a\" 1}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        an_arena *a = an_arena_new(NULL);
        const an_json *v;
        if (parse(a, an_slice_str(bad[i]), &v) != AN_ECORRUPT) fail_msg("accepted: %s", bad[i]);
        an_arena_free(a);
    }
    an_arena *a = an_arena_new(NULL);
    const an_json *v;
    assert_int_equal(parse(a, AN_LIT("[1]\0"), &v), AN_ECORRUPT);
    assert_int_equal(parse(a, AN_LIT("[1 \0]"), &v), AN_ECORRUPT);
    assert_int_equal(parse(a, AN_LIT("\"a\0b\""), &v), AN_ECORRUPT);
    an_arena_free(a);
}

static void limits_are_errors_of_their_own(void **state)
{
    (void)state;
    an_err err;
    const an_json *v;
    an_arena *a = an_arena_new(NULL);
    an_buf deep;

    assert_int_equal(an_json_parse(a, AN_LIT("[1]"), 2, &v, &err), AN_ELIMIT);
    assert_null(v);
    an_buf_init(&deep, 1 << 20, NULL);
    an_buf_fill(&deep, '[', AN_JSON_DEPTH);
    an_buf_fill(&deep, ']', AN_JSON_DEPTH);
    assert_int_equal(parse(a, an_buf_slice(&deep), &v), AN_OK);
    an_buf_clear(&deep);
    an_buf_fill(&deep, '[', AN_JSON_DEPTH + 1);
    an_buf_fill(&deep, ']', AN_JSON_DEPTH + 1);
    assert_int_equal(parse(a, an_buf_slice(&deep), &v), AN_ECORRUPT);
    an_buf_deinit(&deep);
    an_arena_free(a);

    an_budget *b = an_budget_new(200000);
    a = an_arena_new(b);
    an_buf_init(&deep, 1 << 20, NULL);
    an_buf_u8(&deep, '[');
    for (int i = 0; i < 100000; i++) an_buf_str(&deep, "0,");
    an_buf_str(&deep, "0]");
    assert_int_equal(parse(a, an_buf_slice(&deep), &v), AN_ELIMIT);
    an_buf_deinit(&deep);
    an_arena_free(a);
    an_budget_free(b);
}

/* What is not in the arena counts as well: a document of empty objects takes a hundred times its
 * length while it is parsed. */
static void memory_for_parsing_comes_from_the_budget(void **state)
{
    (void)state;
    static const char *const items[] = {"0,", "[],", "{},", "{\"a\":1},", "\"x\","};
    const an_json *v;
    an_buf doc;

    an_buf_init(&doc, 1 << 20, NULL);
    for (size_t k = 0; k < sizeof items / sizeof *items; k++) {
        an_buf_clear(&doc);
        an_buf_u8(&doc, '[');
        for (int i = 0; i < 10000; i++) an_buf_str(&doc, items[k]);
        an_buf_str(&doc, "0]");
        an_budget *b = an_budget_new(64 << 20);
        an_arena *a = an_arena_new(b);
        assert_int_equal(parse(a, an_buf_slice(&doc), &v), AN_OK);
        assert_true(an_budget_used(b) == an_arena_bytes(a)); /* the rest was given back */
        assert_true(an_budget_peak(b) > an_arena_bytes(a) + 10000 * (size_t)96);
        size_t most = an_budget_peak(b);
        an_arena_free(a);
        an_budget_free(b);

        b = an_budget_new(most / 2);
        a = an_arena_new(b);
        assert_int_equal(parse(a, an_buf_slice(&doc), &v), AN_ELIMIT);
        an_arena_free(a);
        an_budget_free(b);
    }
    an_buf_deinit(&doc);
}

static void too_many_values_are_refused_before_they_cost_memory(void **state)
{
    (void)state;
    an_err err;
    const an_json *v;
    an_arena *a = an_arena_new(NULL);
    an_buf doc;

    an_buf_init(&doc, 4 << 20, NULL);
    an_buf_u8(&doc, '[');
    for (int i = 0; i < AN_JSON_VALUES_MAX; i++) an_buf_str(&doc, "0,");
    an_buf_str(&doc, "0]");
    assert_int_equal(an_json_parse(a, an_buf_slice(&doc), 4 << 20, &v, &err), AN_ECORRUPT);
    assert_true(an_arena_bytes(a) < 1 << 20);
    an_buf_deinit(&doc);
    an_arena_free(a);
}

static void strings_are_repaired_as_go_does(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } v[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\xff"
         "b\"",
         "a\xef\xbf\xbd"
         "b"},
        {"\"\xc3\"", "\xef\xbf\xbd"},
        {"\"\xed\xa0\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xf4\x90\x80\x80\"", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80"},
        {"\"\\ud83d\"", "\xef\xbf\xbd"},
        {"\"\\ude00\"", "\xef\xbf\xbd"},
        {"\"\\ud83d\\ud83d\\ude00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
        {"\"\\ud83dx\"", "\xef\xbf\xbdx"},
        {"\"\\ud83d\\n\"", "\xef\xbf\xbd\n"},
        {"\"\\ud83d\\u0041\"", "\xef\xbf\xbd"
                               "A"},
        {"\"\\u00e9\\uFFFD\"", "\xc3\xa9\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_arena *a = an_arena_new(NULL);
        const an_json *s = parse_ok(a, v[i].in);
        if (!an_slice_eq(s->text, an_slice_str(v[i].out))) fail_msg("%s", v[i].in);
        an_arena_free(a);
    }
}

static void a_member_belongs_to_a_field_without_regard_to_case(void **state)
{
    (void)state;
    assert_true(an_json_key_is(AN_LIT("minTime"), "minTime"));
    assert_true(an_json_key_is(AN_LIT("MINTIME"), "minTime"));
    assert_true(an_json_key_is(AN_LIT("min\x74ime"), "minTime"));
    assert_false(an_json_key_is(AN_LIT("minTim"), "minTime"));
    assert_false(an_json_key_is(AN_LIT("minTimes"), "minTime"));
    assert_false(an_json_key_is(AN_LIT("min_time"), "minTime"));
    assert_false(an_json_key_is(AN_LIT("minTime\0"), "minTime"));
    assert_true(an_json_key_is(AN_LIT("\xc5\xbfource"), "source"));   /* U+017F */
    assert_true(an_json_key_is(AN_LIT("bloc\xe2\x84\xaa"), "block")); /* U+212A */
    assert_false(an_json_key_is(AN_LIT("[x"), "{x"));

    an_arena *a = an_arena_new(NULL);
    const an_json *o = parse_ok(a, "{\"version\":2,\"VERSION\":1,\"x\":null,\"Version\":null}");
    size_t pos = 0;
    assert_slice(an_json_next(o, "version", &pos)->text, "2");
    assert_slice(an_json_next(o, "version", &pos)->text, "1");
    assert_int_equal(an_json_next(o, "version", &pos)->type, AN_JSON_NULL);
    assert_null(an_json_next(o, "version", &pos));
    assert_int_equal(an_json_field(o, "version")->type, AN_JSON_NULL);
    assert_null(an_json_field(o, "y"));
    assert_null(an_json_key(o, AN_LIT("vErsion")));
    an_arena_free(a);
}

static void getters_name_the_field_and_look_at_every_occurrence(void **state)
{
    (void)state;
    an_err err;
    int64_t i = 7;
    uint64_t u = 7;
    bool b = false;
    an_slice s = AN_LIT("before");
    an_arena *a = an_arena_new(NULL);
    const an_json *o = parse_ok(a, "{\"i\":-9223372036854775808,\"u\":18446744073709551615,\"b\":"
                                   "true,\"s\":\"t\",\"n\":null,\"f\":1.0,\"e\":1e3,\"w\":\"x\","
                                   "\"W\":1,\"big\":9223372036854775808,\"m\":-0,\"i\":null}");

    assert_int_equal(an_json_get_int64(o, "i", &i, &err), AN_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(an_json_get_int64(o, "n", &i, &err), AN_OK);
    assert_int_equal(an_json_get_int64(o, "none", &i, &err), AN_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(an_json_get_uint64(o, "u", &u, &err), AN_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(an_json_get_bool(o, "b", &b, &err), AN_OK);
    assert_true(b);
    assert_int_equal(an_json_get_string(o, "s", &s, &err), AN_OK);
    assert_slice(s, "t");
    assert_int_equal(an_json_get_int64(o, "m", &i, &err), AN_OK);
    assert_int_equal(i, 0);

    assert_int_equal(an_json_get_int64(o, "f", &i, &err), AN_ECORRUPT);
    assert_string_equal(err.msg, "json: field f: number 1.0 is not a 64-bit integer");
    assert_int_equal(an_json_get_int64(o, "e", &i, &err), AN_ECORRUPT);
    assert_int_equal(an_json_get_int64(o, "big", &i, &err), AN_ECORRUPT);
    assert_int_equal(an_json_get_uint64(o, "m", &u, &err), AN_ECORRUPT); /* as Go's ParseUint */
    assert_int_equal(an_json_get_int64(o, "w", &i, &err), AN_ECORRUPT);
    assert_string_equal(err.msg, "json: field w: string is not a 64-bit integer");
    assert_int_equal(an_json_get_string(o, "w", &s, &err), AN_ECORRUPT); /* the second one */
    assert_int_equal(an_json_get_bool(o, "s", &b, &err), AN_ECORRUPT);
    assert_int_equal(i, 0);
    an_arena_free(a);
}

static void floats_print_as_encoding_json_prints_them(void **state)
{
    (void)state;
    static const struct {
        uint64_t bits;
        const char *text;
    } v[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "-0"},
        {0xbff0000000000000, "-1"},
        {0x3fb999999999999a, "0.1"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x3eb0c6f784902b25, "9.999999e-7"},
        {0x3e7ad7f29abcaf48, "1e-7"},
        {0x3e19c511dc3a41df, "1.5e-9"},
        {0x4415af1d78b58c40, "100000000000000000000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0xc44b1ae4d6e2ef50, "-1e+21"},
        {0x441ac53a7e04bcda, "123456789012345680000"},
        {0x43e56a95319d63e1, "12345678901234567000"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0x0000000000000001, "5e-324"},
        {0x0010000000000000, "2.2250738585072014e-308"},
        {0x000fffffffffffff, "2.225073858507201e-308"},
        {0x3d30000000000000, "5.684341886080802e-14"},
        {0x4450000000000000, "1.1805916207174113e+21"},
        {0x3c30000000000000, "8.673617379884035e-19"},
        {0x4340000000000000, "9007199254740992"},
        {0x3fd3333333333333, "0.3"},
        {0x3fe5555555555555, "0.6666666666666666"},
        {0x4059000000000000, "100"},
        {0x430c6bf526340000, "1000000000000000"},
        {0x4341c37937e08000, "10000000000000000"},
        {0x419d6f3454000000, "123456789"},
        {0x4580000000000000, "6.189700196426902e+26"},
        {0x4790000000000000, "5.316911983139664e+36"},
        {0x3e70000000000000, "5.960464477539063e-8"},
        {0x54b249ad2594c37d, "1e+100"},
        {0x2b2bff2ee48e0530, "1e-100"},
        {0x3eb0000000000000, "9.5367431640625e-7"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x447c7e83209e90b2, "8.41e+21"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        double d;
        an_buf b;
        memcpy(&d, &v[i].bits, sizeof d);
        an_buf_init(&b, 400, NULL);
        an_json_float64_text(&b, d);
        an_buf_u8(&b, 0);
        assert_string_equal((const char *)b.p, v[i].text);
        an_buf_deinit(&b);
    }
}

static void every_float_reads_back_from_its_text(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (int i = 0; i < 20000; i++) {
        char text[AN_FLOAT_TEXT];
        uint64_t bits = prng(&seed), back;
        if (i % 4 == 1) bits &= ~UINT64_C(0xfffffffffffff); /* powers of two */
        if (i % 4 == 2) bits &= ~UINT64_C(0x7ff0000000000000);
        double d, e;
        memcpy(&d, &bits, sizeof d);
        if (!isfinite(d)) continue;
        size_t n = an_float_print(d, i % 3 == 0 ? 'f' : i % 3 == 1 ? 'e' : 'g', text);
        assert_int_equal(strlen(text), n);
        e = strtod(text, NULL);
        memcpy(&back, &e, sizeof back);
        if (back != bits) fail_msg("%016llx: %s", (unsigned long long)bits, text);
    }
}

static void strings_are_written_with_gos_escapes(void **state)
{
    (void)state;
    an_buf b;

    an_buf_init(&b, 1000, NULL);
    an_json_quote(
        &b, AN_LIT("\"\\/\b\f\n\r\t\x01\x1f\x7f<>&\xe2\x80\xa8\xe2\x80\xa9\xff\xc3\xc3\xa9"), true);
    assert_slice(an_buf_slice(&b),
                 "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\\u003c\\u003e\\u0026\\u2028\\u2029"
                 "\\ufffd\\ufffd\xc3\xa9\"");
    an_buf_clear(&b);
    an_json_quote(&b, AN_LIT("<>&\xe2\x80\xa8"), false);
    assert_slice(an_buf_slice(&b), "\"<>&\\u2028\"");
    an_buf_clear(&b);
    an_json_quote(&b, AN_LIT(""), false);
    assert_slice(an_buf_slice(&b), "\"\"");
    an_buf_deinit(&b);
}

static void the_writer_lays_out_as_marshal_indent(void **state)
{
    (void)state;
    an_buf b;
    an_buf_init(&b, 1000, NULL);

    for (int indent = 0; indent < 2; indent++) {
        an_buf_clear(&b);
        an_jsonw w = an_jsonw_to(&b, indent ? "\t" : NULL, true);
        an_jsonw_begin_object(&w);
        an_jsonw_key(&w, "a");
        an_jsonw_begin_array(&w);
        an_jsonw_int(&w, INT64_MIN);
        an_jsonw_uint(&w, UINT64_MAX);
        an_jsonw_null(&w);
        an_jsonw_bool(&w, true);
        an_jsonw_raw(&w, AN_LIT("1.5"));
        an_jsonw_end_array(&w);
        an_jsonw_key(&w, "e");
        an_jsonw_begin_object(&w);
        an_jsonw_end_object(&w);
        an_jsonw_key(&w, "r");
        an_jsonw_raw(&w, AN_LIT("{\"x\":[],\"y\":[1,{\"z\":\",:\\\"{\"}]}"));
        an_jsonw_key(&w, "s");
        an_jsonw_cstr(&w, "<");
        an_jsonw_end_object(&w);
        if (indent) {
            assert_slice(
                an_buf_slice(&b),
                "{\n\t\"a\": [\n\t\t-9223372036854775808,\n\t\t18446744073709551615,\n"
                "\t\tnull,\n\t\ttrue,\n\t\t1.5\n\t],\n\t\"e\": {},\n\t\"r\": {\n\t\t\"x\": "
                "[],\n\t\t\"y\": [\n\t\t\t1,\n\t\t\t{\n\t\t\t\t\"z\": \",:\\\"{\"\n\t\t\t}\n"
                "\t\t]\n\t},\n\t\"s\": \"\\u003c\"\n}");
        } else {
            assert_slice(
                an_buf_slice(&b),
                "{\"a\":[-9223372036854775808,18446744073709551615,null,true,1.5],\"e\":{},"
                "\"r\":{\"x\":[],\"y\":[1,{\"z\":\",:\\\"{\"}]},\"s\":\"\\u003c\"}");
        }
    }
    an_buf_deinit(&b);
}

static void a_value_prints_as_go_prints_what_it_read_into_any(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } v[] = {
        {"{\"b\":1,\"a\":[1.50,1e2],\"b\":2}", "{\"a\":[1.5,100],\"b\":2}"},
        {"12345678901234567890", "12345678901234567000"},
        {"-0", "-0"},
        {"[ ]", "[]"},
        {"{\"x\":{\"\\u00e9\":\"<\"}, \"\":null}", "{\"\":null,\"x\":{\"\xc3\xa9\":\"\\u003c\"}}"},
        {"9007199254740993", "9007199254740992"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_arena *a = an_arena_new(NULL);
        an_buf b;
        an_buf_init(&b, 1000, NULL);
        assert_true(an_json_print_any(&b, parse_ok(a, v[i].in), true, NULL));
        if (!an_slice_eq(an_buf_slice(&b), an_slice_str(v[i].out))) {
            fail_msg("%s: %.*s", v[i].in, AN_PRI(an_buf_slice(&b)));
        }
        an_buf_deinit(&b);
        an_arena_free(a);
    }
    an_arena *a = an_arena_new(NULL);
    const an_json *bad = NULL;
    an_buf b;
    an_buf_init(&b, 1000, NULL);
    an_buf_str(&b, "kept");
    assert_false(an_json_print_any(&b, parse_ok(a, "[1,{\"n\":1e999}]"), true, &bad));
    assert_slice(bad->text, "1e999");
    assert_slice(an_buf_slice(&b), "kept");
    an_buf_deinit(&b);
    an_arena_free(a);
}

/* Writes a tree again as it was read. */
static void echo(an_jsonw *w, const an_json *v)
{
    int64_t i;
    uint64_t u;
    double d;

    switch (v->type) {
    case AN_JSON_NULL:
        an_jsonw_null(w);
        break;
    case AN_JSON_BOOL:
        an_jsonw_bool(w, v->truth);
        break;
    case AN_JSON_STRING:
        an_jsonw_string(w, v->text);
        break;
    case AN_JSON_NUMBER:
        if (!an_slice_eq(v->text, AN_LIT("-0")) && an_json_int64(v, &i)) {
            an_jsonw_int(w, i);
        } else if (an_json_uint64(v, &u)) {
            an_jsonw_uint(w, u);
        } else {
            assert_true(an_json_float64(v, &d));
            an_buf b;
            an_buf_init(&b, 400, NULL);
            an_json_float64_text(&b, d);
            an_jsonw_raw(w, an_buf_slice(&b));
            an_buf_deinit(&b);
        }
        break;
    case AN_JSON_ARRAY:
        an_jsonw_begin_array(w);
        for (size_t k = 0; k < v->n; k++) echo(w, &v->items[k]);
        an_jsonw_end_array(w);
        break;
    case AN_JSON_OBJECT:
        an_jsonw_begin_object(w);
        for (size_t k = 0; k < v->n; k++) {
            an_jsonw_key_slice(w, v->keys[k]);
            echo(w, &v->items[k]);
        }
        an_jsonw_end_object(w);
        break;
    }
}

static void assert_echo(an_slice doc)
{
    an_arena *a = an_arena_new(NULL);
    const an_json *v;
    an_buf b;

    an_buf_init(&b, 4 << 20, NULL);
    assert_int_equal(parse(a, doc, &v), AN_OK);
    an_jsonw w = an_jsonw_to(&b, "\t", true);
    echo(&w, v);
    an_buf_u8(&b, '\n');
    if (!an_slice_eq(an_buf_slice(&b), doc)) {
        fail_msg("want %.*s\ngot %.*s", AN_PRI(doc), AN_PRI(an_buf_slice(&b)));
    }
    an_buf_deinit(&b);
    an_arena_free(a);
}

static void every_meta_that_upstream_wrote_is_written_again_byte_for_byte(void **state)
{
    (void)state;
    size_t n = 0;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "metajson.json");
    const an_json *cases = vectors_get(root, "encode");

    for (size_t i = 0; i < cases->n; i++, n++) assert_echo(vectors_str(&cases->items[i], "bytes"));
    cases = vectors_get(root, "parse");
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *re = vectors_opt(&cases->items[i], "rewritten");
        if (re == NULL) continue;
        assert_echo(re->text);
        n++;
    }
    print_message("%zu documents\n", n);
    an_arena_free(a);
}

static an_slice vector_input(an_arena *a, const an_json *c)
{
    const an_json *v;
    an_buf b;

    if ((v = vectors_opt(c, "in")) != NULL) return v->text;
    if ((v = vectors_opt(c, "in_hex")) != NULL) return vectors_hex(a, v->text);
    v = vectors_get(c, "in_gen");
    an_buf_init(&b, 1 << 20, NULL);
    if (vectors_opt(v, "repeat") != NULL) {
        for (int64_t i = vectors_int(v, "times"); i > 0; i--) {
            an_buf_slice_add(&b, vectors_str(v, "repeat"));
        }
    } else {
        size_t nest = (size_t)vectors_int(v, "nest");
        an_buf_slice_add(&b, vectors_str(v, "prefix"));
        an_buf_fill(&b, '[', nest);
        an_buf_fill(&b, ']', nest);
        an_buf_slice_add(&b, vectors_str(v, "suffix"));
    }
    assert_false(b.failed);
    an_slice s = an_arena_dup(a, an_buf_slice(&b));
    an_buf_deinit(&b);
    return s;
}

/* The text of `"<field>": <value>` as it stands in a tab-indented meta.json below "thanos". */
static void assert_in_rewritten(const an_json *c, const an_json *doc, const char *field)
{
    const an_json *re = vectors_opt(c, "rewritten");
    const an_json *thanos = an_json_field(doc, "thanos");
    const an_json *v = thanos == NULL ? NULL : an_json_field(thanos, field);
    size_t pos = 0;

    if (re == NULL || v == NULL || v->type != AN_JSON_OBJECT) return;
    (void)an_json_next(thanos, field, &pos);
    if (an_json_next(thanos, field, &pos) != NULL) return; /* merged: the meta reader's test */
    an_buf any, want;
    an_buf_init(&any, 4 << 20, NULL);
    an_buf_init(&want, 4 << 20, NULL);
    assert_true(an_json_print_any(&any, v, true, NULL));
    an_jsonw w = an_jsonw_to(&want, "\t", true);
    w.depth = 2;
    an_buf_printf(&want, "\t\t\"%s\": ", field);
    w.after_key = true;
    an_jsonw_raw(&w, an_buf_slice(&any));
    an_buf_u8(&want, 0);
    if (v->n > 0 && strstr((const char *)re->text.p, (const char *)want.p) == NULL) {
        /* a null label value is an empty string in Go's map; everything else must be there */
        bool null_value = false;
        for (size_t i = 0; i < v->n; i++) null_value |= v->items[i].type == AN_JSON_NULL;
        if (!null_value) fail_msg("%s not in %.*s", (const char *)want.p, AN_PRI(re->text));
    }
    an_buf_deinit(&any);
    an_buf_deinit(&want);
}

static void documents_are_taken_and_refused_as_upstream_does(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "parse");
    size_t taken = 0, refused = 0, deeper = 0;

    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice doc = vector_input(a, c);
        const an_json *why = vectors_opt(c, "bucket_err"), *v;
        bool syntax = why != NULL && (an_slice_has_prefix(why->text, AN_LIT("invalid character")) ||
                                      an_slice_has_prefix(why->text, AN_LIT("unexpected end")));
        an_rc rc = parse(a, doc, &v);
        const an_json *gen = vectors_opt(c, "in_gen");
        if (gen != NULL && !syntax) {
            /* Deviation: Go nests up to 10000 deep, jansson up to 2048, we up to AN_JSON_DEPTH. */
            assert_int_equal(vectors_int(gen, "nest"), 9998);
            assert_int_equal(rc, AN_ECORRUPT);
            deeper++;
            continue;
        }
        if (syntax != (rc != AN_OK)) fail_msg("case %zu: %s: %.*s", i, an_rc_name(rc), AN_PRI(doc));
        if (syntax) {
            refused++;
        } else {
            taken++;
            assert_in_rewritten(c, v, "extensions");
            assert_in_rewritten(c, v, "labels");
        }
    }
    assert_int_equal(deeper, 1);
    print_message("%zu taken, %zu refused, %zu refused as too deep\n", taken, refused, deeper);
    assert_int_equal(taken + refused + deeper, 135);
    assert_int_equal(refused, 20);
    an_arena_free(a);
}

static void no_cut_and_no_flipped_byte_of_a_document_overruns(void **state)
{
    (void)state;
    static const char doc[] =
        "{\"a\":[1,-2.5e+3,true,false,null,\"\\u00e9\\ud83d\\ude00\\n\xc3\xa9\"],\"b\":{\"c\":{}}}";
    uint64_t seed = prng_seed();

    for (size_t n = 0; n < sizeof doc - 1; n++) {
        an_arena *a = an_arena_new(NULL);
        const an_json *v;
        assert_int_equal(parse(a, an_slice_of(doc, n), &v), AN_ECORRUPT);
        an_arena_free(a);
    }
    an_arena *a = an_arena_new(NULL);
    for (int i = 0; i < 20000; i++) {
        char t[sizeof doc];
        const an_json *v;
        memcpy(t, doc, sizeof doc);
        t[prng(&seed) % (sizeof doc - 1)] = (char)prng(&seed);
        t[prng(&seed) % (sizeof doc - 1)] = "{}[],:\"\\u0e-"[prng(&seed) % 12];
        if (parse(a, an_slice_of(t, sizeof doc - 1), &v) == AN_OK)
            assert_int_equal(v->type, AN_JSON_OBJECT);
        an_arena_reset(a);
    }
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_keeps_order_duplicates_and_number_texts),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(limits_are_errors_of_their_own),
        cmocka_unit_test(memory_for_parsing_comes_from_the_budget),
        cmocka_unit_test(too_many_values_are_refused_before_they_cost_memory),
        cmocka_unit_test(strings_are_repaired_as_go_does),
        cmocka_unit_test(a_member_belongs_to_a_field_without_regard_to_case),
        cmocka_unit_test(getters_name_the_field_and_look_at_every_occurrence),
        cmocka_unit_test(floats_print_as_encoding_json_prints_them),
        cmocka_unit_test(every_float_reads_back_from_its_text),
        cmocka_unit_test(strings_are_written_with_gos_escapes),
        cmocka_unit_test(the_writer_lays_out_as_marshal_indent),
        cmocka_unit_test(a_value_prints_as_go_prints_what_it_read_into_any),
        cmocka_unit_test(every_meta_that_upstream_wrote_is_written_again_byte_for_byte),
        cmocka_unit_test(documents_are_taken_and_refused_as_upstream_does),
        cmocka_unit_test(no_cut_and_no_flipped_byte_of_a_document_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
