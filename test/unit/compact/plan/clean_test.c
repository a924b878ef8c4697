// SPDX-License-Identifier: Apache-2.0
/* Garbage, marked blocks, retention and partial uploads against upstream's recorded passes
 * (golden/vectors: gc, cleaner, retention), and what anneal does not copy. */
#include "compact/plan/clean.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

#include "unit/pass.h"

static char id_text[AN_ULID_TEXT + 1];
static const char *say(an_ulid id)
{
    an_ulid_format(id, id_text);
    return id_text;
}

static void check_ids(const pass *p, size_t no, const char *key, const pass_ids *got)
{
    pass_ids want = pass_want(p, key);

    for (size_t i = 0; i < got->n; i++) {
        if (!pass_has(&want, got->v[i])) fail_msg("case %zu %s: %s extra", no, key, say(got->v[i]));
    }
    for (size_t i = 0; i < want.n; i++) {
        if (!pass_has(got, want.v[i])) fail_msg("case %zu %s: %s missing", no, key, say(want.v[i]));
    }
}

static pass_ids outcomes_of(const an_outcomes *o, an_do what)
{
    pass_ids l = {0};

    for (size_t i = 0; i < o->n; i++) {
        if (o->v[i].what == what) pass_add(&l, o->v[i].blocks[0]->id);
    }
    return l;
}

/* The marks that this instance has to do with. */
static void clean_marked(an_arena *a, const pass *p, an_outcomes *out)
{
    const an_plan_block **marked = an_arena_alloc(a, (p->n_filtered + 1) * sizeof *marked);
    const an_plan_block **all = an_arena_alloc(a, (p->n_filtered + 1) * sizeof *all);
    an_retention r = pass_retention(p);
    size_t n = 0;

    for (size_t i = 0; i < p->n_filtered; i++) {
        all[i] = &p->planned[i];
        if (p->filtered[i].reached_marks && p->filtered[i].marks[AN_MARK_DELETION] != NULL)
            marked[n++] = &p->planned[i];
    }
    an_clean_marked(a, marked, n, all, p->n_filtered, &r, p->opts.delete_delay_ms, p->now_ms, out);
}

/* Deviation: a mark that names another block or none deletes nothing here (upstream deletes the
 * block that it names), and one without a time is as old as its object (upstream: due at once). */
static void apply_mark_deviations(const pass *p, pass_ids *got, size_t *stray, size_t *timeless)
{
    for (size_t i = 0; i < p->n_filtered; i++) {
        const an_mark *m = p->filtered[i].marks[AN_MARK_DELETION];
        if (m == NULL || !p->filtered[i].reached_marks) continue;
        if (p->planned[i].deletion_stray) {
            assert_false(pass_has(got, p->filtered[i].id));
            pass_add(got, m->id); /* as recorded: the zero id stands for none */
            (*stray)++;
        } else if (m->time_s == 0) {
            assert_false(pass_has(got, p->filtered[i].id));
            pass_add(got, p->filtered[i].id);
            (*timeless)++;
        }
    }
}

static void check_groups(an_arena *a, const pass *p, size_t no, const pass_ids *kept)
{
    const an_json *want = vectors_get(p->want, "groups");
    const an_plan_block **b;
    an_group *g;
    size_t n, n_groups, k = 0;

    b = pass_loaded(a, p, &n);
    for (size_t i = 0; i < n; i++) { /* as upstream would have it */
        if (!pass_has(kept, b[i]->id)) b[k++] = b[i];
    }
    an_groups_build(a, b, k, &g, &n_groups);
    if (n_groups != want->n) fail_msg("case %zu: %zu groups, want %zu", no, n_groups, want->n);
    for (size_t i = 0; i < n_groups; i++) {
        const an_json *w = &want->items[i], *ids = vectors_get(w, "ids");
        assert_true(an_slice_eq(g[i].key, vectors_str(w, "key")));
        assert_int_equal(g[i].n, ids->n);
        for (size_t j = 0; j < ids->n; j++) { /* sorted by id there, by time here */
            bool found = false;
            for (size_t l = 0; l < g[i].n; l++)
                found = found ||
                        strcmp(say(g[i].blocks[l]->id), (const char *)ids->items[j].text.p) == 0;
            assert_true(found);
        }
    }
}

