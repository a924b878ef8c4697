// SPDX-License-Identifier: Apache-2.0
#include "base/regex_ast.h"

#include "base/utf8.h"

#include <string.h>

typedef struct flags {
    bool fold, dot_nl, multi_line, lazy; /* i s m U */
} flags;

typedef struct parser {
    an_arena *a;
    an_slice s;
    size_t i;
    flags f;
    size_t depth, n_groups;
    an_buf names; /* an_slice each */
    an_err *err;
} parser;

/* An error in Go's form; `from` to `to` is the part of the pattern that it shows. */
static an_rc refuse(parser *p, const char *why, size_t from, size_t to)
{
    return AN_FAIL(p->err, AN_EINVALID, "error parsing regexp: %s: `%.*s`", why,
                   AN_PRI(an_slice_of(p->s.p + from, to - from)));
}

static const char bad_escape[] = "invalid escape sequence";
static const char bad_range[] = "invalid character class range";
static const char bad_perl[] = "invalid or unsupported Perl syntax";
static const char no_paren[] = "missing closing )";
static const char no_bracket[] = "missing closing ]";

static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
static bool is_word(uint32_t c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool at(const parser *p, const char *text)
{
    return an_slice_has_prefix(an_slice_of(p->s.p + p->i, p->s.n - p->i), an_slice_str(text));
}

/* The code point at p->i, which moves; 0 at the end (p->i stays, so that callers see it). The
 * pattern is valid UTF-8: checked once. */
static uint32_t take_rune(parser *p)
{
    uint32_t r;

    if (p->i >= p->s.n) return 0;
    p->i += an_utf8_decode(p->s.p + p->i, p->s.n - p->i, &r);
    return r;
}

static an_rc new_node(parser *p, an_re_kind kind, an_re **out)
{
    an_rc rc = AN_OK;
    an_re *n = an_arena_try(p->a, 1, sizeof *n);

    AN_CHECK(n != NULL, p->err, AN_ELIMIT, "error parsing regexp: no memory");
    n->kind = kind;
    n->nullable =
        kind != AN_RE_RUNE && kind != AN_RE_CLASS && kind != AN_RE_ANY && kind != AN_RE_ANY_NOT_NL;
    *out = n;
out:
    return rc;
}

/* ---- Escapes ---- */

static int hex_value(uint32_t c)
{
    if (is_digit(c)) return (int)(c - '0');
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (int)(c - 'a' + 10) : -1;
}

/* Behind "\x": two digits, or any number in braces. */
static bool parse_hex(parser *p, uint32_t *r)
{
    uint32_t v = 0;

    if (p->i >= p->s.n) return false;
    uint32_t c = take_rune(p);
    if (c != '{') {
        uint32_t d = take_rune(p);
        if (hex_value(c) < 0 || hex_value(d) < 0) return false;
        *r = (uint32_t)(hex_value(c) * 16 + hex_value(d));
        return true;
    }
    for (size_t n = 0;; n++) {
        if (p->i >= p->s.n) return false;
        c = take_rune(p);
        if (c == '}') {
            *r = v;
            return n > 0;
        }
        if (hex_value(c) < 0) return false;
        v = v * 16 + (uint32_t)hex_value(c);
        if (v > AN_RUNE_MAX) return false;
    }
}

/* A backslash and what follows it, as one code point. */
static an_rc parse_escape(parser *p, uint32_t *r)
{
    static const char from[] = "afnrtv", to[] = "\a\f\n\r\t\v";
    size_t start = p->i++;

    if (p->i >= p->s.n) return refuse(p, "trailing backslash at end of expression", 0, 0);
    uint32_t c = take_rune(p);
    if (c < 0x80 && (!is_word(c) || c == '_')) {
        *r = c;
        return AN_OK;
    }
    bool octal_follows = p->i < p->s.n && p->s.p[p->i] >= '0' && p->s.p[p->i] <= '7';
    if (c == '0' || (c >= '1' && c <= '7' && octal_follows)) { /* \1 alone is a backreference */
        *r = c - '0';
        for (int n = 1; n < 3 && p->i < p->s.n; n++) {
            uint8_t d = p->s.p[p->i];
            if (d < '0' || d > '7') break;
            *r = *r * 8 + d - '0';
            p->i++;
        }
        return AN_OK;
    }
    const char *e = c != 0 && c < 0x80 ? strchr(from, (int)c) : NULL;
    if (e != NULL) {
        *r = (uint32_t)to[e - from];
        return AN_OK;
    }
    if (c == 'x' && parse_hex(p, r)) return AN_OK;
    return refuse(p, bad_escape, start, p->i);
}

/* ---- Classes ---- */

typedef struct class
{
    an_buf ranges, props;
} class;

static void class_init(class *c)
{
    an_buf_init(&c->ranges, 16 << 20, NULL);
    an_buf_init(&c->props, 16 << 20, NULL);
}

static void class_deinit(class *c)
{
    an_buf_deinit(&c->ranges);
    an_buf_deinit(&c->props);
}

/* Surrogates are left out: they never occur in a subject, and PCRE2 refuses them. */
static void add_range(class *c, uint32_t lo, uint32_t hi)
{
    if (lo < 0xd800 && hi >= 0xd800) {
        add_range(c, lo, 0xd7ff);
        lo = 0xd800;
    }
    if (lo >= 0xd800 && lo < 0xe000) lo = 0xe000;
    if (hi >= 0xd800 && hi < 0xe000) hi = 0xd7ff;
    an_re_range r = {lo, hi};
    if (lo <= hi) an_buf_add(&c->ranges, &r, sizeof r);
}

typedef struct group {
    const char *name; /* "d" for \d, "alnum" for [:alnum:] */
    int n;
    an_re_range r[4];
} group;

static const group perl_groups[] = {
    {"d", 1, {{'0', '9'}}},
    {"s", 3, {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}},
    {"w", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {NULL, 0, {{0, 0}}},
};

static const group posix_groups[] = {
    {"alnum", 3, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}},
    {"alpha", 2, {{'A', 'Z'}, {'a', 'z'}}},
    {"ascii", 1, {{0, 0x7f}}},
    {"blank", 2, {{'\t', '\t'}, {' ', ' '}}},
    {"cntrl", 2, {{0, 0x1f}, {0x7f, 0x7f}}},
    {"digit", 1, {{'0', '9'}}},
    {"graph", 1, {{'!', '~'}}},
    {"lower", 1, {{'a', 'z'}}},
    {"print", 1, {{' ', '~'}}},
    {"punct", 4, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}},
    {"space", 2, {{'\t', '\r'}, {' ', ' '}}},
    {"upper", 1, {{'A', 'Z'}}},
    {"word", 4, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}},
    {"xdigit", 3, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}},
    {NULL, 0, {{0, 0}}},
};

