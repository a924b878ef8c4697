// SPDX-License-Identifier: Apache-2.0
#include "compact/loop/view.h"

#include <stdlib.h>
#include <string.h>

struct an_viewer {
    an_state *state;
    an_snapshot *snap;
};

an_viewer *an_viewer_new(const an_state_opts *opts)
{
    an_viewer *w = calloc(1, sizeof *w);

    an_assert(w != NULL);
    w->state = an_state_new(opts);
    return w;
}

void an_viewer_free(an_viewer *w)
{
    if (w == NULL) return;
    an_snapshot_free(w->snap);
    an_state_free(w->state);
    free(w);
}

const an_err *an_viewer_note(const an_viewer *w) { return &w->snap->note; }

static const an_mark *readable(const an_state_block *s, an_mark_kind kind)
{
    return s->marks[kind].state == AN_MARK_READ ? s->marks[kind].mark : NULL;
}

static bool names(const an_mark *m, an_ulid id) { return m->has_id && an_ulid_eq(m->id, id); }

static int64_t marked_ms(const an_state_block *s)
{
    const an_mark *m = readable(s, AN_MARK_DELETION);

    if (m == NULL) return 0;
    return an_mark_ms(m, s->marks[AN_MARK_DELETION].mtime_ms);
}

static void fill_block(const an_state_block *s, an_troubles *t, an_view_block *out)
{
    const an_mark *deletion = readable(s, AN_MARK_DELETION);
    bool mine = deletion != NULL && names(deletion, s->seen.id);
    an_verdict v;

    *out = (an_view_block){
        .plan = {.id = s->seen.id,
                 .meta = s->meta,
                 .deletion = mine ? deletion : NULL,
                 .deletion_ms = marked_ms(s),
                 .deletion_stray = deletion != NULL && !mine,
                 .no_compact = readable(s, AN_MARK_NO_COMPACT) != NULL,
                 .no_compact_object = s->marks[AN_MARK_NO_COMPACT].state != AN_MARK_ABSENT,
                 .no_downsample = readable(s, AN_MARK_NO_DOWNSAMPLE) != NULL,
                 .incomplete = s->incomplete != NULL,
                 .index_bytes = s->seen.index_bytes},
        .n_objects = s->seen.n_objects,
        .objects = s->seen.objects,
        .bytes = s->seen.bytes,
        .data = s->seen.data,
    };
    for (int k = 0; k < AN_MARK__COUNT; k++) {
        if (s->marks[k].state == AN_MARK_FOREIGN) out->plan.foreign_mark = true;
    }
    if (t != NULL && an_troubles_verdict(t, s->seen.id, s->seen.data, &v)) {
        out->plan.bad = v.bad;
        out->plan.bad_text = v.text;
        out->plan.samples = v.samples;
    }
}

static void fill_filter(const an_state_block *s, an_filter_block *out)
{
    *out = (an_filter_block){.id = s->seen.id, .meta = s->meta};
    for (int k = 0; k < AN_MARK__COUNT; k++) out->marks[k] = readable(s, (an_mark_kind)k);
}

static bool has_only_marks(const an_state_block *s)
{
    size_t n = 0;

    for (int k = 0; k < AN_MARK__COUNT; k++) n += s->seen.has_mark[k];
    return n > 0 && n == s->seen.n_objects;
}

static void add_partial(const an_state_block *s, an_partial *out)
{
    const an_mark *m = readable(s, AN_MARK_DELETION);

    *out = (an_partial){
        .id = s->seen.id,
        .meta_unreadable = s->kind == AN_BLOCK_CORRUPT,
        .has_index = s->seen.index_bytes >= 0,
        .has_all_segments = s->seen.has_all_segments,
        .marked = m != NULL && names(m, s->seen.id),
        .newest_ms = s->seen.newest_ms,
        .listings = s->listings,
    };
}

/* Whether the next listing may show more: not for what is denied, and not for what is too large,
 * for which nothing changes but the bucket or the settings. */
static bool passes(const an_err *err) { return err->rc != AN_EDENIED && err->rc != AN_ELIMIT; }

/* Blocks that have a meta.json go through the filters; the others are sorted by what they are. */
typedef struct sorting {
    size_t n;
    an_view_block *blocks;
    an_filter_block *filters;
} sorting;

