// SPDX-License-Identifier: Apache-2.0
#include "tsdb/labels/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/jsonw.h"
#include "base/strconv.h"

int an_labels_cmp(an_labels a, an_labels b)
{
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int d = an_slice_cmp(a.v[i].name, b.v[i].name);
        if (d == 0) d = an_slice_cmp(a.v[i].value, b.v[i].value);
        if (d != 0) return d;
    }
    return (a.n > b.n) - (a.n < b.n);
}

an_slice an_labels_get(an_labels ls, an_slice name)
{
    for (size_t i = 0; i < ls.n; i++) {
        if (an_slice_eq(ls.v[i].name, name)) return ls.v[i].value;
    }
    return (an_slice){NULL, 0};
}

/* Merges the sorted halves v[0..mid) and v[mid..n); equal names keep their order. */
static void merge(an_label *v, size_t mid, size_t n, an_label *left)
{
    size_t i = 0, j = mid, k = 0;

    memcpy(left, v, mid * sizeof *left);
    while (i < mid) {
        if (j < n && an_slice_cmp(v[j].name, left[i].name) < 0)
            v[k++] = v[j++];
        else
            v[k++] = left[i++];
    }
}

static void sort(an_label *v, size_t n, an_label *left)
{
    if (n < 2) return;
    sort(v, n / 2, left);
    sort(v + n / 2, n - n / 2, left);
    if (an_slice_cmp(v[n / 2 - 1].name, v[n / 2].name) > 0) merge(v, n / 2, n, left);
}

void an_labels_sort(an_labels *ls)
{
    if (ls->n < 2) return;
    an_label *left = malloc(ls->n / 2 * sizeof *left);

    an_assert(left != NULL);
    sort(ls->v, ls->n, left);
    free(left);
}

/* A name that needs no quotes: [a-zA-Z_][a-zA-Z0-9_]*. */
static bool is_plain_name(an_slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) return false;
    }
    return name.n > 0;
}

void an_labels_print(an_buf *out, an_labels ls)
{
    an_buf_str(out, "{");
    for (size_t i = 0; i < ls.n; i++) {
        if (i > 0) an_buf_str(out, ", ");
        if (is_plain_name(ls.v[i].name))
            an_buf_slice_add(out, ls.v[i].name);
        else
            an_quote(out, ls.v[i].name);
        an_buf_str(out, "=");
        an_quote(out, ls.v[i].value);
    }
    an_buf_str(out, "}");
}

void an_labels_json(an_buf *out, an_labels ls)
{
    an_jsonw w = an_jsonw_to(out, NULL, true);

    an_jsonw_begin_object(&w);
    for (size_t i = 0; i < ls.n; i++) {
        an_jsonw_key_slice(&w, ls.v[i].name);
        an_jsonw_string(&w, ls.v[i].value);
    }
    an_jsonw_end_object(&w);
}

uint64_t an_labels_hash(an_labels ls)
{
    an_buf text;
    uint64_t h;

    an_buf_init(&text, SIZE_MAX, NULL);
    for (size_t i = 0; i < ls.n; i++) {
        an_buf_slice_add(&text, ls.v[i].name);
        an_buf_u8(&text, 0xff);
        an_buf_slice_add(&text, ls.v[i].value);
        an_buf_u8(&text, 0xff);
    }
    an_assert(!text.failed);
    h = an_xxh64(an_buf_slice(&text));
    an_buf_deinit(&text);
    return h;
}
