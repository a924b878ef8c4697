// SPDX-License-Identifier: Apache-2.0
/* tsdb/meta/meta.h: meta.json of a block, with Go's exact bytes on writing and Go's leniency on
 * reading. Source: spec/tsdb-block.md 1.3, spec/compaction.md 5.5; oracle: golden/vectors/metajson.
 *
 * Ownership: everything a meta points to lives in the arena it was parsed into (or is borrowed from
 * the caller who built it). Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/ulid.h"
#include "tsdb/labels/labels.h"

enum { AN_RES_RAW = 0, AN_RES_5M = 300000, AN_RES_1H = 3600000 }; /* resolution, ms */

typedef struct an_meta_stats {
    uint64_t samples, float_samples, histogram_samples, series, chunks, tombstones;
} an_meta_stats;

typedef struct an_meta_parent {
    an_ulid ulid;
    int64_t mint, maxt;
} an_meta_parent;

typedef struct an_meta_file {
    an_slice rel_path;
    int64_t size_bytes;
    bool has_hash;
    an_slice hash_func, hash_value;
} an_meta_file;

typedef struct an_meta_time { /* a Go time.Time */
    int64_t sec;              /* Unix seconds; Go's zero time is AN_GO_ZERO_SEC */
    int32_t nsec;
    int32_t offset_s; /* zone it was written with, kept for writing it again; 0: UTC */
} an_meta_time;
#define AN_GO_ZERO_SEC INT64_C(-62135596800)

typedef struct an_meta {
    an_ulid ulid;
    int64_t mint, maxt; /* ms, [mint, maxt) */
    an_meta_stats stats;
    struct {
        int64_t level;
        size_t n_sources, n_parents, n_hints;
        an_ulid *sources; /* as read; a writer sorts them ascending */
        an_meta_parent *parents;
        an_slice *hints;
        bool deletable, failed;
    } compaction;
    int64_t version; /* 1 */
    struct {
        bool present; /* the key `thanos` is in the document */
        int64_t version;
        bool has_labels;    /* false: `null` or absent; a reader treats both as {} */
        an_labels labels;   /* external labels, sorted */
        int64_t resolution; /* ms */
        an_slice source;
        size_t n_segment_files, n_files;
        an_slice *segment_files;
        an_meta_file *files;
        an_slice rewrites; /* JSON text in canonical compact form, empty: none; see rewrites.h */
        struct {
            int64_t series_max_size, chunk_max_size; /* bytes; 0: unknown */
        } index_stats;
        an_slice extensions; /* JSON text as Go would print it compactly, empty: absent */
        an_meta_time upload_time;
    } thanos;
} an_meta;

/* Reads a document as the bucket fetcher does. AN_ECORRUPT with cause meta-corrupt when it is not
 * one valid JSON document of the right types; AN_EUNSUPPORTED with cause meta-foreign when
 * `version` is not 1 (the text says what was found; *out is filled all the same, so that the group
 * can be told). `thanos.version` and `ulid` are read as they
 * are: whether they fit is the planner's business, which needs the labels to know the group.
 * `a` must outlive *out. The document is refused above AN_META_MAX bytes. */
enum { AN_META_MAX = 16 << 20 };
AN_MUST_CHECK an_rc an_meta_parse(an_arena *a, an_slice doc, an_meta *out, an_err *err);

/* A copy that points to nothing outside `a`; NULL when its budget is spent. A parsed document
 * leaves its tree behind in its arena; a copy in another one is all that is kept. */
an_meta *an_meta_dup(an_arena *a, const an_meta *from);

/* Appends the text that upstream uploads: tabs, field order, one trailing newline. */
void an_meta_write(an_buf *out, const an_meta *m);

/* `<resolution>@<labels hash>`: group key, in logs and as an order of processing. */
void an_group_key(an_buf *out, int64_t resolution, an_labels labels);

static inline bool an_meta_is_zero_time(an_meta_time t)
{
    return t.sec == AN_GO_ZERO_SEC && t.nsec == 0;
}
