// SPDX-License-Identifier: Apache-2.0
/* base/yaml.h: reading YAML 1.1 as yaml.v2 reads it, strictly, into an immutable tree.
 *
 * One document: empty input is a null, later documents are not looked at. UTF-8 with or without
 * byte order mark, any line ends; %YAML other than 1.1 is refused. Anchors and aliases work and are
 * counted against the limits. A merge key (<<) puts the entries of its mapping, or of a list of
 * mappings from the last to the first, in its own place. Mapping keys are scalars; a key twice in a
 * mapping, merged ones included, is an error with both lines unless the caller asks for the last to
 * win.
 *
 * Plain scalars are resolved by the rules of YAML 1.1 as yaml.v2 has them: yes/no/on/off/y/n, 0777,
 * 0o17, 0b11, 0x1f, 1_000, 1e6, .inf, ~; quoted ones are text. Of the tags, !!null, !!bool, !!int
 * and !!float must agree with what is written, !!binary is decoded, all others mean text. Dates are
 * text.
 * Source: spec/operations.md 2.1; oracle: golden/vectors/bucketconfig.
 *
 * Ownership: the tree lives in the arena. Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    AN_YAML_BYTES_MAX = 4 << 20,
    AN_YAML_DEPTH = 100,        /* of nesting, after expansion of aliases */
    AN_YAML_NODES_MAX = 200000, /* the same */
    AN_YAML_ANCHORS_MAX = 1000,
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

/* AN_EINVALID: not YAML, an unknown alias, a duplicate key; AN_ELIMIT: too large in some way. The
 * text starts with "yaml: line N: " where there is a line. *out is never NULL on success: empty
 * input is a null scalar. */
AN_MUST_CHECK an_rc an_yaml_parse(an_arena *a, an_slice doc, an_yaml_dup dup, const an_yaml **out,
                                  an_err *err);

/* The value of key `name`, or NULL; also NULL when `map` is no mapping. */
const an_yaml *an_yaml_get(const an_yaml *map, const char *name);
bool an_yaml_is_null(const an_yaml *v);

/* What upstream makes of a tree by decoding it without types, writing it and reading it again, as
 * it does with the `config` section of a bucket configuration: scalars that are no text get their
 * normal text (0x10 and 020 become 16, 1.50 becomes 1.5, yes becomes true), keys too. Lines stay
 * those of the document. */
AN_MUST_CHECK an_rc an_yaml_normalize(an_arena *a, const an_yaml *v, const an_yaml **out,
                                      an_err *err);

/* ---- Structs ----
 *
 * A table says which keys a mapping may have and where each goes. Missing keys and nulls leave the
 * target as it is, so the caller fills in defaults first. A wrong type or, when strict, an unknown
 * key is AN_EINVALID: "yaml: unmarshal errors: line 3: field foo not found in type config; line 4:
 * cannot unmarshal !!str `abc` into int (field max_conns)". All faults of one struct are told in
 * one error, up to its length. */
typedef enum an_yaml_want {
    AN_YAML_TO_BOOL,     /* bool */
    AN_YAML_TO_INT64,    /* int64_t; floats are truncated if they fit (1e6, 1.5), as yaml.v2 */
    AN_YAML_TO_FLOAT,    /* double */
    AN_YAML_TO_STRING,   /* an_slice; any scalar: numbers and bools keep their written text */
    AN_YAML_TO_STRINGS,  /* an_yaml_strings: a sequence of scalars; a null is "" */
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
