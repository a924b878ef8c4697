// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/strtab.h"

#include <stdlib.h>

#include "tsdb/index/bounds.h"
#include "tsdb/index/section.h"

enum {
    PAGE = 16 * 1024,
    GROUP = 16, /* strings per kept offset */
    SLOTS = 32  /* pages at hand once the others are in the file, at most */
};

/* The strings as one run of bytes, by page. In memory, page i is pages[i]. After the spill, the
 * full pages are in the file, the one that is being filled is `tail`, and page i is looked for in
 * slot i % n_slots. */
struct an_strtab {
    an_budget *budget;
    const an_spill *spill;
    uint32_t n;
    uint64_t bytes;
    uint8_t **pages; /* NULL after the spill */
    size_t n_pages, pages_cap;
    an_buf groups; /* uint32_t: offset of every 16th string */
    an_buf last;   /* the string added last; after the first get(), strings that two pages share */
    bool filled;   /* get() has been called */
    int file;      /* -1: all is in memory */
    uint64_t n_filed; /* pages in the file */
    uint8_t *tail;
    size_t n_slots;
    struct {
        uint8_t *bytes;
        uint64_t page;
    } slots[SLOTS];
};

an_rc an_strtab_new(an_budget *b, const an_spill *spill, an_strtab **out, an_err *err)
{
    an_strtab *t = calloc(1, sizeof *t);

    *out = NULL;
    if (t == NULL) return AN_FAIL(err, AN_ELIMIT, "symbols: no memory for a table");
    t->budget = b;
    t->spill = spill;
    t->file = -1;
    an_buf_init(&t->groups, UINT32_MAX, b);
    an_buf_init(&t->last, AN_INDEX_ITEM_MAX, b);
    *out = t;
    return AN_OK;
}

static void free_page(an_strtab *t, uint8_t *page)
{
    if (page == NULL) return;
    free(page);
    an_budget_give(t->budget, PAGE);
}

void an_strtab_free(an_strtab *t)
{
    if (t == NULL) return;
    for (size_t i = 0; i < t->n_pages; i++) free_page(t, t->pages[i]);
    for (size_t i = 0; i < t->n_slots; i++) free_page(t, t->slots[i].bytes);
    free_page(t, t->tail);
    free((void *)t->pages);
    an_budget_give(t->budget, t->pages_cap * sizeof *t->pages);
    an_buf_deinit(&t->groups);
    an_buf_deinit(&t->last);
    if (t->file >= 0) t->spill->close(t->spill->arg, t->file);
    free(t);
}

uint32_t an_strtab_n(const an_strtab *t) { return t->n; }
uint64_t an_strtab_bytes(const an_strtab *t) { return t->bytes; }

/* The budget has no more: full pages go to the file, and all memory but some pages goes back. */
static an_rc move_to_file(an_strtab *t, an_err *err)
{
    an_rc rc = AN_OK;
    const size_t full = (size_t)(t->bytes / PAGE);

    if (t->spill == NULL || t->file >= 0 || t->n_pages < 2)
        return AN_FAIL(err, AN_ELIMIT, "symbols: no memory for %u strings of %llu bytes", t->n + 1,
                       (unsigned long long)t->bytes);
    AN_TRY(t->spill->open(t->spill->arg, &t->file, err));
    for (size_t i = 0; i < full; i++)
        AN_TRY(t->spill->append(t->spill->arg, t->file, an_slice_of(t->pages[i], PAGE), err));
    t->n_filed = full;
    const size_t keep = full < t->n_pages ? full : 0; /* its place in the file is still to come */
    t->tail = t->pages[keep];
    t->pages[keep] = NULL;
    for (size_t i = 0; i < t->n_pages; i++) {
        if (i == keep) continue;
        if (t->n_slots < SLOTS) {
            t->slots[t->n_slots].page = UINT64_MAX;
            t->slots[t->n_slots++].bytes = t->pages[i];
        } else {
            free_page(t, t->pages[i]);
        }
    }
    free((void *)t->pages);
    an_budget_give(t->budget, t->pages_cap * sizeof *t->pages);
    t->pages = NULL;
    t->n_pages = t->pages_cap = 0;
out:
    return rc;
}

