// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/plan.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/timestamp.h"
#include "compact/plan/clean.h"
#include "compact/plan/overlap.h"
#include "compact/plan/planner.h"

enum { BLOCKS_TOLD = 50 };

const char *an_do_name(an_do what)
{
    static const char *const names[AN_DO__COUNT] = {
        [AN_DO_COMPACT] = "compact",       [AN_DO_REWRITE] = "rewrite",
        [AN_DO_DOWNSAMPLE] = "downsample", [AN_DO_MARK] = "mark",
        [AN_DO_DELETE] = "delete",         [AN_DO_HOLD] = "hold",
        [AN_DO_ISOLATE] = "isolate",       [AN_DO_LEAVE_OUT] = "leave-out",
        [AN_DO_REPORT] = "report",
    };
    return (unsigned)what < AN_DO__COUNT ? names[what] : "?";
}

an_outcome *an_outcomes_add(an_arena *a, an_outcomes *list)
{
    if (list->n == list->cap) {
        size_t cap = list->cap == 0 ? 8 : 2 * list->cap;
        an_outcome *v = an_arena_alloc(a, cap * sizeof *v);
        if (list->n > 0) memcpy(v, list->v, list->n * sizeof *v);
        list->v = v;
        list->cap = cap;
    }
    return &list->v[list->n++];
}

const an_outcome *an_outcomes_job(const an_outcomes *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->v[i].what == AN_DO_COMPACT || list->v[i].what == AN_DO_REWRITE)
            return &list->v[i];
    }
    return NULL;
}

const an_outcome *an_outcomes_isolated(const an_outcomes *list)
{
    for (size_t i = 0; i < list->n; i++) {
        if (list->v[i].what == AN_DO_ISOLATE) return &list->v[i];
    }
    return NULL;
}

an_rc an_plan_ranges(int level, int64_t out[AN_PLAN_RANGES_MAX], size_t *n, an_err *err)
{
    static const int64_t hours[AN_PLAN_RANGES_MAX] = {1, 2, 8, 48, 336};

    if (level < 0) return AN_FAIL(err, AN_EINVALID, "compaction level %d is below 0", level);
    if (level >= AN_PLAN_RANGES_MAX) {
        return AN_FAIL(err, AN_EINVALID, "level is bigger then default set of %d",
                       AN_PLAN_RANGES_MAX);
    }
    for (int i = 0; i <= level; i++) out[i] = hours[i] * 3600 * 1000;
    *n = (size_t)level + 1;
    return AN_OK;
}

/* One group being planned. */
typedef struct planning {
    an_arena *a;
    const an_group *g;
    const an_plan_opts *o;
    an_outcomes *out;
    const an_plan_block **b; /* what may still be planned or stands in the way, by min time */
    size_t n;
} planning;

static an_outcome *tell(planning *p, an_do what, an_cause cause, const an_plan_block *const *b,
                        size_t n)
{
    an_outcome *o = an_outcomes_add(p->a, p->out);

    *o = (an_outcome){
        .what = what,
        .cause = cause,
        .group = p->g->key,
        .n = n,
        .blocks = an_plan_list(p->a, b, n),
        .resolution = p->g->resolution,
    };
    return o;
}

#define SAY(p, ...) an_slice_str(an_arena_printf((p)->a, __VA_ARGS__))

/* ---- 1. Blocks that may not be planned ---- */

an_cause an_plan_fault(const an_plan_block *b)
{
    const an_meta *m = b->meta;

    if (!an_ulid_eq(m->ulid, b->id)) return AN_CAUSE_META_FOREIGN;
    if (m->thanos.version != 0 && m->thanos.version != 1) return AN_CAUSE_META_FOREIGN;
    if (b->foreign_mark) return AN_CAUSE_MARK_CORRUPT;
    if (m->compaction.n_sources == 0) return AN_CAUSE_SOURCES_EMPTY;
    if (m->maxt <= m->mint && b->samples != AN_SAMPLES_NONE) return AN_CAUSE_OUTSIDE_CHUNKS;
    return b->bad;
}

