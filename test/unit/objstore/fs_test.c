// SPDX-License-Identifier: Apache-2.0
/* The folder as a bucket: links, permissions, descriptors, crashes. What all buckets have in common
 * is in bucket_test.c. */
#include "objstore/fs/fs.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/buf.h"
#include "support/tmpdir.h"

static an_ctx ctx;

static an_bucket *open_at(const tmpdir *t, const an_fs_opts *opts)
{
    an_err err;
    an_bucket *b = NULL;
    an_rc rc = an_fs_open(t->path, opts, &b, &err);
    if (rc != AN_OK) fail_msg("%s", err.msg);
    return b;
}

static an_rc put(an_bucket *b, const char *key, const char *body, int flags, an_err *err)
{
    return an_bucket_put(b, &ctx, an_slice_str(key), an_slice_str(body), flags, err);
}

static an_rc gather(void *arg, const an_object *o, an_err *err)
{
    (void)err;
    an_buf_slice_add(arg, o->key);
    an_buf_u8(arg, '\n');
    return AN_OK;
}

/* What a listing reports from `from` on, as text; *rc is its result. */
static const char *list(an_bucket *b, const char *from, char out[4096], an_rc *rc, an_err *err)
{
    an_buf buf;

    an_buf_init(&buf, 4095, NULL);
    *rc = an_bucket_list(b, &ctx, AN_LIT(""), an_slice_str(from), gather, &buf, err);
    memcpy(out, buf.p == NULL ? (const uint8_t *)"" : buf.p, buf.n);
    out[buf.n] = '\0';
    an_buf_deinit(&buf);
    return out;
}

static void assert_list(an_bucket *b, const char *want)
{
    char got[4096];
    an_err err;
    an_rc rc;

    assert_string_equal(list(b, "", got, &rc, &err), want);
    assert_int_equal(rc, AN_OK);
}

static void assert_file(const tmpdir *t, const char *rel, const char *want)
{
    char name[PATH_MAX], got[100];
    FILE *f = fopen(tmpdir_name(t, rel, name), "r");

    assert_non_null(f);
    size_t n = fread(got, 1, sizeof got, f);
    (void)fclose(f);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(got, want, n);
}

static unsigned open_descriptors(void)
{
    unsigned n = 0;
    DIR *d = opendir("/proc/self/fd");

    assert_non_null(d);
    while (readdir(d) != NULL) n++;
    (void)closedir(d);
    return n;
}

static void a_missing_folder_or_a_file_in_its_place_is_refused_by_name(void **state)
{
    (void)state;
    tmpdir t;
    char name[PATH_MAX];
    an_err err;
    an_bucket *b = NULL;

    tmpdir_make(&t);
    assert_int_equal(an_fs_open(tmpdir_name(&t, "nothing", name), NULL, &b, &err), AN_EINVALID);
    assert_null(b);
    assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
    assert_non_null(strstr(err.msg, name));
    tmpdir_write(&t, "file", "x", 1);
    assert_int_equal(an_fs_open(tmpdir_name(&t, "file", name), NULL, &b, &err), AN_EINVALID);
    assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
    assert_non_null(strstr(err.msg, name));
    tmpdir_remove(&t);
}

static void the_name_is_the_absolute_folder_as_go_cleans_it(void **state)
{
    (void)state;
    tmpdir t;
    char cwd[PATH_MAX], here[PATH_MAX], want[PATH_MAX + 8], abs[PATH_MAX];
    an_err err;
    an_bucket *b = NULL;

    tmpdir_make(&t);
    assert_int_equal(mkdir(tmpdir_name(&t, "d", abs), 0777), 0);
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(chdir(t.path), 0);
    assert_non_null(getcwd(here, sizeof here));
    (void)snprintf(want, sizeof want, "fs: %s/d", here);
    const char *const same[] = {"d", "./d", "d/", ".//x/../d/.", abs};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        assert_int_equal(an_fs_open(same[i], NULL, &b, &err), AN_OK);
        assert_string_equal(b->name, want);
        an_bucket_free(b);
    }
    assert_int_equal(an_fs_open("/../..", NULL, &b, &err), AN_OK);
    assert_string_equal(b->name, "fs: /");
    an_bucket_free(b);
    assert_int_equal(chdir(cwd), 0);
    tmpdir_remove(&t);
}

