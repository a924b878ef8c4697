// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include "base/err.h"

#include <errno.h>
#include <sys/random.h>

void an_random_bytes(void *p, size_t n)
{
    for (char *at = p; n > 0;) {
        ssize_t got = getrandom(at, n, 0);
        an_assert(got > 0 || errno == EINTR);
        if (got <= 0) continue;
        at += got;
        n -= (size_t)got;
    }
}
