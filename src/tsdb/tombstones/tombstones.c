// SPDX-License-Identifier: Apache-2.0
#include "tsdb/tombstones/tombstones.h"

#include "base/crc32c.h"
#include "base/cursor.h"

enum { HEADER = 5, CRC = 4, ENTRY_MIN = 3 };
static const uint32_t MAGIC = 0x0130BA30;

/* Index of the first interval that ends at t or later. */
static size_t find(an_intervals in, int64_t t)
{
    size_t lo = 0, hi = in.n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (in.v[mid].maxt >= t)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

bool an_intervals_add(an_arena *a, an_intervals *in, an_interval iv)
{
    /* Those from `from` up to `to` touch or overlap iv. */
    const size_t from = find(*in, iv.mint == INT64_MIN ? INT64_MIN : iv.mint - 1);
    size_t to = from;

    while (to < in->n && (iv.maxt == INT64_MAX || in->v[to].mint <= iv.maxt + 1)) to++;
    if (to > from) {
        if (in->v[from].mint < iv.mint) iv.mint = in->v[from].mint;
        if (in->v[to - 1].maxt > iv.maxt) iv.maxt = in->v[to - 1].maxt;
    }
    an_interval *v = an_arena_try(a, in->n + 1 - (to - from), sizeof *v);
    if (v == NULL) return false;
    size_t n = 0;
    for (size_t i = 0; i < from; i++) v[n++] = in->v[i];
    v[n++] = iv;
    for (size_t i = to; i < in->n; i++) v[n++] = in->v[i];
    *in = (an_intervals){n, v};
    return true;
}

bool an_intervals_cover(an_intervals in, an_interval r)
{
    const size_t i = find(in, r.mint);
    return i < in.n && in.v[i].mint <= r.mint && r.maxt <= in.v[i].maxt;
}

bool an_intervals_overlap(an_intervals in, an_interval r)
{
    const size_t i = find(in, r.mint);
    return i < in.n && in.v[i].mint <= r.maxt;
}

typedef struct entry {
    uint64_t id;
    an_interval iv;
} entry;

static bool less(const entry *a, const entry *b)
{
    if (a->id != b->id) return a->id < b->id;
    return a->iv.mint < b->iv.mint;
}

static void sift(entry *v, size_t i, size_t n)
{
    for (;;) {
        size_t max = i;
        if (2 * i + 1 < n && less(&v[max], &v[2 * i + 1])) max = 2 * i + 1;
        if (2 * i + 2 < n && less(&v[max], &v[2 * i + 2])) max = 2 * i + 2;
        if (max == i) return;
        entry t = v[i];
        v[i] = v[max];
        v[max] = t;
        i = max;
    }
}

/* A heap sort: no memory beside the array, whose length comes from the file. */
static void sort(entry *v, size_t n)
{
    bool sorted = true;

    for (size_t i = 1; i < n && sorted; i++) sorted = !less(&v[i], &v[i - 1]);
    if (sorted) return;
    for (size_t i = n / 2; i-- > 0;) sift(v, i, n);
    for (size_t end = n; end-- > 1;) {
        entry t = v[0];
        v[0] = v[end];
        v[end] = t;
        sift(v, 0, end);
    }
}

/* Folds sorted entries into series; the arrays have room for the worst case. */
static void fold(const entry *e, size_t n, an_interval *times, an_tombstones *t)
{
    for (size_t i = 0; i < n; i++) {
        struct an_tombstone *s = t->n > 0 ? &t->v[t->n - 1] : NULL;
        if (s == NULL || s->id != e[i].id) {
            s = &t->v[t->n++];
            *s = (struct an_tombstone){.id = e[i].id, .times = {0, times + t->n_intervals}};
        }
        an_interval *last = s->times.n > 0 ? &s->times.v[s->times.n - 1] : NULL;
        if (last != NULL && (last->maxt == INT64_MAX || e[i].iv.mint <= last->maxt + 1)) {
            if (e[i].iv.maxt > last->maxt) last->maxt = e[i].iv.maxt;
            continue;
        }
        s->times.v[s->times.n++] = e[i].iv;
        t->n_intervals++;
    }
}

static an_rc unreadable(an_err *err, size_t off)
{
    (void)an_err_cause(err, AN_CAUSE_TOMBSTONES_UNREADABLE);
    return an_err_at(err, NULL, NULL, (int64_t)off);
}

static an_rc check_frame(an_slice doc, an_err *err)
{
    an_cursor c = an_cursor_of(doc);
    const uint32_t magic = an_cursor_be32(&c);
    const uint8_t version = an_cursor_u8(&c);

    if (doc.n < HEADER + CRC) {
        (void)AN_FAIL(err, AN_ECORRUPT, "tombstones header: invalid size: %zu bytes of at least %d",
                      doc.n, HEADER + CRC);
        (void)an_err_values(err, HEADER + CRC, doc.n);
        return unreadable(err, 0);
    }
    if (magic != MAGIC) {
        (void)AN_FAIL(err, AN_ECORRUPT, "invalid magic number %x", magic);
        (void)an_err_values(err, MAGIC, magic);
        return unreadable(err, 0);
    }
    const uint32_t got = an_crc32c(an_cursor_take(&c, c.left - CRC));
    const uint32_t want = an_cursor_be32(&c);
    if (got != want) {
        (void)AN_FAIL(err, AN_ECORRUPT,
                      "tombstones: checksum did not match: computed %08x, stored "
                      "%08x",
                      got, want);
        (void)an_err_values(err, want, got);
        return unreadable(err, doc.n - CRC);
    }
    if (version != 1) {
        (void)AN_FAIL(err, AN_ECORRUPT, "invalid tombstone format %x", version);
        (void)an_err_values(err, 1, version);
        return unreadable(err, 4);
    }
    return AN_OK;
}

an_rc an_tombstones_parse(an_arena *a, an_slice doc, an_tombstones *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_tombstones t = {0};
    size_t n = 0;

    AN_TRY(check_frame(doc, err));
    const an_slice body = an_slice_of(doc.p + HEADER, doc.n - HEADER - CRC);
    const size_t most = body.n / ENTRY_MIN;
    entry *e = an_arena_try(a, most, sizeof *e);
    AN_CHECK(e != NULL, err, AN_ELIMIT, "tombstones: no memory for %zu bytes of entries", body.n);
    for (an_cursor c = an_cursor_of(body); c.left > 0; n++) {
        const size_t off = HEADER + body.n - c.left;
        entry one = {.id = an_cursor_uvarint(&c)};
        one.iv.mint = an_cursor_varint(&c);
        one.iv.maxt = an_cursor_varint(&c);
        if (c.bad) {
            (void)AN_FAIL(err, AN_ECORRUPT, "tombstones: entry %zu: invalid size", n);
            return unreadable(err, off);
        }
        if (one.iv.maxt < one.iv.mint) {
            (void)AN_FAIL(err, AN_ECORRUPT,
                          "tombstones: entry %zu ends at %lld, before it begins at "
                          "%lld",
                          n, (long long)one.iv.maxt, (long long)one.iv.mint);
            return unreadable(err, off);
        }
        e[n] = one;
    }
    sort(e, n);
    an_interval *times = an_arena_try(a, n, sizeof *times);
    t.v = an_arena_try(a, n, sizeof *t.v);
    AN_CHECK(times != NULL && t.v != NULL, err, AN_ELIMIT, "tombstones: no memory for %zu entries",
             n);
    fold(e, n, times, &t);
    *out = t;
out:
    return rc;
}

an_intervals an_tombstones_get(const an_tombstones *t, uint64_t id)
{
    size_t lo = 0, hi = t->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (t->v[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->n && t->v[lo].id == id ? t->v[lo].times : (an_intervals){0, NULL};
}

void an_tombstones_write(an_buf *out, const an_tombstones *t)
{
    an_buf_be32(out, MAGIC);
    an_buf_u8(out, 1);
    const size_t from = out->n;
    for (size_t i = 0; i < t->n; i++) {
        const an_intervals *in = &t->v[i].times;
        for (size_t j = 0; j < in->n; j++) {
            an_buf_uvarint(out, t->v[i].id);
            an_buf_varint(out, in->v[j].mint);
            an_buf_varint(out, in->v[j].maxt);
        }
    }
    if (!out->failed) an_buf_be32(out, an_crc32c(an_slice_of(out->p + from, out->n - from)));
}
