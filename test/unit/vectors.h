// SPDX-License-Identifier: Apache-2.0
/* unit/vectors.h: upstream's recorded results as a tree. A test that includes this needs
 * GOLDEN vectors and, before it, cmocka. A missing file or key fails the test. */
#pragma once
#include "base/json.h"

#include <stdio.h>
#include <stdlib.h>

static inline const an_json *vectors_load(an_arena *a, const char *name)
{
    char path[4096];
    const char *dir = getenv("AN_GOLDEN");
    an_err err = {0};
    an_buf doc;
    const an_json *root = NULL;
    uint8_t part[65536];
    size_t n;

    (void)snprintf(path, sizeof path, "%s/vectors/%s", dir != NULL ? dir : ".", name);
    FILE *f = fopen(path, "rb");
    if (f == NULL) fail_msg("cannot open %s", path);
    an_buf_init(&doc, 64 << 20, NULL);
    while ((n = fread(part, 1, sizeof part, f)) > 0) an_buf_add(&doc, part, n);
    (void)fclose(f);
    if (an_json_parse(a, an_buf_slice(&doc), 64 << 20, &root, &err) != AN_OK) {
        fail_msg("%s: %s", path, err.msg);
    }
    an_buf_deinit(&doc);
    return root;
}

/* The value of a key, which must be there. */
static inline const an_json *vectors_get(const an_json *obj, const char *key)
{
    const an_json *v = an_json_key(obj, an_slice_str(key));
    if (v == NULL) fail_msg("no key %s in the vectors", key);
    return v;
}

/* NULL when the key is not there. */
static inline const an_json *vectors_opt(const an_json *obj, const char *key)
{
    return an_json_key(obj, an_slice_str(key));
}

static inline an_slice vectors_str(const an_json *obj, const char *key)
{
    const an_json *v = vectors_get(obj, key);
    if (v->type != AN_JSON_STRING) fail_msg("%s is no string in the vectors", key);
    return v->text;
}

static inline int64_t vectors_int(const an_json *obj, const char *key)
{
    int64_t i = 0;
    if (!an_json_int64(vectors_get(obj, key), &i)) fail_msg("%s is no integer in the vectors", key);
    return i;
}

static inline bool vectors_bool(const an_json *obj, const char *key) /* absent: false */
{
    const an_json *v = vectors_opt(obj, key);
    return v != NULL && v->type == AN_JSON_BOOL && v->truth;
}

/* The bytes that a string of hexadecimal digits names. */
static inline an_slice vectors_hex(an_arena *a, an_slice hex)
{
    uint8_t *p = an_arena_alloc(a, hex.n / 2 + 1);
    for (size_t i = 0; i + 1 < hex.n; i += 2) {
        char t[3] = {(char)hex.p[i], (char)hex.p[i + 1], 0};
        p[i / 2] = (uint8_t)strtoul(t, NULL, 16);
    }
    return an_slice_of(p, hex.n / 2);
}
