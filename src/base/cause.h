// SPDX-License-Identifier: Apache-2.0
/* base/cause.h: why something is wrong, as a stable id. The id is what metrics, findings and
 * isolation speak of; whoever meets the defect first (a reader, the planner, a provider) puts it
 * into the an_err, and everybody above carries it unchanged. Names: spec/halts.md 1.0. */
#pragma once

#define AN_CAUSES(X)                                                                               \
    X(NONE, "none")                                                                                \
    X(OVERLAP_TWIN, "overlap-twin")                                                                \
    X(OVERLAP_OOO, "overlap-ooo")                                                                  \
    X(OVERLAP_LATE, "overlap-late")                                                                \
    X(OVERLAP_RESTART, "overlap-restart")                                                          \
    X(OVERLAP_SAME_LABELS, "overlap-same-labels")                                                  \
    X(OVERLAP_LEFTOVER, "overlap-leftover")                                                        \
    X(SHARED_SOURCES, "shared-sources")                                                            \
    X(RESULT_OVERLAP, "result-overlap")                                                            \
    X(TWO_COMPACTORS, "two-compactors")                                                            \
    X(VERTICAL_DOWNSAMPLED, "vertical-downsampled")                                                \
    X(OOO_CHUNKS, "ooo-chunks")                                                                    \
    X(DUP_CHUNKS, "dup-chunks")                                                                    \
    X(OUTSIDE_CHUNKS, "outside-chunks")                                                            \
    X(ISSUE347, "issue347")                                                                        \
    X(OOO_LABELS, "ooo-labels")                                                                    \
    X(OOO_SERIES, "ooo-series")                                                                    \
    X(EMPTY_SERIES, "empty-series")                                                                \
    X(INDEX_UNREADABLE, "index-unreadable")                                                        \
    X(INDEX_MISSING, "index-missing")                                                              \
    X(INDEX_INCOMPLETE, "index-incomplete")                                                        \
    X(CHUNKS_MISSING, "chunks-missing")                                                            \
    X(CHUNK_TRUNCATED, "chunk-truncated")                                                          \
    X(CHUNK_CHECKSUM, "chunk-checksum")                                                            \
    X(CHUNK_ENCODING, "chunk-encoding")                                                            \
    X(CHUNK_COUNT, "chunk-count")                                                                  \
    X(SEGMENT_HEADER, "segment-header")                                                            \
    X(TOMBSTONES_UNREADABLE, "tombstones-unreadable")                                              \
    X(META_MISSING, "meta-missing")                                                                \
    X(META_CORRUPT, "meta-corrupt")                                                                \
    X(META_FOREIGN, "meta-foreign")                                                                \
    X(LABELS_EMPTY, "labels-empty")                                                                \
    X(MARK_CORRUPT, "mark-corrupt")                                                                \
    X(SOURCES_EMPTY, "sources-empty")                                                              \
    X(FAILED_FLAG, "failed-flag")                                                                  \
    X(EMPTY_LOOP, "empty-loop")                                                                    \
    X(REWRITE_LOOP, "rewrite-loop")                                                                \
    X(RESOLUTION_ODD, "resolution-odd")                                                            \
    X(INDEX_64G, "index-64g")                                                                      \
    X(SYMBOLS_4G, "symbols-4g")                                                                    \
    X(DISK_FULL, "disk-full")                                                                      \
    X(FD_MAP_LIMIT, "fd-map-limit")                                                                \
    X(STORE_DENIED, "store-denied")                                                                \
    X(DELETE_DENIED, "delete-denied")                                                              \
    X(STORE_THROTTLE, "store-throttle")                                                            \
    X(STORE_404, "store-404")                                                                      \
    X(STORE_CONFIG, "store-config")                                                                \
    X(OBJECT_LIMIT, "object-limit")                                                                \
    X(CLOCK_SKEW, "clock-skew")                                                                    \
    X(FUTURE_BLOCK, "future-block")                                                                \
    X(DS_XOR_IN_AGGR, "ds-xor-in-aggr")                                                            \
    X(DS_INVALID_SIZE, "ds-invalid-size")                                                          \
    X(DS_NEVER, "ds-never")                                                                        \
    X(EDGE_SAMPLE, "edge-sample")                                                                  \
    X(DATA_DIR, "data-dir")                                                                        \
    X(NOT_BUILT, "not-built")

typedef enum an_cause {
#define AN_CAUSE_ENUM(id, text) AN_CAUSE_##id,
    AN_CAUSES(AN_CAUSE_ENUM)
#undef AN_CAUSE_ENUM
        AN_CAUSE__COUNT
} an_cause;

/* The stable name, e.g. "chunk-checksum"; never NULL. */
const char *an_cause_name(an_cause c);
