// SPDX-License-Identifier: Apache-2.0
#include "bucket/marks_io.h"

#include <stdio.h>

enum { MARK_MAX = 1 << 20 }; /* bytes of an object that is looked at */

/* What lies under `key`: THERE, BLOCKED, or WRITTEN for nothing. AN_OK unless it cannot be told. */
static an_rc look(an_bucket *b, an_ctx *ctx, an_slice key, an_mark_kind kind, an_mark_written *what,
                  bool *no_mark, an_err *err)
{
    an_rc rc = AN_OK;
    an_object o;
    an_slice body;
    an_mark m;
    an_err why;
    an_arena *a = an_arena_new(NULL);

    *no_mark = false;
    *what = AN_MARK_BLOCKED;
    rc = an_bucket_stat(b, ctx, key, &o, err);
    if (rc == AN_ENOTFOUND) {
        *what = AN_MARK_WRITTEN;
        rc = AN_OK;
        goto out;
    }
    if (rc != AN_OK || o.size > MARK_MAX) goto out;
    AN_TRY(an_bucket_read(b, ctx, a, key, o.size, MARK_MAX, &body, err));
    an_rc parsed = an_mark_parse(a, kind, body, &m, &why);
    if (parsed == AN_OK) *what = AN_MARK_THERE;
    *no_mark = parsed == AN_ECORRUPT;
out:
    an_arena_free(a);
    return rc;
}

an_rc an_mark_put(an_bucket *b, an_ctx *ctx, const an_mark *m, an_mark_over over,
                  an_mark_written *how, an_err *err)
{
    an_rc rc = AN_OK;
    char id[AN_ULID_TEXT + 1], key[64];
    an_buf doc;
    bool no_mark = false;
    int flags = AN_PUT_DURABLE;

    an_buf_init(&doc, MARK_MAX, NULL);
    an_mark_write(&doc, m);
    an_ulid_format(m->id, id);
    (void)snprintf(key, sizeof key, "%s/%s", id, an_mark_file[m->kind]);
    AN_CHECK(!doc.failed, err, AN_ELIMIT, "%s: the texts of the mark are longer than %d bytes", key,
             MARK_MAX);

    if ((b->caps & AN_CAP_IF_ABSENT) != 0) {
        rc = an_bucket_put(b, ctx, an_slice_str(key), an_buf_slice(&doc), flags | AN_PUT_IF_ABSENT,
                           err);
        if (rc != AN_EEXISTS) {
            *how = AN_MARK_WRITTEN;
            goto out;
        }
    }
    AN_TRY(look(b, ctx, an_slice_str(key), m->kind, how, &no_mark, err));
    if (no_mark && over == AN_MARK_OVER_UNREADABLE) *how = AN_MARK_REPLACED;
    if (*how == AN_MARK_WRITTEN || *how == AN_MARK_REPLACED)
        rc = an_bucket_put(b, ctx, an_slice_str(key), an_buf_slice(&doc), flags, err);
out:
    if (rc != AN_OK) {
        (void)an_err_at(err, id, NULL, -1);
        an_err_wrap(err, "mark block %s", id);
    }
    an_buf_deinit(&doc);
    return rc;
}
