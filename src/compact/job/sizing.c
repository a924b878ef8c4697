// SPDX-License-Identifier: Apache-2.0
#include "compact/job/sizing.h"

#include <stdint.h>

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

enum { SMALL = 4096 }; /* bytes: windows are not made smaller than this unless asked for */

static size_t clamp(uint64_t v, size_t lo, size_t hi)
{
    return v < lo ? lo : v > hi ? hi : (size_t)v;
}

static size_t at_least(size_t v, size_t lo) { return v < lo ? lo : v; }

/* Symbol windows are closed before the others are opened; they never need more. */
static void sum_io(an_job_sizes *s, size_t n)
{
    size_t pieces = 2 + s->ahead;
    size_t input = pieces * (s->series_window + s->postings_window + s->chunk_window) +
                   AN_JOB_SLOTS * (s->slot + 64);
    size_t symbols = pieces * s->symbol_window;

    input = input > symbols ? input : symbols;
    s->io = n * (input + 32 * KIB) + s->n_batches * (2 * s->batch + 64 * KIB) + s->reserve;
}

static bool halve(size_t *v, size_t lo)
{
    if (*v / 2 < lo) return false;
    *v /= 2;
    return true;
}

an_rc an_job_sizes_of(size_t n, uint64_t index_bytes, size_t limit, size_t window, bool local,
                      size_t n_workers, an_job_sizes *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_job_sizes s = {.series_window = 64 * KIB,
                      .postings_window = 32 * KIB,
                      .symbol_window = 64 * KIB,
                      .chunk_window = local ? 128 * KIB : 2 * MIB,
                      .slot = 32 * KIB,
                      .ahead = local ? 0 : 2,
                      .batch = 512 * KIB,
                      .reserve = clamp(limit / 8, 512 * KIB, 32 * MIB),
                      .n_batches =
                          n_workers == 0 ? 1 : 2 + 2 * (unsigned)(n_workers > 32 ? 32 : n_workers)};

    if (!local) s.series_window = 1 * MIB;
    if (window > 0)
        s.series_window = s.postings_window = s.symbol_window = s.chunk_window = s.slot = window;
    s.maps = clamp(index_bytes / 16, 512 * KIB, 16 * MIB);
    s.symbols = clamp(index_bytes / 16, 512 * KIB, 16 * MIB);
    s.index = clamp(index_bytes / 4, 1 * MIB, 32 * MIB);
    const size_t maps_floor = at_least((n + 1) * 128 * KIB, 256 * KIB);
    const size_t floors = maps_floor + 256 * KIB + 512 * KIB;
    s.maps = at_least(s.maps, maps_floor);
    for (sum_io(&s, n); s.io > limit / 2 || s.io + floors > limit; sum_io(&s, n)) {
        bool less = halve(&s.batch, 32 * KIB);
        if (window == 0) {
            less = halve(&s.chunk_window, SMALL) || less;
            less = halve(&s.series_window, SMALL) || less;
            less = halve(&s.slot, SMALL) || less;
            less = halve(&s.symbol_window, SMALL) || less;
            less = halve(&s.postings_window, SMALL) || less;
        }
        if (!less) break;
    }
    AN_CHECK(s.io <= limit && floors <= limit - s.io, err, AN_ELIMIT,
             "merging %zu blocks takes at least %zu bytes of memory, the limit is %zu", n,
             s.io + floors, limit);
    const size_t rest = limit - s.io;
    if (s.maps + s.symbols + s.index > rest) { /* what spills shares the rest, two to two to four */
        const size_t spare = rest - floors;
        s.maps = maps_floor + spare / 4;
        s.symbols = 256 * KIB + spare / 4;
        s.index = 512 * KIB + spare / 2;
    }
    s.total = s.io + s.maps + s.symbols + s.index;
    *out = s;
out:
    return rc;
}
