// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/batch.h"

#include <stdlib.h>

#include "base/cursor.h"
#include "tsdb/segment/segment.h"

#define HUGE_MAX SIZE_MAX /* the budget is what bounds a batch's buffers */

static const an_batch_frame *frames_of(const an_batch *b)
{
    const void *v = b->frames.p;
    return v;
}
static const an_chunk_meta *metas_of(const an_batch *b)
{
    const void *v = b->metas.p;
    return v;
}
static const an_chunk_meta *results_of(const an_batch *b)
{
    const void *v = b->out.metas.p;
    return v;
}
static const an_interval *cuts_of(const an_batch *b)
{
    const void *v = b->cuts.p;
    return v;
}
static const an_batch_member *members_of(const an_batch *b)
{
    const void *v = b->members.p;
    return v;
}
static size_t n_frames(const an_batch *b) { return b->frames.n / sizeof(an_batch_frame); }
static size_t n_members(const an_batch *b) { return b->members.n / sizeof(an_batch_member); }
static an_batch_task *last_task(an_batch *b)
{
    size_t n;
    an_batch_task *v = an_batch_tasks(b, &n);
    return &v[n - 1];
}

an_rc an_batch_init(an_batch *b, const an_batch_opts *opts, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf *all[] = {&b->in,      &b->frames, &b->metas,      &b->tasks,    &b->labels,
                     &b->members, &b->cuts,   &b->out.frames, &b->out.metas};

    memset(b, 0, sizeof *b);
    b->o = *opts;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        an_buf_init(all[i], HUGE_MAX, opts->budget);
    b->scratch = an_arena_new(opts->budget);
    b->decoder = calloc(1, sizeof *b->decoder);
    b->input_samples = calloc(2 * opts->n_inputs + 1, sizeof *b->input_samples);
    an_assert(b->decoder != NULL && b->input_samples != NULL);
    b->input_plain = b->input_samples + opts->n_inputs;
    AN_CHECK(an_buf_reserve(&b->in, opts->limit), err, AN_ELIMIT,
             "no memory for a batch of %zu bytes", opts->limit);
out:
    if (rc != AN_OK) an_batch_deinit(b);
    return rc;
}

void an_batch_deinit(an_batch *b)
{
    if (b->scratch == NULL) return;
    an_buf *all[] = {&b->in,      &b->frames, &b->metas,      &b->tasks,    &b->labels,
                     &b->members, &b->cuts,   &b->out.frames, &b->out.metas};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) an_buf_deinit(all[i]);
    an_arena_free(b->scratch);
    free(b->decoder);
    free(b->input_samples);
    memset(b, 0, sizeof *b);
}

static void forget_results(an_batch *b)
{
    an_buf_clear(&b->out.frames);
    an_buf_clear(&b->out.metas);
    an_arena_reset(b->scratch);
    b->counts = (an_sample_counts){0};
    b->n_chunks = b->n_series = 0;
    b->rc = AN_OK;
    memset(b->input_samples, 0, 2 * b->o.n_inputs * sizeof *b->input_samples);
}

void an_batch_reset(an_batch *b)
{
    an_buf *all[] = {&b->in, &b->frames, &b->metas, &b->tasks, &b->labels, &b->members, &b->cuts};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) an_buf_clear(all[i]);
    forget_results(b);
    /* What has grown for one long series goes back to the budget; others wait for it. */
    if (b->in.cap > 2 * b->o.limit) an_buf_deinit(&b->in);
    if (b->out.frames.cap > 2 * b->o.limit) an_buf_deinit(&b->out.frames);
}

an_batch_mark an_batch_mark_of(const an_batch *b)
{
    return (an_batch_mark){b->in.n,     b->frames.n,  b->metas.n, b->tasks.n,
                           b->labels.n, b->members.n, b->cuts.n};
}

static void cut_back(an_buf *b, size_t n)
{
    b->n = n;
    b->failed = false;
}

void an_batch_rollback(an_batch *b, an_batch_mark m)
{
    cut_back(&b->in, m.in);
    cut_back(&b->frames, m.frames);
    cut_back(&b->metas, m.metas);
    cut_back(&b->tasks, m.tasks);
    cut_back(&b->labels, m.labels);
    cut_back(&b->members, m.members);
    cut_back(&b->cuts, m.cuts);
}

bool an_batch_empty(const an_batch *b) { return b->tasks.n == 0; }

/* Labels and records count, too: series of one small chunk each must not pile up without end. */
bool an_batch_full(const an_batch *b)
{
    return b->in.n + b->frames.n + b->metas.n + b->tasks.n + b->labels.n >= b->o.limit;
}

