// SPDX-License-Identifier: Apache-2.0
/* unit/bucket/build.h: blocks in a bucket, one line each. Needs cmocka before it. */
#pragma once
#include <stdio.h>

#include "base/buf.h"
#include "bucket/state.h"
#include "tsdb/meta/marks.h"
#include "tsdb/meta/meta.h"

/* Block number i: ULIDs ascend with i. */
static inline an_ulid block_id(unsigned i)
{
    static const uint8_t entropy[10] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    return an_ulid_make(UINT64_C(1600000000000) + (uint64_t)i * 7200000, entropy);
}

static inline const char *block_text(unsigned i, char out[AN_ULID_TEXT + 1])
{
    an_ulid_format(block_id(i), out);
    return out;
}

static inline const an_state_block *block_find(const an_snapshot *snap, an_ulid id)
{
    for (size_t i = 0; i < snap->n; i++)
        if (an_ulid_eq(snap->blocks[i].seen.id, id)) return &snap->blocks[i];
    return NULL;
}

static inline void block_put(an_bucket *b, unsigned i, const char *name, const char *body)
{
    an_ctx ctx;
    an_err err;
    char id[AN_ULID_TEXT + 1], key[200];

    an_ctx_init(&ctx, NULL);
    (void)snprintf(key, sizeof key, "%s/%s", block_text(i, id), name);
    if (an_bucket_put(b, &ctx, an_slice_str(key), an_slice_str(body), 0, &err) != AN_OK)
        fail_msg("%s: %s", key, err.msg);
}

static inline void block_del(an_bucket *b, unsigned i, const char *name)
{
    an_ctx ctx;
    an_err err;
    char id[AN_ULID_TEXT + 1], key[200];

    an_ctx_init(&ctx, NULL);
    (void)snprintf(key, sizeof key, "%s/%s", block_text(i, id), name);
    if (an_bucket_del(b, &ctx, an_slice_str(key), &err) != AN_OK) fail_msg("%s: %s", key, err.msg);
}

/* meta.json of block i at a level, with the two objects that block_make writes. */
static inline void block_meta(an_bucket *b, unsigned i, int64_t level)
{
    an_ulid id = block_id(i);
    an_label label = {AN_LIT("cluster"), AN_LIT("eins")};
    an_meta_file files[] = {{.rel_path = AN_LIT("chunks/000001"), .size_bytes = 6},
                            {.rel_path = AN_LIT("index"), .size_bytes = 5},
                            {.rel_path = AN_LIT("meta.json")}};
    an_meta m = {.ulid = id,
                 .mint = (int64_t)i * 7200000,
                 .maxt = (int64_t)(i + 1) * 7200000,
                 .version = 1,
                 .compaction = {.level = level, .n_sources = 1, .sources = &id},
                 .thanos = {.present = true,
                            .has_labels = true,
                            .labels = {1, &label},
                            .source = AN_LIT("sidecar"),
                            .n_files = 3,
                            .files = files,
                            .upload_time = {.sec = AN_GO_ZERO_SEC}}};
    an_buf doc;

    an_buf_init(&doc, 1 << 20, NULL);
    an_meta_write(&doc, &m);
    an_buf_u8(&doc, '\0');
    block_put(b, i, "meta.json", (const char *)doc.p);
    an_buf_deinit(&doc);
}

static inline void block_make(an_bucket *b, unsigned i)
{
    block_put(b, i, "chunks/000001", "chunks");
    block_put(b, i, "index", "index");
    block_meta(b, i, 1);
}

static inline void block_mark(an_bucket *b, unsigned i, an_mark_kind kind, const char *details)
{
    an_mark m = {.kind = kind,
                 .has_id = true,
                 .id = block_id(i),
                 .version = 1,
                 .details = an_slice_str(details),
                 .reason = AN_LIT("manual"),
                 .time_s = 1600000000};
    an_buf doc;

    an_buf_init(&doc, 1 << 16, NULL);
    an_mark_write(&doc, &m);
    an_buf_u8(&doc, '\0');
    block_put(b, i, an_mark_file[kind], (const char *)doc.p);
    an_buf_deinit(&doc);
}
