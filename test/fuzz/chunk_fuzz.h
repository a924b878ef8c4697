// SPDX-License-Identifier: Apache-2.0
/* fuzz/chunk_fuzz.h: one payload through everything that reads it, within a budget. */
#pragma once
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "tsdb/chunk/chunk.h"
#include "unit/tsdb/chunk/same.h"

enum { CHUNK_FUZZ_BUDGET = 256 << 20 };

/* Reads a payload by run and by sample: both end alike and agree. */
static inline void chunk_fuzz_read(uint8_t encoding, an_slice data)
{
    const an_chunk_codec *codec = an_chunk_codec_of(encoding);
    an_budget *b = an_budget_new(CHUNK_FUZZ_BUDGET);
    an_arena *a = an_arena_new(b);
    an_chunk_iter *one = an_arena_alloc(a, sizeof *one), *all = an_arena_alloc(a, sizeof *all);
    an_chunk_info info;
    an_err err;
    uint32_t n = 0, claimed = 0;

    an_chunk_iter_init(one, a);
    an_chunk_iter_init(all, a);
    an_rc rc = an_chunk_validate(all, codec, data, &info, &err);
    if (an_chunk_count(codec, data, &claimed, &err) != AN_OK) an_assert(rc != AN_OK);
    if (codec->type != AN_VAL_NONE) {
        an_rc by_one = an_chunk_iter_open(one, codec, data, &err);
        an_sample s = {.type = codec->type};
        for (; by_one == AN_OK && s.type != AN_VAL_NONE; n++) by_one = an_chunk_next(one, &s, &err);
        an_assert(by_one == rc);
        if (rc == AN_OK) an_assert(info.n == n - 1 && info.n == claimed);
    }
    an_arena_free(a);
    an_budget_free(b);
}
