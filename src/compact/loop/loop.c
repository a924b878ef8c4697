// SPDX-License-Identifier: Apache-2.0
#include "compact/loop/loop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "compact/loop/loop_internal.h"

/* A pass that changes the bucket is followed by another one. An iteration that never ends is a
 * defect of ours: the groups have limits of their own. */
enum { PASSES_MAX = 10000, CLOCK_SKEW_S = 60 };

int64_t an_loop_now_ms(const an_loop *l) { return l->o.now_ns(l->o.now_arg) / AN_MS; }

an_rc an_loop_new(const an_loop_opts *opts, an_loop **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_loop *l = calloc(1, sizeof *l);

    an_assert(l != NULL && opts->concurrency > 0);
    *out = NULL;
    l->o = *opts;
    l->troubles = an_troubles_new();
    l->viewer = an_viewer_new(&l->o.state);
    AN_TRY(an_pool_new(opts->concurrency - 1, "group", &l->groups, err));
    *out = l;
    l = NULL;
out:
    an_loop_free(l);
    return rc;
}

void an_loop_free(an_loop *l)
{
    if (l == NULL) return;
    an_pool_free(l->groups);
    an_viewer_free(l->viewer);
    an_troubles_free(l->troubles);
    free(l);
}

/* ---- one pass ---- */

typedef struct group_work {
    an_work work; /* first */
    an_loop *l;
    an_ctx *ctx;
    const an_view *view;
    const an_group *g;
    bool changed;
    an_rc rc;
    an_err err;
} group_work;

static void run_group(an_work *w)
{
    group_work *g = (group_work *)w;

    if (atomic_load(&g->l->stop)) return;
    g->rc = an_loop_group(g->l, g->ctx, g->view, g->g, &g->changed, &g->err);
    if (g->rc != AN_OK) atomic_store(&g->l->stop, true);
}

/* Groups in the order of their keys, `concurrency` at a time. */
static an_rc run_groups(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v, size_t *n_groups,
                        bool *changed, an_err *err)
{
    an_rc rc = AN_OK;
    an_group *groups;
    size_t n;

    an_groups_build(a, v->loaded, v->n_loaded, &groups, &n);
    *n_groups = n;
    group_work *works = an_arena_alloc(a, (n + 1) * sizeof *works);
    AN_LOG(l->o.log, AN_LOG_INFO, "start of compactions", AN_UINT("groups", n));
    for (size_t i = 0; i < n; i++) {
        if (an_troubles_stopped(l->troubles, groups[i].key)) continue;
        works[i] = (group_work){
            .work = {.run = run_group}, .l = l, .ctx = ctx, .view = v, .g = &groups[i]};
        an_pool_submit(l->groups, &works[i].work);
    }
    for (size_t i = 0; i < n; i++) {
        an_pool_wait(l->groups, &works[i].work);
        *changed = *changed || works[i].changed;
        if (rc == AN_OK && works[i].rc != AN_OK) {
            rc = works[i].rc;
            *err = works[i].err;
        }
    }
    return rc;
}

/* `[mint, maxt)` of a relative time is that of this pass. */
static an_filter_opts filters_now(const an_loop *l, int64_t now_ms)
{
    an_filter_opts f = l->o.filter;

    f.min_time_ms = an_time_or_dur_ms(l->o.min_time, now_ms);
    f.max_time_ms = an_time_or_dur_ms(l->o.max_time, now_ms);
    f.now_ms = now_ms;
    return f;
}

/* A block that says it was uploaded in the future: the clock of its producer, or ours, is wrong. */
static void report_clocks(an_loop *l, const an_view *v)
{
    for (size_t i = 0; i < v->n_fresh; i++) {
        int64_t uploaded = v->fresh[i]->meta->thanos.upload_time.sec;
        if (uploaded - v->now_ms / 1000 < CLOCK_SKEW_S) continue;
        an_outcome o = {.what = AN_DO_REPORT,
                        .cause = AN_CAUSE_CLOCK_SKEW,
                        .n = 1,
                        .blocks = &v->fresh[i],
                        .why = AN_LIT("upload_time lies in the future: a clock is wrong; the block "
                                      "is held back until then")};
        an_loop_outcome(l, l->o.log, AN_LIT(""), &o);
    }
}

/* What the sync alone can tell: blocks that are kept out, and findings. */
static void report_sync(an_loop *l, const an_view *v)
{
    const an_err *note = an_viewer_note(l->viewer);

    if (note->rc != AN_OK) {
        AN_LOG(l->o.log, AN_LOG_WARN, "the cache of block metadata cannot be used, ignoring",
               AN_ERR(note));
    }
    report_clocks(l, v);
    for (size_t i = 0; i < v->n_unjudged; i++) an_loop_unjudged(l, v, v->unjudged[i]);
    for (size_t i = 0; i < v->n_findings; i++) {
        const an_finding *f = &v->findings[i];
        char id[AN_ULID_TEXT + 1];
        if (!an_troubles_first(l->troubles, f->err->cause, f->block->seen.id)) continue;
        an_ulid_format(f->block->seen.id, id);
        AN_LOG(l->o.log, AN_LOG_WARN, "finding", AN_STR("cause", an_cause_name(f->err->cause)),
               AN_STR("block", id), AN_STR("object", f->err->object), AN_ERR(f->err));
    }
}

