// SPDX-License-Identifier: Apache-2.0
/* Every fault bucket of golden/faults, judged by its metas and marks alone: what the planner can
 * see it calls by the name of expected.json and with the blocks named there, what it cannot see
 * (the bytes) it plans as upstream does. */
#include "compact/plan/plan.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

/* A time after the fault buckets' data (July 2026) and before anything in them that is "future". */
#define NOW_MS INT64_C(1785542400000)

static an_slice read_file(an_arena *a, const char *path)
{
    uint8_t part[65536];
    size_t n;
    an_buf b;
    FILE *f = fopen(path, "rb");

    if (f == NULL) return (an_slice){NULL, 0};
    an_buf_init(&b, 1 << 24, NULL);
    while ((n = fread(part, 1, sizeof part, f)) > 0) an_buf_add(&b, part, n);
    (void)fclose(f);
    an_slice s = an_arena_dup(a, an_buf_slice(&b));
    an_buf_deinit(&b);
    return s;
}

static const char *faults_path(an_arena *a, const char *rest)
{
    const char *dir = getenv("AN_GOLDEN");

    assert_non_null(dir);
    return an_arena_printf(a, "%s/faults/%s", dir, rest);
}

static const an_json *load(an_arena *a, const char *rest)
{
    const an_json *root;
    an_err err;
    an_slice doc = read_file(a, faults_path(a, rest));

    if (an_json_parse(a, doc, 1 << 24, &root, &err) != AN_OK) fail_msg("%s: %s", rest, err.msg);
    return root;
}

static const an_mark *load_mark(an_arena *a, const char *dir, an_mark_kind kind, bool *object,
                                bool *foreign)
{
    an_mark *m = an_arena_alloc(a, sizeof *m);
    an_err err;
    an_slice doc = read_file(a, an_arena_printf(a, "%s/%s", dir, an_mark_file[kind]));

    *object = doc.p != NULL;
    if (doc.p == NULL) return NULL;
    an_rc rc = an_mark_parse(a, kind, doc, m, &err);
    if (rc == AN_EUNSUPPORTED) *foreign = true;
    return rc == AN_OK ? m : NULL;
}

/* NULL: no meta that can be read. */
static an_plan_block *load_block(an_arena *a, const char *dir, const char *name)
{
    an_plan_block *b = an_arena_alloc(a, sizeof *b);
    an_meta *m = an_arena_alloc(a, sizeof *m);
    bool object;
    an_err err;
    an_slice doc = read_file(a, an_arena_printf(a, "%s/meta.json", dir));

    if (doc.p == NULL || !an_ulid_parse(an_slice_str(name), &b->id)) return NULL;
    if (an_meta_parse(a, doc, m, &err) != AN_OK) return NULL;
    b->meta = m;
    b->deletion = load_mark(a, dir, AN_MARK_DELETION, &object, &b->foreign_mark);
    b->no_compact =
        load_mark(a, dir, AN_MARK_NO_COMPACT, &b->no_compact_object, &b->foreign_mark) != NULL;
    b->no_downsample = load_mark(a, dir, AN_MARK_NO_DOWNSAMPLE, &object, &b->foreign_mark) != NULL;
    an_slice index = read_file(a, an_arena_printf(a, "%s/index", dir));
    b->index_bytes = index.p == NULL ? -1 : (int64_t)index.n;
    return b;
}

typedef struct bucket {
    const an_plan_block **b;
    size_t n;
} bucket;

static bucket load_bucket(an_arena *a, const char *fault)
{
    bucket k = {.b = an_arena_alloc(a, 64 * sizeof *k.b)};
    const char *dir = faults_path(a, an_arena_printf(a, "%s/in", fault));
    DIR *d = opendir(dir);
    const struct dirent *e;

    if (d == NULL) return k; /* a bucket without any block */
    while ((e = readdir(d)) != NULL) {
        const char *name = an_arena_str(a, an_slice_str(e->d_name));
        an_plan_block *b = load_block(a, an_arena_printf(a, "%s/%s", dir, name), name);
        assert_true(k.n < 64);
        if (b != NULL) k.b[k.n++] = b;
    }
    (void)closedir(d);
    return k;
}

