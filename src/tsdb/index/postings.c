// SPDX-License-Identifier: Apache-2.0
#include "tsdb/index/postings.h"

#include <stdlib.h>

#include "tsdb/index/bounds.h"
#include "tsdb/index/postings_run.h"

enum {
    UNIT = 16,       /* chunk addresses count these */
    CHUNK_MIN = 16,  /* bytes, link included */
    CHUNK_MAX = 512, /* the last size; each is twice the one before */
    LINK = 4,        /* at a chunk's beginning: address of the next */
    TABLE_MIN = 64,  /* places of the hash table */
    BLOCK_MAX = 65536,
    RADIX_BITS = 11,
};
#define NO_SLOT UINT32_MAX

/* A pair and its list. The list of all series is slot 0 and not in the hash table. */
typedef struct slot {
    uint32_t key, value;
    uint32_t first, last, n;
    uint32_t bytes;      /* of differences, in all chunks */
    uint32_t head, tail; /* chunks; 0: none */
    uint16_t used, cap;  /* of the tail, link included */
} slot;

/* Memory that grows in equal blocks, addressed by number: nothing is moved or copied. */
typedef struct blocks {
    uint8_t **v;
    size_t n, cap;
    size_t bytes; /* of one block */
} blocks;

struct an_postings {
    an_budget *budget;
    const an_spill *spill;
    unsigned fan_in;  /* runs merged at a time */
    size_t run_bytes; /* read buffer of a run */

    blocks slots, chunks;
    size_t slots_per_block; /* a power of two */
    uint32_t n_slots;
    uint32_t next_unit; /* of the chunk pool */
    uint32_t *table;    /* slot, or 0: free */
    size_t table_cap;   /* a power of two, above twice the slots */
    uint32_t *prev;     /* the last series' labels, and the slots it had them in */
    uint32_t *prev_slots;
    size_t prev_n, prev_cap; /* labels */
    uint64_t n_ids;          /* in all lists in memory */

    an_run_writer out; /* out.file < 0: nothing is spilled */
    an_run *runs;
    size_t n_runs, runs_cap;

    /* reading */
    bool finished, again; /* the first reading has begun; the second has */
    uint32_t *sorted;     /* slots in order, in the memory of `table` */
    uint32_t i;           /* next of them */
    const slot *cur;
    uint32_t cur_chunk;
    uint32_t cur_left; /* differences of `cur` not yet given */
    size_t cur_size;   /* of cur_chunk */
    an_run_merge *merge;
    uint64_t pairs_off; /* where the heads of all lists are being written, for the second reading */
};

static size_t clamp(size_t v, size_t lo, size_t hi) { return v < lo ? lo : v > hi ? hi : v; }

static size_t pow2_below(size_t v)
{
    size_t p = 1;
    while (p <= v / 2) p *= 2;
    return p;
}

an_rc an_postings_new(an_budget *b, const an_spill *spill, an_postings **out, an_err *err)
{
    an_postings *p = calloc(1, sizeof *p);
    const size_t limit = b == NULL ? SIZE_MAX : an_budget_limit(b);

    *out = NULL;
    if (p == NULL) return AN_FAIL(err, AN_ELIMIT, "postings: no memory");
    p->budget = b;
    p->spill = spill;
    p->fan_in = limit < (1 << 20) ? 8 : 64;
    p->run_bytes = clamp(limit / 4 / p->fan_in, 64, BLOCK_MAX);
    p->chunks.bytes = pow2_below(clamp(limit / 64, 1024, BLOCK_MAX));
    p->slots_per_block = pow2_below(clamp(limit / 64 / sizeof(slot), 16, 1024));
    p->slots.bytes = p->slots_per_block * sizeof(slot);
    p->out = (an_run_writer){.spill = spill, .file = -1};
    *out = p;
    return AN_OK;
}

static void *take(an_postings *p, size_t bytes)
{
    if (!an_budget_take(p->budget, bytes)) return NULL;
    void *m = malloc(bytes);
    if (m == NULL) an_budget_give(p->budget, bytes);
    return m;
}

static void give(an_postings *p, void *m, size_t bytes)
{
    if (m == NULL) return;
    free(m);
    an_budget_give(p->budget, bytes);
}

