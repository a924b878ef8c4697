// SPDX-License-Identifier: Apache-2.0
/* compact/plan/identity.h: the ULID of a result is a function of its inputs and options.
 *
 * Hence a retry finds what an earlier attempt left, and two compactors that do the same work make
 * the same block. docs/formats/identity.md has the text that is hashed, the rules for the time
 * part, and vectors. Threads: plain functions. */
#pragma once
#include "base/buf.h"
#include "compact/plan/plan.h"

/* The writer's format version: raised when the bytes we write for equal inputs change. */
#define AN_IDENTITY_VERSION "anneal-1"

typedef enum an_identity_kind { AN_ID_COMPACT, AN_ID_DOWNSAMPLE, AN_ID_REWRITE } an_identity_kind;

typedef struct an_identity_input {
    const an_plan_block *block; /* id, meta (range, sources), index_bytes */
    bool has_tombstones;
    uint8_t tombstones_sha256[32]; /* of the object */
} an_identity_input;

typedef struct an_identity_option { /* an option that changes bytes and is not at its default */
    an_slice name, value;
} an_identity_option;

typedef struct an_identity {
    an_identity_kind kind;
    size_t n_inputs; /* at least 1; any order */
    const an_identity_input *inputs;
    an_labels labels;
    int64_t resolution;       /* of the result, ms */
    uint32_t shard, n_shards; /* 0 of 1 */
    size_t n_options;         /* any order */
    const an_identity_option *options;
    uint32_t generation; /* rises when the ULID is spoilt: marked, or leftovers lie under it */
} an_identity;

/* Appends the text that is hashed. */
void an_identity_text(an_arena *a, an_buf *out, const an_identity *id);
/* AN_ELIMIT: no memory for the text. AN_EHALT, cause rewrite-loop: a rewrite must get a lower ULID
 * than its input, and the input's is the lowest there is. */
AN_MUST_CHECK an_rc an_identity_ulid(an_arena *a, const an_identity *id, an_ulid *out, an_err *err);
