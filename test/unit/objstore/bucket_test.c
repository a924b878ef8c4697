// SPDX-License-Identifier: Apache-2.0
/* What objstore/bucket.h promises, asked of every provider and decorator in turn. */
#include "objstore/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "objstore/fault.h"
#include "objstore/fs/fs.h"
#include "objstore/memory.h"
#include "objstore/metered.h"
#include "objstore/prefix.h"
#include "objstore/retry.h"
#include "support/tmpdir.h"

typedef enum kind { MEMORY, FS, FS_SMALL, FAULT, METERED, PREFIX, PREFIX_FS, RETRY, KINDS } kind;

typedef struct env {
    an_bucket *b;
    an_bucket_stats stats;
    tmpdir dir;
    an_ctx ctx;
} env;

static an_bucket *open_fs(env *e, unsigned max_open)
{
    an_err err;
    an_bucket *b = NULL;
    an_fs_opts opts = {.max_open = max_open};

    assert_int_equal(an_fs_open(e->dir.path, &opts, &b, &err), AN_OK);
    return b;
}

static an_rc no_wait(void *arg, an_ctx *ctx, int64_t ms, an_err *err)
{
    (void)arg;
    (void)ms;
    return an_ctx_check(ctx, err);
}

static uint64_t no_random(void *arg)
{
    (void)arg;
    return 0;
}

static void env_open(env *e, kind k)
{
    static const an_retry_opts retry = {.attempts = 3,
                                        .reserve = 10,
                                        .first_ms = 1,
                                        .max_ms = 10,
                                        .wait = no_wait,
                                        .random = no_random};
    an_err err;

    memset(e, 0, sizeof *e);
    tmpdir_make(&e->dir);
    an_ctx_init(&e->ctx, NULL);
    switch (k) {
    case MEMORY:
        e->b = an_mem_bucket_new();
        break;
    case FS:
        e->b = open_fs(e, 0);
        break;
    case FS_SMALL:
        e->b = open_fs(e, 1);
        break;
    case FAULT:
        e->b = an_fault_bucket_new(an_mem_bucket_new(), AN_FAULT_OWNS);
        break;
    case METERED:
        e->b = an_metered_bucket_new(open_fs(e, 0), &e->stats, NULL);
        break;
    case RETRY:
        e->b = an_retry_bucket_new(an_mem_bucket_new(), &retry);
        break;
    case PREFIX:
        assert_int_equal(an_prefix_bucket_new(an_mem_bucket_new(), AN_LIT("a/b"), &e->b, &err),
                         AN_OK);
        break;
    case PREFIX_FS:
        assert_int_equal(an_prefix_bucket_new(open_fs(e, 0), AN_LIT("p"), &e->b, &err), AN_OK);
        break;
    case KINDS:
        fail();
    }
}

static void env_close(env *e)
{
    an_bucket_free(e->b);
    tmpdir_remove(&e->dir);
}

#define FOR_EACH_KIND(e)                                                                           \
    for (kind k_ = 0; k_ < KINDS && (env_open((e), k_), true); env_close(e), k_++)

static void put(env *e, const char *key, const char *body)
{
    an_err err;
    an_rc rc = an_bucket_put(e->b, &e->ctx, an_slice_str(key), an_slice_str(body), 0, &err);
    if (rc != AN_OK) fail_msg("put %s: %s", key, err.msg);
}

static void assert_body(env *e, const char *key, const char *want)
{
    an_err err;
    an_object o;
    uint8_t got[256];
    size_t n = strlen(want);

    assert_int_equal(an_bucket_stat(e->b, &e->ctx, an_slice_str(key), &o, &err), AN_OK);
    assert_int_equal(o.size, n);
    assert_int_equal(an_bucket_get(e->b, &e->ctx, an_slice_str(key), 0, n, got, &err), AN_OK);
    assert_memory_equal(got, want, n);
}

