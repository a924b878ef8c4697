// SPDX-License-Identifier: Apache-2.0
/* base/stream.h: the two function tables by which a format is handed bytes without knowing where
 * they come from or go to: a window over a bucket object, an upload, a file, memory in a test. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* Random access for reading, best at rising offsets. */
typedef struct an_source {
    /* Bytes at `off`: at least `min`, up to `max` when they are at hand anyway (max >= min).
     * AN_ECORRUPT when off + min is past `size`. *out is valid until the next call. `min` may not
     * exceed the source's own maximum (a window's length): AN_ELIMIT then. */
    an_rc (*at)(void *arg, uint64_t off, size_t min, size_t max, an_slice *out, an_err *err);
    void *arg;
    uint64_t size; /* bytes in all */
    size_t piece;  /* largest `min`; SIZE_MAX: no limit */
} an_source;

static inline AN_MUST_CHECK an_rc an_source_at(const an_source *s, uint64_t off, size_t min,
                                               size_t max, an_slice *out, an_err *err)
{
    return s->at(s->arg, off, min, max, out, err);
}

/* Bytes [off, off + n) whatever n is: a view of the source where one piece holds them, else put
 * together in `own` (cleared first; its maximum bounds n: AN_ELIMIT). */
AN_MUST_CHECK an_rc an_source_gather(const an_source *s, uint64_t off, size_t n, an_buf *own,
                                     an_slice *out, an_err *err);

/* Sequential writing. All of `bytes` is taken, or the error ends the writing for good. */
typedef struct an_sink {
    an_rc (*write)(void *arg, an_slice bytes, an_err *err);
    void *arg;
} an_sink;

static inline AN_MUST_CHECK an_rc an_sink_write(const an_sink *s, an_slice bytes, an_err *err)
{
    return s->write(s->arg, bytes, err);
}

/* A source over bytes in memory: an_source_mem(&slice). */
an_source an_source_mem(const an_slice *bytes);

/* Bounded scratch space in which an index writer keeps what does not fit its budget: append-only
 * files, read back by range. Handed in by the job (files below data-dir) or by a test. */
typedef struct an_spill {
    an_rc (*open)(void *arg, int *file, an_err *err); /* a new empty file; its number */
    an_rc (*append)(void *arg, int file, an_slice bytes, an_err *err);
    an_rc (*read)(void *arg, int file, uint64_t off, size_t n, uint8_t *dst, an_err *err);
    void (*close)(void *arg, int file); /* and remove */
    void *arg;
} an_spill;
