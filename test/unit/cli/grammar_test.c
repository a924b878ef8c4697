// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/parsed.h"

#include <stdio.h>
#include <unistd.h>

static const an_flag_def flags_root[] = {
    {.name = "help", .type = AN_FLAG_BOOL, .letter = 'h', .group = "g", .help = "Help."},
    {.name = "completion-bash", .type = AN_FLAG_BOOL, .hidden = true, .group = "g", .help = "C."},
    {.name = "version", .type = AN_FLAG_BOOL, .group = "g", .help = "V."},
    {.name = "level",
     .type = AN_FLAG_ENUM,
     .def = "b",
     .choices = "a,b",
     .group = "g",
     .help = "Level."},
    {.name = NULL}};
static const an_flag_def flags_work[] = {
    {.name = "wait", .type = AN_FLAG_BOOL, .letter = 'w', .group = "g", .help = "Wait."},
    {.name = "out",
     .type = AN_FLAG_STRING,
     .letter = 'o',
     .def = "x y",
     .group = "g",
     .help = "Where to."},
    {.name = "n", .type = AN_FLAG_INT, .def = "1", .group = "g", .help = "How many."},
    {.name = "tag",
     .type = AN_FLAG_STRINGS,
     .letter = 't',
     .def = "p,q",
     .group = "g",
     .help = "Tags."},
    {.name = "id", .type = AN_FLAG_STRING, .required = true, .group = "g", .help = "Which."},
    {.name = "until", .type = AN_FLAG_TIME, .def = "-1d", .group = "g", .help = "Until."},
    {.name = "secret",
     .type = AN_FLAG_BYTES,
     .def = "1GB",
     .hidden = true,
     .group = "g",
     .help = "Hidden."},
    {.name = NULL}};
static int no_run(an_cli *cli)
{
    (void)cli;
    return 0;
}
static const an_cmd_def subs[] = {{.name = "leaf", .help = "Leaf.", .run = no_run}, {.name = NULL}};
static const an_cmd_def cmds[] = {
    {.name = "help", .help = "Show help.", .takes_args = true},
    {.name = "work", .help = "Works.", .flags = flags_work, .run = no_run},
    {.name = "group", .help = "Group.", .subs = subs},
    {.name = NULL}};
static const an_cmd_def prog = {
    .name = "prog", .help = "Does it.", .flags = flags_root, .subs = cmds};

/* Exit code and whole stderr of a command line. */
#define REFUSED(code_, text, ...)                                                                  \
    do {                                                                                           \
        PARSED(ran, &prog, __VA_ARGS__);                                                           \
        assert_string_equal(ran.err, text);                                                        \
        assert_int_equal(ran.code, code_);                                                         \
        assert_string_equal(ran.out, "");                                                          \
        parsed_free(&ran);                                                                         \
    } while (0)

/* Exit code 2 after usage, and the last line. */
#define WRONG_VALUE(text, ...)                                                                     \
    do {                                                                                           \
        PARSED(ran, &prog, __VA_ARGS__);                                                           \
        assert_int_equal(ran.code, 2);                                                             \
        assert_int_equal(strncmp(ran.err, "usage: prog ", 12), 0);                                 \
        char *last = strstr(ran.err, "\nerror parsing commandline arguments: [");                  \
        assert_non_null(last);                                                                     \
        last = strstr(last, "]: ");                                                                \
        assert_non_null(last);                                                                     \
        assert_string_equal(last + 3, text "\n");                                                  \
        parsed_free(&ran);                                                                         \
    } while (0)

static void values_come_with_equals_or_as_the_next_word(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=", "--out", "a b", "--n=1e3", "--tag=x", "-ty", "-t", "z");
    assert_int_equal(p.code, -1);
    assert_string_equal(an_flag_text(&p.cli.flags, "id"), "");
    assert_string_equal(an_flag_text(&p.cli.flags, "out"), "a b");
    assert_int_equal(an_flag_number(&p.cli.flags, "n"), 1000);
    const an_flag *tag = an_flag_get(&p.cli.flags, "tag");
    assert_int_equal(tag->n, 3);
    assert_string_equal(tag->texts[0], "x");
    assert_string_equal(tag->texts[1], "y");
    assert_string_equal(tag->texts[2], "z");
    parsed_free(&p);
}

