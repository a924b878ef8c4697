// SPDX-License-Identifier: Apache-2.0
/* Downsampling against upstream's recorded results: whole series, the counter iterator, histogram
 * arithmetic, bit by bit. golden/downsampling says how a case is to be read. */
#include "base/cursor.h"
#include "base/crc32c.h"
#include "compact/downsample/downsample.h"
#include "compact/downsample/series.h"
#include "compact/downsample/window.h"
#include "tsdb/meta/meta.h"
#include "unit/tsdb/chunk/samples.h"

typedef struct chunks { /* of a series */
    an_task_chunk v[800];
    size_t n;
} chunks;

static json_t *cases; /* read once, by main */

static double to_double(const json_t *v)
{
    if (json_is_string(v)) return an_float(strtoull(json_string_value(v), NULL, 16));
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static uint64_t to_bits(const json_t *v) { return v == NULL ? 0 : an_float_bits(to_double(v)); }

/* ---- histograms ---- */

static an_hist_side read_side(an_arena *a, const json_t *spans, const json_t *buckets, bool deltas)
{
    an_hist_side side = hist_side(a, spans, NULL);
    size_t n = json_array_size(buckets);
    uint64_t *v = an_arena_alloc(a, (n + 1) * sizeof *v);
    int64_t before = 0;

    for (size_t i = 0; i < n; i++) {
        v[i] = to_bits(json_array_get(buckets, i));
        if (!deltas) continue;
        int64_t count = (int64_t)an_float(v[i]);
        v[i] = (uint64_t)(count - before);
        before = count;
    }
    side.n = (uint32_t)n;
    side.v = v;
    return side;
}

static an_hist *read_hist(an_arena *a, const json_t *j, bool integers)
{
    an_hist *h = an_arena_alloc(a, sizeof *h);
    const json_t *cv = json_object_get(j, "cv");
    uint64_t *custom = an_arena_alloc(a, (json_array_size(cv) + 1) * sizeof *custom);

    for (size_t i = 0; i < json_array_size(cv); i++) custom[i] = to_bits(json_array_get(cv, i));
    *h = (an_hist){.is_float = !integers,
                   .hint = (an_hist_hint)golden_int(j, "hint"),
                   .schema = (int32_t)golden_int(j, "schema"),
                   .zero_threshold = to_bits(json_object_get(j, "zt")),
                   .zero_count = to_bits(json_object_get(j, "zc")),
                   .count = to_bits(json_object_get(j, "c")),
                   .sum = to_bits(json_object_get(j, "s")),
                   .n_custom = (uint32_t)json_array_size(cv),
                   .custom = custom};
    h->side[AN_POS] = read_side(a, json_object_get(j, "ps"), json_object_get(j, "pb"), integers);
    h->side[AN_NEG] = read_side(a, json_object_get(j, "ns"), json_object_get(j, "nb"), integers);
    if (integers) {
        h->count = (uint64_t)an_float(h->count);
        h->zero_count = (uint64_t)an_float(h->zero_count);
    }
    return h;
}

static bool same_side(const an_hist_side *x, const an_hist_side *y)
{
    return x->n_spans == y->n_spans && x->n == y->n &&
           (x->n_spans == 0 || memcmp(x->spans, y->spans, x->n_spans * sizeof *x->spans) == 0) &&
           (x->n == 0 || memcmp(x->v, y->v, x->n * sizeof *x->v) == 0);
}

/* To the last bit, hint and spans included. */
static void same_hist(const char *id, const an_hist *got, const an_hist *want)
{
    assert_true(got->is_float);
    if (got->hint != want->hint || got->schema != want->schema ||
        got->zero_threshold != want->zero_threshold || got->zero_count != want->zero_count ||
        got->count != want->count || got->sum != want->sum || got->n_custom != want->n_custom ||
        (got->n_custom > 0 &&
         memcmp(got->custom, want->custom, got->n_custom * sizeof *got->custom) != 0) ||
        !same_side(&got->side[AN_POS], &want->side[AN_POS]) ||
        !same_side(&got->side[AN_NEG], &want->side[AN_NEG]))
        fail_msg("%s: another histogram", id);
}

/* ---- series ---- */

/* Item i of a list of samples: [t, v], or [t, v, step, n] for n of them. */
typedef struct item {
    int64_t t, step;
    size_t n;
    const json_t *v;
} item;

static item item_of(const json_t *list, size_t i)
{
    const json_t *j = json_array_get(list, i);
    bool many = json_array_size(j) == 4;

    return (item){json_integer_value(json_array_get(j, 0)),
                  many ? json_integer_value(json_array_get(j, 2)) : 0,
                  many ? (size_t)json_integer_value(json_array_get(j, 3)) : 1,
                  json_array_get(j, 1)};
}

static an_slice dup(an_arena *a, an_slice s) { return an_arena_dup(a, s); }

static an_slice encode_floats(an_arena *a, const json_t *list)
{
    an_err err;
    an_chunk_enc e;
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_XOR);

    an_chunk_enc_init(&e, a);
    an_chunk_start(&e, codec);
    for (size_t i = 0; i < json_array_size(list); i++) {
        item it = item_of(list, i);
        uint64_t v = to_bits(it.v);
        for (size_t k = 0; k < it.n; k++, it.t += it.step)
            assert_int_equal(codec->floats(&e, 1, &it.t, &v, NULL, &err), AN_OK);
    }
    static const uint8_t empty[2] = {0}; /* a count of 0 */
    return e.n == 0 ? an_slice_of(empty, sizeof empty) : dup(a, an_chunk_finish(&e));
}

