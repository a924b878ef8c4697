// SPDX-License-Identifier: Apache-2.0
/* The program: its global flags and its commands. */
#include "cli/cli.h"
#include "cli/commands.h"
#include "cli/rows.h"

#define GENERAL "General"
#define LOGGING "Log and trace"

/* clang-format off */
static const an_flag_def flags_program[] = {
    {.name = "help", .type = AN_FLAG_BOOL, .letter = 'h', .group = GENERAL,
     .help = "Show the help of the command at hand (--help-long: of all, --help-man: as a man "
             "page)."},
    {.name = "help-long", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "Show every command with every flag."},
    {.name = "help-man", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "Print the man page."},
    {.name = "completion-bash", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "Print the words that may stand next."},
    {.name = "completion-script-bash", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "Print a completion script for bash."},
    {.name = "completion-script-zsh", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "Print a completion script for zsh."},
    {.name = "version", .type = AN_FLAG_BOOL, .group = GENERAL,
     .help = "Show version and build."},
    {.name = "not-built", .type = AN_FLAG_BOOL, .hidden = true, .group = GENERAL,
     .help = "List what this version refuses because it is not built yet."},
    {.name = "debug.name", .type = AN_FLAG_STRING, .hidden = true, .group = LOGGING,
     .help = "Put name=<this> into every log line."},
    {.name = "log.level", .type = AN_FLAG_ENUM, .def = "info",
     .choices = "error,warn,info,debug", .group = LOGGING,
     .help = "Log lines of this level and above: error, warn, info, debug."},
    {.name = "log.format", .type = AN_FLAG_ENUM, .def = "logfmt",
     .choices = "logfmt,json,journald", .group = LOGGING,
     .help = "Form of the log lines: logfmt, json or journald."},
    {.name = "tracing.config-file", .type = AN_FLAG_STRING, .placeholder = "<file-path>",
     .group = LOGGING, .help = "YAML file that says where traces go."},
    {.name = "tracing.config", .type = AN_FLAG_STRING, .placeholder = "<content>",
     .group = LOGGING,
     .help = "The same YAML given directly; not together with --tracing.config-file."},
    {.name = "enable-auto-gomemlimit", .type = AN_FLAG_BOOL, .group = GENERAL,
     .help = "Known from Thanos; memory is always bounded, see --memory-limit of compact."},
    {.name = "auto-gomemlimit.ratio", .type = AN_FLAG_FLOAT, .def = "0.9", .group = GENERAL,
     .help = "Known from Thanos; checked (above 0, at most 1) and without effect."},
    {.name = NULL}};
/* clang-format on */

static const an_cmd_def cmds_tools[] = {{.name = "bucket",
                                         .help = "Commands for looking at a bucket and for "
                                                 "changing it by hand.",
                                         .flags = an_flags_objstore,
                                         .subs = an_cmds_bucket},
                                        {.name = NULL}};

static const an_cmd_def cmds_program[] = {
    {.name = "help", .help = "Show help.", .takes_args = true},
    {.name = "compact",
     .help = "Compact, downsample and expire the blocks of a bucket.",
     .flags = an_flags_compact,
     .run = an_run_compact},
    {.name = "plan",
     .help = "Show what the next iteration of compact would do, and why, without doing it. Takes "
             "the flags of compact.",
     .flags = an_flags_plan,
     .run = an_run_plan},
    {.name = "tools", .help = "Commands for operators.", .subs = cmds_tools},
    {.name = NULL}};

const an_cmd_def an_program = {
    .name = "anneal",
    .help = "compacts buckets of Prometheus blocks, as the Thanos compactor does, and keeps "
            "working where that one halts.",
    .flags = flags_program,
    .subs = cmds_program,
};
