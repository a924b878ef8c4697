// SPDX-License-Identifier: Apache-2.0
/* ULIDs against upstream's recorded results (vectors/ulid.json). */
#include "base/hash.h"
#include "base/ulid.h"
#include "unit/golden.h"

static bool has_lower_case(an_slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] >= 'a' && s.p[i] <= 'z') return true;
    }
    return false;
}

/* In exactly s.n bytes, for ASan; with what strict and lenient reading say of it. */
static void parse_copy(an_slice s, bool *strict, bool *lenient, an_ulid *out)
{
    an_ulid u = {{1}}, v = {{2}};
    uint8_t *p = malloc(s.n + (s.n == 0));

    assert_non_null(p);
    if (s.n > 0) memcpy(p, s.p, s.n);
    *lenient = an_ulid_parse_lenient(an_slice_of(p, s.n), &u);
    *strict = an_ulid_parse(an_slice_of(p, s.n), &v);
    if (*strict) assert_true(*lenient && an_ulid_eq(u, v));
    *out = u;
    free(p);
}

/* The lenient reading is upstream's. The strict one is upstream's strict one, and refuses lower
 * case as well: a directory is read under the name it has, and upstream writes upper case only. */
static void text_is_read_as_upstream_reads_it(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/ulid.json"), *c;
    size_t i, n_lower = 0;

    json_array_foreach(golden_array(j, "parse"), i, c)
    {
        bool strict, lenient;
        an_ulid u;
        char hex[33], text[AN_ULID_TEXT + 1];
        an_slice in = golden_str(c, "in");
        parse_copy(in, &strict, &lenient, &u);
        assert_true(lenient == (golden_str(c, "err").n == 0));
        if (lenient) {
            an_hex(u.b, sizeof u.b, hex);
            assert_string_equal(hex, json_string_value(json_object_get(c, "bytes")));
            an_ulid_format(u, text);
            assert_string_equal(text, json_string_value(json_object_get(c, "canonical")));
            assert_true((int64_t)an_ulid_ms(u) == golden_int(c, "time_ms"));
        }
        bool lower = has_lower_case(in) && golden_str(c, "strict_err").n == 0;
        assert_true(strict == (golden_str(c, "strict_err").n == 0 && !lower));
        n_lower += lower;
    }
    assert_int_equal(i, 83);
    assert_true(n_lower > 0);
    json_decref(j);
}

/* golden/DEVIATIONS 10: upstream takes any 26 bytes after a first one up to '7' for a block; here
 * all must be digits, in upper case. The last element of the path is the caller's to cut off. */
static void block_directories_are_those_of_upstream_with_digits_only(void **state)
{
    (void)state;
    static const char *const refused[] = {"0-is-26-characters-longxxx",
                                          "01arz3ndektsv4rrffq69g5fav"};
    json_t *j = golden_json("vectors/ulid.json"), *c;
    size_t i, n_refused = 0;

    json_array_foreach(golden_array(j, "block_dir"), i, c)
    {
        bool strict, lenient;
        an_ulid u;
        an_slice path = golden_str(c, "path");
        while (path.n > 0 && path.p[path.n - 1] == '/') path.n--;
        for (size_t k = path.n; k > 0; k--) {
            if (path.p[k - 1] != '/') continue;
            path = an_slice_of(path.p + k, path.n - k);
            break;
        }
        parse_copy(path, &strict, &lenient, &u);
        bool ok = json_is_true(json_object_get(c, "ok")), deviates = false;
        assert_true(lenient == ok);
        for (size_t k = 0; k < 2; k++) deviates |= an_slice_eq(path, an_slice_str(refused[k]));
        n_refused += deviates;
        assert_true(strict == (ok && !deviates));
    }
    assert_int_equal(i, 18);
    assert_int_equal(n_refused, 2);
    json_decref(j);
}

static void ids_are_written_as_upstream_writes_them(void **state)
{
    (void)state;
    json_t *j = golden_json("vectors/ulid.json"), *c;
    size_t i;

    json_array_foreach(golden_array(j, "encode"), i, c)
    {
        char text[AN_ULID_TEXT + 1];
        an_ulid back;
        an_slice entropy = golden_hex(c, "entropy");
        assert_int_equal(entropy.n, 10);
        uint64_t ms = (uint64_t)golden_int(c, "time_ms");
        an_ulid u = an_ulid_make(ms, entropy.p);
        an_ulid_format(u, text);
        assert_string_equal(text, json_string_value(json_object_get(c, "text")));
        assert_true(an_ulid_ms(u) == ms);
        assert_true(an_ulid_parse(an_slice_str(text), &back) && an_ulid_eq(u, back));
        assert_true(an_ulid_eq(u, an_ulid_make(ms + (1ull << 48), entropy.p)));
        golden_free(entropy);
    }
    assert_int_equal(i, 60);
    json_decref(j);
}

static int by_ulid(const void *a, const void *b)
{
    return an_ulid_cmp(*(const an_ulid *)a, *(const an_ulid *)b);
}

static void the_order_of_ids_is_that_of_their_text(void **state)
{
    (void)state;
    enum { N = 60 };
    json_t *j = golden_json("vectors/ulid.json");
    json_t *in = golden_array(j, "order_in"), *out = golden_array(j, "order_out");
    an_ulid v[N];

    assert_true(json_array_size(in) == N && json_array_size(out) == N);
    for (size_t i = 0; i < N; i++) {
        assert_true(an_ulid_parse(an_slice_str(json_string_value(json_array_get(in, i))), &v[i]));
    }
    qsort(v, N, sizeof *v, by_ulid);
    for (size_t i = 0; i < N; i++) {
        char text[AN_ULID_TEXT + 1];
        an_ulid_format(v[i], text);
        assert_string_equal(text, json_string_value(json_array_get(out, i)));
    }
    json_decref(j);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_read_as_upstream_reads_it),
        cmocka_unit_test(block_directories_are_those_of_upstream_with_digits_only),
        cmocka_unit_test(ids_are_written_as_upstream_writes_them),
        cmocka_unit_test(the_order_of_ids_is_that_of_their_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