static void append(an_chunk_enc *e, int64_t t, const an_hist *h)
{
    an_err err;
    an_hist_fit fit;

    assert_int_equal(e->codec->hist(e, t, 0, h, &fit, &err), AN_OK);
    assert_false(fit.cut);
}

static an_slice encode_hists(an_arena *a, const json_t *list, bool integers, uint8_t header)
{
    an_chunk_enc e;

    an_chunk_enc_init(&e, a);
    an_chunk_start(&e, an_chunk_codec_of(integers ? AN_ENC_HIST : AN_ENC_FHIST));
    for (size_t i = 0; i < json_array_size(list); i++) {
        item it = item_of(list, i);
        an_hist *h = read_hist(a, it.v, integers);
        h->hint = header == AN_HH_GAUGE ? AN_HINT_GAUGE : AN_HINT_NOT_RESET;
        for (size_t k = 0; k < it.n; k++, it.t += it.step) append(&e, it.t, h);
    }
    e.h.header = header;
    return dup(a, an_chunk_finish(&e));
}

static an_slice encode_aggr(an_arena *a, const json_t *aggr)
{
    an_aggr parts = {0};
    an_buf out;

    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        const json_t *list = json_object_get(aggr, an_aggr_name(i));
        if (list == NULL) continue;
        parts.part[i] = (an_aggr_part){an_chunk_codec_of(AN_ENC_XOR), encode_floats(a, list)};
    }
    an_buf_init(&out, 1 << 20, NULL);
    an_aggr_write(&out, &parts);
    assert_int_equal(out.n, an_aggr_size(&parts));
    an_slice s = dup(a, an_buf_slice(&out));
    an_buf_deinit(&out);
    return s;
}

/* Smallest and largest time; for an aggregate chunk over all its parts. */
static void find_times(an_arena *a, an_task_chunk *c)
{
    an_chunk_iter it;
    an_aggr aggr = {0};
    an_err err;
    an_chunk_info info;
    bool any = false;

    an_chunk_iter_init(&it, a);
    if (c->encoding == AN_ENC_AGGR)
        assert_int_equal(an_aggr_parse(c->data, &aggr, &err), AN_OK);
    else
        aggr.part[0] = (an_aggr_part){an_chunk_codec_of(c->encoding), c->data};
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        if (aggr.part[i].codec == NULL) continue;
        assert_int_equal(an_chunk_validate(&it, aggr.part[i].codec, aggr.part[i].data, &info, &err),
                         AN_OK);
        if (info.n == 0) continue;
        if (!any || info.min_t < c->mint) c->mint = info.min_t;
        if (!any || info.max_t > c->maxt) c->maxt = info.max_t;
        any = true;
    }
}

static void add_chunk(an_arena *a, chunks *c, uint8_t encoding, an_slice data, const json_t *j)
{
    an_task_chunk *t = &c->v[c->n];

    assert_true(c->n < sizeof c->v / sizeof c->v[0]);
    *t = (an_task_chunk){.ref = c->n++, .encoding = encoding, .data = data};
    find_times(a, t);
    if (json_object_get(j, "mint") != NULL) t->mint = golden_int(j, "mint");
    if (json_object_get(j, "maxt") != NULL) t->maxt = golden_int(j, "maxt");
}

