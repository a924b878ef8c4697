// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/chunk.h: chunks of every encoding, read and written.
 *
 * What stands here as `data` is a chunk's payload: what a segment frame holds without length,
 * encoding byte and CRC. Each encoding is a codec, one constant table; an_chunk_codec_of finds it.
 *
 *   encoding                      file          samples
 *   1 XOR, 4 XOR2                 xor.c xor2.c  floats; XOR2 with start timestamps (ST)
 *   2 histogram, 5 with ST        hist_*.c      integer histograms
 *   3 float histogram, 6 with ST  hist_*.c      float histograms
 *   255 aggregates                aggr.h        none of its own: a container of five chunks
 *
 * Reading. An an_chunk_iter is set up once and opened on one chunk after the other; what it grows
 * to is kept in the arena for the next. Samples come with an_chunk_next, or, where speed counts, a
 * whole run at a time with an_chunk_fill. A payload that ends too early, or contradicts itself, is
 * AN_ECORRUPT with a text that says where; bytes after the last sample are ignored. The errors
 * carry no cause, except chunk-encoding: whether the CRC was good is known above. Times need not
 * rise: that is no rule of the formats.
 *
 * Writing. An an_chunk_enc makes one chunk after the other; it decides nothing about where chunks
 * end (reencode.h does), but says when a histogram does not fit the open one.
 *
 * Threads: one per iterator and encoder; codecs are constant. spec/tsdb-block.md 3 */
#pragma once
#include "base/bits.h"
#include "tsdb/chunk/codes.h"
#include "tsdb/chunk/hist_read.h"
#include "tsdb/chunk/hist_write.h"

enum {
    AN_ENC_NONE = 0,
    AN_ENC_XOR = 1,
    AN_ENC_HIST = 2,
    AN_ENC_FHIST = 3,
    AN_ENC_XOR2 = 4,
    AN_ENC_HIST_ST = 5,
    AN_ENC_FHIST_ST = 6,
    AN_ENC_AGGR = 255
};

typedef enum an_vtype { AN_VAL_NONE, AN_VAL_FLOAT, AN_VAL_HIST, AN_VAL_FHIST } an_vtype;

enum {
    AN_CHUNK_BATCH = 128,        /* floats decoded at a time; most chunks have 120 */
    AN_CHUNK_BYTES_MAX = 1 << 28 /* no payload that we write is longer */
};

typedef struct an_chunk_codec an_chunk_codec;

/* One sample. `h` belongs to the iterator and is valid until its next call. */
typedef struct an_sample {
    int64_t t, st; /* ms; st 0: none */
    uint64_t v;    /* bits of a float */
    const an_hist *h;
    an_vtype type;
} an_sample;

/* State of the float codecs between two runs. */
typedef struct an_float_state {
    int64_t t;
    uint64_t t_delta, v; /* v: what the next one is coded against */
    an_xor_rwin win;
    an_st_dec st;
    uint64_t pos; /* XOR: of the next bit, from the start of the payload */
} an_float_state;

typedef struct an_chunk_iter {
    const an_chunk_codec *codec;
    an_slice data;
    an_arena *arena;
    uint32_t n_total, n_read; /* samples by the header; samples decoded */
    /* The run at hand: samples i .. n - 1 are not yet given out. Histograms come one at a time. */
    uint32_t i, n;
    int64_t t[AN_CHUNK_BATCH];
    uint64_t v[AN_CHUNK_BATCH]; /* floats only */
    int64_t st[AN_CHUNK_BATCH]; /* only where codec->has_st */
    an_bitr in;
    an_float_state f;
    an_hist_read h;
} an_chunk_iter;

typedef struct an_chunk_enc {
    const an_chunk_codec *codec;
    an_arena *arena;
    an_bitw w;
    uint32_t n; /* samples in the open chunk */
    int64_t t;  /* of the last one */
    uint64_t t_delta, v;
    an_xor_wwin win;
    an_st_enc st;
    an_hist_write h;
    uint8_t *bytes; /* the open chunk */
    size_t cap;
} an_chunk_enc;

