// SPDX-License-Identifier: Apache-2.0
/* One listing, and of the documents only what is new: what a sync reads, tells and survives. */
#include "bucket/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "bucket/meta_cache.h"
#include "objstore/fault.h"
#include "objstore/fs/fs.h"
#include "objstore/memory.h"
#include "support/tmpdir.h"
#include "unit/bucket/build.h"

#define NOW INT64_C(1700000000000)

typedef struct counts {
    unsigned lists, gets;
    /* keys that end so fail so; the callback acts on the bucket at the first read of `trigger` */
    const char *deny;
    an_rc with;
    const char *trigger;
    void (*act)(an_bucket *mem);
    an_bucket *mem;
} counts;

typedef struct env {
    an_ctx ctx;
    counts c;
    an_bucket *mem, *b; /* b: counting and failing */
    an_pool *pool;
    tmpdir dir;
    char cache[PATH_MAX];
    an_state_opts opts;
    an_state *s;
} env;

static an_rc before(void *arg, const an_fault_op *op, an_err *err)
{
    counts *c = arg;
    bool get = strcmp(op->name, "get") == 0, list = strcmp(op->name, "list") == 0;

    if (get) c->gets++;
    if (list) c->lists++;
    if (c->trigger != NULL && get && an_slice_has_suffix(op->key, an_slice_str(c->trigger))) {
        c->trigger = NULL;
        c->act(c->mem);
    }
    if (c->deny != NULL && get && an_slice_has_suffix(op->key, an_slice_str(c->deny))) {
        (void)AN_FAIL(err, c->with, "no");
        return an_err_cause(err, c->with == AN_EDENIED ? AN_CAUSE_STORE_DENIED : AN_CAUSE_NONE);
    }
    return AN_OK;
}

static void env_open(env *e)
{
    an_fault_plan plan = {.before = before, .arg = &e->c};

    memset(e, 0, sizeof *e);
    an_ctx_init(&e->ctx, NULL);
    e->mem = an_mem_bucket_new();
    an_mem_bucket_set_time(e->mem, NOW - 3600000);
    e->b = an_fault_bucket_new(e->mem, AN_FAULT_OWNS);
    e->c.mem = e->mem;
    an_fault_bucket_plan(e->b, &plan);
    tmpdir_make(&e->dir);
    (void)tmpdir_name(&e->dir, "metas", e->cache);
    e->opts = (an_state_opts){.bucket = e->b, .cache_path = e->cache, .cache_for = AN_LIT("mem")};
    e->s = an_state_new(&e->opts);
}

static void restart(env *e)
{
    an_state_free(e->s);
    e->s = an_state_new(&e->opts);
    e->c.lists = e->c.gets = 0;
}

static void env_close(env *e)
{
    an_state_free(e->s);
    an_pool_free(e->pool);
    an_bucket_free(e->b);
    tmpdir_remove(&e->dir);
}

static an_snapshot *sync_now(env *e)
{
    an_snapshot *snap = NULL;
    an_err err;

    if (an_state_sync(e->s, &e->ctx, NOW, &snap, &err) != AN_OK) fail_msg("%s", err.msg);
    return snap;
}

static void resync(env *e, an_snapshot **snap)
{
    an_snapshot_free(*snap);
    *snap = sync_now(e);
}

static const an_state_block *at(const an_snapshot *snap, unsigned i)
{
    const an_state_block *b = block_find(snap, block_id(i));
    assert_non_null(b);
    return b;
}