static const group *find_group(const group *g, an_slice name)
{
    for (; g->name != NULL; g++) {
        if (an_slice_eq(name, an_slice_str(g->name))) return g;
    }
    return NULL;
}

/* The ASCII group or its complement. Without regard to case s and k also stand for U+017F and
 * U+212A and the two cases of a letter for each other; a complement is taken after that. */
static void add_group(class *c, const group *g, bool negated, bool fold)
{
    bool in[128] = {false};
    uint32_t next = 128; /* what the complement has not reached yet */

    for (int i = 0; i < g->n; i++) {
        for (uint32_t r = g->r[i].lo; r <= g->r[i].hi; r++) {
            bool letter = (r | 0x20) >= 'a' && (r | 0x20) <= 'z';
            in[r] = true;
            if (fold && letter) in[r ^ 0x20] = true;
        }
    }
    for (uint32_t r = 0; r < 128; r++) {
        if (in[r] != negated) add_range(c, r, r);
    }
    for (int i = 0; i < 2; i++) {
        uint32_t special = i == 0 ? 0x17f : 0x212a;
        if (fold && in[i == 0 ? 's' : 'k']) {
            add_range(c, negated ? next : special, negated ? special - 1 : special);
            next = special + 1;
        }
    }
    if (negated) add_range(c, next, AN_RUNE_MAX);
}

