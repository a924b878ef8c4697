// SPDX-License-Identifier: Apache-2.0
#include "compact/job/job.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/random.h"
#include "bucket/block_presence.h"
#include "bucket/block_writer.h"
#include "compact/downsample/downsample.h"
#include "compact/job/judge.h"
#include "compact/job/recount.h"
#include "compact/job/sizing.h"
#include "compact/merge/merge.h"
#include "tsdb/index/bounds.h"
#include "tsdb/index/health.h"
#include "tsdb/segment/segment.h"

enum { NONCE = 20, GENERATIONS = 1000 };
#define TOMBSTONES_MAX (UINT64_C(64) << 20)
#define LEFTOVER_AGE_MS (INT64_C(24) * 3600 * 1000)

typedef struct job {
    an_arena *arena;
    an_bucket *bucket;
    an_ctx *ctx;
    const an_job_input *in;
    size_t n;
    const an_job_opts *o;
    an_job_result *out;
    unsigned accept;
    bool downsamples;
    an_downsample to;
    an_fold fold;
    int64_t mint, maxt;
    an_job_sizes sizes;
    an_budget *memory, *io, *maps, *symbols, *index; /* the reservation and its shares */
    an_arena *held;                                  /* tombstones, from io */
    an_merge_input *inputs;
    an_identity_input *ids;
    uint64_t bytes_to_read;
} job;

static an_window_opts window(const job *j, size_t bytes)
{
    return (an_window_opts){.bytes = bytes,
                            .ahead = j->sizes.ahead,
                            .budget = j->io,
                            .pool = j->o->transfers,
                            .bytes_read = &j->out->bytes_read};
}

/* The range of the result: all that its inputs say (spec/compaction.md 6.1). */
static an_rc find_range(job *j, an_err *err)
{
    an_rc rc = AN_OK;

    j->mint = INT64_MAX;
    j->maxt = INT64_MIN;
    for (size_t i = 0; i < j->n; i++) {
        const an_meta *m = j->in[i].block->meta;
        if (m->mint < j->mint) j->mint = m->mint;
        if (m->maxt > j->maxt) j->maxt = m->maxt;
    }
    AN_CHECK_CAUSE(j->mint < j->maxt, err, AN_ECORRUPT, AN_CAUSE_OUTSIDE_CHUNKS,
                   "the inputs' range [%lld, %lld) holds no time", (long long)j->mint,
                   (long long)j->maxt);
    AN_CHECK_CAUSE(j->o->labels.n > 0, err, AN_EHALT, AN_CAUSE_LABELS_EMPTY,
                   "empty external labels are not allowed for Thanos block");
out:
    return rc;
}

static an_rc begin_downsampling(job *j, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t from = j->in[0].block->meta->thanos.resolution;

    an_assert(j->n == 1);
    AN_CHECK_CAUSE(from < j->o->resolution, err, AN_EHALT, AN_CAUSE_RESOLUTION_ODD,
                   "target resolution not lower than existing one: %lld and %lld",
                   (long long)j->o->resolution, (long long)from);
    j->downsamples = true;
    j->to.resolution = j->o->resolution;
    j->fold = an_downsample_fold(&j->to);
    if (j->o->accept_malformed_index) /* here the flag lets all findings of the check pass */
        j->accept = (1u << AN_HEALTH__COUNT) - 1;
out:
    return rc;
}

static an_rc reserve(job *j, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t index_bytes = 0;
    bool local = (j->bucket->caps & AN_CAP_LOCAL) != 0 || j->o->transfers == NULL;
    size_t limit = an_budget_limit(j->o->budget);
    size_t n_workers = j->o->workers == NULL ? 0 : an_pool_threads(j->o->workers);

    if (j->o->memory > 0 && j->o->memory < limit) limit = j->o->memory;
    for (size_t i = 0; i < j->n; i++) {
        for (size_t k = 0; k < j->in[i].n_objects; k++) {
            if (an_slice_eq(j->in[i].objects[k].name, AN_LIT("index")))
                index_bytes += j->in[i].objects[k].size;
        }
    }
    AN_TRY(an_job_sizes_of(j->n, index_bytes, limit, j->o->window_bytes, local, n_workers,
                           &j->sizes, err));
    AN_TRY(an_budget_reserve(j->o->budget, j->ctx, j->sizes.total, &j->memory, err));
    AN_TRY(an_budget_reserve(j->memory, j->ctx, j->sizes.io, &j->io, err));
    AN_TRY(an_budget_reserve(j->memory, j->ctx, j->sizes.maps, &j->maps, err));
    AN_TRY(an_budget_reserve(j->memory, j->ctx, j->sizes.symbols, &j->symbols, err));
    AN_TRY(an_budget_reserve(j->memory, j->ctx, j->sizes.index, &j->index, err));
    j->held = an_arena_new(j->io);
out:
    return rc;
}

