// SPDX-License-Identifier: Apache-2.0
#include "bucket/block_writer.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "bucket/block_presence.h"
#include "tsdb/segment/segment.h"

enum { SEGMENTS_MAX = 999999, HEX = 2 * AN_SHA256_BYTES + 1 };

typedef struct file {
    char name[16]; /* below the block: chunks/000001, index */
    an_upload *up;
    uint64_t size;
    an_sha256 hash;
    bool hashing;
    char hex[HEX];
} file;

struct an_block_writer {
    an_bucket *bucket;
    an_ctx *ctx;
    an_block_writer_opts opts;
    char id[AN_ULID_TEXT + 1];
    char nonce[33];
    size_t n_segments, cap;
    file *segments;
    file index;
    bool cut; /* the next frames open a segment */
};

an_rc an_block_writer_open(an_bucket *b, an_ctx *ctx, const an_block_writer_opts *opts,
                           an_block_writer **out, an_err *err)
{
    an_rc rc = AN_OK;

    *out = NULL;
    an_block_writer *w = calloc(1, sizeof *w);
    an_assert(w != NULL);
    w->bucket = b;
    w->ctx = ctx;
    w->opts = *opts;
    w->cut = true;
    an_ulid_format(opts->ulid, w->id);
    AN_CHECK(opts->nonce.n > 0 && opts->nonce.n < sizeof w->nonce, err, AN_EINVALID,
             "a nonce of %zu bytes", opts->nonce.n);
    memcpy(w->nonce, opts->nonce.p, opts->nonce.n);
    *out = w;
    w = NULL;
out:
    free(w);
    return rc;
}

static void close_file(file *f)
{
    an_upload_close(f->up);
    if (f->hashing) an_sha256_deinit(&f->hash);
    f->up = NULL;
    f->hashing = false;
}

void an_block_writer_close(an_block_writer *w)
{
    if (w == NULL) return;
    for (size_t i = 0; i < w->n_segments; i++) close_file(&w->segments[i]);
    close_file(&w->index);
    free(w->segments);
    free(w);
}

static void key_of(const an_block_writer *w, const char *name, char key[static 64])
{
    (void)snprintf(key, 64, "%s/%s", w->id, name);
}

static an_rc open_file(an_block_writer *w, file *f, an_err *err)
{
    an_rc rc = AN_OK;
    char key[64];

    key_of(w, f->name, key);
    AN_TRY(
        an_upload_open(w->bucket, w->ctx, an_slice_str(key), an_slice_str(w->nonce), &f->up, err));
    if (w->opts.sha256) {
        an_sha256_init(&f->hash);
        f->hashing = true;
    }
out:
    return rc;
}

static an_rc write_file(an_block_writer *w, file *f, an_slice bytes, an_err *err)
{
    an_rc rc = an_upload_write(f->up, w->ctx, bytes, err);

    if (rc != AN_OK) return rc;
    if (f->hashing) an_sha256_update(&f->hash, bytes);
    f->size += bytes.n;
    if (w->opts.bytes_written != NULL) *w->opts.bytes_written += bytes.n;
    return AN_OK;
}

/* All bytes are there: hash done, on stable storage. */
static an_rc finish_file(an_block_writer *w, file *f, an_err *err)
{
    uint8_t sum[AN_SHA256_BYTES];

    if (f->hashing) {
        an_sha256_final(&f->hash, sum);
        an_hex(sum, sizeof sum, f->hex);
        f->hashing = false;
    }
    return an_upload_flush(f->up, w->ctx, err);
}

static an_rc open_segment(an_block_writer *w, an_err *err)
{
    an_rc rc = AN_OK;

    AN_CHECK(w->n_segments < SEGMENTS_MAX, err, AN_ELIMIT, "block %s: more than %d segments", w->id,
             SEGMENTS_MAX);
    if (w->n_segments > 0) AN_TRY(finish_file(w, &w->segments[w->n_segments - 1], err));
    if (w->n_segments == w->cap) {
        size_t cap = w->cap == 0 ? 4 : 2 * w->cap;
        file *more = realloc(w->segments, cap * sizeof *more);
        an_assert(more != NULL); /* bounded by SEGMENTS_MAX */
        w->segments = more;
        w->cap = cap;
    }
    file *f = &w->segments[w->n_segments];
    *f = (file){.up = NULL};
    (void)snprintf(f->name, sizeof f->name, "chunks/%06zu", w->n_segments + 1);
    AN_TRY(open_file(w, f, err));
    w->n_segments++;
    w->cut = false;
    AN_TRY(write_file(w, f, an_slice_of(an_segment_header, AN_SEGMENT_HEADER), err));
out:
    return rc;
}

an_rc an_block_writer_chunks(an_block_writer *w, an_slice frames, an_err *err)
{
    an_rc rc = AN_OK;

    if (frames.n == 0) goto out;
    if (w->cut) AN_TRY(open_segment(w, err));
    AN_TRY(write_file(w, &w->segments[w->n_segments - 1], frames, err));
out:
    return rc;
}

void an_block_writer_cut(an_block_writer *w) { w->cut = true; }

