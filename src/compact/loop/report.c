// SPDX-License-Identifier: Apache-2.0
/* Troubles and findings, each told once a run: which group or block, why, and what becomes of it.
 */
#include "compact/loop/loop_internal.h"

#include <inttypes.h>

static an_slice list_text(an_arena *a, const an_ulid *v, size_t n)
{
    an_buf out;
    char id[AN_ULID_TEXT + 1];

    an_buf_init(&out, 1 << 20, NULL);
    an_buf_u8(&out, '[');
    for (size_t i = 0; i < n; i++) {
        an_ulid_format(v[i], id);
        an_buf_printf(&out, "%s%s", i > 0 ? " " : "", id);
    }
    an_buf_u8(&out, ']');
    an_slice s = an_arena_dup(a, an_buf_slice(&out));
    an_buf_deinit(&out);
    return s;
}

static void tell(an_loop *l, const an_trouble *t, const an_err *err)
{
    bool halt = t->kind == AN_TROUBLE_HALT;
    an_arena *a;

    if (!an_troubles_add(l->troubles, t)) return;
    a = an_arena_new(NULL);
    an_slice where = t->group.n > 0 ? t->labels : AN_LIT("unknown");
    const an_kv context[] = {AN_TEXT("group", where), AN_TEXT("groupKey", t->group), {.key = NULL}};
    an_log log = an_log_with(l->o.log, context);
    const char *msg = halt ? "group isolated" : "group failed; the next iteration tries again";
    if (err != NULL && err->object[0] != 0) {
        AN_LOG(&log, AN_LOG_ERROR, msg, AN_STR("cause", an_cause_name(t->cause)),
               AN_TEXT("blocks", list_text(a, t->blocks, t->n_blocks)),
               AN_STR("object", err->object), AN_INT("offset", err->offset),
               AN_TEXT("err", t->text));
    } else {
        AN_LOG(&log, AN_LOG_ERROR, msg, AN_STR("cause", an_cause_name(t->cause)),
               AN_TEXT("blocks", list_text(a, t->blocks, t->n_blocks)), AN_TEXT("err", t->text));
    }
    an_arena_free(a);
}

void an_loop_trouble(an_loop *l, an_trouble_from from, an_slice key, an_slice labels,
                     const an_ulid *blocks, size_t n, const an_err *err)
{
    an_trouble t = {
        .kind = an_trouble_class_of(err),
        .from = from,
        .cause = err->cause,
        .group = key,
        .labels = labels,
        .n_blocks = n,
        .blocks = blocks,
        .text = an_slice_str(err->msg),
    };
    an_assert(t.kind != AN_TROUBLE_CANCEL);
    tell(l, &t, err);
}

/* A block that cannot be judged concerns its group, as far as that can be told. */
void an_loop_unjudged(an_loop *l, const an_view *v, const an_state_block *b)
{
    const an_meta *m = b->earlier;
    const an_err *e = b->err;
    an_buf key, labels;
    an_err err;

    for (int k = 0; k < AN_MARK__COUNT && e == NULL; k++) {
        if (b->marks[k].state == AN_MARK_UNREADABLE) e = b->marks[k].err;
    }
    an_assert(e != NULL);
    err = *e;
    for (size_t i = 0; i < v->n_all; i++) { /* without replica labels, as its group has it */
        if (an_ulid_eq(v->all[i]->id, b->seen.id)) m = v->all[i]->meta;
    }
    /* Around a meta.json that is none, compaction goes on: nothing says what it covers. */
    if (b->kind == AN_BLOCK_CORRUPT) m = NULL;
    an_buf_init(&key, 256, NULL);
    an_buf_init(&labels, 1 << 20, NULL);
    if (m != NULL) {
        an_group_key(&key, m->thanos.resolution, m->thanos.labels);
        an_buf_printf(&labels, "%" PRId64 "@", m->thanos.resolution);
        an_labels_print(&labels, m->thanos.labels);
    }
    an_loop_trouble(l, AN_FROM_PLAN, an_buf_slice(&key), an_buf_slice(&labels), &b->seen.id, 1,
                    &err);
    an_buf_deinit(&key);
    an_buf_deinit(&labels);
}

void an_loop_outcome(an_loop *l, const an_log *log, an_slice labels, const an_outcome *o)
{
    an_arena *a = an_arena_new(NULL);
    an_ulid *ids = an_arena_alloc(a, (o->n + 1) * sizeof *ids);

    for (size_t i = 0; i < o->n; i++) ids[i] = o->blocks[i]->id;
    if (o->what == AN_DO_ISOLATE) {
        an_trouble t = {.kind = AN_TROUBLE_HALT,
                        .from = AN_FROM_PLAN,
                        .cause = o->cause,
                        .group = o->group,
                        .labels = labels,
                        .n_blocks = o->n,
                        .blocks = ids,
                        .text = o->why};
        tell(l, &t, NULL);
    } else {
        for (size_t i = 0; i < o->n; i++) {
            char id[AN_ULID_TEXT + 1];
            if (!an_troubles_first(l->troubles, o->cause, ids[i])) continue;
            an_ulid_format(ids[i], id);
            AN_LOG(log, AN_LOG_WARN, "finding", AN_STR("cause", an_cause_name(o->cause)),
                   AN_STR("block", id), AN_STR("action", an_do_name(o->what)),
                   AN_TEXT("err", o->why));
        }
    }
    an_arena_free(a);
}