static void garbage_is_marked_as_recorded(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "gc.json"), "cases");
    size_t marked = 0, fails_upstream = 0, n_kept = 0, deleted = 0;

    assert_int_equal(cases->n, 220);
    for (size_t i = 0; i < cases->n; i++) {
        pass p;
        an_err err;
        an_outcomes del = {0}, gc = {0};
        pass_ids kept = {0};
        an_arena_reset(work);
        assert_int_equal(pass_read(work, &cases->items[i], &p, &err), AN_OK);
        pass_filter(work, &p);
        if (pass_fails_upstream(&p)) {
            fails_upstream++;
            continue;
        }
        clean_marked(work, &p, &del);
        pass_ids gone = outcomes_of(&del, AN_DO_DELETE);
        check_ids(&p, i, "deleted", &gone);
        deleted += gone.n;
        an_covered *c = an_arena_alloc(work, (p.n_filtered + 1) * sizeof *c);
        size_t n = 0;
        pass_ids dup = pass_want(&p, "duplicates");
        for (size_t k = 0; k < p.n_filtered; k++) {
            const an_filter_block *f = &p.filtered[k];
            if (f->state == AN_SYNCED_DUPLICATE)
                c[n++] = (an_covered){&p.planned[k], &p.planned[f->by - p.filtered]};
            else if (pass_has(&dup, f->id)) /* deviation: without sources, never redundant */
                pass_add(&kept, f->id);
        }
        an_clean_garbage(work, c, n, &gc);
        pass_ids asked = outcomes_of(&gc, AN_DO_MARK), got = {0};
        for (size_t k = 0; k < gc.n; k++) {
            assert_int_equal(gc.v[k].what, AN_DO_MARK);
            assert_int_equal(gc.v[k].mark, AN_MARK_DELETION);
            assert_true(an_slice_eq(gc.v[k].details, AN_LIT("outdated block")));
        }
        for (size_t k = 0; k < p.n_filtered; k++) { /* kept ones are marked upstream */
            if (pass_has(&kept, p.filtered[k].id) && p.filtered[k].marks[AN_MARK_DELETION] == NULL)
                pass_add(&asked, p.filtered[k].id);
        }
        /* Counted, but not written: an unreadable object of that name lies there. */
        for (size_t k = 0; k < p.n; k++) {
            if (pass_has(&asked, p.v[k].id) && !p.v[k].mark_there[AN_MARK_DELETION])
                pass_add(&got, p.v[k].id);
        }
        check_ids(&p, i, "gc_marked", &got);
        assert_int_equal(vectors_int(p.want, "gc_counter"), asked.n);
        check_groups(work, &p, i, &kept);
        marked += got.n;
        n_kept += kept.n;
    }
    print_message(
        "%zu blocks marked, %zu deleted, %zu without sources kept, %zu syncs fail upstream\n",
        marked, deleted, n_kept, fails_upstream);
    assert_int_equal(fails_upstream, 3);
    assert_true(marked > 50);
    an_arena_free(work);
    an_arena_free(a);
}

/* Deviations: an unreadable meta.json, and a block that lacks nothing but its meta.json, are held
 * unless a mark says that a deletion was under way. */
static bool is_held(const pass_block *b)
{
    const an_mark *m = pass_mark(b, AN_MARK_DELETION);
    bool own = m != NULL && m->has_id && an_ulid_eq(m->id, b->id);

    return !b->no_meta || (b->has_index && b->has_segment && !own);
}

static void check_partial(const pass *p, size_t no, size_t *n_held)
{
    pass_ids got = {0};

    for (size_t i = 0; i < p->n; i++) {
        const pass_block *b = &p->v[i];
        const an_mark *m = pass_mark(b, AN_MARK_DELETION);
        an_partial q = {.id = b->id,
                        .meta_unreadable = !b->no_meta,
                        .has_index = b->has_index,
                        .has_all_segments = b->has_segment,
                        .marked = m != NULL && m->has_id && an_ulid_eq(m->id, b->id),
                        .newest_ms = b->newest_ms,
                        .listings = 2};
        an_cause cause;
        an_buf why;
        if (pass_has_meta(b)) continue;
        an_buf_init(&why, 1024, NULL);
        an_partial_fate fate = an_clean_partial(&q, p->now_ms, &cause, &why);
        assert_true(why.n > 0);
        an_buf_deinit(&why);
        assert_int_equal(cause, b->no_meta ? AN_CAUSE_META_MISSING : AN_CAUSE_META_CORRUPT);
        if (fate == AN_PARTIAL_DELETE) {
            assert_false(is_held(b));
            pass_add(&got, b->id);
        } else if (is_held(b) && p->now_ms - b->newest_ms > AN_PARTIAL_AGE_MS) {
            assert_int_equal(fate, AN_PARTIAL_HOLD);
            pass_add(&got, b->id); /* as recorded */
            (*n_held)++;
        }
        q.listings = 1;
        an_buf_init(&why, 1024, NULL);
        if (fate == AN_PARTIAL_DELETE)
            assert_int_equal(an_clean_partial(&q, p->now_ms, &cause, &why), AN_PARTIAL_CONFIRM);
        an_buf_deinit(&why);
    }
    check_ids(p, no, "partial_deleted", &got);
}

