// SPDX-License-Identifier: Apache-2.0
/* meta.json: a document is refused with a cause or read; what is read is written, and what was
 * written reads back and is written the same. Whatever a meta says, the planner stays calm.
 *
 * Input: the document. */
#include "compact/plan/plan.h"
#include "fuzz/fuzz.h"

static void plan(an_arena *a, const an_meta *m)
{
    static const int64_t ranges[] = {3600000, 7200000, 28800000, 172800000, 1209600000};
    an_plan_opts o = {.ranges = ranges, .n_ranges = 5, .now_ms = INT64_C(1785542400000)};
    an_plan_block b[3];
    const an_plan_block *p[3];
    an_group *g;
    size_t n;
    an_slice ext;
    an_err err;

    for (uint8_t i = 0; i < 3; i++) {
        b[i] = (an_plan_block){.id = m->ulid, .meta = m, .index_bytes = 1};
        b[i].id.b[15] ^= i;
        p[i] = &b[i];
    }
    an_groups_build(a, p, 3, &g, &n);
    an_assert(n == 1);
    an_assert(an_group_extensions(a, g, &ext, &err) == AN_OK);
    for (int vertical = 0; vertical < 2; vertical++) {
        an_outcomes out = {0};
        o.vertical = vertical != 0;
        an_plan_group(a, g, &o, &out);
        an_assert(an_outcomes_isolated(&out) != NULL); /* one meta under three names */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    an_err err;
    an_meta m, again;
    an_arena *a = an_arena_new(NULL);
    an_buf once, twice;
    an_rc rc = an_meta_parse(a, an_slice_of(data, size), &m, &err);

    an_assert(rc == AN_OK || rc == AN_ECORRUPT || rc == AN_ELIMIT || rc == AN_EUNSUPPORTED);
    an_assert(rc == AN_OK ||
              err.cause == (rc == AN_EUNSUPPORTED ? AN_CAUSE_META_FOREIGN : AN_CAUSE_META_CORRUPT));
    an_buf_init(&once, 64 << 20, NULL);
    an_buf_init(&twice, 64 << 20, NULL);
    if (rc == AN_OK) {
        an_meta_write(&once, &m);
        an_assert(!once.failed);
        an_assert(an_meta_parse(a, an_buf_slice(&once), &again, &err) == AN_OK);
        an_meta_write(&twice, &again);
        an_assert(an_slice_eq(an_buf_slice(&once), an_buf_slice(&twice)));
        plan(a, &m);
    }
    an_buf_deinit(&once);
    an_buf_deinit(&twice);
    an_arena_free(a);
    return 0;
}
