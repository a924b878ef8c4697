// SPDX-License-Identifier: Apache-2.0
#include "tsdb/labels/relabel.h"

#include <inttypes.h>
#include <string.h>

#include "base/casemap.h"
#include "base/hash.h"
#include "base/strconv.h"
#include "base/utf8.h"
#include "base/yaml.h"

#define TWO_TO_64 18446744073709551616.0

enum { VALUE_MAX = 64 << 20 }; /* of one expanded or joined value */

static const char *const action_names[AN_RELABEL__COUNT] = {
    [AN_RELABEL_REPLACE] = "replace",     [AN_RELABEL_KEEP] = "keep",
    [AN_RELABEL_DROP] = "drop",           [AN_RELABEL_KEEPEQUAL] = "keepequal",
    [AN_RELABEL_DROPEQUAL] = "dropequal", [AN_RELABEL_HASHMOD] = "hashmod",
    [AN_RELABEL_LABELMAP] = "labelmap",   [AN_RELABEL_LABELDROP] = "labeldrop",
    [AN_RELABEL_LABELKEEP] = "labelkeep", [AN_RELABEL_LOWERCASE] = "lowercase",
    [AN_RELABEL_UPPERCASE] = "uppercase",
};

/* Label names may be any UTF-8 text that is not empty. */
static bool is_name(an_slice s) { return s.n > 0 && an_utf8_valid(s.p, s.n); }

/* ---- Reading ---- */

/* What the document said about one rule, beyond the rule itself. */
typedef struct parsed {
    an_relabel_rule rule;
    bool has_action; /* false: set to null */
    bool has_source; /* a list was given, even an empty one */
    bool has_regex;
} parsed;

/* *out: {NULL, 0} for a null, which upstream reads as the zero value. */
static an_rc get_text(const an_yaml *map, const char *key, an_slice *out, an_err *err)
{
    const an_yaml *v = an_yaml_get(map, key);

    if (v == NULL) return AN_OK;
    if (v->kind != AN_YAML_SCALAR)
        return AN_FAIL(err, AN_EINVALID, "yaml: line %d: %s is no text", v->line, key);
    *out = v->type == AN_YAML_NULL ? (an_slice){NULL, 0} : v->text;
    return AN_OK;
}

static an_rc get_action(const an_yaml *map, parsed *p, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice text = AN_LIT("replace");
    an_arena *lower = an_arena_new(NULL);
    an_buf quoted;

    an_buf_init(&quoted, VALUE_MAX, NULL);
    AN_TRY(get_text(map, "action", &text, err));
    p->has_action = text.p != NULL;
    if (!p->has_action) goto out;
    an_slice name = an_lower(lower, text);
    for (int i = 0; i < AN_RELABEL__COUNT; i++) {
        if (!an_slice_eq(name, an_slice_str(action_names[i]))) continue;
        p->rule.action = (an_relabel_action)i;
        goto out;
    }
    an_quote(&quoted, text);
    rc = AN_FAIL(err, AN_EINVALID, "unknown relabel action %.*s", AN_PRI(an_buf_slice(&quoted)));
out:
    an_buf_deinit(&quoted);
    an_arena_free(lower);
    return rc;
}

static an_rc get_source(an_arena *a, const an_yaml *map, parsed *p, an_err *err)
{
    const an_yaml *v = an_yaml_get(map, "source_labels");

    if (v == NULL || an_yaml_is_null(v)) return AN_OK;
    if (v->kind != AN_YAML_SEQ)
        return AN_FAIL(err, AN_EINVALID, "yaml: line %d: source_labels is no list", v->line);
    p->has_source = true;
    p->rule.n_source = v->n;
    p->rule.source = an_arena_try(a, v->n, sizeof *p->rule.source);
    if (p->rule.source == NULL)
        return AN_FAIL(err, AN_ELIMIT, "relabel: no memory for %zu source labels", v->n);
    for (size_t i = 0; i < v->n; i++) {
        const an_yaml *name = v->items[i];
        if (name->kind != AN_YAML_SCALAR)
            return AN_FAIL(err, AN_EINVALID, "yaml: line %d: a source label is no text",
                           name->line);
        /* A null passes the check of names upstream and is the empty name. */
        p->rule.source[i] = name->type == AN_YAML_NULL ? AN_LIT("") : an_arena_dup(a, name->text);
        if (name->type != AN_YAML_NULL && !is_name(name->text))
            return AN_FAIL(err, AN_EINVALID, "\"%.*s\" is not a valid label name",
                           AN_PRI(name->text));
    }
    return AN_OK;
}

