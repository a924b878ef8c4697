// SPDX-License-Identifier: Apache-2.0
/* base/regex_ast.h: inside base/regex only: RE2's syntax as Go reads it, parsed into a tree, and
 * the tree written as a PCRE2 pattern.
 *
 * Trees live in the arena given to the parser. Threads: one. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    AN_REGEX_DEPTH = 250,       /* of parentheses; Go: 1000 levels of the tree */
    AN_REGEX_REPEAT_MAX = 1000, /* Go's: a{1001} and (a{100}){100} are refused */
};

typedef enum an_re_kind {
    AN_RE_EMPTY,
    AN_RE_RUNE,
    AN_RE_CLASS,
    AN_RE_ANY,        /* . with (?s) */
    AN_RE_ANY_NOT_NL, /* . without */
    AN_RE_TEXT_BEGIN,
    AN_RE_TEXT_END,
    AN_RE_LINE_BEGIN,
    AN_RE_LINE_END,
    AN_RE_WORD,
    AN_RE_NOT_WORD,
    AN_RE_CAPTURE,
    AN_RE_CAT,
    AN_RE_ALT,
    AN_RE_REPEAT,
} an_re_kind;

typedef struct an_re_range {
    uint32_t lo, hi; /* closed */
} an_re_range;

typedef struct an_re_prop { /* \p{...} or \P{...} by the name PCRE2 knows it under */
    char name[40];
    bool negated;
} an_re_prop;

typedef struct an_re {
    an_re_kind kind;
    struct an_re *first, *next; /* children in order; sibling */
    bool nullable;              /* may match without taking anything */
    bool fold;                  /* RUNE, CLASS: without regard to case */
    uint32_t rune;              /* RUNE */
    uint32_t set;               /* RUNE, CLASS: 1 + its number in the program, once it has one */
    bool negated;               /* CLASS */
    size_t n_ranges, n_props;   /* CLASS */
    an_re_range *ranges, only;
    an_re_prop *props;
    size_t group; /* CAPTURE, from 1 */
    int min, max; /* REPEAT; max -1: no end */
    bool counted; /* REPEAT written with braces */
    bool lazy;    /* REPEAT */
    int stacked;  /* REPEAT: how many repetitions stand directly in one another */
} an_re;

typedef struct an_re_tree {
    an_re *root;
    size_t n_groups;
    const an_slice *names; /* n_groups of them, "" if none; into the pattern */
} an_re_tree;

/* `text` as it is, anchors and all. AN_EINVALID: Go refuses it, with Go's text; AN_ELIMIT. */
AN_MUST_CHECK an_rc an_re_parse(an_arena *a, an_slice text, an_re_tree *out, an_err *err);