static bool push_page(an_strtab *t)
{
    if (t->n_pages == t->pages_cap) {
        const size_t more = t->pages_cap == 0 ? 16 : t->pages_cap;
        if (!an_budget_take(t->budget, more * sizeof *t->pages)) return false;
        uint8_t **p = (uint8_t **)realloc((void *)t->pages, (t->pages_cap + more) * sizeof *p);
        if (p == NULL) {
            an_budget_give(t->budget, more * sizeof *t->pages);
            return false;
        }
        t->pages = p;
        t->pages_cap += more;
    }
    if (!an_budget_take(t->budget, PAGE)) return false;
    uint8_t *page = malloc(PAGE);
    if (page == NULL) {
        an_budget_give(t->budget, PAGE);
        return false;
    }
    t->pages[t->n_pages++] = page;
    return true;
}

/* Where the next byte goes; t->bytes is at the start of a page. */
static an_rc new_page(an_strtab *t, an_err *err)
{
    an_rc rc = AN_OK;

    if (t->file < 0 && push_page(t)) return AN_OK;
    if (t->file < 0) return move_to_file(t, err);
    AN_TRY(t->spill->append(t->spill->arg, t->file, an_slice_of(t->tail, PAGE), err));
    t->n_filed++;
out:
    return rc;
}

static an_rc put(an_strtab *t, const uint8_t *p, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    while (n > 0) {
        const size_t at = (size_t)(t->bytes % PAGE);
        if (at == 0) AN_TRY(new_page(t, err));
        an_assert(t->file >= 0 || t->pages != NULL);
        uint8_t *page = t->file < 0 ? t->pages[t->n_pages - 1] : t->tail;
        const size_t step = n < PAGE - at ? n : PAGE - at;
        memcpy(page + at, p, step);
        t->bytes += step;
        p += step;
        n -= step;
    }
out:
    return rc;
}

/* Appends to a small buffer of the table; when the budget is spent, pages make room. */
static an_rc keep(an_strtab *t, an_buf *b, const void *p, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    an_buf_add(b, p, n);
    if (!b->failed) return AN_OK;
    AN_TRY(move_to_file(t, err));
    b->failed = false;
    an_buf_add(b, p, n);
    AN_CHECK(!b->failed, err, AN_ELIMIT, "symbols: no memory for %u strings", t->n + 1);
out:
    return rc;
}

an_rc an_strtab_add(an_strtab *t, an_slice s, an_err *err)
{
    an_rc rc = AN_OK;
    uint8_t head[10];
    const size_t head_n = an_put_uvarint(head, s.n);
    const uint64_t total = 4 + t->bytes + head_n + s.n; /* 4: the count in front */

    an_assert(!t->filled);
    AN_CHECK(t->n == 0 || an_slice_cmp(an_buf_slice(&t->last), s) < 0, err, AN_EHALT,
             "symbol \"%.*s\" out-of-order", AN_PRI(s));
    AN_CHECK(s.n <= AN_INDEX_ITEM_MAX, err, AN_ELIMIT, "a symbol of %zu bytes, the maximum is %d",
             s.n, AN_INDEX_ITEM_MAX);
    if (total > AN_SECTION_MAX) {
        (void)AN_FAIL(err, AN_ELIMIT, "symbol table size exceeds %u bytes: %llu", AN_SECTION_MAX,
                      (unsigned long long)total);
        (void)an_err_cause(err, AN_CAUSE_SYMBOLS_4G);
        return an_err_values(err, AN_SECTION_MAX, total);
    }
    if (t->n % GROUP == 0) {
        const uint32_t at = (uint32_t)t->bytes;
        AN_TRY(keep(t, &t->groups, &at, sizeof at, err));
    }
    an_buf_clear(&t->last);
    AN_TRY(keep(t, &t->last, s.p, s.n, err));
    AN_TRY(put(t, head, head_n, err));
    AN_TRY(put(t, s.p, s.n, err));
    t->n++;
out:
    return rc;
}

