// SPDX-License-Identifier: Apache-2.0
/* tsdb/index/strtab.h: the strings of an index being made, by ordinal: compact in memory, or in a
 * spill file when the budget is short. Filled once in ascending order, then read at random.
 *
 * The strings lie one behind the other as in a symbol section (uvarint length, bytes), cut into
 * pages of 16 KiB; the offset of every 16th is kept. When the budget has no further page, all pages
 * go to the spill file and what they held becomes a small read cache.
 *
 * Threads: one while filling; get() by one thread at a time. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"

typedef struct an_strtab an_strtab;

/* b and spill must outlive the table; either may be NULL: no limit; AN_ELIMIT when it is spent. */
AN_MUST_CHECK an_rc an_strtab_new(an_budget *b, const an_spill *spill, an_strtab **out,
                                  an_err *err);
void an_strtab_free(an_strtab *t);
/* s must be above the last one (AN_EHALT with upstream's text); AN_ELIMIT, cause symbols-4g, when
 * the section would pass 2^32 - 1 bytes. Not after a get. */
AN_MUST_CHECK an_rc an_strtab_add(an_strtab *t, an_slice s, an_err *err);
uint32_t an_strtab_n(const an_strtab *t);
uint64_t an_strtab_bytes(const an_strtab *t); /* lengths and bytes, as in a symbol section */
/* Valid until the next call. */
AN_MUST_CHECK an_rc an_strtab_get(an_strtab *t, uint32_t ord, an_slice *out, an_err *err);
/* The bytes of the symbol section in order, piece by piece: page i of an_strtab_pages. */
size_t an_strtab_pages(const an_strtab *t);
AN_MUST_CHECK an_rc an_strtab_page(an_strtab *t, size_t i, an_slice *out, an_err *err);