static an_rc index_write(void *arg, an_slice bytes, an_err *err)
{
    an_rc rc = AN_OK;
    an_block_writer *w = arg;

    if (w->index.up == NULL) {
        (void)snprintf(w->index.name, sizeof w->index.name, "index");
        AN_TRY(open_file(w, &w->index, err));
    }
    AN_TRY(write_file(w, &w->index, bytes, err));
out:
    return rc;
}

an_sink an_block_writer_index(an_block_writer *w) { return (an_sink){index_write, w}; }

static void list_file(an_arena *a, const file *f, an_meta_file *out)
{
    *out = (an_meta_file){.rel_path = an_arena_dup(a, an_slice_str(f->name)),
                          .size_bytes = (int64_t)f->size,
                          .has_hash = f->hex[0] != '\0'};
    if (!out->has_hash) return;
    out->hash_func = AN_LIT("SHA256");
    out->hash_value = an_arena_dup(a, an_slice_str(f->hex));
}

static void fill_meta(const an_block_writer *w, an_arena *a, an_meta *m, an_meta_time now)
{
    size_t n = w->n_segments;

    m->thanos.n_segment_files = n;
    m->thanos.segment_files = an_arena_alloc(a, (n + 1) * sizeof *m->thanos.segment_files);
    m->thanos.n_files = n + 2;
    m->thanos.files = an_arena_alloc(a, (n + 2) * sizeof *m->thanos.files);
    for (size_t i = 0; i < n; i++) {
        an_slice name = an_arena_dup(a, an_slice_str(w->segments[i].name));
        m->thanos.segment_files[i] = an_slice_of(name.p + 7, name.n - 7); /* without chunks/ */
        list_file(a, &w->segments[i], &m->thanos.files[i]);
    }
    list_file(a, &w->index, &m->thanos.files[n]);
    m->thanos.files[n + 1] = (an_meta_file){.rel_path = AN_LIT("meta.json")};
    m->thanos.upload_time = now;
}

static an_rc complete_file(an_block_writer *w, file *f, an_err *err)
{
    an_rc rc = an_upload_complete(f->up, w->ctx, AN_PUT_DURABLE, err);

    an_upload_close(f->up);
    f->up = NULL;
    return rc;
}

static an_rc put_meta(an_block_writer *w, const an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf doc;
    char key[64];
    int flags = AN_PUT_DURABLE;

    if ((w->bucket->caps & AN_CAP_IF_ABSENT) != 0) flags |= AN_PUT_IF_ABSENT;
    an_buf_init(&doc, AN_META_MAX, NULL);
    an_meta_write(&doc, m);
    AN_CHECK(!doc.failed, err, AN_ELIMIT, "block %s: meta.json is longer than %d bytes", w->id,
             AN_META_MAX);
    key_of(w, "meta.json", key);
    AN_TRY(an_bucket_put(w->bucket, w->ctx, an_slice_str(key), an_buf_slice(&doc), flags, err));
out:
    an_buf_deinit(&doc);
    return rc;
}

/* A block that is there already: ours is dropped if it is the same one. */
static an_rc look(an_block_writer *w, an_arena *a, const an_meta *m, bool *there, an_err *err)
{
    an_rc rc = AN_OK;
    an_block_presence p = {.has_meta = true};

    /* A listing is no snapshot: an object may have come after its place in the order was passed.
     * What is still missing in a second one, begun after meta.json was seen, is missing. */
    for (int i = 0; i < 2 && p.has_meta && !p.complete; i++)
        AN_TRY(an_block_presence_of(w->bucket, w->ctx, a, w->opts.ulid, m->compaction.sources,
                                    m->compaction.n_sources, &p, err));
    *there = p.complete && p.same_sources;
    if (!p.has_meta || *there) goto out;
    rc = AN_FAIL(err, AN_EHALT,
                 "block %s: another block lies under the ULID of this result: its meta.json %s",
                 w->id,
                 p.same_sources ? "lists objects that are missing or have other sizes"
                                : "has other sources or cannot be read");
    (void)an_err_at(err, w->id, "meta.json", -1);
out:
    return rc;
}

an_rc an_block_writer_publish(an_block_writer *w, an_arena *a, an_meta *m, an_meta_time now,
                              an_published *how, an_err *err)
{
    an_rc rc = AN_OK;
    bool there;

    an_assert(w->index.up != NULL);
    if (w->n_segments > 0) AN_TRY(finish_file(w, &w->segments[w->n_segments - 1], err));
    AN_TRY(finish_file(w, &w->index, err));
    fill_meta(w, a, m, now);
    AN_TRY(look(w, a, m, &there, err));
    if (!there) {
        for (size_t i = 0; i < w->n_segments; i++) AN_TRY(complete_file(w, &w->segments[i], err));
        AN_TRY(complete_file(w, &w->index, err));
        rc = put_meta(w, m, err);
        if (rc != AN_OK && rc != AN_EEXISTS) goto out;
        if (rc == AN_EEXISTS) AN_TRY(look(w, a, m, &there, err)); /* somebody was faster */
    }
    *how = there ? AN_PUBLISHED_BEFORE : AN_PUBLISHED;
out:
    return rc;
}
