// SPDX-License-Identifier: Apache-2.0
/* Marks: upstream's bytes, and what counts as unreadable. */
#include "tsdb/meta/marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

static const char *const keys[AN_MARK__COUNT] = {"deletion", "no_compact", "no_downsample"};

static void recorded_marks_are_read_and_written_byte_for_byte(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "marks");

    assert_int_equal(cases->n, 30);
    for (size_t i = 0; i < cases->n; i++) {
        for (int k = 0; k < AN_MARK__COUNT; k++) {
            an_slice want = vectors_str(&cases->items[i], keys[k]);
            an_mark m;
            an_err err;
            an_buf out;
            if (an_mark_parse(a, (an_mark_kind)k, want, &m, &err) != AN_OK)
                fail_msg("%zu %s: %s", i, keys[k], err.msg);
            assert_true(m.has_id && m.version == 1);
            an_buf_init(&out, 4096, NULL);
            an_mark_write(&out, &m);
            if (!an_slice_eq(an_buf_slice(&out), want))
                fail_msg("%zu %s: %.*s, want %.*s", i, keys[k], AN_PRI(an_buf_slice(&out)),
                         AN_PRI(want));
            an_buf_deinit(&out);
        }
    }
    an_arena_free(a);
}

#define ID "01ARZ3NDEKTSV4RRFFQ69G5FAV"

static void what_is_no_mark_is_refused_with_its_class(void **state)
{
    (void)state;
    static const struct {
        const char *doc;
        an_rc rc;
    } cases[] = {
        {"", AN_ECORRUPT},
        {"{", AN_ECORRUPT},
        {"null", AN_ECORRUPT},
        {"{}", AN_ECORRUPT},
        {"[]", AN_ECORRUPT},
        {"\"x\"", AN_ECORRUPT},
        {"{\"version\":1} x", AN_ECORRUPT},
        {"{\"version\":1,\"deletion_time\":\"x\"}", AN_ECORRUPT},
        {"{\"version\":1,\"deletion_time\":1.5}", AN_ECORRUPT},
        {"{\"version\":1,\"details\":5}", AN_ECORRUPT},
        {"{\"id\":\"short\",\"version\":1}", AN_ECORRUPT},
        {"{\"version\":2}", AN_EUNSUPPORTED},
        {"{\"version\":-1}", AN_EUNSUPPORTED},
        {"{\"version\":1,\"version\":2,\"deletion_time\":1}", AN_EUNSUPPORTED},
        {"{\"version\":1}", AN_OK},
        {"{\"VERSION\":1,\"Deletion_Time\":5,\"extra\":[1]}", AN_OK},
        {"{\"id\":\"" ID "\",\"version\":1,\"deletion_time\":1}\n", AN_OK},
    };
    an_arena *a = an_arena_new(NULL);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        an_mark m;
        an_err err = {0};
        an_rc rc = an_mark_parse(a, AN_MARK_DELETION, an_slice_str(cases[i].doc), &m, &err);
        if (rc != cases[i].rc) fail_msg("%s: %s", cases[i].doc, an_rc_name(rc));
        if (rc != AN_OK) assert_int_equal(err.cause, AN_CAUSE_MARK_CORRUPT);
    }
    an_arena_free(a);
}

static void absence_of_id_and_time_is_told(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_mark m;
    an_err err;

    assert_int_equal(an_mark_parse(a, AN_MARK_DELETION, AN_LIT("{\"version\":1}"), &m, &err),
                     AN_OK);
    assert_false(m.has_id);
    assert_int_equal(an_mark_ms(&m, 77), 77);
    assert_int_equal(an_mark_ms(&m, -1), INT64_MAX); /* the store does not tell: never due */
    assert_int_equal(an_mark_parse(a, AN_MARK_DELETION,
                                   AN_LIT("{\"version\":1,\"id\":\"01arz3ndektsv4rrffq69g5fav\","
                                          "\"deletion_time\":5}"),
                                   &m, &err),
                     AN_OK);
    char text[AN_ULID_TEXT + 1];
    an_ulid_format(m.id, text);
    assert_string_equal(text, ID); /* lower case means the same id */
    assert_true(m.has_id);
    assert_int_equal(an_mark_ms(&m, 77), 5000);
    m.time_s = INT64_MAX;
    assert_int_equal(an_mark_ms(&m, 77), INT64_MAX);
    m.time_s = INT64_MIN;
    assert_int_equal(an_mark_ms(&m, 77), INT64_MIN);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_marks_are_read_and_written_byte_for_byte),
        cmocka_unit_test(what_is_no_mark_is_refused_with_its_class),
        cmocka_unit_test(absence_of_id_and_time_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