static void defaults_hold_for_what_is_not_given(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=1");
    assert_int_equal(p.code, -1);
    assert_string_equal(an_flag_text(&p.cli.flags, "out"), "x y");
    assert_false(an_flag_on(&p.cli.flags, "wait"));
    const an_flag *tag = an_flag_get(&p.cli.flags, "tag");
    assert_int_equal(tag->n, 2);
    assert_string_equal(tag->texts[1], "q");
    assert_true(an_flag_get(&p.cli.flags, "until")->when.relative);
    assert_int_equal(an_flag_number(&p.cli.flags, "secret"), INT64_C(1) << 30);
    assert_false(tag->set);
    parsed_free(&p);
}

static void a_lone_dash_is_an_empty_value_and_other_dashes_are_none(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id", "-", "-o", "-");
    assert_int_equal(p.code, -1);
    assert_string_equal(an_flag_text(&p.cli.flags, "id"), "");
    assert_string_equal(an_flag_text(&p.cli.flags, "out"), "");
    parsed_free(&p);
    REFUSED(1, "prog: error: expected argument for flag '--id'\n", "work", "--id", "-1");
    REFUSED(1, "prog: error: expected argument for flag '-o'\n", "work", "-o", "--wait");
    REFUSED(1, "prog: error: expected argument for flag '--id'\n", "work", "--id");
    REFUSED(1, "prog: error: expected argument for flag '--id'\n", "work", "--id", "@nosuch");
}

static void booleans_are_negated_and_take_no_value(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=1", "--no-wait");
    assert_int_equal(p.code, -1);
    assert_false(an_flag_on(&p.cli.flags, "wait"));
    assert_true(an_flag_get(&p.cli.flags, "wait")->set);
    parsed_free(&p);
    REFUSED(1, "prog: error: unexpected true\n", "work", "--wait=true");
    REFUSED(1, "prog: error: unexpected \n", "work", "--wait=");
    REFUSED(1, "prog: error: unknown long flag '--no-out'\n", "work", "--no-out");
    REFUSED(1, "prog: error: unknown long flag '--no-no-wait'\n", "work", "--no-no-wait");
}

static void letters_bundle(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=1", "-woa=b");
    assert_int_equal(p.code, -1);
    assert_true(an_flag_on(&p.cli.flags, "wait"));
    assert_string_equal(an_flag_text(&p.cli.flags, "out"), "a=b");
    parsed_free(&p);
    REFUSED(1, "prog: error: unknown short flag '-x'\n", "work", "-wx");
    REFUSED(1, "prog: error: unknown short flag '-\xc3\xa9'\n", "work", "-\xc3\xa9");
    WRONG_VALUE("flag 'wait' cannot be repeated", "work", "-ww");
}

static void flags_of_a_command_are_unknown_before_it(void **state)
{
    (void)state;
    REFUSED(1, "prog: error: unknown short flag '-w'\n", "-w", "work");
    PARSED(p, &prog, "--level=a", "work", "--id=1");
    assert_int_equal(p.code, -1);
    assert_string_equal(an_flag_text(&p.cli.flags, "level"), "a");
    parsed_free(&p);
    PARSED(q, &prog, "work", "--id=1", "--level", "a"); /* global flags may follow */
    assert_int_equal(q.code, -1);
    parsed_free(&q);
}

static void two_dashes_end_the_flags(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=1", "--");
    assert_int_equal(p.code, -1);
    parsed_free(&p);
    REFUSED(1, "prog: error: unexpected --wait\n", "work", "--", "--wait");
    REFUSED(1, "prog: error: unexpected -w\n", "work", "--id=1", "--", "-w");
    REFUSED(1, "prog: error: unexpected @x\n", "work", "--", "@x");
}

static void words_are_commands_or_refused(void **state)
{
    (void)state;
    REFUSED(1, "prog: error: expected command but got \"wor\"\n", "wor");
    REFUSED(1, "prog: error: expected command but got \"\\u00a0\\n\"\n", "\xc2\xa0\n");
    REFUSED(1, "prog: error: expected command but got \"x\"\n", "group", "x");
    REFUSED(1, "prog: error: unexpected x\n", "work", "x");
    REFUSED(1, "prog: error: unexpected \n", "work", "-");
    REFUSED(1, "prog: error: unknown long flag '--'\n", "work", "--=x");
    WRONG_VALUE("must select a subcommand of 'group'", "group");
}

