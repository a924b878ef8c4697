// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/index_reader.h: a block index read as a stream, versions 1 and 2 (3's layout is
 * refused). Nothing here holds a whole section: symbols, postings and series each run over a source
 * of their own, so that a window of a few KiB is enough. An item longer than a piece of its source
 * is put together in a buffer, up to AN_INDEX_ITEM_MAX bytes.
 *
 * Layout, checks and error texts: spec/tsdb-block.md 4 and 6.2. Damage is AN_ECORRUPT with cause
 * index-unreadable or index-incomplete and the file offset; expected and found are set where two
 * numbers were compared. The reader judges form only. What a well-formed index says that it should
 * not (labels or series out of order, entries without labels or chunks, chunks outside the block)
 * is counted and refused by health.h, one entry at a time, from the same walk.
 *
 * Symbols are strictly ascending, so references compare as the strings they stand for: ordinals
 * in version 2, file offsets in version 1.
 *
 * Threads: one per iterator; an_index is immutable after open. */
#pragma once
#include "base/stream.h"

/* Longest symbol, series entry or postings table entry, bytes: 4 million chunks in one series. */
enum { AN_INDEX_ITEM_MAX = 64 << 20 };

typedef struct an_chunk_meta {
    int64_t mint, maxt; /* ms, both inclusive */
    uint64_t ref;       /* segment << 32 | offset of the length byte; segments count from 0 */
} an_chunk_meta;

typedef struct an_index {
    int version;   /* 1 or 2 */
    uint64_t size; /* of the file */
    /* TOC: file offsets, 0 = absent (old files only; never symbols, series, postings_table) */
    uint64_t symbols, series, label_indices, label_table, postings, postings_table;
    uint64_t series_end;  /* where the section behind the series begins */
    uint64_t symbols_len; /* bytes between the section's length and its CRC: count, strings */
    uint32_t n_symbols;   /* claimed; at most symbols_len */
    uint64_t postings_table_len; /* as symbols_len: count, entries */
    uint32_t n_postings;         /* claimed; entries of the postings table, ("","") included */
} an_index;

/* Header, TOC with CRC, offsets in order and inside the file, head of the symbol section and of the
 * postings table. Version 3 is AN_EUNSUPPORTED. */
AN_MUST_CHECK an_rc an_index_open(const an_source *src, an_index *out, an_err *err);

/* Symbols in file order; checks strict order as it goes, count and CRC at the end. `src` must
 * outlive the iterator; budget may be NULL. */
typedef struct an_symbol_iter an_symbol_iter;
AN_MUST_CHECK an_rc an_symbol_iter_open(const an_index *ix, const an_source *src, an_budget *budget,
                                        an_symbol_iter **out, an_err *err);
/* AN_ENOTFOUND without a text after the last one (then all checks have passed). *sym is valid until
 * the next call; *ref is what series entries use: the ordinal (v2) or the file offset (v1). */
AN_MUST_CHECK an_rc an_symbol_iter_next(an_symbol_iter *it, an_slice *sym, uint32_t *ref,
                                        an_err *err);
void an_symbol_iter_close(an_symbol_iter *it); /* NULL is fine */

/* Walks the postings offset table with its CRC. fn may be NULL; name and value are valid during the
 * call. *all is the file offset of the ("","") list, 0 if there is none (two are damage). budget
 * (may be NULL) pays for entries longer than a piece. */
typedef an_rc (*an_postings_fn)(void *arg, an_slice name, an_slice value, uint64_t off,
                                an_err *err);
AN_MUST_CHECK an_rc an_postings_table_walk(const an_index *ix, const an_source *src,
                                           an_budget *budget, an_postings_fn fn, void *arg,
                                           uint64_t *all, an_err *err);

/* One series entry. All arrays belong to the iterator and are valid until the next call. */
typedef struct an_series_entry {
    uint64_t off; /* file offset of the entry's length */
    uint32_t id;  /* as in postings: off / 16 (v2) or off (v1) */
    size_t n_labels;
    const uint32_t *labels; /* 2 * n_labels: name ref, value ref, as stored; in range */
    size_t n_chunks;
    const an_chunk_meta *chunks;
    an_slice body; /* the entry's bytes between length and CRC */
} an_series_entry;

/* Series in the order of the all-postings list at `all` (0: no list), each entry with its CRC.
 * Postings and entries must account for each other: bytes that are not zero between two listed
 * entries, before the first or after the last are an entry that nothing lists: index-incomplete.
 * Lists that jump backwards are followed; then the entries are counted at the end. The list's own
 * CRC is checked at its end. Refs are in range (v2: below n_symbols; v1: inside the symbol section)
 * but not resolved.
 *
 * `series` and `postings` are two sources over the index, used alternately; both must outlive the
 * iterator. budget may be NULL. */
typedef struct an_series_iter an_series_iter;
AN_MUST_CHECK an_rc an_series_iter_open(const an_index *ix, const an_source *series,
                                        const an_source *postings, uint64_t all, an_budget *budget,
                                        an_series_iter **out, an_err *err);
/* AN_ENOTFOUND without a text after the last one. */
AN_MUST_CHECK an_rc an_series_iter_next(an_series_iter *it, an_series_entry *out, an_err *err);
void an_series_iter_close(an_series_iter *it); /* NULL is fine */
/* Entries the list names, from its head: 0 without a list. */
uint32_t an_series_iter_n(const an_series_iter *it);
