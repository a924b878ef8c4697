// SPDX-License-Identifier: Apache-2.0
/* bench/gen.c: blocks as a Kubernetes monitoring setup makes them, for the benchmarks.
 *
 *   gen OUT_DIR key=value ...
 *
 *   blocks=4 hours=2     how many blocks, and how long each is
 *   pods=200             targets of 100 series each
 *   interval_ms=15000    scrape interval
 *   churn=10             percent of the pods replaced in every 2 h
 *   replica=a            external label; another replica has its own scrape offsets and late
 * scrapes outages=0            windows of 5 min that a replica misses, in a thousand start=MS first
 * block's minTime; aligned to 14 d by default tail=1               two small blocks after the last
 * one, so that the planner takes the others seed=1
 *
 * Same arguments, same bytes. Blocks are written directly: chunks, index, meta.json with a thanos
 * section. Nine job classes; 20 metrics that every pod has once, 20 more per class with fan-outs
 * 18, 12, 10, 8, 6, 4, 3, 3, 2, 2, 2, 2 and eight times 1: 100 series a pod, 200 metric names in
 * all. */
#include "base/buf.h"
#include "base/ulid.h"
#include "tsdb/chunk/reencode.h"
#include "tsdb/index/index_writer.h"
#include "tsdb/segment/segment.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PER_POD = 100, COMMON = 20, CLASSES = 9, MAX_LABELS = 16, MAX_CHUNKS = 8192 };

static const int64_t TWO_HOURS = 2 * 3600 * 1000;

typedef struct options {
    int64_t blocks, hours, pods, interval_ms, churn, outages, start, tail, seed;
    const char *replica;
} options;

/* What one of a pod's 100 series is, the same for every pod of a class. */
typedef struct shape {
    char metric[40];
    int member;  /* which of its metric's fan-out */
    int n_extra; /* labels besides the eleven of every series */
} shape;

/* A target during its life. A replaced pod is a new one in the same place. */
typedef struct pod {
    int64_t place, generation;
    int64_t from, to; /* scraped in [from, to), ms; INT64_MAX: still there */
} pod;

typedef struct series {
    const pod *p;
    int index; /* of the 100 */
    size_t n_labels;
    an_slice names[MAX_LABELS], values[MAX_LABELS];
} series;

typedef struct value_state { /* lives on from block to block */
    double v;
    uint64_t n; /* scrapes so far */
} value_state;

typedef struct world {
    options o;
    shape shapes[CLASSES][PER_POD];
    pod *pods;
    size_t n_pods, cap_pods;
    value_state *state; /* place * PER_POD + index */
} world;

typedef struct block_out {
    const char *dir;
    int segment_fd;
    uint64_t segment_no, segment_pos;
    an_buf pending;
    an_chunk_meta chunks[MAX_CHUNKS]; /* of the present series */
    size_t n_chunks;
    uint64_t n_all_chunks, n_samples;
} block_out;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

static void ok(an_rc rc, const an_err *err)
{
    if (rc == AN_OK) return;
    (void)fprintf(stderr, "gen: %s\n", err->msg);
    exit(1);
}

/* splitmix64: every random choice is a function of where it is made. */
static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = a + 0x9e3779b97f4a7c15 * (b + 1);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

static double unit(uint64_t r) { return (double)(r >> 11) * 0x1p-53; }

static void shapes_of_class(int class, shape out[PER_POD])
{
    static const int fan[] = {18, 12, 10, 8, 6, 4, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1};
    int n = 0;

    for (int i = 0; i < COMMON; i++) {
        shape *s = &out[n++];
        *s = (shape){.n_extra = 1 + i % 3};
        (void)snprintf(s->metric, sizeof s->metric, "container_common_%02d_total", i);
    }
    for (int f = 0; f < (int)(sizeof fan / sizeof *fan); f++) {
        for (int m = 0; m < fan[f]; m++) {
            shape *s = &out[n++];
            *s = (shape){.member = m, .n_extra = 1 + f % 3};
            (void)snprintf(s->metric, sizeof s->metric, "class%d_metric_%02d_seconds", class, f);
        }
    }
    an_assert(n == PER_POD);
}

