// SPDX-License-Identifier: Apache-2.0
/* Durations, times, sizes, integers and variables in flags: every recorded case of upstream. */
#include "base/bytesize.h"
#include "base/duration.h"
#include "base/expand.h"
#include "base/strconv.h"
#include "base/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "unit/prng.h"
#include "unit/vectors.h"

/* The outcome of one parse against `{"err": text}` or `{<key>: n, "text": printed}`. */
static void check(an_slice in, const an_json *want, const char *key, an_rc rc, int64_t got,
                  const char *printed, const an_err *err)
{
    const an_json *e = vectors_opt(want, "err");

    if (e != NULL) {
        if (rc != AN_EINVALID || !an_slice_eq(an_slice_str(err->msg), e->text)) {
            fail_msg("%.*s: got %s %s, want %.*s", AN_PRI(in), an_rc_name(rc),
                     rc == AN_OK ? "" : err->msg, AN_PRI(e->text));
        }
        return;
    }
    if (rc != AN_OK) fail_msg("%.*s: %s", AN_PRI(in), err->msg);
    if (got != vectors_int(want, key)) fail_msg("%.*s: got %lld", AN_PRI(in), (long long)got);
    if (printed == NULL) return;
    if (!an_slice_eq(an_slice_str(printed), vectors_str(want, "text"))) {
        fail_msg("%.*s: printed %s, want %.*s", AN_PRI(in), printed,
                 AN_PRI(vectors_str(want, "text")));
    }
}

static void durations_of_both_grammars_are_read_and_printed_as_upstream(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "durations.json"), "durations");

    assert_int_equal(cases->n, 254);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice in = vectors_str(c, "in");
        char text[AN_DURATION_TEXT];
        size_t n;
        an_err err;
        int64_t ns = 0;
        an_rc rc = an_duration_parse(in, &ns, &err);
        n = an_duration_print(ns, text);
        assert_int_equal(n, strlen(text));
        check(in, vectors_get(c, "go"), "ns", rc, ns, text, &err);
        rc = an_duration_parse_prom(in, &ns, &err);
        n = an_duration_print_prom(ns, text);
        assert_int_equal(n, strlen(text));
        check(in, vectors_get(c, "prom"), "ns", rc, ns, text, &err);
    }
    an_arena_free(a);
}

static void durations_in_milliseconds_print_as_in_marks(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "go_duration_text");

    assert_int_equal(cases->n, 12);
    for (size_t i = 0; i < cases->n; i++) {
        char text[AN_DURATION_TEXT];
        (void)an_duration_print(vectors_int(&cases->items[i], "ms") * AN_MS, text);
        assert_true(an_slice_eq(an_slice_str(text), vectors_str(&cases->items[i], "text")));
    }
    an_arena_free(a);
}

static void the_ends_of_the_range_print(void **state)
{
    (void)state;
    char text[AN_DURATION_TEXT];

    (void)an_duration_print(INT64_MIN, text);
    assert_string_equal(text, "-2562047h47m16.854775808s");
    (void)an_duration_print_prom(INT64_MIN, text);
    assert_string_equal(text, "-106751d23h47m16s854ms");
    (void)an_duration_print(1, text);
    assert_string_equal(text, "1ns");
}

static void what_a_duration_prints_reads_back(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (int i = 0; i < 20000; i++) {
        char text[AN_DURATION_TEXT];
        an_err err;
        int64_t back, ns = (int64_t)(prng(&seed) >> (1 + prng(&seed) % 62));
        (void)an_duration_print(ns, text);
        assert_int_equal(an_duration_parse(an_slice_str(text), &back, &err), AN_OK);
        assert_true(back == ns);
        (void)an_duration_print_prom(ns, text);
        assert_int_equal(an_duration_parse_prom(an_slice_str(text), &back, &err), AN_OK);
        assert_true(back == ns - ns % AN_MS);
    }
}

static void sizes_are_read_and_printed_as_upstream(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "durations.json"), "bytes");

    assert_int_equal(cases->n, 44);
    for (size_t i = 0; i < cases->n; i++) {
        an_slice in = vectors_str(&cases->items[i], "in");
        char text[AN_BYTESIZE_TEXT];
        size_t n;
        an_err err;
        int64_t v = 0;
        an_rc rc = an_bytesize_parse(in, &v, &err);
        n = an_bytesize_print(v, text);
        assert_int_equal(n, strlen(text));
        check(in, vectors_get(&cases->items[i], "want"), "bytes", rc, v, text, &err);
    }
    char text[AN_BYTESIZE_TEXT];
    (void)an_bytesize_print(INT64_MAX, text);
    assert_string_equal(text, "7EiB1023PiB1023TiB1023GiB1023MiB1023KiB1023B");
    an_arena_free(a);
}

static void integer_flags_are_cut_floats(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "durations.json"), "ints");

    assert_int_equal(cases->n, 32);
    for (size_t i = 0; i < cases->n; i++) {
        an_slice in = vectors_str(&cases->items[i], "in");
        an_err err;
        int64_t v = 0;
        an_rc rc = an_int_flag_parse(in, &v, &err);
        check(in, vectors_get(&cases->items[i], "want"), "int", rc, v, NULL, &err);
    }
    an_arena_free(a);
}

