// SPDX-License-Identifier: Apache-2.0
/* YAML: what upstream's reader takes, resolves and refuses. */
#include "base/strconv.h"
#include "base/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/prng.h"
#include "unit/vectors.h"

static an_rc parse(an_arena *a, an_slice doc, an_yaml_dup dup, const an_yaml **out, an_err *err)
{
    uint8_t *copy = malloc(doc.n > 0 ? doc.n : 1); /* ASan sees the first byte too far */
    if (doc.n > 0) memcpy(copy, doc.p, doc.n);
    an_rc rc = an_yaml_parse(a, an_slice_of(copy, doc.n), dup, out, err);
    free(copy);
    assert_true((*out != NULL) == (rc == AN_OK));
    if (rc != AN_OK) assert_true(strncmp(err->msg, "yaml: ", 6) == 0);
    return rc;
}

static const an_yaml *parse_ok(an_arena *a, const char *doc)
{
    an_err err;
    const an_yaml *v;
    if (parse(a, an_slice_str(doc), AN_YAML_DUP_ERROR, &v, &err) != AN_OK) {
        fail_msg("%s: %s", doc, err.msg);
    }
    return v;
}

static void assert_refused(const char *doc, an_rc want, const char *text)
{
    an_arena *a = an_arena_new(NULL);
    an_err err;
    const an_yaml *v;
    an_rc rc = parse(a, an_slice_str(doc), AN_YAML_DUP_ERROR, &v, &err);
    if (rc != want || strcmp(err.msg, text) != 0) {
        fail_msg("%s: %s %s, want %s", doc, an_rc_name(rc), rc == AN_OK ? "" : err.msg, text);
    }
    an_arena_free(a);
}

/* "int 5", "str x", "null", "[int 1,{str a=null}]": enough to compare trees. */
static void show(an_buf *b, const an_yaml *v)
{
    char text[AN_FLOAT_TEXT];

    if (v->kind == AN_YAML_SCALAR) {
        switch (v->type) {
        case AN_YAML_NULL:
            an_buf_str(b, "null");
            break;
        case AN_YAML_BOOL:
            an_buf_str(b, v->truth ? "bool true" : "bool false");
            break;
        case AN_YAML_INT:
            if (v->is_uint) {
                an_buf_printf(b, "int %llu", (unsigned long long)v->u);
            } else {
                an_buf_printf(b, "int %lld", (long long)v->i);
            }
            break;
        case AN_YAML_FLOAT:
            (void)an_float_print(v->f, 'g', text);
            an_buf_printf(b, "float %s", text);
            break;
        case AN_YAML_STR:
            an_buf_printf(b, "str %.*s", AN_PRI(v->text));
            break;
        }
        return;
    }
    bool map = v->kind == AN_YAML_MAP;
    an_buf_u8(b, map ? '{' : '[');
    for (size_t i = 0; i < v->n; i++) {
        if (i > 0) an_buf_u8(b, ',');
        if (map) {
            show(b, v->keys[i]);
            an_buf_u8(b, '=');
        }
        show(b, v->items[i]);
    }
    an_buf_u8(b, map ? '}' : ']');
}

static void assert_shows(const an_yaml *v, const char *want)
{
    an_buf b;
    an_buf_init(&b, 1 << 20, NULL);
    show(&b, v);
    if (!an_slice_eq(an_buf_slice(&b), an_slice_str(want))) {
        fail_msg("got %.*s, want %s", AN_PRI(an_buf_slice(&b)), want);
    }
    an_buf_deinit(&b);
}

static void assert_doc(const char *doc, const char *want)
{
    an_arena *a = an_arena_new(NULL);
    assert_shows(parse_ok(a, doc), want);
    an_arena_free(a);
}

