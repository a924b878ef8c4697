// SPDX-License-Identifier: Apache-2.0
#include "compact/dedup/penalty.h"

#include "tsdb/chunk/aggr.h"

enum { FIRST_PENALTY_MS = 5000 };

/* dedup(a, b), or one stream alone (a is NULL). */
struct an_penalty_node {
    an_penalty_node *a;
    an_feed *b;
    int64_t last; /* time of the present sample; of a lone stream that of its feed */
    int64_t penalty_a, penalty_b;
    bool use_a, live_a, live_b;
};

/* Times of damaged chunks may be anything. Nothing wraps: a time to seek never lies before. */
static int64_t later(int64_t t, int64_t by)
{
    int64_t sum;

    return __builtin_add_overflow(t, by, &sum) ? INT64_MAX : sum;
}

static int64_t penalty_of(int64_t last, int64_t now)
{
    int64_t twice;

    if (last == INT64_MIN) return FIRST_PENALTY_MS;
    if (__builtin_sub_overflow(now, last, &twice) || __builtin_mul_overflow(twice, 2, &twice))
        return INT64_MAX;
    return twice;
}

static inline an_rc feed_seek(an_feed *f, int64_t t, an_err *err)
{
    an_rc rc = AN_OK;

    while (f->live && f->t < t) AN_TRY(an_feed_next(f, err));
out:
    return rc;
}

static inline int64_t node_t(const an_penalty_node *n) { return n->a == NULL ? n->b->t : n->last; }

static an_feed *node_feed(const an_penalty_node *n)
{
    while (n->a != NULL && n->use_a) n = n->a;
    return n->b;
}

static an_rc node_seek(an_penalty_node *n, int64_t t, bool *live, an_err *err);

/* Both sides stand where they sought to: which one is it? */
static void choose(an_penalty_node *n)
{
    int64_t ta = node_t(n->a), tb = n->b->t;

    n->use_a = ta <= tb;
    if (n->use_a) {
        n->penalty_b = penalty_of(n->last, ta);
        n->penalty_a = 0;
        n->last = ta;
    } else {
        n->penalty_a = penalty_of(n->last, tb);
        n->penalty_b = 0;
        n->last = tb;
    }
}

/* The next sample of dedup(a, b). Recursion goes down one stream at a time: AN_PENALTY_DEPTH. */
static an_rc node_next(an_penalty_node *n, bool *live, an_err *err)
{
    an_rc rc = AN_OK;

    /* A side that only hands through what its own a has is left out from now on. */
    while (n->a->a != NULL && !n->a->live_b && n->a->use_a) n->a = n->a->a;
    AN_TRY(node_seek(n->a, later(later(n->last, 1), n->penalty_a), &n->live_a, err));
    if (n->live_b) {
        AN_TRY(feed_seek(n->b, later(later(n->last, 1), n->penalty_b), err));
        n->live_b = n->b->live;
    }
    *live = n->live_a || n->live_b;
    if (!*live) goto out;
    if (!n->live_a) {
        n->a = NULL; /* b alone: it is sought from its present time on, as is due without penalty */
        goto out;
    }
    if (n->live_b) {
        choose(n);
    } else {
        n->use_a = true;
        n->last = node_t(n->a);
        n->penalty_a = 0;
    }
out:
    return rc;
}

static an_rc node_seek(an_penalty_node *n, int64_t t, bool *live, an_err *err)
{
    an_rc rc = AN_OK;

    *live = true;
    while (n->a != NULL && n->last < t && *live) AN_TRY(node_next(n, live, err));
    if (n->a == NULL && *live) {
        AN_TRY(feed_seek(n->b, t, err));
        *live = n->b->live;
    }
out:
    return rc;
}

/* The first stream ahead joins, as b of a new node; it stands where all that are ahead stand. */
static an_rc join(an_penalty *p, an_err *err)
{
    an_rc rc = AN_OK;
    unsigned depth = 0;
    an_penalty_node *n = an_arena_try(p->arena, 1, sizeof *n);

    AN_CHECK(n != NULL, err, AN_ELIMIT, "no memory for another stream of a deduplication");
    for (an_penalty_node *k = p->root; k != NULL; k = k->a) depth++;
    AN_CHECK(depth < AN_PENALTY_DEPTH, err, AN_ELIMIT,
             "deduplication of more than %d chunks at one time", (int)AN_PENALTY_DEPTH);
    *n = (an_penalty_node){p->root, p->ahead, p->last, 0, p->penalty, true, p->root != NULL, true};
    p->root = n;
    p->ahead++;
    p->ahead_least++;
    p->n_ahead--;
out:
    return rc;
}

