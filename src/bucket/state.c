// SPDX-License-Identifier: Apache-2.0
#include "bucket/state.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "bucket/doc.h"
#include "tsdb/segment/segment.h"

enum {
    RACY_MS = 2000,        /* a change this young may be followed by one that nobody can see */
    MARK_MAX = 1 << 20,    /* bytes of a mark that is read */
    WASTE_MIN = 4 << 20,   /* bytes of dropped metas before they are cleared away */
    REWRITE_MIN = 1 << 20, /* bytes of the cache file before it is */
    META = AN_CACHE_META
};

/* Parsed documents live in generations: an arena that only grows, until so much of it is waste that
 * the rest is copied into a new one. Snapshots keep theirs. */
typedef struct generation {
    an_arena *arena;
    atomic_size_t refs;
} generation;

typedef struct entry {
    an_ulid id;
    uint64_t everything; /* fingerprint of the last listing */
    unsigned listings;
    uint64_t parts;     /* fingerprint for which `incomplete` was decided; 0: not yet */
    an_err *incomplete; /* own memory */
    an_doc meta;
    an_doc *mark[AN_MARK__COUNT]; /* own memory; NULL: never seen */
} entry;

struct an_state {
    an_bucket *b;
    an_pool *pool;
    size_t n_reads;
    an_budget *budget;
    char *cache_path;
    uint8_t *cache_for;
    size_t cache_for_n;
    bool cache_tried;
    an_meta_cache *cache; /* NULL: none (any more) */
    generation *gen;
    size_t wasted; /* bytes of gen */
    size_t n;
    entry *entries; /* ascending by id */
};

typedef struct snapshot {
    an_snapshot pub; /* first */
    an_arena *arena;
    generation *gen;
} snapshot;

typedef struct slot {
    an_work work; /* first */
    an_state *s;
    an_ctx *ctx;
    an_arena *arena;
    bool busy;
    size_t block;
    unsigned what;
    uint64_t size;
    an_slice body;
    an_rc rc;
    an_err err;
} slot;

typedef struct syncing {
    an_state *s;
    an_ctx *ctx;
    int64_t now_ms;
    snapshot *snap;
    an_listing listing;
    bool *again;    /* per block: to be listed once more */
    bool *gone;     /* per block: nothing is there any more */
    an_arena *work; /* of one document */
    slot *slots;
    size_t n_slots, next_slot;
} syncing;

/* ---- small things ---- */

static size_t max_size(unsigned what) { return what == META ? AN_META_MAX : MARK_MAX; }

static void key_of(an_ulid id, unsigned what, char out[64])
{
    char text[AN_ULID_TEXT + 1];

    an_ulid_format(id, text);
    (void)snprintf(out, 64, "%s/%s", text, an_doc_file(what));
}

static generation *generation_new(an_budget *budget)
{
    generation *g = calloc(1, sizeof *g);

    an_assert(g != NULL);
    g->arena = an_arena_new(budget);
    atomic_init(&g->refs, 1);
    return g;
}

static void generation_unref(generation *g)
{
    if (g == NULL || atomic_fetch_sub(&g->refs, 1) != 1) return;
    an_arena_free(g->arena);
    free(g);
}

static void entry_deinit(an_state *s, entry *e)
{
    s->wasted += e->meta.cost;
    an_doc_deinit(&e->meta);
    free(e->incomplete);
    for (size_t k = 0; k < AN_MARK__COUNT; k++) {
        if (e->mark[k] == NULL) continue;
        s->wasted += e->mark[k]->cost;
        an_doc_deinit(e->mark[k]);
        free(e->mark[k]);
    }
}

static an_doc *doc_of(entry *e, unsigned what) { return what == META ? &e->meta : e->mark[what]; }

static an_doc *doc_make(entry *e, unsigned what)
{
    if (what == META) return &e->meta;
    if (e->mark[what] == NULL) e->mark[what] = calloc(1, sizeof *e->mark[what]);
    an_assert(e->mark[what] != NULL);
    return e->mark[what];
}