static an_rc no_memory(an_batch *b, an_err *err)
{
    an_rc rc = AN_OK;

    if (b->in.failed || b->frames.failed || b->metas.failed || b->tasks.failed ||
        b->labels.failed || b->members.failed || b->cuts.failed) {
        rc = AN_FAIL(err, AN_ELIMIT,
                     "no memory for the chunks of a series: a batch holds %zu bytes in %zu chunks, "
                     "its share is %zu",
                     b->in.n, n_frames(b), b->o.limit);
    }
    return rc;
}

an_rc an_batch_begin(an_batch *b, const uint32_t *labels, size_t n_labels, bool first, an_err *err)
{
    an_batch_task t = {.label = b->labels.n / sizeof *labels,
                       .n_labels = n_labels,
                       .frame = n_frames(b),
                       .member = n_members(b),
                       .first = first};

    an_buf_add(&b->labels, labels, 2 * n_labels * sizeof *labels);
    an_buf_add(&b->tasks, &t, sizeof t);
    return no_memory(b, err);
}

void an_batch_end(an_batch *b, bool last)
{
    an_batch_task *t = last_task(b);

    t->n_frames = n_frames(b) - t->frame;
    t->n_members = n_members(b) - t->member;
    t->last = last;
}

an_rc an_batch_member_end(an_batch *b, size_t input, an_intervals cuts, an_err *err)
{
    const an_batch_task *t = last_task(b);
    an_batch_member m = {
        .input = input, .frame = t->frame, .cut = b->cuts.n / sizeof *cuts.v, .n_cuts = cuts.n};

    if (n_members(b) > t->member) {
        const an_batch_member *prev = &members_of(b)[n_members(b) - 1];
        m.frame = prev->frame + prev->n_frames;
    }
    m.n_frames = n_frames(b) - m.frame;
    an_buf_add(&b->cuts, cuts.v, cuts.n * sizeof *cuts.v);
    an_buf_add(&b->members, &m, sizeof m);
    return no_memory(b, err);
}

/* Records a frame that is about to be copied to `at` in `in`. */
static void record(an_batch *b, size_t input, const an_chunk_meta *m, size_t len, size_t at)
{
    an_batch_frame f = {.ref = m->ref, .len = (uint32_t)len, .input = (uint32_t)input};
    an_chunk_meta out = {m->mint, m->maxt, at};

    an_buf_add(&b->frames, &f, sizeof f);
    an_buf_add(&b->metas, &out, sizeof out);
}

/* How long the frame is that starts at p, when all of it lies within n bytes and its length is
 * canonical; else 0. */
static size_t whole_frame(const uint8_t *p, size_t n)
{
    an_cursor c = an_cursor_of(an_slice_of(p, n < AN_FRAME_LEN_MAX ? n : AN_FRAME_LEN_MAX));
    size_t most = c.left;
    uint64_t len = an_cursor_uvarint(&c);
    size_t head = most - c.left;

    if (c.bad || len > n || head + 1 + len + AN_FRAME_CRC > n) return 0;
    if (head > 1 && p[head - 1] == 0) return 0;
    return head + 1 + (size_t)len + AN_FRAME_CRC;
}

/* The run of frames that lie one behind the other in v, first of them m[0]: one copy. */
static size_t take_run(an_batch *b, size_t input, an_slice v, const an_chunk_meta *m, size_t n,
                       bool whole)
{
    size_t k = 0, end = 0;

    while (k < n && m[k].ref == m[0].ref + end) {
        size_t len = whole_frame(v.p + end, v.n - end);
        if (len == 0) break;
        if (!whole && b->in.n + end + len > b->o.limit) break;
        record(b, input, &m[k], len, b->in.n + end);
        end += len;
        k++;
    }
    an_buf_add(&b->in, v.p, end);
    return k;
}

/* One frame that is longer than what is at hand, or written with a padded length. */
static an_rc take_one(an_batch *b, size_t input, an_chunk_reader *c, const an_chunk_meta *m,
                      bool whole, bool *taken, an_err *err)
{
    an_rc rc = AN_OK;
    an_frame_size s;
    uint8_t head[10];

    *taken = false;
    AN_TRY(an_frame_measure(c, m->ref, &s, err));
    size_t body = (size_t)s.total - s.head, n_head = an_put_uvarint(head, s.data);
    if (!whole && b->in.n > 0 && b->in.n + n_head + body > b->o.limit) goto out;
    if (!an_buf_reserve(&b->in, n_head + body)) {
        AN_TRY(an_frame_check_long(c, m->ref, &s, err));
        rc = AN_FAIL(err, AN_ELIMIT, "no memory for a chunk of %llu bytes",
                     (unsigned long long)s.total);
        (void)an_block_reader_chunk_err(c->block, m->ref, err);
        goto out;
    }
    uint8_t *to = b->in.p + b->in.n;
    memcpy(to, head, n_head);
    AN_TRY(an_chunk_reader_copy(c, m->ref + s.head, body, to + n_head, err));
    record(b, input, m, n_head + body, b->in.n);
    b->in.n += n_head + body;
    *taken = true;
out:
    return rc;
}

