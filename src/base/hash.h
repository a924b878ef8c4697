// SPDX-License-Identifier: Apache-2.0
/* base/hash.h: the hashes upstream's formats ask for.
 *
 *   XXH64, seed 0   group keys, label sets
 *   MD5             relabel's hashmod, nothing else; our own, because a FIPS OpenSSL has none
 *   SHA-256         file hashes in meta.json, identity of a result
 *
 * Threads: any; an an_sha256 belongs to one. */
#pragma once
#include "base/slice.h"

uint64_t an_xxh64(an_slice s);

enum { AN_MD5_BYTES = 16, AN_SHA256_BYTES = 32 };

void an_md5(an_slice s, uint8_t out[AN_MD5_BYTES]); /* all at once */

/* Incremental: init, update any number of times, then final or deinit. */
typedef struct an_sha256 {
    struct evp_md_ctx_st *evp;
} an_sha256;

void an_sha256_init(an_sha256 *h); /* caller's storage */
void an_sha256_update(an_sha256 *h, an_slice s);
void an_sha256_final(an_sha256 *h, uint8_t out[AN_SHA256_BYTES]); /* deinits as well */
void an_sha256_deinit(an_sha256 *h);                              /* of an unfinished one */
void an_sha256_of(an_slice s, uint8_t out[AN_SHA256_BYTES]);

/* Lower-case hexadecimal of n bytes and a NUL: 2 n + 1 characters at out. */
void an_hex(const uint8_t *p, size_t n, char *out);
