// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/bounds.h"

#include <stdlib.h>

#include "tsdb/index/section.h"

enum {
    HEADER = 5,
    TOC = 52,
    AROUND = 8,     /* length and CRC of a section */
    OFFSET_MAX = 6, /* bytes of a list's offset in the table: below 2^36 */
    GROWTH = 10,    /* a number of a series entry, one byte at least, may become ten */
    LIST_MIN = 12   /* length, count, CRC */
};

void an_index_bounds_of(const an_index *inputs, size_t n, an_index_bounds *out)
{
    an_index_bounds b = {.symbols_hi = 4, .postings_table_hi = 4};

    b.file_hi = HEADER + 2 * AROUND + TOC;
    for (size_t i = 0; i < n; i++) {
        const an_index *ix = &inputs[i];
        if (ix->symbols_len > b.symbols_lo) b.symbols_lo = ix->symbols_len;
        b.symbols_hi += ix->symbols_len - 4;
        b.postings_table_hi += ix->postings_table_len - 4 + (uint64_t)OFFSET_MAX * ix->n_postings;
        b.file_hi += (ix->series_end - ix->series) * GROWTH + (ix->size - ix->series_end);
    }
    b.file_hi += b.symbols_hi + b.postings_table_hi;
    b.file_lo = HEADER + AROUND + b.symbols_lo + TOC;
    *out = b;
}

bool an_index_bounds_safe(const an_index_bounds *b)
{
    return b->symbols_hi <= AN_SECTION_MAX && b->postings_table_hi <= AN_SECTION_MAX &&
           b->file_hi <= AN_INDEX_MAX;
}

typedef struct table_head {
    an_section s;
    bool open;
    uint32_t left; /* entries behind the head */
    an_table_entry e;
} table_head;

static size_t uvarint_len(uint64_t v)
{
    uint8_t b[10];
    return an_put_uvarint(b, v);
}

static int cmp_keys(const table_head *a, const table_head *b)
{
    int d = an_slice_cmp(a->e.name, b->e.name);
    return d != 0 ? d : an_slice_cmp(a->e.value, b->e.value);
}

static an_rc advance(table_head *h, an_err *err)
{
    if (h->left == 0) {
        an_section_deinit(&h->s);
        h->open = false;
        return AN_OK;
    }
    h->left--;
    return an_table_next(&h->s, &h->e, err);
}

/* Every label pair of some input is one of the result's, with a list of one series at least. */
static an_rc walk_union(table_head *heads, size_t n, uint64_t lists_lo, an_index_bounds *io,
                        an_err *err)
{
    an_rc rc = AN_OK;
    const uint64_t start = HEADER + AROUND + io->symbols_lo;
    uint64_t table = 4, list = start;

    for (;;) {
        table_head *min = NULL;
        for (size_t i = 0; i < n; i++)
            if (heads[i].open && (min == NULL || cmp_keys(&heads[i], min) < 0)) min = &heads[i];
        if (min == NULL) break;
        const an_table_entry e = min->e;
        table += 1 + uvarint_len(e.name.n) + e.name.n + uvarint_len(e.value.n) + e.value.n +
                 uvarint_len(list);
        list += e.name.n == 0 && e.value.n == 0 ? LIST_MIN : LIST_MIN + 4;
        for (size_t i = n; i-- > 0;) { /* min last: the others are compared with it */
            if (&heads[i] == min || !heads[i].open || cmp_keys(&heads[i], min) != 0) continue;
            AN_TRY(advance(&heads[i], err));
        }
        AN_TRY(advance(min, err));
    }
    if (table > io->postings_table_lo) io->postings_table_lo = table;
    if (list < start + lists_lo) list = start + lists_lo;
    const uint64_t file = list + AROUND + table + TOC;
    if (file > io->file_lo) io->file_lo = file;
out:
    return rc;
}

an_rc an_index_bounds_postings(const an_index *inputs, const an_source *sources, size_t n,
                               an_budget *budget, an_index_bounds *io, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t lists = 0; /* bytes of all lists: at least those of any input */
    table_head *heads = calloc(n == 0 ? 1 : n, sizeof *heads);

    an_assert(heads != NULL);
    for (size_t i = 0; i < n; i++) {
        if (inputs[i].version != 2) continue;
        const uint64_t from = inputs[i].postings, to = inputs[i].postings_table;
        if (from != 0 && from < to && inputs[i].label_table == to && to - from > lists)
            lists = to - from;
        AN_TRY(an_table_open(&heads[i].s, &inputs[i], &sources[i], budget, err));
        heads[i].open = true;
        heads[i].left = inputs[i].n_postings;
        AN_TRY(advance(&heads[i], err));
    }
    AN_TRY(walk_union(heads, n, lists, io, err));
out:
    for (size_t i = 0; i < n; i++)
        if (heads[i].open) an_section_deinit(&heads[i].s);
    free(heads);
    return rc;
}

static an_rc over(const char *what, uint64_t need, uint64_t limit, an_cause cause, an_err *err)
{
    (void)AN_FAIL(err, AN_ELIMIT,
                  "%s of the result would take at least %llu bytes, the format ends "
                  "at %llu",
                  what, (unsigned long long)need, (unsigned long long)limit);
    (void)an_err_cause(err, cause);
    return an_err_values(err, limit, need);
}

an_rc an_index_bounds_check(const an_index_bounds *b, an_err *err)
{
    if (b->symbols_lo > AN_SECTION_MAX)
        return over("the symbols", b->symbols_lo, AN_SECTION_MAX, AN_CAUSE_SYMBOLS_4G, err);
    if (b->postings_table_lo > AN_SECTION_MAX)
        return over("the postings table", b->postings_table_lo, AN_SECTION_MAX, AN_CAUSE_SYMBOLS_4G,
                    err);
    if (b->file_lo > AN_INDEX_MAX)
        return over("the index", b->file_lo, AN_INDEX_MAX, AN_CAUSE_INDEX_64G, err);
    return AN_OK;
}