static void blocks_are_told_with_their_objects_and_everything_else_is_left_alone(void **state)
{
    (void)state;
    env e;
    an_err err;
    static const char *const foreign[] = {
        "debug/metas/01BZJ9WJQPWHGNC2W4J9TA62KC.json",
        "01BZJ9WJQPWHGNC2W4J9TA62K/meta.json",   /* 25 characters */
        "01BZJ9WJQPWHGNC2W4J9TA62KCX/meta.json", /* 27 */
        "01bzj9wjqpwhgnc2w4j9ta62kc/meta.json",  /* lower case */
        "01BZJ9WJQPWHGNC2W4J9TA62KU/meta.json",  /* U is not in the alphabet */
        "8ZZZZZZZZZZZZZZZZZZZZZZZZZ/meta.json",  /* beyond 128 bits */
        "anneal/state/x",
        "thanos.txt",
        "0/x",
        "!/x",
        "01BZJ9WJQPWHGNC2W4J9TA62KC", /* an object, no folder */
    };

    env_open(&e);
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        assert_int_equal(
            an_bucket_put(e.mem, &e.ctx, an_slice_str(foreign[i]), AN_LIT("{}"), 0, &err), AN_OK);
    block_make(e.mem, 1);
    block_put(e.mem, 1, "chunks/000002", "more");
    block_put(e.mem, 1, "extra.txt", "x");
    block_put(e.mem, 1, "sub/f", "x");
    block_put(e.mem, 2, "chunks/000002", "a gap");
    block_put(e.mem, 2, "index", "ix");
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(snap->n, 3);
    assert_int_equal(snap->n_foreign, 5);
    const an_state_block *b = at(snap, 1);
    assert_int_equal(b->kind, AN_BLOCK_LOADED);
    assert_int_equal(b->meta->compaction.level, 1);
    assert_true(an_slice_eq(b->meta->thanos.labels.v[0].value, AN_LIT("eins")));
    static const char *const names[] = {"chunks/000001", "chunks/000002", "extra.txt",
                                        "index",         "meta.json",     "sub/f"};
    assert_int_equal(b->seen.n_objects, 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(an_slice_eq(b->seen.objects[i].name, an_slice_str(names[i])));
    assert_int_equal(b->seen.objects[1].size, 4);
    assert_int_equal(b->seen.index_bytes, 5);
    assert_int_equal(b->seen.newest_ms, NOW - 3600000);
    assert_true(b->seen.has_all_segments && b->seen.has_meta);
    assert_null(b->incomplete);
    b = at(snap, 2);
    assert_int_equal(b->kind, AN_BLOCK_PARTIAL);
    assert_false(b->seen.has_all_segments);
    assert_int_equal(b->seen.bytes, 7);
    /* the object with the name of a block is told, because somebody may take it for one */
    assert_int_equal(snap->n_findings, 1);
    assert_int_equal(snap->findings[0].err->rc, AN_EDENIED);
    assert_int_equal(snap->findings[0].block->kind, AN_BLOCK_UNREADABLE);
    assert_null(block_find(snap, block_id(7)));
    an_snapshot_free(snap);
    env_close(&e);
}

static void documents_are_read_once_and_again_when_they_change(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    for (unsigned i = 0; i < 10; i++) block_make(e.mem, i);
    block_mark(e.mem, 3, AN_MARK_DELETION, "source of compacted block");
    block_mark(e.mem, 3, AN_MARK_NO_COMPACT, "");
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(snap->n_read, 12);
    assert_int_equal(e.c.gets, 12); /* nothing else is asked for */
    assert_int_equal(e.c.lists, 1);
    const an_state_mark *m = &at(snap, 3)->marks[AN_MARK_DELETION];
    assert_int_equal(m->state, AN_MARK_READ);
    assert_int_equal(m->mtime_ms, NOW - 3600000);
    assert_true(an_slice_eq(m->mark->details, AN_LIT("source of compacted block")));
    assert_int_equal(at(snap, 3)->marks[AN_MARK_NO_COMPACT].state, AN_MARK_READ);
    assert_int_equal(at(snap, 3)->marks[AN_MARK_NO_DOWNSAMPLE].state, AN_MARK_ABSENT);
    assert_int_equal(at(snap, 4)->marks[AN_MARK_DELETION].state, AN_MARK_ABSENT);

    resync(&e, &snap);
    assert_int_equal(e.c.gets, 12);
    assert_int_equal(e.c.lists, 2);
    block_meta(e.mem, 5, 3);
    block_mark(e.mem, 3, AN_MARK_DELETION, "outdated block");
    block_del(e.mem, 3, "no-compact-mark.json");
    an_snapshot *old = snap;
    snap = sync_now(&e);
    assert_int_equal(e.c.gets, 14);
    assert_int_equal(at(snap, 5)->meta->compaction.level, 3);
    assert_int_equal(at(snap, 3)->marks[AN_MARK_NO_COMPACT].state, AN_MARK_ABSENT);
    m = &at(snap, 3)->marks[AN_MARK_DELETION];
    assert_true(an_slice_eq(m->mark->details, AN_LIT("outdated block")));
    assert_int_equal(at(old, 5)->meta->compaction.level, 1); /* an old snapshot stays as it was */
    an_state_free(e.s);
    e.s = NULL;
    assert_int_equal(at(snap, 5)->meta->compaction.level, 3); /* and outlives the state */
    an_snapshot_free(old);
    an_snapshot_free(snap);
    env_close(&e);
}

static void what_changed_just_now_is_read_once_more(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    an_mem_bucket_set_time(e.mem, NOW - 1999);
    block_make(e.mem, 1);
    an_mem_bucket_set_time(e.mem, NOW - 2000);
    block_make(e.mem, 2);
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(e.c.gets, 2);
    resync(&e, &snap);
    assert_int_equal(e.c.gets, 3);
    an_snapshot_free(snap);
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(e.c.gets, 1); /* nor is it trusted after a restart */
    assert_int_equal(snap->n_cached, 1);
    an_snapshot_free(snap);
    env_close(&e);
}

static void a_restart_reads_the_file_instead_of_the_bucket(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    for (unsigned i = 0; i < 20; i++) block_make(e.mem, i);
    block_mark(e.mem, 3, AN_MARK_DELETION, "x");
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(snap->note.rc, AN_OK);
    an_snapshot_free(snap);
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(e.c.gets, 0);
    assert_int_equal(snap->n_cached, 21);
    assert_int_equal(snap->n_read, 0);
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(at(snap, i)->kind, AN_BLOCK_LOADED);
        assert_int_equal(at(snap, i)->meta->mint, (int64_t)i * 7200000);
    }
    assert_int_equal(at(snap, 3)->marks[AN_MARK_DELETION].mark->time_s, 1600000000);
    an_snapshot_free(snap);
    block_meta(e.mem, 7, 2); /* changed while we were down */
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(e.c.gets, 1);
    assert_int_equal(at(snap, 7)->meta->compaction.level, 2);
    an_snapshot_free(snap);
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(e.c.gets, 0); /* the newer record counts */
    assert_int_equal(at(snap, 7)->meta->compaction.level, 2);
    an_snapshot_free(snap);
    env_close(&e);
}

