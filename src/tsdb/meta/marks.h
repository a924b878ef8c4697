// SPDX-License-Identifier: Apache-2.0
/* tsdb/meta/marks.h: the three marks that lie next to a block: small compact JSON objects without a
 * newline. Source: spec/operations.md 3.2; oracle: golden/vectors/metajson. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ulid.h"

typedef enum an_mark_kind {
    AN_MARK_DELETION,      /* deletion-mark.json, deletion_time */
    AN_MARK_NO_COMPACT,    /* no-compact-mark.json, no_compact_time, reason */
    AN_MARK_NO_DOWNSAMPLE, /* no-downsample-mark.json, no_downsample_time, reason */
    AN_MARK__COUNT
} an_mark_kind;

typedef struct an_mark {
    an_mark_kind kind;
    bool has_id; /* false: absent or zero */
    an_ulid id;
    int64_t version;
    an_slice details, reason;
    int64_t time_s; /* Unix seconds; 0: absent */
} an_mark;

extern const char *const an_mark_file[AN_MARK__COUNT]; /* "deletion-mark.json", ... */

/* AN_ECORRUPT, cause mark-corrupt: unreadable (invalid JSON, empty, trailing bytes, wrong types,
 * malformed id, and also `{}` and `null`, which decode to version 0): counts as absent, is
 * reported. AN_EUNSUPPORTED, cause mark-corrupt: version is neither 0 nor 1: its block is kept out.
 */
AN_MUST_CHECK an_rc an_mark_parse(an_arena *a, an_mark_kind kind, an_slice doc, an_mark *out,
                                  an_err *err);
/* Appends the bytes that upstream writes. */
void an_mark_write(an_buf *out, const an_mark *m);

/* When it was made, Unix ms: its own time, else that of its object. Saturates; INT64_MAX when
 * neither is known (object_mtime_ms below 0): such a mark is never due. */
int64_t an_mark_ms(const an_mark *m, int64_t object_mtime_ms);
