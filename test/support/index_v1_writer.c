// SPDX-License-Identifier: Apache-2.0
#include "support/index_v1_writer.h"

#include <stdlib.h>

#include "base/crc32c.h"

enum { MAX_SYMBOLS = 4096, MAX_PAIRS = 4096 };

typedef struct pair {
    const char *name, *value;
} pair;

typedef struct build {
    const raw_index *ix;
    an_buf *out;
    const char *symbols[MAX_SYMBOLS];
    uint32_t refs[MAX_SYMBOLS];
    size_t n_symbols;
    pair pairs[MAX_PAIRS]; /* sorted, ("","") first */
    size_t n_pairs;
    uint64_t lists[MAX_PAIRS];   /* offset of each pair's list */
    uint64_t indices[MAX_PAIRS]; /* offset of the label index of the name that begins here, or 0 */
    uint64_t *off;
} build;

static int cmp_str(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int cmp_pair(const void *a, const void *b)
{
    const pair *x = a, *y = b;
    int d = strcmp(x->name, y->name);
    return d != 0 ? d : strcmp(x->value, y->value);
}

static void collect(build *b)
{
    const raw_index *ix = b->ix;

    b->pairs[b->n_pairs++] = (pair){"", ""};
    for (size_t i = 0; i < ix->n_series; i++) {
        const char *const *l = ix->series[i].labels;
        for (size_t k = 0; k + 1 < 16 && l[k] != NULL; k += 2) {
            an_assert(b->n_symbols + 2 < MAX_SYMBOLS && b->n_pairs < MAX_PAIRS);
            b->pairs[b->n_pairs++] = (pair){l[k], l[k + 1]};
            b->symbols[b->n_symbols++] = l[k];
            b->symbols[b->n_symbols++] = l[k + 1];
        }
    }
    qsort(b->pairs, b->n_pairs, sizeof *b->pairs, cmp_pair);
    size_t n = 1;
    for (size_t i = 1; i < b->n_pairs; i++)
        if (cmp_pair(&b->pairs[n - 1], &b->pairs[i]) != 0) b->pairs[n++] = b->pairs[i];
    b->n_pairs = n;
    if (ix->symbols != NULL) {
        for (b->n_symbols = 0; ix->symbols[b->n_symbols] != NULL; b->n_symbols++)
            b->symbols[b->n_symbols] = ix->symbols[b->n_symbols];
        return;
    }
    qsort(b->symbols, b->n_symbols, sizeof *b->symbols, cmp_str);
    n = 0;
    for (size_t i = 0; i < b->n_symbols; i++)
        if (n == 0 || strcmp(b->symbols[n - 1], b->symbols[i]) != 0)
            b->symbols[n++] = b->symbols[i];
    b->n_symbols = n;
}

static uint32_t ref_of(const build *b, const char *s)
{
    for (size_t i = 0; i < b->n_symbols; i++)
        if (strcmp(b->symbols[i], s) == 0) return b->refs[i];
    an_assert(false); /* a label that is no symbol */
    return 0;
}

static void put_be32_at(an_buf *out, size_t at, size_t v)
{
    for (unsigned i = 0; i < 4; i++) out->p[at + i] = (uint8_t)(v >> (24 - 8 * i));
}

/* A section begins with room for its length and ends with its CRC. */
static size_t begin(an_buf *out)
{
    an_buf_be32(out, 0);
    return out->n;
}

static void end(an_buf *out, size_t from)
{
    put_be32_at(out, from - 4, out->n - from);
    an_buf_be32(out, an_crc32c(an_slice_of(out->p + from, out->n - from)));
}

static void align(an_buf *out, size_t to) { an_buf_fill(out, 0, (to - out->n % to) % to); }

static void put_str(an_buf *out, const char *s)
{
    an_buf_uvarint(out, strlen(s));
    an_buf_str(out, s);
}

static void write_symbols(build *b)
{
    const size_t from = begin(b->out);

    an_buf_be32(b->out, (uint32_t)b->n_symbols);
    for (size_t i = 0; i < b->n_symbols; i++) {
        b->refs[i] = b->ix->version == 1 ? (uint32_t)b->out->n : (uint32_t)i;
        put_str(b->out, b->symbols[i]);
    }
    end(b->out, from);
}

static void write_entry(build *b, const raw_series *s)
{
    an_buf body;
    size_t n = 0;

    an_buf_init(&body, 4096, NULL);
    while (n + 1 < 16 && s->labels[n] != NULL) n += 2;
    an_buf_uvarint(&body, n / 2);
    for (size_t i = 0; i < n; i++) an_buf_uvarint(&body, ref_of(b, s->labels[i]));
    an_buf_uvarint(&body, s->n_chunks);
    for (size_t i = 0; i < s->n_chunks; i++) {
        const an_chunk_meta *c = &s->chunks[i];
        if (i == 0)
            an_buf_varint(&body, c->mint);
        else
            an_buf_uvarint(&body, (uint64_t)c->mint - (uint64_t)c[-1].maxt);
        an_buf_uvarint(&body, (uint64_t)c->maxt - (uint64_t)c->mint);
        if (i == 0)
            an_buf_uvarint(&body, c->ref);
        else
            an_buf_varint(&body, (int64_t)(c->ref - c[-1].ref));
    }
    an_assert(!body.failed);
    an_buf_uvarint(b->out, body.n);
    an_buf_slice_add(b->out, an_buf_slice(&body));
    an_buf_be32(b->out, an_crc32c(an_buf_slice(&body)));
    an_buf_deinit(&body);
}

static bool has(const raw_series *s, const pair *p)
{
    if (p->name[0] == '\0' && p->value[0] == '\0') return true;
    for (size_t k = 0; k + 1 < 16 && s->labels[k] != NULL; k += 2)
        if (strcmp(s->labels[k], p->name) == 0 && strcmp(s->labels[k + 1], p->value) == 0)
            return true;
    return false;
}

static size_t nth(const size_t *order, size_t i) { return order == NULL ? i : order[i]; }

static void write_list(build *b, size_t p)
{
    const raw_index *ix = b->ix;
    const unsigned shift = ix->version == 1 ? 0 : 4;
    uint32_t n = 0;

    align(b->out, 4);
    b->lists[p] = b->out->n;
    const size_t from = begin(b->out);
    an_buf_be32(b->out, 0);
    for (size_t i = 0; i < ix->n_series; i++) {
        const size_t s = p == 0 ? nth(ix->list_order, i) : i;
        if (ix->series[s].unlisted || !has(&ix->series[s], &b->pairs[p])) continue;
        an_buf_be32(b->out, (uint32_t)(b->off[s] >> shift));
        n++;
    }
    put_be32_at(b->out, from, n);
    end(b->out, from);
}

/* One section per label name with the references of its values. */
static void write_label_indices(build *b)
{
    for (size_t i = 1; i < b->n_pairs;) {
        size_t to = i;
        while (to < b->n_pairs && strcmp(b->pairs[to].name, b->pairs[i].name) == 0) to++;
        align(b->out, 4);
        b->indices[i] = b->out->n;
        const size_t from = begin(b->out);
        an_buf_be32(b->out, 1);
        an_buf_be32(b->out, (uint32_t)(to - i));
        for (size_t k = i; k < to; k++) an_buf_be32(b->out, ref_of(b, b->pairs[k].value));
        end(b->out, from);
        i = to;
    }
}

static void write_label_table(build *b)
{
    const size_t from = begin(b->out);
    uint32_t n = 0;

    an_buf_be32(b->out, 0);
    for (size_t i = 1; i < b->n_pairs; i++) {
        if (b->indices[i] == 0) continue;
        an_buf_uvarint(b->out, 1);
        put_str(b->out, b->pairs[i].name);
        an_buf_uvarint(b->out, b->indices[i]);
        n++;
    }
    put_be32_at(b->out, from, n);
    end(b->out, from);
}

static void write_postings_table(build *b)
{
    const size_t skip = b->ix->no_all ? 1 : 0;
    const size_t from = begin(b->out);

    an_buf_be32(b->out, (uint32_t)(b->n_pairs - skip));
    for (size_t i = skip; i < b->n_pairs; i++) {
        const size_t p = nth(b->ix->table_order, i);
        an_buf_uvarint(b->out, 2);
        put_str(b->out, b->pairs[p].name);
        put_str(b->out, b->pairs[p].value);
        an_buf_uvarint(b->out, b->lists[p]);
    }
    end(b->out, from);
}

void raw_index_write(const raw_index *ix, an_buf *out, uint64_t *off)
{
    build *b = calloc(1, sizeof *b);
    const bool legacy = ix->legacy || ix->version == 1;
    uint64_t toc[6] = {5};

    an_assert(b != NULL && out->n == 0);
    b->ix = ix;
    b->out = out;
    b->off = calloc(ix->n_series + 1, sizeof *b->off);
    an_assert(b->off != NULL);
    collect(b);
    an_buf_be32(out, 0xBAAAD700);
    an_buf_u8(out, (uint8_t)ix->version);
    write_symbols(b);
    toc[1] = out->n;
    for (size_t i = 0; i < ix->n_series; i++) {
        if (ix->version != 1) align(out, 16);
        b->off[i] = out->n;
        write_entry(b, &ix->series[i]);
    }
    toc[2] = out->n;
    if (legacy) write_label_indices(b);
    toc[4] = out->n;
    for (size_t i = ix->no_all ? 1 : 0; i < b->n_pairs; i++) write_list(b, nth(ix->table_order, i));
    toc[3] = out->n;
    if (legacy) write_label_table(b);
    toc[5] = out->n;
    write_postings_table(b);
    const size_t at = out->n;
    for (size_t i = 0; i < 6; i++) an_buf_be64(out, toc[i]);
    an_buf_be32(out, an_crc32c(an_slice_of(out->p + at, 48)));
    an_assert(!out->failed);
    if (off != NULL) memcpy(off, b->off, ix->n_series * sizeof *off);
    free(b->off);
    free(b);
}
