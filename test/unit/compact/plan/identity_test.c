// SPDX-License-Identifier: Apache-2.0
/* Identity of a result: the vectors of docs/formats/identity.md, and the rules of its time part. */
#include "compact/plan/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "unit/vectors.h"

#define HOUR INT64_C(3600000)

static an_ulid ulid(const char *text)
{
    an_ulid u;

    assert_true(an_ulid_parse(an_slice_str(text), &u));
    return u;
}

static an_plan_block *block(an_arena *a, const char *id, int64_t mint, int64_t maxt)
{
    an_meta *m = an_arena_alloc(a, sizeof *m);
    an_plan_block *b = an_arena_alloc(a, sizeof *b);

    b->id = m->ulid = ulid(id);
    m->mint = mint;
    m->maxt = maxt;
    m->compaction.n_sources = 1;
    m->compaction.sources = &m->ulid;
    b->meta = m;
    b->index_bytes = 4096;
    return b;
}

static an_slice text_of(an_arena *a, const an_identity *id)
{
    an_buf out;

    an_buf_init(&out, 1 << 20, NULL);
    an_identity_text(a, &out, id);
    an_slice s = an_arena_dup(a, an_buf_slice(&out));
    an_buf_deinit(&out);
    return s;
}

static void check_ulid(an_arena *a, const an_identity *id, const char *want)
{
    an_ulid u;
    an_err err;
    char text[AN_ULID_TEXT + 1];

    if (an_identity_ulid(a, id, &u, &err) != AN_OK) fail_msg("%s", err.msg);
    an_ulid_format(u, text);
    assert_string_equal(text, want);
}

static uint64_t time_of(an_arena *a, const an_identity *id)
{
    an_ulid u;
    an_err err;

    if (an_identity_ulid(a, id, &u, &err) != AN_OK) fail_msg("%s", err.msg);
    return an_ulid_ms(u);
}

static an_label two_labels[] = {{AN_LIT("cluster"), AN_LIT("<eu1>")},
                                {AN_LIT("replica"), AN_LIT("0")}};

/* The three vectors, as the document describes them. */
static an_identity vector(an_arena *a, int no)
{
    an_identity_input *in = an_arena_alloc(a, 2 * sizeof *in);
    an_identity_option *opt = an_arena_alloc(a, 2 * sizeof *opt);
    an_identity id = {.n_shards = 1, .inputs = in, .labels = {2, two_labels}};

    switch (no) {
    case 1:
        /* in any order: the text sorts */
        in[0].block = block(a, "01KWGXGWJ82604SR6P4FGTKV99", 1782972000000, 1782979200000);
        in[1].block = block(a, "01KWG8XNV0Y51MDG5Q7V7ZPJ23", 1782950400000, 1782957600000);
        id.kind = AN_ID_COMPACT;
        id.n_inputs = 2;
        return id;
    case 2:
        in[0].block = block(a, "01DRGD85Z85KXXDJ61V6NXE3VQ", 1572480000000, 1572508800000);
        in[0].has_tombstones = true;
        an_sha256_of(AN_LIT("tombstones"), in[0].tombstones_sha256);
        id.kind = AN_ID_REWRITE;
        id.n_inputs = 1;
        return id;
    default:
        in[0].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 1782950400000, 1783123200000);
        opt[0] = (an_identity_option){AN_LIT("z"), AN_LIT("last")};
        opt[1] = (an_identity_option){AN_LIT("downsample.option"), AN_LIT("x")};
        id.kind = AN_ID_DOWNSAMPLE;
        id.n_inputs = 1;
        id.resolution = AN_RES_5M;
        id.n_options = 2;
        id.options = opt;
        id.generation = 1;
        return id;
    }
}

static an_slice read_document(an_arena *a)
{
    an_buf b;
    uint8_t part[4096];
    size_t n;
    FILE *f = fopen(AN_SOURCE_DIR "/docs/formats/identity.md", "rb");

    assert_non_null(f);
    an_buf_init(&b, 1 << 20, NULL);
    while ((n = fread(part, 1, sizeof part, f)) > 0) an_buf_add(&b, part, n);
    (void)fclose(f);
    an_buf_u8(&b, 0);
    an_slice s = an_arena_dup(a, an_buf_slice(&b));
    an_buf_deinit(&b);
    return s;
}

static void the_vectors_of_the_document_hold(void **state)
{
    (void)state;
    static const char *const want[] = {"01KWGXGWJ9H1J1TN8JRT43Z4TX", "01DRGD85Z7HX5NKR260MH8AQ51",
                                       "01KWN6SJ01ZXQ1VQ1F13ETK0SM"};
    an_arena *a = an_arena_new(NULL);
    const char *doc = (const char *)read_document(a).p;

    for (int i = 0; i < 3; i++) {
        an_identity id = vector(a, i + 1);
        an_slice text = text_of(a, &id);
        check_ulid(a, &id, want[i]);
        /* The document shows the text and the ULID. */
        if (strstr(doc, an_arena_str(a, text)) == NULL)
            fail_msg("text %d is not in the document:\n%.*s", i + 1, AN_PRI(text));
        if (strstr(doc, want[i]) == NULL) fail_msg("%s is not in the document", want[i]);
    }
    an_arena_free(a);
}