static void links_are_listed_but_never_followed(void **state)
{
    (void)state;
    tmpdir out, t;
    char name[PATH_MAX], target[PATH_MAX];
    an_err err;
    an_object o;
    an_upload *u = NULL;
    uint8_t c;

    tmpdir_make(&out);
    tmpdir_make(&t);
    tmpdir_write(&out, "secret", "s", 1);
    tmpdir_write(&t, "a/file", "f", 1);
    assert_int_equal(symlink(tmpdir_name(&out, "secret", target), tmpdir_name(&t, "a/l", name)), 0);
    assert_int_equal(symlink(out.path, tmpdir_name(&t, "a/d", name)), 0);
    assert_int_equal(symlink("file", tmpdir_name(&t, "a/inside", name)), 0);
    an_bucket *b = open_at(&t, NULL);
    assert_list(b, "a/d\na/file\na/inside\na/l\n");
    static const char *const through[] = {"a/l", "a/d/secret", "a/inside"};
    for (size_t i = 0; i < 3; i++) {
        an_slice key = an_slice_str(through[i]);
        assert_int_equal(an_bucket_get(b, &ctx, key, 0, 1, &c, &err), AN_EDENIED);
        assert_non_null(strstr(err.msg, "symbolic link"));
        assert_int_equal(err.cause, AN_CAUSE_STORE_DENIED);
        assert_int_equal(an_bucket_stat(b, &ctx, key, &o, &err), AN_EDENIED);
    }
    assert_int_equal(put(b, "a/d/new", "x", 0, &err), AN_EDENIED);
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/d/secret"), &err), AN_EDENIED);
    assert_int_equal(an_upload_open(b, &ctx, AN_LIT("a/d/up"), AN_LIT("n"), &u, &err), AN_OK);
    assert_int_equal(an_upload_complete(u, &ctx, 0, &err), AN_EDENIED);
    an_upload_close(u);
    assert_int_equal(put(b, "a/l", "mine", 0, &err), AN_OK); /* replaces the link itself */
    assert_file(&t, "a/l", "mine");
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/d"), &err), AN_OK); /* the link itself */
    assert_file(&out, "secret", "s");
    assert_false(tmpdir_has(&out, "new"));
    assert_list(b, "a/file\na/inside\na/l\n");
    an_bucket_free(b);
    tmpdir_remove(&t);
    tmpdir_remove(&out);
}

static void a_link_in_the_place_of_our_own_folder_is_not_followed_either(void **state)
{
    (void)state;
    tmpdir out, t;
    char name[PATH_MAX];
    an_err err;

    tmpdir_make(&out);
    tmpdir_make(&t);
    assert_int_equal(symlink(out.path, tmpdir_name(&t, "anneal", name)), 0);
    an_bucket *b = open_at(&t, NULL);
    assert_int_equal(put(b, "k", "x", 0, &err), AN_EDENIED);
    an_bucket_free(b);
    assert_int_equal(rmdir(out.path), 0); /* nothing was made there */
    tmpdir_remove(&t);
}

static void pipes_are_no_objects_and_do_not_hang_a_read(void **state)
{
    (void)state;
    tmpdir t;
    char name[PATH_MAX];
    an_err err;
    an_object o;
    uint8_t c;

    tmpdir_make(&t);
    assert_int_equal(mkfifo(tmpdir_name(&t, "pipe", name), 0666), 0);
    tmpdir_write(&t, "file", "x", 1);
    an_bucket *b = open_at(&t, NULL);
    assert_list(b, "file\n");
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("pipe"), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("pipe"), &o, &err), AN_ENOTFOUND);
    an_bucket_free(b);
    tmpdir_remove(&t);
}

static void folders_are_no_objects_and_go_with_their_last_one(void **state)
{
    (void)state;
    tmpdir t;
    char name[PATH_MAX];
    an_err err;
    an_object o;
    uint8_t c;

    tmpdir_make(&t);
    assert_int_equal(mkdir(tmpdir_name(&t, "empty", name), 0777), 0);
    an_bucket *b = open_at(&t, NULL);
    assert_int_equal(put(b, "a/b/c/1", "x", 0, &err), AN_OK);
    assert_int_equal(put(b, "a/b/2", "x", 0, &err), AN_OK);
    assert_list(b, "a/b/2\na/b/c/1\n");
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("a/b"), &o, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("a/b"), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("a/b/2/3"), 0, 1, &c, &err), AN_ENOTFOUND);
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/b"), &err), AN_OK); /* no such object */
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/b/2/3"), &err), AN_OK);
    assert_list(b, "a/b/2\na/b/c/1\n");
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/b/c/1"), &err), AN_OK);
    assert_true(tmpdir_has(&t, "a/b") && !tmpdir_has(&t, "a/b/c"));
    assert_int_equal(put(b, "a/b", "x", 0, &err), AN_EINVALID);     /* a folder is there */
    assert_int_equal(put(b, "a/b/2/3", "x", 0, &err), AN_EINVALID); /* a file is there */
    assert_non_null(strstr(err.msg, "a file is in its place"));
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("a/b/2"), &err), AN_OK);
    assert_false(tmpdir_has(&t, "a"));
    assert_true(tmpdir_has(&t, "empty"));
    an_bucket_free(b);
    assert_false(tmpdir_has(&t, "anneal")); /* our own folder went too */
    tmpdir_remove(&t);
}

