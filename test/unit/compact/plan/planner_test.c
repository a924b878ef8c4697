// SPDX-License-Identifier: Apache-2.0
/* The three planners, range splitting and overlap selection, against upstream's recorded answers:
 * golden/vectors/planner.json (1584 cases, each through all planners) and split.json. */
#include "compact/plan/planner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

typedef struct input {
    an_plan_block *v;
    const an_plan_block **b;
    bool *held;
    size_t n;
} input;

static int64_t opt_int(const an_json *obj, const char *key, int64_t otherwise)
{
    return vectors_opt(obj, key) == NULL ? otherwise : vectors_int(obj, key);
}

static an_plan_block read_block(an_arena *a, const an_json *v)
{
    an_meta *m = an_arena_alloc(a, sizeof *m);
    an_plan_block b = {.meta = m};

    assert_true(an_ulid_parse_lenient(vectors_str(v, "id"), &b.id));
    m->ulid = b.id;
    m->mint = vectors_int(v, "min");
    m->maxt = vectors_int(v, "max");
    m->compaction.failed = vectors_bool(v, "failed");
    m->stats.series = (uint64_t)opt_int(v, "series", 0);
    m->stats.tombstones = (uint64_t)opt_int(v, "tombs", 0);
    m->thanos.resolution = opt_int(v, "res", 0);
    m->thanos.files = an_arena_alloc(a, 2 * sizeof *m->thanos.files);
    for (int i = 0; i < 2; i++) {
        const char *key = i == 0 ? "idx" : "idx2";
        if (vectors_opt(v, key) == NULL) continue;
        m->thanos.files[m->thanos.n_files++] =
            (an_meta_file){.rel_path = AN_LIT("index"), .size_bytes = vectors_int(v, key)};
    }
    b.index_bytes = opt_int(v, "bkt", -1);
    b.no_compact = vectors_bool(v, "nc");
    b.no_compact_object = b.no_compact || vectors_bool(v, "ncobj");
    return b;
}

static input read_blocks(an_arena *a, const an_json *list)
{
    input in = {.n = list->n};

    in.v = an_arena_alloc(a, (in.n + 1) * sizeof *in.v);
    in.b = an_arena_alloc(a, (in.n + 1) * sizeof *in.b);
    in.held = an_arena_alloc(a, in.n + 1);
    for (size_t i = 0; i < in.n; i++) {
        in.v[i] = read_block(a, &list->items[i]);
        in.b[i] = &in.v[i];
        in.held[i] = in.v[i].no_compact;
    }
    return in;
}

static void check_plan(const char *what, size_t no, const an_json *want, const an_picked *got)
{
    const an_json *plan = vectors_get(want, "plan");

    if (plan->n != got->n) fail_msg("case %zu %s: %zu blocks, want %zu", no, what, got->n, plan->n);
    for (size_t i = 0; i < plan->n; i++) {
        int64_t k = -1;
        assert_true(an_json_int64(&plan->items[i], &k));
        if ((size_t)k != got->v[i])
            fail_msg("case %zu %s: [%zu] is %zu, want %zu", no, what, i, got->v[i], (size_t)k);
    }
}

static void check_marks(const char *what, size_t no, const an_json *want,
                        const an_wanted_marks *got)
{
    static const char *const reasons[] = {
        [AN_WANT_INDEX_SIZE] = "index-size-exceeding",
        [AN_WANT_DOWNSAMPLE_OVERLAP] = "downsample-vertical-compaction",
    };
    const an_json *marks = vectors_opt(want, "marks");
    size_t n = marks == NULL ? 0 : marks->n;

    if (n != got->n) fail_msg("case %zu %s: %zu marks, want %zu", no, what, got->n, n);
    for (size_t i = 0; i < n; i++) {
        const an_json *m = &marks->items[i];
        int64_t k = -1;
        assert_true(m->n == 2 && an_json_int64(&m->items[0], &k));
        assert_int_equal(got->v[i].block, k);
        assert_true(an_slice_eq(m->items[1].text, an_slice_str(reasons[got->v[i].why])));
    }
}

typedef an_rc (*planner_fn)(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b,
                            size_t n, const bool *held, an_picked *out, an_wanted_marks *marks,
                            an_err *err);

static size_t run_planner(an_arena *a, const char *what, size_t no, const an_json *c,
                          const an_plan_opts *o, const input *in, planner_fn fn)
{
    const an_json *want = vectors_get(c, what);
    an_picked got;
    an_wanted_marks marks = {0};
    an_err err = {0};
    an_rc rc = fn(a, o, in->b, in->n, in->held, &got, &marks, &err);

    check_marks(what, no, want, &marks);
    if (vectors_opt(want, "err") != NULL) {
        if (rc == AN_OK) fail_msg("case %zu %s: accepted", no, what);
        assert_int_equal(err.cause, AN_CAUSE_INDEX_MISSING);
        /* Upstream's sentence up to what its bucket client adds. */
        an_slice text = vectors_str(want, "err");
        const char *colon = strstr((const char *)text.p, "/index:");
        assert_non_null(colon);
        size_t n = (size_t)(colon - (const char *)text.p) + strlen("/index:");
        assert_true(strncmp(err.msg, (const char *)text.p, n) == 0);
        return 1;
    }
    if (rc != AN_OK) fail_msg("case %zu %s: %s", no, what, err.msg);
    check_plan(what, no, want, &got);
    return 0;
}

