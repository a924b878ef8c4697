// SPDX-License-Identifier: Apache-2.0
/* What is left when the work stops in the middle. Every bucket operation and every step of the file
 * system below it is numbered; at each number the process dies, or that step fails, on a fresh copy
 * of the bucket. Then: no source lost or changed, nothing half published, nothing marked too early;
 * and a second run makes the bucket that an undisturbed one makes, ULIDs included. With
 * AN_CRASH_LOG set, the log of what failed is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "crash/sandbox.h"
#include "crash/snapshot.h"
#include "crash/work_job.h"
#include "crash/work_loop.h"
#include "support/tmpdir.h"
#include "unit/golden.h"

#define HOURS(n) ((n) * INT64_C(3600000)) /* ms */
#define HOUR_NS INT64_C(3600000000000)

typedef struct scenario {
    const char *name, *golden; /* case of the set */
    sandbox_work work;
    union {
        work_job job;
        work_loop loop;
    };
} scenario;

typedef struct stage { /* a scenario made ready */
    const scenario *s;
    tmpdir dir;
    int64_t now_ns;
    snapshot src, want;
    lineage lineage;
    uint64_t n_steps, n_ops, n_takes;
    size_t runs;
} stage;

/* ---- runs ---- */

static void bucket_path(const stage *t, char out[PATH_MAX])
{
    (void)tmpdir_name(&t->dir, "bucket", out);
}

static void fresh(stage *t, const snapshot *of)
{
    char path[PATH_MAX];

    tmpdir_remove(&t->dir);
    tmpdir_make(&t->dir);
    bucket_path(t, path);
    struct timespec hour_ago = {(time_t)((t->now_ns - HOUR_NS) / 1000000000), 0};
    snapshot_put(of, path, &hour_ago);
    assert_int_equal(mkdir(tmpdir_name(&t->dir, "data", path), 0777), 0);
}

static sandbox_run *start(stage *t, const disturb *d, int64_t later_ns)
{
    t->runs++;
    return sandbox_start(t->dir.path, t->s->work, &t->s->job, t->now_ns + later_ns, d);
}

static void look(const stage *t, snapshot *out)
{
    char path[PATH_MAX];

    bucket_path(t, path);
    snapshot_take(path, out);
}

static void fail_with(const stage *t, const disturb *d, const sandbox_result *r, const char *text)
{
    if (getenv("AN_CRASH_LOG") != NULL) (void)fprintf(stderr, "%s\n", r->log);
    fail_msg("%s, disturbed at %llu of %llu (%s; %s): %s", t->s->name, (unsigned long long)d->at,
             (unsigned long long)t->n_steps, r->at, r->msg, text);
}

/* Runs to the end, undisturbed. */
static void finish(stage *t, int64_t later_ns, const disturb *after, const sandbox_result *of)
{
    static const disturb none = {.how = UNDISTURBED};
    sandbox_run *run = start(t, &none, later_ns);
    sandbox_result *r = sandbox_wait(run);

    if (r->rc != AN_OK) {
        if (getenv("AN_CRASH_LOG") != NULL)
            (void)fprintf(stderr, "%s\nthe next run:\n%s\n", of != NULL ? of->log : "", r->log);
        fail_msg("%s: the run after one that was disturbed at %llu (%s) ended with %s: %s",
                 t->s->name, (unsigned long long)(after != NULL ? after->at : 0),
                 of != NULL ? of->at : "", an_rc_name(r->rc), r->msg);
    }
    sandbox_done(run);
}

static void check_moment(stage *t, const disturb *d, const sandbox_result *r)
{
    snapshot got;

    look(t, &got);
    const char *wrong = snapshot_at_any_moment(&t->src, &t->want, &t->lineage, &got);
    if (wrong != NULL) fail_with(t, d, r, wrong);
    snapshot_free(&got);
}

static void check_end(stage *t, const disturb *d, const sandbox_result *r)
{
    snapshot got;

    look(t, &got);
    const char *wrong = snapshot_at_the_end(&t->want, &got);
    if (wrong != NULL) fail_with(t, d, r, wrong);
    snapshot_free(&got);
}

/* ---- what the undisturbed run does ---- */