static void give_back(job *j)
{
    an_arena_free(j->held);
    an_budget_free(j->io);
    an_budget_free(j->maps);
    an_budget_free(j->symbols);
    an_budget_free(j->index);
    an_budget_free(j->memory);
}

static an_rc read_tombstones(job *j, size_t i, an_err *err)
{
    an_rc rc = AN_OK;
    const an_block_reader *r = j->inputs[i].block;
    an_window_opts wo = window(j, j->sizes.postings_window);
    an_window *w = NULL;
    an_buf doc;
    an_slice bytes;

    an_buf_init(&doc, TOMBSTONES_MAX, j->io);
    AN_CHECK(r->tombstones_bytes <= TOMBSTONES_MAX, err, AN_ELIMIT,
             "tombstones of %llu bytes are longer than %llu",
             (unsigned long long)r->tombstones_bytes, (unsigned long long)TOMBSTONES_MAX);
    AN_TRY(an_block_reader_window(r, AN_BLOCK_TOMBSTONES, &wo, &w, err));
    an_source src = an_window_source(w);
    AN_TRY(an_source_gather(&src, 0, (size_t)r->tombstones_bytes, &doc, &bytes, err));
    an_tombstones *t = an_arena_alloc(j->arena, sizeof *t);
    AN_TRY(an_tombstones_parse(j->held, bytes, t, err));
    if (!j->downsamples) j->inputs[i].tombstones = t; /* deleted samples come back, as upstream */
    j->ids[i].has_tombstones = true;
    an_sha256_of(bytes, j->ids[i].tombstones_sha256);
out:
    if (rc != AN_OK) (void)an_block_reader_err(r, "tombstones", err);
    an_window_close(w);
    an_buf_deinit(&doc);
    return rc;
}

static an_rc open_inputs(job *j, an_err *err)
{
    an_rc rc = AN_OK;
    an_window_opts wo = window(j, j->sizes.postings_window);
    an_index *heads = an_arena_alloc(j->arena, j->n * sizeof *heads);
    an_index_bounds bounds;

    j->inputs = an_arena_alloc(j->arena, j->n * sizeof *j->inputs);
    j->ids = an_arena_alloc(j->arena, j->n * sizeof *j->ids);
    for (size_t i = 0; i < j->n; i++) {
        const an_job_input *in = &j->in[i];
        an_block_reader *r;
        AN_TRY(an_block_reader_open(j->arena, j->bucket, j->ctx, in->block->id, in->block->meta,
                                    in->objects, in->n_objects, &wo, &r, err));
        j->inputs[i].block = r;
        j->ids[i].block = in->block;
        heads[i] = r->index;
        /* Of the postings only one list is read; it does not count. */
        j->bytes_to_read += r->chunks_bytes + r->index.series_end + r->index.postings_table_len;
    }
    for (size_t i = 0; i < j->n; i++) {
        if (j->inputs[i].block->has_tombstones) AN_TRY(read_tombstones(j, i, err));
    }
    an_index_bounds_of(heads, j->n, &bounds);
    AN_TRY(an_index_bounds_check(&bounds, err));
out:
    return rc;
}

static int cmp_ulids(const void *a, const void *b)
{
    return an_ulid_cmp(*(const an_ulid *)a, *(const an_ulid *)b);
}

/* Everything of the input but what a downsampling changes. Whoever reads `extensions` must be ready
 * to find those of raw blocks here. */
static void describe_downsampled(job *j, an_meta *m)
{
    *m = *j->in[0].block->meta;
    m->version = 1;
    m->thanos.resolution = j->o->resolution;
    m->thanos.source = AN_LIT("compactor");
}

/* The Thanos and the Prometheus part, as far as they are known before the merge. */
static void describe(job *j, an_meta *m)
{
    size_t n = 0, all = 0;

    *m = (an_meta){.mint = j->mint, .maxt = j->maxt, .version = 1};
    for (size_t i = 0; i < j->n; i++) all += j->in[i].block->meta->compaction.n_sources;
    m->compaction.sources = an_arena_alloc(j->arena, (all + 1) * sizeof *m->compaction.sources);
    m->compaction.parents = an_arena_alloc(j->arena, j->n * sizeof *m->compaction.parents);
    m->compaction.n_parents = j->n;
    for (size_t i = 0; i < j->n; i++) {
        const an_meta *in = j->in[i].block->meta;
        if (in->compaction.level + 1 > m->compaction.level)
            m->compaction.level = in->compaction.level + 1;
        for (size_t k = 0; k < in->compaction.n_sources; k++)
            m->compaction.sources[n++] = in->compaction.sources[k];
        m->compaction.parents[i] = (an_meta_parent){j->in[i].block->id, in->mint, in->maxt};
    }
    if (n > 0) qsort(m->compaction.sources, n, sizeof *m->compaction.sources, cmp_ulids);
    for (size_t i = 0; i < n; i++) {
        an_ulid *v = m->compaction.sources;
        size_t *kept = &m->compaction.n_sources;
        if (*kept == 0 || !an_ulid_eq(v[*kept - 1], v[i])) v[(*kept)++] = v[i];
    }
    m->thanos.present = true;
    m->thanos.has_labels = true;
    m->thanos.labels = j->o->labels;
    m->thanos.resolution = j->o->resolution;
    m->thanos.source = AN_LIT("compactor");
    m->thanos.extensions = j->o->extensions;
}

