// SPDX-License-Identifier: Apache-2.0
/* A copy of a meta says the same, points nowhere else, and fails cleanly without memory. */
#include "tsdb/meta/meta.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

static void every_readable_document_copies_to_the_same_bytes(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "metajson.json"), "encode");
    size_t n = 0;

    for (size_t i = 0; i < cases->n; i++) {
        an_arena *first = an_arena_new(NULL), *second = an_arena_new(NULL);
        an_slice doc = vectors_str(&cases->items[i], "bytes");
        an_meta m, *copy = NULL;
        an_err err;
        an_buf x, y;

        an_buf_init(&x, 1 << 24, NULL);
        an_buf_init(&y, 1 << 24, NULL);
        if (an_meta_parse(first, doc, &m, &err) == AN_OK) {
            n++;
            an_meta_write(&x, &m);
            copy = an_meta_dup(second, &m);
            assert_non_null(copy);
            an_arena_free(first); /* ASan would see a pointer into it */
            first = NULL;
            an_meta_write(&y, copy);
            assert_true(an_slice_eq(an_buf_slice(&x), an_buf_slice(&y)));
        }
        an_buf_deinit(&x);
        an_buf_deinit(&y);
        an_arena_free(first);
        an_arena_free(second);
    }
    assert_true(n > 200);
    an_arena_free(a);
}

static void a_copy_needs_all_its_memory(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_slice files[300];
    an_meta m = {.thanos = {.n_segment_files = 300, .segment_files = files}};
    unsigned refused = 0;
    bool done = false;

    for (size_t i = 0; i < 300; i++) files[i] = an_slice_str(an_arena_printf(a, "%06zu", i));
    for (size_t limit = 0; !done; limit += 64) {
        an_budget *b = an_budget_new(limit);
        an_arena *to = an_arena_new(b);

        done = an_meta_dup(to, &m) != NULL;
        refused += !done;
        an_arena_free(to);
        an_budget_free(b); /* asserts that all came back */
    }
    assert_true(refused > 50);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_readable_document_copies_to_the_same_bytes),
        cmocka_unit_test(a_copy_needs_all_its_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
