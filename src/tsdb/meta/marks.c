// SPDX-License-Identifier: Apache-2.0
#include "tsdb/meta/marks.h"

#include <inttypes.h>

#include "base/json.h"
#include "base/jsonw.h"

enum { MARK_MAX = 1 << 20 };

const char *const an_mark_file[AN_MARK__COUNT] = {
    [AN_MARK_DELETION] = "deletion-mark.json",
    [AN_MARK_NO_COMPACT] = "no-compact-mark.json",
    [AN_MARK_NO_DOWNSAMPLE] = "no-downsample-mark.json",
};

static const char *const time_keys[AN_MARK__COUNT] = {
    [AN_MARK_DELETION] = "deletion_time",
    [AN_MARK_NO_COMPACT] = "no_compact_time",
    [AN_MARK_NO_DOWNSAMPLE] = "no_downsample_time",
};

static an_rc get_id(const an_json *doc, an_mark *m, an_err *err)
{
    const an_json *v;
    an_ulid zero = {{0}};

    for (size_t pos = 0; (v = an_json_next(doc, "id", &pos)) != NULL;) {
        if (v->type == AN_JSON_NULL) continue;
        if (v->type != AN_JSON_STRING || !an_ulid_parse_lenient(v->text, &m->id))
            return AN_FAIL(err, AN_ECORRUPT, "id is no ULID");
    }
    m->has_id = !an_ulid_eq(m->id, zero);
    return AN_OK;
}

static an_rc read_fields(const an_json *doc, an_mark *m, an_err *err)
{
    an_rc rc = AN_OK;

    AN_CHECK(doc->type == AN_JSON_OBJECT, err, AN_ECORRUPT, "a %s, not an object",
             an_json_type_name(doc));
    AN_TRY(get_id(doc, m, err));
    AN_TRY(an_json_get_int64(doc, "version", &m->version, err));
    AN_TRY(an_json_get_string(doc, "details", &m->details, err));
    AN_TRY(an_json_get_int64(doc, time_keys[m->kind], &m->time_s, err));
    if (m->kind != AN_MARK_DELETION) AN_TRY(an_json_get_string(doc, "reason", &m->reason, err));
    AN_CHECK(m->version != 0, err, AN_ECORRUPT, "no version");
    AN_CHECK(m->version == 1, err, AN_EUNSUPPORTED, "version %" PRId64 ", expected 1", m->version);
out:
    return rc;
}

an_rc an_mark_parse(an_arena *a, an_mark_kind kind, an_slice doc, an_mark *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_json *root = NULL;
    an_mark m = {.kind = kind};

    AN_TRY(an_json_parse(a, doc, MARK_MAX, &root, err));
    AN_TRY(read_fields(root, &m, err));
    *out = m;
out:
    if (rc != AN_OK) {
        an_err_wrap(err, "%s", an_mark_file[kind]);
        an_err_cause(err, AN_CAUSE_MARK_CORRUPT);
    }
    return rc;
}

void an_mark_write(an_buf *out, const an_mark *m)
{
    an_jsonw w = an_jsonw_to(out, NULL, true);
    char id[AN_ULID_TEXT + 1];

    an_ulid_format(m->id, id);
    an_jsonw_begin_object(&w);
    an_jsonw_key(&w, "id");
    an_jsonw_cstr(&w, id);
    an_jsonw_key(&w, "version");
    an_jsonw_int(&w, m->version);
    if (m->details.n > 0) {
        an_jsonw_key(&w, "details");
        an_jsonw_string(&w, m->details);
    }
    an_jsonw_key(&w, time_keys[m->kind]);
    an_jsonw_int(&w, m->time_s);
    if (m->kind != AN_MARK_DELETION) {
        an_jsonw_key(&w, "reason");
        an_jsonw_string(&w, m->reason);
    }
    an_jsonw_end_object(&w);
}

int64_t an_mark_ms(const an_mark *m, int64_t object_mtime_ms)
{
    int64_t ms;

    if (m->time_s == 0) return object_mtime_ms < 0 ? INT64_MAX : object_mtime_ms;
    if (__builtin_mul_overflow(m->time_s, 1000, &ms)) return m->time_s < 0 ? INT64_MIN : INT64_MAX;
    return ms;
}