static bool push_block(an_postings *p, blocks *b)
{
    if (b->n == b->cap) {
        const size_t cap = b->cap == 0 ? 16 : 2 * b->cap;
        uint8_t **v = (uint8_t **)take(p, cap * sizeof *v);
        if (v == NULL) return false;
        if (b->n > 0) memcpy((void *)v, (const void *)b->v, b->n * sizeof *v);
        give(p, (void *)b->v, b->cap * sizeof *v);
        b->v = v;
        b->cap = cap;
    }
    uint8_t *m = take(p, b->bytes);
    if (m == NULL) return false;
    b->v[b->n++] = m;
    return true;
}

static void free_blocks(an_postings *p, blocks *b)
{
    for (size_t i = 0; i < b->n; i++) give(p, b->v[i], b->bytes);
    give(p, (void *)b->v, b->cap * sizeof *b->v);
    *b = (blocks){.bytes = b->bytes};
}

/* Back to no lists at all. */
static void forget(an_postings *p)
{
    free_blocks(p, &p->slots);
    free_blocks(p, &p->chunks);
    give(p, p->table, p->table_cap * sizeof *p->table);
    p->table = p->sorted = NULL;
    p->table_cap = 0;
    p->n_slots = 0;
    p->next_unit = 0;
    p->n_ids = 0;
    p->cur = NULL;
    for (size_t i = 0; i < p->prev_n; i++) p->prev_slots[i] = NO_SLOT;
}

void an_postings_free(an_postings *p)
{
    if (p == NULL) return;
    an_run_merge_close(p->merge);
    p->prev_n = 0;
    forget(p);
    give(p, p->prev, p->prev_cap * 3 * sizeof *p->prev);
    give(p, p->runs, p->runs_cap * sizeof *p->runs);
    if (p->out.file >= 0) p->spill->close(p->spill->arg, p->out.file);
    free(p);
}

static slot *slot_at(const an_postings *p, uint32_t i)
{
    slot *block = (slot *)p->slots.v[i / p->slots_per_block];
    return &block[i & (p->slots_per_block - 1)];
}

static uint8_t *chunk_at(const an_postings *p, uint32_t unit)
{
    const size_t at = (size_t)unit * UNIT;
    return p->chunks.v[at / p->chunks.bytes] + (at & (p->chunks.bytes - 1));
}

static size_t hash(uint32_t key, uint32_t value)
{
    uint64_t h = ((uint64_t)key << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ h >> 32);
}

static void table_put(an_postings *p, uint32_t i)
{
    const slot *s = slot_at(p, i);
    size_t at = hash(s->key, s->value) & (p->table_cap - 1);

    while (p->table[at] != 0) at = (at + 1) & (p->table_cap - 1);
    p->table[at] = i;
}

static bool table_grow(an_postings *p)
{
    const size_t cap = p->table_cap == 0 ? TABLE_MIN : 2 * p->table_cap;
    uint32_t *table = take(p, cap * sizeof *table);

    if (table == NULL) return false;
    memset(table, 0, cap * sizeof *table);
    give(p, p->table, p->table_cap * sizeof *table);
    p->table = table;
    p->table_cap = cap;
    for (uint32_t i = 1; i < p->n_slots; i++) table_put(p, i);
    return true;
}

/* A new slot; NO_SLOT: no memory. */
static uint32_t slot_new(an_postings *p, uint32_t key, uint32_t value)
{
    if (2 * ((size_t)p->n_slots + 1) > p->table_cap && !table_grow(p)) return NO_SLOT;
    if (p->n_slots == p->slots.n * p->slots_per_block && !push_block(p, &p->slots)) return NO_SLOT;
    const uint32_t i = p->n_slots++;
    *slot_at(p, i) = (slot){.key = key, .value = value};
    if (i > 0) table_put(p, i);
    return i;
}

static uint32_t slot_of(an_postings *p, uint32_t key, uint32_t value)
{
    if (p->n_slots == 0 && slot_new(p, 0, 0) == NO_SLOT) return NO_SLOT;
    if (key == 0) return 0;
    for (size_t at = hash(key, value) & (p->table_cap - 1);; at = (at + 1) & (p->table_cap - 1)) {
        const uint32_t i = p->table[at];
        if (i == 0) return slot_new(p, key, value);
        const slot *s = slot_at(p, i);
        if (s->key == key && s->value == value) return i;
    }
}

