// SPDX-License-Identifier: Apache-2.0
#include "base/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

/* All paths work on the inverted ("running") value; an_crc32c_update inverts before and after. */
typedef uint32_t crc_fn(uint32_t c, const uint8_t *p, size_t n);

/* --- Table: eight bytes a step ("slicing by 8") -------------------------------------------------
 *
 * table[k][b] is what byte b turns into when k zero bytes follow. The CRC is linear, so an entry is
 * the XOR of those of its single bits: eight numbers a row make the table at compile time. */
#define BIT(i, b, v) (((i) >> (b) & 1) != 0 ? (v) : 0u)
#define ENTRY(i, b0, b1, b2, b3, b4, b5, b6, b7)                                                   \
    (BIT(i, 0, b0) ^ BIT(i, 1, b1) ^ BIT(i, 2, b2) ^ BIT(i, 3, b3) ^ BIT(i, 4, b4) ^               \
     BIT(i, 5, b5) ^ BIT(i, 6, b6) ^ BIT(i, 7, b7))
#define ROW4(i, ...)                                                                               \
    ENTRY(i, __VA_ARGS__), ENTRY((i) + 1, __VA_ARGS__), ENTRY((i) + 2, __VA_ARGS__),               \
        ENTRY((i) + 3, __VA_ARGS__)
#define ROW16(i, ...)                                                                              \
    ROW4(i, __VA_ARGS__), ROW4((i) + 4, __VA_ARGS__), ROW4((i) + 8, __VA_ARGS__),                  \
        ROW4((i) + 12, __VA_ARGS__)
#define ROW64(i, ...)                                                                              \
    ROW16(i, __VA_ARGS__), ROW16((i) + 16, __VA_ARGS__), ROW16((i) + 32, __VA_ARGS__),             \
        ROW16((i) + 48, __VA_ARGS__)
#define ROW(...)                                                                                   \
    {ROW64(0, __VA_ARGS__), ROW64(64, __VA_ARGS__), ROW64(128, __VA_ARGS__),                       \
     ROW64(192, __VA_ARGS__)}

static const uint32_t table[8][256] = {
    ROW(0xf26b8303, 0xe13b70f7, 0xc79a971f, 0x8ad958cf, 0x105ec76f, 0x20bd8ede, 0x417b1dbc,
        0x82f63b78),
    ROW(0x13a29877, 0x274530ee, 0x4e8a61dc, 0x9d14c3b8, 0x3fc5f181, 0x7f8be302, 0xff17c604,
        0xfbc3faf9),
    ROW(0xa541927e, 0x4f6f520d, 0x9edea41a, 0x38513ec5, 0x70a27d8a, 0xe144fb14, 0xc76580d9,
        0x8b277743),
    ROW(0xdd45aab8, 0xbf672381, 0x7b2231f3, 0xf64463e6, 0xe964b13d, 0xd725148b, 0xaba65fe7,
        0x52a0c93f),
    ROW(0x38116fac, 0x7022df58, 0xe045beb0, 0xc5670b91, 0x8f2261d3, 0x1ba8b557, 0x37516aae,
        0x6ea2d55c),
    ROW(0xef306b19, 0xdb8ca0c3, 0xb2f53777, 0x6006181f, 0xc00c303e, 0x85f4168d, 0x0e045beb,
        0x1c08b7d6),
    ROW(0x68032cc8, 0xd0065990, 0xa5e0c5d1, 0x4e2dfd53, 0x9c5bfaa6, 0x3d5b83bd, 0x7ab7077a,
        0xf56e0ef4),
    ROW(0x493c7d27, 0x9278fa4e, 0x211d826d, 0x423b04da, 0x847609b4, 0x0d006599, 0x1a00cb32,
        0x34019664),
};

