// SPDX-License-Identifier: Apache-2.0
/* Marks that are written beside blocks, and blocks that are removed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "bucket/delete.h"
#include "bucket/marks_io.h"
#include "bucket/state.h"
#include "objstore/fault.h"
#include "objstore/fs/fs.h"
#include "objstore/memory.h"
#include "support/tmpdir.h"
#include "unit/bucket/build.h"

static an_ctx ctx;

static void assert_object(an_bucket *b, unsigned i, const char *name, const char *want)
{
    an_err err;
    an_object o;
    char id[AN_ULID_TEXT + 1], key[100];
    uint8_t got[300];

    (void)snprintf(key, sizeof key, "%s/%s", block_text(i, id), name);
    assert_int_equal(an_bucket_stat(b, &ctx, an_slice_str(key), &o, &err), AN_OK);
    assert_int_equal(o.size, strlen(want));
    assert_int_equal(an_bucket_get(b, &ctx, an_slice_str(key), 0, o.size, got, &err), AN_OK);
    assert_memory_equal(got, want, o.size);
}

static an_mark mark_of(unsigned i, an_mark_kind kind)
{
    return (an_mark){.kind = kind,
                     .has_id = true,
                     .id = block_id(i),
                     .version = 1,
                     .details = AN_LIT("source of compacted block"),
                     .reason = AN_LIT("manual"),
                     .time_s = 1700000000};
}

#define DELETION                                                                                   \
    "{\"id\":\"01EJ3PX000041061050R3GG28A\",\"version\":1,"                                        \
    "\"details\":\"source of compacted block\",\"deletion_time\":1700000000}"
#define NO_COMPACT                                                                                 \
    "{\"id\":\"01EJ3PX000041061050R3GG28A\",\"version\":1,"                                        \
    "\"details\":\"source of compacted block\",\"no_compact_time\":1700000000,"                    \
    "\"reason\":\"manual\"}"

static void a_mark_is_written_once_with_upstreams_bytes(void **state)
{
    (void)state;
    for (int k = 0; k < 2; k++) { /* with and without conditional creation */
        an_bucket *b = an_mem_bucket_new();
        an_err err;
        an_mark_written how;
        an_mark d = mark_of(0, AN_MARK_DELETION), n = mark_of(0, AN_MARK_NO_COMPACT);

        if (k == 1) b->caps &= ~(unsigned)AN_CAP_IF_ABSENT;
        assert_int_equal(an_mark_put(b, &ctx, &d, AN_MARK_OVER_NOTHING, &how, &err), AN_OK);
        assert_int_equal(how, AN_MARK_WRITTEN);
        assert_object(b, 0, "deletion-mark.json", DELETION);
        assert_int_equal(an_mark_put(b, &ctx, &n, AN_MARK_OVER_NOTHING, &how, &err), AN_OK);
        assert_object(b, 0, "no-compact-mark.json", NO_COMPACT);
        d.details = AN_LIT("outdated block");
        for (an_mark_over over = AN_MARK_OVER_NOTHING; over <= AN_MARK_OVER_UNREADABLE; over++) {
            assert_int_equal(an_mark_put(b, &ctx, &d, over, &how, &err), AN_OK);
            assert_int_equal(how, AN_MARK_THERE);
            assert_object(b, 0, "deletion-mark.json", DELETION);
        }
        an_bucket_free(b);
    }
}