static void what_died_uploads_left_is_swept_once_it_is_old(void **state)
{
    (void)state;
    tmpdir t;
    char name[PATH_MAX];
    an_err err;
    uint64_t n;
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

    tmpdir_make(&t);
    tmpdir_write(&t, "anneal/tmp/dead", "x", 1);
    tmpdir_write(&t, "anneal/tmp/young", "x", 1);
    tmpdir_write(&t, "anneal/state/kept", "x", 1);
    assert_int_equal(utimensat(AT_FDCWD, tmpdir_name(&t, "anneal/tmp/dead", name), old, 0), 0);
    an_bucket *b = open_at(&t, NULL);
    assert_list(b, "anneal/state/kept\n");
    assert_int_equal(an_bucket_sweep(b, &ctx, 1000000, &n, &err), AN_OK);
    assert_int_equal(n, 0);
    assert_int_equal(an_bucket_sweep(b, &ctx, 1000001, &n, &err), AN_OK);
    assert_int_equal(n, 1);
    assert_false(tmpdir_has(&t, "anneal/tmp/dead"));
    assert_true(tmpdir_has(&t, "anneal/tmp/young"));
    an_bucket_free(b);
    assert_true(tmpdir_has(&t, "anneal/tmp/young"));
    tmpdir_remove(&t);
}

static void an_upload_whose_file_was_swept_is_a_retry(void **state)
{
    (void)state;
    tmpdir t;
    an_err err;
    uint64_t n;
    an_upload *u = NULL;

    tmpdir_make(&t);
    an_bucket *b = open_at(&t, NULL);
    assert_int_equal(an_upload_open(b, &ctx, AN_LIT("k"), AN_LIT("n"), &u, &err), AN_OK);
    assert_int_equal(an_upload_flush(u, &ctx, &err), AN_OK);
    assert_int_equal(an_bucket_sweep(b, &ctx, INT64_MAX, &n, &err), AN_OK);
    assert_int_equal(n, 1);
    assert_int_equal(an_upload_complete(u, &ctx, 0, &err), AN_ERETRY);
    an_upload_close(u);
    assert_list(b, "");
    an_bucket_free(b);
    tmpdir_remove(&t);
}

/* ---- crashes ---- */

typedef struct crash {
    uint64_t at, seen;
    bool dead;
} crash;

static an_rc step(void *arg, const char *name, an_slice key, an_err *err)
{
    crash *c = arg;

    if (c->seen++ == c->at) c->dead = true;
    if (!c->dead) return AN_OK;
    (void)AN_FAIL(err, AN_ERETRY, "stopped before %s %.*s", name, AN_PRI(key));
    return an_err_cause(err, AN_CAUSE_DISK_FULL);
}

static an_rc one_put(an_bucket *b, an_err *err)
{
    return put(b, "B/meta.json", "the new one", AN_PUT_DURABLE, err);
}

static an_rc one_conditional_put(an_bucket *b, an_err *err)
{
    return put(b, "B/chunks/deep/new", "the new one", AN_PUT_DURABLE | AN_PUT_IF_ABSENT, err);
}

static an_rc one_upload(an_bucket *b, an_err *err)
{
    an_rc rc = AN_OK;
    an_upload *u = NULL;

    AN_TRY(an_upload_open(b, &ctx, AN_LIT("B/meta.json"), AN_LIT("n"), &u, err));
    AN_TRY(an_upload_write(u, &ctx, AN_LIT("the new "), err));
    AN_TRY(an_upload_write(u, &ctx, AN_LIT("one"), err));
    AN_TRY(an_upload_flush(u, &ctx, err));
    AN_TRY(an_upload_complete(u, &ctx, AN_PUT_DURABLE, err));
out:
    an_upload_close(u);
    return rc;
}

