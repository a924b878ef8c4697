// SPDX-License-Identifier: Apache-2.0
#include "compact/downsample/hists.h"

#include "compact/downsample/window.h"

#include <assert.h>

enum { SLAB_WORDS_MIN = 1 << 10, SLAB_WORDS_MAX = 1 << 16 };

struct an_ds_slab {
    an_ds_slab *next;
    size_t cap, used;
    uint64_t words[];
};

/* ---- the histograms of a batch ---- */

void an_ds_hists_init(an_ds_hists *b, an_arena *a)
{
    *b = (an_ds_hists){.arena = a, .next_words = SLAB_WORDS_MIN};
}

void an_ds_hists_clear(an_ds_hists *b)
{
    b->n = 0;
    for (an_ds_slab *s = b->slabs; s != NULL; s = s->next) s->used = 0;
    b->at = b->slabs;
}

static an_rc no_memory(const an_ds_hists *b, an_err *err)
{
    return AN_FAIL(err, AN_ELIMIT, "no memory for %zu histograms of a batch", b->n + 1);
}

/* Words that live until the batch is cleared. */
static an_rc take(an_ds_hists *b, size_t n, uint64_t **out, an_err *err)
{
    while (b->at != NULL && b->at->cap - b->at->used < n && b->at->next != NULL)
        b->at = b->at->next;
    if (b->at == NULL || b->at->cap - b->at->used < n) {
        size_t cap = n > b->next_words ? n : b->next_words;
        an_ds_slab *s = an_arena_try(b->arena, 1, sizeof *s + cap * sizeof s->words[0]);
        if (s == NULL) return no_memory(b, err);
        s->cap = cap;
        if (b->at == NULL)
            b->slabs = s;
        else
            b->at->next = s;
        b->at = s;
        if (b->next_words < SLAB_WORDS_MAX) b->next_words *= 2;
    }
    *out = b->at->words + b->at->used;
    b->at->used += n;
    return AN_OK;
}

/* Equal spans as before are the same spans. */
static an_rc keep_spans(an_ds_hists *b, const an_hist_side *from, const an_hist_side *before,
                        an_hist_side *to, an_err *err)
{
    an_rc rc = AN_OK;
    size_t bytes = from->n_spans * sizeof *from->spans;
    uint64_t *words;

    to->n_spans = from->n_spans;
    if (bytes == 0) goto out;
    if (before != NULL && before->n_spans == from->n_spans &&
        memcmp(before->spans, from->spans, bytes) == 0) {
        to->spans = before->spans;
        goto out;
    }
    static_assert(sizeof *from->spans == sizeof *words, "a span is a word");
    AN_TRY(take(b, from->n_spans, &words, err));
    memcpy(words, from->spans, bytes);
    to->spans = (const an_span *)(const void *)words;
out:
    return rc;
}

/* Running sums as doubles. They are exact, and those of the integers, as long as nothing passes
 * 2^53; only then the additions have to be made one after the other. */
static void absolute(const an_hist_side *s, uint64_t *v)
{
    uint64_t sum = 0, wide = 0;
    double exact = 0;

    for (uint32_t i = 0; i < s->n; i++) {
        int64_t delta = (int64_t)s->v[i];
        sum += (uint64_t)delta;
        wide |= (uint64_t)(delta ^ delta >> 63) | (uint64_t)((int64_t)sum ^ (int64_t)sum >> 63);
        v[i] = an_float_bits((double)(int64_t)sum);
    }
    if (wide >> 53 == 0) return;
    for (uint32_t i = 0; i < s->n; i++) {
        exact += (double)(int64_t)s->v[i];
        v[i] = an_float_bits(exact);
    }
}