static an_rc sync_bucket(an_loop *l, an_ctx *ctx, an_arena *a, an_view *v, an_err *err)
{
    an_filter_opts f = filters_now(l, an_loop_now_ms(l));
    an_rc rc = an_viewer_look(l->viewer, ctx, a, &f, l->troubles, v, err);

    if (rc != AN_OK) {
        if (rc != AN_ECANCELED) an_err_wrap(err, "sync");
        return rc;
    }
    const an_kv component[] = {AN_STR("component", "block.BaseFetcher"), {.key = NULL}};
    an_log log = an_log_with(l->o.log, component);
    an_buf left_out;
    an_buf_init(&left_out, 1024, NULL);
    an_filter_left_out(&v->counts, &left_out);
    AN_LOG(&log, AN_LOG_INFO, "successfully synchronized block metadata", AN_TOOK(v->took_ns),
           AN_UINT("cached", v->n_all), AN_UINT("returned", v->n_loaded),
           AN_UINT("partial", v->n_partials), AN_TEXT("left_out", an_buf_slice(&left_out)));
    an_buf_deinit(&left_out);
    report_sync(l, v);
    return AN_OK;
}

/* ---- one iteration ---- */

static an_rc compact_bucket(an_loop *l, an_ctx *ctx, an_arena *a, an_view *v, an_iteration *it,
                            an_err *err)
{
    an_rc rc = AN_OK;
    bool changed = true;

    while (changed && !atomic_load(&l->stop)) {
        changed = false;
        an_arena_reset(a);
        an_troubles_new_pass(l->troubles);
        AN_CHECK(it->passes++ < PASSES_MAX, err, AN_EHALT, "%d passes and no end", PASSES_MAX);
        AN_LOG(l->o.log, AN_LOG_INFO, "start initial sync of metas");
        AN_TRY(sync_bucket(l, ctx, a, v, err));
        AN_TRY(an_loop_clean_marked(l, ctx, a, v, err));
        AN_TRY(an_loop_garbage(l, ctx, a, v, err));
        AN_TRY(run_groups(l, ctx, a, v, &it->groups, &changed, err));
    }
    AN_LOG(l->o.log, AN_LOG_INFO, "compaction iterations done");
out:
    return rc;
}

/* What uploads left behind whose process died: unfinished files, parts. */
static an_rc sweep(an_loop *l, an_ctx *ctx, int64_t now_ms, an_err *err)
{
    uint64_t n = 0;
    an_rc rc = an_bucket_sweep(l->o.bucket, ctx, now_ms - AN_PARTIAL_AGE_MS, &n, err);

    if (n > 0)
        AN_LOG(l->o.log, AN_LOG_INFO, "removed unfinished uploads of earlier runs",
               AN_UINT("files", n));
    if (rc == AN_OK || an_trouble_class_of(err) == AN_TROUBLE_CANCEL) return rc;
    an_err_wrap(err, "cleaning of aborted partial uploads: unfinished files");
    an_loop_trouble(l, AN_FROM_JOB, AN_LIT(""), AN_LIT(""), NULL, 0, err);
    return AN_OK;
}

static an_rc clean_partials(an_loop *l, an_ctx *ctx, an_arena *a, an_view *v, an_err *err)
{
    an_rc rc = AN_OK;
    bool look_again = false;

    AN_LOG(l->o.log, AN_LOG_INFO, "started cleaning of aborted partial uploads");
    AN_TRY(an_loop_partials(l, ctx, v, &look_again, err));
    if (look_again) { /* what is to be deleted must be seen in two listings */
        look_again = false;
        an_arena_reset(a);
        AN_TRY(sync_bucket(l, ctx, a, v, err));
        AN_TRY(an_loop_partials(l, ctx, v, &look_again, err));
    }
    AN_TRY(sweep(l, ctx, v->now_ms, err));
    AN_LOG(l->o.log, AN_LOG_INFO, "cleaning of aborted partial uploads done");
out:
    return rc;
}

/* What the iteration ends with, when it came to its end. */
static an_rc verdict(an_loop *l, const an_iteration *it, an_err *err)
{
    an_buf text;
    an_rc rc = AN_OK;

    an_buf_init(&text, 1 << 20, NULL);
    an_troubles_text(l->troubles, &text);
    if (it->isolated > 0) {
        rc = AN_FAIL(err, AN_EHALT, "%.*s", AN_PRI(an_buf_slice(&text)));
    } else if (it->failed > 0) {
        rc = AN_FAIL(err, AN_ERETRY, "%.*s", AN_PRI(an_buf_slice(&text)));
    } else if (it->due_downsample > 0) {
        rc = AN_FAIL(err, AN_ERETRY, "%zu blocks are due for downsampling, which is not built yet",
                     it->due_downsample);
        an_err_cause(err, AN_CAUSE_NOT_BUILT);
    }
    an_buf_deinit(&text);
    return rc;
}

an_rc an_loop_iterate(an_loop *l, an_ctx *ctx, an_iteration *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_arena *a = an_arena_new(NULL);
    an_view v = {0};

    *out = (an_iteration){0};
    atomic_store(&l->stop, false);
    AN_TRY(compact_bucket(l, ctx, a, &v, out, err));
    if (!atomic_load(&l->stop)) {
        if (l->o.downsampling) {
            out->due_downsample = an_loop_due_downsample(l, a, &v);
        } else {
            AN_LOG(l->o.log, AN_LOG_INFO, "downsampling was explicitly disabled");
        }
        AN_TRY(an_loop_retention(l, ctx, a, &v, err));
        AN_TRY(clean_partials(l, ctx, a, &v, err));
    }
    out->isolated = an_troubles_count(l->troubles, AN_TROUBLE_HALT);
    out->failed = an_troubles_count(l->troubles, AN_TROUBLE_RETRY);
    rc = verdict(l, out, err);
out:
    if (rc != AN_OK && rc != AN_ECANCELED) an_err_wrap(err, "compaction");
    out->compactions = atomic_load(&l->compactions);
    out->bytes_read = atomic_load(&l->bytes_read);
    out->bytes_written = atomic_load(&l->bytes_written);
    an_arena_free(a);
    return rc;
}
