// SPDX-License-Identifier: Apache-2.0
/* support/index_walk.h: all of an index through the real reader, as a text to compare; and the same
 * index once more through the real writer. */
#pragma once
#include "support/streams.h"
#include "tsdb/index/index_writer.h"

typedef struct walk_opts {
    size_t piece; /* of every source; 0: no limit */
    test_source_mode mode;
    an_budget *budget;
    uint64_t fail_at; /* the n-th call of any source fails; 0: none */
} walk_opts;

/* Opens the index, walks symbols, postings table and series, and appends all they say to `dump`
 * (unless NULL): references as numbers and as strings, chunks, postings. Sources are fresh. */
AN_MUST_CHECK an_rc index_walk(an_slice bytes, const walk_opts *o, an_buf *dump, an_err *err);

/* Symbols and series as strings, without references and offsets: what a rewrite must keep. */
AN_MUST_CHECK an_rc index_content(an_slice bytes, an_buf *dump, an_err *err);

/* Reads the index and writes its content as version 2. b is the writer's budget, for symbols and
 * postings each. */
AN_MUST_CHECK an_rc index_copy(an_slice bytes, const walk_opts *o, an_budget *b,
                               const an_spill *spill, const an_sink *sink, an_index_written *out,
                               an_err *err);
