// SPDX-License-Identifier: Apache-2.0
/* One group, planned and compacted until nothing is due. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compact/job/job.h"
#include "compact/plan/overlap.h"
#include "compact/job/spill.h"
#include "compact/loop/loop_internal.h"
#include "compact/plan/overlap.h"

#define PROGRESS_EVERY_MS 250
#define OOO_DETAILS                                                                                \
    "OutofOrderChunk: marking block with out-of-order series/chunks to as no compact to unblock "  \
    "compaction"
#define OOO_REASON "block-index-out-of-order-chunk"

typedef struct run {
    an_loop *l;
    an_ctx *ctx;
    const an_view *view;
    an_arena *a;    /* the group's blocks, for the whole run */
    an_arena *work; /* one plan and its job */
    an_group group; /* as it is now: what was done is applied */
    an_slice labels;
    an_log log; /* says which group */
    int64_t now_ms;
    int64_t job_started_ms, progress_ms;
    size_t job_inputs;
} run;

/* ---- marks ---- */

static void set_mark(run *r, const an_plan_block *b, const an_mark *what)
{
    an_plan_block *mine = NULL;

    for (size_t i = 0; i < r->group.n; i++) {
        if (an_ulid_eq(r->group.blocks[i]->id, b->id)) {
            /* The blocks are copies of this run: begin_group. */
            mine = (an_plan_block *)(uintptr_t)r->group.blocks[i];
        }
    }
    if (mine == NULL) return;
    if (what->kind == AN_MARK_NO_COMPACT) mine->no_compact = mine->no_compact_object = true;
    if (what->kind == AN_MARK_NO_DOWNSAMPLE) mine->no_downsample = true;
    if (what->kind == AN_MARK_DELETION) {
        an_mark *m = an_arena_alloc(r->a, sizeof *m);
        *m = (an_mark){.kind = AN_MARK_DELETION,
                       .has_id = true,
                       .id = b->id,
                       .version = 1,
                       .details = an_arena_dup(r->a, what->details),
                       .time_s = r->now_ms / 1000};
        mine->deletion = m;
        mine->deletion_ms = r->now_ms;
    }
}

static an_rc write_marks(run *r, const an_outcome *o, bool *changed, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t i = 0; i < o->n; i++) {
        an_mark m = {.kind = o->mark, .details = o->details, .reason = o->reason};
        AN_TRY(an_loop_mark(r->l, &r->log, o->blocks[i], &m, changed, err));
        set_mark(r, o->blocks[i], &m);
    }
out:
    return rc;
}

/* ---- the job ---- */

static void on_progress(void *arg, uint64_t done, uint64_t all)
{
    run *r = arg;
    int64_t now = an_mono_ms();

    if (now - r->progress_ms < PROGRESS_EVERY_MS) return;
    r->progress_ms = now;
    r->l->o.progress(r->l->o.progress_arg, &(an_loop_progress){r->labels, r->job_inputs, done, all,
                                                               now - r->job_started_ms, false});
}

static void end_progress(run *r, uint64_t bytes)
{
    if (r->l->o.progress == NULL) return;
    r->l->o.progress(r->l->o.progress_arg,
                     &(an_loop_progress){r->labels, r->job_inputs, bytes, bytes,
                                         an_mono_ms() - r->job_started_ms, true});
}

static an_rc run_job(run *r, const an_outcome *o, an_job_result *res, an_err *err)
{
    an_rc rc = AN_OK;
    an_loop *l = r->l;
    an_job_input *in = an_arena_alloc(r->work, o->n * sizeof *in);
    an_spill_dir *spill = an_spill_dir_new(l->o.data_dir);
    an_job_opts jo = {
        .kind = o->what == AN_DO_REWRITE ? AN_ID_REWRITE : AN_ID_COMPACT,
        .labels = r->group.labels,
        .resolution = r->group.resolution,
        .n_options = l->o.n_options,
        .options = l->o.options,
        .fold = l->o.fold,
        .sha256 = l->o.sha256,
        .accept_malformed_index = l->o.accept_malformed_index,
        .budget = l->o.budget,
        .memory = an_budget_limit(l->o.budget) / l->o.concurrency,
        .workers = l->o.workers,
        .transfers = l->o.transfers,
        .spill = an_spill_dir_table(spill),
        .now_ns = l->o.now_ns,
        .now_arg = l->o.now_arg,
        .progress = l->o.progress != NULL ? on_progress : NULL,
        .progress_arg = r,
    };
    AN_TRY(an_group_extensions(r->work, &r->group, &jo.extensions, err));
    for (size_t i = 0; i < o->n; i++) {
        const an_view_block *b = an_view_block_of(o->blocks[i]);
        in[i] = (an_job_input){&b->plan, b->n_objects, b->objects};
    }
    r->job_started_ms = r->progress_ms = an_mono_ms();
    r->job_inputs = o->n;
    rc = an_job_run(r->work, l->o.bucket, r->ctx, in, o->n, &jo, res, err);
    end_progress(r, rc == AN_OK ? res->bytes_read : 0);
out:
    an_spill_dir_free(spill);
    return rc;
}