/* The ULID of the result: that of the first generation which nothing has spoilt. */
static an_rc choose_identity(job *j, an_meta *m, bool *there, an_err *err)
{
    an_rc rc = AN_OK;
    an_identity id = {.kind = j->o->kind,
                      .n_inputs = j->n,
                      .inputs = j->ids,
                      .labels = j->o->labels,
                      .resolution = j->o->resolution,
                      .n_shards = 1,
                      .n_options = j->o->n_options,
                      .options = j->o->options};
    int64_t now_ms = j->o->now_ns(j->o->now_arg) / 1000000;

    for (*there = false; id.generation < GENERATIONS; id.generation++) {
        an_block_presence p;
        AN_TRY(an_identity_ulid(j->arena, &id, &m->ulid, err));
        AN_TRY(an_block_presence_of(j->bucket, j->ctx, j->arena, m->ulid, m->compaction.sources,
                                    m->compaction.n_sources, &p, err));
        if (p.has_deletion_mark) continue;
        if (!p.has_meta && p.n_objects > 0 && p.newest_ms >= 0 &&
            now_ms - p.newest_ms > LEFTOVER_AGE_MS)
            continue;
        *there = p.complete && p.same_sources;
        if (*there) *m = p.meta;
        goto out;
    }
    rc = AN_FAIL(err, AN_EHALT, "%d results of these inputs were marked for deletion", GENERATIONS);
out:
    return rc;
}

static void on_progress(void *arg)
{
    const job *j = arg;
    j->o->progress(j->o->progress_arg, j->out->bytes_read, j->bytes_to_read);
}

static an_chunk_reader_opts chunk_opts(const job *j)
{
    return (an_chunk_reader_opts){.window = window(j, j->sizes.chunk_window),
                                  .slot_bytes = j->sizes.slot,
                                  .n_slots = AN_JOB_SLOTS};
}

static an_rc merge(job *j, an_block_writer *w, an_merge_result *r, an_err *err)
{
    const an_job_opts *o = j->o;
    an_merge_opts mo = {.ctx = j->ctx,
                        .mint = j->mint,
                        .maxt = j->maxt,
                        .uncut = j->downsamples,
                        .accept = j->accept,
                        .fold = j->downsamples ? &j->fold : o->fold,
                        .pool = o->workers,
                        .n_batches = j->sizes.n_batches,
                        .batch_bytes = j->sizes.batch,
                        .segment_max = o->segment_max == 0 ? AN_SEGMENT_MAX : o->segment_max,
                        .symbol_window = window(j, j->sizes.symbol_window),
                        .series_window = window(j, j->sizes.series_window),
                        .postings_window = window(j, j->sizes.postings_window),
                        .chunks = chunk_opts(j),
                        .budget = j->io,
                        .maps = j->maps,
                        .symbols = j->symbols,
                        .index = j->index,
                        .spill = o->spill,
                        .progress = o->progress == NULL ? NULL : on_progress,
                        .progress_arg = j};
    return an_merge_run(j->arena, j->inputs, j->n, &mo, w, r, err);
}

/* Headers against meta.json, where that says something and all chunks were read. A chunk that is
 * listed twice may have been counted once or twice. */
static an_rc check_counts(job *j, const an_merge_result *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_window_opts wo = window(j, j->sizes.postings_window);
    an_chunk_reader_opts co = chunk_opts(j);

    j->out->sources = an_arena_alloc(j->arena, j->n * sizeof *j->out->sources);
    for (size_t i = 0; i < j->n; i++) {
        const an_merge_sums *s = &r->inputs[i];
        uint64_t claimed = j->in[i].block->meta->stats.samples, found = s->samples + s->unread_edge;
        j->out->sources[i] = (an_job_source){.n_series = s->n_series,
                                             .samples = found,
                                             .edge_samples = s->edge_samples,
                                             .dup_chunks = s->dup_chunks,
                                             .ooo_labels = s->ooo_labels,
                                             .plain_chunks = s->plain_chunks};
        if (claimed == 0 || s->unread_chunks > 0) continue;
        if (found == claimed || found + s->dup_samples == claimed) continue;
        AN_TRY(an_recount(j->inputs[i].block, &wo, &co, err));
        j->out->sources[i].stats_differ = true;
    }
out:
    return rc;
}