an_rc an_penalty_open(an_penalty *p, an_readers *readers, const an_piece *const *pieces, size_t n,
                      an_err *err)
{
    an_rc rc = AN_OK;

    *p = (an_penalty){.arena = readers->arena, .last = INT64_MIN};
    an_feed *feeds = an_arena_try(p->arena, n, sizeof *feeds);
    int64_t *least = an_arena_try(p->arena, n, sizeof *least);
    AN_CHECK(feeds != NULL && least != NULL, err, AN_ELIMIT, "no memory to deduplicate %zu chunks",
             n);
    size_t live = 0;
    for (size_t i = 0; i < n; i++) {
        AN_TRY(an_feed_open(&feeds[live], readers, pieces[i], err));
        if (feeds[live].live) live++; /* one without samples hands its partner through */
    }
    for (size_t i = live; i-- > 0;)
        least[i] = i + 1 < live && least[i + 1] < feeds[i].t ? least[i + 1] : feeds[i].t;
    p->ahead = feeds;
    p->ahead_least = least;
    p->n_ahead = live;
    p->alone = n == 1;
out:
    return rc;
}

/* One stream is not compared with anything: equal and falling times stay. */
static an_rc next_alone(an_penalty *p, an_feed **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_feed *f = p->ahead;

    if (p->begun) AN_TRY(an_feed_next(f, err));
    p->begun = true;
    *out = f->live ? f : NULL;
    if (!f->live) p->begun = false; /* asked again, it says so again */
out:
    return rc;
}

an_rc an_penalty_next(an_penalty *p, an_feed **out, an_err *err)
{
    an_rc rc = AN_OK;
    bool live = false;
    if (p->alone) return next_alone(p, out, err);
    int64_t reach = p->last == INT64_MIN ? INT64_MIN : later(later(p->last, 1), p->penalty);

    *out = NULL;
    /* Whoever would have to seek now joins before. */
    while (p->root != NULL && p->n_ahead > 0 && *p->ahead_least < reach) AN_TRY(join(p, err));
    if (p->root != NULL) {
        if (p->last == INT64_MAX) return AN_OK; /* nothing can follow */
        AN_TRY(node_seek(p->root, p->last + 1, &live, err));
        if (!live) p->root = NULL;
    }
    if (p->root == NULL) { /* all have ended: the next one goes on without a penalty */
        if (p->n_ahead == 0) return AN_OK;
        AN_TRY(join(p, err));
    }
    int64_t t = node_t(p->root);
    while (p->n_ahead > 0 && *p->ahead_least < t) {
        AN_TRY(join(p, err));
        choose(p->root);
        t = p->root->last;
    }
    p->penalty = penalty_of(p->last, t);
    p->last = t;
    *out = node_feed(p->root);
out:
    return rc;
}

/* Samples of one type meet; with start timestamps or without makes no difference. */
static bool same_kind(const an_piece *a, const an_piece *b)
{
    return a->codec->type == b->codec->type;
}

bool an_penalty_applies(const an_piece *const *others, size_t n)
{
    an_err err;
    an_aggr_part part;

    for (size_t i = 0; i < n; i++) {
        if (others[i]->codec->type != AN_VAL_NONE) return true;
        if (an_aggr_get(others[i]->data, AN_AGGR_COUNT, &part, &err) == AN_OK) return true;
    }
    return false;
}

static an_rc samples_group(an_readers *readers, an_reencoder *re, const an_piece *const *pieces,
                           size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    an_penalty p;
    an_feed *f;
    an_sample s;

    AN_TRY(an_penalty_open(&p, readers, pieces, n, err));
    for (;;) {
        AN_TRY(an_penalty_next(&p, &f, err));
        if (f == NULL) break;
        AN_TRY(an_feed_sample(f, &s, err));
        AN_TRY(an_reencode_sample(re, &s, err));
    }
    rc = an_reencode_end(re, err);
out:
    return rc;
}

/* The aggregates of a group: their five streams, and where their chunks go. */
typedef struct aggregates {
    an_penalty stream[AN_AGGR__COUNT];
    bool present[AN_AGGR__COUNT];
    an_chunk_enc enc[AN_AGGR__COUNT];
    an_arena *arena;
    an_chunk_sink sink;
} aggregates;

/* The samples of one aggregate in [mint, maxt] as a chunk, or nothing. The sample that ends the
 * range is gone afterwards: upstream's next chunk lacks it, too. */
static an_rc take_range(aggregates *g, int which, int64_t mint, int64_t maxt, an_aggr_part *out,
                        an_err *err)
{
    an_rc rc = AN_OK;
    const an_chunk_codec *xor = an_chunk_codec_of(AN_ENC_XOR);
    an_chunk_enc *e = &g->enc[which];
    an_sample s = {0};

    *out = (an_aggr_part){NULL, {NULL, 0}};
    if (!g->present[which]) return AN_OK;
    an_chunk_start(e, xor);
    for (;;) {
        an_feed *f;
        AN_TRY(an_penalty_next(&g->stream[which], &f, err));
        if (f == NULL || f->t > maxt) break;
        if (f->t < mint) continue;
        AN_TRY(an_feed_sample(f, &s, err));
        AN_CHECK(e->n + 1 < xor->max_samples, err, AN_ELIMIT,
                 "aggregate %s has more than %u samples between two counts", an_aggr_name(which),
                 xor->max_samples);
        AN_TRY(xor->floats(e, 1, &s.t, &s.v, NULL, err));
    }
    if (e->n == 0 || (s.t == 0 && an_float(s.v) == 0)) goto out; /* as upstream tells "none" */
    if (which == AN_AGGR_COUNTER) AN_TRY(xor->floats(e, 1, &s.t, &s.v, NULL, err));
    *out = (an_aggr_part){xor, an_chunk_finish(e)};
out:
    return rc;
}

