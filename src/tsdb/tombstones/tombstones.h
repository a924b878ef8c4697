// SPDX-License-Identifier: Apache-2.0
/* tsdb/tombstones/tombstones.h: which times of which series are deleted, and sets of intervals.
 *
 *   offset  size  field
 *   0       4     0x0130BA30
 *   4       1     1, the format's version
 *   5       ...   entries: uvarint series id, varint mint, varint maxt (both inclusive)
 *   end     4     CRC32C of the entries alone
 *
 * Entries may come in any order; on reading, those of one series are united, and intervals that
 * touch (next.mint = maxt + 1) become one. Source: spec/tsdb-block.md 5; the errors of 5.1 are
 * AN_ECORRUPT with cause tombstones-unreadable. Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

typedef struct an_interval {
    int64_t mint, maxt; /* ms, both inclusive; mint <= maxt */
} an_interval;

/* Ascending, with a gap of at least 1 ms between neighbours. */
typedef struct an_intervals {
    size_t n;
    an_interval *v;
} an_intervals;

/* Unites *in with iv. The result is a new array in `a`; the old one, which may belong to parsed
 * tombstones, stays as it is. False when there is no memory: then *in is as before. */
AN_MUST_CHECK bool an_intervals_add(an_arena *a, an_intervals *in, an_interval iv);
/* One interval holds all of r: a chunk with that range is gone. */
bool an_intervals_cover(an_intervals in, an_interval r);
/* Some time of r is deleted. */
bool an_intervals_overlap(an_intervals in, an_interval r);

typedef struct an_tombstones {
    size_t n;
    struct an_tombstone {
        uint64_t id; /* of the series, as in postings */
        an_intervals times;
    } *v;               /* ascending by id */
    size_t n_intervals; /* of all series */
} an_tombstones;

/* *out lives as long as `a`. AN_ELIMIT when its budget is spent. */
AN_MUST_CHECK an_rc an_tombstones_parse(an_arena *a, an_slice doc, an_tombstones *out, an_err *err);
/* Deleted times of one series; n == 0 for most. */
an_intervals an_tombstones_get(const an_tombstones *t, uint64_t id);
/* Appends the file, series ascending by id. */
void an_tombstones_write(an_buf *out, const an_tombstones *t);
