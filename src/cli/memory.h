// SPDX-License-Identifier: Apache-2.0
/* cli/memory.h: how much memory the work may take.
 *
 *   limit    --memory-limit; by default half of what the container may have, else 1 GiB, and never
 *            more than half of the machine's
 *   budget   the limit less what the process needs for itself: what is resident now, and slack for
 *            stacks and the allocator
 *
 * A quarter of the budget is for metadata of blocks, the rest for jobs. Threads: pure functions. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/sysmem.h"

#define AN_MEMORY_SLACK (UINT64_C(12) << 20)
#define AN_MEMORY_JOBS_MIN (UINT64_C(32) << 20) /* the smallest budget of jobs */

typedef struct an_memory {
    uint64_t limit;
    size_t metadata, jobs; /* the two parts of the budget */
} an_memory;

/* `flag` is the value of --memory-limit, 0: the default. AN_EINVALID: negative or too small; the
 * text says how much is needed. */
AN_MUST_CHECK an_rc an_memory_of(int64_t flag, const an_sysmem *sys, an_memory *out, an_err *err);
