// SPDX-License-Identifier: Apache-2.0
/* compact/plan/clean.h: what is marked for deletion and what is removed: retention, garbage, marked
 * blocks, partial uploads. spec/compaction.md 5.6 to 5.9.
 *
 * Nothing here trusts a mark further than it can see: a mark that says `source of compacted block`
 * or `outdated block` is executed only while complete live blocks cover the block's sources, or the
 * block is past its retention anyway, or has no sample left. Oracle: golden/vectors/{gc,cleaner,
 * retention}. Threads: plain functions. */
#pragma once
#include "compact/plan/plan.h"

/* Details of deletion marks, as upstream writes them; the last is ours. */
#define AN_DETAILS_SOURCE "source of compacted block"
#define AN_DETAILS_OUTDATED "outdated block"
#define AN_DETAILS_NO_SAMPLES "block without samples"

typedef struct an_retention { /* ns; 0: for ever */
    int64_t raw_ns, five_min_ns, one_hour_ns;
} an_retention;

/* True when the block's data is past the retention of its resolution. */
bool an_retention_expired(const an_plan_block *b, const an_retention *r, int64_t now_ms);

/* Appends a MARK for every expired block that carries no deletion mark yet; ids ascending. */
void an_clean_retention(an_arena *a, const an_plan_block *const *b, size_t n, const an_retention *r,
                        int64_t now_ms, an_outcomes *out);

/* A block whose sources are all in another one of its group (bucket/filters). */
typedef struct an_covered {
    const an_plan_block *block, *by;
} an_covered;
/* Appends a MARK `outdated block` for each that is not marked yet, a HOLD where the covering block
 * is known to be bad or incomplete; ids ascending. */
void an_clean_garbage(an_arena *a, const an_covered *v, size_t n, an_outcomes *out);

/* Appends a DELETE for each marked block that is due, a HOLD for each that is due but would lose
 * data, a REPORT for each mark that names another block. `all` are the blocks that may be covers:
 * everything known, not only what the filters left. ids ascending. */
void an_clean_marked(an_arena *a, const an_plan_block *const *marked, size_t n,
                     const an_plan_block *const *all, size_t n_all, const an_retention *r,
                     int64_t delete_delay_ms, int64_t now_ms, an_outcomes *out);

/* A block directory without a readable meta.json. */
typedef struct an_partial {
    an_ulid id;
    bool meta_unreadable; /* meta.json is there but cannot be read as one */
    bool has_index;
    bool has_all_segments; /* chunks/000001 up to the last one, at least one */
    bool marked;           /* a readable deletion mark with this id: a deletion was cut off */
    int64_t newest_ms;     /* newest object, Unix ms; -1: the store does not tell */
    unsigned listings;     /* how many listings have shown it like this */
} an_partial;

typedef enum an_partial_fate {
    AN_PARTIAL_WAIT,    /* younger than 48 h */
    AN_PARTIAL_CONFIRM, /* old enough, seen once: look again */
    AN_PARTIAL_DELETE,
    AN_PARTIAL_HOLD, /* never removed for its age: the data may be complete */
} an_partial_fate;

#define AN_PARTIAL_AGE_MS INT64_C(172800000)
/* *cause is meta-missing or meta-corrupt; `why` is appended to. */
an_partial_fate an_clean_partial(const an_partial *p, int64_t now_ms, an_cause *cause, an_buf *why);
