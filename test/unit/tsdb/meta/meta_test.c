// SPDX-License-Identifier: Apache-2.0
/* meta.json: what upstream reads is read, what it writes is written byte for byte
 * (golden/vectors/metajson.json). */
#include "tsdb/meta/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/duration.h"
#include "unit/vectors.h"

enum { DOC_MAX = 1 << 20 };

/* Parses exactly the bytes: ASan sees the first one too far. */
static an_rc parse(an_arena *a, an_slice doc, an_meta *out, an_err *err)
{
    uint8_t *copy = malloc(doc.n > 0 ? doc.n : 1);

    assert_non_null(copy);
    if (doc.n > 0) memcpy(copy, doc.p, doc.n);
    an_rc rc = an_meta_parse(a, an_slice_of(copy, doc.n), out, err);
    free(copy); /* the meta must not point into it */
    return rc;
}

static void check_written(const an_meta *m, an_slice want, const char *what, size_t no)
{
    an_buf out;

    an_buf_init(&out, DOC_MAX, NULL);
    an_meta_write(&out, m);
    assert_false(out.failed);
    if (!an_slice_eq(an_buf_slice(&out), want))
        fail_msg("%s %zu: wrote\n%.*s\nwant\n%.*s", what, no, AN_PRI(an_buf_slice(&out)),
                 AN_PRI(want));
    an_buf_deinit(&out);
}

static void what_upstream_wrote_is_written_again_byte_for_byte(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "encode");
    size_t unreadable = 0;

    assert_int_equal(cases->n, 241);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice bytes = vectors_str(c, "bytes");
        an_meta m;
        an_err err;
        an_arena_reset(work);
        if (parse(work, bytes, &m, &err) != AN_OK) { /* the zero value has version 0 */
            assert_true(an_slice_eq(vectors_str(c, "name"), AN_LIT("zero value")));
            assert_int_equal(err.cause, AN_CAUSE_META_FOREIGN);
            an_meta zero = {.thanos = {.upload_time = {.sec = AN_GO_ZERO_SEC}}};
            check_written(&zero, bytes, "encode", i);
            unreadable++;
            continue;
        }
        const an_json *again = vectors_opt(c, "rewritten");
        check_written(&m, again != NULL ? again->text : bytes, "encode", i);
    }
    assert_int_equal(unreadable, 1);
    an_arena_free(work);
    an_arena_free(a);
}

/* The document of a parse case: as text, as bytes, or by a rule. */
static an_slice parse_input(an_arena *a, const an_json *c)
{
    const an_json *gen = vectors_opt(c, "in_gen");
    an_buf doc;

    if (vectors_opt(c, "in") != NULL) return vectors_str(c, "in");
    if (gen == NULL) return vectors_hex(a, vectors_str(c, "in_hex"));
    an_buf_init(&doc, DOC_MAX, NULL);
    if (vectors_opt(gen, "repeat") != NULL) {
        for (int64_t i = vectors_int(gen, "times"); i > 0; i--)
            an_buf_slice_add(&doc, vectors_str(gen, "repeat"));
    } else {
        an_buf_slice_add(&doc, vectors_str(gen, "prefix"));
        an_buf_fill(&doc, '[', (size_t)vectors_int(gen, "nest"));
        an_buf_fill(&doc, ']', (size_t)vectors_int(gen, "nest"));
        an_buf_slice_add(&doc, vectors_str(gen, "suffix"));
    }
    assert_false(doc.failed);
    an_slice s = an_arena_dup(a, an_buf_slice(&doc));
    an_buf_deinit(&doc);
    return s;
}

/* Deviation: nesting ends at AN_JSON_DEPTH here and at 10000 upstream; one case lies between. */
static bool is_nested_deeper_than_ours(const an_json *c)
{
    const an_json *gen = vectors_opt(c, "in_gen");

    return gen != NULL && vectors_opt(gen, "nest") != NULL &&
           vectors_int(gen, "nest") > AN_JSON_DEPTH;
}

