// SPDX-License-Identifier: Apache-2.0
#include "base/regex_prog.h"

#include "base/utf8.h"

#include <string.h>

typedef struct compiler {
    an_buf inst; /* an_re_inst each */
    an_buf sets; /* an_re_set each */
    size_t n_pcre;
    an_err *err;
} compiler;

/* ---- Sets ---- */

static void class_pattern(an_buf *out, const an_re *re)
{
    an_buf_str(out, re->fold ? "\\A(?i:[" : "\\A(?:[");
    if (re->negated) an_buf_u8(out, '^');
    for (size_t i = 0; i < re->n_ranges; i++) {
        an_buf_printf(out, "\\x{%x}-\\x{%x}", (unsigned)re->ranges[i].lo,
                      (unsigned)re->ranges[i].hi);
    }
    for (size_t i = 0; i < re->n_props; i++) {
        an_buf_printf(out, "\\%c{%s}", re->props[i].negated ? 'P' : 'p', re->props[i].name);
    }
    an_buf_str(out, "])");
}

static an_rc compile_class(compiler *c, const an_re *re, an_re_set *s)
{
    an_rc rc = AN_OK;
    int code = 0;
    PCRE2_SIZE where;
    an_buf text;
    pcre2_match_data *md = pcre2_match_data_create(1, NULL);

    an_buf_init(&text, 32 << 20, NULL);
    class_pattern(&text, re);
    AN_CHECK(++c->n_pcre <= AN_REGEX_SETS_MAX && md != NULL && !text.failed, c->err, AN_ELIMIT,
             "regexp: more than %d character classes", AN_REGEX_SETS_MAX);
    s->code = pcre2_compile(text.p, text.n, PCRE2_UTF | PCRE2_NEVER_UCP, &code, &where, NULL);
    if (s->code == NULL) {
        PCRE2_UCHAR why[120];
        (void)pcre2_get_error_message(code, why, sizeof why);
        rc = AN_FAIL(c->err, AN_ELIMIT, "regexp: cannot compile a character class: %s",
                     (const char *)why);
        goto out;
    }
    for (uint8_t r = 0; r < 128; r++) {
        int found = pcre2_match(s->code, &r, 1, 0, 0, md, NULL);
        if (found >= 0) s->ascii[r / 64] |= UINT64_C(1) << r % 64;
    }
out:
    pcre2_match_data_free(md);
    an_buf_deinit(&text);
    return rc;
}

static bool in_ranges(const an_re *re, uint32_t r)
{
    for (size_t i = 0; i < re->n_ranges; i++) {
        if (r >= re->ranges[i].lo && r <= re->ranges[i].hi) return !re->negated;
    }
    return re->negated;
}

/* The number of the set of a class or of a rune without regard to case. A node that is compiled
 * several times (x{3}) has one. */
static an_rc set_of(compiler *c, an_re *re, uint32_t *number)
{
    an_rc rc = AN_OK;
    an_re_set s = {.cls = re};

    if (re->set == 0) {
        if (re->kind == AN_RE_RUNE) {
            re->n_ranges = 1;
            re->ranges = &re->only;
            re->only = (an_re_range){re->rune, re->rune};
            if (re->rune >= 0xd800 && re->rune < 0xe000) re->n_ranges = 0;
        }
        /* PCRE2 has no empty class, and an empty set has no cases. */
        if (re->n_props > 0 || (re->fold && re->n_ranges > 0)) {
            AN_TRY(compile_class(c, re, &s));
        } else {
            for (uint32_t r = 0; r < 128; r++) {
                if (in_ranges(re, r)) s.ascii[r / 64] |= UINT64_C(1) << r % 64;
            }
        }
        an_buf_add(&c->sets, &s, sizeof s);
        re->set = (uint32_t)(c->sets.n / sizeof s);
    }
    *number = re->set - 1;
out:
    return rc;
}