size_t an_strtab_pages(const an_strtab *t) { return (size_t)((t->bytes + PAGE - 1) / PAGE); }

an_rc an_strtab_page(an_strtab *t, size_t i, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;
    const uint64_t at = (uint64_t)i * PAGE;
    const size_t n = t->bytes - at < PAGE ? (size_t)(t->bytes - at) : PAGE;
    const uint8_t *p;

    if (t->file < 0) {
        p = t->pages[i];
    } else if (i >= t->n_filed) {
        p = t->tail;
    } else {
        const size_t slot = i % t->n_slots;
        if (t->slots[slot].page != i) {
            t->slots[slot].page = UINT64_MAX;
            AN_TRY(t->spill->read(t->spill->arg, t->file, at, n, t->slots[slot].bytes, err));
            t->slots[slot].page = i;
        }
        p = t->slots[slot].bytes;
    }
    *out = an_slice_of(p, n);
out:
    return rc;
}

/* n bytes at `at`, over a page's end. */
static an_rc copy(an_strtab *t, uint64_t at, size_t n, uint8_t *dst, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice page;

    while (n > 0) {
        AN_TRY(an_strtab_page(t, (size_t)(at / PAGE), &page, err));
        const size_t skip = (size_t)(at % PAGE);
        const size_t step = n < page.n - skip ? n : page.n - skip;
        memcpy(dst, page.p + skip, step);
        dst += step;
        at += step;
        n -= step;
    }
out:
    return rc;
}

/* The length of the string whose length begins at *at; *at moves to its first byte. */
static an_rc string_at(an_strtab *t, uint64_t *at, uint64_t *len, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice page;
    uint8_t head[10];

    AN_TRY(an_strtab_page(t, (size_t)(*at / PAGE), &page, err));
    const uint8_t *p = page.p + *at % PAGE;
    const uint8_t *e = an_uvarint_at(p, page.p + page.n, len);
    if (e == NULL) {
        const size_t n = t->bytes - *at < sizeof head ? (size_t)(t->bytes - *at) : sizeof head;
        AN_TRY(copy(t, *at, n, head, err));
        p = head;
        e = an_uvarint_at(p, p + n, len);
        an_assert(e != NULL);
    }
    *at += (uint64_t)(e - p);
out:
    return rc;
}

an_rc an_strtab_get(an_strtab *t, uint32_t ord, an_slice *out, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t group;
    uint64_t at, len;
    an_slice page;

    an_assert(ord < t->n);
    t->filled = true;
    memcpy(&group, t->groups.p + sizeof group * (ord / GROUP), sizeof group);
    at = group;
    for (uint32_t i = 0; i < ord % GROUP; i++) {
        AN_TRY(string_at(t, &at, &len, err));
        at += len;
    }
    AN_TRY(string_at(t, &at, &len, err));
    if (len == 0) {
        *out = an_slice_of("", 0);
        return AN_OK;
    }
    AN_TRY(an_strtab_page(t, (size_t)(at / PAGE), &page, err));
    const size_t skip = (size_t)(at % PAGE);
    if (len <= page.n - skip) {
        *out = an_slice_of(page.p + skip, (size_t)len);
        return AN_OK;
    }
    an_buf_clear(&t->last); /* it has held every string once: there is room */
    an_assert(an_buf_reserve(&t->last, (size_t)len));
    AN_TRY(copy(t, at, (size_t)len, t->last.p, err));
    t->last.n = (size_t)len;
    *out = an_buf_slice(&t->last);
out:
    return rc;
}