/* A chunk of counts is done: the other aggregates of its range go with it. */
static an_rc with_counts(void *arg, const an_chunk_out *count, an_err *err)
{
    an_rc rc = AN_OK;
    aggregates *g = arg;
    an_aggr aggr;
    an_buf payload;

    an_buf_init(&payload, AN_CHUNK_BYTES_MAX, NULL);
    aggr.part[AN_AGGR_COUNT] = (an_aggr_part){an_chunk_codec_of(count->encoding), count->data};
    for (int i = AN_AGGR_SUM; i < AN_AGGR__COUNT; i++)
        AN_TRY(take_range(g, i, count->mint, count->maxt, &aggr.part[i], err));
    an_aggr_write(&payload, &aggr);
    AN_CHECK(!payload.failed, err, AN_ELIMIT, "no memory for an aggregate chunk");
    an_chunk_out c = {count->mint, count->maxt, count->n, AN_ENC_AGGR, an_buf_slice(&payload)};
    rc = g->sink.chunk(g->sink.arg, &c, err);
out:
    an_buf_deinit(&payload);
    return rc;
}

/* The parts of one aggregate in all chunks, in the order they are folded in: `first` comes last. */
static an_rc open_aggregate(aggregates *g, int which, an_readers *readers,
                            const an_piece *const *pieces, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    size_t found = 0;
    an_err why;
    an_piece *parts = an_arena_try(g->arena, n, sizeof *parts);
    const an_piece **list = (const an_piece **)an_arena_try(g->arena, n, sizeof *list);

    AN_CHECK(parts != NULL && list != NULL, err, AN_ELIMIT,
             "no memory to deduplicate the aggregates of %zu chunks", n);
    for (size_t i = 0; i < n; i++) {
        const an_piece *p = pieces[(i + 1) % n];
        an_aggr_part part;
        if (an_aggr_get(p->data, which, &part, &why) != AN_OK) continue; /* absent, as upstream */
        if (part.codec->type != AN_VAL_FLOAT) {
            rc = AN_FAIL(err, AN_EUNSUPPORTED,
                         "overlapping chunks with aggregate %s of histograms are not merged",
                         an_aggr_name(which));
            an_err_at(err, p->block, NULL, (int64_t)p->ref);
            goto out;
        }
        parts[found] = *p;
        parts[found].codec = part.codec;
        parts[found].data = part.data;
        list[found] = &parts[found];
        found++;
    }
    g->present[which] = found > 0;
    if (found > 0) rc = an_penalty_open(&g->stream[which], readers, list, found, err);
out:
    return rc;
}

static an_rc aggregates_group(an_readers *readers, an_reencoder *re, const an_piece *const *pieces,
                              size_t n, an_chunk_sink sink, an_err *err)
{
    an_rc rc = AN_OK;
    aggregates *g = an_arena_try(readers->arena, 1, sizeof *g);
    an_sample s;

    AN_CHECK(g != NULL, err, AN_ELIMIT, "no memory to deduplicate aggregates");
    g->arena = readers->arena;
    g->sink = sink;
    for (int i = 0; i < AN_AGGR__COUNT; i++) {
        an_chunk_enc_init(&g->enc[i], g->arena);
        AN_TRY(open_aggregate(g, i, readers, pieces, n, err));
    }
    AN_CHECK(g->present[AN_AGGR_COUNT], err, AN_ECORRUPT,
             "overlapping aggregate chunks without a count");
    an_reencode_begin(re, (an_chunk_sink){with_counts, g});
    for (;;) {
        an_feed *f;
        AN_TRY(an_penalty_next(&g->stream[AN_AGGR_COUNT], &f, err));
        if (f == NULL) break;
        AN_TRY(an_feed_sample(f, &s, err));
        AN_TRY(an_reencode_sample(re, &s, err));
    }
    rc = an_reencode_end(re, err);
out:
    return rc;
}

an_rc an_penalty_group(an_readers *readers, an_reencoder *re, const an_piece *first,
                       const an_piece *const *others, size_t n, an_chunk_sink sink, an_err *err)
{
    an_rc rc = AN_OK;
    size_t found = 0;
    const an_piece **same = (const an_piece **)an_arena_try(readers->arena, n + 1, sizeof *same);

    AN_CHECK(same != NULL, err, AN_ELIMIT, "no memory to deduplicate %zu chunks", n);
    same[found++] = first;
    for (size_t i = 0; i < n; i++)
        if (same_kind(first, others[i])) same[found++] = others[i];
    if (first->codec->type == AN_VAL_NONE)
        return aggregates_group(readers, re, same, found, sink, err);
    an_reencode_begin(re, sink);
    rc = samples_group(readers, re, same, found, err);
out:
    return rc;
}
