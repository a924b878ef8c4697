// SPDX-License-Identifier: Apache-2.0
/* What a group is told to do: the order of judgement, and where anneal plans otherwise than
 * upstream on purpose. One group of 2h blocks per test, built in a line each. */
#include "compact/plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "compact/plan/clean.h"
#include "compact/plan/overlap.h"
#include "unit/vectors.h"

#define H INT64_C(3600000)
/* Long after the blocks of these tests, which begin at 0. */
#define NOW (1000 * H)

typedef struct scene {
    an_arena *a;
    an_plan_opts o;
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_group g;
    an_plan_block *v[16];
    an_meta *m[16];
    an_mark marks[16];
    an_outcomes out;
} scene;

static an_label labels_v = {AN_LIT("a"), AN_LIT("1")};

static scene *begin(void)
{
    scene *s = calloc(1, sizeof *s);
    an_err err;

    assert_non_null(s);
    s->a = an_arena_new(NULL);
    s->o = (an_plan_opts){.ranges = s->ranges, .max_index_bytes = INT64_C(64) << 30, .now_ms = NOW};
    assert_int_equal(an_plan_ranges(4, s->ranges, &s->o.n_ranges, &err), AN_OK);
    s->g.key = AN_LIT("0@1");
    s->g.labels = (an_labels){1, &labels_v};
    s->g.blocks = an_arena_alloc(s->a, 16 * sizeof *s->g.blocks);
    return s;
}

static void end(scene *s)
{
    an_arena_free(s->a);
    free(s);
}

/* The next block, of [mint, maxt) hours, made at that time; blocks come in order of mint. */
static an_plan_block *add(scene *s, int64_t mint, int64_t maxt)
{
    size_t i = s->g.n++;
    uint8_t entropy[10] = {(uint8_t)(i + 1)};
    an_meta *m = s->m[i] = an_arena_alloc(s->a, sizeof *m);
    an_plan_block *b = s->v[i] = an_arena_alloc(s->a, sizeof *b);

    b->id = m->ulid = an_ulid_make((uint64_t)(maxt * H), entropy);
    b->meta = m;
    b->index_bytes = 1000;
    m->mint = mint * H;
    m->maxt = maxt * H;
    m->stats.series = 10;
    m->stats.samples = 100;
    m->compaction.level = 1;
    m->compaction.n_sources = 1;
    m->compaction.sources = an_arena_alloc(s->a, sizeof(an_ulid));
    m->compaction.sources[0] = b->id;
    m->thanos.labels = s->g.labels;
    s->g.blocks[i] = b;
    return b;
}

/* Four blocks that are due as one of 8h, and the newest one. */
static scene *due(void)
{
    scene *s = begin();

    for (int64_t t = 0; t < 10; t += 2) add(s, t, t + 2);
    return s;
}

static void mark(scene *s, size_t i, const char *details)
{
    s->marks[i] = (an_mark){.has_id = true, .id = s->v[i]->id, .details = an_slice_str(details)};
    s->v[i]->deletion = &s->marks[i];
}

static void plan(scene *s)
{
    s->out = (an_outcomes){0};
    an_plan_group(s->a, &s->g, &s->o, &s->out);
    for (size_t i = 0; i < s->out.n; i++) assert_true(s->out.v[i].why.n > 0);
}

/* The only outcome of this kind. */
static const an_outcome *only(const scene *s, an_do what)
{
    const an_outcome *found = NULL;

    for (size_t i = 0; i < s->out.n; i++) {
        if (s->out.v[i].what != what) continue;
        assert_null(found);
        found = &s->out.v[i];
    }
    if (found == NULL) fail_msg("no %s", an_do_name(what));
    return found;
}

static void assert_plan(const scene *s, size_t from, size_t n)
{
    const an_outcome *o = only(s, AN_DO_COMPACT);

    assert_int_equal(o->n, n);
    for (size_t i = 0; i < n; i++) assert_ptr_equal(o->blocks[i], s->v[from + i]);
}

static void assert_isolated(const scene *s, an_cause cause, size_t n)
{
    const an_outcome *o = only(s, AN_DO_ISOLATE);

    if (o->cause != cause) fail_msg("isolated by %s", an_cause_name(o->cause));
    assert_int_equal(o->n, n);
    assert_null(an_outcomes_job(&s->out));
    assert_ptr_equal(an_outcomes_isolated(&s->out), o);
}

