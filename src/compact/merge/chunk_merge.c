// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/chunk_merge.h"

#include "base/heap.h"
#include "compact/dedup/penalty.h"
#include "compact/merge/chain.h"

/* A chunk on its way: one of the task, or a new one. */
typedef struct piece {
    an_piece p;
    const an_task_chunk *whole; /* the chunk of the task, if it is as it was */
} piece;

/* Chunks made on the way, in order of time: what is left of one that was cut, or of a group. */
typedef struct made {
    piece *v;
    size_t n, at, cap;
} made;

typedef struct stream {
    const an_task_member *member; /* NULL: only what was made */
    size_t at;                    /* next chunk of it */
    made made;                    /* comes before that one */
    piece head;
} stream;

typedef struct merger {
    an_arena *arena;
    an_task_out *out;
    an_merge_func func;
    an_readers readers;
    an_reencoder *re; /* made with the first group */
    an_trimmer *tr;   /* made with the first cut */
    an_heap heap;     /* of streams */
    size_t heap_cap;
    made *filling; /* where new chunks go */
    piece *group;  /* the chunks of an overlap, without the first */
    size_t n_group, group_cap;
    const an_piece **list; /* the same, as the merges want them */
    size_t list_cap;
} merger;

static an_rc no_memory(an_err *err)
{
    return AN_FAIL(err, AN_ELIMIT, "no memory for merging the chunks of a series");
}

/* Room for one more element in an array that lives in the arena. */
static void *grown(an_arena *a, void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap) return v;
    size_t more = *cap == 0 ? 16 : *cap * 2;
    void *w = an_arena_try(a, more, size);

    if (w == NULL) return NULL;
    if (n > 0) memcpy(w, v, n * size);
    *cap = more;
    return w;
}

/* The sink of everything that is encoded: a new chunk in m->filling. */
static an_rc keep_chunk(void *arg, const an_chunk_out *c, an_err *err)
{
    merger *m = arg;
    made *to = m->filling;
    uint8_t *data = an_arena_try(m->arena, c->data.n, 1);
    piece *v = grown(m->arena, to->v, to->n, &to->cap, sizeof *v);

    if (data == NULL || v == NULL) return no_memory(err);
    memcpy(data, c->data.p, c->data.n);
    to->v = v;
    v[to->n++] = (piece){.p = {.mint = c->mint,
                               .maxt = c->maxt,
                               .codec = an_chunk_codec_of(c->encoding),
                               .data = an_slice_of(data, c->data.n)}};
    return AN_OK;
}

static an_rc cut_chunk(merger *m, stream *s, const an_task_chunk *c, const an_chunk_codec *codec,
                       an_err *err)
{
    an_rc rc = AN_OK;

    s->made.n = s->made.at = 0;
    if (codec->type == AN_VAL_NONE) return AN_OK; /* as a whole */
    if (m->tr == NULL) {
        an_trimmer *tr = an_arena_try(m->arena, 1, sizeof *tr);
        if (tr == NULL) return no_memory(err);
        an_trimmer_init(tr, m->arena);
        m->tr = tr;
    }
    m->filling = &s->made;
    rc = an_chunk_trim(m->tr, codec, c->data, s->member->cuts, (an_chunk_sink){keep_chunk, m}, err);
    if (rc != AN_OK) {
        an_err_wrap(err, "iterate chunk while re-encoding");
        an_err_at(err, s->member->block, NULL, (int64_t)c->ref);
    }
    return rc;
}

/* The stream's next chunk is its head; false at its end. */
static an_rc advance(merger *m, stream *s, bool *more, an_err *err)
{
    an_rc rc = AN_OK;

    for (*more = true;;) {
        if (s->made.at < s->made.n) {
            s->head = s->made.v[s->made.at++];
            goto out;
        }
        if (s->member == NULL || s->at == s->member->n_chunks) break;
        const an_task_chunk *c = &s->member->chunks[s->at++];
        const an_chunk_codec *codec = an_chunk_codec_of(c->encoding);
        an_assert(codec != NULL); /* the frame was checked */
        if (c->cut) {
            AN_TRY(cut_chunk(m, s, c, codec, err));
            continue;
        }
        s->head = (piece){{c->mint, c->maxt, codec, c->data, s->member->block, c->ref}, c};
        goto out;
    }
    *more = false;
out:
    return rc;
}

static bool earlier(const void *a, const void *b)
{
    const an_piece *pa = &((const stream *)a)->head.p, *pb = &((const stream *)b)->head.p;

    return pa->mint != pb->mint ? pa->mint < pb->mint : pa->maxt < pb->maxt;
}

static an_rc push(merger *m, stream *s, an_err *err)
{
    void **v = (void **)grown(m->arena, (void *)m->heap.v, m->heap.n, &m->heap_cap, sizeof *v);

    if (v == NULL) return no_memory(err);
    m->heap.v = v;
    an_heap_push(&m->heap, s, earlier);
    return AN_OK;
}

/* Takes the earliest chunk; its stream goes back with the next one. */
static an_rc take(merger *m, piece *out, an_err *err)
{
    an_rc rc = AN_OK;
    stream *s = an_heap_pop(&m->heap, earlier);
    bool more;

    *out = s->head;
    AN_TRY(advance(m, s, &more, err));
    if (more) rc = push(m, s, err);
out:
    return rc;
}

static void emit(merger *m, const piece *c)
{
    if (c->whole != NULL)
        an_task_pass(m->out, c->whole);
    else
        an_task_emit(m->out, c->p.mint, c->p.maxt, c->p.codec->encoding, c->p.data);
}