static void every_recorded_plan_is_found(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "planner.json");
    const an_json *sets = vectors_get(root, "range_sets"), *cases = vectors_get(root, "cases");
    size_t plans = 0, refused = 0;

    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        const an_json *set = an_json_key(sets, vectors_get(c, "ranges")->text); /* 0..4, "unit" */
        int64_t ranges[8];
        an_plan_opts o = {.ranges = ranges, .max_index_bytes = opt_int(c, "limit", 0)};
        an_picked got;
        an_arena_reset(work);
        assert_non_null(set);
        for (size_t k = 0; k < set->n; k++) assert_true(an_json_int64(&set->items[k], &ranges[k]));
        o.n_ranges = set->n;
        input in = read_blocks(work, vectors_get(c, "blocks"));
        an_pick(work, &o, in.b, in.n, in.held, &got);
        check_plan("tsdb", i, vectors_get(c, "tsdb"), &got);
        if (got.n > 0) plans++;
        refused += run_planner(work, "index", i, c, &o, &in, an_pick_by_index_size);
        refused += run_planner(work, "vertical", i, c, &o, &in, an_pick_vertical);
    }
    assert_int_equal(cases->n, 1584);
    assert_true(plans > 500 && refused > 10); /* the vectors are not trivial */
    print_message("%zu cases, %zu with a plan, %zu refused\n", cases->n, plans, refused);
    an_arena_free(work);
    an_arena_free(a);
}

/* Whether the metas alone make the group's plan another matter than the planner's. */
static bool is_plain(const input *in, bool vertical)
{
    int64_t end = INT64_MIN;

    for (size_t i = 0; i < in->n; i++) {
        const an_meta *m = in->v[i].meta;
        if (m->maxt <= m->mint) return false;
        if (m->thanos.resolution != in->v[0].meta->thanos.resolution) return false;
        if (m->thanos.resolution != AN_RES_RAW && m->thanos.resolution != AN_RES_5M &&
            m->thanos.resolution != AN_RES_1H)
            return false;
        if (!vertical && m->mint < end) return false;
        if (m->maxt > end) end = m->maxt;
        for (size_t k = 0; k < i; k++) {
            if (an_ulid_eq(in->v[k].id, in->v[i].id)) return false;
        }
        if (i > 0 && in->v[i - 1].meta->mint == m->mint &&
            an_ulid_cmp(in->v[i - 1].id, in->v[i].id) > 0)
            return false; /* a group is sorted otherwise */
    }
    return true;
}

static void a_plain_group_gets_the_planners_plan(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "planner.json");
    const an_json *sets = vectors_get(root, "range_sets"), *cases = vectors_get(root, "cases");
    static an_label label = {AN_LIT("a"), AN_LIT("1")};
    size_t compared = 0;

    for (size_t i = 0; i < 2 * cases->n; i++) {
        const an_json *c = &cases->items[i / 2];
        const an_json *set = an_json_key(sets, vectors_get(c, "ranges")->text);
        const an_json *want = vectors_get(c, i % 2 == 0 ? "index" : "vertical");
        int64_t ranges[8];
        an_plan_opts o = {.ranges = ranges,
                          .n_ranges = set->n,
                          .max_index_bytes = opt_int(c, "limit", 0),
                          .vertical = i % 2 != 0,
                          .now_ms = INT64_MAX};
        an_outcomes out = {0};
        an_arena_reset(work);
        for (size_t k = 0; k < set->n; k++) assert_true(an_json_int64(&set->items[k], &ranges[k]));
        input in = read_blocks(work, vectors_get(c, "blocks"));
        if (in.n == 0 || vectors_opt(want, "err") != NULL || !is_plain(&in, o.vertical)) continue;
        for (size_t k = 0; k < in.n; k++) { /* what the vectors leave out */
            an_meta *m = (an_meta *)(uintptr_t)in.v[k].meta;
            m->compaction.n_sources = 1;
            m->compaction.sources = &m->ulid;
            m->thanos.labels = (an_labels){1, &label};
        }
        an_group g = {.key = AN_LIT("0@1"),
                      .labels = {1, &label},
                      .resolution = in.v[0].meta->thanos.resolution,
                      .n = in.n,
                      .blocks = in.b};
        an_plan_group(work, &g, &o, &out);
        const an_outcome *job = an_outcomes_job(&out), *bad = an_outcomes_isolated(&out);
        if (bad != NULL) fail_msg("case %zu: %s", i / 2, an_cause_name(bad->cause));
        const an_json *plan = vectors_get(want, "plan");
        size_t n = 0, marks = 0;
        for (size_t k = 0; k < out.n; k++) marks += out.v[k].what == AN_DO_MARK;
        assert_int_equal(marks,
                         vectors_opt(want, "marks") == NULL ? 0 : vectors_get(want, "marks")->n);
        if (job != NULL) n = job->n;
        if (n != plan->n) fail_msg("case %zu: %zu blocks", i / 2, n);
        for (size_t k = 0; k < n; k++) {
            int64_t at = -1;
            assert_true(an_json_int64(&plan->items[k], &at));
            assert_ptr_equal(job->blocks[k], in.b[at]);
        }
        compared++;
    }
    print_message("%zu groups planned\n", compared);
    assert_true(compared > 1000);
    an_arena_free(work);
    an_arena_free(a);
}

