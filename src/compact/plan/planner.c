// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/planner.h"

#include <string.h>

#define AN_INDEX_HEADROOM 0.85 /* upstream leaves 15 % for what an index grows in a merge */
#define AN_TOMBSTONES_MAX 0.05 /* share of series from which on a block is rewritten */

/* Times and sizes come from outside and may be anything: wrap where Go wraps. */
static int64_t wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static int64_t wrap_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static int64_t wrap_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

/* End of the aligned range that holds t. */
static int64_t range_end(int64_t t, int64_t range)
{
    int64_t n = t >= 0 ? t / range : wrap_add(wrap_sub(t, range), 1) / range;
    return wrap_add(wrap_mul(range, n), range);
}

size_t an_split(const an_plan_block *const *b, size_t n, int64_t range, an_part *parts)
{
    size_t n_parts = 0;

    for (size_t i = 0; i < n;) {
        int64_t end = range_end(b[i]->meta->mint, range);
        if (b[i]->meta->maxt > end) { /* misaligned, or a multiple of the range */
            i++;
            continue;
        }
        an_part p = {i, 0};
        /* The alignment of the following ones is not looked at: upstream does not either. */
        for (; i < n && b[i]->meta->maxt <= end; i++) p.n++;
        parts[n_parts++] = p;
    }
    return n_parts;
}

size_t an_select_overlapping(const an_plan_block *const *b, const size_t *of, size_t n, size_t *out)
{
    size_t found = 0;

    if (n < 2) return 0;
    int64_t end = b[of[0]]->meta->maxt;
    for (size_t i = 1; i < n; i++) {
        const an_meta *m = b[of[i]]->meta;
        if (m->mint < end) {
            if (found == 0) out[found++] = of[i - 1]; /* what it overlaps, or its neighbour */
            out[found++] = of[i];
        } else if (found > 0) {
            break;
        }
        if (m->maxt > end) end = m->maxt;
    }
    return found;
}

typedef struct scratch { /* made once, however often the planner is asked again */
    size_t *open;        /* indexes of blocks that are not held */
    an_part *parts;
    bool *held;
    bool *fenced; /* held by the vertical planner, kept while the index size is asked again */
} scratch;

static scratch scratch_new(an_arena *a, size_t n, const bool *held, an_picked *out)
{
    scratch s = {
        .open = an_arena_alloc(a, (n + 1) * sizeof *s.open),
        .parts = an_arena_alloc(a, (n + 1) * sizeof *s.parts),
        .held = an_arena_alloc(a, n + 1),
        .fenced = an_arena_alloc(a, n + 1),
    };
    if (n > 0) {
        memcpy(s.held, held, n);
        memcpy(s.fenced, held, n);
    }
    out->v = an_arena_alloc(a, (n + 1) * sizeof *out->v);
    return s;
}

/* The first run of two or more blocks of a part between those that are held. */
static an_part first_run(an_part p, const bool *held)
{
    size_t from = p.from;

    for (size_t i = p.from; i < p.from + p.n; i++) {
        if (!held[i]) continue;
        if (i - from > 1) return (an_part){from, i - from};
        from = i + 1;
    }
    size_t left = p.from + p.n - from;
    return left > 1 ? (an_part){from, left} : (an_part){from, 0};
}

static size_t first_failed(const an_plan_block *const *b, an_part p)
{
    for (size_t i = p.from; i < p.from + p.n; i++) {
        if (b[i]->meta->compaction.failed) return i;
    }
    return SIZE_MAX;
}

/* Upstream's selectMetas over b[0..n), the newest block already taken off. */
static bool pick_range(const an_plan_opts *o, const an_plan_block *const *b, size_t n,
                       const scratch *s, an_picked *out)
{
    if (o->n_ranges < 2 || n < 1) return false;
    int64_t high = b[n - 1]->meta->mint;

    for (size_t r = 1; r < o->n_ranges; r++) {
        int64_t range = o->ranges[r];
        size_t n_parts = an_split(b, n, range, s->parts);
        for (size_t k = 0; k < n_parts; k++) {
            an_part p = s->parts[k];
            if (p.n < 2) continue;
            int64_t lo = b[p.from]->meta->mint;
            int64_t hi = b[p.from + p.n - 1]->meta->maxt; /* of the last one, not the highest */
            /* Full, or so old that nothing of the same size can still arrive. */
            if (wrap_sub(hi, lo) != range && hi > high) continue;
            an_part run = first_run(p, s->held);
            if (run.n == 0) continue;
            size_t failed = first_failed(b, p);
            if (failed != SIZE_MAX) {
                if (out->failed == SIZE_MAX) out->failed = failed;
                continue;
            }
            for (size_t i = 0; i < run.n; i++) out->v[i] = run.from + i;
            out->n = run.n;
            out->by = AN_PICKED_RANGE;
            out->range = range;
            return true;
        }
    }
    return false;
}

/* A wide block of which more than 5 % of the series have tombstones, newest first. */
static bool pick_tombstones(const an_plan_opts *o, const an_plan_block *const *b,
                            const size_t *open, size_t n_open, an_picked *out)
{
    for (size_t i = n_open; i-- > 0;) {
        const an_meta *m = b[open[i]]->meta;
        if (an_plan_width(m) < o->ranges[o->n_ranges / 2]) return false;
        if ((double)m->stats.tombstones / (double)(m->stats.series + 1) > AN_TOMBSTONES_MAX) {
            out->v[0] = open[i];
            out->n = 1;
            out->by = AN_PICKED_TOMBSTONES;
            return true;
        }
    }
    return false;
}

