// SPDX-License-Identifier: Apache-2.0
/* The bytes of every encoding, by the examples of the specification (tsdb-block 7.2 to 7.6), and
 * what is refused. */
#include "tsdb/chunk/aggr.h"
#include "tsdb/chunk/hist_layout.h"
#include "tsdb/chunk/reencode.h"
#include "unit/tsdb/chunk/samples.h"

static uint64_t bits(double d) { return an_float_bits(d); }

/* Writes samples that all go into one chunk. */
static an_slice encode(an_arena *a, uint8_t encoding, const an_sample *s, size_t n)
{
    an_chunk_enc *e = an_arena_alloc(a, sizeof *e);
    an_hist_fit fit;
    an_err err;

    an_chunk_enc_init(e, a);
    an_chunk_start(e, an_chunk_codec_of(encoding));
    for (size_t i = 0; i < n; i++) {
        if (s[i].type == AN_VAL_FLOAT) {
            assert_int_equal(e->codec->floats(e, 1, &s[i].t, &s[i].v, &s[i].st, &err), AN_OK);
        } else {
            assert_int_equal(e->codec->hist(e, s[i].t, s[i].st, s[i].h, &fit, &err), AN_OK);
            assert_false(fit.cut);
        }
    }
    return an_chunk_finish(e);
}

/* The chunk holds these samples, and says so in its header. */
static void decodes_to(an_arena *a, uint8_t encoding, an_slice data, const an_sample *want,
                       size_t n)
{
    const an_chunk_codec *codec = an_chunk_codec_of(encoding);
    an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
    an_slice copy = exact(data);
    an_err err;
    an_sample s = {0};
    uint32_t count = 0;

    an_chunk_iter_init(it, a);
    assert_int_equal(an_chunk_count(codec, copy, &count, &err), AN_OK);
    assert_int_equal(count, n);
    assert_int_equal(an_chunk_iter_open(it, codec, copy, &err), AN_OK);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
        assert_true(sample_same(&s, &want[i]));
    }
    assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
    assert_int_equal(s.type, AN_VAL_NONE);
    exact_free(copy);
}

/* Both ways, and with bytes behind the end, which old writers left. */
static void is_chunk(uint8_t encoding, const an_sample *s, size_t n, const char *hex)
{
    an_arena *a = an_arena_new(NULL);
    an_slice want = from_hex(hex), got = encode(a, encoding, s, n);
    uint8_t longer[512] = {0};

    assert_int_equal(got.n, want.n);
    assert_memory_equal(got.p, want.p, want.n);
    decodes_to(a, encoding, want, s, n);
    memcpy(longer, want.p, want.n);
    longer[want.n + 1] = 0xff;
    decodes_to(a, encoding, an_slice_of(longer, want.n + 2), s, n);
    exact_free(want);
    an_arena_free(a);
}

static an_sample f(int64_t t, double v)
{
    return (an_sample){.t = t, .v = bits(v), .type = AN_VAL_FLOAT};
}
static an_sample fb(int64_t t, uint64_t v)
{
    return (an_sample){.t = t, .v = v, .type = AN_VAL_FLOAT};
}
static an_sample fs(int64_t st, int64_t t, double v)
{
    return (an_sample){.st = st, .t = t, .v = bits(v), .type = AN_VAL_FLOAT};
}
#define N(a) (sizeof(a) / sizeof *(a))