static an_rc one_delete(an_bucket *b, an_err *err)
{
    return an_bucket_del(b, &ctx, AN_LIT("B/chunks/000001"), err);
}

static void at_every_step_a_crash_leaves_the_old_or_the_new_object(void **state)
{
    (void)state;
    static const struct {
        an_rc (*run)(an_bucket *b, an_err *err);
        const char *before, *after;
    } ops[] = {
        {one_put, "B/chunks/000001\nB/meta.json\n", "B/chunks/000001\nB/meta.json\n"},
        {one_conditional_put, "B/chunks/000001\nB/meta.json\n",
         "B/chunks/000001\nB/chunks/deep/new\nB/meta.json\n"},
        {one_upload, "B/chunks/000001\nB/meta.json\n", "B/chunks/000001\nB/meta.json\n"},
        {one_delete, "B/chunks/000001\nB/meta.json\n", "B/meta.json\n"},
    };
    uint64_t stops = 0;

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        bool done = false;
        for (uint64_t at = 0; !done; at++) {
            tmpdir t;
            crash c = {.at = at};
            an_err err;
            an_rc rc;
            char got[4096];
            uint64_t n;

            tmpdir_make(&t);
            tmpdir_write(&t, "B/meta.json", "old", 3);
            tmpdir_write(&t, "B/chunks/000001", "c", 1);
            an_bucket *b = open_at(&t, &(an_fs_opts){.step = step, .step_arg = &c});
            rc = ops[i].run(b, &err);
            done = !c.dead;
            assert_int_equal(rc, done ? AN_OK : AN_ERETRY);
            an_bucket_free(b); /* the process is gone */

            b = open_at(&t, NULL);
            const char *now = list(b, "", got, &rc, &err);
            assert_int_equal(rc, AN_OK);
            assert_true(strcmp(now, ops[i].before) == 0 || strcmp(now, ops[i].after) == 0);
            an_object o;
            assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("B/meta.json"), &o, &err), AN_OK);
            assert_true(o.size == 3 || o.size == strlen("the new one"));
            assert_file(&t, "B/meta.json", o.size == 3 ? "old" : "the new one");
            /* and then it is run again */
            rc = ops[i].run(b, &err);
            assert_true(rc == AN_OK || rc == AN_EEXISTS);
            assert_list(b, ops[i].after);
            assert_int_equal(an_bucket_sweep(b, &ctx, INT64_MAX, &n, &err), AN_OK);
            an_bucket_free(b);
            assert_false(tmpdir_has(&t, "anneal"));
            tmpdir_remove(&t);
            stops++;
        }
    }
    print_message("stopped at %llu steps\n", (unsigned long long)stops - 4);
    assert_true(stops - 4 >= 25);
}

static void a_failed_write_ends_the_upload_for_good(void **state)
{
    (void)state;
    tmpdir t;
    crash c = {.at = 3}; /* mkdir, mkdir, create, write */
    an_err err;
    an_upload *u = NULL;
    uint8_t *big = calloc(1, 100000);

    tmpdir_make(&t);
    an_bucket *b = open_at(&t, &(an_fs_opts){.step = step, .step_arg = &c});
    assert_int_equal(an_upload_open(b, &ctx, AN_LIT("k"), AN_LIT("n"), &u, &err), AN_OK);
    assert_int_equal(an_upload_write(u, &ctx, an_slice_of(big, 100000), &err), AN_ERETRY);
    assert_int_equal(err.cause, AN_CAUSE_DISK_FULL);
    c = (crash){.at = UINT64_MAX}; /* there is room again, but bytes are missing */
    assert_int_equal(an_upload_write(u, &ctx, an_slice_of(big, 100000), &err), AN_EINVALID);
    assert_int_equal(an_upload_complete(u, &ctx, 0, &err), AN_EINVALID);
    an_upload_close(u);
    assert_list(b, "");
    an_bucket_free(b);
    assert_false(tmpdir_has(&t, "anneal"));
    tmpdir_remove(&t);
    free(big);
}

static void a_conditional_create_works_on_poorer_file_systems(void **state)
{
    (void)state;
    static const unsigned without[] = {AN_FS_WITHOUT_RENAME_NOREPLACE,
                                       AN_FS_WITHOUT_RENAME_NOREPLACE | AN_FS_WITHOUT_LINK};

    for (size_t i = 0; i < 2; i++) {
        tmpdir t;
        an_err err;

        tmpdir_make(&t);
        an_bucket *b = open_at(&t, &(an_fs_opts){.without = without[i]});
        assert_int_equal(put(b, "a/k", "1", AN_PUT_IF_ABSENT, &err), AN_OK);
        assert_int_equal(put(b, "a/k", "2", AN_PUT_IF_ABSENT, &err), AN_EEXISTS);
        assert_file(&t, "a/k", "1");
        an_bucket_free(b);
        assert_false(tmpdir_has(&t, "anneal")); /* the first name is gone */
        tmpdir_remove(&t);
    }
}

