// SPDX-License-Identifier: Apache-2.0
/* compact/dedup/penalty.h: `--deduplication.func=penalty`, the samples of replicas made one series.
 *
 * Of two streams one is followed; the other is looked at again only from twice the last step
 * behind the present time on, its penalty. So a small offset between replicas does not double the
 * samples, and a gap is filled by the other replica after about two steps. dedup(a, b), the next
 * sample:
 *
 *   a seeks last + 1 + penalty a, b seeks last + 1 + penalty b (an ended one no more)
 *   one has ended           the other, without penalty
 *   otherwise               the earlier one, a on ties; its penalty is 0, the other's is twice the
 *                           step (5000 ms while there is no last sample)
 *
 * More streams fold from the left: dedup(dedup(dedup(s0, s1), s2), ...). A fold of hundreds is
 * shallow here: a stream that lies ahead of everything changes nothing but its own penalty, which
 * is that of all others ahead, so it joins when its first sample comes into reach; one that has
 * ended leaves. What was measured: upstream spends two thirds of a deduplication in that fold.
 *
 * spec/compaction.md 7.1 to 7.3. Threads: one. */
#pragma once
#include "tsdb/chunk/feed.h"
#include "tsdb/chunk/reencode.h"

enum { AN_PENALTY_DEPTH = 1000 /* streams that run side by side */ };

typedef struct an_penalty_node an_penalty_node;

typedef struct an_penalty {
    an_arena *arena;
    an_feed *ahead;       /* streams that have not joined, in fold order */
    int64_t *ahead_least; /* per stream ahead: the least first time from it on */
    size_t n_ahead;
    an_penalty_node *root; /* those that have; NULL: none yet, or all ended */
    int64_t last;          /* time of the last sample; INT64_MIN: none */
    int64_t penalty;       /* of every stream ahead */
    bool alone, begun;     /* one stream only: nothing is compared */
} an_penalty;

/* The fold of n >= 1 streams; `pieces` must outlive it. */
AN_MUST_CHECK an_rc an_penalty_open(an_penalty *p, an_readers *readers,
                                    const an_piece *const *pieces, size_t n, an_err *err);
/* The stream that has the next sample, which is its present one; NULL after the last one. */
AN_MUST_CHECK an_rc an_penalty_next(an_penalty *p, an_feed **out, an_err *err);

/* A group of overlapping chunks, `first` being the earliest: new chunks go to the sink. Only chunks
 * of the kind of `first` (floats, integer or float histograms, aggregates) take part, the others'
 * samples are lost: upstream does that. */
AN_MUST_CHECK an_rc an_penalty_group(an_readers *readers, an_reencoder *re, const an_piece *first,
                                     const an_piece *const *others, size_t n, an_chunk_sink sink,
                                     an_err *err);
/* Is there anything for an_penalty_group to do? Without, `first` stays as it is. */
bool an_penalty_applies(const an_piece *const *others, size_t n);
