// SPDX-License-Identifier: Apache-2.0
/* Groups: their keys, order, blocks and common extensions, against golden/vectors/grouper.json. */
#include "compact/plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

static const an_plan_block *read_block(an_arena *a, const an_json *v)
{
    an_meta *m = an_arena_alloc(a, sizeof *m);
    an_plan_block *b = an_arena_alloc(a, sizeof *b);
    const an_json *lbl = vectors_get(v, "labels"), *ext = vectors_opt(v, "ext");

    b->meta = m;
    assert_true(an_ulid_parse(vectors_str(v, "id"), &b->id));
    m->ulid = b->id;
    m->mint = vectors_int(v, "min");
    m->maxt = vectors_int(v, "max");
    m->thanos.resolution = vectors_int(v, "res");
    m->thanos.labels = (an_labels){lbl->n, an_arena_alloc(a, (lbl->n + 1) * sizeof(an_label))};
    for (size_t i = 0; i < lbl->n; i++)
        m->thanos.labels.v[i] = (an_label){lbl->keys[i], lbl->items[i].text};
    an_labels_sort(&m->thanos.labels);
    if (ext != NULL && ext->type != AN_JSON_NULL) {
        an_buf text;
        an_buf_init(&text, 1 << 16, NULL);
        assert_true(an_json_print_any(&text, ext, true, NULL));
        m->thanos.extensions = an_arena_dup(a, an_buf_slice(&text));
        an_buf_deinit(&text);
    }
    return b;
}

static void check_extensions(an_arena *a, const an_group *g, const an_json *want, size_t no)
{
    an_slice got;
    an_err err;
    an_buf text;

    an_buf_init(&text, 1 << 16, NULL);
    assert_int_equal(an_group_extensions(a, g, &got, &err), AN_OK);
    if (want->type != AN_JSON_NULL) assert_true(an_json_print_any(&text, want, true, NULL));
    if (!an_slice_eq(got, an_buf_slice(&text)))
        fail_msg("case %zu %.*s: extensions %.*s, want %.*s", no, AN_PRI(g->key), AN_PRI(got),
                 AN_PRI(an_buf_slice(&text)));
    an_buf_deinit(&text);
}

static void check_group(an_arena *a, const an_group *g, const an_json *want, size_t no)
{
    const an_json *ids = vectors_get(want, "ids_by_mintime");
    int64_t mint = INT64_MAX, maxt = INT64_MIN;
    an_buf text;

    if (!an_slice_eq(g->key, vectors_str(want, "key")))
        fail_msg("case %zu: key %.*s", no, AN_PRI(g->key));
    assert_int_equal(g->resolution, vectors_int(want, "res"));
    assert_int_equal(g->n, ids->n);
    for (size_t i = 0; i < g->n; i++) {
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(g->blocks[i]->id, id);
        if (!an_slice_eq(an_slice_str(id), ids->items[i].text)) fail_msg("case %zu: %s", no, id);
        if (g->blocks[i]->meta->mint < mint) mint = g->blocks[i]->meta->mint;
        if (g->blocks[i]->meta->maxt > maxt) maxt = g->blocks[i]->meta->maxt;
    }
    assert_int_equal(mint, vectors_int(want, "min"));
    assert_int_equal(maxt, vectors_int(want, "max"));
    an_buf_init(&text, 1 << 16, NULL);
    an_labels_print(&text, g->labels);
    assert_true(an_slice_eq(an_buf_slice(&text), vectors_str(want, "labels_text")));
    an_buf_deinit(&text);
    check_extensions(a, g, vectors_get(want, "extensions"), no);
}

static void groups_are_upstreams_in_upstreams_order(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "grouper.json"), "groups");

    assert_int_equal(cases->n, 300);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *list = vectors_get(&cases->items[i], "blocks");
        const an_json *want = vectors_get(&cases->items[i], "groups");
        an_group *g;
        size_t n;
        an_arena_reset(work);
        const an_plan_block **b = an_arena_alloc(work, (list->n + 1) * sizeof *b);
        for (size_t k = 0; k < list->n; k++) b[k] = read_block(work, &list->items[k]);
        an_groups_build(work, b, list->n, &g, &n);
        assert_int_equal(n, want->n);
        for (size_t k = 0; k < n; k++) check_group(work, &g[k], &want->items[k], i);
        /* Whatever order they come in. */
        for (size_t k = 0; k < list->n / 2; k++) {
            const an_plan_block *t = b[k];
            b[k] = b[list->n - 1 - k];
            b[list->n - 1 - k] = t;
        }
        an_groups_build(work, b, list->n, &g, &n);
        assert_int_equal(n, want->n);
        for (size_t k = 0; k < n; k++) check_group(work, &g[k], &want->items[k], i);
    }
    an_arena_free(work);
    an_arena_free(a);
}

static void equal_min_times_are_ordered_by_id(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_meta m = {.maxt = 10};
    an_plan_block low = {.meta = &m, .id = {{1}}}, high = {.meta = &m, .id = {{2}}};
    const an_plan_block *b[] = {&high, &low};
    an_group *g;
    size_t n;

    an_groups_build(a, b, 2, &g, &n);
    assert_int_equal(n, 1);
    assert_ptr_equal(g[0].blocks[0], &low);
    an_arena_free(a);
}

static void sources_of_a_result_are_sorted_and_unique(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_ulid s1[] = {{{3}}, {{1}}, {{3}}}, s2[] = {{{2}}, {{1}}};
    an_meta m1 = {.compaction = {.n_sources = 3, .sources = s1}};
    an_meta m2 = {.compaction = {.n_sources = 2, .sources = s2}};
    an_plan_block b1 = {.meta = &m1}, b2 = {.meta = &m2};
    const an_plan_block *b[] = {&b1, &b2};
    size_t n;
    an_ulid *v = an_plan_sources(a, b, 2, &n);

    assert_int_equal(n, 3);
    for (uint8_t i = 0; i < 3; i++) assert_int_equal(v[i].b[0], i + 1);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_are_upstreams_in_upstreams_order),
        cmocka_unit_test(equal_min_times_are_ordered_by_id),
        cmocka_unit_test(sources_of_a_result_are_sorted_and_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