static void xor_chunks_are_those_of_the_specification(void **state)
{
    (void)state;
    an_sample x1[] = {f(0, 0)};
    is_chunk(1, x1, N(x1), "0001 00 0000000000000000");
    an_sample x2[] = {f(1000, 1), f(2000, 1), f(3000, 1)};
    is_chunk(1, x2, N(x2), "0003 d00f 3ff0000000000000 e807 00");
    an_sample x3[] = {f(1000, 1), f(16000, 2), f(31000, 3), f(46001, 4)};
    is_chunk(1, x3, N(x3), "0004 d00f 3ff0000000000000 9875 c25fff6c070003ac2c");
    an_sample x4[] = {f(1600000000000, 12), f(1600000015000, 12.5), fb(1600000030000, AN_STALE_NAN),
                      f(1600000090000, -3)};
    is_chunk(1, x4, N(x4),
             "0004 8080f4f6905d 4028000000000000 9875 "
             "de0d8bdff6400000000000e57e460feffe00000000000080");
    an_sample x5[] = {f(0, 0),      f(0, 0),        f(8192, 1),        f(8192, 1),
                      f(-57343, 1), f(10000000, 1), f(-90000000000, 1)};
    is_chunk(1, x5, N(x5),
             "0007 00 0000000000000000 00 "
             "5000622bffde00068000bc000000000269d9f9fffffffd614c5de020");
    an_sample x6[] = {fb(-1, 0x7ff0000000000000), fb(1, 0x8000000000000000), fb(3, 1), fb(5, 1)};
    is_chunk(1, x6, N(x6), "0004 01 7ff0000000000000 02 c067ffb001000000000000000200");
    an_sample x7[] = {f(0, 0), f(0, 0), f(300000, 0), f(75713, 0)};
    is_chunk(1, x7, N(x7), "0004 00 0000000000000000 00 7249f03a000040");
}

static void xor2_chunks_are_those_of_the_specification(void **state)
{
    (void)state;
    an_sample y1[] = {f(1000, 1), f(2000, 1), f(3000, 1)};
    is_chunk(4, y1, N(y1), "0003 00 d00f 3ff0000000000000 e807 00");
    an_sample y2[] = {f(1000, 1),
                      f(16000, 2),
                      f(31000, 3),
                      f(46001, 4),
                      fb(61002, AN_STALE_NAN),
                      f(76003, 4),
                      fb(91003, AN_STALE_NAN),
                      f(106003, 5)};
    is_chunk(4, y2, N(y2), "0008 00 d00f 3ff0000000000000 9875 c12fffd603c001cb0bfb7fffd683");
    an_sample y3[] = {fs(500, 1000, 1), fs(500, 2000, 2), fs(500, 3000, 3), fs(2900, 4000, 1),
                      fs(2900, 5000, 2)};
    is_chunk(4, y3, N(y3), "0005 83 d00f 3ff0000000000000 e807 e807 c12fffd603a133fff8c93ffbc7d0");
    an_sample y4[] = {fs(500, 1000, 1), fs(1500, 2000, 2), fs(1500, 3000, 3), fs(2900, 4000, 1),
                      fs(2900, 5000, 2)};
    is_chunk(4, y4, N(y4),
             "0005 81 d00f 3ff0000000000000 e807 e807 c12ffffb832b01f8fa284cffff7384ffef1f40");
}

static void an_xor2_chunk_has_start_timestamps_from_sample_127_on_even_if_all_are_0(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_sample s[200];

    for (size_t n = 126; n <= 129; n++) {
        for (size_t i = 0; i < n; i++) s[i] = f((int64_t)i * 15000, 1);
        an_slice c = encode(a, 4, s, n);
        assert_int_equal(c.p[2], n <= 127 ? 0 : 0x7f);
        decodes_to(a, 4, c, s, n);
    }
    for (size_t i = 0; i < N(s); i++) s[i] = fs(i < 160 ? 0 : 12345, (int64_t)i * 15000, 1);
    an_slice c = encode(a, 4, s, N(s));
    assert_int_equal(c.p[2], 0x7f);
    decodes_to(a, 4, c, s, N(s));
    an_arena_free(a);
}

static const an_span SPANS[] = {{0, 2}, {1, 1}};
static const uint64_t D1[] = {1, 1, 0}, D2[] = {2, 1, 0}, D3[] = {3, 1, 0};
static const uint64_t A1[] = {0x3ff0000000000000, 0x4000000000000000, 0x4000000000000000},
                      A2[] = {0x4000000000000000, 0x4008000000000000, 0x4008000000000000},
                      A3[] = {0x4008000000000000, 0x4010000000000000, 0x4010000000000000};

