// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/task.h"

#include "base/crc32c.h"
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

void an_task_emit_aggr(an_task_out *out, int64_t mint, int64_t maxt, const an_aggr *a)
{
    an_buf *f = &out->frames;

    add_meta(out, mint, maxt);
    an_buf_uvarint(f, an_aggr_size(a));
    size_t body = f->n;
    an_buf_u8(f, AN_ENC_AGGR);
    an_aggr_write(f, a);
    if (!f->failed) an_buf_be32(f, an_crc32c(an_slice_of(f->p + body, f->n - body)));
}