/* ---- descriptors ---- */

static void few_files_stay_open_and_replaced_ones_are_noticed(void **state)
{
    (void)state;
    tmpdir t;
    an_err err;
    an_object o;
    uint8_t c = 0;
    char key[16];

    tmpdir_make(&t);
    for (int i = 0; i < 50; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        tmpdir_write(&t, key, "x", 1);
    }
    unsigned before = open_descriptors();
    an_bucket *b = open_at(&t, &(an_fs_opts){.max_open = 7});
    an_bucket *other = open_at(&t, NULL);
    for (int i = 0; i < 200; i++) {
        (void)snprintf(key, sizeof key, "k%d", i % 50);
        assert_int_equal(an_bucket_get(b, &ctx, an_slice_str(key), 0, 1, &c, &err), AN_OK);
    }
    assert_int_equal(open_descriptors(), before + 2 + 7);

    assert_int_equal(put(other, "k49", "y", 0, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k49"), 0, 1, &c, &err), AN_OK);
    assert_int_equal(c, 'x'); /* as long as nobody looked */
    assert_int_equal(an_bucket_stat(b, &ctx, AN_LIT("k49"), &o, &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k49"), 0, 1, &c, &err), AN_OK);
    assert_int_equal(c, 'y');
    assert_int_equal(put(other, "k49", "z", 0, &err), AN_OK);
    char got[4096];
    an_rc rc;
    (void)list(b, "", got, &rc, &err);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k49"), 0, 1, &c, &err), AN_OK);
    assert_int_equal(c, 'z');
    assert_int_equal(put(b, "k49", "0", 0, &err), AN_OK); /* our own changes at once */
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k49"), 0, 1, &c, &err), AN_OK);
    assert_int_equal(c, '0');
    assert_int_equal(an_bucket_del(b, &ctx, AN_LIT("k49"), &err), AN_OK);
    assert_int_equal(an_bucket_get(b, &ctx, AN_LIT("k49"), 0, 1, &c, &err), AN_ENOTFOUND);
    an_bucket_free(b);
    an_bucket_free(other);
    assert_int_equal(open_descriptors(), before);
    tmpdir_remove(&t);
}

static void an_upload_holds_no_descriptor_once_it_is_flushed(void **state)
{
    (void)state;
    tmpdir t;
    an_err err;
    an_upload *u[20];
    char key[16];

    tmpdir_make(&t);
    an_bucket *b = open_at(&t, NULL);
    unsigned before = open_descriptors();
    for (size_t i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "k%zu", i);
        assert_int_equal(an_upload_open(b, &ctx, an_slice_str(key), AN_LIT("n"), &u[i], &err),
                         AN_OK);
        assert_int_equal(an_upload_flush(u[i], &ctx, &err), AN_OK);
        assert_int_equal(an_upload_write(u[i], &ctx, AN_LIT("x"), &err), AN_EINVALID);
    }
    assert_int_equal(open_descriptors(), before);
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(an_upload_complete(u[i], &ctx, 0, &err), AN_OK);
        an_upload_close(u[i]);
    }
    an_bucket_free(b);
    tmpdir_remove(&t);
}

typedef struct crowd {
    an_bucket *b;
    atomic_uint wrong;
} crowd;

static void *reader(void *arg)
{
    crowd *c = arg;
    an_err err;
    char key[16], got[8];

    for (unsigned i = 0; i < 3000; i++) {
        (void)snprintf(key, sizeof key, "k%u", i * 7 % 6);
        an_rc rc = an_bucket_get(c->b, &ctx, an_slice_str(key), 0, 8, (uint8_t *)got, &err);
        /* k5 comes and goes; the others are always one of two texts */
        bool ok = rc == AN_OK ? memcmp(got, "aaaaaaaa", 8) == 0 || memcmp(got, "bbbbbbbb", 8) == 0
                              : rc == AN_ENOTFOUND && strcmp(key, "k5") == 0;
        if (!ok) atomic_fetch_add(&c->wrong, 1);
    }
    return NULL;
}

static void *writer(void *arg)
{
    crowd *c = arg;
    an_err err;
    char key[16], list_out[4096];
    an_rc rc = AN_OK;

    for (unsigned i = 0; i < 400 && rc == AN_OK; i++) {
        (void)snprintf(key, sizeof key, "k%u", i % 6);
        rc = put(c->b, key, i % 12 < 6 ? "bbbbbbbb" : "aaaaaaaa", 0, &err);
        if (rc == AN_OK && i % 12 == 5) rc = an_bucket_del(c->b, &ctx, AN_LIT("k5"), &err);
        if (rc == AN_OK && i % 40 == 0) (void)list(c->b, "", list_out, &rc, &err);
    }
    if (rc != AN_OK) atomic_fetch_add(&c->wrong, 1);
    return NULL;
}

static void threads_read_whole_objects_while_others_replace_them(void **state)
{
    (void)state;
    tmpdir t;
    crowd c = {0};
    pthread_t th[5];
    char key[16];

    tmpdir_make(&t);
    for (unsigned i = 0; i < 6; i++) {
        (void)snprintf(key, sizeof key, "k%u", i);
        tmpdir_write(&t, key, "aaaaaaaa", 8);
    }
    c.b = open_at(&t, &(an_fs_opts){.max_open = 3});
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&th[i], NULL, i < 3 ? reader : writer, &c), 0);
    for (size_t i = 0; i < 5; i++) assert_int_equal(pthread_join(th[i], NULL), 0);
    assert_int_equal(atomic_load(&c.wrong), 0);
    an_bucket_free(c.b);
    tmpdir_remove(&t);
}

