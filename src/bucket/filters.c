// SPDX-License-Identifier: Apache-2.0
#include "bucket/filters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *an_filter_state_name(an_filter_state s)
{
    static const char *const names[AN_SYNCED__COUNT] = {
        [AN_SYNCED_LOADED] = "loaded",
        [AN_SYNCED_TIME_EXCLUDED] = "time-excluded",
        [AN_SYNCED_LABEL_EXCLUDED] = "label-excluded",
        [AN_SYNCED_TOO_FRESH] = "too-fresh",
        [AN_SYNCED_MARKED_FOR_DELETION] = "marked-for-deletion",
        [AN_SYNCED_DUPLICATE] = "duplicate",
        [AN_SYNCED_MARKED_FOR_NO_COMPACT] = "marked-for-no-compact",
        [AN_SYNCED_MARKED_FOR_NO_DOWNSAMPLE] = "marked-for-no-downsample",
        [AN_SYNCED_NO_META] = "no-meta-json",
        [AN_SYNCED_CORRUPTED_META] = "corrupted-meta-json",
        [AN_SYNCED_FAILED] = "failed",
        [AN_SYNCED_PARQUET_MIGRATED] = "parquet-migrated",
    };
    return (unsigned)s < AN_SYNCED__COUNT ? names[s] : "?";
}

void an_filter_left_out(const an_filter_counts *counts, an_buf *out)
{
    bool first = true;

    for (unsigned s = AN_SYNCED_LOADED + 1; s <= AN_SYNCED_DUPLICATE; s++) {
        if (counts->synced[s] == 0) continue;
        an_buf_printf(out, "%s%" PRIu64 " %s", first ? "" : ", ", counts->synced[s],
                      an_filter_state_name((an_filter_state)s));
        first = false;
    }
}

/* ---- F1 to F4: one block at a time ---- */

static bool in_time(const an_meta *m, const an_filter_opts *o)
{
    return m->maxt >= o->min_time_ms && m->mint <= o->max_time_ms;
}

static bool is_one_of(an_slice name, const an_slice *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (an_slice_eq(name, v[i])) return true;
    }
    return false;
}

/* The selector sees the external labels without those that the flags name, whole as they were
 * given: upstream does not split them at commas here. */
static an_rc is_selected(an_arena *a, const an_filter_block *b, const an_filter_opts *o, bool *yes,
                         an_err *err)
{
    an_rc rc = AN_OK;
    const an_labels *ls = &b->meta->thanos.labels;
    an_labels in = {0, an_arena_alloc(a, (ls->n + 1) * sizeof *in.v)}, out;
    char id[AN_ULID_TEXT + 1];
    bool keep = true, own_id = true;

    if (o->selector == NULL) goto out;
    for (size_t i = 0; i < ls->n; i++) {
        if (is_one_of(ls->v[i].name, o->replica_flags, o->n_replica_flags)) continue;
        if (an_slice_eq(ls->v[i].name, AN_LIT("__block_id"))) own_id = false;
        in.v[in.n++] = ls->v[i];
    }
    an_ulid_format(b->id, id);
    if (own_id) in.v[in.n++] = (an_label){AN_LIT("__block_id"), an_slice_str(id)};
    an_labels_sort(&in);
    AN_TRY(an_relabel_run(o->selector, a, in, &out, &keep, err));
    keep = keep && out.n > 0;
out:
    *yes = keep;
    return rc;
}

static bool is_fresh(const an_filter_block *b, const an_filter_opts *o)
{
    an_meta_time t = b->meta->thanos.upload_time;
    __int128 now_ns = (__int128)o->now_ms * 1000000;

    if (!an_meta_is_zero_time(t)) {
        __int128 up_ns = (__int128)t.sec * 1000000000 + t.nsec;
        return now_ns - up_ns < (__int128)o->consistency_delay_ms * 1000000;
    }
    /* Unsigned as upstream: a ULID of the future wraps and is not fresh. */
    return (uint64_t)o->now_ms - an_ulid_ms(b->id) < (uint64_t)o->consistency_delay_ms;
}

/* What compactors and repairs make is whole when its meta.json is there. */
static bool is_trusted_source(an_slice source)
{
    return an_slice_eq(source, AN_LIT("bucket.repair")) ||
           an_slice_eq(source, AN_LIT("compactor")) ||
           an_slice_eq(source, AN_LIT("compactor.repair"));
}

/* Half of the delete delay after its mark a block is out of sight; its replacement is listed by
 * then. A mark without a time is as old as can be. */
static bool is_hidden_by_mark(const an_mark *m, const an_filter_opts *o)
{
    __int128 age_ms = (__int128)o->now_ms - (__int128)m->time_s * 1000;

    return 2 * age_ms > o->delete_delay_ms;
}

