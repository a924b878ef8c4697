// SPDX-License-Identifier: Apache-2.0
#include "compact/merge/frame.h"

#include "base/crc32c.h"
#include "base/cursor.h"
#include "tsdb/segment/segment.h"

an_rc an_frame_measure(an_chunk_reader *c, uint64_t ref, an_frame_size *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice v;
    uint64_t left = an_chunk_reader_left(c, ref);
    size_t min = left < AN_FRAME_LEN_MAX ? (size_t)left : AN_FRAME_LEN_MAX;

    AN_TRY(an_chunk_reader_view(c, ref, min > 0 ? min : 1, &v, err)); /* says why when left is 0 */
    an_cursor cur = an_cursor_of(an_slice_of(v.p, min));
    uint64_t len = an_cursor_uvarint(&cur);
    uint32_t head = (uint32_t)(min - cur.left);
    uint64_t total = cur.bad ? 0 : head + 1 + len + AN_FRAME_CRC;
    if (cur.bad || len > UINT32_MAX || total > left) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "segment doesn't include enough bytes to read the chunk - required:%llu, "
                     "available:%llu",
                     (unsigned long long)total, (unsigned long long)left);
        (void)an_err_cause(err, AN_CAUSE_CHUNK_TRUNCATED);
        (void)an_err_values(err, total, left);
        (void)an_block_reader_chunk_err(c->block, ref, err);
        goto out;
    }
    *out = (an_frame_size){head, (uint32_t)len, total, head == 1 || v.p[head - 1] != 0};
out:
    return rc;
}

static an_rc check_crc(uint32_t want, uint32_t got, an_err *err)
{
    if (got == want) return AN_OK;
    (void)AN_FAIL(err, AN_ECORRUPT, "checksum mismatch expected:%x, actual:%x", want, got);
    (void)an_err_cause(err, AN_CAUSE_CHUNK_CHECKSUM);
    return an_err_values(err, want, got);
}

an_rc an_frame_check_long(an_chunk_reader *c, uint64_t ref, const an_frame_size *size, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t at = ref + size->head, left = (uint64_t)size->data + 1;
    uint8_t stored[AN_FRAME_CRC];
    uint32_t got = 0;
    an_slice v;

    while (left > 0) {
        AN_TRY(an_chunk_reader_view(c, at, 1, &v, err));
        if (v.n > left) v.n = (size_t)left;
        got = an_crc32c_update(got, v.p, v.n);
        at += v.n;
        left -= v.n;
    }
    AN_TRY(an_chunk_reader_copy(c, at, sizeof stored, stored, err));
    an_cursor cur = an_cursor_of(an_slice_of(stored, sizeof stored));
    AN_TRY(check_crc(an_cursor_be32(&cur), got, err));
out:
    return rc == AN_OK ? rc : an_block_reader_chunk_err(c->block, ref, err);
}

uint32_t an_frame_samples(uint8_t encoding, an_slice data)
{
    const an_chunk_codec *codec = an_chunk_codec_of(encoding);

    return codec == NULL || data.n < codec->header ? 0 : codec->count(data);
}

/* Encodings that upstream does not know prove themselves by being decoded. */
static an_rc decode_once(const an_chunk_codec *codec, an_slice data, const an_block_reader *block,
                         an_chunk_iter *it, an_err *err)
{
    an_rc rc = AN_OK;
    an_chunk_info info;

    AN_TRY(an_chunk_validate(it, codec, data, &info, err));
    AN_CHECK(info.n == 0 || (info.min_t >= block->meta->mint && info.max_t <= block->meta->maxt),
             err, AN_ECORRUPT,
             "chunk of encoding %u has samples from %lld to %lld, its block ends at "
             "[%lld, %lld]",
             codec->encoding, (long long)info.min_t, (long long)info.max_t,
             (long long)block->meta->mint, (long long)block->meta->maxt);
out:
    return rc == AN_OK ? rc : an_err_cause(err, AN_CAUSE_CHUNK_ENCODING);
}

an_rc an_frame_check(an_slice frame, const an_block_reader *block, an_chunk_iter *it,
                     an_frame_info *out, an_err *err)
{
    an_rc rc = AN_OK;
    an_cursor c = an_cursor_of(frame);
    uint64_t len = an_cursor_uvarint(&c);
    an_slice body = an_cursor_take(&c, len + 1);
    uint32_t want = an_cursor_be32(&c);

    an_assert(!c.bad && body.n > 0); /* whoever copied it had measured it */
    AN_TRY(check_crc(want, an_crc32c(body), err));
    out->encoding = body.p[0];
    out->data = an_slice_of(body.p + 1, body.n - 1);
    if (out->encoding == AN_ENC_XOR && out->data.n >= 2) {
        out->samples = (uint32_t)body.p[1] << 8 | body.p[2]; /* most chunks end here */
        goto out;
    }
    const an_chunk_codec *codec;
    AN_TRY(an_chunk_codec_find(out->encoding, &codec, err));
    AN_CHECK_CAUSE(out->encoding != AN_ENC_AGGR || block->meta->thanos.resolution != AN_RES_RAW,
                   err, AN_ECORRUPT, AN_CAUSE_CHUNK_ENCODING,
                   "a downsampled chunk (encoding 255) in a block of raw samples");
    AN_CHECK_CAUSE(out->data.n >= codec->header, err, AN_ECORRUPT, AN_CAUSE_CHUNK_TRUNCATED,
                   "chunk payload of %zu bytes is shorter than its header", out->data.n);
    if (out->encoding >= AN_ENC_XOR2 && out->encoding <= AN_ENC_FHIST_ST)
        AN_TRY(decode_once(codec, out->data, block, it, err));
    out->samples = an_frame_samples(out->encoding, out->data);
out:
    return rc;
}
