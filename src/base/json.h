// SPDX-License-Identifier: Apache-2.0
/* base/json.h: reading JSON as Go's encoding/json reads it, into an immutable tree.
 *
 * What Go keeps and most libraries lose is kept here: members in document order with their
 * duplicates, the text of every number (so that an integer field can refuse `1.0`, and 1e400 is an
 * error only where it is used), keys that match a field without regard to case, and strings in
 * which every invalid UTF-8 byte and every lone surrogate became U+FFFD.
 *
 * Refused: anything after the one value but white space, a byte order mark, nesting deeper than
 * AN_JSON_DEPTH, documents longer than the caller's maximum. Source: spec/tsdb-block.md 1.3.
 *
 * Ownership: the tree lives in the arena and points nowhere else; the document may go.
 * Threads: immutable after parsing. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    AN_JSON_DEPTH = 2000,         /* Go: 10000; jansson's own end is 2048 */
    AN_JSON_VALUES_MAX = 1 << 20, /* numbers, strings, arrays and objects, keys included */
};

typedef enum an_json_type {
    AN_JSON_NULL,
    AN_JSON_BOOL,
    AN_JSON_NUMBER,
    AN_JSON_STRING,
    AN_JSON_ARRAY,
    AN_JSON_OBJECT
} an_json_type;

typedef struct an_json {
    an_json_type type;
    bool truth;    /* BOOL */
    an_slice text; /* STRING: valid UTF-8, may hold NUL; NUMBER: as written, NUL follows */
    size_t n;      /* ARRAY: items; OBJECT: members, duplicates included, in document order */
    const struct an_json *items; /* ARRAY: elements; OBJECT: values */
    const an_slice *keys;        /* OBJECT */
} an_json;

/* AN_ECORRUPT: not one JSON document, nested too deep or of too many values (the text says line and
 * what was met). AN_ELIMIT: longer than max_bytes, or there is no memory. *out is NULL on failure.
 * While it parses it needs about four times the document and 100 to 350 bytes a value besides; they
 * come from the arena's budget, too, and are given back. */
AN_MUST_CHECK an_rc an_json_parse(an_arena *a, an_slice doc, size_t max_bytes, const an_json **out,
                                  an_err *err);

/* "null", "bool", "number", "string", "array", "object": Go's words. */
const char *an_json_type_name(const an_json *v);

/* ---- Members as fields of a struct ----
 *
 * Go assigns every member whose key is the field's name, byte for byte or else without regard to
 * case, in document order: the last one wins, `null` changes nothing (but empties slices, maps and
 * pointers), objects merge into what was there, and a wrong type anywhere is an error. A caller who
 * merges walks the occurrences; the getters below do it for plain values. */

/* True if Go would store a member `key` into a field `name` (ASCII): ASCII case, and U+017F for s,
 * U+212A for k. */
bool an_json_key_is(an_slice key, const char *name);
/* The next member from *pos on that belongs to field `name`, or NULL; *pos moves behind it. */
const an_json *an_json_next(const an_json *obj, const char *name, size_t *pos);
/* The last member that belongs to `name` (it may be a null), or NULL if there is none. */
const an_json *an_json_field(const an_json *obj, const char *name);
/* The last member whose key is exactly `key`, as in a Go map, or NULL. */
const an_json *an_json_key(const an_json *obj, an_slice key);

/* Each leaves *out as it is when the field is absent or null, and fails with AN_ECORRUPT and a text
 * that names the field and what was found when any occurrence has another type or does not fit. */
AN_MUST_CHECK an_rc an_json_get_int64(const an_json *obj, const char *name, int64_t *out,
                                      an_err *err);
AN_MUST_CHECK an_rc an_json_get_uint64(const an_json *obj, const char *name, uint64_t *out,
                                       an_err *err);
AN_MUST_CHECK an_rc an_json_get_bool(const an_json *obj, const char *name, bool *out, an_err *err);
AN_MUST_CHECK an_rc an_json_get_string(const an_json *obj, const char *name, an_slice *out,
                                       an_err *err);

/* ---- Numbers ---- */

/* False unless v is a number written as an integer (no '.', no exponent) that fits. "-0" is 0. */
bool an_json_int64(const an_json *v, int64_t *out);
bool an_json_uint64(const an_json *v, uint64_t *out);
/* Any number, rounded to nearest; false unless v is a number inside float64's range. */
bool an_json_float64(const an_json *v, double *out);

/* Appends v as Go prints it after reading it into an `any`: compact, keys sorted with the last
 * duplicate kept, numbers through float64, strings with or without HTML escapes. False, nothing
 * appended: a number is outside float64's range (*bad, when not NULL, points at it). */
bool an_json_print_any(an_buf *out, const an_json *v, bool html, const an_json **bad);
