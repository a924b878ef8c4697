// SPDX-License-Identifier: Apache-2.0
#include "tsdb/meta/rewrites.h"

#include "base/jsonw.h"
#include "base/ulid.h"

typedef an_rc (*print_fn)(an_jsonw *w, const an_json *v, an_err *err);

static an_rc want(const an_json *v, an_json_type type, const char *field, an_err *err)
{
    if (v == NULL || v->type == type) return AN_OK; /* NULL stands for the zero value */
    return AN_FAIL(err, AN_ECORRUPT, "rewrites: %s is a %s, not %s", field, an_json_type_name(v),
                   an_json_type_name(&(an_json){.type = type}));
}

/* Every item through fn; a null item is the zero value, which fn sees as NULL. */
static an_rc print_array(an_jsonw *w, const char *field, const an_json *v, print_fn fn, an_err *err)
{
    an_rc rc = AN_OK;

    an_jsonw_begin_array(w);
    for (size_t i = 0; i < v->n; i++) {
        const an_json *item = &v->items[i];
        AN_TRY(fn(w, item->type == AN_JSON_NULL ? NULL : item, err));
    }
    an_jsonw_end_array(w);
out:
    if (rc != AN_OK) an_err_wrap(err, "%s", field);
    return rc;
}

/* A list that is left out when it is empty. */
static an_rc print_list(an_jsonw *w, const an_json *obj, const char *field, print_fn fn,
                        an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *v = obj == NULL ? NULL : an_json_field(obj, field);

    if (v == NULL || v->type == AN_JSON_NULL) goto out;
    AN_TRY(want(v, AN_JSON_ARRAY, field, err));
    if (v->n == 0) goto out;
    an_jsonw_key(w, field);
    AN_TRY(print_array(w, field, v, fn, err));
out:
    return rc;
}

static an_rc print_text(an_jsonw *w, const an_json *obj, const char *field, bool keep_empty,
                        an_err *err)
{
    an_rc rc = AN_OK;
    an_slice text = {NULL, 0};

    if (obj != NULL) AN_TRY(an_json_get_string(obj, field, &text, err));
    if (text.n == 0 && !keep_empty) goto out;
    an_jsonw_key(w, field);
    an_jsonw_string(w, text);
out:
    return rc;
}

static an_rc print_int(an_jsonw *w, const an_json *obj, const char *field, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t v = 0;

    if (obj != NULL) AN_TRY(an_json_get_int64(obj, field, &v, err));
    an_jsonw_key(w, field);
    an_jsonw_int(w, v);
out:
    return rc;
}

static an_rc print_ulid(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;
    an_ulid u = {{0}};
    char text[AN_ULID_TEXT + 1];

    AN_TRY(want(v, AN_JSON_STRING, "a source", err));
    AN_CHECK(v == NULL || an_ulid_parse_lenient(v->text, &u), err, AN_ECORRUPT,
             "rewrites: a source is no ULID");
    an_ulid_format(u, text);
    an_jsonw_cstr(w, text);
out:
    return rc;
}

static an_rc print_name(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = want(v, AN_JSON_STRING, "a label name", err);

    if (rc == AN_OK) an_jsonw_string(w, v == NULL ? AN_LIT("") : v->text);
    return rc;
}

static an_rc print_matcher(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;

    if (v == NULL) { /* a pointer upstream */
        an_jsonw_null(w);
        goto out;
    }
    AN_TRY(want(v, AN_JSON_OBJECT, "a matcher", err));
    an_jsonw_begin_object(w);
    AN_TRY(print_int(w, v, "Type", err));
    AN_TRY(print_text(w, v, "Name", true, err));
    AN_TRY(print_text(w, v, "Value", true, err));
    an_jsonw_end_object(w);
out:
    return rc;
}

static an_rc print_interval(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(want(v, AN_JSON_OBJECT, "an interval", err));
    an_jsonw_begin_object(w);
    AN_TRY(print_int(w, v, "Mint", err));
    AN_TRY(print_int(w, v, "Maxt", err));
    an_jsonw_end_object(w);
out:
    return rc;
}

static an_rc print_deletion(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *matchers = NULL;

    AN_TRY(want(v, AN_JSON_OBJECT, "a deletion", err));
    if (v != NULL) matchers = an_json_field(v, "matchers");
    an_jsonw_begin_object(w);
    an_jsonw_key(w, "matchers"); /* always there, null without any */
    if (matchers == NULL || matchers->type == AN_JSON_NULL) {
        an_jsonw_null(w);
    } else {
        AN_TRY(want(matchers, AN_JSON_ARRAY, "matchers", err));
        AN_TRY(print_array(w, "matchers", matchers, print_matcher, err));
    }
    AN_TRY(print_list(w, v, "intervals", print_interval, err));
    AN_TRY(print_text(w, v, "request_id", false, err));
    an_jsonw_end_object(w);
out:
    return rc;
}

static an_rc print_relabel(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;
    uint64_t modulus = 0;

    if (v == NULL) { /* a pointer upstream */
        an_jsonw_null(w);
        goto out;
    }
    AN_TRY(want(v, AN_JSON_OBJECT, "a relabel rule", err));
    AN_TRY(an_json_get_uint64(v, "modulus", &modulus, err));
    an_jsonw_begin_object(w);
    AN_TRY(print_list(w, v, "source_labels", print_name, err));
    AN_TRY(print_text(w, v, "separator", false, err));
    AN_TRY(print_text(w, v, "regex", true, err));
    if (modulus != 0) {
        an_jsonw_key(w, "modulus");
        an_jsonw_uint(w, modulus);
    }
    AN_TRY(print_text(w, v, "target_label", false, err));
    AN_TRY(print_text(w, v, "replacement", false, err));
    AN_TRY(print_text(w, v, "action", false, err));
    an_jsonw_end_object(w);
out:
    return rc;
}

static an_rc print_rewrite(an_jsonw *w, const an_json *v, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(want(v, AN_JSON_OBJECT, "a rewrite", err));
    an_jsonw_begin_object(w);
    AN_TRY(print_list(w, v, "sources", print_ulid, err));
    AN_TRY(print_list(w, v, "deletions_applied", print_deletion, err));
    AN_TRY(print_list(w, v, "relabels_applied", print_relabel, err));
    an_jsonw_end_object(w);
out:
    return rc;
}

an_rc an_rewrites_print(an_buf *out, const an_json *v, an_err *err)
{
    an_jsonw w = an_jsonw_to(out, NULL, true);
    an_rc rc = want(v, AN_JSON_ARRAY, "the list", err);

    return rc != AN_OK ? rc : print_array(&w, "thanos", v, print_rewrite, err);
}