static an_rc get_modulus(const an_yaml *map, uint64_t *out, an_err *err)
{
    const an_yaml *v = an_yaml_get(map, "modulus");

    if (v == NULL || an_yaml_is_null(v)) return AN_OK;
    if (v->kind == AN_YAML_SCALAR && v->type == AN_YAML_INT && v->is_uint) {
        *out = v->u;
    } else if (v->kind == AN_YAML_SCALAR && v->type == AN_YAML_INT && v->i >= 0) {
        *out = (uint64_t)v->i;
    } else if (v->kind == AN_YAML_SCALAR && v->type == AN_YAML_FLOAT && v->f >= 0 &&
               v->f <= TWO_TO_64) {
        /* Cut, as upstream's YAML reader does; it lets 2^64 pass, which Go on amd64 makes 2^63. */
        *out = v->f < TWO_TO_64 ? (uint64_t)v->f : UINT64_C(1) << 63;
    } else {
        return AN_FAIL(err, AN_EINVALID, "yaml: line %d: modulus is no number above 0", v->line);
    }
    return AN_OK;
}

static an_rc parse_rule(an_arena *a, const an_yaml *v, parsed *p, an_err *err)
{
    an_rc rc = AN_OK;
    an_relabel_rule *r = &p->rule;
    an_slice regex = {NULL, 0};

    AN_CHECK(v->kind == AN_YAML_MAP, err, AN_EINVALID, "yaml: line %d: a relabel rule is a mapping",
             v->line);
    r->separator = AN_LIT(";");
    r->replacement = AN_LIT("$1");
    AN_TRY(get_action(v, p, err));
    AN_TRY(get_source(a, v, p, err));
    AN_TRY(get_text(v, "separator", &r->separator, err));
    AN_TRY(get_text(v, "target_label", &r->target, err));
    AN_TRY(get_text(v, "replacement", &r->replacement, err));
    AN_TRY(get_modulus(v, &r->modulus, err));
    AN_TRY(get_text(v, "regex", &regex, err));
    r->separator = an_arena_dup(a, r->separator);
    r->target = an_arena_dup(a, r->target);
    r->replacement = an_arena_dup(a, r->replacement);
    p->has_regex = an_yaml_get(v, "regex") != NULL; /* a null is the empty expression */
    AN_TRY(an_regex_compile(p->has_regex ? regex : AN_LIT("(.*)"), &r->regex, err));
out:
    return rc;
}

/* ---- Validation, in upstream's order and words ---- */

static bool is_any_of(an_relabel_action a, unsigned set) { return (set >> a & 1) != 0; }
#define BIT(a) (1u << AN_RELABEL_##a)

static an_rc say_invalid(an_slice text, const char *what, an_relabel_action action, an_err *err)
{
    an_buf quoted;

    an_buf_init(&quoted, VALUE_MAX, NULL);
    an_quote(&quoted, text);
    AN_FAIL(err, AN_EINVALID, "%.*s is invalid '%s' for %s action", AN_PRI(an_buf_slice(&quoted)),
            what, action_names[action]);
    an_buf_deinit(&quoted);
    return err->rc;
}