static void add_pod(world *w, pod p)
{
    if (w->n_pods == w->cap_pods) {
        w->cap_pods = w->cap_pods == 0 ? 1024 : 2 * w->cap_pods;
        pod *more = realloc(w->pods, w->cap_pods * sizeof *w->pods);
        an_assert(more != NULL);
        w->pods = more;
    }
    w->pods[w->n_pods++] = p;
}

/* Replaces churn % of the pods at random moments of the 2 h that start at t. */
static void churn(world *w, int64_t t)
{
    size_t n = w->n_pods;

    for (size_t i = 0; i < n; i++) {
        if (w->pods[i].to != INT64_MAX) continue;
        uint64_t r = mix((uint64_t)w->o.seed, mix((uint64_t)w->pods[i].place, (uint64_t)t));
        if ((int64_t)(r % 1000) >= w->o.churn * 10) continue;
        int64_t at = t + (int64_t)(unit(mix(r, 7)) * (double)TWO_HOURS);
        pod next = {w->pods[i].place, w->pods[i].generation + 1, at, INT64_MAX};
        w->pods[i].to = at;
        add_pod(w, next);
    }
}

static void label(series *s, const char *name, an_slice value)
{
    size_t i = s->n_labels++;

    for (; i > 0 && an_slice_cmp(s->names[i - 1], an_slice_str(name)) > 0; i--) { /* keep sorted */
        s->names[i] = s->names[i - 1];
        s->values[i] = s->values[i - 1];
    }
    s->names[i] = an_slice_str(name);
    s->values[i] = value;
}

static an_slice number(an_arena *a, const char *prefix, long long x, const char *suffix)
{
    const char *s = an_arena_printf(a, "%s%lld%s", prefix, x, suffix);
    return an_slice_str(s);
}

static void make_labels(const world *w, an_arena *a, series *s)
{
    static const char *const extra[] = {"code", "component", "device",     "handler",
                                        "le",   "method",    "mountpoint", "state"};
    long long place = s->p->place, class = place % CLASSES, service = place / 10;
    const shape *sh = &w->shapes[class][s->index];
    uint64_t id = mix((uint64_t)place, (uint64_t)s->p->generation);

    label(s, "__name__", an_slice_str(sh->metric));
    label(s, "app", number(a, "app-", service, ""));
    label(s, "container", number(a, "class", class, ""));
    label(s, "endpoint", AN_LIT("http-metrics"));
    label(s, "instance", number(a, "10.0.", (long long)(id % 16777216), ".7:8080"));
    label(s, "job", number(a, "job-class", class, ""));
    label(s, "namespace", number(a, "namespace-", service % 40, ""));
    label(s, "node", number(a, "ip-10-0-", place / 30, ".compute.internal"));
    label(
        s, "pod",
        number(a, "app-", service, an_arena_printf(a, "-%010llx", (unsigned long long)(id >> 24))));
    label(s, "service", number(a, "svc-", service, ""));
    label(s, "version", number(a, "v1.", s->p->generation, ""));
    for (int e = 0; e < sh->n_extra; e++)
        label(s, extra[(s->index + 3 * e) % 8],
              e == 0 ? number(a, "m", sh->member, "") : number(a, "x", s->index % 5, ""));
}

static int cmp_series(const void *x, const void *y)
{
    const series *a = x, *b = y;

    for (size_t i = 0; i < a->n_labels && i < b->n_labels; i++) {
        int d = an_slice_cmp(a->names[i], b->names[i]);
        if (d == 0) d = an_slice_cmp(a->values[i], b->values[i]);
        if (d != 0) return d;
    }
    return (a->n_labels > b->n_labels) - (a->n_labels < b->n_labels);
}

