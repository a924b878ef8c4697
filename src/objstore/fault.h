// SPDX-License-Identifier: Apache-2.0
/* objstore/fault.h: a decorator that fails on demand: the n-th operation, all from the n-th on (a
 * process that died, a disk that is full), reads that are too large, or whatever a callback says.
 *
 * Operations are counted from 0: every call through the table except upload_close and free, under
 * the names "list", "stat", "get", "put", "del", "upload_open", "upload_write", "upload_flush",
 * "upload_complete", "sweep". So a test first counts what a job does, then repeats it failing at
 * each.
 *
 * Threads: internally locked (`mu`, a leaf lock, not held over `before`). */
#pragma once
#include "objstore/bucket.h"

typedef struct an_fault_op {
    uint64_t index;
    const char *name;
    an_slice key; /* of an upload too; a listing's prefix */
    uint64_t off; /* of a get */
    size_t n;     /* bytes of a get, a put, a write */
} an_fault_op;

typedef struct an_fault_plan {
    bool armed;   /* whether `at` counts */
    uint64_t at;  /* index of the operation that fails */
    bool onwards; /* and so do all after it */
    bool after;   /* it is done, then reported as failed: an answer that was lost */
    an_rc rc;     /* with which it fails */
    an_cause cause;
    size_t max_read; /* a get of more is AN_ELIMIT; 0: any */
    /* Asked before each operation; anything but AN_OK is its result. NULL: none. */
    an_rc (*before)(void *arg, const an_fault_op *op, an_err *err);
    void *arg;
} an_fault_plan;

typedef enum an_fault_inner { AN_FAULT_OWNS, AN_FAULT_BORROWS } an_fault_inner;

/* AN_FAULT_BORROWS: `inner` is not freed with it, as a bucket outlives the process that wrote it.
 */
an_bucket *an_fault_bucket_new(an_bucket *inner, an_fault_inner own);
/* Replaces the plan (a copy is kept; NULL: nothing fails) and counts from 0 again. */
void an_fault_bucket_plan(an_bucket *b, const an_fault_plan *plan);
/* Operations since the plan was set. */
uint64_t an_fault_bucket_count(an_bucket *b);
