// SPDX-License-Identifier: Apache-2.0
/* base/jsonw.h: writing JSON with exactly the bytes of Go's encoding/json.
 *
 * Strings: `"` and `\` escaped, \b \f \n \r \t short, other bytes below 0x20 as \u00xx, U+2028 and
 * U+2029 as \u2028 and \u2029, every byte of invalid UTF-8 as \ufffd, 0x7f raw; with HTML escapes
 * (json.Marshal's default) also < > & as \u003c \u003e \u0026.
 * Floats: shortest digits that read back the same; 'e' form below 1e-6 and from 1e21 on, with the
 * exponent's leading zero dropped (1e-7); -0 is "-0".
 *
 * The writer puts commas, colons and line ends; the caller says begin, key, value, end in order.
 * It appends to an_buf, whose `failed` tells of a document over the maximum. Threads: one. */
#pragma once
#include "base/buf.h"
#include "base/slice.h"

void an_json_quote(an_buf *out, an_slice s, bool html);
/* v must be finite (Go refuses others). */
void an_json_float64_text(an_buf *out, double v);

enum { AN_JSONW_DEPTH = 64 }; /* of documents we write; deeper is a bug and asserts */

typedef struct an_jsonw {
    an_buf *out;
    const char *indent; /* per level, "\t" or "  "; NULL: compact */
    bool html;
    bool after_key;
    unsigned depth;
    bool filled[AN_JSONW_DEPTH]; /* the level has an element already */
} an_jsonw;

/* indent: text per level, or NULL for compact; it is borrowed. */
an_jsonw an_jsonw_to(an_buf *out, const char *indent, bool html);

void an_jsonw_begin_object(an_jsonw *w); /* empty ones print as {} */
void an_jsonw_end_object(an_jsonw *w);
void an_jsonw_begin_array(an_jsonw *w); /* empty ones print as [] */
void an_jsonw_end_array(an_jsonw *w);

/* Before each value inside an object. */
void an_jsonw_key(an_jsonw *w, const char *key);
void an_jsonw_key_slice(an_jsonw *w, an_slice key);

/* One value each. */
void an_jsonw_string(an_jsonw *w, an_slice s);
void an_jsonw_cstr(an_jsonw *w, const char *s);
void an_jsonw_int(an_jsonw *w, int64_t v);
void an_jsonw_uint(an_jsonw *w, uint64_t v);
void an_jsonw_bool(an_jsonw *w, bool v);
void an_jsonw_null(an_jsonw *w);
/* A value that is compact JSON already (checked by whoever made it), laid out as the rest. */
void an_jsonw_raw(an_jsonw *w, an_slice json);