static an_slice slurp(const char *path, uint8_t **own)
{
    FILE *f = fopen(path, "rb");

    assert_non_null(f);
    *own = malloc(1 << 20);
    assert_non_null(*own);
    size_t n = fread(*own, 1, 1 << 20, f);
    (void)fclose(f);
    return an_slice_of(*own, n);
}

static void a_file_cut_at_any_byte_is_used_up_to_there_and_a_flipped_bit_drops_it(void **state)
{
    (void)state;
    env e;
    uint8_t *own = NULL;
    unsigned cut_reads = 0, dropped = 0;

    env_open(&e);
    for (unsigned i = 0; i < 3; i++) block_make(e.mem, i);
    block_mark(e.mem, 1, AN_MARK_NO_COMPACT, "x");
    an_snapshot_free(sync_now(&e));
    an_state_free(e.s);
    e.s = NULL;
    an_slice good = slurp(e.cache, &own);
    uint8_t *bad = malloc(good.n);
    assert_non_null(bad);
    for (size_t n = 0; n < 2 * good.n; n += n < good.n ? 1 : 3) {
        memcpy(bad, own, good.n);
        bool cut = n < good.n;
        if (!cut) bad[n - good.n] ^= (uint8_t)(1 << n % 8);
        assert_int_equal(unlink(e.cache), 0); /* a new file: truncating one makes ext4 flush it */
        tmpdir_write(&e.dir, "metas", bad, cut ? n : good.n);
        restart(&e);
        an_snapshot *snap = sync_now(&e);
        assert_int_equal(snap->n, 3);
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(at(snap, i)->kind, AN_BLOCK_LOADED);
            assert_int_equal(at(snap, i)->meta->mint, (int64_t)i * 7200000);
        }
        assert_int_equal(at(snap, 1)->marks[AN_MARK_NO_COMPACT].state, AN_MARK_READ);
        assert_int_equal(snap->n_cached + snap->n_read, 4);
        if (cut) cut_reads += e.c.gets;
        if (!cut) {
            /* a length that grew past the end looks like a record cut off; all else is damage */
            assert_true(e.c.gets > 0);
            if (snap->note.rc != AN_OK) {
                dropped++;
                assert_int_equal(e.c.gets, 4);
                assert_true(snap->note.rc == AN_ECORRUPT || snap->note.rc == AN_ENOTFOUND);
            }
        }
        an_snapshot_free(snap);
        restart(&e);
        snap = sync_now(&e); /* and it is whole again */
        assert_int_equal(e.c.gets, 0);
        assert_int_equal(snap->note.rc, AN_OK);
        an_snapshot_free(snap);
    }
    assert_true(cut_reads > 0 && cut_reads < 4 * good.n);
    assert_true(dropped > good.n / 3 * 9 / 10);
    free(bad);
    free(own);
    env_close(&e);
}

static void a_file_of_another_bucket_or_in_use_or_out_of_reach_is_not_used(void **state)
{
    (void)state;
    env e;
    char path[PATH_MAX];

    env_open(&e);
    block_make(e.mem, 1);
    an_snapshot_free(sync_now(&e));
    e.opts.cache_for = AN_LIT("another");
    restart(&e);
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(snap->note.rc, AN_ENOTFOUND);
    assert_int_equal(e.c.gets, 1);
    an_snapshot_free(snap);

    an_state *second = an_state_new(&e.opts); /* while the first one lives */
    an_err err;
    assert_int_equal(an_state_sync(second, &e.ctx, NOW, &snap, &err), AN_OK);
    assert_int_equal(snap->note.rc, AN_EIO);
    assert_non_null(strstr(snap->note.msg, "in use"));
    assert_int_equal(snap->n, 1);
    an_snapshot_free(snap);
    an_state_free(second);

    e.opts.cache_path = tmpdir_name(&e.dir, "no/such/folder", path);
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(snap->note.rc, AN_EIO);
    assert_int_equal(snap->note.cause, AN_CAUSE_DATA_DIR);
    assert_int_equal(snap->n, 1);
    resync(&e, &snap);
    assert_int_equal(snap->note.rc, AN_OK); /* told once */
    an_snapshot_free(snap);
    e.opts.cache_path = NULL;
    restart(&e);
    snap = sync_now(&e);
    assert_int_equal(snap->note.rc, AN_OK);
    an_snapshot_free(snap);
    env_close(&e);
}

static void the_file_is_written_anew_when_most_of_it_is_past(void **state)
{
    (void)state;
    env e;
    struct stat st;
    off_t largest = 0, last = 0;
    unsigned shrank = 0;
    char pad[3001];

    env_open(&e);
    memset(pad, 'x', sizeof pad - 1);
    pad[sizeof pad - 1] = '\0';
    block_make(e.mem, 1);
    for (unsigned i = 0; i < 1200; i++) { /* a mark that never stays the same */
        pad[i % 3000]++;
        block_mark(e.mem, 1, AN_MARK_NO_COMPACT, pad);
        an_snapshot_free(sync_now(&e));
        assert_int_equal(stat(e.cache, &st), 0);
        shrank += st.st_size < last;
        last = st.st_size;
        if (last > largest) largest = last;
    }
    assert_true(largest > (1 << 20) - 8000 && largest <= 1 << 20);
    assert_int_equal(shrank, 3);
    restart(&e);
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(snap->n_cached, 2);
    assert_true(
        an_slice_eq(at(snap, 1)->marks[AN_MARK_NO_COMPACT].mark->details, an_slice_str(pad)));
    an_snapshot_free(snap);
    env_close(&e);
}