static void assert_absent(env *e, const char *key)
{
    an_err err;
    an_object o;
    uint8_t c;

    assert_int_equal(an_bucket_stat(e->b, &e->ctx, an_slice_str(key), &o, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_get(e->b, &e->ctx, an_slice_str(key), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_string_equal(err.object, key);
}

static an_rc gather(void *arg, const an_object *o, an_err *err)
{
    (void)err;
    an_buf_slice_add(arg, o->key);
    an_buf_u8(arg, '\n');
    return AN_OK;
}

static void assert_list(env *e, const char *prefix, const char *from, const char *want)
{
    an_err err;
    an_buf b;

    an_buf_init(&b, 1 << 20, NULL);
    assert_int_equal(
        an_bucket_list(e->b, &e->ctx, an_slice_str(prefix), an_slice_str(from), gather, &b, &err),
        AN_OK);
    an_buf_u8(&b, '\0');
    assert_string_equal((const char *)b.p, want);
    an_buf_deinit(&b);
}

static void objects_are_put_read_replaced_and_deleted(void **state)
{
    (void)state;
    env e;
    an_err err;

    FOR_EACH_KIND(&e)
    {
        assert_absent(&e, "x/y");
        put(&e, "x/y", "one");
        put(&e, "x/z", "");
        assert_body(&e, "x/y", "one");
        assert_body(&e, "x/z", "");
        put(&e, "x/y", "another");
        assert_body(&e, "x/y", "another");
        assert_int_equal(an_bucket_del(e.b, &e.ctx, AN_LIT("x/y"), &err), AN_OK);
        assert_int_equal(an_bucket_del(e.b, &e.ctx, AN_LIT("x/y"), &err), AN_OK); /* again */
        assert_absent(&e, "x/y");
        assert_body(&e, "x/z", "");
    }
}

static void reads_take_exactly_the_range_and_short_objects_tell_their_end(void **state)
{
    (void)state;
    env e;
    an_err err;
    uint8_t got[8] = {0};

    FOR_EACH_KIND(&e)
    {
        put(&e, "k", "0123456789");
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), 3, 4, got, &err), AN_OK);
        assert_memory_equal(got, "3456\0\0\0\0", 8);
        memset(got, 0, sizeof got);
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), 10, 0, got, &err), AN_OK);
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), 7, 4, got, &err), AN_ECORRUPT);
        assert_true(err.has_values && err.expected == 11 && err.found == 10 && err.offset == 7);
        assert_string_equal(err.object, "k");
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), 4000, 1, got, &err), AN_ECORRUPT);
        assert_true(err.expected == 4001 && err.found == 10);
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), UINT64_MAX, 1, got, &err),
                         AN_EINVALID);
        memset(got, 0, sizeof got);
    }
}

static void listings_are_in_byte_order_of_whole_keys(void **state)
{
    (void)state;
    env e;

    FOR_EACH_KIND(&e)
    {
        /* '-' < '.' < '/' < '0': a folder sorts where its slash does */
        put(&e, "a-b", "");
        put(&e, "a/c/d", "");
        put(&e, "a/b", "");
        put(&e, "a.x", "");
        put(&e, "a0", "");
        put(&e, "\xff\xfe", "");
        put(&e, "A", "");
        put(&e, "a/c-", "");
        assert_list(&e, "", "", "A\na-b\na.x\na/b\na/c-\na/c/d\na0\n\xff\xfe\n");
        assert_list(&e, "a", "", "a-b\na.x\na/b\na/c-\na/c/d\na0\n");
        assert_list(&e, "a/", "", "a/b\na/c-\na/c/d\n");
        assert_list(&e, "a/c", "", "a/c-\na/c/d\n");
        assert_list(&e, "a/c/", "", "a/c/d\n");
        assert_list(&e, "a/c/d", "", "a/c/d\n");
        assert_list(&e, "a/c/d/", "", "");
        assert_list(&e, "nothing/here", "", "");
        assert_list(&e, "", "a/b", "a/b\na/c-\na/c/d\na0\n\xff\xfe\n");
        assert_list(&e, "", "a/b0", "a/c-\na/c/d\na0\n\xff\xfe\n");
        assert_list(&e, "", "a/c/", "a/c/d\na0\n\xff\xfe\n");
        assert_list(&e, "a/", "a/c0", "");
        assert_list(&e, "", "a/zz", "a0\n\xff\xfe\n");
    }
}

