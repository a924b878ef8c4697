// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/aggr.h"

#include "base/cursor.h"
#include "tsdb/chunk/codecs.h"

static const char *const names[AN_AGGR__COUNT] = {"count", "sum", "min", "max", "counter"};

const char *an_aggr_name(int which) { return names[which]; }

static an_rc invalid_size(int which, an_slice data, an_err *err)
{
    AN_FAIL(err, AN_ECORRUPT, "invalid size: aggregate %s of a chunk of %zu bytes is cut short",
            names[which], data.n);
    return an_err_cause(err, AN_CAUSE_DS_INVALID_SIZE);
}

/* The next entry. */
static an_rc entry(an_cursor *c, int which, an_slice data, an_aggr_part *out, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t len = an_cursor_uvarint(c);
    an_aggr_part part = {NULL, {NULL, 0}};

    if (c->bad) return invalid_size(which, data, err);
    if (len > 0) {
        uint8_t encoding = an_cursor_u8(c);
        part.data = an_cursor_take(c, len);
        if (c->bad) return invalid_size(which, data, err);
        rc =
            an_chunk_codec_find(encoding == AN_ENC_AGGR ? AN_ENC_NONE : encoding, &part.codec, err);
        if (rc != AN_OK) {
            an_err_wrap(err, "aggregate %s", names[which]);
            return rc;
        }
    }
    *out = part;
    return AN_OK;
}

an_rc an_aggr_parse(an_slice data, an_aggr *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_cursor c = an_cursor_of(data);
    an_aggr a;

    for (int i = 0; i < AN_AGGR__COUNT; i++) AN_TRY(entry(&c, i, data, &a.part[i], err));
    *out = a;
out:
    return rc;
}

an_rc an_aggr_get(an_slice data, int which, an_aggr_part *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_cursor c = an_cursor_of(data);
    an_aggr_part part = {NULL, {NULL, 0}};

    for (int i = 0; i <= which; i++) {
        AN_TRY(entry(&c, i, data, &part, err));
        if (part.codec == NULL && c.left == 0) {
            rc = invalid_size(i, data, err);
            goto out;
        }
    }
    AN_CHECK(part.codec != NULL, err, AN_ENOTFOUND, "aggregate does not exist: %s", names[which]);
    *out = part;
out:
    return rc;
}

uint64_t an_aggr_size(const an_aggr *a)
{
    uint64_t n = 0;
    uint8_t len[10];

    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        const an_aggr_part *p = &a->part[i];
        n += p->codec == NULL ? 1 : an_put_uvarint(len, p->data.n) + 1 + p->data.n;
    }
    return n;
}

void an_aggr_write(an_buf *out, const an_aggr *a)
{
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        const an_aggr_part *p = &a->part[i];
        if (p->codec == NULL) {
            an_buf_u8(out, 0);
            continue;
        }
        an_buf_uvarint(out, p->data.n);
        an_buf_u8(out, p->codec->encoding);
        an_buf_slice_add(out, p->data);
    }
}

/* The container as a codec: it counts what its count aggregate counts, and that is all. */
static uint32_t aggr_count(an_slice data)
{
    an_err err;
    an_aggr_part part = {NULL, {NULL, 0}};
    uint32_t n = 0;

    if (an_aggr_get(data, AN_AGGR_COUNT, &part, &err) != AN_OK) return 0; /* as upstream */
    return an_chunk_count(part.codec, part.data, &n, &err) == AN_OK ? n : 0;
}

static an_rc aggr_open(an_chunk_iter *it, an_err *err)
{
    return AN_FAIL(err, AN_EUNSUPPORTED, "%s chunk has no samples of its own", it->codec->name);
}

static an_rc aggr_fill(an_chunk_iter *it, uint32_t want, an_err *err)
{
    (void)want;
    return aggr_open(it, err);
}

static void aggr_nothing(an_chunk_enc *e) { (void)e; }

const an_chunk_codec an_codec_aggr = {
    .name = "aggregate",
    .encoding = AN_ENC_AGGR,
    .header = 0,
    .sample_bits_min = 0,
    .type = AN_VAL_NONE,
    .max_samples = 0,
    .count = aggr_count,
    .open = aggr_open,
    .fill = aggr_fill,
    .start = aggr_nothing,
    .floats = an_chunk_no_floats,
    .hist = an_chunk_no_hist,
    .finish = aggr_nothing,
};