static void memory_of_documents_that_are_gone_is_given_back(void **state)
{
    (void)state;
    env e;
    an_budget *budget = an_budget_new(64 << 20);
    size_t top = 0;
    char pad[60001];

    env_open(&e);
    e.opts.budget = budget;
    e.opts.cache_path = NULL;
    restart(&e);
    memset(pad, 'y', sizeof pad - 1);
    pad[sizeof pad - 1] = '\0';
    for (unsigned i = 0; i < 50; i++) block_make(e.mem, i);
    an_snapshot *snap = NULL;
    for (unsigned i = 0; i < 400; i++) {
        pad[i % 1000]++;
        block_mark(e.mem, 2, AN_MARK_NO_COMPACT, pad);
        resync(&e, &snap);
        if (an_budget_used(budget) > top) top = an_budget_used(budget);
    }
    assert_true(top < 14 << 20); /* 24 MB went through */
    for (unsigned i = 0; i < 50; i++) assert_int_equal(at(snap, i)->meta->compaction.level, 1);
    an_snapshot_free(snap);
    an_state_free(e.s);
    e.s = NULL;
    assert_int_equal(an_budget_used(budget), 0);
    an_budget_free(budget);
    env_close(&e);
}

static const char *const one[] = {
    "", "{", "not json", "{\"version\":1} x", "\xef\xbb\xbf{\"version\":1}",
};

static void a_meta_that_is_none_is_held_and_its_last_reading_tells_the_group(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof one / sizeof *one; k++) {
        env e;
        env_open(&e);
        for (unsigned i = 0; i < 3; i++) block_make(e.mem, i);
        block_put(e.mem, 9, "meta.json", one[k]);
        an_snapshot *snap = sync_now(&e);
        const an_state_block *b = at(snap, 9);
        assert_int_equal(b->kind, AN_BLOCK_CORRUPT);
        assert_int_equal(b->err->cause, AN_CAUSE_META_CORRUPT);
        assert_int_equal(b->err->rc, AN_ECORRUPT);
        assert_string_equal(b->err->object, "meta.json");
        assert_int_equal(strlen(b->err->block), 26);
        assert_null(b->earlier);
        assert_int_equal(e.c.lists, 2); /* looked at twice before it is told */
        assert_int_equal(snap->n_findings, 1);
        resync(&e, &snap);
        assert_int_equal(e.c.lists, 3);
        assert_int_equal(e.c.gets, 4); /* and not read again */

        block_put(e.mem, 1, "meta.json", one[k]);
        resync(&e, &snap);
        b = at(snap, 1);
        assert_int_equal(b->kind, AN_BLOCK_CORRUPT);
        assert_null(b->meta);
        assert_non_null(b->earlier);
        assert_true(an_slice_eq(b->earlier->thanos.labels.v[0].value, AN_LIT("eins")));
        an_snapshot_free(snap);
        restart(&e);
        snap = sync_now(&e); /* the file remembers it too */
        assert_non_null(at(snap, 1)->earlier);
        assert_int_equal(at(snap, 1)->kind, AN_BLOCK_CORRUPT);
        block_meta(e.mem, 1, 1);
        resync(&e, &snap);
        assert_int_equal(at(snap, 1)->kind, AN_BLOCK_LOADED); /* healed by hand */
        assert_int_equal(snap->n_findings, 1);
        an_snapshot_free(snap);
        env_close(&e);
    }
}

static void a_meta_of_another_version_is_kept_out(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    block_make(e.mem, 1);
    block_put(e.mem, 2, "meta.json", "{\"version\":2}");
    an_snapshot *snap = sync_now(&e);
    const an_state_block *b = at(snap, 2);
    assert_int_equal(b->kind, AN_BLOCK_FOREIGN);
    assert_int_equal(b->err->cause, AN_CAUSE_META_FOREIGN);
    assert_int_equal(at(snap, 1)->kind, AN_BLOCK_LOADED);
    an_snapshot_free(snap);
    env_close(&e);
}

static void marks_that_are_none_or_not_ours_are_told_apart(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    for (unsigned i = 0; i < 6; i++) block_make(e.mem, i);
    block_put(e.mem, 0, "deletion-mark.json", "{}");
    block_put(e.mem, 1, "deletion-mark.json", "");
    block_put(e.mem, 2, "no-compact-mark.json", "{\"version\":2}");
    block_mark(e.mem, 3, AN_MARK_NO_DOWNSAMPLE, "x");
    block_put(e.mem, 4, "no-downsample-mark.json", "null");
    e.c.deny = "deletion-mark.json";
    e.c.with = AN_EDENIED;
    block_mark(e.mem, 5, AN_MARK_DELETION, "x");
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(at(snap, 0)->marks[AN_MARK_DELETION].state, AN_MARK_UNREADABLE);
    an_snapshot_free(snap);
    e.c.deny = NULL;
    snap = sync_now(&e);
    assert_int_equal(at(snap, 0)->marks[AN_MARK_DELETION].state, AN_MARK_CORRUPT);
    assert_int_equal(at(snap, 1)->marks[AN_MARK_DELETION].state, AN_MARK_CORRUPT);
    assert_int_equal(at(snap, 2)->marks[AN_MARK_NO_COMPACT].state, AN_MARK_FOREIGN);
    assert_int_equal(at(snap, 3)->marks[AN_MARK_NO_DOWNSAMPLE].state, AN_MARK_READ);
    assert_int_equal(at(snap, 4)->marks[AN_MARK_NO_DOWNSAMPLE].state, AN_MARK_CORRUPT);
    assert_int_equal(at(snap, 5)->marks[AN_MARK_DELETION].state, AN_MARK_READ);
    assert_int_equal(snap->n_findings, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(snap->findings[i].err->cause, AN_CAUSE_MARK_CORRUPT);
        assert_int_equal(snap->findings[i].block->kind, AN_BLOCK_LOADED);
    }
    assert_string_equal(snap->findings[2].err->object, "no-compact-mark.json");
    an_snapshot_free(snap);
    env_close(&e);
}

