// SPDX-License-Identifier: Apache-2.0
/* Relabel rules: a document is refused or is rules; rules run over labels and give sorted, unique
 * names without empty values. What a selector may do, any rules may.
 *
 * Input: the YAML document. */
#include "tsdb/labels/relabel.h"
#include "fuzz/fuzz.h"

static void run(const an_relabel *r)
{
    static const an_label all[] = {
        {AN_LIT("__block_id"), AN_LIT("01KWGXGWJ82604SR6P4FGTKV99")},
        {AN_LIT("a"), AN_LIT("1")},
        {AN_LIT("b"), AN_LIT("eu-west")},
        {AN_LIT("cluster"), AN_LIT("X/\xc3\xa4\xff")},
        {AN_LIT("empty"), AN_LIT("")},
    };
    an_arena *a = an_arena_new(NULL);
    an_label in[5];
    an_labels out;
    bool keep;
    an_err err;

    for (size_t n = 0; n <= 5; n += 5) {
        for (size_t i = 0; i < n; i++) in[i] = all[i];
        if (an_relabel_run(r, a, (an_labels){n, in}, &out, &keep, &err) != AN_OK) {
            an_assert(err.rc == AN_ELIMIT);
            continue;
        }
        for (size_t i = 0; keep && i < out.n; i++) {
            an_assert(out.v[i].value.n > 0);
            an_assert(i == 0 || an_slice_cmp(out.v[i - 1].name, out.v[i].name) < 0);
        }
    }
    an_arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_relabel *any, *selector;
    an_rc rc = an_relabel_parse(an_slice_of(data, size), AN_RELABEL_ANY, &any, &err);

    an_assert((any != NULL) == (rc == AN_OK));
    an_assert(rc == AN_OK || rc == AN_EINVALID || rc == AN_ELIMIT);
    an_rc sel = an_relabel_parse(an_slice_of(data, size), AN_RELABEL_SELECTOR, &selector, &err);
    an_assert((selector != NULL) == (sel == AN_OK));
    an_assert(sel != AN_OK || rc == AN_OK);
    if (any != NULL && any->n <= 16) run(any);
    an_relabel_free(any);
    an_relabel_free(selector);
    return 0;
}