/* Each recorded result is there, byte for byte. */
static void check_golden(const stage *t)
{
    char out[PATH_MAX];
    size_t n_out = 0, found = 0;

    for (;; n_out++) {
        snapshot block;
        struct stat st;
        int n = snprintf(out, sizeof out, "%s/compact/%s/out/%zu", getenv("AN_GOLDEN"),
                         t->s->golden, n_out + 1);
        assert_true(n < PATH_MAX);
        if (stat(out, &st) != 0) break;
        snapshot_take(out, &block);
        const snap_file *index = snapshot_find(&block, "index");
        for (size_t i = 0; i < t->want.n; i++) {
            const snap_file *f = &t->want.v[i];
            size_t same = 0;
            if (strlen(f->key) != 32 || strcmp(f->key + 26, "/index") != 0) continue;
            if (f->n != index->n || memcmp(f->p, index->p, f->n) != 0) continue;
            for (size_t k = 0; k < block.n; k++) {
                char key[PATH_MAX];
                (void)snprintf(key, sizeof key, "%.26s/%s", f->key, block.v[k].key);
                const snap_file *g = snapshot_find(&t->want, key);
                if (strcmp(block.v[k].key, "meta.json") == 0 ||
                    (g != NULL && g->n == block.v[k].n && memcmp(g->p, block.v[k].p, g->n) == 0))
                    same++;
            }
            found += same == block.n;
        }
        snapshot_free(&block);
    }
    if (n_out == 0 || found != n_out)
        fail_msg("%s: %zu of %zu recorded results", t->s->name, found, n_out);
}

/* The step "fs <name> <key>" between two numbers; SIZE_MAX: there is none. */
static size_t step_between(const sandbox_result *r, size_t from, size_t to, const char *name,
                           const char *key)
{
    char what[SANDBOX_STEP];

    (void)snprintf(what, sizeof what, "fs %s %s", name, key);
    for (size_t i = from; i < to; i++) {
        if (strcmp(r->trace[i], what) == 0) return i;
    }
    return SIZE_MAX;
}

static size_t became_visible(const sandbox_result *r, size_t to, const char *key)
{
    size_t a = step_between(r, 0, to, "rename", key), b = step_between(r, 0, to, "link", key);
    return a < b ? a : b;
}

/* On stable storage before step `to`: written, fsync, renamed, fsync of its folders. */
static void check_durable(const stage *t, const sandbox_result *r, size_t to, const char *key)
{
    size_t renamed = became_visible(r, to, key);

    if (renamed == SIZE_MAX || step_between(r, 0, renamed, "fsync", key) == SIZE_MAX ||
        step_between(r, renamed, to, "fsync-dir", key) == SIZE_MAX)
        fail_msg("%s: %s is not on stable storage before step %zu: %s", t->s->name, key, to,
                 r->trace[to]);
}

/* What a crash of the machine keeps is what was synced: data before meta.json, meta.json before the
 * marks of the sources. */
static void check_order(const stage *t, const sandbox_result *r)
{
    size_t n = (size_t)r->n_steps, checked = 0;

    assert_true(n < SANDBOX_TRACE);
    for (size_t i = 0; i < t->want.n; i++) {
        const char *key = t->want.v[i].key;
        if (snapshot_find(&t->src, key) != NULL || strlen(key) < 27 || key[26] != '/') continue;
        if (strcmp(key + 26, "/meta.json") == 0) {
            size_t at = became_visible(r, n, key);
            assert_true(at != SIZE_MAX);
            for (size_t k = 0; k < t->want.n; k++) {
                const char *part = t->want.v[k].key;
                if (strncmp(part, key, 27) != 0 || strcmp(part, key) == 0 ||
                    strstr(part, "-mark.json") != NULL)
                    continue;
                check_durable(t, r, at, part);
                checked++;
            }
        }
        if (strcmp(key + 26, "/deletion-mark.json") != 0) continue;
        size_t at = became_visible(r, n, key);
        assert_true(at != SIZE_MAX);
        for (size_t k = 0; k < t->lineage.n; k++) {
            char meta[64];
            if (strncmp(key, t->lineage.v[k].parent, 26) != 0) continue;
            (void)snprintf(meta, sizeof meta, "%s/meta.json", t->lineage.v[k].result);
            check_durable(t, r, at, meta);
            checked++;
        }
    }
    assert_true(checked > 0);
}

static void open_stage(stage *t, const scenario *s)
{
    char in[PATH_MAX];
    struct timespec ts;
    disturb none = {.how = UNDISTURBED};

    *t = (stage){.s = s};
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &ts), 0);
    t->now_ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    assert_true(snprintf(in, sizeof in, "%s/compact/%s/in", getenv("AN_GOLDEN"), s->golden) <
                PATH_MAX);
    snapshot_take(in, &t->src);
    tmpdir_make(&t->dir);
    fresh(t, &t->src);
    sandbox_run *run = start(t, &none, 0);
    sandbox_result *r = sandbox_wait(run);
    if (r->rc != AN_OK) fail_msg("%s: %s\n%s", s->name, r->msg, r->log);
    t->n_steps = r->n_steps;
    t->n_ops = r->n_ops;
    t->n_takes = r->n_takes;
    look(t, &t->want);
    lineage_read(&t->src, &t->want, &t->lineage);
    check_order(t, r);
    sandbox_done(run);
    assert_int_equal(t->want.unfinished, 0);

    finish(t, 0, NULL, NULL); /* nothing is left to do */
    check_end(t, &none, r);
}

