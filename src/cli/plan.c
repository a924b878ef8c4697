// SPDX-License-Identifier: Apache-2.0
/* `plan`: what the next iteration would do and why. Nothing is written, neither to the bucket nor
 * to data-dir.
 *
 * The plan of a group is its next step alone: what comes after it depends on its result. */
#include <inttypes.h>
#include <string.h>

#include "base/jsonw.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/timeline.h"
#include "compact/loop/view.h"
#include "compact/plan/progress.h"

typedef struct planning {
    an_options o;
    an_viewer *viewer;
    an_view view;
    an_outcomes list;
    size_t n_groups;
} planning;

static an_rc prepare(an_command *c, an_err *err)
{
    planning *k = c->arg;
    return an_options_open(c, &k->o, err);
}

static void add_unjudged(an_command *c, planning *k)
{
    for (size_t i = 0; i < k->view.n_unjudged; i++) {
        const an_state_block *b = k->view.unjudged[i];
        an_plan_block *p = an_arena_alloc(c->a, sizeof *p);
        const an_plan_block **one = (const an_plan_block **)an_arena_alloc(c->a, sizeof *one);
        const an_err *e = b->err;
        for (int m = 0; m < AN_MARK__COUNT && e == NULL; m++) e = b->marks[m].err;
        p->id = b->seen.id;
        *one = p;
        *an_outcomes_add(c->a, &k->list) = (an_outcome){
            .what = b->kind == AN_BLOCK_UNREADABLE ? AN_DO_LEAVE_OUT : AN_DO_ISOLATE,
            .cause = e->cause,
            .n = 1,
            .blocks = one,
            .why = an_slice_str(e->msg),
        };
    }
}

static void add_partials(an_command *c, planning *k)
{
    for (size_t i = 0; i < k->view.n_partials; i++) {
        const an_partial *p = &k->view.partials[i];
        an_plan_block *b = an_arena_alloc(c->a, sizeof *b);
        const an_plan_block **one = (const an_plan_block **)an_arena_alloc(c->a, sizeof *one);
        an_buf why;
        an_cause cause;
        an_buf_init(&why, 4096, NULL);
        an_partial_fate fate = an_clean_partial(p, k->view.now_ms, &cause, &why);
        b->id = p->id;
        *one = b;
        bool deletes = fate == AN_PARTIAL_DELETE || fate == AN_PARTIAL_CONFIRM;
        *an_outcomes_add(c->a, &k->list) = (an_outcome){
            .what = deletes                   ? AN_DO_DELETE
                    : fate == AN_PARTIAL_HOLD ? AN_DO_HOLD
                                              : AN_DO_REPORT,
            .cause = cause,
            .n = 1,
            .blocks = one,
            .why = an_arena_dup(c->a, an_buf_slice(&why)),
        };
        an_buf_deinit(&why);
    }
}

/* In the order in which an iteration does it. */
static void plan_all(an_command *c, planning *k)
{
    const an_view *v = &k->view;
    const an_loop_opts *l = &k->o.loop;
    an_plan_opts po = l->plan;
    an_group *groups;

    po.now_ms = v->now_ms;
    add_unjudged(c, k);
    an_clean_marked(c->a, v->marked, v->n_marked, v->all, v->n_all, &l->retention,
                    l->delete_delay_ms, v->now_ms, &k->list);
    an_clean_garbage(c->a, v->covered, v->n_covered, &k->list);
    an_groups_build(c->a, v->loaded, v->n_loaded, &groups, &k->n_groups);
    for (size_t i = 0; i < k->n_groups; i++) an_plan_group(c->a, &groups[i], &po, &k->list);
    if (l->downsampling) an_downsample_due(c->a, v->loaded, v->n_loaded, &k->list);
    an_clean_retention(c->a, v->loaded, v->n_loaded, &l->retention, v->now_ms, &k->list);
    add_partials(c, k);
}

/* ---- text ---- */

static const an_labels *labels_of(const an_outcome *o)
{
    return o->n > 0 && o->blocks[0]->meta != NULL ? &o->blocks[0]->meta->thanos.labels : NULL;
}

static uint64_t bytes_of(const an_outcome *o)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < o->n; i++) {
        if (o->blocks[i]->meta != NULL) sum += an_view_block_of(o->blocks[i])->bytes;
    }
    return sum;
}