static void read_chunks(an_arena *a, const json_t *in, const json_t *in_hex, chunks *c)
{
    size_t hex = 0;

    for (size_t i = 0; i < json_array_size(in); i++) {
        const json_t *j = json_array_get(in, i), *list = json_object_get(j, "s");
        an_slice enc = golden_str(j, "enc");
        bool integers = an_slice_eq(enc, AN_LIT("ih"));
        if (an_slice_eq(enc, AN_LIT("aggr"))) {
            add_chunk(a, c, AN_ENC_AGGR, encode_aggr(a, json_object_get(j, "aggr")), j);
        } else if (an_slice_eq(enc, AN_LIT("xor"))) {
            add_chunk(a, c, AN_ENC_XOR, encode_floats(a, list), j);
        } else if (in_hex != NULL) {
            an_slice s = from_hex(json_string_value(json_array_get(in_hex, hex++)));
            add_chunk(a, c, integers ? AN_ENC_HIST : AN_ENC_FHIST, dup(a, s), j);
            exact_free(s);
        } else {
            an_slice s = encode_hists(a, list, integers, (uint8_t)golden_int(j, "crh"));
            add_chunk(a, c, integers ? AN_ENC_HIST : AN_ENC_FHIST, s, j);
        }
    }
}

static const an_hist *generated(an_arena *a, int64_t k)
{
    static const an_span spans[2] = {{0, 2}, {1, 2}};
    an_hist *h = an_arena_alloc(a, sizeof *h);
    uint64_t *v = an_arena_alloc(a, 4 * sizeof *v);

    for (int i = 0; i < 4; i++) v[i] = an_float_bits((double)(i == 1 ? k + 2 : k + 1));
    *h = (an_hist){.is_float = true,
                   .hint = AN_HINT_NOT_RESET,
                   .schema = 1,
                   .zero_threshold = an_float_bits(0.001),
                   .zero_count = an_float_bits((double)(2 + k)),
                   .count = an_float_bits((double)(12 + 9 * k)),
                   .sum = an_float_bits(18.4 * (double)(k + 1)),
                   .side = {{2, 4, spans, v}, {2, 4, spans, v}}};
    return h;
}

static void end_chunk(an_arena *a, an_chunk_enc *e, uint8_t header, chunks *c)
{
    if (e->n == 0) return;
    if (e->codec->type != AN_VAL_FLOAT) e->h.header = header;
    add_chunk(a, c, e->codec->encoding, dup(a, an_chunk_finish(e)), NULL);
    an_chunk_start(e, e->codec);
}

static void generate(an_arena *a, const json_t *g, chunks *c)
{
    an_chunk_enc e;
    an_err err;
    int64_t step = golden_int(g, "step"), n = golden_int(g, "n"), mul = golden_int(g, "mul");
    int64_t mod = golden_int(g, "mod"), reset = golden_int(g, "reset_every"), before = -1;
    bool hists = an_slice_eq(golden_str(g, "kind"), AN_LIT("tfh"));
    uint8_t header = AN_HH_NOT_RESET;

    an_chunk_enc_init(&e, a);
    an_chunk_start(&e, an_chunk_codec_of(hists ? AN_ENC_FHIST : AN_ENC_XOR));
    for (int64_t i = 0; i < n; i++) {
        int64_t t = golden_int(g, "t0") + i * step;
        int64_t k = reset == 0 ? (i * mul) % mod : (i % reset) * mul;
        if (e.n == (uint64_t)golden_int(g, "per_chunk") || (hists && k < before)) {
            end_chunk(a, &e, header, c);
            header = k < before ? AN_HH_RESET : AN_HH_NOT_RESET;
        }
        before = k;
        if (hists) {
            append(&e, t, generated(a, k));
        } else {
            uint64_t v = an_float_bits((double)k / (double)golden_int(g, "div"));
            assert_int_equal(e.codec->floats(&e, 1, &t, &v, NULL, &err), AN_OK);
        }
    }
    end_chunk(a, &e, header, c);
}

static void read_input(an_arena *a, const json_t *j, chunks *c)
{
    json_t *gens = json_object_get(j, "gens");

    c->n = 0;
    read_chunks(a, json_object_get(j, "in"), json_object_get(json_object_get(j, "out"), "in_hex"),
                c);
    for (size_t i = 0; i < json_array_size(gens); i++) generate(a, json_array_get(gens, i), c);
    for (size_t i = 0; i < c->n; i++) c->v[i].ref = i;
    assert_true(c->n > 0);
}

