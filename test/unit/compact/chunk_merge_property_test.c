// SPDX-License-Identifier: Apache-2.0
/* Merges at random against a plain, slow reference: whole lists of samples, the specification's
 * steps word by word (compaction.md 6.4 to 6.6, 7.1, 7.2), a heap that swaps. */
#include "compact/dedup/penalty.h"
#include "tsdb/chunk/reencode.h"
#include "unit/compact/task_builder.h"

enum { ROUNDS = 200, SAMPLES_MAX = 4096, STREAMS_MAX = 1024 };

static uint64_t seed;

/* A chunk of the reference: its range, bytes, and samples. */
typedef struct ref_chunk {
    int64_t mint, maxt;
    uint8_t encoding;
    an_slice data;
    size_t n;
    const an_sample *s;
} ref_chunk;

typedef struct ref_list {
    size_t n, at;
    ref_chunk v[STREAMS_MAX];
} ref_list;

/* A heap of pointers as in 6.5, with swaps. */
typedef struct ref_heap {
    size_t n;
    void *v[STREAMS_MAX];
    bool (*less)(const void *, const void *);
} ref_heap;

static void swap(ref_heap *h, size_t i, size_t j)
{
    void *x = h->v[i];
    h->v[i] = h->v[j];
    h->v[j] = x;
}

static void ref_push(ref_heap *h, void *x)
{
    size_t j = h->n++;
    assert_true(h->n <= STREAMS_MAX);
    h->v[j] = x;
    for (; j > 0 && h->less(h->v[j], h->v[(j - 1) / 2]); j = (j - 1) / 2) swap(h, j, (j - 1) / 2);
}

static void *ref_pop(ref_heap *h)
{
    size_t n = h->n - 1, i = 0;
    swap(h, 0, n);
    for (;;) {
        size_t j = 2 * i + 1;
        if (j >= n) break;
        if (j + 1 < n && h->less(h->v[j + 1], h->v[j])) j++;
        if (!h->less(h->v[j], h->v[i])) break;
        swap(h, i, j);
        i = j;
    }
    return h->v[h->n = n];
}

/* A stream of samples: s[at] is the present one; -1 before the first. */
typedef struct ref_stream {
    const an_sample *s;
    int64_t n, at;
} ref_stream;

static bool ref_next(ref_stream *r) { return ++r->at < r->n; }

static bool stream_less(const void *a, const void *b)
{
    const ref_stream *x = a, *y = b;
    return x->s[x->at].t < y->s[y->at].t;
}

static size_t ref_chain(ref_stream *streams, size_t n, an_sample *out)
{
    ref_heap h = {0, {NULL}, stream_less};
    ref_stream *c = &streams[0];
    int64_t last = INT64_MIN;
    size_t n_out = 0;

    for (size_t i = 1; i < n; i++)
        if (ref_next(&streams[i])) ref_push(&h, &streams[i]);
    for (;;) {
        bool live = ref_next(c);
        if (live) {
            int64_t t = c->s[c->at].t;
            if (t == last) continue;
            if (h.n == 0 || t < ((ref_stream *)h.v[0])->s[((ref_stream *)h.v[0])->at].t) {
                out[n_out++] = c->s[c->at];
                last = t;
                continue;
            }
            ref_push(&h, c);
        } else if (h.n == 0) {
            return n_out;
        }
        c = ref_pop(&h);
        if (c->s[c->at].t == last) continue;
        out[n_out++] = c->s[c->at];
        last = c->s[c->at].t;
    }
}

/* dedup(a, b) of 7.2; a leaf has no a. */
typedef struct ref_dedup {
    struct ref_dedup *a;
    ref_stream *b;
    int64_t last, pen_a, pen_b;
    bool use_a, live_a, live_b;
} ref_dedup;

static const an_sample *dedup_at(const ref_dedup *d)
{
    return d->a != NULL && d->use_a ? dedup_at(d->a) : &d->b->s[d->b->at];
}

static bool dedup_next(ref_dedup *d);

static bool stream_seek(ref_stream *r, int64_t t)
{
    while (r->at < 0 || r->s[r->at].t < t)
        if (!ref_next(r)) return false;
    return true;
}

