// SPDX-License-Identifier: Apache-2.0
#include "cli/block_template.h"

#include <inttypes.h>

#include "base/timestamp.h"

typedef struct field {
    const char *path; /* as upstream names it */
    void (*print)(const an_meta *m, an_slice rest, an_buf *out);
    bool has_rest; /* a further part may follow: a label name */
} field;

typedef struct part { /* text, then a field */
    an_slice text;
    const field *field; /* NULL: the template's end */
    an_slice rest;
} part;

struct an_block_template {
    size_t n;
    part *parts;
};

static void put_ulid(an_buf *out, an_ulid u)
{
    char id[AN_ULID_TEXT + 1];
    an_ulid_format(u, id);
    an_buf_str(out, id);
}

static void put_list(an_buf *out, const an_slice *v, size_t n)
{
    an_buf_u8(out, '[');
    for (size_t i = 0; i < n; i++) {
        if (i > 0) an_buf_u8(out, ' ');
        an_buf_slice_add(out, v[i]);
    }
    an_buf_u8(out, ']');
}

/* One printing function per field. */
#define FIELD(name)                                                                                \
    static void print_##name(const an_meta *m __attribute__((unused)),                             \
                             an_slice rest __attribute__((unused)), an_buf *out)
#define NUMBER(name, member)                                                                       \
    FIELD(name) { an_buf_printf(out, "%" PRId64, (int64_t)m->member); }
#define TRUTH(name, member)                                                                        \
    FIELD(name) { an_buf_str(out, m->member ? "true" : "false"); }

FIELD(ulid) { put_ulid(out, m->ulid); }
NUMBER(mint, mint)
NUMBER(maxt, maxt)
NUMBER(samples, stats.samples)
NUMBER(float_samples, stats.float_samples)
NUMBER(histogram_samples, stats.histogram_samples)
NUMBER(series, stats.series)
NUMBER(chunks, stats.chunks)
NUMBER(tombstones, stats.tombstones)
NUMBER(level, compaction.level)
TRUTH(deletable, compaction.deletable)
TRUTH(failed, compaction.failed)
FIELD(hints) { put_list(out, m->compaction.hints, m->compaction.n_hints); }
NUMBER(version, version)
NUMBER(thanos_version, thanos.version)
NUMBER(resolution, thanos.resolution)
FIELD(source) { an_buf_slice_add(out, m->thanos.source); }
FIELD(segments) { put_list(out, m->thanos.segment_files, m->thanos.n_segment_files); }
NUMBER(series_max, thanos.index_stats.series_max_size)
NUMBER(chunk_max, thanos.index_stats.chunk_max_size)

FIELD(sources)
{
    an_buf_u8(out, '[');
    for (size_t i = 0; i < m->compaction.n_sources; i++) {
        if (i > 0) an_buf_u8(out, ' ');
        put_ulid(out, m->compaction.sources[i]);
    }
    an_buf_u8(out, ']');
}

FIELD(labels)
{
    an_labels ls = m->thanos.labels;

    if (rest.n > 0) {
        an_slice v = an_labels_get(ls, rest);
        an_buf_slice_add(out, v.p != NULL ? v : AN_LIT("<no value>")); /* as Go's templates say */
        return;
    }
    an_buf_str(out, "map[");
    for (size_t i = 0; i < ls.n; i++) {
        if (i > 0) an_buf_u8(out, ' ');
        an_buf_slice_add(out, ls.v[i].name);
        an_buf_u8(out, ':');
        an_buf_slice_add(out, ls.v[i].value);
    }
    an_buf_u8(out, ']');
}

FIELD(upload_time)
{
    char t[AN_TIME_TEXT];
    an_buf_add(out, t, an_time_print(m->thanos.upload_time.sec, m->thanos.upload_time.nsec, t));
}

