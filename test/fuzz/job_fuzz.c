// SPDX-License-Identifier: Apache-2.0
/* A job over two blocks of any bytes: with narrow windows as with wide ones, and whatever it
 * publishes is a block that passes the door check.
 *
 * Input: window length, flags (bit 0: penalty, bit 1: accept malformed indexes, bit 2: no fold, top
 * bit: put the checksums right first), three lengths of two bytes: index and segment of the first
 * block, index of the second; then the four files. */
#include "bucket/block_check.h"
#include "bucket/block_presence.h"
#include "compact/job/job.h"
#include "compact/merge/chunk_merge.h"
#include "fuzz/fix_checksums.h"
#include "fuzz/fuzz.h"
#include "objstore/memory.h"

#include <stdio.h>
#include <stdlib.h>

enum { HEAD = 8 };

typedef struct world {
    an_bucket *bucket;
    an_ctx ctx;
    an_arena *arena;
    an_ulid ids[2];
    an_meta metas[2];
    an_plan_block blocks[2];
    an_job_input in[2];
} world;

static int64_t at_zero(void *arg)
{
    (void)arg;
    return 0;
}

static void put(world *w, an_ulid id, const char *name, an_slice bytes)
{
    char text[AN_ULID_TEXT + 1], key[64];
    an_err err;

    an_ulid_format(id, text);
    (void)snprintf(key, sizeof key, "%s/%s", text, name);
    an_assert(an_bucket_put(w->bucket, &w->ctx, an_slice_str(key), bytes, 0, &err) == AN_OK);
}

static void add_block(world *w, unsigned no, an_slice index, an_slice chunks)
{
    const uint8_t entropy[10] = {(uint8_t)no};
    an_block_presence p;
    an_err err;

    w->ids[no] = an_ulid_make(100 + no, entropy);
    put(w, w->ids[no], "index", index);
    put(w, w->ids[no], "chunks/000001", chunks);
    an_assert(an_block_list(w->bucket, &w->ctx, w->arena, w->ids[no], &p, &err) == AN_OK);
    w->metas[no] = (an_meta){
        .ulid = w->ids[no], .mint = -(INT64_C(1) << 40), .maxt = INT64_C(1) << 41, .version = 1};
    w->metas[no].compaction.sources = &w->ids[no];
    w->metas[no].compaction.n_sources = 1;
    w->blocks[no] = (an_plan_block){.id = w->ids[no], .meta = &w->metas[no]};
    w->in[no] = (an_job_input){&w->blocks[no], p.n_objects, p.objects};
}

/* What was published is healthy. */
static void check_result(world *w, const an_job_result *r, unsigned accept)
{
    an_block_presence p;
    an_block_reader *b;
    an_index_health h;
    an_err err;
    an_window_opts wo = {.bytes = 4096};

    an_assert(an_block_list(w->bucket, &w->ctx, w->arena, r->ulid, &p, &err) == AN_OK);
    an_assert(an_block_reader_open(w->arena, w->bucket, &w->ctx, r->ulid, &r->meta, p.objects,
                                   p.n_objects, &wo, &b, &err) == AN_OK);
    if (an_block_check_index(b, &wo, accept, &h, &err) != AN_OK) {
        fprintf(stderr, "published, but: %s\n", err.msg);
        abort();
    }
    an_assert(h.n_series == r->meta.stats.series && h.n_chunks == r->meta.stats.chunks);
    an_index_health_deinit(&h);
}

typedef struct answer {
    an_rc rc;
    an_cause cause;
    an_job_outcome outcome;
    an_meta_stats stats;
    uint64_t sizes; /* of index and segments */
} answer;

static answer run(const uint8_t *data, an_slice files[4], size_t window)
{
    world w = {.bucket = an_mem_bucket_new(), .arena = an_arena_new(NULL)};
    an_err err = {0};
    an_job_result r;
    an_budget *budget = an_budget_new(8 << 20);
    an_label label = {AN_LIT("a"), AN_LIT("b")};
    const an_fold fold = an_chunk_merge_fold(data[1] & 1 ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
    const bool accept = (data[1] & 2) != 0;

    an_ctx_init(&w.ctx, NULL);
    add_block(&w, 0, files[0], files[1]);
    add_block(&w, 1, files[2], files[3]);
    an_job_opts o = {.labels = {1, &label},
                     .budget = budget,
                     .fold = data[1] & 4 ? NULL : &fold,
                     .window_bytes = window,
                     .accept_malformed_index = accept,
                     .now_ns = at_zero};
    answer a = {.rc = an_job_run(w.arena, w.bucket, &w.ctx, w.in, 2, &o, &r, &err)};
    an_assert(a.rc != AN_ERETRY && a.rc != AN_EINVALID && a.rc != AN_ENOTFOUND);
    a.cause = a.rc == AN_OK ? AN_CAUSE_NONE : err.cause;
    if (a.rc == AN_OK) {
        a.outcome = r.outcome;
        a.stats = r.meta.stats;
        if (r.outcome == AN_JOB_PUBLISHED)
            check_result(&w, &r, accept ? 1u << AN_HEALTH_OOO_LABELS : 0);
        for (size_t i = 0; i < r.meta.thanos.n_files; i++)
            a.sizes = a.sizes * 31 + (uint64_t)r.meta.thanos.files[i].size_bytes;
    }
    an_budget_free(budget);
    an_arena_free(w.arena);
    an_bucket_free(w.bucket);
    return a;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_slice files[4];

    if (size < HEAD) return 0;
    uint8_t *copy = malloc(size);
    an_assert(copy != NULL);
    memcpy(copy, data, size);
    uint8_t *p = copy + HEAD;
    size_t left = size - HEAD;
    for (size_t i = 0; i < 4; i++) {
        size_t n = i == 3 ? left : (size_t)data[2 + 2 * i] << 8 | data[3 + 2 * i];
        if (n > left) n = left;
        if (data[1] & 0x80) {
            if (i % 2 == 0)
                fix_checksums(p, n);
            else
                fix_frames(p, n);
        }
        files[i] = an_slice_of(p, n);
        p += n;
        left -= n;
    }
    answer wide = run(data, files, 0), narrow = run(data, files, 64 + 5u * data[0]);
    an_assert(wide.rc == narrow.rc && wide.cause == narrow.cause);
    an_assert(wide.rc != AN_OK || (wide.outcome == narrow.outcome && wide.sizes == narrow.sizes));
    an_assert(memcmp(&wide.stats, &narrow.stats, sizeof wide.stats) == 0);
    free(copy);
    return 0;
}
