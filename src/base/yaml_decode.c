// SPDX-License-Identifier: Apache-2.0
#include "base/yaml.h"

#include "base/buf.h"
#include "base/duration.h"
#include "base/strconv.h"
#include "base/yaml_scalar.h"

#include <stdio.h>
#include <string.h>

/* ---- Normal form ---- */

static an_rc normal_text(an_arena *a, an_yaml *v, an_err *err)
{
    an_rc rc = AN_OK;
    char text[AN_FLOAT_TEXT] = "";
    size_t n = 0;

    switch (v->type) {
    case AN_YAML_NULL:
    case AN_YAML_STR:
        return AN_OK;
    case AN_YAML_BOOL:
        n = (size_t)snprintf(text, sizeof text, v->truth ? "true" : "false");
        break;
    case AN_YAML_INT:
        n = (size_t)(v->is_uint ? snprintf(text, sizeof text, "%llu", (unsigned long long)v->u)
                                : snprintf(text, sizeof text, "%lld", (long long)v->i));
        break;
    case AN_YAML_FLOAT:
        n = an_float_print(v->f, 'g', text);
        if (strcmp(text, "NaN") == 0) n = (size_t)snprintf(text, sizeof text, ".nan");
        if (strcmp(text, "+Inf") == 0) n = (size_t)snprintf(text, sizeof text, ".inf");
        if (strcmp(text, "-Inf") == 0) n = (size_t)snprintf(text, sizeof text, "-.inf");
        break;
    }
    v->text = an_arena_try_dup(a, an_slice_of(text, n));
    AN_CHECK(v->text.p != NULL, err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    /* What is read again is what was written: 1.0 is an integer then. */
    AN_TRY(an_yaml_resolve(a, v, "", err));
out:
    return rc;
}

/* Recursion and size are bounded as the tree is: aliases were counted when it was made. */
an_rc an_yaml_normalize(an_arena *a, const an_yaml *v, const an_yaml **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_yaml *copy = an_arena_try(a, 1, sizeof *copy);
    const an_yaml **items = NULL, **keys = NULL;

    AN_CHECK(copy != NULL, err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    *copy = *v;
    if (v->kind == AN_YAML_SCALAR) {
        AN_TRY(normal_text(a, copy, err));
        *out = copy;
        goto out;
    }
    items = (const an_yaml **)an_arena_try(a, v->n, sizeof(const an_yaml *));
    keys = (const an_yaml **)an_arena_try(a, v->n, sizeof(const an_yaml *));
    AN_CHECK(items != NULL && keys != NULL, err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    for (size_t i = 0; i < v->n; i++) {
        AN_TRY(an_yaml_normalize(a, v->items[i], &items[i], err));
        if (v->kind == AN_YAML_MAP) AN_TRY(an_yaml_normalize(a, v->keys[i], &keys[i], err));
    }
    copy->items = items;
    copy->keys = v->kind == AN_YAML_MAP ? keys : NULL;
    *out = copy;
out:
    return rc;
}

/* ---- Structs ---- */

typedef struct faults {
    an_buf text;
    size_t n;
} faults;

static void begin_fault(faults *f, int line)
{
    an_buf_printf(&f->text, "%sline %d: ", f->n == 0 ? "" : "; ", line);
    f->n++;
}

static void fault_type(faults *f, const an_yaml *v, const char *into, const char *field)
{
    begin_fault(f, v->line);
    an_buf_printf(&f->text, "cannot unmarshal %s", an_yaml_tag(v));
    if (v->kind == AN_YAML_SCALAR) { /* cut: it may be a secret in the wrong place */
        bool cut = v->text.n > 10;
        an_buf_printf(&f->text, " `%.*s%s`", cut ? 7 : (int)v->text.n, (const char *)v->text.p,
                      cut ? "..." : "");
    }
    an_buf_printf(&f->text, " into %s", into);
    if (field != NULL) an_buf_printf(&f->text, " (field %s)", field);
}

static an_rc decode_strings(an_arena *a, const an_yaml *v, const char *key, void *at, faults *f,
                            an_err *err)
{
    an_rc rc = AN_OK;
    an_yaml_strings s = {.n = v->n};

    if (v->kind != AN_YAML_SEQ) {
        fault_type(f, v, "[]string", key);
        goto out;
    }
    s.v = an_arena_try(a, v->n, sizeof *s.v);
    AN_CHECK(s.v != NULL, err, AN_ELIMIT, "yaml: line %d: no memory", v->line);
    for (size_t i = 0; i < v->n; i++) {
        const an_yaml *item = v->items[i];
        if (item->kind != AN_YAML_SCALAR) {
            fault_type(f, item, "string", key);
        } else if (item->type != AN_YAML_NULL) {
            s.v[i] = item->text;
        }
    }
    memcpy(at, &s, sizeof s);
out:
    return rc;
}

/* A number that int64 holds; a float is cut. */
static bool to_int64(const an_yaml *v, int64_t *out)
{
    if (v->type == AN_YAML_INT && !v->is_uint) {
        *out = v->i;
        return true;
    }
    if (v->type != AN_YAML_FLOAT || !(v->f >= -0x1p63 && v->f < 0x1p63)) return false;
    *out = (int64_t)v->f;
    return true;
}

/* Everything but lists and nodes. */
static void decode_scalar(const an_yaml *v, const an_yaml_field *field, void *at, faults *f)
{
    bool scalar = v->kind == AN_YAML_SCALAR;
    bool number = scalar && (v->type == AN_YAML_INT || v->type == AN_YAML_FLOAT);
    int64_t i = 0;
    an_err err;

    switch (field->want) {
    case AN_YAML_TO_BOOL:
        if (!scalar || v->type != AN_YAML_BOOL) {
            fault_type(f, v, "bool", field->key);
        } else {
            memcpy(at, &v->truth, sizeof v->truth);
        }
        break;
    case AN_YAML_TO_INT64:
        if (!number || !to_int64(v, &i)) {
            fault_type(f, v, "int", field->key);
        } else {
            memcpy(at, &i, sizeof i);
        }
        break;
    case AN_YAML_TO_FLOAT:
        if (!number) {
            fault_type(f, v, "float64", field->key);
        } else {
            memcpy(at, &v->f, sizeof v->f);
        }
        break;
    case AN_YAML_TO_DURATION:
        if (!scalar) {
            fault_type(f, v, "string", field->key);
        } else if (an_duration_parse_prom(v->text, &i, &err) != AN_OK) {
            begin_fault(f, v->line);
            an_buf_printf(&f->text, "%s (field %s)", err.msg, field->key);
        } else {
            memcpy(at, &i, sizeof i);
        }
        break;
    default: /* AN_YAML_TO_STRING */
        if (!scalar) {
            fault_type(f, v, "string", field->key);
        } else {
            memcpy(at, &v->text, sizeof v->text);
        }
    }
}

static const an_yaml_field *find_field(const an_yaml_field *fields, size_t n, an_slice key)
{
    for (size_t i = 0; i < n; i++) {
        if (an_slice_eq(key, an_slice_str(fields[i].key))) return &fields[i];
    }
    return NULL;
}

an_rc an_yaml_decode(an_arena *a, const an_yaml *v, const char *type, const an_yaml_field *fields,
                     size_t n_fields, an_yaml_mode mode, void *target, an_err *err)
{
    an_rc rc = AN_OK;
    faults f = {.n = 0};

    an_buf_init(&f.text, sizeof err->msg, NULL);
    if (v->kind != AN_YAML_MAP && !an_yaml_is_null(v)) fault_type(&f, v, type, NULL);
    for (size_t i = 0; v->kind == AN_YAML_MAP && i < v->n; i++) {
        const an_yaml *key = v->keys[i], *value = v->items[i];
        const an_yaml_field *field = find_field(fields, n_fields, key->text);
        if (field == NULL) {
            if (mode == AN_YAML_LENIENT) continue;
            begin_fault(&f, key->line);
            an_buf_printf(&f.text, "field %.*s not found in type %s", AN_PRI(key->text), type);
            continue;
        }
        void *at = (uint8_t *)target + field->offset;
        if (field->want == AN_YAML_TO_NODE) {
            memcpy(at, (const void *)&value, sizeof(const an_yaml *));
        } else if (an_yaml_is_null(value)) {
            continue; /* the default stays */
        } else if (field->want == AN_YAML_TO_STRINGS) {
            AN_TRY(decode_strings(a, value, field->key, at, &f, err));
        } else {
            decode_scalar(value, field, at, &f);
        }
    }
    AN_CHECK(f.n == 0, err, AN_EINVALID, "yaml: unmarshal errors: %.*s%s",
             AN_PRI(an_buf_slice(&f.text)), f.text.failed ? "; and more" : "");
out:
    an_buf_deinit(&f.text);
    return rc;
}
