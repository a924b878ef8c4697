// SPDX-License-Identifier: Apache-2.0
/* The walk over all series: the hottest loop of a compaction. One entry costs one bounds check
 * against the view, one CRC over its body, and its varints; nothing is copied but the numbers. */
#include <stdlib.h>

#include "base/crc32c.h"
#include "tsdb/index/section.h"

enum { LEN_MAX = 5, CRC = 4 }; /* bytes of an entry's length, at most, and of its CRC */

struct an_series_iter {
    an_index ix;
    an_budget *budget;
    an_view view;      /* over the series */
    an_section list;   /* the all-postings list */
    const uint8_t *id; /* next id of the list at hand ... */
    const uint8_t *id_end;
    uint32_t i, n;      /* entries handed out, entries the list names */
    unsigned shift;     /* id << shift is a file offset */
    uint64_t accounted; /* file offset up to which all bytes are entries handed out, or padding */
    uint64_t jumped_at; /* first offset where the list did not go on with the next entry; 0: none */
    uint32_t ref_lo, ref_span; /* label references are in [ref_lo, ref_lo + ref_span) */
    uint32_t *labels;
    size_t labels_cap; /* u32s */
    an_chunk_meta *chunks;
    size_t chunks_cap;
};

static an_rc open_list(an_series_iter *it, const an_source *src, uint64_t all, an_err *err)
{
    an_rc rc = AN_OK;
    an_view v;
    an_slice b;

    an_view_init(&v, src, NULL);
    AN_CHECK_CAUSE(all < it->ix.size && it->ix.size - all >= 12, err, AN_ECORRUPT,
                   AN_CAUSE_INDEX_UNREADABLE, "decode postings: invalid size");
    AN_TRY(an_view_at(&v, all, 8, &b, err));
    const uint64_t len = an_be32_at(b.p), n = an_be32_at(b.p + 4);
    if (len != 4 + 4 * n || len > it->ix.size - all - 8) {
        rc = AN_UNREADABLE(err, all,
                           "decode postings: unexpected postings length, should be %llu "
                           "bytes for %llu postings, got %llu bytes",
                           (unsigned long long)(4 * n), (unsigned long long)n,
                           (unsigned long long)len - 4);
        (void)an_err_values(err, 4 + 4 * n, len);
        goto out;
    }
    it->n = (uint32_t)n;
    an_section_init(&it->list, "decode postings", src, all + 4, len, NULL); /* items of 4 bytes */
    AN_TRY(an_section_skip(&it->list, 4, err));
out:
    an_view_deinit(&v);
    return rc;
}

an_rc an_series_iter_open(const an_index *ix, const an_source *series, const an_source *postings,
                          uint64_t all, an_budget *budget, an_series_iter **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_series_iter *it = calloc(1, sizeof *it);

    *out = NULL;
    an_assert(it != NULL);
    it->ix = *ix;
    it->budget = budget;
    it->accounted = ix->series;
    if (ix->version == 1) {
        it->ref_lo = (uint32_t)ix->symbols + 8; /* past length and count */
        it->ref_span = (uint32_t)ix->symbols_len - 4;
    } else {
        it->shift = 4;
        it->ref_span = ix->n_symbols;
    }
    an_view_init(&it->view, series, budget);
    if (all != 0) AN_TRY(open_list(it, postings, all, err));
    *out = it;
out:
    if (rc != AN_OK) an_series_iter_close(it);
    return rc;
}

void an_series_iter_close(an_series_iter *it)
{
    if (it == NULL) return;
    an_view_deinit(&it->view);
    an_section_deinit(&it->list);
    free(it->labels);
    free(it->chunks);
    an_budget_give(it->budget, it->labels_cap * sizeof *it->labels);
    an_budget_give(it->budget, it->chunks_cap * sizeof *it->chunks);
    free(it);
}

uint32_t an_series_iter_n(const an_series_iter *it) { return it->n; }

/* Replaces an array by one of at least `need` items; what it held is not needed any more. */
static void *regrow(an_series_iter *it, void *old, size_t *cap, size_t need, size_t size,
                    an_err *err)
{
    size_t want = need < 64 ? 64 : need + need / 2;

    free(old);
    an_budget_give(it->budget, *cap * size);
    *cap = 0;
    if (!an_budget_take(it->budget, want * size)) {
        (void)AN_FAIL(err, AN_ELIMIT, "series: no memory for %zu bytes of one entry", want * size);
        return NULL;
    }
    void *p = malloc(want * size);
    if (p == NULL) {
        an_budget_give(it->budget, want * size);
        (void)AN_FAIL(err, AN_ELIMIT, "series: no memory for %zu bytes of one entry", want * size);
        return NULL;
    }
    *cap = want;
    return p;
}

