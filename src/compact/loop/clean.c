// SPDX-License-Identifier: Apache-2.0
/* Marked blocks, covered blocks, retention, unfinished uploads: what is decided by
 * compact/plan/clean.h is done here. A failure stops nothing else; it is recorded under the part
 * that failed. */
#include "compact/loop/loop_internal.h"

#include "bucket/delete.h"
#include "compact/plan/progress.h"

/* Unless it is a cancellation, which is returned. id: of the block concerned, NULL: none. */
static an_rc part_failed(an_loop *l, const char *part, const an_ulid *id, an_err *err)
{
    if (an_trouble_class_of(err) == AN_TROUBLE_CANCEL) return AN_ECANCELED;
    an_err_wrap(err, "%s", part);
    an_loop_trouble(l, AN_FROM_JOB, AN_LIT(""), AN_LIT(""), id, id != NULL, err);
    return AN_OK;
}

static an_rc delete_block(an_loop *l, an_ctx *ctx, const an_plan_block *b, an_err *err)
{
    char id[AN_ULID_TEXT + 1];
    an_deleted gone;
    const an_delete_if still = {.marked = true};
    an_rc rc = an_block_delete(l->o.bucket, ctx, b->id, &still, &gone, err);

    if (rc != AN_OK) return part_failed(l, "cleaning marked blocks: delete block", &b->id, err);
    an_ulid_format(b->id, id);
    if (gone.kept) {
        AN_LOG(l->o.log, AN_LOG_WARN, "the deletion mark was taken back: the block stays",
               AN_STR("block", id));
        return AN_OK;
    }
    AN_LOG(l->o.log, AN_LOG_INFO, "deleted block marked for deletion", AN_STR("block", id),
           AN_UINT("objects", gone.objects), AN_UINT("bytes", gone.bytes));
    return AN_OK;
}

/* A mark of a time that has not come never gets old enough. */
static void report_future_marks(an_loop *l, const an_view *v)
{
    for (size_t i = 0; i < v->n_marked; i++) {
        const an_plan_block *b = v->marked[i];
        if (b->deletion_ms <= v->now_ms || b->deletion_ms - v->now_ms <= AN_PLAN_FUTURE_MS)
            continue;
        an_outcome o = {.what = AN_DO_REPORT,
                        .cause = AN_CAUSE_MARK_CORRUPT,
                        .n = 1,
                        .blocks = &v->marked[i],
                        .why = AN_LIT("the time of its deletion mark lies in the future: it never "
                                      "becomes due before that")};
        an_loop_outcome(l, l->o.log, AN_LIT(""), &o);
    }
}

an_rc an_loop_clean_marked(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v, an_err *err)
{
    an_rc rc = AN_OK;
    an_outcomes list = {0};

    AN_LOG(l->o.log, AN_LOG_INFO, "started cleaning of blocks marked for deletion");
    report_future_marks(l, v);
    an_clean_marked(a, v->marked, v->n_marked, v->all, v->n_all, &l->o.retention,
                    l->o.delete_delay_ms, v->now_ms, &list);
    for (size_t i = 0; i < list.n; i++) {
        const an_outcome *o = &list.v[i];
        if (o->what != AN_DO_DELETE) {
            an_loop_outcome(l, l->o.log, AN_LIT(""), o);
            continue;
        }
        for (size_t k = 0; k < o->n; k++) {
            AN_TRY(an_ctx_check(ctx, err));
            AN_TRY(delete_block(l, ctx, o->blocks[k], err));
        }
    }
    AN_LOG(l->o.log, AN_LOG_INFO, "cleaning of blocks marked for deletion done");
out:
    return rc;
}

/* Marks wanted by cleaning, and findings. `msg` is upstream's line for each. */
static an_rc write_marks(an_loop *l, an_ctx *ctx, const an_outcomes *list, const char *msg,
                         const char *part, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t i = 0; i < list->n; i++) {
        const an_outcome *o = &list->v[i];
        if (o->what != AN_DO_MARK) {
            an_loop_outcome(l, l->o.log, AN_LIT(""), o);
            continue;
        }
        /* Two blocks of the same sources hint at two compactors. */
        if (o->cause == AN_CAUSE_OVERLAP_TWIN) an_loop_outcome(l, l->o.log, AN_LIT(""), o);
        for (size_t k = 0; k < o->n; k++) {
            char id[AN_ULID_TEXT + 1];
            AN_TRY(an_ctx_check(ctx, err));
            an_ulid_format(o->blocks[k]->id, id);
            AN_LOG(l->o.log, AN_LOG_INFO, msg, AN_STR("block", id), AN_TEXT("why", o->why));
            an_mark m = {.kind = o->mark, .details = o->details, .reason = o->reason};
            if (an_loop_mark(l, l->o.log, o->blocks[k], &m, NULL, err) != AN_OK) {
                AN_TRY(part_failed(l, part, &o->blocks[k]->id, err));
            }
        }
    }
