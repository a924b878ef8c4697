// SPDX-License-Identifier: Apache-2.0
/* The subcommands of `tools bucket` and their flags. */
#include "cli/commands.h"
#include "cli/rows.h"

#define OUTPUT "Output"
#define WORK "What is done"
#define SPEED "Speed and memory"

/* clang-format off */
#define ROW_TIMEOUT                                                                                \
    {.name = "timeout", .type = AN_FLAG_DURATION, .def = "5m", .group = SPEED,                     \
     .help = "How long reading the metadata of the bucket may take."}
#define ROW_DATA_DIR                                                                               \
    {.name = "data-dir", .type = AN_FLAG_STRING, .def = "./data", .group = SPEED,                  \
     .help = "Folder for caches and for what spills out of memory."}
#define ROW_HASH                                                                                   \
    {.name = "hash-func", .type = AN_FLAG_ENUM, .def = "", .choices = "SHA256,", .group = WORK,    \
     .help = "Hash of each written file to note in meta.json: SHA256, or empty for none."}
#define ROWS_SYNC                                                                                  \
    {.name = "consistency-delay", .type = AN_FLAG_DURATION, .def = "30m",                          \
     .group = AN_GROUP_CHOICE,                                                                     \
     .help = "Age at which a block that no compactor made is looked at for the first time. "       \
             "Uploads that were never finished are removed after 48h."},                           \
    {.name = "block-sync-concurrency", .type = AN_FLAG_INT, .def = "20", .group = SPEED,           \
     .help = "How many small objects are read at once while looking at the bucket."}
#define ROW_DELETE_DELAY                                                                           \
    {.name = "delete-delay", .type = AN_FLAG_DURATION, .def = "48h", .group = WORK,                \
     .help = "Time between the deletion mark of a block and its removal."}

static const an_flag_def flags_verify[] = {
    {.name = "objstore-backup.config-file", .type = AN_FLAG_STRING, .placeholder = "<file-path>",
     .group = AN_GROUP_BUCKET,
     .help = "YAML file of the bucket that keeps a copy of each block before it is repaired."},
    {.name = "objstore-backup.config", .type = AN_FLAG_STRING, .placeholder = "<content>",
     .group = AN_GROUP_BUCKET, .help = "The same YAML given directly."},
    {.name = "repair", .type = AN_FLAG_BOOL, .letter = 'r', .group = WORK,
     .help = "Repair what can be repaired."},
    {.name = "issues", .type = AN_FLAG_STRINGS, .letter = 'i',
     .def = "index_known_issues,overlapped_blocks", .group = WORK,
     .help = "What to look for: index_known_issues, overlapped_blocks, duplicated_compaction."},
    {.name = "id", .type = AN_FLAG_STRINGS, .group = AN_GROUP_CHOICE,
     .help = "Only this block. May be repeated."},
    {.name = "delete-delay", .type = AN_FLAG_PROM_DURATION, .def = "0s", .group = WORK,
     .help = "What happens to the block that a repair replaced: 0s removes it, else it is marked."},
    {.name = NULL}};

static const an_flag_def flags_ls[] = {
    AN_ROWS_SELECTOR,
    {.name = "output", .type = AN_FLAG_STRING, .letter = 'o', .def = "", .group = OUTPUT,
     .help = "One ULID a line when empty; wide adds times, level, resolution and source; json "
             "prints each meta.json; anything else is a template of literal text and {{.Field}} "
             "references into meta.json, such as {{.ULID}} {{.Thanos.Downsample.Resolution}}."},
    {.name = "exclude-delete", .type = AN_FLAG_BOOL, .group = AN_GROUP_CHOICE,
     .help = "Leave out blocks that are marked for deletion."},
    AN_ROWS_TIME,
    ROW_TIMEOUT,
    {.name = NULL}};