/* A label reference: one to three bytes nearly always. */
static inline const uint8_t *get_ref(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    if (end - p >= 3) {
        if (p[0] < 0x80) {
            *v = p[0];
            return p + 1;
        }
        if (p[1] < 0x80) {
            *v = (p[0] & 0x7fu) | (uint32_t)p[1] << 7;
            return p + 2;
        }
        if (p[2] < 0x80) {
            *v = (p[0] & 0x7fu) | (p[1] & 0x7fu) << 7 | (uint32_t)p[2] << 14;
            return p + 3;
        }
    }
    return an_uvarint_multi(p, end, v);
}

static inline const uint8_t *get_varint(const uint8_t *p, const uint8_t *end, int64_t *v)
{
    uint64_t u = 0;

    p = an_uvarint_at(p, end, &u);
    *v = (int64_t)(u >> 1 ^ (0 - (u & 1)));
    return p;
}

static an_rc bad_entry(const an_series_iter *it, uint64_t off, const char *what, uint64_t i,
                       an_err *err)
{
    return AN_UNREADABLE(err, off, "read series: entry %u of %u: %s %llu: invalid size", it->i,
                         it->n, what, (unsigned long long)i);
}

static an_rc bad_ref(const an_series_iter *it, uint64_t off, const uint64_t ref, size_t i,
                     an_err *err)
{
    an_rc rc = AN_UNREADABLE(err, off,
                             "read series: entry %u of %u: lookup label %s: unknown symbol "
                             "offset %llu",
                             it->i, it->n, i % 2 == 0 ? "name" : "value", (unsigned long long)ref);
    (void)an_err_values(err, (uint64_t)it->ref_lo + it->ref_span, ref);
    return rc;
}

static const uint8_t *decode_labels(an_series_iter *it, an_series_entry *e, const uint8_t *p,
                                    an_rc *rc, an_err *err)
{
    const uint8_t *end = e->body.p + e->body.n;
    uint64_t n;

    p = an_uvarint_at(p, end, &n);
    if (p == NULL || n > (uint64_t)(end - p) / 2) { /* two bytes a label at least */
        *rc = bad_entry(it, e->off, "label count", p == NULL ? 0 : n, err);
        return NULL;
    }
    if (2 * n > it->labels_cap) {
        it->labels =
            regrow(it, it->labels, &it->labels_cap, 2 * (size_t)n, sizeof *it->labels, err);
        if (it->labels == NULL) {
            *rc = err->rc;
            return NULL;
        }
    }
    uint32_t *labels = it->labels;
    const uint32_t lo = it->ref_lo, span = it->ref_span;
    for (size_t i = 0; i < 2 * n; i++) {
        uint64_t ref;
        if ((p = get_ref(p, end, &ref)) == NULL) {
            *rc = bad_entry(it, e->off, "label", i / 2, err);
            return NULL;
        }
        if (ref - lo >= span) { /* wraps below lo */
            *rc = bad_ref(it, e->off, ref, i, err);
            return NULL;
        }
        labels[i] = (uint32_t)ref;
    }
    e->labels = labels;
    e->n_labels = (size_t)n;
    return p;
}

static const uint8_t *decode_chunks(an_series_iter *it, an_series_entry *e, const uint8_t *p,
                                    an_rc *rc, an_err *err)
{
    const uint8_t *end = e->body.p + e->body.n;
    uint64_t n, u, i = 0;
    int64_t s;

    p = an_uvarint_at(p, end, &n);
    if (p == NULL || n > (uint64_t)(end - p) / 3) {
        *rc = bad_entry(it, e->off, "chunk count", p == NULL ? 0 : n, err);
        return NULL;
    }
    if (n > it->chunks_cap) {
        it->chunks = regrow(it, it->chunks, &it->chunks_cap, (size_t)n, sizeof *it->chunks, err);
        if (it->chunks == NULL) {
            *rc = err->rc;
            return NULL;
        }
    }
    an_chunk_meta *c = it->chunks;
    uint64_t t = 0, ref = 0; /* wrap as Go's do: a broken order decodes back to what it was */
    for (; i < n; i++) {
        if (i == 0) {
            if ((p = get_varint(p, end, &s)) == NULL) goto bad;
            t = (uint64_t)s;
        } else {
            if ((p = an_uvarint_at(p, end, &u)) == NULL) goto bad;
            t += u;
        }
        c[i].mint = (int64_t)t;
        if ((p = an_uvarint_at(p, end, &u)) == NULL) goto bad;
        t += u;
        c[i].maxt = (int64_t)t;
        if (i == 0) {
            if ((p = an_uvarint_at(p, end, &ref)) == NULL) goto bad;
        } else {
            if ((p = get_varint(p, end, &s)) == NULL) goto bad;
            ref += (uint64_t)s;
        }
        c[i].ref = ref;
    }
    e->chunks = c;
    e->n_chunks = (size_t)n;
    return p;
bad:
    *rc = bad_entry(it, e->off, "read meta for chunk", i, err);
    return NULL;
}

