// SPDX-License-Identifier: Apache-2.0
/* bucket/doc.h: a small document beside a block, meta.json or a mark, as it was last read: what it
 * said when it could last be read, and what became of the last attempt. Part of bucket/state.
 *
 * Ownership: parsed documents live in the arena they are kept in, errors in own memory.
 * Threads: one. */
#pragma once
#include "bucket/meta_cache.h"
#include "tsdb/meta/meta.h"

typedef enum an_doc_result {
    AN_DOC_UNKNOWN, /* never read */
    AN_DOC_OK,
    AN_DOC_CORRUPT, /* no such document */
    AN_DOC_FOREIGN, /* of a version that is not ours */
    AN_DOC_UNREADABLE
} an_doc_result;

typedef struct an_doc {
    an_doc_result result;
    bool racy;       /* it may have changed since without a trace */
    bool in_file;    /* rec says where in the cache file the last good one is */
    an_version seen; /* when it was last read, with `result` */
    an_cache_record rec;
    const void *parsed; /* the last good one: an an_meta or an an_mark; NULL: none yet */
    size_t cost;        /* bytes of it, about */
    an_err *err;        /* CORRUPT, FOREIGN, UNREADABLE */
} an_doc;

/* "meta.json" or the name of a mark; `what` as in an_cache_record. */
const char *an_doc_file(unsigned what);
/* The error of a sync whose metadata does not fit the budget of `a`: AN_ELIMIT with numbers. */
an_rc an_doc_no_memory(const an_arena *a, an_err *err);
/* Frees what d owns; what it keeps in an arena stays there. */
void an_doc_deinit(an_doc *d);

/* Parses `body` by way of the arena `work` and keeps what it says in `keep`, or what is wrong with
 * it. AN_ELIMIT: no memory to keep it. *wasted grows by what is not needed any more. */
AN_MUST_CHECK an_rc an_doc_parse(an_doc *d, an_ulid id, unsigned what, an_slice body,
                                 an_arena *keep, an_arena *work, size_t *wasted, an_err *err);
/* The document could not be read. */
void an_doc_failed(an_doc *d, an_ulid id, unsigned what, const an_err *why);
/* A parsed document in another arena; NULL when its budget is spent. */
const void *an_doc_copy(an_arena *a, unsigned what, const void *parsed);
