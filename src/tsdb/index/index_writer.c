// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/index_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "tsdb/index/bounds.h"
#include "tsdb/index/health.h"
#include "tsdb/index/postings.h"
#include "tsdb/index/section.h"

enum { SERIES_ALIGN = 16, POSTINGS_ALIGN = 4, BUFFER_MAX = 256 * 1024, BUFFER_MIN = 4096 };

struct an_index_writer {
    const an_sink *sink;
    an_strtab *symbols;
    an_budget *budget;
    an_postings *postings;
    uint8_t *buf;
    size_t n, cap;
    uint64_t pos;    /* in the file, behind the buffer */
    size_t crc_from; /* first byte of the buffer that is not in `crc` yet */
    uint32_t crc;

    uint64_t series_at; /* TOC */
    uint64_t n_series;
    uint64_t last_ref;
    an_buf body; /* of one entry */
    an_buf last; /* uint32_t: labels of the last series */
    an_index_estimate estimate;
    bool failed;
};

static an_rc flush(an_index_writer *w, an_err *err)
{
    an_rc rc = AN_OK;

    w->crc = an_crc32c_update(w->crc, w->buf + w->crc_from, w->n - w->crc_from);
    w->crc_from = 0;
    if (w->n > 0) rc = an_sink_write(w->sink, an_slice_of(w->buf, w->n), err);
    w->n = 0;
    return rc;
}

static void crc_begin(an_index_writer *w)
{
    w->crc = 0;
    w->crc_from = w->n;
}

static uint32_t crc_end(an_index_writer *w)
{
    w->crc = an_crc32c_update(w->crc, w->buf + w->crc_from, w->n - w->crc_from);
    w->crc_from = w->n;
    return w->crc;
}

/* n bytes more of the file. */
static an_rc account(an_index_writer *w, uint64_t n, an_err *err)
{
    w->pos += n;
    if (w->pos <= AN_INDEX_MAX) return AN_OK;
    (void)AN_FAIL(err, AN_ELIMIT,
                  "the index exceeds its maximum size of 64GiB after %" PRIu64 " series",
                  w->n_series);
    (void)an_err_cause(err, AN_CAUSE_INDEX_64G);
    return an_err_values(err, AN_INDEX_MAX, w->pos);
}

static an_rc put(an_index_writer *w, const void *bytes, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    const uint8_t *p = bytes;

    AN_TRY(account(w, n, err));
    while (n > 0) {
        if (w->n == w->cap) AN_TRY(flush(w, err));
        const size_t step = n < w->cap - w->n ? n : w->cap - w->n;
        memcpy(w->buf + w->n, p, step);
        w->n += step;
        p += step;
        n -= step;
    }
out:
    return rc;
}

static void be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static an_rc put_be32(an_index_writer *w, uint32_t v, an_err *err)
{
    uint8_t b[4];

    be32(b, v);
    return put(w, b, sizeof b, err);
}

static an_rc put_be64(an_index_writer *w, uint64_t v, an_err *err)
{
    uint8_t b[8];

    be32(b, (uint32_t)(v >> 32));
    be32(b + 4, (uint32_t)v);
    return put(w, b, sizeof b, err);
}

static an_rc put_uvarint(an_index_writer *w, uint64_t v, an_err *err)
{
    uint8_t b[10];
    return put(w, b, an_put_uvarint(b, v), err);
}

static an_rc put_str(an_index_writer *w, an_slice s, an_err *err)
{
    an_rc rc = put_uvarint(w, s.n, err);
    return rc != AN_OK ? rc : put(w, s.p, s.n, err);
}

static an_rc pad(an_index_writer *w, unsigned to, an_err *err)
{
    static const uint8_t zero[SERIES_ALIGN];
    const uint64_t over = w->pos % to;
    return over == 0 ? AN_OK : put(w, zero, to - (size_t)over, err);
}