static void what_is_no_mark_is_replaced_only_on_request(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        an_mark_written how;
    } there[] = {{"", AN_MARK_REPLACED},
                 {"{", AN_MARK_REPLACED},
                 {"{}", AN_MARK_REPLACED},
                 {"null", AN_MARK_REPLACED},
                 {"{\"version\":2}", AN_MARK_BLOCKED}}; /* somebody newer means something by it */

    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
            an_bucket *b = an_mem_bucket_new();
            an_err err;
            an_mark_written how;
            an_mark d = mark_of(0, AN_MARK_DELETION);

            if (k == 1) b->caps &= ~(unsigned)AN_CAP_IF_ABSENT;
            block_put(b, 0, "deletion-mark.json", there[i].body);
            assert_int_equal(an_mark_put(b, &ctx, &d, AN_MARK_OVER_NOTHING, &how, &err), AN_OK);
            assert_int_equal(how, AN_MARK_BLOCKED);
            assert_object(b, 0, "deletion-mark.json", there[i].body);
            assert_int_equal(an_mark_put(b, &ctx, &d, AN_MARK_OVER_UNREADABLE, &how, &err), AN_OK);
            assert_int_equal(how, there[i].how);
            assert_object(b, 0, "deletion-mark.json",
                          how == AN_MARK_REPLACED ? DELETION : there[i].body);
            an_bucket_free(b);
        }
    }
}

static void a_mark_that_cannot_be_written_says_which(void **state)
{
    (void)state;
    static const an_rc rcs[] = {AN_EDENIED, AN_ERETRY, AN_ECANCELED};

    for (size_t k = 0; k < 3; k++) {
        for (uint64_t n = 0; n < 4; n++) { /* put, stat, get, put */
            an_bucket *b = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
            an_fault_plan plan = {.armed = true, .at = n, .rc = rcs[k]};
            an_err err;
            an_mark_written how;
            an_mark d = mark_of(0, AN_MARK_DELETION);

            block_put(b, 0, "deletion-mark.json", "{}");
            an_fault_bucket_plan(b, &plan);
            assert_int_equal(an_mark_put(b, &ctx, &d, AN_MARK_OVER_UNREADABLE, &how, &err), rcs[k]);
            assert_string_equal(err.block, "01EJ3PX000041061050R3GG28A");
            an_fault_bucket_plan(b, NULL);
            assert_object(b, 0, "deletion-mark.json", "{}");
            an_bucket_free(b);
        }
    }
}

/* ---- deletion ---- */

typedef struct watch {
    an_buf order; /* names as they are removed */
    an_bucket *mem;
    unsigned late, lists; /* so many late objects come, one at each listing from the second on */
    const char *denied;
} watch;

static an_rc before(void *arg, const an_fault_op *op, an_err *err)
{
    watch *w = arg;

    if (strcmp(op->name, "list") == 0 && w->lists++ > 0 && w->late > 0) {
        char name[32];
        (void)snprintf(name, sizeof name, "late-%u", w->late--);
        block_put(w->mem, 0, name, "x");
    }
    if (strcmp(op->name, "del") != 0) return AN_OK;
    an_slice name = {op->key.p + 27, op->key.n - 27};
    if (w->denied != NULL && an_slice_eq(name, an_slice_str(w->denied)))
        return AN_FAIL(err, AN_EDENIED, "no");
    an_buf_slice_add(&w->order, name);
    an_buf_u8(&w->order, '\n');
    return AN_OK;
}

static an_bucket *watched(watch *w)
{
    an_fault_plan plan = {.before = before, .arg = w};
    an_bucket *b;

    *w = (watch){0};
    an_buf_init(&w->order, 4096, NULL);
    w->mem = an_mem_bucket_new();
    block_make(w->mem, 0);
    block_put(w->mem, 0, "anneal-hold.json", "{}");
    block_put(w->mem, 0, "sub/f", "x");
    block_mark(w->mem, 0, AN_MARK_DELETION, "x");
    block_mark(w->mem, 0, AN_MARK_NO_COMPACT, "x");
    block_make(w->mem, 1);
    b = an_fault_bucket_new(w->mem, AN_FAULT_OWNS);
    an_fault_bucket_plan(b, &plan);
    return b;
}

static an_snapshot *look(an_bucket *b)
{
    an_err err;
    an_snapshot *snap = NULL;
    an_state_opts opts = {.bucket = b};
    an_state *s = an_state_new(&opts);

    assert_int_equal(an_state_sync(s, &ctx, 1700000000000, &snap, &err), AN_OK);
    an_state_free(s);
    return snap;
}

