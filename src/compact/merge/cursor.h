// SPDX-License-Identifier: Apache-2.0
/* compact/merge/cursor.h: the series of one input, one after the other, ready to be merged.
 *
 * A cursor walks an input's index and turns each entry into what the merge works with: labels as
 * ordinals of the result, chunks that survive the clamp to the result's range and the tombstones
 * (spec/compaction.md 6.1), and the cuts that remain for a fold. Entries that keep no chunk are
 * skipped. A second entry of a chunk that is the same chunk again (same reference, or equal bytes)
 * is left out; upstream's writer refuses such a series, or its merge collapses it.
 *
 * The index's health is judged in passing, one entry at a time; the first finding ends the walk.
 * It may not be the one that upstream would name, which verifies whole blocks in plan order before
 * it merges: the caller asks bucket/block_check.h for that one before it reports.
 *
 * Threads: one. */
#pragma once
#include "bucket/block_check.h"
#include "bucket/chunk_reader.h"
#include "compact/merge/ordmap.h"
#include "tsdb/tombstones/tombstones.h"

typedef struct an_series_cursor_opts {
    const an_block_reader *block;
    an_chunk_reader *chunks;
    const an_source *series, *postings; /* two windows over the index */
    uint64_t all_postings;              /* offset of the ("","") list */
    an_ordmap *map;
    const an_tombstones *tombstones; /* NULL: none */
    int64_t mint, maxt;              /* range of the result, [mint, maxt) ms */
    unsigned accept;                 /* health checks let pass, as an_index_health_input */
    bool no_chunks; /* read nothing of the chunks: copies are taken for copies (measure.h) */
    an_budget *budget;
} an_series_cursor_opts;

typedef struct an_series_cursor {
    an_series_cursor_opts o;
    an_series_iter *it;
    an_index_health health;
    bool done;
    /* the present series; arrays are valid until the next call */
    size_t n_labels;
    const uint32_t *labels; /* 2 * n_labels ordinals of the result, in the stored order */
    size_t n_chunks;
    const an_chunk_meta *chunks;
    an_intervals cuts; /* n == 0 for almost all */
    bool cut;          /* some chunk touches a cut */
    uint64_t entry_off;
    /* sums so far */
    uint64_t n_entries;
    uint64_t edge_samples;  /* left out because they lie at exactly maxt */
    uint64_t unread_edge;   /* ... in chunks that hold nothing else, and were not read */
    uint64_t dup_chunks;    /* left out because they are there already */
    uint64_t unread_chunks; /* left out otherwise: their samples are in no sum */
    uint64_t dup_samples;   /* in the headers of dup_chunks */
    /* own memory */
    an_buf label_buf, chunk_buf, dup_buf;
    an_arena *arena; /* cuts of the present series */
} an_series_cursor;

/* Stands before the first series. Close it also after a failure. */
AN_MUST_CHECK an_rc an_series_cursor_open(const an_series_cursor_opts *opts, an_series_cursor *c,
                                          an_err *err);
void an_series_cursor_close(an_series_cursor *c); /* a zeroed one is fine */
/* Sets done after the last one (then the index's own checks have passed). */
AN_MUST_CHECK an_rc an_series_cursor_next(an_series_cursor *c, an_err *err);

/* Pair by pair; a strict prefix sorts first. */
static inline int an_ords_cmp(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
    size_t n = 2 * (na < nb ? na : nb);

    for (size_t i = 0; i < n; i++) {
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    }
    return (na > nb) - (na < nb);
}