static uint32_t crc_table(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        c ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        c = table[7][c & 0xff] ^ table[6][c >> 8 & 0xff] ^ table[5][c >> 16 & 0xff] ^
            table[4][c >> 24] ^ table[3][p[4]] ^ table[2][p[5]] ^ table[1][p[6]] ^ table[0][p[7]];
    }
    for (; n > 0; n--, p++) c = c >> 8 ^ table[0][(c ^ *p) & 0xff];
    return c;
}

#if defined(__x86_64__)
/* --- SSE4.2 and PCLMUL: three lanes -------------------------------------------------------------
 *
 * crc32q takes 8 bytes and answers after three cycles but starts every cycle, so three lanes of
 * `words` words run side by side. A lane's value moves over m words when it is multiplied by
 * x^(64 m) mod P: by its carry-less product with shift[m - 1] = x^(64 m - 33) mod P, XORed into the
 * last word of the last lane, where crc32q multiplies by x^32; the 33rd is the bit by which a
 * product of reflected numbers is off. Below LANES_MIN bytes the products cost more than they save
 * (measured on Zen 4: 3.8 against 5.9 ns for 64 bytes, 7.2 for 150 either way, 25 against 57 for
 * 1000). */
enum { LANES_MIN = 144, WORDS_MAX = 64 };
static const uint32_t shift[2 * WORDS_MAX] = {
    0x00000001, 0x493c7d27, 0xf20c0dfe, 0xba4fc28e, 0x3da6d0cb, 0xddc0152b, 0x1c291d04, 0x9e4addf8,
    0x740eef02, 0x39d3b296, 0x083a6eec, 0x0715ce53, 0xc49f4f67, 0x47db8317, 0x2ad91c30, 0x0d3b6092,
    0x6992cea2, 0xc96cfdc0, 0x7e908048, 0x878a92a7, 0x1b3d8f29, 0xdaece73e, 0xf1d0f55e, 0xab7aff2a,
    0xa87ab8a8, 0x2162d385, 0x8462d800, 0x83348832, 0x71d111a8, 0x299847d5, 0xffd852c6, 0xb9e02b86,
    0xdcb17aa4, 0x18b33a4e, 0xf37c5aee, 0xb6dd949b, 0x6051d5a2, 0x78d9ccb7, 0x18b0d4ff, 0xbac2fd7b,
    0x21f3d99c, 0xa60ce07b, 0x8f158014, 0xce7f39f4, 0xa00457f7, 0x61d82e56, 0x8d6d2c43, 0xd270f1a2,
    0x00ac29cf, 0xc619809d, 0xe9adf796, 0x2b3cac5d, 0x96638b34, 0x65863b64, 0xe0e9f351, 0x1b03397f,
    0x9af01f2d, 0xebb883bd, 0x2cff42cf, 0xb3e32c28, 0x88f25a3a, 0x064f7f26, 0x4e36f0b0, 0xdd7e3b0c,
    0xbd6f81f8, 0xf285651c, 0x91c9bd4b, 0x10746f3c, 0x885f087b, 0xc7a68855, 0x4c144932, 0x271d9844,
    0x52148f02, 0x8e766a0c, 0xa3c6f37a, 0x93a5f730, 0xd7c0557f, 0x6cb08e5c, 0x63ded06a, 0x6b749fb2,
    0x4d56973c, 0x1393e203, 0x9669c9df, 0xcec3662e, 0xe417f38a, 0x96c515bb, 0x4b9e0f71, 0xe6fc4e6a,
    0xd104b8fc, 0x8227bb8a, 0x5b397730, 0xb0cd4768, 0xe78eb416, 0x39c7ff35, 0x61ff0e01, 0xd7a4825c,
    0x8d96551c, 0x0ab3844b, 0x0bf80dd2, 0x0167d312, 0x8821abed, 0xf6076544, 0x6a45d2b2, 0x26f6a60a,
    0xd8d26619, 0xa741c1bf, 0xde87806c, 0x98d8d9cb, 0x14338754, 0x49c3cc9c, 0x5bd2011f, 0x68bce87a,
    0xdd07448e, 0x57a3d037, 0xdde8f5b9, 0x6956fc3b, 0xa3e3e02c, 0x42d98888, 0xd73c7bea, 0x3771e98f,
    0x80ff0093, 0xb42ae3d9, 0x8fe4c34d, 0x2178513a, 0xdf99fc11, 0xe0ac139e, 0x6c23e841, 0x170076fa,
};

