// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include "base/buf.h"
#include "base/yaml_scalar.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

/* A node and what it costs whoever walks it: aliases share nodes, so a small document can be an
 * enormous tree. */
typedef struct built {
    const an_yaml *node;
    size_t weight; /* nodes below it and itself, aliases expanded */
    int height;
    bool merge; /* the plain scalar << */
} built;

typedef struct anchor {
    char *name;
    built b; /* node NULL: not finished, we are inside it */
} anchor;

typedef struct builder {
    an_arena *a;
    yaml_parser_t *parser;
    an_yaml_dup dup;
    an_buf anchors; /* anchor each; of equal names the last counts */
    size_t weight;  /* of all that was built or merged so far */
    an_err *err;
} builder;

/* ---- Events ---- */

static an_rc next_event(builder *b, yaml_event_t *e)
{
    yaml_parser_t *p = b->parser;

    if (yaml_parser_parse(p, e)) return AN_OK;
    if (p->error == YAML_MEMORY_ERROR) return AN_FAIL(b->err, AN_ELIMIT, "yaml: out of memory");
    return AN_FAIL(b->err, AN_EINVALID, "yaml: line %zu: %s", p->problem_mark.line + 1,
                   p->problem != NULL ? p->problem : "cannot be read");
}

static int line_of(const yaml_event_t *e) { return (int)e->start_mark.line + 1; }

static an_rc new_node(builder *b, const yaml_event_t *e, an_yaml_kind kind, an_yaml **out)
{
    an_rc rc = AN_OK;
    an_yaml *v = an_arena_try(b->a, 1, sizeof *v);

    AN_CHECK(v != NULL, b->err, AN_ELIMIT, "yaml: line %d: no memory", line_of(e));
    v->kind = kind;
    v->line = line_of(e);
    v->column = (int)e->start_mark.column + 1;
    *out = v;
out:
    return rc;
}

/* Adds to the cost of the document. */
static an_rc charge(builder *b, size_t weight, int line)
{
    an_rc rc = AN_OK;

    AN_CHECK(!__builtin_add_overflow(b->weight, weight, &b->weight) &&
                 b->weight <= AN_YAML_NODES_MAX,
             b->err, AN_ELIMIT, "yaml: line %d: more than %d values, aliases expanded", line,
             AN_YAML_NODES_MAX);
out:
    return rc;
}

/* ---- Anchors ---- */

static anchor *anchors_of(builder *b, size_t *n)
{
    *n = b->anchors.n / sizeof(anchor);
    return (anchor *)b->anchors.p;
}

/* *index is where the finished node goes; SIZE_MAX: the node has no anchor. */
static an_rc open_anchor(builder *b, const yaml_char_t *name, int line, size_t *index)
{
    an_rc rc = AN_OK;
    anchor a = {0};

    *index = SIZE_MAX;
    if (name == NULL) goto out;
    an_slice copy = an_arena_try_dup(b->a, an_slice_str((const char *)name));
    a.name = (char *)(uintptr_t)copy.p;
    *index = b->anchors.n / sizeof a;
    an_buf_add(&b->anchors, &a, sizeof a);
    AN_CHECK(a.name != NULL && !b->anchors.failed, b->err, AN_ELIMIT,
             "yaml: line %d: too many anchors", line);
out:
    return rc;
}

static void close_anchor(builder *b, size_t index, built v)
{
    size_t n;
    if (index != SIZE_MAX) anchors_of(b, &n)[index].b = v;
}

static an_rc build_alias(builder *b, const yaml_event_t *e, int depth, built *out)
{
    an_rc rc = AN_OK;
    const char *name = (const char *)e->data.alias.anchor;
    size_t n;
    const anchor *a = anchors_of(b, &n);
    an_yaml *copy;

    while (n > 0 && strcmp(a[n - 1].name, name) != 0) n--;
    AN_CHECK(n > 0, b->err, AN_EINVALID, "yaml: line %d: unknown anchor '%s' referenced",
             line_of(e), name);
    built target = a[n - 1].b;
    AN_CHECK(target.node != NULL, b->err, AN_EINVALID,
             "yaml: line %d: anchor '%s' value contains itself", line_of(e), name);
    AN_CHECK(depth + target.height <= AN_YAML_DEPTH, b->err, AN_ELIMIT,
             "yaml: line %d: nested deeper than %d", line_of(e), AN_YAML_DEPTH);
    AN_TRY(charge(b, target.weight, line_of(e)));
    AN_TRY(new_node(b, e, target.node->kind, &copy));
    int line = copy->line, column = copy->column;
    *copy = *target.node;
    copy->line = line;
    copy->column = column;
    *out = (built){.node = copy, .weight = target.weight, .height = target.height};
out:
    return rc;
}

