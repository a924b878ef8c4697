// SPDX-License-Identifier: Apache-2.0
/* objstore/memory.h: a bucket in memory, for tests and as the plainest reading of bucket.h: objects
 * in a sorted array, an etag that counts writes, times that the test sets.
 *
 * Threads: internally locked (`mu`, a leaf lock). */
#pragma once
#include "objstore/bucket.h"

/* Trusted for size, mtime and etag, can create if absent. The clock stands at 0. */
an_bucket *an_mem_bucket_new(void);
/* The modification time of what is written from now on; Unix ms. */
void an_mem_bucket_set_time(an_bucket *b, int64_t now_ms);
/* Gives one object another modification time; false if it is not there. */
bool an_mem_bucket_touch(an_bucket *b, an_slice key, int64_t mtime_ms);
