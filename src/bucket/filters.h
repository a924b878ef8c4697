// SPDX-License-Identifier: Apache-2.0
/* bucket/filters.h: which of the loaded blocks take part, in upstream's order of filters.
 *
 *   F1 time partition -> F2 relabel selector -> F3 consistency delay -> F4 deletion marks
 *   -> F5 replica label removal -> F6 covered sources -> F7 no-compact -> F8 no-downsample
 *
 * Each filter sees the survivors of the previous one; the last two drop nothing, they count. Pure
 * functions of metas, marks, options and now. Where anneal differs from upstream: identity is the
 * directory's name (never the ulid in meta.json), and a block without sources is never covered.
 * Source: spec/compaction.md 2.4 to 2.6; oracle: golden/vectors/filters.
 *
 * Ownership: the caller's array is changed in place; metas are borrowed, changed copies live in the
 * arena. Threads: plain functions. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "tsdb/labels/relabel.h"
#include "tsdb/meta/marks.h"
#include "tsdb/meta/meta.h"

typedef enum an_filter_state { /* of the metric blocks_meta_synced */
                               AN_SYNCED_LOADED,
                               AN_SYNCED_TIME_EXCLUDED,
                               AN_SYNCED_LABEL_EXCLUDED,
                               AN_SYNCED_TOO_FRESH,
                               AN_SYNCED_MARKED_FOR_DELETION,
                               AN_SYNCED_DUPLICATE,
                               AN_SYNCED_MARKED_FOR_NO_COMPACT,    /* also counted as loaded */
                               AN_SYNCED_MARKED_FOR_NO_DOWNSAMPLE, /* also counted as loaded */
                               AN_SYNCED_NO_META,          /* counted by the sync, not here */
                               AN_SYNCED_CORRUPTED_META,   /* same */
                               AN_SYNCED_FAILED,           /* same */
                               AN_SYNCED_PARQUET_MIGRATED, /* always 0 */
                               AN_SYNCED__COUNT
} an_filter_state;

/* The label value of the state, e.g. "too-fresh". */
const char *an_filter_state_name(an_filter_state s);

typedef struct an_filter_block {
    an_ulid id;                           /* the directory's name */
    const an_meta *meta;                  /* in: as loaded; out: replica labels removed */
    const an_mark *marks[AN_MARK__COUNT]; /* readable ones, whatever id they name; NULL: none */
    /* out */
    an_filter_state state;            /* LOADED: took every hurdle; else what dropped it */
    const struct an_filter_block *by; /* DUPLICATE: the block that has all its sources */
    bool reached_marks; /* passed F1 to F3: its deletion mark is this instance's business */
} an_filter_block;

typedef struct an_filter_opts {
    int64_t min_time_ms, max_time_ms; /* of this sync; INT64_MIN and INT64_MAX: all */
    const an_relabel *selector;       /* NULL: all */
    size_t n_replica_flags;           /* --deduplication.replica-label as given, for F2 */
    const an_slice *replica_flags;
    size_t n_replica_labels; /* split, sorted, without repeats, for F5: an_replica_labels */
    const an_slice *replica_labels;
    int64_t consistency_delay_ms, delete_delay_ms;
    bool downsampling_disabled; /* F8 is not run */
    int64_t now_ms;
} an_filter_opts;

typedef struct an_filter_counts {
    uint64_t synced[AN_SYNCED__COUNT];
    uint64_t replica_labels_removed;
    uint64_t labels_created; /* blocks that had no label left and got one */
} an_filter_counts;

/* Runs all filters over blocks[0..n). AN_ELIMIT: a selector regex gave up, or no memory. */
AN_MUST_CHECK an_rc an_filters_run(an_arena *a, an_filter_block *blocks, size_t n,
                                   const an_filter_opts *opts, an_filter_counts *counts,
                                   an_err *err);

/* F6 alone, for every group among blocks[0..n) with state LOADED. */
void an_filter_covered(an_arena *a, an_filter_block *blocks, size_t n);

/* Appends how many blocks were left out and why, "24 too-fresh, 2 duplicate"; nothing when none
 * was. */
void an_filter_left_out(const an_filter_counts *counts, an_buf *out);

/* The labels that F5 removes: flag values split at commas, sorted, without repeats; empty flags do
 * not count, an empty name after a stray comma does. */
void an_replica_labels(an_arena *a, const an_slice *flags, size_t n, an_slice **out, size_t *n_out);
