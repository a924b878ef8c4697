// SPDX-License-Identifier: Apache-2.0
/* The cache file of metas and marks: a walk over it, and what its documents say; then the same with
 * every checksum put right. */
#include "bucket/doc.h"

#include <stdlib.h>

#include "base/crc32c.h"
#include "base/cursor.h"
#include "fuzz/fuzz.h"

typedef struct seen {
    an_slice file;
    uint64_t end; /* of the last record */
    an_arena *keep, *work;
    size_t wasted;
} seen;

static an_rc on_record(void *arg, const an_cache_record *r, an_err *err)
{
    seen *s = arg;
    an_doc d = {0};
    an_rc rc;

    an_assert(r->what < AN_CACHE_WHATS && r->at >= s->end);
    an_assert(r->at + 49 + r->n <= s->file.n);
    s->end = r->at + 49 + r->n;
    rc = an_doc_parse(&d, r->id, r->what, an_slice_of(s->file.p + r->at + 49, r->n), s->keep,
                      s->work, &s->wasted, err);
    an_assert(rc == AN_OK);
    an_assert((d.result == AN_DOC_OK) == (d.parsed != NULL));
    an_assert((d.result == AN_DOC_OK) == (d.err == NULL));
    an_doc_deinit(&d);
    return AN_OK;
}

static void walk(an_slice file)
{
    seen s = {.file = file};
    an_source src = an_source_mem(&s.file);
    uint64_t end = 0;
    an_err err;

    s.keep = an_arena_new(NULL);
    s.work = an_arena_new(NULL);
    an_rc rc = an_cache_walk(&src, AN_LIT("fuzz"), on_record, &s, &end, &err);
    an_assert(rc == AN_OK || rc == AN_ECORRUPT || rc == AN_ENOTFOUND);
    an_assert(rc != AN_OK || (end >= s.end && end <= file.n));
    an_arena_free(s.keep);
    an_arena_free(s.work);
}

static void put_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static uint32_t be32(const uint8_t *p)
{
    an_cursor c = an_cursor_of(an_slice_of(p, 4));
    return an_cursor_be32(&c);
}

static void put_right(uint8_t *p, size_t size)
{
    if (size < 12 || be32(p + 8) > size - 12 || size - 12 - be32(p + 8) < 4) return;
    size_t at = 12 + (size_t)be32(p + 8);
    put_be32(p + at, an_crc32c(an_slice_of(p, at)));
    for (at += 4; size - at >= 8 && be32(p + at) <= size - at - 8; at += 8 + (size_t)be32(p + at))
        put_be32(p + at + 4, an_crc32c(an_slice_of(p + at + 8, be32(p + at))));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size + 1);

    walk(an_slice_of(data, size));
    an_assert(copy != NULL);
    if (size > 0) memcpy(copy, data, size);
    put_right(copy, size);
    walk(an_slice_of(copy, size));
    free(copy);
    return 0;
}