static const an_version *listed(const an_listed_block *b, unsigned what)
{
    if (what == META) return b->has_meta ? &b->meta : NULL;
    return b->has_mark[what] ? &b->mark[what] : NULL;
}

/* ---- the cache file ---- */

/* Something about the file went wrong: it is not used any more, and the snapshot says so. */
static void give_up_cache(syncing *y, const an_err *err)
{
    an_state *s = y->s;

    y->snap->pub.note = *err;
    an_meta_cache_close(s->cache);
    s->cache = NULL;
    for (size_t i = 0; i < s->n; i++) {
        s->entries[i].meta.in_file = false;
        for (size_t k = 0; k < AN_MARK__COUNT; k++)
            if (s->entries[i].mark[k] != NULL) s->entries[i].mark[k]->in_file = false;
    }
}

typedef struct loaded {
    size_t n, cap;
    an_cache_record *v;
} loaded;

static an_rc on_record(void *arg, const an_cache_record *r, an_err *err)
{
    loaded *l = arg;

    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 256 : 2 * l->cap;
        an_cache_record *more = reallocarray(l->v, cap, sizeof *more);
        if (more == NULL) return AN_FAIL(err, AN_ELIMIT, "no memory for %zu records", cap);
        l->v = more;
        l->cap = cap;
    }
    l->v[l->n++] = *r;
    return AN_OK;
}

static int by_id_then_place(const void *a, const void *b)
{
    const an_cache_record *x = a, *y = b;
    int d = an_ulid_cmp(x->id, y->id);

    return d != 0 ? d : (x->at > y->at) - (x->at < y->at);
}

/* Opens the file and makes entries of what it tells. */
static void load_cache(syncing *y)
{
    an_state *s = y->s;
    loaded l = {0};
    bool dropped = false;
    an_err err;

    if (s->cache_tried || s->cache_path == NULL) return;
    s->cache_tried = true;
    an_rc rc = an_meta_cache_open(s->cache_path, an_slice_of(s->cache_for, s->cache_for_n),
                                  on_record, &l, &dropped, &s->cache, &err);
    if (rc != AN_OK || dropped) {
        y->snap->pub.note = err;
        l.n = 0; /* nothing of a damaged file is trusted */
    }
    if (l.n > 0) {
        qsort(l.v, l.n, sizeof *l.v, by_id_then_place);
        s->entries = calloc(l.n, sizeof *s->entries);
        an_assert(s->entries != NULL);
    }
    for (size_t i = 0; i < l.n; i++) {
        entry *e = s->n > 0 ? &s->entries[s->n - 1] : NULL;
        if (e == NULL || !an_ulid_eq(e->id, l.v[i].id)) {
            e = &s->entries[s->n++];
            e->id = l.v[i].id;
        }
        an_doc *d = doc_make(e, l.v[i].what);
        d->rec = l.v[i]; /* the last one counts */
        d->in_file = true;
    }
    free(l.v);
}

static void save(syncing *y, entry *e, an_doc *d, unsigned what, an_slice body)
{
    an_err err;

    if (y->s->cache == NULL || d->racy || body.n > AN_CACHE_DOC_MAX) return;
    d->rec = (an_cache_record){.what = what, .id = e->id, .version = d->seen};
    if (an_meta_cache_add(y->s->cache, &d->rec, body, &err) == AN_OK)
        d->in_file = true;
    else
        give_up_cache(y, &err);
}

