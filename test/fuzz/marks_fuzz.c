// SPDX-License-Identifier: Apache-2.0
/* Marks: a document is refused with a cause or read; what is read is written, and reads back as the
 * same mark.
 *
 * Input: a byte for the kind, then the document. */
#include "tsdb/meta/marks.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_mark m, again;
    an_buf out;

    if (size == 0) return 0;
    an_mark_kind kind = (an_mark_kind)(data[0] % AN_MARK__COUNT);
    an_arena *a = an_arena_new(NULL);
    an_rc rc = an_mark_parse(a, kind, an_slice_of(data + 1, size - 1), &m, &err);
    an_assert(rc == AN_OK || err.cause == AN_CAUSE_MARK_CORRUPT);
    an_buf_init(&out, 16 << 20, NULL);
    if (rc == AN_OK) {
        an_assert(m.version == 1 && m.kind == kind);
        an_mark_write(&out, &m);
        an_assert(an_mark_parse(a, kind, an_buf_slice(&out), &again, &err) == AN_OK);
        an_assert(an_ulid_eq(m.id, again.id) && m.has_id == again.has_id);
        an_assert(m.time_s == again.time_s && an_mark_ms(&m, 1) == an_mark_ms(&again, 1));
        an_assert(an_slice_eq(m.details, again.details) && an_slice_eq(m.reason, again.reason));
    }
    an_buf_deinit(&out);
    an_arena_free(a);
    return 0;
}