/* Names of \p{...} as Go 1.26 takes them: categories, their long names, scripts of one word;
 * blanks, hyphens, underscores and case do not count. (It looks up scripts of several words under a
 * name that its table does not have, so those are refused.) The second name is PCRE2's. */
static bool find_property(an_slice name, an_re_prop *out)
{
    static const char categories[] = "C Cc Cf Cn Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc "
                                     "Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs ";
    static const char long_names[] =
        "Casedletter=L& Closepunctuation=Pe Combiningmark=M Connectorpunctuation=Pc Control=Cc "
        "Currencysymbol=Sc Dashpunctuation=Pd Decimalnumber=Nd Enclosingmark=Me "
        "Finalpunctuation=Pf Format=Cf Initialpunctuation=Pi Letter=L Letternumber=Nl "
        "Lineseparator=Zl Lowercaseletter=Ll Mark=M Mathsymbol=Sm Modifierletter=Lm "
        "Modifiersymbol=Sk Nonspacingmark=Mn Number=N Openpunctuation=Ps Other=C Otherletter=Lo "
        "Othernumber=No Otherpunctuation=Po Othersymbol=So Paragraphseparator=Zp Privateuse=Co "
        "Punctuation=P Separator=Z Spaceseparator=Zs Spacingmark=Mc Surrogate=Cs Symbol=S "
        "Titlecaseletter=Lt Unassigned=Cn Uppercaseletter=Lu Cntrl=Cc Digit=Nd Punct=P Lc=L& ";
    static const char scripts[] =
        "Adlam Ahom Arabic Armenian Avestan Balinese Bamum Batak Bengali Bhaiksuki Bopomofo Brahmi "
        "Braille Buginese Buhid Carian Chakma Cham Cherokee Chorasmian Common Coptic Cuneiform "
        "Cypriot Cyrillic Deseret Devanagari Dogra Duployan Elbasan Elymaic Ethiopic Georgian "
        "Glagolitic Gothic Grantha Greek Gujarati Gurmukhi Han Hangul Hanunoo Hatran Hebrew "
        "Hiragana Inherited Javanese Kaithi Kannada Katakana Kawi Kharoshthi Khmer Khojki "
        "Khudawadi Lao Latin Lepcha Limbu Lisu Lycian Lydian Mahajani Makasar Malayalam Mandaic "
        "Manichaean Marchen Medefaidrin Miao Modi Mongolian Mro Multani Myanmar Nabataean "
        "Nandinagari Newa Nko Nushu Ogham Oriya Osage Osmanya Palmyrene Phoenician Rejang Runic "
        "Samaritan Saurashtra Sharada Shavian Siddham Sinhala Sogdian Soyombo Sundanese Syriac "
        "Tagalog Tagbanwa Takri Tamil Tangsa Tangut Telugu Thaana Thai Tibetan Tifinagh Tirhuta "
        "Toto Ugaritic Vai Vithkuqi Wancho Yezidi Yi ";
    char key[32];
    size_t n = 0;

    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (c == '_' || c == '-' || c == ' ') continue;
        if (!is_word(c) || is_digit(c) || n + 2 >= sizeof key) return false;
        key[n] = (char)(n == 0 ? c & ~0x20 : c | 0x20);
        n++;
    }
    if (n == 0) return false;
    *out = (an_re_prop){.negated = false};
    for (int list = 0; list < 3; list++) {
        const char *w = list == 0 ? categories : list == 1 ? long_names : scripts;
        key[n] = list == 1 ? '=' : ' ';
        for (; *w != '\0'; w = strchr(w, ' ') + 1) {
            if (strncmp(w, key, n + 1) != 0) continue;
            const char *value = list == 1 ? w + n + 1 : w;
            const char *prefix = list == 2 ? "sc:" : "";
            size_t pre = strlen(prefix), len = strcspn(value, " ");
            memcpy(out->name, prefix, pre);
            memcpy(out->name + pre, value, len);
            return true;
        }
    }
    return false;
}