/* Writes what was added, and the whole file anew when most of it is of the past. */
static void flush_cache(syncing *y)
{
    an_state *s = y->s;
    uint64_t live = 0;
    size_t n = 0;
    an_err err;

    if (s->cache == NULL) return;
    an_rc rc = an_meta_cache_flush(s->cache, &err);
    an_cache_record **v =
        (an_cache_record **)calloc(s->n * AN_CACHE_WHATS + 1, sizeof(an_cache_record *));
    an_assert(v != NULL);
    for (size_t i = 0; i < s->n; i++) {
        for (unsigned what = 0; what < AN_CACHE_WHATS; what++) {
            an_doc *d = doc_of(&s->entries[i], what);
            if (d == NULL || !d->in_file) continue;
            v[n++] = &d->rec;
            live += d->rec.n + 49;
        }
    }
    uint64_t all = an_meta_cache_bytes(s->cache);
    if (rc == AN_OK && all > REWRITE_MIN && all / 2 > live)
        rc = an_meta_cache_rewrite(s->cache, v, n, &err);
    free((void *)v);
    if (rc != AN_OK) give_up_cache(y, &err);
}

/* ---- documents ---- */

typedef enum need { NEED_NOTHING, NEED_FILE, NEED_BUCKET } need;

static need needed(const an_state *s, const an_doc *d, const an_version *v)
{
    if (d == NULL) return NEED_BUCKET;
    if (d->result != AN_DOC_UNKNOWN && d->result != AN_DOC_UNREADABLE && !d->racy &&
        an_version_same(&d->seen, v, s->b->caps))
        return NEED_NOTHING;
    if (s->cache != NULL && d->in_file && d->parsed == NULL &&
        an_version_same(&d->rec.version, v, s->b->caps))
        return NEED_FILE;
    return NEED_BUCKET;
}

/* Reads a document back from the cache file. False: it has to come from the bucket. */
static bool from_file(syncing *y, entry *e, an_doc *d, unsigned what)
{
    an_state *s = y->s;
    an_slice body;
    an_err err;

    an_arena_reset(y->work);
    if (an_meta_cache_read(s->cache, y->work, &d->rec, &body, &err) != AN_OK) {
        if (err.rc != AN_ELIMIT) give_up_cache(y, &err);
        return false;
    }
    if (an_doc_parse(d, e->id, what, body, s->gen->arena, y->work, &s->wasted, &err) != AN_OK ||
        d->result != AN_DOC_OK) {
        d->in_file = false;
        return false;
    }
    d->seen = d->rec.version;
    d->racy = false;
    return true;
}

/* What the file has of a meta.json that cannot be read now: it tells the group. */
static void recall(syncing *y, entry *e)
{
    an_doc d = {.rec = e->meta.rec};

    if (e->meta.parsed != NULL || !e->meta.in_file || y->s->cache == NULL) return;
    if (from_file(y, e, &d, META)) {
        e->meta.parsed = d.parsed;
        e->meta.cost = d.cost;
    }
    an_doc_deinit(&d);
}

/* Takes the result of a read. AN_OK also for what only concerns this document. */
static an_rc take(syncing *y, size_t i, unsigned what, an_rc rc, an_slice body, const an_err *why,
                  an_err *err)
{
    an_state *s = y->s;
    entry *e = &s->entries[i];
    an_doc *d = doc_make(e, what);
    const an_version *v = listed(&y->listing.blocks[i], what);

    if (rc == AN_ECANCELED || (rc == AN_ERETRY && an_ctx_done(y->ctx))) {
        *err = *why;
        return rc;
    }
    y->snap->pub.n_read++;
    d->seen = *v;
    d->racy = (s->b->caps & AN_CAP_LOCAL) != 0 && v->mtime_ms > y->now_ms - RACY_MS;
    if (rc != AN_OK) {
        /* gone or shorter than listed: the listing is old */
        if (rc == AN_ENOTFOUND || rc == AN_ECORRUPT) y->again[i] = true;
        an_doc_failed(d, e->id, what, why);
        if (rc == AN_ELIMIT && v->size > max_size(what)) {
            d->result = AN_DOC_CORRUPT;
            d->err->rc = AN_ECORRUPT; /* it does not pass: a human decides */
            (void)an_err_cause(d->err,
                               what == META ? AN_CAUSE_META_CORRUPT : AN_CAUSE_MARK_CORRUPT);
        }
        return AN_OK;
    }
    an_arena_reset(y->work);
    rc = an_doc_parse(d, e->id, what, body, s->gen->arena, y->work, &s->wasted, err);
    if (rc != AN_OK) return rc;
    if (d->result == AN_DOC_OK)
        save(y, e, d, what, body);
    else if (d->result == AN_DOC_CORRUPT)
        y->again[i] = true; /* perhaps it was being written */
    return AN_OK;
}

