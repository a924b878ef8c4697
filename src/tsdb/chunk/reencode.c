// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/reencode.h"

#include "tsdb/chunk/codecs.h"

void an_reencoder_init(an_reencoder *r, an_arena *a)
{
    an_chunk_enc_init(&r->enc, a);
    r->type = AN_VAL_NONE;
}

void an_reencode_begin(an_reencoder *r, an_chunk_sink sink)
{
    r->sink = sink;
    r->type = AN_VAL_NONE;
    r->n = 0;
}

static an_rc hand_out(an_chunk_enc *e, int64_t mint, int64_t maxt, an_chunk_sink sink, an_err *err)
{
    an_chunk_out c = {mint, maxt, e->n, e->codec->encoding, an_chunk_finish(e)};

    return sink.chunk(sink.arg, &c, err);
}

an_rc an_reencode_end(an_reencoder *r, an_err *err)
{
    an_rc rc = AN_OK;

    if (r->type == AN_VAL_NONE) return AN_OK;
    if (r->type == AN_VAL_FLOAT) {
        an_chunk_start(&r->enc, r->st ? &an_codec_xor2 : &an_codec_xor);
        AN_TRY(r->enc.codec->floats(&r->enc, r->n, r->t, r->v, r->start, err));
        r->mint = r->t[0];
        r->maxt = r->t[r->n - 1];
    }
    rc = hand_out(&r->enc, r->mint, r->maxt, r->sink, err);
    r->type = AN_VAL_NONE;
    r->n = 0;
out:
    return rc;
}

an_rc an_reencode_cut_float(an_reencoder *r, bool st, an_err *err)
{
    an_rc rc = an_reencode_end(r, err);

    r->type = AN_VAL_FLOAT;
    r->st = st;
    r->n = 0;
    return rc;
}

static const an_chunk_codec *hist_codec(bool is_float, bool st)
{
    if (is_float) return st ? &an_codec_fhist_st : &an_codec_fhist;
    return st ? &an_codec_hist_st : &an_codec_hist;
}

/* A histogram chunk that begins with h; the header of a cut goes before h's hint. */
static an_rc first_hist(an_chunk_enc *e, const an_chunk_codec *codec, int64_t t, int64_t st,
                        const an_hist *h, const an_hist_fit *cut, an_err *err)
{
    an_rc rc = AN_OK;
    an_hist_fit fit;

    an_chunk_start(e, codec);
    AN_TRY(codec->hist(e, t, st, h, &fit, err));
    if (cut->cut) e->h.header = (uint8_t)cut->header;
out:
    return rc;
}

an_rc an_reencode_hist(an_reencoder *r, int64_t t, int64_t st, const an_hist *h, an_err *err)
{
    an_rc rc = AN_OK;
    an_vtype type = h->is_float ? AN_VAL_FHIST : AN_VAL_HIST;
    an_hist_fit fit = {0};

    if (r->type == type && r->st == (st != 0) && r->n < AN_REENCODE_SPLIT) {
        AN_TRY(r->enc.codec->hist(&r->enc, t, st, h, &fit, err));
        if (!fit.cut) goto appended;
    }
    AN_TRY(an_reencode_end(r, err));
    AN_TRY(first_hist(&r->enc, hist_codec(h->is_float, st != 0), t, st, h, &fit, err));
    r->type = type;
    r->st = st != 0;
    r->mint = t;
appended:
    r->maxt = t;
    r->n++;
out:
    return rc;
}

void an_trimmer_init(an_trimmer *tr, an_arena *a)
{
    an_chunk_iter_init(&tr->in, a);
    an_chunk_enc_init(&tr->enc, a);
}

/* Is t dropped? *at is the first interval that does not end before t; times may fall, too. */
static bool dropped(an_intervals drop, size_t *at, int64_t t)
{
    while (*at > 0 && drop.v[*at - 1].maxt >= t) --*at;
    while (*at < drop.n && drop.v[*at].maxt < t) ++*at;
    return *at < drop.n && drop.v[*at].mint <= t;
}

static an_rc trim_floats(an_trimmer *tr, an_intervals drop, int64_t *mint, an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_iter *in = &tr->in;
    size_t at = 0;

    for (;;) {
        uint32_t n = 0;
        AN_TRY(an_chunk_fill(in, err));
        if (in->n == 0) break;
        for (uint32_t i = 0; i < in->n; i++) {
            if (dropped(drop, &at, in->t[i])) continue;
            in->t[n] = in->t[i];
            in->v[n] = in->v[i];
            in->st[n++] = in->st[i];
        }
        if (n == 0) continue;
        if (tr->enc.n == 0) *mint = in->t[0];
        AN_TRY(in->codec->floats(&tr->enc, n, in->t, in->v, in->st, err));
    }
out:
    return rc;
}

static an_rc trim_hists(an_trimmer *tr, an_intervals drop, int64_t *mint, an_chunk_sink sink,
                        an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_iter *in = &tr->in;
    an_chunk_enc *e = &tr->enc;
    an_sample s;
    size_t at = 0;

    for (;;) {
        an_hist_fit fit = {0};
        AN_TRY(an_chunk_next(in, &s, err));
        if (s.type == AN_VAL_NONE) break;
        if (dropped(drop, &at, s.t)) continue;
        if (e->n > 0) {
            AN_TRY(in->codec->hist(e, s.t, s.st, s.h, &fit, err));
            if (!fit.cut) continue;
            AN_TRY(hand_out(e, *mint, e->t, sink, err));
        }
        AN_TRY(first_hist(e, in->codec, s.t, s.st, s.h, &fit, err));
        *mint = s.t;
    }
out:
    return rc;
}

an_rc an_chunk_trim(an_trimmer *tr, const an_chunk_codec *codec, an_slice data, an_intervals drop,
                    an_chunk_sink sink, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t mint = 0;

    AN_TRY(an_chunk_iter_open(&tr->in, codec, data, err));
    an_chunk_start(&tr->enc, codec);
    if (codec->type == AN_VAL_FLOAT)
        AN_TRY(trim_floats(tr, drop, &mint, err));
    else
        AN_TRY(trim_hists(tr, drop, &mint, sink, err));
    if (tr->enc.n > 0) rc = hand_out(&tr->enc, mint, tr->enc.t, sink, err);
out:
    return rc;
}