static void out_init(an_task_out *out)
{
    an_buf_init(&out->frames, SIZE_MAX, NULL);
    an_buf_init(&out->metas, SIZE_MAX, NULL);
}

static void out_deinit(an_task_out *out)
{
    an_buf_deinit(&out->frames);
    an_buf_deinit(&out->metas);
}

/* What a fold has made, as chunks of the next one. The frames' sums are checked on the way. */
static void result_chunks(an_arena *a, const an_task_out *out, chunks *c)
{
    const an_chunk_meta *m = (const an_chunk_meta *)(const void *)out->metas.p;

    c->n = out->metas.n / sizeof *m;
    assert_true(c->n <= sizeof c->v / sizeof c->v[0]);
    for (size_t i = 0; i < c->n; i++) {
        an_cursor cur =
            an_cursor_of(an_slice_of(out->frames.p + m[i].ref, out->frames.n - (size_t)m[i].ref));
        uint64_t len = an_cursor_uvarint(&cur);
        an_slice body = an_cursor_take(&cur, len + 1);
        assert_int_equal(an_cursor_be32(&cur), an_crc32c(body));
        assert_false(cur.bad);
        assert_int_equal(body.p[0], AN_ENC_AGGR);
        c->v[i] = (an_task_chunk){.mint = m[i].mint,
                                  .maxt = m[i].maxt,
                                  .ref = i,
                                  .encoding = AN_ENC_AGGR,
                                  .data = dup(a, an_slice_of(body.p + 1, body.n - 1))};
    }
}

static void compare(const char *id, const json_t *want, const chunks *got)
{
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_AGGR);

    if (json_array_size(want) != got->n)
        fail_msg("%s: %zu chunks, expected %zu", id, got->n, json_array_size(want));
    for (size_t i = 0; i < got->n; i++) {
        const json_t *w = json_array_get(want, i);
        const an_task_chunk *g = &got->v[i];
        if (g->mint != golden_int(w, "mint") || g->maxt != golden_int(w, "maxt"))
            fail_msg("%s: chunk %zu is [%lld, %lld], expected [%lld, %lld]", id, i,
                     (long long)g->mint, (long long)g->maxt, (long long)golden_int(w, "mint"),
                     (long long)golden_int(w, "maxt"));
        if (codec->count(g->data) != golden_int(w, "n"))
            fail_msg("%s: chunk %zu counts %u windows, expected %lld", id, i, codec->count(g->data),
                     (long long)golden_int(w, "n"));
        if ((int64_t)g->data.n != golden_int(w, "len") ||
            an_crc32c(g->data) != golden_int(w, "crc32c"))
            fail_msg("%s: chunk %zu has other bytes (%zu, expected %lld)", id, i, g->data.n,
                     (long long)golden_int(w, "len"));
        an_slice hex = golden_hex(w, "hex");
        if (hex.n > 0) assert_true(an_slice_eq(hex, g->data));
        golden_free(hex);
    }
}

static an_rc fold(an_arena *a, const chunks *in, int64_t from, int64_t to, chunks *out, an_err *err)
{
    an_downsample target = {to};
    an_fold f = an_downsample_fold(&target);
    an_task_member m = {.block = "01ARZ3NDEKTSV4RRFFQ69G5FAV", .n_chunks = in->n, .chunks = in->v};
    an_task t = {.resolution = from, .n_members = 1, .members = &m};
    an_task_out made;

    out_init(&made);
    an_rc rc = f.run(f.arg, a, &t, &made, err);
    if (rc == AN_OK) result_chunks(a, &made, out);
    out_deinit(&made);
    return rc;
}

/* Below the fold, where nobody minds what the aggregates lack. */
static void aggregate_anyway(an_arena *a, const chunks *in, int64_t from, int64_t to, chunks *out)
{
    an_ds *d = an_arena_alloc(a, sizeof *d);
    an_task_out made;
    an_ds_gaps gaps = {0};
    an_err err;

    out_init(&made);
    an_ds_init(d, to, a, &made, "");
    assert_int_equal(an_ds_aggr(d, in->v, in->n, from, &gaps, &err), AN_OK);
    result_chunks(a, &made, out);
    out_deinit(&made);
}

static chunks in, five, hour; /* large */

/* Cases in which an aggregate is missing altogether, or (D13) has other times than the others:
 * upstream makes a chunk of it that no query can read, the fold refuses it, and what lies below
 * computes it. */
static bool has_gaps(const char *id)
{
    static const char *const ids[] = {"C22", "C25", "D11", "D13"};

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (strcmp(id, ids[i]) == 0) return true;
    return false;
}