static void one_unreadable_block_is_no_reason_to_stop(void **state)
{
    (void)state;
    static const an_rc rcs[] = {AN_EDENIED, AN_ERETRY, AN_EIO, AN_EINVALID};

    for (size_t k = 0; k < sizeof rcs / sizeof *rcs; k++) {
        env e;
        char id[AN_ULID_TEXT + 1], key[64];

        env_open(&e);
        for (unsigned i = 0; i < 5; i++) block_make(e.mem, i);
        (void)snprintf(key, sizeof key, "%s/meta.json", block_text(2, id));
        e.c.deny = key;
        e.c.with = rcs[k];
        an_snapshot *snap = sync_now(&e);
        assert_int_equal(snap->n, 5);
        const an_state_block *b = at(snap, 2);
        assert_int_equal(b->kind, AN_BLOCK_UNREADABLE);
        assert_int_equal(b->err->rc, rcs[k]);
        assert_string_equal(b->err->block, id);
        assert_null(b->earlier);
        assert_int_equal(at(snap, 1)->kind, AN_BLOCK_LOADED);
        assert_int_equal(snap->n_findings, 1);
        resync(&e, &snap); /* it is tried again every time */
        assert_int_equal(e.c.gets, 6);
        e.c.deny = NULL;
        resync(&e, &snap);
        assert_int_equal(at(snap, 2)->kind, AN_BLOCK_LOADED);
        e.c.deny = key; /* once known, it is not even asked for */
        resync(&e, &snap);
        assert_int_equal(at(snap, 2)->kind, AN_BLOCK_LOADED);
        block_meta(e.mem, 2, 4);
        resync(&e, &snap);
        assert_int_equal(at(snap, 2)->kind, AN_BLOCK_UNREADABLE);
        assert_int_equal(at(snap, 2)->earlier->compaction.level, 1);
        an_snapshot_free(snap);
        env_close(&e);
    }
}

static void delete_block_2(an_bucket *mem)
{
    block_del(mem, 2, "meta.json");
    block_del(mem, 2, "index");
    block_del(mem, 2, "chunks/000001");
}

static void delete_meta_2(an_bucket *mem) { block_del(mem, 2, "meta.json"); }
static void finish_meta_2(an_bucket *mem) { block_meta(mem, 2, 1); }
static void add_index_2(an_bucket *mem) { block_put(mem, 2, "index", "index"); }
static void shorten_meta_2(an_bucket *mem) { block_put(mem, 2, "meta.json", "{\"version\":1}"); }

static void what_changes_during_a_sync_is_looked_at_twice(void **state)
{
    (void)state;
    char id[AN_ULID_TEXT + 1], key[64];
    (void)snprintf(key, sizeof key, "%s/meta.json", block_text(2, id));

    for (int k = 0; k < 5; k++) {
        env e;
        env_open(&e);
        for (unsigned i = 1; i < 4; i++) block_make(e.mem, i);
        e.c.trigger = key;
        if (k == 0) e.c.act = delete_block_2;
        if (k == 1) e.c.act = delete_meta_2;
        if (k == 2) { /* listed while it was being written, complete when it is read */
            block_put(e.mem, 2, "meta.json", "{\"ulid\":");
            e.c.act = finish_meta_2;
        }
        if (k == 3) { /* a part that comes after the first listing */
            block_del(e.mem, 2, "index");
            e.c.act = add_index_2;
        }
        if (k == 4) e.c.act = shorten_meta_2;
        an_snapshot *snap = sync_now(&e);
        assert_int_equal(e.c.lists, 2);
        assert_int_equal(snap->n_findings, 0);
        if (k == 0) {
            assert_int_equal(snap->n, 2);
            assert_null(block_find(snap, block_id(2)));
        } else {
            assert_int_equal(snap->n, 3);
            assert_int_equal(at(snap, 2)->kind, k == 1 ? AN_BLOCK_PARTIAL : AN_BLOCK_LOADED);
            assert_null(at(snap, 2)->incomplete);
            if (k == 3) assert_int_equal(at(snap, 2)->seen.index_bytes, 5);
        }
        resync(&e, &snap);
        assert_int_equal(snap->n_findings, 0);
        assert_int_equal(e.c.lists, 3);
        an_snapshot_free(snap);
        env_close(&e);
    }
}

