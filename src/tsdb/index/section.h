// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/section.h: how the readers of this folder look at a source.
 *
 * A view is what a source last handed out, by file offset: bytes that are at hand are a pointer
 * away, others cost one call. A section is one length-prefixed part of the index read front to
 * back, with its CRC taken along. Private to this folder. Threads: one. */
#pragma once
#include "tsdb/index/index_reader.h"

typedef struct an_view {
    const an_source *src;
    uint64_t off; /* file offset of bytes.p */
    an_slice bytes;
    an_buf own; /* for items longer than a piece */
} an_view;

/* The budget (may be NULL) pays for `own`. */
void an_view_init(an_view *v, const an_source *src, an_budget *budget);
void an_view_deinit(an_view *v);
/* Makes the view begin at off and hold at least n bytes. Damage that the source reports gets the
 * cause index-unreadable. */
AN_MUST_CHECK an_rc an_view_load(an_view *v, uint64_t off, size_t n, an_err *err);

/* At least n bytes at off, and what else is at hand behind them. */
static inline AN_MUST_CHECK an_rc an_view_at(an_view *v, uint64_t off, size_t n, an_slice *out,
                                             an_err *err)
{
    uint64_t skip = off - v->off; /* wraps when off is in front: above bytes.n then */
    if (skip > v->bytes.n || v->bytes.n - skip < n) {
        an_rc rc = an_view_load(v, off, n, err);
        if (rc != AN_OK) return rc;
        skip = 0;
    }
    *out = (an_slice){v->bytes.p + skip, v->bytes.n - (size_t)skip};
    return AN_OK;
}

typedef struct an_section {
    an_view view;
    const char *name; /* for texts */
    uint64_t pos;     /* file offset of the next byte */
    uint64_t end;     /* of the content, where the CRC lies */
    uint64_t crc_to;  /* file offset up to which crc is taken */
    uint32_t crc;
} an_section;

/* Content of `len` bytes at file offset `off`; the caller knows that it and its CRC are inside the
 * file. */
void an_section_init(an_section *s, const char *name, const an_source *src, uint64_t off,
                     uint64_t len, an_budget *budget);
void an_section_deinit(an_section *s);
/* At least n bytes at pos, and what else of the content is at hand. AN_ECORRUPT when the content
 * has less. Does not move pos. */
AN_MUST_CHECK an_rc an_section_at(an_section *s, size_t n, an_slice *out, an_err *err);
/* A whole uvarint at pos, past which pos moves. */
AN_MUST_CHECK an_rc an_section_uvarint(an_section *s, uint64_t *out, an_err *err);
/* Past n bytes that nobody looks at. */
AN_MUST_CHECK an_rc an_section_skip(an_section *s, uint64_t n, an_err *err);
/* All of the content has been read: AN_ECORRUPT when bytes are left over or the CRC is wrong. */
AN_MUST_CHECK an_rc an_section_finish(an_section *s, an_err *err);

/* A uvarint at p, which ends before `end`: where it ends, or NULL when it is cut short or longer
 * than 64 bits. */
const uint8_t *an_uvarint_multi(const uint8_t *p, const uint8_t *end, uint64_t *v);
static inline const uint8_t *an_uvarint_at(const uint8_t *p, const uint8_t *end, uint64_t *v)
{
    if (p < end && *p < 0x80) {
        *v = *p;
        return p + 1;
    }
    return an_uvarint_multi(p, end, v);
}

static inline uint32_t an_be32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* One entry of a postings offset table. */
typedef struct an_table_entry {
    uint64_t keys, list; /* always 2; file offset of the list */
    an_slice name, value;
    size_t len; /* bytes of the entry */
} an_table_entry;

/* The table of ix as a section, ready for its first entry. */
AN_MUST_CHECK an_rc an_table_open(an_section *s, const an_index *ix, const an_source *src,
                                  an_budget *budget, an_err *err);
/* Its strings are valid until the next call on s. */
AN_MUST_CHECK an_rc an_table_next(an_section *s, an_table_entry *out, an_err *err);

/* An error about the bytes at `off`: index-unreadable. */
#define AN_UNREADABLE(err, off, ...)                                                               \
    (AN_FAIL((err), AN_ECORRUPT, __VA_ARGS__), an_err_cause((err), AN_CAUSE_INDEX_UNREADABLE),     \
     an_err_at((err), NULL, NULL, (int64_t)(off)))