static an_hist hist(uint64_t count, uint64_t zero, double sum, const uint64_t *deltas)
{
    return (an_hist){.zero_threshold = bits(0.001),
                     .sum = bits(sum),
                     .count = count,
                     .zero_count = zero,
                     .side[AN_POS] = {2, 3, SPANS, deltas}};
}
static an_hist fhist(double count, double zero, double sum, const uint64_t *v)
{
    an_hist h = hist(bits(count), bits(zero), sum, v);
    h.is_float = true;
    return h;
}
static an_sample hs(int64_t t, const an_hist *h)
{
    return (an_sample){.t = t, .type = h->is_float ? AN_VAL_FHIST : AN_VAL_HIST, .h = h};
}
static const an_hist STALE = {.sum = AN_STALE_NAN};

static void histogram_chunks_are_those_of_the_specification(void **state)
{
    (void)state;
    an_hist h1 = hist(6, 1, 18.5, D1), h2 = hist(9, 1, 25.5, D2), h3 = hist(13, 2, 30, D3);
    an_sample s1[] = {hs(1000, &h1), hs(16000, &h2), hs(31000, &h3)};
    is_chunk(2, s1, 3,
             "0003 00 ff3f50624dd2f1a9fc "
             "4a48c5e3e8b4500ca000000000002317c1d4c4db04b888c7689e00");
    an_sample s2[] = {hs(1000, &h1), hs(16000, &h2), hs(31000, &STALE)};
    is_chunk(2, s2, 3,
             "0003 00 ff3f50624dd2f1a9fc "
             "4a48c5e3e8b4500ca000000000002317c1d4c4db04b88317bfe4c00000000001");
    an_hist g = h1;
    g.hint = AN_HINT_GAUGE;
    g.zero_threshold = bits(0x1p-128);
    an_sample s3[] = {hs(5, &g)};
    is_chunk(2, s3, 1, "0001 c0 74 4a48c585b4500ca000000000002310");
    static const an_span three[] = {{0, 3}};
    static const uint64_t d4[] = {2, (uint64_t)-1, 1};
    uint64_t bounds[] = {bits(0.005), bits(1), bits(3.141592653589793)};
    an_hist h4 = {.schema = AN_HIST_CUSTOM,
                  .count = 5,
                  .sum = bits(7.25),
                  .n_custom = 3,
                  .custom = bounds,
                  .side[AN_POS] = {1, 3, three, d4}};
    an_sample s4[] = {hs(1000, &h4)};
    is_chunk(2, s4, 1, "0001 00 00 ee5c664ede3e9200490fdaa22168c78fa2a401d00000000000095e20");
    static const an_span four[] = {{0, 4}};
    static const uint64_t d5[] = {2, 1, (uint64_t)-2, 2};
    an_hist h5 = {.zero_threshold = bits(0.001),
                  .count = 10,
                  .zero_count = 1,
                  .sum = bits(26),
                  .side[AN_POS] = {1, 4, four, d5}};
    an_sample s5[] = {hs(1000, &h1), hs(16000, &h5)};
    is_chunk(2, s5, 2, "0002 00 ff3f50624dd2f1a9fc 46878fa2d140328000000000008c6d2f83a98a360b1880");
    an_sample s9[] = {hs(1000, &STALE)};
    is_chunk(2, s9, 1, "0001 00 00 1e3e81ffc0000000000008");
}

static void float_and_st_histogram_chunks_are_those_of_the_specification(void **state)
{
    (void)state;
    an_hist f1 = fhist(6, 1, 18.5, A1), f2 = fhist(9, 1, 25.5, A2), f3 = fhist(13, 2, 30, A3);
    an_sample s1[] = {hs(1000, &f1), hs(16000, &f2), hs(31000, &f3)};
    is_chunk(3, s1, 3,
             "0003 00 ff3f50624dd2f1a9fc 4a48c5e3e840180000000000003ff0000000000000403280"
             "00000000003ff000000000000040000000000000004000000000000000f83a98d42f5b04bc2"
             "5fffd80f60344c25fffda27ec07ac2f5858");
    an_hist h1 = hist(6, 1, 18.5, D1), h2 = hist(9, 1, 25.5, D2), h3 = hist(13, 2, 30, D3);
    an_sample s2[] = {hs(1000, &h1), hs(16000, &h2), hs(31000, &h3)};
    s2[0].st = s2[1].st = 500;
    s2[2].st = 15000;
    is_chunk(5, s2, 3,
             "0003 82 ff3f50624dd2f1a9fc "
             "4a48c5e3e8b4500ca000000000002317403fc1d4c4db04b888c7689e3c7d00");
}