static void close_stage(stage *t)
{
    tmpdir_remove(&t->dir);
    snapshot_free(&t->src);
    snapshot_free(&t->want);
    lineage_free(&t->lineage);
}

/* ---- tests ---- */

static void a_death_at_any_step_loses_nothing_and_the_next_run_finishes(void **state)
{
    stage t;

    open_stage(&t, *state);
    for (uint64_t n = 0; n < t.n_steps; n++) {
        disturb d = {.how = DIE, .at = n};
        fresh(&t, &t.src);
        sandbox_run *run = start(&t, &d, 0);
        sandbox_result *r = sandbox_wait(run);
        if (!r->died) fail_with(&t, &d, r, "did not come to this step");
        check_moment(&t, &d, r);
        finish(&t, 0, &d, r);
        check_end(&t, &d, r);
        sandbox_done(run);
    }
    print_message("%s: %llu kill points: %llu bucket operations, %llu steps of the file system; "
                  "%zu runs\n",
                  t.s->name, (unsigned long long)t.n_steps, (unsigned long long)t.n_ops,
                  (unsigned long long)(t.n_steps - t.n_ops), t.runs);
    close_stage(&t);
}

static const disturb failures[] = {
    {.how = FAIL, .rc = AN_ERETRY, .cause = AN_CAUSE_DISK_FULL},
    {.how = FAIL, .rc = AN_EDENIED, .cause = AN_CAUSE_STORE_DENIED},
    {.how = FAIL, .rc = AN_EIO},
};

/* Steps that only tidy up: when one fails, something empty or unfinished stays until it is swept.
 */
static bool tidies_up(const char *what)
{
    return strncmp(what, "fs rmdir ", 9) == 0 || strncmp(what, "op sweep ", 9) == 0 ||
           strncmp(what, "fs unlink anneal/tmp/", 21) == 0;
}

/* What could not be read may be readable the next time it is looked at in the same run. */
static bool reads(const char *what)
{
    return strncmp(what, "op list ", 8) == 0 || strncmp(what, "op get ", 7) == 0 ||
           strncmp(what, "op stat ", 8) == 0;
}

/* One failure, then a run without. */
static void fail_once(stage *t, const disturb *d, size_t *survived)
{
    fresh(t, &t->src);
    sandbox_run *run = start(t, d, 0);
    sandbox_result *r = sandbox_wait(run);
    if (r->at[0] == '\0') fail_with(t, d, r, "did not come to this step");
    check_moment(t, d, r);
    if (r->rc == AN_EHALT) fail_with(t, d, r, "isolated");
    if (r->rc == AN_OK) {
        if (!tidies_up(r->at) && !reads(r->at) && d->how != NO_MEMORY)
            fail_with(t, d, r, "the failure was not reported");
        check_end(t, d, r);
        (*survived)++;
    } else {
        snapshot got;
        look(t, &got);
        if (got.unfinished > 0 && !tidies_up(r->at))
            fail_with(t, d, r, "unfinished files stay behind");
        snapshot_free(&got);
    }
    finish(t, 0, d, r);
    check_end(t, d, r);
    sandbox_done(run);
}

static void a_failure_of_any_step_is_reported_and_the_next_run_finishes(void **state)
{
    stage t;
    size_t survived = 0;

    open_stage(&t, *state);
    for (uint64_t n = 0; n < t.n_steps; n++) {
        disturb d = failures[n % (sizeof failures / sizeof failures[0])];
        d.at = n;
        fail_once(&t, &d, &survived);
    }
    print_message("%s: %llu steps failed, %zu of them without consequence\n", t.s->name,
                  (unsigned long long)t.n_steps, survived);
    close_stage(&t);
}

static void an_answer_lost_is_no_damage(void **state)
{
    stage t;
    size_t survived = 0;

    open_stage(&t, *state);
    for (uint64_t n = 0; n < t.n_ops; n++) {
        disturb d = {.how = LOSE, .at = n, .rc = AN_ERETRY};
        fail_once(&t, &d, &survived);
    }
    print_message("%s: %llu answers lost\n", t.s->name, (unsigned long long)t.n_ops);
    close_stage(&t);
}

static void memory_refused_at_any_moment_is_an_error_or_spills(void **state)
{
    enum { MOST = 150 };
    stage t;
    size_t survived = 0, n = 0;

    open_stage(&t, *state);
    if (t.n_takes == 0) { /* link time optimization binds the calls before they can be wrapped */
        close_stage(&t);
        skip();
    }
    uint64_t step = t.n_takes / MOST + 1;
    for (uint64_t at = 0; at < t.n_takes; at += step, n++) {
        disturb d = {.how = NO_MEMORY, .at = at};
        fail_once(&t, &d, &survived);
    }
    print_message("%s: %zu of %llu takes refused, %zu without consequence\n", t.s->name, n,
                  (unsigned long long)t.n_takes, survived);
    close_stage(&t);
}

