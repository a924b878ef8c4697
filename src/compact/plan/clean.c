// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/clean.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/timestamp.h"

/* Milliseconds since `then`; saturates, for marks may say anything. */
static int64_t age_ms(int64_t now, int64_t then)
{
    int64_t d;

    if (__builtin_sub_overflow(now, then, &d)) return then < 0 ? INT64_MAX : INT64_MIN;
    return d;
}

static const an_plan_block **by_id(an_arena *a, const an_plan_block *const *b, size_t n)
{
    const an_plan_block **v = an_plan_list(a, b, n);

    an_plan_sort_by_id(v, n);
    return v;
}

static an_outcome *tell(an_arena *a, an_outcomes *out, an_do what, an_cause cause,
                        const an_plan_block *b)
{
    an_outcome *o = an_outcomes_add(a, out);

    *o = (an_outcome){.what = what, .cause = cause, .n = 1, .blocks = an_plan_list(a, &b, 1)};
    if (b->meta != NULL) o->resolution = b->meta->thanos.resolution;
    return o;
}

#define SAY(a, ...) an_slice_str(an_arena_printf((a), __VA_ARGS__))

/* ---- Retention ---- */

static int64_t retention_of(const an_retention *r, int64_t resolution)
{
    switch (resolution) {
    case AN_RES_RAW:
        return r->raw_ns;
    case AN_RES_5M:
        return r->five_min_ns;
    case AN_RES_1H:
        return r->one_hour_ns;
    default:
        return 0;
    }
}

bool an_retention_expired(const an_plan_block *b, const an_retention *r, int64_t now_ms)
{
    int64_t keep_ns = retention_of(r, b->meta->thanos.resolution);
    int64_t end_s = b->meta->maxt / 1000; /* whole seconds, cut toward zero, as upstream */

    if (keep_ns == 0) return false;
    return (__int128)now_ms * AN_MS > (__int128)end_s * AN_SECOND + keep_ns;
}

void an_clean_retention(an_arena *a, const an_plan_block *const *b, size_t n, const an_retention *r,
                        int64_t now_ms, an_outcomes *out)
{
    const an_plan_block **v = by_id(a, b, n);
    char keep[AN_DURATION_TEXT], end[AN_TIME_TEXT];

    for (size_t i = 0; i < n; i++) {
        if (v[i]->deletion != NULL || !an_retention_expired(v[i], r, now_ms)) continue;
        (void)an_duration_print(retention_of(r, v[i]->meta->thanos.resolution), keep);
        (void)an_time_print(v[i]->meta->maxt / 1000, 0, end);
        an_outcome *o = tell(a, out, AN_DO_MARK, AN_CAUSE_NONE, v[i]);
        o->mark = AN_MARK_DELETION;
        o->details = SAY(a, "block exceeding retention of %s", keep);
        o->why = SAY(a, "its data ended at %s", end);
    }
}

/* ---- Garbage ---- */

static int cmp_covered(const void *x, const void *y)
{
    const an_covered *a = x, *b = y;

    return an_ulid_cmp(a->block->id, b->block->id);
}

/* A block whose data may stand in for another's. */
static bool is_live(const an_plan_block *b)
{
    return b->deletion == NULL && !b->incomplete && an_plan_fault(b) == AN_CAUSE_NONE;
}

void an_clean_garbage(an_arena *a, const an_covered *v, size_t n, an_outcomes *out)
{
    an_covered *sorted = an_arena_alloc(a, (n + 1) * sizeof *sorted);
    char by[AN_ULID_TEXT + 1];

    if (n > 0) memcpy(sorted, v, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, cmp_covered);
    for (size_t i = 0; i < n; i++) {
        const an_plan_block *b = sorted[i].block, *cover = sorted[i].by;
        if (b->deletion != NULL) continue;
        size_t n_own, n_cover;
        (void)an_plan_sources(a, &b, 1, &n_own);
        (void)an_plan_sources(a, &cover, 1, &n_cover);
        bool twin = n_own == n_cover; /* b's are a subset of the cover's */
        an_cause cause = twin ? AN_CAUSE_OVERLAP_TWIN : AN_CAUSE_OVERLAP_LEFTOVER;
        an_ulid_format(cover->id, by);
        if (an_plan_fault(b) == AN_CAUSE_META_FOREIGN) {
            tell(a, out, AN_DO_HOLD, AN_CAUSE_META_FOREIGN, b)->why = SAY(
                a, "block %s has the sources that its meta.json lists, but is that its own?", by);
            continue;
        }
        if (cover->incomplete || an_plan_fault(cover) != AN_CAUSE_NONE) {
            tell(a, out, AN_DO_HOLD, cause, b)->why =
                SAY(a, "block %s has all its sources, but is not in order itself", by);
            continue;
        }
        an_outcome *o = tell(a, out, AN_DO_MARK, cause, b);
        o->mark = AN_MARK_DELETION;
        o->details = AN_LIT(AN_DETAILS_OUTDATED);
        o->why =
            SAY(a, twin ? "block %s has the same sources" : "block %s has all its sources", by);
    }
}

/* ---- Marked blocks ---- */

typedef struct live_source {
    const an_meta *stream;
    an_ulid source;
} live_source;

static int cmp_live(const void *x, const void *y)
{
    const live_source *a = x, *b = y;
    int d = an_plan_stream_cmp(a->stream, b->stream);

    return d != 0 ? d : an_ulid_cmp(a->source, b->source);
}