static an_rc write_symbols(an_index_writer *w, an_err *err)
{
    static const uint8_t header[] = {0xBA, 0xAA, 0xD7, 0x00, 2};
    an_rc rc = AN_OK;
    an_slice page;

    AN_TRY(put(w, header, sizeof header, err));
    AN_TRY(put_be32(w, (uint32_t)(4 + an_strtab_bytes(w->symbols)), err));
    crc_begin(w);
    AN_TRY(put_be32(w, an_strtab_n(w->symbols), err));
    for (size_t i = 0; i < an_strtab_pages(w->symbols); i++) {
        AN_TRY(an_strtab_page(w->symbols, i, &page, err));
        AN_TRY(put(w, page.p, page.n, err));
    }
    AN_TRY(put_be32(w, crc_end(w), err));
    w->series_at = w->pos;
out:
    return rc;
}

an_rc an_index_writer_open(const an_sink *sink, an_strtab *symbols, an_budget *b,
                           const an_spill *spill, an_index_writer **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_index_writer *w = calloc(1, sizeof *w);

    *out = NULL;
    AN_CHECK(w != NULL, err, AN_ELIMIT, "index: no memory for a writer");
    w->sink = sink;
    w->symbols = symbols;
    w->budget = b;
    an_buf_init(&w->body, AN_INDEX_ITEM_MAX, b);
    an_buf_init(&w->last, AN_INDEX_ITEM_MAX, b);
    size_t cap = BUFFER_MAX;
    while (b != NULL && cap > BUFFER_MIN && cap > an_budget_limit(b) / 16) cap /= 2;
    AN_CHECK(an_budget_take(b, cap), err, AN_ELIMIT, "index: no memory for a buffer of %zu bytes",
             cap);
    w->cap = cap;
    w->buf = malloc(cap);
    AN_CHECK(w->buf != NULL, err, AN_ELIMIT, "index: no memory for a buffer of %zu bytes", cap);
    AN_TRY(an_postings_new(b, spill, &w->postings, err));
    AN_TRY(write_symbols(w, err));
    *out = w;
out:
    if (rc != AN_OK) an_index_writer_close(w);
    return rc;
}

void an_index_writer_close(an_index_writer *w)
{
    if (w == NULL) return;
    an_postings_free(w->postings);
    an_buf_deinit(&w->body);
    an_buf_deinit(&w->last);
    free(w->buf);
    an_budget_give(w->budget, w->cap);
    free(w);
}

/* `{a="b", c="d"}`, cut where `out` ends. */
static void print_labels(an_index_writer *w, const uint32_t *labels, size_t n, char *out,
                         size_t size)
{
    size_t at = 0;
    an_slice s;
    an_err ignored; /* a text without its strings is still a text */

    for (size_t i = 0; i < 2 * n && at < size; i++) {
        if (labels[i] >= an_strtab_n(w->symbols) ||
            an_strtab_get(w->symbols, labels[i], &s, &ignored) != AN_OK)
            s = AN_LIT("?");
        const char *before = i % 2 != 0 ? "=\"" : i == 0 ? "{" : ", ";
        at += (size_t)snprintf(out + at, size - at, "%s%.*s%s", before, AN_PRI(s),
                               i % 2 != 0 ? "\"" : "");
    }
    if (at < size) (void)snprintf(out + at, size - at, n == 0 ? "{}" : "}");
}

static an_rc check_labels(an_index_writer *w, const uint32_t *labels, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    const uint32_t *last = (const uint32_t *)w->last.p;
    const size_t last_n = w->last.n / sizeof *last;
    const uint32_t n_symbols = an_strtab_n(w->symbols);
    size_t i = 0;

    while (i < 2 * n && i < last_n && labels[i] == last[i]) i++;
    const bool above = i < 2 * n && (i == last_n || labels[i] > last[i]);
    if (!above) {
        char now[200], before[200];
        print_labels(w, labels, n, now, sizeof now);
        print_labels(w, last, last_n / 2, before, sizeof before);
        (void)AN_FAIL(err, AN_EHALT,
                      "out-of-order series added with label set %s, last label set "
                      "%s",
                      now, before);
        return an_err_cause(err, AN_CAUSE_OOO_SERIES);
    }
    for (; i < 2 * n; i++)
        AN_CHECK(labels[i] < n_symbols, err, AN_EHALT, "symbol entry for ordinal %u does not exist",
                 labels[i]);
out:
    return rc;
}

