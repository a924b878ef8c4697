// SPDX-License-Identifier: Apache-2.0
#include "base/regex.h"

#include "base/regex_prog.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

/* PCRE2's own search is not used. It backtracks, so `(x+x+)+y` ends at a limit instead of an
 * answer, and where a loop can take nothing its submatches are others than Go's: `((a)*?)*` on "aa"
 * leaves "a" in the first group, Go "aa". What decides there is that Go's search never enters a
 * state twice at one position, which no PCRE2 pattern can say. That search is short, so it stands
 * here: all states are followed side by side, the better way first (Pike's machine). PCRE2 keeps
 * what it is good at, Unicode properties and cases. */

struct an_regex {
    an_arena *a; /* everything below, and this */
    an_re_tree tree;
    an_re_prog prog;
};

an_rc an_regex_compile(an_slice pattern, an_regex **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_arena *a = an_arena_new(NULL);
    an_regex *re = an_arena_alloc(a, sizeof *re);
    an_buf text;

    *out = NULL;
    re->a = a;
    an_buf_init(&text, AN_REGEX_PATTERN_MAX + 16, NULL);
    AN_CHECK(pattern.n <= AN_REGEX_PATTERN_MAX, err, AN_ELIMIT,
             "regexp: a pattern of %zu bytes, more than %d", pattern.n, AN_REGEX_PATTERN_MAX);
    /* Upstream puts the anchors around the text before it parses: `a)|(b` is a pattern, too. */
    an_buf_str(&text, "^(?s:");
    an_buf_slice_add(&text, pattern);
    an_buf_str(&text, ")$");
    an_slice whole = an_arena_try_dup(a, an_buf_slice(&text));
    AN_CHECK(!text.failed && whole.p != NULL, err, AN_ELIMIT, "regexp: no memory");
    AN_TRY(an_re_parse(a, whole, &re->tree, err));
    AN_CHECK(re->tree.n_groups <= AN_REGEX_GROUPS_MAX, err, AN_ELIMIT,
             "regexp: %zu groups, more than %d", re->tree.n_groups, AN_REGEX_GROUPS_MAX);
    AN_TRY(an_re_compile(a, &re->tree, &re->prog, err));
    *out = re;
    re = NULL;
out:
    an_buf_deinit(&text);
    an_regex_free(re);
    return rc;
}

void an_regex_free(an_regex *re)
{
    if (re == NULL) return;
    an_re_prog_deinit(&re->prog);
    an_arena_free(re->a);
}

/* ---- Matching ---- */

/* States waiting at one position, best first. Each is in it once: `place` says where. */
typedef struct list {
    uint32_t n;
    uint32_t *pc;    /* [n] */
    uint32_t *place; /* by pc; valid if pc[place[x]] == x */
    size_t *slots;   /* n_slots for each of pc */
} list;

typedef struct pending {
    uint32_t pc; /* to visit, or UINT32_MAX: */
    uint32_t slot;
    size_t old; /* restore this value of the slot */
} pending;

typedef struct machine {
    const an_re_prog *p;
    an_slice s;
    size_t n_slots; /* 0: nobody asks for them */
    list now, next;
    pending *stack;
    size_t *slots; /* of the state being followed */
    pcre2_match_data *md;
} machine;

static bool has(const list *l, uint32_t pc)
{
    uint32_t i = l->place[pc];
    return i < l->n && l->pc[i] == pc;
}

