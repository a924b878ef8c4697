// SPDX-License-Identifier: Apache-2.0
#include "cli/flag.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytesize.h"
#include "base/strconv.h"

bool an_flag_repeats(const an_flag_def *d)
{
    return d->type == AN_FLAG_STRINGS || d->type == AN_FLAG_ENUMS || d->type == AN_FLAG_INTS ||
           d->type == AN_FLAG_DURATIONS;
}

/* Is `text` an item of the comma list? A list that ends in a comma holds "" as well. */
static bool is_choice(const char *choices, const char *text)
{
    size_t n = strlen(text);

    for (const char *p = choices;; p++) {
        const char *end = strchrnul(p, ',');
        if ((size_t)(end - p) == n && memcmp(p, text, n) == 0) return true;
        if (*end == 0) return false;
        p = end;
    }
}

static an_rc check_value(an_flag *f, const char *text, an_err *err)
{
    an_rc rc = AN_OK;
    const an_flag_def *d = f->def;

    switch (d->type) {
    case AN_FLAG_BOOL:
        f->on = strcmp(text, "true") == 0;
        break;
    case AN_FLAG_STRING:
    case AN_FLAG_STRINGS:
        break;
    case AN_FLAG_ENUM:
    case AN_FLAG_ENUMS:
        AN_CHECK(is_choice(d->choices, text), err, AN_EINVALID,
                 "enum value must be one of %s, got '%s'", d->choices, text);
        break;
    case AN_FLAG_INT:
    case AN_FLAG_INTS:
        AN_TRY(an_int_flag_parse(an_slice_str(text), &f->number, err));
        break;
    case AN_FLAG_FLOAT:
        AN_TRY(an_float_parse(an_slice_str(text), &f->real, err));
        break;
    case AN_FLAG_DURATION:
    case AN_FLAG_DURATIONS:
        AN_TRY(an_duration_parse(an_slice_str(text), &f->number, err));
        break;
    case AN_FLAG_PROM_DURATION:
        AN_TRY(an_duration_parse_prom(an_slice_str(text), &f->number, err));
        break;
    case AN_FLAG_BYTES:
        AN_TRY(an_bytesize_parse(an_slice_str(text), &f->number, err));
        break;
    case AN_FLAG_TIME:
        if (*text == 0) break; /* upstream panics; the command refuses it by name */
        AN_TRY(an_time_or_dur_parse(an_slice_str(text), &f->when, err));
        break;
    }
out:
    return rc;
}

an_rc an_flag_set(an_arena *a, an_flag *f, const char *text, an_err *err)
{
    an_rc rc = check_value(f, text, err);

    if (rc != AN_OK) return rc;
    if (f->n == 0 || !an_flag_repeats(f->def)) {
        f->texts = (const char **)an_arena_alloc(a, sizeof *f->texts);
        f->n = 0;
    } else { /* command lines are short: a copy per value is fine */
        const char **more = (const char **)an_arena_alloc(a, (f->n + 1) * sizeof *more);
        memcpy((void *)more, (const void *)f->texts, f->n * sizeof *more);
        f->texts = more;
    }
    f->texts[f->n++] = text;
    return AN_OK;
}

void an_flag_set_default(an_arena *a, an_flag *f)
{
    an_err err;

    if (f->def->def == NULL) return;
    if (!an_flag_repeats(f->def)) {
        an_assert(an_flag_set(a, f, f->def->def, &err) == AN_OK);
        return;
    }
    for (const char *p = f->def->def;; p++) {
        const char *end = strchrnul(p, ',');
        const char *item = an_arena_str(a, an_slice_of(p, (size_t)(end - p)));
        an_assert(an_flag_set(a, f, item, &err) == AN_OK);
        if (*end == 0) return;
        p = end;
    }
}

void an_flag_placeholder(an_buf *out, const an_flag_def *d)
{
    if (d->placeholder != NULL) {
        an_buf_str(out, d->placeholder);
    } else if (d->def == NULL) {
        for (const char *p = d->name; *p != 0; p++) {
            an_buf_u8(out, (uint8_t)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p));
        }
    } else if (d->type == AN_FLAG_STRING) {
        an_quote(out, an_slice_str(d->def));
    } else if (an_flag_repeats(d)) {
        size_t n = strcspn(d->def, ",");
        an_buf_add(out, d->def, n);
        if (d->def[n] != 0) an_buf_str(out, "...");
    } else {
        an_buf_str(out, d->def);
    }
}

const an_flag *an_flag_get(const an_flags *fs, const char *name)
{
    const an_flag *found = NULL;

    for (size_t i = 0; i < fs->n && found == NULL; i++) {
        if (strcmp(fs->v[i].def->name, name) == 0) found = &fs->v[i];
    }
    an_assert(found != NULL);
    return found;
}

bool an_flag_on(const an_flags *fs, const char *name)
{
    const an_flag *f = an_flag_get(fs, name);
    an_assert(f->def->type == AN_FLAG_BOOL);
    return f->on;
}

const char *an_flag_text(const an_flags *fs, const char *name)
{
    const an_flag *f = an_flag_get(fs, name);
    return f->n == 0 ? "" : f->texts[f->n - 1];
}

int64_t an_flag_number(const an_flags *fs, const char *name)
{
    return an_flag_get(fs, name)->number;
}