static void a_full_range_is_compacted(void **state)
{
    (void)state;
    scene *s = due();

    s->m[2]->compaction.level = 3;
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_plan(s, 0, 4);
    const an_outcome *o = an_outcomes_job(&s->out);
    assert_int_equal(o->mint, 0);
    assert_int_equal(o->maxt, 8 * H);
    assert_int_equal(o->level, 4);
    assert_int_equal(o->cause, AN_CAUSE_NONE);
    assert_true(an_slice_eq(o->group, s->g.key));
    assert_true(an_slice_eq(
        o->why, AN_LIT("4 blocks from 1970-01-01T00:00:00Z on are due in the range of 8h0m0s")));
    end(s);
}

static void nothing_due_is_no_outcome(void **state)
{
    (void)state;
    scene *s = begin();

    plan(s);
    assert_int_equal(s->out.n, 0);
    add(s, 0, 2);
    add(s, 2, 4);
    plan(s);
    assert_int_equal(s->out.n, 0);
    assert_null(an_outcomes_job(&s->out));
    end(s);
}

/* ---- Blocks that may not be planned ---- */

static void a_fault_of_one_block_isolates_the_group(void **state)
{
    (void)state;
    static const struct {
        int fault;
        an_cause cause;
    } cases[] = {
        {0, AN_CAUSE_META_FOREIGN},  {1, AN_CAUSE_META_FOREIGN},   {2, AN_CAUSE_MARK_CORRUPT},
        {3, AN_CAUSE_SOURCES_EMPTY}, {4, AN_CAUSE_OUTSIDE_CHUNKS}, {5, AN_CAUSE_CHUNK_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene *s = due();
        switch (cases[i].fault) {
        case 0:
            s->m[1]->ulid.b[15] ^= 1;
            break;
        case 1:
            s->m[1]->thanos.version = 2;
            break;
        case 2:
            s->v[1]->foreign_mark = true;
            break;
        case 3:
            s->m[1]->compaction.n_sources = 0;
            break;
        case 4:
            s->m[1]->maxt = s->m[1]->mint;
            break;
        default:
            s->v[1]->bad = AN_CAUSE_CHUNK_CHECKSUM;
            break;
        }
        plan(s);
        assert_isolated(s, cases[i].cause, 1);
        assert_ptr_equal(only(s, AN_DO_ISOLATE)->blocks[0], s->v[1]);
        /* Fenced: its neighbours are planned around it, and no plan spans it. */
        s->v[1]->no_compact = s->v[1]->no_compact_object = true;
        plan(s);
        assert_int_equal(only(s, AN_DO_REPORT)->cause, cases[i].cause);
        assert_plan(s, 2, 2);
        end(s);
    }
}

static void the_verdicts_own_words_are_told(void **state)
{
    (void)state;
    scene *s = due();

    s->v[3]->bad = AN_CAUSE_INDEX_UNREADABLE;
    s->v[3]->bad_text = AN_LIT("TOC: CRC is 1, stored 2");
    plan(s);
    assert_true(an_slice_eq(only(s, AN_DO_ISOLATE)->why, s->v[3]->bad_text));
    end(s);
}

static void thanos_version_1_is_as_good_as_none(void **state)
{
    (void)state;
    scene *s = due();

    s->m[1]->thanos.version = 1;
    plan(s);
    assert_plan(s, 0, 4);
    end(s);
}

static void an_odd_resolution_isolates_its_group(void **state)
{
    (void)state;
    scene *s = due();

    s->g.resolution = 12345;
    plan(s);
    assert_isolated(s, AN_CAUSE_RESOLUTION_ODD, 5);
    end(s);
}

static void a_group_without_labels_waits_for_no_plan_or_is_isolated(void **state)
{
    (void)state;
    scene *s = due();

    s->g.labels.n = 0;
    plan(s);
    assert_isolated(s, AN_CAUSE_LABELS_EMPTY, 5);
    s->g.n = 1;
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_int_equal(only(s, AN_DO_REPORT)->cause, AN_CAUSE_LABELS_EMPTY);
    end(s);
}

/* ---- Blocks that count as absent ---- */

static void a_block_of_the_future_neither_protects_nor_is_planned(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 6, 8);
    add(s, 1001, 1003); /* more than an hour ahead */
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_int_equal(only(s, AN_DO_LEAVE_OUT)->cause, AN_CAUSE_FUTURE_BLOCK);
    assert_ptr_equal(only(s, AN_DO_LEAVE_OUT)->blocks[0], s->v[2]);
    s->o.now_ms = 1002 * H; /* its hour has come */
    plan(s);
    assert_plan(s, 0, 2);
    end(s);
}