static int cmp_slices(const void *x, const void *y)
{
    return an_slice_cmp(*(const an_slice *)x, *(const an_slice *)y);
}

/* The next value of a series. By series 60 % counters (28 % integers with random steps, 52 % nearly
 * idle, 11 % seconds rounded to 10 ms, 9 % with all digits), 30 % gauges (40 % page multiples that
 * change every fourth scrape, 30 % small integers, 30 % three-decimal ratios), 10 % constants. */
static double next_value(value_state *st, uint64_t key)
{
    uint64_t r = mix(key, st->n++);
    unsigned kind = (unsigned)(mix(key, 99) % 100), sub = (unsigned)(mix(key, 98) % 100);

    if (kind >= 90) return 1;
    if (kind >= 60) {
        if (sub >= 70)
            st->v = (double)(r % 1000) / 1000;
        else if (sub >= 40 && st->n % 5 == 1)
            st->v = (double)(r % 64);
        else if (sub < 40 && st->n % 4 == 1)
            st->v = 4096 * (double)(200000 + r % 50000);
        return st->v;
    }
    if (r % 48000 == 0) st->v = 0; /* a restart */
    if (sub < 28)
        st->v += (double)(r >> 20 & 127);
    else if (sub < 80)
        st->v += (r >> 20 & 31) == 0 ? 1 : 0;
    else if (sub < 91)
        st->v = round((st->v + unit(r) * 5) * 100) / 100;
    else
        st->v += unit(r) * 3;
    if (sub < 80) st->v = floor(st->v);
    return st->v;
}

static void write_all(int fd, an_slice s)
{
    while (s.n > 0) {
        ssize_t n = write(fd, s.p, s.n);
        if (n < 0) die("write");
        s.p += n;
        s.n -= (size_t)n;
    }
}

static void end_segment(block_out *b)
{
    if (b->segment_fd < 0) return;
    write_all(b->segment_fd, an_buf_slice(&b->pending));
    an_buf_clear(&b->pending);
    if (close(b->segment_fd) != 0) die("close");
}

static void next_segment(block_out *b)
{
    char path[512];

    end_segment(b);
    (void)snprintf(path, sizeof path, "%s/chunks/%06llu", b->dir,
                   (unsigned long long)++b->segment_no);
    b->segment_fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (b->segment_fd < 0) die(path);
    an_buf_slice_add(&b->pending, an_slice_of(an_segment_header, AN_SEGMENT_HEADER));
    b->segment_pos = AN_SEGMENT_HEADER;
}

static an_rc take_chunk(void *arg, const an_chunk_out *c, an_err *err)
{
    block_out *b = arg;

    (void)err;
    if (b->segment_fd < 0 || b->segment_pos + c->data.n + 16 > AN_SEGMENT_MAX) next_segment(b);
    an_assert(b->n_chunks < MAX_CHUNKS);
    b->chunks[b->n_chunks++] =
        (an_chunk_meta){c->mint, c->maxt, (b->segment_no - 1) << 32 | b->segment_pos};
    size_t before = b->pending.n;
    an_chunk_frame_write(&b->pending, c->encoding, c->data);
    b->segment_pos += b->pending.n - before;
    b->n_all_chunks++;
    b->n_samples += c->n;
    if (b->pending.n > 1 << 20) {
        write_all(b->segment_fd, an_buf_slice(&b->pending));
        an_buf_clear(&b->pending);
    }
    return AN_OK;
}

static bool missed(const options *o, uint64_t r, int64_t t)
{
    if (r % 1000 == 0) return true;
    return (int64_t)(mix((uint64_t)o->replica[0], (uint64_t)(t / 300000)) % 1000) < o->outages;
}

