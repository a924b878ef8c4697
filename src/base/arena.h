// SPDX-License-Identifier: Apache-2.0
/* base/arena.h: memory that dies together.
 *
 * One arena belongs to one unit of work (sync, plan, job, batch, request) and one thread. Reset
 * frees all at once and keeps one slab for the next round. An arena never owns file descriptors.
 *
 * Two kinds of allocation: an_arena_alloc() for sizes bounded by us aborts when memory is gone;
 * an_arena_try() for every size that came from outside, or may pass 1 MiB, returns NULL when the
 * budget is spent or n * size overflows. Both return memory aligned to 16 and set to zero. */
#pragma once
#include <stddef.h>

#include "base/budget.h"
#include "base/slice.h"

typedef struct an_arena an_arena;

an_arena *an_arena_new(an_budget *b); /* b may be NULL: nothing is counted */
void an_arena_free(an_arena *a);      /* NULL is fine */
void an_arena_reset(an_arena *a);

void *an_arena_alloc(an_arena *a, size_t n);
void *an_arena_try(an_arena *a, size_t n, size_t size);

/* A copy of s; always followed by a NUL byte that is not counted. dup aborts, try_dup may return
 * {NULL, 0}. */
an_slice an_arena_dup(an_arena *a, an_slice s);
an_slice an_arena_try_dup(an_arena *a, an_slice s);
char *an_arena_str(an_arena *a, an_slice s);
char *an_arena_printf(an_arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t an_arena_bytes(const an_arena *a); /* held from the system */
an_budget *an_arena_budget(const an_arena *a);