static void meta_goes_first_and_the_deletion_mark_last(void **state)
{
    (void)state;
    watch w;
    an_err err;
    an_deleted d;
    an_bucket *b = watched(&w);

    assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_OK);
    an_buf_u8(&w.order, '\0');
    assert_string_equal((const char *)w.order.p,
                        "meta.json\nindex\nanneal-hold.json\nchunks/000001\nno-compact-mark.json\n"
                        "sub/f\ndeletion-mark.json\n");
    assert_int_equal(d.objects, 7);
    assert_int_equal(w.lists, 2);
    an_snapshot *snap = look(w.mem);
    assert_int_equal(snap->n, 1); /* the other block stays */
    assert_true(an_ulid_eq(snap->blocks[0].seen.id, block_id(1)));
    an_snapshot_free(snap);
    assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err),
                     AN_OK); /* nothing there */
    assert_int_equal(d.objects, 0);
    an_buf_deinit(&w.order);
    an_bucket_free(b);
}

static void what_no_longer_holds_keeps_the_block(void **state)
{
    (void)state;
    static const struct {
        bool marked, has_meta, newer;
        an_delete_if only;
        bool kept;
    } t[] = {
        {true, true, false, {.marked = true}, false},
        {false, true, false, {.marked = true}, true}, /* the mark was taken back */
        {false, false, false, {.partial = true, .newest_ms = 1000}, false},
        {true, false, false, {.partial = true, .newest_ms = 1000}, false},
        {false, true, false, {.partial = true, .newest_ms = 1000}, true}, /* it was completed */
        {false, false, true, {.partial = true, .newest_ms = 1000}, true}, /* somebody goes on */
    };

    for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
        an_bucket *b = an_mem_bucket_new();
        an_err err;
        an_deleted d;
        an_mem_bucket_set_time(b, 1000);
        block_make(b, 0);
        if (!t[k].has_meta) block_del(b, 0, "meta.json");
        if (t[k].marked) block_mark(b, 0, AN_MARK_DELETION, "x");
        an_mem_bucket_set_time(b, 2000);
        if (t[k].newer) block_put(b, 0, "chunks/000002", "more");
        assert_int_equal(an_block_delete(b, &ctx, block_id(0), &t[k].only, &d, &err), AN_OK);
        an_snapshot *snap = look(b);
        assert_int_equal(d.kept, t[k].kept);
        assert_int_equal(snap->n, t[k].kept ? 1 : 0);
        if (t[k].kept) assert_int_equal(d.objects, 0);
        an_snapshot_free(snap);
        an_bucket_free(b);
    }
}

static void a_deletion_cut_off_anywhere_leaves_a_marked_partial_block(void **state)
{
    (void)state;
    unsigned cuts = 0;

    for (int after = 0; after < 2; after++) {
        for (uint64_t n = 0; n < 9; n++) { /* two listings, seven objects */
            an_bucket *mem = an_mem_bucket_new();
            an_bucket *b = an_fault_bucket_new(mem, AN_FAULT_OWNS);
            an_fault_plan plan = {
                .armed = true, .at = n, .onwards = true, .after = after == 1, .rc = AN_ERETRY};
            an_err err;
            an_deleted d;

            block_make(mem, 0);
            block_put(mem, 0, "anneal-hold.json", "{}");
            block_put(mem, 0, "sub/f", "x");
            block_mark(mem, 0, AN_MARK_DELETION, "x");
            block_mark(mem, 0, AN_MARK_NO_COMPACT, "x");
            an_fault_bucket_plan(b, &plan);
            assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_ERETRY);
            assert_string_equal(err.block, "01EJ3PX000041061050R3GG28A");
            cuts++;
            an_fault_bucket_plan(b, NULL);
            an_snapshot *snap = look(mem);
            if (n == 8 && after == 1) {
                assert_int_equal(snap->n, 0); /* only the answer was lost */
            } else {
                const an_state_block *x = block_find(snap, block_id(0));
                assert_non_null(x);
                /* before meta.json is gone it is the block it was */
                bool whole = n == 0 || (n == 1 && after == 0);
                assert_int_equal(x->kind, whole ? AN_BLOCK_LOADED : AN_BLOCK_PARTIAL);
                assert_null(x->incomplete);
                assert_int_equal(x->marks[AN_MARK_DELETION].state, AN_MARK_READ);
            }
            an_snapshot_free(snap);
            assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_OK);
            snap = look(mem);
            assert_int_equal(snap->n, 0);
            an_snapshot_free(snap);
            an_bucket_free(b);
        }
    }
    print_message("cut off at %u places\n", cuts);
}