/* The samples of one series in [mint, maxt), in chunks that end at every 2 h. */
static void write_samples(world *w, const series *s, int64_t mint, int64_t maxt, an_reencoder *re,
                          block_out *b)
{
    const options *o = &w->o;
    uint64_t pod_key = mix((uint64_t)s->p->place, (uint64_t)s->p->generation);
    uint64_t replica = (uint64_t)o->replica[0], key = mix(pod_key, (uint64_t)s->index);
    value_state *st = &w->state[s->p->place * PER_POD + s->index];
    int64_t from = s->p->from > mint ? s->p->from : mint, end = s->p->to < maxt ? s->p->to : maxt;
    int64_t window_end = mint - mint % TWO_HOURS + TWO_HOURS;
    an_err err;

    if (s->p->from > mint || st->n == 0) *st = (value_state){floor(unit(key) * 1000), 1};
    an_reencode_begin(re, (an_chunk_sink){take_chunk, b});
    int64_t t = from - from % o->interval_ms +
                (int64_t)(mix(pod_key, 1000 + replica) % (uint64_t)o->interval_ms);
    for (; t < end; t += o->interval_ms) {
        uint64_t r = mix(pod_key + replica, (uint64_t)t);
        double v = next_value(st, key);
        int64_t at = t + (r % 100 < 3 ? 1 + (int64_t)(r >> 32) % 20 : 0); /* late */
        if (t < from || at >= end || missed(o, r, t)) continue;
        if (at >= window_end) {
            ok(an_reencode_end(re, &err), &err);
            an_reencode_begin(re, (an_chunk_sink){take_chunk, b});
            while (at >= window_end) window_end += TWO_HOURS;
        }
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        ok(an_reencode_float(re, at, 0, bits, &err), &err);
    }
    if (s->p->to < maxt && t < maxt && t < window_end) /* the target went away: a stale marker */
        ok(an_reencode_float(re, t, 0, 0x7ff0000000000002, &err), &err);
    ok(an_reencode_end(re, &err), &err);
}

static an_rc to_file(void *arg, an_slice bytes, an_err *err)
{
    (void)err;
    write_all(*(int *)arg, bytes);
    return AN_OK;
}

static uint32_t ordinal(const an_slice *v, size_t n, an_slice s)
{
    size_t lo = 0, hi = n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (an_slice_cmp(v[mid], s) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (uint32_t)lo;
}

/* Sorted and unique, from sorted series. */
static an_slice *symbols_of(const series *s, size_t n, size_t *out_n)
{
    size_t m = 0, u = 0;
    an_slice *v = calloc(2 * MAX_LABELS * (n + 1), sizeof *v);

    an_assert(v != NULL);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < s[i].n_labels; j++) {
            const series *before = i > 0 && j < s[i - 1].n_labels ? &s[i - 1] : NULL;
            if (before == NULL || !an_slice_eq(before->names[j], s[i].names[j]))
                v[m++] = s[i].names[j];
            if (before == NULL || !an_slice_eq(before->values[j], s[i].values[j]))
                v[m++] = s[i].values[j];
        }
    }
    qsort(v, m, sizeof *v, cmp_slices);
    for (size_t i = 0; i < m; i++)
        if (u == 0 || !an_slice_eq(v[u - 1], v[i])) v[u++] = v[i];
    *out_n = u;
    return v;
}