static an_rc filter_one(an_arena *work, an_filter_block *b, const an_filter_opts *o, an_err *err)
{
    an_rc rc = AN_OK;
    bool selected = true;

    if (!in_time(b->meta, o)) {
        b->state = AN_SYNCED_TIME_EXCLUDED;
        goto out;
    }
    AN_TRY(is_selected(work, b, o, &selected, err));
    if (!selected) {
        b->state = AN_SYNCED_LABEL_EXCLUDED;
    } else if (is_fresh(b, o) && !is_trusted_source(b->meta->thanos.source)) {
        b->state = AN_SYNCED_TOO_FRESH;
    } else {
        const an_mark *mark = b->marks[AN_MARK_DELETION];
        b->reached_marks = true;
        if (mark != NULL && is_hidden_by_mark(mark, o)) b->state = AN_SYNCED_MARKED_FOR_DELETION;
    }
out:
    return rc;
}

/* ---- F5 ---- */

/* Dropped blocks lose them too, uncounted: whoever asks later which blocks belong together (what
 * may be removed, because others hold its data) must see the same labels everywhere. */
static void remove_replica_labels(an_arena *a, an_filter_block *b, const an_filter_opts *o,
                                  an_filter_counts *counts)
{
    const an_labels *ls = &b->meta->thanos.labels;
    an_meta *m = an_arena_alloc(a, sizeof *m);
    an_label *v = an_arena_alloc(a, (ls->n + 1) * sizeof *v);
    bool counted = b->state == AN_SYNCED_LOADED;
    size_t n = 0;

    for (size_t i = 0; i < ls->n; i++) {
        if (!is_one_of(ls->v[i].name, o->replica_labels, o->n_replica_labels))
            v[n++] = ls->v[i];
        else if (counted)
            counts->replica_labels_removed++;
    }
    if (n == 0) {
        v[n++] = (an_label){o->replica_labels[0], AN_LIT("deduped")};
        if (counted) counts->labels_created++;
    }
    *m = *b->meta;
    m->thanos.labels = (an_labels){n, v};
    m->thanos.has_labels = true;
    b->meta = m;
}

/* ---- F6 ---- */

/* Which of the blocks that stay list a source: an open hash over ULIDs. Each entry chains the
 * blocks in the order in which they joined. */
typedef struct lister {
    const an_filter_block *block;
    const an_ulid *sources; /* sorted, each once */
    size_t n;
} lister;

typedef struct link {
    const lister *who;
    struct link *next;
} link;

typedef struct entry {
    an_ulid source;
    size_t n; /* 0: free */
    link *first, *last;
} entry;

typedef struct listers {
    an_arena *a;
    entry *v;
    size_t mask;
} listers;

static entry *find_entry(const listers *t, an_ulid source)
{
    uint64_t h[2];

    /* A hostile bucket can make these collide, which costs time and nothing else. */
    memcpy(h, source.b, sizeof h);
    h[0] = (h[0] ^ (h[1] << 29 | h[1] >> 35)) * 0x9e3779b97f4a7c15;
    for (size_t i = (size_t)(h[0] >> 20) & t->mask;; i = (i + 1) & t->mask) {
        if (t->v[i].n == 0 || an_ulid_eq(t->v[i].source, source)) return &t->v[i];
    }
}

static void join(listers *t, const lister *who)
{
    for (size_t i = 0; i < who->n; i++) {
        entry *e = find_entry(t, who->sources[i]);
        link *l = an_arena_alloc(t->a, sizeof *l);
        *l = (link){who, NULL};
        e->source = who->sources[i];
        if (e->n++ == 0)
            e->first = l;
        else
            e->last->next = l;
        e->last = l;
    }
}

static bool lists_all(const lister *who, const lister *of)
{
    for (size_t i = 0, k = 0; i < of->n; i++) {
        while (k < who->n && an_ulid_cmp(who->sources[k], of->sources[i]) < 0) k++;
        if (k == who->n || !an_ulid_eq(who->sources[k], of->sources[i])) return false;
    }
    return true;
}

/* The first block that stays and lists every source of `child`. */
static const lister *find_cover(const listers *t, const lister *child)
{
    const entry *rarest = NULL;

    for (size_t i = 0; i < child->n; i++) {
        const entry *e = find_entry(t, child->sources[i]);
        if (e->n == 0) return NULL;
        if (rarest == NULL || e->n < rarest->n) rarest = e;
    }
    for (const link *l = rarest == NULL ? NULL : rarest->first; l != NULL; l = l->next) {
        if (lists_all(l->who, child)) return l->who;
    }
    return NULL;
}

static int cmp_ulid(const void *x, const void *y) { return memcmp(x, y, sizeof(an_ulid)); }

static lister lister_of(an_arena *a, const an_filter_block *b)
{
    size_t n = b->meta->compaction.n_sources, kept = 0;
    an_ulid *v = an_arena_alloc(a, (n + 1) * sizeof *v);

    if (n > 0) memcpy(v, b->meta->compaction.sources, n * sizeof *v);
    qsort(v, n, sizeof *v, cmp_ulid);
    for (size_t i = 0; i < n; i++) {
        if (kept == 0 || !an_ulid_eq(v[kept - 1], v[i])) v[kept++] = v[i];
    }
    return (lister){b, v, kept};
}

