// SPDX-License-Identifier: Apache-2.0
#include "compact/downsample/series.h"

#include "compact/downsample/downsample.h"

void an_ds_init(an_ds *d, int64_t to, an_arena *a, an_task_out *out, const char *block)
{
    d->to = to;
    d->arena = a;
    d->out = out;
    d->block = block;
    an_chunk_iter_init(&d->it, a);
    for (int i = 0; i < AN_AGGR__COUNT; i++) an_chunk_enc_init(&d->enc[i], a);
    an_ds_hists_init(&d->hists, a);
}

an_rc an_ds_at(const an_ds *d, uint64_t ref, an_rc rc, an_err *err)
{
    return rc == AN_OK ? rc : an_err_at(err, d->block, NULL, (int64_t)ref);
}

an_rc an_ds_floats_grow(an_ds *d, an_ds_floats *f, an_err *err)
{
    an_rc rc = AN_OK;
    size_t cap = f->cap == 0 ? 128 : 2 * f->cap;
    int64_t *t = an_arena_try(d->arena, 2 * cap, sizeof *t);

    AN_CHECK(t != NULL, err, AN_ELIMIT, "no memory for %zu samples of aggregates", cap);
    uint64_t *v = (uint64_t *)(void *)(t + cap);
    if (f->n > 0) {
        memcpy(t, f->t, f->n * sizeof *t);
        memcpy(v, f->v, f->n * sizeof *v);
    }
    *f = (an_ds_floats){f->n, cap, t, v};
out:
    return rc;
}

an_rc an_ds_encode(an_ds *d, int which, size_t n, const int64_t *t, const uint64_t *v, an_aggr *out,
                   an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_enc *e = &d->enc[which];
    const an_chunk_codec *codec = an_chunk_codec_of(AN_ENC_XOR);

    AN_CHECK(n <= codec->max_samples, err, AN_ECORRUPT,
             "%zu windows for one aggregate chunk, which holds %u", n, codec->max_samples);
    an_chunk_start(e, codec);
    AN_TRY(codec->floats(e, n, t, v, NULL, err));
    out->part[which] = (an_aggr_part){codec, an_chunk_finish(e)};
out:
    return rc;
}

void an_ds_start_hist(an_ds *d, int which)
{
    an_chunk_start(&d->enc[which], an_chunk_codec_of(AN_ENC_FHIST));
}

void an_ds_finish_hist(an_ds *d, int which, an_aggr *out)
{
    an_chunk_enc *e = &d->enc[which];
    out->part[which] = (an_aggr_part){e->codec, an_chunk_finish(e)};
}

an_rc an_ds_agg(an_ds *d, an_err *err)
{
    if (d->agg != NULL) return AN_OK;
    d->agg = an_arena_try(d->arena, 1, sizeof *d->agg);
    if (d->agg == NULL) return AN_FAIL(err, AN_ELIMIT, "no memory to add histograms up");
    an_ds_hist_agg_init(d->agg, d->arena);
    return AN_OK;
}

/* Chunks that overlap or touch were made by nobody who kept the order: upstream's own check, which
 * no flag turns off. */
static an_rc check_order(const an_task_member *m, an_err *err)
{
    for (size_t i = 1; i < m->n_chunks; i++) {
        const an_task_chunk *a = &m->chunks[i - 1], *b = &m->chunks[i];
        if (a->maxt < b->mint) continue;
        (void)AN_FAIL(
            err, AN_ECORRUPT,
            "found overlapping chunks within series. Chunks expected to be ordered by min "
            "time and non-overlapping, got: [%lld, %lld] and [%lld, %lld]",
            (long long)a->mint, (long long)a->maxt, (long long)b->mint, (long long)b->maxt);
        (void)an_err_cause(err, AN_CAUSE_OOO_CHUNKS);
        return an_err_at(err, m->block, NULL, (int64_t)b->ref);
    }
    return AN_OK;
}

static an_rc check_gaps(const an_task_member *m, const an_ds_gaps *gaps, an_err *err)
{
    uint64_t ref = gaps->unaligned ? gaps->ref : m->chunks[0].ref;
    int which = 0;

    while (which < AN_AGGR__COUNT && !gaps->absent[which]) which++;
    if (gaps->unaligned)
        (void)AN_FAIL(err, AN_ECORRUPT,
                      "invalid size: the times of aggregate %s are not those of the count",
                      an_aggr_name(gaps->which));
    else if (which < AN_AGGR__COUNT)
        (void)AN_FAIL(err, AN_ECORRUPT,
                      "invalid size: chunks that become one have no aggregate %s at all",
                      an_aggr_name(which));
    else
        return AN_OK;
    (void)an_err_cause(err, AN_CAUSE_DS_INVALID_SIZE);
    return an_err_at(err, m->block, NULL, (int64_t)ref);
}

static an_rc run(void *arg, an_arena *scratch, const an_task *t, an_task_out *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_downsample *to = arg;
    const an_task_member *m = &t->members[0];
    an_ds *d = an_arena_try(scratch, 1, sizeof *d);
    an_ds_gaps gaps = {0};

    an_assert(t->n_members == 1); /* one block at a time */
    AN_CHECK(d != NULL, err, AN_ELIMIT, "no memory to downsample a series");
    an_ds_init(d, to->resolution, scratch, out, m->block);
    AN_TRY(check_order(m, err));
    if (t->resolution == 0) {
        AN_TRY(an_ds_raw(d, m->chunks, m->n_chunks, err));
    } else {
        AN_TRY(an_ds_aggr(d, m->chunks, m->n_chunks, t->resolution, &gaps, err));
        AN_TRY(check_gaps(m, &gaps, err));
    }
out:
    return rc;
}

an_fold an_downsample_fold(const an_downsample *to)
{
    return (an_fold){.run = run, .arg = (void *)(uintptr_t)to, .every_task = true};
}