/* ---- reading, many at once ---- */

static void run(an_work *w)
{
    slot *t = (slot *)w;
    char key[64];

    key_of(t->s->entries[t->block].id, t->what, key);
    an_arena_reset(t->arena);
    t->rc = an_bucket_read(t->s->b, t->ctx, t->arena, an_slice_str(key), t->size, max_size(t->what),
                           &t->body, &t->err);
}

static an_rc collect(syncing *y, slot *t, an_err *err)
{
    if (!t->busy) return AN_OK;
    t->busy = false;
    if (y->s->pool != NULL) an_pool_wait(y->s->pool, &t->work);
    return take(y, t->block, t->what, t->rc, t->body, &t->err, err);
}

static an_rc request(syncing *y, size_t i, unsigned what, an_err *err)
{
    slot *t = &y->slots[y->next_slot++ % y->n_slots];
    an_rc rc = collect(y, t, err);

    if (rc != AN_OK) return rc;
    t->busy = true;
    t->block = i;
    t->what = what;
    t->size = listed(&y->listing.blocks[i], what)->size;
    t->work = (an_work){.run = run};
    if (y->s->pool != NULL)
        an_pool_submit(y->s->pool, &t->work);
    else
        run(&t->work);
    return AN_OK;
}

/* Has every document of block i that is new or changed read. */
static an_rc request_block(syncing *y, size_t i, an_err *err)
{
    const an_listed_block *b = &y->listing.blocks[i];
    entry *e = &y->s->entries[i];
    an_rc rc = AN_OK;

    if (b->rc != AN_OK) return AN_OK;
    for (unsigned what = 0; what < AN_CACHE_WHATS; what++) {
        const an_version *v = listed(b, what);
        if (v == NULL) continue;
        an_doc *d = doc_of(e, what);
        need n = needed(y->s, d, v);
        if (n == NEED_FILE && from_file(y, e, d, what)) {
            y->snap->pub.n_cached++;
            continue;
        }
        if (n != NEED_NOTHING) AN_TRY(request(y, i, what, err));
    }
out:
    return rc;
}

static an_rc drain(syncing *y, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t k = 0; k < y->n_slots; k++) {
        slot *t = &y->slots[y->next_slot++ % y->n_slots];
        if (rc == AN_OK)
            rc = collect(y, t, err);
        else if (t->busy && y->s->pool != NULL)
            (void)an_pool_revoke(y->s->pool, &t->work);
    }
    return rc;
}

/* ---- looking twice ---- */

