// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/index_reader.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "tsdb/index/section.h"

enum { MAGIC = (int)0xBAAAD700, HEADER = 5, TOC = 6 * 8 + 4 };

static an_rc read_header(an_view *v, an_index *ix, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;

    if (ix->size < HEADER) {
        (void)AN_UNREADABLE(err, 0, "index header: invalid size: %llu bytes of at least %d",
                            (unsigned long long)ix->size, HEADER + TOC);
        return an_err_values(err, HEADER + TOC, ix->size);
    }
    AN_TRY(an_view_at(v, 0, HEADER, &b, err));
    uint32_t magic = an_be32_at(b.p);
    if (magic != (uint32_t)MAGIC) {
        (void)AN_UNREADABLE(err, 0, "invalid magic number %x", magic);
        return an_err_values(err, (uint32_t)MAGIC, magic);
    }
    ix->version = b.p[4];
    if (ix->version == 3) {
        rc = AN_FAIL(err, AN_EUNSUPPORTED, "index file version 3 is not supported");
    } else if (ix->version != 1 && ix->version != 2) {
        rc = AN_FAIL(err, AN_ECORRUPT, "unknown index file version %d", ix->version);
    }
    if (rc != AN_OK) {
        (void)an_err_cause(err, AN_CAUSE_INDEX_UNREADABLE);
        (void)an_err_at(err, NULL, NULL, 4);
        (void)an_err_values(err, 2, (uint64_t)ix->version);
    }
out:
    return rc;
}

/* Sections lie in the order symbols, series, then the rest, which legacy writers ordered and
 * omitted (0) differently. */
static an_rc check_toc(an_index *ix, an_err *err)
{
    const uint64_t end = ix->size - TOC;
    const struct {
        const char *name;
        uint64_t off;
        bool needed;
    } rest[] = {{"label indices", ix->label_indices, false},
                {"label offset table", ix->label_table, false},
                {"postings", ix->postings, false},
                {"postings offset table", ix->postings_table, true}};

    if (ix->symbols < HEADER || ix->symbols > end || end - ix->symbols < 12)
        return AN_UNREADABLE(err, end, "TOC: symbols at %llu in a file of %llu bytes",
                             (unsigned long long)ix->symbols, (unsigned long long)ix->size);
    if (ix->series < ix->symbols + 12 || ix->series > end)
        return AN_UNREADABLE(err, end + 8, "TOC: series at %llu, symbols at %llu, end at %llu",
                             (unsigned long long)ix->series, (unsigned long long)ix->symbols,
                             (unsigned long long)end);
    ix->series_end = end;
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        if (rest[i].off == 0 && !rest[i].needed) continue;
        if (rest[i].off < ix->series || rest[i].off > end)
            return AN_UNREADABLE(err, end + 16 + 8 * i,
                                 "TOC: %s at %llu, series at %llu, end at "
                                 "%llu",
                                 rest[i].name, (unsigned long long)rest[i].off,
                                 (unsigned long long)ix->series, (unsigned long long)end);
        if (rest[i].off < ix->series_end) ix->series_end = rest[i].off;
    }
    return AN_OK;
}

static an_rc read_toc(an_view *v, an_index *ix, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;

    if (ix->size < HEADER + TOC) {
        (void)AN_UNREADABLE(err, 0, "read TOC: invalid size: %llu bytes of at least %d",
                            (unsigned long long)ix->size, HEADER + TOC);
        return an_err_values(err, HEADER + TOC, ix->size);
    }
    uint64_t off = ix->size - TOC;
    AN_TRY(an_view_at(v, off, TOC, &b, err));
    an_cursor c = an_cursor_of(b);
    ix->symbols = an_cursor_be64(&c);
    ix->series = an_cursor_be64(&c);
    ix->label_indices = an_cursor_be64(&c);
    ix->label_table = an_cursor_be64(&c);
    ix->postings = an_cursor_be64(&c);
    ix->postings_table = an_cursor_be64(&c);
    uint32_t want = an_cursor_be32(&c);
    uint32_t got = an_crc32c_update(0, b.p, TOC - 4);
    if (want != got) {
        (void)AN_UNREADABLE(err, off, "read TOC: invalid checksum: computed %08x, stored %08x", got,
                            want);
        return an_err_values(err, want, got);
    }
    AN_TRY(check_toc(ix, err));
out:
    return rc;
}

/* The length and count in front of a table whose entries take at least `least` bytes each, and
 * which, with its CRC, must end before `limit`. */