/* \p or \P at p->i. */
static an_rc parse_property(parser *p, class *c)
{
    size_t start = p->i;
    bool negated = p->s.p[p->i + 1] == 'P';
    an_re_prop prop;

    p->i += 2;
    size_t name_start = p->i;
    uint32_t r = take_rune(p);
    an_slice name = an_slice_of(p->s.p + name_start, p->i - name_start);
    if (r == '{') {
        const uint8_t *end = memchr(p->s.p + p->i, '}', p->s.n - p->i);
        if (end == NULL) return refuse(p, bad_range, start, p->s.n);
        name = an_slice_of(p->s.p + p->i, (size_t)(end - p->s.p) - p->i);
        p->i = (size_t)(end - p->s.p) + 1;
    }
    an_slice shown = an_slice_of(p->s.p + start, p->i - start);
    if (name.n > 0 && name.p[0] == '^') {
        negated = !negated;
        name = an_slice_of(name.p + 1, name.n - 1);
    }
    if (find_property(name, &prop)) {
        prop.negated = negated;
        an_buf_add(&c->props, &prop, sizeof prop);
        return AN_OK;
    }
    static const group ascii = {"", 1, {{0, 0x7f}}};
    char key[16] = "";
    size_t n = 0;
    for (size_t i = 0; i < name.n && n + 1 < sizeof key; i++) {
        uint8_t b = name.p[i];
        if (b != '_' && b != '-' && b != ' ') key[n++] = (char)(b | 0x20);
    }
    if (strcmp(key, "any") == 0) {
        if (!negated) add_range(c, 0, AN_RUNE_MAX);
    } else if (strcmp(key, "ascii") == 0) {
        add_group(c, &ascii, negated, p->f.fold);
    } else if (strcmp(key, "assigned") == 0) {
        prop = (an_re_prop){.name = "Cn", .negated = !negated};
        an_buf_add(&c->props, &prop, sizeof prop);
    } else {
        return refuse(p, bad_range, start, start + shown.n);
    }
    return AN_OK;
}

/* \d, \pL, [:alpha:] and their like at p->i; *found says whether there was one. The last counts
 * only inside brackets. */
static an_rc parse_named_set(parser *p, class *c, bool in_brackets, bool *found)
{
    size_t left = p->s.n - p->i;
    const uint8_t *t = p->s.p + p->i;

    *found = true;
    if (left >= 2 && t[0] == '\\') {
        uint8_t kind = t[1] | 0x20;
        if (kind == 'p') return parse_property(p, c);
        const group *g = find_group(perl_groups, an_slice_of(&kind, 1));
        if (g != NULL) {
            add_group(c, g, t[1] != kind, p->f.fold);
            p->i += 2;
            return AN_OK;
        }
    }
    if (in_brackets && left > 2 && t[0] == '[' && t[1] == ':') {
        const uint8_t *end = memmem(t + 2, left - 2, ":]", 2);
        if (end != NULL) {
            an_slice name = an_slice_of(t + 2, (size_t)(end - t) - 2);
            bool negated = name.n > 0 && name.p[0] == '^';
            if (negated) name = an_slice_of(name.p + 1, name.n - 1);
            const group *g = find_group(posix_groups, name);
            size_t n = (size_t)(end - t) + 2;
            if (g == NULL) return refuse(p, bad_range, p->i, p->i + n);
            add_group(c, g, negated, p->f.fold);
            p->i += n;
            return AN_OK;
        }
    }
    *found = false;
    return AN_OK;
}