static void a_ulid_of_the_future_is_reported_and_planned(void **state)
{
    (void)state;
    scene *s = due();
    uint8_t e[10] = {9};

    s->v[0]->id = s->m[0]->ulid = an_ulid_make((UINT64_C(1) << 48) - 1, e);
    s->v[1]->id = s->m[1]->ulid = an_ulid_make(0, e);
    plan(s);
    assert_int_equal(s->out.n, 3);
    assert_int_equal(s->out.v[0].what, AN_DO_REPORT);
    assert_int_equal(s->out.v[1].cause, AN_CAUSE_FUTURE_BLOCK);
    assert_plan(s, 0, 4);
    end(s);
}

static void blocks_without_samples_are_marked_and_make_room(void **state)
{
    (void)state;
    scene *s = due();

    for (int64_t t = 10; t < 18; t += 2) add(s, t, t + 2);
    for (size_t i = 0; i < 4; i++) s->v[i]->samples = AN_SAMPLES_NONE;
    s->m[0]->stats.samples = 0; /* what stats say does not matter */
    plan(s);
    assert_int_equal(s->out.n, 2);
    const an_outcome *o = &s->out.v[0];
    assert_int_equal(o->what, AN_DO_MARK);
    assert_int_equal(o->mark, AN_MARK_DELETION);
    assert_int_equal(o->cause, AN_CAUSE_EMPTY_LOOP);
    assert_int_equal(o->n, 4);
    assert_true(an_slice_eq(o->details, AN_LIT("block without samples")));
    assert_plan(s, 4, 4); /* the next range, in the same pass */
    /* Marked: they are absent from then on. */
    for (size_t i = 0; i < 4; i++) mark(s, i, "block without samples");
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_plan(s, 4, 4);
    end(s);
}

static void an_empty_block_among_others_is_merged_as_upstream_does(void **state)
{
    (void)state;
    scene *s = due();

    s->v[1]->samples = AN_SAMPLES_NONE;
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_plan(s, 0, 4);
    end(s);
}

static void a_plan_of_marked_blocks_only_is_no_plan(void **state)
{
    (void)state;
    scene *s = due();

    for (size_t i = 0; i < 4; i++) mark(s, i, "source of compacted block");
    plan(s);
    assert_int_equal(s->out.n, 0); /* upstream plans it again and again while the marks are young */
    s->v[2]->deletion = NULL;
    plan(s);
    assert_plan(s, 0, 4); /* as upstream: a young mark does not take a block out */
    end(s);
}

/* ---- Overlaps ---- */

static void a_marked_block_gives_way_when_it_overlaps(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 6, 8);
    add(s, 6, 8);
    add(s, 8, 10);
    plan(s);
    assert_isolated(s, AN_CAUSE_OVERLAP_TWIN, 2);
    mark(s, 1, "manual");
    plan(s);
    const an_outcome *o = only(s, AN_DO_COMPACT);
    assert_int_equal(o->n, 2);
    assert_ptr_equal(o->blocks[1], s->v[2]);
    end(s);
}

static void vertical_compaction_merges_overlaps(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 1, 3);
    add(s, 8, 10);
    s->o.vertical = true;
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_plan(s, 0, 2);
    end(s);
}

static void overlapping_downsampled_blocks_are_fenced_or_isolated(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 48);
    add(s, 0, 48);
    add(s, 48, 96);
    s->g.resolution = AN_RES_5M;
    for (size_t i = 0; i < 3; i++) s->m[i]->thanos.resolution = AN_RES_5M;
    plan(s);
    assert_isolated(s, AN_CAUSE_VERTICAL_DOWNSAMPLED, 2);
    s->o.vertical = true;
    plan(s);
    assert_int_equal(s->out.n, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(s->out.v[i].what, AN_DO_MARK);
        assert_int_equal(s->out.v[i].mark, AN_MARK_NO_COMPACT);
        assert_true(an_slice_eq(s->out.v[i].details,
                                AN_LIT("verticalCompactionDownsampleFilter: Downsampled block, see "
                                       "https://github.com/thanos-io/thanos/issues/6775")));
    }
    end(s);
}

