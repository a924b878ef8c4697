// SPDX-License-Identifier: Apache-2.0
/* Bit reader and writer: round trips, the vectors of the format, and what they do at an end. */
#include "base/bits.h"
#include "unit/prng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* spec/tsdb-block.md 7.2: a prefix of ones, its zero (but for eight ones), the payload. */
static const struct {
    unsigned ones, bits;
    uint64_t payload;
    const char *hex;
} varbit[] = {
    {0, 0, 0, "00"},
    {1, 3, 1, "88"},
    {1, 3, (uint64_t)-3, "a8"},
    {1, 3, 4, "a0"},
    {1, 3, 7, "b8"},
    {2, 6, 5, "c280"},
    {2, 6, (uint64_t)-4, "de00"},
    {2, 6, 32, "d000"},
    {2, 6, (uint64_t)-31, "d080"},
    {2, 6, 63, "df80"},
    {3, 9, 33, "e108"},
    {3, 9, 256, "e800"},
    {3, 9, 511, "eff8"},
    {4, 12, 257, "f08080"},
    {4, 12, 2048, "f40000"},
    {4, 12, 4095, "f7ff80"},
    {5, 18, 2049, "f80801"},
    {5, 18, 4096, "f81000"},
    {6, 25, 131073, "fc020001"},
    {6, 25, 33554431, "fdffffff"},
    {7, 56, 16777217, "fe00000001000001"},
    {7, 56, (1ull << 56) - 1, "feffffffffffffff"},
    {8, 64, (1ull << 55) + 1, "ff0080000000000001"},
    {8, 64, 1ull << 56, "ff0100000000000000"},
};

static void hex_of(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) (void)snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static void prefix_codes_are_the_bytes_of_the_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof varbit / sizeof *varbit; i++) {
        uint8_t out[9];
        char hex[19] = "";
        size_t n = 0;
        unsigned ones = varbit[i].ones, bits = varbit[i].bits;
        an_bitw w = an_bitw_fixed(out, sizeof out);

        an_bitw_put(&w, ones == 8 ? 0xff : (2ull << ones) - 2, ones + (ones < 8));
        an_bitw_put(&w, varbit[i].payload, bits);
        assert_true(an_bitw_finish(&w, &n));
        hex_of(out, n, hex);
        assert_string_equal(hex, varbit[i].hex);

        an_bitr r = an_bitr_of(an_slice_of(out, n));
        assert_int_equal(an_bitr_ones(&r, 8), ones);
        uint64_t want = bits == 64 ? varbit[i].payload : varbit[i].payload & ((1ull << bits) - 1);
        assert_true(an_bitr_get(&r, bits) == want);
        assert_false(r.bad);
        assert_true(an_bitr_left(&r) < 8);
    }
}

/* One random stream: how it was written, and its bits one by one as the plain oracle. */
enum { FIELDS = 40 };
typedef struct stream {
    unsigned kind[FIELDS], bits[FIELDS]; /* kind 0: put; 1: uvarint; 2: varint */
    uint64_t v[FIELDS];
    uint8_t plain[FIELDS * 10];
    size_t n_bits;
} stream;

static void plain_put(stream *s, uint64_t v, unsigned n)
{
    while (n-- > 0) {
        if (v >> n & 1) s->plain[s->n_bits / 8] |= (uint8_t)(0x80 >> s->n_bits % 8);
        s->n_bits++;
    }
}

static void plain_uvarint(stream *s, uint64_t v)
{
    uint8_t t[10];
    size_t n = an_put_uvarint(t, v);
    for (size_t i = 0; i < n; i++) plain_put(s, t[i], 8);
}

