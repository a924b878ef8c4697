// SPDX-License-Identifier: Apache-2.0
/* base/crc32c.h: the Castagnoli CRC of chunks, index sections and tombstones (polynomial
 * 0x82f63b78, reflected, inverted before and after; crc32c("123456789") = e3069283).
 *
 * Uses the processor's instructions where it has them (SSE4.2 with PCLMUL, ARMv8 CRC), else a
 * table; tuned for chunks of about 150 bytes. Threads: any. */
#pragma once
#include "base/slice.h"

/* The CRC of bytes with the CRC `crc` so far (0: none yet) followed by n bytes at p. */
uint32_t an_crc32c_update(uint32_t crc, const void *p, size_t n);
static inline uint32_t an_crc32c(an_slice s) { return an_crc32c_update(0, s.p, s.n); }

/* The i-th implementation of this build, for the test that compares them all: its name, NULL when
 * there is none; *out is as an_crc32c_update, untouched when this processor cannot run it. */
const char *an_crc32c_path(size_t i, uint32_t crc, an_slice s, uint32_t *out);
