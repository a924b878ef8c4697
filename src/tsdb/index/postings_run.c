// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/postings_run.h"

#include <stdlib.h>

#include "tsdb/index/section.h"

enum { HEAD_MAX = 2 * 5 + 10 + 2 * 5 + 10 }; /* bytes of a record's head */

an_rc an_run_flush(an_run_writer *w, an_err *err)
{
    an_rc rc = AN_OK;

    if (w->n > 0) rc = w->spill->append(w->spill->arg, w->file, an_slice_of(w->buf, w->n), err);
    w->n = 0;
    return rc;
}

an_rc an_run_write(an_run_writer *w, const uint8_t *p, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    while (n > 0) {
        if (w->n == sizeof w->buf) AN_TRY(an_run_flush(w, err));
        const size_t step = n < sizeof w->buf - w->n ? n : sizeof w->buf - w->n;
        memcpy(w->buf + w->n, p, step);
        w->n += step;
        w->pos += step;
        p += step;
        n -= step;
    }
out:
    return rc;
}

an_rc an_run_write_head(an_run_writer *w, const an_run_head *h, an_err *err)
{
    uint8_t b[HEAD_MAX];
    size_t n = an_put_uvarint(b, h->key);

    n += an_put_uvarint(b + n, h->value);
    n += an_put_uvarint(b + n, h->n);
    n += an_put_uvarint(b + n, h->first);
    n += an_put_uvarint(b + n, h->last);
    n += an_put_uvarint(b + n, h->bytes);
    return an_run_write(w, b, n, err);
}

typedef struct reader {
    uint64_t off, end; /* of the run, behind what is buffered */
    uint8_t *buf;
    size_t at, n;   /* unread bytes are [at, n) */
    uint64_t order; /* key << 32 | value of `head`; UINT64_MAX: the run has ended */
    an_run_head head;
    uint64_t left; /* differences of the head not yet read */
} reader;

struct an_run_merge {
    const an_spill *spill;
    int file;
    an_budget *budget;
    size_t buf_bytes, n;
    reader *r;
    uint64_t order; /* of the record that is being read */
    size_t cur;     /* the reader whose part of it is being read */
    bool started;   /* `cur` has had its first bytes */
    uint32_t last;  /* id before cur's part */
    uint8_t join[5];
};

static an_rc fill(an_run_merge *m, reader *r, an_err *err)
{
    an_rc rc = AN_OK;
    size_t kept = r->n - r->at;

    memmove(r->buf, r->buf + r->at, kept);
    r->at = 0;
    r->n = kept;
    uint64_t more = r->end - r->off;
    if (more > m->buf_bytes - kept) more = m->buf_bytes - kept;
    if (more > 0)
        AN_TRY(m->spill->read(m->spill->arg, m->file, r->off, (size_t)more, r->buf + kept, err));
    r->off += more;
    r->n += (size_t)more;
out:
    return rc;
}

/* Moves r to its next record; what is left of the present one has been read. */
static an_rc next_head(an_run_merge *m, reader *r, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t v[6] = {0};

    if (r->n - r->at < HEAD_MAX) AN_TRY(fill(m, r, err));
    if (r->at == r->n) {
        r->order = UINT64_MAX;
        return AN_OK;
    }
    const uint8_t *p = r->buf + r->at, *end = r->buf + r->n;
    for (size_t i = 0; i < 6 && p != NULL; i++) p = an_uvarint_at(p, end, &v[i]);
    AN_CHECK(p != NULL, err, AN_EIO, "a spilled run of postings is damaged");
    r->at = (size_t)(p - r->buf);
    r->head =
        (an_run_head){(uint32_t)v[0], (uint32_t)v[1], v[2], (uint32_t)v[3], (uint32_t)v[4], v[5]};
    r->order = v[0] << 32 | v[1];
    r->left = v[5];
out:
    return rc;
}

