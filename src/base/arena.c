// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_FIRST = 4096, SLAB_MAX = 256 * 1024, ALIGN = 16 };

typedef struct slab {
    struct slab *next;
    size_t cap; /* bytes of data */
    size_t used;
    size_t pad; /* keeps data aligned to 16 */
    uint8_t data[];
} slab;

_Static_assert(sizeof(slab) % ALIGN == 0, "slab data must be aligned");

struct an_arena {
    an_budget *budget;
    slab *top; /* newest first */
    size_t bytes;
    size_t next_cap;
};

an_arena *an_arena_new(an_budget *b)
{
    an_arena *a = calloc(1, sizeof *a);

    an_assert(a != NULL);
    a->budget = b;
    a->next_cap = SLAB_FIRST;
    return a;
}

static void slab_free(an_arena *a, slab *s)
{
    size_t n = sizeof *s + s->cap;
    a->bytes -= n;
    an_budget_give(a->budget, n);
    free(s);
}

void an_arena_free(an_arena *a)
{
    if (a == NULL) return;
    while (a->top != NULL) {
        slab *next = a->top->next;
        slab_free(a, a->top);
        a->top = next;
    }
    free(a);
}

void an_arena_reset(an_arena *a)
{
    slab *keep = NULL;

    while (a->top != NULL) {
        slab *s = a->top;
        a->top = s->next;
        if (keep == NULL && s->cap <= SLAB_MAX)
            keep = s; /* the newest normal one is the largest */
        else
            slab_free(a, s);
    }
    if (keep == NULL) return;
    memset(keep->data, 0, keep->used);
    keep->used = 0;
    keep->next = NULL;
    a->top = keep;
}

static void *grow(an_arena *a, size_t n)
{
    size_t cap = n > a->next_cap ? n : a->next_cap;
    size_t total;

    if (__builtin_add_overflow(cap, sizeof(slab), &total)) return NULL;
    if (!an_budget_take(a->budget, total)) {
        cap = n; /* near the limit: only what is asked for */
        if (__builtin_add_overflow(cap, sizeof(slab), &total)) return NULL;
        if (!an_budget_take(a->budget, total)) return NULL;
    }
    slab *s = calloc(1, total);
    if (s == NULL) {
        an_budget_give(a->budget, total);
        return NULL;
    }
    s->cap = cap;
    s->used = n;
    a->bytes += total;
    if (a->next_cap < SLAB_MAX) a->next_cap *= 2;
    if (a->top != NULL && a->top->cap - a->top->used > s->cap - s->used) {
        s->next = a->top->next; /* keep filling the slab with more room */
        a->top->next = s;
    } else {
        s->next = a->top;
        a->top = s;
    }
    return s->data;
}

void *an_arena_try(an_arena *a, size_t n, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX - ALIGN) return NULL;
    bytes = bytes == 0 ? ALIGN : (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    slab *s = a->top;
    if (s != NULL && s->cap - s->used >= bytes) {
        void *p = s->data + s->used;
        s->used += bytes;
        return p;
    }
    return grow(a, bytes);
}

void *an_arena_alloc(an_arena *a, size_t n)
{
    void *p = an_arena_try(a, 1, n);
    an_assert(p != NULL);
    return p;
}

an_slice an_arena_try_dup(an_arena *a, an_slice s)
{
    if (s.n == SIZE_MAX) return (an_slice){NULL, 0};
    uint8_t *p = an_arena_try(a, s.n + 1, 1);
    if (p == NULL) return (an_slice){NULL, 0};
    if (s.n > 0) memcpy(p, s.p, s.n);
    return (an_slice){p, s.n};
}

an_slice an_arena_dup(an_arena *a, an_slice s)
{
    an_slice d = an_arena_try_dup(a, s);
    an_assert(d.p != NULL);
    return d;
}

char *an_arena_str(an_arena *a, an_slice s)
{
    char *p = an_arena_alloc(a, s.n + 1);
    if (s.n > 0) memcpy(p, s.p, s.n);
    return p;
}

char *an_arena_printf(an_arena *a, const char *fmt, ...)
{
    va_list ap, ap2;

    va_start(ap, fmt);
    va_copy(ap2, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    an_assert(n >= 0);
    char *p = an_arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(p, (size_t)n + 1, fmt, ap2);
    va_end(ap2);
    return p;
}

size_t an_arena_bytes(const an_arena *a) { return a->bytes; }

an_budget *an_arena_budget(const an_arena *a) { return a->budget; }
