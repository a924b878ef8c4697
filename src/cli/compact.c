// SPDX-License-Identifier: Apache-2.0
/* `compact`: one iteration over a bucket. */
#include "base/sysmem.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"

typedef struct compact {
    an_options o;
    an_loop *loop;
    an_progress *progress;
} compact;

static an_rc prepare(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    compact *k = c->arg;

    AN_TRY(an_options_open(c, &k->o, err));
    k->progress = an_progress_new(c);
    if (k->progress != NULL) {
        k->o.loop.progress = an_progress_show;
        k->o.loop.progress_arg = k->progress;
    }
    AN_TRY(an_loop_new(&k->o.loop, &k->loop, err));
    AN_LOG(&c->log, AN_LOG_INFO, "starting compact node",
           AN_UINT("memory_limit", k->o.memory_limit));
out:
    return rc;
}

static an_rc work(an_command *c, an_err *err)
{
    compact *k = c->arg;
    an_iteration it;
    int64_t started = an_mono_ms();
    an_rc rc = an_loop_iterate(k->loop, &c->ctx, &it, err);

    AN_LOG(&c->log, AN_LOG_INFO, "iteration ended", AN_TOOK((an_mono_ms() - started) * AN_MS),
           AN_UINT("groups", it.groups), AN_UINT("compactions", it.compactions),
           AN_UINT("isolated", it.isolated), AN_UINT("failed", it.failed),
           AN_UINT("due_for_downsampling", it.due_downsample), AN_UINT("bytes_read", it.bytes_read),
           AN_UINT("bytes_written", it.bytes_written),
           AN_UINT("memory_peak", an_sysmem_read("").rss_peak_bytes));
    return rc;
}

int an_run_compact(an_cli *cli)
{
    compact k = {0};
    int code = an_command_run(cli, prepare, work, &k);

    an_loop_free(k.loop);
    an_progress_free(k.progress);
    an_options_close(&k.o);
    return code;
}
