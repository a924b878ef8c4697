// SPDX-License-Identifier: Apache-2.0
/* support/index_v1_writer.h: indexes that no writer of ours makes: version 1, with the sections of
 * old writers, and broken ones of either version. Plain and literal, everything in memory: the
 * second opinion about the format (spec/tsdb-block.md 4 and 4.4) that tests hold the real code
 * against. */
#pragma once
#include "tsdb/index/index_reader.h"

typedef struct raw_series {
    const char *labels[16]; /* name, value, ... up to the first NULL; stored in this order */
    an_chunk_meta chunks[8];
    size_t n_chunks;
    bool unlisted; /* in no postings list, as if it had been forgotten */
} raw_series;

typedef struct raw_index {
    int version; /* 1 or 2 */
    const char *const
        *symbols; /* all of them in this order up to NULL; NULL: what the series use */
    const raw_series *series;
    size_t n_series;
    const size_t
        *table_order; /* lists and table entries in this order; NULL: ("",""), then sorted */
    const size_t *list_order; /* the list of all series names them in this order; NULL: as stored */
    bool no_all;              /* without the list of all series */
    bool legacy;              /* label indices and their table, as version 1 always has them */
} raw_index;

/* Appends the file. off[i], if not NULL, is where entry i of `series` begins. */
void raw_index_write(const raw_index *ix, an_buf *out, uint64_t *off);
