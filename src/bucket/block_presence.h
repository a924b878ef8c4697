// SPDX-License-Identifier: Apache-2.0
/* bucket/block_presence.h: what lies under one ULID at this moment, from one listing of its prefix.
 * Asked before a result is begun and before it is published, and before anybody is told that a part
 * of a block is missing. Threads: plain functions. */
#pragma once
#include "bucket/block_reader.h"

typedef struct an_block_presence {
    size_t n_objects;
    an_block_object *objects; /* in the arena */
    bool has_meta, has_deletion_mark;
    uint64_t meta_bytes;
    int64_t newest_ms; /* newest object, Unix ms; -1: the store does not tell, or no object */
    /* from meta.json, by an_block_presence_of alone */
    bool complete;     /* readable, and every object it lists is there with its size */
    bool same_sources; /* readable, and its sources are those asked for */
    an_meta meta;      /* when it is readable */
} an_block_presence;

/* The listing alone. */
AN_MUST_CHECK an_rc an_block_list(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id,
                                  an_block_presence *out, an_err *err);
/* ... and meta.json, when there is one. An unreadable meta.json is no failure: not complete. */
AN_MUST_CHECK an_rc an_block_presence_of(an_bucket *b, an_ctx *ctx, an_arena *a, an_ulid id,
                                         const an_ulid *sources, size_t n_sources,
                                         an_block_presence *out, an_err *err);
