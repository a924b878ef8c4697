// SPDX-License-Identifier: Apache-2.0
/* compact/merge/frame.h: chunk frames while they pass through: how long one is, before it is
 * copied, and whether it is good, afterwards. Layout: tsdb/segment/segment.h. Threads: plain
 * functions. */
#pragma once
#include "bucket/chunk_reader.h"
#include "tsdb/chunk/chunk.h"

typedef struct an_frame_size {
    uint32_t head;  /* bytes of the length */
    uint32_t data;  /* payload */
    uint64_t total; /* head + encoding + data + CRC */
    bool canonical; /* the length is written in the fewest bytes */
} an_frame_size;

enum { AN_FRAME_LEN_MAX = 5 }; /* bytes of a length; upstream reads no more */

/* Reads the length at `ref`. AN_ECORRUPT, cause chunk-truncated, when the frame does not end inside
 * its segment. */
AN_MUST_CHECK an_rc an_frame_measure(an_chunk_reader *c, uint64_t ref, an_frame_size *out,
                                     an_err *err);

/* A frame too long to be held: its CRC, read piece by piece. AN_ECORRUPT, cause chunk-checksum,
 * when it is wrong, so that a damaged length is told from a long chunk. */
AN_MUST_CHECK an_rc an_frame_check_long(an_chunk_reader *c, uint64_t ref, const an_frame_size *size,
                                        an_err *err);

/* What is known of a frame once it was checked. */
typedef struct an_frame_info {
    uint8_t encoding;
    uint32_t samples; /* of its header; of the count for an aggregate */
    an_slice data;
} an_frame_info;

/* A whole frame of a block: CRC (cause chunk-checksum), a known encoding that may stand there
 * (chunk-encoding), a payload long enough for its header (chunk-truncated). Encodings 4 to 6 are
 * decoded once, by `it`, and must hold times of the block (chunk-encoding): nothing else proves
 * that such a payload is what its encoding says. */
AN_MUST_CHECK an_rc an_frame_check(an_slice frame, const an_block_reader *block, an_chunk_iter *it,
                                   an_frame_info *out, an_err *err);

/* The header's count of a checked payload. */
uint32_t an_frame_samples(uint8_t encoding, an_slice data);

/* Samples as meta.json counts them: spec/tsdb-block.md 1.3. */
typedef struct an_sample_counts {
    uint64_t all, floats, histograms;
} an_sample_counts;
static inline void an_sample_counts_add(an_sample_counts *c, uint8_t encoding, uint32_t samples)
{
    c->all += samples;
    if (encoding == AN_ENC_XOR || encoding == AN_ENC_XOR2)
        c->floats += samples;
    else if (encoding != AN_ENC_AGGR)
        c->histograms += samples;
}