static an_slice why_not_text(planning *p, const an_plan_block *b, an_cause cause)
{
    const an_meta *m = b->meta;
    char id[AN_ULID_TEXT + 1], other[AN_ULID_TEXT + 1];

    an_ulid_format(b->id, id);
    an_ulid_format(m->ulid, other);
    if (cause == b->bad && b->bad_text.n > 0) return b->bad_text;
    switch (cause) {
    case AN_CAUSE_META_FOREIGN:
        if (!an_ulid_eq(m->ulid, b->id))
            return SAY(p, "meta.json of %s says it is block %s: the directory name decides", id,
                       other);
        return SAY(p, "unexpected meta file Thanos section version %" PRId64 " of block %s",
                   m->thanos.version, id);
    case AN_CAUSE_MARK_CORRUPT:
        return SAY(p, "a mark of block %s has an unknown version: neither obeyed nor ignored", id);
    case AN_CAUSE_SOURCES_EMPTY:
        return SAY(p, "block %s lists no sources: nothing can tell what it replaces", id);
    case AN_CAUSE_OUTSIDE_CHUNKS:
        return SAY(p, "block %s has a range without length: minTime %" PRId64 ", maxTime %" PRId64,
                   id, m->mint, m->maxt);
    default:
        return SAY(p, "block %s failed its check: %s", id, an_cause_name(cause));
    }
}

/* Tells what is wrong with single blocks. A fenced one is reported only: a human has decided, or
 * the loop knows that the fence is its own. */
static void judge_blocks(planning *p)
{
    for (size_t i = 0; i < p->n; i++) {
        an_cause cause = an_plan_fault(p->b[i]);
        if (cause == AN_CAUSE_NONE) continue;
        an_do what = p->b[i]->no_compact ? AN_DO_REPORT : AN_DO_ISOLATE;
        an_slice why = why_not_text(p, p->b[i], cause);
        tell(p, what, cause, &p->b[i], 1)->why = why;
    }
}

static bool known_resolution(int64_t r)
{
    return r == AN_RES_RAW || r == AN_RES_5M || r == AN_RES_1H;
}

/* ---- 2. Blocks that count as absent ---- */

static void drop(planning *p, const bool *gone)
{
    size_t kept = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (!gone[i]) p->b[kept++] = p->b[i];
    }
    p->n = kept;
}

static bool is_future(const planning *p, int64_t t)
{
    return t > p->o->now_ms && t - p->o->now_ms > AN_PLAN_FUTURE_MS;
}

static bool marked_without_samples(const an_plan_block *b)
{
    return b->deletion != NULL && an_slice_eq(b->deletion->details, AN_LIT(AN_DETAILS_NO_SAMPLES));
}

static void leave_out_absent(planning *p)
{
    bool *gone = an_arena_alloc(p->a, p->n + 1);
    char id[AN_ULID_TEXT + 1], when[AN_TIME_TEXT];

    for (size_t i = 0; i < p->n; i++) {
        const an_plan_block *b = p->b[i];
        int64_t maxt = b->meta->maxt;
        gone[i] = marked_without_samples(b) || is_future(p, maxt);
        an_ulid_format(b->id, id);
        if (is_future(p, maxt)) {
            (void)an_time_print(maxt / 1000, 0, when);
            tell(p, AN_DO_LEAVE_OUT, AN_CAUSE_FUTURE_BLOCK, &b, 1)->why =
                SAY(p, "block %s ends in the future (%s): kept out of plans until then", id, when);
        } else if (is_future(p, (int64_t)an_ulid_ms(b->id)) || an_ulid_ms(b->id) == 0) {
            (void)an_time_print((int64_t)(an_ulid_ms(b->id) / 1000), 0, when);
            tell(p, AN_DO_REPORT, AN_CAUSE_FUTURE_BLOCK, &b, 1)->why = SAY(
                p, "the name of block %s says it was made at %s: planned all the same", id, when);
        }
    }
    drop(p, gone);
}

/* ---- 3. Overlaps ---- */