static void marked_and_partial_blocks_go_as_recorded(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "cleaner.json"), "cases");
    size_t fails_upstream = 0, held = 0, stray = 0, timeless = 0, deleted = 0;

    assert_int_equal(cases->n, 166);
    for (size_t i = 0; i < cases->n; i++) {
        pass p;
        an_err err;
        an_outcomes out = {0};
        an_arena_reset(work);
        assert_int_equal(pass_read(work, &cases->items[i], &p, &err), AN_OK);
        pass_filter(work, &p);
        if (pass_fails_upstream(&p)) {
            fails_upstream++;
            an_relabel_free(p.selector);
            continue;
        }
        clean_marked(work, &p, &out);
        pass_ids got = outcomes_of(&out, AN_DO_DELETE);
        deleted += got.n;
        apply_mark_deviations(&p, &got, &stray, &timeless);
        check_ids(&p, i, "deleted", &got);
        check_partial(&p, i, &held);
        an_relabel_free(p.selector);
    }
    print_message("%zu marked blocks deleted, %zu partial blocks held, %zu stray and %zu timeless "
                  "marks, %zu syncs fail upstream\n",
                  deleted, held, stray, timeless, fails_upstream);
    assert_int_equal(fails_upstream, 1);
    assert_int_equal(stray, 2);
    assert_int_equal(timeless, 1);
    assert_true(deleted > 50 && held > 20);
    an_arena_free(work);
    an_arena_free(a);
}

static void check_mark(const pass *p, const an_json *want, const an_outcome *got)
{
    an_buf body;
    an_mark m = {.kind = got->mark,
                 .id = got->blocks[0]->id,
                 .version = 1,
                 .details = got->details,
                 .time_s = p->now_ms / 1000};

    assert_true(an_slice_eq(vectors_str(want, "file"), an_slice_str(an_mark_file[got->mark])));
    an_buf_init(&body, 4096, NULL);
    an_mark_write(&body, &m);
    if (!an_slice_eq(an_buf_slice(&body), vectors_str(want, "body")))
        fail_msg("%.*s", AN_PRI(an_buf_slice(&body)));
    an_buf_deinit(&body);
}

static void expired_blocks_are_marked_with_upstreams_bytes(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "retention.json"), "cases");
    size_t marked = 0;

    assert_int_equal(cases->n, 260);
    for (size_t i = 0; i < cases->n; i++) {
        pass p;
        an_err err;
        an_outcomes out = {0};
        size_t n, k = 0;
        an_arena_reset(work);
        assert_int_equal(pass_read(work, &cases->items[i], &p, &err), AN_OK);
        pass_filter(work, &p);
        an_retention r = pass_retention(&p);
        const an_plan_block **b = pass_loaded(work, &p, &n);
        an_clean_retention(work, b, n, &r, p.now_ms, &out);
        const an_json *want = vectors_get(p.want, "retention_marks");
        if (out.n != want->n) fail_msg("case %zu: %zu marks, want %zu", i, out.n, want->n);
        for (; k < out.n; k++) {
            bool found = false;
            assert_int_equal(out.v[k].what, AN_DO_MARK);
            for (size_t j = 0; j < want->n; j++) {
                if (strcmp(say(out.v[k].blocks[0]->id),
                           (const char *)vectors_str(&want->items[j], "id").p) != 0)
                    continue;
                check_mark(&p, &want->items[j], &out.v[k]);
                found = true;
            }
            if (!found) fail_msg("case %zu: %s marked", i, say(out.v[k].blocks[0]->id));
        }
        marked += out.n;
    }
    print_message("%zu blocks marked\n", marked);
    assert_true(marked > 200);
    an_arena_free(work);
    an_arena_free(a);
}

/* ---- What anneal does not copy ---- */

#define DAY INT64_C(86400000)

typedef struct scene {
    an_arena *a;
    an_plan_block *v[4];
    an_meta m[4];
    an_mark mark[4];
    an_ulid src[4][2];
    size_t n;
} scene;

static an_label stream_a = {AN_LIT("a"), AN_LIT("1")}, stream_b = {AN_LIT("b"), AN_LIT("1")};

