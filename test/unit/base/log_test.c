// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/duration.h"

static void fixed_now(int64_t *sec, int32_t *nsec)
{
    *sec = 1767323045; /* 2026-01-02T03:04:05Z */
    *nsec = 678000000;
}

static void keep(void *arg, an_slice line) { an_buf_slice_add(arg, line); }

static an_buf lines;

static an_log new_log(an_log_level level, an_log_format format, const char *name)
{
    an_buf_init(&lines, 4 << 20, NULL);
    return an_log_new(&(an_log_opts){level, format, name, keep, fixed_now, &lines});
}

static void expect(an_log *log, const char *want)
{
    an_buf_u8(&lines, 0);
    /* the number of the line in this file may change */
    char *p = (char *)lines.p, *caller = strstr(p, "log_test.c:");
    while (caller != NULL) {
        char *d = caller + 11;
        memmove(d, d + strspn(d, "0123456789"), strlen(d + strspn(d, "0123456789")) + 1);
        caller = strstr(d, "log_test.c:");
    }
    assert_string_equal(p, want);
    an_buf_deinit(&lines);
    an_log_free(log);
}

static void a_line_has_upstreams_order_of_keys(void **state)
{
    (void)state;
    an_log log = new_log(AN_LOG_INFO, AN_LOG_LOGFMT, "nm1");
    an_kv group[] = {AN_STR("group", "0@{a=\"1\"}"), AN_STR("groupKey", "0@1"), {.key = NULL}};
    an_kv more[] = {AN_STR("component", "x"), {.key = NULL}};
    an_log outer = an_log_with(&log, group), inner = an_log_with(&outer, more);

    AN_LOG(&inner, AN_LOG_WARN, "compacted blocks", AN_INT("n", -3), AN_UINT("u", UINT64_MAX),
           AN_BOOL("done", true), AN_TOOK(62 * AN_SECOND + 345 * AN_MS));
    expect(&log, "ts=2026-01-02T03:04:05.678Z caller=log_test.c: level=warn name=nm1 "
                 "group=\"0@{a=\\\"1\\\"}\" groupKey=0@1 component=x msg=\"compacted blocks\" n=-3 "
                 "u=18446744073709551615 done=true duration=1m2.345s duration_ms=62345\n");
}

static void values_are_quoted_where_a_reader_needs_it(void **state)
{
    (void)state;
    an_log log = new_log(AN_LOG_INFO, AN_LOG_LOGFMT, NULL);

    AN_LOG(&log, AN_LOG_INFO, "exiting", AN_STR("empty", ""), AN_STR("null", "null"),
           AN_STR("eq", "a=b"), AN_STR("nl", "a\nb"), AN_STR("utf8", "\xc3\xa9"),
           AN_STR("bad", "\xff"), AN_STR("replaced", "\xef\xbf\xbd"), AN_STR("slash", "a\\b"),
           AN_STR("del", "\x7f"));
    expect(&log, "ts=2026-01-02T03:04:05.678Z caller=log_test.c: level=info msg=exiting empty= "
                 "null=\"null\" eq=\"a=b\" nl=\"a\\nb\" utf8=\xc3\xa9 bad=\"\\ufffd\" "
                 "replaced=\"\xef\xbf\xbd\" slash=a\\b del=\x7f\n");
}

static void json_lines_have_sorted_keys(void **state)
{
    (void)state;
    an_log log = new_log(AN_LOG_DEBUG, AN_LOG_JSON, "");

    AN_LOG(&log, AN_LOG_DEBUG, NULL, AN_STR("err", "a \"<b>\""), AN_INT("n", 1),
           AN_DURATION("age", 90 * AN_MINUTE));
    expect(&log, "{\"age\":\"1h30m0s\",\"caller\":\"log_test.c:\",\"err\":\"a \\\"<b>\\\"\","
                 "\"level\":\"debug\",\"n\":1,\"ts\":\"2026-01-02T03:04:05.678Z\"}\n");
}

static void lines_above_the_level_are_dropped(void **state)
{
    (void)state;
    an_log log = new_log(AN_LOG_WARN, AN_LOG_LOGFMT, NULL);

    AN_LOG(&log, AN_LOG_INFO, "dropped");
    AN_LOG(&log, AN_LOG_DEBUG, "dropped");
    assert_false(an_log_enabled(&log, AN_LOG_INFO));
    AN_LOG(&log, AN_LOG_ERROR, "kept");
    expect(&log, "ts=2026-01-02T03:04:05.678Z caller=log_test.c: level=error msg=kept\n");
}

static void a_line_that_is_too_long_is_cut_and_ended(void **state)
{
    (void)state;
    an_log log = new_log(AN_LOG_INFO, AN_LOG_LOGFMT, NULL);
    size_t n = 2 << 20;
    char *text = malloc(n + 1);

    assert_non_null(text);
    memset(text, 'x', n);
    text[n] = 0;
    AN_LOG(&log, AN_LOG_INFO, "long", AN_STR("text", text), AN_STR("last", "y"));
    AN_LOG(&log, AN_LOG_INFO, "next");
    free(text);
    const uint8_t *end = memchr(lines.p, '\n', lines.n);
    assert_non_null(end);
    assert_true((size_t)(end - lines.p) < 1 << 20);
    assert_memory_equal(end + 1, "ts=", 3);
    an_buf_deinit(&lines);
    an_log_free(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_has_upstreams_order_of_keys),
        cmocka_unit_test(values_are_quoted_where_a_reader_needs_it),
        cmocka_unit_test(json_lines_have_sorted_keys),
        cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(a_line_that_is_too_long_is_cut_and_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
