// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/reencode.h: samples back into chunks, where chunks must be made anew.
 *
 *     overlap merge, dedup ──► an_reencoder ──► chunks of at most 120 samples
 *     a cut through a chunk ─► an_chunk_trim ─► what is left of it, in its encoding
 *
 * A new chunk begins with the first sample, when the type of the samples changes, after 120
 * samples, where the histogram rules say so (hist_align.h), and where the open chunk cannot hold
 * what the sample has: histograms with a start timestamp (ST) need another encoding than those
 * without; a float with an ST needs XOR2, while an open XOR2 chunk takes floats without. Floats
 * without ST begin an XOR chunk. There is no limit in bytes. Values go through bit by bit; only
 * histograms with a schema above 8 change (hist_read.h). These are upstream's rules: its compactor
 * and, for ST, Prometheus' own; spec/compaction.md 6.7, spec/tsdb-block.md 5.2.
 *
 * One of each serves any number of series: what it grows to is kept in the arena. Threads: one. */
#pragma once
#include "tsdb/chunk/chunk.h"
#include "tsdb/tombstones/tombstones.h"

enum { AN_REENCODE_SPLIT = 120 };

/* A finished chunk; mint and maxt are the times of its first and last sample. */
typedef struct an_chunk_out {
    int64_t mint, maxt;
    uint32_t n;
    uint8_t encoding;
    an_slice data; /* valid during the call */
} an_chunk_out;

typedef struct an_chunk_sink {
    an_rc (*chunk)(void *arg, const an_chunk_out *c, an_err *err);
    void *arg;
} an_chunk_sink;

typedef struct an_reencoder {
    an_chunk_enc enc;
    an_chunk_sink sink;
    an_vtype type;      /* of the open chunk; AN_VAL_NONE: none is open */
    bool st;            /* it holds start timestamps */
    int64_t mint, maxt; /* of an open histogram chunk */
    uint32_t n;         /* samples of the open chunk */
    /* Of an open float chunk, which is encoded at its end. */
    int64_t t[AN_REENCODE_SPLIT], start[AN_REENCODE_SPLIT];
    uint64_t v[AN_REENCODE_SPLIT];
} an_reencoder;

/* Memory comes from `a`, which must outlive it. */
void an_reencoder_init(an_reencoder *r, an_arena *a);
/* Begins a series (or a group of its samples); what was open is forgotten. */
void an_reencode_begin(an_reencoder *r, an_chunk_sink sink);
/* Hands out the open chunk. */
AN_MUST_CHECK an_rc an_reencode_end(an_reencoder *r, an_err *err);
AN_MUST_CHECK an_rc an_reencode_hist(an_reencoder *r, int64_t t, int64_t st, const an_hist *h,
                                     an_err *err);
/* For an_reencode_float: ends the open chunk and begins one of floats. */
AN_MUST_CHECK an_rc an_reencode_cut_float(an_reencoder *r, bool st, an_err *err);

static inline AN_MUST_CHECK an_rc an_reencode_float(an_reencoder *r, int64_t t, int64_t st,
                                                    uint64_t v, an_err *err)
{
    if (r->type != AN_VAL_FLOAT || r->n == AN_REENCODE_SPLIT || (st != 0 && !r->st)) {
        an_rc rc = an_reencode_cut_float(r, st != 0, err);
        if (rc != AN_OK) return rc;
    }
    r->t[r->n] = t;
    r->start[r->n] = st;
    r->v[r->n++] = v;
    return AN_OK;
}

static inline AN_MUST_CHECK an_rc an_reencode_sample(an_reencoder *r, const an_sample *s,
                                                     an_err *err)
{
    return s->type == AN_VAL_FLOAT ? an_reencode_float(r, s->t, s->st, s->v, err)
                                   : an_reencode_hist(r, s->t, s->st, s->h, err);
}

/* For trimming: a reader and a writer. */
typedef struct an_trimmer {
    an_chunk_iter in;
    an_chunk_enc enc;
} an_trimmer;

/* As an_reencoder_init. */
void an_trimmer_init(an_trimmer *tr, an_arena *a);
/* The samples of a chunk outside of `drop`, in the chunk's own encoding: one chunk, or none when
 * nothing is left. Only where a histogram does not fit the one before it (a stale marker in a gauge
 * chunk does that) is there more than one: upstream fails there. A container has no samples to
 * choose from: AN_EUNSUPPORTED; upstream drops it as a whole. */
AN_MUST_CHECK an_rc an_chunk_trim(an_trimmer *tr, const an_chunk_codec *codec, an_slice data,
                                  an_intervals drop, an_chunk_sink sink, an_err *err);