/* A block that is marked for deletion and overlaps another one is as good as gone: upstream halts
 * until half of the delete delay is over. */
static void leave_out_marked_overlaps(planning *p)
{
    bool *gone = an_arena_alloc(p->a, p->n + 1);
    int64_t end = INT64_MIN; /* of the blocks before */

    for (size_t i = 0; i < p->n; i++) {
        const an_meta *m = p->b[i]->meta;
        bool overlaps = m->mint < end || (i + 1 < p->n && p->b[i + 1]->meta->mint < m->maxt);
        gone[i] = overlaps && p->b[i]->deletion != NULL;
        if (m->maxt > end) end = m->maxt;
    }
    drop(p, gone);
}

/* ---- 4. and 5. The plan ---- */

static an_slice say_plan(planning *p, const an_picked *k)
{
    char width[AN_DURATION_TEXT], from[AN_TIME_TEXT];
    const an_meta *m = p->b[k->v[0]]->meta;

    switch (k->by) {
    case AN_PICKED_OVERLAP:
        return SAY(p, "%zu blocks overlap", k->n);
    case AN_PICKED_TOMBSTONES:
        return SAY(p, "%" PRIu64 " tombstones on %" PRIu64 " series are more than 5 %%",
                   m->stats.tombstones, m->stats.series);
    case AN_PICKED_RANGE:
        (void)an_duration_print(k->range * AN_MS, width);
        (void)an_time_print(m->mint / 1000, 0, from);
        return SAY(p, "%zu blocks from %s on are due in the range of %s", k->n, from, width);
    case AN_PICKED_NONE:
        break;
    }
    return AN_LIT("");
}

static void tell_wanted_marks(planning *p, const an_wanted_marks *marks)
{
    for (size_t i = 0; i < marks->n; i++) {
        const an_plan_block *b = p->b[marks->v[i].block];
        bool size = marks->v[i].why == AN_WANT_INDEX_SIZE;
        an_outcome *o =
            tell(p, AN_DO_MARK, size ? AN_CAUSE_INDEX_64G : AN_CAUSE_VERTICAL_DOWNSAMPLED, &b, 1);
        o->mark = AN_MARK_NO_COMPACT;
        o->reason =
            size ? AN_LIT("index-size-exceeding") : AN_LIT("downsample-vertical-compaction");
        o->details =
            size ? SAY(p,
                       "largeTotalIndexSizeFilter: Total compacted block's index size could "
                       "exceed: %" PRId64 " with this block. See "
                       "https://github.com/thanos-io/thanos/issues/1424",
                       p->o->max_index_bytes)
                 : AN_LIT("verticalCompactionDownsampleFilter: Downsampled block, see "
                          "https://github.com/thanos-io/thanos/issues/6775");
        o->why = size ? AN_LIT("the largest index of a plan whose indexes are too large together")
                      : AN_LIT("overlapping downsampled blocks cannot be merged");
    }
}

/* `plan` as upstream prints it. */
static an_slice say_blocks(planning *p, const an_plan_block *const *b, size_t n)
{
    an_buf text;
    char id[AN_ULID_TEXT + 1];

    an_buf_init(&text, 1 << 16, NULL);
    an_buf_str(&text, "[");
    for (size_t i = 0; i < n && i < BLOCKS_TOLD; i++) {
        an_ulid_format(b[i]->id, id);
        an_buf_printf(&text, "%s%s (min time: %" PRId64 ", max time: %" PRId64 ")",
                      i == 0 ? "" : " ", id, b[i]->meta->mint, b[i]->meta->maxt);
    }
    if (n > BLOCKS_TOLD) an_buf_printf(&text, " and %zu more", n - BLOCKS_TOLD);
    an_buf_str(&text, "]");
    an_slice s = an_arena_dup(p->a, an_buf_slice(&text));
    an_buf_deinit(&text);
    return s;
}

typedef struct source_of {
    an_ulid source;
    size_t block;
} source_of;