/* ---- Collections ---- */

static an_rc build(builder *b, const yaml_event_t *e, int depth, built *out);

/* Entries in the order of the document. */
typedef struct entries {
    an_buf keys, values; /* const an_yaml * each */
    size_t weight;
    int height;
} entries;

static void entries_init(entries *t)
{
    *t = (entries){.weight = 1, .height = 1};
    an_buf_init(&t->keys, AN_YAML_NODES_MAX * sizeof(void *), NULL);
    an_buf_init(&t->values, AN_YAML_NODES_MAX * sizeof(void *), NULL);
}

static void entries_deinit(entries *t)
{
    an_buf_deinit(&t->keys);
    an_buf_deinit(&t->values);
}

static void add_node(an_buf *list, const an_yaml *v)
{
    an_buf_add(list, (const void *)&v, sizeof(const an_yaml *));
}

static void add_value(entries *t, const an_yaml *key, built v)
{
    if (key != NULL) add_node(&t->keys, key);
    add_node(&t->values, v.node);
    t->weight += v.weight + (key != NULL);
    if (v.height + 1 > t->height) t->height = v.height + 1;
}

static an_rc finish(builder *b, entries *t, an_yaml *v)
{
    an_rc rc = AN_OK;
    an_slice keys = an_arena_try_dup(b->a, an_buf_slice(&t->keys));
    an_slice values = an_arena_try_dup(b->a, an_buf_slice(&t->values));

    AN_CHECK(keys.p != NULL && values.p != NULL && !t->keys.failed && !t->values.failed, b->err,
             AN_ELIMIT, "yaml: line %d: no memory", v->line);
    v->n = values.n / sizeof(void *);
    v->items = (const an_yaml *const *)values.p;
    v->keys = v->kind == AN_YAML_MAP ? (const an_yaml *const *)keys.p : NULL;
out:
    return rc;
}

static an_rc build_seq(builder *b, const yaml_event_t *start, int depth, built *out)
{
    an_rc rc = AN_OK;
    yaml_event_t e = {0};
    an_yaml *v;
    entries t;

    entries_init(&t);
    AN_TRY(new_node(b, start, AN_YAML_SEQ, &v));
    for (;;) {
        built item;
        yaml_event_delete(&e);
        AN_TRY(next_event(b, &e));
        if (e.type == YAML_SEQUENCE_END_EVENT) break;
        AN_TRY(build(b, &e, depth + 1, &item));
        add_value(&t, NULL, item);
    }
    AN_TRY(finish(b, &t, v));
    *out = (built){.node = v, .weight = t.weight, .height = t.height};
out:
    yaml_event_delete(&e);
    entries_deinit(&t);
    return rc;
}

/* Puts the entries of a merged mapping, or of a list of them, in the place of the <<. */
static an_rc merge(builder *b, entries *t, built from, bool in_list)
{
    an_rc rc = AN_OK;
    const an_yaml *v = from.node;
    bool list = v->kind == AN_YAML_SEQ && !in_list;

    AN_CHECK(v->kind == AN_YAML_MAP || list, b->err, AN_EINVALID,
             "yaml: line %d: map merge requires map or sequence of maps as the value", v->line);
    if (!in_list) t->weight += from.weight;
    if (list) { /* backwards: the earlier ones take precedence */
        for (size_t i = v->n; i > 0; i--) {
            built item = {.node = v->items[i - 1], .height = from.height - 1};
            AN_TRY(merge(b, t, item, true));
        }
        goto out;
    }
    AN_TRY(charge(b, v->n, v->line));
    for (size_t i = 0; i < v->n; i++) {
        add_value(t, v->keys[i], (built){.node = v->items[i], .height = from.height - 1});
    }
out:
    return rc;
}