static an_rc check_chunks(an_index_writer *w, const an_chunk_meta *c, size_t n, an_err *err)
{
    uint64_t ref = w->last_ref;

    for (size_t i = 0; i < n; i++) {
        if (c[i].ref < ref)
            return AN_FAIL(err, AN_EHALT,
                           "unsorted chunk reference: %" PRIu64 ", previous: %" PRIu64, c[i].ref,
                           ref);
        ref = c[i].ref;
        if (i > 0 && c[i].mint <= c[i - 1].maxt) {
            const bool twin = c[i].mint == c[i - 1].mint && c[i].maxt == c[i - 1].maxt;
            (void)AN_FAIL(err, AN_EHALT,
                          "chunk minT %" PRId64 " is not higher than previous chunk "
                          "maxT %" PRId64,
                          c[i].mint, c[i - 1].maxt);
            return an_err_cause(err, twin ? AN_CAUSE_DUP_CHUNKS : AN_CAUSE_OOO_CHUNKS);
        }
        if (c[i].maxt < c[i].mint) {
            (void)AN_FAIL(err, AN_EHALT, "chunk maxT %" PRId64 " is less than minT %" PRId64,
                          c[i].maxt, c[i].mint);
            return an_err_cause(err, AN_CAUSE_OOO_CHUNKS);
        }
    }
    return AN_OK;
}

