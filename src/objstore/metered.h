// SPDX-License-Identifier: Apache-2.0
/* objstore/metered.h: a decorator that counts what a bucket is asked for, under upstream's names of
 * operations and with its rules and buckets (spec/operations.md 6.3), into a plain struct that the
 * metrics registry reads.
 *
 * Which call counts as what: list iter, get get_range, stat attributes, put and a completed upload
 * upload, del delete. `get` and `exists` stay 0: there is no call that reads to an unknown end, and
 * nothing is probed. Not failures: a cancelled context, a missing meta.json or mark, an object that
 * a conditional create found there.
 *
 * Threads: the numbers are atomics, each right by itself; the bucket is as the inner one. */
#pragma once
#include <stdatomic.h>

#include "objstore/bucket.h"

typedef enum an_bucket_op {
    AN_OP_ITER,
    AN_OP_GET,
    AN_OP_GET_RANGE,
    AN_OP_EXISTS,
    AN_OP_UPLOAD,
    AN_OP_DELETE,
    AN_OP_ATTRIBUTES,
    AN_OP__COUNT
} an_bucket_op;

enum { AN_OP_DURATIONS = 14, AN_OP_SIZES = 16 };

extern const char *const an_bucket_op_name[AN_OP__COUNT];
/* Upper bounds of the two histograms, in ns and bytes; one more bucket has no bound. */
extern const int64_t an_bucket_op_duration_ns[AN_OP_DURATIONS];
extern const uint64_t an_bucket_op_size[AN_OP_SIZES];

typedef struct an_bucket_op_stats {
    atomic_uint_fast64_t n, failures;
    atomic_uint_fast64_t fetched_bytes;                 /* by reads */
    atomic_uint_fast64_t duration[AN_OP_DURATIONS + 1]; /* of successful calls; not cumulated */
    atomic_uint_fast64_t duration_sum_ns;
    atomic_uint_fast64_t size[AN_OP_SIZES + 1]; /* of successful reads and uploads; not cumulated */
    atomic_uint_fast64_t size_sum;
} an_bucket_op_stats;

typedef struct an_bucket_stats {
    an_bucket_op_stats op[AN_OP__COUNT];
    atomic_int_fast64_t last_upload_s; /* Unix time of the last successful upload; 0: none */
} an_bucket_stats;

typedef struct an_metered_clock {
    int64_t (*mono_ns)(void *arg);
    int64_t (*unix_s)(void *arg);
    void *arg;
} an_metered_clock;

/* `stats` is zeroed by the caller and outlives the bucket. clock NULL: the system's. */
an_bucket *an_metered_bucket_new(an_bucket *inner, an_bucket_stats *stats,
                                 const an_metered_clock *clock);
