// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/health.h: what a well-formed index says that it should not: upstream's index health
 * scan (spec/tsdb-block.md 6.4), fed one series entry at a time by whoever walks the index anyway:
 * the door check, the merge, `tools bucket verify`.
 *
 * Two kinds of findings. Some end the scan at once: an_index_health_add refuses an entry without
 * labels or chunks (empty-series) and a label set not above its predecessor (ooo-series). The
 * others are counted, and a verdict over the counts is asked for at the end:
 *
 *   check       cause           class       upstream's text
 *   OUTSIDE     outside-chunks  AN_EHALT    found %d chunks (non-)completely outside the block ...
 *   ISSUE347    issue347        AN_ECORRUPT found %d chunks outside the block time range introduced
 *   OOO_LABELS  ooo-labels      AN_ECORRUPT index contains %d postings with out of order labels
 *   OOO_CHUNKS  ooo-chunks      AN_ECORRUPT %d/%d series have an average of %.3f out-of-order ...
 *   DUP_CHUNKS  dup-chunks      AN_ECORRUPT none: upstream counts them and says nothing
 *
 * Errors carry the file offset of the first entry concerned, and the count as `found`. Labels are
 * compared by reference, which is comparing strings as long as the symbol table ascends: whoever
 * reads the symbols checks that. Threads: plain values, one. */
#pragma once
#include "tsdb/index/index_reader.h"

/* The two numbers of meta.json's thanos.index_stats, as upstream estimates them: the distance of
 * neighbouring ids (so the last series is not measured), and of neighbouring chunks in one segment
 * (the last two chunks of each series are not measured). 0: nothing was measured. */
typedef struct an_index_estimate {
    uint64_t prev_id;
    int64_t series_max_size, chunk_max_size; /* bytes */
} an_index_estimate;

/* id_unit: bytes per unit of id, 16 in version 2, 1 in version 1. */
void an_index_estimate_add(an_index_estimate *e, uint64_t id, int64_t id_unit,
                           const an_chunk_meta *chunks, size_t n_chunks);

typedef enum an_health_check {
    AN_HEALTH_OUTSIDE,
    AN_HEALTH_ISSUE347,
    AN_HEALTH_OOO_LABELS,
    AN_HEALTH_OOO_CHUNKS,
    AN_HEALTH_DUP_CHUNKS,
    AN_HEALTH__COUNT
} an_health_check;

typedef struct an_index_health {
    int64_t mint, maxt; /* as meta.json says, ms; a chunk may end at maxt itself */
    int64_t id_unit;
    uint64_t n_series, n_chunks;
    uint64_t ooo_series, ooo_chunks, dup_chunks;
    uint64_t outside, complete_outside, issue347; /* the latter two are part of the first */
    uint64_t ooo_labels;
    uint64_t first[AN_HEALTH__COUNT]; /* file offset of the first entry concerned */
    an_index_estimate estimate;
    an_buf prev; /* label references of the previous entry */
} an_index_health;

/* budget may be NULL; it pays for a copy of one label set. */
void an_index_health_init(an_index_health *h, const an_index *ix, int64_t mint, int64_t maxt,
                          an_budget *budget);
void an_index_health_deinit(an_index_health *h);
/* AN_ECORRUPT, cause empty-series or ooo-series; AN_ELIMIT. */
AN_MUST_CHECK an_rc an_index_health_add(an_index_health *h, const an_series_entry *e, an_err *err);

/* One check of the table. AN_OK: nothing found. */
AN_MUST_CHECK an_rc an_index_health_check(const an_index_health *h, an_health_check which,
                                          an_err *err);
/* What stops an input block before its merge, first hit in upstream's order: outside, out-of-order
 * chunks, issue 347, label order. `accept` is a set of 1u << AN_HEALTH_... that are let pass (label
 * order with --debug.accept-malformed-index). Duplicates are no verdict: the merge sees to them. */
AN_MUST_CHECK an_rc an_index_health_input(const an_index_health *h, unsigned accept, an_err *err);
/* What a finished block must not have: all findings in one text, in upstream's other order
 * (outside, issue 347, labels, chunks); the class and cause are the first one's. */
AN_MUST_CHECK an_rc an_index_health_any(const an_index_health *h, an_err *err);
