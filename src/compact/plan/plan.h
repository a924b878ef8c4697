// SPDX-License-Identifier: Apache-2.0
/* compact/plan/plan.h: what the next iteration would do, and why.
 *
 * Everything in this folder is a pure function of metas, marks, options and now: no I/O, no clock,
 * no dependence on the order in which blocks come. The loop acts on the outcomes, `anneal plan`
 * prints them, the doctor explains them. Source: spec/compaction.md 3 and 4; where anneal does not
 * follow upstream on purpose: docs/differences.md.
 *
 * an_plan_group decides about one group:
 *
 *   1. A block that may not be planned isolates its group (AN_DO_ISOLATE), unless a no-compact mark
 *      fences it: id or version unknown, no sources, a range without length, a bad verdict.
 *   2. Blocks of the future and blocks without samples that are marked are left out, as if absent.
 *   3. Overlaps isolate the group (vertical compaction off), under the cause that the metas show.
 *   4. Upstream's planner picks the blocks: overlaps, then ranges, then tombstones; the index size
 *      and downsampled overlaps may ask for no-compact marks (AN_DO_MARK) and another choice.
 *   5. What may not be merged is refused before any byte is read: shared sources, no labels.
 *
 * A group with an AN_DO_ISOLATE among its outcomes has no AN_DO_COMPACT or AN_DO_REWRITE. A fenced
 * block acts like any block with a no-compact mark: no plan spans it. Whether the gauge stays up
 * for a block that anneal fenced itself is the loop's matter.
 *
 * Ownership: outcomes live in the arena; blocks and metas are borrowed. Threads: plain functions.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "tsdb/meta/marks.h"
#include "tsdb/meta/meta.h"

typedef enum an_samples {
    AN_SAMPLES_UNKNOWN, /* stats are a claim: absent ones are no evidence of emptiness */
    AN_SAMPLES_SOME,
    AN_SAMPLES_NONE, /* proved from the bytes: no sample is left in the block */
} an_samples;

/* A block of the bucket, as far as decisions need it. */
typedef struct an_plan_block {
    an_ulid id;              /* the directory's name is the identity; meta->ulid may differ */
    const an_meta *meta;     /* replica labels removed */
    const an_mark *deletion; /* readable and its id is `id`; NULL: none */
    int64_t deletion_ms;     /* when it was marked: deletion_time, else the mark object's mtime */
    bool deletion_stray;     /* a readable deletion mark that names another block or none */
    bool no_compact;         /* a readable no-compact mark */
    bool no_compact_object;  /* an object of that name, readable or not: none can be written */
    bool no_downsample;      /* a readable no-downsample mark */
    bool foreign_mark;       /* a mark of an unknown version: neither obeyed nor ignored */
    bool incomplete;         /* an object that meta.json lists is missing or has another size */
    int64_t index_bytes;     /* size of the object `index` in the listing; -1: there is none */
    an_samples samples;
    an_cause bad;      /* verdict of the door check or of a merge; AN_CAUSE_NONE: nothing known */
    an_slice bad_text; /* its words */
} an_plan_block;

/* Width of a block's range, ms. Wraps where Go wraps: the two may be anything. */
static inline int64_t an_plan_width(const an_meta *m)
{
    return (int64_t)((uint64_t)m->maxt - (uint64_t)m->mint);
}

/* What keeps a block out of every plan; AN_CAUSE_NONE: nothing. */
an_cause an_plan_fault(const an_plan_block *b);

/* A list with room for n blocks and one more: a copy of src, which may be NULL. */
const an_plan_block **an_plan_list(an_arena *a, const an_plan_block *const *src, size_t n);
/* Sorts in place, ascending. */
void an_plan_sort_by_id(const an_plan_block **v, size_t n);

/* The sources of all blocks together, ascending, each once: the source list of their result. */
an_ulid *an_plan_sources(an_arena *a, const an_plan_block *const *b, size_t n, size_t *n_out);

/* Order of streams: resolution, then labels. 0: the blocks belong to one group. */
int an_plan_stream_cmp(const an_meta *x, const an_meta *y);

