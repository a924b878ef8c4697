// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/postings.h: the postings lists of an index being written: which series have which
 * label pair. Private to this folder.
 *
 * Ids come in ascending order, so a list is kept as its first id and the uvarint differences of the
 * others, in a chain of chunks of 16 to 512 bytes out of a common pool; a pair's list is found by a
 * hash of its two ordinals, or, for neighbours share most of their labels, where the series before
 * had it. When the budget is spent all lists go to the spill file as a run sorted by pair, and
 * memory begins anew; runs are merged 8 or 64 at a time. Reading gives the lists in the order of
 * the file format, those of one pair joined from all runs.
 *
 *   run:     records, ascending by (key, value)
 *   record:  uvarint key, value, n, first id, last id, bytes | `bytes` bytes of differences
 *   key:     0: the list of all series (value 0); else the name's ordinal + 1
 *
 * Use: add ..., finish, next ..., finish, next ... Threads: one. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"

typedef struct an_postings an_postings;

typedef struct an_postings_list {
    uint32_t key;   /* 0: all series; else name ordinal + 1 */
    uint32_t value; /* ordinal */
    uint64_t n;     /* ids */
    uint32_t first; /* the first of them, if any */
} an_postings_list;

/* b and spill may be NULL: no limit; AN_ELIMIT when it is spent. Takes nothing yet. */
AN_MUST_CHECK an_rc an_postings_new(an_budget *b, const an_spill *spill, an_postings **out,
                                    an_err *err);
void an_postings_free(an_postings *p);
/* labels: 2 * n ordinals. id is above those before it. */
AN_MUST_CHECK an_rc an_postings_add(an_postings *p, uint32_t id, const uint32_t *labels, size_t n,
                                    an_err *err);
/* Moves all lists to the spill, for somebody else needs memory. AN_ELIMIT when there is nothing to
 * move, or nowhere to. */
AN_MUST_CHECK an_rc an_postings_make_room(an_postings *p, an_err *err);
/* No more are added; next() begins with the first list. Called again: once more from the first, but
 * without ids. */
AN_MUST_CHECK an_rc an_postings_finish(an_postings *p, an_err *err);
/* AN_ENOTFOUND without a text after the last list. */
AN_MUST_CHECK an_rc an_postings_next(an_postings *p, an_postings_list *out, an_err *err);
/* More of the differences of the list that next() gave: cut anywhere; n == 0 at their end. Valid
 * until the next call. */
AN_MUST_CHECK an_rc an_postings_bytes(an_postings *p, an_slice *out, an_err *err);
