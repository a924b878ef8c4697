// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/parsed.h"

#include "cli/content.h"

static void the_file_and_its_content_exclude_each_other(void **state)
{
    (void)state;
    an_err err;
    an_buf out;
    an_buf_init(&out, 64, NULL);
    PARSED(p, &an_program, "compact", "--objstore.config-file=x", "--objstore.config=y");
    assert_int_equal(
        an_content_read(&p.cli.flags, "objstore.config", AN_CONTENT_OPTIONAL, &out, &err),
        AN_EINVALID);
    assert_string_equal(err.msg, "both objstore.config-file and objstore.config flags set.");
    parsed_free(&p);
    an_buf_deinit(&out);
}

static void a_missing_file_is_named_with_its_flag(void **state)
{
    (void)state;
    an_err err;
    an_buf out;
    an_buf_init(&out, 64, NULL);
    PARSED(p, &an_program, "compact", "--objstore.config-file=nosuch");
    assert_int_equal(
        an_content_read(&p.cli.flags, "objstore.config", AN_CONTENT_OPTIONAL, &out, &err),
        AN_EINVALID);
    assert_string_equal(err.msg, "loading file nosuch for objstore.config-file: open nosuch: no "
                                 "such file or directory");
    parsed_free(&p);
    an_buf_deinit(&out);
}

static void references_to_the_environment_are_expanded(void **state)
{
    (void)state;
    an_err err;
    an_buf out;
    assert_int_equal(setenv("AN_TEST_DIR", "d", 1), 0);
    assert_int_equal(unsetenv("AN_TEST_NONE"), 0);
    an_buf_init(&out, 64, NULL);
    PARSED(p, &an_program, "compact", "--objstore.config=a: $(AN_TEST_DIR)");
    assert_int_equal(
        an_content_read(&p.cli.flags, "objstore.config", AN_CONTENT_REQUIRED, &out, &err), AN_OK);
    assert_true(an_slice_eq(an_buf_slice(&out), AN_LIT("a: d")));
    parsed_free(&p);
    PARSED(q, &an_program, "compact", "--objstore.config=a: $(AN_TEST_NONE)");
    assert_int_equal(
        an_content_read(&q.cli.flags, "objstore.config", AN_CONTENT_REQUIRED, &out, &err),
        AN_EINVALID);
    assert_string_equal(err.msg, "found reference to unset environment variable \"AN_TEST_NONE\"");
    parsed_free(&q);
    an_buf_deinit(&out);
}

static void an_empty_required_content_is_refused(void **state)
{
    (void)state;
    an_err err;
    an_buf out;
    an_buf_init(&out, 64, NULL);
    PARSED(p, &an_program, "tools", "bucket", "ls");
    assert_int_equal(
        an_content_read(&p.cli.flags, "objstore.config", AN_CONTENT_REQUIRED, &out, &err),
        AN_EINVALID);
    assert_string_equal(err.msg, "flag objstore.config-file or objstore.config is required for "
                                 "running this command and content cannot be empty.");
    assert_int_equal(
        an_content_read(&p.cli.flags, "objstore.config", AN_CONTENT_OPTIONAL, &out, &err), AN_OK);
    assert_int_equal(out.n, 0);
    parsed_free(&p);
    an_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_and_its_content_exclude_each_other),
        cmocka_unit_test(a_missing_file_is_named_with_its_flag),
        cmocka_unit_test(references_to_the_environment_are_expanded),
        cmocka_unit_test(an_empty_required_content_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
