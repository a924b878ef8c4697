// SPDX-License-Identifier: Apache-2.0
#include "base/ulid.h"

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The digit's value; 0xff for every other byte, which is what Go's table holds there too. */
static uint8_t digit(uint8_t c)
{
    if (c >= 'a' && c <= 'z') c = (uint8_t)(c - 'a' + 'A');
    const char *at = c == 0 ? NULL : strchr(alphabet, c);
    return at == NULL ? 0xff : (uint8_t)(at - alphabet);
}

/* 26 digits of 5 bits, right-aligned in 128 bits; what sticks out on the left is dropped. */
static an_ulid compose(const uint8_t *text)
{
    an_ulid u = {{0}};

    for (unsigned i = 0; i < AN_ULID_TEXT; i++) {
        unsigned low = 5 * (AN_ULID_TEXT - 1 - i), byte = 15 - low / 8, by = low % 8;
        uint8_t v = digit(text[i]);
        u.b[byte] |= (uint8_t)(v << by);
        if (by > 3 && byte > 0) u.b[byte - 1] |= (uint8_t)(v >> (8 - by));
    }
    return u;
}

bool an_ulid_parse(an_slice text, an_ulid *out)
{
    if (text.n != AN_ULID_TEXT || text.p[0] > '7') return false;
    for (unsigned i = 0; i < AN_ULID_TEXT; i++) {
        if (digit(text.p[i]) == 0xff || (text.p[i] >= 'a' && text.p[i] <= 'z')) return false;
    }
    *out = compose(text.p);
    return true;
}

bool an_ulid_parse_lenient(an_slice text, an_ulid *out)
{
    if (text.n != AN_ULID_TEXT || text.p[0] > '7') return false;
    *out = compose(text.p);
    return true;
}

void an_ulid_format(an_ulid u, char out[AN_ULID_TEXT + 1])
{
    for (unsigned i = 0; i < AN_ULID_TEXT; i++) {
        unsigned low = 5 * (AN_ULID_TEXT - 1 - i), byte = 15 - low / 8, by = low % 8;
        unsigned v = (unsigned)u.b[byte] >> by;
        if (by > 3 && byte > 0) v |= (unsigned)u.b[byte - 1] << (8 - by);
        out[i] = alphabet[v & 31];
    }
    out[AN_ULID_TEXT] = '\0';
}

an_ulid an_ulid_make(uint64_t unix_ms, const uint8_t entropy[10])
{
    an_ulid u;

    for (unsigned i = 0; i < 6; i++) u.b[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
    memcpy(u.b + 6, entropy, 10);
    return u;
}

uint64_t an_ulid_ms(an_ulid u)
{
    uint64_t ms = 0;

    for (unsigned i = 0; i < 6; i++) ms = ms << 8 | u.b[i];
    return ms;
}
