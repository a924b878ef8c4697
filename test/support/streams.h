// SPDX-License-Identifier: Apache-2.0
/* support/streams.h: sources, sinks and spill files in memory that keep to the letter of
 * base/stream.h and no more, so that a caller who leans on luck is found out.
 *
 * A test source hands out each answer in memory of exactly its size, and frees the one before: a
 * view used after the next call, or past its end, is for ASan to see. All doubles can fail their
 * n-th call with AN_ERETRY. */
#pragma once
#include "base/stream.h"

typedef enum test_source_mode {
    TEST_SOURCE_MIN,     /* hands out just what is asked for */
    TEST_SOURCE_ALIGNED, /* up to the end of a piece, as a window does */
    TEST_SOURCE_ALL,     /* as much as may be */
    TEST_SOURCE_MODES
} test_source_mode;

typedef struct test_source {
    an_slice bytes;
    size_t piece; /* larger `min` is refused: AN_ELIMIT */
    test_source_mode mode;
    uint64_t calls, fail_at; /* fail_at: 0: never; n: the n-th call */
    uint8_t *view;
} test_source;

an_source test_source_open(test_source *s); /* the caller has set all but calls and view */
void test_source_close(test_source *s);

typedef struct test_sink {
    an_buf out; /* all that was written */
    uint64_t calls, fail_at;
} test_sink;

an_sink test_sink_open(test_sink *s); /* sets all; fail_at is the caller's afterwards */
void test_sink_close(test_sink *s);

enum { TEST_SPILL_FILES = 8 };
typedef struct test_spill {
    an_buf files[TEST_SPILL_FILES];
    bool open[TEST_SPILL_FILES];
    uint64_t opened, calls, fail_at;
} test_spill;

an_spill test_spill_open(test_spill *s);
void test_spill_close(test_spill *s); /* asserts that all files have been closed */