static void overlaps_that_are_fenced_on_all_sides_are_reported(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 0, 2);
    for (int64_t t = 8; t < 18; t += 2) add(s, t, t + 2);
    s->v[0]->no_compact = true;
    plan(s);
    assert_isolated(s, AN_CAUSE_OVERLAP_TWIN, 2); /* one mark decides nothing */
    s->v[1]->no_compact = true;
    plan(s);
    assert_int_equal(only(s, AN_DO_REPORT)->cause, AN_CAUSE_OVERLAP_TWIN);
    assert_plan(s, 2, 4);
    end(s);
}

/* Evidence of overlaps, in the order in which it is weighed. */
static void hints_come_before_everything_but_resolution(void **state)
{
    (void)state;
    static const char *const hints[] = {"from-out-of-order", "from-stale-series",
                                        "from-selected-series"};
    for (size_t i = 0; i < 3; i++) {
        scene *s = begin();
        an_slice hint = an_slice_str(hints[i]);
        add(s, 6, 8);
        add(s, 6, 8);
        add(s, 8, 10);
        s->m[1]->compaction.n_hints = 1;
        s->m[1]->compaction.hints = &hint;
        plan(s);
        assert_isolated(s, AN_CAUSE_OVERLAP_OOO, 2);
        end(s);
    }
}

static void a_small_block_under_a_compacted_one_came_late(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 8);
    add(s, 4, 6);
    add(s, 8, 10);
    s->m[0]->compaction.level = 2;
    plan(s);
    assert_isolated(s, AN_CAUSE_OVERLAP_LATE, 2);
    s->m[1]->compaction.sources[0] = s->v[0]->id; /* unless both hold the same source */
    plan(s);
    assert_isolated(s, AN_CAUSE_SHARED_SOURCES, 2);
    end(s);
}

static void short_pieces_off_the_grid_are_restarts(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 6, 8);
    add(s, 7, 9);
    add(s, 8, 10);
    plan(s);
    assert_isolated(s, AN_CAUSE_OVERLAP_RESTART, 3);
    end(s);
}

static void twins_in_several_windows_are_two_producers(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 2);
    add(s, 0, 2);
    add(s, 6, 8);
    add(s, 6, 8);
    add(s, 8, 10);
    plan(s);
    assert_isolated(s, AN_CAUSE_OVERLAP_SAME_LABELS, 4);
    end(s);
}

static void each_cause_is_told_once_with_its_blocks(void **state)
{
    (void)state;
    scene *s = begin();
    an_slice hint = AN_LIT("from-out-of-order");

    add(s, 0, 2);
    add(s, 0, 2);
    add(s, 6, 8);
    add(s, 6, 8);
    s->m[3]->compaction.n_hints = 1;
    s->m[3]->compaction.hints = &hint;
    plan(s);
    assert_int_equal(s->out.n, 2);
    assert_int_equal(s->out.v[0].cause, AN_CAUSE_OVERLAP_TWIN);
    assert_int_equal(s->out.v[1].cause, AN_CAUSE_OVERLAP_OOO);
    assert_ptr_equal(s->out.v[1].blocks[1], s->v[3]);
    end(s);
}

static void the_text_of_overlaps_groups_them_as_upstream_does(void **state)
{
    (void)state;
    scene *s = begin();
    an_buf out;

    add(s, 0, 8);
    add(s, 0, 2);
    add(s, 2, 4);
    add(s, 20, 22);
    an_buf_init(&out, 1 << 16, NULL);
    assert_true(an_overlap_text(s->a, &out, s->g.blocks, 4));
    an_buf_u8(&out, 0);
    /* The long one meets each of the short ones: two brackets. */
    assert_non_null(
        strstr((const char *)out.p, "[mint: 0, maxt: 7200000, range: 2h0m0s, blocks: 2]"));
    assert_non_null(
        strstr((const char *)out.p, "\n[mint: 7200000, maxt: 14400000, range: 2h0m0s, blocks: 2]"));
    an_buf_clear(&out);
    assert_false(an_overlap_text(s->a, &out, s->g.blocks + 1, 3));
    assert_int_equal(out.n, 0);
    an_buf_deinit(&out);
    end(s);
}

