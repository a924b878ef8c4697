// SPDX-License-Identifier: Apache-2.0
#include "crash/work_loop.h"

#include <limits.h>

#include "compact/loop/loop.h"

enum { MIB = 1 << 20 };

static int64_t clock_of(void *arg) { return *(const int64_t *)arg; }

an_rc work_loop_run(const void *arg, const sandbox *s, an_err *err)
{
    const work_loop *w = arg;
    an_rc rc = AN_OK;
    an_ctx ctx;
    int64_t now_ns = s->now_ns, ranges[AN_PLAN_RANGES_MAX];
    char cache[PATH_MAX];
    an_budget *budget = an_budget_new((size_t)64 * MIB), *metas = an_budget_new((size_t)16 * MIB);
    an_pool *workers = NULL;
    an_loop *loop = NULL;
    an_iteration it;

    an_ctx_init(&ctx, NULL);
    (void)snprintf(cache, sizeof cache, "%s/meta-cache", s->data_dir);
    if (w->workers > 0) AN_TRY(an_pool_new(w->workers, "worker", &workers, err));
    an_loop_opts o = {
        .bucket = s->bucket,
        .state = {.bucket = s->bucket,
                  .budget = metas,
                  .cache_path = cache,
                  .cache_for = AN_LIT("the bucket of the test")},
        .data_dir = s->data_dir,
        .log = s->log,
        .budget = budget,
        .workers = workers,
        .concurrency = w->concurrency == 0 ? 1 : w->concurrency,
        .plan = {.ranges = ranges, .max_index_bytes = INT64_C(64) << 30},
        .filter = {.delete_delay_ms = w->delete_delay_ms, .downsampling_disabled = true},
        .delete_delay_ms = w->delete_delay_ms,
        .now_ns = clock_of,
        .now_arg = &now_ns};
    AN_TRY(an_plan_ranges(AN_PLAN_RANGES_MAX - 1, ranges, &o.plan.n_ranges, err));
    AN_TRY(an_time_or_dur_parse(AN_LIT("0000-01-01T00:00:00Z"), &o.min_time, err));
    AN_TRY(an_time_or_dur_parse(AN_LIT("9999-12-31T23:59:59Z"), &o.max_time, err));
    AN_TRY(an_loop_new(&o, &loop, err));
    AN_TRY(an_loop_iterate(loop, &ctx, &it, err));
out:
    an_loop_free(loop);
    an_pool_free(workers);
    an_budget_free(budget);
    an_budget_free(metas);
    return rc;
}
