// SPDX-License-Identifier: Apache-2.0
#include "tsdb/segment/segment.h"

#include "base/crc32c.h"
#include "base/cursor.h"

const uint8_t an_segment_header[AN_SEGMENT_HEADER] = {0x85, 0xBD, 0x40, 0xDD, 1, 0, 0, 0};

/* What upstream reads ahead for a length, and so the least it wants behind an offset; a frame in
 * the file's last bytes still has more than that: length, encoding, data, CRC. */
enum { LEN_MAX = 5 };

static an_rc at(an_rc rc, an_err *err, an_cause cause, uint64_t off)
{
    (void)an_err_cause(err, cause);
    (void)an_err_at(err, NULL, NULL, (int64_t)off);
    return rc;
}

an_rc an_segment_check_header(an_slice head, an_err *err)
{
    an_rc rc = AN_OK;
    an_cursor c = an_cursor_of(head);
    const uint32_t magic = an_cursor_be32(&c);
    const uint8_t version = an_cursor_u8(&c);

    if (head.n < AN_SEGMENT_HEADER) {
        rc = AN_FAIL(err, AN_ECORRUPT, "segment header: invalid size: %zu bytes of %d", head.n,
                     AN_SEGMENT_HEADER);
        (void)an_err_values(err, AN_SEGMENT_HEADER, head.n);
        return at(rc, err, AN_CAUSE_SEGMENT_HEADER, 0);
    }
    if (magic != 0x85BD40DD) {
        rc = AN_FAIL(err, AN_ECORRUPT, "invalid magic number %x", magic);
        (void)an_err_values(err, 0x85BD40DD, magic);
        return at(rc, err, AN_CAUSE_SEGMENT_HEADER, 0);
    }
    if (version != 1) {
        rc = AN_FAIL(err, AN_ECORRUPT, "invalid chunk format version %d", version);
        (void)an_err_values(err, 1, version);
        return at(rc, err, AN_CAUSE_SEGMENT_HEADER, 4);
    }
    return rc;
}

/* The length of the data of the frame at off, which is inside the file with all that follows it;
 * *head is how many bytes the length takes. */
static an_rc frame_len(const an_source *src, uint64_t off, an_slice b, uint64_t *len, size_t *head,
                       an_err *err)
{
    an_rc rc = AN_OK;
    an_cursor c = an_cursor_of(an_slice_of(b.p, LEN_MAX));

    *len = an_cursor_uvarint(&c);
    if (c.bad) {
        rc = AN_FAIL(err, AN_ECORRUPT, "reading chunk length failed: no uvarint of up to %d bytes",
                     LEN_MAX);
        return at(rc, err, AN_CAUSE_CHUNK_TRUNCATED, off);
    }
    *head = LEN_MAX - c.left;
    const uint64_t left = src->size - off - *head;
    if (left < 1 + AN_FRAME_CRC || *len > left - 1 - AN_FRAME_CRC) {
        const uint64_t need = off + *head + 1 + *len + AN_FRAME_CRC;
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "segment doesn't include enough bytes to read the chunk - required:%llu, "
                     "available:%llu",
                     (unsigned long long)need, (unsigned long long)src->size);
        (void)an_err_values(err, need, src->size);
        return at(rc, err, AN_CAUSE_CHUNK_TRUNCATED, off);
    }
    return rc;
}

an_rc an_chunk_frame_read(const an_source *src, uint64_t off, an_buf *own, an_chunk_frame *out,
                          an_err *err)
{
    an_rc rc = AN_OK;
    an_slice b;
    uint64_t len = 0;
    size_t head = 0;

    if (off > src->size || src->size - off < LEN_MAX) {
        rc = AN_FAIL(err, AN_ECORRUPT,
                     "segment doesn't include enough bytes to read the chunk size data field - "
                     "required:%llu, available:%llu",
                     (unsigned long long)off + LEN_MAX, (unsigned long long)src->size);
        (void)an_err_values(err, off + LEN_MAX, src->size);
        return at(rc, err, AN_CAUSE_CHUNK_TRUNCATED, off);
    }
    AN_TRY(an_source_at(src, off, LEN_MAX, SIZE_MAX, &b, err));
    AN_TRY(frame_len(src, off, b, &len, &head, err));
    const size_t total = head + 1 + (size_t)len + AN_FRAME_CRC;
    if (b.n < total) AN_TRY(an_source_gather(src, off, total, own, &b, err));

    const an_slice sum = an_slice_of(b.p + head, 1 + (size_t)len);
    an_cursor c = an_cursor_of(an_slice_of(sum.p + sum.n, AN_FRAME_CRC));
    const uint32_t want = an_cursor_be32(&c), got = an_crc32c(sum);
    if (want != got) {
        rc = AN_FAIL(err, AN_ECORRUPT, "checksum mismatch expected:%x, actual:%x", want, got);
        (void)an_err_values(err, want, got);
        return at(rc, err, AN_CAUSE_CHUNK_CHECKSUM, off);
    }
    out->encoding = sum.p[0];
    out->data = an_slice_of(sum.p + 1, (size_t)len);
    out->raw = an_slice_of(b.p, total);
    uint8_t fewest[10];
    out->canonical = an_put_uvarint(fewest, len) == head;
out:
    return rc;
}

void an_chunk_frame_write(an_buf *out, uint8_t encoding, an_slice data)
{
    an_buf_uvarint(out, data.n);
    an_buf_u8(out, encoding);
    an_buf_slice_add(out, data);
    an_buf_be32(out, an_crc32c_update(an_crc32c_update(0, &encoding, 1), data.p, data.n));
}
