// SPDX-License-Identifier: Apache-2.0
#include "bucket/listing.h"

#include <stdlib.h>

#include "base/hash.h"

enum { NAMES = 1024, NAME_KEPT = 40 }; /* slots of the table of names; the longest in it, bytes */

typedef struct fold {
    an_arena *arena;
    bool open; /* `cur` is being filled */
    an_listed_block cur;
    an_block_object *objects; /* of cur; own memory, used again */
    size_t n, cap;
    unsigned segments;       /* chunks/ + digits seen in a row from 1 on */
    bool segments_broken;    /* others too */
    bool lone;               /* only an object with the very name of the block */
    bool past;               /* met a name behind all ULIDs */
    an_listed_block *blocks; /* own memory */
    size_t n_blocks, cap_blocks;
    an_listing *out;
    an_slice foreign; /* the last folder that is no block; in foreign_buf */
    uint8_t foreign_buf[AN_KEY_MAX];
    an_slice names[NAMES]; /* most blocks have the same ones: one copy of each */
} fold;

bool an_version_same(const an_version *a, const an_version *b, unsigned caps)
{
    if ((caps & AN_CAP_SIZE) != 0 && a->size != b->size) return false;
    if ((caps & AN_CAP_ETAG) != 0 && a->etag != 0) return a->etag == b->etag;
    return (caps & (AN_CAP_MTIME | AN_CAP_SIZE)) == (AN_CAP_MTIME | AN_CAP_SIZE) &&
           a->mtime_ms >= 0 && a->mtime_ms == b->mtime_ms;
}

static an_version version_of(const an_object *o)
{
    an_version v = {o->size, 0, o->mtime_ms};

    if (o->etag.n > 0) {
        v.etag = an_xxh64(an_slice_of(o->etag.v, o->etag.n));
        if (v.etag == 0) v.etag = 1;
    }
    return v;
}

static an_rc no_memory(const fold *f, an_err *err)
{
    return AN_FAIL(err, AN_ELIMIT, "no memory for the listing of the bucket behind %zu blocks",
                   f->n_blocks);
}

static an_rc keep_name(fold *f, an_slice name, an_slice *out, an_err *err)
{
    an_slice *slot = &f->names[an_xxh64(name) % NAMES];

    if (slot->p == NULL || !an_slice_eq(*slot, name)) {
        *out = an_arena_try_dup(f->arena, name);
        if (out->p == NULL) return no_memory(f, err);
        if (slot->p == NULL && name.n <= NAME_KEPT) *slot = *out;
        return AN_OK;
    }
    *out = *slot;
    return AN_OK;
}

/* Ends the block at hand. */
static an_rc finish(fold *f, an_err *err)
{
    if (!f->open) return AN_OK;
    f->open = false;
    if (f->n_blocks == f->cap_blocks) {
        size_t cap = f->cap_blocks == 0 ? 64 : 2 * f->cap_blocks;
        an_listed_block *more = reallocarray(f->blocks, cap, sizeof *more);
        if (more == NULL) return no_memory(f, err);
        f->blocks = more;
        f->cap_blocks = cap;
    }
    an_block_object *objects = an_arena_try(f->arena, f->n, sizeof *objects);
    if (objects == NULL) return no_memory(f, err);
    if (f->n > 0) memcpy(objects, f->objects, f->n * sizeof *objects);
    f->cur.objects = objects;
    f->cur.n_objects = f->n;
    f->cur.has_all_segments = f->segments > 0 && !f->segments_broken;
    f->out->n_objects += f->n;
    f->out->bytes += f->cur.bytes;
    f->blocks[f->n_blocks++] = f->cur;
    return AN_OK;
}

static void begin(fold *f, an_ulid id)
{
    f->open = true;
    f->cur = (an_listed_block){.id = id, .newest_ms = -1, .index_bytes = -1};
    f->n = 0;
    f->segments = 0;
    f->segments_broken = f->lone = false;
}

static uint64_t chain(uint64_t h, an_slice name, const an_version *v)
{
    uint64_t t[4] = {h, v->size, v->etag, v->etag != 0 ? 0 : (uint64_t)v->mtime_ms};
    uint64_t both[2] = {an_xxh64(an_slice_of(t, sizeof t)), an_xxh64(name)};

    return an_xxh64(an_slice_of(both, sizeof both));
}

/* A number written with digits only, at least 1; 0: it is not one. */
static unsigned segment_number(an_slice s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || i == 9) return 0;
        n = n * 10 + (unsigned)(s.p[i] - '0');
    }
    return n;
}