static an_rc check_rule(const parsed *p, an_err *err)
{
    an_rc rc = AN_OK;
    const an_relabel_rule *r = &p->rule;
    const char *name = action_names[r->action];
    static const unsigned one_target =
        BIT(LOWERCASE) | BIT(UPPERCASE) | BIT(KEEPEQUAL) | BIT(DROPEQUAL);
    bool default_replacement = an_slice_eq(r->replacement, AN_LIT("$1"));
    bool default_rest =
        r->modulus == 0 && an_slice_eq(r->separator, AN_LIT(";")) && default_replacement;

    AN_CHECK(p->has_action, err, AN_EINVALID, "relabel action cannot be empty");
    AN_CHECK(r->action != AN_RELABEL_HASHMOD || r->modulus != 0, err, AN_EINVALID,
             "relabel configuration for hashmod requires non-zero modulus");
    AN_CHECK(!is_any_of(r->action, one_target | BIT(REPLACE) | BIT(HASHMOD)) || r->target.n > 0,
             err, AN_EINVALID, "relabel configuration for %s action requires 'target_label' value",
             name);
    if (is_any_of(r->action, one_target | BIT(REPLACE)) && !is_name(r->target)) {
        rc = say_invalid(r->target, "target_label", r->action, err);
        goto out;
    }
    AN_CHECK(!is_any_of(r->action, one_target) || default_replacement, err, AN_EINVALID,
             "'replacement' can not be set for %s action", name);
    if (r->action == AN_RELABEL_LABELMAP && !is_name(r->replacement)) {
        rc = say_invalid(r->replacement, "replacement", r->action, err);
        goto out;
    }
    if (r->action == AN_RELABEL_HASHMOD && !is_name(r->target)) {
        rc = say_invalid(r->target, "target_label", r->action, err);
        goto out;
    }
    AN_CHECK(
        !is_any_of(r->action, BIT(KEEPEQUAL) | BIT(DROPEQUAL)) || (!p->has_regex && default_rest),
        err, AN_EINVALID,
        "%s action requires only 'source_labels' and `target_label`, and no other fields", name);
    AN_CHECK(!is_any_of(r->action, BIT(LABELDROP) | BIT(LABELKEEP)) ||
                 (!p->has_source && r->target.n == 0 && default_rest),
             err, AN_EINVALID, "%s action requires only 'regex', and no other fields", name);
out:
    return rc;
}

static an_rc parse_rules(an_relabel *r, const an_yaml *root, an_relabel_use use, an_err *err)
{
    an_rc rc = AN_OK;
    parsed *p = NULL;

    if (an_yaml_is_null(root)) return AN_OK;
    AN_CHECK(root->kind == AN_YAML_SEQ, err, AN_EINVALID,
             "parsing relabel configuration: yaml: line %d: not a list of rules", root->line);
    r->rules = an_arena_try(r->arena, root->n, sizeof *r->rules);
    p = an_arena_try(r->arena, root->n, sizeof *p);
    AN_CHECK(r->rules != NULL && p != NULL, err, AN_ELIMIT, "relabel: no memory for %zu rules",
             root->n);
    for (size_t i = 0; i < root->n; i++) {
        AN_CHECK(!an_yaml_is_null(root->items[i]), err, AN_EINVALID,
                 "parsing relabel configuration: yaml: line %d: a rule is empty",
                 root->items[i]->line);
        rc = parse_rule(r->arena, root->items[i], &p[i], err);
        r->rules[r->n++] = p[i].rule; /* whoever frees the rules frees the regex */
        if (rc != AN_OK) {
            an_err_wrap(err, "parsing relabel configuration");
            goto out;
        }
    }
    for (size_t i = 0; i < r->n; i++) {
        if ((rc = check_rule(&p[i], err)) != AN_OK) {
            an_err_wrap(err, "validate relabel config");
            goto out;
        }
    }
    for (size_t i = 0; i < r->n && use == AN_RELABEL_SELECTOR; i++) {
        AN_CHECK(is_any_of(r->rules[i].action, BIT(KEEP) | BIT(DROP) | BIT(HASHMOD)), err,
                 AN_EINVALID, "unsupported relabel action: %s", action_names[r->rules[i].action]);
    }
out:
    return rc;
}

an_rc an_relabel_parse(an_slice yaml, an_relabel_use use, an_relabel **out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_yaml *root = NULL;
    an_arena *own = an_arena_new(NULL);
    an_arena *doc = an_arena_new(NULL);
    an_relabel *r = an_arena_alloc(own, sizeof *r);

    *out = NULL;
    r->arena = own;
    if ((rc = an_yaml_parse(doc, yaml, AN_YAML_DUP_LAST, &root, err)) != AN_OK) {
        an_err_wrap(err, "parsing relabel configuration");
        goto out;
    }
    AN_TRY(parse_rules(r, root, use, err));
    *out = r;
    r = NULL;
out:
    an_relabel_free(r);
    an_arena_free(doc);
    return rc;
}

void an_relabel_free(an_relabel *r)
{
    if (r == NULL) return;
    for (size_t i = 0; i < r->n; i++) an_regex_free(r->rules[i].regex);
    an_arena_free(r->arena);
}

/* ---- Running ---- */

/* A set under change, as upstream's builder keeps it: the base, names that were removed, pairs that
 * were set, in the order in which labelmap walks them. */