/* Blocks that may become one: equal labels and resolution. */
typedef struct an_group {
    an_slice key; /* <resolution>@<labels hash> */
    an_labels labels;
    int64_t resolution; /* ms */
    size_t n;
    const an_plan_block **blocks; /* ascending by min time, then id */
} an_group;

/* Sorts blocks into groups, the groups in order of processing: ascending bytes of their keys. */
void an_groups_build(an_arena *a, const an_plan_block *const *blocks, size_t n, an_group **out,
                     size_t *n_out);

/* The extensions of a result, as compact JSON: the first block's object without the keys that a
 * later object lacks; blocks without an object do not count. Empty: no block has one. AN_ECORRUPT
 * only if a meta was not made by an_meta_parse. */
AN_MUST_CHECK an_rc an_group_extensions(an_arena *a, const an_group *g, an_slice *out, an_err *err);

typedef enum an_do {
    AN_DO_COMPACT,    /* merge `blocks` into one of [mint, maxt), then mark them for deletion */
    AN_DO_REWRITE,    /* the same with one block that has many tombstones */
    AN_DO_DOWNSAMPLE, /* make a block of `resolution` from blocks[0] */
    AN_DO_MARK,       /* write `mark` next to each block, if none is there */
    AN_DO_DELETE,     /* remove each block */
    AN_DO_HOLD,       /* due for a mark or for removal, but that would lose data: tell */
    AN_DO_ISOLATE,    /* nothing new is written in the group until the cause is gone */
    AN_DO_LEAVE_OUT,  /* kept out of plans and reported; the group goes on */
    AN_DO_REPORT,     /* work goes on, a finding is shown */
    AN_DO__COUNT
} an_do;

/* "compact", "rewrite", "downsample", "mark", "delete", "hold", "isolate", "leave-out", "report" */
const char *an_do_name(an_do what);

typedef struct an_outcome {
    an_do what;
    an_cause cause; /* AN_CAUSE_NONE: nothing is wrong */
    an_slice group; /* key */
    size_t n;
    const an_plan_block *const *blocks; /* concerned, in plan order */
    int64_t mint, maxt;                 /* COMPACT, REWRITE: range of the result */
    int64_t level;                      /* COMPACT, REWRITE: of the result */
    int64_t resolution;                 /* of the result, ms */
    an_mark_kind mark;                  /* MARK */
    an_slice details, reason;           /* MARK: texts of the mark */
    an_slice why;                       /* for people; a halt-class text is upstream's own */
} an_outcome;

typedef struct an_outcomes { /* grows in its arena; start with all zero */
    size_t n, cap;
    an_outcome *v;
} an_outcomes;

/* A new zeroed element at the end; valid until the next one. */
an_outcome *an_outcomes_add(an_arena *a, an_outcomes *list);
/* The outcome to execute: the first COMPACT or REWRITE, or NULL. */
const an_outcome *an_outcomes_job(const an_outcomes *list);
/* The first ISOLATE, or NULL. */
const an_outcome *an_outcomes_isolated(const an_outcomes *list);

typedef struct an_plan_opts {
    const int64_t *ranges; /* ms, ascending: an_plan_ranges */
    size_t n_ranges;
    bool vertical;           /* overlaps may be merged */
    int64_t max_index_bytes; /* --compact.block-max-index-size */
    int64_t now_ms;          /* Unix */
} an_plan_opts;

/* The ranges of --debug.max-compaction-level: the first level + 1 of 1h, 2h, 8h, 2d, 14d.
 * AN_EINVALID below 0 and from 5 on. */
enum { AN_PLAN_RANGES_MAX = 5 };
AN_MUST_CHECK an_rc an_plan_ranges(int level, int64_t out[AN_PLAN_RANGES_MAX], size_t *n,
                                   an_err *err);

/* Appends what is to be done in a group: at most one COMPACT or REWRITE, after the marks it needs.
 * Nothing appended: nothing is due and nothing is wrong. */
void an_plan_group(an_arena *a, const an_group *g, const an_plan_opts *opts, an_outcomes *out);

/* A block whose data lies further ahead than this is kept out of plans. */
#define AN_PLAN_FUTURE_MS INT64_C(3600000)
