// SPDX-License-Identifier: Apache-2.0
#include "crash/snapshot.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "base/err.h"

enum { ULID = 26 };

static char said[1024]; /* the last text that was returned: a test ends with it */

static const char *say(const char *what, const char *key)
{
    (void)snprintf(said, sizeof said, "%s: %s", what, key);
    return said;
}

/* ---- folders ---- */

static void add_file(snapshot *s, const char *path, const char *key, size_t n)
{
    snap_file *more = realloc(s->v, (s->n + 1) * sizeof *more);
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    an_assert(more != NULL && fd >= 0);
    s->v = more;
    snap_file *f = &s->v[s->n++];
    *f = (snap_file){strdup(key), malloc(n + 1), n};
    an_assert(f->key != NULL && f->p != NULL);
    an_assert(read(fd, f->p, n + 1) == (ssize_t)n);
    (void)close(fd);
}

static void walk(snapshot *s, const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);

    an_assert(d != NULL);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[PATH_MAX], key[PATH_MAX];
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        int a = snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        int b = snprintf(key, sizeof key, "%s%s", prefix, e->d_name);
        an_assert(a < PATH_MAX && b + 1 < PATH_MAX);
        if (lstat(path, &st) != 0) continue; /* another process at work */
        if (S_ISDIR(st.st_mode)) {
            key[b] = '/';
            key[b + 1] = '\0';
            walk(s, path, key);
        } else if (strncmp(key, "anneal/tmp/", 11) == 0) {
            s->unfinished++;
        } else if (strncmp(key, "anneal/", 7) != 0) {
            add_file(s, path, key, (size_t)st.st_size);
        }
    }
    (void)closedir(d);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const snap_file *)a)->key, ((const snap_file *)b)->key);
}

void snapshot_take(const char *dir, snapshot *out)
{
    *out = (snapshot){0};
    walk(out, dir, "");
    if (out->n > 1) qsort(out->v, out->n, sizeof *out->v, by_key);
}

void snapshot_free(snapshot *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->v[i].key);
        free(s->v[i].p);
    }
    free(s->v);
    *s = (snapshot){0};
}

