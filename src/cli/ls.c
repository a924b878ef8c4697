// SPDX-License-Identifier: Apache-2.0
/* `tools bucket ls`, `inspect` and `timeline`: the bucket as it is, for people and scripts. */
#include <inttypes.h>
#include <string.h>

#include "base/duration.h"
#include "base/timestamp.h"
#include "cli/block_table.h"
#include "cli/block_template.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"
#include "cli/timeline.h"
#include "compact/loop/view.h"

/* A bucket that was looked at once. */
typedef struct look {
    an_bucket *bucket;
    an_relabel *selector;
    an_viewer *viewer;
    an_view view;
} look;

static void close_look(look *k)
{
    an_viewer_free(k->viewer);
    an_relabel_free(k->selector);
    an_bucket_free(k->bucket);
}

/* The flags of the commands differ: those with a selector have times too. */
static an_rc look_at(an_command *c, look *k, bool choice, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flags *fs = &c->cli->flags;
    an_filter_opts f = {.min_time_ms = INT64_MIN,
                        .max_time_ms = INT64_MAX,
                        .downsampling_disabled = true,
                        .now_ms = an_options_now_ns(NULL) / AN_MS};
    an_time_or_dur min, max;
    int64_t timeout_ms = an_flag_number(fs, "timeout") / AN_MS;

    AN_TRY(an_command_bucket(c, true, &k->bucket, err));
    if (choice) {
        AN_TRY(an_options_selector(fs, &k->selector, err));
        AN_TRY(an_options_times(fs, &min, &max, err));
        f.min_time_ms = an_time_or_dur_ms(min, f.now_ms);
        f.max_time_ms = an_time_or_dur_ms(max, f.now_ms);
        f.selector = k->selector;
    }
    /* Deletion marks drop nothing here: ls leaves marked blocks out when asked to. */
    f.delete_delay_ms = INT64_MAX;
    c->ctx.deadline_mono_ms = an_mono_ms() + timeout_ms;
    k->viewer = an_viewer_new(&(an_state_opts){.bucket = k->bucket});
    AN_TRY(an_viewer_look(k->viewer, &c->ctx, c->a, &f, NULL, &k->view, err));
    const an_kv component[] = {AN_STR("component", "block.BaseFetcher"), {.key = NULL}};
    an_log log = an_log_with(&c->log, component);
    AN_LOG(&log, AN_LOG_INFO, "successfully synchronized block metadata", AN_TOOK(k->view.took_ns),
           AN_UINT("cached", k->view.n_all), AN_UINT("returned", k->view.n_loaded),
           AN_UINT("partial", k->view.n_partials));
    for (size_t i = 0; i < k->view.n_unjudged; i++) {
        const an_state_block *b = k->view.unjudged[i];
        char id[AN_ULID_TEXT + 1];
        if (b->err == NULL) continue; /* only a mark of it cannot be read: it is shown */
        an_ulid_format(b->seen.id, id);
        AN_LOG(&log, AN_LOG_WARN, "block cannot be shown",
               AN_STR("cause", an_cause_name(b->err->cause)), AN_STR("block", id), AN_ERR(b->err));
    }
out:
    return rc;
}

/* Covered blocks are listed like all others: upstream's ls has no such filter. */
static const an_plan_block **taken(an_command *c, const an_view *v, size_t *n)
{
    const an_plan_block **out = (const an_plan_block **)an_arena_alloc(
        c->a, (v->n_loaded + v->n_covered + 1) * sizeof *out);

    *n = 0;
    for (size_t i = 0; i < v->n_loaded; i++) out[(*n)++] = v->loaded[i];
    for (size_t i = 0; i < v->n_covered; i++) out[(*n)++] = v->covered[i].block;
    return out;
}

/* ---- ls ---- */

static void print_wide(an_buf *out, const an_meta *m)
{
    char id[AN_ULID_TEXT + 1], from[AN_TIME_TEXT], to[AN_TIME_TEXT], diff[AN_DURATION_TEXT];
    int64_t a = m->mint / 1000, b = m->maxt / 1000, ns;

    an_ulid_format(m->ulid, id);
    (void)an_time_print_offset(a, 0, an_time_local_offset(a), from);
    (void)an_time_print_offset(b, 0, an_time_local_offset(b), to);
    /* As Go's Sub: what is too far apart is as far as a duration goes. */
    if (__builtin_mul_overflow(b - a, AN_SECOND, &ns)) ns = b > a ? INT64_MAX : INT64_MIN;
    (void)an_duration_print(ns, diff);
    an_buf_printf(
        out,
        "%s -- %s - %s Diff: %s, Compaction: %" PRId64 ", Downsample: %" PRId64 ", Source: %.*s\n",
        id, from, to, diff, m->compaction.level, m->thanos.resolution, AN_PRI(m->thanos.source));
}

