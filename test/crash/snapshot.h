// SPDX-License-Identifier: Apache-2.0
/* crash/snapshot.h: all files of a bucket folder in memory, and what may be told by comparing such
 * pictures: before a run, at a moment in its middle, at its end.
 *
 * anneal's own objects (`anneal/`) are no part of a picture, but for the count of unfinished files.
 * Threads: one. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef struct snap_file {
    char *key;
    uint8_t *p;
    size_t n;
} snap_file;

typedef struct snapshot {
    size_t n;
    snap_file *v;      /* ascending keys */
    size_t unfinished; /* files below anneal/tmp/ */
} snapshot;

void snapshot_take(const char *dir, snapshot *out);
void snapshot_free(snapshot *s);
/* NULL: it is not there. */
const snap_file *snapshot_find(const snapshot *s, const char *key);
/* Makes a new folder of it; all files were written at `mtime`. */
void snapshot_put(const snapshot *s, const char *dir, const struct timespec *mtime);

/* What is made of what, from the meta.json of the new blocks in `want`. */
typedef struct lineage {
    size_t n;
    struct {
        char parent[27], result[27];
    } *v;
} lineage;

void lineage_read(const snapshot *src, const snapshot *want, lineage *out);
void lineage_free(lineage *l);

/* The folder as it was (`src`) and as an undisturbed run leaves it (`want`), with one clock: equal
 * to the byte. NULL when `got` is a legal moment between the two, else what is wrong:
 *
 *   - a source is there, unchanged; one that is to be removed may be gone if its meta.json went
 * first and its deletion mark goes last;
 *   - everything else is an object of `want`, with all its bytes (but see same_mark);
 *   - a new block with a meta.json has all its objects;
 *   - a block that is marked because a result was made of it: that result is complete. */
const char *snapshot_at_any_moment(const snapshot *src, const snapshot *want, const lineage *l,
                                   const snapshot *got);
/* NULL when `got` is `want` (but see same_mark). */
const char *snapshot_at_the_end(const snapshot *want, const snapshot *got);
/* The first folder of the form of a block without meta.json that was not there before; or NULL. */
const char *snapshot_half_block(const snapshot *src, const snapshot *got);