typedef struct collected {
    an_arena *a;
    size_t n;
    struct {
        uint8_t encoding;
        int64_t mint, maxt;
        uint32_t n;
        an_slice data;
    } v[16];
} collected;

static an_rc collect(void *arg, const an_chunk_out *c, an_err *err)
{
    (void)err;
    collected *to = arg;

    assert_true(to->n < N(to->v));
    to->v[to->n].encoding = c->encoding;
    to->v[to->n].mint = c->mint;
    to->v[to->n].maxt = c->maxt;
    to->v[to->n].n = c->n;
    to->v[to->n++].data = an_arena_dup(to->a, c->data);
    return AN_OK;
}

static collected reencode(an_arena *a, const an_sample *s, size_t n)
{
    collected to = {.a = a};
    an_reencoder *r = an_arena_alloc(a, sizeof *r);
    an_err err;

    an_reencoder_init(r, a);
    an_reencode_begin(r, (an_chunk_sink){collect, &to});
    for (size_t i = 0; i < n; i++) assert_int_equal(an_reencode_sample(r, &s[i], &err), AN_OK);
    assert_int_equal(an_reencode_end(r, &err), AN_OK);
    return to;
}

static void second_is(const collected *c, uint8_t encoding, const char *hex)
{
    an_slice want = from_hex(hex);

    assert_int_equal(c->n, 2);
    assert_int_equal(c->v[1].encoding, encoding);
    assert_int_equal(c->v[1].data.n, want.n);
    assert_memory_equal(c->v[1].data.p, want.p, want.n);
    exact_free(want);
}

static void a_cut_has_the_header_of_its_reason(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_hist h1 = hist(6, 1, 18.5, D1), h2 = hist(9, 1, 25.5, D2), g1 = h1;
    an_hist f1 = fhist(6, 1, 18.5, A1), f2 = fhist(9, 1, 25.5, A2);

    g1.hint = f1.hint = AN_HINT_GAUGE;
    an_sample reset[] = {hs(1000, &h2), hs(16000, &h1)};
    collected c = reencode(a, reset, 2);
    second_is(&c, 2, "0001 80 ff3f50624dd2f1a9fc 4a48c5f07d0168a0194000000000004620");
    an_sample gauge[] = {hs(1000, &g1), hs(16000, &h2)};
    c = reencode(a, gauge, 2);
    second_is(&c, 2, "0001 40 ff3f50624dd2f1a9fc 4a48c5f07d01898a01cc000000000004a2");
    an_sample fgauge[] = {hs(1000, &f1), hs(16000, &f2)};
    c = reencode(a, fgauge, 2);
    second_is(&c, 3,
              "0001 00 ff3f50624dd2f1a9fc 4a48c5f07d0080440000000000007fe0000000000000807300000000"
              "0000800000000000000080100000000000008010000000000000");
    assert_int_equal(c.v[0].data.p[2], AN_HH_GAUGE);
    an_arena_free(a);
}

/* A chunk with buckets 0 (empty) and 1 on the positive side, 0 on the negative one; then a sample
 * that lacks the empty one and has new ones on both sides, its negative spans cut in two. */
