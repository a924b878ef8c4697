// SPDX-License-Identifier: Apache-2.0
/* Tombstones of any bytes: what is read is in order, and the same again once written.
 *
 * Input: flags (the top bit: put the checksum right first), the file. */
#include "base/crc32c.h"
#include "fuzz/fuzz.h"
#include "tsdb/tombstones/tombstones.h"

#include <stdlib.h>

static void assert_in_order(const an_tombstones *t)
{
    size_t n = 0;

    for (size_t i = 0; i < t->n; i++) {
        const an_intervals in = t->v[i].times;
        an_assert(i == 0 || t->v[i - 1].id < t->v[i].id);
        an_assert(in.n > 0 && an_tombstones_get(t, t->v[i].id).v == in.v);
        for (size_t k = 0; k < in.n; k++, n++) {
            an_assert(in.v[k].mint <= in.v[k].maxt && an_intervals_cover(in, in.v[k]));
            an_assert(k == 0 ||
                      (in.v[k - 1].maxt < INT64_MAX - 1 && in.v[k - 1].maxt + 1 < in.v[k].mint));
        }
    }
    an_assert(n == t->n_intervals);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_tombstones t, again;
    an_buf b;

    if (size < 1) return 0;
    const size_t n = size - 1;
    uint8_t *p = malloc(n == 0 ? 1 : n);
    an_assert(p != NULL);
    memcpy(p, data + 1, n);
    if ((data[0] & 0x80) && n >= 9) {
        const uint32_t crc = an_crc32c(an_slice_of(p + 5, n - 9));
        for (unsigned i = 0; i < 4; i++) p[n - 4 + i] = (uint8_t)(crc >> (24 - 8 * i));
    }
    an_arena *a = an_arena_new(NULL);
    if (an_tombstones_parse(a, an_slice_of(p, n), &t, &err) == AN_OK) {
        assert_in_order(&t);
        an_buf_init(&b, SIZE_MAX, NULL);
        an_tombstones_write(&b, &t);
        an_assert(an_tombstones_parse(a, an_buf_slice(&b), &again, &err) == AN_OK);
        an_assert(again.n == t.n && again.n_intervals == t.n_intervals);
        for (size_t i = 0; i < t.n; i++) {
            an_assert(t.v[i].id == again.v[i].id && t.v[i].times.n == again.v[i].times.n);
            for (size_t k = 0; k < t.v[i].times.n; k++)
                an_assert(t.v[i].times.v[k].mint == again.v[i].times.v[k].mint &&
                          t.v[i].times.v[k].maxt == again.v[i].times.v[k].maxt);
        }
        an_buf_deinit(&b);
    } else {
        an_assert(err.rc == AN_ECORRUPT && err.cause == AN_CAUSE_TOMBSTONES_UNREADABLE);
    }
    an_arena_free(a);
    free(p);
    return 0;
}