out:
    return rc;
}

an_rc an_loop_garbage(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v, an_err *err)
{
    an_outcomes list = {0};

    AN_LOG(l->o.log, AN_LOG_INFO, "start of initial garbage collection");
    an_clean_garbage(a, v->covered, v->n_covered, &list);
    return write_marks(l, ctx, &list, "marking outdated block for deletion", "garbage", err);
}

an_rc an_loop_retention(an_loop *l, an_ctx *ctx, an_arena *a, const an_view *v, an_err *err)
{
    an_outcomes list = {0};
    an_rc rc;

    AN_LOG(l->o.log, AN_LOG_INFO, "start optional retention");
    an_clean_retention(a, v->loaded, v->n_loaded, &l->o.retention, v->now_ms, &list);
    rc = write_marks(l, ctx, &list, "applying retention: marking block for deletion", "retention",
                     err);
    if (rc == AN_OK) AN_LOG(l->o.log, AN_LOG_INFO, "optional retention apply done");
    return rc;
}

static an_rc one_partial(an_loop *l, an_ctx *ctx, const an_partial *p, bool only_marks,
                         int64_t now_ms, bool *look_again, an_err *err)
{
    an_rc rc = AN_OK;
    char id[AN_ULID_TEXT + 1];
    an_cause cause;
    an_deleted gone;
    const an_delete_if still = {.partial = true, .newest_ms = p->newest_ms};
    an_buf why;
    an_plan_block b = {.id = p->id};
    const an_plan_block *one = &b;

    an_buf_init(&why, 4096, NULL);
    an_ulid_format(p->id, id);
    an_partial_fate fate = an_clean_partial(p, now_ms, &cause, &why);
    if (only_marks) cause = AN_CAUSE_MARK_CORRUPT; /* it marks nothing */
    switch (fate) {
    case AN_PARTIAL_WAIT: /* an upload under way looks like this, too: no warning */
        if (an_troubles_first(l->troubles, cause, p->id)) {
            AN_LOG(l->o.log, AN_LOG_INFO, "finding", AN_STR("cause", an_cause_name(cause)),
                   AN_STR("block", id), AN_STR("action", "wait"),
                   AN_TEXT("err", an_buf_slice(&why)));
        }
        break;
    case AN_PARTIAL_CONFIRM:
        *look_again = true;
        break;
    case AN_PARTIAL_HOLD: {
        an_outcome o = {
            .what = AN_DO_HOLD, .cause = cause, .n = 1, .blocks = &one, .why = an_buf_slice(&why)};
        an_loop_outcome(l, l->o.log, AN_LIT(""), &o);
        break;
    }
    case AN_PARTIAL_DELETE:
        if (an_troubles_first(l->troubles, cause, p->id)) {
            AN_LOG(l->o.log, AN_LOG_INFO, "finding", AN_STR("cause", an_cause_name(cause)),
                   AN_STR("block", id), AN_STR("action", "delete"),
                   AN_TEXT("err", an_buf_slice(&why)));
        }
        AN_LOG(l->o.log, AN_LOG_INFO, "found partially uploaded block; deleting",
               AN_STR("block", id), AN_STR("thresholdAge", "48h0m0s"),
               AN_TEXT("why", an_buf_slice(&why)));
        if ((rc = an_block_delete(l->o.bucket, ctx, p->id, &still, &gone, err)) != AN_OK) {
            rc = part_failed(l, "cleaning of aborted partial uploads: delete block", &p->id, err);
            break;
        }
        if (gone.kept) {
            AN_LOG(l->o.log, AN_LOG_WARN, "somebody goes on with the upload: the block stays",
                   AN_STR("block", id));
            break;
        }
        AN_LOG(l->o.log, AN_LOG_INFO, "deleted aborted partial upload", AN_STR("block", id));
        break;
    }
    an_buf_deinit(&why);
    return rc;
}

an_rc an_loop_partials(an_loop *l, an_ctx *ctx, const an_view *v, bool *look_again, an_err *err)
{
    an_rc rc = AN_OK;

    for (size_t i = 0; i < v->n_partials; i++) {
        AN_TRY(an_ctx_check(ctx, err));
        AN_TRY(one_partial(l, ctx, &v->partials[i], v->only_marks[i], v->now_ms, look_again, err));
    }
out:
    return rc;
}

size_t an_loop_due_downsample(an_loop *l, an_arena *a, const an_view *v)
{
    an_outcomes list = {0};
    size_t n = 0;

    an_downsample_due(a, v->loaded, v->n_loaded, &list);
    for (size_t i = 0; i < list.n; i++) {
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(list.v[i].blocks[0]->id, id);
        AN_LOG(l->o.log, AN_LOG_ERROR, "block is due for downsampling, which is not built yet",
               AN_STR("block", id), AN_INT("resolution", list.v[i].resolution));
        n++;
    }
    return n;
}