static bool dedup_seek(ref_dedup *d, int64_t t)
{
    if (d->a == NULL) return stream_seek(d->b, t);
    while (dedup_at(d)->t < t)
        if (!dedup_next(d)) return false;
    return true;
}

static bool dedup_next(ref_dedup *d)
{
    if (d->a == NULL) return ref_next(d->b);
    if (d->live_a) d->live_a = dedup_seek(d->a, d->last + 1 + d->pen_a);
    if (d->live_b) d->live_b = stream_seek(d->b, d->last + 1 + d->pen_b);
    if (!d->live_a) {
        d->use_a = false;
        if (d->live_b) {
            d->last = d->b->s[d->b->at].t;
            d->pen_b = 0;
        }
        return d->live_b;
    }
    if (!d->live_b) {
        d->use_a = true;
        d->last = dedup_at(d->a)->t;
        d->pen_a = 0;
        return true;
    }
    int64_t ta = dedup_at(d->a)->t, tb = d->b->s[d->b->at].t, t = ta <= tb ? ta : tb;
    int64_t pen = d->last == INT64_MIN ? 5000 : 2 * (t - d->last);
    d->use_a = ta <= tb;
    d->pen_a = d->use_a ? 0 : pen;
    d->pen_b = d->use_a ? pen : 0;
    d->last = t;
    return true;
}

static size_t ref_penalty(ref_stream *streams, size_t n, an_sample *out)
{
    static ref_dedup d[STREAMS_MAX];
    size_t n_out = 0;

    d[0] = (ref_dedup){.b = &streams[0]};
    for (size_t i = 1; i < n; i++) {
        d[i] = (ref_dedup){.a = &d[i - 1], .b = &streams[i], .last = INT64_MIN, .use_a = true};
        d[i].live_a = dedup_next(d[i].a);
        d[i].live_b = ref_next(d[i].b);
    }
    while (dedup_next(&d[n - 1])) out[n_out++] = *dedup_at(&d[n - 1]);
    return n_out;
}

typedef struct kept {
    an_arena *a;
    ref_list *to;
    const an_sample *s;
} kept;

static an_rc keep(void *arg, const an_chunk_out *c, an_err *err)
{
    (void)err;
    kept *k = arg;

    assert_true(k->to->n < STREAMS_MAX);
    k->to->v[k->to->n++] =
        (ref_chunk){c->mint, c->maxt, c->encoding, an_arena_dup(k->a, c->data), c->n, k->s};
    k->s += c->n;
    return AN_OK;
}

/* Samples as chunks, by the re-encoder, which has vectors of its own. */
static void encode(an_arena *a, const an_sample *s, size_t n, ref_list *to)
{
    an_reencoder *re = an_arena_alloc(a, sizeof *re);
    kept k = {a, to, s};
    an_err err;

    an_reencoder_init(re, a);
    an_reencode_begin(re, (an_chunk_sink){keep, &k});
    for (size_t i = 0; i < n; i++) assert_int_equal(an_reencode_sample(re, &s[i], &err), AN_OK);
    assert_int_equal(an_reencode_end(re, &err), AN_OK);
}

static bool list_less(const void *a, const void *b)
{
    const ref_list *x = a, *y = b;
    const ref_chunk *p = &x->v[x->at], *q = &y->v[y->at];
    return p->mint != q->mint ? p->mint < q->mint : p->maxt < q->maxt;
}

static bool same_bytes(const ref_chunk *a, const ref_chunk *b)
{
    return a->mint == b->mint && a->maxt == b->maxt && an_slice_eq(a->data, b->data);
}

static an_vtype type_of(const ref_chunk *c) { return an_chunk_codec_of(c->encoding)->type; }

