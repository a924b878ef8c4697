// SPDX-License-Identifier: Apache-2.0
/* base/ctx.h: what every call that can block is handed: cancellation and a deadline.
 *
 * A child is cancelled with its parent. Cancelling is a flag that waiting loops look at ten times a
 * second; it is async-signal-safe. Threads: any; must outlive its children. */
#pragma once
#include <stdatomic.h>
#include <time.h>
#include <stdint.h>

#include "base/err.h"

typedef struct an_ctx {
    struct an_ctx *parent; /* NULL at the root */
    atomic_bool canceled;
    int64_t deadline_mono_ms; /* CLOCK_MONOTONIC; INT64_MAX: none */
} an_ctx;

void an_ctx_init(an_ctx *ctx, an_ctx *parent); /* caller's storage; no deinit needed */
void an_ctx_cancel(an_ctx *ctx);
bool an_ctx_done(const an_ctx *ctx);
/* AN_ECANCELED once cancelled; AN_ERETRY when the deadline passed. */
AN_MUST_CHECK an_rc an_ctx_check(an_ctx *ctx, an_err *err);

int64_t an_mono_ms(void); /* CLOCK_MONOTONIC now */
struct timespec
an_monotonic_in_ms(int64_t ms); /* absolute, for condition variables made by an_cond_init */
