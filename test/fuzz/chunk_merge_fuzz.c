// SPDX-License-Identifier: Apache-2.0
/* Chunk lists of up to three blocks through the folds of a compaction. What comes out can be read.
 *
 * Input: a byte (bit 0: penalty, bit 1: cuts), then records: a byte (bits 0-1 member, bits 2-4
 * encoding, bit 5: the range in the index lies), a be16 length, the payload. */
#include "base/cursor.h"
#include "compact/merge/chunk_merge.h"
#include "fuzz/chunk_fuzz.h"
#include "tsdb/segment/segment.h"

enum { MEMBERS = 3, CHUNKS = 64 };

typedef struct task {
    an_task task;
    an_task_member member[MEMBERS];
    an_task_chunk chunk[MEMBERS][CHUNKS];
    an_interval cuts[2];
} task;

static void add(task *t, an_arena *a, an_chunk_iter *it, uint8_t kind, an_slice payload)
{
    static const uint8_t encodings[] = {1, 1, 2, 3, 4, 5, 6, 255};
    unsigned m = kind & 3;
    uint8_t encoding = encodings[kind >> 2 & 7];
    const an_chunk_codec *codec = an_chunk_codec_of(encoding);
    an_chunk_info info = {0};
    an_buf frame;
    an_err err;

    if (m == MEMBERS || t->member[m].n_chunks == CHUNKS || payload.n < codec->header) return;
    an_task_chunk *c = &t->chunk[m][t->member[m].n_chunks++];
    bool known = an_chunk_validate(it, codec, payload, &info, &err) == AN_OK;
    an_buf_init(&frame, payload.n + AN_FRAME_MAX_HEAD + AN_FRAME_CRC, NULL);
    an_chunk_frame_write(&frame, encoding, payload);
    *c = (an_task_chunk){.mint = known ? info.first_t : 0,
                         .maxt = known ? info.last_t : 1000000,
                         .ref = t->member[m].n_chunks,
                         .encoding = encoding,
                         .data = payload,
                         .frame = an_arena_dup(a, an_buf_slice(&frame))};
    an_buf_deinit(&frame);
    if ((kind & 0x20) != 0) {
        c->mint -= 1000;
        c->maxt += c->maxt < INT64_MAX - 60000 ? 60000 : 0;
    }
    c->cut = an_intervals_overlap(t->member[m].cuts, (an_interval){c->mint, c->maxt});
}

static bool is_input(const task *t, an_slice data)
{
    for (unsigned m = 0; m < MEMBERS; m++)
        for (size_t i = 0; i < t->member[m].n_chunks; i++)
            if (an_slice_eq(t->chunk[m][i].data, data)) return true;
    return false;
}

static void read_all(an_arena *a, const task *t, const an_task_out *out)
{
    an_cursor c = an_cursor_of(an_buf_slice(&out->frames));
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    size_t n = 0;

    an_chunk_iter_init(it, a);
    for (; c.left > 0; n++) {
        an_chunk_info info;
        an_err err;
        uint64_t len = an_cursor_uvarint(&c);
        uint8_t encoding = an_cursor_u8(&c);
        an_slice data = an_cursor_take(&c, len);
        (void)an_cursor_be32(&c);
        an_assert(!c.bad);
        /* What passes through may be damaged; what was made is whole. */
        an_assert(an_chunk_validate(it, an_chunk_codec_of(encoding), data, &info, &err) == AN_OK ||
                  is_input(t, data));
    }
    an_assert(n == out->metas.n / sizeof(an_chunk_meta));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_cursor c = an_cursor_of(an_slice_of(data, size));
    uint8_t how = an_cursor_u8(&c);
    an_budget *b = an_budget_new(CHUNK_FUZZ_BUDGET);
    an_arena *a = an_arena_new(b), *scratch = an_arena_new(b);
    task *t = an_arena_alloc(a, sizeof *t);
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_task_out out;
    an_err err;

    an_chunk_iter_init(it, a);
    t->task.members = t->member;
    t->task.n_members = MEMBERS;
    t->cuts[0] = (an_interval){INT64_MIN, 1000};
    t->cuts[1] = (an_interval){1700000100000, 1700000200000};
    for (unsigned m = 0; m < MEMBERS; m++) {
        t->member[m].block = "01ARYZ6S41TSV4RRFFQ69G5FAV";
        t->member[m].chunks = t->chunk[m];
        if ((how & 2) != 0) t->member[m].cuts = (an_intervals){2, t->cuts};
    }
    while (c.left > 3) {
        uint8_t kind = an_cursor_u8(&c);
        uint16_t len = an_cursor_be16(&c);
        add(t, a, it, kind, an_cursor_take(&c, len < c.left ? len : c.left));
    }
    an_fold f = an_chunk_merge_fold((how & 1) != 0 ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
    an_buf_init(&out.frames, CHUNK_FUZZ_BUDGET, b);
    an_buf_init(&out.metas, CHUNK_FUZZ_BUDGET, b);
    an_rc rc = f.run(f.arg, scratch, &t->task, &out, &err);
    if (rc == AN_OK && !out.frames.failed && !out.metas.failed) read_all(a, t, &out);
    an_buf_deinit(&out.frames);
    an_buf_deinit(&out.metas);
    an_arena_free(scratch);
    an_arena_free(a);
    an_budget_free(b);
    return 0;
}