static an_rc decode(an_series_iter *it, an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    const uint8_t *p = decode_labels(it, e, e->body.p, &rc, err);

    if (p != NULL) p = decode_chunks(it, e, p, &rc, err);
    if (p != NULL && p != e->body.p + e->body.n)
        rc = AN_UNREADABLE(err, e->off,
                           "read series: entry %u of %u: %zu bytes behind its last "
                           "chunk",
                           it->i, it->n, (size_t)(e->body.p + e->body.n - p));
    return rc;
}

/* Are bytes [from, to) all zero? */
static an_rc is_padding(an_series_iter *it, uint64_t from, uint64_t to, bool *zero, an_err *err)
{
    an_slice b;

    *zero = true;
    while (from < to) {
        an_rc rc = an_view_at(&it->view, from, 1, &b, err);
        if (rc != AN_OK) return rc;
        size_t n = b.n < to - from ? b.n : (size_t)(to - from);
        uint8_t any = 0;
        for (size_t i = 0; i < n; i++) any |= b.p[i];
        if (any != 0) {
            *zero = false;
            return AN_OK;
        }
        from += n;
    }
    return AN_OK;
}

/* The length of the entry at off, and the entry whole in *b, which begins with it. */
static an_rc load_entry(an_series_iter *it, uint64_t off, uint64_t left, an_slice *b, uint64_t *len,
                        const uint8_t **body, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(an_view_at(&it->view, off, left < LEN_MAX ? (size_t)left : LEN_MAX, b, err));
    const uint8_t *limit = b->p + (left < LEN_MAX ? left : LEN_MAX);
    *body = an_uvarint_at(b->p, limit, len);
    if (*body == NULL)
        return AN_UNREADABLE(err, off, "read series: entry %u of %u: invalid uvarint", it->i,
                             it->n);
    const uint64_t head = (uint64_t)(*body - b->p);
    if (*len > left - head || left - head - *len < CRC) {
        (void)AN_UNREADABLE(err, off,
                            "read series: entry %u of %u: invalid size: %llu bytes where "
                            "%llu are left",
                            it->i, it->n, (unsigned long long)*len, (unsigned long long)left);
        return an_err_values(err, left, *len);
    }
    AN_CHECK(*len <= AN_INDEX_ITEM_MAX - LEN_MAX - CRC, err, AN_ELIMIT,
             "read series: entry %u of %u has %llu bytes, above the maximum of %d", it->i, it->n,
             (unsigned long long)*len, AN_INDEX_ITEM_MAX);
    AN_TRY(an_view_at(&it->view, off, (size_t)(head + *len + CRC), b, err));
    *body = b->p + head;
out:
    return rc;
}

static an_rc read_entry(an_series_iter *it, uint64_t off, an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    const uint64_t left = it->ix.series_end - off;
    const uint64_t skip = off - it->view.off; /* wraps when off is in front of the view */
    const uint8_t *body = NULL;
    uint64_t len = 0;
    an_slice b;

    if (skip < it->view.bytes.n) {
        const uint8_t *p = it->view.bytes.p + skip, *end = it->view.bytes.p + it->view.bytes.n;
        const uint8_t *limit = (uint64_t)(end - p) > left ? p + left : end;
        body = an_uvarint_at(p, limit - p > LEN_MAX ? p + LEN_MAX : limit, &len);
        if (body != NULL &&
            ((uint64_t)(limit - body) < CRC || len > (uint64_t)(limit - body) - CRC))
            body = NULL;
    }
    if (body == NULL) AN_TRY(load_entry(it, off, left, &b, &len, &body, err));
    e->body = an_slice_of(body, (size_t)len);
    const uint32_t want = an_be32_at(body + len), got = an_crc32c(e->body);
    if (want != got) {
        (void)AN_UNREADABLE(err, off,
                            "read series: entry %u of %u: invalid checksum: computed %08x, "
                            "stored %08x",
                            it->i, it->n, got, want);
        return an_err_values(err, want, got);
    }
    e->off = off;
    AN_TRY(decode(it, e, err));
    it->accounted = (uint64_t)(body - it->view.bytes.p) + it->view.off + len + CRC;
out:
    return rc;
}

