// SPDX-License-Identifier: Apache-2.0
/* compact/merge/arrange.h: the chunks of a merge set in order of time, if that is all there is to
 * do. Chunks of different inputs that overlap, or that touch (one begins in the millisecond in
 * which another ends), or that are cut, need a fold (spec/compaction.md 6.4, 6.9). Threads: one. */
#pragma once
#include "compact/merge/cursor.h"

typedef struct an_run { /* consecutive chunks of one input */
    an_series_cursor *cursor;
    size_t from, n;
} an_run;

typedef struct an_arrangement {
    size_t n, cap;
    an_run *runs;
    size_t *next; /* per member: first chunk not yet placed */
    size_t n_next;
} an_arrangement;

void an_arrangement_deinit(an_arrangement *a); /* start with a zeroed one */

/* Replaces the runs; they are valid until a cursor moves. False: the set needs a fold. */
bool an_arrange(an_arrangement *a, an_series_cursor *const *set, size_t n_set);
