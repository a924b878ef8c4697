// SPDX-License-Identifier: Apache-2.0
/* compact/merge/ordmap.h: from an input's symbol reference to the ordinal of the same string in the
 * result. Ordinals are all the merge knows of labels: since symbols are sorted, comparing ordinals
 * is comparing strings.
 *
 * Version 2 references are 0, 1, 2, ..., so the map is an array. Version 1 references are file
 * offsets: an ascending array of pairs, searched. Either lives in memory when the budget has room,
 * else in a spill file behind a few cached pages.
 *
 * Filled once with ascending references, sealed, then read. Threads: one. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"

typedef struct an_ordmap an_ordmap;
struct an_ordmap {          /* what an_ordmap_get needs inline */
    const uint32_t *direct; /* version 2, in memory; else NULL */
    uint32_t n;
};

/* n: how many references there will be. b and spill may be NULL (no limit; AN_ELIMIT when it is
 * spent) and must outlive the map. It lives in memory when that leaves `keep` bytes to others. */
#define AN_ORDMAP_SPILLED_BYTES ((size_t)128 << 10) /* what a spilled one takes */
AN_MUST_CHECK an_rc an_ordmap_new(an_budget *b, size_t keep, const an_spill *spill,
                                  int index_version, uint32_t n, an_ordmap **out, an_err *err);
void an_ordmap_free(an_ordmap *m); /* NULL is fine */
AN_MUST_CHECK an_rc an_ordmap_add(an_ordmap *m, uint32_t ref, uint32_t ord, an_err *err);
/* All n are there. */
AN_MUST_CHECK an_rc an_ordmap_seal(an_ordmap *m, an_err *err);

/* The slow way of an_ordmap_get. */
AN_MUST_CHECK an_rc an_ordmap_find(an_ordmap *m, uint32_t ref, uint32_t *ord, an_err *err);
/* AN_ECORRUPT, cause index-unreadable: no symbol has that reference. */
static inline AN_MUST_CHECK an_rc an_ordmap_get(an_ordmap *m, uint32_t ref, uint32_t *ord,
                                                an_err *err)
{
    if (m->direct != NULL && ref < m->n) {
        *ord = m->direct[ref];
        return AN_OK;
    }
    return an_ordmap_find(m, ref, ord, err);
}
