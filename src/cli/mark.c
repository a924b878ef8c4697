// SPDX-License-Identifier: Apache-2.0
/* `tools bucket mark`: writes a mark beside blocks, or takes it away. */
#include <string.h>

#include "base/duration.h"
#include "bucket/marks_io.h"
#include "cli/commands.h"
#include "cli/options.h"

#define TIMEOUT_MS 120000

typedef struct marking {
    an_bucket *bucket;
    an_mark_kind kind;
    size_t n;
    an_ulid *ids;
} marking;

static const char *const purpose[AN_MARK__COUNT] = {"deletion", "no compaction", "no downsample"};

static an_rc prepare(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    marking *k = c->arg;
    const an_flags *fs = &c->cli->flags;
    const an_flag *ids = an_flag_get(fs, "id");

    AN_TRY(an_command_bucket(c, true, &k->bucket, err));
    k->ids = an_arena_alloc(c->a, (ids->n + 1) * sizeof *k->ids);
    for (; k->n < ids->n; k->n++) {
        AN_CHECK(an_ulid_parse(an_slice_str(ids->texts[k->n]), &k->ids[k->n]), err, AN_EINVALID,
                 "block.id is not a valid UUID, got: %s", ids->texts[k->n]);
    }
    AN_CHECK(an_flag_on(fs, "remove") || an_flag_text(fs, "details")[0] != 0, err, AN_EINVALID,
             "required flag --details not provided");
    for (int i = 0; i < AN_MARK__COUNT; i++) {
        if (strcmp(an_flag_text(fs, "marker"), an_mark_file[i]) == 0) k->kind = (an_mark_kind)i;
    }
    c->ctx.deadline_mono_ms = an_mono_ms() + TIMEOUT_MS;
out:
    return rc;
}

static an_rc take_away(an_command *c, marking *k, const char *id, an_err *err)
{
    an_rc rc;
    an_object o;
    const char *key = an_arena_printf(c->a, "%s/%s", id, an_mark_file[k->kind]);

    rc = an_bucket_stat(k->bucket, &c->ctx, an_slice_str(key), &o, err);
    if (rc == AN_ENOTFOUND) {
        AN_LOG(&c->log, AN_LOG_WARN, "requested to remove the mark, but file does not exist",
               AN_STR("err", an_arena_printf(c->a, "file %s does not exist in bucket", key)));
        return AN_OK;
    }
    if (rc == AN_OK) rc = an_bucket_del(k->bucket, &c->ctx, an_slice_str(key), err);
    if (rc != AN_OK) {
        an_err_wrap(err, "remove mark %s for %s", id, an_mark_file[k->kind]);
        return rc;
    }
    AN_LOG(&c->log, AN_LOG_INFO, "mark has been removed from the block", AN_STR("block", id),
           AN_STR("mark", an_mark_file[k->kind]));
    return AN_OK;
}

static an_rc seen(void *arg, const an_object *o, an_err *err)
{
    (void)o;
    *(bool *)arg = true;
    return AN_FAIL(err, AN_ECANCELED, "one object is enough");
}

/* A mark makes a folder of its own: a mistyped id must not leave a block of nothing but a mark. */
static an_rc must_be_there(an_command *c, marking *k, const char *id, an_err *err)
{
    bool any = false;
    an_slice prefix = an_slice_str(an_arena_printf(c->a, "%s/", id));
    an_rc rc = an_bucket_list(k->bucket, &c->ctx, prefix, AN_LIT(""), seen, &any, err);

    if (any) return AN_OK;
    AN_CHECK(rc != AN_OK && rc != AN_ENOTFOUND, err, AN_ENOTFOUND,
             "block %s is not in the bucket: nothing is marked", id);
out:
    return rc;
}

static an_rc put(an_command *c, marking *k, size_t i, const char *id, an_err *err)
{
    an_mark m = {.kind = k->kind,
                 .has_id = true,
                 .id = k->ids[i],
                 .version = 1,
                 .details = an_slice_str(an_flag_text(&c->cli->flags, "details")),
                 .time_s = an_options_now_ns(NULL) / AN_SECOND};
    an_mark_written how;
    an_rc rc;

    if (k->kind != AN_MARK_DELETION) m.reason = AN_LIT("manual");
    if ((rc = must_be_there(c, k, id, err)) != AN_OK) return rc;
    rc = an_mark_put(k->bucket, &c->ctx, &m, AN_MARK_OVER_NOTHING, &how, err);
    if (rc != AN_OK) {
        an_err_wrap(err, "mark %s for %s", id, an_mark_file[k->kind]);
        return rc;
    }
    if (how == AN_MARK_WRITTEN) {
        AN_LOG(&c->log, AN_LOG_INFO,
               an_arena_printf(c->a, "block has been marked for %s", purpose[k->kind]),
               AN_STR("block", id));
    } else {
        AN_LOG(&c->log, AN_LOG_WARN,
               an_arena_printf(c->a,
                               "requested to mark for %s, but file already exists; this should not "
                               "happen; investigate",
                               purpose[k->kind]),
               AN_STR("err", an_arena_printf(c->a, "file %s/%s already exists in bucket", id,
                                             an_mark_file[k->kind])));
    }
    return AN_OK;
}

static an_rc work(an_command *c, an_err *err)
{
    an_rc rc = AN_OK;
    marking *k = c->arg;
    bool remove = an_flag_on(&c->cli->flags, "remove");
    an_buf ids;

    an_buf_init(&ids, 1 << 20, NULL);
    for (size_t i = 0; i < k->n; i++) {
        char id[AN_ULID_TEXT + 1];
        an_ulid_format(k->ids[i], id);
        AN_TRY(remove ? take_away(c, k, id, err) : put(c, k, i, id, err));
        an_buf_printf(&ids, "%s%s", i > 0 ? "," : "", id);
    }
    AN_LOG(&c->log, AN_LOG_INFO, "marking done", AN_STR("marker", an_mark_file[k->kind]),
           AN_TEXT("IDs", an_buf_slice(&ids)));
out:
    an_buf_deinit(&ids);
    return rc;
}

int an_run_bucket_mark(an_cli *cli)
{
    marking k = {0};
    int code = an_command_run(cli, prepare, work, &k);

    an_bucket_free(k.bucket);
    return code;
}