struct an_chunk_codec {
    const char *name;
    uint8_t encoding;
    uint8_t header;          /* bytes before the bit stream; a shorter payload is corrupt */
    uint8_t sample_bits_min; /* of every sample but the first */
    bool has_st;
    an_vtype type;                    /* AN_VAL_NONE: a container */
    uint32_t max_samples;             /* what the header can count */
    uint32_t (*count)(an_slice data); /* of `header` bytes or more */
    /* Reads the header; the iterator is fresh. */
    an_rc (*open)(an_chunk_iter *it, an_err *err);
    /* Decodes samples n_read .. n_read + want - 1 into the run. */
    an_rc (*fill)(an_chunk_iter *it, uint32_t want, an_err *err);
    /* Begins a chunk: room for the header, which `finish` completes. */
    void (*start)(an_chunk_enc *e);
    /* Appends floats; st may be NULL: none. The caller keeps to max_samples. */
    an_rc (*floats)(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                    const int64_t *st, an_err *err);
    /* Appends the histogram, or says why not (hist_write.h). */
    an_rc (*hist)(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *h, an_hist_fit *fit,
                  an_err *err);
    void (*finish)(an_chunk_enc *e);
};

/* The codec of an encoding byte, NULL for an unknown one. */
const an_chunk_codec *an_chunk_codec_of(uint8_t encoding);
/* The same; unknown is AN_EUNSUPPORTED with cause chunk-encoding and upstream's sentence. */
AN_MUST_CHECK an_rc an_chunk_codec_find(uint8_t encoding, const an_chunk_codec **codec,
                                        an_err *err);

/* How many samples the header claims; nothing is decoded. AN_ECORRUPT when there is no header. */
AN_MUST_CHECK an_rc an_chunk_count(const an_chunk_codec *codec, an_slice data, uint32_t *n,
                                   an_err *err);

/* Reads nothing yet; memory comes from `a` as it is needed. */
void an_chunk_iter_init(an_chunk_iter *it, an_arena *a);
/* Begins with the first sample of another chunk; data must live as long as it is read. A container
 * has no samples of its own: AN_EUNSUPPORTED. A count that cannot fit the payload is AN_ECORRUPT.
 */
AN_MUST_CHECK an_rc an_chunk_iter_open(an_chunk_iter *it, const an_chunk_codec *codec,
                                       an_slice data, an_err *err);
/* Replaces the run; it->n is 0 after the last sample. */
AN_MUST_CHECK an_rc an_chunk_fill(an_chunk_iter *it, an_err *err);

/* Sample i of the run. */
static inline an_sample an_chunk_at(const an_chunk_iter *it, uint32_t i)
{
    an_vtype type = it->codec->type;
    an_sample s = {it->t[i], it->codec->has_st ? it->st[i] : 0, 0, NULL, type};

    if (type == AN_VAL_FLOAT)
        s.v = it->v[i];
    else
        s.h = &it->h.h;
    return s;
}

/* The next sample; its type is AN_VAL_NONE after the last one. */
static inline AN_MUST_CHECK an_rc an_chunk_next(an_chunk_iter *it, an_sample *s, an_err *err)
{
    if (it->i == it->n) {
        an_rc rc = an_chunk_fill(it, err);
        if (rc != AN_OK) return rc;
        if (it->n == 0) {
            *s = (an_sample){0};
            return AN_OK;
        }
    }
    *s = an_chunk_at(it, it->i++);
    return AN_OK;
}

/* What a whole chunk says when every sample is decoded. */
typedef struct an_chunk_info {
    uint32_t n;
    int64_t first_t, last_t, min_t, max_t; /* 0 when n is 0 */
    bool rising;                           /* each time above the one before */
} an_chunk_info;

/* Decodes everything; of a container all its parts, and reports about `count`. */
AN_MUST_CHECK an_rc an_chunk_validate(an_chunk_iter *it, const an_chunk_codec *codec, an_slice data,
                                      an_chunk_info *out, an_err *err);

/* As an_chunk_iter_init. */
void an_chunk_enc_init(an_chunk_enc *e, an_arena *a);
/* Begins a chunk; what was open is forgotten. */
void an_chunk_start(an_chunk_enc *e, const an_chunk_codec *codec);
/* The open chunk's payload, complete; valid until the next start. */
an_slice an_chunk_finish(an_chunk_enc *e);
/* Memory for the next `bits` of the open chunk: what the codecs call before they write. */
AN_MUST_CHECK an_rc an_chunk_enc_room(an_chunk_enc *e, uint64_t bits, an_err *err);