static void stream_make(stream *s, uint64_t *seed, unsigned n_fields)
{
    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < n_fields; i++) {
        s->kind[i] = prng(seed) % 8 == 0 ? 1 + (unsigned)(prng(seed) % 2) : 0;
        s->bits[i] = (unsigned)(prng(seed) % 65);
        s->v[i] = prng(seed) >> prng(seed) % 64;
        if (s->kind[i] == 0) plain_put(s, s->v[i], s->bits[i]);
        if (s->kind[i] == 1) plain_uvarint(s, s->v[i]);
        if (s->kind[i] == 2) plain_uvarint(s, s->v[i] << 1 ^ (0 - (s->v[i] >> 63)));
    }
}

static void stream_write(const stream *s, unsigned n_fields, an_bitw *w)
{
    for (unsigned i = 0; i < n_fields; i++) {
        if (s->kind[i] == 0) an_bitw_put(w, s->v[i], s->bits[i]);
        if (s->kind[i] == 1) an_bitw_uvarint(w, s->v[i]);
        if (s->kind[i] == 2) an_bitw_varint(w, (int64_t)s->v[i]);
    }
}

/* Reads as far as the n bytes go; every field that is there is right, the first other one is bad.
 */
static void stream_check(const stream *s, unsigned n_fields, const uint8_t *p, size_t n)
{
    uint8_t *copy = n == 0 ? NULL : malloc(n); /* exactly n bytes: ASan sees the first too many */
    uint64_t done = 0;

    if (n > 0) {
        assert_non_null(copy);
        memcpy(copy, p, n);
    }
    an_bitr r = an_bitr_of(an_slice_of(copy, n));
    for (unsigned i = 0; i < n_fields && !r.bad; i++) {
        uint64_t want = s->v[i], got = 0;
        assert_true(an_bitr_left(&r) == n * 8 - done);
        if (s->kind[i] == 0) {
            if (s->bits[i] < 64) want &= (1ull << s->bits[i]) - 1;
            got = an_bitr_get(&r, s->bits[i]);
        } else {
            got = s->kind[i] == 1 ? an_bitr_uvarint(&r) : (uint64_t)an_bitr_varint(&r);
        }
        assert_true(got == (r.bad ? 0 : want));
        done = n * 8 - an_bitr_left(&r);
    }
    if (n * 8 >= s->n_bits) {
        assert_false(r.bad);
        assert_true(done == s->n_bits);
    } else if (n * 8 + 8 < s->n_bits) {
        assert_true(r.bad);
    }
    if (r.bad) {
        assert_true(an_bitr_get(&r, 1) == 0 && an_bitr_get(&r, 64) == 0 && r.bad);
        assert_int_equal(an_bitr_ones(&r, 8), 0);
        assert_true(an_bitr_uvarint(&r) == 0 && an_bitr_left(&r) == 0);
    }
    free(copy);
}

static void streams_round_trip_and_end_where_they_are_cut(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (int round = 0; round < 1000; round++) {
        stream s;
        an_buf b;
        uint8_t fixed[sizeof s.plain];
        size_t n_fixed = 0;
        unsigned n_fields = (unsigned)(prng(&seed) % (FIELDS + 1));

        stream_make(&s, &seed, n_fields);
        size_t n = (s.n_bits + 7) / 8;
        an_buf_init(&b, 3 + n, NULL);
        an_buf_str(&b, "abc");
        an_bitw w = an_bitw_to(&b);
        stream_write(&s, n_fields, &w);
        assert_true(an_bitw_finish(&w, NULL));
        assert_int_equal(b.n, 3 + n);
        assert_memory_equal(b.p, "abc", 3);
        assert_memory_equal(b.p + 3, s.plain, n);

        w = an_bitw_fixed(fixed, n);
        stream_write(&s, n_fields, &w);
        assert_true(an_bitw_finish(&w, &n_fixed));
        assert_int_equal(n_fixed, n);
        assert_memory_equal(fixed, s.plain, n);

        for (size_t cut = 0; cut <= n; cut++) stream_check(&s, n_fields, s.plain, cut);
        an_buf_deinit(&b);
    }
}

