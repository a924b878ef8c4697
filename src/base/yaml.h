// SPDX-License-Identifier: Apache-2.0
/* base/yaml.h: reading YAML 1.1 as yaml.v2 reads it, strictly, into an immutable tree.
 *
 * One document: empty input is a null, later documents are not looked at. UTF-8 with or without
 * byte order mark, any line ends. Anchors, aliases and merge keys (<<) work and are counted against
 * the limits. Mapping keys are scalars; a key twice in a mapping is an error with both lines unless
 * the caller asks for the last one to win. Scalars are resolved on demand by the rules of YAML 1.1
 * as yaml.v2 has them: yes/no/on/off/y/n, 0777, 0b11, 0x1f, 1_000, 1e6, .inf, ~; a quoted or
 * tagged (!!str) scalar is text.
 * Source: spec/operations.md 2.1; oracle: golden/vectors/bucketconfig.
 *
 * Ownership: the tree lives in the arena. Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    AN_YAML_BYTES_MAX = 4 << 20,
    AN_YAML_DEPTH = 100,
    AN_YAML_NODES_MAX = 200000, /* after expansion of aliases */
};

typedef enum an_yaml_kind { AN_YAML_SCALAR, AN_YAML_SEQ, AN_YAML_MAP } an_yaml_kind;

typedef enum an_yaml_type { /* what a scalar resolves to */
                            AN_YAML_NULL,
                            AN_YAML_BOOL,
                            AN_YAML_INT,
                            AN_YAML_FLOAT,
                            AN_YAML_STR
} an_yaml_type;

typedef struct an_yaml {
    an_yaml_kind kind;
    an_yaml_type type; /* SCALAR */
    int line, column;  /* from 1; of an alias: where the alias stands */
    an_slice text;     /* SCALAR: value as written, quotes and folding undone; NUL follows */
    bool truth;        /* BOOL */
    int64_t i;         /* INT */
    bool is_uint;      /* INT above INT64_MAX: `u` holds it */
    uint64_t u;        /* INT */
    double f;          /* INT, FLOAT */
    size_t n;          /* SEQ: items; MAP: entries, merges applied */
    const struct an_yaml *const *items; /* SEQ; MAP: values */
    const struct an_yaml *const *keys;  /* MAP: scalars */
} an_yaml;

typedef enum an_yaml_dup { AN_YAML_DUP_ERROR, AN_YAML_DUP_LAST } an_yaml_dup;

/* AN_EINVALID: not YAML, a limit, an unknown alias, a duplicate key; the text starts with
 * "yaml: line N: ". *out is never NULL on success: empty input is a null scalar. */
AN_MUST_CHECK an_rc an_yaml_parse(an_arena *a, an_slice doc, an_yaml_dup dup, const an_yaml **out,
                                  an_err *err);

/* The value of key `name`, or NULL. */
const an_yaml *an_yaml_get(const an_yaml *map, const char *name);
bool an_yaml_is_null(const an_yaml *v);

/* ---- Structs ----
 *
 * A table says which keys a mapping may have and where each goes. Missing keys and nulls leave the
 * target as it is, so the caller fills in defaults first. A wrong type or, when strict, an unknown
 * key is AN_EINVALID: "line 3: field foo not found in type config", "line 4: cannot decode
 * \"abc\" into int (key max_conns)". All faults of one struct are told in one error. */
typedef enum an_yaml_want {
    AN_YAML_TO_BOOL,     /* bool */
    AN_YAML_TO_INT64,    /* int64_t; floats are truncated if they fit (1e6, 1.5), as yaml.v2 */
    AN_YAML_TO_FLOAT,    /* double */
    AN_YAML_TO_STRING,   /* an_slice; any scalar: numbers and bools keep their written text */
    AN_YAML_TO_STRINGS,  /* an_yaml_strings: a sequence of scalars, or one scalar alone */
    AN_YAML_TO_DURATION, /* int64_t ns, Prometheus grammar */
    AN_YAML_TO_NODE,     /* const an_yaml *: the caller decodes it */
} an_yaml_want;

typedef struct an_yaml_strings {
    size_t n;
    an_slice *v;
} an_yaml_strings;

typedef struct an_yaml_field {
    const char *key;
    an_yaml_want want;
    size_t offset; /* of the target in the struct */
} an_yaml_field;

typedef enum an_yaml_mode { AN_YAML_STRICT, AN_YAML_LENIENT } an_yaml_mode;

/* `type` is the struct's name in messages. A null node decodes to nothing (defaults stay). */
AN_MUST_CHECK an_rc an_yaml_decode(an_arena *a, const an_yaml *v, const char *type,
                                   const an_yaml_field *fields, size_t n_fields, an_yaml_mode mode,
                                   void *target, an_err *err);
