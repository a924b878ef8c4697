// SPDX-License-Identifier: Apache-2.0
/* The recorded buckets, one by one: what a sync makes of each block, against what is known to be
 * wrong with it. Faults inside an index or a chunk do not show here; everything that a listing and
 * the documents can tell must. */
#include "bucket/state.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "objstore/fs/fs.h"
#include "support/tmpdir.h"
#include "unit/vectors.h"

#define NOW INT64_C(1900000000000)

typedef struct tally {
    unsigned buckets, blocks, kinds[AN_BLOCK_UNREADABLE + 1], marks[AN_MARK_UNREADABLE + 1];
    unsigned findings;
} tally;

typedef struct look {
    an_bucket *b;
    an_state *s;
    an_snapshot *snap;
} look;

static void look_at(look *l, const char *dir)
{
    an_err err;
    an_ctx ctx;

    an_ctx_init(&ctx, NULL);
    if (an_fs_open(dir, NULL, &l->b, &err) != AN_OK) fail_msg("%s: %s", dir, err.msg);
    an_state_opts opts = {.bucket = l->b};
    l->s = an_state_new(&opts);
    if (an_state_sync(l->s, &ctx, NOW, &l->snap, &err) != AN_OK) fail_msg("%s: %s", dir, err.msg);
}

static void look_end(look *l)
{
    an_snapshot_free(l->snap);
    an_state_free(l->s);
    an_bucket_free(l->b);
}

static bool exists(const char *dir, const char *id, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/%s/%s", dir, id, name);
    return stat(path, &st) == 0;
}

/* How many folders of the bucket are blocks, by their names alone. */
static size_t block_folders(const char *dir)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    an_ulid id;

    assert_non_null(d);
    for (const struct dirent *e; (e = readdir(d)) != NULL;)
        n += an_ulid_parse(an_slice_str(e->d_name), &id);
    (void)closedir(d);
    return n;
}

/* What holds for every bucket, by looking at the folder itself. */
static void count(tally *t, const an_snapshot *snap, const char *dir)
{
    t->buckets++;
    t->findings += (unsigned)snap->n_findings;
    if (snap->n != block_folders(dir)) fail_msg("%s: %zu blocks", dir, snap->n);
    for (size_t i = 0; i < snap->n; i++) {
        const an_state_block *b = &snap->blocks[i];
        char id[AN_ULID_TEXT + 1];

        an_ulid_format(b->seen.id, id);
        t->blocks++;
        t->kinds[b->kind]++;
        if ((b->kind == AN_BLOCK_PARTIAL) == exists(dir, id, "meta.json"))
            fail_msg("%s/%s: kind %d", dir, id, b->kind);
        assert_true((b->kind == AN_BLOCK_LOADED) == (b->meta != NULL));
        assert_true((b->seen.index_bytes >= 0) == exists(dir, id, "index"));
        for (size_t k = 0; k < AN_MARK__COUNT; k++) {
            t->marks[b->marks[k].state]++;
            assert_true((b->marks[k].state != AN_MARK_ABSENT) == exists(dir, id, an_mark_file[k]));
        }
    }
}

static bool among(const an_json *list, an_slice word)
{
    for (size_t i = 0; i < list->n; i++)
        if (an_slice_eq(list->items[i].text, word)) return true;
    return false;
}

/* The role ("A", "T1") of a block in a fault. */
static an_slice role_of(const an_json *blocks, an_ulid id)
{
    char text[AN_ULID_TEXT + 1];

    an_ulid_format(id, text);
    for (size_t i = 0; i < blocks->n; i++)
        if (an_slice_eq(blocks->items[i].text, an_slice_str(text))) return blocks->keys[i];
    return AN_LIT("?");
}

/* Faults of these causes always show; the exceptions are the planner's or the calendar's. */
static const char *const always[] = {"meta-corrupt", "meta-foreign", "mark-corrupt",
                                     "index-missing", "chunks-missing"};
static const char *const not_here[] = {
    "meta-ulid-mismatch",        "m05-thanos-version-2", /* the planner's, who knows the group */
    "m12-deletion-mark-future",                          /* a good mark of an odd date */
    "m12-mark-on-missing-block", /* a good mark of a block that is not there */
    "chunk-length-huge",         /* a frame that points past its file */
};

static bool in(const char *const *list, size_t n, const char *word)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], word) == 0) return true;
    return false;
}

static void check_fault(const an_json *f, const char *name, const an_snapshot *snap)
{
    const an_json *cause = vectors_get(f, "cause");
    const char *want = cause->type == AN_JSON_STRING ? (const char *)cause->text.p : "none";
    bool shows = in(always, sizeof always / sizeof *always, want) &&
                 !in(not_here, sizeof not_here / sizeof *not_here, name);

    if (shows && snap->n_findings != 1) fail_msg("%s: %zu findings", name, snap->n_findings);
    for (size_t k = 0; k < snap->n_findings; k++) {
        const an_finding *x = &snap->findings[k];
        an_slice role = role_of(vectors_get(f, "blocks"), x->block->seen.id);
        const an_json *isolated = vectors_get(f, "isolated_blocks");
        char id[AN_ULID_TEXT + 1];

        if (strcmp(an_cause_name(x->err->cause), want) != 0)
            fail_msg("%s: %s, want %s", name, x->err->msg, want);
        /* what only is to be reported lies in B, in every fault of this kind */
        bool right = isolated->n > 0 ? among(isolated, role) : an_slice_eq(role, AN_LIT("B"));
        if (!right) fail_msg("%s: block %.*s: %s", name, AN_PRI(role), x->err->msg);
        an_ulid_format(x->block->seen.id, id);
        assert_string_equal(x->err->block, id);
        assert_true(x->err->object[0] != '\0');
    }
}

