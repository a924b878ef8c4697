// SPDX-License-Identifier: Apache-2.0
#include "base/ctx.h"

#include <time.h>

int64_t an_mono_ms(void)
{
    struct timespec t;

    an_assert(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct timespec an_monotonic_in_ms(int64_t ms)
{
    int64_t at = an_mono_ms() + ms;
    return (struct timespec){.tv_sec = (time_t)(at / 1000), .tv_nsec = (long)(at % 1000) * 1000000};
}

void an_ctx_init(an_ctx *ctx, an_ctx *parent)
{
    ctx->parent = parent;
    atomic_init(&ctx->canceled, false);
    ctx->deadline_mono_ms = INT64_MAX;
}

void an_ctx_cancel(an_ctx *ctx)
{
    atomic_store_explicit(&ctx->canceled, true, memory_order_release);
}

bool an_ctx_done(const an_ctx *ctx)
{
    for (const an_ctx *c = ctx; c != NULL; c = c->parent) {
        if (atomic_load_explicit(&c->canceled, memory_order_acquire)) return true;
        if (c->deadline_mono_ms != INT64_MAX && an_mono_ms() >= c->deadline_mono_ms) return true;
    }
    return false;
}

an_rc an_ctx_check(an_ctx *ctx, an_err *err)
{
    for (const an_ctx *c = ctx; c != NULL; c = c->parent) {
        if (atomic_load_explicit(&c->canceled, memory_order_acquire))
            return AN_FAIL(err, AN_ECANCELED, "canceled");
        if (c->deadline_mono_ms != INT64_MAX && an_mono_ms() >= c->deadline_mono_ms)
            return AN_FAIL(err, AN_ERETRY, "deadline exceeded");
    }
    return AN_OK;
}
