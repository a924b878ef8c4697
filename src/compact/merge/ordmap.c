// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/ordmap.h"

#include <stdlib.h>

enum { PAGE_WORDS = 1024, CACHED = 32 }; /* pages of a spilled map in memory: number mod CACHED */

_Static_assert(sizeof(uint32_t) * PAGE_WORDS * CACHED == AN_ORDMAP_SPILLED_BYTES, "as promised");

typedef struct map {
    an_ordmap pub; /* first: the public pointer is this one */
    an_budget *budget;
    const an_spill *spill;
    bool pairs;  /* version 1: entries are reference and ordinal */
    size_t held; /* bytes taken from the budget */
    uint32_t added;
    uint32_t *words; /* all entries, or (spilled) the page that is being filled, then the cache */
    int file;        /* -1: not spilled */
    uint32_t cached[CACHED]; /* number of the page in each place, UINT32_MAX: none */
} map;

static size_t entry_words(const map *m) { return m->pairs ? 2 : 1; }
static uint32_t per_page(const map *m) { return m->pairs ? PAGE_WORDS / 2 : PAGE_WORDS; }

an_rc an_ordmap_new(an_budget *b, size_t keep, const an_spill *spill, int index_version, uint32_t n,
                    an_ordmap **out, an_err *err)
{
    an_rc rc = AN_OK;

    *out = NULL;
    map *m = calloc(1, sizeof *m);
    an_assert(m != NULL);
    m->budget = b;
    m->spill = spill;
    m->pairs = index_version == 1;
    m->pub.n = n;
    m->file = -1;
    m->held = n * entry_words(m) * sizeof(uint32_t);
    if (an_budget_take(b, m->held + keep)) {
        an_budget_give(b, keep);
    } else {
        m->held = AN_ORDMAP_SPILLED_BYTES;
        if (spill == NULL || !an_budget_take(b, m->held)) {
            m->held = 0;
            rc = AN_FAIL(err, AN_ELIMIT, "no memory to map %u symbols", n);
            goto out;
        }
        AN_TRY(spill->open(spill->arg, &m->file, err));
    }
    m->words = malloc(m->held + 1);
    AN_CHECK(m->words != NULL, err, AN_ELIMIT, "no memory to map %u symbols", n);
    for (unsigned i = 0; i < CACHED; i++) m->cached[i] = UINT32_MAX;
    *out = &m->pub;
    m = NULL;
out:
    if (m != NULL) an_ordmap_free(&m->pub);
    return rc;
}

void an_ordmap_free(an_ordmap *pub)
{
    map *m = (map *)pub;

    if (m == NULL) return;
    if (m->file >= 0) m->spill->close(m->spill->arg, m->file);
    free(m->words);
    an_budget_give(m->budget, m->held);
    free(m);
}

static void put(map *m, uint32_t i, uint32_t ref, uint32_t ord)
{
    if (m->pairs) {
        m->words[2 * (size_t)i] = ref;
        m->words[2 * (size_t)i + 1] = ord;
    } else {
        m->words[i] = ord;
    }
}

static an_rc write_page(map *m, uint32_t n, an_err *err)
{
    size_t bytes = n * entry_words(m) * sizeof(uint32_t);
    return m->spill->append(m->spill->arg, m->file, an_slice_of(m->words, bytes), err);
}

an_rc an_ordmap_add(an_ordmap *pub, uint32_t ref, uint32_t ord, an_err *err)
{
    map *m = (map *)pub;
    uint32_t i = m->added;

    an_assert(i < m->pub.n && (m->pairs || ref == i));
    m->added++;
    if (m->file < 0) {
        put(m, i, ref, ord);
        return AN_OK;
    }
    put(m, i % per_page(m), ref, ord);
    return m->added % per_page(m) == 0 ? write_page(m, per_page(m), err) : AN_OK;
}

an_rc an_ordmap_seal(an_ordmap *pub, an_err *err)
{
    map *m = (map *)pub;
    uint32_t rest = m->added % per_page(m);

    an_assert(m->added == m->pub.n);
    if (m->file >= 0) return rest > 0 ? write_page(m, rest, err) : AN_OK;
    if (!m->pairs) m->pub.direct = m->words;
    return AN_OK;
}

/* The 32-bit words of entry i. */
static an_rc entry(map *m, uint32_t i, const uint32_t **out, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t page = i / per_page(m), at = page % CACHED;
    uint32_t *p = m->words + (size_t)at * PAGE_WORDS;

    if (m->file < 0) {
        *out = m->words + i * entry_words(m);
        goto out;
    }
    if (m->cached[at] != page) {
        uint32_t left = m->pub.n - page * per_page(m);
        size_t n = (left < per_page(m) ? left : per_page(m)) * entry_words(m) * sizeof *p;
        uint64_t off = (uint64_t)page * PAGE_WORDS * sizeof *p;
        m->cached[at] = UINT32_MAX;
        AN_TRY(m->spill->read(m->spill->arg, m->file, off, n, (uint8_t *)p, err));
        m->cached[at] = page;
    }
    *out = p + i % per_page(m) * entry_words(m);
out:
    return rc;
}

an_rc an_ordmap_find(an_ordmap *pub, uint32_t ref, uint32_t *ord, an_err *err)
{
    an_rc rc = AN_OK;
    map *m = (map *)pub;
    const uint32_t *e;
    uint32_t lo = 0, hi = m->pub.n;

    if (!m->pairs) {
        if (ref >= m->pub.n) goto unknown;
        AN_TRY(entry(m, ref, &e, err));
        *ord = e[0];
        goto out;
    }
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        AN_TRY(entry(m, mid, &e, err));
        if (e[0] == ref) {
            *ord = e[1];
            goto out;
        }
        if (e[0] < ref)
            lo = mid + 1;
        else
            hi = mid;
    }
unknown:
    rc = AN_FAIL(err, AN_ECORRUPT, "unknown symbol offset %u", ref);
    (void)an_err_cause(err, AN_CAUSE_INDEX_UNREADABLE);
out:
    return rc;
}