/* ---- texts ---- */

static an_slice ids_text(an_arena *a, const an_plan_block *const *b, size_t n)
{
    an_buf out;
    char id[AN_ULID_TEXT + 1];

    an_buf_init(&out, 1 << 20, NULL);
    an_buf_u8(&out, '[');
    for (size_t i = 0; i < n; i++) {
        an_ulid_format(b[i]->id, id);
        an_buf_printf(&out, "%s%s", i > 0 ? " " : "", id);
    }
    an_buf_u8(&out, ']');
    an_slice s = an_arena_dup(a, an_buf_slice(&out));
    an_buf_deinit(&out);
    return s;
}

/* `[<ulid> (min time: A, max time: B) ...]` */
static an_slice plan_text(an_arena *a, const an_outcome *o)
{
    an_buf out;
    char id[AN_ULID_TEXT + 1];

    an_buf_init(&out, 1 << 20, NULL);
    an_buf_u8(&out, '[');
    for (size_t i = 0; i < o->n; i++) {
        an_ulid_format(o->blocks[i]->id, id);
        an_buf_printf(&out, "%s%s (min time: %" PRId64 ", max time: %" PRId64 ")", i > 0 ? " " : "",
                      id, o->blocks[i]->meta->mint, o->blocks[i]->meta->maxt);
    }
    an_buf_u8(&out, ']');
    an_slice s = an_arena_dup(a, an_buf_slice(&out));
    an_buf_deinit(&out);
    return s;
}

/* ---- after the job ---- */

static void finding(run *r, an_cause cause, const an_plan_block *b, const char *why)
{
    an_outcome o = {.what = AN_DO_REPORT,
                    .cause = cause,
                    .group = r->group.key,
                    .n = 1,
                    .blocks = &b,
                    .why = an_slice_str(why)};
    an_loop_outcome(r->l, &r->log, r->labels, &o);
}

/* What the merge saw of its inputs and nobody else can know. */
static void report_inputs(run *r, const an_outcome *o, const an_job_result *res)
{
    for (size_t i = 0; i < o->n && res->sources != NULL; i++) {
        const an_job_source *s = &res->sources[i];
        if (s->edge_samples > 0) {
            finding(r, AN_CAUSE_EDGE_SAMPLE, o->blocks[i],
                    an_arena_printf(r->work,
                                    "%" PRIu64 " samples at exactly the end of the range are left "
                                    "out",
                                    s->edge_samples));
        }
        if (s->ooo_labels > 0) {
            finding(r, AN_CAUSE_OOO_LABELS, o->blocks[i],
                    an_arena_printf(r->work,
                                    "%" PRIu64 " series have label names out of order; accepted as "
                                    "--debug.accept-malformed-index asks",
                                    s->ooo_labels));
        }
        if (s->stats_differ && res->outcome != AN_JOB_EMPTY) {
            finding(r, AN_CAUSE_CHUNK_COUNT, o->blocks[i],
                    an_arena_printf(r->work,
                                    "its chunks hold %" PRIu64 " samples, meta.json says %" PRIu64
                                    "; all were decoded and are good",
                                    s->samples, o->blocks[i]->meta->stats.samples));
        }
    }
}

/* Nothing was left to write. Blocks that never had a sample are remembered, and the next plan marks
 * them; blocks whose samples were all deleted are done with. */
