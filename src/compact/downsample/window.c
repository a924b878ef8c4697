// SPDX-License-Identifier: Apache-2.0
#include "compact/downsample/window.h"

#include <math.h>

enum { WINDOWS_PER_CHUNK = 140 };

uint64_t an_ds_target_chunks(int64_t mint, int64_t maxt, int64_t in_res, int64_t out_res,
                             uint64_t n)
{
    int64_t range = (int64_t)((uint64_t)maxt - (uint64_t)mint);
    double slots = (double)(range / out_res);
    double full = (double)n / ((double)range / (double)in_res);

    if (full > 1) full = 1;
    double expected = slots * full;
    if (!(expected > 0)) return 1; /* below 0 or no number: mint and maxt are no range */
    if (expected >= 9.2e18) expected = 9.2e18;
    return ((uint64_t)expected + 1) / (WINDOWS_PER_CHUNK + 1) + 1;
}
