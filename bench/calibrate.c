// SPDX-License-Identifier: Apache-2.0
/* bench/calibrate.c: how fast this machine is at what compaction is made of: copying memory, CRC32C
 * and decoding XOR chunks. One line of JSON. CPU time, best of several rounds. */
#include "base/crc32c.h"
#include "tsdb/chunk/reencode.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BYTES = 64 << 20, ROUNDS = 7, SAMPLES = 120, CHUNKS = 20000 };

static double cpu_now(void)
{
    struct timespec t;
    an_assert(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct kept {
    uint8_t data[4096];
    size_t n;
} kept;

static an_rc keep(void *arg, const an_chunk_out *c, an_err *err)
{
    kept *k = arg;
    (void)err;
    memcpy(k->data, c->data.p, c->data.n);
    k->n = c->data.n;
    return AN_OK;
}

static an_rc one_chunk(an_arena *a, kept *k, an_err *err)
{
    an_rc rc = AN_OK;
    an_reencoder re;

    an_reencoder_init(&re, a);
    an_reencode_begin(&re, (an_chunk_sink){keep, k});
    for (int i = 0; i < SAMPLES; i++) {
        double v = (double)(i * i % 977);
        uint64_t bits;
        memcpy(&bits, &v, sizeof bits);
        AN_TRY(an_reencode_float(&re, INT64_C(1700000000000) + i * 15000 + i % 3, 0, bits, err));
    }
    AN_TRY(an_reencode_end(&re, err));
out:
    return rc;
}

static double decode_all(an_arena *a, const kept *k, uint64_t *sum, an_err *err)
{
    const an_chunk_codec *codec = an_chunk_codec_of(1);
    an_chunk_iter it;
    double start = cpu_now();

    an_chunk_iter_init(&it, a);
    for (int c = 0; c < CHUNKS; c++) {
        an_rc rc = an_chunk_iter_open(&it, codec, an_slice_of(k->data, k->n), err);
        while (rc == AN_OK && (rc = an_chunk_fill(&it, err)) == AN_OK && it.n > 0)
            *sum += it.v[it.n - 1] + (uint64_t)it.t[0];
        if (rc != AN_OK) {
            (void)fprintf(stderr, "calibrate: %s\n", err->msg);
            exit(1);
        }
    }
    return cpu_now() - start;
}

int main(void)
{
    uint8_t *a = calloc(1, BYTES), *b = calloc(1, BYTES);
    double copy = 1e9, crc = 1e9, xor = 1e9;
    uint64_t sum = 0;
    an_err err;
    kept k = {.n = 0};
    an_arena *arena = an_arena_new(NULL);

    an_assert(a != NULL && b != NULL);
    if (one_chunk(arena, &k, &err) != AN_OK) return 1;
    for (int r = 0; r < ROUNDS; r++) {
        double t0 = cpu_now();
        memcpy(b, a, BYTES);
        double t1 = cpu_now();
        sum += an_crc32c(an_slice_of(b, BYTES));
        double t2 = cpu_now(), d = decode_all(arena, &k, &sum, &err);
        if (t1 - t0 < copy) copy = t1 - t0;
        if (t2 - t1 < crc) crc = t2 - t1;
        if (d < xor) xor = d;
        a[r]++;
    }
    (void)printf("{\"memcpy_gb_s\": %.2f, \"crc32c_gb_s\": %.2f, \"xor_ns_sample\": %.2f, "
                 "\"check\": %llu}\n",
                 BYTES / copy * 1e-9, BYTES / crc * 1e-9, xor*1e9 / (SAMPLES * CHUNKS),
                 (unsigned long long)sum);
    an_arena_free(arena);
    free(a);
    free(b);
    return 0;
}