static an_rc after_empty(run *r, const an_outcome *o, const an_job_result *res, an_err *err)
{
    an_rc rc = AN_OK;

    AN_LOG(&r->log, AN_LOG_INFO, "no compacted blocks, deleting source blocks",
           AN_TEXT("blocks", ids_text(r->work, o->blocks, o->n)));
    for (size_t i = 0; i < o->n; i++) {
        const an_view_block *b = an_view_block_of(o->blocks[i]);
        if (res->sources[i].n_series == 0) { /* not one that deletions have emptied */
            if (b->plan.meta->stats.samples > 0) {
                finding(r, AN_CAUSE_EMPTY_LOOP, &b->plan,
                        an_arena_printf(r->work,
                                        "meta.json says %" PRIu64 " samples, but there is none",
                                        b->plan.meta->stats.samples));
            }
            an_troubles_judge(
                r->l->troubles,
                &(an_verdict){.id = b->plan.id, .data = b->data, .samples = AN_SAMPLES_NONE});
            ((an_view_block *)(uintptr_t)b)->plan.samples = AN_SAMPLES_NONE; /* of this run */
            continue;
        }
        an_mark m = {.kind = AN_MARK_DELETION, .details = AN_LIT(AN_DETAILS_SOURCE)};
        AN_TRY(an_loop_mark(r->l, &r->log, &b->plan, &m, NULL, err));
        set_mark(r, &b->plan, &m);
    }
out:
    return rc;
}

static bool is_input(const an_outcome *o, const an_plan_block *b)
{
    for (size_t i = 0; i < o->n; i++) {
        if (an_ulid_eq(o->blocks[i]->id, b->id)) return true;
    }
    return false;
}

static bool has_source(const an_meta *m, an_ulid source)
{
    for (size_t i = 0; i < m->compaction.n_sources; i++) {
        if (an_ulid_eq(m->compaction.sources[i], source)) return true;
    }
    return false;
}

/* All sources of b are in the result: the next pass's filters will say so, and mark it. */
static bool is_covered(const an_plan_block *b, const an_meta *by)
{
    for (size_t i = 0; i < b->meta->compaction.n_sources; i++) {
        if (!has_source(by, b->meta->compaction.sources[i])) return false;
    }
    return b->meta->compaction.n_sources > 0;
}

static int by_time(const void *x, const void *y)
{
    const an_plan_block *a = *(const an_plan_block *const *)x;
    const an_plan_block *b = *(const an_plan_block *const *)y;

    if (a->meta->mint != b->meta->mint) return a->meta->mint < b->meta->mint ? -1 : 1;
    return an_ulid_cmp(a->id, b->id);
}

/* The group without the sources and with the result. False: what became of the other blocks only a
 * new sync can tell. */
static bool apply(run *r, const an_outcome *o, const an_job_result *res,
                  const an_block_presence *there)
{
    const an_plan_block **v =
        (const an_plan_block **)an_arena_alloc(r->a, (r->group.n + 1) * sizeof *v);
    an_view_block *made = an_arena_alloc(r->a, sizeof *made);
    an_meta *meta = an_arena_alloc(r->a, sizeof *meta);
    an_buf text;
    an_err err;
    size_t n = 0;
    bool known = true;

    /* Everything of the job dies with its arena: what stays is read back from its own text. */
    an_buf_init(&text, AN_META_MAX, NULL);
    an_meta_write(&text, &res->meta);
    if (an_meta_parse(r->a, an_arena_dup(r->a, an_buf_slice(&text)), meta, &err) != AN_OK) {
        known = false;
    }
    an_buf_deinit(&text);
    if (!known) return false;

    *made = (an_view_block){.plan = {.id = res->ulid, .meta = meta, .index_bytes = -1},
                            .n_objects = there->n_objects};
    an_block_object *objects = an_arena_alloc(r->a, (there->n_objects + 1) * sizeof *objects);
    for (size_t i = 0; i < there->n_objects; i++) {
        objects[i] =
            (an_block_object){an_arena_dup(r->a, there->objects[i].name), there->objects[i].size};
        if (an_slice_eq(objects[i].name, AN_LIT("index"))) {
            made->plan.index_bytes = (int64_t)objects[i].size;
        }
    }
    made->objects = objects;
    for (size_t i = 0; i < r->group.n; i++) {
        if (is_input(o, r->group.blocks[i])) continue;
        if (is_covered(r->group.blocks[i], meta)) known = false;
        v[n++] = r->group.blocks[i];
    }
    v[n++] = &made->plan;
    qsort((void *)v, n, sizeof *v, by_time);
    r->group.blocks = v;
    r->group.n = n;
    return known;
}