static an_rc stop_at_second(void *arg, const an_object *o, an_err *err)
{
    int *n = arg;

    (void)o;
    return ++*n == 2 ? AN_FAIL(err, AN_EHALT, "enough") : AN_OK;
}

static an_rc delete_it(void *arg, const an_object *o, an_err *err)
{
    env *e = arg;
    return an_bucket_del(e->b, &e->ctx, o->key, err);
}

static void a_callback_ends_the_listing_or_uses_the_bucket(void **state)
{
    (void)state;
    env e;
    an_err err;

    FOR_EACH_KIND(&e)
    {
        int n = 0;
        put(&e, "a/1", "");
        put(&e, "a/2", "");
        put(&e, "b", "");
        assert_int_equal(
            an_bucket_list(e.b, &e.ctx, AN_LIT(""), AN_LIT(""), stop_at_second, &n, &err),
            AN_EHALT);
        assert_int_equal(n, 2);
        assert_int_equal(an_bucket_list(e.b, &e.ctx, AN_LIT(""), AN_LIT(""), delete_it, &e, &err),
                         AN_OK);
        assert_list(&e, "", "", "");
    }
}

static void a_conditional_put_never_replaces(void **state)
{
    (void)state;
    env e;
    an_err err;

    FOR_EACH_KIND(&e)
    {
        int flags = AN_PUT_IF_ABSENT | AN_PUT_DURABLE;
        assert_true((e.b->caps & AN_CAP_IF_ABSENT) != 0);
        assert_int_equal(an_bucket_put(e.b, &e.ctx, AN_LIT("d/k"), AN_LIT("first"), flags, &err),
                         AN_OK);
        assert_int_equal(an_bucket_put(e.b, &e.ctx, AN_LIT("d/k"), AN_LIT("second"), flags, &err),
                         AN_EEXISTS);
        assert_body(&e, "d/k", "first");
        assert_list(&e, "", "", "d/k\n");
    }
}

static an_upload *begin(env *e, const char *key, const char *nonce)
{
    an_err err;
    an_upload *u = NULL;
    an_rc rc = an_upload_open(e->b, &e->ctx, an_slice_str(key), an_slice_str(nonce), &u, &err);
    if (rc != AN_OK) fail_msg("upload_open %s: %s", key, err.msg);
    return u;
}

static void add(env *e, an_upload *u, const void *p, size_t n)
{
    an_err err;
    assert_int_equal(an_upload_write(u, &e->ctx, an_slice_of(p, n), &err), AN_OK);
}

static void uploads_are_invisible_until_complete_and_gone_when_dropped(void **state)
{
    (void)state;
    env e;
    an_err err;

    FOR_EACH_KIND(&e)
    {
        an_upload *u = begin(&e, "b/chunks/000001", "n1"), *v = begin(&e, "b/chunks/000001", "n2");
        add(&e, u, "abc", 3);
        add(&e, v, "other", 5);
        add(&e, u, "def", 3);
        assert_int_equal(u->written, 6);
        assert_absent(&e, "b/chunks/000001");
        assert_int_equal(an_upload_flush(u, &e.ctx, &err), AN_OK);
        assert_absent(&e, "b/chunks/000001");
        assert_list(&e, "", "", "");
        assert_int_equal(an_upload_complete(u, &e.ctx, AN_PUT_DURABLE, &err), AN_OK);
        an_upload_close(u);
        assert_body(&e, "b/chunks/000001", "abcdef");
        assert_int_equal(an_upload_complete(v, &e.ctx, AN_PUT_IF_ABSENT, &err), AN_EEXISTS);
        an_upload_close(v);
        assert_body(&e, "b/chunks/000001", "abcdef");
        u = begin(&e, "b/index", "n3");
        add(&e, u, "abc", 3);
        an_upload_close(u);
        assert_list(&e, "", "", "b/chunks/000001\n");
    }
}

