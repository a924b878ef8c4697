// SPDX-License-Identifier: Apache-2.0
/* base/cond.h: condition variables that wait by the monotonic clock, so that setting the time of
 * day moves no deadline. For waits until an_monotonic_in_ms(...). */
#pragma once
#include <pthread.h>

void an_cond_init(pthread_cond_t *c); /* caller's storage; pthread_cond_destroy ends it */
