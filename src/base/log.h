// SPDX-License-Identifier: Apache-2.0
/* base/log.h: log lines as upstream writes them: logfmt, JSON, or entries of systemd's journal, one
 * write a line.
 *
 *   ts=2026-01-02T03:04:05.678Z caller=loop.c:10 level=info group="0@{a=\"1\"}" msg="compacted" n=3
 *
 * Order of keys: ts, caller, level, name (--debug.name), the context of the logger, msg, the
 * fields. JSON: one object, keys sorted. Values are escaped; a text `null` is quoted, an empty one
 * is nothing behind the `=`. Each key is written once (upstream repeats some). Journal: msg is
 * MESSAGE (err if there is none), the level PRIORITY, every other key THANOS_<KEY>, as upstream's
 * readers expect them.
 *
 * Loops and commands log, libraries return errors. A logger is a small value: an_log_with makes one
 * that puts more context into every line; both share what an_log_new made.
 *
 * Source: spec/operations.md 9.1. Threads: any; a line is one call of the sink, which is handed one
 * line at a time. */
#pragma once
#include "base/err.h"
#include "base/slice.h"

typedef enum an_log_level {
    AN_LOG_ERROR,
    AN_LOG_WARN,
    AN_LOG_INFO,
    AN_LOG_DEBUG,
    AN_LOG_LEVEL__COUNT
} an_log_level;

/* "error", ... */
extern const char *const an_log_level_name[AN_LOG_LEVEL__COUNT];

typedef enum an_log_format {
    AN_LOG_LOGFMT,
    AN_LOG_JSON,
    AN_LOG_JOURNAL, /* the sink is an_journal_send */
} an_log_format;

/* A field; made by the macros below. */
typedef struct an_kv {
    const char *key; /* NULL ends a list */
    enum { AN_KV_TEXT, AN_KV_INT, AN_KV_UINT, AN_KV_BOOL, AN_KV_DURATION, AN_KV_TOOK } type;
    an_slice text;
    int64_t number;
} an_kv;

#define AN_STR(k, s) ((an_kv){(k), AN_KV_TEXT, an_slice_str(s), 0})
#define AN_TEXT(k, s) ((an_kv){(k), AN_KV_TEXT, (s), 0})
#define AN_INT(k, v) ((an_kv){(k), AN_KV_INT, {NULL, 0}, (int64_t)(v)})
#define AN_UINT(k, v) ((an_kv){(k), AN_KV_UINT, {NULL, 0}, (int64_t)(v)})
#define AN_BOOL(k, v) ((an_kv){(k), AN_KV_BOOL, {NULL, 0}, (v) ? 1 : 0})
#define AN_DURATION(k, ns) ((an_kv){(k), AN_KV_DURATION, {NULL, 0}, (ns)})
/* duration=1m2.345s duration_ms=62345 */
#define AN_TOOK(ns) ((an_kv){"duration", AN_KV_TOOK, {NULL, 0}, (ns)})
#define AN_ERR(e) AN_STR("err", (e)->msg)

typedef struct an_log_opts {
    an_log_level level; /* lines above it are dropped */
    an_log_format format;
    const char *name;                         /* of every line; NULL or "": none */
    void (*sink)(void *arg, an_slice line);   /* with its line end; NULL: stderr */
    void (*now)(int64_t *sec, int32_t *nsec); /* NULL: the system's clock */
    void *arg;                                /* of the sink */
} an_log_opts;

typedef struct an_log_core an_log_core;
typedef struct an_log {
    an_log_core *core;
    const struct an_log *parent; /* its context comes first */
    const an_kv *context;        /* ends with a NULL key; may be NULL */
} an_log;

/* The strings of opts are borrowed. */
an_log an_log_new(const an_log_opts *opts);
void an_log_free(an_log *log); /* of an_log_new, not of an_log_with */

/* `parent` and `context` must outlive the result. */
static inline an_log an_log_with(const an_log *parent, const an_kv *context)
{
    return (an_log){parent->core, parent, context};
}

/* Whether a line of that level is written at all. */
bool an_log_enabled(const an_log *log, an_log_level level);

/* msg may be NULL: the line has none. `fields` ends with a NULL key. */
void an_log_line(const an_log *log, an_log_level level, const char *file, int line, const char *msg,
                 const an_kv *fields);

#define AN_LOG(log, level, msg, ...)                                                               \
    do {                                                                                           \
        if (an_log_enabled((log), (level))) {                                                      \
            an_log_line((log), (level), __FILE__, __LINE__, (msg),                                 \
                        (const an_kv[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}});                 \
        }                                                                                          \
    } while (0)
