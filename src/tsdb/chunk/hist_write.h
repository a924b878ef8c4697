// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/hist_write.h: histogram chunks as they are written (layout: hist_read.h; decisions:
 * hist_align.h). The functions are the slots of the four codecs.
 *
 * The first sample of a chunk sets layout and header: gauge or reset as its hint says, else what
 * `header` was set to after the start (unknown). Whoever cuts sets `header` after the first sample,
 * because a cut's header goes before the hint. */
#pragma once
#include "tsdb/chunk/hist_align.h"

typedef struct an_chunk_enc an_chunk_enc;
struct an_chunk_iter;

typedef struct an_hist_write {
    bool
        append_only; /* nothing is widened: a sample that would need it is not appended, fit->cut */
    uint8_t header;  /* an_hist_header of the open chunk */
    an_hist last;    /* the last sample; its buckets are those of the last one that was not stale */
    uint64_t count_delta, zero_delta; /* of integers; they wrap */
    an_xor_wwin count_win, zero_win, sum_win;
    an_st_enc st;
    an_hist_align align;
    /* Grown in the arena. */
    an_span *spans;
    uint64_t *custom, *v, *wide;
    uint64_t *delta;
    an_xor_wwin *win;
    size_t spans_cap, custom_cap, v_cap, wide_cap, delta_cap, win_cap;
    struct an_chunk_iter *reader; /* of the chunk that is rewritten */
    uint8_t *spare;               /* the other half of e->bytes */
    size_t spare_cap;
} an_hist_write;

/* Slots of the histogram codecs: chunk.h. */
void an_hist_start(an_chunk_enc *e);
AN_MUST_CHECK an_rc an_hist_append(an_chunk_enc *e, int64_t t, int64_t st, const an_hist *h,
                                   an_hist_fit *fit, an_err *err);
void an_hist_finish(an_chunk_enc *e);