static an_rc class_node(parser *p, class *c, bool negated, an_re **out)
{
    an_rc rc = AN_OK;
    an_re *n;

    AN_TRY(new_node(p, AN_RE_CLASS, &n));
    n->fold = p->f.fold;
    n->negated = negated;
    n->n_ranges = c->ranges.n / sizeof *n->ranges;
    n->n_props = c->props.n / sizeof *n->props;
    an_slice ranges = an_arena_try_dup(p->a, an_buf_slice(&c->ranges));
    an_slice props = an_arena_try_dup(p->a, an_buf_slice(&c->props));
    AN_CHECK(ranges.p != NULL && props.p != NULL && !c->ranges.failed && !c->props.failed, p->err,
             AN_ELIMIT, "error parsing regexp: no memory for a class");
    n->ranges = (an_re_range *)(uintptr_t)ranges.p;
    n->props = (an_re_prop *)(uintptr_t)props.p;
    *out = n;
out:
    return rc;
}

static an_rc parse_class_rune(parser *p, size_t class_start, uint32_t *r)
{
    if (p->i >= p->s.n) return refuse(p, no_bracket, class_start, p->s.n);
    if (p->s.p[p->i] == '\\') return parse_escape(p, r);
    *r = take_rune(p);
    return AN_OK;
}

static an_rc parse_class(parser *p, an_re **out)
{
    an_rc rc = AN_OK;
    size_t start = p->i++;
    bool negated = at(p, "^"), found;
    class c;

    class_init(&c);
    if (negated) p->i++;
    for (bool first = true; first || !at(p, "]"); first = false) {
        uint32_t lo, hi;
        AN_TRY(parse_named_set(p, &c, true, &found));
        if (found) continue;
        size_t range_start = p->i;
        AN_TRY(parse_class_rune(p, start, &lo));
        hi = lo;
        if (p->s.n - p->i >= 2 && p->s.p[p->i] == '-' && p->s.p[p->i + 1] != ']') {
            p->i++;
            AN_TRY(parse_class_rune(p, start, &hi));
            if (hi < lo) {
                rc = refuse(p, bad_range, range_start, p->i);
                goto out;
            }
        }
        add_range(&c, lo, hi);
    }
    p->i++;
    AN_TRY(class_node(p, &c, negated, out));
out:
    class_deinit(&c);
    return rc;
}

/* ---- Repetition ---- */

/* Digits without a leading zero; too many read as -1. */
static bool parse_count(parser *p, size_t *i, int *out)
{
    size_t start = *i;
    int v = 0;

    while (*i < p->s.n && is_digit(p->s.p[*i])) {
        v = v < 0 || v > 100000000 ? -1 : v * 10 + (p->s.p[*i] - '0');
        ++*i;
    }
    *out = v;
    return *i > start && (*i == start + 1 || p->s.p[start] != '0');
}

/* {n}, {n,} or {n,m} at p->i; anything else is no repetition but a literal brace. */
static bool parse_braces(parser *p, int *min, int *max)
{
    size_t i = p->i + 1;

    if (!parse_count(p, &i, min) || i >= p->s.n) return false;
    *max = *min;
    if (p->s.p[i] == ',') {
        if (++i >= p->s.n) return false;
        if (p->s.p[i] == '}') {
            *max = -1;
        } else if (!parse_count(p, &i, max)) {
            return false;
        } else if (*max < 0) {
            *min = -1;
        }
    }
    if (i >= p->s.n || p->s.p[i] != '}') return false;
    p->i = i + 1;
    return true;
}

/* Nested counted repeats may not multiply to more than n. */
static bool repeats_fit(const an_re *re, int n)
{
    if (re->kind == AN_RE_REPEAT && re->counted) {
        int m = re->max < 0 ? re->min : re->max;
        if (re->max == 0) return true;
        if (m > n) return false;
        if (m > 0) n /= m;
    }
    for (const an_re *c = re->first; c != NULL; c = c->next) {
        if (!repeats_fit(c, n)) return false;
    }
    return true;
}