/* A block of one day with sources s1 and s2 (0: none). */
static an_plan_block *add(scene *s, uint8_t id, uint8_t s1, uint8_t s2)
{
    size_t i = s->n++;
    an_meta *m = &s->m[i];

    s->v[i] = an_arena_alloc(s->a, sizeof **s->v);
    s->v[i]->id = m->ulid = (an_ulid){{0, 0, 0, 0, 0, 0, id}};
    s->v[i]->meta = m;
    m->maxt = DAY;
    m->thanos.labels = (an_labels){1, &stream_a};
    m->compaction.sources = s->src[i];
    if (s1 != 0) s->src[i][m->compaction.n_sources++].b[15] = s1;
    if (s2 != 0) s->src[i][m->compaction.n_sources++].b[15] = s2;
    return s->v[i];
}

static void mark(scene *s, size_t i, const char *details)
{
    s->mark[i] = (an_mark){.has_id = true, .id = s->v[i]->id, .details = an_slice_str(details)};
    s->v[i]->deletion = &s->mark[i];
    s->v[i]->deletion_ms = 10 * DAY;
}

/* What happens to the first block after two days and a millisecond. */
static an_outcome fate(scene *s, const an_retention *r)
{
    const an_plan_block *all[4];
    an_outcomes out = {0};

    for (size_t i = 0; i < s->n; i++) all[i] = s->v[i];
    an_clean_marked(s->a, all, 1, all, s->n, r, 2 * DAY, 12 * DAY, &out);
    assert_int_equal(out.n, 0); /* not yet: exactly the delay */
    an_clean_marked(s->a, all, 1, all, s->n, r, 2 * DAY, 12 * DAY + 1, &out);
    assert_int_equal(out.n, 1);
    return out.v[0];
}

static const an_retention for_ever;

static scene begin(void) { return (scene){.a = an_arena_new(NULL)}; }

static void a_source_is_removed_while_a_live_block_holds_it(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 0);
    add(&s, 2, 1, 2);
    mark(&s, 0, "source of compacted block");
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_DELETE);
    an_arena_free(s.a);
}

static void several_blocks_may_hold_the_sources_together(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 2);
    add(&s, 2, 1, 0);
    add(&s, 3, 2, 0);
    mark(&s, 0, "outdated block");
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_DELETE);
    an_arena_free(s.a);
}

static void a_source_that_nobody_holds_is_kept(void **state)
{
    (void)state;
    static const char *const details[] = {"source of compacted block", "outdated block"};
    for (size_t d = 0; d < 2; d++) {
        for (int spoil = 0; spoil < 6; spoil++) {
            scene s = begin();
            add(&s, 1, 1, 0);
            an_plan_block *cover = add(&s, 2, 1, 2);
            mark(&s, 0, details[d]);
            switch (spoil) {
            case 0:
                s.n = 1;
                break; /* gone */
            case 1:
                mark(&s, 1, "manual");
                break; /* on its way out */
            case 2:
                cover->bad = AN_CAUSE_INDEX_UNREADABLE;
                break; /* damaged */
            case 3:
                cover->incomplete = true;
                break; /* cut short */
            case 4:
                s.m[1].thanos.labels.v = &stream_b;
                break; /* of another stream */
            case 5:
                s.m[1].thanos.resolution = AN_RES_5M;
                break; /* of another resolution */
            default:
                break;
            }
            an_outcome o = fate(&s, &for_ever);
            assert_int_equal(o.what, AN_DO_HOLD);
            assert_true(o.why.n > 0);
            an_arena_free(s.a);
        }
    }
}

static void other_marks_are_executed_as_they_are(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 0);
    mark(&s, 0, "block exceeding retention of 24h0m0s");
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_DELETE);
    mark(&s, 0, "");
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_DELETE);
    an_arena_free(s.a);
}

static void an_expired_or_empty_source_needs_no_holder(void **state)
{
    (void)state;
    scene s = begin();
    an_retention r = {.raw_ns = DAY * 1000000};

    add(&s, 1, 1, 0);
    mark(&s, 0, "source of compacted block");
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_HOLD);
    assert_int_equal(fate(&s, &r).what, AN_DO_DELETE); /* its data ended more than a day ago */
    s.v[0]->samples = AN_SAMPLES_NONE;
    assert_int_equal(fate(&s, &for_ever).what, AN_DO_DELETE);
    an_arena_free(s.a);
}