static void every_fault_that_shows_in_a_bucket_is_found_at_its_block_and_no_other(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    char path[PATH_MAX];
    tally t = {0};
    const an_json *faults = vectors_get(vectors_load(a, "../faults/expected.json"), "faults");

    for (size_t i = 0; i < faults->n; i++) {
        const an_json *f = &faults->items[i];
        char *name = an_arena_str(a, vectors_str(f, "fault"));
        look l;

        (void)snprintf(path, sizeof path, "%s/faults/%s/in", getenv("AN_GOLDEN"), name);
        look_at(&l, path);
        count(&t, l.snap, path);
        check_fault(f, name, l.snap);
        look_end(&l);
    }
    print_message("%u buckets, %u blocks, %u findings\n", t.buckets, t.blocks, t.findings);
    assert_int_equal(t.buckets, 183);
    assert_int_equal(t.kinds[AN_BLOCK_LOADED], 1111);
    assert_int_equal(t.kinds[AN_BLOCK_PARTIAL], 5);
    assert_int_equal(t.kinds[AN_BLOCK_CORRUPT], 8);
    assert_int_equal(t.kinds[AN_BLOCK_FOREIGN], 1);
    assert_int_equal(t.marks[AN_MARK_READ], 13);
    assert_int_equal(t.marks[AN_MARK_CORRUPT], 4);
    assert_int_equal(t.marks[AN_MARK_FOREIGN], 2);
    assert_int_equal(t.findings, 28);
    an_arena_free(a);
}

/* All that a sync finds in the buckets of golden/compact. */
static const struct {
    const char *name; /* begins so */
    an_cause cause;
} found[] = {
    {"c06a-", AN_CAUSE_CHUNKS_MISSING}, /* no chunk points there */
    {"c14J-", AN_CAUSE_INDEX_UNREADABLE}, {"c14g-", AN_CAUSE_CHUNKS_MISSING},
    {"c14h-", AN_CAUSE_CHUNKS_MISSING},   {"c14i-", AN_CAUSE_CHUNK_TRUNCATED},
    {"c14l-", AN_CAUSE_SEGMENT_HEADER},   {"c14m-", AN_CAUSE_INDEX_MISSING},
    {"c14n-", AN_CAUSE_INDEX_UNREADABLE}, {"c14o-", AN_CAUSE_INDEX_UNREADABLE},
    {"c14w-", AN_CAUSE_META_FOREIGN},     {"c14y-", AN_CAUSE_META_CORRUPT},
    {"c14z-", AN_CAUSE_META_CORRUPT},     {"c15c-", AN_CAUSE_META_CORRUPT},
    {"c15d-", AN_CAUSE_MARK_CORRUPT},     {"c15e-", AN_CAUSE_MARK_CORRUPT},
    {"c15e-", AN_CAUSE_MARK_CORRUPT},
};

static void the_buckets_of_the_compaction_cases_show_what_is_wrong_with_them(void **state)
{
    (void)state;
    char path[PATH_MAX];
    tally t = {0};
    struct dirent **names = NULL;
    size_t at = 0;

    (void)snprintf(path, sizeof path, "%s/compact", getenv("AN_GOLDEN"));
    int n = scandir(path, &names, NULL, alphasort);
    assert_true(n > 0);
    for (int i = 0; i < n; i++) {
        struct stat st;
        look l;

        (void)snprintf(path, sizeof path, "%s/compact/%s/in", getenv("AN_GOLDEN"),
                       names[i]->d_name);
        if (names[i]->d_name[0] == 'c' && stat(path, &st) == 0) {
            look_at(&l, path);
            count(&t, l.snap, path);
            for (size_t k = 0; k < l.snap->n_findings; k++, at++) {
                const an_err *e = l.snap->findings[k].err;
                bool right = at < sizeof found / sizeof *found && e->cause == found[at].cause &&
                             strncmp(names[i]->d_name, found[at].name, 5) == 0;
                if (!right) fail_msg("%s: %s", names[i]->d_name, e->msg);
            }
            look_end(&l);
        }
        free(names[i]);
    }
    free(names);
    print_message("%u buckets, %u blocks, %u findings\n", t.buckets, t.blocks, t.findings);
    assert_int_equal(t.findings, sizeof found / sizeof *found);
    assert_int_equal(t.buckets, 132);
    assert_int_equal(t.kinds[AN_BLOCK_LOADED], 723);
    assert_int_equal(t.kinds[AN_BLOCK_PARTIAL], 4);
    assert_int_equal(t.kinds[AN_BLOCK_CORRUPT], 3);
    assert_int_equal(t.kinds[AN_BLOCK_FOREIGN], 1);
    assert_int_equal(t.marks[AN_MARK_READ], 7);
    assert_int_equal(t.marks[AN_MARK_CORRUPT], 2);
    assert_int_equal(t.marks[AN_MARK_FOREIGN], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_fault_that_shows_in_a_bucket_is_found_at_its_block_and_no_other),
        cmocka_unit_test(the_buckets_of_the_compaction_cases_show_what_is_wrong_with_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