static void a_syntax_error_at_the_end_wins_over_a_wrong_value_before_it(void **state)
{
    (void)state;
    REFUSED(1, "prog: error: unknown long flag '--nope'\n", "work", "--n=x", "--nope");
    WRONG_VALUE("strconv.ParseFloat: parsing \"x\": invalid syntax", "work", "--n=x", "--level=z");
    WRONG_VALUE("enum value must be one of a,b, got 'z'", "work", "--level=z", "--n=x");
    WRONG_VALUE("flag 'n' cannot be repeated", "work", "--n=1", "--n=x");
    WRONG_VALUE("required flag(s) '--id' not provided", "work");
    WRONG_VALUE("empty duration string", "work", "--until=-");
}

static void an_empty_time_is_left_to_the_command(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--id=1", "--until=");
    assert_int_equal(p.code, -1);
    assert_string_equal(an_flag_text(&p.cli.flags, "until"), "");
    parsed_free(&p);
}

static void help_and_version_win_over_what_is_wrong(void **state)
{
    (void)state;
    PARSED(p, &prog, "work", "--n=x", "-h");
    assert_int_equal(p.code, 0);
    assert_int_equal(strncmp(p.err, "usage: prog work --id=ID [<flags>]\n\nWorks.\n", 40), 0);
    assert_null(strstr(p.err, "error"));
    parsed_free(&p);
    REFUSED(1, "prog: error: unknown long flag '--nope'\n", "work", "-h", "--nope");
    PARSED(v, &prog, "--version", "--nope");
    assert_int_equal(v.code, 0);
    assert_int_equal(strncmp(v.err, "prog, version ", 14), 0);
    parsed_free(&v);
    PARSED(c, &prog, "help", "group", "leaf");
    assert_int_equal(c.code, 0);
    assert_int_equal(strncmp(c.err, "usage: prog group leaf\n", 23), 0);
    parsed_free(&c);
    REFUSED(1, "prog: error: expected command but got \"no\"\n", "help", "no");
    PARSED(n, &prog, "--level=a");
    assert_int_equal(n.code, 0);
    assert_int_equal(strncmp(n.err, "usage: prog [<flags>] <command> [<args> ...]\n", 45), 0);
    parsed_free(&n);
}

static void the_help_shows_defaults_and_hides_hidden_flags(void **state)
{
    (void)state;
    static const char want[] =
        "Flags:\n"
        "  -h, --[no-]help      Help.\n"
        "      --[no-]version   Version of the program, told in so many words that the\n"
        "                       text goes on in a second line.\n"
        "      --name-of-thirty-characters-or-more=NAME-OF-THIRTY-CHARACTERS-OR-MORE  \n"
        "                       Long.\n"
        "      --out=\"x \\\"y\\\"\"  Where to.\n"
        "  -t, --tag=p... ...   Tags.\n"
        "\n";
    static const an_flag_def flags[] = {
        {.name = "help", .type = AN_FLAG_BOOL, .letter = 'h', .group = "g", .help = "Help."},
        {.name = "version",
         .type = AN_FLAG_BOOL,
         .group = "g",
         .help = "Version of the program, told in so many words that the text goes on in a "
                 "second line."},
        {.name = "name-of-thirty-characters-or-more",
         .type = AN_FLAG_STRING,
         .group = "g",
         .help = "Long."},
        {.name = "out",
         .type = AN_FLAG_STRING,
         .def = "x \"y\"",
         .group = "g",
         .help = "Where to."},
        {.name = "tag",
         .type = AN_FLAG_STRINGS,
         .letter = 't',
         .def = "p,q",
         .group = "g",
         .help = "Tags."},
        {.name = "secret", .type = AN_FLAG_INT, .hidden = true, .group = "g", .help = "S."},
        {.name = "completion-bash",
         .type = AN_FLAG_BOOL,
         .hidden = true,
         .group = "g",
         .help = "C."},
        {.name = NULL}};
    static const an_cmd_def one = {.name = "prog", .help = "P.", .flags = flags};
    const char *const argv[] = {"prog"};
    parsed p;
    parse_into(&p, &one, 1, argv);
    const char *flags_at = strstr(p.err, "Flags:\n");
    assert_non_null(flags_at);
    assert_string_equal(flags_at, want);
    parsed_free(&p);
}