an_rc an_batch_take(an_batch *b, size_t input, an_chunk_reader *c, const an_chunk_meta *m, size_t n,
                    bool whole, size_t *taken, an_err *err)
{
    an_rc rc = AN_OK;
    size_t i = 0;

    while (i < n) {
        an_slice v;
        AN_TRY(an_chunk_reader_view(c, m[i].ref, 1, &v, err));
        size_t k = take_run(b, input, v, m + i, n - i, whole);
        if (k == 0) {
            bool one;
            AN_TRY(take_one(b, input, c, m + i, whole, &one, err));
            if (!one) break;
            k = 1;
        }
        AN_TRY(no_memory(b, err));
        i += k;
    }
out:
    *taken = i;
    return rc;
}

static an_rc check_frame(an_batch *b, size_t i, an_frame_info *info)
{
    const an_batch_frame *f = &frames_of(b)[i];
    an_slice frame = an_slice_of(b->in.p + metas_of(b)[i].ref, f->len);
    const an_block_reader *block = b->o.inputs[f->input];

    an_rc rc = an_frame_check(frame, block, b->decoder, info, &b->err);
    if (rc != AN_OK) {
        an_err_wrap(&b->err, "cannot populate chunk %llu from block %s", (unsigned long long)f->ref,
                    block->id);
        return an_block_reader_chunk_err(block, f->ref, &b->err);
    }
    b->input_samples[f->input] += info->samples;
    b->input_plain[f->input] +=
        info->encoding != AN_ENC_AGGR && block->meta->thanos.resolution != AN_RES_RAW;
    return rc;
}

/* The task with pointers instead of numbers; every frame is checked on the way. */
static an_rc build_task(an_batch *b, const an_batch_task *t, an_task *out)
{
    an_task_member *members = an_arena_alloc(b->scratch, t->n_members * sizeof *members);
    an_task_chunk *chunks = an_arena_try(b->scratch, t->n_frames, sizeof *chunks);
    const an_chunk_meta *metas = metas_of(b);

    if (chunks == NULL)
        return AN_FAIL(&b->err, AN_ELIMIT, "no memory to merge %zu chunks", t->n_frames);
    for (size_t j = 0; j < t->n_members; j++) {
        const an_batch_member *m = &members_of(b)[t->member + j];
        const an_interval *cuts = cuts_of(b); /* may be NULL */
        an_task_chunk *v = chunks + (m->frame - t->frame);
        an_intervals *in = &members[j].cuts;

        members[j].input = m->input;
        members[j].block = b->o.inputs[m->input]->id;
        members[j].n_chunks = m->n_frames;
        members[j].chunks = v;
        in->n = m->n_cuts;
        in->v = an_arena_alloc(b->scratch, (m->n_cuts + 1) * sizeof *cuts);
        if (m->n_cuts > 0) memcpy(in->v, cuts + m->cut, m->n_cuts * sizeof *cuts);
        for (size_t i = 0; i < m->n_frames; i++) {
            size_t f = m->frame + i;
            an_frame_info info;
            an_rc rc = check_frame(b, f, &info);
            if (rc != AN_OK) return rc;
            v[i] =
                (an_task_chunk){.mint = metas[f].mint,
                                .maxt = metas[f].maxt,
                                .ref = frames_of(b)[f].ref,
                                .encoding = info.encoding,
                                .data = info.data,
                                .frame = an_slice_of(b->in.p + metas[f].ref, frames_of(b)[f].len)};
            v[i].cut = an_intervals_overlap(*in, (an_interval){v[i].mint, v[i].maxt});
        }
    }
    *out = (an_task){b->o.inputs[0]->meta->thanos.resolution, t->n_members, members};
    return AN_OK;
}

/* What the fold has appended: counted as any other chunk. */
static void count_results(an_batch *b, const an_batch_task *t)
{
    const an_chunk_meta *m = results_of(b);

    for (size_t i = t->out; i < t->out + t->n_out; i++) {
        an_cursor c = an_cursor_of(
            an_slice_of(b->out.frames.p + m[i].ref, b->out.frames.n - (size_t)m[i].ref));
        uint64_t len = an_cursor_uvarint(&c);
        uint8_t encoding = an_cursor_u8(&c);
        an_slice data = an_cursor_take(&c, len);
        an_sample_counts_add(&b->counts, encoding, an_frame_samples(encoding, data));
    }
}

