// SPDX-License-Identifier: Apache-2.0
/* unit/pass.h: the bucket of a recorded pass (golden/vectors: filters, gc, cleaner, retention,
 * todo) as the decisions see it: blocks, marks, filters run. Include cmocka and unit/vectors.h
 * before. */
#pragma once
#include "base/timestamp.h"
#include "bucket/filters.h"
#include "compact/plan/clean.h"
#include "compact/plan/plan.h"

typedef struct pass_block {
    const an_json *json;
    an_ulid id;
    bool no_meta;
    an_rc meta_rc; /* of a meta.json that is there */
    an_meta meta;
    bool mark_there[AN_MARK__COUNT];
    an_rc mark_rc[AN_MARK__COUNT];
    an_mark marks[AN_MARK__COUNT];
    int64_t mark_mtime[AN_MARK__COUNT];
    int64_t newest_ms; /* of all its objects; INT64_MIN: it has none */
    bool has_index, has_segment;
} pass_block;

typedef struct pass {
    int64_t now_ms;
    const an_json *conf, *want;
    size_t n;
    pass_block *v;
    an_filter_opts opts;
    an_relabel *selector;
    an_filter_block *filtered; /* those with a readable meta */
    an_plan_block *planned;    /* the same, for the planner */
    size_t n_filtered;
    an_filter_counts counts;
} pass;

static inline int64_t pass_int(const an_json *obj, const char *key)
{
    return vectors_opt(obj, key) == NULL ? 0 : vectors_int(obj, key);
}

static inline an_slice pass_str(const an_json *obj, const char *key)
{
    return vectors_opt(obj, key) == NULL ? AN_LIT("") : vectors_str(obj, key);
}

static inline void pass_make_meta(an_arena *a, pass_block *b)
{
    const an_json *v = b->json, *src = vectors_opt(v, "src"), *lbl = vectors_opt(v, "lbl");
    an_meta *m = &b->meta;

    m->ulid = b->id;
    m->mint = vectors_int(v, "min");
    m->maxt = vectors_int(v, "max");
    m->version = 1;
    m->compaction.level = pass_int(v, "level");
    m->compaction.failed = vectors_bool(v, "failed");
    m->stats.series = (uint64_t)pass_int(v, "series");
    m->stats.tombstones = (uint64_t)pass_int(v, "tombs");
    m->thanos.resolution = pass_int(v, "res");
    m->thanos.source = pass_str(v, "source");
    m->thanos.upload_time.sec = AN_GO_ZERO_SEC;
    if (vectors_opt(v, "up") != NULL) {
        an_err err;
        assert_int_equal(an_time_parse(vectors_str(v, "up"), &m->thanos.upload_time.sec,
                                       &m->thanos.upload_time.nsec, &m->thanos.upload_time.offset_s,
                                       &err),
                         AN_OK);
    }
    m->compaction.sources = an_arena_alloc(a, ((src == NULL ? 0 : src->n) + 1) * sizeof(an_ulid));
    for (size_t i = 0; src != NULL && i < src->n; i++)
        assert_true(an_ulid_parse_lenient(src->items[i].text,
                                          &m->compaction.sources[m->compaction.n_sources++]));
    m->thanos.labels.v = an_arena_alloc(a, ((lbl == NULL ? 0 : lbl->n) + 1) * sizeof(an_label));
    for (size_t i = 0; lbl != NULL && i < lbl->n; i++)
        m->thanos.labels.v[m->thanos.labels.n++] = (an_label){lbl->keys[i], lbl->items[i].text};
    an_labels_sort(&m->thanos.labels);
}

static inline void pass_object(pass_block *b, an_slice name, int64_t mtime)
{
    if (mtime > b->newest_ms) b->newest_ms = mtime;
    if (an_slice_eq(name, AN_LIT("index"))) b->has_index = true;
    if (an_slice_eq(name, AN_LIT("chunks/000001"))) b->has_segment = true;
    for (int k = 0; k < AN_MARK__COUNT; k++) {
        if (an_slice_eq(name, an_slice_str(an_mark_file[k]))) b->mark_mtime[k] = mtime;
    }
}