static void one_series(an_arena *a, const char *id, const json_t *j)
{
    const json_t *out = json_object_get(j, "out");
    int64_t from = golden_int(j, "in_res"), to = golden_int(j, "res");
    an_err err = {0};

    read_input(a, j, &in);
    an_rc rc = fold(a, &in, from, to, &five, &err);
    if (json_object_get(out, "err") != NULL) {
        bool order = strncmp(json_string_value(json_object_get(out, "err")), "found over", 10) == 0;
        assert_int_equal(rc, AN_ECORRUPT);
        assert_int_equal(err.cause, order ? AN_CAUSE_OOO_CHUNKS : AN_CAUSE_DS_INVALID_SIZE);
        return;
    }
    if (has_gaps(id)) {
        assert_int_equal(rc, AN_ECORRUPT);
        assert_int_equal(err.cause, AN_CAUSE_DS_INVALID_SIZE);
        aggregate_anyway(a, &in, from, to, &five);
    } else if (rc != AN_OK) {
        fail_msg("%s: %s", id, err.msg);
    }
    compare(id, json_object_get(out, "chunks"), &five);
}

static void one_chain(an_arena *a, const char *id, const json_t *j)
{
    const json_t *out = json_object_get(j, "out");
    an_err err = {0};

    read_input(a, j, &in);
    if (fold(a, &in, AN_RES_RAW, AN_RES_5M, &five, &err) != AN_OK) fail_msg("%s: %s", id, err.msg);
    if (json_object_get(out, "err5m") != NULL) return; /* the two kinds of buckets: below */
    compare(id, json_object_get(out, "res5m"), &five);
    if (fold(a, &five, AN_RES_5M, AN_RES_1H, &hour, &err) != AN_OK) fail_msg("%s: %s", id, err.msg);
    compare(id, json_object_get(out, "res1h"), &hour);
}

/* Runs all cases of one op; there must be n of them. */
typedef void one_case(an_arena *a, const char *id, const json_t *j);

static void all_cases(const char *op, size_t n, one_case *one)
{
    size_t found = 0, i;
    json_t *j;

    json_array_foreach(cases, i, j)
    {
        if (!an_slice_eq(golden_str(j, "op"), an_slice_str(op))) continue;
        an_arena *a = an_arena_new(NULL);
        one(a, json_string_value(json_object_get(j, "id")), j);
        an_arena_free(a);
        found++;
    }
    assert_int_equal(found, n);
}

static void series_become_the_recorded_bytes(void **state)
{
    (void)state;
    all_cases("series", 42, one_series);
}

static void raw_series_become_5m_and_then_1h_bytes(void **state)
{
    (void)state;
    all_cases("chain", 43, one_chain);
}

static const json_t *find_case(const char *id)
{
    size_t i;
    json_t *j;

    json_array_foreach(cases, i, j)
    {
        if (strcmp(json_string_value(json_object_get(j, "id")), id) == 0) return j;
    }
    fail_msg("no case %s", id);
    return NULL;
}

/* The kind of buckets and the number of windows of an aggregate of histograms. */
static int32_t schema_of(an_arena *a, const an_task_chunk *c, int which, uint32_t *n)
{
    an_aggr_part part;
    an_chunk_iter it;
    an_sample s;
    an_err err;

    assert_int_equal(an_aggr_get(c->data, which, &part, &err), AN_OK);
    assert_int_equal(an_chunk_count(part.codec, part.data, n, &err), AN_OK);
    an_chunk_iter_init(&it, a);
    assert_int_equal(an_chunk_iter_open(&it, part.codec, part.data, &err), AN_OK);
    assert_int_equal(an_chunk_next(&it, &s, &err), AN_OK);
    return s.h->schema;
}

