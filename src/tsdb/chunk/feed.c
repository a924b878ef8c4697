// SPDX-License-Identifier: Apache-2.0
#include "tsdb/chunk/feed.h"

static an_rc at_chunk(const an_feed *f, an_rc rc, an_err *err)
{
    if (rc != AN_OK && f->piece->block != NULL)
        an_err_at(err, f->piece->block, NULL, (int64_t)f->piece->ref);
    return rc;
}

static void give_back(an_feed *f)
{
    f->reader->next = f->readers->unused;
    f->readers->unused = f->reader;
    f->reader = NULL;
}

/* Takes a reader and decodes the first run. */
an_rc an_feed_read(an_feed *f, an_err *err)
{
    an_rc rc = AN_OK;
    an_reader *r = f->readers->unused;

    if (r != NULL) {
        f->readers->unused = r->next;
    } else {
        r = an_arena_try(f->readers->arena, 1, sizeof *r);
        AN_CHECK(r != NULL, err, AN_ELIMIT, "no memory to read another chunk");
        an_chunk_iter_init(&r->it, f->readers->arena);
    }
    f->reader = r;
    AN_TRY(an_chunk_iter_open(&r->it, f->piece->codec, f->piece->data, err));
    AN_TRY(an_chunk_fill(&r->it, err));
out:
    return at_chunk(f, rc, err);
}

/* The end of a run: the next one, or the end. */
an_rc an_feed_refill(an_feed *f, an_err *err)
{
    an_rc rc = AN_OK;

    if (f->reader == NULL) { /* only the time of the first sample is known */
        AN_TRY(an_feed_read(f, err));
        if (f->reader->it.n > 1) {
            f->t = f->reader->it.t[++f->reader->it.i];
            goto out;
        }
    }
    rc = an_chunk_fill(&f->reader->it, err);
    if (at_chunk(f, rc, err) != AN_OK) goto out;
    if (f->reader->it.n == 0) {
        f->live = false;
        give_back(f);
    } else {
        f->t = f->reader->it.t[0];
    }
out:
    return rc;
}

an_rc an_feed_open(an_feed *f, an_readers *readers, const an_piece *piece, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t n = 0;

    *f = (an_feed){.piece = piece, .readers = readers};
    AN_TRY(an_chunk_count(piece->codec, piece->data, &n, err));
    f->live = n > 0;
    if (n == 0) goto out;
    if (piece->codec->type == AN_VAL_FLOAT) { /* the first thing behind the header */
        an_bitr r = an_bitr_of(an_slice_of(piece->data.p + piece->codec->header,
                                           piece->data.n - piece->codec->header));
        f->t = an_bitr_varint(&r);
        AN_CHECK(!r.bad, err, AN_ECORRUPT, "%s chunk of %zu bytes ends in its first sample",
                 piece->codec->name, piece->data.n);
    } else {
        AN_TRY(an_feed_read(f, err));
        f->t = f->reader->it.t[0];
    }
out:
    return at_chunk(f, rc, err);
}