static bool same_chunk(const piece *a, const piece *b)
{
    return a->p.mint == b->p.mint && a->p.maxt == b->p.maxt && an_slice_eq(a->p.data, b->p.data);
}

/* What overlaps with `first`, transitively, into m->group. */
static an_rc collect(merger *m, const piece *first, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t end = first->p.maxt;
    piece prev = *first;

    m->n_group = 0;
    while (m->heap.n > 0) {
        const stream *top = m->heap.v[0];
        piece next = top->head;

        if (next.p.mint > end) break;
        if (!same_chunk(&next, &prev)) {
            piece *v = grown(m->arena, m->group, m->n_group, &m->group_cap, sizeof *v);
            if (v == NULL) return no_memory(err);
            m->group = v;
            v[m->n_group++] = next;
            if (next.p.maxt > end) end = next.p.maxt;
            prev = next;
        }
        AN_TRY(take(m, &next, err));
    }
out:
    return rc;
}

static an_rc chain_group(merger *m, const piece *first, an_err *err)
{
    an_rc rc = AN_OK;

    m->list[m->n_group] = &first->p; /* the first chunk comes last */
    for (size_t i = 0; i <= m->n_group; i++) {
        if (m->list[i]->codec->type != AN_VAL_NONE) continue;
        rc = AN_FAIL(err, AN_EHALT,
                     "overlapping chunks of downsampled data, [%lld, %lld] and [%lld, %lld]",
                     (long long)first->p.mint, (long long)first->p.maxt,
                     (long long)m->group[0].p.mint, (long long)m->group[0].p.maxt);
        an_err_cause(err, AN_CAUSE_VERTICAL_DOWNSAMPLED);
        an_err_at(err, m->list[i]->block, NULL, (int64_t)m->list[i]->ref);
        goto out;
    }
    an_reencode_begin(m->re, (an_chunk_sink){keep_chunk, m});
    AN_TRY(an_chain_merge(&m->readers, m->list, m->n_group + 1, m->re, err));
    rc = an_reencode_end(m->re, err);
out:
    return rc;
}

/* The group and `first` become new chunks; the first of them goes out. */
static an_rc merge_group(merger *m, const piece *first, an_err *err)
{
    an_rc rc = AN_OK;
    stream *rest = an_arena_try(m->arena, 1, sizeof *rest);

    if (rest == NULL) return no_memory(err);
    while (m->list_cap < m->n_group + 1) {
        m->list = (const an_piece **)grown(m->arena, (void *)m->list, m->list_cap, &m->list_cap,
                                           sizeof *m->list);
        if (m->list == NULL) return no_memory(err);
    }
    for (size_t i = 0; i < m->n_group; i++) m->list[i] = &m->group[i].p;
    if (m->func == AN_MERGE_PENALTY && !an_penalty_applies(m->list, m->n_group)) {
        emit(m, first);
        return AN_OK;
    }
    if (m->re == NULL) {
        an_reencoder *re = an_arena_try(m->arena, 1, sizeof *re);
        if (re == NULL) return no_memory(err);
        an_reencoder_init(re, m->arena);
        m->re = re;
    }
    m->filling = &rest->made;
    if (m->func == AN_MERGE_CHAIN)
        AN_TRY(chain_group(m, first, err));
    else
        AN_TRY(an_penalty_group(&m->readers, m->re, &first->p, m->list, m->n_group,
                                (an_chunk_sink){keep_chunk, m}, err));
    if (rest->made.n == 0) goto out; /* chunks without samples */
    emit(m, &rest->made.v[0]);
    rest->made.at = 1;
    bool more;
    AN_TRY(advance(m, rest, &more, err));
    if (more) rc = push(m, rest, err);
out:
    return rc;
}

static an_rc merge(an_merge_func func, an_arena *scratch, const an_task *t, an_task_out *out,
                   an_err *err)
{
    an_rc rc = AN_OK;
    merger m = {.arena = scratch, .out = out, .func = func};
    stream *streams = an_arena_try(scratch, t->n_members, sizeof *streams);
    bool more;
    piece c;

    if (streams == NULL) return no_memory(err);
    m.readers = an_readers_of(scratch);
    for (size_t i = 0; i < t->n_members; i++) {
        streams[i].member = &t->members[i];
        AN_TRY(advance(&m, &streams[i], &more, err));
        if (more) AN_TRY(push(&m, &streams[i], err));
    }
    while (m.heap.n > 0) {
        AN_TRY(take(&m, &c, err));
        m.n_group = 0;
        if (t->n_members > 1) AN_TRY(collect(&m, &c, err));
        if (m.n_group == 0)
            emit(&m, &c);
        else
            AN_TRY(merge_group(&m, &c, err));
    }
out:
    return rc;
}

static an_rc run_chain(void *arg, an_arena *scratch, const an_task *t, an_task_out *out,
                       an_err *err)
{
    (void)arg;
    return merge(AN_MERGE_CHAIN, scratch, t, out, err);
}

static an_rc run_penalty(void *arg, an_arena *scratch, const an_task *t, an_task_out *out,
                         an_err *err)
{
    (void)arg;
    return merge(AN_MERGE_PENALTY, scratch, t, out, err);
}

an_fold an_chunk_merge_fold(an_merge_func func)
{
    return (an_fold){func == AN_MERGE_CHAIN ? run_chain : run_penalty, NULL, false};
}
