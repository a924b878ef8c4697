// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/overlap.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/duration.h"

enum {
    OVERLAPS_TOLD = 20, /* in one text; the others are counted */
    BLOCKS_TOLD = 50,   /* of one overlap */
    TEXT_MAX = 1 << 20,
};
#define GRID_MS INT64_C(7200000) /* blocks of a healthy producer begin and end on two hours */

/* One overlap as upstream groups them: blocks that are open at the same time. */
typedef struct overlap {
    int64_t mint, maxt; /* what all of them share */
    size_t n, told;
    const an_plan_block *blocks[BLOCKS_TOLD];
} overlap;

static void overlap_take(overlap *o, const an_plan_block *b)
{
    if (o->told < BLOCKS_TOLD) o->blocks[o->told++] = b;
    o->n++;
    if (o->maxt > b->meta->maxt) o->maxt = b->meta->maxt;
    if (o->mint < b->meta->mint) o->mint = b->meta->mint;
}

static int by_range(const void *x, const void *y)
{
    const overlap *a = x, *b = y;

    if (a->mint != b->mint) return a->mint < b->mint ? -1 : 1;
    return (a->maxt > b->maxt) - (a->maxt < b->maxt);
}

/* Upstream's OverlappingBlocks: a sweep over begins. A new group of overlapping blocks starts when
 * an open block has ended since the last group began. */
static size_t find_overlaps(an_arena *a, const an_plan_block *const *b, size_t n, overlap *told,
                            size_t *n_all)
{
    const an_plan_block **open = an_plan_list(a, NULL, n);
    size_t n_open = 0, n_told = 0;
    overlap spare;
    overlap *last = NULL;
    bool continuous = true;

    *n_all = 0;
    for (size_t i = 0; i < n; i++) {
        size_t kept = 0;
        for (size_t k = 0; k < n_open; k++) {
            if (b[i]->meta->mint >= open[k]->meta->maxt) {
                continuous = false;
                continue;
            }
            open[kept++] = open[k];
        }
        if (kept > 0 && continuous && last != NULL) {
            overlap_take(last, b[i]);
        } else if (kept > 0) {
            last = n_told < OVERLAPS_TOLD ? &told[n_told++] : &spare;
            *last = (overlap){.mint = 0, .maxt = INT64_MAX}; /* upstream starts at 0 as well */
            for (size_t k = 0; k < kept; k++) overlap_take(last, open[k]);
            overlap_take(last, b[i]);
            (*n_all)++;
            continuous = true;
        }
        open[kept] = b[i];
        n_open = kept + 1;
    }
    return n_told;
}

/* Whole seconds as Go prints a duration; wraps as Go's product does. */
static void print_width(an_buf *out, int64_t ms)
{
    char text[AN_DURATION_TEXT];

    (void)an_duration_print((int64_t)((uint64_t)(ms / 1000) * (uint64_t)AN_SECOND), text);
    an_buf_str(out, text);
}

static void print_overlap(an_buf *out, const overlap *o)
{
    char id[AN_ULID_TEXT + 1];

    an_buf_printf(out, "[mint: %" PRId64 ", maxt: %" PRId64 ", range: ", o->mint, o->maxt);
    print_width(out, (int64_t)((uint64_t)o->maxt - (uint64_t)o->mint));
    an_buf_printf(out, ", blocks: %zu]: ", o->n);
    for (size_t i = 0; i < o->told; i++) {
        const an_meta *m = o->blocks[i]->meta;
        an_ulid_format(o->blocks[i]->id, id);
        an_buf_printf(out, "%s<ulid: %s, mint: %" PRId64 ", maxt: %" PRId64 ", range: ",
                      i == 0 ? "" : ", ", id, m->mint, m->maxt);
        print_width(out, an_plan_width(m));
        an_buf_str(out, ">");
    }
    if (o->told < o->n) an_buf_printf(out, ", and %zu more", o->n - o->told);
}

bool an_overlap_text(an_arena *a, an_buf *out, const an_plan_block *const *b, size_t n)
{
    overlap *told = an_arena_alloc(a, OVERLAPS_TOLD * sizeof *told);
    size_t n_all, n_printed = 0;
    size_t n_told = find_overlaps(a, b, n, told, &n_all);

    for (size_t i = 0; i < n_told; i++) { /* upstream keeps one per range, the last */
        for (size_t k = i + 1; k < n_told && told[i].n > 0; k++) {
            if (by_range(&told[i], &told[k]) == 0) told[i].n = 0;
        }
    }
    qsort(told, n_told, sizeof *told, by_range);
    for (size_t i = 0; i < n_told; i++) {
        if (told[i].n == 0) continue;
        an_buf_str(out, n_printed++ == 0 ? "overlaps found while gathering blocks. " : "\n");
        print_overlap(out, &told[i]);
    }
    if (n_all > n_told) an_buf_printf(out, "\nand %zu more", n_all - n_told);
    return n_told > 0;
}

size_t an_overlap_with_result(const an_plan_block *const *b, size_t n,
                              const an_plan_block *const *inputs, size_t n_inputs, int64_t mint,
                              int64_t maxt, const an_plan_block **out)
{
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        bool input = false;
        for (size_t k = 0; k < n_inputs && !input; k++) input = an_ulid_eq(b[i]->id, inputs[k]->id);
        if (!input && b[i]->meta->mint < maxt && mint < b[i]->meta->maxt) out[found++] = b[i];
    }
    return found;
}

static bool has_hint(const an_meta *m)
{
    static const char *const hints[] = {"from-out-of-order", "from-stale-series",
                                        "from-selected-series"};

    for (size_t i = 0; i < m->compaction.n_hints; i++) {
        for (size_t k = 0; k < sizeof hints / sizeof hints[0]; k++) {
            if (an_slice_eq(m->compaction.hints[i], an_slice_str(hints[k]))) return true;
        }
    }
    return false;
}