static void a_missing_part_is_told_after_a_second_listing_and_only_once_asked_for(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    for (unsigned i = 0; i < 4; i++) block_make(e.mem, i);
    block_del(e.mem, 1, "chunks/000001");
    block_put(e.mem, 2, "index", "inde"); /* one byte short */
    an_snapshot *snap = sync_now(&e);
    assert_int_equal(e.c.lists, 3);
    assert_int_equal(snap->n_findings, 2);
    assert_int_equal(at(snap, 1)->kind, AN_BLOCK_LOADED);
    assert_int_equal(at(snap, 1)->incomplete->cause, AN_CAUSE_CHUNKS_MISSING);
    assert_string_equal(at(snap, 1)->incomplete->object, "chunks/000001");
    const an_err *why = at(snap, 2)->incomplete;
    assert_string_equal(why->object, "index");
    assert_true(why->has_values && why->expected == 5 && why->found == 4);
    assert_null(at(snap, 0)->incomplete);
    resync(&e, &snap);
    assert_int_equal(e.c.lists, 4);
    assert_int_equal(snap->n_findings, 2);
    block_mark(e.mem, 1, AN_MARK_NO_COMPACT, "a mark is no data");
    resync(&e, &snap);
    assert_int_equal(e.c.lists, 5);
    block_put(e.mem, 1, "chunks/000001", "chunks"); /* uploaded again */
    resync(&e, &snap);
    assert_null(at(snap, 1)->incomplete);
    assert_int_equal(snap->n_findings, 1);
    an_snapshot_free(snap);
    env_close(&e);
}

static void a_sync_that_does_not_fit_its_budget_says_so_with_numbers(void **state)
{
    (void)state;
    env e;
    an_err err;
    an_snapshot *snap;
    an_budget *budget = an_budget_new(512 << 10);

    env_open(&e);
    for (unsigned i = 0; i < 1000; i++) block_make(e.mem, i);
    an_state_free(e.s);
    e.opts.budget = budget;
    e.s = an_state_new(&e.opts);
    assert_int_equal(an_state_sync(e.s, &e.ctx, NOW, &snap, &err), AN_ELIMIT);
    assert_non_null(strstr(err.msg, "of its 524288 bytes are in use"));
    env_close(&e);
    an_budget_free(budget);
}

static void put_meta_without_files(an_bucket *mem, unsigned i, const char *rest)
{
    char id[AN_ULID_TEXT + 1], doc[600];

    (void)snprintf(doc, sizeof doc,
                   "{\"ulid\":\"%s\",\"version\":1,\"minTime\":0,\"maxTime\":7200000,"
                   "\"stats\":{\"numSamples\":1,\"numSeries\":1,\"numChunks\":%s},"
                   "\"compaction\":{\"level\":2,\"sources\":[\"%s\"]},"
                   "\"thanos\":{\"labels\":{\"a\":\"1\"}%s}}",
                   block_text(i, id), rest[0] == '0' ? "0" : "1", id, rest + 1);
    block_put(mem, i, "meta.json", doc);
}

/* As Thanos before 0.17 wrote it: no list of files, but without index or segments it holds nothing,
 * and must not stand in for its sources. */
static void without_a_list_of_files_index_and_segments_must_be_there(void **state)
{
    (void)state;
    static const struct {
        const char *meta; /* chunks or none, the rest of the thanos section */
        const char *gone, *missing;
    } t[] = {
        {"1", NULL, NULL},
        {"1", "index", "index"},
        {"1", "chunks/000001", "chunks/000001"},
        {"0", "chunks/000001", NULL}, /* no samples */
        {"1,\"segment_files\":[\"000001\"]", NULL, NULL},
        {"1,\"segment_files\":[\"000001\"]", "chunks/000001", "chunks/000001"},
        {"1,\"segment_files\":[\"000001\",\"000002\"]", NULL, "chunks/000002"},
    };
    env e;

    for (size_t k = 0; k < sizeof t / sizeof *t; k++) {
        env_open(&e);
        block_make(e.mem, 0);
        put_meta_without_files(e.mem, 0, t[k].meta);
        if (t[k].gone != NULL) block_del(e.mem, 0, t[k].gone);
        an_snapshot *snap = sync_now(&e);
        const an_err *why = at(snap, 0)->incomplete;
        assert_int_equal(at(snap, 0)->kind, AN_BLOCK_LOADED);
        if ((why == NULL) != (t[k].missing == NULL)) fail_msg("case %zu", k);
        if (why != NULL) assert_string_equal(why->object, t[k].missing);
        if (why != NULL) assert_int_equal(e.c.lists, 2);
        an_snapshot_free(snap);
        env_close(&e);
    }
}

static void fingerprints_and_counts_of_listings_tell_what_stays(void **state)
{
    (void)state;
    env e;

    env_open(&e);
    block_make(e.mem, 1);
    block_put(e.mem, 2, "index", "part");
    an_snapshot *snap = sync_now(&e);
    uint64_t data = at(snap, 1)->seen.data, all = at(snap, 1)->seen.everything;
    assert_int_equal(at(snap, 2)->listings, 1);
    resync(&e, &snap);
    assert_int_equal(at(snap, 2)->listings, 2);
    assert_true(at(snap, 1)->seen.data == data && at(snap, 1)->seen.everything == all);
    block_mark(e.mem, 1, AN_MARK_NO_COMPACT, "x");
    block_put(e.mem, 1, "anneal-hold.json", "{}");
    block_put(e.mem, 2, "index", "prat");
    resync(&e, &snap);
    assert_true(at(snap, 1)->seen.data == data && at(snap, 1)->seen.everything != all);
    assert_int_equal(at(snap, 2)->listings, 1);
    assert_int_equal(at(snap, 1)->listings, 1);
    block_put(e.mem, 1, "chunks/000001", "CHUNKS");
    resync(&e, &snap);
    assert_true(at(snap, 1)->seen.data != data);
    assert_int_equal(at(snap, 2)->listings, 2);
    an_snapshot_free(snap);
    env_close(&e);
}