static void what_upstream_reads_is_read_and_nothing_else(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "parse");
    size_t ok = 0, corrupt = 0, foreign = 0, deep = 0;

    assert_int_equal(cases->n, 135);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *c = &cases->items[i];
        an_slice want = vectors_str(c, "bucket");
        an_meta m;
        an_err err = {0};
        an_arena_reset(work);
        an_slice doc = parse_input(work, c);
        an_rc rc = parse(work, doc, &m, &err);
        if (rc == AN_ECORRUPT && is_nested_deeper_than_ours(c)) {
            assert_int_equal(err.cause, AN_CAUSE_META_CORRUPT);
            deep++;
        } else if (an_slice_eq(want, AN_LIT("ok"))) {
            if (rc != AN_OK) fail_msg("parse %zu: refused: %s", i, err.msg);
            check_written(&m, vectors_str(c, "rewritten"), "parse", i);
            ok++;
        } else if (an_slice_eq(want, AN_LIT("corrupted"))) {
            if (rc != AN_ECORRUPT) fail_msg("parse %zu: rc %d", i, (int)rc);
            assert_int_equal(err.cause, AN_CAUSE_META_CORRUPT);
            corrupt++;
        } else {
            assert_true(an_slice_eq(want, AN_LIT("hard error")));
            if (rc != AN_EUNSUPPORTED) fail_msg("parse %zu: rc %d", i, (int)rc);
            assert_int_equal(err.cause, AN_CAUSE_META_FOREIGN);
            /* "version: N" ends both sentences */
            an_slice text = vectors_str(c, "bucket_err");
            assert_true(an_slice_has_suffix(an_slice_str(err.msg), text));
            foreign++;
        }
    }
    assert_int_equal(ok + corrupt + foreign + deep, 135);
    assert_true(ok > 60 && corrupt > 40 && foreign > 5);
    assert_int_equal(deep, 2); /* one of them is corrupted upstream as well */
    an_arena_free(work);
    an_arena_free(a);
}

static void the_foreign_parts_of_a_document_are_read_not_judged(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_meta m;
    an_err err;

    assert_int_equal(
        parse(a,
              AN_LIT("{\"version\":1,\"thanos\":{\"version\":7,\"labels\":{\"b\":\"2\",\"a\":"
                     "\"1\"}}}"),
              &m, &err),
        AN_OK);
    assert_int_equal(m.thanos.version, 7);
    assert_true(m.thanos.present && m.thanos.has_labels);
    assert_int_equal(m.thanos.labels.n, 2);
    assert_true(an_slice_eq(m.thanos.labels.v[0].name, AN_LIT("a")));
    assert_true(an_meta_is_zero_time(m.thanos.upload_time));
    assert_int_equal(parse(a, AN_LIT("{\"version\":1}"), &m, &err), AN_OK);
    assert_false(m.thanos.present);
    an_arena_free(a);
}

static void a_document_cut_at_any_byte_is_corrupt(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "encode");
    an_slice doc = vectors_str(&cases->items[5], "bytes");
    an_meta m;
    an_err err;

    assert_int_equal(parse(work, doc, &m, &err), AN_OK);
    for (size_t n = 0; n + 1 < doc.n; n++) { /* without the last line end it is whole */
        an_arena_reset(work);
        assert_int_equal(parse(work, an_slice_of(doc.p, n), &m, &err), AN_ECORRUPT);
        assert_string_equal(err.object, "meta.json");
    }
    an_arena_free(work);
    an_arena_free(a);
}

static void a_document_above_the_limit_is_refused(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    size_t n = (size_t)AN_META_MAX + 1;
    uint8_t *doc = malloc(n);
    an_meta m;
    an_err err;

    assert_non_null(doc);
    memset(doc, ' ', n);
    memcpy(doc, "{\"version\":1}", 13);
    assert_int_equal(an_meta_parse(a, an_slice_of(doc, n - 1), &m, &err), AN_OK);
    assert_int_equal(an_meta_parse(a, an_slice_of(doc, n), &m, &err), AN_ELIMIT);
    free(doc);
    an_arena_free(a);
}

static void durations_print_as_in_recorded_details(void **state)
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_upstream_wrote_is_written_again_byte_for_byte),
        cmocka_unit_test(what_upstream_reads_is_read_and_nothing_else),
        cmocka_unit_test(the_foreign_parts_of_a_document_are_read_not_judged),
        cmocka_unit_test(a_document_cut_at_any_byte_is_corrupt),
        cmocka_unit_test(a_document_above_the_limit_is_refused),
        cmocka_unit_test(durations_print_as_in_recorded_details),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