static void custom_and_exponential_buckets_in_one_batch_become_two_chunks(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_err err;
    uint32_t n;

    read_input(a, find_case("N15"), &in);
    assert_int_equal(fold(a, &in, AN_RES_RAW, AN_RES_5M, &five, &err), AN_OK);
    assert_int_equal(five.n, 2);
    for (size_t i = 0; i < 2; i++) {
        int32_t schema = i == 0 ? AN_HIST_CUSTOM : 1;
        assert_int_equal(schema_of(a, &five.v[i], AN_AGGR_SUM, &n), schema);
        assert_int_equal(n, i + 1);
        assert_int_equal(schema_of(a, &five.v[i], AN_AGGR_COUNTER, &n), schema);
        assert_int_equal(n, i + 1);
    }
    /* The first three are in one window, which ends with the last of them. */
    assert_int_equal(five.v[0].mint, 120000);
    assert_int_equal(five.v[0].maxt, 120000);
    assert_int_equal(five.v[1].mint, 299999);
    assert_int_equal(five.v[1].maxt, 300000);
    assert_int_equal(fold(a, &five, AN_RES_5M, AN_RES_1H, &hour, &err), AN_OK);
    assert_int_equal(hour.n, 2);
    assert_int_equal(schema_of(a, &hour.v[0], AN_AGGR_SUM, &n), AN_HIST_CUSTOM);
    assert_int_equal(schema_of(a, &hour.v[1], AN_AGGR_SUM, &n), 1);
    an_arena_free(a);
}

static void forced_batches_become_the_recorded_bytes(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_ds *d = an_arena_alloc(a, sizeof *d);
    const json_t *raw = find_case("B1"), *aggr = find_case("B2");
    an_task_out made;
    an_ds_seen seen;
    an_ds_gaps gaps = {0};
    an_ds_chunk list[16];
    an_err err;

    read_input(a, raw, &in);
    out_init(&made);
    an_ds_init(d, golden_int(raw, "res"), a, &made, "");
    uint64_t size = 12 / (uint64_t)golden_int(raw, "num_chunks") + 1;
    assert_int_equal(an_ds_raw_floats(d, in.v, in.n, size, &seen, &err), AN_OK);
    assert_int_equal(seen.n, 12);
    assert_int_equal(seen.first_t, 10);
    assert_int_equal(seen.last_t, 180);
    result_chunks(a, &made, &five);
    compare("B1", json_object_get(json_object_get(raw, "out"), "chunks"), &five);
    out_deinit(&made);

    read_input(a, aggr, &in);
    assert_true(in.n <= 16);
    for (size_t i = 0; i < in.n; i++)
        list[i] = (an_ds_chunk){in.v[i].mint, in.v[i].maxt, in.v[i].data, i};
    out_init(&made);
    an_ds_init(d, golden_int(aggr, "res"), a, &made, "");
    assert_int_equal(an_ds_aggr_floats(d, list, in.n, in.n / (size_t)golden_int(aggr, "num_chunks"),
                                       &gaps, &err),
                     AN_OK);
    result_chunks(a, &made, &hour);
    compare("B2", json_object_get(json_object_get(aggr, "out"), "chunks"), &hour);
    out_deinit(&made);
    an_arena_free(a);
}

static void one_encode(an_arena *a, const char *id, const json_t *j)
{
    const json_t *out = json_object_get(j, "out");
    an_slice want = golden_hex(out, "hex");

    (void)id;
    read_input(a, j, &in);
    assert_true(an_slice_eq(in.v[0].data, want));
    assert_int_equal(an_chunk_codec_of(AN_ENC_AGGR)->count(in.v[0].data), golden_int(out, "n"));
    golden_free(want);
}

static void aggregate_chunks_are_written_as_recorded(void **state)
{
    (void)state;
    all_cases("encode", 1, one_encode);
}

/* Compares the windows of a chunk, of 1 ms each, with the samples that each should hold. */
static size_t match_windows(an_arena *a, const an_task_chunk *chunk, const json_t *want, size_t at)
{
    an_aggr_part sum, count;
    an_chunk_iter it[2];
    an_sample s, c;
    an_err err;

    assert_int_equal(an_aggr_get(chunk->data, AN_AGGR_SUM, &sum, &err), AN_OK);
    assert_int_equal(an_aggr_get(chunk->data, AN_AGGR_COUNT, &count, &err), AN_OK);
    an_chunk_iter_init(&it[0], a);
    an_chunk_iter_init(&it[1], a);
    assert_int_equal(an_chunk_iter_open(&it[0], sum.codec, sum.data, &err), AN_OK);
    assert_int_equal(an_chunk_iter_open(&it[1], count.codec, count.data, &err), AN_OK);
    for (;;) {
        double total = 0;
        assert_int_equal(an_chunk_next(&it[0], &s, &err), AN_OK);
        assert_int_equal(an_chunk_next(&it[1], &c, &err), AN_OK);
        if (s.type == AN_VAL_NONE) return at;
        for (int k = 0; k < (int)an_float(c.v); k++) {
            const json_t *w = json_array_get(want, at++);
            assert_int_equal(json_integer_value(json_array_get(w, 0)), s.t);
            total += to_double(json_array_get(w, 1));
        }
        assert_true(an_float(s.v) == total);
    }
}

