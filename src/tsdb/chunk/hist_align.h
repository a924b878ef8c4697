// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/hist_align.h: does a histogram fit the open chunk, and what must be widened for it.
 *
 * Bytes depend on these decisions, so they are upstream's, oddities included. Rows of the table for
 * a sample that is no gauge, the first that holds decides (header: that of the chunk to begin):
 *
 *   the chunk is gauge                                cut, not-reset (float: unknown)
 *   hint reset                                        cut, reset
 *   stale                                             append
 *   the last sample was stale                         cut, unknown
 *   count below the last count                        cut, reset
 *   other schema or zero threshold                    cut, unknown
 *   schema -53 and other bounds                       cut, reset
 *   zero count below the last one                     cut, reset
 *   a bucket fell, or one that is not 0 is missing    cut, reset
 *   otherwise                                         append, aligned
 *
 * A gauge: cut (gauge) unless the chunk is gauge; stale: append; cut after a stale one or with
 * another schema, threshold or bounds; otherwise append, aligned.
 *
 * Aligned: buckets that the sample lacks are put into it as 0 (`missing`); buckets that the chunk
 * lacks are put into all its samples (`grown`), which rewrites the chunk with new spans. Those are,
 * for a counter, the canonical union on a side where the sample lacked buckets, else the sample's
 * own; for a gauge the union on both sides when it lacked any on either.
 *
 * spec/tsdb-block.md 3.6, spec/compaction.md 6.8 */
#pragma once
#include "tsdb/chunk/hist_read.h"

/* The answer to one sample. */
typedef struct an_hist_fit {
    bool cut;              /* not appended: it begins a new chunk ... */
    an_hist_header header; /* ... with this header */
} an_hist_fit;

enum { AN_ALIGN_NONE = -1 }; /* in a map: this one has no such bucket */

/* The union of the buckets of a chunk and of a sample; arrays hold the positive side, then the
 * negative one. */
typedef struct an_hist_align {
    bool differs;        /* else the spans are equal and nothing below is set */
    uint32_t n[2];       /* buckets of the union */
    bool missing[2];     /* the sample lacks some */
    bool grown[2];       /* the chunk lacks some */
    uint32_t n_spans[2]; /* the canonical spans */
    an_span *spans;
    int32_t *from_chunk; /* per bucket of the union: its number there, or AN_ALIGN_NONE */
    int32_t *from_sample;
    size_t spans_cap, chunk_cap, sample_cap;
} an_hist_align;

/* Judges `h` after `last`, in a chunk with `header`. When *fit says append, *al says how. */
AN_MUST_CHECK an_rc an_hist_judge(an_arena *a, const an_hist *last, an_hist_header header,
                                  const an_hist *h, an_hist_fit *fit, an_hist_align *al,
                                  an_err *err);

/* Buckets of one side, numbered by `from`, put into the union's n places at `to`. */
void an_hist_widen(const uint64_t *v, const int32_t *from, uint32_t n, bool is_float, uint64_t *to);