/* The operator that starts at `start`, p->i being behind it; *last is the node it repeats (NULL:
 * none) and becomes the repetition. *repeat_start: where an operator directly before this one
 * started, SIZE_MAX: there was none. */
static an_rc apply_repeat(parser *p, an_re **last, size_t start, int min, int max, bool counted,
                          size_t *repeat_start)
{
    an_rc rc = AN_OK;
    bool lazy = p->f.lazy;
    an_re *n;

    if (counted && (min < 0 || min > AN_REGEX_REPEAT_MAX || max > AN_REGEX_REPEAT_MAX ||
                    (max >= 0 && min > max))) {
        return refuse(p, "invalid repeat count", start, p->i);
    }
    if (at(p, "?")) {
        p->i++;
        lazy = !lazy;
    }
    if (*repeat_start != SIZE_MAX) {
        return refuse(p, "invalid nested repetition operator", *repeat_start, p->i);
    }
    if (*last == NULL) { return refuse(p, "missing argument to repetition operator", start, p->i); }
    AN_TRY(new_node(p, AN_RE_REPEAT, &n));
    /* `a(?i)*(?i)*`: flags between them make operators stack without parentheses. */
    AN_CHECK((*last)->stacked < AN_REGEX_DEPTH, p->err, AN_ELIMIT,
             "error parsing regexp: more than %d stacked repetitions", AN_REGEX_DEPTH);
    an_re child = **last; /* the node stays where its parent or sibling points at it */
    *n = child;
    n->next = NULL;
    **last = (an_re){.kind = AN_RE_REPEAT,
                     .first = n,
                     .next = child.next,
                     .nullable = min == 0 || n->nullable,
                     .min = min,
                     .max = max,
                     .counted = counted,
                     .stacked = child.stacked + 1,
                     .lazy = lazy};
    if (counted && (min >= 2 || max >= 2) && !repeats_fit(*last, AN_REGEX_REPEAT_MAX)) {
        return refuse(p, "invalid repeat count", start, p->i);
    }
    *repeat_start = start;
out:
    return rc;
}

/* ---- Groups, alternatives, sequences ---- */

static an_rc parse_alternatives(parser *p, an_re **out);

static an_rc parse_inside(parser *p, an_re **out)
{
    an_rc rc = AN_OK;

    AN_CHECK(++p->depth <= AN_REGEX_DEPTH, p->err, AN_ELIMIT,
             "error parsing regexp: expression nests deeper than %d", AN_REGEX_DEPTH);
    AN_TRY(parse_alternatives(p, out));
    p->depth--;
    if (p->i >= p->s.n) return refuse(p, no_paren, 0, p->s.n);
    p->i++; /* ')' */
out:
    return rc;
}

static an_rc parse_capture(parser *p, an_slice name, an_re **out)
{
    an_rc rc = AN_OK;
    flags f = p->f;
    an_re *n, *inside;
    size_t number = ++p->n_groups;

    an_buf_add(&p->names, &name, sizeof name);
    AN_TRY(parse_inside(p, &inside));
    p->f = f;
    AN_TRY(new_node(p, AN_RE_CAPTURE, &n));
    n->group = number;
    n->first = inside;
    n->nullable = inside->nullable;
    *out = n;
out:
    return rc;
}

/* "(?P<" or "(?<" of `skip` bytes at p->i. */
static an_rc parse_named_capture(parser *p, size_t skip, an_re **out)
{
    size_t start = p->i;
    const uint8_t *end = memchr(p->s.p + start, '>', p->s.n - start);

    if (end == NULL) return refuse(p, "invalid named capture", start, p->s.n);
    size_t name_start = start + skip, name_end = (size_t)(end - p->s.p);
    for (size_t i = name_start; i < name_end; i++) {
        if (!is_word(p->s.p[i])) name_start = name_end;
    }
    if (name_start >= name_end) return refuse(p, "invalid named capture", start, name_end + 1);
    p->i = name_end + 1;
    return parse_capture(p, an_slice_of(p->s.p + name_start, name_end - name_start), out);
}

