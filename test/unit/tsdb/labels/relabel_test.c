// SPDX-License-Identifier: Apache-2.0
/* Relabel rules: parsing, validation and processing against golden/vectors/relabel.json (638 cases)
 * and the shards of hashes.json. */
#include "tsdb/labels/relabel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

static an_labels read_labels(an_arena *a, const an_json *map)
{
    an_labels ls = {map->n, an_arena_alloc(a, (map->n + 1) * sizeof *ls.v)};

    for (size_t i = 0; i < map->n; i++) ls.v[i] = (an_label){map->keys[i], map->items[i].text};
    an_labels_sort(&ls);
    return ls;
}

/* Upstream's own sentences; the rest comes from its YAML and regex libraries. */
static bool is_own_sentence(an_slice err)
{
    return an_slice_has_prefix(err, AN_LIT("validate relabel config: ")) ||
           an_slice_has_prefix(err, AN_LIT("parsing relabel configuration: unknown relabel")) ||
           an_slice_has_prefix(err, AN_LIT("parsing relabel configuration: \"\" is not a valid"));
}

static void check_result(an_arena *a, const an_json *c, const an_relabel *r, size_t no)
{
    an_labels out;
    bool keep = false;
    an_err err;
    an_rc rc = an_relabel_run(r, a, read_labels(a, vectors_get(c, "labels")), &out, &keep, &err);

    if (rc != AN_OK) fail_msg("case %zu: %s", no, err.msg);
    assert_int_equal(keep, vectors_bool(c, "keep"));
    if (!keep) return;
    an_labels want = read_labels(a, vectors_get(c, "out"));
    if (an_labels_cmp(out, want) != 0) {
        an_buf got;
        an_buf_init(&got, 1 << 16, NULL);
        an_labels_print(&got, out);
        fail_msg("case %zu: %.*s", no, AN_PRI(an_buf_slice(&got)));
    }
}

static void every_recorded_rule_list_does_the_same(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "relabel.json"), "cases");
    size_t ran = 0, refused = 0;

    assert_int_equal(cases->n, 638);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *want_err = vectors_opt(c, "err");
        an_slice yaml = vectors_str(c, "yaml");
        an_relabel *r, *s;
        an_err err = {0};
        an_arena_reset(work);
        an_rc rc = an_relabel_parse(yaml, AN_RELABEL_ANY, &r, &err);
        if (want_err != NULL) {
            if (rc != AN_EINVALID || r != NULL) fail_msg("case %zu: accepted", i);
            if (is_own_sentence(want_err->text) &&
                !an_slice_eq(an_slice_str(err.msg), want_err->text))
                fail_msg("case %zu: \"%s\", want \"%.*s\"", i, err.msg, AN_PRI(want_err->text));
            refused++;
        } else {
            if (rc != AN_OK) fail_msg("case %zu: %s", i, err.msg);
            check_result(work, c, r, i);
            ran++;
        }
        an_relabel_free(r);
        rc = an_relabel_parse(yaml, AN_RELABEL_SELECTOR, &s, &err);
        if ((rc == AN_OK) != vectors_bool(c, "selector_ok"))
            fail_msg("case %zu: as a selector: %s", i, rc == AN_OK ? "accepted" : err.msg);
        an_relabel_free(s);
    }
    assert_int_equal(refused, 37);
    print_message("%zu rule lists run, %zu refused\n", ran, refused);
    an_arena_free(work);
    an_arena_free(a);
}

static void shards_are_upstreams(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "hashes.json"), "hashmod");

    assert_int_equal(cases->n, 300);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *names = vectors_get(c, "source_labels");
        an_relabel_rule rule = {.action = AN_RELABEL_HASHMOD, .n_source = names->n};
        an_relabel r = {.n = 1, .rules = &rule};
        an_labels out;
        bool keep;
        an_err err;
        an_arena_reset(work);
        rule.source = an_arena_alloc(work, (names->n + 1) * sizeof *rule.source);
        for (size_t k = 0; k < names->n; k++) rule.source[k] = names->items[k].text;
        rule.separator = vectors_str(c, "separator");
        rule.target = AN_LIT("shard of this test");
        rule.modulus = strtoull((const char *)vectors_str(c, "modulus").p, NULL, 10);
        assert_int_equal(an_relabel_run(&r, work, read_labels(work, vectors_get(c, "labels")), &out,
                                        &keep, &err),
                         AN_OK);
        if (!an_slice_eq(an_labels_get(out, rule.target), vectors_str(c, "shard")))
            fail_msg("case %zu", i);
    }
    an_arena_free(work);
    an_arena_free(a);
}