/* Whether a source is listed by two of the blocks. */
static bool share_sources(an_arena *a, const an_plan_block *const *b, size_t n)
{
    size_t one_by_one = 0, together, own;

    for (size_t i = 0; i < n; i++) {
        (void)an_plan_sources(a, b + i, 1, &own);
        one_by_one += own;
    }
    (void)an_plan_sources(a, b, n, &together);
    return one_by_one > together;
}

static bool equal_stats(const an_meta_stats *x, const an_meta_stats *y)
{
    return x->samples == y->samples && x->float_samples == y->float_samples &&
           x->histogram_samples == y->histogram_samples && x->series == y->series &&
           x->chunks == y->chunks && x->tombstones == y->tombstones;
}

/* All blocks have one range, one level and the same counts. */
static bool all_equal(const an_plan_block *const *b, size_t n)
{
    const an_meta *m = b[0]->meta;

    for (size_t i = 1; i < n; i++) {
        const an_meta *o = b[i]->meta;
        if (o->mint != m->mint || o->maxt != m->maxt) return false;
        if (o->compaction.level != m->compaction.level) return false;
        if (!equal_stats(&o->stats, &m->stats)) return false;
    }
    return true;
}

/* Evidence is weighed in the order of the header's essay; equal blocks are AN_CAUSE_OVERLAP_TWIN
 * here, and something else when the group has more such windows. */
static an_cause judge(an_arena *a, const an_group *g, const an_plan_block *const *b, size_t n)
{
    bool off_grid = false, levels_differ = false;

    if (g->resolution != AN_RES_RAW) return AN_CAUSE_VERTICAL_DOWNSAMPLED;
    for (size_t i = 0; i < n; i++) {
        const an_meta *m = b[i]->meta;
        if (m->compaction.level <= 1 && has_hint(m)) return AN_CAUSE_OVERLAP_OOO;
        if (m->mint % GRID_MS != 0 || m->maxt % GRID_MS != 0) off_grid = true;
        if (m->compaction.level != b[0]->meta->compaction.level) levels_differ = true;
    }
    if (share_sources(a, b, n)) return AN_CAUSE_SHARED_SOURCES;
    if (levels_differ) return AN_CAUSE_OVERLAP_LATE; /* a range was compacted without it */
    if (all_equal(b, n)) return AN_CAUSE_OVERLAP_TWIN;
    if (b[0]->meta->compaction.level <= 1 && off_grid) return AN_CAUSE_OVERLAP_RESTART;
    return AN_CAUSE_OVERLAP_SAME_LABELS;
}

typedef struct cluster { /* blocks that overlap directly or through each other: neighbours in b */
    size_t from, n;
    an_cause cause;
    bool fenced; /* every block carries a no-compact mark: nothing of it will be planned */
} cluster;

static bool all_fenced(const an_plan_block *const *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!b[i]->no_compact) return false;
    }
    return true;
}

static size_t find_clusters(an_arena *a, const an_group *g, const an_plan_block *const *b, size_t n,
                            cluster *out)
{
    size_t found = 0, from = 0, twins = 0;
    int64_t end = INT64_MIN;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && i > 0 && b[i]->meta->mint < end) {
            if (b[i]->meta->maxt > end) end = b[i]->meta->maxt;
            continue;
        }
        if (i - from > 1) {
            out[found] = (cluster){from, i - from, judge(a, g, b + from, i - from),
                                   all_fenced(b + from, i - from)};
            if (out[found].cause == AN_CAUSE_OVERLAP_TWIN && b[from]->meta->compaction.level <= 1)
                twins++;
            found++;
        }
        from = i;
        if (i < n) end = b[i]->meta->maxt;
    }
    /* A re-upload copies one block; two producers with the same labels meet in every window. */
    for (size_t i = 0; i < found && twins > 1; i++) {
        if (out[i].cause == AN_CAUSE_OVERLAP_TWIN && b[out[i].from]->meta->compaction.level <= 1)
            out[i].cause = AN_CAUSE_OVERLAP_SAME_LABELS;
    }
    return found;
}

void an_overlap_judge(an_arena *a, const an_group *g, const an_plan_block *const *b, size_t n,
                      an_outcomes *out)
{
    cluster *c = an_arena_alloc(a, (n + 1) * sizeof *c);
    size_t n_clusters = find_clusters(a, g, b, n, c);
    an_buf text;

    an_buf_init(&text, TEXT_MAX, NULL);
    for (size_t i = 0; i < n_clusters; i++) {
        if (c[i].cause == AN_CAUSE_NONE) continue; /* told with an earlier one */
        const an_plan_block **blocks = an_plan_list(a, NULL, n);
        size_t n_blocks = 0;
        an_cause cause = c[i].cause;
        for (size_t k = i; k < n_clusters; k++) {
            if (c[k].cause != cause || c[k].fenced != c[i].fenced) continue;
            for (size_t m = 0; m < c[k].n; m++) blocks[n_blocks++] = b[c[k].from + m];
            c[k].cause = AN_CAUSE_NONE;
        }
        an_buf_clear(&text);
        an_buf_str(&text, "pre compaction overlap check: ");
        (void)an_overlap_text(a, &text, blocks, n_blocks); /* they do overlap */
        *an_outcomes_add(a, out) = (an_outcome){
            .what = c[i].fenced ? AN_DO_REPORT : AN_DO_ISOLATE,
            .cause = cause,
            .group = g->key,
            .n = n_blocks,
            .blocks = blocks,
            .resolution = g->resolution,
            .why = an_arena_dup(a, an_buf_slice(&text)),
        };
    }
    an_buf_deinit(&text);
}