static an_rc keep_side(an_ds_hists *b, const an_hist *h, int side, const an_hist *before,
                       an_hist_side *to, an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist_side *from = &h->side[side];
    uint64_t *v;

    AN_TRY(keep_spans(b, from, before != NULL ? &before->side[side] : NULL, to, err));
    to->n = from->n;
    if (from->n == 0) goto out;
    AN_TRY(take(b, from->n, &v, err));
    if (h->is_float)
        memcpy(v, from->v, from->n * sizeof *v);
    else
        absolute(from, v);
    to->v = v;
out:
    return rc;
}

static an_rc keep_bounds(an_ds_hists *b, const an_hist *h, const an_hist *before, an_hist *to,
                         an_err *err)
{
    an_rc rc = AN_OK;
    size_t bytes = h->n_custom * sizeof *h->custom;
    uint64_t *words;

    to->n_custom = h->n_custom;
    to->custom = NULL;
    if (bytes == 0) goto out;
    if (before != NULL && before->n_custom == h->n_custom &&
        memcmp(before->custom, h->custom, bytes) == 0) {
        to->custom = before->custom;
        goto out;
    }
    AN_TRY(take(b, h->n_custom, &words, err));
    memcpy(words, h->custom, bytes);
    to->custom = words;
out:
    return rc;
}

an_rc an_ds_hists_add(an_ds_hists *b, int64_t t, const an_hist *h, an_err *err)
{
    an_rc rc = AN_OK;

    if (b->n == b->cap) {
        size_t cap = b->cap == 0 ? 32 : 2 * b->cap;
        an_ds_hist *v = an_arena_try(b->arena, cap, sizeof *v);
        if (v == NULL) return no_memory(b, err);
        if (b->n > 0) memcpy(v, b->v, b->n * sizeof *v);
        b->v = v;
        b->cap = cap;
    }
    an_hist *to = &b->v[b->n].h;
    const an_hist *before = b->n > 0 ? &b->v[b->n - 1].h : NULL;
    bool sheds = !h->is_float && h->schema == AN_HIST_CUSTOM;
    *to = *h;
    to->is_float = true;
    to->side[AN_POS] = to->side[AN_NEG] = (an_hist_side){0};
    if (!h->is_float) {
        to->count = an_float_bits((double)h->count);
        to->zero_count = an_float_bits(sheds ? 0 : (double)h->zero_count);
        if (sheds) to->zero_threshold = 0;
    }
    AN_TRY(keep_bounds(b, h, before, to, err));
    AN_TRY(keep_side(b, h, AN_POS, before, &to->side[AN_POS], err));
    if (!sheds) AN_TRY(keep_side(b, h, AN_NEG, before, &to->side[AN_NEG], err));
    b->v[b->n].t = t;
    b->n++;
out:
    return rc;
}

/* ---- windows ---- */

void an_ds_hist_agg_init(an_ds_hist_agg *a, an_arena *arena)
{
    memset(a, 0, sizeof *a);
    an_fhist_init(&a->counter, arena);
    an_fhist_init(&a->sum, arena);
    an_fhist_init(&a->delta, arena);
    an_fhist_init(&a->reduced[0], arena);
    an_fhist_init(&a->reduced[1], arena);
}

/* `original` has the schema and the hint that the reduced one has lost. */
static an_rc add_to_counter(an_ds_hist_agg *a, const an_hist *h, const an_hist *original,
                            an_err *err)
{
    an_rc rc = AN_OK;
    bool reset = false;

    if (a->total == 0) return an_fhist_copy(&a->counter, h, err);
    if (h->hint != AN_HINT_GAUGE) AN_TRY(an_fhist_is_reset(original, a->previous, &reset, err));
    if (reset) return an_fhist_add(&a->counter, h, err);
    AN_TRY(an_fhist_copy(&a->delta, h, err));
    AN_TRY(an_fhist_sub(&a->delta, a->previous, err));
    rc = an_fhist_add(&a->counter, &a->delta.h, err);
out:
    return rc;
}

