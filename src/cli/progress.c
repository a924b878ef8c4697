// SPDX-License-Identifier: Apache-2.0
#include "cli/progress.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/duration.h"
#include "cli/timeline.h"

/* Off a terminal: at most one log line in this time for all jobs together. The first one comes
 * after it too, so that short jobs are silent. */
enum { LOG_EVERY_MS = 30000, ETA_FROM_MS = 2000 };

struct an_progress {
    an_screen *screen;
    const an_log *log;
    pthread_mutex_t mu;
    int64_t logged_ms; /* when the last log line was written */
};

an_progress *an_progress_new(an_command *c)
{
    an_progress *p = calloc(1, sizeof *p);

    an_assert(p != NULL && pthread_mutex_init(&p->mu, NULL) == 0);
    p->screen = &c->screen;
    p->log = &c->log;
    p->logged_ms = an_mono_ms();
    return p;
}

void an_progress_free(an_progress *p)
{
    if (p == NULL) return;
    an_assert(pthread_mutex_destroy(&p->mu) == 0);
    free(p);
}

static uint64_t percent(const an_loop_progress *at)
{
    if (at->all == 0 || at->done >= at->all) return at->all == 0 ? 0 : 100;
    return (uint64_t)((double)at->done * 100 / (double)at->all);
}

static uint64_t bytes_per_s(const an_loop_progress *at)
{
    return at->took_ms > 0 ? (uint64_t)((double)at->done * 1000 / (double)at->took_ms) : 0;
}

/* Nanoseconds, whole seconds; -1: too early to tell. */
static int64_t time_left(const an_loop_progress *at)
{
    if (at->took_ms < ETA_FROM_MS || percent(at) < 5 || at->done == 0 || at->done >= at->all) {
        return -1;
    }
    double left = (double)at->took_ms * ((double)at->all / (double)at->done - 1) / 1000;
    if (left > 1e6) return -1;
    return (int64_t)(left + 0.5) * AN_SECOND;
}

void an_progress_text(an_buf *out, const an_loop_progress *at)
{
    int64_t left = time_left(at);

    for (size_t i = 0; i < at->labels.n && i < 60; i++) {
        uint8_t c = at->labels.p[i];
        an_buf_u8(out, c >= ' ' && c != 0x7f ? c : '?');
    }
    if (at->labels.n > 60) an_buf_str(out, "...");
    an_buf_printf(out, "  %zu blocks  %3" PRIu64 " %%  ", at->n_inputs, percent(at));
    an_human_bytes(out, at->done);
    an_buf_str(out, " of ");
    an_human_bytes(out, at->all);
    an_buf_str(out, "  ");
    an_human_bytes(out, bytes_per_s(at));
    an_buf_str(out, "/s");
    if (left >= 0) {
        char d[AN_DURATION_TEXT];
        (void)an_duration_print(left, d);
        an_buf_printf(out, "  about %s left", d);
    }
}

static bool is_time(an_progress *p)
{
    int64_t now = an_mono_ms();

    an_assert(pthread_mutex_lock(&p->mu) == 0);
    bool yes = now - p->logged_ms >= LOG_EVERY_MS;
    if (yes) p->logged_ms = now;
    an_assert(pthread_mutex_unlock(&p->mu) == 0);
    return yes;
}

void an_progress_show(void *arg, const an_loop_progress *at)
{
    an_progress *p = arg;
    an_buf text;

    if (p->screen->is_terminal) {
        an_buf_init(&text, 4096, NULL);
        if (!at->ended) an_progress_text(&text, at);
        an_screen_status(p->screen, an_buf_slice(&text));
        an_buf_deinit(&text);
    } else if (!at->ended && is_time(p)) {
        const an_kv context[] = {AN_TEXT("group", at->labels), {.key = NULL}};
        an_log log = an_log_with(p->log, context);
        int64_t left = time_left(at);
        AN_LOG(&log, AN_LOG_INFO, "compaction in progress", AN_UINT("percent", percent(at)),
               AN_UINT("bytes_read", at->done), AN_UINT("bytes", at->all),
               AN_UINT("bytes_per_second", bytes_per_s(at)),
               AN_INT("seconds_left", left < 0 ? -1 : left / AN_SECOND));
    }
}