/* 6.4 or 7.1, over the lists of the members. */
static void ref_merge(an_arena *a, ref_list *members, size_t n, an_merge_func func, ref_list *out)
{
    ref_heap h = {0, {NULL}, list_less};

    for (size_t i = 0; i < n; i++)
        if (members[i].n > 0) ref_push(&h, &members[i]);
    while (h.n > 0) {
        ref_list *l = ref_pop(&h);
        ref_chunk cur = l->v[l->at++], prev = cur;
        ref_chunk *o = an_arena_alloc(a, STREAMS_MAX * sizeof *o);
        size_t n_o = 0;
        int64_t end = cur.maxt;
        if (l->at < l->n) ref_push(&h, l);
        while (h.n > 0 && ((ref_list *)h.v[0])->v[((ref_list *)h.v[0])->at].mint <= end) {
            l = ref_pop(&h);
            ref_chunk next = l->v[l->at++];
            if (!same_bytes(&next, &prev)) {
                o[n_o++] = next;
                if (next.maxt > end) end = next.maxt;
                prev = next;
            }
            if (l->at < l->n) ref_push(&h, l);
        }
        if (n_o == 0) {
            out->v[out->n++] = cur;
            continue;
        }
        ref_stream *streams = an_arena_alloc(a, (n_o + 1) * sizeof *streams);
        an_sample *s = an_arena_alloc(a, SAMPLES_MAX * sizeof *s);
        ref_list *made = an_arena_alloc(a, sizeof *made);
        size_t k = 0, n_s;
        if (func == AN_MERGE_CHAIN) {
            for (; k < n_o; k++) streams[k] = (ref_stream){o[k].s, (int64_t)o[k].n, -1};
            streams[k++] = (ref_stream){cur.s, (int64_t)cur.n, -1};
            n_s = ref_chain(streams, k, s);
        } else {
            streams[k++] = (ref_stream){cur.s, (int64_t)cur.n, -1};
            for (size_t i = 0; i < n_o; i++)
                if (type_of(&o[i]) == type_of(&cur))
                    streams[k++] = (ref_stream){o[i].s, (int64_t)o[i].n, -1};
            n_s = ref_penalty(streams, k, s);
        }
        assert_true(n_s <= SAMPLES_MAX);
        /* Decoded hints: what was read from a chunk is not a reset. */
        for (size_t i = 0; i < n_s; i++) s[i] = sample_copy(a, &s[i]);
        encode(a, s, n_s, made);
        out->v[out->n++] = made->v[0];
        made->at = 1;
        if (made->n > 1) ref_push(&h, made);
    }
}

/* A member: chunks of a random length out of one random series, decoded again, so that hints are
 * those of chunks. */
static void random_member(builder *b, ref_list *l, const an_sample *s, size_t n)
{
    an_chunk_iter *it = an_arena_alloc(b->a, sizeof *it);
    an_err err;

    an_chunk_iter_init(it, b->a);
    builder_member(b);
    for (size_t at = 0; at < n;) {
        size_t piece = 1 + below(&seed, one_in(&seed, 3) ? 8 : 130);
        ref_list part = {0};
        if (piece > n - at) piece = n - at;
        encode(b->a, s + at, piece, &part);
        for (size_t i = 0; i < part.n; i++) {
            ref_chunk *c = &part.v[i];
            an_sample *back = an_arena_alloc(b->a, c->n * sizeof *back), x = {0};
            assert_int_equal(an_chunk_iter_open(it, an_chunk_codec_of(c->encoding), c->data, &err),
                             AN_OK);
            for (size_t k = 0; k < c->n; k++) {
                assert_int_equal(an_chunk_next(it, &x, &err), AN_OK);
                back[k] = sample_copy(b->a, &x);
            }
            c->s = back;
            if (l->n == CHUNKS_MAX || l->n == STREAMS_MAX) return;
            l->v[l->n++] = *c;
            builder_chunk(b, c->encoding, c->mint, c->maxt, c->data);
        }
        at += piece;
    }
}

/* The same series as seen by a second scraper: later or earlier, with gaps. */
static size_t other_replica(builder *b, const an_sample *s, size_t n, an_sample *to)
{
    int64_t shift = one_in(&seed, 3) ? 0 : (int64_t)below(&seed, 8000) - 4000;
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        if (one_in(&seed, 30)) i += below(&seed, 20);
        if (i >= n) break;
        to[k] = sample_copy(b->a, &s[i]);
        to[k].t += shift + (one_in(&seed, 8) ? (int64_t)below(&seed, 900) : 0);
        if (k > 0 && to[k].t <= to[k - 1].t) to[k].t = to[k - 1].t + 1;
        k++;
    }
    return k;
}