static void print_outcome(an_buf *out, size_t number, const an_outcome *o)
{
    const an_labels *ls = labels_of(o);
    char id[AN_ULID_TEXT + 1], t[AN_TIME_TEXT];

    an_buf_printf(out, "%zu. %s", number, an_do_name(o->what));
    if (o->what == AN_DO_MARK) an_buf_printf(out, " %s", an_mark_file[o->mark]);
    an_buf_printf(out, "  %zu block%s", o->n, o->n == 1 ? "" : "s");
    if (ls != NULL) {
        an_buf_str(out, ", ");
        an_human_bytes(out, bytes_of(o));
        an_buf_printf(out, "  %" PRId64 "@", o->blocks[0]->meta->thanos.resolution);
        an_labels_print(out, *ls);
    }
    if (o->what == AN_DO_COMPACT || o->what == AN_DO_REWRITE) {
        (void)an_time_print(o->mint / 1000, 0, t);
        an_buf_printf(out, "  %s", t);
        (void)an_time_print(o->maxt / 1000, 0, t);
        an_buf_printf(out, " to %s, level %" PRId64, t, o->level);
    }
    an_buf_u8(out, '\n');
    if (o->cause != AN_CAUSE_NONE) an_buf_printf(out, "   cause: %s\n", an_cause_name(o->cause));
    if (o->why.n > 0) an_buf_printf(out, "   why: %.*s\n", AN_PRI(o->why));
    for (size_t i = 0; i < o->n; i++) {
        an_ulid_format(o->blocks[i]->id, id);
        an_buf_printf(out, "   %s", id);
        if (o->blocks[i]->meta != NULL) {
            const an_meta *m = o->blocks[i]->meta;
            (void)an_time_print(m->mint / 1000, 0, t);
            an_buf_printf(out, "  %s", t);
            (void)an_time_print(m->maxt / 1000, 0, t);
            an_buf_printf(out, " to %s, level %" PRId64 ", ", t, m->compaction.level);
            an_human_bytes(out, an_view_block_of(o->blocks[i])->bytes);
        }
        an_buf_u8(out, '\n');
    }
}

static void print_text(an_command *c, planning *k)
{
    an_buf *out = &c->cli->out;

    for (size_t i = 0; i < k->list.n; i++) print_outcome(out, i + 1, &k->list.v[i]);
    an_buf_printf(out, "%s%zu group%s, %zu block%s: %zu step%s in the next pass\n",
                  k->list.n > 0 ? "\n" : "", k->n_groups, k->n_groups == 1 ? "" : "s",
                  k->view.n_loaded, k->view.n_loaded == 1 ? "" : "s", k->list.n,
                  k->list.n == 1 ? "" : "s");
    if (k->view.n_all == k->view.n_loaded) return;
    an_buf_str(out, "left out: ");
    an_filter_left_out(&k->view.counts, out);
    an_buf_u8(out, '\n');
}

/* ---- JSON ---- */

static void json_block(an_jsonw *w, const an_plan_block *b)
{
    char id[AN_ULID_TEXT + 1];

    an_ulid_format(b->id, id);
    an_jsonw_begin_object(w);
    an_jsonw_key(w, "id");
    an_jsonw_cstr(w, id);
    if (b->meta != NULL) {
        an_jsonw_key(w, "minTime");
        an_jsonw_int(w, b->meta->mint);
        an_jsonw_key(w, "maxTime");
        an_jsonw_int(w, b->meta->maxt);
        an_jsonw_key(w, "level");
        an_jsonw_int(w, b->meta->compaction.level);
        an_jsonw_key(w, "bytes");
        an_jsonw_uint(w, an_view_block_of(b)->bytes);
    }
    an_jsonw_end_object(w);
}

static void json_group(an_jsonw *w, const an_outcome *o)
{
    const an_labels *ls = labels_of(o);

    if (o->group.n > 0) {
        an_jsonw_key(w, "groupKey");
        an_jsonw_string(w, o->group);
    }
    if (ls == NULL) return;
    an_jsonw_key(w, "resolution");
    an_jsonw_int(w, o->blocks[0]->meta->thanos.resolution);
    an_jsonw_key(w, "labels");
    an_jsonw_begin_object(w);
    for (size_t i = 0; i < ls->n; i++) {
        an_jsonw_key_slice(w, ls->v[i].name);
        an_jsonw_string(w, ls->v[i].value);
    }
    an_jsonw_end_object(w);
}

