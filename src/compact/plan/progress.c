// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/progress.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "compact/plan/planner.h"

/* ---- Downsampling ---- */

typedef struct covers { /* sorted sources of all blocks of one resolution */
    an_ulid *v;
    size_t n;
} covers;

static int cmp_ulid(const void *x, const void *y) { return memcmp(x, y, sizeof(an_ulid)); }

static covers covers_of(an_arena *a, const an_plan_block *const *b, size_t n, int64_t resolution)
{
    covers c = {0};
    const an_plan_block **v = an_plan_list(a, NULL, n);
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (b[i]->meta->thanos.resolution == resolution) v[k++] = b[i];
    }
    c.v = an_plan_sources(a, v, k, &c.n);
    return c;
}

static bool covered(const covers *c, const an_meta *m)
{
    for (size_t i = 0; i < m->compaction.n_sources; i++) {
        if (bsearch(&m->compaction.sources[i], c->v, c->n, sizeof *c->v, cmp_ulid) == NULL)
            return false;
    }
    return true;
}

typedef struct downsampling {
    covers five_min, one_hour;
} downsampling;

static downsampling downsampling_of(an_arena *a, const an_plan_block *const *b, size_t n)
{
    return (downsampling){covers_of(a, b, n, AN_RES_5M), covers_of(a, b, n, AN_RES_1H)};
}

/* The resolution a block is due for; 0: none. Marks are not looked at. */
static int64_t due_for(const downsampling *d, const an_meta *m)
{
    switch (m->thanos.resolution) {
    case AN_RES_RAW:
        return !covered(&d->five_min, m) && an_plan_width(m) >= AN_DOWNSAMPLE_RAW_MS ? AN_RES_5M
                                                                                     : 0;
    case AN_RES_5M:
        return !covered(&d->one_hour, m) && an_plan_width(m) >= AN_DOWNSAMPLE_5M_MS ? AN_RES_1H : 0;
    default:
        return 0;
    }
}

void an_downsample_due(an_arena *a, const an_plan_block *const *b, size_t n, an_outcomes *out)
{
    downsampling d = downsampling_of(a, b, n);
    const an_plan_block **v = an_plan_list(a, b, n);
    char width[AN_DURATION_TEXT];

    an_plan_sort_by_id(v, n);
    for (size_t i = 0; i < n; i++) {
        int64_t to = due_for(&d, v[i]->meta);
        if (to == 0 || v[i]->no_downsample || an_plan_fault(v[i]) != AN_CAUSE_NONE) continue;
        (void)an_duration_print((int64_t)((uint64_t)an_plan_width(v[i]->meta) * (uint64_t)AN_MS),
                                width);
        *an_outcomes_add(a, out) = (an_outcome){
            .what = AN_DO_DOWNSAMPLE,
            .n = 1,
            .blocks = an_plan_list(a, &v[i], 1),
            .resolution = to,
            .why = an_slice_str(an_arena_printf(a, "%s block of %s, not yet covered by %s blocks",
                                                to == AN_RES_5M ? "raw" : "5m", width,
                                                to == AN_RES_5M ? "5m" : "1h")),
        };
    }
}

/* ---- How much is left ---- */

typedef struct simulation { /* a group whose plans are carried out on paper */
    an_arena *a;
    const an_plan_block **b; /* by min time */
    size_t n;
} simulation;

/* Replaces the picked blocks by what they would become. */
static void simulate(simulation *s, const an_picked *k)
{
    an_meta *m = an_arena_alloc(s->a, sizeof *m);
    an_plan_block *made = an_arena_alloc(s->a, sizeof *made);
    size_t kept = 0, at = 0;

    m->mint = s->b[k->v[0]]->meta->mint;
    m->maxt = s->b[k->v[0]]->meta->maxt;
    for (size_t i = 0, next = 0; i < s->n; i++) {
        if (next < k->n && k->v[next] == i) {
            const an_meta *in = s->b[i]->meta;
            if (in->mint < m->mint) m->mint = in->mint;
            if (in->maxt > m->maxt) m->maxt = in->maxt;
            m->thanos.resolution = in->thanos.resolution;
            next++;
        } else {
            s->b[kept++] = s->b[i];
        }
    }
    s->n = kept;
    if (kept == 0) return; /* upstream drops a group that has nothing else left */
    made->meta = m;
    while (at < kept && s->b[at]->meta->mint <= m->mint) at++;
    for (size_t i = kept; i > at; i--) s->b[i] = s->b[i - 1];
    s->b[at] = made;
    s->n = kept + 1;
}

static void count_compactions(an_arena *a, const an_group *g, const an_plan_opts *opts,
                              an_todo *out)
{
    simulation s = {.a = a, .n = g->n};
    bool *held = an_arena_alloc(a, g->n + 1);

    s.b = an_plan_list(a, g->blocks, g->n);
    while (s.n > 1) {
        an_picked k;
        for (size_t i = 0; i < s.n; i++) held[i] = s.b[i]->no_compact;
        an_pick(a, opts, s.b, s.n, held, &k);
        if (k.n == 0) return;
        out->compactions++;
        out->compaction_blocks += k.n;
        simulate(&s, &k);
    }
}

void an_todo_count(an_arena *a, const an_group *groups, size_t n, const an_plan_opts *opts,
                   const an_retention *r, an_todo *out)
{
    size_t total = 0, k = 0;

    *out = (an_todo){0};
    for (size_t i = 0; i < n; i++) {
        count_compactions(a, &groups[i], opts, out);
        total += groups[i].n;
    }
    const an_plan_block **all = an_plan_list(a, NULL, total);
    for (size_t i = 0; i < n; i++) {
        for (size_t b = 0; b < groups[i].n; b++) all[k++] = groups[i].blocks[b];
    }
    downsampling d = downsampling_of(a, all, total);
    for (size_t i = 0; i < total; i++) {
        if (due_for(&d, all[i]->meta) != 0) out->downsample_blocks++;
        if (an_retention_expired(all[i], r, opts->now_ms)) out->deletion_blocks++;
    }
}