static int cmp_source(const void *x, const void *y)
{
    const source_of *a = x, *b = y;
    int d = an_ulid_cmp(a->source, b->source);

    return d != 0 ? d : (a->block > b->block) - (a->block < b->block);
}

/* The blocks of the plan that list a source which the plan holds twice. */
static size_t find_shared_sources(planning *p, const an_plan_block *const *b, size_t n,
                                  const an_plan_block **out)
{
    size_t total = 0, k = 0, found = 0;
    bool *shares = an_arena_alloc(p->a, n + 1);

    for (size_t i = 0; i < n; i++) total += b[i]->meta->compaction.n_sources;
    source_of *v = an_arena_alloc(p->a, (total + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < b[i]->meta->compaction.n_sources; s++)
            v[k++] = (source_of){b[i]->meta->compaction.sources[s], i};
    }
    qsort(v, k, sizeof *v, cmp_source);
    for (size_t i = 1; i < k; i++) {
        if (an_ulid_eq(v[i - 1].source, v[i].source))
            shares[v[i - 1].block] = shares[v[i].block] = true;
    }
    for (size_t i = 0; i < n; i++) {
        if (shares[i]) out[found++] = b[i];
    }
    return found;
}

/* A plan that must not be executed although upstream's planner picked it; p->b has lost the blocks
 * that another choice must do without, and true is returned. */
static bool give_way(planning *p, const an_picked *k)
{
    bool all_marked = true, all_empty = true;
    bool *gone = an_arena_alloc(p->a, p->n + 1);
    const an_plan_block **unmarked = an_plan_list(p->a, NULL, k->n);
    size_t n_unmarked = 0;

    for (size_t i = 0; i < k->n; i++) {
        const an_plan_block *b = p->b[k->v[i]];
        gone[k->v[i]] = true;
        if (b->deletion == NULL) unmarked[n_unmarked++] = b;
        all_marked = all_marked && b->deletion != NULL;
        all_empty = all_empty && b->samples == AN_SAMPLES_NONE;
    }
    if (!all_marked && !all_empty) return false;
    if (all_empty && n_unmarked > 0) {
        an_outcome *o = tell(p, AN_DO_MARK, AN_CAUSE_EMPTY_LOOP, unmarked, n_unmarked);
        o->mark = AN_MARK_DELETION;
        o->details = AN_LIT(AN_DETAILS_NO_SAMPLES);
        o->why = SAY(p, "%zu blocks are due, but no sample is left in any of them", k->n);
    }
    /* All marked: a result would bring back what somebody has decided to remove. */
    drop(p, gone);
    return true;
}

/* What may not be merged is refused before any byte is read. */
static bool refuse(planning *p, const an_picked *k, const an_plan_block *const *plan)
{
    const an_plan_block **shared = an_plan_list(p->a, NULL, k->n);
    char id[AN_ULID_TEXT + 1];

    if (p->g->labels.n == 0) {
        tell(p, AN_DO_ISOLATE, AN_CAUSE_LABELS_EMPTY, p->g->blocks, p->g->n)->why =
            AN_LIT("empty external labels are not allowed for Thanos block.");
        return true;
    }
    size_t n_shared = find_shared_sources(p, plan, k->n, shared);
    if (n_shared > 0) {
        an_slice text = say_blocks(p, plan, k->n);
        an_do what = p->o->vertical ? AN_DO_REPORT : AN_DO_ISOLATE;
        tell(p, what, AN_CAUSE_SHARED_SOURCES, shared, n_shared)->why =
            SAY(p, "overlapping sources detected for plan %.*s", AN_PRI(text));
        if (what == AN_DO_ISOLATE) return true;
    }
    if (k->by == AN_PICKED_TOMBSTONES && an_ulid_ms(plan[0]->id) == 0) {
        an_ulid_format(plan[0]->id, id);
        tell(p, AN_DO_REPORT, AN_CAUSE_REWRITE_LOOP, plan, 1)->why = SAY(
            p, "block %s has the lowest ULID there is: a rewritten copy could not replace it", id);
        return true;
    }
    return false;
}

