// SPDX-License-Identifier: Apache-2.0
#include "base/bits.h"

uint64_t an_bits_tail(const uint8_t *p, size_t left)
{
    uint64_t w = 0;

    for (size_t i = 0; i < left; i++) w |= (uint64_t)p[i] << (56 - 8 * i);
    return w;
}

an_bitw an_bitw_to(an_buf *buf)
{
    an_bitw w = {.buf = buf, .failed = buf->failed};

    if (buf->p != NULL && !buf->failed) {
        w.p = buf->p + buf->n;
        w.end = buf->p + buf->cap;
    }
    return w;
}

an_bitw an_bitw_fixed(uint8_t *p, size_t n)
{
    return (an_bitw){.p = p, .end = n == 0 ? p : p + n, .start = p};
}

void an_bitw_move(an_bitw *w, uint8_t *p, size_t n)
{
    w->p = p + (w->p - w->start);
    w->start = p;
    w->end = p + n;
}

/* Room for n more bytes at p. The buffer's own `n` stays where the stream began until the end. */
static bool room_for(an_bitw *w, size_t n)
{
    if (w->failed) return false;
    if ((size_t)(w->end - w->p) >= n) return true;
    if (w->buf != NULL) {
        size_t used = w->p == NULL ? w->buf->n : (size_t)(w->p - w->buf->p);
        if (an_buf_reserve(w->buf, used - w->buf->n + n)) {
            w->p = w->buf->p + used;
            w->end = w->buf->p + w->buf->cap;
            return true;
        }
    }
    w->failed = true;
    w->p = w->end; /* so that every further word comes here */
    return false;
}

void an_bitw_word_slow(an_bitw *w, uint64_t word)
{
    if (!room_for(w, 8)) return;
    for (unsigned i = 0; i < 8; i++) *w->p++ = (uint8_t)(word >> (56 - 8 * i));
}

void an_bitw_uvarint(an_bitw *w, uint64_t v)
{
    for (; v >= 0x80; v >>= 7) an_bitw_put(w, v | 0x80, 8);
    an_bitw_put(w, v, 8);
}

void an_bitw_varint(an_bitw *w, int64_t v)
{
    an_bitw_uvarint(w, (uint64_t)v << 1 ^ (uint64_t)(v >> 63));
}

bool an_bitw_finish(an_bitw *w, size_t *n_bytes)
{
    size_t n = (w->n + 7) / 8;

    if (n > 0 && room_for(w, n)) {
        uint64_t word = w->acc << (64 - w->n); /* n > 0: the shift is below 64 */
        for (size_t i = 0; i < n; i++) *w->p++ = (uint8_t)(word >> (56 - 8 * i));
    }
    if (w->failed) return false;
    if (w->buf != NULL) {
        if (w->p != NULL) w->buf->n = (size_t)(w->p - w->buf->p);
    } else if (n_bytes != NULL) {
        *n_bytes = (size_t)(w->p - w->start);
    }
    return true;
}