static void write_meta(const char *id, int64_t mint, int64_t maxt, const world *w,
                       const block_out *b, uint64_t n_series, uint64_t index_size)
{
    char path[512];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/meta.json", b->dir);
    FILE *f = fopen(path, "w");
    if (f == NULL) die(path);
    (void)fprintf(f,
                  "{\"ulid\": \"%s\", \"minTime\": %lld, \"maxTime\": %lld,\n"
                  " \"stats\": {\"numSamples\": %llu, \"numFloatSamples\": %llu, \"numSeries\": "
                  "%llu, \"numChunks\": %llu},\n"
                  " \"compaction\": {\"level\": 1, \"sources\": [\"%s\"]}, \"version\": 1,\n"
                  " \"thanos\": {\"labels\": {\"cluster\": \"bench\", \"replica\": \"%s\"},"
                  " \"downsample\": {\"resolution\": 0}, \"source\": \"sidecar\",\n  \"files\": [",
                  id, (long long)mint, (long long)maxt, (unsigned long long)b->n_samples,
                  (unsigned long long)b->n_samples, (unsigned long long)n_series,
                  (unsigned long long)b->n_all_chunks, id, w->o.replica);
    for (uint64_t i = 1; i <= b->segment_no; i++) {
        (void)snprintf(path, sizeof path, "%s/chunks/%06llu", b->dir, (unsigned long long)i);
        if (stat(path, &st) != 0) die(path);
        (void)fprintf(f, "{\"rel_path\": \"chunks/%06llu\", \"size_bytes\": %lld}, ",
                      (unsigned long long)i, (long long)st.st_size);
    }
    (void)fprintf(
        f,
        "{\"rel_path\": \"index\", \"size_bytes\": %llu}, {\"rel_path\": \"meta.json\"}],\n"
        "  \"index_stats\": {}, \"upload_time\": \"0001-01-01T00:00:00Z\"}}\n",
        (unsigned long long)index_size);
    if (fclose(f) != 0) die("meta.json");
}

/* Series entries and samples of a block whose series are sorted; returns how many have samples. */
static uint64_t write_series(world *w, const series *s, size_t n, int64_t mint, int64_t maxt,
                             block_out *b, uint64_t *index_size)
{
    char path[512];
    an_err err;
    an_arena *a = an_arena_new(NULL);
    an_strtab *tab = NULL;
    an_index_writer *iw = NULL;
    an_index_written done;
    an_reencoder re;
    size_t n_sym;
    an_slice *sym = symbols_of(s, n, &n_sym);

    (void)snprintf(path, sizeof path, "%s/index", b->dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) die(path);
    an_sink sink = {to_file, &fd};
    an_reencoder_init(&re, a);
    ok(an_strtab_new(NULL, NULL, &tab, &err), &err);
    for (size_t i = 0; i < n_sym; i++) ok(an_strtab_add(tab, sym[i], &err), &err);
    ok(an_index_writer_open(&sink, tab, NULL, NULL, &iw, &err), &err);
    for (size_t i = 0; i < n; i++) {
        uint32_t ords[2 * MAX_LABELS];
        b->n_chunks = 0;
        write_samples(w, &s[i], mint, maxt, &re, b);
        if (b->n_chunks == 0) continue;
        for (size_t j = 0; j < s[i].n_labels; j++) {
            ords[2 * j] = ordinal(sym, n_sym, s[i].names[j]);
            ords[2 * j + 1] = ordinal(sym, n_sym, s[i].values[j]);
        }
        ok(an_index_writer_add(iw, ords, s[i].n_labels, b->chunks, b->n_chunks, &err), &err);
    }
    ok(an_index_writer_finish(iw, &done, &err), &err);
    an_index_writer_close(iw);
    if (close(fd) != 0) die(path);
    an_strtab_free(tab);
    free(sym);
    an_arena_free(a);
    *index_size = done.size;
    return done.n_series;
}

