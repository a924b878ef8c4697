// SPDX-License-Identifier: Apache-2.0
/* compact/merge/symbols.h: the symbol tables of the inputs become the one of the result: their
 * sorted union, symbols that no series uses included (spec/compaction.md 6.2). On the way each
 * input gets its map from reference to ordinal. Threads: one. */
#pragma once
#include "compact/merge/ordmap.h"
#include "tsdb/index/index_reader.h"
#include "tsdb/index/strtab.h"

typedef struct an_symbols_input {
    const an_index *index;
    const an_source *source; /* over the index, for this walk alone */
    an_ordmap *map;          /* out; the caller frees it, also after a failure */
} an_symbols_input;

/* Tables and maps take their memory from `maps` (the iterators from `scratch`, and give it back).
 * On failure *bad is the number of the input that the error comes from, or SIZE_MAX. */
AN_MUST_CHECK an_rc an_symbols_merge(an_symbols_input *inputs, size_t n, an_strtab *union_table,
                                     an_budget *maps, an_budget *scratch, const an_spill *spill,
                                     size_t *bad, an_err *err);