static void a_rewritten_chunk_has_the_spans_upstream_gives_it(void **state)
{
    (void)state;
    static const an_span p1[] = {{0, 2}}, n1[] = {{0, 1}}, p2[] = {{1, 2}}, n2[] = {{0, 1}, {0, 1}},
                         whole[] = {{0, 2}};
    static const uint64_t dp1[] = {0, 3}, dn1[] = {1}, dp2[] = {3, 0}, dn2[] = {1, 0};

    for (int gauge = 0; gauge < 2; gauge++) {
        an_arena *a = an_arena_new(NULL);
        an_hist one = {.count = 4, .side = {{1, 2, p1, dp1}, {1, 1, n1, dn1}}}, two = one;
        an_chunk_iter *it = an_arena_alloc(a, sizeof *it);
        an_sample s = {0};
        an_err err;

        two.count = 8;
        two.side[AN_POS] = (an_hist_side){1, 2, p2, dp2};
        two.side[AN_NEG] = (an_hist_side){2, 2, n2, dn2};
        one.hint = two.hint = gauge ? AN_HINT_GAUGE : AN_HINT_UNKNOWN;
        an_sample in[] = {hs(1000, &one), hs(2000, &two)};
        collected c = reencode(a, in, 2);
        assert_int_equal(c.n, 1);
        decodes_to(a, AN_ENC_HIST, c.v[0].data, in, 2);
        an_chunk_iter_init(it, a);
        assert_int_equal(an_chunk_iter_open(it, an_chunk_codec_of(AN_ENC_HIST), c.v[0].data, &err),
                         AN_OK);
        assert_int_equal(an_chunk_next(it, &s, &err), AN_OK);
        /* Positive: the canonical union, as the sample lacked a bucket there. Negative: the
         * sample's own spans; for a gauge the union on both sides. */
        const an_hist_side *pos = &it->h.h.side[AN_POS], *neg = &it->h.h.side[AN_NEG];
        assert_true(pos->n_spans == 1 && pos->spans[0].offset == 0 && pos->spans[0].length == 3);
        assert_int_equal(neg->n_spans, gauge ? 1 : 2);
        assert_memory_equal(neg->spans, gauge ? whole : n2, neg->n_spans * sizeof *neg->spans);
        an_arena_free(a);
    }
}

static void start_timestamps_decide_the_encoding(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_hist h1 = hist(6, 1, 18.5, D1), h2 = hist(9, 1, 25.5, D2);

    /* An XOR chunk ends before the first ST; an XOR2 chunk goes on without. */
    an_sample s[] = {f(1, 1), fs(1, 2, 1), f(3, 1), f(4, 1)};
    collected c = reencode(a, s, 4);
    assert_int_equal(c.n, 2);
    assert_true(c.v[0].encoding == AN_ENC_XOR && c.v[0].n == 1);
    assert_true(c.v[1].encoding == AN_ENC_XOR2 && c.v[1].n == 3);
    decodes_to(a, AN_ENC_XOR2, c.v[1].data, s + 1, 3);
    /* Histograms end at every change. */
    an_sample h[] = {hs(1, &h1), hs(2, &h1), hs(3, &h2)};
    h[1].st = 1;
    c = reencode(a, h, 3);
    assert_int_equal(c.n, 3);
    assert_true(c.v[0].encoding == AN_ENC_HIST && c.v[1].encoding == AN_ENC_HIST_ST &&
                c.v[2].encoding == AN_ENC_HIST);
    an_arena_free(a);
}