static void a_block_without_sources_is_never_covered(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 0, 0);
    add(&s, 2, 1, 2);
    mark(&s, 0, "outdated block");
    an_outcome o = fate(&s, &for_ever);
    assert_int_equal(o.what, AN_DO_HOLD);
    assert_int_equal(o.cause, AN_CAUSE_SOURCES_EMPTY);
    an_arena_free(s.a);
}

static void a_mark_of_another_block_is_reported_only(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 0)->deletion_stray = true;
    const an_plan_block *all[] = {s.v[0]};
    an_outcomes out = {0};
    an_clean_marked(s.a, all, 1, all, 1, &for_ever, 0, INT64_MAX, &out);
    assert_int_equal(out.n, 1);
    assert_int_equal(out.v[0].what, AN_DO_REPORT);
    assert_int_equal(out.v[0].cause, AN_CAUSE_MARK_CORRUPT);
    an_arena_free(s.a);
}

static an_outcome garbage(scene *s)
{
    an_covered c = {s->v[0], s->v[1]};
    an_outcomes out = {0};

    an_clean_garbage(s->a, &c, 1, &out);
    assert_int_equal(out.n, 1);
    return out.v[0];
}

static void garbage_is_held_while_its_cover_is_in_doubt(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 0);
    add(&s, 2, 1, 2);
    assert_int_equal(garbage(&s).what, AN_DO_MARK);
    assert_int_equal(garbage(&s).cause, AN_CAUSE_OVERLAP_LEFTOVER);
    s.v[1]->incomplete = true;
    assert_int_equal(garbage(&s).what, AN_DO_HOLD);
    s.v[1]->incomplete = false;
    s.v[1]->bad = AN_CAUSE_CHUNKS_MISSING;
    assert_int_equal(garbage(&s).what, AN_DO_HOLD);
    s.v[1]->bad = AN_CAUSE_NONE;
    s.m[0].ulid = s.v[1]->id; /* whose meta.json is that? */
    assert_int_equal(garbage(&s).what, AN_DO_HOLD);
    an_arena_free(s.a);
}

static void equal_source_lists_are_called_twins(void **state)
{
    (void)state;
    scene s = begin();

    add(&s, 1, 1, 2);
    add(&s, 2, 1, 2);
    assert_int_equal(garbage(&s).cause, AN_CAUSE_OVERLAP_TWIN);
    mark(&s, 0, "manual");
    an_covered c = {s.v[0], s.v[1]};
    an_outcomes out = {0};
    an_clean_garbage(s.a, &c, 1, &out);
    assert_int_equal(out.n, 0); /* marked already */
    an_arena_free(s.a);
}

static void an_expired_block_is_marked_once(void **state)
{
    (void)state;
    scene s = begin();
    an_retention r = {.raw_ns = DAY * 1000000};
    an_outcomes out = {0};

    add(&s, 1, 1, 0);
    const an_plan_block *all[] = {s.v[0]};
    an_clean_retention(s.a, all, 1, &r, 2 * DAY, &out);
    assert_int_equal(out.n, 0); /* exactly as old as may be */
    an_clean_retention(s.a, all, 1, &r, 2 * DAY + 1, &out);
    assert_int_equal(out.n, 1);
    assert_true(an_slice_eq(out.v[0].details, AN_LIT("block exceeding retention of 24h0m0s")));
    mark(&s, 0, "manual");
    an_clean_retention(s.a, all, 1, &r, 3 * DAY, &out);
    assert_int_equal(out.n, 1);
    s.v[0]->deletion = NULL;
    s.m[0].thanos.resolution = 12345; /* of no known resolution: kept for ever, as upstream */
    an_clean_retention(s.a, all, 1, &r, 3 * DAY, &out);
    assert_int_equal(out.n, 1);
    an_arena_free(s.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(garbage_is_marked_as_recorded),
        cmocka_unit_test(marked_and_partial_blocks_go_as_recorded),
        cmocka_unit_test(expired_blocks_are_marked_with_upstreams_bytes),
        cmocka_unit_test(a_source_is_removed_while_a_live_block_holds_it),
        cmocka_unit_test(several_blocks_may_hold_the_sources_together),
        cmocka_unit_test(a_source_that_nobody_holds_is_kept),
        cmocka_unit_test(other_marks_are_executed_as_they_are),
        cmocka_unit_test(an_expired_or_empty_source_needs_no_holder),
        cmocka_unit_test(a_block_without_sources_is_never_covered),
        cmocka_unit_test(a_mark_of_another_block_is_reported_only),
        cmocka_unit_test(garbage_is_held_while_its_cover_is_in_doubt),
        cmocka_unit_test(equal_source_lists_are_called_twins),
        cmocka_unit_test(an_expired_block_is_marked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