typedef struct builder {
    an_arena *a;
    an_labels base;
    size_t n_add, cap_add, n_del, cap_del;
    an_label *add;
    an_slice *del;
} builder;

static void *grown(an_arena *a, const void *v, size_t n, size_t *cap, size_t size)
{
    *cap = *cap == 0 ? 8 : 2 * *cap;
    void *p = an_arena_alloc(a, *cap * size);
    if (n > 0) memcpy(p, v, n * size);
    return p;
}

static bool is_deleted(const builder *b, size_t n_del, an_slice name)
{
    for (size_t i = 0; i < n_del; i++) {
        if (an_slice_eq(b->del[i], name)) return true;
    }
    return false;
}

static void builder_del(builder *b, an_slice name)
{
    for (size_t i = 0; i < b->n_add; i++) {
        if (!an_slice_eq(b->add[i].name, name)) continue;
        memmove(b->add + i, b->add + i + 1, (b->n_add - i - 1) * sizeof *b->add);
        b->n_add--;
        break;
    }
    if (is_deleted(b, b->n_del, name)) return;
    if (b->n_del == b->cap_del) b->del = grown(b->a, b->del, b->n_del, &b->cap_del, sizeof *b->del);
    b->del[b->n_del++] = name;
}

static void builder_set(builder *b, an_slice name, an_slice value)
{
    if (value.n == 0) {
        builder_del(b, name);
        return;
    }
    for (size_t i = 0; i < b->n_add; i++) {
        if (!an_slice_eq(b->add[i].name, name)) continue;
        b->add[i].value = value;
        return;
    }
    if (b->n_add == b->cap_add) b->add = grown(b->a, b->add, b->n_add, &b->cap_add, sizeof *b->add);
    b->add[b->n_add++] = (an_label){name, value};
}

static an_slice builder_get(const builder *b, an_slice name)
{
    for (size_t i = 0; i < b->n_add; i++) {
        if (an_slice_eq(b->add[i].name, name)) return b->add[i].value;
    }
    if (is_deleted(b, b->n_del, name)) return AN_LIT("");
    return an_labels_get(b->base, name);
}

/* A copy of what the builder holds now, in its order of walking. */
static an_labels builder_now(const builder *b)
{
    an_labels out = {0, an_arena_alloc(b->a, (b->base.n + b->n_add + 1) * sizeof *out.v)};

    for (size_t i = 0; i < b->base.n; i++) {
        bool set = is_deleted(b, b->n_del, b->base.v[i].name);
        for (size_t k = 0; k < b->n_add && !set; k++)
            set = an_slice_eq(b->add[k].name, b->base.v[i].name);
        if (!set) out.v[out.n++] = b->base.v[i];
    }
    if (b->n_add > 0) memcpy(out.v + out.n, b->add, b->n_add * sizeof *b->add);
    out.n += b->n_add;
    return out;
}

static an_slice join_sources(const builder *b, const an_relabel_rule *r, an_buf *text)
{
    an_buf_clear(text);
    for (size_t i = 0; i < r->n_source; i++) {
        if (i > 0) an_buf_slice_add(text, r->separator);
        an_buf_slice_add(text, builder_get(b, r->source[i]));
    }
    return an_arena_dup(b->a, an_buf_slice(text));
}

static an_rc run_replace(builder *b, const an_relabel_rule *r, an_slice value, an_buf *text,
                         an_err *err)
{
    an_rc rc = AN_OK;
    an_regex_match m = {0};

    AN_TRY(an_regex_find(r->regex, b->a, value, &m, err));
    if (!m.matched) goto out;
    an_buf_clear(text);
    an_regex_expand(r->regex, text, r->target, value, &m);
    AN_CHECK(!text->failed, err, AN_ELIMIT, "relabel: a name above %d bytes", VALUE_MAX);
    an_slice target = an_arena_dup(b->a, an_buf_slice(text));
    if (!is_name(target)) goto out;
    an_buf_clear(text);
    an_regex_expand(r->regex, text, r->replacement, value, &m);
    AN_CHECK(!text->failed, err, AN_ELIMIT, "relabel: a value above %d bytes", VALUE_MAX);
    builder_set(b, target, an_arena_dup(b->a, an_buf_slice(text)));
out:
    return rc;
}

