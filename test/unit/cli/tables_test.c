// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/parsed.h"

#include "cli/help.h"
#include "cli/notbuilt.h"

/* Calls fn for every command, with the path down to it. */
static void walk(const an_cmd_def *const *path, size_t n,
                 void (*fn)(const an_cmd_def *const *path, size_t n))
{
    const an_cmd_def *down[AN_CMD_DEPTH];

    fn(path, n);
    for (const an_cmd_def *s = path[n - 1]->subs; s != NULL && s->name != NULL; s++) {
        assert_true(n < AN_CMD_DEPTH);
        memcpy(down, path, n * sizeof *path);
        down[n] = s;
        walk(down, n + 1, fn);
    }
}

static void walk_all(void (*fn)(const an_cmd_def *const *path, size_t n))
{
    const an_cmd_def *root = &an_program;
    walk(&root, 1, fn);
}

static void check_flags(const an_cmd_def *const *path, size_t n)
{
    an_arena *a = an_arena_new(NULL);

    for (const an_flag_def *d = path[n - 1]->flags; d != NULL && d->name != NULL; d++) {
        assert_non_null(d->group);
        assert_non_null(d->help);
        assert_true(strlen(d->help) > 8 && d->help[strlen(d->help) - 1] == '.');
        bool is_enum = d->type == AN_FLAG_ENUM || d->type == AN_FLAG_ENUMS;
        assert_int_equal(is_enum, d->choices != NULL);
        an_flag f = {.def = d};
        an_flag_set_default(a, &f); /* asserts that the default is a value */
        assert_false(d->required && d->def != NULL);
        for (size_t i = 0; i < n; i++) { /* one name, one flag on a path */
            for (const an_flag_def *e = path[i]->flags; e != NULL && e->name != NULL; e++) {
                if (e == d) continue;
                assert_string_not_equal(e->name, d->name);
                assert_true(d->letter == 0 || e->letter != d->letter);
            }
        }
    }
    an_arena_free(a);
}

static void every_flag_has_a_group_a_help_and_a_valid_default(void **state)
{
    (void)state;
    walk_all(check_flags);
}

static void check_command(const an_cmd_def *const *path, size_t n)
{
    const an_cmd_def *c = path[n - 1];

    assert_non_null(c->help);
    assert_int_equal(c->help[strlen(c->help) - 1], '.');
    assert_int_equal(c->subs == NULL && !c->takes_args, c->run != NULL);
}

static void every_leaf_can_be_run(void **state)
{
    (void)state;
    walk_all(check_command);
}

static size_t n_matches;
static const char *wanted;
static void match_flag(const an_cmd_def *const *path, size_t n)
{
    for (const an_flag_def *d = path[n - 1]->flags; d != NULL && d->name != NULL; d++) {
        n_matches += strcmp(d->name, wanted) == 0;
    }
}
static void match_command(const an_cmd_def *const *path, size_t n)
{
    char name[128] = "";
    for (size_t i = 1; i < n; i++) {
        (void)snprintf(name + strlen(name), sizeof name - strlen(name), "%s%s", i > 1 ? " " : "",
                       path[i]->name);
    }
    n_matches += strcmp(name, wanted) == 0;
}

static void what_is_not_built_exists_in_the_tables(void **state)
{
    (void)state;
    size_t rows = 0;
    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++, rows++) {
        n_matches = 0;
        wanted = t->name;
        if (t->kind == AN_NOT_BUILT_PLAN) continue;
        walk_all(t->kind == AN_NOT_BUILT_COMMAND ? match_command : match_flag);
        assert_true(n_matches > 0);
    }
    an_buf out;
    an_buf_init(&out, 1 << 16, NULL);
    an_not_built_print(&out);
    size_t lines = 0;
    for (size_t i = 0; i < out.n; i++) lines += out.p[i] == '\n';
    assert_int_equal(lines, rows + 1);
    an_buf_deinit(&out);
}

