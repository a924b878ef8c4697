// SPDX-License-Identifier: Apache-2.0
#include "bucket/doc.h"

#include <stdio.h>
#include <stdlib.h>

an_rc an_doc_no_memory(const an_arena *a, an_err *err)
{
    an_budget *b = an_arena_budget(a);

    if (b == NULL) return AN_FAIL(err, AN_ELIMIT, "no memory for the metadata of all blocks");
    return AN_FAIL(err, AN_ELIMIT,
                   "no memory for the metadata of all blocks: %zu of its %zu bytes are in use",
                   an_budget_used(b), an_budget_limit(b));
}

const char *an_doc_file(unsigned what)
{
    return what == AN_CACHE_META ? "meta.json" : an_mark_file[what];
}

static void drop_err(an_doc *d)
{
    free(d->err);
    d->err = NULL;
}

void an_doc_deinit(an_doc *d) { drop_err(d); }

static size_t meta_cost(const an_meta *m)
{
    size_t n = sizeof *m + m->compaction.n_sources * sizeof(an_ulid) +
               m->compaction.n_parents * sizeof(an_meta_parent) + m->thanos.rewrites.n +
               m->thanos.extensions.n;

    for (size_t i = 0; i < m->thanos.labels.n; i++)
        n += sizeof(an_label) + 32 + m->thanos.labels.v[i].name.n + m->thanos.labels.v[i].value.n;
    n += m->thanos.n_segment_files * (sizeof(an_slice) + 16);
    for (size_t i = 0; i < m->thanos.n_files; i++)
        n += sizeof(an_meta_file) + 32 + m->thanos.files[i].rel_path.n +
             m->thanos.files[i].hash_value.n;
    return n;
}

static const an_mark *mark_dup(an_arena *a, const an_mark *from)
{
    an_mark *m = an_arena_try(a, 1, sizeof *m);

    if (m == NULL) return NULL;
    *m = *from;
    m->details = an_arena_try_dup(a, from->details);
    m->reason = an_arena_try_dup(a, from->reason);
    return m->details.p != NULL && m->reason.p != NULL ? m : NULL;
}

const void *an_doc_copy(an_arena *a, unsigned what, const void *parsed)
{
    if (what == AN_CACHE_META) return an_meta_dup(a, parsed);
    return mark_dup(a, parsed);
}

static void keep_err(an_doc *d, an_ulid id, unsigned what, const an_err *err)
{
    char text[AN_ULID_TEXT + 1];

    if (d->err == NULL) d->err = malloc(sizeof *d->err);
    an_assert(d->err != NULL);
    *d->err = *err;
    an_ulid_format(id, text);
    d->err->object[0] = '\0'; /* the key of the object: block and file say it better */
    (void)an_err_at(d->err, text, an_doc_file(what), -1);
}

an_rc an_doc_parse(an_doc *d, an_ulid id, unsigned what, an_slice body, an_arena *keep,
                   an_arena *work, size_t *wasted, an_err *err)
{
    an_err why;
    an_rc rc;
    const void *kept = NULL;
    size_t cost = 0;
    an_meta meta;
    an_mark mark;

    if (what == AN_CACHE_META) {
        rc = an_meta_parse(work, body, &meta, &why);
        if (rc == AN_OK || rc == AN_EUNSUPPORTED) { /* a foreign one tells its group */
            cost = meta_cost(&meta);
            kept = an_doc_copy(keep, what, &meta);
        }
    } else {
        rc = an_mark_parse(work, (an_mark_kind)what, body, &mark, &why);
        if (rc == AN_OK) cost = sizeof mark + mark.details.n + mark.reason.n;
        if (rc == AN_OK) kept = an_doc_copy(keep, what, &mark);
    }
    if (rc == AN_OK) {
        if (kept == NULL) return an_doc_no_memory(keep, err);
        *wasted += d->cost;
        d->parsed = kept;
        d->cost = cost;
        d->result = AN_DOC_OK;
        drop_err(d);
        return AN_OK;
    }
    if (kept != NULL) {
        *wasted += d->cost;
        d->parsed = kept;
        d->cost = cost;
    }
    char text[AN_ULID_TEXT + 1];
    an_ulid_format(id, text);
    if (what == AN_CACHE_META)
        an_err_wrap(&why, "%s/meta.json", text);
    else
        an_err_wrap(&why, "%s", text); /* the text begins with the name of the mark */
    (void)an_err_cause(&why, what == AN_CACHE_META ? AN_CAUSE_META_CORRUPT : AN_CAUSE_MARK_CORRUPT);
    keep_err(d, id, what, &why);
    d->result = rc == AN_EUNSUPPORTED ? AN_DOC_FOREIGN
                : rc == AN_ELIMIT     ? AN_DOC_UNREADABLE /* there may be memory the next time */
                                      : AN_DOC_CORRUPT;
    return AN_OK;
}

void an_doc_failed(an_doc *d, an_ulid id, unsigned what, const an_err *why)
{
    keep_err(d, id, what, why);
    d->result = AN_DOC_UNREADABLE;
    if (why->rc == AN_ENOTFOUND || why->rc == AN_ECORRUPT) {
        /* it was listed, and then it was not there, or shorter: somebody is at work */
        d->err->rc = AN_ERETRY;
        an_err_wrap(d->err, "changed while it was looked at");
    }
}