an_rc an_run_merge_open(const an_spill *spill, int file, const an_run *runs, size_t n,
                        size_t buf_bytes, an_budget *b, an_run_merge **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_run_merge *m = calloc(1, sizeof *m);

    *out = NULL;
    AN_CHECK(m != NULL, err, AN_ELIMIT, "postings: no memory to merge %zu runs", n);
    m->spill = spill;
    m->file = file;
    m->budget = b;
    m->buf_bytes = buf_bytes < HEAD_MAX ? HEAD_MAX : buf_bytes;
    m->r = calloc(n, sizeof *m->r);
    AN_CHECK(m->r != NULL, err, AN_ELIMIT, "postings: no memory to merge %zu runs", n);
    m->order = UINT64_MAX;
    for (size_t i = 0; i < n; i++) {
        AN_CHECK(an_budget_take(b, m->buf_bytes), err, AN_ELIMIT,
                 "postings: no memory to merge %zu runs", n);
        m->n++;
        m->r[i] = (reader){.off = runs[i].off, .end = runs[i].end, .buf = malloc(m->buf_bytes)};
        AN_CHECK(m->r[i].buf != NULL, err, AN_ELIMIT, "postings: no memory to merge %zu runs", n);
        AN_TRY(next_head(m, &m->r[i], err));
    }
out:
    if (rc == AN_OK)
        *out = m;
    else
        an_run_merge_close(m);
    return rc;
}

void an_run_merge_close(an_run_merge *m)
{
    if (m == NULL) return;
    for (size_t i = 0; i < m->n; i++) free(m->r[i].buf);
    an_budget_give(m->budget, m->n * m->buf_bytes);
    free(m->r);
    free(m);
}

static size_t uvarint_len(uint64_t v)
{
    uint8_t b[10];
    return an_put_uvarint(b, v);
}

an_rc an_run_merge_next(an_run_merge *m, an_run_head *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice rest;
    an_run_head h = {0};
    bool any = false;

    if (m->order != UINT64_MAX) { /* nobody wanted the rest of the last one */
        do AN_TRY(an_run_merge_bytes(m, &rest, err));
        while (rest.n > 0);
    }
    m->order = UINT64_MAX;
    for (size_t i = 0; i < m->n; i++)
        if (m->r[i].order < m->order) m->order = m->r[i].order;
    if (m->order == UINT64_MAX) return AN_ENOTFOUND;
    for (size_t i = 0; i < m->n; i++) {
        const an_run_head *part = &m->r[i].head;
        if (m->r[i].order != m->order) continue;
        if (!any) {
            h = *part;
            m->cur = i;
        } else {
            h.n += part->n;
            h.bytes += part->bytes + uvarint_len(part->first - h.last);
            h.last = part->last;
        }
        any = true;
    }
    m->started = true; /* the first part needs no difference in front of it */
    *out = h;
out:
    return rc;
}

an_rc an_run_merge_bytes(an_run_merge *m, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;

    *out = (an_slice){NULL, 0};
    while (m->cur < m->n) {
        reader *r = &m->r[m->cur];
        if (!m->started) { /* from the last id of the part before to the first of this one */
            m->started = true;
            *out = an_slice_of(m->join, an_put_uvarint(m->join, r->head.first - m->last));
            break;
        }
        if (r->left > 0) {
            if (r->at == r->n) AN_TRY(fill(m, r, err));
            AN_CHECK(r->n > r->at, err, AN_EIO, "a spilled run of postings is cut short");
            size_t n = r->n - r->at;
            if (n > r->left) n = (size_t)r->left;
            *out = an_slice_of(r->buf + r->at, n);
            r->at += n;
            r->left -= n;
            break;
        }
        m->last = r->head.last;
        AN_TRY(next_head(m, r, err));
        m->cur++;
        while (m->cur < m->n && m->r[m->cur].order != m->order) m->cur++;
        m->started = false;
    }
    if (out->n == 0) m->order = UINT64_MAX;
out:
    return rc;
}