static const field fields[] = {
    {"ULID", print_ulid, false},
    {"MinTime", print_mint, false},
    {"MaxTime", print_maxt, false},
    {"Stats.NumSamples", print_samples, false},
    {"Stats.NumFloatSamples", print_float_samples, false},
    {"Stats.NumHistogramSamples", print_histogram_samples, false},
    {"Stats.NumSeries", print_series, false},
    {"Stats.NumChunks", print_chunks, false},
    {"Stats.NumTombstones", print_tombstones, false},
    {"Compaction.Level", print_level, false},
    {"Compaction.Sources", print_sources, false},
    {"Compaction.Deletable", print_deletable, false},
    {"Compaction.Failed", print_failed, false},
    {"Compaction.Hints", print_hints, false},
    {"Version", print_version, false},
    {"Thanos.Version", print_thanos_version, false},
    {"Thanos.Labels", print_labels, true},
    {"Thanos.Downsample.Resolution", print_resolution, false},
    {"Thanos.Source", print_source, false},
    {"Thanos.SegmentFiles", print_segments, false},
    {"Thanos.IndexStats.SeriesMaxSize", print_series_max, false},
    {"Thanos.IndexStats.ChunkMaxSize", print_chunk_max, false},
    {"Thanos.UploadTime", print_upload_time, false},
};

/* The next `cc`, or NULL. */
static const uint8_t *find_pair(const uint8_t *p, const uint8_t *end, uint8_t c)
{
    for (; end - p >= 2; p++) {
        if (p[0] == c && p[1] == c) return p;
    }
    return NULL;
}

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

static an_slice trim(an_slice s)
{
    while (s.n > 0 && is_blank(*s.p)) s = an_slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && is_blank(s.p[s.n - 1])) s.n--;
    return s;
}

/* `.Thanos.Labels.cluster`: the field, and what is left of the path. */
static const field *find_field(an_slice action, an_slice *rest)
{
    *rest = AN_LIT("");
    if (action.n == 0 || *action.p != '.') return NULL;
    an_slice path = an_slice_of(action.p + 1, action.n - 1);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        an_slice name = an_slice_str(fields[i].path);
        if (an_slice_eq(path, name)) return &fields[i];
        if (fields[i].has_rest && path.n > name.n + 1 && an_slice_has_prefix(path, name) &&
            path.p[name.n] == '.') {
            *rest = an_slice_of(path.p + name.n + 1, path.n - name.n - 1);
            return &fields[i];
        }
    }
    return NULL;
}

an_rc an_block_template_parse(an_arena *a, an_slice text, an_block_template **out, an_err *err)
{
    an_rc rc = AN_OK;
    const uint8_t *p = text.p, *end = text.p + text.n;
    an_block_template *t = an_arena_alloc(a, sizeof *t);

    *out = NULL;
    t->parts = an_arena_alloc(a, (text.n / 4 + 1) * sizeof *t->parts); /* `{{}}` is four bytes */
    for (;;) {
        const uint8_t *open = find_pair(p, end, '{');
        part *q = &t->parts[t->n++];
        q->text = an_slice_of(p, (size_t)((open != NULL ? open : end) - p));
        if (open == NULL) break;
        const uint8_t *close = find_pair(open + 2, end, '}');
        AN_CHECK(close != NULL, err, AN_EINVALID, "invalid template: unclosed action");
        an_slice action = trim(an_slice_of(open + 2, (size_t)(close - open - 2)));
        q->field = find_field(action, &q->rest);
        AN_CHECK(q->field != NULL, err, AN_EINVALID,
                 "invalid template: {{%.*s}} is not the name of a field such as {{.ULID}} or "
                 "{{.Thanos.Labels.cluster}}",
                 AN_PRI(action));
        p = close + 2;
    }
    *out = t;
out:
    return rc;
}

void an_block_template_print(const an_block_template *t, const an_meta *m, an_buf *out)
{
    for (size_t i = 0; i < t->n; i++) {
        an_buf_slice_add(out, t->parts[i].text);
        if (t->parts[i].field != NULL) t->parts[i].field->print(m, t->parts[i].rest, out);
    }
    an_buf_u8(out, '\n');
}
