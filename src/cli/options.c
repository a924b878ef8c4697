// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/content.h"
#include "cli/memory.h"
#include "cli/notbuilt.h"
#include "cli/textfile.h"

enum { THREADS_MAX = 256 };
#define HOURS(n) ((int64_t)(n) * AN_HOUR)

int64_t an_options_now_ns(void *arg)
{
    struct timespec t;

    (void)arg;
    an_assert(clock_gettime(CLOCK_REALTIME, &t) == 0);
    return (int64_t)t.tv_sec * AN_SECOND + t.tv_nsec;
}

an_rc an_options_selector(const an_flags *fs, an_relabel **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf yaml;

    *out = NULL;
    an_buf_init(&yaml, AN_CONTENT_MAX, NULL);
    if ((rc = an_content_read(fs, "selector.relabel-config", AN_CONTENT_OPTIONAL, &yaml, err)) !=
        AN_OK) {
        an_err_wrap(err, "get content of relabel configuration");
        goto out;
    }
    AN_TRY(an_relabel_parse(an_buf_slice(&yaml), AN_RELABEL_SELECTOR, out, err));
out:
    an_buf_deinit(&yaml);
    return rc;
}

an_rc an_options_times(const an_flags *fs, an_time_or_dur *min, an_time_or_dur *max, an_err *err)
{
    static const char *const names[] = {"min-time", "max-time"};

    for (size_t i = 0; i < 2; i++) {
        const an_flag *f = an_flag_get(fs, names[i]);
        if (f->texts[0][0] == 0) {
            return AN_FAIL(err, AN_EINVALID, "flag --%s is empty: a time or a duration is needed",
                           names[i]);
        }
        *(i == 0 ? min : max) = f->when;
    }
    return AN_OK;
}

/* Makes the folder and those above it. The texts are upstream's. */
static an_rc make_folder(const char *path, an_err *err)
{
    an_rc rc = AN_OK;
    an_arena *a = an_arena_new(NULL);
    char why[128];

    for (const char *p = path; *p != 0;) {
        p += strspn(p, "/");
        p += strcspn(p, "/");
        const char *part = an_arena_str(a, an_slice_of(path, (size_t)(p - path)));
        struct stat st;
        if (mkdir(part, 0777) == 0) continue;
        int error = errno;
        if (stat(part, &st) == 0) {
            if (S_ISDIR(st.st_mode)) continue;
            error = ENOTDIR;
        }
        an_errno_text(error, why);
        rc = AN_FAIL(err, AN_EINVALID, "mkdir %s: %s", part, why);
        an_err_cause(err, AN_CAUSE_DATA_DIR);
        goto out;
    }
    if (access(path, W_OK | X_OK) != 0) {
        an_errno_text(errno, why);
        rc = AN_FAIL(err, AN_EINVALID, "open %s for writing: %s", path, why);
        an_err_cause(err, AN_CAUSE_DATA_DIR);
    }
out:
    an_arena_free(a);
    return rc;
}

static an_rc open_data_dir(an_command *c, an_options *o, an_err *err)
{
    const char *dir = an_flag_text(&c->cli->flags, "data-dir");
    an_rc rc;

    o->loop.data_dir = *dir != 0 ? dir : ".";
    rc = make_folder(o->loop.data_dir, err);
    if (rc != AN_OK) an_err_wrap(err, "create meta fetcher");
    return rc;
}

static void set_replica_labels(an_command *c, an_options *o)
{
    const an_flag *f = an_flag_get(&c->cli->flags, "deduplication.replica-label");
    an_filter_opts *fo = &o->loop.filter;
    an_slice *flags = an_arena_alloc(c->a, (f->n + 1) * sizeof *flags), *labels;
    size_t n_labels;

    for (size_t i = 0; i < f->n; i++) flags[i] = an_slice_str(f->texts[i]);
    an_replica_labels(c->a, flags, f->n, &labels, &n_labels);
    fo->replica_flags = flags;
    fo->n_replica_flags = f->n;
    fo->replica_labels = labels;
    fo->n_replica_labels = n_labels;
    bool asked = an_flag_on(&c->cli->flags, "compact.enable-vertical-compaction");
    o->loop.plan.vertical = asked || n_labels > 0;
    if (n_labels > 0) {
        an_buf list;
        an_buf_init(&list, 1 << 20, NULL);
        for (size_t i = 0; i < n_labels; i++) {
            if (i > 0) an_buf_u8(&list, ',');
            an_buf_slice_add(&list, labels[i]);
        }
        AN_LOG(&c->log, AN_LOG_INFO,
               "deduplication.replica-label specified, enabling vertical compaction",
               AN_TEXT("dedupReplicaLabels", an_buf_slice(&list)));
        an_buf_deinit(&list);
    }
    if (o->loop.plan.vertical) {
        AN_LOG(&c->log, AN_LOG_INFO, "vertical compaction is enabled",
               AN_STR("compact.enable-vertical-compaction", asked ? "true" : "false"));
    }
}

