// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/parsed.h"

#include "cli/progress.h"

static void line_is(an_loop_progress at, const char *want)
{
    an_buf out;

    an_buf_init(&out, 4096, NULL);
    an_progress_text(&out, &at);
    char *s = text_of(&out);
    assert_string_equal(s, want);
    free(s);
    an_buf_deinit(&out);
}

static void the_line_tells_share_rate_and_time_left(void **state)
{
    (void)state;
    an_slice g = AN_LIT("0@{a=\"1\"}");
    uint64_t mib = 1 << 20;

    line_is((an_loop_progress){g, 4, 0, 88 * mib, 0, false},
            "0@{a=\"1\"}  4 blocks    0 %  0 B of 88.0 MiB  0 B/s");
    /* too early to tell, by time and by share */
    line_is((an_loop_progress){g, 4, 44 * mib, 88 * mib, 1000, false},
            "0@{a=\"1\"}  4 blocks   50 %  44.0 MiB of 88.0 MiB  44.0 MiB/s");
    line_is((an_loop_progress){g, 4, 2 * mib, 88 * mib, 60000, false},
            "0@{a=\"1\"}  4 blocks    2 %  2.0 MiB of 88.0 MiB  34.1 KiB/s");
    line_is((an_loop_progress){g, 4, 22 * mib, 88 * mib, 40000, false},
            "0@{a=\"1\"}  4 blocks   25 %  22.0 MiB of 88.0 MiB  563.2 KiB/s  about 2m0s left");
    line_is((an_loop_progress){g, 4, 88 * mib, 88 * mib, 40000, false},
            "0@{a=\"1\"}  4 blocks  100 %  88.0 MiB of 88.0 MiB  2.2 MiB/s");
    line_is((an_loop_progress){g, 1, 5, 0, 40000, false},
            "0@{a=\"1\"}  1 blocks    0 %  5 B of 0 B  0 B/s");
}

static void labels_cannot_draw_on_the_terminal(void **state)
{
    (void)state;
    line_is((an_loop_progress){AN_LIT("a\x1b[2J\nb\x7f"), 1, 0, 1, 0, false},
            "a?[2J?b?  1 blocks    0 %  0 B of 1 B  0 B/s");
    char longer[201];
    memset(longer, 'x', 200);
    longer[200] = 0;
    an_buf out;
    an_buf_init(&out, 4096, NULL);
    an_progress_text(&out, &(an_loop_progress){an_slice_str(longer), 1, 0, 1, 0, false});
    assert_true(out.n < 120);
    an_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_tells_share_rate_and_time_left),
        cmocka_unit_test(labels_cannot_draw_on_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