static input read_ranges(an_arena *a, const an_json *list)
{
    input in = {.n = list->n};

    in.v = an_arena_alloc(a, (in.n + 1) * sizeof *in.v);
    in.b = an_arena_alloc(a, (in.n + 1) * sizeof *in.b);
    for (size_t i = 0; i < in.n; i++) {
        an_meta *m = an_arena_alloc(a, sizeof *m);
        assert_true(an_json_int64(&list->items[i].items[0], &m->mint));
        assert_true(an_json_int64(&list->items[i].items[1], &m->maxt));
        in.v[i].meta = m;
        in.b[i] = &in.v[i];
    }
    return in;
}

static void ranges_are_split_as_recorded(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "split.json"), "split");

    assert_int_equal(cases->n, 400);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *want = vectors_get(c, "parts");
        an_arena_reset(work);
        input in = read_ranges(work, vectors_get(c, "in"));
        an_part *parts = an_arena_alloc(work, (in.n + 1) * sizeof *parts);
        size_t n = an_split(in.b, in.n, vectors_int(c, "range"), parts);
        if (n != want->n) fail_msg("case %zu: %zu parts, want %zu", i, n, want->n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(parts[k].n, want->items[k].n);
            for (size_t j = 0; j < parts[k].n; j++) {
                int64_t at = -1;
                assert_true(an_json_int64(&want->items[k].items[j], &at));
                assert_int_equal(parts[k].from + j, at);
            }
        }
    }
    an_arena_free(work);
    an_arena_free(a);
}

static void overlaps_are_selected_as_recorded(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "split.json"), "overlap");

    assert_int_equal(cases->n, 121);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *want = vectors_get(c, "overlap");
        an_arena_reset(work);
        input in = read_ranges(work, vectors_get(c, "in"));
        size_t *of = an_arena_alloc(work, (in.n + 1) * sizeof *of);
        size_t *got = an_arena_alloc(work, (in.n + 1) * sizeof *got);
        for (size_t k = 0; k < in.n; k++) of[k] = k;
        size_t n = an_select_overlapping(in.b, of, in.n, got);
        if (n != want->n) fail_msg("case %zu: %zu blocks, want %zu", i, n, want->n);
        for (size_t k = 0; k < n; k++) {
            int64_t at = -1;
            assert_true(an_json_int64(&want->items[k], &at));
            assert_int_equal(got[k], at);
        }
    }
    an_arena_free(work);
    an_arena_free(a);
}

static void nothing_is_planned_from_nothing(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_plan_opts o = {.ranges = ranges};
    an_picked got;
    an_wanted_marks marks = {0};
    an_err err;

    assert_int_equal(an_plan_ranges(4, ranges, &o.n_ranges, &err), AN_OK);
    an_pick(a, &o, NULL, 0, NULL, &got);
    assert_int_equal(got.n, 0);
    assert_int_equal(an_pick_vertical(a, &o, NULL, 0, NULL, &got, &marks, &err), AN_OK);
    assert_int_equal(got.n + marks.n, 0);
    an_arena_free(a);
}

static void levels_give_ranges_and_refuse_others(void **state)
{
    (void)state;
    int64_t r[AN_PLAN_RANGES_MAX];
    size_t n = 0;
    an_err err;

    assert_int_equal(an_plan_ranges(4, r, &n, &err), AN_OK);
    assert_int_equal(n, 5);
    assert_int_equal(r[0], 3600000);
    assert_int_equal(r[4], 1209600000);
    assert_int_equal(an_plan_ranges(0, r, &n, &err), AN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(an_plan_ranges(5, r, &n, &err), AN_EINVALID);
    assert_string_equal(err.msg, "level is bigger then default set of 5");
    assert_int_equal(an_plan_ranges(-1, r, &n, &err), AN_EINVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_plan_is_found),
        cmocka_unit_test(a_plain_group_gets_the_planners_plan),
        cmocka_unit_test(ranges_are_split_as_recorded),
        cmocka_unit_test(overlaps_are_selected_as_recorded),
        cmocka_unit_test(nothing_is_planned_from_nothing),
        cmocka_unit_test(levels_give_ranges_and_refuse_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