static void a_stream_that_does_not_fit_fails_and_leaves_its_buffer_as_it_was(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (size_t max = 0; max < 40; max++) {
        stream s;
        an_buf b;
        uint8_t *fixed = malloc(max + 1);

        do stream_make(&s, &seed, 20);
        while ((s.n_bits + 7) / 8 <= max);
        an_buf_init(&b, 2 + max, NULL);
        an_buf_str(&b, "ab");
        an_bitw w = an_bitw_to(&b);
        stream_write(&s, 20, &w);
        assert_false(an_bitw_finish(&w, NULL));
        assert_true(b.failed);
        assert_int_equal(b.n, 2);
        assert_memory_equal(b.p, "ab", 2);
        w = an_bitw_to(&b); /* a failed buffer takes no further stream */
        an_bitw_put(&w, 1, 1);
        assert_false(an_bitw_finish(&w, NULL));
        an_buf_deinit(&b);

        assert_non_null(fixed);
        fixed[max] = 0x5a;
        w = an_bitw_fixed(fixed, max);
        stream_write(&s, 20, &w);
        assert_false(an_bitw_finish(&w, NULL));
        assert_int_equal(fixed[max], 0x5a);
        free(fixed);
    }
}

static void a_run_of_ones_ends_at_its_zero_at_the_maximum_or_badly(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {0xff, 0xff, 0xdf, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    an_bitr r = an_bitr_of(an_slice_of(bytes, sizeof bytes));

    assert_int_equal(an_bitr_ones(&r, 0), 0);
    assert_int_equal(an_bitr_ones(&r, 8), 8);
    assert_int_equal(an_bitr_ones(&r, 56), 10); /* and its zero */
    assert_int_equal(an_bitr_left(&r), 72 - 8 - 11);
    assert_int_equal(an_bitr_ones(&r, 50), 50);
    assert_false(r.bad);
    assert_int_equal(an_bitr_peek(&r, 5), 0x1c); /* three ones, zeros past the end */
    assert_int_equal(an_bitr_ones(&r, 3), 3);
    assert_int_equal(an_bitr_left(&r), 0);
    assert_int_equal(an_bitr_ones(&r, 0), 0);
    assert_false(r.bad);
    assert_int_equal(an_bitr_ones(&r, 1), 0);
    assert_true(r.bad);

    r = an_bitr_of(an_slice_of(bytes, 1)); /* no ninth bit to end the run */
    assert_int_equal(an_bitr_ones(&r, 9), 0);
    assert_true(r.bad);
}

static void an_uvarint_over_64_bits_is_bad_at_any_position(void **state)
{
    (void)state;
    for (unsigned shift = 0; shift < 8; shift++) {
        for (uint64_t last = 0; last < 4; last++) {
            uint8_t out[16];
            size_t n = 0;
            an_bitw w = an_bitw_fixed(out, sizeof out);
            an_bitw_put(&w, 0, shift);
            for (int i = 0; i < 9; i++) an_bitw_put(&w, 0x80, 8);
            an_bitw_put(&w, last, 8);
            assert_true(an_bitw_finish(&w, &n));
            an_bitr r = an_bitr_of(an_slice_of(out, n));
            (void)an_bitr_get(&r, shift);
            uint64_t v = an_bitr_uvarint(&r);
            assert_true(r.bad == (last > 1));
            assert_true(v == (last == 1 ? 1ull << 63 : 0));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prefix_codes_are_the_bytes_of_the_format),
        cmocka_unit_test(streams_round_trip_and_end_where_they_are_cut),
        cmocka_unit_test(a_stream_that_does_not_fit_fails_and_leaves_its_buffer_as_it_was),
        cmocka_unit_test(a_run_of_ones_ends_at_its_zero_at_the_maximum_or_badly),
        cmocka_unit_test(an_uvarint_over_64_bits_is_bad_at_any_position),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
