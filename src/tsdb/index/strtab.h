/* tsdb/index/strtab.h: the strings of an index being made, by ordinal: compact in memory, or in a
 * spill file when the budget is short. Filled once in ascending order, then read at random.
 *
 * Threads: one while filling; get() by one thread at a time. */
#pragma once
#include "base/budget.h"
#include "base/stream.h"

typedef struct an_strtab an_strtab;

/* spill may be NULL: then AN_ELIMIT when the budget is spent. */
AN_MUST_CHECK an_rc an_strtab_new(an_budget *b, const an_spill *spill, an_strtab **out,
                                  an_err *err);
void an_strtab_free(an_strtab *t);
AN_MUST_CHECK an_rc an_strtab_add(an_strtab *t, an_slice s, an_err *err); /* above the last one */
uint32_t an_strtab_n(const an_strtab *t);
uint64_t an_strtab_bytes(const an_strtab *t); /* as a symbol section's content: lengths and bytes */
/* Valid until the next call. */
AN_MUST_CHECK an_rc an_strtab_get(an_strtab *t, uint32_t ord, an_slice *out, an_err *err);
