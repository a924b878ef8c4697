// SPDX-License-Identifier: Apache-2.0
#include "tsdb/meta/meta.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "base/timestamp.h"
#include "tsdb/meta/rewrites.h"

/* ---- Reading ----
 *
 * Each function takes one occurrence of a field: a document that has it twice is read twice into
 * the same place, as Go does. `null` changes plain values not at all and empties lists and maps. */

typedef an_rc (*item_fn)(an_arena *a, const an_json *v, void *item, an_err *err);
typedef an_rc (*part_fn)(an_arena *a, const an_json *v, an_meta *m, an_err *err);

static an_rc want(const an_json *v, an_json_type type, const char *field, an_err *err)
{
    if (v->type == type) return AN_OK;
    return AN_FAIL(err, AN_ECORRUPT, "%s is a %s, not %s", field, an_json_type_name(v),
                   an_json_type_name(&(an_json){.type = type}));
}

/* Every occurrence of an object field through fn. */
static an_rc read_part(an_arena *a, const an_json *obj, const char *field, part_fn fn, an_meta *m,
                       an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;

    for (size_t pos = 0; (v = an_json_next(obj, field, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        AN_TRY(want(v, AN_JSON_OBJECT, field, err));
        if ((rc = fn(a, v, m, err)) != AN_OK) {
            an_err_wrap(err, "%s", field);
            goto out;
        }
    }
out:
    return rc;
}

/* An array field: *items has *n items of `size` bytes, a null item stays all zero. */
static an_rc read_list(an_arena *a, const an_json *obj, const char *field, item_fn fn, size_t size,
                       void **items, size_t *n, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;

    for (size_t pos = 0; (v = an_json_next(obj, field, &pos)) != NULL;) {
        *n = 0;
        if (v->type == AN_JSON_NULL) continue;
        AN_TRY(want(v, AN_JSON_ARRAY, field, err));
        uint8_t *list = an_arena_try(a, v->n, size);
        AN_CHECK(list != NULL, err, AN_ELIMIT, "no memory for %zu %s", v->n, field);
        for (size_t i = 0; i < v->n; i++) {
            if (v->items[i].type == AN_JSON_NULL) continue;
            if ((rc = fn(a, &v->items[i], list + i * size, err)) != AN_OK) {
                an_err_wrap(err, "%s", field);
                goto out;
            }
        }
        *n = v->n;
        *items = list;
    }
out:
    return rc;
}

static an_rc read_ulid(an_arena *a, const an_json *v, void *item, an_err *err)
{
    an_rc rc = AN_OK;

    (void)a;
    AN_TRY(want(v, AN_JSON_STRING, "a ULID", err));
    AN_CHECK(v->text.n == AN_ULID_TEXT, err, AN_ECORRUPT, "ulid: bad data size when unmarshaling");
    AN_CHECK(an_ulid_parse_lenient(v->text, item), err, AN_ECORRUPT,
             "ulid: overflow when unmarshaling");
out:
    return rc;
}

static an_rc get_ulid(const an_json *obj, const char *field, an_ulid *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;

    for (size_t pos = 0; (v = an_json_next(obj, field, &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if ((rc = read_ulid(NULL, v, out, err)) != AN_OK) {
            an_err_wrap(err, "%s", field);
            break;
        }
    }
    return rc;
}

static an_rc read_text(an_arena *a, const an_json *v, void *item, an_err *err)
{
    an_rc rc = want(v, AN_JSON_STRING, "an item", err);

    (void)a;
    if (rc == AN_OK) *(an_slice *)item = v->text;
    return rc;
}

static an_rc read_stats(an_arena *a, const an_json *v, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;

    (void)a;
    AN_TRY(an_json_get_uint64(v, "numSamples", &m->stats.samples, err));
    AN_TRY(an_json_get_uint64(v, "numFloatSamples", &m->stats.float_samples, err));
    AN_TRY(an_json_get_uint64(v, "numHistogramSamples", &m->stats.histogram_samples, err));
    AN_TRY(an_json_get_uint64(v, "numSeries", &m->stats.series, err));
    AN_TRY(an_json_get_uint64(v, "numChunks", &m->stats.chunks, err));
    AN_TRY(an_json_get_uint64(v, "numTombstones", &m->stats.tombstones, err));
out:
    return rc;
}

static an_rc read_parent(an_arena *a, const an_json *v, void *item, an_err *err)
{
    an_rc rc = AN_OK;
    an_meta_parent *p = item;

    (void)a;
    AN_TRY(want(v, AN_JSON_OBJECT, "a parent", err));
    AN_TRY(get_ulid(v, "ulid", &p->ulid, err));
    AN_TRY(an_json_get_int64(v, "minTime", &p->mint, err));
    AN_TRY(an_json_get_int64(v, "maxTime", &p->maxt, err));
out:
    return rc;
}

static an_rc read_compaction(an_arena *a, const an_json *v, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    void *items;

    AN_TRY(an_json_get_int64(v, "level", &m->compaction.level, err));
    items = m->compaction.sources;
    AN_TRY(read_list(a, v, "sources", read_ulid, sizeof(an_ulid), &items, &m->compaction.n_sources,
                     err));
    m->compaction.sources = items;
    AN_TRY(an_json_get_bool(v, "deletable", &m->compaction.deletable, err));
    items = m->compaction.parents;
    AN_TRY(read_list(a, v, "parents", read_parent, sizeof(an_meta_parent), &items,
                     &m->compaction.n_parents, err));
    m->compaction.parents = items;
    AN_TRY(an_json_get_bool(v, "failed", &m->compaction.failed, err));
    items = m->compaction.hints;
    AN_TRY(
        read_list(a, v, "hints", read_text, sizeof(an_slice), &items, &m->compaction.n_hints, err));
    m->compaction.hints = items;
out:
    return rc;
}

/* Keeps the last of equal names, sorted. */
static void settle_labels(an_labels *ls)
{
    size_t n = 0;

    an_labels_sort(ls);
    for (size_t i = 0; i < ls->n; i++) {
        if (n > 0 && an_slice_eq(ls->v[n - 1].name, ls->v[i].name)) n--;
        ls->v[n++] = ls->v[i];
    }
    ls->n = n;
}

static an_rc read_labels(an_arena *a, const an_json *thanos, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;

    for (size_t pos = 0; (v = an_json_next(thanos, "labels", &pos)) != NULL;) {
        an_labels *ls = &m->thanos.labels;
        m->thanos.has_labels = v->type != AN_JSON_NULL;
        if (v->type == AN_JSON_NULL) {
            ls->n = 0;
            continue;
        }
        AN_TRY(want(v, AN_JSON_OBJECT, "labels", err));
        an_label *all = an_arena_try(a, ls->n + v->n, sizeof *all);
        AN_CHECK(all != NULL, err, AN_ELIMIT, "no memory for %zu labels", v->n);
        if (ls->n > 0) memcpy(all, ls->v, ls->n * sizeof *all);
        for (size_t i = 0; i < v->n; i++) {
            const an_json *value = &v->items[i];
            bool null = value->type == AN_JSON_NULL;
            if (!null) AN_TRY(want(value, AN_JSON_STRING, "a label", err));
            all[ls->n + i] = (an_label){v->keys[i], null ? AN_LIT("") : value->text};
        }
        *ls = (an_labels){ls->n + v->n, all};
        settle_labels(ls);
    }
out:
    return rc;
}

static an_rc read_downsample(an_arena *a, const an_json *v, an_meta *m, an_err *err)
{
    (void)a;
    return an_json_get_int64(v, "resolution", &m->thanos.resolution, err);
}

static an_rc read_index_stats(an_arena *a, const an_json *v, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;

    (void)a;
    AN_TRY(an_json_get_int64(v, "series_max_size", &m->thanos.index_stats.series_max_size, err));
    AN_TRY(an_json_get_int64(v, "chunk_max_size", &m->thanos.index_stats.chunk_max_size, err));
out:
    return rc;
}

static an_rc read_hash(const an_json *file, an_meta_file *f, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;

    for (size_t pos = 0; (v = an_json_next(file, "hash", &pos)) != NULL;) {
        f->has_hash = v->type != AN_JSON_NULL;
        if (v->type == AN_JSON_NULL) {
            f->hash_func = f->hash_value = AN_LIT("");
            continue;
        }
        AN_TRY(want(v, AN_JSON_OBJECT, "hash", err));
        AN_TRY(an_json_get_string(v, "hashFunc", &f->hash_func, err));
        AN_TRY(an_json_get_string(v, "value", &f->hash_value, err));
    }
out:
    return rc;
}

static an_rc read_file(an_arena *a, const an_json *v, void *item, an_err *err)
{
    an_rc rc = AN_OK;
    an_meta_file *f = item;

    (void)a;
    AN_TRY(want(v, AN_JSON_OBJECT, "a file", err));
    AN_TRY(an_json_get_string(v, "rel_path", &f->rel_path, err));
    AN_TRY(an_json_get_int64(v, "size_bytes", &f->size_bytes, err));
    AN_TRY(read_hash(v, f, err));
out:
    return rc;
}

static an_rc read_rewrites(an_arena *a, const an_json *thanos, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;
    an_buf text;

    an_buf_init(&text, (size_t)2 * AN_META_MAX, NULL);
    for (size_t pos = 0; (v = an_json_next(thanos, "rewrites", &pos)) != NULL;) {
        m->thanos.rewrites = AN_LIT("");
        if (v->type == AN_JSON_NULL) continue;
        an_buf_clear(&text);
        AN_TRY(an_rewrites_print(&text, v, err));
        AN_CHECK(!text.failed, err, AN_ELIMIT, "rewrites are too long");
        if (v->n > 0) m->thanos.rewrites = an_arena_dup(a, an_buf_slice(&text));
    }
out:
    an_buf_deinit(&text);
    return rc;
}

static an_rc read_extensions(an_arena *a, const an_json *thanos, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v, *bad = NULL;
    an_buf text;

    an_buf_init(&text, (size_t)4 * AN_META_MAX,
                NULL); /* a float may print longer than it was written */
    for (size_t pos = 0; (v = an_json_next(thanos, "extensions", &pos)) != NULL;) {
        m->thanos.extensions = AN_LIT("");
        if (v->type == AN_JSON_NULL) continue;
        an_buf_clear(&text);
        AN_CHECK(an_json_print_any(&text, v, true, &bad), err, AN_ECORRUPT,
                 "extensions: number %.*s is out of range", AN_PRI(bad->text));
        AN_CHECK(!text.failed, err, AN_ELIMIT, "extensions are too long");
        m->thanos.extensions = an_arena_dup(a, an_buf_slice(&text));
    }
out:
    an_buf_deinit(&text);
    return rc;
}

static an_rc read_upload_time(const an_json *thanos, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v;
    an_meta_time t;

    for (size_t pos = 0; (v = an_json_next(thanos, "upload_time", &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        AN_TRY(want(v, AN_JSON_STRING, "upload_time", err));
        AN_CHECK(an_time_parse(v->text, &t.sec, &t.nsec, &t.offset_s, err) == AN_OK, err,
                 AN_ECORRUPT, "upload_time \"%.*s\" is no RFC 3339 time", AN_PRI(v->text));
        m->thanos.upload_time = t;
    }
out:
    return rc;
}

static an_rc read_thanos(an_arena *a, const an_json *v, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    void *items;

    m->thanos.present = true;
    AN_TRY(an_json_get_int64(v, "version", &m->thanos.version, err));
    AN_TRY(read_labels(a, v, m, err));
    AN_TRY(read_part(a, v, "downsample", read_downsample, m, err));
    AN_TRY(an_json_get_string(v, "source", &m->thanos.source, err));
    items = m->thanos.segment_files;
    AN_TRY(read_list(a, v, "segment_files", read_text, sizeof(an_slice), &items,
                     &m->thanos.n_segment_files, err));
    m->thanos.segment_files = items;
    items = m->thanos.files;
    AN_TRY(
        read_list(a, v, "files", read_file, sizeof(an_meta_file), &items, &m->thanos.n_files, err));
    m->thanos.files = items;
    AN_TRY(read_rewrites(a, v, m, err));
    AN_TRY(read_part(a, v, "index_stats", read_index_stats, m, err));
    AN_TRY(read_extensions(a, v, m, err));
    AN_TRY(read_upload_time(v, m, err));
out:
    return rc;
}

static an_rc read_meta(an_arena *a, const an_json *root, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;

    /* A bare null is the zero value for Go, and then has no version. */
    AN_CHECK(root->type == AN_JSON_OBJECT || root->type == AN_JSON_NULL, err, AN_ECORRUPT,
             "the document is a %s, not an object", an_json_type_name(root));
    if (root->type == AN_JSON_OBJECT) {
        AN_TRY(get_ulid(root, "ulid", &m->ulid, err));
        AN_TRY(an_json_get_int64(root, "minTime", &m->mint, err));
        AN_TRY(an_json_get_int64(root, "maxTime", &m->maxt, err));
        AN_TRY(read_part(a, root, "stats", read_stats, m, err));
        AN_TRY(read_part(a, root, "compaction", read_compaction, m, err));
        AN_TRY(an_json_get_int64(root, "version", &m->version, err));
        AN_TRY(read_part(a, root, "thanos", read_thanos, m, err));
    }
out:
    return rc;
}

an_rc an_meta_parse(an_arena *a, an_slice doc, an_meta *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *root = NULL;
    an_meta m = {.thanos = {.upload_time = {.sec = AN_GO_ZERO_SEC}}};

    AN_TRY(an_json_parse(a, doc, AN_META_MAX, &root, err));
    AN_TRY(read_meta(a, root, &m, err));
    *out = m;
    AN_CHECK_CAUSE(m.version == 1, err, AN_EUNSUPPORTED, AN_CAUSE_META_FOREIGN,
                   "unexpected meta file version: %" PRId64, m.version);
out:
    if (rc != AN_OK) {
        an_err_cause(err, AN_CAUSE_META_CORRUPT);
        an_err_at(err, NULL, "meta.json", -1);
    }
    return rc;
}

/* ---- Writing ---- */

static void put_count(an_jsonw *w, const char *key, uint64_t v)
{
    if (v == 0) return;
    an_jsonw_key(w, key);
    an_jsonw_uint(w, v);
}

static void put_size(an_jsonw *w, const char *key, int64_t v)
{
    if (v == 0) return;
    an_jsonw_key(w, key);
    an_jsonw_int(w, v);
}

static void put_int(an_jsonw *w, const char *key, int64_t v)
{
    an_jsonw_key(w, key);
    an_jsonw_int(w, v);
}

static void put_true(an_jsonw *w, const char *key, bool v)
{
    if (!v) return;
    an_jsonw_key(w, key);
    an_jsonw_bool(w, true);
}

static void put_ulid(an_jsonw *w, an_ulid u)
{
    char text[AN_ULID_TEXT + 1];

    an_ulid_format(u, text);
    an_jsonw_cstr(w, text);
}

static void put_texts(an_jsonw *w, const char *key, const an_slice *v, size_t n)
{
    if (n == 0) return;
    an_jsonw_key(w, key);
    an_jsonw_begin_array(w);
    for (size_t i = 0; i < n; i++) an_jsonw_string(w, v[i]);
    an_jsonw_end_array(w);
}

static void put_stats(an_jsonw *w, const an_meta_stats *s)
{
    an_jsonw_key(w, "stats");
    an_jsonw_begin_object(w);
    put_count(w, "numSamples", s->samples);
    put_count(w, "numFloatSamples", s->float_samples);
    put_count(w, "numHistogramSamples", s->histogram_samples);
    put_count(w, "numSeries", s->series);
    put_count(w, "numChunks", s->chunks);
    put_count(w, "numTombstones", s->tombstones);
    an_jsonw_end_object(w);
}

static void put_compaction(an_jsonw *w, const an_meta *m)
{
    an_jsonw_key(w, "compaction");
    an_jsonw_begin_object(w);
    put_int(w, "level", m->compaction.level);
    if (m->compaction.n_sources > 0) {
        an_jsonw_key(w, "sources");
        an_jsonw_begin_array(w);
        for (size_t i = 0; i < m->compaction.n_sources; i++) put_ulid(w, m->compaction.sources[i]);
        an_jsonw_end_array(w);
    }
    put_true(w, "deletable", m->compaction.deletable);
    if (m->compaction.n_parents > 0) {
        an_jsonw_key(w, "parents");
        an_jsonw_begin_array(w);
        for (size_t i = 0; i < m->compaction.n_parents; i++) {
            const an_meta_parent *p = &m->compaction.parents[i];
            an_jsonw_begin_object(w);
            an_jsonw_key(w, "ulid");
            put_ulid(w, p->ulid);
            put_int(w, "minTime", p->mint);
            put_int(w, "maxTime", p->maxt);
            an_jsonw_end_object(w);
        }
        an_jsonw_end_array(w);
    }
    put_true(w, "failed", m->compaction.failed);
    put_texts(w, "hints", m->compaction.hints, m->compaction.n_hints);
    an_jsonw_end_object(w);
}

static void put_labels(an_jsonw *w, const an_meta *m)
{
    an_jsonw_key(w, "labels");
    if (!m->thanos.has_labels) {
        an_jsonw_null(w);
        return;
    }
    an_jsonw_begin_object(w);
    for (size_t i = 0; i < m->thanos.labels.n; i++) {
        an_jsonw_key_slice(w, m->thanos.labels.v[i].name);
        an_jsonw_string(w, m->thanos.labels.v[i].value);
    }
    an_jsonw_end_object(w);
}

static void put_file(an_jsonw *w, const an_meta_file *f)
{
    an_jsonw_begin_object(w);
    an_jsonw_key(w, "rel_path");
    an_jsonw_string(w, f->rel_path);
    put_size(w, "size_bytes", f->size_bytes);
    if (f->has_hash) {
        an_jsonw_key(w, "hash");
        an_jsonw_begin_object(w);
        an_jsonw_key(w, "hashFunc");
        an_jsonw_string(w, f->hash_func);
        an_jsonw_key(w, "value");
        an_jsonw_string(w, f->hash_value);
        an_jsonw_end_object(w);
    }
    an_jsonw_end_object(w);
}

static void put_thanos(an_jsonw *w, const an_meta *m)
{
    char time[AN_TIME_TEXT];
    an_meta_time t = m->thanos.upload_time;

    an_jsonw_key(w, "thanos");
    an_jsonw_begin_object(w);
    put_size(w, "version", m->thanos.version);
    put_labels(w, m);
    an_jsonw_key(w, "downsample");
    an_jsonw_begin_object(w);
    put_int(w, "resolution", m->thanos.resolution);
    an_jsonw_end_object(w);
    an_jsonw_key(w, "source");
    an_jsonw_string(w, m->thanos.source);
    put_texts(w, "segment_files", m->thanos.segment_files, m->thanos.n_segment_files);
    if (m->thanos.n_files > 0) {
        an_jsonw_key(w, "files");
        an_jsonw_begin_array(w);
        for (size_t i = 0; i < m->thanos.n_files; i++) put_file(w, &m->thanos.files[i]);
        an_jsonw_end_array(w);
    }
    if (m->thanos.rewrites.n > 0) {
        an_jsonw_key(w, "rewrites");
        an_jsonw_raw(w, m->thanos.rewrites);
    }
    an_jsonw_key(w, "index_stats");
    an_jsonw_begin_object(w);
    put_size(w, "series_max_size", m->thanos.index_stats.series_max_size);
    put_size(w, "chunk_max_size", m->thanos.index_stats.chunk_max_size);
    an_jsonw_end_object(w);
    if (m->thanos.extensions.n > 0) {
        an_jsonw_key(w, "extensions");
        an_jsonw_raw(w, m->thanos.extensions);
    }
    (void)an_time_print_offset(t.sec, t.nsec, t.offset_s, time);
    an_jsonw_key(w, "upload_time");
    an_jsonw_cstr(w, time);
    an_jsonw_end_object(w);
}

void an_meta_write(an_buf *out, const an_meta *m)
{
    an_jsonw w = an_jsonw_to(out, "\t", true);

    an_jsonw_begin_object(&w);
    an_jsonw_key(&w, "ulid");
    put_ulid(&w, m->ulid);
    put_int(&w, "minTime", m->mint);
    put_int(&w, "maxTime", m->maxt);
    put_stats(&w, &m->stats);
    put_compaction(&w, m);
    put_int(&w, "version", m->version);
    put_thanos(&w, m);
    an_jsonw_end_object(&w);
    an_buf_str(out, "\n");
}

void an_group_key(an_buf *out, int64_t resolution, an_labels labels)
{
    an_buf_printf(out, "%" PRId64 "@%" PRIu64, resolution, an_labels_hash(labels));
}