/* "(?" at p->i: a named group, a group, or flags that hold to the end of the present group (then
 * *out is NULL). */
static an_rc parse_perl_group(parser *p, an_re **out)
{
    size_t start = p->i;
    flags f = p->f;
    bool on = true, saw_flag = false;

    *out = NULL;
    if (at(p, "(?P<") && p->s.n - p->i > 4) return parse_named_capture(p, 4, out);
    if (at(p, "(?<") && p->s.n - p->i > 3) return parse_named_capture(p, 3, out);
    p->i += 2;
    while (p->i < p->s.n) {
        uint32_t c = take_rune(p);
        bool *flag = c == 'i'   ? &f.fold
                     : c == 'm' ? &f.multi_line
                     : c == 's' ? &f.dot_nl
                     : c == 'U' ? &f.lazy
                                : NULL;
        if (flag != NULL) {
            *flag = on;
            saw_flag = true;
        } else if (c == '-' && on) {
            on = false;
            saw_flag = false;
        } else if ((c == ':' || c == ')') && (on || saw_flag)) {
            flags outside = p->f;
            p->f = f;
            if (c == ')') return AN_OK;
            an_rc rc = parse_inside(p, out);
            p->f = outside;
            return rc;
        } else {
            return refuse(p, bad_perl, start, p->i);
        }
    }
    return refuse(p, bad_perl, start, p->i);
}

/* One item that is neither a group nor a repetition. A rune is the default. */
static an_rc parse_item(parser *p, an_re **out)
{
    an_rc rc = AN_OK;
    uint8_t c = p->s.p[p->i];
    an_re_kind kind = AN_RE_RUNE;
    size_t skip = 1;
    bool found;
    uint32_t r = 0;

    switch (c) {
    case '[':
        return parse_class(p, out);
    case '^':
        kind = p->f.multi_line ? AN_RE_LINE_BEGIN : AN_RE_TEXT_BEGIN;
        break;
    case '$':
        kind = p->f.multi_line ? AN_RE_LINE_END : AN_RE_TEXT_END;
        break;
    case '.':
        kind = p->f.dot_nl ? AN_RE_ANY : AN_RE_ANY_NOT_NL;
        break;
    case '\\': {
        class set;
        skip = 2;
        if (at(p, "\\A")) kind = AN_RE_TEXT_BEGIN;
        if (at(p, "\\z")) kind = AN_RE_TEXT_END;
        if (at(p, "\\b")) kind = AN_RE_WORD;
        if (at(p, "\\B")) kind = AN_RE_NOT_WORD;
        if (kind != AN_RE_RUNE) break;
        class_init(&set);
        rc = parse_named_set(p, &set, false, &found);
        if (rc == AN_OK && found) rc = class_node(p, &set, false, out);
        class_deinit(&set);
        if (rc != AN_OK || found) return rc;
        AN_TRY(parse_escape(p, &r));
        break;
    }
    default:
        r = take_rune(p);
    }
    AN_TRY(new_node(p, kind, out));
    if (kind == AN_RE_RUNE) {
        (*out)->rune = r;
        (*out)->fold = p->f.fold;
    } else {
        p->i += skip;
    }
out:
    return rc;
}

/* A sequence under construction. */
typedef struct sequence {
    an_re *first, *last;
} sequence;

static void append(sequence *s, an_re *n)
{
    if (s->first == NULL) {
        s->first = n;
    } else {
        s->last->next = n;
    }
    s->last = n;
}

