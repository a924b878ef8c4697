// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/health.h"

#include <inttypes.h>
#include <stdio.h>

void an_index_estimate_add(an_index_estimate *e, uint64_t id, int64_t id_unit,
                           const an_chunk_meta *chunks, size_t n_chunks)
{
    if (e->prev_id != 0) { /* wraps like Go's int64 when ids fall */
        int64_t size = (int64_t)((id - e->prev_id) * (uint64_t)id_unit);
        if (size > e->series_max_size) e->series_max_size = size;
    }
    e->prev_id = id;
    for (size_t i = 0; i + 2 < n_chunks; i++) {
        if (chunks[i].ref >> 32 != chunks[i + 1].ref >> 32) continue; /* not in one segment */
        int64_t size = (int64_t)(uint32_t)chunks[i + 1].ref - (int64_t)(uint32_t)chunks[i].ref;
        if (size > e->chunk_max_size) e->chunk_max_size = size;
    }
}

void an_index_health_init(an_index_health *h, const an_index *ix, int64_t mint, int64_t maxt,
                          an_budget *budget)
{
    *h = (an_index_health){.mint = mint, .maxt = maxt, .id_unit = ix->version == 1 ? 1 : 16};
    an_buf_init(&h->prev, AN_INDEX_ITEM_MAX, budget);
}

void an_index_health_deinit(an_index_health *h) { an_buf_deinit(&h->prev); }

static void find(an_index_health *h, an_health_check which, uint64_t off)
{
    if (h->first[which] == 0) h->first[which] = off;
}

/* Pair by pair, a strict prefix first: label sets in Go's order, since references compare as their
 * strings do. */
static int cmp_refs(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
    const size_t n = na < nb ? na : nb;

    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return (na > nb) - (na < nb);
}

static an_rc add_labels(an_index_health *h, const an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;
    const size_t n = 2 * e->n_labels;

    if (h->n_series > 0 &&
        cmp_refs((const uint32_t *)h->prev.p, h->prev.n / sizeof(uint32_t), e->labels, n) >= 0) {
        (void)AN_FAIL(err, AN_ECORRUPT, "series %" PRIu32 " out of order or listed twice", e->id);
        (void)an_err_cause(err, AN_CAUSE_OOO_SERIES);
        return an_err_at(err, NULL, NULL, (int64_t)e->off);
    }
    an_buf_clear(&h->prev);
    an_buf_add(&h->prev, e->labels, n * sizeof *e->labels);
    AN_CHECK(!h->prev.failed, err, AN_ELIMIT, "no memory for the %zu labels of series %" PRIu32,
             e->n_labels, e->id);
    for (size_t i = 2; i < n; i += 2) {
        if (e->labels[i] >= e->labels[i - 2]) continue;
        h->ooo_labels++;
        find(h, AN_HEALTH_OOO_LABELS, e->off);
    }
out:
    return rc;
}

static void add_chunks(an_index_health *h, const an_series_entry *e)
{
    const an_chunk_meta *c = e->chunks;
    uint64_t ooo = 0;

    for (size_t i = 0; i < e->n_chunks; i++) {
        if (c[i].mint < h->mint || c[i].maxt > h->maxt) { /* maxt itself passes, as upstream */
            h->outside++;
            if (c[i].mint > h->maxt || c[i].maxt < h->mint) {
                h->complete_outside++;
                find(h, AN_HEALTH_OUTSIDE, e->off);
            } else if (c[i].mint == h->maxt) {
                h->issue347++;
                find(h, AN_HEALTH_ISSUE347, e->off);
            } else {
                find(h, AN_HEALTH_OUTSIDE, e->off);
            }
        }
        if (i == 0 || c[i].mint > c[i - 1].maxt) continue;
        if (c[i].mint == c[i - 1].mint && c[i].maxt == c[i - 1].maxt) {
            h->dup_chunks++;
            find(h, AN_HEALTH_DUP_CHUNKS, e->off);
        } else {
            ooo++;
            find(h, AN_HEALTH_OOO_CHUNKS, e->off);
        }
    }
    h->n_chunks += e->n_chunks;
    h->ooo_chunks += ooo;
    h->ooo_series += ooo > 0;
}

an_rc an_index_health_add(an_index_health *h, const an_series_entry *e, an_err *err)
{
    an_rc rc = AN_OK;

    AN_CHECK_CAUSE(e->n_labels > 0, err, AN_ECORRUPT, AN_CAUSE_EMPTY_SERIES,
                   "empty label set detected for series %" PRIu32, e->id);
    AN_TRY(add_labels(h, e, err));
    AN_CHECK_CAUSE(e->n_chunks > 0, err, AN_ECORRUPT, AN_CAUSE_EMPTY_SERIES,
                   "empty chunks for series %" PRIu32, e->id);
    add_chunks(h, e);
    an_index_estimate_add(&h->estimate, e->id, h->id_unit, e->chunks, e->n_chunks);
    h->n_series++;
out:
    if (rc == AN_ECORRUPT) (void)an_err_at(err, NULL, NULL, (int64_t)e->off);
    return rc;
}

