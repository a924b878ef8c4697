// SPDX-License-Identifier: Apache-2.0
#include "base/cond.h"

#include "base/err.h"

#include <time.h>

void an_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;

    an_assert(pthread_condattr_init(&attr) == 0);
    an_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    an_assert(pthread_cond_init(c, &attr) == 0);
    an_assert(pthread_condattr_destroy(&attr) == 0);
}