static void one_expand(an_arena *a, const char *id, const json_t *j)
{
    const json_t *want = json_object_get(j, "out");
    size_t at = 0;
    an_err err;

    (void)id;
    in.n = 0;
    add_chunk(a, &in, AN_ENC_XOR, encode_floats(a, json_array_get(json_object_get(j, "its"), 0)),
              NULL);
    assert_int_equal(fold(a, &in, AN_RES_RAW, 1, &five, &err), AN_OK);
    for (size_t i = 0; i < five.n; i++) at = match_windows(a, &five.v[i], want, at);
    assert_int_equal(at, json_array_size(want));
}

static void stale_and_falling_samples_are_passed_over(void **state)
{
    (void)state;
    all_cases("expand", 1, one_expand);
}

static void one_counter(an_arena *a, const char *id, const json_t *j)
{
    const json_t *its = json_object_get(j, "its"), *repeat = json_object_get(j, "its_repeat");
    const json_t *out = json_object_get(j, "out"), *want = json_object_get(out, "samples");
    an_ds *d = an_arena_alloc(a, sizeof *d);
    an_aggr_part parts[64];
    an_task_out none;
    an_ds_floats got = {0};
    double last;
    size_t n = 0;
    an_err err;

    for (size_t i = 0; i < json_array_size(its); i++) {
        an_slice data = encode_floats(a, json_array_get(its, i));
        int64_t times = repeat == NULL ? 1 : json_integer_value(json_array_get(repeat, i));
        for (; times > 0; times--) {
            assert_true(n < 64);
            parts[n++] = (an_aggr_part){an_chunk_codec_of(AN_ENC_XOR), data};
        }
    }
    out_init(&none);
    an_ds_init(d, 1, a, &none, "");
    assert_int_equal(an_ds_counter(d, parts, n, &got, &last, &err), AN_OK);
    if (got.n != json_array_size(want))
        fail_msg("%s: %zu samples, expected %zu", id, got.n, json_array_size(want));
    for (size_t i = 0; i < got.n; i++) {
        const json_t *w = json_array_get(want, i);
        assert_int_equal(got.t[i], json_integer_value(json_array_get(w, 0)));
        assert_int_equal(got.v[i], to_bits(json_array_get(w, 1)));
    }
    assert_int_equal(an_float_bits(last), to_bits(json_object_get(out, "lastV")));
}

static void counters_are_joined_over_chunks_as_recorded(void **state)
{
    (void)state;
    all_cases("resetiter", 7, one_counter);
}

static void one_target(an_arena *a, const char *id, const json_t *j)
{
    const json_t *args = json_object_get(j, "args");

    (void)a;
    for (size_t i = 0; i < json_array_size(args); i++) {
        int64_t v[5];
        for (size_t k = 0; k < 5; k++)
            v[k] = json_integer_value(json_array_get(json_array_get(args, i), k));
        int64_t want = json_integer_value(json_array_get(json_object_get(j, "out"), i));
        if ((int64_t)an_ds_target_chunks(v[0], v[1], v[2], v[3], (uint64_t)v[4]) != want)
            fail_msg("%s: number %zu is another", id, i);
    }
}

static void one_window(an_arena *a, const char *id, const json_t *j)
{
    const json_t *args = json_object_get(j, "args");

    (void)a;
    for (size_t i = 0; i < json_array_size(args); i++) {
        const json_t *v = json_array_get(args, i);
        int64_t want = json_integer_value(json_array_get(json_object_get(j, "out"), i));
        if (an_ds_window_end(json_integer_value(json_array_get(v, 0)),
                             json_integer_value(json_array_get(v, 1))) != want)
            fail_msg("%s: number %zu is another", id, i);
    }
}

static void windows_and_chunks_are_planned_as_recorded(void **state)
{
    (void)state;
    all_cases("tcc", 1, one_target);
    all_cases("cw", 1, one_window);
}

/* ---- histogram arithmetic ---- */

