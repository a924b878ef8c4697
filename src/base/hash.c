// SPDX-License-Identifier: Apache-2.0
#include "base/hash.h"

#include "base/err.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <openssl/evp.h>

uint64_t an_xxh64(an_slice s)
{
    const void *p = s.n == 0 ? (const void *)"" : s.p;

    an_assert(p != NULL); /* the header speaks of NULL input, which makes the analyzer wonder */
    return XXH64(p, s.n, 0);
}

/* --- MD5, RFC 1321 ------------------------------------------------------------------------------
 */

/* floor(2^32 * |sin(i + 1)|) */
static const uint32_t sine[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391,
};
static const uint8_t turn[4][4] = {
    {7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

static void md5_block(uint32_t state[4], const uint8_t *p)
{
    uint32_t m[16], a = state[0], b = state[1], c = state[2], d = state[3];

    for (unsigned i = 0; i < 16; i++, p += 4) {
        m[i] = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    for (unsigned i = 0; i < 64; i++) {
        uint32_t f;
        unsigned word, by = turn[i / 16][i % 4];
        switch (i / 16) {
        case 0:
            f = (b & c) | (~b & d);
            word = i;
            break;
        case 1:
            f = (d & b) | (~d & c);
            word = 5 * i + 1;
            break;
        case 2:
            f = b ^ c ^ d;
            word = 3 * i + 5;
            break;
        default:
            f = c ^ (b | ~d);
            word = 7 * i;
            break;
        }
        f += a + sine[i] + m[word % 16];
        a = d;
        d = c;
        c = b;
        b += f << by | f >> (32 - by);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
}

void an_md5(an_slice s, uint8_t out[AN_MD5_BYTES])
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint8_t tail[128] = {0};
    size_t rest = s.n % 64, whole = s.n - rest, n_tail = rest < 56 ? 64 : 128;

    for (size_t i = 0; i < whole; i += 64) md5_block(state, s.p + i);
    if (rest > 0) memcpy(tail, s.p + whole, rest);
    tail[rest] = 0x80;
    for (unsigned i = 0; i < 8; i++) tail[n_tail - 8 + i] = (uint8_t)((uint64_t)s.n * 8 >> 8 * i);
    for (size_t i = 0; i < n_tail; i += 64) md5_block(state, tail + i);
    for (unsigned i = 0; i < AN_MD5_BYTES; i++) out[i] = (uint8_t)(state[i / 4] >> 8 * (i % 4));
}

/* --- SHA-256: OpenSSL's, which FIPS keeps. It fails only when memory is gone. -------------------
 */

void an_sha256_init(an_sha256 *h)
{
    h->evp = EVP_MD_CTX_new();
    an_assert(h->evp != NULL);
    an_assert(EVP_DigestInit_ex(h->evp, EVP_sha256(), NULL) == 1);
}

void an_sha256_update(an_sha256 *h, an_slice s)
{
    an_assert(EVP_DigestUpdate(h->evp, s.p, s.n) == 1);
}

void an_sha256_final(an_sha256 *h, uint8_t out[AN_SHA256_BYTES])
{
    an_assert(EVP_DigestFinal_ex(h->evp, out, NULL) == 1);
    an_sha256_deinit(h);
}

void an_sha256_deinit(an_sha256 *h)
{
    EVP_MD_CTX_free(h->evp);
    h->evp = NULL;
}

void an_sha256_of(an_slice s, uint8_t out[AN_SHA256_BYTES])
{
    an_sha256 h;

    an_sha256_init(&h);
    an_sha256_update(&h, s);
    an_sha256_final(&h, out);
}

void an_hex(const uint8_t *p, size_t n, char *out)
{
    for (size_t i = 0; i < n; i++) {
        *out++ = "0123456789abcdef"[p[i] >> 4];
        *out++ = "0123456789abcdef"[p[i] & 15];
    }
    *out = '\0';
}
