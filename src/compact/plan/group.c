// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/jsonw.h"
#include "compact/plan/plan.h"

enum { KEY_MAX = 64, EXTENSIONS_MAX = AN_META_MAX };

int an_plan_stream_cmp(const an_meta *x, const an_meta *y)
{
    int64_t a = x->thanos.resolution, b = y->thanos.resolution;

    if (a != b) return a < b ? -1 : 1;
    return an_labels_cmp(x->thanos.labels, y->thanos.labels);
}

const an_plan_block **an_plan_list(an_arena *a, const an_plan_block *const *src, size_t n)
{
    const an_plan_block **v = (const an_plan_block **)an_arena_alloc(a, (n + 1) * sizeof *v);

    for (size_t i = 0; src != NULL && i < n; i++) v[i] = src[i];
    return v;
}

static int cmp_id(const void *x, const void *y)
{
    const an_plan_block *a = *(const an_plan_block *const *)x;
    const an_plan_block *b = *(const an_plan_block *const *)y;

    return an_ulid_cmp(a->id, b->id);
}

void an_plan_sort_by_id(const an_plan_block **v, size_t n)
{
    qsort((void *)v, n, sizeof *v, cmp_id);
}

static int cmp_ulid(const void *x, const void *y) { return memcmp(x, y, sizeof(an_ulid)); }

an_ulid *an_plan_sources(an_arena *a, const an_plan_block *const *b, size_t n, size_t *n_out)
{
    size_t total = 0, k = 0, kept = 0;

    for (size_t i = 0; i < n; i++) total += b[i]->meta->compaction.n_sources;
    an_ulid *v = an_arena_alloc(a, (total + 1) * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        for (size_t s = 0; s < b[i]->meta->compaction.n_sources; s++)
            v[k++] = b[i]->meta->compaction.sources[s];
    }
    qsort(v, k, sizeof *v, cmp_ulid);
    for (size_t i = 0; i < k; i++) {
        if (kept == 0 || !an_ulid_eq(v[kept - 1], v[i])) v[kept++] = v[i];
    }
    *n_out = kept;
    return v;
}

static int cmp_block(const void *x, const void *y)
{
    const an_plan_block *a = *(const an_plan_block *const *)x;
    const an_plan_block *b = *(const an_plan_block *const *)y;
    int d = an_plan_stream_cmp(a->meta, b->meta);

    if (d != 0) return d;
    if (a->meta->mint != b->meta->mint) return a->meta->mint < b->meta->mint ? -1 : 1;
    return an_ulid_cmp(a->id, b->id); /* upstream leaves the order of equal min times to chance */
}

static int cmp_group(const void *x, const void *y)
{
    const an_group *a = x, *b = y;
    int d = an_slice_cmp(a->key, b->key);

    /* Equal keys of different labels (a hash collision) are an error upstream; here two groups. */
    return d != 0 ? d : an_labels_cmp(a->labels, b->labels);
}

void an_groups_build(an_arena *a, const an_plan_block *const *blocks, size_t n, an_group **out,
                     size_t *n_out)
{
    const an_plan_block **v = an_plan_list(a, blocks, n);
    an_group *g = NULL;
    size_t n_groups = 0;
    an_buf key;

    qsort((void *)v, n, sizeof *v, cmp_block);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || an_plan_stream_cmp(v[i - 1]->meta, v[i]->meta) != 0) n_groups++;
    }
    *out = an_arena_alloc(a, (n_groups + 1) * sizeof **out);
    *n_out = n_groups;
    an_buf_init(&key, KEY_MAX, NULL);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || an_plan_stream_cmp(v[i - 1]->meta, v[i]->meta) != 0) {
            g = g == NULL ? *out : g + 1;
            an_buf_clear(&key);
            an_group_key(&key, v[i]->meta->thanos.resolution, v[i]->meta->thanos.labels);
            *g = (an_group){
                .key = an_arena_dup(a, an_buf_slice(&key)),
                .labels = v[i]->meta->thanos.labels,
                .resolution = v[i]->meta->thanos.resolution,
                .blocks = v + i,
            };
        }
        g->n++;
    }
    an_buf_deinit(&key);
    qsort(*out, n_groups, sizeof **out, cmp_group);
}

an_rc an_group_extensions(an_arena *a, const an_group *g, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *first = NULL;
    bool *keep = NULL;
    an_buf text, value;

    an_buf_init(&text, EXTENSIONS_MAX, NULL);
    an_buf_init(&value, EXTENSIONS_MAX, NULL);
    for (size_t i = 0; i < g->n; i++) {
        an_slice doc = g->blocks[i]->meta->thanos.extensions;
        const an_json *v = NULL;
        if (doc.n == 0) continue;
        AN_TRY(an_json_parse(a, doc, EXTENSIONS_MAX, &v, err));
        if (v->type != AN_JSON_OBJECT) continue;
        if (first == NULL) {
            first = v;
            keep = an_arena_alloc(a, v->n + 1);
            memset(keep, true, v->n);
            continue;
        }
        for (size_t k = 0; k < first->n; k++) {
            if (an_json_key(v, first->keys[k]) == NULL) keep[k] = false;
        }
    }
    if (first != NULL) {
        an_jsonw w = an_jsonw_to(&text, NULL, true);
        an_jsonw_begin_object(&w);
        for (size_t k = 0; k < first->n; k++) { /* canonical already: sorted, no repeats */
            if (!keep[k]) continue;
            an_buf_clear(&value);
            AN_CHECK(an_json_print_any(&value, &first->items[k], true, NULL) && !value.failed, err,
                     AN_ECORRUPT, "extensions: a number is out of range");
            an_jsonw_key_slice(&w, first->keys[k]);
            an_jsonw_raw(&w, an_buf_slice(&value));
        }
        an_jsonw_end_object(&w);
        AN_CHECK(!text.failed, err, AN_ELIMIT, "extensions: longer than %d bytes", EXTENSIONS_MAX);
    }
    *out = an_arena_dup(a, an_buf_slice(&text));
out:
    if (rc != AN_OK) an_err_wrap(err, "group %.*s", AN_PRI(g->key));
    an_buf_deinit(&text);
    an_buf_deinit(&value);
    return rc;
}