static const an_flag_def flags_inspect[] = {
    {.name = "selector", .type = AN_FLAG_STRINGS, .letter = 'l',
     .placeholder = "<name>=\\\"<value>\\\"", .group = AN_GROUP_CHOICE,
     .help = "Only blocks with this external label: -l 'cluster=\"eu1\"'. May be repeated; all "
             "must match."},
    {.name = "sort-by", .type = AN_FLAG_ENUMS, .def = "FROM,UNTIL",
     .choices = "ULID,FROM,UNTIL,RANGE,UNTIL-DOWN,#SERIES,#SAMPLES,#CHUNKS,COMP-LEVEL,COMP-FAILED,"
                "LABELS,RESOLUTION,SOURCE",
     .group = OUTPUT, .help = "Column to sort by. May be repeated: the next one decides on ties."},
    ROW_TIMEOUT,
    {.name = "output", .type = AN_FLAG_ENUM, .def = "table", .choices = "table,tsv,csv",
     .group = OUTPUT, .help = "How to print: table, tsv or csv."},
    {.name = NULL}};

static const an_flag_def flags_timeline[] = {
    {.name = "width", .type = AN_FLAG_INT, .def = "0", .group = OUTPUT,
     .help = "Columns of the drawing; 0: those of the terminal."},
    {.name = "exclude-delete", .type = AN_FLAG_BOOL, .group = AN_GROUP_CHOICE,
     .help = "Leave out blocks that are marked for deletion."},
    AN_ROWS_SELECTOR,
    AN_ROWS_TIME,
    ROW_TIMEOUT,
    {.name = NULL}};

static const an_flag_def flags_web[] = {
    AN_ROWS_HTTP,
    AN_ROWS_WEB,
    AN_ROW_CORS,
    {.name = "refresh", .type = AN_FLAG_DURATION, .def = "30m", .group = AN_GROUP_HTTP,
     .help = "How often the bucket is read again."},
    ROW_TIMEOUT,
    {.name = "label", .type = AN_FLAG_STRING, .group = AN_GROUP_HTTP,
     .help = "External label whose value heads a group."},
    AN_ROW_ADMIN,
    AN_ROWS_TIME,
    AN_ROWS_SELECTOR,
    {.name = NULL}};

static const an_flag_def flags_replicate[] = {
    AN_ROWS_HTTP,
    {.name = "objstore-to.config-file", .type = AN_FLAG_STRING, .placeholder = "<file-path>",
     .group = AN_GROUP_BUCKET, .help = "YAML file of the bucket to copy to."},
    {.name = "objstore-to.config", .type = AN_FLAG_STRING, .placeholder = "<content>",
     .group = AN_GROUP_BUCKET, .help = "The same YAML given directly."},
    {.name = "resolution", .type = AN_FLAG_DURATIONS, .def = "0s,5m,1h", .group = AN_GROUP_CHOICE,
     .help = "Copy blocks of this resolution. May be repeated."},
    {.name = "compaction-min", .type = AN_FLAG_INT, .def = "1", .group = AN_GROUP_CHOICE,
     .help = "Copy blocks of this compaction level and above."},
    {.name = "compaction-max", .type = AN_FLAG_INT, .def = "4", .group = AN_GROUP_CHOICE,
     .help = "Copy blocks up to this compaction level."},
    {.name = "compaction", .type = AN_FLAG_INTS, .group = AN_GROUP_CHOICE,
     .help = "Copy blocks of this compaction level alone. May be repeated."},
    {.name = "matcher", .type = AN_FLAG_STRING, .group = AN_GROUP_CHOICE,
     .help = "Copy blocks whose external labels match, written as in a query: =, !=, =~, !~."},
    {.name = "single-run", .type = AN_FLAG_BOOL, .group = WORK, .help = "Copy once and end."},
    AN_ROWS_TIME,
    {.name = "id", .type = AN_FLAG_STRINGS, .group = AN_GROUP_CHOICE,
     .help = "Copy this block, whatever the other choices say, and end. May be repeated."},
    {.name = "ignore-marked-for-deletion", .type = AN_FLAG_BOOL, .group = AN_GROUP_CHOICE,
     .help = "Leave out blocks that are marked for deletion."},
    {.name = NULL}};

