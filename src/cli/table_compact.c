// SPDX-License-Identifier: Apache-2.0
/* The flags of `compact`, and of `plan`, which takes the same ones. */
#include "cli/rows.h"

#define RETENTION "Retention and deletion"
#define SPEED "Speed and memory"
#define SERVICE "Running as a service"
#define DEDUP "Overlapping blocks"
#define HALT "When something is broken"
#define RESULT "Results"
#define DEBUG "Debugging"

/* clang-format off */
#define ROWS_COMPACT                                                                               \
    {.name = "debug.halt-on-error", .type = AN_FLAG_BOOL, .def = "true", .hidden = true,           \
     .group = HALT,                                                                                \
     .help = "Stay up when a group is isolated; off: exit with 1 once the other groups were "      \
             "served."},                                                                           \
    {.name = "debug.accept-malformed-index", .type = AN_FLAG_BOOL, .hidden = true, .group = DEBUG, \
     .help = "Take blocks whose label names are out of order."},                                   \
    {.name = "debug.max-compaction-level", .type = AN_FLAG_INT, .def = "4", .hidden = true,        \
     .group = DEBUG,                                                                               \
     .help = "Highest of the ranges 0=1h, 1=2h, 2=8h, 3=48h, 4=336h that blocks grow to."},        \
    AN_ROWS_HTTP,                                                                                  \
    {.name = "data-dir", .type = AN_FLAG_STRING, .def = "./data", .group = SPEED,                  \
     .help = "Folder for the cache of block metadata and for what spills out of memory. Block "    \
             "data is never stored there."},                                                       \
    AN_ROWS_OBJSTORE,                                                                              \
    {.name = "consistency-delay", .type = AN_FLAG_DURATION, .def = "30m",                          \
     .group = AN_GROUP_CHOICE,                                                                     \
     .help = "Age at which a block that no compactor made is looked at for the first time. "       \
             "Uploads that were never finished are removed after 48h."},                           \
    {.name = "retention.resolution-raw", .type = AN_FLAG_PROM_DURATION, .def = "0d",               \
     .group = RETENTION, .help = "How long raw blocks are kept; 0d: for ever."},                   \
    {.name = "retention.resolution-5m", .type = AN_FLAG_PROM_DURATION, .def = "0d",                \
     .group = RETENTION, .help = "How long blocks of 5 minute resolution are kept; 0d: for ever."},\
    {.name = "retention.resolution-1h", .type = AN_FLAG_PROM_DURATION, .def = "0d",                \
     .group = RETENTION, .help = "How long blocks of 1 hour resolution are kept; 0d: for ever."},  \
    {.name = "wait", .type = AN_FLAG_BOOL, .letter = 'w', .group = SERVICE,                        \
     .help = "Keep running and look for work again and again."},                                   \
    {.name = "wait-interval", .type = AN_FLAG_DURATION, .def = "5m", .group = SERVICE,             \
     .help = "With --wait: time from one look to the next."},                                      \
    {.name = "downsampling.disable", .type = AN_FLAG_BOOL, .group = RESULT,                        \
     .help = "Make no blocks of 5 minute and 1 hour resolution. Queries over months then read "    \
             "every raw sample."},                                                                 \
    {.name = "block-discovery-strategy", .type = AN_FLAG_STRING, .def = "concurrent",              \
     .group = SPEED,                                                                               \
     .help = "concurrent or recursive. Known from Thanos; the bucket is always listed once, and "  \
             "the listing tells everything."},                                                     \
    {.name = "block-meta-fetch-concurrency", .type = AN_FLAG_INT, .def = "32", .group = SPEED,     \
     .help = "How many small objects are read at once while looking at the bucket."},              \
    {.name = "block-files-concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,           \
     .help = "Adds to the pool of transfers that all jobs share."},                                \
    {.name = "block-viewer.global.sync-block-interval", .type = AN_FLAG_DURATION, .def = "1m",     \
     .group = AN_GROUP_HTTP, .help = "How often the page of all blocks is brought up to date."},   \
    {.name = "block-viewer.global.sync-block-timeout", .type = AN_FLAG_DURATION, .def = "5m",      \
     .group = AN_GROUP_HTTP, .help = "How long that may take."},                                   \
    {.name = "compact.cleanup-interval", .type = AN_FLAG_DURATION, .def = "5m", .group = SERVICE,  \
     .help = "With --wait: how often unfinished uploads and expired blocks are removed besides "   \
             "the end of an iteration; 0s: only then."},                                           \
    {.name = "compact.progress-interval", .type = AN_FLAG_DURATION, .def = "5m", .group = SERVICE, \
     .help = "With --wait: how often the remaining work is counted; 0s: never."},                  \
    {.name = "compact.concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,               \
     .help = "How many groups are compacted side by side, as far as memory allows."},              \
    {.name = "compact.blocks-fetch-concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,  \
     .help = "Adds to the pool of transfers that all jobs share."},                                \
    {.name = "compact.job-workers", .type = AN_FLAG_INT, .def = "0", .group = SPEED,               \
     .help = "How many threads merge the series of one job; 0: as many as there are processors. "  \
             "The result does not depend on it."},                                                 \
    {.name = "memory-limit", .type = AN_FLAG_BYTES, .def = "0", .group = SPEED,                    \
     .help = "How much memory the process may take, for example 512MB; 0: half of what the "       \
             "container may have, else 1GB, and never more than half of the machine's."},          \
    {.name = "downsample.concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,            \
     .help = "How many blocks are downsampled side by side."},                                     \
    {.name = "downsample.fused", .type = AN_FLAG_BOOL, .hidden = true, .group = RESULT,            \
     .help = "Write downsampled blocks in the same pass as the compaction they come from."},       \
    {.name = "delete-delay", .type = AN_FLAG_PROM_DURATION, .def = "48h", .group = RETENTION,      \
     .help = "Time between the deletion mark of a block and its removal. Queriers need it to let " \
             "go of the block: with 0s queries may fail for a while."},                            \
    {.name = "compact.enable-vertical-compaction", .type = AN_FLAG_BOOL, .hidden = true,           \
     .group = DEDUP,                                                                               \
     .help = "Merge blocks that overlap. Cannot be taken back once the sources are gone. Always "  \
             "on with --deduplication.replica-label."},                                            \
    {.name = "deduplication.func", .type = AN_FLAG_ENUM, .def = "", .choices = "penalty,",         \
     .group = DEDUP,                                                                               \
     .help = "How samples of replicas are joined: empty for one sample per timestamp, penalty for "\
             "staying with one replica until it has a gap (needs --deduplication.replica-label)."},\
    {.name = "deduplication.replica-label", .type = AN_FLAG_STRINGS, .group = DEDUP,               \
     .help = "External label that tells replicas apart; blocks that differ in it alone are merged "\
             "into one without it. May be given several times or as a comma list. Cannot be taken "\
             "back once the sources are gone. Made for exact copies, as receivers write them; for "\
             "two Prometheus servers see --deduplication.func."},                                  \
    {.name = "compact.block-max-index-size", .type = AN_FLAG_BYTES, .def = "64GB", .hidden = true, \
     .group = RESULT,                                                                              \
     .help = "A plan whose indexes together could pass this size has its largest block marked "    \
             "for no compaction instead."},                                                        \
    {.name = "compact.skip-block-with-out-of-order-chunks", .type = AN_FLAG_BOOL, .hidden = true,  \
     .group = HALT,                                                                                \
     .help = "Mark blocks with chunks out of order for no compaction and go on without them."},    \
    {.name = "hash-func", .type = AN_FLAG_ENUM, .def = "", .choices = "SHA256,", .group = RESULT,  \
     .help = "Hash of each written file to note in meta.json: SHA256, or empty for none."},        \
    {.name = "output-encoding", .type = AN_FLAG_ENUM, .def = "source", .choices = "source,xor",    \
     .group = RESULT,                                                                              \
     .help = "Encoding of chunks that are written anew: source keeps that of the inputs, xor writes " \
             "floats as every Prometheus reads them."},                                               \
    AN_ROWS_TIME,                                                                                  \
    {.name = "halt.scope", .type = AN_FLAG_ENUM, .def = "group", .choices = "group,process",       \
     .group = HALT,                                                                                \
     .help = "What stands still when blocks of a group are broken: that group, or (as in Thanos) " \
             "everything."},                                                                       \
    {.name = "auto-remedy", .type = AN_FLAG_ENUM, .def = "off", .choices = "off,safe,all",         \
     .group = HALT,                                                                                \
     .help = "What may be healed without a human: nothing, what is proved to lose no sample, or "  \
             "everything that can be undone."},                                                    \
    {.name = "web.disable", .type = AN_FLAG_BOOL, .group = AN_GROUP_HTTP,                          \
     .help = "Serve no UI and no API."},                                                           \
    AN_ROWS_SELECTOR,                                                                              \
    AN_ROWS_WEB,                                                                                   \
    AN_ROW_CORS,                                                                                   \
    {.name = "bucket-web-label", .type = AN_FLAG_STRING, .group = AN_GROUP_HTTP,                   \
     .help = "External label whose value heads a group in the UI."},                               \
    AN_ROW_ADMIN

const an_flag_def an_flags_compact[] = {ROWS_COMPACT, {.name = NULL}};

const an_flag_def an_flags_plan[] = {
    ROWS_COMPACT,
    {.name = "output", .type = AN_FLAG_ENUM, .letter = 'o', .def = "text", .choices = "text,json",
     .group = RESULT, .help = "How to print the plan: text or json."},
    {.name = NULL}};
/* clang-format on */