static void scalars_resolve_as_in_yaml_v2(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } v[] = {
        {"0", "int 0"},
        {"00", "int 0"},
        {"01", "int 1"},
        {"08", "float 8"},
        {"010", "int 8"},
        {"-010", "int -8"},
        {"+010", "int 8"},
        {"0o17", "int 15"},
        {"0O17", "int 15"},
        {"-0o7", "int -7"},
        {"0b11", "int 3"},
        {"0B11", "int 3"},
        {"-0b11", "int -3"},
        {"+0b1", "int 1"},
        {"0b", "str 0b"},
        {"0b2", "str 0b2"},
        {"0x1F", "int 31"},
        {"0X1f", "int 31"},
        {"-0xff", "int -255"},
        {"0x", "str 0x"},
        {"1_000", "int 1000"},
        {"1__0", "int 10"},
        {"_1", "str _1"},
        {"1_", "int 1"},
        {"-_1", "int -1"},
        {"0x_1F", "int 31"},
        {"0_7", "int 7"},
        {"1e6", "float 1e+06"},
        {"1E6", "float 1e+06"},
        {"1e+6", "float 1e+06"},
        {"1.", "float 1"},
        {"1.5", "float 1.5"},
        {".5", "float 0.5"},
        {"-.5", "float -0.5"},
        {"+.5", "float 0.5"},
        {"-1.5e-3", "float -0.0015"},
        {".e5", "str .e5"},
        {"1e400", "str 1e400"},
        {"-1e400", "str -1e400"},
        {".inf", "float +Inf"},
        {"-.inf", "float -Inf"},
        {"+.INF", "float +Inf"},
        {".nan", "float NaN"},
        {".NaN", "float NaN"},
        {"inf", "str inf"},
        {"nan", "str nan"},
        {"NaN", "str NaN"},
        {"9223372036854775807", "int 9223372036854775807"},
        {"9223372036854775808", "int 9223372036854775808"},
        {"18446744073709551615", "int 18446744073709551615"},
        {"18446744073709551616", "float 1.8446744073709552e+19"},
        {"-9223372036854775808", "int -9223372036854775808"},
        {"-9223372036854775809", "float -9.223372036854776e+18"},
        {"+9223372036854775808", "float 9.223372036854776e+18"},
        {"+1", "int 1"},
        {"--1", "str --1"},
        {"+", "str +"},
        {"~", "null"},
        {"null", "null"},
        {"Null", "null"},
        {"NULL", "null"},
        {"nUll", "str nUll"},
        {"yes", "bool true"},
        {"Yes", "bool true"},
        {"yEs", "str yEs"},
        {"no", "bool false"},
        {"on", "bool true"},
        {"Off", "bool false"},
        {"y", "bool true"},
        {"Y", "bool true"},
        {"n", "bool false"},
        {"true", "bool true"},
        {"TRUE", "bool true"},
        {"tRue", "str tRue"},
        {"2026-01-01", "str 2026-01-01"},
        {"2001-12-14t21:59:43.10Z", "str 2001-12-14t21:59:43.10Z"},
        {"1:30", "str 1:30"},
        {"190:20:30", "str 190:20:30"},
        {"0.1", "float 0.1"},
        {"1,000", "str 1,000"},
        {"1.2.3", "str 1.2.3"},
        {"12e03", "float 12000"},
        {"0e0", "float 0"},
        {"0x1p4", "str 0x1p4"},
        {"1e", "str 1e"},
        {"e1", "str e1"},
        {"6.02_3", "float 6.023"},
        {"._5", "str ._5"},
        {".5_0", "float 0.5"},
        {"<<", "str <<"},
        {"=", "str ="},
        {"!!str 5", "str 5"},
        {"!!int 5", "int 5"},
        {"!!int x", "error"},
        {"!!int 1.5", "error"},
        {"!!float 5", "float 5"},
        {"!!float x", "error"},
        {"!!bool yes", "bool true"},
        {"!!bool 1", "error"},
        {"!!null ~", "null"},
        {"!!null x", "error"},
        {"!foo 5", "str 5"},
        {"! 5", "str 5"},
        {"'5'", "str 5"},
        {"\"5\"", "str 5"},
        {"!!int '5'", "int 5"},
        {"!!float '5'", "float 5"},
        {"!!str ~", "str ~"},
        {"'~'", "str ~"},
        {"''", "str "},
        {"\"\"", "str "},
        {"!!timestamp 2001-01-01", "str 2001-01-01"},
        {"0777", "int 511"},
        {"0o", "str 0o"},
        {"-0", "int 0"},
        {"+0", "int 0"},
        {"-0.0", "float -0"},
        {"0x7fffffffffffffff", "int 9223372036854775807"},
        {"0xffffffffffffffff", "int 18446744073709551615"},
        {"0x10000000000000000", "str 0x10000000000000000"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_arena *a = an_arena_new(NULL);
        an_buf doc;
        an_err err;
        const an_yaml *root;
        an_buf_init(&doc, 1000, NULL);
        an_buf_printf(&doc, "- %s", v[i].text);
        an_rc rc = parse(a, an_buf_slice(&doc), AN_YAML_DUP_ERROR, &root, &err);
        if (strcmp(v[i].want, "error") == 0) {
            if (rc != AN_EINVALID) fail_msg("%s was taken", v[i].text);
        } else {
            if (rc != AN_OK) fail_msg("%s: %s", v[i].text, err.msg);
            assert_int_equal(root->n, 1);
            assert_shows(root->items[0], v[i].want);
        }
        an_buf_deinit(&doc);
        an_arena_free(a);
    }
}