static void times_and_relative_times_are_read_and_printed_as_upstream(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "durations.json");
    const an_json *cases = vectors_get(root, "time_or_duration");
    int64_t now_ms = vectors_int(root, "now_ms");
    size_t panics = 0;

    assert_int_equal(cases->n, 46);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice in = vectors_str(c, "in");
        char text[AN_TIME_TEXT] = "";
        an_err err;
        size_t n;
        an_time_or_dur v = {0};
        an_rc rc = an_time_or_dur_parse(in, &v, &err);
        if (vectors_bool(c, "panic")) { /* upstream crashes; here it is an error */
            assert_int_equal(rc, AN_EINVALID);
            assert_string_equal(err.msg, "empty duration string");
            panics++;
            continue;
        }
        if (rc == AN_OK) {
            n = an_time_or_dur_print(v, text);
            assert_int_equal(n, strlen(text));
            assert_int_equal(v.relative, vectors_bool(c, "relative"));
        }
        check(in, c, "ms_at_now", rc, an_time_or_dur_ms(v, now_ms), text, &err);
    }
    assert_int_equal(panics, 1);
    an_arena_free(a);
}

static const char *lookup(void *arg, const char *name)
{
    const an_json *v = vectors_opt(arg, name);
    return v != NULL ? (const char *)v->text.p : NULL;
}

static void variables_are_expanded_as_upstream(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *root = vectors_load(a, "durations.json");
    const an_json *cases = vectors_get(root, "env_expansion");
    an_json env = *vectors_get(root, "env");

    assert_int_equal(cases->n, 19);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i], *want_err = vectors_opt(c, "err");
        an_slice in = vectors_str(c, "in");
        an_err err;
        an_buf out;
        an_buf_init(&out, 1000, NULL);
        an_rc rc = an_expand(in, lookup, &env, &out, &err);
        if (want_err != NULL) {
            assert_int_equal(rc, AN_EINVALID);
            assert_true(an_slice_eq(an_slice_str(err.msg), want_err->text));
        } else {
            assert_int_equal(rc, AN_OK);
            assert_true(an_slice_eq(an_buf_slice(&out), vectors_str(c, "out")));
        }
        an_buf_deinit(&out);
    }
    an_err err;
    an_buf out;
    an_buf_init(&out, 4, NULL);
    assert_int_equal(an_expand(AN_LIT("$(GV_SET)"), lookup, &env, &out, &err), AN_ELIMIT);
    an_buf_deinit(&out);
    an_arena_free(a);
}

static void the_calendar_agrees_with_the_c_library(void **state)
{
    (void)state;
    uint64_t seed = prng_seed();

    for (int i = 0; i < 20000; i++) {
        /* years -1000 to 11000 */
        int64_t sec = (int64_t)(prng(&seed) % UINT64_C(378691200000)) - INT64_C(93692592000);
        time_t t = (time_t)sec;
        struct tm tm;
        an_civil c = an_civil_from_unix(sec);
        assert_non_null(gmtime_r(&t, &tm));
        assert_true(c.year == tm.tm_year + 1900 && c.month == tm.tm_mon + 1 &&
                    c.day == tm.tm_mday && c.hour == tm.tm_hour && c.min == tm.tm_min &&
                    c.sec == tm.tm_sec);
        assert_true(an_civil_to_unix(c) == sec);
    }
}

static void times_print_with_trimmed_fractions_and_read_back(void **state)
{
    (void)state;
    static const struct {
        int64_t sec;
        int32_t nsec, offset;
        const char *text;
    } v[] = {
        {0, 0, 0, "1970-01-01T00:00:00Z"},
        {-62135596800, 0, 0, "0001-01-01T00:00:00Z"},
        {-62167219200, 0, 0, "0000-01-01T00:00:00Z"},
        {1767323045, 678901234, 0, "2026-01-02T03:04:05.678901234Z"},
        {1767323045, 678000000, 0, "2026-01-02T03:04:05.678Z"},
        {1767323045, 1, 7200, "2026-01-02T05:04:05.000000001+02:00"},
        {1767323045, 0, -27000, "2026-01-01T19:34:05-07:30"},
        {253402300799, 999999999, 0, "9999-12-31T23:59:59.999999999Z"},
    };
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        char text[AN_TIME_TEXT];
        an_err err;
        int64_t sec;
        int32_t nsec, offset;
        size_t n = an_time_print_offset(v[i].sec, v[i].nsec, v[i].offset, text);
        assert_string_equal(text, v[i].text);
        assert_int_equal(n, strlen(text));
        assert_int_equal(an_time_parse(an_slice_str(text), &sec, &nsec, &offset, &err), AN_OK);
        assert_true(sec == v[i].sec && nsec == v[i].nsec && offset == v[i].offset);
        for (size_t cut = 0; cut < n; cut++) { /* nothing shorter is a time */
            uint8_t *copy = malloc(cut + 1);
            copy = realloc(copy, cut > 0 ? cut : 1);
            memcpy(copy, text, cut);
            assert_int_equal(an_time_parse(an_slice_of(copy, cut), &sec, &nsec, &offset, &err),
                             AN_EINVALID);
            free(copy);
        }
    }
    char text[AN_TIME_TEXT];
    size_t n = an_time_print(INT64_MIN / 1000, 0, text);
    assert_int_equal(n, strlen(text));
    n = an_time_print(INT64_MAX / 1000, 0, text);
    assert_int_equal(n, strlen(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_of_both_grammars_are_read_and_printed_as_upstream),
        cmocka_unit_test(durations_in_milliseconds_print_as_in_marks),
        cmocka_unit_test(the_ends_of_the_range_print),
        cmocka_unit_test(what_a_duration_prints_reads_back),
        cmocka_unit_test(sizes_are_read_and_printed_as_upstream),
        cmocka_unit_test(integer_flags_are_cut_floats),
        cmocka_unit_test(times_and_relative_times_are_read_and_printed_as_upstream),
        cmocka_unit_test(variables_are_expanded_as_upstream),
        cmocka_unit_test(the_calendar_agrees_with_the_c_library),
        cmocka_unit_test(times_print_with_trimmed_fractions_and_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
