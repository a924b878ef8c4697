// SPDX-License-Identifier: Apache-2.0
/* compact/loop/view.h: one sync as decisions need it: bucket/state through bucket/filters into
 * compact/plan's blocks, covered and marked ones, unfinished uploads, and what could not be judged.
 *
 * Nothing is decided here and nothing logged: the loop acts on a view, `anneal plan` prints what
 * follows from it.
 *
 * Ownership: a view lives in its arena and borrows the snapshot that the an_viewer keeps until the
 * next one. Threads: an an_viewer belongs to one thread at a time; a view is immutable. */
#pragma once
#include "bucket/filters.h"
#include "bucket/state.h"
#include "compact/loop/trouble.h"
#include "compact/plan/clean.h"

/* A plan block with what a job needs besides; the plan hands out pointers to `plan`. */
typedef struct an_view_block {
    an_plan_block plan; /* first: an_view_block_of */
    size_t n_objects;
    const an_block_object *objects;
    uint64_t bytes; /* of all of them */
    uint64_t data;  /* fingerprint, for verdicts */
} an_view_block;

static inline const an_view_block *an_view_block_of(const an_plan_block *b)
{
    return (const an_view_block *)b;
}

typedef struct an_unknown {
    an_ulid id;
    bool passing; /* it may be readable the next time; else it is denied or too large */
} an_unknown;

typedef struct an_view {
    size_t n_loaded;
    const an_plan_block **loaded; /* passed all filters, ascending by id */
    size_t n_covered;
    an_covered *covered;
    size_t n_marked;
    const an_plan_block **marked; /* with a deletion mark that is this instance's business */
    size_t n_fresh;
    const an_plan_block **fresh; /* held back by the consistency delay */
    size_t n_all;
    const an_plan_block **all; /* every block whose meta.json could be read */
    size_t n_partials;
    an_partial *partials;
    bool *only_marks;  /* per partial: nothing but marks lies there */
    size_t n_unjudged; /* corrupt, foreign, unreadable */
    const an_state_block **unjudged;
    size_t n_unknown; /* of those: not readable now nor before, so they may be of any group */
    const an_unknown *unknown;
    size_t n_findings; /* of the sync */
    const an_finding *findings;
    an_filter_counts counts;
    int64_t now_ms;
    int64_t took_ns;
} an_view;

typedef struct an_viewer an_viewer;

/* Reads nothing yet. */
an_viewer *an_viewer_new(const an_state_opts *opts);
void an_viewer_free(an_viewer *w); /* NULL is fine */

/* A new listing. f->now_ms is the time of the view. `t` remembers what is known about blocks; NULL:
 * nothing is. Ends the view before. */
AN_MUST_CHECK an_rc an_viewer_look(an_viewer *w, an_ctx *ctx, an_arena *a, const an_filter_opts *f,
                                   an_troubles *t, an_view *out, an_err *err);
/* About the cache of metadata at the last look; rc is AN_OK when there is nothing to tell. */
const an_err *an_viewer_note(const an_viewer *w);