static void documents_are_trees_with_lines(void **state)
{
    (void)state;
    assert_doc("", "null");
    assert_doc("\n# nothing\n", "null");
    assert_doc("--- 5", "int 5");
    assert_doc("a: 1\n---\nb: [\n", "{str a=int 1}");
    assert_doc("a: 1\n...\n}\n", "{str a=int 1}");
    assert_doc("%YAML 1.1\n---\na: 1\n", "{str a=int 1}");
    assert_doc("\xef\xbb\xbf"
               "a: 1\r\nb:\r\n  c: x\r\n",
               "{str a=int 1,str b={str c=str x}}");
    assert_doc("a: |\n  x\n  y\n", "{str a=str x\ny\n}");
    assert_doc("a: !!binary aGk=\nb: !!binary |\n  aGVs\n  bG8=\n",
               "{str a=str hi,str b=str hello}");
    assert_doc("{1: a, '1': b, 2: c}", "{int 1=str a,str 1=str b,int 2=str c}");

    an_arena *a = an_arena_new(NULL);
    const an_yaml *v = parse_ok(a, "a: &x\n  k: 1\nb:   *x\n");
    assert_int_equal(v->keys[1]->line, 3);
    assert_int_equal(v->items[0]->line, 1);
    assert_int_equal(v->items[1]->line, 3); /* where the alias stands */
    assert_int_equal(v->items[1]->column, 6);
    assert_int_equal(v->items[1]->items[0]->line, 2);
    assert_ptr_equal(an_yaml_get(v, "b"), v->items[1]);
    assert_null(an_yaml_get(v, "c"));
    assert_null(an_yaml_get(v->keys[0], "c"));
    an_arena_free(a);
}

