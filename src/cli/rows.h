// SPDX-License-Identifier: Apache-2.0
/* cli/rows.h: rows of flag tables that several commands have in common.
 *
 * Each macro stands for the rows themselves and is used inside the braces of a table, at the place
 * where upstream's help shows them. */
#pragma once
#include "cli/flag.h"

#define AN_GROUP_BUCKET "Bucket"
#define AN_GROUP_CHOICE "Which blocks"
#define AN_GROUP_HTTP "HTTP"

/* clang-format off */
#define AN_ROWS_HTTP                                                                               \
    {.name = "http-address", .type = AN_FLAG_STRING, .def = "0.0.0.0:10902",                       \
     .group = AN_GROUP_HTTP, .help = "Where to listen, as host:port."},                            \
    {.name = "http-grace-period", .type = AN_FLAG_PROM_DURATION, .def = "2m",                      \
     .group = AN_GROUP_HTTP,                                                                       \
     .help = "How long requests under way may take after the process was told to stop."},          \
    {.name = "http.config", .type = AN_FLAG_STRING, .def = "", .group = AN_GROUP_HTTP,             \
     .help = "File with TLS and authentication settings of the listener."}

#define AN_ROWS_OBJSTORE                                                                           \
    {.name = "objstore.config-file", .type = AN_FLAG_STRING, .placeholder = "<file-path>",         \
     .group = AN_GROUP_BUCKET,                                                                     \
     .help = "YAML file that says where the bucket is: type, config, prefix."},                    \
    {.name = "objstore.config", .type = AN_FLAG_STRING, .placeholder = "<content>",                \
     .group = AN_GROUP_BUCKET,                                                                     \
     .help = "The same YAML given directly; not together with --objstore.config-file."}

#define AN_ROWS_SELECTOR                                                                           \
    {.name = "selector.relabel-config-file", .type = AN_FLAG_STRING,                               \
     .placeholder = "<file-path>", .group = AN_GROUP_CHOICE,                                       \
     .help = "YAML file with relabeling rules over the external labels of blocks; blocks that "    \
             "they drop are left alone. Actions: keep, drop, hashmod."             },               \
    {.name = "selector.relabel-config", .type = AN_FLAG_STRING, .placeholder = "<content>",        \
     .group = AN_GROUP_CHOICE,                                                                     \
     .help = "The same YAML given directly; not together with --selector.relabel-config-file."}

#define AN_ROWS_TIME                                                                               \
    {.name = "min-time", .type = AN_FLAG_TIME, .def = "0000-01-01T00:00:00Z",                      \
     .group = AN_GROUP_CHOICE,                                                                     \
     .help = "Leave blocks alone that end before this time: RFC 3339, or a duration relative to "  \
             "now such as -1d or 2h45m (units ms, s, m, h, d, w, y)."},                            \
    {.name = "max-time", .type = AN_FLAG_TIME, .def = "9999-12-31T23:59:59Z",                      \
     .group = AN_GROUP_CHOICE,                                                                     \
     .help = "Leave blocks alone that begin after this time; written as --min-time."}

#define AN_ROWS_WEB                                                                                \
    {.name = "web.route-prefix", .type = AN_FLAG_STRING, .def = "", .group = AN_GROUP_HTTP,        \
     .help = "Path under which API and UI are served."},                                           \
    {.name = "web.external-prefix", .type = AN_FLAG_STRING, .def = "", .group = AN_GROUP_HTTP,     \
     .help = "Path that a reverse proxy strips: put in front of the links of the UI, while the "   \
             "pages themselves stay where they are."},                                             \
    {.name = "web.prefix-header", .type = AN_FLAG_STRING, .def = "", .group = AN_GROUP_HTTP,       \
     .help = "Request header that holds such a prefix, for example X-Forwarded-Prefix. Not "       \
             "looked at with --web.external-prefix. Use it only behind a proxy that sets or "      \
             "removes the header itself."}

#define AN_ROW_CORS                                                                                \
    {.name = "web.disable-cors", .type = AN_FLAG_BOOL, .group = AN_GROUP_HTTP,                     \
     .help = "Do not allow pages of other origins to read the API."}

#define AN_ROW_ADMIN                                                                               \
    {.name = "disable-admin-operations", .type = AN_FLAG_BOOL, .group = AN_GROUP_HTTP,             \
     .help = "Refuse everything in UI and API that changes the bucket."}
/* clang-format on */

/* The tables of the commands: cli/table_compact.c and cli/table_bucket.c. */
extern const an_flag_def an_flags_compact[];
extern const an_flag_def an_flags_plan[];
extern const an_flag_def an_flags_objstore[];
extern const an_cmd_def an_cmds_bucket[];
