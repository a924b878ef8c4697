// SPDX-License-Identifier: Apache-2.0
/* compact/job/job.h: one compaction, or one downsampling, from its plan to a published block.
 *
 *   sizes ─► memory reserved ─► inputs opened (heads, tombstones) ─► limits of the result's index
 *     ─► identity, is it there already? ─► merge (compact/merge) ─► counts checked ─► published
 *
 * A job is a pure function of its inputs and options: index and chunks are the same bytes, the ULID
 * is the same, whoever runs it, how often, with how many workers and how much memory. Nothing is
 * visible in the bucket before all of it was checked; a job that fails or is cancelled leaves
 * nothing but temp files. Marking the sources is the caller's, after AN_JOB_PUBLISHED,
 * AN_JOB_DONE_BEFORE or AN_JOB_EMPTY.
 *
 * A downsampling has one input and leaves it alone. Its result says what the input says, range and
 * lineage included, so that everybody sees whose samples it covers; tombstones are not applied; and
 * a result without series is published, too: it covers its input (spec/downsampling.md 1.5, 1.6).
 *
 * Errors carry cause, block, object and offset of what a human should look at first, chosen in
 * upstream's order (bucket/block_check.h); texts name the series. Damage is AN_ECORRUPT, limits of
 * the format and other halts are AN_ELIMIT and AN_EHALT; when the listing that the job was given no
 * longer holds, the answer is AN_ERETRY.
 *
 * Ownership: inputs and options are borrowed for the call; the result lives in the arena. Threads:
 * the caller's, those of the pools; a job shares nothing with other jobs but budget and pools. */
#pragma once
#include "base/pool.h"
#include "bucket/block_reader.h"
#include "compact/merge/task.h"
#include "compact/plan/identity.h"

typedef struct an_job_input {
    const an_plan_block *block; /* id, meta, index_bytes */
    size_t n_objects;
    const an_block_object *objects; /* all of the block, from the listing */
} an_job_input;

typedef struct an_job_opts {
    an_identity_kind kind;
    an_labels labels;    /* of the group */
    int64_t resolution;  /* of the result, ms */
    an_slice extensions; /* compact JSON, empty: none; an_group_extensions */
    size_t n_options;
    const an_identity_option *options; /* those that change bytes and are not at their default */
    bool sha256;                       /* --hash-func=SHA256 */
    bool accept_malformed_index;       /* --debug.accept-malformed-index */
    const an_fold *fold;               /* merges overlapping chunks; not used to downsample */
    an_budget *budget;                 /* what the job reserves its memory from */
    size_t memory;                /* the most it may reserve, bytes; 0: all of the budget's limit */
    an_pool *workers;             /* NULL: the calling thread does all */
    an_pool *transfers;           /* reads ahead, where the store is not local; may be NULL */
    const an_spill *spill;        /* may be NULL: AN_ELIMIT instead */
    size_t window_bytes;          /* no read is longer; 0: as the memory allows */
    uint64_t segment_max;         /* 0: AN_SEGMENT_MAX */
    int64_t (*now_ns)(void *arg); /* Unix time, for upload_time and the age of leftovers */
    void *now_arg;
    /* Bytes read so far, and how many there are in all; may be NULL. Called by the job's thread. */
    void (*progress)(void *arg, uint64_t done, uint64_t all);
    void *progress_arg;
} an_job_opts;

typedef enum an_job_outcome {
    AN_JOB_PUBLISHED,
    AN_JOB_DONE_BEFORE, /* the block with this identity was there, complete */
    AN_JOB_EMPTY        /* no sample is left: there is no block */
} an_job_outcome;

typedef struct an_job_source { /* what the merge saw of one input */
    uint64_t n_series, samples;
    uint64_t edge_samples; /* left out because they lie at exactly the end of the result's range */
    uint64_t dup_chunks;   /* left out because they are there already */
    uint64_t ooo_labels;   /* label names out of order, let pass by accept_malformed_index */
    uint64_t plain_chunks; /* of raw samples, in a block of aggregates */
    bool stats_differ; /* meta.json counts other samples; all chunks were decoded and are good */
} an_job_source;

typedef struct an_job_result {
    an_job_outcome outcome;
    an_ulid ulid;
    an_meta meta;           /* as uploaded; as found when DONE_BEFORE; stats only when EMPTY */
    an_job_source *sources; /* per input; NULL when DONE_BEFORE */
    uint64_t bytes_read, bytes_written;
} an_job_result;

/* inputs in plan order, at least one. */
AN_MUST_CHECK an_rc an_job_run(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *inputs,
                               size_t n, const an_job_opts *opts, an_job_result *out, an_err *err);