static void what_is_not_one_tree_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("\ta: 1\n", AN_EINVALID,
                   "yaml: line 1: found character that cannot start any token");
    assert_refused("a: [1, 2\n", AN_EINVALID, "yaml: line 2: did not find expected ',' or ']'");
    assert_refused("a: \"x\n", AN_EINVALID, "yaml: line 2: found unexpected end of stream");
    assert_refused("%YAML 1.2\n---\na: 1\n", AN_EINVALID,
                   "yaml: line 1: found incompatible YAML document");
    assert_refused("a: 1\nb: *nope\n", AN_EINVALID,
                   "yaml: line 2: unknown anchor 'nope' referenced");
    assert_refused("a: &a [*a]\n", AN_EINVALID, "yaml: line 1: anchor 'a' value contains itself");
    assert_refused("\n[a]: b\n", AN_EINVALID, "yaml: line 2: a mapping key is no scalar");
    assert_refused("a: 1\nb: 2\na: 3\n", AN_EINVALID,
                   "yaml: line 3: key \"a\" already set in map (line 1)");
    assert_refused("{1: a, 0x1: b}", AN_EINVALID,
                   "yaml: line 1: key \"0x1\" already set in map (line 1)");
    assert_refused("b: {<<: 5}\n", AN_EINVALID,
                   "yaml: line 1: map merge requires map or sequence of maps as the value");
    assert_refused("a: !!binary aGk\n", AN_EINVALID,
                   "yaml: line 1: !!binary value contains invalid base64 data");
    assert_refused("a: !!int x\n", AN_EINVALID, "yaml: line 1: cannot decode !!str `x` as a !!int");
}

static void merges_stand_in_the_place_of_their_key(void **state)
{
    (void)state;
    an_err err;
    const an_yaml *v;
    an_arena *a = an_arena_new(NULL);

    assert_doc("a: &x {k: 1}\nb: {<<: *x, j: 2}\n",
               "{str a={str k=int 1},str b={str k=int 1,str j=int 2}}");
    assert_doc("b: {<<: [{k: 1}, {l: 2}], m: 3}\n",
               "{str b={str l=int 2,str k=int 1,str m=int 3}}");
    assert_doc("b: {'<<': 5}\n", "{str b={str <<=int 5}}");
    assert_refused("a: &x {k: 1}\nb: {<<: *x, k: 2}\n", AN_EINVALID,
                   "yaml: line 2: key \"k\" already set in map (line 1)");
    assert_int_equal(parse(a, AN_LIT("a: &x {k: 1}\nb: {<<: *x, k: 2}\nc: {k: 3, <<: *x}\n"),
                           AN_YAML_DUP_LAST, &v, &err),
                     AN_OK);
    assert_shows(v, "{str a={str k=int 1},str b={str k=int 2},str c={str k=int 1}}");
    an_arena_free(a);
}

static void of_equal_keys_the_last_one_stays_where_that_is_asked_for(void **state)
{
    (void)state;
    an_err err;
    const an_yaml *v;
    an_arena *a = an_arena_new(NULL);

    assert_int_equal(parse(a, AN_LIT("a: 1\nb: 2\na: 3\na: 4\nc: 5\n"), AN_YAML_DUP_LAST, &v, &err),
                     AN_OK);
    assert_shows(v, "{str b=int 2,str a=int 4,str c=int 5}");
    an_arena_free(a);
}

