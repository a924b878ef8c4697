// SPDX-License-Identifier: Apache-2.0
/* The four estimates against golden/vectors/todo.json and retention.json; which blocks are due for
 * downsampling. */
#include "compact/plan/progress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

#include "unit/pass.h"

#define HOUR INT64_C(3600000)

static void count(an_arena *a, const pass *p, an_todo *out)
{
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_plan_opts o = {.ranges = ranges, .now_ms = p->now_ms};
    an_retention r = pass_retention(p);
    int level =
        vectors_opt(p->conf, "max_level") == NULL ? 4 : (int)vectors_int(p->conf, "max_level");
    const an_plan_block **b;
    an_group *g;
    size_t n, n_groups;
    an_err err;

    assert_int_equal(an_plan_ranges(level, ranges, &o.n_ranges, &err), AN_OK);
    b = pass_loaded(a, p, &n);
    an_groups_build(a, b, n, &g, &n_groups);
    an_todo_count(a, g, n_groups, &o, &r, out);
}

/* Deviation: upstream's simulated blocks of one second share one id, and removing a planned one
 * removes them all; ours have each its own. The cases in which that shows (a model with one shared
 * id gives upstream's numbers for all). */
static const struct {
    size_t no;
    uint64_t compactions, blocks; /* ours */
} shared_id[] = {{31, 4, 9}, {114, 14, 30}, {118, 5, 11}};

static void check_compactions(const char *file, size_t no, const an_json *want, const an_todo *got)
{
    uint64_t compactions = (uint64_t)pass_int(want, "compactions");
    uint64_t blocks = (uint64_t)pass_int(want, "compaction_blocks");

    for (size_t i = 0; i < sizeof shared_id / sizeof shared_id[0]; i++) {
        if (strcmp(file, "todo.json") != 0 || shared_id[i].no != no) continue;
        assert_true(compactions != shared_id[i].compactions || blocks != shared_id[i].blocks);
        compactions = shared_id[i].compactions;
        blocks = shared_id[i].blocks;
    }
    if (got->compactions != compactions || got->compaction_blocks != blocks)
        fail_msg("%s %zu: %llu compactions of %llu blocks", file, no,
                 (unsigned long long)got->compactions, (unsigned long long)got->compaction_blocks);
}

static an_todo compare(const char *file, size_t want_cases)
{
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, file), "cases");
    size_t odd = 0;
    an_todo sum = {0};

    assert_int_equal(cases->n, want_cases);
    for (size_t i = 0; i < cases->n; i++) {
        pass p;
        an_err err;
        an_todo got;
        an_arena_reset(work);
        assert_int_equal(pass_read(work, &cases->items[i], &p, &err), AN_OK);
        const an_json *want = vectors_opt(p.want, "todo");
        if (want == NULL) continue;
        pass_filter(work, &p);
        count(work, &p, &got);
        if (vectors_opt(want, "err") != NULL) { /* an odd resolution ends upstream's counting */
            odd++;
            continue;
        }
        check_compactions(file, i, want, &got);
        if (!p.opts.downsampling_disabled && /* not counted then */
            got.downsample_blocks != (uint64_t)pass_int(want, "downsample_blocks"))
            fail_msg("%s %zu: %llu to downsample", file, i,
                     (unsigned long long)got.downsample_blocks);
        assert_int_equal(got.deletion_blocks, pass_int(want, "deletion_blocks"));
        sum.compactions += got.compactions;
        sum.downsample_blocks += got.downsample_blocks;
        sum.deletion_blocks += got.deletion_blocks;
    }
    assert_int_equal(odd, strcmp(file, "todo.json") == 0 ? 1 : 0);
    an_arena_free(work);
    an_arena_free(a);
    return sum;
}

static void estimates_are_as_recorded(void **state)
{
    (void)state;
    an_todo t = compare("todo.json", 321), r = compare("retention.json", 260);

    assert_true(t.compactions > 400 && t.downsample_blocks > 500 && t.deletion_blocks > 400);
    assert_true(r.compactions > 100 && r.deletion_blocks > 400);
}