static void *come_and_go(void *arg)
{
    crowd *c = arg;
    an_err err;
    char key[32];
    unsigned mine = atomic_fetch_add(&c->wrong, 0x10000) >> 16;

    (void)snprintf(key, sizeof key, "d/e/%u", mine);
    for (unsigned i = 0; i < 1500; i++) {
        an_rc rc = put(c->b, key, "x",
                       i % 3 == 0   ? AN_PUT_DURABLE
                       : i % 3 == 1 ? AN_PUT_IF_ABSENT
                                    : 0,
                       &err);
        if (rc == AN_OK) rc = an_bucket_del(c->b, &ctx, an_slice_str(key), &err);
        if (rc != AN_OK) {
            print_message("%s: %s\n", an_rc_name(rc), err.msg);
            atomic_fetch_add(&c->wrong, 1);
        }
    }
    return NULL;
}

static void folders_that_come_and_go_disturb_nobody(void **state)
{
    (void)state;
    tmpdir t;
    crowd c = {0};
    pthread_t th[3];

    tmpdir_make(&t);
    c.b = open_at(&t, NULL);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&th[i], NULL, come_and_go, &c), 0);
    for (size_t i = 0; i < 3; i++) assert_int_equal(pthread_join(th[i], NULL), 0);
    assert_int_equal(atomic_load(&c.wrong) & 0xffff, 0);
    assert_list(c.b, "");
    an_bucket_free(c.b);
    assert_int_equal(rmdir(t.path), 0); /* nothing at all is left */
}

/* ---- limits and permissions, in a process of their own ---- */

/* Runs fn in a child, as nobody when we are root (root ignores modes). Its result is the line at
 * which it was unhappy, 0 if it was not. */
