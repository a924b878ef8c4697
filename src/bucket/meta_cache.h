// SPDX-License-Identifier: Apache-2.0
/* bucket/meta_cache.h: metas and marks of a bucket as they were read, in one append-only file of
 * data-dir, so that a restart does not read them all again.
 *
 *   "ANCACHE1"                                        8 bytes
 *   be32 length, bytes: the bucket the file is for
 *   be32 CRC32C of all before
 *   records:
 *     be32 length n of the payload, at least 41
 *     be32 CRC32C of the payload
 *     payload: u8 what (0..2 the kind of a mark, 3 meta.json), 16 bytes ULID,
 *              be64 size, be64 etag, be64 mtime of the object, then the document (n - 41 bytes)
 *
 * The last record of a document counts. A record that is cut off by the end of the file is the
 * trace of a crash and ends the reading there; any other contradiction drops the whole file:
 * nothing of a damaged cache is trusted. What is read back is checked again and parsed like any
 * document from outside. The file may be deleted at any time.
 *
 * Two processes do not share it: the second one finds it locked and works without.
 * Threads: one. */
#pragma once
#include "base/stream.h"
#include "bucket/listing.h"

enum { AN_CACHE_META = AN_MARK__COUNT, AN_CACHE_WHATS };
enum { AN_CACHE_DOC_MAX = 1 << 20 }; /* larger documents are not kept */

typedef struct an_cache_record {
    unsigned what;
    an_ulid id;
    an_version version;
    uint64_t at; /* of the record in the file */
    uint32_t n;  /* bytes of the document */
} an_cache_record;

typedef an_rc (*an_cache_fn)(void *arg, const an_cache_record *r, an_err *err);

/* Walks a file. *end is where the last whole record ends. AN_ECORRUPT: damaged; what fn was told
 * before is void. AN_ENOTFOUND: made for another bucket. */
AN_MUST_CHECK an_rc an_cache_walk(const an_source *src, an_slice bucket, an_cache_fn fn, void *arg,
                                  uint64_t *end, an_err *err);

typedef struct an_meta_cache an_meta_cache;

/* Opens or makes `path` for `bucket` and tells its records in the order of the file. Damaged files
 * and those of another bucket begin anew: *dropped then says so, and fn's caller forgets what it
 * was told. AN_EIO, AN_EDENIED, AN_ERETRY: there is no cache this time. */
AN_MUST_CHECK an_rc an_meta_cache_open(const char *path, an_slice bucket, an_cache_fn fn, void *arg,
                                       bool *dropped, an_meta_cache **out, an_err *err);
void an_meta_cache_close(an_meta_cache *c); /* NULL is fine */

/* Reads a document back, into the arena. AN_ECORRUPT: not what was written. */
AN_MUST_CHECK an_rc an_meta_cache_read(an_meta_cache *c, an_arena *a, const an_cache_record *r,
                                       an_slice *doc, an_err *err);
/* Appends; r->at and r->n are filled in. Buffered until the flush. After a failure the file is as
 * it was after the last flush. */
AN_MUST_CHECK an_rc an_meta_cache_add(an_meta_cache *c, an_cache_record *r, an_slice doc,
                                      an_err *err);
AN_MUST_CHECK an_rc an_meta_cache_flush(an_meta_cache *c, an_err *err);
uint64_t an_meta_cache_bytes(const an_meta_cache *c);
/* Replaces the file by one that has only these records; their `at` is changed. */
AN_MUST_CHECK an_rc an_meta_cache_rewrite(an_meta_cache *c, an_cache_record *const *live, size_t n,
                                          an_err *err);