/* The result is looked at once more, as it lies in the bucket; then its sources are marked. */
static an_rc after_result(run *r, const an_outcome *o, const an_job_result *res,
                          an_block_presence *there, an_err *err)
{
    an_rc rc = AN_OK;
    char id[AN_ULID_TEXT + 1];
    const an_meta *m = &res->meta;

    an_ulid_format(res->ulid, id);
    AN_TRY(an_block_presence_of(r->l->o.bucket, r->ctx, r->work, res->ulid, m->compaction.sources,
                                m->compaction.n_sources, there, err));
    AN_CHECK(there->complete && there->same_sources && !there->has_deletion_mark, err, AN_ERETRY,
             "result %s is %s: its sources are not marked", id,
             !there->complete           ? "not complete in the bucket"
             : there->has_deletion_mark ? "marked for deletion"
                                        : "made of other sources");
    an_mark mark = {.kind = AN_MARK_DELETION, .details = AN_LIT(AN_DETAILS_SOURCE)};
    for (size_t i = 0; i < o->n; i++) {
        AN_TRY(an_loop_mark(r->l, &r->log, o->blocks[i], &mark, NULL, err));
    }
out:
    return rc;
}

static void log_result(run *r, const an_outcome *o, const an_job_result *res)
{
    char id[AN_ULID_TEXT + 1];
    int64_t took = (an_mono_ms() - r->job_started_ms) * AN_MS;
    const an_meta *m = &res->meta;

    an_ulid_format(res->ulid, id);
    AN_LOG(&r->log, AN_LOG_INFO,
           res->outcome == AN_JOB_DONE_BEFORE ? "compacted block is there already"
                                              : "compacted blocks",
           AN_STR("new", an_arena_printf(r->work, "[%s]", id)), AN_TOOK(took),
           AN_TEXT("blocks", ids_text(r->work, o->blocks, o->n)), AN_INT("mint", m->mint),
           AN_INT("maxt", m->maxt), AN_UINT("series", m->stats.series),
           AN_UINT("samples", m->stats.samples), AN_UINT("chunks", m->stats.chunks),
           AN_UINT("bytes_read", res->bytes_read), AN_UINT("bytes_written", res->bytes_written));
}

/* ---- errors ---- */

/* A block that must not be planned again until its bytes change. */
static void remember(run *r, const an_outcome *o, const an_err *err)
{
    for (size_t i = 0; i < o->n; i++) {
        const an_view_block *b = an_view_block_of(o->blocks[i]);
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(b->plan.id, id);
        if (strcmp(id, err->block) != 0) continue;
        an_troubles_judge(r->l->troubles, &(an_verdict){.id = b->plan.id,
                                                        .data = b->data,
                                                        .bad = err->cause,
                                                        .text = an_slice_str(err->msg)});
    }
}

/* The block is taken out of compaction as the flag asks; true: the group goes on without it. */
static bool skip_ooo(run *r, const an_outcome *o, const an_err *why)
{
    an_err err;

    if (!r->l->o.skip_ooo_chunks || why->cause != AN_CAUSE_OOO_CHUNKS) return false;
    for (size_t i = 0; i < o->n; i++) {
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(o->blocks[i]->id, id);
        if (strcmp(id, why->block) != 0 || o->blocks[i]->no_compact_object) continue;
        finding(r, AN_CAUSE_OOO_CHUNKS, o->blocks[i], why->msg);
        an_mark m = {.kind = AN_MARK_NO_COMPACT,
                     .details = AN_LIT(OOO_DETAILS),
                     .reason = AN_LIT(OOO_REASON)};
        /* Without the mark the group is isolated for what is wrong, as without the flag. */
        if (an_loop_mark(r->l, &r->log, o->blocks[i], &m, NULL, &err) != AN_OK) return false;
        set_mark(r, o->blocks[i], &m);
        return true;
    }
    return false;
}

/* An error of the group: recorded, the group stands still. */
static void stop_group(run *r, const an_outcome *o, const an_err *err)
{
    an_ulid *ids = an_arena_alloc(r->work, (o != NULL ? o->n : 0) * sizeof *ids + sizeof *ids);
    size_t n = 0;

    for (size_t i = 0; o != NULL && i < o->n; i++) {
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(o->blocks[i]->id, id);
        if (err->block[0] == 0 || strcmp(id, err->block) == 0) ids[n++] = o->blocks[i]->id;
    }
    /* A block of the group that is not in the plan. */
    if (n == 0 && an_ulid_parse(an_slice_str(err->block), &ids[0])) n = 1;
    an_loop_trouble(r->l, AN_FROM_JOB, r->group.key, r->labels, ids, n, err);
    if (r->l->o.halt_process && an_trouble_class_of(err) == AN_TROUBLE_HALT) {
        atomic_store(&r->l->stop, true);
    }
}

