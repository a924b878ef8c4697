// SPDX-License-Identifier: Apache-2.0
/* Hashes and varints against upstream's recorded results (vectors/hashes.json). */
#include "base/buf.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "unit/golden.h"
#include "unit/prng.h"

static void assert_slice(an_slice got, an_slice want)
{
    assert_int_equal(got.n, want.n);
    if (want.n > 0) assert_memory_equal(got.p, want.p, want.n);
}

static void xxh64_and_md5_are_upstreams(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/hashes.json"), *c;
    size_t i;

    json_array_foreach(golden_array(j, "raw"), i, c)
    {
        uint8_t md5[AN_MD5_BYTES];
        char hex[2 * AN_MD5_BYTES + 1];
        an_slice s = golden_bytes(c);
        assert_true(an_xxh64(s) == golden_u64(c, "xxh64"));
        an_md5(s, md5);
        an_hex(md5, sizeof md5, hex);
        assert_slice(an_slice_str(hex), golden_str(c, "md5"));
        golden_free(s);
    }
    assert_int_equal(i, 330);
    json_decref(j);
}

static void varints_are_upstreams(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/hashes.json"), *c;
    size_t i;

    json_array_foreach(golden_array(j, "varint"), i, c)
    {
        an_buf b;
        an_slice u = golden_hex(c, "uvarint"), v = golden_hex(c, "varint");
        an_buf_init(&b, 10, NULL);
        an_buf_uvarint(&b, golden_u64(c, "u"));
        assert_slice(an_buf_slice(&b), u);
        an_buf_clear(&b);
        an_buf_varint(&b, golden_i64(c, "i"));
        assert_slice(an_buf_slice(&b), v);
        an_buf_deinit(&b);
        golden_free(u);
        golden_free(v);
    }
    assert_int_equal(i, 84);
    json_decref(j);
}

/* `un`, `vn` = bytes read; 0 or less = cut short or over 64 bits, which is one answer here: bad. */
static void varints_are_read_as_upstream_reads_them(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/hashes.json"), *c;
    size_t i;

    json_array_foreach(golden_array(j, "varint_decode"), i, c)
    {
        an_slice s = golden_hex(c, "hex");
        an_cursor u = an_cursor_of(s), v = an_cursor_of(s);
        uint64_t got_u = an_cursor_uvarint(&u);
        int64_t got_v = an_cursor_varint(&v);
        assert_true(u.bad == (golden_int(c, "un") <= 0));
        assert_true(v.bad == (golden_int(c, "vn") <= 0));
        if (!u.bad) {
            assert_true(got_u == golden_u64(c, "uvarint"));
            assert_int_equal(s.n - u.left, golden_int(c, "un"));
        }
        if (!v.bad) {
            assert_true(got_v == golden_i64(c, "varint"));
            assert_int_equal(s.n - v.left, golden_int(c, "vn"));
        }
        golden_free(s);
    }
    assert_int_equal(i, 16);
    json_decref(j);
}

static void assert_sha256(an_slice s, const char *want)
{
    uint8_t out[AN_SHA256_BYTES];
    char hex[2 * AN_SHA256_BYTES + 1];

    an_sha256_of(s, out);
    an_hex(out, sizeof out, hex);
    assert_string_equal(hex, want);
}

static void sha256_is_the_standards(void **state)
{
    (void)state;
    assert_sha256(AN_LIT(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sha256(AN_LIT("abc"),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sha256(AN_LIT("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_of_pieces_is_that_of_the_whole(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();
    uint8_t bytes[500], whole[AN_SHA256_BYTES], pieces[AN_SHA256_BYTES];

    for (int round = 0; round < 200; round++) {
        size_t n = prng(&seed) % (sizeof bytes + 1);
        an_sha256 h, unfinished;
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)prng(&seed);
        an_sha256_of(an_slice_of(bytes, n), whole);
        an_sha256_init(&h);
        an_sha256_init(&unfinished);
        for (size_t off = 0; off < n;) {
            size_t piece = prng(&seed) % (n - off + 1);
            an_sha256_update(&h, an_slice_of(bytes + off, piece));
            an_sha256_update(&unfinished, an_slice_of(bytes + off, piece));
            off += piece;
        }
        an_sha256_deinit(&unfinished);
        an_sha256_final(&h, pieces);
        assert_memory_equal(pieces, whole, sizeof whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xxh64_and_md5_are_upstreams),
        cmocka_unit_test(varints_are_upstreams),
        cmocka_unit_test(varints_are_read_as_upstream_reads_them),
        cmocka_unit_test(sha256_is_the_standards),
        cmocka_unit_test(sha256_of_pieces_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