static void look_at_name(fold *f, an_slice name, const an_version *v)
{
    an_listed_block *b = &f->cur;
    bool beside = an_slice_has_prefix(name, AN_LIT("anneal-"));

    if (an_slice_eq(name, AN_LIT("index"))) b->index_bytes = (int64_t)v->size;
    if (an_slice_eq(name, AN_LIT("meta.json"))) {
        b->has_meta = true;
        b->meta = *v;
    }
    for (size_t k = 0; k < AN_MARK__COUNT; k++) {
        if (!an_slice_eq(name, an_slice_str(an_mark_file[k]))) continue;
        beside = true;
        b->has_mark[k] = true;
        b->mark[k] = *v;
    }
    if (an_slice_has_prefix(name, AN_LIT("chunks/"))) { /* names ascend, equal lengths assumed */
        unsigned no = segment_number(an_slice_of(name.p + 7, name.n - 7));
        if (no == f->segments + 1)
            f->segments++;
        else if (no != 0)
            f->segments_broken = true;
    }
    b->everything = chain(b->everything, name, v);
    if (!beside) b->data = chain(b->data, name, v);
}

static an_rc add_object(fold *f, an_slice name, const an_object *o, an_err *err)
{
    an_rc rc = AN_OK;
    an_version v = version_of(o);

    if (f->lone) { /* stores that are no file systems can have both */
        f->lone = false;
        f->cur.rc = AN_OK;
        f->cur.err = NULL;
    }
    if (f->cur.rc != AN_OK) return AN_OK; /* given up */
    if (f->n == AN_BLOCK_OBJECTS_MAX) {
        char id[AN_ULID_TEXT + 1];
        an_err *e = an_arena_try(f->arena, 1, sizeof *e);
        if (e == NULL) return no_memory(f, err);
        an_ulid_format(f->cur.id, id);
        (void)AN_FAIL(e, AN_ELIMIT, "block %s has more than %d objects", id, AN_BLOCK_OBJECTS_MAX);
        (void)an_err_at(e, id, NULL, -1);
        f->cur.rc = an_err_cause(e, AN_CAUSE_OBJECT_LIMIT);
        f->cur.err = e;
        return AN_OK;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? 64 : 2 * f->cap;
        an_block_object *more = reallocarray(f->objects, cap, sizeof *more);
        if (more == NULL) return no_memory(f, err);
        f->objects = more;
        f->cap = cap;
    }
    an_block_object *x = &f->objects[f->n];
    AN_TRY(keep_name(f, name, &x->name, err));
    x->size = o->size;
    f->n++;
    f->cur.bytes += o->size;
    if (o->mtime_ms > f->cur.newest_ms) f->cur.newest_ms = o->mtime_ms;
    look_at_name(f, name, &v);
out:
    return rc;
}

/* The first part of a key, and what follows its slash (n == SIZE_MAX: there is none). */
static an_slice split(an_slice key, an_slice *rest)
{
    const uint8_t *slash = memchr(key.p, '/', key.n);

    if (slash == NULL) {
        *rest = (an_slice){NULL, SIZE_MAX};
        return key;
    }
    size_t n = (size_t)(slash - key.p);
    *rest = an_slice_of(slash + 1, key.n - n - 1);
    return an_slice_of(key.p, n);
}

static an_rc on_object(void *arg, const an_object *o, an_err *err)
{
    fold *f = arg;
    an_rc rc = AN_OK;
    an_slice rest;
    an_slice top = split(o->key, &rest);
    an_ulid id;

    if (an_slice_cmp(top, AN_LIT("8")) >= 0) {
        f->past = true;
        return AN_FAIL(err, AN_ENOTFOUND, "no more blocks");
    }
    if (!an_ulid_parse(top, &id)) {
        if (rest.n != SIZE_MAX && !an_slice_eq(f->foreign, top)) {
            memcpy(f->foreign_buf, top.p, top.n);
            f->foreign = an_slice_of(f->foreign_buf, top.n);
            f->out->n_foreign++;
        }
        return AN_OK;
    }
    if (!f->open || !an_ulid_eq(f->cur.id, id)) {
        AN_TRY(finish(f, err));
        begin(f, id);
    }
    if (rest.n == SIZE_MAX) { /* a file, or a link to a folder, with the name of a block */
        an_err *e = an_arena_try(f->arena, 1, sizeof *e);
        if (e == NULL) return no_memory(f, err);
        (void)AN_FAIL(e, AN_EDENIED, "%.*s is no folder (links are not followed)", AN_PRI(top));
        f->cur.rc = an_err_cause(e, AN_CAUSE_STORE_DENIED);
        f->cur.err = e;
        f->lone = true;
        return AN_OK;
    }
    rc = add_object(f, rest, o, err);
out:
    return rc;
}

