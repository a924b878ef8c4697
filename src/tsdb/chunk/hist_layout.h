// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/hist_layout.h: the layout block at the head of a histogram chunk (hist_read.h), read
 * and written; for the files of this folder only. */
#pragma once
#include "tsdb/chunk/hist_read.h"

/* Memory for n elements of `size` bytes at *p, which holds *cap now; what was there is lost.
 * AN_ELIMIT when the arena's budget is spent. */
AN_MUST_CHECK an_rc an_hist_grow(an_arena *a, void **p, size_t *cap, size_t n, size_t size,
                                 an_err *err);

/* Reads a layout into h->stored: schema, threshold, spans, bounds, and the numbers of buckets.
 * Counts are compared with the bits that must follow. r->bad: the payload ends here. */
AN_MUST_CHECK an_rc an_hist_layout_get(an_arena *a, an_hist_read *h, an_bitr *r, an_err *err);

/* How many bits the layout of h takes at most. */
uint64_t an_hist_layout_bits(const an_hist *h);
void an_hist_layout_put(an_bitw *w, const an_hist *h);