static int cmp_stream(const an_filter_block *a, const an_filter_block *b)
{
    int64_t x = a->meta->thanos.resolution, y = b->meta->thanos.resolution;

    if (x != y) return x < y ? -1 : 1;
    return an_labels_cmp(a->meta->thanos.labels, b->meta->thanos.labels);
}

/* Streams apart, then most sources first, then lower id. */
static int cmp_cover_order(const void *x, const void *y)
{
    const an_filter_block *a = *(an_filter_block *const *)x, *b = *(an_filter_block *const *)y;
    size_t n = a->meta->compaction.n_sources, m = b->meta->compaction.n_sources;
    int d = cmp_stream(a, b);

    if (d != 0) return d;
    return n != m ? (n > m ? -1 : 1) : an_ulid_cmp(a->id, b->id);
}

static void cover_stream(an_arena *a, an_filter_block **b, size_t n)
{
    listers t = {.a = a};
    lister *all = an_arena_alloc(a, (n + 1) * sizeof *all);
    size_t total = 1;

    for (size_t i = 0; i < n; i++) total += b[i]->meta->compaction.n_sources;
    for (t.mask = 15; t.mask < 2 * total; t.mask = 2 * t.mask + 1) continue;
    t.v = an_arena_alloc(a, (t.mask + 1) * sizeof *t.v);
    for (size_t i = 0; i < n; i++) {
        all[i] = lister_of(a, b[i]);
        const lister *cover = find_cover(&t, &all[i]);
        if (cover != NULL) {
            b[i]->state = AN_SYNCED_DUPLICATE;
            b[i]->by = cover->block;
        } else {
            join(&t, &all[i]); /* without sources it covers nothing and is never covered */
        }
    }
}

void an_filter_covered(an_arena *a, an_filter_block *blocks, size_t n)
{
    an_filter_block **v = (an_filter_block **)an_arena_alloc(a, (n + 1) * sizeof *v);
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (blocks[i].state == AN_SYNCED_LOADED) v[k++] = &blocks[i];
    }
    qsort((void *)v, k, sizeof *v, cmp_cover_order);
    for (size_t i = 0, from = 0; i < k; i++) {
        if (i + 1 < k && cmp_stream(v[i], v[i + 1]) == 0) continue;
        cover_stream(a, v + from, i + 1 - from);
        from = i + 1;
    }
}

/* ---- All ---- */

an_rc an_filters_run(an_arena *a, an_filter_block *blocks, size_t n, const an_filter_opts *opts,
                     an_filter_counts *counts, an_err *err)
{
    an_rc rc = AN_OK;
    an_filter_counts c = {0};
    an_arena *work = an_arena_new(NULL);

    for (size_t i = 0; i < n; i++) {
        an_arena_reset(work);
        blocks[i].state = AN_SYNCED_LOADED;
        blocks[i].by = NULL;
        blocks[i].reached_marks = false;
        AN_TRY(filter_one(work, &blocks[i], opts, err));
        if (opts->n_replica_labels > 0) remove_replica_labels(a, &blocks[i], opts, &c);
    }
    an_arena_reset(work);
    an_filter_covered(work, blocks, n);
    for (size_t i = 0; i < n; i++) {
        c.synced[blocks[i].state]++;
        if (blocks[i].state != AN_SYNCED_LOADED) continue;
        if (blocks[i].marks[AN_MARK_NO_COMPACT] != NULL)
            c.synced[AN_SYNCED_MARKED_FOR_NO_COMPACT]++;
        if (blocks[i].marks[AN_MARK_NO_DOWNSAMPLE] != NULL && !opts->downsampling_disabled)
            c.synced[AN_SYNCED_MARKED_FOR_NO_DOWNSAMPLE]++;
    }
    *counts = c;
out:
    an_arena_free(work);
    return rc;
}

static int cmp_slice(const void *x, const void *y)
{
    return an_slice_cmp(*(const an_slice *)x, *(const an_slice *)y);
}

void an_replica_labels(an_arena *a, const an_slice *flags, size_t n, an_slice **out, size_t *n_out)
{
    size_t names = 0, k = 0, kept = 0;

    for (size_t i = 0; i < n; i++) {
        names++;
        for (size_t c = 0; c < flags[i].n; c++) names += flags[i].p[c] == ',';
    }
    an_slice *v = an_arena_alloc(a, (names + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        size_t from = 0;
        if (flags[i].n == 0) continue;
        for (size_t c = 0; c <= flags[i].n; c++) {
            if (c < flags[i].n && flags[i].p[c] != ',') continue;
            v[k++] = an_slice_of(flags[i].p + from, c - from);
            from = c + 1;
        }
    }
    qsort(v, k, sizeof *v, cmp_slice);
    for (size_t i = 0; i < k; i++) {
        if (kept == 0 || !an_slice_eq(v[kept - 1], v[i])) v[kept++] = v[i];
    }
    *out = v;
    *n_out = kept;
}