/* After a folder that could not be listed: notes the block, if it is one, and says where to go on
 * (in `from`, AN_KEY_MAX bytes). AN_OK: go on. */
static an_rc skip_folder(fold *f, uint8_t *from, size_t *from_n, an_err *err)
{
    an_slice rest;
    an_slice top = split(an_slice_str(err->object), &rest);
    an_rc rc = err->rc;
    an_ulid id;

    bool subtree =
        err->object[0] != '\0' && rest.n != SIZE_MAX && err->object[strlen(err->object) - 1] == '/';
    if (!subtree || rc == AN_ECANCELED) return rc;
    if (an_slice_cmp(top, AN_LIT("8")) >= 0) {
        f->past = true;
        return AN_OK;
    }
    uint8_t next[sizeof err->object];
    memcpy(next, top.p, top.n);
    next[top.n] = '/' + 1; /* the first key behind the folder */
    if (an_slice_cmp(an_slice_of(next, top.n + 1), an_slice_of(from, *from_n)) <= 0) return rc;
    memcpy(from, next, top.n + 1);
    *from_n = top.n + 1;
    if (!an_ulid_parse(top, &id)) return AN_OK;

    an_err *e = an_arena_try(f->arena, 1, sizeof *e);
    if (e == NULL) return no_memory(f, err);
    *e = *err;
    char text[AN_ULID_TEXT + 1];
    an_ulid_format(id, text);
    (void)an_err_at(e, text, NULL, -1);
    if (!f->open || !an_ulid_eq(f->cur.id, id)) {
        rc = finish(f, err);
        if (rc != AN_OK) return rc;
        begin(f, id);
    }
    f->cur.rc = e->rc;
    f->cur.err = e;
    return AN_OK;
}

static fold *fold_new(an_arena *a, an_listing *out)
{
    fold *f = calloc(1, sizeof *f);

    an_assert(f != NULL); /* a few KiB */
    f->arena = a;
    f->out = out;
    *out = (an_listing){0};
    return f;
}

static void fold_free(fold *f)
{
    free(f->objects);
    free(f->blocks);
    free(f);
}

an_rc an_listing_read(an_bucket *b, an_ctx *ctx, an_arena *a, an_listing *out, an_err *err)
{
    an_rc rc = AN_OK;
    fold *f = fold_new(a, out);
    uint8_t from[AN_KEY_MAX] = "0";
    size_t from_n = 1;

    do {
        rc = an_bucket_list(b, ctx, AN_LIT(""), an_slice_of(from, from_n), on_object, f, err);
        if (f->past || rc == AN_OK) break;
    } while ((rc = skip_folder(f, from, &from_n, err)) == AN_OK && !f->past);
    if (f->past) rc = AN_OK;
    if (rc != AN_OK) goto out;
    AN_TRY(finish(f, err));
    out->blocks = an_arena_try(a, f->n_blocks, sizeof *out->blocks);
    if (out->blocks == NULL) {
        rc = no_memory(f, err);
        goto out;
    }
    if (f->n_blocks > 0) memcpy(out->blocks, f->blocks, f->n_blocks * sizeof *out->blocks);
    out->n = f->n_blocks;
out:
    fold_free(f);
    return rc;
}

an_rc an_listing_block(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id, an_listed_block *out,
                       an_err *err)
{
    an_rc rc = AN_OK;
    an_listing listing;
    fold *f = fold_new(a, &listing);
    uint8_t from[AN_KEY_MAX];
    size_t from_n = 0;
    char prefix[AN_ULID_TEXT + 2];

    an_ulid_format(id, prefix);
    prefix[AN_ULID_TEXT] = '/';
    begin(f, id);
    rc = an_bucket_list(b, ctx, an_slice_of(prefix, sizeof prefix - 1), AN_LIT(""), on_object, f,
                        err);
    if (rc != AN_OK) AN_TRY(skip_folder(f, from, &from_n, err));
    AN_TRY(finish(f, err));
    *out = f->blocks[0];
out:
    fold_free(f);
    return rc;
}
