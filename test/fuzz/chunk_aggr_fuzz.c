// SPDX-License-Identifier: Apache-2.0
/* An aggregate chunk: whole, and part by part as upstream reads it. What was parsed is written as
 * it was, up to the length of its varints. */
#include "fuzz/chunk_fuzz.h"
#include "tsdb/chunk/aggr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_slice s = an_slice_of(data, size);
    an_aggr aggr;
    an_aggr_part part;
    an_err err;

    chunk_fuzz_read(AN_ENC_AGGR, s);
    bool whole = an_aggr_parse(s, &aggr, &err) == AN_OK;
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        if (an_aggr_get(s, i, &part, &err) != AN_OK || !whole) continue;
        an_assert(part.codec == aggr.part[i].codec && an_slice_eq(part.data, aggr.part[i].data));
    }
    if (!whole) return 0;
    an_buf out;
    an_aggr again;
    an_buf_init(&out, size + 64, NULL);
    an_aggr_write(&out, &aggr);
    an_assert(!out.failed && out.n <= size);
    an_assert(an_aggr_parse(an_buf_slice(&out), &again, &err) == AN_OK);
    for (int i = 0; i < AN_AGGR__COUNT; i++)
        an_assert(an_slice_eq(again.part[i].data, aggr.part[i].data));
    an_buf_deinit(&out);
    return 0;
}
