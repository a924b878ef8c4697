// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/postings_run.h: sorted runs of postings lists in a spill file: written, and merged.
 * Private to this folder; the layout stands in postings.h. Threads: one. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"

typedef struct an_run_head { /* of a record */
    uint32_t key, value;
    uint64_t n;
    uint32_t first, last;
    uint64_t bytes;
} an_run_head;

typedef struct an_run { /* bytes [off, end) of the file */
    uint64_t off, end;
    unsigned level; /* how often its lists have been merged */
} an_run;

/* Appends to the file through a small buffer. */
typedef struct an_run_writer {
    const an_spill *spill;
    int file;
    uint64_t pos; /* of the file, behind the buffer */
    size_t n;
    uint8_t buf[4096];
} an_run_writer;

/* A record is a head and its bytes; flush before reading. */
AN_MUST_CHECK an_rc an_run_write(an_run_writer *w, const uint8_t *p, size_t n, an_err *err);
AN_MUST_CHECK an_rc an_run_write_head(an_run_writer *w, const an_run_head *h, an_err *err);
AN_MUST_CHECK an_rc an_run_flush(an_run_writer *w, an_err *err);

/* Several runs as one: records of the same pair are joined in the order of the runs. */
typedef struct an_run_merge an_run_merge;

/* Each run gets a buffer of `buf_bytes` from the budget. */
AN_MUST_CHECK an_rc an_run_merge_open(const an_spill *spill, int file, const an_run *runs, size_t n,
                                      size_t buf_bytes, an_budget *b, an_run_merge **out,
                                      an_err *err);
void an_run_merge_close(an_run_merge *m); /* NULL is fine */
/* The next record, joined; AN_ENOTFOUND without a text after the last. */
AN_MUST_CHECK an_rc an_run_merge_next(an_run_merge *m, an_run_head *out, an_err *err);
/* More of its differences; n == 0 at their end. Valid until the next call. */
AN_MUST_CHECK an_rc an_run_merge_bytes(an_run_merge *m, an_slice *out, an_err *err);