/* ---- What is due for downsampling ---- */

static an_label labels_v = {AN_LIT("a"), AN_LIT("1")};

static an_plan_block *block(an_arena *a, uint8_t id, int64_t resolution, int64_t width,
                            uint8_t source)
{
    an_meta *m = an_arena_alloc(a, sizeof *m);
    an_plan_block *b = an_arena_alloc(a, sizeof *b);

    b->id = m->ulid = (an_ulid){{id}};
    b->meta = m;
    m->maxt = width;
    m->thanos.resolution = resolution;
    m->thanos.labels = (an_labels){1, &labels_v};
    m->compaction.n_sources = 1;
    m->compaction.sources = an_arena_alloc(a, sizeof(an_ulid));
    m->compaction.sources[0].b[0] = source;
    return b;
}

static an_outcomes due(an_arena *a, const an_plan_block *x, const an_plan_block *y)
{
    const an_plan_block *b[] = {x, y};
    an_outcomes out = {0};

    an_downsample_due(a, b, y == NULL ? 1 : 2, &out);
    return out;
}

static void width_decides_what_is_due(void **state)
{
    (void)state;
    static const struct {
        int64_t resolution, width, to; /* 0: not due */
    } cases[] = {
        {AN_RES_RAW, 40 * HOUR, AN_RES_5M}, {AN_RES_RAW, 40 * HOUR - 1, 0},
        {AN_RES_5M, 240 * HOUR, AN_RES_1H}, {AN_RES_5M, 240 * HOUR - 1, 0},
        {AN_RES_1H, 10000 * HOUR, 0},
    };
    an_arena *a = an_arena_new(NULL);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        an_outcomes o = due(a, block(a, 1, cases[i].resolution, cases[i].width, 1), NULL);
        assert_int_equal(o.n, cases[i].to == 0 ? 0 : 1);
        if (o.n == 0) continue;
        assert_int_equal(o.v[0].what, AN_DO_DOWNSAMPLE);
        assert_int_equal(o.v[0].resolution, cases[i].to);
    }
    an_arena_free(a);
}

static void a_covered_block_is_not_due(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_plan_block *raw = block(a, 1, AN_RES_RAW, 48 * HOUR, 7);
    an_plan_block *five = block(a, 2, AN_RES_5M, 48 * HOUR, 7);

    assert_int_equal(due(a, raw, five).n, 0);
    five->no_downsample = true; /* upstream would make another one, and again in the next run */
    assert_int_equal(due(a, raw, five).n, 0);
    assert_int_equal(due(a, raw, block(a, 3, AN_RES_5M, 48 * HOUR, 8)).n, 1);
    an_arena_free(a);
}

static void a_marked_or_broken_block_is_not_due(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_plan_block *raw = block(a, 1, AN_RES_RAW, 48 * HOUR, 7);

    raw->no_downsample = true;
    assert_int_equal(due(a, raw, NULL).n, 0);
    raw->no_downsample = false;
    raw->bad = AN_CAUSE_CHUNK_CHECKSUM;
    assert_int_equal(due(a, raw, NULL).n, 0);
    raw->bad = AN_CAUSE_NONE;
    assert_int_equal(due(a, raw, NULL).n, 1);
    an_arena_free(a);
}

static void what_is_due_comes_by_id(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_plan_block *x = block(a, 9, AN_RES_RAW, 48 * HOUR, 1),
                  *y = block(a, 3, AN_RES_RAW, 48 * HOUR, 2);
    an_outcomes o = due(a, x, y);

    assert_int_equal(o.n, 2);
    assert_ptr_equal(o.v[0].blocks[0], y);
    assert_ptr_equal(o.v[1].blocks[0], x);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(estimates_are_as_recorded),
        cmocka_unit_test(width_decides_what_is_due),
        cmocka_unit_test(a_covered_block_is_not_due),
        cmocka_unit_test(a_marked_or_broken_block_is_not_due),
        cmocka_unit_test(what_is_due_comes_by_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