/* Keys are the same if they resolve to the same value: 1 and 0x1, but not 1 and '1'. */
static int cmp_keys(const an_yaml *x, const an_yaml *y)
{
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    switch (x->type) {
    case AN_YAML_NULL:
        return 0;
    case AN_YAML_BOOL:
        return (int)x->truth - (int)y->truth;
    case AN_YAML_INT:
        if (x->u != y->u) return x->u < y->u ? -1 : 1;
        return (x->i > y->i) - (x->i < y->i);
    case AN_YAML_FLOAT:
        return (x->f > y->f) - (x->f < y->f);
    default:
        return an_slice_cmp(x->text, y->text);
    }
}

typedef struct placed {
    const an_yaml *key;
    size_t i;
} placed;

static int cmp_placed(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    int d = cmp_keys(x->key, y->key);
    return d != 0 ? d : (x->i > y->i) - (x->i < y->i);
}

/* Refuses duplicate keys, or leaves the last of each in its place. */
static an_rc unique_keys(builder *b, entries *t)
{
    an_rc rc = AN_OK;
    const an_yaml **keys = (const an_yaml **)t->keys.p;
    const an_yaml **values = (const an_yaml **)t->values.p;
    size_t n = t->keys.n / sizeof *keys, left = 0;
    placed *sorted = n > 1 ? malloc(n * sizeof *sorted) : NULL;

    if (n < 2) goto out;
    AN_CHECK(sorted != NULL, b->err, AN_ELIMIT, "yaml: no memory for %zu keys", n);
    for (size_t i = 0; i < n; i++) sorted[i] = (placed){keys[i], i};
    qsort(sorted, n, sizeof *sorted, cmp_placed);
    for (size_t i = 0; i + 1 < n; i++) {
        const an_yaml *first = sorted[i].key, *second = sorted[i + 1].key;
        if (cmp_keys(first, second) != 0) continue;
        AN_CHECK(b->dup == AN_YAML_DUP_LAST, b->err, AN_EINVALID,
                 "yaml: line %d: key \"%.*s\" already set in map (line %d)", second->line,
                 AN_PRI(second->text), first->line);
        values[sorted[i].i] = NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (values[i] == NULL) continue;
        keys[left] = keys[i];
        values[left++] = values[i];
    }
    t->keys.n = left * sizeof *keys;
    t->values.n = left * sizeof *values;
out:
    free(sorted);
    return rc;
}

static an_rc build_map(builder *b, const yaml_event_t *start, int depth, built *out)
{
    an_rc rc = AN_OK;
    yaml_event_t e = {0};
    an_yaml *v;
    entries t;

    entries_init(&t);
    AN_TRY(new_node(b, start, AN_YAML_MAP, &v));
    for (;;) {
        built key, value;
        yaml_event_delete(&e);
        AN_TRY(next_event(b, &e));
        if (e.type == YAML_MAPPING_END_EVENT) break;
        AN_TRY(build(b, &e, depth + 1, &key));
        AN_CHECK(key.node->kind == AN_YAML_SCALAR, b->err, AN_EINVALID,
                 "yaml: line %d: a mapping key is no scalar", key.node->line);
        yaml_event_delete(&e);
        AN_TRY(next_event(b, &e));
        AN_TRY(build(b, &e, depth + 1, &value));
        if (key.merge) {
            AN_TRY(merge(b, &t, value, false));
        } else {
            add_value(&t, key.node, value);
        }
    }
    AN_TRY(unique_keys(b, &t));
    AN_TRY(finish(b, &t, v));
    *out = (built){.node = v, .weight = t.weight, .height = t.height};
out:
    yaml_event_delete(&e);
    entries_deinit(&t);
    return rc;
}

/* ---- Nodes ---- */