/* Room for the next chunk of s, twice as long as its last one. */
static bool chunk_new(an_postings *p, slot *s)
{
    const size_t size = s->cap == 0 ? CHUNK_MIN : s->cap < CHUNK_MAX ? 2 * s->cap : CHUNK_MAX;
    size_t at = (size_t)p->next_unit * UNIT;

    if (at == 0) at = UNIT; /* address 0 is none */
    if (at / p->chunks.bytes < p->chunks.n && p->chunks.bytes - at % p->chunks.bytes < size)
        at = p->chunks.n * p->chunks.bytes; /* the rest of a block stays unused */
    if ((at + size) / UNIT > UINT32_MAX) return false;
    if (at / p->chunks.bytes >= p->chunks.n && !push_block(p, &p->chunks)) return false;
    const uint32_t unit = (uint32_t)(at / UNIT);
    p->next_unit = unit + (uint32_t)(size / UNIT);
    if (s->tail != 0)
        memcpy(chunk_at(p, s->tail), &unit, LINK);
    else
        s->head = unit;
    s->tail = unit;
    s->used = LINK;
    s->cap = (uint16_t)size;
    return true;
}

/* False: no memory; the list is as it was. */
static bool append(an_postings *p, slot *s, uint32_t id)
{
    p->n_ids++;
    if (s->n == 0) {
        s->first = s->last = id;
        s->n = 1;
        return true;
    }
    uint32_t d = id - s->last;
    if (s->used + 5u >
        s->cap) { /* a difference may lie in two chunks: have both before it begins */
        uint8_t tmp[5];
        const size_t n = an_put_uvarint(tmp, d);
        const size_t here = n < (size_t)(s->cap - s->used) ? n : (size_t)(s->cap - s->used);
        uint8_t *old = s->tail == 0 ? NULL : chunk_at(p, s->tail) + s->used;
        if (here < n && !chunk_new(p, s)) {
            p->n_ids--;
            return false;
        }
        if (old != NULL) memcpy(old, tmp, here);
        if (here < n) {
            memcpy(chunk_at(p, s->tail) + s->used, tmp + here, n - here);
            s->used = (uint16_t)(s->used + n - here);
        } else {
            s->used = (uint16_t)(s->used + n);
        }
        s->bytes += (uint32_t)n;
    } else {
        uint8_t *at = chunk_at(p, s->tail) + s->used;
        const size_t n = an_put_uvarint(at, d);
        s->used = (uint16_t)(s->used + n);
        s->bytes += (uint32_t)n;
    }
    s->last = id;
    s->n++;
    return true;
}

static uint32_t radix_digit(const an_postings *p, uint32_t i, unsigned shift)
{
    const slot *s = slot_at(p, i);
    const uint64_t order = (uint64_t)s->key << 32 | s->value;
    return (uint32_t)(order >> shift) & ((1u << RADIX_BITS) - 1);
}

/* Sorts the slots by (key, value) within the memory of the hash table, which is lost. It has twice
 * as many places as there are slots, so least significant digits first needs nothing more. */
static uint32_t *sort_slots(an_postings *p)
{
    uint32_t *from = p->table, *to = p->table + p->n_slots;
    uint32_t count[1u << RADIX_BITS];

    for (uint32_t i = 0; i < p->n_slots; i++) from[i] = i;
    for (unsigned shift = 0; shift < 64; shift += RADIX_BITS) {
        memset(count, 0, sizeof count);
        for (uint32_t i = 0; i < p->n_slots; i++) count[radix_digit(p, from[i], shift)]++;
        if (count[radix_digit(p, from[0], shift)] == p->n_slots) continue; /* all the same */
        uint32_t sum = 0;
        for (size_t d = 0; d < 1u << RADIX_BITS; d++) {
            const uint32_t c = count[d];
            count[d] = sum;
            sum += c;
        }
        for (uint32_t i = 0; i < p->n_slots; i++)
            to[count[radix_digit(p, from[i], shift)]++] = from[i];
        uint32_t *t = from;
        from = to;
        to = t;
    }
    return from;
}

/* Begins to give out the chunks of slot s. */
static void open_slot(an_postings *p, const slot *s)
{
    p->cur = s;
    p->cur_chunk = s->head;
    p->cur_left = s->bytes;
    p->cur_size = CHUNK_MIN;
}