static void large_documents_are_refused_however_small_they_look(void **state)
{
    (void)state;
    an_err err;
    const an_yaml *v;
    an_arena *a = an_arena_new(NULL);
    an_buf b;
    an_buf_init(&b, 8 << 20, NULL);

    an_buf_str(&b, "a: &a [x,x,x,x,x,x,x,x,x,x]\n"); /* a billion laughs */
    for (char c = 'b'; c < 'k'; c++) {
        an_buf_printf(&b, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1,
                      c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1);
    }
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    /* the same with merges */
    an_buf_str(&b, "m0: &m0 {a: [x,x,x,x,x,x,x,x,x,x]}\n");
    for (int i = 1; i < 40; i++) {
        an_buf_printf(&b, "m%d: &m%d {a: 1, <<: *m%d, b: *m%d}\n", i, i, i - 1, i - 1);
    }
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_LAST, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    an_buf_fill(&b, '[', AN_YAML_DEPTH);
    an_buf_fill(&b, ']', AN_YAML_DEPTH);
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_OK);
    an_buf_clear(&b);
    an_buf_fill(&b, '[', AN_YAML_DEPTH + 1);
    an_buf_fill(&b, ']', AN_YAML_DEPTH + 1);
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    an_buf_str(&b, "a: &a [[[[[[[[[[x]]]]]]]]]]\n"); /* deep through aliases */
    for (int i = 0; i < 10; i++) {
        an_buf_printf(&b, "%c: &%c [[[[[[[[[[*%c]]]]]]]]]]\n", 'b' + i, 'b' + i, 'a' + i);
    }
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    for (int i = 0; i < AN_YAML_NODES_MAX; i++) an_buf_str(&b, "- x\n");
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    for (int i = 0; i < AN_YAML_ANCHORS_MAX + 1; i++) an_buf_printf(&b, "- &a%d x\n", i);
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_clear(&b);
    an_buf_fill(&b, ' ', AN_YAML_BYTES_MAX + 1);
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_deinit(&b);
    an_arena_free(a);

    an_budget *budget = an_budget_new(100000);
    a = an_arena_new(budget);
    an_buf_init(&b, 8 << 20, NULL);
    for (int i = 0; i < 10000; i++) an_buf_str(&b, "- x\n");
    assert_int_equal(parse(a, an_buf_slice(&b), AN_YAML_DUP_ERROR, &v, &err), AN_ELIMIT);
    an_buf_deinit(&b);
    an_arena_free(a);
    an_budget_free(budget);
}

typedef struct sample {
    bool flag;
    int64_t n, wait;
    double ratio;
    an_slice name;
    an_yaml_strings list;
    const an_yaml *node;
} sample;

static const an_yaml_field fields[] = {
    {"flag", AN_YAML_TO_BOOL, offsetof(sample, flag)},
    {"n", AN_YAML_TO_INT64, offsetof(sample, n)},
    {"wait", AN_YAML_TO_DURATION, offsetof(sample, wait)},
    {"ratio", AN_YAML_TO_FLOAT, offsetof(sample, ratio)},
    {"name", AN_YAML_TO_STRING, offsetof(sample, name)},
    {"list", AN_YAML_TO_STRINGS, offsetof(sample, list)},
    {"node", AN_YAML_TO_NODE, offsetof(sample, node)},
};

static an_rc decode(an_arena *a, const char *doc, an_yaml_mode mode, sample *s, an_err *err)
{
    return an_yaml_decode(a, parse_ok(a, doc), "sample", fields, sizeof fields / sizeof *fields,
                          mode, s, err);
}

static void a_table_decodes_a_struct(void **state)
{
    (void)state;
    an_err err;
    an_arena *a = an_arena_new(NULL);
    sample s = {.n = 7, .ratio = 0.5};

    assert_int_equal(decode(a,
                            "flag: on\nn: 1e6\nwait: 1h30m\nratio: 3\nname: 0x10\n"
                            "list: [a, 5, ~]\nnode: {x: z}\n",
                            AN_YAML_STRICT, &s, &err),
                     AN_OK);
    assert_true(s.flag && s.n == 1000000 && s.wait == INT64_C(5400000000000) && s.ratio == 3);
    assert_true(an_slice_eq(s.name, AN_LIT("0x10")));
    assert_true(s.list.n == 3 && an_slice_eq(s.list.v[1], AN_LIT("5")) && s.list.v[2].n == 0);
    assert_shows(s.node, "{str x=str z}");

    s = (sample){.n = 7, .name = AN_LIT("kept")};
    assert_int_equal(decode(a, "n:\nname: ~\nlist: null\n", AN_YAML_STRICT, &s, &err), AN_OK);
    assert_true(s.n == 7 && an_slice_eq(s.name, AN_LIT("kept")) && s.list.n == 0);
    assert_int_equal(decode(a, "", AN_YAML_STRICT, &s, &err), AN_OK);
    assert_int_equal(decode(a, "n: 1.9\nunknown: [1]\n", AN_YAML_LENIENT, &s, &err), AN_OK);
    assert_int_equal(s.n, 1);
    an_arena_free(a);
}