static void varbits_bounds_and_thresholds_are_those_of_the_specification(void **state)
{
    (void)state;
    static const struct {
        int64_t v;
        const char *hex;
    } ints[] = {{0, "00"},
                {1, "88"},
                {-3, "a8"},
                {4, "a0"},
                {5, "c280"},
                {-4, "de00"},
                {32, "d000"},
                {-31, "d080"},
                {33, "e108"},
                {256, "e800"},
                {257, "f08080"},
                {2048, "f40000"},
                {2049, "f80801"},
                {131073, "fc020001"},
                {16777217, "fe00000001000001"},
                {(INT64_C(1) << 55) + 1, "ff0080000000000001"}},
      uints[] = {{1, "88"},
                 {7, "b8"},
                 {8, "c400"},
                 {63, "df80"},
                 {64, "e200"},
                 {511, "eff8"},
                 {512, "f10000"},
                 {4095, "f7ff80"},
                 {4096, "f81000"},
                 {262144, "fc040000"},
                 {33554431, "fdffffff"},
                 {33554432, "fe00000002000000"},
                 {(INT64_C(1) << 56) - 1, "feffffffffffffff"},
                 {INT64_C(1) << 56, "ff0100000000000000"}};
    for (int is_int = 0; is_int < 2; is_int++) {
        for (size_t i = 0; i < (is_int ? N(ints) : N(uints)); i++) {
            uint8_t out[16];
            size_t n = 0;
            int64_t v = is_int ? ints[i].v : uints[i].v;
            an_slice want = from_hex(is_int ? ints[i].hex : uints[i].hex);
            an_bitw w = an_bitw_fixed(out, sizeof out);
            if (is_int)
                an_varbit_int_put(&w, v);
            else
                an_varbit_uint_put(&w, (uint64_t)v);
            assert_true(an_bitw_finish(&w, &n));
            assert_int_equal(n, want.n);
            assert_memory_equal(out, want.p, n);
            an_bitr r = an_bitr_of(want);
            assert_true(v == (is_int ? an_varbit_int_get(&r) : (int64_t)an_varbit_uint_get(&r)));
            exact_free(want);
        }
    }
    /* A layout: threshold, schema -53 (ee5c), no spans, one bound. */
    static const struct {
        double threshold, bound;
        const char *threshold_hex, *bound_hex;
    } layouts[] = {{1, 0, "f4", "88"},
                   {0.5, 0.001, "f3", "90"},
                   {1024, 0.005, "fe", "b0"},
                   {2048, 0.1, "ff40a0000000000000", "e328"},
                   {0.001, 1, "ff3f50624dd2f1a9fc", "f1f480"},
                   {0x1p-128, 33554.43, "74", "fdffffff"},
                   {0x1p-243, 33554.431, "01", "20703126e560418900"},
                   {0x1p-244, -1, "ff30b0000000000000", "5ff800000000000000"},
                   {0, 3.141592653589793, "00", "200490fdaa22168c00"}};
    an_arena *a = an_arena_new(NULL);
    for (size_t i = 0; i < N(layouts); i++) {
        uint64_t bound = bits(layouts[i].bound);
        an_hist h = {.schema = AN_HIST_CUSTOM,
                     .zero_threshold = bits(layouts[i].threshold),
                     .n_custom = 1,
                     .custom = &bound};
        uint8_t out[64];
        size_t n = 0;
        an_err err;
        an_bitw w = an_bitw_fixed(out, sizeof out);
        an_hist_layout_put(&w, &h);
        assert_true(an_bitw_finish(&w, &n));
        an_slice threshold = from_hex(layouts[i].threshold_hex),
                 want = from_hex(layouts[i].bound_hex);
        assert_memory_equal(out, threshold.p, threshold.n);
        /* 1111 1110 ... -53 takes 13 bits, the counts 1 + 1 + 5: the bound begins 20 bits later. */
        an_bitr r = an_bitr_of(an_slice_of(out, n)), b = an_bitr_of(want);
        for (size_t k = 0; k < threshold.n; k++) (void)an_bitr_get(&r, 8);
        assert_int_equal(an_varbit_int_get(&r), AN_HIST_CUSTOM);
        assert_int_equal(an_varbit_uint_get(&r) + an_varbit_uint_get(&r), 0);
        assert_int_equal(an_varbit_uint_get(&r), 1);
        while (an_bitr_left(&r) >= 8 && an_bitr_left(&b) >= 8)
            assert_int_equal(an_bitr_get(&r, 8), an_bitr_get(&b, 8));
        an_hist_read back = {0};
        an_bitr again = an_bitr_of(an_slice_of(out, n));
        assert_int_equal(an_hist_layout_get(a, &back, &again, &err), AN_OK);
        assert_false(again.bad);
        assert_true(back.stored.zero_threshold == h.zero_threshold &&
                    back.stored.custom[0] == bound);
        exact_free(threshold);
        exact_free(want);
    }
    an_arena_free(a);
}

#define AGGR                                                                                       \
    "11 01 0002becf244034000000000000e0a71200"                                                     \
    "14 01 0002becf24406a400000000000e0a712d0674a80"                                               \
    "14 01 0002becf243ff0000000000000e0a712c27ffc50"                                               \
    "12 01 0002becf244034000000000000e0a712d21f"                                                   \
    "19 01 0004003ff0000000000000dfa712c26ffc6000600e75b61000"