/* What the metas cannot show: these causes come from bytes or from the environment. */
static bool seen_in_metas(const char *fault, an_slice cause)
{
    static const char *const causes[] = {
        "overlap-twin",        "overlap-ooo",    "overlap-late",         "overlap-restart",
        "overlap-same-labels", "shared-sources", "meta-foreign",         "labels-empty",
        "sources-empty",       "resolution-odd", "vertical-downsampled", "mark-corrupt",
    };

    if (strcmp(fault, "m04-meta-version-2") == 0) return false; /* no meta, so no group */
    if (strncmp(fault, "meta-range-", 11) == 0) return true; /* outside-chunks, but in the meta */
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (an_slice_eq(cause, an_slice_str(causes[i]))) return true;
    }
    return false;
}

static bool has_text(const an_json *list, an_slice s)
{
    for (size_t i = 0; i < list->n; i++) {
        if (an_slice_eq(list->items[i].text, s)) return true;
    }
    return false;
}

static an_slice role_of(const an_json *fault, an_ulid id)
{
    const an_json *roles = vectors_get(fault, "blocks");
    char text[AN_ULID_TEXT + 1];

    an_ulid_format(id, text);
    for (size_t i = 0; i < roles->n; i++) {
        if (an_slice_eq(roles->items[i].text, an_slice_str(text))) return roles->keys[i];
    }
    fail_msg("block %s has no role", text);
    return AN_LIT("");
}

/* Blocks named by all ISOLATE outcomes of a cause; false: there is none of it. */
static bool isolated_by(const an_outcomes *o, an_slice cause, const an_plan_block **b, size_t *n)
{
    bool any = false;

    for (size_t i = 0; i < o->n; i++) {
        if (o->v[i].what != AN_DO_ISOLATE) continue;
        if (!an_slice_eq(an_slice_str(an_cause_name(o->v[i].cause)), cause)) continue;
        any = true;
        for (size_t k = 0; k < o->v[i].n; k++) b[(*n)++] = o->v[i].blocks[k];
    }
    return any;
}

static bool runs_vertical(const char *fault)
{
    return strlen(fault) > 9 && strcmp(fault + strlen(fault) - 9, "-vertical") == 0;
}

static void plan_all(an_arena *a, const char *fault, const bucket *k, an_outcomes *out)
{
    int64_t ranges[AN_PLAN_RANGES_MAX];
    an_plan_opts opts = {.ranges = ranges,
                         .max_index_bytes = INT64_C(64) << 30,
                         .now_ms = NOW_MS,
                         .vertical = runs_vertical(fault)};
    an_group *g;
    size_t n;
    an_err err;

    assert_int_equal(an_plan_ranges(4, ranges, &opts.n_ranges, &err), AN_OK);
    an_groups_build(a, k->b, k->n, &g, &n);
    for (size_t i = 0; i < n; i++) an_plan_group(a, &g[i], &opts, out);
}

