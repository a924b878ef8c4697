// SPDX-License-Identifier: Apache-2.0
/* cli/block_table.h: blocks as rows of a table: `tools bucket inspect`.
 *
 * Columns, texts, order and drawing are upstream's: spec/operations.md 1.8. Cells are compared by
 * what both can be read as: times, then durations, then integers with separators, then text; ties
 * fall to the next column and at last to the ULID. Threads: plain functions. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "tsdb/meta/meta.h"

typedef enum an_table_form { AN_TABLE_DRAWN, AN_TABLE_CSV, AN_TABLE_TSV } an_table_form;

/* Reads --selector flags: name="value", the value a Go string literal. AN_EINVALID. */
AN_MUST_CHECK an_rc an_block_selector(an_arena *a, const char *const *flags, size_t n,
                                      an_labels *out, an_err *err);

/* Appends the table of those blocks that have all labels of `selector`. `columns` are names of
 * columns to sort by (the flag's choices, so each exists). Times are those of the machine's zone.
 */
void an_block_table(an_arena *a, an_buf *out, const an_meta *const *blocks, size_t n,
                    an_labels selector, const char *const *columns, size_t n_columns,
                    an_table_form form);