/* The last 8 bytes of the MD5, as upstream: shards of a mixed fleet must agree. */
static void run_hashmod(builder *b, const an_relabel_rule *r, an_slice value)
{
    uint8_t md5[AN_MD5_BYTES];
    uint64_t h = 0;

    an_md5(value, md5);
    for (size_t i = 8; i < AN_MD5_BYTES; i++) h = h << 8 | md5[i];
    builder_set(b, r->target, an_slice_str(an_arena_printf(b->a, "%" PRIu64, h % r->modulus)));
}

static an_rc run_labelmap(builder *b, const an_relabel_rule *r, an_buf *text, an_err *err)
{
    an_rc rc = AN_OK;
    an_labels now = builder_now(b);

    for (size_t i = 0; i < now.n; i++) {
        an_regex_match m = {0};
        AN_TRY(an_regex_find(r->regex, b->a, now.v[i].name, &m, err));
        if (!m.matched) continue;
        an_buf_clear(text);
        an_regex_expand(r->regex, text, r->replacement, now.v[i].name, &m);
        AN_CHECK(!text->failed, err, AN_ELIMIT, "relabel: a name above %d bytes", VALUE_MAX);
        builder_set(b, an_arena_dup(b->a, an_buf_slice(text)), now.v[i].value);
    }
out:
    return rc;
}

static an_rc run_by_name(builder *b, const an_relabel_rule *r, an_err *err)
{
    an_rc rc = AN_OK;
    an_labels now = builder_now(b);

    for (size_t i = 0; i < now.n; i++) {
        bool yes = false;
        AN_TRY(an_regex_matches(r->regex, now.v[i].name, &yes, err));
        if (yes == (r->action == AN_RELABEL_LABELDROP)) builder_del(b, now.v[i].name);
    }
out:
    return rc;
}

static an_rc run_rule(builder *b, const an_relabel_rule *r, an_buf *text, bool *keep, an_err *err)
{
    an_rc rc = AN_OK;
    an_slice value = join_sources(b, r, text);

    switch (r->action) {
    case AN_RELABEL_KEEP:
        rc = an_regex_matches(r->regex, value, keep, err);
        break;
    case AN_RELABEL_DROP:
        rc = an_regex_matches(r->regex, value, keep, err);
        *keep = !*keep;
        break;
    case AN_RELABEL_KEEPEQUAL:
        *keep = an_slice_eq(builder_get(b, r->target), value);
        break;
    case AN_RELABEL_DROPEQUAL:
        *keep = !an_slice_eq(builder_get(b, r->target), value);
        break;
    case AN_RELABEL_REPLACE:
        rc = run_replace(b, r, value, text, err);
        break;
    case AN_RELABEL_LOWERCASE:
        builder_set(b, r->target, an_lower(b->a, value));
        break;
    case AN_RELABEL_UPPERCASE:
        builder_set(b, r->target, an_upper(b->a, value));
        break;
    case AN_RELABEL_HASHMOD:
        run_hashmod(b, r, value);
        break;
    case AN_RELABEL_LABELMAP:
        rc = run_labelmap(b, r, text, err);
        break;
    case AN_RELABEL_LABELDROP:
    case AN_RELABEL_LABELKEEP:
        rc = run_by_name(b, r, err);
        break;
    case AN_RELABEL__COUNT:
        break;
    }
    return rc;
}

an_rc an_relabel_run(const an_relabel *r, an_arena *a, an_labels in, an_labels *out, bool *keep,
                     an_err *err)
{
    an_rc rc = AN_OK;
    builder b = {.a = a, .base = {0, an_arena_alloc(a, (in.n + 1) * sizeof *in.v)}};
    bool kept = true;
    an_buf text;

    an_buf_init(&text, VALUE_MAX, NULL);
    for (size_t i = 0; i < in.n; i++) { /* an empty value is an absent label */
        if (in.v[i].value.n > 0) b.base.v[b.base.n++] = in.v[i];
    }
    for (size_t i = 0; i < r->n && kept; i++) {
        AN_TRY(run_rule(&b, &r->rules[i], &text, &kept, err));
        AN_CHECK(!text.failed, err, AN_ELIMIT, "relabel: joined values above %d bytes", VALUE_MAX);
    }
    *keep = kept;
    *out = kept ? builder_now(&b) : (an_labels){0, NULL};
    an_labels_sort(out);
out:
    an_buf_deinit(&text);
    return rc;
}