const snap_file *snapshot_find(const snapshot *s, const char *key)
{
    size_t lo = 0, hi = s->n;

    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int d = strcmp(key, s->v[mid].key);
        if (d == 0) return &s->v[mid];
        if (d < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

void snapshot_put(const snapshot *s, const char *dir, const struct timespec *mtime)
{
    const struct timespec times[2] = {*mtime, *mtime};

    an_assert(mkdir(dir, 0777) == 0);
    for (size_t i = 0; i < s->n; i++) {
        char path[PATH_MAX];
        int n = snprintf(path, sizeof path, "%s/%s", dir, s->v[i].key);
        an_assert(n < PATH_MAX);
        for (char *p = path + strlen(dir) + 1; (p = strchr(p, '/')) != NULL; p++) {
            *p = '\0';
            (void)mkdir(path, 0777);
            *p = '/';
        }
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        an_assert(fd >= 0);
        an_assert(write(fd, s->v[i].p, s->v[i].n) == (ssize_t)s->v[i].n);
        an_assert(futimens(fd, times) == 0 && close(fd) == 0);
    }
}

/* ---- what is made of what ---- */

/* "<ulid>/" of a key, or false. */
static bool block_of(const char *key, char id[ULID + 1])
{
    if (strlen(key) <= ULID || key[ULID] != '/') return false;
    memcpy(id, key, ULID);
    id[ULID] = '\0';
    return true;
}

static bool has(const snapshot *s, const char *id, const char *name)
{
    char key[PATH_MAX];

    (void)snprintf(key, sizeof key, "%s/%s", id, name);
    return snapshot_find(s, key) != NULL;
}

static bool is_mark(const char *key)
{
    size_t n = strlen(key);
    return n > 10 && strcmp(key + n - 10, "-mark.json") == 0;
}

void lineage_read(const snapshot *src, const snapshot *want, lineage *out)
{
    *out = (lineage){0};
    for (size_t i = 0; i < want->n; i++) {
        char id[ULID + 1];
        const snap_file *f = &want->v[i];
        if (!block_of(f->key, id) || strcmp(f->key + ULID, "/meta.json") != 0) continue;
        if (snapshot_find(src, f->key) != NULL) continue;
        json_t *meta = json_loadb((const char *)f->p, f->n, 0, NULL), *p;
        json_t *parents = json_object_get(json_object_get(meta, "compaction"), "parents");
        size_t k;
        an_assert(json_array_size(parents) > 0);
        json_array_foreach(parents, k, p)
        {
            void *more = realloc(out->v, (out->n + 1) * sizeof *out->v);
            an_assert(more != NULL);
            out->v = more;
            const char *parent = json_string_value(json_object_get(p, "ulid"));
            (void)snprintf(out->v[out->n].parent, ULID + 1, "%s", parent);
            (void)snprintf(out->v[out->n++].result, ULID + 1, "%s", id);
        }
        json_decref(meta);
    }
}

void lineage_free(lineage *l)
{
    free(l->v);
    *l = (lineage){0};
}

/* ---- comparisons ---- */

static bool same(const snap_file *a, const snap_file *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

/* A source whose mark the dead process did not come to write is found covered by the next run,
 * which marks it with upstream's other text. */
static bool same_mark(const snap_file *got, const snap_file *want)
{
    static const char was[] = "source of compacted block", is[] = "outdated block";
    const uint8_t *at = memmem(want->p, want->n, was, sizeof was - 1);

    if (same(got, want)) return true;
    if (!is_mark(got->key) || at == NULL || got->n + sizeof was != want->n + sizeof is)
        return false;
    size_t head = (size_t)(at - want->p), tail = want->n - head - (sizeof was - 1);
    return memcmp(got->p, want->p, head) == 0 && memcmp(got->p + head, is, sizeof is - 1) == 0 &&
           memcmp(got->p + got->n - tail, want->p + want->n - tail, tail) == 0;
}

/* All objects that `want` has of the block, but for marks. */
static const char *missing_part(const snapshot *want, const snapshot *got, const char *id)
{
    for (size_t i = 0; i < want->n; i++) {
        const char *key = want->v[i].key;
        if (strncmp(key, id, ULID) != 0 || key[ULID] != '/' || is_mark(key)) continue;
        if (snapshot_find(got, key) == NULL) return key;
    }
    return NULL;
}

/* A source that the undisturbed run removes, and that is gone already. */
static const char *removal(const snapshot *want, const snapshot *got, const char *key)
{
    char id[ULID + 1];

    if (snapshot_find(want, key) != NULL || !block_of(key, id)) return say("lost", key);
    if (has(got, id, "meta.json")) return say("removed before meta.json", key);
    if (strcmp(key + ULID, "/deletion-mark.json") != 0) return NULL;
    for (size_t i = 0; i < got->n; i++) {
        if (strncmp(got->v[i].key, id, ULID) == 0)
            return say("removed behind the deletion mark", got->v[i].key);
    }
    return NULL;
}

static const char *marked_too_early(const snapshot *want, const lineage *l, const snapshot *got,
                                    const char *key)
{
    bool made = false;

    for (size_t i = 0; i < l->n; i++) {
        if (strncmp(key, l->v[i].parent, ULID) != 0) continue;
        made = true;
        if (missing_part(want, got, l->v[i].result) == NULL) return NULL;
    }
    return made ? say("marked before its result is complete", key) : NULL;
}

const char *snapshot_at_any_moment(const snapshot *src, const snapshot *want, const lineage *l,
                                   const snapshot *got)
{
    for (size_t i = 0; i < src->n; i++) {
        const snap_file *f = snapshot_find(got, src->v[i].key);
        const snap_file *w = snapshot_find(want, src->v[i].key);
        const char *wrong = f == NULL ? removal(want, got, src->v[i].key) : NULL;
        if (wrong != NULL) return wrong;
        if (f != NULL && !same(f, &src->v[i]) && (w == NULL || !same(f, w)))
            return say("changed", f->key);
    }
    for (size_t i = 0; i < got->n; i++) {
        const snap_file *f = &got->v[i], *w = snapshot_find(want, f->key);
        char id[ULID + 1];
        if (snapshot_find(src, f->key) != NULL) continue;
        if (w == NULL) return say("unexpected", f->key);
        if (!same_mark(f, w)) return say("other bytes than at the end", f->key);
        if (!block_of(f->key, id)) continue;
        if (strcmp(f->key + ULID, "/meta.json") == 0) {
            const char *part = missing_part(want, got, id);
            if (part != NULL) return say("a block with meta.json lacks", part);
        }
        if (strcmp(f->key + ULID, "/deletion-mark.json") == 0) {
            const char *wrong = marked_too_early(want, l, got, f->key);
            if (wrong != NULL) return wrong;
        }
    }
    return NULL;
}

const char *snapshot_at_the_end(const snapshot *want, const snapshot *got)
{
    for (size_t i = 0; i < want->n; i++) {
        const snap_file *f = snapshot_find(got, want->v[i].key);
        if (f == NULL) return say("missing at the end", want->v[i].key);
        if (!same_mark(f, &want->v[i])) return say("other bytes at the end", f->key);
    }
    for (size_t i = 0; i < got->n; i++) {
        if (snapshot_find(want, got->v[i].key) == NULL)
            return say("unexpected at the end", got->v[i].key);
    }
    return NULL;
}

const char *snapshot_half_block(const snapshot *src, const snapshot *got)
{
    for (size_t i = 0; i < got->n; i++) {
        char id[ULID + 1];
        if (snapshot_find(src, got->v[i].key) != NULL || !block_of(got->v[i].key, id)) continue;
        if (!has(got, id, "meta.json") && !has(src, id, "meta.json"))
            return say("half a block", id);
    }
    return NULL;
}