static void a_crowd_of_overlaps_is_cut_and_counted(void **state)
{
    (void)state;
    enum { N = 3000 };
    an_arena *a = an_arena_new(NULL);
    an_plan_block *v = an_arena_alloc(a, N * sizeof *v);
    const an_plan_block **b = an_arena_alloc(a, N * sizeof *b);
    an_buf out;

    for (size_t i = 0; i < N; i++) { /* one over everything, the others end to end below it */
        an_meta *m = an_arena_alloc(a, sizeof *m);
        m->mint = i == 0 ? 0 : (int64_t)(i - 1) * H;
        m->maxt = i == 0 ? N * H : (int64_t)i * H;
        v[i].meta = m;
        b[i] = &v[i];
    }
    an_buf_init(&out, 1 << 20, NULL);
    assert_true(an_overlap_text(a, &out, b, N));
    assert_false(out.failed);
    assert_true(an_slice_has_suffix(an_buf_slice(&out), AN_LIT("\nand 2979 more")));
    for (size_t i = 0; i < N; i++) ((an_meta *)(uintptr_t)v[i].meta)->maxt = N * H;
    an_buf_clear(&out);
    assert_true(an_overlap_text(a, &out, b, N));
    assert_true(an_slice_has_suffix(an_buf_slice(&out), AN_LIT(", and 2950 more")));
    an_buf_deinit(&out);
    an_arena_free(a);
}

static void a_newcomer_under_the_result_is_found(void **state)
{
    (void)state;
    scene *s = due();
    const an_plan_block *found[8];

    assert_int_equal(an_overlap_with_result(s->g.blocks, 5, s->g.blocks, 4, 0, 8 * H, found), 0);
    add(s, 7, 9);
    assert_int_equal(an_overlap_with_result(s->g.blocks, 6, s->g.blocks, 4, 0, 8 * H, found), 1);
    assert_ptr_equal(found[0], s->v[5]);
    end(s);
}

/* ---- The plan ---- */

static void shared_sources_are_refused_or_reported(void **state)
{
    (void)state;
    scene *s = due();

    s->m[3]->compaction.sources[0] = s->v[1]->id;
    plan(s);
    assert_isolated(s, AN_CAUSE_SHARED_SOURCES, 2);
    assert_ptr_equal(only(s, AN_DO_ISOLATE)->blocks[0], s->v[1]);
    assert_true(an_slice_has_prefix(only(s, AN_DO_ISOLATE)->why,
                                    AN_LIT("overlapping sources detected for plan [0000")));
    s->o.vertical = true;
    plan(s);
    assert_int_equal(only(s, AN_DO_REPORT)->cause, AN_CAUSE_SHARED_SOURCES);
    assert_plan(s, 0, 4);
    end(s);
}

static void a_failed_flag_is_told_when_it_keeps_a_range_away(void **state)
{
    (void)state;
    scene *s = due();

    s->m[2]->compaction.failed = true;
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_int_equal(only(s, AN_DO_REPORT)->cause, AN_CAUSE_FAILED_FLAG);
    assert_ptr_equal(only(s, AN_DO_REPORT)->blocks[0], s->v[2]);
    s->m[2]->compaction.failed = false;
    s->m[4]->compaction.failed = true; /* the newest: nothing is due there */
    plan(s);
    assert_int_equal(s->out.n, 1);
    assert_plan(s, 0, 4);
    end(s);
}

static void large_indexes_ask_for_a_mark_first(void **state)
{
    (void)state;
    scene *s = due();

    s->v[1]->index_bytes = 5000;
    s->o.max_index_bytes = 8000;
    plan(s);
    assert_int_equal(s->out.n, 2);
    const an_outcome *o = &s->out.v[0];
    assert_int_equal(o->what, AN_DO_MARK);
    assert_int_equal(o->cause, AN_CAUSE_INDEX_64G);
    assert_ptr_equal(o->blocks[0], s->v[1]);
    assert_true(an_slice_eq(o->reason, AN_LIT("index-size-exceeding")));
    assert_true(an_slice_eq(
        o->details, AN_LIT("largeTotalIndexSizeFilter: Total compacted block's index size could "
                           "exceed: 8000 with this block. See "
                           "https://github.com/thanos-io/thanos/issues/1424")));
    assert_plan(s, 2, 2);
    end(s);
}

