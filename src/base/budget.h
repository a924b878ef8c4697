// SPDX-License-Identifier: Apache-2.0
/* base/budget.h: the one hard limit on large memory.
 *
 * A budget counts bytes; it owns none. A job reserves its whole need once, at admission, and waits
 * for it there (an_budget_reserve); what it allocates later it takes from a child made of that
 * reservation, which never waits: it fails with AN_ELIMIT or spills. So nobody waits while holding.
 *
 * Threads: internally locked (`mu`, a leaf lock). A child must be freed before its parent. */
#pragma once
#include <stddef.h>

#include "base/ctx.h"
#include "base/err.h"

typedef struct an_budget an_budget;

/* A root budget; never NULL. */
an_budget *an_budget_new(size_t limit_bytes);
void an_budget_free(an_budget *b); /* asserts that all was given back */

/* Takes n bytes now or returns false; never waits. b may be NULL: unlimited, nothing counted. */
bool an_budget_take(an_budget *b, size_t n);
void an_budget_give(an_budget *b, size_t n);

/* Waits until n bytes are free, then moves them into a new child with that limit. AN_ELIMIT at once
 * when n is above the whole limit (text says need and limit), AN_ECANCELED when ctx ends. Freeing
 * the child gives the n bytes back to b. */
AN_MUST_CHECK an_rc an_budget_reserve(an_budget *b, an_ctx *ctx, size_t n, an_budget **child,
                                      an_err *err);

/* Bytes. */
size_t an_budget_limit(const an_budget *b);
size_t an_budget_used(an_budget *b);
size_t an_budget_peak(an_budget *b); /* highest `used` so far */
