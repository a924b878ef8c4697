// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/codecs.h: what the codecs know of each other; for the files of this folder only. */
#pragma once
#include "tsdb/chunk/chunk.h"

extern const an_chunk_codec an_codec_xor, an_codec_xor2, an_codec_hist, an_codec_fhist,
    an_codec_hist_st, an_codec_fhist_st, an_codec_aggr;

/* AN_ECORRUPT: the payload ends inside sample `index`, or a varint there is too long. */
an_rc an_chunk_short(const an_chunk_iter *it, uint32_t index, an_err *err);
/* AN_ECORRUPT: sample `index` has a window that is wider than a value. */
an_rc an_chunk_bad_window(const an_chunk_iter *it, uint32_t index, an_err *err);

/* Slots of codecs that hold no such samples: AN_EINVALID. */
an_rc an_chunk_no_hist(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *h, an_hist_fit *fit,
                       an_err *err);
an_rc an_chunk_no_floats(an_chunk_enc *e, size_t n, const int64_t *t, const uint64_t *v,
                         const int64_t *st, an_err *err);