/* ---- one plan ---- */

typedef enum step { STEP_DONE, STEP_AGAIN, STEP_RELIST } step;

/* A result must not overlap what stays in its group, where overlaps are not merged. What is marked
 * for deletion does not stay: the planner leaves it out as well. */
static an_rc check_range(run *r, const an_outcome *o, an_err *err)
{
    const an_plan_block **stay =
        (const an_plan_block **)an_arena_alloc(r->work, (r->group.n + 1) * sizeof *stay);
    const an_plan_block **others =
        (const an_plan_block **)an_arena_alloc(r->work, (r->group.n + 1) * sizeof *others);
    char id[AN_ULID_TEXT + 1];
    size_t n_stay = 0;

    if (r->l->o.plan.vertical) return AN_OK;
    for (size_t i = 0; i < r->group.n; i++) {
        if (r->group.blocks[i]->deletion == NULL) stay[n_stay++] = r->group.blocks[i];
    }
    size_t n = an_overlap_with_result(stay, n_stay, o->blocks, o->n, o->mint, o->maxt, others);
    if (n == 0) return AN_OK;
    an_ulid_format(others[0]->id, id);
    (void)AN_FAIL(err, AN_EHALT,
                  "the result of [%" PRId64 ", %" PRId64 ") would overlap %zu blocks, first %s",
                  o->mint, o->maxt, n, id);
    (void)an_err_at(err, id, NULL, -1);
    return an_err_cause(err, AN_CAUSE_RESULT_OVERLAP);
}

static step execute(run *r, const an_outcome *o, bool *changed, an_err *err)
{
    an_job_result res = {0};
    an_block_presence there;

    AN_LOG(&r->log, AN_LOG_INFO, "compaction available and planned",
           AN_TEXT("plan", plan_text(r->work, o)), AN_TEXT("why", o->why));
    an_rc rc = check_range(r, o, err);
    if (rc == AN_OK) rc = run_job(r, o, &res, err);
    if (rc == AN_OK) {
        report_inputs(r, o, &res);
        atomic_fetch_add(&r->l->bytes_read, res.bytes_read);
        atomic_fetch_add(&r->l->bytes_written, res.bytes_written);
        *changed = true;
        if (res.outcome == AN_JOB_EMPTY) {
            rc = after_empty(r, o, &res, err);
            if (rc == AN_OK) return STEP_AGAIN;
        } else {
            log_result(r, o, &res);
            rc = after_result(r, o, &res, &there, err);
        }
    }
    if (rc != AN_OK) {
        if (an_trouble_class_of(err) == AN_TROUBLE_CANCEL) return STEP_DONE;
        if (skip_ooo(r, o, err)) return STEP_AGAIN;
        remember(r, o, err);
        stop_group(r, o, err);
        return STEP_DONE;
    }
    atomic_fetch_add(&r->l->compactions, 1);
    AN_LOG(&r->log, AN_LOG_INFO, "finished compacting blocks",
           AN_TOOK((an_mono_ms() - r->job_started_ms) * AN_MS),
           AN_TEXT("source_blocks", ids_text(r->work, o->blocks, o->n)));
    return apply(r, o, &res, &there) ? STEP_AGAIN : STEP_RELIST;
}

/* A block that was made as long after its samples as `like` holds samples of [from, to). */
static bool made_like(an_ulid id, const an_plan_block *like, int64_t from, int64_t to)
{
    int64_t later = (int64_t)an_ulid_ms(id) - (int64_t)an_ulid_ms(like->id);
    int64_t middle = like->meta->mint / 2 + like->meta->maxt / 2, at;

    return __builtin_add_overflow(middle, later, &at) || (at >= from && at < to);
}

/* What nobody could read may belong into a stretch of time that the plan's blocks do not cover; the
 * result would overlap it, which isolates the group once it can be read. Only its ULID tells when
 * it was made: a denied block is judged by that, so that it does not stop every group with a gap
 * for as long as it is denied. */