static an_rc build_scalar(builder *b, const yaml_event_t *e, built *out)
{
    an_rc rc = AN_OK;
    const char *tag = (const char *)e->data.scalar.tag;
    an_yaml *v;

    AN_TRY(new_node(b, e, AN_YAML_SCALAR, &v));
    v->text = an_arena_try_dup(b->a, an_slice_of(e->data.scalar.value, e->data.scalar.length));
    AN_CHECK(v->text.p != NULL, b->err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    if (tag == NULL) tag = e->data.scalar.plain_implicit ? "" : "!!str";
    AN_TRY(an_yaml_resolve(b->a, v, tag, b->err));
    bool merge_tag = strcmp(tag, "tag:yaml.org,2002:merge") == 0;
    *out = (built){.node = v,
                   .weight = 1,
                   .height = 1,
                   .merge = (e->data.scalar.plain_implicit || merge_tag) &&
                            an_slice_eq(v->text, AN_LIT("<<"))};
out:
    return rc;
}

/* The node that starts with event e. Recursion is bounded by AN_YAML_DEPTH. */
static an_rc build(builder *b, const yaml_event_t *e, int depth, built *out)
{
    an_rc rc = AN_OK;
    size_t index = SIZE_MAX;

    AN_CHECK(depth <= AN_YAML_DEPTH, b->err, AN_ELIMIT, "yaml: line %d: nested deeper than %d",
             line_of(e), AN_YAML_DEPTH);
    if (e->type == YAML_ALIAS_EVENT) return build_alias(b, e, depth, out);
    AN_TRY(charge(b, 1, line_of(e)));
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        AN_TRY(open_anchor(b, e->data.scalar.anchor, line_of(e), &index));
        AN_TRY(build_scalar(b, e, out));
        break;
    case YAML_SEQUENCE_START_EVENT:
        AN_TRY(open_anchor(b, e->data.sequence_start.anchor, line_of(e), &index));
        AN_TRY(build_seq(b, e, depth, out));
        break;
    case YAML_MAPPING_START_EVENT:
        AN_TRY(open_anchor(b, e->data.mapping_start.anchor, line_of(e), &index));
        AN_TRY(build_map(b, e, depth, out));
        break;
    default:
        rc = AN_FAIL(b->err, AN_EINVALID, "yaml: line %d: unexpected end of a collection",
                     line_of(e));
        goto out;
    }
    close_anchor(b, index, *out);
out:
    return rc;
}

/* Up to the end of the first document; what follows is not looked at. */
static an_rc build_document(builder *b, const an_yaml **out)
{
    an_rc rc = AN_OK;
    yaml_event_t e = {0};
    an_yaml *none;
    built root;

    AN_TRY(next_event(b, &e)); /* start of the stream */
    yaml_event_delete(&e);
    AN_TRY(next_event(b, &e));
    if (e.type == YAML_STREAM_END_EVENT) {
        AN_TRY(new_node(b, &e, AN_YAML_SCALAR, &none));
        none->text = AN_LIT("");
        *out = none;
        goto out;
    }
    const yaml_version_directive_t *version = e.data.document_start.version_directive;
    AN_CHECK(version == NULL || (version->major == 1 && version->minor == 1), b->err, AN_EINVALID,
             "yaml: line %d: found incompatible YAML document", line_of(&e));
    yaml_event_delete(&e);
    AN_TRY(next_event(b, &e));
    AN_TRY(build(b, &e, 1, &root));
    yaml_event_delete(&e);
    AN_TRY(next_event(b, &e)); /* an error here is one of the first document */
    *out = root.node;
out:
    yaml_event_delete(&e);
    return rc;
}

an_rc an_yaml_parse(an_arena *a, an_slice doc, an_yaml_dup dup, const an_yaml **out, an_err *err)
{
    an_rc rc = AN_OK;
    yaml_parser_t parser;
    builder b = {.a = a, .parser = &parser, .dup = dup, .err = err};

    *out = NULL;
    if (doc.n > AN_YAML_BYTES_MAX) {
        return AN_FAIL(err, AN_ELIMIT, "yaml: %zu bytes, more than the maximum %d", doc.n,
                       AN_YAML_BYTES_MAX);
    }
    if (!yaml_parser_initialize(&parser)) return AN_FAIL(err, AN_ELIMIT, "yaml: out of memory");
    yaml_parser_set_input_string(&parser, doc.p != NULL ? doc.p : (const uint8_t *)"", doc.n);
    an_buf_init(&b.anchors, AN_YAML_ANCHORS_MAX * sizeof(anchor), NULL);
    rc = build_document(&b, out);
    if (rc != AN_OK) *out = NULL;
    an_buf_deinit(&b.anchors);
    yaml_parser_delete(&parser);
    return rc;
}

const an_yaml *an_yaml_get(const an_yaml *map, const char *name)
{
    an_slice want = an_slice_str(name);

    for (size_t i = map->kind == AN_YAML_MAP ? map->n : 0; i > 0; i--) {
        if (an_slice_eq(map->keys[i - 1]->text, want)) return map->items[i - 1];
    }
    return NULL;
}

bool an_yaml_is_null(const an_yaml *v)
{
    return v->kind == AN_YAML_SCALAR && v->type == AN_YAML_NULL;
}
