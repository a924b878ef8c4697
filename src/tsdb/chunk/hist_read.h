// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/hist_read.h: the histogram encodings 2, 3, 5 and 6, and how they are read.
 *
 *   2, 3:  be16 count | u8 flags                          | layout, samples
 *   5, 6:  be16 flags (top two bits), count | u8 ST header| layout, samples with ST (st.h)
 *
 *   flags   00 counter resets unknown, 01 none, 10 reset at the first sample, 11 gauge
 *   layout  zero threshold | varbit schema | spans, positive | spans, negative | [bounds]
 *   spans   varbit-uint count, then per span varbit-uint length, varbit-int offset
 *   bounds  only with schema -53: varbit-uint count, then per bound x
 *           1000 x whole and at most 33554430: varbit-uint 1000 x + 1;  else 0 and 64 raw bits
 *   zero threshold
 *           0: 00;  2^(b - 244): byte b, 1 to 254;  else FF and 64 raw bits
 *
 *   sample 0   varbit t | count, zero count | 64 bits sum | buckets: positive, negative
 *              integers: varbit-uint, varbit-uint, buckets (deltas) varbit-int; floats: 64 bits
 * each others     varbit dod of t; integers: varbit dods of counts, xorv sum, varbit dods of
 * buckets; floats: xorv each, with a window of its own per number stale      (sum is AN_STALE_NAN,
 * not as sample 0): as any other, without buckets
 *
 * A sample that is read has the hint gauge (flags 11), not-reset (not the first one) or unknown; a
 * stale one is a bare sum of unknown hint, whatever the chunk is. Schemas above 8 come out reduced
 * to 8. spec/tsdb-block.md 3.3 to 3.5, 3.8 */
#pragma once
#include "tsdb/chunk/hist.h"
#include "tsdb/chunk/st.h"

/* The counter reset header: the two bits where they stand in a byte. */
typedef enum an_hist_header {
    AN_HH_UNKNOWN = 0x00,
    AN_HH_NOT_RESET = 0x40,
    AN_HH_RESET = 0x80,
    AN_HH_GAUGE = 0xc0
} an_hist_header;

typedef struct an_hist_read {
    an_hist h;      /* the present sample, as given out */
    an_hist stored; /* the last one with buckets, as the chunk has it */
    uint8_t header; /* an_hist_header */
    int64_t t;
    uint64_t t_delta, count_delta, zero_delta; /* all wrap; the counts' of integers */
    an_xor_rwin count_win, zero_win, sum_win;
    an_st_dec st;
    uint64_t sum;
    uint64_t pos; /* of the next bit, from the start of the payload */
    /* Grown in the arena; what they hold now is in `stored`. */
    an_span *spans;
    uint64_t *custom, *v;
    uint64_t *delta;  /* integers: per bucket */
    an_xor_rwin *win; /* floats: per bucket */
    an_hist_room reduced[2];
    size_t spans_cap, custom_cap, v_cap, delta_cap, win_cap, reduced_cap;
} an_hist_read;