/* --debug.max-compaction-level, --deduplication.func, --compact.concurrency: upstream looks at them
 * in this order while it makes its objects. */
static an_rc check_compactor(an_command *c, an_options *o, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flags *fs = &c->cli->flags;
    int64_t level = an_flag_number(fs, "debug.max-compaction-level");
    int64_t concurrency = an_flag_number(fs, "compact.concurrency");
    bool penalty = strcmp(an_flag_text(fs, "deduplication.func"), "penalty") == 0;

    AN_CHECK(level < AN_PLAN_RANGES_MAX, err, AN_EINVALID,
             "get compaction levels: level is bigger then default set of %d", AN_PLAN_RANGES_MAX);
    AN_CHECK(level >= -1, err, AN_EINVALID, "get compaction levels: level %" PRId64 " is below -1",
             level);
    if (level < AN_PLAN_RANGES_MAX - 1) {
        AN_LOG(&c->log, AN_LOG_WARN, "Max compaction level is lower than should be",
               AN_INT("current", level), AN_INT("default", AN_PLAN_RANGES_MAX - 1));
    }
    AN_CHECK(!penalty || o->loop.filter.n_replica_labels > 0, err, AN_EINVALID,
             "penalty based deduplication needs at least one replica label specified");
    AN_CHECK(level >= 0, err, AN_EINVALID, "create compactor: at least one range must be provided");
    AN_CHECK(concurrency > 0, err, AN_EINVALID,
             "create bucket compactor: invalid concurrency level (%" PRId64
             "), concurrency level must be > 0",
             concurrency);
    o->loop.concurrency = (unsigned)(concurrency < THREADS_MAX ? concurrency : THREADS_MAX);
    AN_TRY(an_plan_ranges((int)level, o->ranges, &o->loop.plan.n_ranges, err));
    o->loop.plan.ranges = o->ranges;
    o->loop.plan.max_index_bytes = an_flag_number(fs, "compact.block-max-index-size");
out:
    return rc;
}

/* Which samples a result has depends on it, so the ULID does too. */
static void set_fold(const an_flags *fs, an_options *o)
{
    bool penalty = strcmp(an_flag_text(fs, "deduplication.func"), "penalty") == 0;

    o->fold = an_chunk_merge_fold(penalty ? AN_MERGE_PENALTY : AN_MERGE_CHAIN);
    o->loop.fold = &o->fold;
    o->option = (an_identity_option){AN_LIT("deduplication.func"), AN_LIT("penalty")};
    o->loop.options = &o->option;
    o->loop.n_options = penalty ? 1 : 0;
}

static void log_retention(an_command *c, const char *what, int64_t ns)
{
    if (ns == 0) return;
    AN_LOG(&c->log, AN_LOG_INFO,
           an_arena_printf(c->a, "retention policy of %s samples is enabled", what),
           AN_DURATION("duration", ns));
}

static an_rc set_retention(an_command *c, an_options *o, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flags *fs = &c->cli->flags;
    an_retention *r = &o->loop.retention;

    r->raw_ns = an_flag_number(fs, "retention.resolution-raw");
    r->five_min_ns = an_flag_number(fs, "retention.resolution-5m");
    r->one_hour_ns = an_flag_number(fs, "retention.resolution-1h");
    AN_CHECK(!o->loop.downsampling || r->raw_ns == 0 || r->raw_ns >= HOURS(40), err, AN_EINVALID,
             "raw resolution must be higher than the minimum block size after which 5m resolution "
             "downsampling will occur (40 hours)");
    log_retention(c, "raw", r->raw_ns);
    AN_CHECK(!o->loop.downsampling || r->five_min_ns == 0 || r->five_min_ns >= HOURS(240), err,
             AN_EINVALID,
             "5m resolution retention must be higher than the minimum block size after which 1h "
             "resolution downsampling will occur (10 days)");
    log_retention(c, "5 min aggregated", r->five_min_ns);
    log_retention(c, "1 hour aggregated", r->one_hour_ns);
out:
    return rc;
}