static void faults_of_a_struct_are_told_together_with_their_lines(void **state)
{
    (void)state;
    static const struct {
        const char *doc, *text;
    } v[] = {
        {"flag: 1\nfoo: 2\nn: abc\n",
         "yaml: unmarshal errors: line 1: cannot unmarshal !!int `1` into bool (field flag); "
         "line 2: field foo not found in type sample; "
         "line 3: cannot unmarshal !!str `abc` into int (field n)"},
        {"n: 18446744073709551615",
         "yaml: unmarshal errors: line 1: cannot unmarshal !!int `1844674...` into int (field n)"},
        {"n: .nan", "yaml: unmarshal errors: line 1: cannot unmarshal !!float `.nan` into int "
                    "(field n)"},
        {"name: [a]", "yaml: unmarshal errors: line 1: cannot unmarshal !!seq into string (field "
                      "name)"},
        {"\nlist: a", "yaml: unmarshal errors: line 2: cannot unmarshal !!str `a` into []string "
                      "(field list)"},
        {"list:\n- {}", "yaml: unmarshal errors: line 2: cannot unmarshal !!map into string "
                        "(field list)"},
        {"wait: 1.5h", "yaml: unmarshal errors: line 1: unknown unit \".\" in duration \"1.5h\" "
                       "(field wait)"},
        {"ratio: x", "yaml: unmarshal errors: line 1: cannot unmarshal !!str `x` into float64 "
                     "(field ratio)"},
        {"[]", "yaml: unmarshal errors: line 1: cannot unmarshal !!seq into sample"},
        {"foo", "yaml: unmarshal errors: line 1: cannot unmarshal !!str `foo` into sample"},
    };
    an_arena *a = an_arena_new(NULL);
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_err err;
        sample s = {0};
        assert_int_equal(decode(a, v[i].doc, AN_YAML_STRICT, &s, &err), AN_EINVALID);
        assert_string_equal(err.msg, v[i].text);
    }
    an_arena_free(a);
}

static void normal_form_is_what_upstream_reads_back(void **state)
{
    (void)state;
    an_err err;
    an_arena *a = an_arena_new(NULL);
    const an_yaml *v = parse_ok(a, "- 0x10\n- 1.50\n- 1.0\n- 1e6\n- yes\n- ~\n- '0x10'\n- 012\n"
                                   "- .INF\n- {012: 18446744073709551615}\n- 1e-7\n- 2026-01-01\n");
    static const char *const want[] = {"16", "1.5",  "1",  "1e+06", "true",
                                       "~",  "0x10", "10", ".inf"};

    assert_int_equal(an_yaml_normalize(a, v, &v, &err), AN_OK);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        if (!an_slice_eq(v->items[i]->text, an_slice_str(want[i]))) {
            fail_msg("%zu: %.*s", i, AN_PRI(v->items[i]->text));
        }
    }
    assert_true(an_slice_eq(v->items[9]->keys[0]->text, AN_LIT("10")));
    assert_true(an_slice_eq(v->items[9]->items[0]->text, AN_LIT("18446744073709551615")));
    assert_true(an_slice_eq(v->items[10]->text, AN_LIT("1e-07")));
    assert_true(an_slice_eq(v->items[11]->text, AN_LIT("2026-01-01")));
    assert_int_equal(v->items[2]->type, AN_YAML_INT);
    assert_int_equal(v->items[9]->line, 10);
    an_arena_free(a);
}

/* The first "line N" of a text, 0: none. */
static long line_in(an_slice text)
{
    const uint8_t *p = memmem(text.p, text.n, "line ", 5);
    return p == NULL ? 0 : strtol((const char *)p + 5, NULL, 10);
}

typedef struct bucket_conf {
    an_slice type, prefix;
    const an_yaml *config;
} bucket_conf;

