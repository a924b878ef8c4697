// SPDX-License-Identifier: Apache-2.0
#include "bucket/delete.h"

#include <stdio.h>

#include "bucket/listing.h"

enum { ROUNDS = 3 };
enum { META, INDEX, OTHERS, MARK }; /* in this order */

static an_rc remove_one(an_bucket *b, an_ctx *ctx, an_arena *a, const char *id,
                        const an_block_object *o, an_deleted *out, an_err *err)
{
    char *key = an_arena_printf(a, "%s/%.*s", id, AN_PRI(o->name));
    an_rc rc = an_bucket_del(b, ctx, an_slice_str(key), err);

    if (rc != AN_OK) {
        /* of all that can be denied here, this is the one that an operator can act on */
        if (rc == AN_EDENIED) err->cause = AN_CAUSE_DELETE_DENIED;
        an_err_wrap(err, "delete %s", key);
        return rc;
    }
    out->objects++;
    out->bytes += o->size;
    return AN_OK;
}

static unsigned turn_of(an_slice name)
{
    if (an_slice_eq(name, AN_LIT("meta.json"))) return META;
    if (an_slice_eq(name, AN_LIT("index"))) return INDEX;
    return an_slice_eq(name, an_slice_str(an_mark_file[AN_MARK_DELETION])) ? MARK : OTHERS;
}

static bool holds(const an_delete_if *only, const an_listed_block *now)
{
    if (only == NULL) return true;
    if (only->marked && !now->has_mark[AN_MARK_DELETION]) return false;
    return !only->partial || (!now->has_meta && now->newest_ms <= only->newest_ms);
}

an_rc an_block_delete(an_bucket *b, an_ctx *ctx, an_ulid id, const an_delete_if *only,
                      an_deleted *out, an_err *err)
{
    an_rc rc = AN_OK;
    char text[AN_ULID_TEXT + 1];
    an_arena *a = an_arena_new(NULL);
    an_listed_block now;

    *out = (an_deleted){0};
    an_ulid_format(id, text);
    for (unsigned round = 0;; round++) {
        an_arena_reset(a);
        AN_TRY(an_listing_block(b, ctx, a, id, &now, err));
        if (now.rc != AN_OK) {
            *err = *now.err;
            rc = now.rc;
            goto out;
        }
        if (now.n_objects == 0) break;
        if (round == 0 && !holds(only, &now)) {
            out->kept = true;
            break;
        }
        if (now.n_objects == 1 && now.has_mark[AN_MARK_DELETION]) {
            rc = remove_one(b, ctx, a, text, &now.objects[0], out, err);
            goto out;
        }
        AN_CHECK(round < ROUNDS, err, AN_ERETRY, "delete %s: objects keep coming, now %zu", text,
                 now.n_objects);
        for (unsigned turn = 0; turn < MARK; turn++) {
            for (size_t i = 0; i < now.n_objects; i++) {
                if (turn_of(now.objects[i].name) != turn) continue;
                AN_TRY(remove_one(b, ctx, a, text, &now.objects[i], out, err));
            }
        }
    }
out:
    if (rc != AN_OK) (void)an_err_at(err, text, NULL, -1);
    an_arena_free(a);
    return rc;
}