static inline void pass_read_objects(pass_block *b, int64_t now_ms)
{
    static const char *const keys[AN_MARK__COUNT] = {"del", "nc", "nd"};
    const an_json *objs = vectors_opt(b->json, "objs");

    b->newest_ms = INT64_MIN;
    for (int k = -1; k < AN_MARK__COUNT; k++) { /* meta.json and marks, unless objs says when */
        an_slice name = k < 0 ? AN_LIT("meta.json") : an_slice_str(an_mark_file[k]);
        bool there = k < 0 ? !b->no_meta : vectors_opt(b->json, keys[k]) != NULL;
        for (size_t i = 0; objs != NULL && i < objs->n; i++) {
            if (an_slice_eq(vectors_str(&objs->items[i], "name"), name)) there = false;
        }
        if (there) pass_object(b, name, now_ms);
    }
    for (size_t i = 0; objs != NULL && i < objs->n; i++)
        pass_object(b, vectors_str(&objs->items[i], "name"), vectors_int(&objs->items[i], "mtime"));
}

static inline void pass_read_block(an_arena *a, pass_block *b, const an_json *v, int64_t now_ms)
{
    static const char *const keys[AN_MARK__COUNT] = {"del", "nc", "nd"};
    an_err err;

    b->json = v;
    assert_true(an_ulid_parse(vectors_str(v, "id"), &b->id));
    b->no_meta = vectors_bool(v, "nometa");
    if (vectors_opt(v, "raw") != NULL)
        b->meta_rc = an_meta_parse(a, vectors_str(v, "raw"), &b->meta, &err);
    else
        pass_make_meta(a, b);
    for (int k = 0; k < AN_MARK__COUNT; k++) {
        if (vectors_opt(v, keys[k]) == NULL) continue;
        b->mark_there[k] = true;
        b->mark_rc[k] =
            an_mark_parse(a, (an_mark_kind)k, vectors_str(v, keys[k]), &b->marks[k], &err);
    }
    pass_read_objects(b, now_ms);
}

static inline bool pass_has_meta(const pass_block *b) { return !b->no_meta && b->meta_rc == AN_OK; }

static inline const an_mark *pass_mark(const pass_block *b, an_mark_kind k)
{
    return b->mark_there[k] && b->mark_rc[k] == AN_OK ? &b->marks[k] : NULL;
}

static inline int64_t pass_time_flag(const pass *p, const char *key, int64_t otherwise)
{
    an_slice text = pass_str(p->conf, key);
    an_time_or_dur v;
    an_err err;

    if (text.n == 0) return otherwise;
    assert_int_equal(an_time_or_dur_parse(text, &v, &err), AN_OK);
    return an_time_or_dur_ms(v, p->now_ms);
}

/* AN_EINVALID: the relabel configuration is refused. */
static inline an_rc pass_read(an_arena *a, const an_json *c, pass *p, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *list = vectors_get(c, "blocks"), *replica;

    *p = (pass){.now_ms = vectors_int(c, "now"),
                .conf = vectors_get(c, "conf"),
                .want = vectors_get(c, "want"),
                .n = list->n};
    p->v = an_arena_alloc(a, (p->n + 1) * sizeof *p->v);
    for (size_t i = 0; i < p->n; i++) pass_read_block(a, &p->v[i], &list->items[i], p->now_ms);
    an_filter_opts *o = &p->opts;
    replica = vectors_opt(p->conf, "replica");
    o->n_replica_flags = replica == NULL ? 0 : replica->n;
    an_slice *flags = an_arena_alloc(a, (o->n_replica_flags + 1) * sizeof *flags);
    for (size_t i = 0; i < o->n_replica_flags; i++) flags[i] = replica->items[i].text;
    o->replica_flags = flags;
    an_slice *labels;
    an_replica_labels(a, flags, o->n_replica_flags, &labels, &o->n_replica_labels);
    o->replica_labels = labels;
    o->now_ms = p->now_ms;
    o->consistency_delay_ms = pass_int(p->conf, "consistency_delay_ms");
    o->delete_delay_ms = pass_int(p->conf, "delete_delay_ms");
    o->downsampling_disabled = vectors_bool(p->conf, "downsampling_disabled");
    o->min_time_ms = pass_time_flag(p, "min_time", INT64_MIN);
    o->max_time_ms = pass_time_flag(p, "max_time", INT64_MAX);
    if (vectors_opt(p->conf, "relabel") != NULL)
        rc = an_relabel_parse(vectors_str(p->conf, "relabel"), AN_RELABEL_SELECTOR, &p->selector,
                              err);
    o->selector = p->selector;
    return rc;
}