static an_rc ls(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    look *k = c->arg;
    const char *form = an_flag_text(&c->cli->flags, "output");
    bool no_marked = an_flag_on(&c->cli->flags, "exclude-delete");
    an_block_template *t = NULL;
    size_t n, shown = 0;
    char id[AN_ULID_TEXT + 1];

    if (*form != 0 && strcmp(form, "wide") != 0 && strcmp(form, "json") != 0) {
        AN_TRY(an_block_template_parse(c->a, an_slice_str(form), &t, err));
    }
    AN_TRY(look_at(c, k, true, err));
    const an_plan_block **v = taken(c, &k->view, &n);
    for (size_t i = 0; i < n; i++) {
        const an_meta *m = v[i]->meta;
        if (no_marked && (v[i]->deletion != NULL || v[i]->deletion_stray)) continue;
        shown++;
        if (t != NULL) {
            an_block_template_print(t, m, &c->cli->out);
        } else if (strcmp(form, "json") == 0) {
            an_meta_write(&c->cli->out, m);
        } else if (strcmp(form, "wide") == 0) {
            print_wide(&c->cli->out, m);
        } else {
            an_ulid_format(v[i]->id, id);
            an_buf_printf(&c->cli->out, "%s\n", id);
        }
    }
    AN_LOG(&c->log, AN_LOG_INFO, "ls done", AN_UINT("objects", shown));
out:
    return rc;
}

int an_run_bucket_ls(an_cli *cli)
{
    look k = {0};
    int code = an_command_run(cli, ls, NULL, &k);

    close_look(&k);
    return code;
}

/* ---- inspect ---- */

static an_rc inspect(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    look *k = c->arg;
    const an_flag *selector = an_flag_get(&c->cli->flags, "selector");
    const an_flag *by = an_flag_get(&c->cli->flags, "sort-by");
    const char *form = an_flag_text(&c->cli->flags, "output");
    an_labels wanted;

    if ((rc = an_block_selector(c->a, selector->texts, selector->n, &wanted, err)) != AN_OK) {
        an_err_wrap(err, "error parsing selector flag");
        goto out;
    }
    AN_TRY(look_at(c, k, false, err));
    const an_meta **metas =
        (const an_meta **)an_arena_alloc(c->a, (k->view.n_all + 1) * sizeof *metas);
    for (size_t i = 0; i < k->view.n_all; i++) metas[i] = k->view.all[i]->meta;
    an_block_table(c->a, &c->cli->out, metas, k->view.n_all, wanted, by->texts, by->n,
                   strcmp(form, "csv") == 0   ? AN_TABLE_CSV
                   : strcmp(form, "tsv") == 0 ? AN_TABLE_TSV
                                              : AN_TABLE_DRAWN);
out:
    return rc;
}

int an_run_bucket_inspect(an_cli *cli)
{
    look k = {0};
    int code = an_command_run(cli, inspect, NULL, &k);

    close_look(&k);
    return code;
}

/* ---- timeline ---- */

static an_rc timeline(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    look *k = c->arg;
    int64_t width = an_flag_number(&c->cli->flags, "width");
    bool no_marked = an_flag_on(&c->cli->flags, "exclude-delete");
    size_t n, shown = 0;

    AN_CHECK(width >= 0 && width <= 1000, err, AN_EINVALID, "flag --width: 0 to 1000 columns");
    AN_TRY(look_at(c, k, true, err));
    const an_plan_block **v = taken(c, &k->view, &n);
    an_timeline_block *blocks = an_arena_alloc(c->a, (n + 1) * sizeof *blocks);
    for (size_t i = 0; i < n; i++) {
        if (no_marked && (v[i]->deletion != NULL || v[i]->deletion_stray)) continue;
        blocks[shown++] = (an_timeline_block){
            .meta = v[i]->meta,
            .bytes = an_view_block_of(v[i])->bytes,
            .deletion = v[i]->deletion != NULL,
            .no_compact = v[i]->no_compact,
        };
    }
    an_timeline_draw(c->a, &c->cli->out, blocks, shown,
                     width > 0 ? (size_t)width : an_terminal_width(AN_FD_OUT));
out:
    return rc;
}

int an_run_bucket_timeline(an_cli *cli)
{
    look k = {0};
    int code = an_command_run(cli, timeline, NULL, &k);

    close_look(&k);
    return code;
}
