// SPDX-License-Identifier: Apache-2.0
/* unit/golden.h: upstream's recorded results, for tests (an_test(... GOLDEN vectors)). Whatever is
 * missing or not of the expected kind fails the test. */
#pragma once
#include "base/slice.h"

#include <jansson.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A file below golden/, e.g. "vectors/hashes.json"; the caller decrefs. Strings may hold NUL. */
static inline json_t *golden_json(const char *name)
{
    char path[4096];
    json_error_t e;
    const char *dir = getenv("AN_GOLDEN");

    assert_non_null(dir);
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path);
    json_t *j = json_load_file(path, JSON_ALLOW_NUL, &e);
    if (j == NULL) fail_msg("%s:%d: %s", path, e.line, e.text);
    return j;
}

/* The array `key` of an object, with at least one entry. */
static inline json_t *golden_array(const json_t *j, const char *key)
{
    json_t *a = json_object_get(j, key);

    assert_true(json_is_array(a) && json_array_size(a) > 0);
    return a;
}

/* The string `key`, borrowed; "" when the key is absent. */
static inline an_slice golden_str(const json_t *j, const char *key)
{
    const json_t *s = json_object_get(j, key);

    if (s == NULL) return AN_LIT("");
    assert_true(json_is_string(s));
    return an_slice_of(json_string_value(s), json_string_length(s));
}

/* The integer `key`; 0 when the key is absent. */
static inline int64_t golden_int(const json_t *j, const char *key)
{
    const json_t *v = json_object_get(j, key);

    if (v == NULL) return 0;
    assert_true(json_is_integer(v));
    return json_integer_value(v);
}

/* The decimal string `key` (all 64 bits) as an unsigned or a signed number. */
static inline uint64_t golden_u64(const json_t *j, const char *key)
{
    return strtoull(json_string_value(json_object_get(j, key)), NULL, 10);
}
static inline int64_t golden_i64(const json_t *j, const char *key)
{
    return strtoll(json_string_value(json_object_get(j, key)), NULL, 10);
}

/* The bytes of the hexadecimal string `key`; in exactly their size of memory, so that ASan sees the
 * first byte too far. The caller frees .p; NULL when there are none. */
static inline an_slice golden_hex(const json_t *j, const char *key)
{
    an_slice hex = golden_str(j, key);
    uint8_t *p = hex.n == 0 ? NULL : malloc(hex.n / 2);

    assert_true(hex.n % 2 == 0 && (hex.n == 0 || p != NULL));
    for (size_t i = 0; i < hex.n; i += 2) {
        char two[3] = {(char)hex.p[i], (char)hex.p[i + 1], 0}, *end;
        p[i / 2] = (uint8_t)strtoul(two, &end, 16);
        assert_true(end == two + 2);
    }
    return an_slice_of(p, hex.n / 2);
}
static inline void golden_free(an_slice s) { free((void *)(uintptr_t)s.p); }

/* The bytes of `hex`, or `repeat_hex` `times` over (hashes.json). */
static inline an_slice golden_bytes(const json_t *j)
{
    if (json_object_get(j, "repeat_hex") == NULL) return golden_hex(j, "hex");
    an_slice piece = golden_hex(j, "repeat_hex");
    size_t times = (size_t)golden_int(j, "times"), n = piece.n * times;
    uint8_t *p = malloc(n);

    assert_true(p != NULL && n > 0);
    for (size_t i = 0; i < n; i++) p[i] = piece.p[i % piece.n];
    golden_free(piece);
    return an_slice_of(p, n);
}