static void many_reads_at_once_tell_the_same(void **state)
{
    (void)state;
    env e;
    an_err err;

    env_open(&e);
    for (unsigned i = 0; i < 300; i++) {
        block_make(e.mem, i);
        if (i % 7 == 0) block_mark(e.mem, i, AN_MARK_DELETION, "x");
        if (i % 50 == 0) block_put(e.mem, i, "meta.json", "{");
    }
    an_snapshot *plain = sync_now(&e);
    assert_int_equal(an_pool_new(4, "test", &e.pool, &err), AN_OK);
    e.opts.pool = e.pool;
    e.opts.n_reads = 32;
    e.opts.cache_path = NULL;
    an_fault_bucket_plan(e.b, NULL); /* its callback counts without a lock */
    restart(&e);
    an_snapshot *many = sync_now(&e);
    assert_int_equal(plain->n, many->n);
    assert_int_equal(plain->n_findings, many->n_findings);
    assert_int_equal(plain->n_findings, 6);
    assert_int_equal(plain->n_read, many->n_read);
    for (size_t i = 0; i < plain->n; i++) {
        const an_state_block *p = &plain->blocks[i], *m = &many->blocks[i];
        assert_true(an_ulid_eq(p->seen.id, m->seen.id));
        assert_int_equal(p->kind, m->kind);
        assert_int_equal(p->seen.data, m->seen.data);
        assert_int_equal(p->marks[AN_MARK_DELETION].state, m->marks[AN_MARK_DELETION].state);
        if (p->kind == AN_BLOCK_LOADED) assert_int_equal(p->meta->mint, m->meta->mint);
    }
    for (size_t i = 0; i < plain->n_findings; i++)
        assert_string_equal(plain->findings[i].err->msg, many->findings[i].err->msg);
    an_snapshot_free(plain);
    an_snapshot_free(many);
    env_close(&e);
}

static void whatever_operation_fails_the_next_sync_is_right(void **state)
{
    (void)state;
    static const an_rc rcs[] = {AN_ERETRY, AN_EDENIED, AN_ECANCELED, AN_ENOTFOUND};
    uint64_t failed = 0, worked = 0;

    for (size_t k = 0; k < sizeof rcs / sizeof *rcs; k++) {
        bool done = false;
        for (uint64_t n = 0; !done; n++) {
            env e;
            an_err err;
            an_snapshot *snap = NULL;
            an_fault_plan plan = {.armed = true, .at = n, .rc = rcs[k]};

            env_open(&e);
            for (unsigned i = 0; i < 4; i++) block_make(e.mem, i);
            block_del(e.mem, 2, "index");
            block_put(e.mem, 3, "meta.json", "{");
            block_mark(e.mem, 1, AN_MARK_DELETION, "x");
            an_fault_bucket_plan(e.b, &plan);
            an_rc rc = an_state_sync(e.s, &e.ctx, NOW, &snap, &err);
            done = an_fault_bucket_count(e.b) <= n;
            if (rc == AN_OK) {
                worked++;
                assert_int_equal(snap->n, 4);
                assert_int_equal(at(snap, 0)->kind == AN_BLOCK_LOADED ||
                                     at(snap, 0)->kind == AN_BLOCK_UNREADABLE,
                                 true);
                an_snapshot_free(snap);
            } else {
                failed++;
                assert_null(snap);
                assert_int_equal(rc, rcs[k]);
            }
            an_fault_bucket_plan(e.b, NULL);
            if (n % 2 == 0) restart(&e);
            snap = sync_now(&e);
            assert_int_equal(snap->n, 4);
            assert_int_equal(at(snap, 0)->kind, AN_BLOCK_LOADED);
            assert_int_equal(at(snap, 1)->marks[AN_MARK_DELETION].state, AN_MARK_READ);
            assert_non_null(at(snap, 2)->incomplete);
            assert_int_equal(at(snap, 3)->kind, AN_BLOCK_CORRUPT);
            assert_int_equal(snap->n_findings, 2);
            an_snapshot_free(snap);
            env_close(&e);
        }
    }
    assert_true(failed > 8 && worked > 8);
}

