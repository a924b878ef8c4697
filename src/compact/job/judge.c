// SPDX-License-Identifier: Apache-2.0
#include "compact/job/judge.h"

#include "bucket/block_check.h"
#include "bucket/block_presence.h"

static bool same_objects(const an_job_input *in, const an_block_presence *now)
{
    if (in->n_objects != now->n_objects) return false;
    for (size_t i = 0; i < in->n_objects; i++) {
        const an_block_object *o = &in->objects[i];
        bool found = false;
        for (size_t j = 0; j < now->n_objects && !found; j++)
            found = an_slice_eq(o->name, now->objects[j].name) && o->size == now->objects[j].size;
        if (!found) return false;
    }
    return true;
}

/* Marks come and go while a job runs; only what a merge reads counts. */
static size_t only_data(an_block_object *v, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (an_slice_eq(v[i].name, AN_LIT("index")) ||
            an_slice_eq(v[i].name, AN_LIT("tombstones")) ||
            an_slice_has_prefix(v[i].name, AN_LIT("chunks/")))
            v[kept++] = v[i];
    }
    return kept;
}

static an_rc still_there(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *in, bool *same,
                         an_err *err)
{
    an_rc rc = AN_OK;
    an_block_presence now;
    an_job_input then = {.n_objects = in->n_objects};
    an_block_object *copy = an_arena_alloc(a, (in->n_objects + 1) * sizeof *copy);

    AN_TRY(an_block_list(b, ctx, a, in->block->id, &now, err));
    if (in->n_objects > 0) memcpy(copy, in->objects, in->n_objects * sizeof *copy);
    then.n_objects = only_data(copy, in->n_objects);
    then.objects = copy;
    now.n_objects = only_data(now.objects, now.n_objects);
    *same = same_objects(&then, &now);
out:
    return rc;
}

/* Upstream's verification of one input. AN_OK: nothing found. */
static an_rc verify(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *in, unsigned accept,
                    const an_window_opts *windows, an_err *err)
{
    an_rc rc = AN_OK;
    an_block_reader *r = NULL;
    an_index_health h;

    rc = an_block_reader_open(a, b, ctx, in->block->id, in->block->meta, in->objects, in->n_objects,
                              windows, &r, err);
    if (rc != AN_OK && err->cause == AN_CAUSE_CHUNKS_MISSING)
        return AN_OK; /* no matter of the index */
    if (rc != AN_OK) goto out;
    AN_TRY(an_block_check_index(r, windows, accept, &h, err));
    an_index_health_deinit(&h);
out:
    return rc;
}

static bool is_finding(an_rc rc)
{
    return rc == AN_ECORRUPT || rc == AN_EHALT || rc == AN_EUNSUPPORTED;
}

an_rc an_job_judge(an_arena *a, an_bucket *b, an_ctx *ctx, const an_job_input *inputs, size_t n,
                   unsigned accept, const an_window_opts *windows, an_rc rc, an_err *err)
{
    an_err found;

    if (!is_finding(rc) && rc != AN_ENOTFOUND) return rc;
    for (size_t i = 0; i < n; i++) {
        bool same = true;
        if (still_there(a, b, ctx, &inputs[i], &same, &found) != AN_OK) continue;
        if (same && rc != AN_ENOTFOUND) continue;
        an_err_wrap(err, "the bucket has changed while the job was reading");
        err->rc = AN_ERETRY;
        err->cause = AN_CAUSE_NONE;
        return AN_ERETRY;
    }
    for (size_t i = 0; i < n; i++) {
        an_rc f = verify(a, b, ctx, &inputs[i], accept, windows, &found);
        if (f == AN_ECANCELED) return rc;
        if (!is_finding(f)) continue;
        *err = found;
        return f;
    }
    return rc;
}
