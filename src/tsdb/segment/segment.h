// SPDX-License-Identifier: Apache-2.0
/* tsdb/segment/segment.h: chunk segment files: an 8-byte header, then frames
 *
 *   uvarint len | u8 encoding | len bytes data | be32 CRC32C(encoding, data)
 *
 * and the rule by which a writer starts the next file. spec/tsdb-block.md 2 and 6.1. */
#pragma once
#include "base/stream.h"

enum { AN_SEGMENT_HEADER = 8, AN_FRAME_MAX_HEAD = 10 + 1, AN_FRAME_CRC = 4 };
#define AN_SEGMENT_MAX (UINT64_C(512) << 20)

typedef struct an_chunk_frame {
    uint8_t encoding;
    an_slice data;
    an_slice raw;   /* the whole frame, as stored */
    bool canonical; /* the length is written in the fewest bytes: `raw` may be copied */
} an_chunk_frame;

extern const uint8_t an_segment_header[AN_SEGMENT_HEADER];

/* The first 8 bytes of a file, or all of a shorter one: AN_ECORRUPT, cause segment-header. */
AN_MUST_CHECK an_rc an_segment_check_header(an_slice head, an_err *err);
/* The frame at `off`; views are valid until the next call on src or `own`, in which frames longer
 * than a piece of src are put together. Length against the file (AN_ECORRUPT, cause
 * chunk-truncated), then the CRC (AN_ECORRUPT, cause chunk-checksum; expected = stored). */
AN_MUST_CHECK an_rc an_chunk_frame_read(const an_source *src, uint64_t off, an_buf *own,
                                        an_chunk_frame *out, an_err *err);
/* Appends a frame made of encoding and data. */
void an_chunk_frame_write(an_buf *out, uint8_t encoding, an_slice data);

/* Which chunks start a new file, asked for one chunk of a series after the other. Upstream adds up
 * the chunks of one series as if each length took five bytes; it compares with the file that was
 * open when the series began until its first cut, with an empty one from then on. */
typedef struct an_segment_cutter {
    uint64_t max;  /* AN_SEGMENT_MAX */
    uint64_t open; /* write position when the series began if that file had chunks; else 0 */
    uint64_t sum;
    bool begun;
} an_segment_cutter;

static inline an_segment_cutter an_segment_cutter_of(uint64_t max, uint64_t pos)
{
    return (an_segment_cutter){max, pos > AN_SEGMENT_HEADER ? pos : 0, 0, false};
}

/* data_len: of the payload. True: this chunk starts a new file (not told for the
 * very first file: whoever writes opens that anyway). */
static inline bool an_segment_cutter_next(an_segment_cutter *c, uint64_t data_len)
{
    uint64_t size = 5 + 1 + data_len + AN_FRAME_CRC;
    bool cut;

    c->sum += size;
    if (c->open > 0) {
        cut = c->sum + c->open > c->max;
        if (cut) c->open = 0;
    } else {
        cut = c->begun && c->sum + AN_SEGMENT_HEADER > c->max;
    }
    c->begun = true;
    if (cut) c->sum = size;
    return cut;
}