static an_slice slot_bytes(an_postings *p)
{
    if (p->cur_left == 0) return (an_slice){NULL, 0};
    const uint8_t *chunk = chunk_at(p, p->cur_chunk);
    const size_t room = p->cur_size - LINK;
    const an_slice out = {chunk + LINK, p->cur_left < room ? p->cur_left : room};
    memcpy(&p->cur_chunk, chunk, LINK);
    p->cur_left -= (uint32_t)out.n;
    if (p->cur_size < CHUNK_MAX) p->cur_size *= 2;
    return out;
}

static an_rc push_run(an_postings *p, uint64_t off, unsigned level, an_err *err)
{
    if (p->n_runs == p->runs_cap) {
        const size_t cap = p->runs_cap == 0 ? 16 : 2 * p->runs_cap;
        an_run *v = take(p, cap * sizeof *v);
        if (v == NULL)
            return AN_FAIL(err, AN_ELIMIT, "postings: no memory for %zu runs", p->n_runs + 1);
        if (p->n_runs > 0) memcpy(v, p->runs, p->n_runs * sizeof *v);
        give(p, p->runs, p->runs_cap * sizeof *v);
        p->runs = v;
        p->runs_cap = cap;
    }
    p->runs[p->n_runs++] = (an_run){off, p->out.pos, level};
    return AN_OK;
}

/* Makes one run of the last n. */
static an_rc merge_last(an_postings *p, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    an_run_merge *m = NULL;
    an_run *from = p->runs + p->n_runs - n;
    const uint64_t off = p->out.pos;
    unsigned level = 0;
    an_run_head h;
    an_slice bytes;

    for (size_t i = 0; i < n; i++)
        if (from[i].level >= level) level = from[i].level + 1;
    AN_TRY(an_run_merge_open(p->spill, p->out.file, from, n, p->run_bytes, p->budget, &m, err));
    while ((rc = an_run_merge_next(m, &h, err)) == AN_OK) {
        AN_TRY(an_run_write_head(&p->out, &h, err));
        for (;;) {
            AN_TRY(an_run_merge_bytes(m, &bytes, err));
            if (bytes.n == 0) break;
            AN_TRY(an_run_write(&p->out, bytes.p, bytes.n, err));
        }
    }
    if (rc != AN_ENOTFOUND) goto out;
    AN_TRY(an_run_flush(&p->out, err));
    p->n_runs -= n;
    AN_TRY(push_run(p, off, level, err));
out:
    an_run_merge_close(m);
    return rc;
}

/* Moves all lists to the file as a run, and joins runs when as many as are merged at a time have
 * been merged equally often. */
static an_rc spill_lists(an_postings *p, an_err *err)
{
    an_rc rc = AN_OK;
    const uint64_t off = p->out.pos;

    if (p->n_ids == 0) return AN_OK;
    if (p->out.file < 0) AN_TRY(p->spill->open(p->spill->arg, &p->out.file, err));
    const uint32_t *sorted = sort_slots(p);
    for (uint32_t i = 0; i < p->n_slots; i++) {
        const slot *s = slot_at(p, sorted[i]);
        const an_run_head h = {s->key, s->value, s->n, s->first, s->last, s->bytes};
        if (s->n == 0) continue;
        AN_TRY(an_run_write_head(&p->out, &h, err));
        open_slot(p, s);
        for (an_slice b = slot_bytes(p); b.n > 0; b = slot_bytes(p))
            AN_TRY(an_run_write(&p->out, b.p, b.n, err));
    }
    AN_TRY(an_run_flush(&p->out, err));
    forget(p);
    AN_TRY(push_run(p, off, 0, err));
    for (;;) {
        size_t same = 0;
        while (same < p->n_runs &&
               p->runs[p->n_runs - 1 - same].level == p->runs[p->n_runs - 1].level)
            same++;
        if (same < p->fan_in) break;
        AN_TRY(merge_last(p, same, err));
    }
out:
    return rc;
}

an_rc an_postings_make_room(an_postings *p, an_err *err)
{
    if (p->spill == NULL || p->n_ids == 0) /* nothing to spill: it would be the same again */
        return AN_FAIL(err, AN_ELIMIT, "postings: no memory for %u label pairs", p->n_slots + 1);
    return spill_lists(p, err);
}

/* Adds id to the list of a pair, in memory that is made by spilling if it must. */
static an_rc add_id(an_postings *p, uint32_t key, uint32_t value, uint32_t id, uint32_t *at,
                    an_err *err)
{
    an_rc rc = AN_OK;

    for (;;) {
        const uint32_t i = slot_of(p, key, value);
        if (i != NO_SLOT && append(p, slot_at(p, i), id)) {
            *at = i;
            break;
        }
        AN_TRY(an_postings_make_room(p, err));
    }
out:
    return rc;
}