static void every_item_of_the_text_changes_the_ulid(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_ulid seen[12];
    size_t n = 0;
    an_err err;

    for (int change = 0; change < 12; change++) {
        an_identity id = vector(a, 1);
        an_identity_input *in = an_arena_alloc(a, 2 * sizeof *in);
        an_identity_option opt = {AN_LIT("n"), AN_LIT("v")};
        an_label other[] = {two_labels[0], {AN_LIT("replica"), AN_LIT("1")}};
        memcpy(in, id.inputs, 2 * sizeof *in);
        id.inputs = in;
        an_plan_block b = *in[1].block;
        an_meta m = *b.meta;
        b.meta = &m;
        in[1].block = &b;
        switch (change) {
        case 1:
            m.mint--;
            break;
        case 2:
            m.maxt++;
            break;
        case 3:
            b.index_bytes++;
            break;
        case 4:
            in[1].has_tombstones = true;
            break;
        case 5:
            id.labels.v = other;
            break;
        case 6:
            id.resolution = AN_RES_1H;
            break;
        case 7:
            id.shard = 1;
            break;
        case 8:
            id.n_shards = 2;
            break;
        case 9:
            id.n_options = 1;
            id.options = &opt;
            break;
        case 10:
            id.generation = 7;
            break;
        case 11:
            b.id.b[15] ^= 1;
            break;
        default:
            break;
        }
        assert_int_equal(an_identity_ulid(a, &id, &seen[n], &err), AN_OK);
        for (size_t k = 0; k < n; k++) assert_false(an_ulid_eq(seen[k], seen[n]));
        n++;
    }
    an_arena_free(a);
}

static void the_order_of_inputs_and_options_does_not_matter(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 1), turned = id;
    an_identity_input in[] = {id.inputs[1], id.inputs[0]};

    turned.inputs = in;
    assert_true(an_slice_eq(text_of(a, &id), text_of(a, &turned)));
    an_arena_free(a);
}

static void a_result_is_a_millisecond_after_its_newest_input(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 1);

    assert_int_equal(time_of(a, &id), an_ulid_ms(ulid("01KWGXGWJ82604SR6P4FGTKV99")) + 1);
    an_arena_free(a);
}

static void a_result_with_an_inputs_sources_is_a_millisecond_before_the_oldest(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 1);
    an_identity_input in[2] = {id.inputs[0], id.inputs[1]};
    an_ulid oldest = in[1].block->id, u;
    an_err err;

    /* A union of twins: one block lists the sources of both. */
    an_meta m = *in[0].block->meta;
    an_ulid both[] = {in[1].block->id, in[0].block->id};
    m.compaction.n_sources = 2;
    m.compaction.sources = both;
    an_plan_block b = *in[0].block;
    b.meta = &m;
    in[0].block = &b;
    id.inputs = in;
    assert_int_equal(an_identity_ulid(a, &id, &u, &err), AN_OK);
    assert_int_equal(an_ulid_ms(u), an_ulid_ms(oldest) - 1);
    assert_true(an_ulid_cmp(u, b.id) < 0);
    id.kind = AN_ID_DOWNSAMPLE; /* never for a downsampling: it has another resolution */
    assert_int_equal(time_of(a, &id), an_ulid_ms(b.id) + 1);
    an_arena_free(a);
}

static void ulid_times_long_after_the_data_do_not_count(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 1);
    an_identity_input in[2] = {id.inputs[0], id.inputs[1]};
    int64_t year = 365 * 24 * HOUR;

    id.inputs = in;
    in[0].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 0, 2 * HOUR);
    assert_int_equal(time_of(a, &id), an_ulid_ms(in[1].block->id) + 1);
    /* None is left: the result's max time serves. */
    in[1].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZY", 2 * HOUR, 4 * HOUR);
    assert_int_equal(time_of(a, &id), 4 * HOUR + 1);
    /* Exactly a year still counts, a millisecond more does not. */
    uint8_t zero[10] = {0};
    an_plan_block b = *block(a, "00000000000000000000000000", 0, 2 * HOUR);
    b.id = an_ulid_make((uint64_t)(2 * HOUR + year), zero);
    in[0].block = &b;
    assert_int_equal(time_of(a, &id), 2 * HOUR + year + 1);
    b.id = an_ulid_make((uint64_t)(2 * HOUR + year + 1), zero);
    assert_int_equal(time_of(a, &id), 4 * HOUR + 1);
    an_arena_free(a);
}

static void the_time_stays_within_48_bits(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 1);
    an_identity_input in[2] = {id.inputs[0], id.inputs[1]};

    id.inputs = in;
    in[0].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", 0, INT64_MAX);
    assert_int_equal(time_of(a, &id), (INT64_C(1) << 48) - 1);
    in[0].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ", INT64_MIN, -5);
    in[1].block = block(a, "7ZZZZZZZZZZZZZZZZZZZZZZZZY", INT64_MIN, -9);
    assert_int_equal(time_of(a, &id), 1);
    an_arena_free(a);
}

static void a_rewrite_that_could_not_replace_its_input_is_refused(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_identity id = vector(a, 2);
    an_identity_input in = {.block = block(a, "00000000000000000000000000", 0, 8 * HOUR)};
    an_ulid u;
    an_err err;

    id.inputs = &in;
    assert_int_equal(an_identity_ulid(a, &id, &u, &err), AN_EHALT);
    assert_int_equal(err.cause, AN_CAUSE_REWRITE_LOOP);
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_of_the_document_hold),
        cmocka_unit_test(every_item_of_the_text_changes_the_ulid),
        cmocka_unit_test(the_order_of_inputs_and_options_does_not_matter),
        cmocka_unit_test(a_result_is_a_millisecond_after_its_newest_input),
        cmocka_unit_test(a_result_with_an_inputs_sources_is_a_millisecond_before_the_oldest),
        cmocka_unit_test(ulid_times_long_after_the_data_do_not_count),
        cmocka_unit_test(the_time_stays_within_48_bits),
        cmocka_unit_test(a_rewrite_that_could_not_replace_its_input_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