/* Every upstream flag of `compact` with its type's default, as the recorded help shows it. */
static void the_flags_of_compact_have_upstreams_defaults(void **state)
{
    (void)state;
    static const char *const want[][2] = {
        {"http-address", "0.0.0.0:10902"},
        {"http-grace-period", "2m"},
        {"http.config", ""},
        {"data-dir", "./data"},
        {"consistency-delay", "30m"},
        {"retention.resolution-raw", "0d"},
        {"retention.resolution-5m", "0d"},
        {"retention.resolution-1h", "0d"},
        {"wait-interval", "5m"},
        {"block-discovery-strategy", "concurrent"},
        {"block-meta-fetch-concurrency", "32"},
        {"block-files-concurrency", "1"},
        {"block-viewer.global.sync-block-interval", "1m"},
        {"block-viewer.global.sync-block-timeout", "5m"},
        {"compact.cleanup-interval", "5m"},
        {"compact.progress-interval", "5m"},
        {"compact.concurrency", "1"},
        {"compact.blocks-fetch-concurrency", "1"},
        {"downsample.concurrency", "1"},
        {"delete-delay", "48h"},
        {"deduplication.func", ""},
        {"hash-func", ""},
        {"min-time", "0000-01-01T00:00:00Z"},
        {"max-time", "9999-12-31T23:59:59Z"},
        {"compact.block-max-index-size", "64GB"},
        {"debug.max-compaction-level", "4"},
        {"log.level", "info"},
        {"log.format", "logfmt"},
        {"auto-gomemlimit.ratio", "0.9"},
        {"halt.scope", "group"},
        {"auto-remedy", "off"},
    };
    PARSED(p, &an_program, "compact");
    assert_int_equal(p.code, -1);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        assert_string_equal(an_flag_text(&p.cli.flags, want[i][0]), want[i][1]);
    }
    assert_true(an_flag_on(&p.cli.flags, "debug.halt-on-error"));
    assert_int_equal(an_flag_get(&p.cli.flags, "deduplication.replica-label")->n, 0);
    parsed_free(&p);
}

static int check_refusal(an_err *err, const char *flag)
{
    PARSED(p, &an_program, "compact", flag);
    assert_int_equal(p.code, -1);
    an_rc rc = an_not_built_check(&p.cli.flags, err);
    parsed_free(&p);
    return (int)rc;
}

static void a_flag_that_is_not_built_is_refused_by_name_unless_it_is_at_its_default(void **state)
{
    (void)state;
    an_err err;
    assert_int_equal(check_refusal(&err, "--wait"), AN_EINVALID);
    assert_non_null(strstr(err.msg, "--wait"));
    assert_int_equal(check_refusal(&err, "--no-wait"), AN_OK);
    assert_int_equal(check_refusal(&err, "--downsample.concurrency=1.5"), AN_OK);
    assert_int_equal(check_refusal(&err, "--downsample.concurrency=2"), AN_EINVALID);
    assert_int_equal(check_refusal(&err, "--output-encoding=xor"), AN_EINVALID);
    assert_int_equal(check_refusal(&err, "--output-encoding=source"), AN_OK);
    assert_int_equal(check_refusal(&err, "--auto-remedy=safe"), AN_OK);
    assert_int_equal(check_refusal(&err, "--http-address=:1"), AN_OK);
}

static void flags_without_effect_are_listed_when_given(void **state)
{
    (void)state;
    an_buf out;
    an_buf_init(&out, 4096, NULL);
    PARSED(p, &an_program, "compact", "--http-address=:1", "--web.disable", "--auto-remedy=safe");
    assert_true(an_not_built_idle(&p.cli.flags, &out));
    an_buf_u8(&out, 0);
    assert_string_equal((const char *)out.p, "--auto-remedy,--http-address,--web.disable");
    an_buf_clear(&out);
    parsed_free(&p);
    PARSED(q, &an_program, "compact", "--auto-remedy=off");
    assert_false(an_not_built_idle(&q.cli.flags, &out));
    parsed_free(&q);
    an_buf_deinit(&out);
}

static void long_help_and_man_page_name_every_command(void **state)
{
    (void)state;
    PARSED(l, &an_program, "--help-long");
    PARSED(m, &an_program, "--help-man");
    static const char *const names[] = {"compact [<flags>]", "plan [<flags>]",
                                        "tools bucket mark --id=ID --marker=MARKER [<flags>]",
                                        "tools bucket timeline [<flags>]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_non_null(strstr(l.out, names[i]));
        assert_non_null(strstr(m.out, names[i]));
    }
    assert_non_null(strstr(l.out, "--memory-limit=0"));
    assert_null(strstr(l.out, "--debug.halt-on-error"));
    assert_non_null(strstr(m.out, "\\-\\-[no\\-]debug.halt\\-on\\-error"));
    assert_int_equal(strncmp(m.out, ".TH prog 1 ", 11), 0);
    parsed_free(&l);
    parsed_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_flag_has_a_group_a_help_and_a_valid_default),
        cmocka_unit_test(every_leaf_can_be_run),
        cmocka_unit_test(what_is_not_built_exists_in_the_tables),
        cmocka_unit_test(the_flags_of_compact_have_upstreams_defaults),
        cmocka_unit_test(a_flag_that_is_not_built_is_refused_by_name_unless_it_is_at_its_default),
        cmocka_unit_test(flags_without_effect_are_listed_when_given),
        cmocka_unit_test(long_help_and_man_page_name_every_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