static an_meta_time upload_time(const job *j)
{
    int64_t ns = j->o->now_ns(j->o->now_arg), sec = ns / 1000000000, rest = ns % 1000000000;
    if (rest < 0) { /* before 1970 */
        sec--;
        rest += 1000000000;
    }
    return (an_meta_time){.sec = sec, .nsec = (int32_t)rest};
}

static an_rc publish(job *j, an_block_writer *w, an_meta *m, an_err *err)
{
    an_rc rc = AN_OK;
    an_published how;
    an_block_presence p;

    AN_TRY(an_ctx_check(j->ctx, err));
    AN_TRY(an_block_writer_publish(w, j->arena, m, upload_time(j), &how, err));
    j->out->outcome = how == AN_PUBLISHED ? AN_JOB_PUBLISHED : AN_JOB_DONE_BEFORE;
    /* Sources are given up for what the bucket has, not for what we think we wrote. */
    AN_TRY(an_block_presence_of(j->bucket, j->ctx, j->arena, m->ulid, m->compaction.sources,
                                m->compaction.n_sources, &p, err));
    AN_CHECK(p.complete && p.same_sources, err, AN_ERETRY,
             "the block was published, but the bucket does not show all of it");
out:
    return rc;
}

/* What the merge has counted. */
static void fill_stats(const job *j, const an_merge_result *r, an_meta *m)
{
    m->stats.samples = r->samples;
    m->stats.series = r->series;
    m->stats.chunks = r->chunks;
    if (!j->downsamples) { /* else the input's, as upstream */
        m->stats.float_samples = r->float_samples;
        m->stats.histogram_samples = r->histogram_samples;
    }
    if (!j->downsamples || r->index.series_max_size > 0)
        m->thanos.index_stats.series_max_size = r->index.series_max_size;
    if (!j->downsamples || r->index.chunk_max_size > 0)
        m->thanos.index_stats.chunk_max_size = r->index.chunk_max_size;
}

static an_rc produce(job *j, an_err *err)
{
    an_rc rc = AN_OK;
    an_block_writer *w = NULL;
    an_merge_result r;
    an_meta m;
    uint8_t random[NONCE / 2];
    char nonce[NONCE + 1];
    bool there;

    if (j->downsamples)
        describe_downsampled(j, &m);
    else
        describe(j, &m);
    AN_TRY(choose_identity(j, &m, &there, err));
    j->out->ulid = m.ulid;
    if (there) {
        j->out->outcome = AN_JOB_DONE_BEFORE;
        goto done;
    }
    an_random_bytes(random, sizeof random);
    an_hex(random, sizeof random, nonce);
    an_block_writer_opts wo = {.ulid = m.ulid,
                               .nonce = an_slice_str(nonce),
                               .sha256 = j->o->sha256,
                               .bytes_written = &j->out->bytes_written};
    AN_TRY(an_block_writer_open(j->bucket, j->ctx, &wo, &w, err));
    AN_TRY(merge(j, w, &r, err));
    AN_TRY(check_counts(j, &r, err));
    fill_stats(j, &r, &m);
    if (r.samples == 0 && !j->downsamples)
        j->out->outcome = AN_JOB_EMPTY;
    else
        AN_TRY(publish(j, w, &m, err));
done:
    j->out->meta = m;
out:
    an_block_writer_close(w);
    return rc;
}

an_rc an_job_run(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *inputs, size_t n,
                 const an_job_opts *opts, an_job_result *out, an_err *err)
{
    an_rc rc = AN_OK;
    job j = {.arena = a, .bucket = b, .ctx = ctx, .in = inputs, .n = n, .o = opts, .out = out};

    an_assert(n > 0);
    memset(out, 0, sizeof *out);
    if (opts->accept_malformed_index) j.accept = 1u << AN_HEALTH_OOO_LABELS;
    if (opts->kind == AN_ID_DOWNSAMPLE) AN_TRY(begin_downsampling(&j, err));
    AN_TRY(find_range(&j, err));
    AN_TRY(reserve(&j, err));
    rc = open_inputs(&j, err);
    if (rc == AN_OK) rc = produce(&j, err);
    if (rc != AN_OK) {
        an_window_opts wo = window(&j, j.sizes.postings_window);
        rc = an_job_judge(a, b, ctx, inputs, n, j.accept, &wo, rc, err);
    }
out:
    give_back(&j);
    return rc;
}
