// SPDX-License-Identifier: Apache-2.0
/* Label sets: order, texts, hashes and group keys as upstream has them (hashes.json, grouper.json).
 */
#include "tsdb/labels/labels.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "tsdb/meta/meta.h"
#include "unit/prng.h"
#include "unit/vectors.h"

static an_labels read_labels(an_arena *a, const an_json *map)
{
    an_labels ls = {map->n, an_arena_alloc(a, (map->n + 1) * sizeof *ls.v)};

    for (size_t i = 0; i < map->n; i++) ls.v[i] = (an_label){map->keys[i], map->items[i].text};
    an_labels_sort(&ls);
    return ls;
}

static void check_text(an_labels ls, an_slice want)
{
    an_buf out;

    an_buf_init(&out, 1 << 20, NULL);
    an_labels_print(&out, ls);
    if (!an_slice_eq(an_buf_slice(&out), want))
        fail_msg("%.*s, want %.*s", AN_PRI(an_buf_slice(&out)), AN_PRI(want));
    an_buf_deinit(&out);
}

static uint64_t number(an_slice s) { return strtoull((const char *)s.p, NULL, 10); }

static void label_hashes_are_those_of_release_builds(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "hashes.json"), "labels");

    assert_int_equal(cases->n, 300);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_labels ls = read_labels(a, vectors_get(c, "labels"));
        if (an_labels_hash(ls) != number(vectors_str(c, "hash"))) fail_msg("labels %zu", i);
        if (vectors_opt(c, "text") != NULL) check_text(ls, vectors_str(c, "text"));
    }
    an_arena_free(a);
}

static void group_keys_and_texts_are_upstreams(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "grouper.json"), "keys");

    assert_int_equal(cases->n, 410);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_labels ls = read_labels(a, vectors_get(c, "labels"));
        an_buf key;
        an_buf_init(&key, 128, NULL);
        an_group_key(&key, vectors_int(c, "res"), ls);
        if (!an_slice_eq(an_buf_slice(&key), vectors_str(c, "key")))
            fail_msg("key %zu: %.*s", i, AN_PRI(an_buf_slice(&key)));
        an_buf_deinit(&key);
        check_text(ls, vectors_str(c, "text"));
    }
    an_arena_free(a);
}

static void sets_are_ordered_pair_by_pair(void **state)
{
    (void)state;
    an_label v[] = {
        {AN_LIT("a"), AN_LIT("1")}, {AN_LIT("a"), AN_LIT("2")}, {AN_LIT("b"), AN_LIT("0")}};
    an_labels none = {0, NULL}, a1 = {1, v}, a2 = {1, v + 1}, b0 = {1, v + 2};
    an_label w[] = {v[0], v[2]};
    an_labels a1b0 = {2, w};

    assert_true(an_labels_cmp(none, a1) < 0 && an_labels_cmp(a1, none) > 0);
    assert_true(an_labels_cmp(a1, a2) < 0);
    assert_true(an_labels_cmp(a1, a1b0) < 0); /* a strict prefix sorts first */
    assert_true(an_labels_cmp(a1b0, a2) < 0);
    assert_true(an_labels_cmp(a2, b0) < 0);
    assert_int_equal(an_labels_cmp(a1b0, a1b0), 0);
    assert_true(an_slice_eq(an_labels_get(a1b0, AN_LIT("b")), AN_LIT("0")));
    assert_null(an_labels_get(a1b0, AN_LIT("c")).p);
}

static void sorting_keeps_the_order_of_equal_names(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();
    for (int round = 0; round < 1000; round++) {
        an_label v[64];
        uint8_t text[64][2];
        an_labels ls = {(size_t)(prng(&seed) % 64), v};
        for (size_t i = 0; i < ls.n; i++) {
            text[i][0] = (uint8_t)('a' + prng(&seed) % 5);
            text[i][1] = (uint8_t)i;
            v[i] = (an_label){an_slice_of(&text[i][0], 1), an_slice_of(&text[i][1], 1)};
        }
        an_labels_sort(&ls);
        for (size_t i = 1; i < ls.n; i++) {
            int d = an_slice_cmp(v[i - 1].name, v[i].name);
            assert_true(d < 0 || (d == 0 && v[i - 1].value.p[0] < v[i].value.p[0]));
        }
    }
}

static void json_is_gos_map(void **state)
{
    (void)state;
    an_label v[] = {{AN_LIT("a"), AN_LIT("<\x01\"&>")}, {AN_LIT("b"), AN_LIT("")}};
    an_labels ls = {2, v};
    an_buf out;

    an_buf_init(&out, 256, NULL);
    an_labels_json(&out, ls);
    an_slice want = AN_LIT("{\"a\":\"\\u003c\\u0001\\\"\\u0026\\u003e\",\"b\":\"\"}");
    assert_true(an_slice_eq(an_buf_slice(&out), want));
    an_buf_clear(&out);
    an_labels_json(&out, (an_labels){0, NULL});
    assert_true(an_slice_eq(an_buf_slice(&out), AN_LIT("{}")));
    an_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(label_hashes_are_those_of_release_builds),
        cmocka_unit_test(group_keys_and_texts_are_upstreams),
        cmocka_unit_test(sets_are_ordered_pair_by_pair),
        cmocka_unit_test(sorting_keeps_the_order_of_equal_names),
        cmocka_unit_test(json_is_gos_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