static void pick(const an_plan_opts *o, const an_plan_block *const *b, size_t n, const scratch *s,
                 an_picked *out)
{
    size_t n_open = 0;

    *out = (an_picked){.v = out->v, .failed = SIZE_MAX};
    if (n == 0) return;
    for (size_t i = 0; i < n; i++) {
        if (!s->held[i]) s->open[n_open++] = i;
    }
    out->n = an_select_overlapping(b, s->open, n_open, out->v);
    if (out->n > 0) {
        out->by = AN_PICKED_OVERLAP;
        return;
    }
    /* The newest block stays out, held or not: a window of its size may still be filling. */
    if (!s->held[n - 1]) n_open--;
    if (pick_range(o, b, n - 1, s, out)) return;
    (void)pick_tombstones(o, b, s->open, n_open, out); /* none is an answer as well */
}

void an_pick(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b, size_t n,
             const bool *held, an_picked *out)
{
    *out = (an_picked){.failed = SIZE_MAX};
    scratch s = scratch_new(a, n, held, out);
    pick(o, b, n, &s, out);
}

/* Size of the block's index: as meta.json says (the last entry counts), else as listed; -1: none.
 */
static int64_t index_size(const an_plan_block *b)
{
    int64_t size = -1;

    for (size_t i = 0; i < b->meta->thanos.n_files; i++) {
        const an_meta_file *f = &b->meta->thanos.files[i];
        if (an_slice_eq(f->rel_path, AN_LIT("index"))) size = f->size_bytes;
    }
    return size > 0 ? size : b->index_bytes;
}

/* A mark is asked for once, and only where none lies yet. */
static void want_mark(an_arena *a, const an_plan_block *const *b, an_wanted_marks *marks,
                      an_wanted_mark m)
{
    if (b[m.block]->no_compact_object) return;
    for (size_t i = 0; i < marks->n; i++) {
        if (marks->v[i].block == m.block) return;
    }
    if ((marks->n & (marks->n - 1)) == 0) { /* full at powers of two */
        an_wanted_mark *v = an_arena_alloc(a, (marks->n == 0 ? 1 : 2 * marks->n) * sizeof *v);
        if (marks->n > 0) memcpy(v, marks->v, marks->n * sizeof *v);
        marks->v = v;
    }
    marks->v[marks->n++] = m;
}

/* Whether the plan's indexes stay below the limit; if not, *biggest is the largest block up to the
 * one that went over it. */
static an_rc fits_index_size(const an_plan_opts *o, const an_plan_block *const *b,
                             const an_picked *p, bool *fits, size_t *biggest, an_err *err)
{
    int64_t limit = (int64_t)((double)o->max_index_bytes * AN_INDEX_HEADROOM);
    int64_t total = 0, max = INT64_MIN;
    char id[AN_ULID_TEXT + 1];

    for (size_t i = 0; i < p->n; i++) {
        int64_t size = index_size(b[p->v[i]]);
        if (size < 0) {
            an_ulid_format(b[p->v[i]]->id, id);
            AN_FAIL(err, AN_ECORRUPT, "get attr of %s/index: the object is not in the bucket", id);
            an_err_at(err, id, "index", -1);
            return an_err_cause(err, AN_CAUSE_INDEX_MISSING);
        }
        if (max < size) {
            max = size;
            *biggest = p->v[i];
        }
        total = wrap_add(total, size);
        if (total >= limit) {
            *fits = false;
            return AN_OK;
        }
    }
    *fits = true;
    return AN_OK;
}

static an_rc pick_by_index_size(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b,
                                size_t n, const scratch *s, an_picked *out, an_wanted_marks *marks,
                                an_err *err)
{
    an_rc rc = AN_OK;

    for (;;) { /* every round holds one more block of a plan, so it ends */
        bool fits = false;
        size_t biggest = 0;
        pick(o, b, n, s, out);
        AN_TRY(fits_index_size(o, b, out, &fits, &biggest, err));
        if (fits) break;
        want_mark(a, b, marks, (an_wanted_mark){biggest, AN_WANT_INDEX_SIZE});
        s->held[biggest] = true;
    }
out:
    return rc;
}

an_rc an_pick_by_index_size(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b,
                            size_t n, const bool *held, an_picked *out, an_wanted_marks *marks,
                            an_err *err)
{
    *out = (an_picked){.failed = SIZE_MAX};
    scratch s = scratch_new(a, n, held, out);
    return pick_by_index_size(a, o, b, n, &s, out, marks, err);
}

an_rc an_pick_vertical(an_arena *a, const an_plan_opts *o, const an_plan_block *const *b, size_t n,
                       const bool *held, an_picked *out, an_wanted_marks *marks, an_err *err)
{
    an_rc rc = AN_OK;

    *out = (an_picked){.failed = SIZE_MAX};
    scratch s = scratch_new(a, n, held, out);
    size_t *overlapping = an_arena_alloc(a, (n + 1) * sizeof *overlapping);
    for (bool marked = true; marked;) {
        marked = false;
        /* As upstream: what the index size held back counts within one round only. */
        if (n > 0) memcpy(s.held, s.fenced, n);
        AN_TRY(pick_by_index_size(a, o, b, n, &s, out, marks, err));
        if (an_select_overlapping(b, out->v, out->n, overlapping) == 0) break;
        for (size_t i = 0; i < out->n; i++) {
            size_t k = out->v[i];
            if (b[k]->meta->thanos.resolution == AN_RES_RAW) continue;
            want_mark(a, b, marks, (an_wanted_mark){k, AN_WANT_DOWNSAMPLE_OVERLAP});
            s.fenced[k] = true;
            marked = true;
        }
    }
out:
    return rc;
}
