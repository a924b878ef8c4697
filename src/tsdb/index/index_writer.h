// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/index_writer.h: a version 2 index written as a stream, byte for byte as Prometheus
 * 3.9.1 writes it: symbols, series (16-aligned), postings lists (4-aligned), postings offset table,
 * TOC. Bytes leave through the sink in file order; what must wait (postings) is kept delta-coded
 * per label pair in the budget, and moved to the spill when that is spent. spec/tsdb-block.md 4.
 *
 * Memory: an output buffer, scratch for one entry, and the postings; all of it from the budget. The
 * writer takes what the budget has before it spills, so give it a child of its own; 64 KiB is
 * enough for any index (plus the longest entry). Bytes do not depend on the budget.
 *
 * Limits of the format (4.2 there) are checked while writing: AN_ELIMIT with cause index-64g or
 * symbols-4g; misuse of order is AN_EHALT with upstream's text. After an error only close is left.
 * Threads: one. */
#pragma once
#include "tsdb/index/index_reader.h"
#include "tsdb/index/strtab.h"

typedef struct an_index_writer an_index_writer;

typedef struct an_index_written {
    uint64_t size; /* of the file */
    uint64_t n_series;
    int64_t series_max_size; /* index_stats as upstream estimates it (6.4): 0 if no measurement */
    int64_t chunk_max_size;
} an_index_written;

/* Writes header and symbols at once; strings are taken from `symbols`, which must outlive the
 * writer, as must sink and spill. spill may be NULL: AN_ELIMIT when the budget is spent. */
AN_MUST_CHECK an_rc an_index_writer_open(const an_sink *sink, an_strtab *symbols, an_budget *b,
                                         const an_spill *spill, an_index_writer **out, an_err *err);
/* labels: 2 * n ordinals into `symbols`, in the order they are to be stored; sets strictly rising.
 * chunks: mint above the previous maxt, refs not falling. */
AN_MUST_CHECK an_rc an_index_writer_add(an_index_writer *w, const uint32_t *labels, size_t n_labels,
                                        const an_chunk_meta *chunks, size_t n_chunks, an_err *err);
/* Writes everything after the series, and all that is still in the buffer. */
AN_MUST_CHECK an_rc an_index_writer_finish(an_index_writer *w, an_index_written *out, an_err *err);
/* Frees all, closes spill files; NULL is fine. Does not finish. */
void an_index_writer_close(an_index_writer *w);
