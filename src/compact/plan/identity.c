// SPDX-License-Identifier: Apache-2.0
#include "compact/plan/identity.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

enum { TEXT_MAX = 64 << 20 };
#define YEAR_MS INT64_C(31536000000)
#define ULID_MS_MAX ((INT64_C(1) << 48) - 1)

static const char *kind_name(an_identity_kind k)
{
    return k == AN_ID_COMPACT ? "compact" : k == AN_ID_DOWNSAMPLE ? "downsample" : "rewrite";
}

static int cmp_input(const void *x, const void *y)
{
    const an_identity_input *a = *(const an_identity_input *const *)x;
    const an_identity_input *b = *(const an_identity_input *const *)y;

    return an_ulid_cmp(a->block->id, b->block->id);
}

static int cmp_option(const void *x, const void *y)
{
    const an_identity_option *a = *(const an_identity_option *const *)x;
    const an_identity_option *b = *(const an_identity_option *const *)y;
    int d = an_slice_cmp(a->name, b->name);

    return d != 0 ? d : an_slice_cmp(a->value, b->value);
}

static void print_input(an_buf *out, const an_identity_input *in)
{
    const an_meta *m = in->block->meta;
    char id[AN_ULID_TEXT + 1], hash[2 * AN_SHA256_BYTES + 1] = "-";

    an_ulid_format(in->block->id, id);
    if (in->has_tombstones) an_hex(in->tombstones_sha256, AN_SHA256_BYTES, hash);
    an_buf_printf(out, "%s %" PRId64 " %" PRId64 " %" PRId64 " %s\n", id, m->mint, m->maxt,
                  in->block->index_bytes, hash);
}

void an_identity_text(an_arena *a, an_buf *out, const an_identity *id)
{
    const an_identity_input **in =
        (const an_identity_input **)an_arena_alloc(a, (id->n_inputs + 1) * sizeof *in);
    const an_identity_option **opt =
        (const an_identity_option **)an_arena_alloc(a, (id->n_options + 1) * sizeof *opt);

    for (size_t i = 0; i < id->n_inputs; i++) in[i] = &id->inputs[i];
    for (size_t i = 0; i < id->n_options; i++) opt[i] = &id->options[i];
    qsort((void *)in, id->n_inputs, sizeof *in, cmp_input);
    qsort((void *)opt, id->n_options, sizeof *opt, cmp_option);
    an_buf_printf(out, "%s\n%s\n", AN_IDENTITY_VERSION, kind_name(id->kind));
    for (size_t i = 0; i < id->n_inputs; i++) print_input(out, in[i]);
    an_buf_str(out, "labels=");
    an_labels_json(out, id->labels);
    an_buf_printf(out, "\nresolution=%" PRId64 "\nshard=%" PRIu32 "/%" PRIu32 "\n", id->resolution,
                  id->shard, id->n_shards);
    for (size_t i = 0; i < id->n_options; i++) {
        an_buf_slice_add(out, opt[i]->name);
        an_buf_str(out, "=");
        an_buf_slice_add(out, opt[i]->value);
        an_buf_str(out, "\n");
    }
    an_buf_printf(out, "generation=%" PRIu32 "\n", id->generation);
}

/* The inputs that list the sources of all: the result has their source list. Their number. */
static size_t find_full_lists(an_arena *a, const an_identity *id, const an_plan_block **out)
{
    const an_plan_block **all = an_plan_list(a, NULL, id->n_inputs);
    size_t n_all, n_own, found = 0;

    for (size_t i = 0; i < id->n_inputs; i++) all[i] = id->inputs[i].block;
    (void)an_plan_sources(a, all, id->n_inputs, &n_all);
    for (size_t i = 0; i < id->n_inputs; i++) {
        (void)an_plan_sources(a, all + i, 1, &n_own);
        if (n_own == n_all) out[found++] = all[i];
    }
    return found;
}

/* A ULID that claims to be made long after its data ended says nothing about time. */
static bool time_counts(const an_plan_block *b)
{
    int64_t latest;

    if (__builtin_add_overflow(b->meta->maxt, YEAR_MS, &latest)) latest = INT64_MAX;
    return (int64_t)an_ulid_ms(b->id) <= latest;
}

/* Smallest or largest ULID time that counts, the result's max time where none does. */
static int64_t base_time(const an_identity *id, bool smallest)
{
    int64_t t = 0, maxt = INT64_MIN;
    bool any = false;

    for (size_t i = 0; i < id->n_inputs; i++) {
        const an_plan_block *b = id->inputs[i].block;
        int64_t ms = (int64_t)an_ulid_ms(b->id);
        if (b->meta->maxt > maxt) maxt = b->meta->maxt;
        if (!time_counts(b)) continue;
        if (!any || (smallest ? ms < t : ms > t)) t = ms;
        any = true;
    }
    return any ? t : maxt;
}

static int64_t clamp(int64_t ms) { return ms < 0 ? 0 : ms > ULID_MS_MAX ? ULID_MS_MAX : ms; }

an_rc an_identity_ulid(an_arena *a, const an_identity *id, an_ulid *out, an_err *err)
{
    an_rc rc = AN_OK;
    const an_plan_block **full = an_plan_list(a, NULL, id->n_inputs);
    size_t n_full = id->kind == AN_ID_DOWNSAMPLE ? 0 : find_full_lists(a, id, full);
    /* On equal source lists upstream keeps the lower ULID: such a result must be below its input.
     */
    int64_t t = clamp(base_time(id, n_full > 0));
    uint8_t hash[AN_SHA256_BYTES];
    char own[AN_ULID_TEXT + 1], in[AN_ULID_TEXT + 1];
    an_ulid made;
    an_buf text;

    an_buf_init(&text, TEXT_MAX, NULL);
    an_identity_text(a, &text, id);
    AN_CHECK(!text.failed, err, AN_ELIMIT, "identity of a result: more than %d bytes", TEXT_MAX);
    an_sha256_of(an_buf_slice(&text), hash);
    made = an_ulid_make((uint64_t)clamp(n_full > 0 ? t - 1 : t + 1), hash);
    an_ulid_format(made, own);
    for (size_t i = 0; i < n_full; i++) {
        an_ulid_format(full[i]->id, in);
        AN_CHECK_CAUSE(an_ulid_cmp(made, full[i]->id) < 0, err, AN_EHALT, AN_CAUSE_REWRITE_LOOP,
                       "result %s is not below its input %s and could not replace it", own, in);
    }
    *out = made;
out:
    an_buf_deinit(&text);
    return rc;
}
