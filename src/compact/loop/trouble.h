// SPDX-License-Identifier: Apache-2.0
/* compact/loop/trouble.h: what stands still in this run, and why.
 *
 * An error belongs to one of three classes (DESIGN.md 6):
 *
 *   halt    a human decides: the group is isolated, everything else goes on
 *   retry   the same may work later: the group failed, the next iteration tries again
 *   cancel  the process was told to stop: neither
 *
 * Troubles are kept for the run. What planning finds is forgotten at the start of each pass and
 * found again as long as the bucket shows it; what a job met stays, for the bytes are still there.
 * A block that a job or a sync found bad is remembered by id and fingerprint, and every later plan
 * is told so.
 *
 * Threads: internally locked (`mu`, a leaf lock); texts live as long as the object. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "compact/plan/plan.h"

typedef enum an_trouble_class {
    AN_TROUBLE_HALT,
    AN_TROUBLE_RETRY,
    AN_TROUBLE_CANCEL
} an_trouble_class;

/* By result and cause, never by text. */
an_trouble_class an_trouble_class_of(const an_err *err);

typedef enum an_trouble_from {
    AN_FROM_PLAN, /* forgotten at the start of each pass */
    AN_FROM_JOB   /* kept for the run */
} an_trouble_from;

typedef struct an_trouble {
    an_trouble_class kind; /* HALT or RETRY */
    an_trouble_from from;
    an_cause cause;
    an_slice group;  /* key; empty: no group can be told */
    an_slice labels; /* `0@{a="1"}` */
    size_t n_blocks; /* concerned */
    const an_ulid *blocks;
    an_slice text;
} an_trouble;

typedef struct an_troubles an_troubles;

/* Nothing is wrong yet. */
an_troubles *an_troubles_new(void);
void an_troubles_free(an_troubles *t); /* NULL is fine */

/* Copies `what`. True: this was not known before in this run, so it is to be logged. */
bool an_troubles_add(an_troubles *t, const an_trouble *what);
/* Findings that stop nothing: true the first time they are seen in this run. */
bool an_troubles_first(an_troubles *t, an_cause cause, an_ulid block);
void an_troubles_new_pass(an_troubles *t);
/* True: something is recorded for this group: before its plan is made, by a job or by the sync. */
bool an_troubles_stopped(an_troubles *t, an_slice group);
size_t an_troubles_count(an_troubles *t, an_trouble_class kind);

/* What became known about a block: fingerprint of its data at that time, and the verdict. */
typedef struct an_verdict {
    an_ulid id;
    uint64_t data;
    an_cause bad; /* AN_CAUSE_NONE: it is good */
    an_slice text;
    an_samples samples;
} an_verdict;
void an_troubles_judge(an_troubles *t, const an_verdict *v); /* replaces an earlier one; copied */
/* False: nothing is known about these bytes. */
bool an_troubles_verdict(an_troubles *t, an_ulid id, uint64_t data, an_verdict *out);

/* Appends `group K: text`, or `N errors: group K: text; group L: text`; nothing when all is well.
 */
void an_troubles_text(an_troubles *t, an_buf *out);