static void bucket_configurations_are_read_as_upstream_reads_their_top_level(void **state)
{
    (void)state;
    static const an_yaml_field top[] = {
        {"type", AN_YAML_TO_STRING, offsetof(bucket_conf, type)},
        {"config", AN_YAML_TO_NODE, offsetof(bucket_conf, config)},
        {"prefix", AN_YAML_TO_STRING, offsetof(bucket_conf, prefix)},
    };
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "bucketconfig.json"), "cases");
    size_t refused = 0, taken = 0;

    assert_int_equal(cases->n, 416);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *why = vectors_opt(c, "err");
        an_slice doc = vectors_str(c, "yaml");
        bool want = why == NULL || !an_slice_has_prefix(why->text, AN_LIT("parsing config YAML"));
        an_err err;
        bucket_conf conf = {0};
        const an_yaml *v;
        an_rc rc = parse(a, doc, AN_YAML_DUP_ERROR, &v, &err);
        if (rc == AN_OK) {
            rc = an_yaml_decode(a, v, "client.BucketConfig", top, 3, AN_YAML_STRICT, &conf, &err);
        }
        if (want != (rc == AN_OK)) {
            fail_msg("case %zu: %.*s: %s", i, AN_PRI(doc), rc == AN_OK ? "taken" : err.msg);
        }
        taken += want;
        refused += !want;
        if (want || memmem(why->text.p, why->text.n, "unmarshal errors", 16) == NULL) continue;
        if (line_in(why->text) != line_in(an_slice_str(err.msg))) {
            fail_msg("%.*s: %s, want %.*s", AN_PRI(doc), err.msg, AN_PRI(why->text));
        }
    }
    print_message("%zu taken, %zu refused\n", taken, refused);
    assert_int_equal(refused, 22);
    an_arena_free(a);
}

static void no_cut_and_no_changed_byte_of_a_document_overruns(void **state)
{
    (void)state;
    static const char doc[] = "a: &x {k: [1, 0x1f, 'q', \"\\u00e9\\n\"], j: ~}\n"
                              "b:\n  <<: *x\n  c: |\n    text\n- d\n? e\n: !!str 5 # end\n...\n";
    uint64_t seed = prng_seed();
    size_t ok = 0;
    an_arena *a = an_arena_new(NULL);

    for (int i = 0; i < 20000; i++) {
        size_t n = i < (int)sizeof doc ? (size_t)i : sizeof doc - 1;
        char t[sizeof doc];
        an_err err;
        const an_yaml *v;
        memcpy(t, doc, n);
        for (int k = 0; i >= (int)sizeof doc && k < 2; k++) {
            t[prng(&seed) % n] = "[]{}&*!|>'\"%@`,:-?#\n \t<~\xff"[prng(&seed) % 25];
        }
        if (parse(a, an_slice_of(t, n), AN_YAML_DUP_LAST, &v, &err) == AN_OK) ok++;
        an_arena_reset(a);
    }
    assert_true(ok > 100);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars_resolve_as_in_yaml_v2),
        cmocka_unit_test(documents_are_trees_with_lines),
        cmocka_unit_test(what_is_not_one_tree_is_refused_with_its_line),
        cmocka_unit_test(merges_stand_in_the_place_of_their_key),
        cmocka_unit_test(of_equal_keys_the_last_one_stays_where_that_is_asked_for),
        cmocka_unit_test(large_documents_are_refused_however_small_they_look),
        cmocka_unit_test(a_table_decodes_a_struct),
        cmocka_unit_test(faults_of_a_struct_are_told_together_with_their_lines),
        cmocka_unit_test(normal_form_is_what_upstream_reads_back),
        cmocka_unit_test(bucket_configurations_are_read_as_upstream_reads_their_top_level),
        cmocka_unit_test(no_cut_and_no_changed_byte_of_a_document_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