static const an_unknown *in_a_gap(const run *r, const an_outcome *o)
{
    const an_plan_block *before = o->blocks[0];

    for (size_t i = 1; i < o->n; i++) {
        const an_plan_block *b = o->blocks[i];
        for (size_t k = 0; b->meta->mint > before->meta->maxt && k < r->view->n_unknown; k++) {
            const an_unknown *u = &r->view->unknown[k];
            if (u->passing || made_like(u->id, before, before->meta->maxt, b->meta->mint) ||
                made_like(u->id, b, before->meta->maxt, b->meta->mint))
                return u;
        }
        if (b->meta->maxt > before->meta->maxt) before = b;
    }
    return NULL;
}

static step plan_and_execute(run *r, bool *changed, an_err *err)
{
    an_outcomes list = {0};
    an_plan_opts po = r->l->o.plan;

    po.now_ms = r->now_ms;
    an_plan_group(r->work, &r->group, &po, &list);
    for (size_t i = 0; i < list.n; i++) {
        const an_outcome *o = &list.v[i];
        if (o->what == AN_DO_MARK) {
            if (o->cause != AN_CAUSE_NONE) an_loop_outcome(r->l, &r->log, r->labels, o);
            if (write_marks(r, o, changed, err) != AN_OK) {
                stop_group(r, o, err);
                return STEP_DONE;
            }
        } else if (o->what != AN_DO_COMPACT && o->what != AN_DO_REWRITE) {
            an_loop_outcome(r->l, &r->log, r->labels, o);
        }
    }
    const an_outcome *isolated = an_outcomes_isolated(&list), *job = an_outcomes_job(&list);
    if (isolated != NULL && r->l->o.halt_process) atomic_store(&r->l->stop, true);
    if (isolated != NULL || job == NULL) return STEP_DONE;
    const an_unknown *u = in_a_gap(r, job);
    if (u != NULL) { /* the block itself is a trouble already */
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(u->id, id);
        AN_LOG(&r->log, AN_LOG_WARN,
               "compaction waits: a block that cannot be read may belong between its sources",
               AN_STR("block", id), AN_TEXT("plan", plan_text(r->work, job)));
        return STEP_DONE;
    }
    return execute(r, job, changed, err);
}

/* Copies of the blocks, so that what this run does to them stays in this run. */
static void begin_group(run *r, const an_group *g)
{
    const an_plan_block **v = (const an_plan_block **)an_arena_alloc(r->a, (g->n + 1) * sizeof *v);

    for (size_t i = 0; i < g->n; i++) {
        an_view_block *copy = an_arena_alloc(r->a, sizeof *copy);
        *copy = *an_view_block_of(g->blocks[i]);
        v[i] = &copy->plan;
    }
    r->group = *g;
    r->group.blocks = v;
}

an_rc an_loop_group(an_loop *l, an_ctx *ctx, const an_view *view, const an_group *g, bool *changed,
                    an_err *err)
{
    an_rc rc = AN_OK;
    an_buf text;
    run r = {.l = l,
             .ctx = ctx,
             .a = an_arena_new(NULL),
             .work = an_arena_new(NULL),
             .view = view,
             .now_ms = view->now_ms};

    *changed = false;
    an_buf_init(&text, 1 << 20, NULL);
    an_buf_printf(&text, "%" PRId64 "@", g->resolution);
    an_labels_print(&text, g->labels);
    r.labels = an_arena_dup(r.a, an_buf_slice(&text));
    an_buf_deinit(&text);
    const an_kv context[] = {
        AN_TEXT("group", r.labels), AN_TEXT("groupKey", g->key), {.key = NULL}};
    r.log = an_log_with(l->o.log, context);
    begin_group(&r, g);

    /* Each compaction leaves fewer blocks, each rewrite and each mark happens to a block once. */
    size_t steps = 4 * g->n + 4;
    for (step s = STEP_AGAIN; s == STEP_AGAIN;) {
        an_arena_reset(r.work);
        AN_TRY(an_ctx_check(ctx, err));
        if (steps-- == 0) {
            (void)AN_FAIL(err, AN_EHALT, "plans of this group do not come to an end");
            an_err_cause(err, AN_CAUSE_REWRITE_LOOP);
            stop_group(&r, NULL, err);
            break;
        }
        *err = (an_err){0};
        s = plan_and_execute(&r, changed, err);
        if (err->rc == AN_ECANCELED) {
            rc = AN_ECANCELED;
            goto out;
        }
    }
out:
    an_arena_free(r.work);
    an_arena_free(r.a);
    return rc;
}
