// SPDX-License-Identifier: Apache-2.0
/* tsdb/labels/labels.h: label sets as Prometheus orders and prints them.
 *
 * A set is an array of name/value pairs in ascending bytewise order of name. Strings are borrowed.
 * Source: spec/tsdb-block.md 0, spec/compaction.md 3. Threads: plain values. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"

typedef struct an_label {
    an_slice name, value;
} an_label;

typedef struct an_labels {
    size_t n;
    an_label *v;
} an_labels;

/* Pair by pair, name then value, bytewise; a strict prefix sorts first. */
int an_labels_cmp(an_labels a, an_labels b);
/* The value of `name`, or an empty slice with p == NULL. */
an_slice an_labels_get(an_labels ls, an_slice name);
/* Sorts v in place by name (stable). */
void an_labels_sort(an_labels *ls);
/* `{a="1", b="2"}` with Go-quoted values, as upstream's logs and errors print it. */
void an_labels_print(an_buf *out, an_labels ls);
/* `{"a":"1","b":"2"}` as Go's encoding/json prints a map: keys sorted, <>& escaped. */
void an_labels_json(an_buf *out, an_labels ls);
/* XXH64 over `name 0xFF value 0xFF ...`: the layout of release builds (tag slicelabels). */
uint64_t an_labels_hash(an_labels ls);