static bool is_word(an_slice s, size_t i)
{
    if (i >= s.n) return false;
    uint8_t c = s.p[i];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static bool holds(an_re_kind assertion, an_slice s, size_t i)
{
    bool boundary = (i > 0 && is_word(s, i - 1)) != is_word(s, i);

    switch (assertion) {
    case AN_RE_TEXT_BEGIN:
        return i == 0;
    case AN_RE_TEXT_END:
        return i == s.n;
    case AN_RE_LINE_BEGIN:
        return i == 0 || s.p[i - 1] == '\n';
    case AN_RE_LINE_END:
        return i == s.n || s.p[i] == '\n';
    case AN_RE_WORD:
        return boundary;
    default:
        return !boundary;
    }
}

/* Adds pc, at position i, and all that is reached from it without taking a code point, in order of
 * preference. Every state enters the list once and pushes at most two entries. */
static void follow(machine *m, list *l, uint32_t start, size_t i)
{
    size_t n = 0;

    m->stack[n++] = (pending){.pc = start};
    while (n > 0) {
        pending t = m->stack[--n];
        if (t.pc == UINT32_MAX) {
            m->slots[t.slot] = t.old;
            continue;
        }
        if (has(l, t.pc)) continue;
        const an_re_inst *in = &m->p->inst[t.pc];
        uint32_t at = l->n++;
        l->pc[at] = t.pc;
        l->place[t.pc] = at;
        switch (in->op) {
        case AN_RE_OP_ALT:
            m->stack[n++] = (pending){.pc = in->y};
            m->stack[n++] = (pending){.pc = in->x};
            break;
        case AN_RE_OP_JUMP:
            m->stack[n++] = (pending){.pc = in->x};
            break;
        case AN_RE_OP_CAPTURE:
            if (m->n_slots > 0) {
                m->stack[n++] = (pending){UINT32_MAX, in->x, m->slots[in->x]};
                m->slots[in->x] = i;
            }
            m->stack[n++] = (pending){.pc = t.pc + 1};
            break;
        case AN_RE_OP_ASSERT:
            if (holds((an_re_kind)in->x, m->s, i)) m->stack[n++] = (pending){.pc = t.pc + 1};
            break;
        default: /* waits here */
            if (m->n_slots > 0) {
                memcpy(l->slots + at * m->n_slots, m->slots, m->n_slots * sizeof *m->slots);
            }
        }
    }
}

static bool takes(const machine *m, const an_re_inst *in, uint32_t rune)
{
    switch (in->op) {
    case AN_RE_OP_RUNE:
        return in->x == rune;
    case AN_RE_OP_SET:
        return an_re_set_has(&m->p->set[in->x], rune, m->md);
    case AN_RE_OP_ANY:
        return true;
    case AN_RE_OP_ANY_NOT_NL:
        return rune != '\n';
    default:
        return false;
    }
}

/* Whether there is a match; the slots of the best one are left in `best`. */
static bool run(machine *m, size_t *best)
{
    bool matched = false;

    for (size_t i = 0;;) {
        uint32_t rune = AN_RUNE_ERROR;
        size_t len = i < m->s.n ? an_utf8_decode(m->s.p + i, m->s.n - i, &rune) : 0;
        if (!matched && (i == 0 || !m->p->anchored)) {
            for (size_t k = 0; k < m->n_slots; k++) m->slots[k] = SIZE_MAX;
            if (m->n_slots > 0) m->slots[0] = i;
            follow(m, &m->now, 0, i);
        }
        if (m->now.n == 0) break;
        for (uint32_t k = 0; k < m->now.n; k++) {
            const an_re_inst *in = &m->p->inst[m->now.pc[k]];
            if (m->n_slots > 0) {
                memcpy(m->slots, m->now.slots + k * m->n_slots, m->n_slots * sizeof *m->slots);
            }
            if (in->op == AN_RE_OP_MATCH) {
                matched = true;
                if (best == NULL) return true;
                m->slots[1] = i;
                memcpy(best, m->slots, m->n_slots * sizeof *best);
                break; /* what follows in the list is worse */
            }
            if (len > 0 && takes(m, in, rune)) follow(m, &m->next, m->now.pc[k] + 1, i + len);
        }
        list t = m->now;
        m->now = m->next;
        m->next = t;
        m->next.n = 0;
        if (len == 0) break;
        i += len;
    }
    return matched;
}

enum { MACHINE_MAX = 64 << 20 }; /* bytes */

static void *carve(uint8_t **p, size_t n, size_t size)
{
    void *at = *p;
    *p += (n * size + 7) & ~(size_t)7;
    return at;
}

/* best: n_slots of them are filled in on a match; NULL: whether there is one is all that is asked.
 */
static an_rc match(const an_regex *re, an_slice subject, size_t *best, bool *yes, an_err *err)
{
    an_rc rc = AN_OK;
    machine m = {.p = &re->prog, .s = subject, .n_slots = best != NULL ? re->prog.n_slots : 0};
    size_t n = re->prog.n_inst, slots = m.n_slots;
    /* n is at most 2^18 and slots at most 2002: no overflow. 64: rounding of the parts. */
    size_t bytes = 2 * n * (2 * sizeof(uint32_t) + slots * sizeof(size_t)) +
                   slots * sizeof(size_t) + (2 * n + 2) * sizeof(pending) + 64;
    uint8_t *work = NULL, *p;

    AN_CHECK(bytes <= MACHINE_MAX, err, AN_ELIMIT,
             "regexp: %zu instructions and %zu groups need more than %d bytes", n, slots / 2,
             MACHINE_MAX);
    p = work = calloc(1, bytes);
    if (re->prog.uses_pcre) m.md = pcre2_match_data_create(1, NULL);
    AN_CHECK(work != NULL && (m.md != NULL || !re->prog.uses_pcre), err, AN_ELIMIT,
             "regexp: no memory");
    m.stack = carve(&p, 2 * n + 2, sizeof(pending));
    m.slots = carve(&p, slots, sizeof(size_t));
    for (int i = 0; i < 2; i++) {
        list *l = i == 0 ? &m.now : &m.next;
        l->slots = carve(&p, n * slots, sizeof(size_t));
        l->pc = carve(&p, n, sizeof(uint32_t));
        l->place = carve(&p, n, sizeof(uint32_t));
    }
    *yes = run(&m, best);
out:
    pcre2_match_data_free(m.md);
    free(work);
    return rc;
}

an_rc an_regex_matches(const an_regex *re, an_slice subject, bool *yes, an_err *err)
{
    return match(re, subject, NULL, yes, err);
}

an_rc an_regex_find(const an_regex *re, an_arena *a, an_slice subject, an_regex_match *out,
                    an_err *err)
{
    an_rc rc = AN_OK;
    an_regex_match m = {.matched = false};
    size_t *slots = an_arena_alloc(a, re->prog.n_slots * sizeof *slots);

    AN_TRY(match(re, subject, slots, &m.matched, err));
    if (m.matched) {
        m.n = re->prog.n_slots / 2;
        m.v = an_arena_alloc(a, m.n * sizeof *m.v);
        for (size_t i = 0; i < m.n; i++) {
            m.v[i].start = slots[2 * i];
            m.v[i].end = slots[2 * i + 1];
        }
    }
    *out = m;
out:
    return rc;
}

/* ---- Templates ---- */

/* Letters and digits of any script count as part of a name. No group has such a name, but it
 * decides where the name ends. */
static bool in_name(uint32_t r)
{
    uint8_t utf8[4] = {(uint8_t)r};

    if (r < 0x80) return is_word(an_slice_of(utf8, 1), 0);
    size_t n = an_utf8_encode(r, utf8);
    int code;
    PCRE2_SIZE where;
    bool yes = false;
    /* Rare enough not to be kept. */
    pcre2_code *c = pcre2_compile((PCRE2_SPTR) "[\\p{L}\\p{Nd}]", PCRE2_ZERO_TERMINATED, PCRE2_UTF,
                                  &code, &where, NULL);
    if (c != NULL) {
        pcre2_match_data *md = pcre2_match_data_create_from_pattern(c, NULL);
        yes = md != NULL && pcre2_match(c, utf8, n, 0, 0, md, NULL) > 0;
        pcre2_match_data_free(md);
    }
    pcre2_code_free(c);
    return yes;
}

/* The name behind a '$'; its length in the template with braces, 0 if there is none. */
static size_t take_name(an_slice t, an_slice *name)
{
    bool brace = t.n > 0 && t.p[0] == '{';
    size_t start = brace, i = start;

    while (i < t.n) {
        uint32_t r;
        size_t n = an_utf8_decode(t.p + i, t.n - i, &r);
        if (!in_name(r)) break;
        i += n;
    }
    *name = an_slice_of(t.p + start, i - start);
    if (i == start || (brace && (i == t.n || t.p[i] != '}'))) return 0;
    return i + brace;
}

/* A number without leading zeros, or SIZE_MAX. */
static size_t group_number(an_slice name)
{
    size_t v = 0;

    if (name.n > 9 || (name.p[0] == '0' && name.n > 1)) return SIZE_MAX;
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] < '0' || name.p[i] > '9') return SIZE_MAX;
        v = v * 10 + name.p[i] - '0';
    }
    return v;
}

