// SPDX-License-Identifier: Apache-2.0
/* compact/job/sizing.h: how much memory a job takes, stated before it starts.
 *
 *   windows    per input: series, postings, chunks and their small buffers
 *   batches    the ring between merge and commit
 *   slack      entries, labels; a series whose chunks are merged stands in memory as a whole
 *   maps       symbol maps of the inputs        ┐
 *   symbols    symbol table of the result       ├ spill when the share is spent
 *   index      postings of the result           ┘
 *
 * Each share has a wish and a floor; wishes come from the number and size of the inputs' indexes.
 * Where the wishes do not fit, windows and batches shrink by halves, and what spills shares the
 * rest. Threads: a pure function. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

typedef struct an_job_sizes {
    size_t series_window, postings_window, symbol_window, chunk_window, slot; /* bytes of a piece */
    unsigned ahead;                                                           /* pieces under way */
    size_t batch;                                                             /* bytes of frames */
    unsigned n_batches;
    size_t reserve; /* for the series at hand */
    size_t io;      /* windows, batches, slack: all inputs */
    size_t maps, symbols, index;
    size_t total;
} an_job_sizes;

enum { AN_JOB_SLOTS = 4 }; /* small buffers per chunk reader */

/* index_bytes: sum over the n inputs. limit: the most there is. window: piece length asked for, 0:
 * none. AN_ELIMIT when even the floors are above the limit. */
AN_MUST_CHECK an_rc an_job_sizes_of(size_t n, uint64_t index_bytes, size_t limit, size_t window,
                                    bool local, size_t n_workers, an_job_sizes *out, an_err *err);
