/* tsdb/index/index_reader.h: a block index read as a stream, versions 1 and 2 (and 3's layout is
 * refused). Nothing here holds a whole section: symbols, postings and series each run over a source
 * of their own, so that a window of a few KiB is enough.
 *
 * Layout, checks and error texts: spec/tsdb-block.md 4 and 6.2. Damage is AN_ECORRUPT with a cause
 * (index-unreadable, index-incomplete, ooo-series, ooo-labels, empty-series), offset,
 * expected/found. Threads: one per iterator; an_index is immutable after open. */
#pragma once
#include "base/arena.h"
#include "base/stream.h"

typedef struct an_chunk_meta {
    int64_t mint, maxt; /* ms, both inclusive */
    uint64_t ref;       /* segment << 32 | offset of the length byte; segments count from 0 */
} an_chunk_meta;

typedef struct an_index {
    int version;   /* 1 or 2 */
    uint64_t size; /* of the file */
    /* TOC: file offsets, 0 = absent (old files only) */
    uint64_t symbols, series, label_indices, label_table, postings, postings_table;
    uint64_t symbols_len; /* content bytes of the symbol section, without length and CRC */
    uint32_t n_symbols;   /* claimed; at most symbols_len */
} an_index;

/* Header, TOC with CRC, offsets in order and inside the file, symbol section's head. */
AN_MUST_CHECK an_rc an_index_open(const an_source *src, an_index *out, an_err *err);

/* Symbols in file order; checks strict order as it goes, count and CRC at the end. */
typedef struct an_symbol_iter an_symbol_iter;
AN_MUST_CHECK an_rc an_symbol_iter_open(const an_index *ix, const an_source *src, an_arena *a,
                                        an_symbol_iter **out, an_err *err);
/* AN_ENOTFOUND without a text after the last one (then all checks have passed). *sym is valid until
 * the next call; *ref is what series entries use: the ordinal (v2) or the file offset (v1). */
AN_MUST_CHECK an_rc an_symbol_iter_next(an_symbol_iter *it, an_slice *sym, uint32_t *ref,
                                        an_err *err);
void an_symbol_iter_close(an_symbol_iter *it);

/* Walks the postings offset table with its CRC. fn may be NULL; name and value are valid during the
 * call. *all is the file offset of the ("","") list, 0 if there is none. */
typedef an_rc (*an_postings_fn)(void *arg, an_slice name, an_slice value, uint64_t off,
                                an_err *err);
AN_MUST_CHECK an_rc an_postings_table_walk(const an_index *ix, const an_source *src,
                                           an_postings_fn fn, void *arg, uint64_t *all,
                                           an_err *err);

/* One series entry. All arrays belong to the iterator and are valid until the next call. */
typedef struct an_series_entry {
    uint64_t off; /* file offset of the entry's length */
    uint32_t id;  /* as in postings: off / 16 (v2) or off (v1) */
    size_t n_labels;
    const uint32_t *labels; /* 2 * n_labels: name ref, value ref, as stored */
    size_t n_chunks;
    const an_chunk_meta *chunks;
    an_slice body; /* the entry's bytes between length and CRC */
} an_series_entry;

/* Series in the order of the all-postings list at `all`, each entry with its CRC. Postings and
 * entries must account for each other: an entry between two listed ones, or after the last, is
 * index-incomplete. The list's own CRC is checked at its end. Label refs are not resolved here. */
typedef struct an_series_iter an_series_iter;
AN_MUST_CHECK an_rc an_series_iter_open(const an_index *ix, const an_source *series,
                                        const an_source *postings, uint64_t all, an_budget *budget,
                                        an_series_iter **out, an_err *err);
/* AN_ENOTFOUND without a text after the last one. */
AN_MUST_CHECK an_rc an_series_iter_next(an_series_iter *it, an_series_entry *out, an_err *err);
void an_series_iter_close(an_series_iter *it);