static void check_isolated(const an_json *fault, const char *name, const an_outcomes *out)
{
    const an_json *want = vectors_get(fault, "isolated_blocks");
    const an_json *also = vectors_opt(fault, "also");
    const an_plan_block *b[64];
    size_t n = 0;
    an_slice cause = vectors_str(fault, "cause");
    bool all_visible = seen_in_metas(name, cause);

    if (all_visible && !isolated_by(out, cause, b, &n))
        fail_msg("%s: not isolated by %.*s", name, AN_PRI(cause));
    for (size_t i = 0; also != NULL && i < also->n; i++) {
        if (seen_in_metas(name, also->items[i].text)) {
            if (!isolated_by(out, also->items[i].text, b, &n))
                fail_msg("%s: not isolated by %.*s", name, AN_PRI(also->items[i].text));
        } else {
            all_visible = false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        an_slice role = role_of(fault, b[i]->id);
        if (!has_text(want, role)) fail_msg("%s: %.*s isolated", name, AN_PRI(role));
    }
    if (all_visible && n != want->n) fail_msg("%s: %zu blocks, want %zu", name, n, want->n);
    for (size_t i = 0; i < out->n; i++) { /* and by nothing else */
        an_slice c = an_slice_str(an_cause_name(out->v[i].cause));
        if (out->v[i].what == AN_DO_ISOLATE && !an_slice_eq(c, cause) &&
            (also == NULL || !has_text(also, c)))
            fail_msg("%s: isolated by %.*s", name, AN_PRI(c));
    }
}

/* Whether a plan is exactly the blocks of these roles. */
static bool plans(const an_json *fault, const an_outcomes *out, const char *r1, const char *r2)
{
    for (size_t i = 0; i < out->n; i++) {
        const an_outcome *o = &out->v[i];
        if (o->what != AN_DO_COMPACT || o->n != 2) continue;
        if (an_slice_eq(role_of(fault, o->blocks[0]->id), an_slice_str(r1)) &&
            an_slice_eq(role_of(fault, o->blocks[1]->id), an_slice_str(r2)))
            return true;
    }
    return false;
}

static const an_outcome *told(const an_outcomes *out, an_do what, an_cause cause)
{
    for (size_t i = 0; i < out->n; i++) {
        if (out->v[i].what == what && out->v[i].cause == cause) return &out->v[i];
    }
    return NULL;
}

/* Marks whose times the recording set at its start. */
static void set_mark_times(const char *name, bucket *k)
{
    for (size_t i = 0; i < k->n && strcmp(name, "overlap-deletion-mark-fresh") == 0; i++) {
        an_plan_block *b = (an_plan_block *)(uintptr_t)k->b[i];
        if (b->deletion != NULL) b->deletion_ms = NOW_MS;
    }
}

static void check_special(const an_json *fault, const char *name, const an_outcomes *out)
{
    const an_outcome *o;

    if (strcmp(name, "future-block") == 0) {
        o = told(out, AN_DO_LEAVE_OUT, AN_CAUSE_FUTURE_BLOCK);
        assert_true(o != NULL && o->n == 1);
        assert_true(an_slice_eq(role_of(fault, o->blocks[0]->id), AN_LIT("F3")));
        assert_false(plans(fault, out, "F1", "F2"));
    } else if (strncmp(name, "ulid-", 5) == 0) {
        assert_non_null(told(out, AN_DO_REPORT, AN_CAUSE_FUTURE_BLOCK));
    } else if (strcmp(name, "m08-failed-flag") == 0) {
        o = told(out, AN_DO_REPORT, AN_CAUSE_FAILED_FLAG);
        assert_true(o != NULL && o->n == 1);
        assert_true(an_slice_eq(role_of(fault, o->blocks[0]->id), AN_LIT("B")));
        assert_false(plans(fault, out, "A", "B"));
    } else if (strcmp(name, "m06-labels-empty-one") == 0) {
        assert_non_null(told(out, AN_DO_REPORT, AN_CAUSE_LABELS_EMPTY));
    } else if (strcmp(name, "overlap-deletion-mark-fresh") == 0) {
        assert_true(plans(fault, out, "A", "B"));
    } else if (strcmp(name, "shared-sources-vertical") == 0) {
        assert_non_null(told(out, AN_DO_REPORT, AN_CAUSE_SHARED_SOURCES));
        assert_non_null(an_outcomes_job(out));
    } else if (strcmp(name, "vertical-downsampled-vertical") == 0) {
        o = told(out, AN_DO_MARK, AN_CAUSE_VERTICAL_DOWNSAMPLED);
        assert_true(o != NULL && o->mark == AN_MARK_NO_COMPACT);
        assert_true(an_slice_eq(o->reason, AN_LIT("downsample-vertical-compaction")));
    }
}

/* The fault buckets that are left to F6 (the filters are not run here) or hold no block. */
static bool is_skipped(const char *name)
{
    static const char *const names[] = {"overlap-leftover", "overlap-twin-double",
                                        "repair-twin-equal-sources", "repair-twin-superset",
                                        "overlap-deletion-mark-25h"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) return true;
    }
    return false;
}