static void an_aggregate_chunk_is_taken_apart_and_put_together(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_slice data = from_hex(AGGR);
    an_aggr aggr;
    an_err err;
    an_buf out;
    uint32_t n = 0;
    an_sample want[AN_AGGR__COUNT][4] = {{f(299999, 20), f(599999, 20)},
                                         {f(299999, 210), f(599999, 610)},
                                         {f(299999, 1), f(599999, 21)},
                                         {f(299999, 20), f(599999, 40)},
                                         {f(0, 1), f(299999, 20), f(599999, 40), f(599999, 40)}};

    assert_int_equal(an_aggr_parse(data, &aggr, &err), AN_OK);
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        an_aggr_part part;
        assert_int_equal(an_aggr_get(data, i, &part, &err), AN_OK);
        assert_true(part.codec == aggr.part[i].codec && an_slice_eq(part.data, aggr.part[i].data));
        decodes_to(a, part.codec->encoding, part.data, want[i], i == AN_AGGR_COUNTER ? 4 : 2);
    }
    an_buf_init(&out, 4096, NULL);
    an_aggr_write(&out, &aggr);
    assert_true(an_slice_eq(an_buf_slice(&out), data));
    assert_int_equal(an_chunk_count(an_chunk_codec_of(255), data, &n, &err), AN_OK);
    assert_int_equal(n, 2);
    an_chunk_info info;
    an_chunk_iter it;
    an_chunk_iter_init(&it, a);
    assert_int_equal(an_chunk_validate(&it, an_chunk_codec_of(255), data, &info, &err), AN_OK);
    assert_true(info.n == 2 && info.min_t == 299999 && info.max_t == 599999 && info.rising);
    an_buf_deinit(&out);
    exact_free(data);
    an_arena_free(a);
}

static void an_absent_aggregate_is_told_as_upstream_does(void **state)
{
    (void)state;
    an_slice data = from_hex("11 01 0002becf244034000000000000e0a71200 00 00 00 00");
    an_aggr_part part;
    an_aggr aggr;
    an_err err;

    assert_int_equal(an_aggr_parse(data, &aggr, &err), AN_OK); /* whole */
    assert_int_equal(an_aggr_get(data, AN_AGGR_COUNT, &part, &err), AN_OK);
    assert_int_equal(an_aggr_get(data, AN_AGGR_MAX, &part, &err), AN_ENOTFOUND);
    assert_non_null(strstr(err.msg, "aggregate does not exist"));
    assert_int_equal(an_aggr_get(data, AN_AGGR_COUNTER, &part, &err), AN_ECORRUPT);
    assert_non_null(strstr(err.msg, "invalid size"));
    assert_int_equal(err.cause, AN_CAUSE_DS_INVALID_SIZE);
    exact_free(data);
    /* A container inside a container is no plain chunk. */
    data = from_hex("01 ff 00 00 00 00 00");
    assert_int_equal(an_aggr_parse(data, &aggr, &err), AN_EUNSUPPORTED);
    assert_int_equal(err.cause, AN_CAUSE_CHUNK_ENCODING);
    exact_free(data);
}

static void every_codec_fills_every_slot(void **state)
{
    (void)state;
    unsigned known = 0;

    for (unsigned e = 0; e <= UINT8_MAX; e++) {
        const an_chunk_codec *c = an_chunk_codec_of((uint8_t)e), *found = NULL;
        an_err err;
        if (c == NULL) {
            assert_int_equal(an_chunk_codec_find((uint8_t)e, &found, &err), AN_EUNSUPPORTED);
            assert_int_equal(err.cause, AN_CAUSE_CHUNK_ENCODING);
            assert_non_null(strstr(err.msg, e == 0 ? "invalid chunk encoding \"none\""
                                                   : "invalid chunk encoding \"<unknown>\""));
            continue;
        }
        known++;
        assert_int_equal(c->encoding, e);
        assert_true(c->name != NULL && c->count != NULL && c->open != NULL && c->fill != NULL &&
                    c->start != NULL && c->floats != NULL && c->hist != NULL && c->finish != NULL);
    }
    assert_int_equal(known, 7);
}