static const an_flag_def flags_downsample[] = {
    AN_ROWS_HTTP,
    {.name = "wait-interval", .type = AN_FLAG_DURATION, .def = "5m", .group = WORK,
     .help = "Time from one run to the next."},
    {.name = "downsample.concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,
     .help = "How many blocks are downsampled side by side."},
    {.name = "block-files-concurrency", .type = AN_FLAG_INT, .def = "1", .group = SPEED,
     .help = "Adds to the pool of transfers that all jobs share."},
    ROW_DATA_DIR,
    ROW_HASH,
    {.name = NULL}};

static const an_flag_def flags_cleanup[] = {
    ROW_DELETE_DELAY, ROWS_SYNC, AN_ROWS_SELECTOR, {.name = NULL}};

static const an_flag_def flags_mark[] = {
    {.name = "id", .type = AN_FLAG_STRINGS, .required = true, .group = AN_GROUP_CHOICE,
     .help = "ULID of the block. May be repeated."},
    {.name = "marker", .type = AN_FLAG_ENUM, .required = true,
     .choices = "deletion-mark.json,no-compact-mark.json,no-downsample-mark.json", .group = WORK,
     .help = "Which mark: deletion-mark.json, no-compact-mark.json or no-downsample-mark.json."},
    {.name = "details", .type = AN_FLAG_STRING, .group = WORK,
     .help = "Why: a text for people, kept in the mark."},
    {.name = "remove", .type = AN_FLAG_BOOL, .group = WORK, .help = "Take the mark away."},
    {.name = NULL}};

static const an_flag_def flags_rewrite[] = {
    {.name = "id", .type = AN_FLAG_STRINGS, .required = true, .group = AN_GROUP_CHOICE,
     .help = "ULID of the block. May be repeated."},
    {.name = "tmp.dir", .type = AN_FLAG_STRING, .def = "/tmp/thanos-rewrite", .group = SPEED,
     .help = "Folder for what spills out of memory."},
    {.name = "dry-run", .type = AN_FLAG_BOOL, .def = "true", .group = WORK,
     .help = "Print what would change and change nothing; --no-dry-run does it."},
    {.name = "prom-blocks", .type = AN_FLAG_BOOL, .group = WORK,
     .help = "Take blocks without external labels: for a plain Prometheus."},
    {.name = "delete-blocks", .type = AN_FLAG_BOOL, .group = WORK,
     .help = "Mark the sources for deletion afterwards."},
    ROW_HASH,
    {.name = "rewrite.to-delete-config-file", .type = AN_FLAG_STRING,
     .placeholder = "<file-path>", .group = WORK,
     .help = "YAML file that lists the series to delete."},
    {.name = "rewrite.to-delete-config", .type = AN_FLAG_STRING, .placeholder = "<content>",
     .group = WORK, .help = "The same YAML given directly."},
    {.name = "rewrite.to-relabel-config-file", .type = AN_FLAG_STRING,
     .placeholder = "<file-path>", .group = WORK,
     .help = "YAML file of relabeling rules for the series."},
    {.name = "rewrite.to-relabel-config", .type = AN_FLAG_STRING, .placeholder = "<content>",
     .group = WORK, .help = "The same YAML given directly."},
    {.name = "rewrite.add-change-log", .type = AN_FLAG_BOOL, .def = "true", .group = WORK,
     .help = "Upload a change.log that lists every change, next to the new block."},
    {.name = NULL}};

