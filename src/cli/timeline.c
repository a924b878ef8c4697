// SPDX-License-Identifier: Apache-2.0
#include "cli/timeline.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"

enum { LEFT = 13, RIGHT = 24, AXIS_MIN = 20 }; /* columns left and right of the bars */

void an_human_bytes(an_buf *out, uint64_t bytes)
{
    static const char *const unit[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)bytes;
    size_t u = 0;

    while (v >= 1023.95 && u + 1 < sizeof unit / sizeof *unit) {
        v /= 1024;
        u++;
    }
    an_buf_printf(out, u == 0 ? "%.0f %s" : "%.1f %s", v, unit[u]);
}

void an_human_count(an_buf *out, uint64_t n)
{
    static const char unit[] = {0, 'k', 'M', 'G', 'T', 'P', 'E'};
    double v = (double)n;
    size_t u = 0;

    while (v >= 999.95 && u + 1 < sizeof unit) {
        v /= 1000;
        u++;
    }
    an_buf_printf(out, u == 0 ? "%.0f" : "%.1f", v);
    if (u > 0) an_buf_u8(out, (uint8_t)unit[u]);
}

typedef struct axis {
    int64_t from, to; /* ms */
    size_t columns;
} axis;

static size_t column_of(const axis *x, int64_t ms)
{
    /* floating: ranges of meta.json may span all of int64 */
    double share = ((double)ms - (double)x->from) / ((double)x->to - (double)x->from);
    double c = share * (double)x->columns;

    if (!(c > 0)) return 0;
    return c >= (double)x->columns ? x->columns : (size_t)c;
}

static int by_group_level_time(const void *x, const void *y)
{
    const an_timeline_block *a = x, *b = y;
    const an_meta *m = a->meta, *o = b->meta;
    int d = an_labels_cmp(m->thanos.labels, o->thanos.labels);

    if (d != 0) return d;
    if (m->thanos.resolution != o->thanos.resolution) {
        return m->thanos.resolution < o->thanos.resolution ? -1 : 1;
    }
    if (m->compaction.level != o->compaction.level) { /* the widest on top */
        return m->compaction.level > o->compaction.level ? -1 : 1;
    }
    if (m->mint != o->mint) return m->mint < o->mint ? -1 : 1;
    return an_ulid_cmp(m->ulid, o->ulid);
}

static bool same_group(const an_meta *a, const an_meta *b)
{
    return a->thanos.resolution == b->thanos.resolution &&
           an_labels_cmp(a->thanos.labels, b->thanos.labels) == 0;
}

static void paint(char *bar, const axis *x, const an_timeline_block *b)
{
    size_t from = column_of(x, b->meta->mint), to = column_of(x, b->meta->maxt);
    char fill = '=';

    if (b->no_compact) fill = 'n';
    if (b->deletion) fill = '.';
    if (from == x->columns) from--;
    if (to <= from) to = from + 1;
    for (size_t c = from; c < to; c++) {
        char ink = fill;
        if (to - from >= 2 && c == from) ink = '[';
        if (to - from >= 2 && c + 1 == to) ink = ']';
        /* Blocks that only touch share no column, unless both are narrower than one. */
        if (bar[c] != ' ') ink = '%';
        bar[c] = ink;
    }
}

/* What a row or a group holds. */
typedef struct sum {
    uint64_t blocks, bytes, samples, marked;
} sum;

static void add(sum *s, const an_timeline_block *b)
{
    s->blocks++;
    s->bytes += b->bytes;
    s->samples += b->meta->stats.samples;
    s->marked += b->deletion;
}

static void put_blocks(an_buf *out, const sum *s)
{
    an_buf_printf(out, "%4" PRIu64 " block%s  ", s->blocks, s->blocks == 1 ? " " : "s");
    an_human_bytes(out, s->bytes);
}

static void put_row(an_buf *out, const char *bar, int64_t level, const sum *s)
{
    an_buf_printf(out, "  level %-3" PRId64 " |%s|", level, bar);
    put_blocks(out, s);
    an_buf_u8(out, '\n');
}

static void put_time(an_buf *out, int64_t ms)
{
    an_civil c = an_civil_from_unix(ms / 1000 - (ms % 1000 < 0));
    an_buf_printf(out, "%04" PRId64 "-%02d-%02d %02d:%02d", c.year, c.month, c.day, c.hour, c.min);
}

static void put_axis(an_buf *out, const axis *x)
{
    an_buf from, to;

    an_buf_init(&from, 128, NULL);
    an_buf_init(&to, 128, NULL);
    put_time(&from, x->from);
    put_time(&to, x->to);
    an_buf_fill(out, ' ', LEFT);
    an_buf_slice_add(out, an_buf_slice(&from));
    size_t gap = x->columns > from.n + to.n + 1 ? x->columns - from.n - to.n : 1;
    an_buf_fill(out, ' ', gap);
    an_buf_slice_add(out, an_buf_slice(&to));
    an_buf_str(out, " UTC\n");
    an_buf_deinit(&from);
    an_buf_deinit(&to);
}

static void put_group(an_buf *out, const an_timeline_block *v, size_t n, const axis *x, char *bar)
{
    sum all = {0};

    for (size_t i = 0; i < n; i++) add(&all, &v[i]);
    an_buf_printf(out, "%" PRId64 "@", v->meta->thanos.resolution);
    an_labels_print(out, v->meta->thanos.labels);
    put_blocks(out, &all);
    an_buf_str(out, "  ");
    an_human_count(out, all.samples);
    an_buf_str(out, " samples");
    if (all.marked > 0) an_buf_printf(out, ", %" PRIu64 " marked for deletion", all.marked);
    an_buf_u8(out, '\n');
    for (size_t i = 0; i < n;) {
        int64_t level = v[i].meta->compaction.level;
        sum row = {0};
        memset(bar, ' ', x->columns);
        for (; i < n && v[i].meta->compaction.level == level; i++) {
            paint(bar, x, &v[i]);
            add(&row, &v[i]);
        }
        put_row(out, bar, level, &row);
    }
}

void an_timeline_draw(an_arena *a, an_buf *out, const an_timeline_block *blocks, size_t n,
                      size_t width)
{
    an_timeline_block *v = an_arena_alloc(a, (n + 1) * sizeof *v);
    axis x = {.from = INT64_MAX, .to = INT64_MIN};
    sum all = {0};

    if (n == 0) {
        an_buf_str(out, "no blocks\n");
        return;
    }
    memcpy(v, blocks, n * sizeof *v);
    qsort(v, n, sizeof *v, by_group_level_time);
    for (size_t i = 0; i < n; i++) {
        if (v[i].meta->mint < x.from) x.from = v[i].meta->mint;
        if (v[i].meta->maxt > x.to) x.to = v[i].meta->maxt;
        add(&all, &v[i]);
    }
    if (x.to <= x.from) x.to = x.from < INT64_MAX ? x.from + 1 : x.from;
    x.columns = width > LEFT + RIGHT + AXIS_MIN ? width - LEFT - RIGHT : AXIS_MIN;
    char *bar = an_arena_alloc(a, x.columns + 1);
    for (size_t i = 0; i < n;) {
        size_t from = i;
        while (i < n && same_group(v[from].meta, v[i].meta)) i++;
        put_group(out, v + from, i - from, &x, bar);
        put_axis(out, &x);
    }
    an_buf_str(out, "all groups: ");
    put_blocks(out, &all);
    an_buf_str(out, "  ");
    an_human_count(out, all.samples);
    an_buf_str(out, " samples\n[==] live  .. marked for deletion  nn marked for no compaction  % "
                    "several blocks\n");
}
