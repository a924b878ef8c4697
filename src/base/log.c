// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/duration.h"
#include "base/journal.h"
#include "base/jsonw.h"
#include "base/timestamp.h"
#include "base/utf8.h"

enum { LINE_MAX_BYTES = 1 << 20, FIELDS_MAX = 64 };

const char *const an_log_level_name[AN_LOG_LEVEL__COUNT] = {"error", "warn", "info", "debug"};

struct an_log_core {
    an_log_opts opts;
    pthread_mutex_t mu; /* leaf: keeps lines whole; held over the sink, which only writes */
};

static void to_stderr(void *arg, an_slice line)
{
    (void)arg;
    while (line.n > 0) {
        ssize_t n = write(STDERR_FILENO, line.p, line.n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return; /* nobody is left to tell */
        line = an_slice_of(line.p + n, line.n - (size_t)n);
    }
}

static void system_now(int64_t *sec, int32_t *nsec)
{
    struct timespec t;

    an_assert(clock_gettime(CLOCK_REALTIME, &t) == 0);
    *sec = t.tv_sec;
    *nsec = (int32_t)t.tv_nsec;
}

an_log an_log_new(const an_log_opts *opts)
{
    an_log_core *core = calloc(1, sizeof *core);

    an_assert(core != NULL);
    core->opts = *opts;
    if (core->opts.sink == NULL) core->opts.sink = to_stderr;
    if (core->opts.now == NULL) core->opts.now = system_now;
    an_assert(pthread_mutex_init(&core->mu, NULL) == 0);
    return (an_log){core, NULL, NULL};
}

void an_log_free(an_log *log)
{
    an_assert(pthread_mutex_destroy(&log->core->mu) == 0);
    free(log->core);
    log->core = NULL;
}

bool an_log_enabled(const an_log *log, an_log_level level)
{
    return level <= log->core->opts.level;
}

/* ---- values ---- */

static bool needs_quotes(an_slice s)
{
    if (s.n == 0) return false;
    if (an_slice_eq(s, AN_LIT("null"))) return true;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] == '=' || s.p[i] == '"') return true;
    }
    return !an_utf8_valid(s.p, s.n) || memmem(s.p, s.n, "\xef\xbf\xbd", 3) != NULL;
}

/* Appends a value that is not a text. */
static void put_plain(an_buf *out, const an_kv *f)
{
    char d[AN_DURATION_TEXT];

    switch (f->type) {
    case AN_KV_TEXT:
        break;
    case AN_KV_INT:
        an_buf_printf(out, "%" PRId64, f->number);
        break;
    case AN_KV_UINT:
        an_buf_printf(out, "%" PRIu64, (uint64_t)f->number);
        break;
    case AN_KV_BOOL:
        an_buf_str(out, f->number != 0 ? "true" : "false");
        break;
    case AN_KV_DURATION:
    case AN_KV_TOOK:
        an_buf_add(out, d, an_duration_print(f->number, d));
        break;
    }
}

static void put_logfmt(an_buf *out, const an_kv *f)
{
    if (out->n > 0) an_buf_u8(out, ' ');
    an_buf_printf(out, "%s=", f->key);
    if (f->type != AN_KV_TEXT) {
        put_plain(out, f);
    } else if (needs_quotes(f->text)) {
        an_json_quote(out, f->text, false);
    } else {
        an_buf_slice_add(out, f->text);
    }
}

static void put_json(an_buf *out, const an_kv *f)
{
    an_json_quote(out, an_slice_str(f->key), false);
    an_buf_u8(out, ':');
    if (f->type == AN_KV_TEXT) {
        an_json_quote(out, f->text, false);
    } else if (f->type == AN_KV_DURATION || f->type == AN_KV_TOOK) {
        an_buf_u8(out, '"');
        put_plain(out, f);
        an_buf_u8(out, '"');
    } else {
        put_plain(out, f);
    }
}

/* A key as a field of the journal: THANOS_ and the key in upper case. */
static void put_journal(an_buf *out, const an_kv *f)
{
    char name[64] = "THANOS_";
    size_t n = strlen(name);
    an_buf value;

    for (const char *k = f->key; *k != 0 && n + 1 < sizeof name; k++) {
        bool lower = *k >= 'a' && *k <= 'z', digit = *k >= '0' && *k <= '9';
        bool upper = *k >= 'A' && *k <= 'Z';
        name[n++] = (char)(lower ? *k - 32 : upper || digit ? *k : '_');
    }
    name[n] = 0;
    an_buf_init(&value, AN_DURATION_TEXT + 32, NULL);
    put_plain(&value, f);
    an_journal_field(out, name, f->type == AN_KV_TEXT ? f->text : an_buf_slice(&value));
    an_buf_deinit(&value);
}