static void two_processes_at_once_make_the_same_bucket(void **state)
{
    enum { ROUNDS = 20 };
    stage t;
    size_t failed = 0;

    open_stage(&t, *state);
    for (uint64_t i = 0; i < ROUNDS; i++) {
        disturb d[2] = {{.how = SHUFFLE, .at = 2 * i + 1}, {.how = SHUFFLE, .at = 2 * i + 2}};
        sandbox_run *run[2];
        sandbox_result *r[2];
        fresh(&t, &t.src);
        for (size_t k = 0; k < 2; k++) run[k] = start(&t, &d[k], 0);
        for (size_t k = 0; k < 2; k++) {
            r[k] = sandbox_wait(run[k]);
            /* The other one may have been in the way, but nothing was wrong with the data. */
            if (r[k]->rc != AN_OK && r[k]->rc != AN_ERETRY)
                fail_with(&t, &d[k], r[k], an_rc_name(r[k]->rc));
            failed += r[k]->rc != AN_OK;
        }
        check_moment(&t, &d[0], r[0]);
        finish(&t, 0, &d[0], r[0]);
        check_end(&t, &d[0], r[0]);
        for (size_t k = 0; k < 2; k++) sandbox_done(run[k]);
    }
    print_message("%s: %d rounds of two processes, %zu of %d runs to be repeated\n", t.s->name,
                  ROUNDS, failed, 2 * ROUNDS);
    close_stage(&t);
}

static void a_recorded_result_is_made(void **state)
{
    stage t;

    open_stage(&t, *state);
    check_golden(&t);
    close_stage(&t);
}

/* The blocks of the first plan. */
static void plan_of(const char *golden, work_job *w)
{
    char name[256];

    (void)snprintf(name, sizeof name, "compact/%s/expect.json", golden);
    json_t *expect = golden_json(name);
    json_t *blocks = golden_array(json_array_get(golden_array(expect, "plans"), 0), "blocks");
    w->n = json_array_size(blocks);
    assert_true(w->n <= sizeof w->blocks / sizeof w->blocks[0]);
    for (size_t i = 0; i < w->n; i++)
        assert_true(an_ulid_parse(an_slice_str(json_string_value(json_array_get(blocks, i))),
                                  &w->blocks[i]));
    json_decref(expect);
}

static int ready(void **state)
{
    scenario *s = *state;

    if (s->work == work_job_run) plan_of(s->golden, &s->job);
    return 0;
}

int main(void)
{
    static scenario segments = {.name = "one job, several segments in and out",
                                .golden = "c06c-single-segment-gap",
                                .work = work_job_run,
                                .job.segment_max = 4096};
    static scenario basic = {.name = "one job", .golden = "c01-basic-8h", .work = work_job_run};
    static scenario basic_loop = {.name = "an iteration",
                                  .golden = "c01-basic-8h",
                                  .work = work_loop_run,
                                  .loop.delete_delay_ms = HOURS(48)};
    static scenario groups = {.name = "an iteration, five groups",
                              .golden = "c03-groups",
                              .work = work_loop_run,
                              .loop.delete_delay_ms = HOURS(48)};
#define ON(s, f) {#f, f, ready, NULL, &(s)}
    const struct CMUnitTest tests[] = {
        ON(basic, a_recorded_result_is_made),
        ON(basic, a_death_at_any_step_loses_nothing_and_the_next_run_finishes),
        ON(segments, a_death_at_any_step_loses_nothing_and_the_next_run_finishes),
        ON(basic, a_failure_of_any_step_is_reported_and_the_next_run_finishes),
        ON(segments, a_failure_of_any_step_is_reported_and_the_next_run_finishes),
        ON(segments, an_answer_lost_is_no_damage),
        ON(basic, memory_refused_at_any_moment_is_an_error_or_spills),
        ON(groups, a_recorded_result_is_made),
        ON(basic_loop, a_death_at_any_step_loses_nothing_and_the_next_run_finishes),
        ON(groups, a_death_at_any_step_loses_nothing_and_the_next_run_finishes),
        ON(groups, a_failure_of_any_step_is_reported_and_the_next_run_finishes),
        ON(basic_loop, an_answer_lost_is_no_damage),
        ON(basic_loop, memory_refused_at_any_moment_is_an_error_or_spills),
        ON(segments, two_processes_at_once_make_the_same_bucket),
        ON(groups, two_processes_at_once_make_the_same_bucket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