static const an_block_object *object_of(const an_listed_block *b, an_slice name)
{
    size_t lo = 0, hi = b->n_objects;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (an_slice_cmp(b->objects[mid].name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < b->n_objects && an_slice_eq(b->objects[lo].name, name) ? &b->objects[lo] : NULL;
}

/* Without sizes: an index there must be, and the segments that meta.json names, or any where it
 * counts chunks. Blocks of before Thanos 0.17 list no files; with less than this they hold nothing,
 * and must not stand in for others. */
static bool basics_missing(const an_listed_block *b, const an_meta *m, an_err *why)
{
    char id[AN_ULID_TEXT + 1], name[sizeof why->object] = "index";
    bool there = object_of(b, AN_LIT("index")) != NULL, index = !there;

    for (size_t i = 0; i < m->thanos.n_segment_files && there; i++) {
        (void)snprintf(name, sizeof name, "chunks/%.*s", AN_PRI(m->thanos.segment_files[i]));
        there = object_of(b, an_slice_str(name)) != NULL;
    }
    if (there && m->thanos.n_segment_files == 0 && m->stats.chunks > 0) {
        (void)snprintf(name, sizeof name, "chunks/000001");
        there = object_of(b, an_slice_str(name)) != NULL;
    }
    if (there) return false;
    an_ulid_format(b->id, id);
    (void)AN_FAIL(why, AN_ECORRUPT, "%s/%s is missing", id, name);
    (void)an_err_cause(why, index ? AN_CAUSE_INDEX_MISSING : AN_CAUSE_CHUNKS_MISSING);
    (void)an_err_at(why, id, name, -1);
    return true;
}

/* Compares the listing with what meta.json lists; the first difference is the finding. */
static bool parts_missing(const an_listed_block *b, const an_meta *m, an_err *why)
{
    char id[AN_ULID_TEXT + 1], object[sizeof why->object];

    for (size_t i = 0; i < m->thanos.n_files; i++) {
        const an_meta_file *f = &m->thanos.files[i];
        const an_block_object *o = object_of(b, f->rel_path);
        bool is_index = an_slice_eq(f->rel_path, AN_LIT("index"));
        if (o != NULL && (f->size_bytes <= 0 || o->size == (uint64_t)f->size_bytes)) continue;
        an_ulid_format(b->id, id);
        if (o == NULL) {
            (void)AN_FAIL(why, AN_ECORRUPT, "%s/%.*s is missing: meta.json lists it", id,
                          AN_PRI(f->rel_path));
            (void)an_err_cause(why, is_index ? AN_CAUSE_INDEX_MISSING : AN_CAUSE_CHUNKS_MISSING);
        } else {
            (void)AN_FAIL(why, AN_ECORRUPT, "%s/%.*s has %llu bytes, meta.json says %lld", id,
                          AN_PRI(f->rel_path), (unsigned long long)o->size,
                          (long long)f->size_bytes);
            (void)an_err_values(why, (uint64_t)f->size_bytes, o->size);
            (void)an_err_cause(why, is_index                      ? AN_CAUSE_INDEX_UNREADABLE
                                    : o->size < AN_SEGMENT_HEADER ? AN_CAUSE_SEGMENT_HEADER
                                                                  : AN_CAUSE_CHUNK_TRUNCATED);
        }
        (void)snprintf(object, sizeof object, "%.*s", AN_PRI(f->rel_path));
        (void)an_err_at(why, id, object, -1);
        return true;
    }
    return m->thanos.n_files == 0 && basics_missing(b, m, why);
}

static const an_meta *loaded_meta(const entry *e, const an_listed_block *b)
{
    return b->rc == AN_OK && b->has_meta && e->meta.result == AN_DOC_OK ? e->meta.parsed : NULL;
}

/* Decides once per state of the block's data whether a part is missing. */
static void check_parts(syncing *y, size_t i, bool second)
{
    an_state *s = y->s;
    entry *e = &s->entries[i];
    const an_listed_block *b = &y->listing.blocks[i];
    const an_meta *m = loaded_meta(e, b);
    an_err why;

    if (m == NULL || (e->parts == b->data && b->data != 0)) return;
    bool missing = parts_missing(b, m, &why);
    if (missing && !second) {
        y->again[i] = true;
        return;
    }
    free(e->incomplete);
    e->incomplete = NULL;
    if (missing) {
        e->incomplete = malloc(sizeof why);
        an_assert(e->incomplete != NULL);
        *e->incomplete = why;
    }
    e->parts = b->data;
}

/* Lists block i once more and reads what changed meanwhile. */
static an_rc look_again(syncing *y, size_t i, an_err *err)
{
    an_rc rc = AN_OK;
    an_listed_block *b = &y->listing.blocks[i];
    entry *e = &y->s->entries[i];

    AN_TRY(an_listing_block(y->s->b, y->ctx, y->snap->arena, e->id, b, err));
    y->gone[i] = b->rc == AN_OK && b->n_objects == 0;
    y->again[i] = false;
    for (unsigned what = 0; what < AN_CACHE_WHATS; what++) {
        const an_version *v = listed(b, what);
        an_doc *d = doc_of(e, what);
        /* as listed the first time and no document: so it is */
        bool settled = d != NULL && d->result == AN_DOC_CORRUPT && v != NULL &&
                       an_version_same(&d->seen, v, y->s->b->caps);
        if (b->rc == AN_OK && v != NULL && !settled && needed(y->s, d, v) != NEED_NOTHING)
            AN_TRY(request(y, i, what, err));
    }
    AN_TRY(drain(y, err));
    y->again[i] = false; /* what moves under our eyes is for the next sync */
    check_parts(y, i, true);
out:
    return rc;
}

/* ---- the snapshot ---- */

static an_rc add_finding(syncing *y, an_finding *v, const an_state_block *b, const an_err *e,
                         const an_err **kept, an_err *err)
{
    an_err *copy = an_arena_try(y->snap->arena, 1, sizeof *copy);

    if (copy == NULL) return an_doc_no_memory(y->snap->arena, err);
    *copy = *e;
    *kept = copy;
    v[y->snap->pub.n_findings++] = (an_finding){b, copy};
    return AN_OK;
}

static const an_block_kind kind_of[] = {
    [AN_DOC_UNKNOWN] = AN_BLOCK_UNREADABLE,    [AN_DOC_OK] = AN_BLOCK_LOADED,
    [AN_DOC_CORRUPT] = AN_BLOCK_CORRUPT,       [AN_DOC_FOREIGN] = AN_BLOCK_FOREIGN,
    [AN_DOC_UNREADABLE] = AN_BLOCK_UNREADABLE,
};

static const an_mark_state mark_state_of[] = {
    [AN_DOC_UNKNOWN] = AN_MARK_UNREADABLE,    [AN_DOC_OK] = AN_MARK_READ,
    [AN_DOC_CORRUPT] = AN_MARK_CORRUPT,       [AN_DOC_FOREIGN] = AN_MARK_FOREIGN,
    [AN_DOC_UNREADABLE] = AN_MARK_UNREADABLE,
};

/* Fills the marks of *out; `f` has room. */
static an_rc tell_marks(syncing *y, entry *e, an_state_block *out, an_finding *f, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t k = 0; k < AN_MARK__COUNT; k++) {
        an_state_mark *m = &out->marks[k];
        const an_doc *d = e->mark[k];
        if (!out->seen.has_mark[k] || d == NULL) continue;
        m->state = mark_state_of[d->result];
        m->mtime_ms = out->seen.mark[k].mtime_ms;
        if (m->state == AN_MARK_READ)
            m->mark = d->parsed;
        else
            AN_TRY(add_finding(y, f, out, d->err, &m->err, err));
    }
out:
    return rc;
}

static an_rc tell(syncing *y, size_t i, an_state_block *out, an_finding *f, an_err *err)
{
    an_rc rc = AN_OK;
    entry *e = &y->s->entries[i];
    const an_listed_block *b = &y->listing.blocks[i];
    const an_err *why = b->rc != AN_OK ? b->err : e->meta.err;

    *out = (an_state_block){.seen = *b, .listings = e->listings};
    out->kind = b->rc != AN_OK ? AN_BLOCK_UNREADABLE
                : !b->has_meta ? AN_BLOCK_PARTIAL
                               : kind_of[e->meta.result];
    if (out->kind == AN_BLOCK_LOADED) {
        out->meta = e->meta.parsed;
        if (e->incomplete != NULL && e->parts == b->data)
            AN_TRY(add_finding(y, f, out, e->incomplete, &out->incomplete, err));
    } else {
        recall(y, e);
        out->earlier = e->meta.parsed;
        if (out->kind != AN_BLOCK_PARTIAL) AN_TRY(add_finding(y, f, out, why, &out->err, err));
    }
    if (b->rc == AN_OK) AN_TRY(tell_marks(y, e, out, f, err));
out:
    return rc;
}

static an_rc make_snapshot(syncing *y, an_err *err)
{
    an_rc rc = AN_OK;
    an_state *s = y->s;
    an_snapshot *pub = &y->snap->pub;
    size_t n = 0, room = 0;

    for (size_t i = 0; i < s->n; i++) { /* findings: one of the block, one a mark, one of parts */
        const an_listed_block *b = &y->listing.blocks[i];
        room += b->rc != AN_OK || s->entries[i].meta.err != NULL;
        room += s->entries[i].incomplete != NULL;
        for (size_t k = 0; k < AN_MARK__COUNT; k++)
            room += s->entries[i].mark[k] != NULL && s->entries[i].mark[k]->err != NULL;
    }
    an_state_block *blocks = an_arena_try(y->snap->arena, s->n, sizeof *blocks);
    an_finding *f = an_arena_try(y->snap->arena, room, sizeof *f);
    if (blocks == NULL || f == NULL) return an_doc_no_memory(y->snap->arena, err);
    for (size_t i = 0; i < s->n; i++) {
        if (y->gone[i]) continue;
        AN_TRY(tell(y, i, &blocks[n], f, err));
        pub->n_objects += blocks[n].seen.n_objects;
        pub->bytes += blocks[n].seen.bytes;
        n++;
    }
    pub->n = n;
    pub->blocks = blocks;
    pub->findings = f;
    pub->n_foreign = y->listing.n_foreign;
out:
    return rc;
}

/* ---- a sync ---- */

/* Brings the entries in line with the listing: entries[i] belongs to listing.blocks[i] then. */
static void match(syncing *y)
{
    an_state *s = y->s;
    size_t n = y->listing.n, o = 0;
    entry *v = calloc(n + 1, sizeof *v);

    an_assert(v != NULL);
    for (size_t i = 0; i < n; i++) {
        const an_listed_block *b = &y->listing.blocks[i];
        while (o < s->n && an_ulid_cmp(s->entries[o].id, b->id) < 0)
            entry_deinit(s, &s->entries[o++]);
        if (o < s->n && an_ulid_eq(s->entries[o].id, b->id)) v[i] = s->entries[o++];
        v[i].id = b->id;
    }
    while (o < s->n) entry_deinit(s, &s->entries[o++]);
    free(s->entries);
    s->entries = v;
    s->n = n;
}

static void count_listings(syncing *y)
{
    for (size_t i = 0; i < y->s->n; i++) {
        entry *e = &y->s->entries[i];
        const an_listed_block *b = &y->listing.blocks[i];
        bool same = b->rc == AN_OK && e->listings > 0 && e->everything == b->everything;
        e->listings = same ? e->listings + (e->listings < UINT32_MAX) : 1;
        e->everything = b->everything;
        if (b->rc != AN_OK) e->listings = 0; /* the next one begins anew */
    }
}

/* Copies what is in use into a new generation, when most of the old one is not. */
static void clear_waste(an_state *s)
{
    bool ok = true;

    if (s->wasted < WASTE_MIN || s->wasted < an_arena_bytes(s->gen->arena) / 2) return;
    generation *g = generation_new(s->budget);
    const void **moved = (const void **)calloc(s->n * AN_CACHE_WHATS + 1, sizeof *moved);
    an_assert(moved != NULL);
    for (size_t i = 0; i < s->n && ok; i++) {
        for (unsigned what = 0; what < AN_CACHE_WHATS && ok; what++) {
            const an_doc *d = doc_of(&s->entries[i], what);
            if (d == NULL || d->parsed == NULL) continue;
            const void *p = an_doc_copy(g->arena, what, d->parsed);
            ok = p != NULL;
            moved[i * AN_CACHE_WHATS + what] = p;
        }
    }
    for (size_t i = 0; i < s->n * AN_CACHE_WHATS && ok; i++) {
        an_doc *d = doc_of(&s->entries[i / AN_CACHE_WHATS], (unsigned)(i % AN_CACHE_WHATS));
        if (d != NULL) d->parsed = moved[i];
    }
    free((void *)moved);
    if (!ok) { /* not now */
        generation_unref(g);
        return;
    }
    generation_unref(s->gen);
    s->gen = g;
    s->wasted = 0;
}

static an_rc sync_with(syncing *y, an_err *err)
{
    an_rc rc = AN_OK;
    an_state *s = y->s;

    AN_TRY(an_listing_read(s->b, y->ctx, y->snap->arena, &y->listing, err));
    load_cache(y);
    match(y);
    clear_waste(s);
    y->snap->gen = s->gen;
    atomic_fetch_add(&s->gen->refs, 1);
    y->again = calloc(s->n + 1, sizeof *y->again);
    y->gone = calloc(s->n + 1, sizeof *y->gone);
    an_assert(y->again != NULL && y->gone != NULL);
    for (size_t i = 0; i < s->n; i++) AN_TRY(request_block(y, i, err));
    AN_TRY(drain(y, err));
    for (size_t i = 0; i < s->n; i++) {
        check_parts(y, i, false);
        if (y->again[i]) AN_TRY(look_again(y, i, err));
    }
    count_listings(y);
    AN_TRY(make_snapshot(y, err));
    flush_cache(y);
out:
    return rc;
}

an_rc an_state_sync(an_state *s, an_ctx *ctx, int64_t now_ms, an_snapshot **out, an_err *err)
{
    an_err ignored;
    size_t n_slots = s->pool == NULL || s->n_reads == 0 ? 1 : s->n_reads;
    syncing y = {.s = s, .ctx = ctx, .now_ms = now_ms, .n_slots = n_slots};

    *out = NULL;
    y.snap = calloc(1, sizeof *y.snap);
    y.slots = calloc(n_slots, sizeof *y.slots);
    an_assert(y.snap != NULL && y.slots != NULL);
    y.snap->arena = an_arena_new(s->budget);
    y.work = an_arena_new(s->budget);
    for (size_t i = 0; i < n_slots; i++) {
        y.slots[i].s = s;
        y.slots[i].ctx = ctx;
        y.slots[i].arena = an_arena_new(s->budget);
    }
    an_rc rc = sync_with(&y, err);
    if (rc != AN_OK) (void)drain(&y, &ignored); /* the first error counts */
    for (size_t i = 0; i < n_slots; i++) an_arena_free(y.slots[i].arena);
    an_arena_free(y.work);
    free(y.slots);
    free(y.again);
    free(y.gone);
    if (rc == AN_OK)
        *out = &y.snap->pub;
    else
        an_snapshot_free(&y.snap->pub);
    return rc;
}

void an_snapshot_free(an_snapshot *pub)
{
    snapshot *snap = (snapshot *)pub;

    if (snap == NULL) return;
    an_arena_free(snap->arena);
    generation_unref(snap->gen);
    free(snap);
}

an_state *an_state_new(const an_state_opts *opts)
{
    an_state *s = calloc(1, sizeof *s);

    an_assert(s != NULL);
    s->b = opts->bucket;
    s->pool = opts->pool;
    s->n_reads = opts->n_reads;
    s->budget = opts->budget;
    s->gen = generation_new(opts->budget);
    if (opts->cache_path != NULL) {
        s->cache_path = strdup(opts->cache_path);
        s->cache_for = malloc(opts->cache_for.n + 1);
        an_assert(s->cache_path != NULL && s->cache_for != NULL);
        if (opts->cache_for.n > 0) memcpy(s->cache_for, opts->cache_for.p, opts->cache_for.n);
        s->cache_for_n = opts->cache_for.n;
    }
    return s;
}

void an_state_free(an_state *s)
{
    if (s == NULL) return;
    for (size_t i = 0; i < s->n; i++) entry_deinit(s, &s->entries[i]);
    free(s->entries);
    an_meta_cache_close(s->cache);
    generation_unref(s->gen);
    free(s->cache_path);
    free(s->cache_for);
    free(s);
}