static void add_group(an_buf *out, an_slice subject, const an_regex_match *m, size_t group)
{
    if (group >= m->n || m->v[group].start == SIZE_MAX) return;
    an_buf_add(out, subject.p + m->v[group].start, m->v[group].end - m->v[group].start);
}

void an_regex_expand(const an_regex *re, an_buf *out, an_slice template, an_slice subject,
                     const an_regex_match *m)
{
    an_slice t = template;

    for (size_t i = 0; i < t.n;) {
        an_slice name;
        if (t.p[i] != '$') {
            an_buf_u8(out, t.p[i++]);
            continue;
        }
        i++;
        if (i < t.n && t.p[i] == '$') {
            an_buf_u8(out, t.p[i++]);
            continue;
        }
        size_t n = take_name(an_slice_of(t.p + i, t.n - i), &name);
        if (n == 0) {
            an_buf_u8(out, '$'); /* malformed: stays as it is */
            continue;
        }
        i += n;
        size_t number = group_number(name);
        if (number != SIZE_MAX) {
            add_group(out, subject, m, number);
            continue;
        }
        for (size_t g = 1; g < m->n; g++) { /* of equal names the first that was set */
            if (m->v[g].start != SIZE_MAX && an_slice_eq(re->tree.names[g - 1], name)) {
                add_group(out, subject, m, g);
                break;
            }
        }
    }
}