static void a_missing_index_isolates_the_group(void **state)
{
    (void)state;
    scene *s = due();

    s->v[2]->index_bytes = -1;
    plan(s);
    assert_isolated(s, AN_CAUSE_INDEX_MISSING, 1);
    assert_ptr_equal(only(s, AN_DO_ISOLATE)->blocks[0], s->v[2]);
    end(s);
}

static void many_tombstones_rewrite_a_block_once(void **state)
{
    (void)state;
    scene *s = begin();

    add(s, 0, 8);
    add(s, 8, 10);
    s->m[0]->stats.tombstones = 1;
    plan(s);
    const an_outcome *o = only(s, AN_DO_REWRITE);
    assert_int_equal(o->n, 1);
    assert_ptr_equal(an_outcomes_job(&s->out), o);
    assert_int_equal(o->maxt, 8 * H);
    /* A copy could not get a lower ULID than this one. */
    s->v[0]->id = s->m[0]->ulid = (an_ulid){{0}};
    s->m[0]->compaction.sources[0] = s->v[0]->id;
    plan(s);
    assert_null(an_outcomes_job(&s->out));
    assert_int_equal(s->out.v[s->out.n - 1].cause, AN_CAUSE_REWRITE_LOOP);
    /* Once rewritten the block is marked, and its copy hides it. */
    mark(s, 0, "source of compacted block");
    plan(s);
    assert_null(an_outcomes_job(&s->out));
    end(s);
}

static void every_kind_of_outcome_has_a_name(void **state)
{
    (void)state;
    for (int i = 0; i < AN_DO__COUNT; i++) assert_true(strlen(an_do_name((an_do)i)) > 2);
    assert_string_equal(an_do_name(AN_DO__COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_range_is_compacted),
        cmocka_unit_test(nothing_due_is_no_outcome),
        cmocka_unit_test(a_fault_of_one_block_isolates_the_group),
        cmocka_unit_test(the_verdicts_own_words_are_told),
        cmocka_unit_test(thanos_version_1_is_as_good_as_none),
        cmocka_unit_test(an_odd_resolution_isolates_its_group),
        cmocka_unit_test(a_group_without_labels_waits_for_no_plan_or_is_isolated),
        cmocka_unit_test(a_block_of_the_future_neither_protects_nor_is_planned),
        cmocka_unit_test(a_ulid_of_the_future_is_reported_and_planned),
        cmocka_unit_test(blocks_without_samples_are_marked_and_make_room),
        cmocka_unit_test(an_empty_block_among_others_is_merged_as_upstream_does),
        cmocka_unit_test(a_plan_of_marked_blocks_only_is_no_plan),
        cmocka_unit_test(a_marked_block_gives_way_when_it_overlaps),
        cmocka_unit_test(vertical_compaction_merges_overlaps),
        cmocka_unit_test(overlapping_downsampled_blocks_are_fenced_or_isolated),
        cmocka_unit_test(overlaps_that_are_fenced_on_all_sides_are_reported),
        cmocka_unit_test(hints_come_before_everything_but_resolution),
        cmocka_unit_test(a_small_block_under_a_compacted_one_came_late),
        cmocka_unit_test(short_pieces_off_the_grid_are_restarts),
        cmocka_unit_test(twins_in_several_windows_are_two_producers),
        cmocka_unit_test(each_cause_is_told_once_with_its_blocks),
        cmocka_unit_test(the_text_of_overlaps_groups_them_as_upstream_does),
        cmocka_unit_test(a_crowd_of_overlaps_is_cut_and_counted),
        cmocka_unit_test(a_newcomer_under_the_result_is_found),
        cmocka_unit_test(shared_sources_are_refused_or_reported),
        cmocka_unit_test(a_failed_flag_is_told_when_it_keeps_a_range_away),
        cmocka_unit_test(large_indexes_ask_for_a_mark_first),
        cmocka_unit_test(a_missing_index_isolates_the_group),
        cmocka_unit_test(many_tombstones_rewrite_a_block_once),
        cmocka_unit_test(every_kind_of_outcome_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