static an_rc read_head(an_view *v, const char *name, uint64_t off, uint64_t limit, unsigned least,
                       uint64_t *len, uint32_t *n, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;

    if (limit - off < 12)
        return AN_UNREADABLE(err, off, "read %s: invalid size: %llu bytes of at least 12", name,
                             (unsigned long long)(limit - off));
    AN_TRY(an_view_at(v, off, 8, &b, err));
    uint32_t l = an_be32_at(b.p), count = an_be32_at(b.p + 4);
    if (l < 4 || l > limit - off - 8) {
        (void)AN_UNREADABLE(err, off, "read %s: invalid size: %u bytes where %llu are left", name,
                            l, (unsigned long long)(limit - off - 8));
        return an_err_values(err, limit - off - 8, l);
    }
    if (count > (l - 4) / least) {
        (void)AN_UNREADABLE(err, off + 4, "read %s: %u entries do not fit %u bytes", name, count,
                            l - 4);
        return an_err_values(err, (l - 4) / least, count);
    }
    *len = l;
    *n = count;
out:
    return rc;
}

an_rc an_index_open(const an_source *src, an_index *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_index ix = {.size = src->size};
    an_view v;

    an_view_init(&v, src, NULL); /* items of up to TOC bytes: any source serves them in one piece */
    AN_TRY(read_header(&v, &ix, err));
    AN_TRY(read_toc(&v, &ix, err));
    AN_TRY(read_head(&v, "symbols", ix.symbols, ix.series, 1, &ix.symbols_len, &ix.n_symbols, err));
    AN_TRY(read_head(&v, "postings table", ix.postings_table, ix.size - TOC, 4,
                     &ix.postings_table_len, &ix.n_postings, err));
    if (ix.version == 1 && ix.symbols + 4 + ix.symbols_len > UINT32_MAX) {
        rc = AN_UNREADABLE(err, ix.symbols,
                           "read symbols: the references of version 1 end at 4 GiB");
        goto out;
    }
    *out = ix;
out:
    an_view_deinit(&v);
    return rc;
}

struct an_symbol_iter {
    an_section s;
    int version;
    uint64_t base; /* file offset that v1 references count from */
    uint32_t i, n;
    an_slice last; /* in the view, or in `kept` once the view has moved on */
    an_buf kept;
};

an_rc an_symbol_iter_open(const an_index *ix, const an_source *src, an_budget *budget,
                          an_symbol_iter **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;
    an_symbol_iter *it = calloc(1, sizeof *it);

    *out = NULL;
    an_assert(it != NULL);
    an_section_init(&it->s, "symbols", src, ix->symbols + 4, ix->symbols_len, budget);
    an_buf_init(&it->kept, AN_INDEX_ITEM_MAX, budget);
    it->version = ix->version;
    it->n = ix->n_symbols;
    AN_TRY(an_section_at(&it->s, 4, &b, err));
    it->s.pos += 4;
    *out = it;
out:
    if (rc != AN_OK) an_symbol_iter_close(it);
    return rc;
}

void an_symbol_iter_close(an_symbol_iter *it)
{
    if (it == NULL) return;
    an_section_deinit(&it->s);
    an_buf_deinit(&it->kept);
    free(it);
}

/* The symbol at the section's position is not whole in the view. */
static an_rc load_symbol(an_symbol_iter *it, an_slice *sym, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t at = it->s.pos, len;
    an_slice b;

    if (it->last.p != it->kept.p) { /* the view goes, and with it the predecessor */
        an_buf_clear(&it->kept);
        an_buf_slice_add(&it->kept, it->last);
        AN_CHECK(!it->kept.failed, err, AN_ELIMIT, "symbols: no memory for one of %zu bytes",
                 it->last.n);
        it->last = an_buf_slice(&it->kept);
    }
    AN_TRY(an_section_uvarint(&it->s, &len, err));
    uint64_t head = it->s.pos - at;
    it->s.pos = at;
    AN_CHECK(len <= AN_INDEX_ITEM_MAX || len > it->s.end - at, err, AN_ELIMIT,
             "symbols: entry %u has %llu bytes, above the maximum of %d", it->i,
             (unsigned long long)len, AN_INDEX_ITEM_MAX);
    uint64_t total;
    if (__builtin_add_overflow(head, len, &total)) total = UINT64_MAX;
    AN_TRY(an_section_at(&it->s, (size_t)total, &b, err));
    *sym = an_slice_of(b.p + head, (size_t)len);
    it->s.pos = at + total;
out:
    return rc;
}