/* The list did not name the entries one after the other, so it may have left some out: counts what
 * there is. A list that names one twice to make up for it is out of label order (health.h). */
static an_rc count_entries(an_series_iter *it, an_err *err)
{
    an_rc rc = AN_OK;
    const uint64_t end = it->ix.series_end;
    uint64_t pos = it->ix.series, n = 0, len = 0;
    const uint8_t *body = NULL;
    an_slice b;

    while (pos < end) {
        AN_TRY(an_view_at(&it->view, pos, 1, &b, err));
        const size_t have = b.n < end - pos ? b.n : (size_t)(end - pos);
        size_t zeros = 0;
        while (zeros < have && b.p[zeros] == 0) zeros++;
        pos += zeros;
        if (zeros == have) continue;
        rc = load_entry(it, pos, end - pos, &b, &len, &body, err);
        if (rc == AN_ECORRUPT ||
            (rc == AN_OK && an_be32_at(body + len) != an_crc32c(an_slice_of(body, (size_t)len)))) {
            rc = AN_FAIL(err, AN_ECORRUPT,
                         "what lies at %llu among the series is neither listed nor an entry",
                         (unsigned long long)pos);
            (void)an_err_cause(err, AN_CAUSE_INDEX_INCOMPLETE);
        }
        if (rc != AN_OK) goto out;
        pos += (uint64_t)(body - b.p) + len + CRC;
        n++;
    }
    if (n != it->n) {
        rc =
            AN_FAIL(err, AN_ECORRUPT, "the list of all series names %u entries, the index has %llu",
                    it->n, (unsigned long long)n);
        (void)an_err_cause(err, AN_CAUSE_INDEX_INCOMPLETE);
        (void)an_err_values(err, n, it->n);
    }
out:
    if (rc != AN_OK) (void)an_err_at(err, NULL, NULL, (int64_t)it->jumped_at);
    return rc;
}

static an_rc finish(an_series_iter *it, an_err *err)
{
    an_rc rc = AN_OK;
    bool zero;

    if (it->list.name != NULL) AN_TRY(an_section_finish(&it->list, err));
    if (it->jumped_at == 0 && it->accounted < it->ix.series_end) {
        AN_TRY(is_padding(it, it->accounted, it->ix.series_end, &zero, err));
        if (!zero) it->jumped_at = it->accounted;
    }
    if (it->jumped_at != 0) AN_TRY(count_entries(it, err));
    rc = AN_ENOTFOUND;
out:
    return rc;
}

an_rc an_series_iter_next(an_series_iter *it, an_series_entry *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_series_entry e;

    if (it->i == it->n) return finish(it, err);
    if (it->id == it->id_end) {
        an_slice b;
        AN_TRY(an_section_at(&it->list, 4, &b, err));
        it->id = b.p;
        it->id_end = b.p + (b.n & ~(size_t)3);
        it->list.pos += b.n & ~(size_t)3;
    }
    e.id = an_be32_at(it->id);
    it->id += 4;
    const uint64_t off = (uint64_t)e.id << it->shift;
    if (off < it->ix.series || off >= it->ix.series_end) {
        (void)AN_UNREADABLE(err, off,
                            "read series: entry %u of %u: its id is outside the series "
                            "section, which ends at %llu",
                            it->i, it->n, (unsigned long long)it->ix.series_end);
        return an_err_values(err, it->ix.series_end, off);
    }
    if (it->jumped_at == 0) {
        bool next = off >= it->accounted;
        if (next) AN_TRY(is_padding(it, it->accounted, off, &next, err));
        if (!next) it->jumped_at = it->accounted;
    }
    AN_TRY(read_entry(it, off, &e, err));
    it->i++;
    *out = e;
out:
    return rc;
}