bool an_re_set_has(const an_re_set *s, uint32_t rune, pcre2_match_data *md)
{
    uint8_t utf8[4];

    if (rune < 128) return s->ascii[rune / 64] >> rune % 64 & 1;
    if (s->code == NULL) return in_ranges(s->cls, rune);
    return pcre2_match(s->code, utf8, an_utf8_encode(rune, utf8), 0, PCRE2_NO_UTF_CHECK, md,
                       NULL) >= 0;
}

/* ---- Instructions ---- */

static uint32_t here(const compiler *c) { return (uint32_t)(c->inst.n / sizeof(an_re_inst)); }

static an_re_inst *at(compiler *c, uint32_t pc) { return (an_re_inst *)c->inst.p + pc; }

static an_rc add(compiler *c, an_re_op op, uint32_t x, uint32_t y)
{
    an_rc rc = AN_OK;
    an_re_inst i = {op, x, y};

    an_buf_add(&c->inst, &i, sizeof i);
    AN_CHECK(!c->inst.failed, c->err, AN_ELIMIT, "regexp: more than %d instructions",
             AN_REGEX_PROGRAM_MAX);
out:
    return rc;
}

/* The two ways of the ALT at pc: into the loop or group, and past it. */
static void set_ways(compiler *c, uint32_t pc, uint32_t in, uint32_t past, bool lazy)
{
    at(c, pc)->x = lazy ? past : in;
    at(c, pc)->y = lazy ? in : past;
}

static an_rc gen(compiler *c, an_re *re);

static an_rc gen_plus(compiler *c, an_re *x, bool lazy)
{
    an_rc rc = AN_OK;
    uint32_t start = here(c);

    AN_TRY(gen(c, x));
    AN_TRY(add(c, AN_RE_OP_ALT, 0, 0));
    set_ways(c, here(c) - 1, start, here(c), lazy);
out:
    return rc;
}

/* A loop that can take nothing is (x+)?, so that the first iteration is tried before the loop is
 * left, as in Go. */
static an_rc gen_star(compiler *c, an_re *x, bool lazy)
{
    an_rc rc = AN_OK;
    uint32_t alt = here(c);

    AN_TRY(add(c, AN_RE_OP_ALT, 0, 0));
    if (x->nullable) {
        AN_TRY(gen_plus(c, x, lazy));
    } else {
        AN_TRY(gen(c, x));
        AN_TRY(add(c, AN_RE_OP_JUMP, alt, 0));
    }
    set_ways(c, alt, alt + 1, here(c), lazy);
out:
    return rc;
}

/* x{2,5} is xx(x(x(x)?)?)?, x{2,} is xx+. */
static an_rc gen_repeat(compiler *c, an_re *re)
{
    an_rc rc = AN_OK;
    an_re *x = re->first;
    int copies = re->max < 0 && re->min > 0 ? re->min - 1 : re->min;
    uint32_t first_alt = 0;

    for (int i = 0; i < copies; i++) AN_TRY(gen(c, x));
    if (re->max < 0) return re->min > 0 ? gen_plus(c, x, re->lazy) : gen_star(c, x, re->lazy);
    /* All the ALTs leave to the same place: until it is known they are a chain through y. */
    for (int i = re->min; i < re->max; i++) {
        uint32_t alt = here(c);
        AN_TRY(add(c, AN_RE_OP_ALT, 0, first_alt));
        first_alt = alt + 1;
        AN_TRY(gen(c, x));
    }
    while (first_alt != 0) {
        uint32_t alt = first_alt - 1;
        first_alt = at(c, alt)->y;
        set_ways(c, alt, alt + 1, here(c), re->lazy);
    }
out:
    return rc;
}

static an_rc gen_alt(compiler *c, an_re *re)
{
    an_rc rc = AN_OK;
    uint32_t jumps = 0; /* a chain, as above */

    for (an_re *x = re->first; x != NULL; x = x->next) {
        uint32_t alt = here(c);
        if (x->next != NULL) AN_TRY(add(c, AN_RE_OP_ALT, alt + 1, 0));
        AN_TRY(gen(c, x));
        if (x->next == NULL) break;
        AN_TRY(add(c, AN_RE_OP_JUMP, jumps, 0));
        jumps = here(c);
        at(c, alt)->y = here(c);
    }
    while (jumps != 0) {
        uint32_t jump = jumps - 1;
        jumps = at(c, jump)->x;
        at(c, jump)->x = here(c);
    }
out:
    return rc;
}