/* What the live blocks of each stream hold, sorted for bsearch. */
static live_source *live_sources(an_arena *a, const an_plan_block *const *all, size_t n,
                                 size_t *n_out)
{
    size_t total = 0, k = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_live(all[i])) total += all[i]->meta->compaction.n_sources;
    }
    live_source *v = an_arena_alloc(a, (total + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        if (!is_live(all[i])) continue;
        for (size_t s = 0; s < all[i]->meta->compaction.n_sources; s++)
            v[k++] = (live_source){all[i]->meta, all[i]->meta->compaction.sources[s]};
    }
    qsort(v, k, sizeof *v, cmp_live);
    *n_out = k;
    return v;
}

/* The first source of b that no live block of its stream holds; NULL: all are held. */
static const an_ulid *lost_source(const an_plan_block *b, const live_source *live, size_t n)
{
    for (size_t i = 0; i < b->meta->compaction.n_sources; i++) {
        live_source key = {b->meta, b->meta->compaction.sources[i]};
        if (bsearch(&key, live, n, sizeof *live, cmp_live) == NULL)
            return &b->meta->compaction.sources[i];
    }
    return NULL;
}

/* Marks that claim that other blocks hold the data. */
static bool claims_cover(const an_mark *m)
{
    return an_slice_has_prefix(m->details, AN_LIT(AN_DETAILS_SOURCE)) ||
           an_slice_has_prefix(m->details, AN_LIT(AN_DETAILS_OUTDATED));
}

static void judge_marked(an_arena *a, const an_plan_block *b, const live_source *live,
                         size_t n_live, const an_retention *r, int64_t now_ms, an_outcomes *out)
{
    const an_ulid *lost = lost_source(b, live, n_live);
    bool no_sources = b->meta->compaction.n_sources == 0;
    char id[AN_ULID_TEXT + 1] = "", when[AN_TIME_TEXT];

    if (!claims_cover(b->deletion) || (lost == NULL && !no_sources) ||
        b->samples == AN_SAMPLES_NONE || an_retention_expired(b, r, now_ms)) {
        (void)an_time_print(b->deletion_ms / 1000, 0, when);
        tell(a, out, AN_DO_DELETE, AN_CAUSE_NONE, b)->why =
            SAY(a, "marked for deletion at %s: %.*s", when, AN_PRI(b->deletion->details));
        return;
    }
    if (lost != NULL) an_ulid_format(*lost, id);
    tell(a, out, AN_DO_HOLD, no_sources ? AN_CAUSE_SOURCES_EMPTY : AN_CAUSE_OVERLAP_LEFTOVER, b)
        ->why = no_sources
                    ? SAY(a, "marked \"%.*s\", but it lists no sources that another could hold",
                          AN_PRI(b->deletion->details))
                    : SAY(a, "marked \"%.*s\", but no complete live block holds its source %s",
                          AN_PRI(b->deletion->details), id);
}

void an_clean_marked(an_arena *a, const an_plan_block *const *marked, size_t n,
                     const an_plan_block *const *all, size_t n_all, const an_retention *r,
                     int64_t delete_delay_ms, int64_t now_ms, an_outcomes *out)
{
    const an_plan_block **v = by_id(a, marked, n);
    size_t n_live = 0;
    live_source *live = live_sources(a, all, n_all, &n_live);

    for (size_t i = 0; i < n; i++) {
        if (v[i]->deletion_stray) {
            tell(a, out, AN_DO_REPORT, AN_CAUSE_MARK_CORRUPT, v[i])->why =
                AN_LIT("its deletion mark names another block or none: nothing is deleted");
        } else if (v[i]->deletion != NULL && age_ms(now_ms, v[i]->deletion_ms) > delete_delay_ms) {
            judge_marked(a, v[i], live, n_live, r, now_ms, out);
        }
    }
}

/* ---- Partial uploads ---- */

an_partial_fate an_clean_partial(const an_partial *p, int64_t now_ms, an_cause *cause, an_buf *why)
{
    int64_t newest = p->newest_ms >= 0 ? p->newest_ms : (int64_t)an_ulid_ms(p->id);
    char when[AN_TIME_TEXT];

    *cause = p->meta_unreadable ? AN_CAUSE_META_CORRUPT : AN_CAUSE_META_MISSING;
    (void)an_time_print(newest / 1000, 0, when);
    if (p->meta_unreadable) {
        an_buf_printf(why,
                      "meta.json cannot be read; newest object of %s: held, never deleted "
                      "for that reason",
                      when);
        return AN_PARTIAL_HOLD;
    }
    if (age_ms(now_ms, newest) <= AN_PARTIAL_AGE_MS) {
        an_buf_printf(why, "no meta.json yet; newest object of %s", when);
        return AN_PARTIAL_WAIT;
    }
    if (p->has_index && p->has_all_segments && !p->marked) {
        an_buf_printf(why,
                      "index and all segments are there, only meta.json is missing; newest "
                      "object of %s: held",
                      when);
        return AN_PARTIAL_HOLD;
    }
    an_buf_printf(why, "no meta.json; newest object of %s%s", when,
                  p->marked ? "; marked for deletion" : "");
    return p->listings < 2 ? AN_PARTIAL_CONFIRM : AN_PARTIAL_DELETE;
}
