// SPDX-License-Identifier: Apache-2.0
/* tsdb/labels/relabel.h: relabel rules as Prometheus has them, read from YAML.
 *
 * A list of rules; keys source_labels, separator, regex, modulus, target_label, replacement,
 * action. Lenient as upstream: unknown and repeated keys are ignored (the last wins), action names
 * match without case. All actions: replace, keep, drop, keepequal, dropequal, hashmod, labelmap,
 * labeldrop, labelkeep, lowercase, uppercase.
 * Source: spec/operations.md 10.1; oracle: golden/vectors/relabel.
 *
 * Ownership: rules own their regexes: free them. Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "tsdb/labels/labels.h"

typedef enum an_relabel_action {
    AN_RELABEL_REPLACE,
    AN_RELABEL_KEEP,
    AN_RELABEL_DROP,
    AN_RELABEL_KEEPEQUAL,
    AN_RELABEL_DROPEQUAL,
    AN_RELABEL_HASHMOD,
    AN_RELABEL_LABELMAP,
    AN_RELABEL_LABELDROP,
    AN_RELABEL_LABELKEEP,
    AN_RELABEL_LOWERCASE,
    AN_RELABEL_UPPERCASE,
    AN_RELABEL__COUNT
} an_relabel_action;

typedef struct an_relabel_rule {
    an_relabel_action action;
    size_t n_source;
    an_slice *source; /* label names */
    an_slice separator, target, replacement;
    an_regex *regex;
    uint64_t modulus;
} an_relabel_rule;

typedef struct an_relabel {
    size_t n;
    an_relabel_rule *rules;
    an_arena *arena; /* holds all of it */
} an_relabel;

/* What the rules may do. */
typedef enum an_relabel_use {
    AN_RELABEL_ANY,      /* series of a rewrite */
    AN_RELABEL_SELECTOR, /* --selector.relabel-config: keep, drop, hashmod only */
} an_relabel_use;

/* AN_EINVALID with upstream's sentence where it has one. Empty input is no rules. */
AN_MUST_CHECK an_rc an_relabel_parse(an_slice yaml, an_relabel_use use, an_relabel **out,
                                     an_err *err);
void an_relabel_free(an_relabel *r); /* NULL is fine */

/* Runs the rules over `in`. *keep: false when a rule drops it. *out: sorted, without empty values;
 * its strings live in the arena or are those of `in`. */
AN_MUST_CHECK an_rc an_relabel_run(const an_relabel *r, an_arena *a, an_labels in, an_labels *out,
                                   bool *keep, an_err *err);