static void json_outcome(an_jsonw *w, const an_outcome *o)
{
    an_jsonw_begin_object(w);
    an_jsonw_key(w, "action");
    an_jsonw_cstr(w, an_do_name(o->what));
    json_group(w, o);
    if (o->cause != AN_CAUSE_NONE) {
        an_jsonw_key(w, "cause");
        an_jsonw_cstr(w, an_cause_name(o->cause));
    }
    an_jsonw_key(w, "why");
    an_jsonw_string(w, o->why);
    if (o->what == AN_DO_MARK) {
        an_jsonw_key(w, "mark");
        an_jsonw_cstr(w, an_mark_file[o->mark]);
        an_jsonw_key(w, "details");
        an_jsonw_string(w, o->details);
    }
    if (o->what == AN_DO_COMPACT || o->what == AN_DO_REWRITE) {
        an_jsonw_key(w, "result");
        an_jsonw_begin_object(w);
        an_jsonw_key(w, "minTime");
        an_jsonw_int(w, o->mint);
        an_jsonw_key(w, "maxTime");
        an_jsonw_int(w, o->maxt);
        an_jsonw_key(w, "level");
        an_jsonw_int(w, o->level);
        an_jsonw_end_object(w);
    }
    if (o->what == AN_DO_DOWNSAMPLE) {
        an_jsonw_key(w, "toResolution");
        an_jsonw_int(w, o->resolution);
    }
    an_jsonw_key(w, "blocks");
    an_jsonw_begin_array(w);
    for (size_t i = 0; i < o->n; i++) json_block(w, o->blocks[i]);
    an_jsonw_end_array(w);
    an_jsonw_end_object(w);
}

static void print_json(an_command *c, planning *k)
{
    an_jsonw w = an_jsonw_to(&c->cli->out, "  ", false);

    an_jsonw_begin_object(&w);
    an_jsonw_key(&w, "now");
    an_jsonw_int(&w, k->view.now_ms);
    an_jsonw_key(&w, "groups");
    an_jsonw_uint(&w, k->n_groups);
    an_jsonw_key(&w, "blocks");
    an_jsonw_uint(&w, k->view.n_loaded);
    an_jsonw_key(&w, "leftOut");
    an_jsonw_begin_object(&w);
    for (int i = AN_SYNCED_LOADED + 1; i <= AN_SYNCED_DUPLICATE; i++) {
        an_jsonw_key(&w, an_filter_state_name((an_filter_state)i));
        an_jsonw_uint(&w, k->view.counts.synced[i]);
    }
    an_jsonw_end_object(&w);
    an_jsonw_key(&w, "steps");
    an_jsonw_begin_array(&w);
    for (size_t i = 0; i < k->list.n; i++) json_outcome(&w, &k->list.v[i]);
    an_jsonw_end_array(&w);
    an_jsonw_end_object(&w);
    an_buf_u8(&c->cli->out, '\n');
}

static an_rc work(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    planning *k = c->arg;
    an_filter_opts f = k->o.loop.filter;

    f.now_ms = an_options_now_ns(NULL) / AN_MS;
    f.min_time_ms = an_time_or_dur_ms(k->o.loop.min_time, f.now_ms);
    f.max_time_ms = an_time_or_dur_ms(k->o.loop.max_time, f.now_ms);
    k->o.loop.state.cache_path = NULL; /* nothing is written */
    k->viewer = an_viewer_new(&k->o.loop.state);
    AN_TRY(an_viewer_look(k->viewer, &c->ctx, c->a, &f, NULL, &k->view, err));
    plan_all(c, k);
    if (strcmp(an_flag_text(&c->cli->flags, "output"), "json") == 0) {
        print_json(c, k);
    } else {
        print_text(c, k);
    }
out:
    return rc;
}

int an_run_plan(an_cli *cli)
{
    planning k = {0};
    int code = an_command_run(cli, prepare, work, &k);

    an_viewer_free(k.viewer);
    an_options_close(&k.o);
    return code;
}