/* \Q...\E at p->i: every code point is itself. */
static an_rc parse_quoted(parser *p, sequence *s)
{
    an_rc rc = AN_OK;

    p->i += 2;
    while (p->i < p->s.n && !at(p, "\\E")) {
        an_re *n;
        AN_TRY(new_node(p, AN_RE_RUNE, &n));
        n->rune = take_rune(p);
        n->fold = p->f.fold;
        append(s, n);
    }
    if (p->i < p->s.n) p->i += 2;
out:
    return rc;
}

/* Everything up to the next '|' or ')' of this level, or the end. */
static an_rc parse_sequence(parser *p, an_re **out)
{
    an_rc rc = AN_OK;
    sequence s = {NULL, NULL};
    size_t repeat_start = SIZE_MAX; /* of an operator just before */

    while (p->i < p->s.n && p->s.p[p->i] != '|' && p->s.p[p->i] != ')') {
        an_re *n = NULL;
        size_t start = p->i;
        uint8_t c = p->s.p[p->i];
        int min = c == '+', max = c == '?' ? 1 : -1;
        bool braces = c == '{' && parse_braces(p, &min, &max);
        if (c == '*' || c == '+' || c == '?' || braces) {
            if (!braces) p->i++;
            AN_TRY(apply_repeat(p, &s.last, start, min, max, braces, &repeat_start));
            continue;
        }
        repeat_start = SIZE_MAX;
        if (at(p, "\\Q")) {
            AN_TRY(parse_quoted(p, &s));
            continue;
        }
        if (at(p, "(?")) {
            AN_TRY(parse_perl_group(p, &n));
        } else if (c == '(') {
            p->i++;
            AN_TRY(parse_capture(p, AN_LIT(""), &n));
        } else {
            AN_TRY(parse_item(p, &n));
        }
        if (n != NULL) append(&s, n);
    }
    AN_TRY(new_node(p, s.first == NULL ? AN_RE_EMPTY : AN_RE_CAT, out));
    (*out)->first = s.first;
    for (an_re *n = s.first; n != NULL; n = n->next) (*out)->nullable &= n->nullable;
out:
    return rc;
}

static an_rc parse_alternatives(parser *p, an_re **out)
{
    an_rc rc = AN_OK;
    sequence s = {NULL, NULL};
    an_re *n;
    bool nullable = false;

    for (;;) {
        AN_TRY(parse_sequence(p, &n));
        nullable |= n->nullable;
        append(&s, n);
        if (p->i >= p->s.n || p->s.p[p->i] != '|') break;
        p->i++;
    }
    *out = s.first;
    if (s.first != s.last) {
        AN_TRY(new_node(p, AN_RE_ALT, out));
        (*out)->first = s.first;
        (*out)->nullable = nullable;
    }
out:
    return rc;
}

an_rc an_re_parse(an_arena *a, an_slice text, an_re_tree *out, an_err *err)
{
    an_rc rc = AN_OK;
    parser p = {.a = a, .s = text, .err = err};

    an_buf_init(&p.names, 1 << 20, NULL);
    for (size_t i = 0; i < text.n;) {
        uint32_t r;
        size_t n = an_utf8_decode(text.p + i, text.n - i, &r);
        if (r == AN_RUNE_ERROR && n == 1) {
            rc = refuse(&p, "invalid UTF-8", i, text.n);
            goto out;
        }
        i += n;
    }
    AN_TRY(parse_alternatives(&p, &out->root));
    if (p.i < text.n) { /* only a ')' that closes nothing ends the outermost level early */
        rc = refuse(&p, "unexpected )", 0, text.n);
        goto out;
    }
    an_slice names = an_arena_try_dup(a, an_buf_slice(&p.names));
    AN_CHECK(names.p != NULL && !p.names.failed, err, AN_ELIMIT,
             "error parsing regexp: no memory for %zu groups", p.n_groups);
    out->names = (const an_slice *)names.p;
    out->n_groups = p.n_groups;
out:
    an_buf_deinit(&p.names);
    return rc;
}
