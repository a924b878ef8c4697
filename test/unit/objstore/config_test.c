// SPDX-License-Identifier: Apache-2.0
/* Bucket configuration against upstream's recorded answers, and where anneal is stricter. */
#include "objstore/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "objstore/prefix.h"
#include "support/tmpdir.h"
#include "unit/vectors.h"

/* Upstream accepts a prefix that leads out of the directory, and reads and writes there. */
static bool leads_out(an_slice yaml) { return an_slice_has_suffix(yaml, AN_LIT("prefix: '..'")); }

/* Texts of the YAML library are its own: there only the place and what it speaks of count. */
static void check_text(const char *got, an_slice want, an_slice yaml)
{
    static const char *const words[] = {"line 1", "line 2",      "line 3",     "line 4",
                                        "line 5", "field extra", "field Type", "field x ",
                                        "\"a\"",  "\"bucket\"",  "\"ca_file\""};
    an_slice g = an_slice_str(got);

    if (memmem(want.p, want.n, "yaml: ", 6) == NULL) {
        if (!an_slice_eq(g, want))
            fail_msg("%.*s\n got %s\nwant %.*s", AN_PRI(yaml), got, AN_PRI(want));
        return;
    }
    const uint8_t *colon = memmem(want.p, want.n, "yaml: ", 6);
    an_slice head = {want.p, (size_t)(colon - want.p)}; /* upstream's own words in front */
    if (!an_slice_has_prefix(g, head))
        fail_msg("%.*s\n got %s\nwant %.*s", AN_PRI(yaml), got, AN_PRI(want));
    /* In the section of a provider upstream counts lines of a text of its own making; at errors of
     * syntax its parser tells a line of its own choice. */
    if (an_slice_has_prefix(head, AN_LIT("create "))) return;
    if (memmem(want.p, want.n, "unmarshal errors", 16) == NULL) return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        bool asked = memmem(want.p, want.n, words[i], strlen(words[i])) != NULL;
        if (asked && strstr(got, words[i]) == NULL)
            fail_msg("%.*s\n got %s\nwant %.*s", AN_PRI(yaml), got, AN_PRI(want));
    }
}

static void every_recorded_case_is_answered_as_upstream_does(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "bucketconfig.json"), "cases");
    unsigned built = 0, not_built = 0, refused = 0, stricter = 0;
    tmpdir t;
    char cwd[PATH_MAX], name[PATH_MAX];

    tmpdir_make(&t);
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(t.path), 0);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice yaml = vectors_str(c, "yaml");
        an_slice stage = vectors_str(c, "stage");
        bool ok = vectors_bool(c, "ok");
        bool fs = vectors_opt(c, "type") != NULL &&
                  an_slice_eq(vectors_str(c, "type"), AN_LIT("FILESYSTEM"));
        const an_json *want = vectors_opt(c, "err");
        bool unknown =
            !ok && want != NULL && an_slice_has_prefix(want->text, AN_LIT("bucket with type "));
        an_bucket_config got = {0};
        an_bucket *b = NULL;
        an_err err = {0};

        an_arena_reset(work);
        an_rc rc = an_bucket_config_parse(work, yaml, &got, &err);
        if (!fs && !unknown && !an_slice_eq(stage, AN_LIT("top"))) {
            if (rc != AN_EUNSUPPORTED) fail_msg("%.*s: %s", AN_PRI(yaml), an_rc_name(rc));
            assert_int_equal(err.cause, AN_CAUSE_NOT_BUILT);
            not_built++;
            continue;
        }
        if (!ok) {
            if (rc != AN_EINVALID) fail_msg("%.*s: %s", AN_PRI(yaml), an_rc_name(rc));
            assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
            check_text(err.msg, want->text, yaml);
            refused++;
            continue;
        }
        if (rc != AN_OK) fail_msg("%.*s: %s", AN_PRI(yaml), err.msg);
        const an_json *prefix = vectors_opt(c, "effective_prefix");
        assert_true(an_slice_eq(got.prefix, prefix != NULL ? prefix->text : AN_LIT("")));

        /* there is no such folder yet: upstream takes that for an empty bucket */
        assert_int_equal(an_bucket_config_open(&got, NULL, &b, &err), AN_EINVALID);
        assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
        if (leads_out(yaml)) {
            stricter++;
            continue;
        }
        an_slice where = vectors_str(c, "name");
        if (an_slice_has_prefix(where, AN_LIT("fs: <cwd>/"))) {
            an_slice dir = {where.p + 10, where.n - 10};
            assert_int_equal(mkdir(tmpdir_name(&t, an_arena_str(work, dir), name), 0777), 0);
            assert_int_equal(an_bucket_config_open(&got, NULL, &b, &err), AN_OK);
            assert_string_equal(b->name, an_arena_printf(work, "fs: %s", name));
            an_bucket_free(b);
            assert_int_equal(rmdir(name), 0);
        } else {
            assert_non_null(strstr(err.msg, "/abs/x:"));
        }
        built++;
    }
    assert_int_equal(chdir(cwd), 0);
    tmpdir_remove(&t);
    print_message("%u opened, %u refused, %u of types to come, %u refused that upstream takes\n",
                  built, refused, not_built, stricter);
    assert_true(built == 26 && refused == 37 && stricter == 1 && not_built == 352);
    an_arena_free(work);
    an_arena_free(a);
}

static void objects_and_unfinished_files_lie_below_the_prefix(void **state)
{
    (void)state;
    static const char *const prefixes[][2] = {
        {"", ""}, {"/t/one/", "t/one/"}, {"a//b", "a/b/"}, {"a/../b", "b/"}, {"./x/.", "x/"}};

    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        tmpdir t;
        an_ctx ctx;
        an_err err;
        an_bucket *b = NULL;
        an_upload *u = NULL;
        char rel[200];

        tmpdir_make(&t);
        an_ctx_init(&ctx, NULL);
        an_bucket_config c = {.type = AN_LIT("FILESYSTEM"),
                              .prefix = an_prefix_trim(an_slice_str(prefixes[i][0])),
                              .directory = an_slice_str(t.path)};
        assert_int_equal(an_bucket_config_open(&c, NULL, &b, &err), AN_OK);
        assert_int_equal(an_upload_open(b, &ctx, AN_LIT("B/index"), AN_LIT("n"), &u, &err), AN_OK);
        (void)snprintf(rel, sizeof rel, "%sanneal/tmp", prefixes[i][1]);
        assert_true(tmpdir_has(&t, rel));
        assert_int_equal(an_upload_complete(u, &ctx, 0, &err), AN_OK);
        an_upload_close(u);
        (void)snprintf(rel, sizeof rel, "%sB/index", prefixes[i][1]);
        assert_true(tmpdir_has(&t, rel));
        an_bucket_free(b);
        tmpdir_remove(&t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_case_is_answered_as_upstream_does),
        cmocka_unit_test(objects_and_unfinished_files_lie_below_the_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
