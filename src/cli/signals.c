// SPDX-License-Identifier: Apache-2.0
#include "cli/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cli/textfile.h"

struct an_signals {
    const an_log *log;
    an_ctx *ctx;
    pthread_t thread;
    sigset_t set;
    atomic_bool done; /* an_signals_stop was called */
    atomic_int got;
};

const char *an_signal_name(int signo)
{
    switch (signo) {
    case SIGTERM:
        return "terminated";
    case SIGINT:
        return "interrupt";
    case SIGHUP:
        return "hangup";
    default:
        return "unknown";
    }
}

/* After the first SIGTERM or SIGINT: waits for an_signals_stop, not for ever. */
static void wait_for_the_end(an_signals *s)
{
    int64_t until = an_mono_ms() + AN_SIGNALS_GRACE_MS;

    while (!atomic_load(&s->done)) {
        int64_t left = until - an_mono_ms();
        struct timespec t = {left / 1000, (left % 1000) * 1000000};
        if (left > 0) {
            (void)sigtimedwait(&s->set, NULL, &t); /* further signals change nothing */
            continue;
        }
        AN_LOG(s->log, AN_LOG_WARN, "exiting although a call does not return; nothing is half done",
               AN_INT("waited_ms", AN_SIGNALS_GRACE_MS));
        _exit(0);
    }
}

static void *watch(void *arg)
{
    an_signals *s = arg;
    bool reloaded = false;

    for (;;) {
        int signo = 0;
        if (sigwait(&s->set, &signo) != 0) continue;
        if (atomic_load(&s->done)) return NULL;
        if (signo == SIGHUP) {
            AN_LOG(s->log, AN_LOG_INFO, "caught signal. Reloading.",
                   AN_STR("signal", an_signal_name(signo)));
            if (!reloaded) AN_LOG(s->log, AN_LOG_INFO, "reload dispatched.");
            reloaded = true;
            continue;
        }
        AN_LOG(s->log, AN_LOG_INFO, "caught signal. Exiting.",
               AN_STR("signal", an_signal_name(signo)));
        atomic_store(&s->got, signo);
        an_ctx_cancel(s->ctx);
        wait_for_the_end(s);
        return NULL;
    }
}

an_rc an_signals_start(const an_log *log, an_ctx *ctx, an_signals **out, an_err *err)
{
    static const int ignored[] = {SIGPIPE, SIGUSR1, SIGUSR2, SIGXFSZ};
    an_signals *s = calloc(1, sizeof *s);

    an_assert(s != NULL);
    s->log = log;
    s->ctx = ctx;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        an_assert(sigaction(ignored[i], &ignore, NULL) == 0);
    }
    an_assert(sigemptyset(&s->set) == 0 && sigaddset(&s->set, SIGTERM) == 0 &&
              sigaddset(&s->set, SIGINT) == 0 && sigaddset(&s->set, SIGHUP) == 0);
    an_assert(pthread_sigmask(SIG_BLOCK, &s->set, NULL) == 0);
    int rc = pthread_create(&s->thread, NULL, watch, s);
    if (rc != 0) {
        char why[128];
        free(s);
        an_errno_text(rc, why);
        return AN_FAIL(err, AN_EIO, "no thread for signals: %s", why);
    }
    *out = s;
    return AN_OK;
}

int an_signals_stop(an_signals *s)
{
    if (s == NULL) return 0;
    atomic_store(&s->done, true);
    (void)pthread_kill(s->thread, SIGHUP); /* wakes it; it may have ended already */
    an_assert(pthread_join(s->thread, NULL) == 0);
    int got = atomic_load(&s->got);
    free(s);
    return got;
}