static an_rc remember_room(an_postings *p, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    while (n > p->prev_cap) {
        const size_t cap = n < 32 ? 32 : n + n / 2;
        uint32_t *v = take(p, cap * 3 * sizeof *v);
        if (v == NULL) {
            AN_TRY(an_postings_make_room(p, err));
            continue;
        }
        give(p, p->prev, p->prev_cap * 3 * sizeof *v);
        p->prev = v;
        p->prev_slots = v + 2 * cap;
        p->prev_cap = cap;
        p->prev_n = 0;
    }
out:
    return rc;
}

an_rc an_postings_add(an_postings *p, uint32_t id, const uint32_t *labels, size_t n, an_err *err)
{
    an_rc rc = AN_OK;
    uint32_t at = 0;

    AN_TRY(remember_room(p, n, err));
    AN_TRY(add_id(p, 0, 0, id, &at, err));
    for (size_t i = p->prev_n; i < n; i++) p->prev_slots[i] = NO_SLOT;
    const size_t prev_n = p->prev_n;
    p->prev_n = n;
    for (size_t i = 0; i < n; i++) {
        const uint32_t name = labels[2 * i], value = labels[2 * i + 1];
        if (i < prev_n && p->prev[2 * i] == name && p->prev[2 * i + 1] == value &&
            p->prev_slots[i] != NO_SLOT && append(p, slot_at(p, p->prev_slots[i]), id))
            continue;
        p->prev[2 * i] = name;
        p->prev[2 * i + 1] = value;
        AN_TRY(add_id(p, name + 1, value, id, &at, err));
        p->prev_slots[i] = at;
    }
out:
    return rc;
}

/* The first reading of spilled lists writes down their heads; the second reads only those. */
static an_rc read_heads_again(an_postings *p, an_err *err)
{
    an_rc rc = AN_OK;

    an_run_merge_close(p->merge);
    p->merge = NULL;
    p->again = true;
    AN_TRY(an_run_flush(&p->out, err));
    const an_run heads = {p->pairs_off, p->out.pos, 0};
    AN_TRY(an_run_merge_open(p->spill, p->out.file, &heads, 1, p->run_bytes, p->budget, &p->merge,
                             err));
out:
    return rc;
}

an_rc an_postings_finish(an_postings *p, an_err *err)
{
    an_rc rc = AN_OK;

    p->cur = NULL;
    p->i = 0;
    if (p->finished) return p->n_runs == 0 ? AN_OK : read_heads_again(p, err);
    p->finished = true;
    if (p->n_runs == 0) {
        if (p->n_slots == 0) { /* no series: still the list of all */
            const uint32_t all = slot_of(p, 0, 0);
            AN_CHECK(all == 0, err, AN_ELIMIT, "postings: no memory for one list");
        }
        p->sorted = sort_slots(p);
        return AN_OK;
    }
    AN_TRY(spill_lists(p, err));
    while (p->n_runs > p->fan_in) AN_TRY(merge_last(p, p->fan_in, err));
    AN_TRY(an_run_merge_open(p->spill, p->out.file, p->runs, p->n_runs, p->run_bytes, p->budget,
                             &p->merge, err));
    p->pairs_off = p->out.pos;
out:
    return rc;
}

static an_rc next_merged(an_postings *p, an_postings_list *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_run_head h;

    AN_TRY(an_run_merge_next(p->merge, &h, err));
    *out = (an_postings_list){h.key, h.value, h.n, h.first};
    h.bytes = 0;
    if (!p->again) AN_TRY(an_run_write_head(&p->out, &h, err));
out:
    return rc;
}

an_rc an_postings_next(an_postings *p, an_postings_list *out, an_err *err)
{
    if (p->merge != NULL) return next_merged(p, out, err);
    if (p->i == p->n_slots) return AN_ENOTFOUND;
    const slot *s = slot_at(p, p->sorted[p->i++]);
    open_slot(p, s);
    *out = (an_postings_list){s->key, s->value, s->n, s->first};
    return AN_OK;
}

an_rc an_postings_bytes(an_postings *p, an_slice *out, an_err *err)
{
    if (p->merge != NULL) return an_run_merge_bytes(p->merge, out, err);
    *out = slot_bytes(p);
    return AN_OK;
}
