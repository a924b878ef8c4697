// SPDX-License-Identifier: Apache-2.0
/* compact/downsample/window.h: where windows end, and how many chunks a series becomes.
 * spec/downsampling.md 3.1. */
#pragma once
#include <stdint.h>

/* The last millisecond of the window that t lies in; wraps as Go does. */
static inline int64_t an_ds_window_end(int64_t t, int64_t resolution)
{
    return (int64_t)((uint64_t)t - (uint64_t)(t % resolution) + (uint64_t)resolution - 1);
}

/* For n samples between mint and maxt: so many chunks that each has about 140 windows, if the
 * samples were `in_res` ms apart. 1 at least. */
uint64_t an_ds_target_chunks(int64_t mint, int64_t maxt, int64_t in_res, int64_t out_res,
                             uint64_t n);