static void tell_job(planning *p, const an_picked *k, const an_wanted_marks *marks)
{
    const an_plan_block **plan = an_plan_list(p->a, NULL, k->n);
    int64_t mint = INT64_MAX, maxt = INT64_MIN, level = 0;

    for (size_t i = 0; i < k->n; i++) {
        const an_meta *m = p->b[k->v[i]]->meta;
        plan[i] = p->b[k->v[i]];
        if (m->mint < mint) mint = m->mint;
        if (m->maxt > maxt) maxt = m->maxt;
        if (m->compaction.level > level) level = m->compaction.level;
    }
    if (k->n > 0 && refuse(p, k, plan)) return;
    tell_wanted_marks(p, marks);
    if (k->n == 0) return;
    an_outcome *o = tell(p, k->by == AN_PICKED_TOMBSTONES ? AN_DO_REWRITE : AN_DO_COMPACT,
                         AN_CAUSE_NONE, plan, k->n);
    o->mint = mint;
    o->maxt = maxt;
    o->level = level == INT64_MAX ? level : level + 1;
    o->why = say_plan(p, k);
}

static void tell_failed(planning *p, const an_picked *k)
{
    char id[AN_ULID_TEXT + 1];

    if (k->failed == SIZE_MAX) return;
    an_ulid_format(p->b[k->failed]->id, id);
    tell(p, AN_DO_REPORT, AN_CAUSE_FAILED_FLAG, &p->b[k->failed], 1)->why = SAY(
        p, "block %s carries compaction.failed: the range that it is in is due, but skipped", id);
}

static void plan_blocks(planning *p)
{
    an_err err;

    for (;;) { /* every round without a plan to tell has lost blocks */
        an_picked k;
        an_wanted_marks marks = {0};
        bool *held = an_arena_alloc(p->a, p->n + 1);
        for (size_t i = 0; i < p->n; i++) held[i] = p->b[i]->no_compact;
        an_rc rc = p->o->vertical
                       ? an_pick_vertical(p->a, p->o, p->b, p->n, held, &k, &marks, &err)
                       : an_pick_by_index_size(p->a, p->o, p->b, p->n, held, &k, &marks, &err);
        if (rc != AN_OK) {
            for (size_t i = 0; i < p->n; i++) {
                char id[AN_ULID_TEXT + 1];
                an_ulid_format(p->b[i]->id, id);
                if (strcmp(id, err.block) != 0) continue;
                tell(p, AN_DO_ISOLATE, err.cause, &p->b[i], 1)->why = SAY(p, "%s", err.msg);
            }
            return;
        }
        if (k.n > 0 && give_way(p, &k)) continue;
        tell_failed(p, &k);
        tell_job(p, &k, &marks);
        return;
    }
}

void an_plan_group(an_arena *a, const an_group *g, const an_plan_opts *opts, an_outcomes *out)
{
    an_outcomes mine = {0};
    planning p = {.a = a, .g = g, .o = opts, .out = &mine, .n = g->n};

    p.b = an_plan_list(a, g->blocks, g->n);
    if (!known_resolution(g->resolution)) {
        tell(&p, AN_DO_ISOLATE, AN_CAUSE_RESOLUTION_ODD, g->blocks, g->n)->why =
            SAY(&p, "unexpected downsampling resolution %" PRId64, g->resolution);
    }
    judge_blocks(&p);
    leave_out_absent(&p);
    if (!opts->vertical) {
        leave_out_marked_overlaps(&p);
        an_overlap_judge(a, g, p.b, p.n, &mine);
    }
    if (an_outcomes_isolated(&mine) == NULL) plan_blocks(&p);
    if (g->labels.n == 0 && an_outcomes_isolated(&mine) == NULL) {
        tell(&p, AN_DO_REPORT, AN_CAUSE_LABELS_EMPTY, g->blocks, g->n)->why =
            AN_LIT("blocks without external labels can never be compacted");
    }
    for (size_t i = 0; i < mine.n; i++) *an_outcomes_add(a, out) = mine.v[i];
}
