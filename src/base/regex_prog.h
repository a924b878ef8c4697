// SPDX-License-Identifier: Apache-2.0
/* base/regex_prog.h: inside base/regex only: the program a pattern is compiled to, and the sets of
 * code points it tests.
 *
 * The instructions are those of Go's regexp, laid out one after the other:
 *
 *   RUNE, SET, ANY, ANY_NOT_NL   take one code point, go on behind
 *   ALT x y                      go on at x; if that fails, at y
 *   JUMP x
 *   CAPTURE x                    note the position in slot x
 *   ASSERT x                     go on if the assertion (an_re_kind) holds here
 *   MATCH
 *
 * Threads: immutable after compiling. */
#pragma once
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex_ast.h"

enum {
    AN_REGEX_PROGRAM_MAX = 1 << 18, /* instructions; Go: 3.3 million */
    AN_REGEX_SETS_MAX = 10000,      /* sets that need PCRE2 */
};

typedef enum an_re_op {
    AN_RE_OP_RUNE,
    AN_RE_OP_SET,
    AN_RE_OP_ANY,
    AN_RE_OP_ANY_NOT_NL,
    AN_RE_OP_ALT,
    AN_RE_OP_JUMP,
    AN_RE_OP_CAPTURE,
    AN_RE_OP_ASSERT,
    AN_RE_OP_MATCH,
} an_re_op;

typedef struct an_re_inst {
    an_re_op op;
    uint32_t x, y;
} an_re_inst;

/* Unicode properties and cases are PCRE2's business: such a set is a compiled class, asked about
 * one code point at a time. ASCII is answered from a table. */
typedef struct an_re_set {
    uint64_t ascii[2];
    const an_re *cls; /* ranges above ASCII, where `code` is NULL */
    pcre2_code *code;
} an_re_set;

typedef struct an_re_prog {
    an_re_inst *inst;
    an_re_set *set;
    size_t n_inst, n_sets;
    size_t n_slots; /* two for each group and the whole */
    bool anchored;  /* begins with \A: nothing matches later */
    bool uses_pcre; /* an_re_set_has needs a match data block */
} an_re_prog;

/* The tree must live as long as the program. AN_ELIMIT: too large. */
AN_MUST_CHECK an_rc an_re_compile(an_arena *a, const an_re_tree *t, an_re_prog *out, an_err *err);
void an_re_prog_deinit(an_re_prog *p); /* what PCRE2 holds; the rest is the arena's */

/* md: of one pair, for a program that uses PCRE2; else NULL. */
bool an_re_set_has(const an_re_set *s, uint32_t rune, pcre2_match_data *md);
