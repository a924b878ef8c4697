// SPDX-License-Identifier: Apache-2.0
/* base/heap.h: the binary heap of every merge, with the tie-breaking of upstream's.
 *
 * Which of several equal elements comes first depends on the heap's whole history, and shows in
 * merged bytes. So the discipline is fixed (spec/compaction.md 6.5): push appends and sifts up
 * while strictly less than the parent; pop swaps the first with the last and sifts down over the
 * shortened prefix, to the left child unless the right one is strictly less, and stops when that
 * child is not strictly less. Equal elements never change places. Replacing the top is therefore
 * not a shortcut for pop and push: it would leave another order.
 *
 * Elements are the caller's pointers, in the caller's array, which has room for as many as are ever
 * pushed. `less` may not change while elements are in. All is inline, so that a `less` known at
 * compile time is no indirect call. Threads: one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

typedef bool an_heap_less(const void *a, const void *b);

typedef struct an_heap {
    void **v; /* v[0] is the smallest; valid while n > 0 */
    size_t n;
} an_heap;

static inline void an_heap_push(an_heap *h, void *x, an_heap_less *less)
{
    size_t i = h->n++;

    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!less(x, h->v[parent])) break;
        h->v[i] = h->v[parent];
        i = parent;
    }
    h->v[i] = x;
}

/* Removes and returns v[0]; the heap may not be empty. */
static inline void *an_heap_pop(an_heap *h, an_heap_less *less)
{
    void *top = h->v[0], *x = h->v[--h->n];
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->n) break;
        if (child + 1 < h->n && less(h->v[child + 1], h->v[child])) child++;
        if (!less(h->v[child], x)) break;
        h->v[i] = h->v[child];
        i = child;
    }
    h->v[i] = x;
    return top;
}
