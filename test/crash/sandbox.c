// SPDX-License-Identifier: Apache-2.0
#include "crash/sandbox.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "objstore/fault.h"
#include "objstore/fs/fs.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

enum { DIED = 77, OTHER = 78 };

struct sandbox_run {
    pid_t pid;
    disturb d;
    sandbox_result *result; /* shared */
};

/* Of the child: set once, before the work begins. */
static sandbox_run *mine;

static void wait_for_a_moment(uint64_t n)
{
    uint64_t x = (n + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ mine->d.at * UINT64_C(0xd6e8feb86659fd93);

    x ^= x >> 29;
    if (x % 3 == 0) (void)usleep((useconds_t)(x >> 32) % 2000);
}

/* Every step comes by here. */
static an_rc at_step(const char *kind, const char *name, an_slice key, an_err *err)
{
    sandbox_result *r = mine->result;
    uint64_t n = atomic_fetch_add(&r->n_steps, 1);
    char what[SANDBOX_STEP];

    (void)snprintf(what, sizeof what, "%s %s %.*s", kind, name, AN_PRI(key));
    if (n < SANDBOX_TRACE) memcpy(r->trace[n], what, sizeof what);
    if (mine->d.how == SHUFFLE) wait_for_a_moment(n);
    if (n != mine->d.at || (mine->d.how != DIE && mine->d.how != FAIL)) return AN_OK;
    memcpy(r->at, what, sizeof what);
    if (mine->d.how == DIE) _exit(DIED);
    (void)AN_FAIL(err, mine->d.rc, "injected failure of step %llu: %s", (unsigned long long)n,
                  what);
    return an_err_cause(err, mine->d.cause);
}

static an_rc on_step(void *arg, const char *name, an_slice key, an_err *err)
{
    (void)arg;
    return at_step("fs", name, key, err);
}

static an_rc on_op(void *arg, const an_fault_op *op, an_err *err)
{
    sandbox_result *r = mine->result;

    (void)arg;
    atomic_fetch_add(&r->n_ops, 1);
    if (mine->d.how == LOSE && op->index == mine->d.at)
        (void)snprintf(r->at, sizeof r->at, "op %s %.*s", op->name, AN_PRI(op->key));
    return at_step("op", op->name, op->key, err);
}

bool __real_an_budget_take(an_budget *b, size_t n);
bool __wrap_an_budget_take(an_budget *b, size_t n);
bool __wrap_an_budget_take(an_budget *b, size_t n)
{
    if (mine != NULL && b != NULL) {
        uint64_t k = atomic_fetch_add(&mine->result->n_takes, 1);
        if (mine->d.how == NO_MEMORY && k == mine->d.at) {
            (void)snprintf(mine->result->at, SANDBOX_STEP, "%zu bytes", n);
            return false;
        }
    }
    return __real_an_budget_take(b, n);
}

static void on_line(void *arg, an_slice line)
{
    sandbox_result *r = mine->result;
    size_t at = atomic_fetch_add(&r->log_n, line.n);

    (void)arg;
    if (at + line.n < SANDBOX_LOG) memcpy(r->log + at, line.p, line.n);
}

static an_rc do_work(const char *dir, sandbox_work work, const void *arg, int64_t now_ns,
                     an_err *err)
{
    an_rc rc = AN_OK;
    char bucket[PATH_MAX], data[PATH_MAX];
    an_fs_opts opts = {.step = on_step};
    an_fault_plan plan = {.before = on_op};
    an_bucket *fs = NULL;
    an_log log = an_log_new(&(an_log_opts){.level = AN_LOG_DEBUG, .sink = on_line});

    (void)snprintf(bucket, sizeof bucket, "%s/bucket", dir);
    (void)snprintf(data, sizeof data, "%s/data", dir);
    if (mine->d.how == LOSE) {
        plan.armed = plan.after = true;
        plan.at = mine->d.at;
        plan.rc = mine->d.rc;
        plan.cause = mine->d.cause;
    }
    if ((rc = an_fs_open(bucket, &opts, &fs, err)) == AN_OK) {
        fs = an_fault_bucket_new(fs, AN_FAULT_OWNS);
        an_fault_bucket_plan(fs, &plan);
        sandbox s = {.bucket = fs, .data_dir = data, .log = &log, .now_ns = now_ns};
        rc = work(arg, &s, err);
    }
    an_bucket_free(fs);
    an_log_free(&log);
    return rc;
}

sandbox_run *sandbox_start(const char *dir, sandbox_work work, const void *arg, int64_t now_ns,
                           const disturb *d)
{
    sandbox_run *run = calloc(1, sizeof *run);

    an_assert(run != NULL);
    run->d = *d;
    run->result =
        mmap(NULL, sizeof *run->result, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    an_assert(run->result != MAP_FAILED);
    (void)fflush(NULL);
    run->pid = fork();
    an_assert(run->pid >= 0);
    if (run->pid > 0) return run;

    an_err err = {0};
    mine = run;
    an_rc rc = do_work(dir, work, arg, now_ns, &err);
    run->result->rc = rc;
    run->result->cause = rc == AN_OK ? AN_CAUSE_NONE : err.cause;
    memcpy(run->result->msg, err.msg, sizeof err.msg);
#if defined(__SANITIZE_ADDRESS__)
    if (d->how == FAIL || d->how == LOSE || d->how == NO_MEMORY) __lsan_do_leak_check();
#endif
    _exit(rc == AN_OK ? 0 : OTHER);
}

sandbox_result *sandbox_wait(sandbox_run *run)
{
    int status = 0;

    an_assert(waitpid(run->pid, &status, 0) == run->pid);
    run->result->died = WIFEXITED(status) && WEXITSTATUS(status) == DIED;
    if (!WIFEXITED(status) ||
        (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != OTHER && WEXITSTATUS(status) != DIED)) {
        (void)fprintf(stderr, "the work ended with status %x, disturbed at %llu (%s)\n%s\n",
                      (unsigned)status, (unsigned long long)run->d.at, run->result->at,
                      run->result->log);
        abort();
    }
    return run->result;
}

void sandbox_done(sandbox_run *run)
{
    (void)munmap(run->result, sizeof *run->result);
    free(run);
}
