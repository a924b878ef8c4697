// SPDX-License-Identifier: Apache-2.0
#include "cli/block_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/strconv.h"
#include "base/timestamp.h"
#include "compact/plan/progress.h"

enum { N_COLUMNS = 13 };
static const char *const columns_of_table[N_COLUMNS] = {
    "ULID",    "FROM",       "UNTIL",       "RANGE",  "UNTIL-DOWN", "#SERIES", "#SAMPLES",
    "#CHUNKS", "COMP-LEVEL", "COMP-FAILED", "LABELS", "RESOLUTION", "SOURCE"};

typedef struct order {
    size_t n;
    size_t column[N_COLUMNS];
} order;

typedef struct row {
    an_slice cell[N_COLUMNS];
    const order *by; /* qsort has no argument for it */
} row;

an_rc an_block_selector(an_arena *a, const char *const *flags, size_t n, an_labels *out,
                        an_err *err)
{
    an_rc rc = AN_OK;
    an_buf value;
    an_labels ls = {.v = an_arena_alloc(a, (n + 1) * sizeof(an_label))};

    an_buf_init(&value, 1 << 20, NULL);
    for (size_t i = 0; i < n; i++) {
        const char *eq = strchr(flags[i], '=');
        AN_CHECK(eq != NULL, err, AN_EINVALID, "unrecognized label \"%s\"", flags[i]);
        AN_CHECK(eq != flags[i], err, AN_EINVALID, "unsupported format for label %s", flags[i]);
        an_buf_clear(&value);
        AN_CHECK(an_unquote(&value, an_slice_str(eq + 1)), err, AN_EINVALID,
                 "unquote label value: invalid syntax");
        ls.v[ls.n++] = (an_label){an_arena_dup(a, an_slice_of(flags[i], (size_t)(eq - flags[i]))),
                                  an_arena_dup(a, an_buf_slice(&value))};
    }
    *out = ls;
out:
    an_buf_deinit(&value);
    return rc;
}

static bool selected(const an_meta *m, an_labels selector)
{
    for (size_t i = 0; i < selector.n; i++) {
        an_slice v = an_labels_get(m->thanos.labels, selector.v[i].name);
        if (v.p == NULL || !an_slice_eq(v, selector.v[i].value)) return false;
    }
    return true;
}

/* Durations wrap as Go's do: block ranges are whatever meta.json says. */
static int64_t ms_to_ns(int64_t ms) { return (int64_t)((uint64_t)ms * (uint64_t)AN_MS); }
static int64_t minus(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }

static an_slice duration_cell(an_arena *a, int64_t ns)
{
    char t[AN_DURATION_TEXT];
    size_t n = an_duration_print(ns, t);
    return an_arena_dup(a, an_slice_of(t, n));
}

static an_slice time_cell(an_arena *a, int64_t ms)
{
    char t[AN_TIME_TEXT];
    int64_t sec = ms / 1000; /* towards zero, as upstream divides */
    size_t n = an_time_print_offset(sec, 0, an_time_local_offset(sec), t);
    return an_arena_dup(a, an_slice_of(t, n));
}

static an_slice count_cell(an_arena *a, an_buf *tmp, uint64_t v)
{
    an_buf_clear(tmp);
    an_thousands(tmp, (int64_t)v); /* counts of 2^63 and more are nonsense anyway */
    return an_arena_dup(a, an_buf_slice(tmp));
}

static an_slice labels_cell(an_arena *a, an_buf *tmp, an_labels ls)
{
    an_buf_clear(tmp);
    for (size_t i = 0; i < ls.n; i++) {
        if (i > 0) an_buf_u8(tmp, ',');
        an_buf_slice_add(tmp, ls.v[i].name);
        an_buf_u8(tmp, '=');
        an_buf_slice_add(tmp, ls.v[i].value);
    }
    return an_arena_dup(a, an_buf_slice(tmp));
}

/* What is left until the block is wide enough to be downsampled; negative when it is. */
static an_slice until_down_cell(an_arena *a, const an_meta *m)
{
    int64_t range = ms_to_ns(minus(m->maxt, m->mint));

    if (m->thanos.resolution == AN_RES_RAW) {
        return duration_cell(a, minus(ms_to_ns(AN_DOWNSAMPLE_RAW_MS), range));
    }
    if (m->thanos.resolution == AN_RES_5M) {
        return duration_cell(a, minus(ms_to_ns(AN_DOWNSAMPLE_5M_MS), range));
    }
    return AN_LIT("-");
}

static void fill_row(an_arena *a, an_buf *tmp, const an_meta *m, row *r)
{
    char id[AN_ULID_TEXT + 1];

    an_ulid_format(m->ulid, id);
    r->cell[0] = an_arena_dup(a, an_slice_str(id));
    r->cell[1] = time_cell(a, m->mint);
    r->cell[2] = time_cell(a, m->maxt);
    r->cell[3] = duration_cell(a, ms_to_ns(minus(m->maxt, m->mint)));
    r->cell[4] = until_down_cell(a, m);
    r->cell[5] = count_cell(a, tmp, m->stats.series);
    r->cell[6] = count_cell(a, tmp, m->stats.samples);
    r->cell[7] = count_cell(a, tmp, m->stats.chunks);
    r->cell[8] = count_cell(a, tmp, (uint64_t)m->compaction.level);
    r->cell[9] = m->compaction.failed ? AN_LIT("true") : AN_LIT("false");
    r->cell[10] = labels_cell(a, tmp, m->thanos.labels);
    r->cell[11] = duration_cell(a, ms_to_ns(m->thanos.resolution));
    r->cell[12] = m->thanos.source;
}