static void refused(const char *yaml, an_relabel_use use, const char *want)
{
    an_relabel *r;
    an_err err;

    assert_int_equal(an_relabel_parse(an_slice_str(yaml), use, &r, &err), AN_EINVALID);
    assert_null(r);
    assert_string_equal(err.msg, want);
}

static void a_selector_may_keep_drop_and_hash(void **state)
{
    (void)state;
    refused("- action: labelmap\n", AN_RELABEL_SELECTOR, "unsupported relabel action: labelmap");
    refused("- target_label: x\n", AN_RELABEL_SELECTOR, "unsupported relabel action: replace");
    refused("- action: x\n", AN_RELABEL_ANY,
            "parsing relabel configuration: unknown relabel action \"x\"");
}

static void an_empty_rule_is_refused_where_upstream_crashes(void **state)
{
    (void)state;
    refused("- null\n", AN_RELABEL_ANY,
            "parsing relabel configuration: yaml: line 1: a rule is empty");
}

static void letters_beyond_ascii_change_case_too(void **state)
{
    (void)state;
    static const struct {
        const char *in, *lower, *upper;
    } cases[] = {
        {"aZ09-", "az09-", "AZ09-"},
        {"\u00c4\u00df\u0416", "\u00e4\u00df\u0436", "\u00c4\u00df\u0416"},
        {"\u0130\u023a", "i\u2c65", "\u0130\u023a"},
        {"x\xffY", "x\ufffdy", "X\ufffdY"},
    };
    static const char *const names[] = {"lowercase", "uppercase"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int k = 0; k < 2; k++) {
            an_arena *a = an_arena_new(NULL);
            an_label in = {AN_LIT("a"), an_slice_str(cases[i].in)};
            an_relabel *r;
            an_labels out;
            bool keep;
            an_err err;
            const char *yaml =
                an_arena_printf(a, "- {action: %s, source_labels: [a], target_label: a}", names[k]);
            const char *want = k == 0 ? cases[i].lower : cases[i].upper;
            assert_int_equal(an_relabel_parse(an_slice_str(yaml), AN_RELABEL_ANY, &r, &err), AN_OK);
            assert_int_equal(an_relabel_run(r, a, (an_labels){1, &in}, &out, &keep, &err), AN_OK);
            if (!an_slice_eq(out.v[0].value, an_slice_str(want)))
                fail_msg("%s of %zu: %.*s", names[k], i, AN_PRI(out.v[0].value));
            an_relabel_free(r);
            an_arena_free(a);
        }
    }
}

static void no_rules_change_nothing_but_empty_labels(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_label in[] = {{AN_LIT("b"), AN_LIT("")}, {AN_LIT("a"), AN_LIT("1")}};
    an_relabel *r;
    an_labels out;
    bool keep = false;
    an_err err;

    assert_int_equal(an_relabel_parse(AN_LIT(""), AN_RELABEL_SELECTOR, &r, &err), AN_OK);
    assert_int_equal(an_relabel_run(r, a, (an_labels){2, in}, &out, &keep, &err), AN_OK);
    assert_true(keep && out.n == 1);
    an_relabel_free(r);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_rule_list_does_the_same),
        cmocka_unit_test(shards_are_upstreams),
        cmocka_unit_test(a_selector_may_keep_drop_and_hash),
        cmocka_unit_test(an_empty_rule_is_refused_where_upstream_crashes),
        cmocka_unit_test(letters_beyond_ascii_change_case_too),
        cmocka_unit_test(no_rules_change_nothing_but_empty_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