static void completion_offers_commands_flags_and_choices(void **state)
{
    (void)state;
    PARSED(a, &prog, "--completion-bash");
    assert_string_equal(a.out, "help\nwork\ngroup");
    parsed_free(&a);
    PARSED(b, &prog, "--completion-bash", "group", "");
    assert_string_equal(b.out, "leaf");
    parsed_free(&b);
    PARSED(c, &prog, "--completion-bash", "group", "--");
    assert_string_equal(c.out, "--help\n--version\n--level");
    parsed_free(&c);
    PARSED(d, &prog, "--completion-bash", "work", "--level", "");
    assert_string_equal(d.out, "a\nb");
    parsed_free(&d);
    PARSED(e, &prog, "--completion-bash", "work", "--nosuch");
    assert_int_equal(strncmp(e.out, "--wait\n--out\n", 13), 0);
    assert_null(strstr(e.out, "--secret"));
    parsed_free(&e);
}

/* A file in the test's own folder. */
static void write_file(const char *name, const char *text, size_t n)
{
    FILE *f = fopen(name, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void arguments_come_from_files(void **state)
{
    (void)state;
    static const char one[] = "--id=1\r\n# comment\n \t\n@two\n--out=a b\n";
    static const char two[] = "--wait";
    static const char self[] = "--wait\n@self\n";
    write_file("one", one, sizeof one - 1);
    write_file("two", two, sizeof two - 1);
    write_file("self", self, sizeof self - 1);
    write_file("nul", "--id=\0", 6);

    PARSED(p, &prog, "work", "@one", "-o", "x");
    assert_int_equal(p.code, 2); /* --out twice */
    parsed_free(&p);
    PARSED(q, &prog, "work", "@one");
    assert_int_equal(q.code, -1);
    assert_string_equal(an_flag_text(&q.cli.flags, "id"), "1");
    assert_string_equal(an_flag_text(&q.cli.flags, "out"), "a b");
    assert_true(an_flag_on(&q.cli.flags, "wait"));
    parsed_free(&q);
    REFUSED(1, "prog: error: expected @ file to expand arguments from\n", "@");
    REFUSED(1,
            "prog: error: failed to open arguments file \"nosuch\": open nosuch: no such file or "
            "directory\n",
            "@nosuch");
    REFUSED(1, "prog: error: failed to read arguments from \".\": read .: is a directory\n", "@.");
    REFUSED(1, "prog: error: failed to read arguments from \"nul\": it holds a NUL byte\n", "work",
            "@nul");
    PARSED(s, &prog, "work", "@self");
    assert_int_equal(s.code, 1);
    assert_non_null(strstr(s.err, "more than 65536 arguments"));
    parsed_free(&s);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(unlink((const char *const[]){"one", "two", "self", "nul"}[i]), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_come_with_equals_or_as_the_next_word),
        cmocka_unit_test(defaults_hold_for_what_is_not_given),
        cmocka_unit_test(a_lone_dash_is_an_empty_value_and_other_dashes_are_none),
        cmocka_unit_test(booleans_are_negated_and_take_no_value),
        cmocka_unit_test(letters_bundle),
        cmocka_unit_test(flags_of_a_command_are_unknown_before_it),
        cmocka_unit_test(two_dashes_end_the_flags),
        cmocka_unit_test(words_are_commands_or_refused),
        cmocka_unit_test(a_syntax_error_at_the_end_wins_over_a_wrong_value_before_it),
        cmocka_unit_test(an_empty_time_is_left_to_the_command),
        cmocka_unit_test(help_and_version_win_over_what_is_wrong),
        cmocka_unit_test(the_help_shows_defaults_and_hides_hidden_flags),
        cmocka_unit_test(completion_offers_commands_flags_and_choices),
        cmocka_unit_test(arguments_come_from_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