/* Recursion is bounded by the parser's limits on nesting. */
static an_rc gen(compiler *c, an_re *re)
{
    an_rc rc = AN_OK;
    uint32_t set;

    switch (re->kind) {
    case AN_RE_EMPTY:
        break;
    case AN_RE_RUNE:
    case AN_RE_CLASS:
        if (re->kind == AN_RE_RUNE && !re->fold) return add(c, AN_RE_OP_RUNE, re->rune, 0);
        AN_TRY(set_of(c, re, &set));
        return add(c, AN_RE_OP_SET, set, 0);
    case AN_RE_ANY:
        return add(c, AN_RE_OP_ANY, 0, 0);
    case AN_RE_ANY_NOT_NL:
        return add(c, AN_RE_OP_ANY_NOT_NL, 0, 0);
    case AN_RE_TEXT_BEGIN:
    case AN_RE_TEXT_END:
    case AN_RE_LINE_BEGIN:
    case AN_RE_LINE_END:
    case AN_RE_WORD:
    case AN_RE_NOT_WORD:
        return add(c, AN_RE_OP_ASSERT, (uint32_t)re->kind, 0);
    case AN_RE_CAPTURE:
        AN_TRY(add(c, AN_RE_OP_CAPTURE, (uint32_t)(2 * re->group), 0));
        AN_TRY(gen(c, re->first));
        return add(c, AN_RE_OP_CAPTURE, (uint32_t)(2 * re->group + 1), 0);
    case AN_RE_CAT:
        for (an_re *x = re->first; x != NULL; x = x->next) AN_TRY(gen(c, x));
        break;
    case AN_RE_ALT:
        return gen_alt(c, re);
    case AN_RE_REPEAT:
        return gen_repeat(c, re);
    }
out:
    return rc;
}

an_rc an_re_compile(an_arena *a, const an_re_tree *t, an_re_prog *out, an_err *err)
{
    an_rc rc = AN_OK;
    compiler c = {.err = err};
    an_re_prog p = {.n_slots = 2 * (t->n_groups + 1)};
    const an_re *first = t->root->kind == AN_RE_CAT ? t->root->first : t->root;

    an_buf_init(&c.inst, AN_REGEX_PROGRAM_MAX * sizeof(an_re_inst), NULL);
    an_buf_init(&c.sets, AN_REGEX_PROGRAM_MAX * sizeof(an_re_set), NULL);
    rc = gen(&c, t->root);
    if (rc == AN_OK) rc = add(&c, AN_RE_OP_MATCH, 0, 0);
    an_slice inst = an_arena_try_dup(a, an_buf_slice(&c.inst));
    an_slice sets = an_arena_try_dup(a, an_buf_slice(&c.sets));
    if (rc == AN_OK && (inst.p == NULL || sets.p == NULL || c.sets.failed)) {
        rc = AN_FAIL(err, AN_ELIMIT, "regexp: no memory");
    }
    p.n_sets = c.sets.n / sizeof *p.set;
    p.set = (an_re_set *)c.sets.p;
    if (rc != AN_OK) {
        an_re_prog_deinit(&p);
    } else {
        p.n_inst = inst.n / sizeof *p.inst;
        p.inst = (an_re_inst *)(uintptr_t)inst.p;
        p.set = (an_re_set *)(uintptr_t)sets.p;
        p.anchored = first->kind == AN_RE_TEXT_BEGIN;
        p.uses_pcre = c.n_pcre > 0;
        *out = p;
    }
    an_buf_deinit(&c.inst);
    an_buf_deinit(&c.sets);
    return rc;
}

void an_re_prog_deinit(an_re_prog *p)
{
    for (size_t i = 0; i < p->n_sets; i++) pcre2_code_free(p->set[i].code);
    p->n_sets = 0;
}