an_rc an_symbol_iter_next(an_symbol_iter *it, an_slice *sym, uint32_t *ref, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice s = {NULL, 0};
    uint64_t at = it->s.pos, len;
    uint64_t skip = at - it->s.view.off;

    if (it->i == it->n) {
        AN_TRY(an_section_finish(&it->s, err));
        return AN_ENOTFOUND;
    }
    if (skip < it->s.view.bytes.n) {
        const uint8_t *p = it->s.view.bytes.p + skip;
        const uint8_t *end = it->s.view.bytes.p + it->s.view.bytes.n;
        const uint8_t *body = an_uvarint_at(p, end, &len);
        if (body != NULL && len <= (uint64_t)(end - body) &&
            (uint64_t)(body - p) + len <= it->s.end - at) {
            s = an_slice_of(body, (size_t)len);
            it->s.pos = at + (uint64_t)(body - p) + len;
        }
    }
    if (s.p == NULL) AN_TRY(load_symbol(it, &s, err));
    if (it->i > 0 && an_slice_cmp(it->last, s) >= 0)
        return AN_UNREADABLE(err, at,
                             "symbols: entry %u of %u, \"%.*s\", is not above its "
                             "predecessor \"%.*s\"",
                             it->i, it->n, AN_PRI(s), AN_PRI(it->last));
    it->last = s;
    *ref = it->version == 1 ? (uint32_t)at : it->i;
    it->i++;
    *sym = s;
out:
    return rc;
}

/* Parses the entry that b begins with: true when it is whole; else *need is how many bytes it takes
 * at least, or 0 when more bytes would not help. */
static bool parse_entry(an_slice b, an_table_entry *e, uint64_t *need)
{
    const uint8_t *p, *end = b.p + b.n;
    an_slice *str[] = {&e->name, &e->value};
    uint64_t n;

    *need = 0;
    if ((p = an_uvarint_at(b.p, end, &e->keys)) == NULL || e->keys != 2) goto stop;
    for (size_t i = 0; i < 2; i++) {
        const uint8_t *at = p;
        if ((p = an_uvarint_at(at, end, &n)) == NULL) {
            p = at;
            goto stop;
        }
        if (n > (uint64_t)(end - p)) {
            if (__builtin_add_overflow((uint64_t)(p - b.p), n, need)) *need = UINT64_MAX;
            return false;
        }
        *str[i] = an_slice_of(p, (size_t)n);
        p += n;
    }
    const uint8_t *at = p;
    if ((p = an_uvarint_at(at, end, &e->list)) == NULL) {
        p = at;
        goto stop;
    }
    e->len = (size_t)(p - b.p);
    return true;
stop: /* at a number: cut by the end of the view, unless ten bytes of it are there */
    if (p == NULL) p = b.p;
    if (end - p < 10) *need = (uint64_t)(p - b.p) + 10;
    return false;
}

an_rc an_table_next(an_section *s, an_table_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;
    uint64_t need = 1;

    for (;;) {
        const uint64_t left = s->end - s->pos;
        AN_TRY(an_section_at(s, (size_t)need, &b, err));
        e->keys = 2;
        if (parse_entry(b, e, &need)) break;
        if (e->keys != 2) {
            (void)AN_UNREADABLE(err, s->pos, "%s: unexpected number of keys: %llu", s->name,
                                (unsigned long long)e->keys);
            return an_err_values(err, 2, e->keys);
        }
        if (need == 0 || b.n == left)
            return AN_UNREADABLE(err, s->pos,
                                 "%s: invalid size: an entry is cut short or has an "
                                 "invalid uvarint",
                                 s->name);
        if (need > left) need = left;
        AN_CHECK(need <= AN_INDEX_ITEM_MAX, err, AN_ELIMIT,
                 "%s: an entry of %llu bytes, above the maximum of %d", s->name,
                 (unsigned long long)need, AN_INDEX_ITEM_MAX);
    }
    s->pos += e->len;
out:
    return rc;
}

an_rc an_table_open(an_section *s, const an_index *ix, const an_source *src, an_budget *budget,
                    an_err *err)
{
    an_section_init(s, "postings table", src, ix->postings_table + 4, ix->postings_table_len,
                    budget);
    return an_section_skip(s, 4, err);
}

an_rc an_postings_table_walk(const an_index *ix, const an_source *src, an_budget *budget,
                             an_postings_fn fn, void *arg, uint64_t *all, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t found = 0;
    an_table_entry e = {0};
    an_section s;

    AN_TRY(an_table_open(&s, ix, src, budget, err));
    for (uint32_t i = 0; i < ix->n_postings; i++) {
        const uint64_t at = s.pos;
        AN_TRY(an_table_next(&s, &e, err));
        if (e.list < ix->series || e.list >= ix->size) {
            rc = AN_UNREADABLE(err, at, "postings table: entry %u of %u has its list at %llu", i,
                               ix->n_postings, (unsigned long long)e.list);
            (void)an_err_values(err, ix->size, e.list);
            goto out;
        }
        if (e.name.n == 0 && e.value.n == 0) {
            if (found != 0) {
                rc = AN_UNREADABLE(err, at,
                                   "postings table: two lists of all series, at %llu and "
                                   "%llu",
                                   (unsigned long long)found, (unsigned long long)e.list);
                goto out;
            }
            found = e.list;
        }
        if (fn != NULL) AN_TRY(fn(arg, e.name, e.value, e.list, err));
    }
    AN_TRY(an_section_finish(&s, err));
    *all = found;
out:
    an_section_deinit(&s);
    return rc;
}
