// SPDX-License-Identifier: Apache-2.0
#include "crash/work_job.h"

#include "bucket/block_presence.h"
#include "compact/job/job.h"
#include "compact/plan/clean.h"

enum { MIB = 1 << 20 };

static int64_t clock_of(void *arg) { return *(const int64_t *)arg; }

static an_rc load(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id, an_job_input *out,
                  an_err *err)
{
    an_rc rc = AN_OK;
    char text[AN_ULID_TEXT + 1];
    an_block_presence p;
    an_slice doc;
    an_plan_block *block = an_arena_alloc(a, sizeof *block);
    an_meta *m = an_arena_alloc(a, sizeof *m);

    an_ulid_format(id, text);
    const char *key = an_arena_printf(a, "%s/meta.json", text);
    AN_TRY(an_block_list(b, ctx, a, id, &p, err));
    AN_TRY(an_bucket_read(b, ctx, a, an_slice_str(key), p.meta_bytes, MIB, &doc, err));
    AN_TRY(an_meta_parse(a, doc, m, err));
    *block = (an_plan_block){.id = id, .meta = m, .index_bytes = -1};
    for (size_t i = 0; i < p.n_objects; i++) {
        if (an_slice_eq(p.objects[i].name, AN_LIT("index")))
            block->index_bytes = (int64_t)p.objects[i].size;
    }
    *out = (an_job_input){block, p.n_objects, p.objects};
out:
    return rc;
}

static an_rc mark(an_bucket *b, an_ctx *ctx, an_ulid id, int64_t now_ns, an_err *err)
{
    an_rc rc = AN_OK;
    char text[AN_ULID_TEXT + 1], key[64];
    an_buf doc;
    an_mark m = {.kind = AN_MARK_DELETION,
                 .has_id = true,
                 .id = id,
                 .version = 1,
                 .details = AN_LIT(AN_DETAILS_SOURCE),
                 .time_s = now_ns / 1000000000};

    an_buf_init(&doc, 4096, NULL);
    an_mark_write(&doc, &m);
    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/%s", text, an_mark_file[AN_MARK_DELETION]);
    rc = an_bucket_put(b, ctx, an_slice_str(key), an_buf_slice(&doc),
                       AN_PUT_DURABLE | AN_PUT_IF_ABSENT, err);
    if (rc == AN_EEXISTS) rc = AN_OK; /* an earlier run got so far */
    an_buf_deinit(&doc);
    return rc;
}

an_rc work_job_run(const void *arg, const sandbox *s, an_err *err)
{
    const work_job *w = arg;
    an_rc rc = AN_OK;
    an_ctx ctx;
    an_arena *a = an_arena_new(NULL);
    an_budget *budget = an_budget_new((size_t)32 * MIB);
    int64_t now_ns = s->now_ns;
    an_job_result r;
    an_job_input in[32];

    an_ctx_init(&ctx, NULL);
    for (size_t i = 0; i < w->n; i++) AN_TRY(load(s->bucket, &ctx, a, w->blocks[i], &in[i], err));
    an_job_opts o = {.kind = AN_ID_COMPACT,
                     .labels = in[0].block->meta->thanos.labels,
                     .budget = budget,
                     .segment_max = w->segment_max,
                     .now_ns = clock_of,
                     .now_arg = &now_ns};
    AN_TRY(an_job_run(a, s->bucket, &ctx, in, w->n, &o, &r, err));
    for (size_t i = 0; i < w->n; i++) AN_TRY(mark(s->bucket, &ctx, w->blocks[i], s->now_ns, err));
out:
    an_budget_free(budget);
    an_arena_free(a);
    return rc;
}