/* What upstream takes and then hangs or panics on. */
static an_rc check_ours(const an_flags *fs, an_err *err)
{
    static const char *const positive[] = {
        "block-meta-fetch-concurrency", "block-files-concurrency",
        "compact.blocks-fetch-concurrency", "downsample.concurrency"};

    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) {
        int64_t v = an_flag_number(fs, positive[i]);
        if (v > 0) continue;
        return AN_FAIL(err, AN_EINVALID, "flag --%s is %" PRId64 ": it must be above 0",
                       positive[i], v);
    }
    if (an_flag_number(fs, "compact.job-workers") < 0) {
        return AN_FAIL(err, AN_EINVALID, "flag --compact.job-workers must not be negative");
    }
    return an_not_built_check(fs, err);
}

static size_t processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int n = CPU_COUNT(&set);
    return n < 1 ? 1 : (size_t)n;
}

static size_t threads(int64_t n) { return n > THREADS_MAX ? THREADS_MAX : (size_t)n; }

static an_rc open_resources(an_command *c, an_options *o, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flags *fs = &c->cli->flags;
    an_memory m;
    an_sysmem sys = an_sysmem_read("");
    int64_t workers = an_flag_number(fs, "compact.job-workers");
    size_t n_workers = workers > 0 ? threads(workers) : processors();
    size_t n_transfers = threads(an_flag_number(fs, "block-files-concurrency")) +
                         threads(an_flag_number(fs, "compact.blocks-fetch-concurrency"));

    AN_TRY(an_memory_of(an_flag_number(fs, "memory-limit"), &sys, &m, err));
    o->memory_limit = m.limit;
    o->metadata = an_budget_new(m.metadata);
    o->jobs = an_budget_new(m.jobs);
    /* The thread of the job works too. */
    if (n_workers > 1) AN_TRY(an_pool_new(n_workers - 1, "worker", &o->workers, err));
    AN_TRY(an_pool_new(n_transfers, "transfer", &o->transfers, err));
    o->loop.budget = o->jobs;
    o->loop.workers = o->workers;
    o->loop.transfers = o->transfers;
    o->loop.state = (an_state_opts){
        .bucket = o->bucket,
        .pool = o->transfers,
        .n_reads = threads(an_flag_number(fs, "block-meta-fetch-concurrency")),
        .budget = o->metadata,
        .cache_path = an_arena_printf(c->a, "%s/meta-cache", o->loop.data_dir),
        .cache_for = an_slice_str(o->bucket->name),
    };
out:
    return rc;
}

an_rc an_options_open(an_command *c, an_options *o, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flags *fs = &c->cli->flags;
    const char *strategy = an_flag_text(fs, "block-discovery-strategy");
    an_loop_opts *l = &o->loop;

    AN_TRY(an_command_bucket(c, false, &o->bucket, err));
    AN_TRY(an_options_selector(fs, &o->selector, err));
    AN_CHECK(strcmp(strategy, "concurrent") == 0 || strcmp(strategy, "recursive") == 0, err,
             AN_EINVALID, "unknown sync strategy %s", strategy);
    AN_TRY(open_data_dir(c, o, err));
    set_replica_labels(c, o);
    AN_TRY(check_compactor(c, o, err));
    set_fold(fs, o);
    l->downsampling = !an_flag_on(fs, "downsampling.disable");
    AN_TRY(set_retention(c, o, err));
    AN_TRY(an_options_times(fs, &l->min_time, &l->max_time, err));
    AN_TRY(check_ours(fs, err));
    AN_TRY(open_resources(c, o, err));

    l->bucket = o->bucket;
    l->log = &c->log;
    l->filter.selector = o->selector;
    l->filter.consistency_delay_ms = an_flag_number(fs, "consistency-delay") / AN_MS;
    l->delete_delay_ms = an_flag_number(fs, "delete-delay") / AN_MS;
    l->filter.delete_delay_ms = l->delete_delay_ms;
    l->filter.downsampling_disabled = !l->downsampling;
    l->halt_process = strcmp(an_flag_text(fs, "halt.scope"), "process") == 0;
    l->skip_ooo_chunks = an_flag_on(fs, "compact.skip-block-with-out-of-order-chunks");
    l->accept_malformed_index = an_flag_on(fs, "debug.accept-malformed-index");
    l->sha256 = strcmp(an_flag_text(fs, "hash-func"), "SHA256") == 0;
    l->now_ns = an_options_now_ns;
out:
    return rc;
}

void an_options_close(an_options *o)
{
    an_pool_free(o->workers);
    an_pool_free(o->transfers);
    an_relabel_free(o->selector);
    an_bucket_free(o->bucket);
    if (o->metadata != NULL) an_budget_free(o->metadata);
    if (o->jobs != NULL) an_budget_free(o->jobs);
}
