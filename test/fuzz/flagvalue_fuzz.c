// SPDX-License-Identifier: Apache-2.0
/* Values of flags: durations of both grammars, times, sizes, numbers, quoted strings. What is taken
 * prints as something that reads back as the same.
 *
 * Input: the text. */
#include "base/bytesize.h"
#include "base/duration.h"
#include "base/strconv.h"
#include "base/timestamp.h"
#include "fuzz/fuzz.h"

#include <string.h>

static void durations(an_slice text)
{
    an_err err;
    int64_t ns, back;
    char out[AN_DURATION_TEXT];

    if (an_duration_parse(text, &ns, &err) == AN_OK) {
        an_slice s = {(const uint8_t *)out, an_duration_print(ns, out)};
        an_assert(an_duration_parse(s, &back, &err) == AN_OK && back == ns);
    }
    if (an_duration_parse_prom(text, &ns, &err) == AN_OK) {
        an_slice s = {(const uint8_t *)out, an_duration_print_prom(ns, out)};
        an_assert(an_duration_parse_prom(s, &back, &err) == AN_OK && back == ns);
    }
}

static void times(an_slice text)
{
    an_err err;
    int64_t sec, sec2;
    int32_t nsec, nsec2, offset, offset2;
    an_time_or_dur v;
    char out[AN_TIME_TEXT];

    if (an_time_parse(text, &sec, &nsec, &offset, &err) == AN_OK) {
        an_civil c = an_civil_from_unix(sec + offset);
        an_slice s = {(const uint8_t *)out, an_time_print_offset(sec, nsec, offset, out)};
        an_assert(an_civil_to_unix(c) == sec + offset && c.year >= 0 && c.year <= 9999);
        an_assert(an_time_parse(s, &sec2, &nsec2, &offset2, &err) == AN_OK);
        an_assert(sec == sec2 && nsec == nsec2 && offset == offset2);
    }
    if (an_time_or_dur_parse(text, &v, &err) == AN_OK) {
        (void)an_time_or_dur_print(v, out);
        (void)an_time_or_dur_ms(v, INT64_C(1767268800345));
    }
}

static void numbers(an_slice text)
{
    an_err err;
    int64_t i;
    uint64_t u;
    double v, back;
    char size[AN_BYTESIZE_TEXT], number[AN_FLOAT_TEXT];

    if (an_bytesize_parse(text, &i, &err) == AN_OK) (void)an_bytesize_print(i, size);
    an_rc rc = an_int_flag_parse(text, &i, &err);
    an_assert(rc == an_float_parse(text, &v, &err)); /* the same texts */
    if (an_int64_parse(text, &i) && i >= 0 && text.p[0] != '+' && text.p[0] != '-') {
        an_assert(an_uint64_parse(text, &u) && u == (uint64_t)i);
    }
    if (an_float_parse(text, &v, &err) == AN_OK) {
        for (const char *fmt = "efg"; *fmt != '\0'; fmt++) {
            an_slice s = {(const uint8_t *)number, an_float_print(v, *fmt, number)};
            an_assert(an_float_parse(s, &back, &err) == AN_OK);
            an_assert(memcmp(&v, &back, sizeof v) == 0 || v != v);
        }
    }
}

static void quotes(an_slice text)
{
    an_buf quoted, back;

    an_buf_init(&quoted, 1 << 20, NULL);
    an_buf_init(&back, 1 << 20, NULL);
    (void)an_unquote(&back, text);
    an_buf_clear(&back);
    an_quote(&quoted, text);
    if (!quoted.failed) {
        an_assert(an_unquote(&back, an_buf_slice(&quoted)));
        an_assert(an_slice_eq(an_buf_slice(&back), text));
    }
    an_buf_deinit(&quoted);
    an_buf_deinit(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_slice text = {data, size};

    durations(text);
    times(text);
    numbers(text);
    quotes(text);
    return 0;
}