static inline uint64_t load_word(const uint8_t *p)
{
    uint64_t w;

    memcpy(&w, p, sizeof w);
    return w;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t moved(uint64_t c, uint32_t by)
{
    return (uint64_t)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)c), _mm_cvtsi64_si128(by), 0));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t crc_sse42(uint32_t crc, const uint8_t *p,
                                                                   size_t n)
{
    uint64_t c = crc;

    while (n >= LANES_MIN) {
        size_t words = n / 24 < WORDS_MAX ? n / 24 : WORDS_MAX, lane = words * 8;
        const uint8_t *last = p + lane - 8;
        uint64_t c1 = 0, c2 = 0;
        for (; p < last; p += 8) {
            c = _mm_crc32_u64(c, load_word(p));
            c1 = _mm_crc32_u64(c1, load_word(p + lane));
            c2 = _mm_crc32_u64(c2, load_word(p + 2 * lane));
        }
        c = _mm_crc32_u64(c, load_word(p));
        c1 = _mm_crc32_u64(c1, load_word(p + lane));
        uint64_t joined = moved(c, shift[2 * words - 1]) ^ moved(c1, shift[words - 1]);
        c = _mm_crc32_u64(c2, load_word(p + 2 * lane) ^ joined);
        p += 2 * lane + 8;
        n -= 3 * lane;
    }
    for (; n >= 8; n -= 8, p += 8) c = _mm_crc32_u64(c, load_word(p));
    crc = (uint32_t)c;
    if ((n & 4) != 0) {
        uint32_t w;
        memcpy(&w, p, sizeof w);
        crc = _mm_crc32_u32(crc, w);
        p += 4;
    }
    if ((n & 2) != 0) {
        uint16_t w;
        memcpy(&w, p, sizeof w);
        crc = _mm_crc32_u16(crc, w);
        p += 2;
    }
    return (n & 1) != 0 ? _mm_crc32_u8(crc, *p) : crc;
}

static bool can_sse42(void)
{
    return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}
#elif defined(__aarch64__)
__attribute__((target("+crc"))) static uint32_t crc_armv8(uint32_t c, const uint8_t *p, size_t n)
{
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, sizeof w);
        c = __crc32cd(c, w);
    }
    for (; n > 0; n--, p++) c = __crc32cb(c, *p);
    return c;
}

static bool can_armv8(void) { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }
#endif

static bool can_table(void) { return true; }

/* In order of preference. */
static const struct {
    const char *name;
    bool (*can)(void);
    crc_fn *run;
} paths[] = {
#if defined(__x86_64__)
    {"sse4.2", can_sse42, crc_sse42},
#elif defined(__aarch64__)
    {"armv8", can_armv8, crc_armv8},
#endif
    {"table", can_table, crc_table},
};

uint32_t an_crc32c_update(uint32_t crc, const void *p, size_t n)
{
    /* Asked every time: the compiler's start-up code has the answer in memory, and a cache of ours
     * would be a global. */
#if defined(__x86_64__)
    if (__builtin_expect(can_sse42(), 1)) return ~crc_sse42(~crc, p, n);
#elif defined(__aarch64__)
    if (__builtin_expect(can_armv8(), 1)) return ~crc_armv8(~crc, p, n);
#endif
    return ~crc_table(~crc, p, n);
}

const char *an_crc32c_path(size_t i, uint32_t crc, an_slice s, uint32_t *out)
{
    if (i >= sizeof paths / sizeof *paths) return NULL;
    if (paths[i].can()) *out = ~paths[i].run(~crc, s.p, s.n);
    return paths[i].name;
}