static void write_block(world *w, const char *out_dir, int64_t mint, int64_t maxt,
                        size_t max_series)
{
    char dir[400], path[512], id[AN_ULID_TEXT + 1];
    uint8_t entropy[10] = {(uint8_t)w->o.replica[0], (uint8_t)w->o.seed};
    an_arena *a = an_arena_new(NULL);
    size_t n = 0;
    series *s = calloc(w->n_pods * PER_POD, sizeof *s);
    block_out *b = calloc(1, sizeof *b);

    an_assert(s != NULL && b != NULL);
    an_ulid_format(an_ulid_make((uint64_t)(maxt + 5000), entropy), id);
    (void)snprintf(dir, sizeof dir, "%s/%s", out_dir, id);
    (void)snprintf(path, sizeof path, "%s/chunks", dir);
    if (mkdir(dir, 0755) != 0 || mkdir(path, 0755) != 0) die(dir);
    b->dir = dir;
    b->segment_fd = -1;
    an_buf_init(&b->pending, SIZE_MAX / 2, NULL);
    for (size_t i = 0; i < w->n_pods && n < max_series; i++) {
        if (w->pods[i].from >= maxt || w->pods[i].to <= mint) continue;
        for (int k = 0; k < PER_POD; k++) {
            s[n] = (series){.p = &w->pods[i], .index = k};
            make_labels(w, a, &s[n++]);
        }
    }
    qsort(s, n, sizeof *s, cmp_series);
    uint64_t index_size, n_series = write_series(w, s, n, mint, maxt, b, &index_size);
    end_segment(b);
    write_meta(id, mint, maxt, w, b, n_series, index_size);
    (void)printf("%s %llu series %llu samples %llu chunks\n", id, (unsigned long long)n_series,
                 (unsigned long long)b->n_samples, (unsigned long long)b->n_all_chunks);
    an_buf_deinit(&b->pending);
    free(b);
    free(s);
    an_arena_free(a);
}

static void parse(options *o, int argc, char **argv)
{
    const struct {
        const char *key;
        int64_t *to;
    } keys[] = {{"blocks", &o->blocks}, {"hours", &o->hours}, {"pods", &o->pods},
                {"churn", &o->churn},   {"start", &o->start}, {"outages", &o->outages},
                {"tail", &o->tail},     {"seed", &o->seed},   {"interval_ms", &o->interval_ms}};
    const size_t n_keys = sizeof keys / sizeof *keys;

    for (int i = 2; i < argc; i++) {
        const char *eq = strchr(argv[i], '=');
        size_t len = eq == NULL ? strlen(argv[i]) : (size_t)(eq - argv[i]), k = 0;
        while (k < n_keys && (strlen(keys[k].key) != len || memcmp(keys[k].key, argv[i], len) != 0))
            k++;
        if (eq != NULL && k < n_keys) {
            *keys[k].to = strtoll(eq + 1, NULL, 10);
        } else if (strncmp(argv[i], "replica=", 8) == 0 && argv[i][8] != '\0') {
            o->replica = argv[i] + 8;
        } else {
            (void)fprintf(stderr, "gen: %s: unknown\n", argv[i]);
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    const int64_t fortnight = INT64_C(14) * 24 * 3600 * 1000;
    world w = {.o = {.blocks = 4,
                     .hours = 2,
                     .pods = 200,
                     .interval_ms = 15000,
                     .churn = 10,
                     .tail = 1,
                     .seed = 1,
                     .start = INT64_C(1700000000000) / fortnight * fortnight,
                     .replica = "a"}};

    if (argc < 2) {
        (void)fprintf(stderr, "usage: gen OUT_DIR key=value ...\n");
        return 2;
    }
    parse(&w.o, argc, argv);
    for (int c = 0; c < CLASSES; c++) shapes_of_class(c, w.shapes[c]);
    w.state = calloc((size_t)w.o.pods * PER_POD, sizeof *w.state);
    an_assert(w.state != NULL);
    for (int64_t i = 0; i < w.o.pods; i++) add_pod(&w, (pod){i, 0, INT64_MIN, INT64_MAX});
    if (mkdir(argv[1], 0755) != 0 && access(argv[1], W_OK) != 0) die(argv[1]);
    int64_t span = w.o.hours * 3600 * 1000, t = w.o.start;
    for (int64_t b = 0; b < w.o.blocks; b++, t += span) {
        for (int64_t h = 0; h < w.o.hours; h += 2) churn(&w, t + h * 3600 * 1000);
        write_block(&w, argv[1], t, t + span, SIZE_MAX);
    }
    for (int64_t i = 0; i < (w.o.tail != 0 ? 2 : 0); i++)
        write_block(&w, argv[1], t + i * TWO_HOURS, t + (i + 1) * TWO_HOURS, PER_POD);
    free(w.pods);
    free(w.state);
    return 0;
}