/* ---- lines ---- */

typedef struct fields {
    size_t n;
    an_kv v[FIELDS_MAX];
} fields;

static void add(fields *fs, an_kv f)
{
    an_assert(fs->n < FIELDS_MAX);
    fs->v[fs->n++] = f;
    if (f.type == AN_KV_TOOK) add(fs, AN_INT("duration_ms", f.number / AN_MS));
}

static void add_list(fields *fs, const an_kv *list)
{
    for (; list != NULL && list->key != NULL; list++) add(fs, *list);
}

static void add_context(fields *fs, const an_log *log)
{
    if (log->parent != NULL) add_context(fs, log->parent);
    add_list(fs, log->context);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const an_kv *)a)->key, ((const an_kv *)b)->key);
}

/* False: the entry is too large and is empty again. */
static bool journal_entry(an_buf *out, an_log_level level, an_slice msg, const fields *fs)
{
    static const char *const priority[AN_LOG_LEVEL__COUNT] = {"3", "4", "6", "7"}; /* syslog's */

    an_buf_clear(out);
    an_journal_field(out, "MESSAGE", msg);
    an_journal_field(out, "PRIORITY", an_slice_str(priority[level]));
    for (size_t i = 0; fs != NULL && i < fs->n; i++) {
        const char *key = fs->v[i].key;
        if (strcmp(key, "msg") != 0 && strcmp(key, "level") != 0) put_journal(out, &fs->v[i]);
    }
    if (out->failed) an_buf_clear(out);
    return out->n > 0;
}

static void put_journal_entry(an_buf *out, an_log_level level, const fields *fs)
{
    an_slice msg = AN_LIT("(no message)");

    for (size_t i = 0; i < fs->n; i++) { /* msg, or else err */
        bool is_msg = strcmp(fs->v[i].key, "msg") == 0, is_err = strcmp(fs->v[i].key, "err") == 0;
        if ((is_msg || is_err) && fs->v[i].type == AN_KV_TEXT && fs->v[i].text.n > 0) {
            msg = fs->v[i].text;
            if (is_msg) break;
        }
    }
    if (journal_entry(out, level, msg, fs)) return;
    if (msg.n > LINE_MAX_BYTES / 2) msg.n = LINE_MAX_BYTES / 2;
    (void)journal_entry(out, level, msg, NULL); /* fits */
}

void an_log_line(const an_log *log, an_log_level level, const char *file, int line, const char *msg,
                 const an_kv *list)
{
    an_log_core *core = log->core;
    const char *slash = strrchr(file, '/');
    char ts[AN_TIME_TEXT], caller[128];
    int64_t sec;
    int32_t nsec;
    fields fs = {0};
    an_buf out;

    core->opts.now(&sec, &nsec);
    (void)an_time_print(sec, nsec, ts);
    (void)snprintf(caller, sizeof caller, "%s:%d", slash != NULL ? slash + 1 : file, line);
    add(&fs, AN_STR("ts", ts));
    add(&fs, AN_STR("caller", caller));
    add(&fs, AN_STR("level", an_log_level_name[level]));
    if (core->opts.name != NULL && *core->opts.name != 0) add(&fs, AN_STR("name", core->opts.name));
    add_context(&fs, log);
    if (msg != NULL) add(&fs, AN_STR("msg", msg));
    add_list(&fs, list);

    an_buf_init(&out, LINE_MAX_BYTES, NULL);
    if (core->opts.format == AN_LOG_JSON) {
        qsort(fs.v, fs.n, sizeof *fs.v, by_key);
        for (size_t i = 0; i < fs.n; i++) {
            an_buf_u8(&out, i == 0 ? '{' : ',');
            put_json(&out, &fs.v[i]);
        }
        an_buf_u8(&out, '}');
    } else if (core->opts.format == AN_LOG_JOURNAL) {
        put_journal_entry(&out, level, &fs);
    } else {
        for (size_t i = 0; i < fs.n; i++) put_logfmt(&out, &fs.v[i]);
    }
    if (core->opts.format != AN_LOG_JOURNAL) an_buf_u8(&out, '\n');
    if (out.failed) { /* over the maximum: what fits, and the line end */
        out.n = out.n < LINE_MAX_BYTES - 1 ? out.n : LINE_MAX_BYTES - 1;
        out.failed = false;
        an_buf_u8(&out, '\n');
    }
    an_assert(pthread_mutex_lock(&core->mu) == 0);
    core->opts.sink(core->opts.arg, an_buf_slice(&out));
    an_assert(pthread_mutex_unlock(&core->mu) == 0);
    an_buf_deinit(&out);
}