static inline uint8_t *uvarint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *varint(uint8_t *p, int64_t v)
{
    return uvarint(p, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

static size_t uvarint_len(uint64_t v)
{
    uint8_t b[10];
    return an_put_uvarint(b, v);
}

/* Bytes that n chunks take in an entry: guessed from above while that is cheap, else counted, for
 * the guess is three times too high. */
static size_t chunks_size(const an_chunk_meta *c, size_t n)
{
    enum { CHUNK_MAX = 30, GUESSED = 128 };
    size_t size = (size_t)2 * CHUNK_MAX;

    if (n <= GUESSED) return n * CHUNK_MAX;
    for (size_t i = 1; i < n; i++) {
        const uint64_t ref = c[i].ref - c[i - 1].ref;
        size += uvarint_len((uint64_t)c[i].mint - (uint64_t)c[i - 1].maxt) +
                uvarint_len((uint64_t)c[i].maxt - (uint64_t)c[i].mint) +
                uvarint_len(ref << 1 ^ (0 - (ref >> 63)));
    }
    return size;
}

/* Room in a buffer that begins anew; postings make way for it. */
static an_rc room(an_index_writer *w, an_buf *b, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    an_buf_clear(b);
    if (an_buf_reserve(b, n)) return AN_OK;
    AN_TRY(an_postings_make_room(w->postings, err));
    b->failed = false;
    AN_CHECK(an_buf_reserve(b, n), err, AN_ELIMIT, "index: no memory for an entry of %zu bytes", n);
out:
    return rc;
}

/* The entry's body with its CRC. */
static an_rc encode(an_index_writer *w, const uint32_t *labels, size_t n_labels,
                    const an_chunk_meta *c, size_t n_chunks, an_err *err)
{
    an_rc rc = AN_OK;
    enum { REF_MAX = 5, AROUND = 10 + 10 + 4 };

    AN_CHECK(n_labels < AN_INDEX_ITEM_MAX / 16 && n_chunks < AN_INDEX_ITEM_MAX / 16, err, AN_ELIMIT,
             "a series of %zu labels and %zu chunks", n_labels, n_chunks);
    AN_TRY(room(w, &w->body, n_labels * 2 * REF_MAX + chunks_size(c, n_chunks) + AROUND, err));
    uint8_t *p = uvarint(w->body.p, n_labels);
    for (size_t i = 0; i < 2 * n_labels; i++) p = uvarint(p, labels[i]);
    p = uvarint(p, n_chunks);
    for (size_t i = 0; i < n_chunks; i++) {
        if (i == 0)
            p = varint(p, c[i].mint);
        else
            p = uvarint(p, (uint64_t)c[i].mint - (uint64_t)c[i - 1].maxt);
        p = uvarint(p, (uint64_t)c[i].maxt - (uint64_t)c[i].mint);
        if (i == 0)
            p = uvarint(p, c[i].ref);
        else
            p = varint(p, (int64_t)(c[i].ref - c[i - 1].ref));
    }
    w->body.n = (size_t)(p - w->body.p);
    be32(p, an_crc32c(an_buf_slice(&w->body)));
    w->body.n += 4;
out:
    return rc;
}

an_rc an_index_writer_add(an_index_writer *w, const uint32_t *labels, size_t n_labels,
                          const an_chunk_meta *chunks, size_t n_chunks, an_err *err)
{
    an_rc rc = AN_OK;

    an_assert(!w->failed);
    w->failed = true;
    AN_TRY(check_labels(w, labels, n_labels, err));
    AN_TRY(check_chunks(w, chunks, n_chunks, err));
    AN_TRY(encode(w, labels, n_labels, chunks, n_chunks, err));
    AN_TRY(pad(w, SERIES_ALIGN, err));
    const uint64_t id = w->pos / SERIES_ALIGN;
    AN_TRY(put_uvarint(w, w->body.n - 4, err));
    AN_TRY(put(w, w->body.p, w->body.n, err));
    AN_TRY(an_postings_add(w->postings, (uint32_t)id, labels, n_labels, err));
    an_index_estimate_add(&w->estimate, id, SERIES_ALIGN, chunks, n_chunks);
    AN_TRY(room(w, &w->last, 2 * n_labels * sizeof *labels, err));
    an_buf_add(&w->last, labels, 2 * n_labels * sizeof *labels);
    if (n_chunks > 0) w->last_ref = chunks[n_chunks - 1].ref;
    w->n_series++;
    w->failed = false;
out:
    return rc;
}

static an_rc put_id(an_index_writer *w, uint32_t id, an_err *err)
{
    an_rc rc = AN_OK;

    if (w->cap - w->n < sizeof id) AN_TRY(flush(w, err));
    be32(w->buf + w->n, id);
    w->n += sizeof id;
out:
    return rc;
}

/* The ids of a list behind its count. */
static an_rc write_ids(an_index_writer *w, const an_postings_list *list, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t id = list->first, d = 0;
    uint64_t n = 1;
    unsigned shift = 0;
    an_slice b;

    if (list->n == 0) return AN_OK;
    AN_TRY(account(w, 4 * list->n, err));
    AN_TRY(put_id(w, id, err));
    for (;;) {
        AN_TRY(an_postings_bytes(w->postings, &b, err));
        if (b.n == 0) break;
        for (size_t i = 0; i < b.n; i++) { /* a difference may go on in the next piece */
            AN_CHECK(shift < 32, err, AN_EIO, "a spilled run of postings is damaged");
            d |= (uint32_t)(b.p[i] & 0x7f) << shift;
            shift += 7;
            if (b.p[i] >= 0x80) continue;
            id += d;
            d = shift = 0;
            n++;
            AN_TRY(put_id(w, id, err));
        }
    }
    AN_CHECK(n == list->n, err, AN_EIO,
             "a spilled run of postings is damaged: %" PRIu64 " ids of %" PRIu64, n, list->n);
out:
    return rc;
}

/* What the postings offset table will be, and what the lists tell on the way to it. */
typedef struct table {
    uint64_t start; /* of the first list */
    uint64_t bytes; /* of the entries */
    uint64_t n;
    an_buf name; /* of the present key */
    uint32_t key;
    uint64_t uses; /* of that name */
} table;

/* Name and value of a list; the name is fetched when it changes. */
static an_rc strings_of(an_index_writer *w, table *t, const an_postings_list *list, an_slice *name,
                        an_slice *value, an_err *err)
{
    an_rc rc = AN_OK;

    *name = *value = (an_slice){NULL, 0};
    if (list->key == 0) return AN_OK;
    if (list->key != t->key) {
        AN_TRY(an_strtab_get(w->symbols, list->key - 1, name, err));
        an_buf_clear(&t->name);
        an_buf_slice_add(&t->name, *name);
        AN_CHECK(!t->name.failed, err, AN_ELIMIT, "index: no memory for a name of %zu bytes",
                 name->n);
        t->key = list->key;
        t->uses = 0;
    }
    *name = an_buf_slice(&t->name);
    AN_TRY(an_strtab_get(w->symbols, list->value, value, err));
out:
    return rc;
}

static an_rc too_long(const char *what, uint64_t n, an_err *err)
{
    (void)AN_FAIL(err, AN_ELIMIT, "%s exceeds 4 bytes: %" PRIu64, what, n);
    (void)an_err_cause(err, AN_CAUSE_SYMBOLS_4G);
    return an_err_values(err, AN_SECTION_MAX, n);
}

static an_rc write_lists(an_index_writer *w, table *t, an_err *err)
{
    an_rc rc = AN_OK;
    an_postings_list list;
    an_slice name, value;

    while ((rc = an_postings_next(w->postings, &list, err)) == AN_OK) {
        const uint64_t len = 4 + 4 * list.n;
        AN_TRY(strings_of(w, t, &list, &name, &value, err));
        t->uses += list.n;
        AN_CHECK(t->uses <= w->n_series || list.key == 0, err, AN_EHALT,
                 "corruption detected when writing postings to index: label \"%.*s\" has %" PRIu64
                 " uses, but maxPostings is %" PRIu64,
                 AN_PRI(name), t->uses, w->n_series);
        if (len > AN_SECTION_MAX) return too_long("posting size", len, err);
        t->n++;
        t->bytes +=
            1 + uvarint_len(name.n) + name.n + uvarint_len(value.n) + value.n + uvarint_len(w->pos);
        AN_TRY(put_be32(w, (uint32_t)len, err));
        crc_begin(w);
        AN_TRY(put_be32(w, (uint32_t)list.n, err));
        AN_TRY(write_ids(w, &list, err));
        AN_TRY(put_be32(w, crc_end(w), err));
    }
    if (rc == AN_ENOTFOUND) rc = AN_OK;
out:
    return rc;
}

static an_rc write_table(an_index_writer *w, table *t, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t at = t->start;
    an_postings_list list;
    an_slice name, value;

    if (4 + t->bytes > AN_SECTION_MAX)
        return too_long("postings offset table length", 4 + t->bytes, err);
    AN_TRY(put_be32(w, (uint32_t)(4 + t->bytes), err));
    crc_begin(w);
    AN_TRY(put_be32(w, (uint32_t)t->n, err));
    while ((rc = an_postings_next(w->postings, &list, err)) == AN_OK) {
        AN_TRY(strings_of(w, t, &list, &name, &value, err));
        AN_TRY(put_uvarint(w, 2, err));
        AN_TRY(put_str(w, name, err));
        AN_TRY(put_str(w, value, err));
        AN_TRY(put_uvarint(w, at, err));
        at += 4 + 4 + 4 * list.n + 4;
    }
    if (rc == AN_ENOTFOUND) rc = put_be32(w, crc_end(w), err);
out:
    return rc;
}

an_rc an_index_writer_finish(an_index_writer *w, an_index_written *out, an_err *err)
{
    an_rc rc = AN_OK;
    table t = {0};

    an_assert(!w->failed);
    w->failed = true; /* nothing can be added any more */
    an_buf_init(&t.name, AN_INDEX_ITEM_MAX, w->budget);
    const uint64_t series_end = w->pos; /* where TOC lets label indices and postings begin */
    AN_TRY(pad(w, POSTINGS_ALIGN, err));
    t.start = w->pos;
    AN_TRY(an_postings_finish(w->postings, err));
    AN_TRY(write_lists(w, &t, err));
    const uint64_t table_at = w->pos;
    t.key = 0;
    AN_TRY(an_postings_finish(w->postings, err));
    AN_TRY(write_table(w, &t, err));
    const uint64_t toc[] = {5, w->series_at, series_end, table_at, series_end, table_at};
    crc_begin(w);
    for (size_t i = 0; i < sizeof toc / sizeof *toc; i++) AN_TRY(put_be64(w, toc[i], err));
    AN_TRY(put_be32(w, crc_end(w), err));
    AN_TRY(flush(w, err));
    *out = (an_index_written){w->pos, w->n_series, w->estimate.series_max_size,
                              w->estimate.chunk_max_size};
out:
    an_buf_deinit(&t.name);
    return rc;
}