static int as_another(const tmpdir *t, unsigned denied)
{
    an_bucket *b = NULL;
    an_err err;
    an_ctx ctx;
    an_snapshot *snap = NULL;
    int line = 0;

    an_ctx_init(&ctx, NULL);
    if (an_fs_open(t->path, NULL, &b, &err) != AN_OK) return __LINE__;
    an_state_opts opts = {.bucket = b};
    an_state *s = an_state_new(&opts);
    if (an_state_sync(s, &ctx, NOW, &snap, &err) != AN_OK) {
        line = __LINE__;
    } else {
        for (unsigned i = 0; i < 6 && line == 0; i++) {
            const an_state_block *x = block_find(snap, block_id(i));
            bool is = x != NULL && x->kind == AN_BLOCK_UNREADABLE && x->err->rc == AN_EDENIED &&
                      x->err->cause == AN_CAUSE_STORE_DENIED && x->err->block[0] != '\0';
            if (is != (denied >> i & 1)) line = __LINE__;
            if (!is && (x == NULL || x->kind != AN_BLOCK_LOADED)) line = __LINE__;
        }
        if (snap->n != 6 || snap->n_findings != (size_t)__builtin_popcount(denied)) line = __LINE__;
    }
    an_snapshot_free(snap);
    an_state_free(s);
    an_bucket_free(b);
    return line;
}

static void blocks_that_may_not_be_looked_at_are_neither_gone_nor_partial(void **state)
{
    (void)state;
    tmpdir t;
    an_err err;
    an_bucket *b = NULL;
    char id[AN_ULID_TEXT + 1], rel[100], name[PATH_MAX];
    int status = 0;
    static const char *const what[] = {"", "/chunks", "/meta.json"};

    tmpdir_make(&t);
    assert_int_equal(chmod(t.path, 0755), 0);
    assert_int_equal(an_fs_open(t.path, NULL, &b, &err), AN_OK);
    for (unsigned i = 0; i < 6; i++) block_make(b, i);
    an_bucket_free(b);
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(rel, sizeof rel, "%s%s", block_text(2 * i, id), what[i]);
        assert_int_equal(chmod(tmpdir_name(&t, rel, name), 0), 0);
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        bool other = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        int line = other ? as_another(&t, 1 << 0 | 1 << 2 | 1 << 4) : 1;
        if (line != 0) (void)fprintf(stderr, "child: line %d\n", line);
        _exit(line == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    tmpdir_remove(&t);
}

static void a_link_with_the_name_of_a_block_is_told(void **state)
{
    (void)state;
    tmpdir t, out;
    an_err err;
    an_ctx ctx;
    an_bucket *b = NULL, *o = NULL;
    an_snapshot *snap = NULL;
    char id[AN_ULID_TEXT + 1], name[PATH_MAX], target[PATH_MAX];

    an_ctx_init(&ctx, NULL);
    tmpdir_make(&t);
    tmpdir_make(&out);
    assert_int_equal(an_fs_open(t.path, NULL, &b, &err), AN_OK);
    assert_int_equal(an_fs_open(out.path, NULL, &o, &err), AN_OK);
    block_make(b, 1);
    block_make(o, 2);
    assert_int_equal(symlink(tmpdir_name(&out, block_text(2, id), target),
                             tmpdir_name(&t, block_text(2, id), name)),
                     0);
    an_state_opts opts = {.bucket = b};
    an_state *s = an_state_new(&opts);
    assert_int_equal(an_state_sync(s, &ctx, NOW, &snap, &err), AN_OK);
    assert_int_equal(snap->n, 2);
    assert_int_equal(at(snap, 1)->kind, AN_BLOCK_LOADED);
    assert_int_equal(at(snap, 2)->kind, AN_BLOCK_UNREADABLE);
    assert_non_null(strstr(at(snap, 2)->err->msg, "links are not followed"));
    an_snapshot_free(snap);
    an_state_free(s);
    an_bucket_free(b);
    an_bucket_free(o);
    tmpdir_remove(&t);
    tmpdir_remove(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_told_with_their_objects_and_everything_else_is_left_alone),
        cmocka_unit_test(documents_are_read_once_and_again_when_they_change),
        cmocka_unit_test(what_changed_just_now_is_read_once_more),
        cmocka_unit_test(a_restart_reads_the_file_instead_of_the_bucket),
        cmocka_unit_test(a_file_cut_at_any_byte_is_used_up_to_there_and_a_flipped_bit_drops_it),
        cmocka_unit_test(a_file_of_another_bucket_or_in_use_or_out_of_reach_is_not_used),
        cmocka_unit_test(the_file_is_written_anew_when_most_of_it_is_past),
        cmocka_unit_test(memory_of_documents_that_are_gone_is_given_back),
        cmocka_unit_test(a_meta_that_is_none_is_held_and_its_last_reading_tells_the_group),
        cmocka_unit_test(a_meta_of_another_version_is_kept_out),
        cmocka_unit_test(marks_that_are_none_or_not_ours_are_told_apart),
        cmocka_unit_test(one_unreadable_block_is_no_reason_to_stop),
        cmocka_unit_test(what_changes_during_a_sync_is_looked_at_twice),
        cmocka_unit_test(a_missing_part_is_told_after_a_second_listing_and_only_once_asked_for),
        cmocka_unit_test(a_sync_that_does_not_fit_its_budget_says_so_with_numbers),
        cmocka_unit_test(without_a_list_of_files_index_and_segments_must_be_there),
        cmocka_unit_test(fingerprints_and_counts_of_listings_tell_what_stays),
        cmocka_unit_test(many_reads_at_once_tell_the_same),
        cmocka_unit_test(whatever_operation_fails_the_next_sync_is_right),
        cmocka_unit_test(blocks_that_may_not_be_looked_at_are_neither_gone_nor_partial),
        cmocka_unit_test(a_link_with_the_name_of_a_block_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