/* A fold names a chunk by block and ref. That it could not be decoded although its CRC is good says
 * that its header or its payload lies: cause chunk-count, unless it says otherwise. */
static an_rc locate(const an_batch *b, an_err *err)
{
    uint64_t ref = (uint64_t)err->offset;

    for (size_t i = 0; i < b->o.n_inputs && err->offset >= 0; i++) {
        if (strcmp(b->o.inputs[i]->id, err->block) != 0) continue;
        err->offset = -1;
        (void)an_block_reader_chunk_err(b->o.inputs[i], ref, err);
        if (err->rc == AN_ECORRUPT && err->cause == AN_CAUSE_NONE)
            (void)an_err_cause(err, AN_CAUSE_CHUNK_COUNT);
        break;
    }
    return err->rc;
}

/* The chunk whose samples lie outside of its block, although its index says otherwise. */
static an_rc find_stray(an_batch *b, const an_task *task)
{
    for (size_t j = 0; j < task->n_members; j++) {
        const an_task_member *m = &task->members[j];
        const an_block_reader *block = b->o.inputs[m->input];
        for (size_t i = 0; i < m->n_chunks; i++) {
            const an_chunk_codec *codec = an_chunk_codec_of(m->chunks[i].encoding);
            an_chunk_info info;
            an_err ignored;
            if (codec == NULL ||
                an_chunk_validate(b->decoder, codec, m->chunks[i].data, &info, &ignored) != AN_OK)
                continue;
            if (info.n == 0 || (info.min_t >= block->meta->mint && info.max_t <= block->meta->maxt))
                continue;
            (void)AN_FAIL(&b->err, AN_EHALT,
                          "chunk %llu of block %s has samples from %lld to %lld, its block ends at "
                          "[%lld, %lld]",
                          (unsigned long long)m->chunks[i].ref, block->id, (long long)info.min_t,
                          (long long)info.max_t, (long long)block->meta->mint,
                          (long long)block->meta->maxt);
            return an_block_reader_chunk_err(block, m->chunks[i].ref, &b->err);
        }
    }
    return AN_FAIL(&b->err, AN_EHALT, "merged samples leave the range of the result");
}

/* Upstream verifies its result and halts. Passing chunks have been checked with their index. */
static an_rc check_range(an_batch *b, const an_batch_task *t, const an_task *task)
{
    const an_chunk_meta *m = results_of(b);

    for (size_t i = t->out; i < t->out + t->n_out; i++) {
        if (m[i].mint >= b->o.mint && m[i].maxt <= b->o.maxt) continue;
        (void)find_stray(b, task);
        return an_err_cause(&b->err, AN_CAUSE_OUTSIDE_CHUNKS);
    }
    return AN_OK;
}

static an_rc run_fold(an_batch *b, an_batch_task *t)
{
    an_rc rc = AN_OK;
    an_task task;

    an_arena_reset(b->scratch);
    an_chunk_iter_init(b->decoder, b->scratch);
    if ((rc = build_task(b, t, &task)) != AN_OK) return rc;
    t->out = b->out.metas.n / sizeof(an_chunk_meta);
    if (b->o.fold->run(b->o.fold->arg, b->scratch, &task, &b->out, &b->err) != AN_OK)
        return locate(b, &b->err);
    if (b->out.frames.failed || b->out.metas.failed)
        return AN_FAIL(&b->err, AN_ELIMIT, "no memory for merged chunks beyond %zu bytes",
                       b->out.frames.n);
    t->n_out = b->out.metas.n / sizeof(an_chunk_meta) - t->out;
    if ((rc = check_range(b, t, &task)) != AN_OK) return rc;
    count_results(b, t);
    b->n_chunks += t->n_out;
    if (t->n_out > 0) b->n_series++;
    return rc;
}

static an_rc run_pass(an_batch *b, const an_batch_task *t)
{
    for (size_t i = t->frame; i < t->frame + t->n_frames; i++) {
        an_frame_info info;
        an_rc rc = check_frame(b, i, &info);
        if (rc != AN_OK) return rc;
        an_sample_counts_add(&b->counts, info.encoding, info.samples);
    }
    b->n_chunks += t->n_frames;
    if (t->last) b->n_series++;
    return AN_OK;
}

void an_batch_work(an_batch *b)
{
    size_t n;
    an_batch_task *tasks = an_batch_tasks(b, &n);

    forget_results(b);
    an_chunk_iter_init(b->decoder, b->scratch);
    for (size_t i = 0; i < n && b->rc == AN_OK; i++) {
        b->bad_task = i;
        b->rc = tasks[i].n_members > 0 ? run_fold(b, &tasks[i]) : run_pass(b, &tasks[i]);
    }
}