/* ---- order ---- */

static bool as_time(an_slice s, int64_t *v)
{
    int32_t nsec, offset;
    an_err err;
    return an_time_parse(s, v, &nsec, &offset, &err) == AN_OK;
}

static bool as_duration(an_slice s, int64_t *v)
{
    an_err err;
    return an_duration_parse(s, v, &err) == AN_OK;
}

static bool as_count(an_slice s, int64_t *v)
{
    char plain[32];
    size_t n = 0;
    uint64_t u;

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == ',') continue;
        if (n == sizeof plain) return false;
        plain[n++] = (char)s.p[i];
    }
    if (!an_uint64_parse(an_slice_of(plain, n), &u)) return false;
    *v = (int64_t)u;
    return true;
}

static int compare_cells(an_slice a, an_slice b)
{
    static bool (*const readings[])(an_slice, int64_t *) = {as_time, as_duration, as_count};
    int64_t x, y;

    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        if (readings[i](a, &x) && readings[i](b, &y)) return (x > y) - (x < y);
    }
    return an_slice_cmp(a, b);
}

static int compare_rows(const void *x, const void *y)
{
    const row *a = x, *b = y;

    for (size_t i = 0; i < a->by->n; i++) {
        size_t c = a->by->column[i];
        int d = compare_cells(a->cell[c], b->cell[c]);
        if (d != 0) return d;
    }
    return an_slice_cmp(a->cell[0], b->cell[0]);
}

/* ---- drawing ---- */

static size_t columns_of(an_slice s) /* characters, not bytes */
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void padded(an_buf *out, an_slice s, size_t left, size_t right)
{
    an_buf_str(out, "| ");
    an_buf_fill(out, ' ', left);
    an_buf_slice_add(out, s);
    an_buf_fill(out, ' ', right + 1);
}

static void draw(an_buf *out, const row *rows, size_t n)
{
    size_t width[N_COLUMNS];

    for (size_t c = 0; c < N_COLUMNS; c++) {
        width[c] = strlen(columns_of_table[c]);
        for (size_t i = 0; i < n; i++) {
            size_t w = columns_of(rows[i].cell[c]);
            if (w > width[c]) width[c] = w;
        }
    }
    for (size_t c = 0; c < N_COLUMNS; c++) {
        size_t gap = width[c] - strlen(columns_of_table[c]);
        padded(out, an_slice_str(columns_of_table[c]), gap / 2, gap - gap / 2);
    }
    an_buf_str(out, "|\n");
    for (size_t c = 0; c < N_COLUMNS; c++) {
        an_buf_u8(out, '|');
        an_buf_fill(out, '-', width[c] + 2);
    }
    an_buf_str(out, "|\n");
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < N_COLUMNS; c++) {
            padded(out, rows[i].cell[c], 0, width[c] - columns_of(rows[i].cell[c]));
        }
        an_buf_str(out, "|\n");
    }
}

/* As Go's encoding/csv: quotes where a separator, a quote, a line end or a leading blank needs
 * them, and around \. */
static void separated_cell(an_buf *out, an_slice s, char separator)
{
    bool quote = s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t');

    if (an_slice_eq(s, AN_LIT("\\."))) quote = true;
    for (size_t i = 0; i < s.n; i++) {
        quote = quote || s.p[i] == (uint8_t)separator || s.p[i] == '"' || s.p[i] == '\n' ||
                s.p[i] == '\r';
    }
    if (!quote) {
        an_buf_slice_add(out, s);
        return;
    }
    an_buf_u8(out, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') an_buf_u8(out, '"');
        an_buf_u8(out, s.p[i]);
    }
    an_buf_u8(out, '"');
}

static void separated(an_buf *out, const row *rows, size_t n, char separator)
{
    for (size_t c = 0; c < N_COLUMNS; c++) {
        an_buf_str(out, columns_of_table[c]);
        an_buf_u8(out, (uint8_t)(c + 1 < N_COLUMNS ? separator : '\n'));
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < N_COLUMNS; c++) {
            separated_cell(out, rows[i].cell[c], separator);
            an_buf_u8(out, (uint8_t)(c + 1 < N_COLUMNS ? separator : '\n'));
        }
    }
}

void an_block_table(an_arena *a, an_buf *out, const an_meta *const *blocks, size_t n,
                    an_labels selector, const char *const *columns, size_t n_columns,
                    an_table_form form)
{
    order by = {0};
    row *rows = an_arena_alloc(a, (n + 1) * sizeof *rows);
    size_t n_rows = 0;
    an_buf tmp;

    for (size_t i = 0; i < n_columns && by.n < N_COLUMNS; i++) {
        size_t c = 0;
        while (c < N_COLUMNS && strcmp(columns_of_table[c], columns[i]) != 0) c++;
        an_assert(c < N_COLUMNS);
        by.column[by.n++] = c;
    }
    an_buf_init(&tmp, 1 << 20, NULL);
    for (size_t i = 0; i < n; i++) {
        if (!selected(blocks[i], selector)) continue;
        rows[n_rows].by = &by;
        fill_row(a, &tmp, blocks[i], &rows[n_rows++]);
    }
    an_buf_deinit(&tmp);
    qsort(rows, n_rows, sizeof *rows, compare_rows);
    if (form == AN_TABLE_DRAWN) {
        draw(out, rows, n_rows);
    } else {
        separated(out, rows, n_rows, form == AN_TABLE_CSV ? ',' : '\t');
    }
}
