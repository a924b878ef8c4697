// SPDX-License-Identifier: Apache-2.0
/* unit/prng.h: the seeded random numbers of property tests. The seed is printed, and AN_SEED in the
 * environment repeats a run. */
#pragma once
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static inline uint64_t prng_seed(void)
{
    const char *s = getenv("AN_SEED");
    uint64_t seed = s != NULL ? strtoull(s, NULL, 0) : 0x9e3779b97f4a7c15;

    printf("AN_SEED=%#llx\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64: every seed is good. */
static inline uint64_t prng(uint64_t *seed)
{
    uint64_t z = *seed += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}
