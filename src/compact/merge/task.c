// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/task.h"

#include "tsdb/segment/segment.h"

static void add_meta(an_task_out *out, int64_t mint, int64_t maxt)
{
    an_chunk_meta m = {mint, maxt, out->frames.n};
    an_buf_add(&out->metas, &m, sizeof m);
}

void an_task_pass(an_task_out *out, const an_task_chunk *c)
{
    add_meta(out, c->mint, c->maxt);
    an_buf_slice_add(&out->frames, c->frame);
}

void an_task_emit(an_task_out *out, int64_t mint, int64_t maxt, uint8_t encoding, an_slice data)
{
    add_meta(out, mint, maxt);
    an_chunk_frame_write(&out->frames, encoding, data);
}
