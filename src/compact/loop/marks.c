// SPDX-License-Identifier: Apache-2.0
/* One mark beside a block, as the loop writes it, with upstream's log lines. */
#include "bucket/marks_io.h"
#include "compact/loop/loop_internal.h"

#define MARK_WITHIN_MS INT64_C(300000)

static const char *const done_msg[AN_MARK__COUNT] = {
    "block has been marked for deletion",
    "block has been marked for no compaction",
    "block has been marked for no downsample",
};
static const char *const there_msg[AN_MARK__COUNT] = {
    "requested to mark for deletion, but file already exists; this should not happen; investigate",
    "requested to mark for no compaction, but file already exists; this should not happen; "
    "investigate",
    "requested to mark for no downsample, but file already exists; this should not happen; "
    "investigate",
};

an_rc an_loop_mark(an_loop *l, const an_log *log, const an_plan_block *b, const an_mark *what,
                   bool *written, an_err *err)
{
    an_rc rc = AN_OK;
    an_mark m = *what;
    an_mark_kind kind = what->kind;
    an_mark_written how;
    an_ctx ctx;
    char id[AN_ULID_TEXT + 1];

    if (kind == AN_MARK_DELETION && b->deletion != NULL)
        return AN_OK; /* upstream warns each time */
    an_ulid_format(b->id, id);
    m.has_id = true;
    m.id = b->id;
    m.version = 1;
    m.time_s = an_loop_now_ms(l) / 1000;
    /* Not the context of the run: a shutdown does not cut this short. */
    an_ctx_init(&ctx, NULL);
    ctx.deadline_mono_ms = an_mono_ms() + MARK_WITHIN_MS;
    /* A deletion mark that nobody can read would keep the block for ever. */
    an_mark_over over = kind == AN_MARK_DELETION ? AN_MARK_OVER_UNREADABLE : AN_MARK_OVER_NOTHING;
    if ((rc = an_mark_put(l->o.bucket, &ctx, &m, over, &how, err)) != AN_OK) {
        an_err_wrap(err, "mark block %s with %s", id, an_mark_file[kind]);
        return rc;
    }
    if (how == AN_MARK_WRITTEN || how == AN_MARK_REPLACED) {
        if (written != NULL) *written = true;
        AN_LOG(log, AN_LOG_INFO, done_msg[kind], AN_STR("block", id),
               AN_TEXT("details", what->details));
        if (how == AN_MARK_REPLACED) {
            AN_LOG(log, AN_LOG_WARN, "the new mark replaces one that nobody could read",
                   AN_STR("block", id), AN_STR("mark", an_mark_file[kind]));
        }
    } else {
        AN_LOG(log, AN_LOG_WARN, there_msg[kind], AN_STR("block", id),
               AN_STR("err", how == AN_MARK_THERE
                                 ? "file already exists in bucket: another compactor or an "
                                   "operator has marked the block meanwhile"
                                 : "a file that is no mark is there"));
    }
    return AN_OK;
}
