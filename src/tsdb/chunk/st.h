// SPDX-License-Identifier: Apache-2.0
/* tsdb/chunk/st.h: start timestamps (ST) inside XOR2 and the ST histogram chunks.
 *
 * Byte 2 of the chunk: bit 7, sample 0 has an ST; bits 0-6, c = index of the first sample that
 * carries an ST field (0: none). Sample 0 has varint t - st. A sample i >= 1 measures from the time
 * p of the sample before it: at i = c the field is varbit p - st, after that the difference to the
 * last such number. Samples without a field keep the ST before them, 0 at first. A writer lets c be
 * the first sample whose ST is not that of its predecessor, but 127 at the latest: no larger c can
 * be written. So a chunk that grows past 127 samples has fields even when all STs are 0.
 *
 * spec/tsdb-block.md 3.7; all subtractions wrap. */
#pragma once
#include "tsdb/chunk/codes.h"

enum { AN_ST_KNOWN = 0x80, AN_ST_LAST = 0x7f };

typedef struct an_st_dec {
    int64_t st, diff;
    uint8_t change_on; /* c */
    bool known;        /* sample 0 has one */
} an_st_dec;

static inline an_st_dec an_st_dec_of(uint8_t header)
{
    return (an_st_dec){0, 0, header & AN_ST_LAST, (header & AN_ST_KNOWN) != 0};
}

/* Takes in the field of sample i >= c; before is the time of sample i - 1. */
static inline void an_st_step(an_st_dec *d, uint32_t i, uint64_t field, int64_t before)
{
    d->diff = (int64_t)(i == d->change_on ? field : (uint64_t)d->diff + field);
    d->st = (int64_t)((uint64_t)before - (uint64_t)d->diff);
}

/* The field of sample i, if it has one; t is its time, before the time of sample i - 1. */
static inline void an_st_get(an_st_dec *d, an_bitr *r, uint32_t i, int64_t t, int64_t before)
{
    if (i == 0) {
        if (d->known) d->st = (int64_t)((uint64_t)t - (uint64_t)an_bitr_varint(r));
    } else if (d->change_on != 0 && i >= d->change_on) {
        an_st_step(d, i, (uint64_t)an_varbit_int_get(r), before);
    }
}

typedef struct an_st_enc {
    int64_t st, diff;
    uint8_t header; /* the chunk's byte 2 */
} an_st_enc;

/* Has sample i >= 1 a field, and which? before is the time of sample i - 1. */
static inline bool an_st_next(an_st_enc *e, uint32_t i, int64_t before, int64_t st, int64_t *field)
{
    bool begun = (e->header & AN_ST_LAST) != 0;
    int64_t diff = (int64_t)((uint64_t)before - (uint64_t)st);

    if (!begun && st == e->st && i != AN_ST_LAST) return false;
    if (!begun) e->header |= (uint8_t)i; /* at most 127: see above */
    *field = begun ? (int64_t)((uint64_t)diff - (uint64_t)e->diff) : diff;
    e->diff = diff;
    e->st = st;
    return true;
}

static inline void an_st_put(an_st_enc *e, an_bitw *w, uint32_t i, int64_t t, int64_t before,
                             int64_t st)
{
    int64_t field;

    if (i > 0) {
        if (an_st_next(e, i, before, st, &field)) an_varbit_int_put(w, field);
    } else if (st != 0) {
        e->header = AN_ST_KNOWN;
        an_bitw_varint(w, (int64_t)((uint64_t)t - (uint64_t)st));
        e->st = st;
    }
}
