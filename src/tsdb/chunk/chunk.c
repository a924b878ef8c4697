// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/chunk.h"

#include "tsdb/chunk/aggr.h"
#include "tsdb/chunk/codecs.h"

static const an_chunk_codec *const codecs[] = {
    &an_codec_xor,     &an_codec_hist,     &an_codec_fhist, &an_codec_xor2,
    &an_codec_hist_st, &an_codec_fhist_st, &an_codec_aggr,
};

const an_chunk_codec *an_chunk_codec_of(uint8_t encoding)
{
    for (size_t i = 0; i < sizeof codecs / sizeof *codecs; i++)
        if (codecs[i]->encoding == encoding) return codecs[i];
    return NULL;
}

an_rc an_chunk_codec_find(uint8_t encoding, const an_chunk_codec **codec, an_err *err)
{
    an_rc rc = AN_OK;
    const an_chunk_codec *found = an_chunk_codec_of(encoding);

    AN_CHECK_CAUSE(found != NULL, err, AN_EUNSUPPORTED, AN_CAUSE_CHUNK_ENCODING,
                   "invalid chunk encoding \"%s\" (byte %u)",
                   encoding == AN_ENC_NONE ? "none" : "<unknown>", encoding);
    *codec = found;
out:
    return rc;
}

an_rc an_chunk_count(const an_chunk_codec *codec, an_slice data, uint32_t *n, an_err *err)
{
    an_rc rc = AN_OK;

    AN_CHECK(data.n >= codec->header, err, AN_ECORRUPT,
             "%s chunk of %zu bytes is shorter than its header", codec->name, data.n);
    *n = codec->count(data);
out:
    return rc;
}

void an_chunk_iter_init(an_chunk_iter *it, an_arena *a)
{
    memset(it, 0, sizeof *it);
    it->arena = a;
}

an_rc an_chunk_iter_open(an_chunk_iter *it, const an_chunk_codec *codec, an_slice data, an_err *err)
{
    an_rc rc = AN_OK;

    it->i = it->n = it->n_read = it->n_total = 0;
    it->codec = codec;
    it->data = data;
    AN_CHECK(codec->type != AN_VAL_NONE, err, AN_EUNSUPPORTED, "%s chunk has no samples of its own",
             codec->name);
    AN_TRY(an_chunk_count(codec, data, &it->n_total, err));
    an_slice bits = an_slice_of(data.p + codec->header, data.n - codec->header);
    AN_CHECK(it->n_total == 0 || (uint64_t)(it->n_total - 1) * codec->sample_bits_min < bits.n * 8,
             err, AN_ECORRUPT, "%s chunk of %zu bytes cannot hold the %u samples of its header",
             codec->name, data.n, it->n_total);
    it->in = an_bitr_of(bits);
    it->f = (an_float_state){.win = AN_XOR_RWIN};
    rc = codec->open(it, err);
out:
    if (rc != AN_OK) it->n_total = 0;
    return rc;
}

an_rc an_chunk_fill(an_chunk_iter *it, an_err *err)
{
    uint32_t want = it->n_total - it->n_read;

    it->i = it->n = 0;
    if (want == 0) return AN_OK;
    if (want > AN_CHUNK_BATCH) want = AN_CHUNK_BATCH;
    if (it->codec->type != AN_VAL_FLOAT) want = 1;
    an_rc rc = it->codec->fill(it, want, err);
    if (rc != AN_OK) {
        it->n_total = it->n_read; /* nothing comes after an error */
        return rc;
    }
    it->n = want;
    it->n_read += want;
    return AN_OK;
}

static an_rc validate_samples(an_chunk_iter *it, const an_chunk_codec *codec, an_slice data,
                              an_chunk_info *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_info info = {.rising = true};

    AN_TRY(an_chunk_iter_open(it, codec, data, err));
    for (;;) {
        AN_TRY(an_chunk_fill(it, err));
        if (it->n == 0) break;
        if (info.n == 0) info.first_t = info.min_t = info.max_t = it->t[0];
        for (uint32_t i = 0; i < it->n; i++) {
            int64_t t = it->t[i];
            if (info.n + i > 0 && t <= info.last_t) info.rising = false;
            info.last_t = t;
            if (t < info.min_t) info.min_t = t;
            if (t > info.max_t) info.max_t = t;
        }
        info.n += it->n;
    }
    *out = info;
out:
    return rc;
}