/* Upstream's text of one finding; false: nothing found. */
static bool describe(const an_index_health *h, an_health_check which, char *out, size_t n,
                     uint64_t *count)
{
    const uint64_t partly = h->outside - h->complete_outside - h->issue347;
    int at = 0;

    switch (which) {
    case AN_HEALTH_OUTSIDE:
        *count = partly + h->complete_outside;
        if (partly > 0)
            at = snprintf(out, n,
                          "found %" PRIu64 " chunks non-completely outside the block time range",
                          partly);
        if (h->complete_outside > 0)
            (void)snprintf(out + at, n - (size_t)at,
                           "%sfound %" PRIu64 " chunks completely outside the block time range",
                           at > 0 ? ", " : "", h->complete_outside);
        break;
    case AN_HEALTH_ISSUE347:
        *count = h->issue347;
        (void)snprintf(out, n,
                       "found %" PRIu64 " chunks outside the block time range introduced by "
                       "https://github.com/prometheus/tsdb/issues/347",
                       h->issue347);
        break;
    case AN_HEALTH_OOO_LABELS:
        *count = h->ooo_labels;
        (void)snprintf(out, n, "index contains %" PRIu64 " postings with out of order labels",
                       h->ooo_labels);
        break;
    case AN_HEALTH_OOO_CHUNKS:
        *count = h->ooo_chunks;
        if (*count == 0) break;
        (void)snprintf(
            out, n,
            "%" PRIu64 "/%" PRIu64 " series have an average of %.3f out-of-order "
            "chunks: %.3f of these are exact duplicates (in terms of data and time range)",
            h->ooo_series, h->n_series, (double)h->ooo_chunks / (double)h->ooo_series,
            (double)h->dup_chunks / (double)h->ooo_chunks);
        break;
    case AN_HEALTH_DUP_CHUNKS:
        *count = h->dup_chunks;
        (void)snprintf(out, n, "found %" PRIu64 " chunks with the time range of their predecessor",
                       h->dup_chunks);
        break;
    case AN_HEALTH__COUNT:
        an_assert(which < AN_HEALTH__COUNT);
    }
    return *count > 0;
}

static an_rc fail(const an_index_health *h, an_health_check which, const char *text, uint64_t count,
                  an_err *err)
{
    static const struct {
        an_cause cause;
        an_rc rc;
    } as[AN_HEALTH__COUNT] = {
        [AN_HEALTH_OUTSIDE] = {AN_CAUSE_OUTSIDE_CHUNKS, AN_EHALT},
        [AN_HEALTH_ISSUE347] = {AN_CAUSE_ISSUE347, AN_ECORRUPT},
        [AN_HEALTH_OOO_LABELS] = {AN_CAUSE_OOO_LABELS, AN_ECORRUPT},
        [AN_HEALTH_OOO_CHUNKS] = {AN_CAUSE_OOO_CHUNKS, AN_ECORRUPT},
        [AN_HEALTH_DUP_CHUNKS] = {AN_CAUSE_DUP_CHUNKS, AN_ECORRUPT},
    };
    (void)AN_FAIL(err, as[which].rc, "%s", text);
    (void)an_err_cause(err, as[which].cause);
    (void)an_err_at(err, NULL, NULL, (int64_t)h->first[which]);
    return an_err_values(err, 0, count);
}

an_rc an_index_health_check(const an_index_health *h, an_health_check which, an_err *err)
{
    char text[256];
    uint64_t count;

    if (!describe(h, which, text, sizeof text, &count)) return AN_OK;
    return fail(h, which, text, count, err);
}

an_rc an_index_health_input(const an_index_health *h, unsigned accept, an_err *err)
{
    static const an_health_check order[] = {AN_HEALTH_OUTSIDE, AN_HEALTH_OOO_CHUNKS,
                                            AN_HEALTH_ISSUE347, AN_HEALTH_OOO_LABELS};
    an_rc rc = AN_OK;

    for (size_t i = 0; i < sizeof order / sizeof *order && rc == AN_OK; i++)
        if ((accept & 1u << order[i]) == 0) rc = an_index_health_check(h, order[i], err);
    return rc;
}

an_rc an_index_health_any(const an_index_health *h, an_err *err)
{
    static const an_health_check order[] = {AN_HEALTH_OUTSIDE, AN_HEALTH_ISSUE347,
                                            AN_HEALTH_OOO_LABELS, AN_HEALTH_OOO_CHUNKS};
    char text[480], one[256];
    uint64_t count, first_count = 0;
    an_health_check first = AN_HEALTH__COUNT;
    int at = 0;

    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        if (!describe(h, order[i], one, sizeof one, &count)) continue;
        if (first == AN_HEALTH__COUNT) {
            first = order[i];
            first_count = count;
        }
        if ((size_t)at < sizeof text)
            at += snprintf(text + at, sizeof text - (size_t)at, "%s%s", at > 0 ? ", " : "", one);
    }
    return first == AN_HEALTH__COUNT ? AN_OK : fail(h, first, text, first_count, err);
}
