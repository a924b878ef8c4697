// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/section.h"

#include "base/crc32c.h"

void an_view_init(an_view *v, const an_source *src, an_budget *budget)
{
    *v = (an_view){.src = src};
    an_buf_init(&v->own, AN_INDEX_ITEM_MAX, budget);
}

void an_view_deinit(an_view *v) { an_buf_deinit(&v->own); }

an_rc an_view_load(an_view *v, uint64_t off, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    v->bytes = (an_slice){NULL, 0}; /* invalid once the source is called */
    v->off = off;
    if (n <= v->src->piece)
        rc = an_source_at(v->src, off, n, SIZE_MAX, &v->bytes, err);
    else
        rc = an_source_gather(v->src, off, n, &v->own, &v->bytes, err);
    if (rc != AN_OK) v->bytes = (an_slice){NULL, 0};
    if (rc == AN_ECORRUPT) {
        (void)an_err_cause(err, AN_CAUSE_INDEX_UNREADABLE);
        (void)an_err_at(err, NULL, NULL, (int64_t)off);
    }
    return rc;
}

const uint8_t *an_uvarint_multi(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    uint64_t x = 0;

    for (unsigned shift = 0; shift < 70 && p < end; shift += 7) {
        uint8_t b = *p++;
        if (shift == 63 && b > 1) return NULL; /* the tenth byte has one bit left of 64 */
        x |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *v = x;
            return p;
        }
    }
    return NULL;
}

void an_section_init(an_section *s, const char *name, const an_source *src, uint64_t off,
                     uint64_t len, an_budget *budget)
{
    *s = (an_section){.name = name, .pos = off, .end = off + len, .crc_to = off};
    an_view_init(&s->view, src, budget);
}

void an_section_deinit(an_section *s) { an_view_deinit(&s->view); }

/* Every byte comes into view once from front to back, so the CRC is taken as views are loaded. */
static an_rc load(an_section *s, size_t n, an_err *err)
{
    an_rc rc = an_view_load(&s->view, s->pos, n, err);

    if (rc != AN_OK) {
        an_err_wrap(err, "%s", s->name);
        return rc;
    }
    uint64_t to = s->view.off + s->view.bytes.n;
    if (to > s->end) to = s->end;
    if (to > s->crc_to) {
        const uint8_t *p = s->view.bytes.p + (s->crc_to - s->view.off);
        s->crc = an_crc32c_update(s->crc, p, (size_t)(to - s->crc_to));
        s->crc_to = to;
    }
    return AN_OK;
}

an_rc an_section_at(an_section *s, size_t n, an_slice *out, an_err *err)
{
    uint64_t left = s->end - s->pos;
    uint64_t skip = s->pos - s->view.off;

    if (n > left) {
        an_rc rc = AN_UNREADABLE(err, s->pos, "%s: invalid size: %zu bytes where %llu are left",
                                 s->name, n, (unsigned long long)left);
        (void)an_err_values(err, n, left);
        return rc;
    }
    if (skip > s->view.bytes.n || s->view.bytes.n - skip < n) {
        an_rc rc = load(s, n, err);
        if (rc != AN_OK) return rc;
        skip = 0;
    }
    size_t have = s->view.bytes.n - (size_t)skip;
    *out = (an_slice){s->view.bytes.p + skip, have < left ? have : (size_t)left};
    return AN_OK;
}

an_rc an_section_uvarint(an_section *s, uint64_t *out, an_err *err)
{
    an_slice b = {NULL, 0};
    const uint8_t *e = NULL;
    uint64_t left = s->end - s->pos;
    uint64_t skip = s->pos - s->view.off;

    if (skip < s->view.bytes.n) { /* at hand, mostly as one byte */
        size_t have = s->view.bytes.n - (size_t)skip;
        b = (an_slice){s->view.bytes.p + skip, have < left ? have : (size_t)left};
        e = an_uvarint_at(b.p, b.p + b.n, out);
    }
    if (e == NULL) {
        an_rc rc = an_section_at(s, left == 0 ? 1 : left < 10 ? (size_t)left : 10, &b, err);
        if (rc != AN_OK) return rc;
        e = an_uvarint_at(b.p, b.p + b.n, out);
    }
    if (e == NULL) return AN_UNREADABLE(err, s->pos, "%s: invalid uvarint", s->name);
    s->pos += (uint64_t)(e - b.p);
    return AN_OK;
}

an_rc an_section_skip(an_section *s, uint64_t n, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t left = s->end - s->pos;

    if (n > left) {
        (void)AN_UNREADABLE(err, s->pos, "%s: invalid size: %llu bytes where %llu are left",
                            s->name, (unsigned long long)n, (unsigned long long)left);
        return an_err_values(err, n, left);
    }
    while (n > 0) {
        an_slice b = {NULL, 0};
        AN_TRY(an_section_at(s, 1, &b, err));
        uint64_t step = b.n < n ? b.n : n;
        s->pos += step;
        n -= step;
    }
out:
    return rc;
}

an_rc an_section_finish(an_section *s, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b = {NULL, 0};

    if (s->pos != s->end)
        return AN_UNREADABLE(err, s->pos, "%s: %llu bytes behind the last entry", s->name,
                             (unsigned long long)(s->end - s->pos));
    AN_TRY(an_view_at(&s->view, s->end, 4, &b, err));
    uint32_t want = an_be32_at(b.p);
    if (want != s->crc) {
        rc = AN_UNREADABLE(err, s->end, "%s: invalid checksum: computed %08x, stored %08x", s->name,
                           s->crc, want);
        (void)an_err_values(err, want, s->crc);
    }
out:
    return rc;
}