static void every_fault_is_called_by_its_name(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *faults = vectors_get(load(a, "expected.json"), "faults");
    size_t isolated = 0, clean = 0;

    assert_int_equal(faults->n, 183);
    for (size_t i = 0; i < faults->n; i++) {
        const an_json *f = &faults->items[i];
        an_outcomes out = {0};
        an_arena_reset(work);
        const char *name = an_arena_str(work, vectors_str(f, "fault"));
        if (is_skipped(name)) continue;
        bucket k = load_bucket(work, name);
        set_mark_times(name, &k);
        plan_all(work, name, &k, &out);
        check_special(f, name, &out);
        const an_json *cause = vectors_get(f, "cause");
        if (an_slice_eq(vectors_str(f, "class"), AN_LIT("isolate"))) {
            check_isolated(f, name, &out);
            if (an_outcomes_isolated(&out) != NULL) isolated++;
        } else {
            const an_outcome *o = an_outcomes_isolated(&out);
            if (o != NULL)
                fail_msg("%s (%.*s): isolated by %s", name, AN_PRI(cause->text),
                         an_cause_name(o->cause));
            clean++;
        }
    }
    print_message("%zu faults isolated by their metas, %zu that are not to be isolated\n", isolated,
                  clean);
    assert_true(isolated >= 30);
    assert_true(clean >= 80);
    an_arena_free(work);
    an_arena_free(a);
}

static void the_healthy_group_is_planned_beside_every_fault(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *faults = vectors_get(load(a, "expected.json"), "faults");
    size_t planned = 0;

    for (size_t i = 0; i < faults->n; i++) {
        const an_json *f = &faults->items[i];
        const an_json *roles = vectors_get(f, "blocks");
        an_outcomes out = {0};
        an_arena_reset(work);
        const char *name = an_arena_str(work, vectors_str(f, "fault"));
        if (an_json_key(roles, AN_LIT("H1")) == NULL || is_skipped(name)) continue;
        bucket k = load_bucket(work, name);
        plan_all(work, name, &k, &out);
        if (!plans(f, &out, "H1", "H2")) fail_msg("%s: the healthy group is not planned", name);
        planned++;
    }
    assert_true(planned > 150);
    an_arena_free(work);
    an_arena_free(a);
}

static void the_overlap_text_is_upstreams(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    bucket k = load_bucket(a, "overlap-twin");
    an_outcomes out = {0};

    plan_all(a, "overlap-twin", &k, &out);
    const an_outcome *o = an_outcomes_isolated(&out);
    assert_non_null(o);
    assert_true(an_slice_eq(
        o->why,
        AN_LIT("pre compaction overlap check: overlaps found while gathering blocks. [mint: "
               "1782972000000, maxt: 1782979200000, range: 2h0m0s, blocks: 2]: <ulid: "
               "01KWGXGWJ82604SR6P4FGTKV99, mint: 1782972000000, maxt: 1782979200000, range: "
               "2h0m0s>, <ulid: 01KWGXGYGRABGH7A7MB6YGTCBZ, mint: 1782972000000, maxt: "
               "1782979200000, range: 2h0m0s>")));
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_is_called_by_its_name),
        cmocka_unit_test(the_healthy_group_is_planned_beside_every_fault),
        cmocka_unit_test(the_overlap_text_is_upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