static int in_child(int (*fn)(const tmpdir *t), const tmpdir *t, bool as_nobody)
{
    int status = 0;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (pid == 0) {
        int line = __LINE__;
        if (!as_nobody || geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0))
            line = fn(t);
        if (line != 0) (void)fprintf(stderr, "child: line %d\n", line);
        _exit(line == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

#define WANT(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) return __LINE__;                                                              \
    } while (0)

static int denied(const tmpdir *t)
{
    an_bucket *b = NULL;
    an_err err;
    an_rc rc;
    an_object o;
    uint8_t c;
    char got[4096], name[PATH_MAX];

    WANT(an_fs_open(t->path, NULL, &b, &err) == AN_OK);
    WANT(strcmp(list(b, "", got, &rc, &err), "A/x\n") == 0);
    WANT(rc == AN_EDENIED && err.cause == AN_CAUSE_STORE_DENIED && strcmp(err.object, "B/") == 0);
    WANT(strstr(err.msg, tmpdir_name(t, "B", name)) != NULL);
    WANT(strcmp(list(b, "B0", got, &rc, &err), "C/secret\nC/x\nD/x\n") == 0 && rc == AN_OK);
    WANT(an_bucket_get(b, &ctx, AN_LIT("C/secret"), 0, 1, &c, &err) == AN_EDENIED);
    WANT(err.cause == AN_CAUSE_STORE_DENIED && strcmp(err.object, "C/secret") == 0);
    WANT(an_bucket_stat(b, &ctx, AN_LIT("B/x"), &o, &err) == AN_EDENIED); /* never "not found" */
    WANT(an_bucket_get(b, &ctx, AN_LIT("B/x"), 0, 1, &c, &err) == AN_EDENIED);
    WANT(an_bucket_del(b, &ctx, AN_LIT("D/x"), &err) == AN_EDENIED);
    WANT(err.cause == AN_CAUSE_DELETE_DENIED);
    WANT(put(b, "D/y", "x", 0, &err) == AN_EDENIED && err.cause == AN_CAUSE_STORE_DENIED);
    WANT(put(b, "E/y", "x", 0, &err) == AN_EDENIED);
    an_bucket_free(b);
    return 0;
}

static void what_may_not_be_read_or_written_is_denied_and_never_missing(void **state)
{
    (void)state;
    tmpdir t;
    char name[PATH_MAX];

    tmpdir_make(&t);
    static const char *const files[] = {"A/x", "B/x", "C/secret", "C/x", "D/x", "anneal/tmp/y"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) tmpdir_write(&t, files[i], "x", 1);
    assert_int_equal(chmod(tmpdir_name(&t, "B", name), 0), 0);
    assert_int_equal(chmod(tmpdir_name(&t, "C/secret", name), 0), 0);
    assert_int_equal(chmod(tmpdir_name(&t, "D", name), 0555), 0);
    assert_int_equal(chmod(t.path, 0555), 0);
    assert_int_equal(chmod(tmpdir_name(&t, "anneal/tmp", name), 0777), 0);
    assert_int_equal(in_child(denied, &t, true), 0);
    tmpdir_remove(&t);
}

static int without_descriptors(const tmpdir *t)
{
    an_bucket *b = NULL;
    an_err err;
    uint8_t c;
    struct rlimit lim;

    WANT(an_fs_open(t->path, NULL, &b, &err) == AN_OK);
    WANT(an_bucket_get(b, &ctx, AN_LIT("A/x"), 0, 1, &c, &err) == AN_OK);
    int one = dup(0), two = dup(0);
    WANT(one > 0 && two > one && close(one) == 0 && close(two) == 0);
    WANT(getrlimit(RLIMIT_NOFILE, &lim) == 0);
    lim.rlim_cur = (rlim_t)two; /* one free, and one that the bucket keeps */
    WANT(setrlimit(RLIMIT_NOFILE, &lim) == 0);
    WANT(an_bucket_get(b, &ctx, AN_LIT("B/x"), 0, 1, &c, &err) == AN_OK); /* gives up its own */
    int held = dup(0), held2 = dup(0);
    WANT(held > 0 && held2 < 0);
    WANT(an_bucket_get(b, &ctx, AN_LIT("C/x"), 0, 1, &c, &err) == AN_ERETRY);
    WANT(err.cause == AN_CAUSE_FD_MAP_LIMIT && strstr(err.msg, "(limit ") != NULL);
    WANT(put(b, "k", "x", 0, &err) == AN_ERETRY && err.cause == AN_CAUSE_FD_MAP_LIMIT);
    char got[4096];
    an_rc rc;
    (void)list(b, "", got, &rc, &err);
    WANT(rc == AN_ERETRY && err.cause == AN_CAUSE_FD_MAP_LIMIT && err.object[0] == '\0');
    an_bucket_free(b);
    return 0;
}

static void without_descriptors_it_is_a_retry_that_names_the_limit(void **state)
{
    (void)state;
    tmpdir t;

    tmpdir_make(&t);
    tmpdir_write(&t, "A/x", "x", 1);
    tmpdir_write(&t, "B/x", "x", 1);
    tmpdir_write(&t, "C/x", "x", 1);
    assert_int_equal(in_child(without_descriptors, &t, false), 0);
    tmpdir_remove(&t);
}

static int over_the_size_limit(const tmpdir *t)
{
    an_bucket *b = NULL;
    an_err err;
    an_upload *u = NULL;
    struct rlimit lim = {.rlim_cur = 150000, .rlim_max = RLIM_INFINITY};
    uint8_t *big = calloc(1, 200000);

    WANT(big != NULL && getrlimit(RLIMIT_FSIZE, &lim) == 0);
    lim.rlim_cur = 150000;
    (void)signal(SIGXFSZ, SIG_IGN);
    WANT(setrlimit(RLIMIT_FSIZE, &lim) == 0);
    WANT(an_fs_open(t->path, NULL, &b, &err) == AN_OK);
    WANT(an_upload_open(b, &ctx, AN_LIT("a/k"), AN_LIT("n"), &u, &err) == AN_OK);
    WANT(an_upload_write(u, &ctx, an_slice_of(big, 200000), &err) == AN_ERETRY);
    WANT(err.cause == AN_CAUSE_DISK_FULL);
    an_upload_close(u);
    WANT(an_bucket_put(b, &ctx, AN_LIT("a/k"), an_slice_of(big, 200000), 0, &err) == AN_ERETRY);
    an_bucket_free(b);
    free(big);
    return 0;
}

static void no_room_is_a_retry_and_leaves_nothing(void **state)
{
    (void)state;
    tmpdir t;

    tmpdir_make(&t);
    assert_int_equal(in_child(over_the_size_limit, &t, false), 0);
    assert_false(tmpdir_has(&t, "anneal"));
    assert_false(tmpdir_has(&t, "a"));
    tmpdir_remove(&t);
}

static void folders_nested_too_deep_stop_at_their_subtree(void **state)
{
    (void)state;
    tmpdir t;
    char key[600] = "B", got[4096];
    an_err err;
    an_rc rc;

    tmpdir_make(&t);
    tmpdir_write(&t, "A", "x", 1);
    for (size_t i = 0; i < 70; i++) (void)snprintf(key + 1 + 2 * i, sizeof key - 1 - 2 * i, "/d");
    (void)snprintf(key + 141, sizeof key - 141, "/x");
    tmpdir_write(&t, key, "x", 1);
    tmpdir_write(&t, "C", "x", 1);
    an_bucket *b = open_at(&t, NULL);
    assert_string_equal(list(b, "", got, &rc, &err), "A\n");
    assert_int_equal(rc, AN_ELIMIT);
    assert_memory_equal(err.object, "B/d/", 4);
    assert_string_equal(list(b, "B0", got, &rc, &err), "C\n");
    assert_int_equal(rc, AN_OK);
    an_bucket_free(b);
    tmpdir_remove(&t);
}

static void a_bucket_removed_under_us_is_not_an_empty_one(void **state)
{
    (void)state;
    tmpdir t;
    char got[4096];
    an_err err;
    an_rc rc;

    tmpdir_make(&t);
    an_bucket *b = open_at(&t, NULL);
    assert_int_equal(rmdir(t.path), 0);
    (void)list(b, "", got, &rc, &err);
    assert_int_equal(rc, AN_ERETRY);
    assert_int_equal(err.cause, AN_CAUSE_STORE_CONFIG);
    an_bucket_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_missing_folder_or_a_file_in_its_place_is_refused_by_name),
        cmocka_unit_test(the_name_is_the_absolute_folder_as_go_cleans_it),
        cmocka_unit_test(links_are_listed_but_never_followed),
        cmocka_unit_test(a_link_in_the_place_of_our_own_folder_is_not_followed_either),
        cmocka_unit_test(pipes_are_no_objects_and_do_not_hang_a_read),
        cmocka_unit_test(folders_are_no_objects_and_go_with_their_last_one),
        cmocka_unit_test(what_died_uploads_left_is_swept_once_it_is_old),
        cmocka_unit_test(an_upload_whose_file_was_swept_is_a_retry),
        cmocka_unit_test(at_every_step_a_crash_leaves_the_old_or_the_new_object),
        cmocka_unit_test(a_failed_write_ends_the_upload_for_good),
        cmocka_unit_test(a_conditional_create_works_on_poorer_file_systems),
        cmocka_unit_test(few_files_stay_open_and_replaced_ones_are_noticed),
        cmocka_unit_test(an_upload_holds_no_descriptor_once_it_is_flushed),
        cmocka_unit_test(threads_read_whole_objects_while_others_replace_them),
        cmocka_unit_test(folders_that_come_and_go_disturb_nobody),
        cmocka_unit_test(what_may_not_be_read_or_written_is_denied_and_never_missing),
        cmocka_unit_test(without_descriptors_it_is_a_retry_that_names_the_limit),
        cmocka_unit_test(no_room_is_a_retry_and_leaves_nothing),
        cmocka_unit_test(folders_nested_too_deep_stop_at_their_subtree),
        cmocka_unit_test(a_bucket_removed_under_us_is_not_an_empty_one),
    };
    an_ctx_init(&ctx, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