static const an_flag_def flags_retention[] = {
    ROW_DELETE_DELAY,
    ROWS_SYNC,
    AN_ROWS_SELECTOR,
    {.name = "retention.resolution-raw", .type = AN_FLAG_PROM_DURATION, .def = "0d",
     .group = WORK, .help = "How long raw blocks are kept; 0d: for ever."},
    {.name = "retention.resolution-5m", .type = AN_FLAG_PROM_DURATION, .def = "0d", .group = WORK,
     .help = "How long blocks of 5 minute resolution are kept; 0d: for ever."},
    {.name = "retention.resolution-1h", .type = AN_FLAG_PROM_DURATION, .def = "0d", .group = WORK,
     .help = "How long blocks of 1 hour resolution are kept; 0d: for ever."},
    {.name = NULL}};

static const an_flag_def flags_upload[] = {
    {.name = "path", .type = AN_FLAG_STRING, .def = "./data", .group = AN_GROUP_CHOICE,
     .help = "Folder that holds the blocks."},
    {.name = "label", .type = AN_FLAG_STRINGS, .placeholder = "key=\"value\"", .group = WORK,
     .help = "External label to give to the blocks. May be repeated; at least one."},
    {.name = "shipper.upload-compacted", .type = AN_FLAG_BOOL, .group = AN_GROUP_CHOICE,
     .help = "Upload blocks above level 1 too."},
    {.name = "shipper.upload-concurrency", .type = AN_FLAG_INT, .def = "5", .group = SPEED,
     .help = "How many files are uploaded at once."},
    {.name = NULL}};

const an_flag_def an_flags_objstore[] = {AN_ROWS_OBJSTORE, {.name = NULL}};
/* clang-format on */

const an_cmd_def an_cmds_bucket[] = {
    {.name = "verify",
     .help = "Look for known defects in all blocks, and repair them if asked to.",
     .flags = flags_verify,
     .run = an_run_not_built},
    {.name = "ls", .help = "List the blocks.", .flags = flags_ls, .run = an_run_bucket_ls},
    {.name = "inspect",
     .help = "Show the blocks in a table with their figures.",
     .flags = flags_inspect,
     .run = an_run_bucket_inspect},
    {.name = "timeline",
     .help = "Draw the blocks of each group over time, one row a compaction level, with totals.",
     .flags = flags_timeline,
     .run = an_run_bucket_timeline},
    {.name = "web",
     .help = "Serve the pages and the API over all blocks, without a compactor.",
     .flags = flags_web,
     .run = an_run_not_built},
    {.name = "replicate",
     .help = "Copy blocks to another bucket, oldest first.",
     .flags = flags_replicate,
     .run = an_run_not_built},
    {.name = "downsample",
     .help = "Make blocks of 5 minute and 1 hour resolution, again and again.",
     .flags = flags_downsample,
     .run = an_run_not_built},
    {.name = "cleanup",
     .help = "Remove blocks whose deletion mark is old enough, and uploads never finished.",
     .flags = flags_cleanup,
     .run = an_run_not_built},
    {.name = "mark",
     .help = "Mark blocks for deletion, for no compaction or for no downsampling, or take such a "
             "mark away. A compaction of the block that is under way is not stopped by it.",
     .flags = flags_mark,
     .run = an_run_bucket_mark},
    {.name = "rewrite",
     .help = "Write chosen blocks anew without some series, or with changed labels. The new block "
             "replaces the old one by hand: mark the old one for deletion, or they overlap. Stop "
             "the compactor first.\n\n"
             "With a FILESYSTEM bucket this works on the blocks of a plain Prometheus. Cannot be "
             "taken back once the old block is gone: keep a copy.",
     .flags = flags_rewrite,
     .run = an_run_not_built},
    {.name = "retention",
     .help = "Mark expired blocks for deletion, once. No compactor may run at the same time.",
     .flags = flags_retention,
     .run = an_run_not_built},
    {.name = "upload-blocks",
     .help = "Upload the blocks of a folder.",
     .flags = flags_upload,
     .run = an_run_not_built},
    {.name = NULL}};