static void what_comes_late_goes_too_unless_it_never_ends(void **state)
{
    (void)state;
    watch w;
    an_err err;
    an_deleted d;
    an_bucket *b = watched(&w);

    w.late = 2;
    assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_OK);
    assert_int_equal(d.objects, 9);
    assert_true(an_slice_has_suffix(an_buf_slice(&w.order), AN_LIT("\ndeletion-mark.json\n")));
    an_buf_deinit(&w.order);
    an_bucket_free(b);

    b = watched(&w);
    w.late = 100;
    assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_ERETRY);
    an_snapshot *snap = look(w.mem);
    const an_state_block *x = block_find(snap, block_id(0));
    assert_int_equal(x->marks[AN_MARK_DELETION].state, AN_MARK_READ);
    an_snapshot_free(snap);
    an_buf_deinit(&w.order);
    an_bucket_free(b);
}

static void a_denied_deletion_says_so_and_keeps_the_mark(void **state)
{
    (void)state;
    static const char *const names[] = {"meta.json", "index", "chunks/000001"};

    for (size_t i = 0; i < 3; i++) {
        watch w;
        an_err err;
        an_deleted d;
        an_bucket *b = watched(&w);

        w.denied = names[i];
        assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_EDENIED);
        assert_int_equal(err.cause, AN_CAUSE_DELETE_DENIED);
        assert_non_null(strstr(err.msg, names[i]));
        an_snapshot *snap = look(w.mem);
        const an_state_block *x = block_find(snap, block_id(0));
        assert_int_equal(x->kind, i == 0 ? AN_BLOCK_LOADED : AN_BLOCK_PARTIAL);
        assert_int_equal(x->marks[AN_MARK_DELETION].state, AN_MARK_READ);
        an_snapshot_free(snap);
        an_buf_deinit(&w.order);
        an_bucket_free(b);
    }
}

static void a_folder_of_a_file_system_goes_with_its_block(void **state)
{
    (void)state;
    tmpdir t;
    an_err err;
    an_deleted d;
    an_bucket *b = NULL;
    char id[AN_ULID_TEXT + 1];

    tmpdir_make(&t);
    assert_int_equal(an_fs_open(t.path, NULL, &b, &err), AN_OK);
    block_make(b, 0);
    block_mark(b, 0, AN_MARK_DELETION, "x");
    assert_true(tmpdir_has(&t, block_text(0, id)));
    assert_int_equal(an_block_delete(b, &ctx, block_id(0), NULL, &d, &err), AN_OK);
    assert_int_equal(d.objects, 4);
    assert_false(tmpdir_has(&t, id));
    an_bucket_free(b);
    tmpdir_remove(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mark_is_written_once_with_upstreams_bytes),
        cmocka_unit_test(what_is_no_mark_is_replaced_only_on_request),
        cmocka_unit_test(a_mark_that_cannot_be_written_says_which),
        cmocka_unit_test(meta_goes_first_and_the_deletion_mark_last),
        cmocka_unit_test(what_no_longer_holds_keeps_the_block),
        cmocka_unit_test(a_deletion_cut_off_anywhere_leaves_a_marked_partial_block),
        cmocka_unit_test(what_comes_late_goes_too_unless_it_never_ends),
        cmocka_unit_test(a_denied_deletion_says_so_and_keeps_the_mark),
        cmocka_unit_test(a_folder_of_a_file_system_goes_with_its_block),
    };
    an_ctx_init(&ctx, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