static void an_upload_keeps_every_byte_whatever_the_writes(void **state)
{
    (void)state;
    env e;
    an_err err;
    size_t total = 1200000;
    uint8_t *want = malloc(total), *got = malloc(total);

    assert_true(want != NULL && got != NULL);
    for (size_t i = 0; i < total; i++) want[i] = (uint8_t)(i * 2654435761u >> 13);
    FOR_EACH_KIND(&e)
    {
        an_upload *u = begin(&e, "k", "n");
        uint32_t seed = 7;
        for (size_t off = 0; off < total;) {
            seed = seed * 1664525 + 1013904223;
            size_t n = (seed >> 8) % ((seed & 0x700) == 0 ? 200000 : 3000);
            if (n > total - off) n = total - off;
            add(&e, u, want + off, n);
            off += n;
        }
        assert_int_equal(an_upload_complete(u, &e.ctx, 0, &err), AN_OK);
        an_upload_close(u);
        assert_int_equal(an_bucket_get(e.b, &e.ctx, AN_LIT("k"), 0, total, got, &err), AN_OK);
        assert_memory_equal(got, want, total);
    }
    free(want);
    free(got);
}

static void names_that_lead_elsewhere_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",     "/",    "/a",    "a/",  "a//b", ".",      "..",
        "a/..", "../a", "a/./b", "./a", "//",   "a/../b", "../../../../etc/passwd"};
    size_t n_bad = sizeof bad / sizeof *bad;
    env e;
    an_err err;
    an_object o;
    an_upload *u;
    char longest[AN_KEY_MAX + 2];
    static const char nul[] = {'a', 0, 'b'};
    uint8_t c;

    memset(longest, 'a', sizeof longest);
    for (size_t i = 100; i < sizeof longest - 2; i += 100) longest[i] = '/';
    FOR_EACH_KIND(&e)
    {
        for (size_t i = 0; i < n_bad + 2; i++) {
            an_slice key = i < n_bad    ? an_slice_str(bad[i])
                           : i == n_bad ? an_slice_of(nul, sizeof nul)
                                        : an_slice_of(longest, AN_KEY_MAX + 1);
            assert_int_equal(an_bucket_stat(e.b, &e.ctx, key, &o, &err), AN_EINVALID);
            assert_int_equal(an_bucket_get(e.b, &e.ctx, key, 0, 1, &c, &err), AN_EINVALID);
            assert_int_equal(an_bucket_put(e.b, &e.ctx, key, AN_LIT("x"), 0, &err), AN_EINVALID);
            assert_int_equal(an_bucket_del(e.b, &e.ctx, key, &err), AN_EINVALID);
            assert_int_equal(an_upload_open(e.b, &e.ctx, key, AN_LIT("n"), &u, &err), AN_EINVALID);
        }
        assert_int_equal(an_upload_open(e.b, &e.ctx, AN_LIT("k"), AN_LIT("../n"), &u, &err),
                         AN_EINVALID);
        assert_int_equal(an_bucket_list(e.b, &e.ctx, AN_LIT("../"), AN_LIT(""), gather, NULL, &err),
                         AN_EINVALID);
        assert_int_equal(
            an_bucket_list(e.b, &e.ctx, AN_LIT("a/../"), AN_LIT(""), gather, NULL, &err),
            AN_EINVALID);
        put(&e, "..a/b..", "dots are fine");
        put(&e, ".../.a", "dots are fine");
        assert_list(&e, ".", "", ".../.a\n..a/b..\n");
    }
}