static void merges_equal_the_reference(an_merge_func func)
{
    static an_sample series[400], other[400];
    static ref_list members[MEMBERS_MAX], want;
    size_t groups = 0;

    for (int round = 0; round < ROUNDS; round++) {
        builder *b = builder_new();
        result r;
        an_err err;
        size_t n = 2 + below(&seed, 5);
        bool st = one_in(&seed, 5);
        memset(members, 0, sizeof members);
        memset(&want, 0, sizeof want);
        size_t n_series = random_mixed(&seed, b->a, series, 20 + below(&seed, 250), st);
        for (size_t i = 0; i < n; i++) {
            if (one_in(&seed, 4))
                n_series = random_mixed(&seed, b->a, series, 20 + below(&seed, 250), st);
            size_t k = other_replica(b, series, n_series, other);
            random_member(b, &members[i], other, k);
        }
        assert_int_equal(fold(b, func, &r, &err), AN_OK);
        ref_merge(b->a, members, n, func, &want);
        assert_int_equal(r.n, want.n);
        for (size_t i = 0; i < r.n; i++) {
            uint8_t encoding;
            an_slice data = result_chunk(&r, i, &encoding);
            if (r.meta[i].mint != want.v[i].mint || r.meta[i].maxt != want.v[i].maxt ||
                encoding != want.v[i].encoding || !an_slice_eq(data, want.v[i].data))
                fail_msg("round %d, chunk %zu of %zu differs", round, i, r.n);
        }
        groups += r.n;
        result_free(&r);
        builder_free(b);
    }
    printf("%zu chunks compared\n", groups);
}

static void the_chain_equals_the_reference(void **state)
{
    (void)state;
    merges_equal_the_reference(AN_MERGE_CHAIN);
}

static void penalty_equals_the_reference(void **state)
{
    (void)state;
    merges_equal_the_reference(AN_MERGE_PENALTY);
}

/* Copies of one series are that series: no sample more, none less. The chain finds that out from
 * samples in other chunks, too; penalty dedup skips some where a chunk ends, so it gets the same.
 */
static void copies_of_a_series_merge_into_itself(void **state)
{
    (void)state;
    static an_sample s[300];
    static ref_list l[MEMBERS_MAX];

    for (int round = 0; round < ROUNDS; round++) {
        builder *b = builder_new();
        an_chunk_iter *it = an_arena_alloc(b->a, sizeof *it);
        result r;
        an_err err;
        an_sample x = {0};
        size_t n = random_floats(&seed, s, 2 + below(&seed, 250), one_in(&seed, 3)), at = 0;
        memset(l, 0, sizeof l);
        for (size_t i = 0; i < n; i++) s[i].t = 15000 * (int64_t)(i + 1);
        an_merge_func func = round % 2 ? AN_MERGE_CHAIN : AN_MERGE_PENALTY;
        uint64_t chunks = seed;
        uint64_t first = 1 + below(&seed, 4);
        for (uint64_t i = first; i < 6; i++) {
            if (func == AN_MERGE_PENALTY) seed = chunks;
            random_member(b, &l[i], s, n);
        }
        assert_int_equal(fold(b, func, &r, &err), AN_OK);
        an_chunk_iter_init(it, b->a);
        for (size_t i = 0; i < r.n; i++) {
            uint8_t encoding;
            an_slice data = result_chunk(&r, i, &encoding);
            assert_int_equal(an_chunk_iter_open(it, an_chunk_codec_of(encoding), data, &err),
                             AN_OK);
            for (;;) {
                assert_int_equal(an_chunk_next(it, &x, &err), AN_OK);
                if (x.type == AN_VAL_NONE) break;
                assert_true(at < n && sample_same(&x, &s[at]));
                at++;
            }
        }
        assert_int_equal(at, n);
        result_free(&r);
        builder_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_chain_equals_the_reference),
        cmocka_unit_test(penalty_equals_the_reference),
        cmocka_unit_test(copies_of_a_series_merge_into_itself),
    };
    seed = prng_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
