// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/aggr.h: encoding 255, the aggregates of a downsampled block.
 *
 *   five entries: count, sum, min, max, counter
 *   entry   uvarint 0                                absent
 *           uvarint L | u8 encoding | L bytes        a chunk; L does not count the encoding byte
 *
 * Upstream's reader wants one byte after the length of every entry, absent or not. So a last entry
 * that is absent reads as `invalid size`, and each entry is read only with all before it: damage
 * behind `sum` does not keep anybody from `sum`. an_aggr_parse takes such an end, an_aggr_get
 * answers as upstream does. Bytes after the last entry are ignored. spec/tsdb-block.md 3.11 */
#pragma once
#include "tsdb/chunk/chunk.h"

enum { AN_AGGR_COUNT, AN_AGGR_SUM, AN_AGGR_MIN, AN_AGGR_MAX, AN_AGGR_COUNTER, AN_AGGR__COUNT };

typedef struct an_aggr_part {
    const an_chunk_codec *codec; /* NULL: absent */
    an_slice data;
} an_aggr_part;

typedef struct an_aggr {
    an_aggr_part part[AN_AGGR__COUNT];
} an_aggr;

/* "count", "sum", "min", "max", "counter". */
const char *an_aggr_name(int which);

/* All five. AN_ECORRUPT with cause ds-invalid-size when the entries do not fit the payload,
 * AN_EUNSUPPORTED with cause chunk-encoding for a part that is no plain chunk. */
AN_MUST_CHECK an_rc an_aggr_parse(an_slice data, an_aggr *out, an_err *err);

/* One, as upstream reads it: AN_ENOTFOUND when it is absent; errors as above. */
AN_MUST_CHECK an_rc an_aggr_get(an_slice data, int which, an_aggr_part *out, an_err *err);

/* How long the payload made of these parts is. */
uint64_t an_aggr_size(const an_aggr *a);
/* Appends the payload made of these parts to `out`, whose `failed` tells whether it fitted. */
void an_aggr_write(an_buf *out, const an_aggr *a);