static void a_cancelled_context_changes_nothing(void **state)
{
    (void)state;
    env e;
    an_err err;
    an_object o;

    FOR_EACH_KIND(&e)
    {
        put(&e, "k", "v");
        an_upload *u = begin(&e, "u", "n");
        an_ctx_cancel(&e.ctx);
        assert_int_equal(an_bucket_stat(e.b, &e.ctx, AN_LIT("k"), &o, &err), AN_ECANCELED);
        assert_int_equal(an_bucket_put(e.b, &e.ctx, AN_LIT("k"), AN_LIT("w"), 0, &err),
                         AN_ECANCELED);
        assert_int_equal(an_bucket_del(e.b, &e.ctx, AN_LIT("k"), &err), AN_ECANCELED);
        assert_int_equal(an_bucket_list(e.b, &e.ctx, AN_LIT(""), AN_LIT(""), gather, NULL, &err),
                         AN_ECANCELED);
        assert_int_equal(an_upload_complete(u, &e.ctx, 0, &err), AN_ECANCELED);
        an_upload_close(u);
        an_ctx_init(&e.ctx, NULL);
        assert_body(&e, "k", "v");
        assert_list(&e, "", "", "k\n");
    }
}

static void a_changed_object_has_another_etag_and_an_untouched_one_the_same(void **state)
{
    (void)state;
    env e;
    an_err err;
    an_object a, b, c;

    FOR_EACH_KIND(&e)
    {
        put(&e, "k", "v1");
        assert_int_equal(an_bucket_stat(e.b, &e.ctx, AN_LIT("k"), &a, &err), AN_OK);
        assert_int_equal(an_bucket_stat(e.b, &e.ctx, AN_LIT("k"), &b, &err), AN_OK);
        put(&e, "other", "v");
        assert_true(a.etag.n > 0 && memcmp(&a.etag, &b.etag, sizeof a.etag) == 0);
        put(&e, "k", "v2");
        assert_int_equal(an_bucket_stat(e.b, &e.ctx, AN_LIT("k"), &c, &err), AN_OK);
        assert_false(memcmp(&a.etag, &c.etag, sizeof a.etag) == 0);
    }
}

static void a_whole_object_is_read_up_to_the_callers_maximum(void **state)
{
    (void)state;
    env e;
    an_err err;
    an_slice got = {NULL, 0};
    an_arena *a = an_arena_new(NULL);

    FOR_EACH_KIND(&e)
    {
        put(&e, "k", "12345");
        assert_int_equal(an_bucket_read(e.b, &e.ctx, a, AN_LIT("k"), 5, 5, &got, &err), AN_OK);
        assert_true(an_slice_eq(got, AN_LIT("12345")) && got.p[5] == '\0');
        assert_int_equal(an_bucket_read(e.b, &e.ctx, a, AN_LIT("k"), 5, 4, &got, &err), AN_ELIMIT);
        assert_true(err.expected == 4 && err.found == 5);
        assert_string_equal(err.object, "k");
        assert_int_equal(an_bucket_read(e.b, &e.ctx, a, AN_LIT("k"), 6, 9, &got, &err),
                         AN_ECORRUPT);
    }
    an_arena_free(a);
}

static void every_slot_of_every_table_is_filled(void **state)
{
    (void)state;
    env e;

    FOR_EACH_KIND(&e)
    {
        const void *slot[sizeof(an_bucket_ops) / sizeof(void *)];
        memcpy(slot, e.b->ops, sizeof slot);
        for (size_t i = 0; i < sizeof slot / sizeof *slot; i++) assert_non_null(slot[i]);
        assert_true(e.b->name[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_put_read_replaced_and_deleted),
        cmocka_unit_test(reads_take_exactly_the_range_and_short_objects_tell_their_end),
        cmocka_unit_test(listings_are_in_byte_order_of_whole_keys),
        cmocka_unit_test(a_callback_ends_the_listing_or_uses_the_bucket),
        cmocka_unit_test(a_conditional_put_never_replaces),
        cmocka_unit_test(uploads_are_invisible_until_complete_and_gone_when_dropped),
        cmocka_unit_test(an_upload_keeps_every_byte_whatever_the_writes),
        cmocka_unit_test(names_that_lead_elsewhere_are_refused),
        cmocka_unit_test(a_cancelled_context_changes_nothing),
        cmocka_unit_test(a_changed_object_has_another_etag_and_an_untouched_one_the_same),
        cmocka_unit_test(a_whole_object_is_read_up_to_the_callers_maximum),
        cmocka_unit_test(every_slot_of_every_table_is_filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