static void sort_out(an_arena *a, const an_snapshot *snap, an_troubles *t, sorting *s, an_view *v)
{
    s->blocks = an_arena_alloc(a, (snap->n + 1) * sizeof *s->blocks);
    s->filters = an_arena_alloc(a, (snap->n + 1) * sizeof *s->filters);
    v->partials = an_arena_alloc(a, (snap->n + 1) * sizeof *v->partials);
    v->only_marks = an_arena_alloc(a, (snap->n + 1) * sizeof *v->only_marks);
    v->unjudged = (const an_state_block **)an_arena_alloc(a, (snap->n + 1) * sizeof *v->unjudged);
    an_unknown *unknown = an_arena_alloc(a, (snap->n + 1) * sizeof *unknown);
    v->unknown = unknown;
    for (size_t i = 0; i < snap->n; i++) {
        const an_state_block *b = &snap->blocks[i];
        if (b->kind == AN_BLOCK_LOADED) {
            fill_block(b, t, &s->blocks[s->n]);
            fill_filter(b, &s->filters[s->n++]);
        }
        if (b->kind == AN_BLOCK_PARTIAL || b->kind == AN_BLOCK_CORRUPT) {
            v->only_marks[v->n_partials] = has_only_marks(b);
            add_partial(b, &v->partials[v->n_partials++]);
        }
        bool mark_unreadable = false;
        for (int k = 0; k < AN_MARK__COUNT; k++) {
            mark_unreadable = mark_unreadable || b->marks[k].state == AN_MARK_UNREADABLE;
        }
        if ((b->kind != AN_BLOCK_LOADED && b->kind != AN_BLOCK_PARTIAL) || mark_unreadable) {
            v->unjudged[v->n_unjudged++] = b;
            if (b->kind == AN_BLOCK_UNREADABLE && b->earlier == NULL)
                unknown[v->n_unknown++] = (an_unknown){b->seen.id, passes(b->err)};
        }
    }
}

static void collect(an_arena *a, sorting *s, an_view *v)
{
    v->loaded = (const an_plan_block **)an_arena_alloc(a, (s->n + 1) * sizeof *v->loaded);
    v->marked = (const an_plan_block **)an_arena_alloc(a, (s->n + 1) * sizeof *v->marked);
    v->fresh = (const an_plan_block **)an_arena_alloc(a, (s->n + 1) * sizeof *v->fresh);
    v->all = (const an_plan_block **)an_arena_alloc(a, (s->n + 1) * sizeof *v->all);
    v->covered = an_arena_alloc(a, (s->n + 1) * sizeof *v->covered);
    for (size_t i = 0; i < s->n; i++) {
        const an_filter_block *f = &s->filters[i];
        an_plan_block *b = &s->blocks[i].plan;
        b->meta = f->meta; /* without replica labels */
        v->all[v->n_all++] = b;
        if (f->state == AN_SYNCED_LOADED) v->loaded[v->n_loaded++] = b;
        if (f->state == AN_SYNCED_TOO_FRESH) v->fresh[v->n_fresh++] = b;
        if (f->state == AN_SYNCED_DUPLICATE) {
            v->covered[v->n_covered++] = (an_covered){b, &s->blocks[f->by - s->filters].plan};
        }
        if (f->reached_marks && (b->deletion != NULL || b->deletion_stray)) {
            v->marked[v->n_marked++] = b;
        }
    }
}

an_rc an_viewer_look(an_viewer *w, an_ctx *ctx, an_arena *a, const an_filter_opts *f,
                     an_troubles *t, an_view *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_snapshot *snap = NULL;
    sorting s = {0};
    an_view v = {.now_ms = f->now_ms};
    int64_t started = an_mono_ms();

    AN_TRY(an_state_sync(w->state, ctx, f->now_ms, &snap, err));
    an_snapshot_free(w->snap);
    w->snap = snap;
    v.findings = snap->findings;
    v.n_findings = snap->n_findings;
    sort_out(a, snap, t, &s, &v);
    AN_TRY(an_filters_run(a, s.filters, s.n, f, &v.counts, err));
    collect(a, &s, &v);
    v.took_ns = (an_mono_ms() - started) * INT64_C(1000000);
    *out = v;
out:
    return rc;
}