an_rc an_chunk_validate(an_chunk_iter *it, const an_chunk_codec *codec, an_slice data,
                        an_chunk_info *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_aggr aggr;
    an_chunk_info info;

    if (codec->type != AN_VAL_NONE) return validate_samples(it, codec, data, out, err);
    AN_TRY(an_aggr_parse(data, &aggr, err));
    *out = (an_chunk_info){.rising = true};
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        if (aggr.part[i].codec == NULL) continue;
        rc = validate_samples(it, aggr.part[i].codec, aggr.part[i].data, &info, err);
        if (rc != AN_OK) {
            an_err_wrap(err, "aggregate %s", an_aggr_name(i));
            goto out;
        }
        if (i == AN_AGGR_COUNT) *out = info;
    }
out:
    return rc;
}

void an_chunk_enc_init(an_chunk_enc *e, an_arena *a)
{
    memset(e, 0, sizeof *e);
    e->arena = a;
}

void an_chunk_start(an_chunk_enc *e, const an_chunk_codec *codec)
{
    an_assert(codec->type != AN_VAL_NONE);
    e->codec = codec;
    e->n = 0;
    e->t = 0;
    e->t_delta = e->v = 0;
    e->w = (an_bitw){0};
    codec->start(e);
}

an_rc an_chunk_enc_room(an_chunk_enc *e, uint64_t bits, an_err *err)
{
    an_rc rc = AN_OK;
    bool begins = e->w.p == NULL;
    size_t header = e->codec->header, used = begins ? header : (size_t)(e->w.p - e->bytes);
    size_t need = used + bits / 8 + 16; /* whole words, and the bits that are not yet stored */

    if (need > e->cap) {
        size_t cap = e->cap < 512 ? 512 : e->cap * 2;
        while (cap < need) cap *= 2;
        AN_CHECK(cap <= AN_CHUNK_BYTES_MAX, err, AN_ELIMIT,
                 "%s chunk would take more than %d bytes", e->codec->name, AN_CHUNK_BYTES_MAX);
        uint8_t *bytes = an_arena_try(e->arena, 1, cap);
        AN_CHECK(bytes != NULL, err, AN_ELIMIT, "%s chunk: no memory for %zu bytes", e->codec->name,
                 cap);
        if (!begins) memcpy(bytes, e->bytes, used);
        e->bytes = bytes;
        e->cap = cap;
    } else if (!begins) {
        return AN_OK;
    }
    if (begins)
        e->w = an_bitw_fixed(e->bytes + header, e->cap - header);
    else
        an_bitw_move(&e->w, e->bytes + header, e->cap - header);
out:
    return rc;
}

an_slice an_chunk_finish(an_chunk_enc *e)
{
    size_t n = 0;

    if (e->n == 0) return (an_slice){NULL, 0};
    bool fits = an_bitw_finish(&e->w, &n);
    an_assert(fits); /* every codec asks for room first */
    e->codec->finish(e);
    return an_slice_of(e->bytes, e->codec->header + n);
}

an_rc an_chunk_short(const an_chunk_iter *it, uint32_t index, an_err *err)
{
    return AN_FAIL(err, AN_ECORRUPT,
                   "%s chunk of %zu bytes ends, or has a varint of more than 64 bits, in sample %u "
                   "of %u",
                   it->codec->name, it->data.n, index, it->n_total);
}

an_rc an_chunk_bad_window(const an_chunk_iter *it, uint32_t index, an_err *err)
{
    return AN_FAIL(err, AN_ECORRUPT,
                   "%s chunk of %zu bytes: window of more than 64 bits in sample %u of %u",
                   it->codec->name, it->data.n, index, it->n_total);
}

an_rc an_chunk_no_hist(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *h, an_hist_fit *fit,
                       an_err *err)
{
    (void)t;
    (void)st;
    (void)h;
    (void)fit;
    return AN_FAIL(err, AN_EINVALID, "%s chunk takes no histograms", e->codec->name);
}

an_rc an_chunk_no_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                         const int64_t *st, an_err *err)
{
    (void)n;
    (void)t;
    (void)v;
    (void)st;
    return AN_FAIL(err, AN_EINVALID, "%s chunk takes no floats", e->codec->name);
}
