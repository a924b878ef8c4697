// SPDX-License-Identifier: Apache-2.0
/* base/random.h: random bytes from the system, for nonces and jitter; never for anything that shows
 * in a result (DESIGN.md 2, invariant 3). Threads: any. */
#pragma once
#include <stddef.h>

void an_random_bytes(void *p, size_t n); /* aborts where the system has none */