static an_rc add(an_ds_hist_agg *a, const an_hist *h, unsigned want, an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist *original = h;

    if (h->schema > a->schema) {
        an_fhist *r = &a->reduced[a->turn]; /* the other one may be `previous` */
        a->turn ^= 1;
        AN_TRY(an_fhist_reduce(r, h, a->schema, err));
        h = &r->h;
    }
    if ((want & AN_DS_COUNTER) != 0) AN_TRY(add_to_counter(a, h, original, err));
    if ((want & AN_DS_SUM) != 0) {
        if (a->count == 0)
            AN_TRY(an_fhist_copy(&a->sum, h, err));
        else
            AN_TRY(an_fhist_add(&a->sum, h, err));
        a->sum.h.hint = AN_HINT_GAUGE;
    }
    a->previous = h;
    a->count++;
    a->total++;
out:
    return rc;
}

an_rc an_ds_hist_windows(an_ds_hist_agg *a, const an_ds_hist *v, size_t n, int64_t resolution,
                         unsigned want, an_ds_hist_window *window, void *arg, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t next = -1, last = v[n - 1].t;

    a->schema = v[0].h.schema;
    a->total = a->count = 0;
    for (size_t i = 1; i < n; i++)
        if (v[i].h.schema < a->schema) a->schema = v[i].h.schema;
    for (size_t i = 0; i < n; i++) {
        if (v[i].t > next) {
            if (next != -1) AN_TRY(window(arg, next, a, err));
            a->count = 0;
            next = an_ds_window_end(v[i].t, resolution);
            if (next > last) next = last;
        }
        AN_TRY(add(a, &v[i].h, want, err));
    }
    rc = window(arg, next, a, err);
out:
    return rc;
}

/* ---- sub-chunks ---- */

/* The buckets that the append has given to h: the open chunk's values, in the chunk's spans; a
 * gauge gets the union of both layouts in as few spans as there can be. */
static an_rc widen(const an_chunk_enc *e, an_fhist *f, an_err *err)
{
    const an_hist_align *al = &e->h.align;
    an_hist_side sides[2] = {e->h.last.side[AN_POS], e->h.last.side[AN_NEG]};

    if (f->h.hint == AN_HINT_GAUGE) {
        sides[AN_POS].spans = al->spans;
        sides[AN_POS].n_spans = al->n_spans[AN_POS];
        sides[AN_NEG].spans = al->spans + al->n_spans[AN_POS];
        sides[AN_NEG].n_spans = al->n_spans[AN_NEG];
    }
    return an_fhist_set_sides(f, sides, err);
}

an_rc an_ds_append_hist(an_chunk_enc *e, int64_t t, an_fhist *f, an_err *err)
{
    an_rc rc = AN_OK;
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_FHIST);
    const an_hist_align *al = &e->h.align;
    an_hist_fit fit, own;

    AN_CHECK(e->n < codec->max_samples, err, AN_ECORRUPT,
             "more than %u windows for one aggregate chunk", codec->max_samples);
    if (e->n == 0) {
        AN_TRY(codec->hist(e, t, 0, &f->h, &fit, err));
        if (e->h.header != AN_HH_UNKNOWN) goto out;
        /* Upstream compares it with its predecessor, which is this one. */
        AN_TRY(an_hist_judge(e->arena, &e->h.last, AN_HH_UNKNOWN, &f->h, &own, &e->h.align, err));
        e->h.header =
            own.cut && own.header == AN_HH_RESET ? (uint8_t)AN_HH_RESET : (uint8_t)AN_HH_NOT_RESET;
        goto out;
    }
    AN_TRY(codec->hist(e, t, 0, &f->h, &fit, err));
    if (fit.cut) {
        an_chunk_start(e, codec);
        AN_TRY(codec->hist(e, t, 0, &f->h, &own, err));
        e->h.header = (uint8_t)fit.header;
    } else if (al->differs && (al->missing[AN_POS] || al->missing[AN_NEG])) {
        rc = widen(e, f, err);
    }
out:
    return rc;
}
