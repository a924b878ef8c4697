// SPDX-License-Identifier: Apache-2.0
/* CRC32C: every implementation that this processor can run gives upstream's and the definition's
 * values. */
#include "base/crc32c.h"
#include "unit/golden.h"
#include "unit/prng.h"

/* The definition, bit by bit. */
static uint32_t plain(uint32_t crc, const uint8_t *p, size_t n)
{
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
    }
    return ~crc;
}

static void assert_all(uint32_t crc, an_slice s, uint32_t want)
{
    const char *name;

    assert_int_equal(an_crc32c_update(crc, s.p, s.n), want);
    for (size_t i = 0; (name = an_crc32c_path(i, crc, s, &(uint32_t){0})) != NULL; i++) {
        uint32_t a = 0, b = 1; /* both stay when the processor cannot run the path */
        an_crc32c_path(i, crc, s, &a);
        an_crc32c_path(i, crc, s, &b);
        if (a == 0 && b == 1) continue;
        if (a != want || b != want) fail_msg("%s: %08x, not %08x", name, a, want);
    }
}

static void every_path_gives_upstreams_values(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/hashes.json"), *c;
    size_t i;

    json_array_foreach(golden_array(j, "raw"), i, c)
    {
        an_slice s = golden_bytes(c);
        assert_all(0, s, (uint32_t)golden_int(c, "crc32c"));
        golden_free(s);
    }
    assert_int_equal(i, 330);
    assert_all(0, AN_LIT("123456789"), 0xe3069283);
    assert_all(0, AN_LIT("\0\0\0\0"), 0x48674bc7);
    json_decref(j);
}

/* All lengths around the borders of words, lanes and blocks (24 * 64 bytes), at all alignments. */
static void every_path_is_the_definition_at_every_length_and_alignment(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (size_t n = 0; n < 3300; n += n < 400 || (n > 1400 && n < 1750) ? 1 : 37) {
        uint8_t *p = malloc(n + 8);
        assert_non_null(p);
        for (size_t i = 0; i < n + 8; i++) p[i] = (uint8_t)prng(&seed);
        size_t at = n % 8; /* the bytes end where the memory ends, for ASan */
        uint32_t crc = (uint32_t)prng(&seed);
        uint8_t *exact = malloc(at + n + 1);
        assert_non_null(exact);
        exact = realloc(exact, at + n == 0 ? 1 : at + n);
        assert_non_null(exact);
        memcpy(exact + at, p, n);
        assert_all(crc, an_slice_of(exact + at, n), plain(crc, p, n));
        assert_all(0, an_slice_of(exact + at, n), plain(0, p, n));
        free(exact);
        free(p);
    }
}

static void pieces_give_the_value_of_the_whole(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();
    uint8_t p[2000];

    for (int round = 0; round < 1000; round++) {
        size_t n = prng(&seed) % (sizeof p + 1), cut = prng(&seed) % (n + 1);
        for (size_t i = 0; i < n; i++) p[i] = (uint8_t)prng(&seed);
        uint32_t first = an_crc32c(an_slice_of(p, cut));
        assert_all(first, an_slice_of(p + cut, n - cut), an_crc32c(an_slice_of(p, n)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_path_gives_upstreams_values),
        cmocka_unit_test(every_path_is_the_definition_at_every_length_and_alignment),
        cmocka_unit_test(pieces_give_the_value_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