static void one_sum(an_arena *a, const char *id, const json_t *j)
{
    const json_t *out = json_object_get(j, "out");
    const an_hist *x = read_hist(a, json_object_get(j, "a"), false);
    const an_hist *y = read_hist(a, json_object_get(j, "b"), false);
    bool minus = an_slice_eq(golden_str(j, "op"), AN_LIT("sub"));
    an_fhist f;
    an_err err;

    an_fhist_init(&f, a);
    assert_int_equal(an_fhist_copy(&f, x, &err), AN_OK);
    an_rc rc = minus ? an_fhist_sub(&f, y, &err) : an_fhist_add(&f, y, &err);
    if (json_object_get(out, "err") != NULL) {
        assert_int_equal(rc, AN_ECORRUPT);
        assert_string_equal(err.msg, json_string_value(json_object_get(out, "err")));
        return;
    }
    assert_int_equal(rc, AN_OK);
    same_hist(id, &f.h, read_hist(a, json_object_get(out, "h"), false));
}

static void histograms_are_added_and_subtracted_as_recorded(void **state)
{
    (void)state;
    all_cases("add", 30, one_sum);
    all_cases("sub", 29, one_sum);
}

static void one_reduce(an_arena *a, const char *id, const json_t *j)
{
    const an_hist *x = read_hist(a, json_object_get(j, "a"), false);
    int32_t target = (int32_t)golden_int(j, "target");
    an_fhist f;
    an_err err;

    an_fhist_init(&f, a);
    assert_int_equal(x->schema == target ? an_fhist_copy(&f, x, &err)
                                         : an_fhist_reduce(&f, x, target, &err),
                     AN_OK);
    same_hist(id, &f.h, read_hist(a, json_object_get(json_object_get(j, "out"), "h"), false));
}

static void schemas_are_reduced_as_recorded(void **state)
{
    (void)state;
    all_cases("reduce", 16, one_reduce);
}

static void one_detect(an_arena *a, const char *id, const json_t *j)
{
    bool reset, want = json_is_true(json_object_get(json_object_get(j, "out"), "reset"));
    an_err err;

    /* `b` is the later one. */
    assert_int_equal(an_fhist_is_reset(read_hist(a, json_object_get(j, "b"), false),
                                       read_hist(a, json_object_get(j, "a"), false), &reset, &err),
                     AN_OK);
    if (reset != want) fail_msg("%s: %s", id, reset ? "a reset" : "no reset");
}

static void counter_resets_are_found_as_recorded(void **state)
{
    (void)state;
    all_cases("detect", 34, one_detect);
}

static void one_append(an_arena *a, const char *id, const json_t *j)
{
    const json_t *out = json_object_get(j, "out");
    an_slice want = golden_hex(out, "hex");
    an_chunk_enc e;
    an_fhist f;
    an_err err;

    an_chunk_enc_init(&e, a);
    an_chunk_start(&e, an_chunk_codec_of(AN_ENC_FHIST));
    an_fhist_init(&f, a);
    assert_int_equal(an_fhist_copy(&f, read_hist(a, json_object_get(j, "a"), false), &err), AN_OK);
    assert_int_equal(an_ds_append_hist(&e, 1000, &f, &err), AN_OK);
    assert_int_equal(an_fhist_copy(&f, read_hist(a, json_object_get(j, "b"), false), &err), AN_OK);
    assert_int_equal(an_ds_append_hist(&e, 2000, &f, &err), AN_OK);
    if (!an_slice_eq(an_chunk_finish(&e), want)) fail_msg("%s: other bytes", id);
    same_hist(id, &f.h, read_hist(a, json_object_get(out, "b_after"), false));
    golden_free(want);
}

static void histograms_are_appended_as_recorded(void **state)
{
    (void)state;
    all_cases("append2", 29, one_append);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(series_become_the_recorded_bytes),
        cmocka_unit_test(raw_series_become_5m_and_then_1h_bytes),
        cmocka_unit_test(custom_and_exponential_buckets_in_one_batch_become_two_chunks),
        cmocka_unit_test(forced_batches_become_the_recorded_bytes),
        cmocka_unit_test(aggregate_chunks_are_written_as_recorded),
        cmocka_unit_test(stale_and_falling_samples_are_passed_over),
        cmocka_unit_test(counters_are_joined_over_chunks_as_recorded),
        cmocka_unit_test(windows_and_chunks_are_planned_as_recorded),
        cmocka_unit_test(histograms_are_added_and_subtracted_as_recorded),
        cmocka_unit_test(schemas_are_reduced_as_recorded),
        cmocka_unit_test(counter_resets_are_found_as_recorded),
        cmocka_unit_test(histograms_are_appended_as_recorded),
    };
    json_t *doc = golden_json("downsampling/vectors.json");

    cases = golden_array(doc, "cases");
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(doc);
    return failed;
}