static inline void pass_plan_block(const pass_block *b, const an_filter_block *f,
                                   an_plan_block *out)
{
    const an_mark *del = pass_mark(b, AN_MARK_DELETION);
    bool own = del != NULL && del->has_id && an_ulid_eq(del->id, b->id);

    *out = (an_plan_block){
        .id = b->id,
        .meta = f->meta,
        .deletion = own ? del : NULL,
        .deletion_ms = own ? an_mark_ms(del, b->mark_mtime[AN_MARK_DELETION]) : 0,
        .deletion_stray = del != NULL && !own,
        .no_compact = pass_mark(b, AN_MARK_NO_COMPACT) != NULL,
        .no_compact_object = b->mark_there[AN_MARK_NO_COMPACT],
        .no_downsample = pass_mark(b, AN_MARK_NO_DOWNSAMPLE) != NULL,
    };
    for (int k = 0; k < AN_MARK__COUNT; k++) {
        if (b->mark_there[k] && b->mark_rc[k] == AN_EUNSUPPORTED) out->foreign_mark = true;
    }
}

static inline void pass_filter(an_arena *a, pass *p)
{
    const pass_block **of = an_arena_alloc(a, (p->n + 1) * sizeof *of);
    an_err err;

    p->filtered = an_arena_alloc(a, (p->n + 1) * sizeof *p->filtered);
    p->planned = an_arena_alloc(a, (p->n + 1) * sizeof *p->planned);
    p->n_filtered = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!pass_has_meta(&p->v[i])) continue;
        an_filter_block *f = &p->filtered[p->n_filtered];
        *f = (an_filter_block){.id = p->v[i].id, .meta = &p->v[i].meta};
        for (int k = 0; k < AN_MARK__COUNT; k++) f->marks[k] = pass_mark(&p->v[i], (an_mark_kind)k);
        of[p->n_filtered++] = &p->v[i];
    }
    assert_int_equal(an_filters_run(a, p->filtered, p->n_filtered, &p->opts, &p->counts, &err),
                     AN_OK);
    for (size_t i = 0; i < p->n_filtered; i++)
        pass_plan_block(of[i], &p->filtered[i], &p->planned[i]);
}

/* ---- Lists of ids ---- */

typedef struct pass_ids {
    size_t n;
    an_ulid v[256];
} pass_ids;

static inline void pass_add(pass_ids *l, an_ulid id)
{
    assert_true(l->n < 256);
    l->v[l->n++] = id;
}

static inline bool pass_has(const pass_ids *l, an_ulid id)
{
    for (size_t i = 0; i < l->n; i++) {
        if (an_ulid_eq(l->v[i], id)) return true;
    }
    return false;
}

static inline pass_ids pass_want(const pass *p, const char *key)
{
    const an_json *list = vectors_opt(p->want, key);
    pass_ids l = {0};

    for (size_t i = 0; list != NULL && i < list->n; i++) {
        an_ulid id;
        assert_true(an_ulid_parse(list->items[i].text, &id));
        pass_add(&l, id);
    }
    return l;
}

/* Equal as sets. */
static inline bool pass_equal(const pass_ids *x, const pass_ids *y)
{
    for (size_t i = 0; i < x->n; i++) {
        if (!pass_has(y, x->v[i])) return false;
    }
    return x->n == y->n;
}

/* The loaded blocks, for the planner; after pass_filter. */
static inline const an_plan_block **pass_loaded(an_arena *a, const pass *p, size_t *n)
{
    const an_plan_block **b = an_arena_alloc(a, (p->n_filtered + 1) * sizeof *b);

    *n = 0;
    for (size_t i = 0; i < p->n_filtered; i++) {
        if (p->filtered[i].state == AN_SYNCED_LOADED) b[(*n)++] = &p->planned[i];
    }
    return b;
}

static inline an_retention pass_retention(const pass *p)
{
    const an_json *r = vectors_opt(p->conf, "retention_ms");
    int64_t ms[3] = {0};

    for (size_t i = 0; r != NULL && i < 3; i++) assert_true(an_json_int64(&r->items[i], &ms[i]));
    return (an_retention){ms[0] * 1000000, ms[1] * 1000000, ms[2] * 1000000};
}

/* True when upstream's whole sync fails on this input (a meta.json or mark of a version that is not
 * 1, which includes {} and null): anneal leaves the block out, or takes the mark for unreadable. */
static inline bool pass_fails_upstream(const pass *p)
{
    return vectors_opt(p->want, "sync_err") != NULL;
}