static void a_container_has_no_samples_and_a_codec_takes_only_its_own(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_chunk_iter it;
    an_chunk_enc e;
    an_hist_fit fit;
    an_err err;
    int64_t t = 0;
    uint64_t v = 0;

    an_chunk_iter_init(&it, a);
    assert_int_equal(an_chunk_iter_open(&it, an_chunk_codec_of(255), AN_LIT("\0"), &err),
                     AN_EUNSUPPORTED);
    an_chunk_enc_init(&e, a);
    an_chunk_start(&e, an_chunk_codec_of(AN_ENC_XOR));
    assert_int_equal(e.codec->hist(&e, 0, 0, &STALE, &fit, &err), AN_EINVALID);
    an_chunk_start(&e, an_chunk_codec_of(AN_ENC_HIST));
    assert_int_equal(e.codec->floats(&e, 1, &t, &v, NULL, &err), AN_EINVALID);
    an_arena_free(a);
}

static void damage_is_refused_with_numbers(void **state)
{
    (void)state;
    static const struct {
        uint8_t encoding;
        const char *hex, *text;
    } cases[] = {
        {1, "00", "shorter than its header"},
        {2, "0001", "shorter than its header"},
        {4, "0001", "shorter than its header"},
        {1, "ffff 00 0000000000000000", "cannot hold the 65535 samples"},
        {1, "0001", "cannot hold the 1 samples"},
        {1, "0001 ff", "in sample 0 of 1"},
        {1, "0001 ffffffffffffffffffff01 0000000000000000", "varint of more than 64 bits"},
        {1, "0002 00 0000000000000000 00 fffe00", "window of more than 64 bits in sample 1 of 2"},
        {1, "0003 00 0000000000000000 00 3ffe0000", "window of more than 64 bits in sample 2 of 3"},
        {4, "0002 00 00 0000000000000000 00 dfff00", "window of more than 64 bits in sample 1"},
        /* A histogram: threshold 0, then the schema: 9 + 6 bits say 53, and -10. */
        {2, "0001 00 00 e1a8000000", "got schema 53"},
        {2, "0001 00 00 db00000000", "got schema -10"},
        {2, "0001 00 00 7fffffffffffffffff 00", "spans do not fit"},
        /* Schema 0, one positive span of 2^25 - 1 buckets, offset 0. */
        {2, "0001 00 00 47 f7fffffe 0000000000000000", "buckets"},
        /* Schema -53, no spans, 2^25 - 1 bounds. */
        {2, "0001 00 00 ee59 fbffffff 00000000", "bounds do not fit"},
    };
    for (size_t i = 0; i < N(cases); i++) {
        an_arena *a = an_arena_new(NULL);
        an_slice data = from_hex(cases[i].hex);
        an_chunk_iter it;
        an_chunk_info info;
        an_err err = {0};
        an_chunk_iter_init(&it, a);
        an_rc rc = an_chunk_validate(&it, an_chunk_codec_of(cases[i].encoding), data, &info, &err);
        if (rc == AN_OK || strstr(err.msg, cases[i].text) == NULL)
            fail_msg("case %zu: %s, %s", i, an_rc_name(rc), rc == AN_OK ? "" : err.msg);
        exact_free(data);
        an_arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xor_chunks_are_those_of_the_specification),
        cmocka_unit_test(xor2_chunks_are_those_of_the_specification),
        cmocka_unit_test(an_xor2_chunk_has_start_timestamps_from_sample_127_on_even_if_all_are_0),
        cmocka_unit_test(histogram_chunks_are_those_of_the_specification),
        cmocka_unit_test(float_and_st_histogram_chunks_are_those_of_the_specification),
        cmocka_unit_test(a_cut_has_the_header_of_its_reason),
        cmocka_unit_test(a_rewritten_chunk_has_the_spans_upstream_gives_it),
        cmocka_unit_test(start_timestamps_decide_the_encoding),
        cmocka_unit_test(varbits_bounds_and_thresholds_are_those_of_the_specification),
        cmocka_unit_test(an_aggregate_chunk_is_taken_apart_and_put_together),
        cmocka_unit_test(an_absent_aggregate_is_told_as_upstream_does),
        cmocka_unit_test(every_codec_fills_every_slot),
        cmocka_unit_test(a_container_has_no_samples_and_a_codec_takes_only_its_own),
        cmocka_unit_test(damage_is_refused_with_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
