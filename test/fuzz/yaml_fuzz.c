// SPDX-License-Identifier: Apache-2.0
/* YAML: a document is refused or is a tree within the limits, whose normal form is its own normal
 * form.
 *
 * Input: the document; its length chooses what happens to duplicate keys. */
#include "base/yaml.h"
#include "fuzz/fuzz.h"

static size_t walk(const an_yaml *v, int depth)
{
    size_t n = 1;

    an_assert(depth <= AN_YAML_DEPTH && v->line > 0 && v->column > 0);
    an_assert(v->kind != AN_YAML_SCALAR || v->text.p[v->text.n] == 0);
    for (size_t i = 0; v->kind != AN_YAML_SCALAR && i < v->n; i++) {
        if (v->kind == AN_YAML_MAP) {
            an_assert(v->keys[i]->kind == AN_YAML_SCALAR);
            n += walk(v->keys[i], depth + 1);
        }
        n += walk(v->items[i], depth + 1);
    }
    return n;
}

static void assert_same(const an_yaml *x, const an_yaml *y)
{
    an_assert(x->kind == y->kind && x->n == y->n && x->line == y->line);
    if (x->kind == AN_YAML_SCALAR) {
        bool zero = an_slice_eq(x->text, AN_LIT("-0")); /* becomes an integer, and that "0" */
        an_assert(x->type == y->type && (zero || an_slice_eq(x->text, y->text)));
        an_assert(x->type != AN_YAML_INT || (x->i == y->i && x->u == y->u));
        return;
    }
    for (size_t i = 0; i < x->n; i++) {
        assert_same(x->items[i], y->items[i]);
        if (x->kind == AN_YAML_MAP) assert_same(x->keys[i], y->keys[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    const an_yaml *v, *once, *twice;
    an_arena *a = an_arena_new(NULL);
    an_yaml_dup dup = size % 2 == 0 ? AN_YAML_DUP_ERROR : AN_YAML_DUP_LAST;
    an_rc rc = an_yaml_parse(a, (an_slice){data, size}, dup, &v, &err);

    an_assert((v != NULL) == (rc == AN_OK));
    an_assert(rc == AN_OK || rc == AN_EINVALID || rc == AN_ELIMIT);
    if (rc == AN_OK) {
        an_assert(walk(v, 1) <= 2 * (size_t)AN_YAML_NODES_MAX);
        an_assert(an_yaml_normalize(a, v, &once, &err) == AN_OK);
        an_assert(an_yaml_normalize(a, once, &twice, &err) == AN_OK);
        assert_same(once, twice);
    }
    an_arena_free(a);
    return 0;
}
