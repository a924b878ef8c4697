// SPDX-License-Identifier: Apache-2.0
#include "unit/cli/parsed.h"

#include "cli/block_table.h"
#include "cli/block_template.h"
#include "cli/timeline.h"

static an_label eu1[] = {{{(const uint8_t *)"cluster", 7}, {(const uint8_t *)"eu1", 3}},
                         {{(const uint8_t *)"replica", 7}, {(const uint8_t *)"0", 1}}};
static an_label us2[] = {{{(const uint8_t *)"cluster", 7}, {(const uint8_t *)"us,\"2", 5}}};

#define HOUR INT64_C(3600000)
#define DAY0 INT64_C(1572480000000) /* 2019-10-31 */

static an_meta block(const char *id, int64_t from_h, int64_t to_h, int64_t level)
{
    an_meta m = {.mint = DAY0 + from_h * HOUR, .maxt = DAY0 + to_h * HOUR, .version = 1};
    assert_true(an_ulid_parse(an_slice_str(id), &m.ulid));
    m.stats = (an_meta_stats){.samples = 8377876, .series = 3, .chunks = 1234};
    m.compaction.level = level;
    m.compaction.n_sources = 1;
    m.thanos.labels = (an_labels){2, eu1};
    m.thanos.source = AN_LIT("sidecar");
    return m;
}

static char *table_of(const an_meta *v, size_t n, const char *const *columns, size_t n_columns,
                      an_labels selector, an_table_form form)
{
    an_arena *a = an_arena_new(NULL);
    an_buf out;
    const an_meta *p[8];

    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    for (size_t i = 0; i < n; i++) p[i] = &v[i];
    an_buf_init(&out, 1 << 20, NULL);
    an_block_table(a, &out, p, n, selector, columns, n_columns, form);
    char *s = text_of(&out);
    an_buf_deinit(&out);
    an_arena_free(a);
    return s;
}

static void a_table_looks_as_upstream_draws_it(void **state)
{
    (void)state;
    an_meta v[] = {block("01DRFZGREG36RDZRZ1WQFW7P8Y", 2, 4, 1),
                   block("01DRFRN078DJ1RR6HJ104575S1", 0, 2, 1),
                   block("01DRGD8AVGKDAA0WHJ5GXFVGD7", 0, 8, 3)};
    v[2].thanos.resolution = AN_RES_5M;
    v[2].compaction.failed = true;
    v[2].thanos.source = AN_LIT("compactor");
    const char *const by[] = {"FROM", "UNTIL"};
    char *s = table_of(v, 3, by, 2, (an_labels){0, NULL}, AN_TABLE_DRAWN);
    /* one line per string, as wide as the recorded table is */
    assert_string_equal(
        s, "|            ULID            |         FROM         |        UNTIL         | RANGE  | "
           "UNTIL-DOWN | #SERIES | #SAMPLES  | #CHUNKS | COMP-LEVEL | COMP-FAILED |        LABELS "
           "        | RESOLUTION |  SOURCE   |\n"
           "|----------------------------|----------------------|----------------------|--------|--"
           "----------|---------|-----------|---------|------------|-------------|-----------------"
           "------|------------|-----------|\n"
           "| 01DRFRN078DJ1RR6HJ104575S1 | 2019-10-31T00:00:00Z | 2019-10-31T02:00:00Z | 2h0m0s | "
           "38h0m0s    | 3       | 8,377,876 | 1,234   | 1          | false       | "
           "cluster=eu1,replica=0 | 0s         | sidecar   |\n"
           "| 01DRGD8AVGKDAA0WHJ5GXFVGD7 | 2019-10-31T00:00:00Z | 2019-10-31T08:00:00Z | 8h0m0s | "
           "232h0m0s   | 3       | 8,377,876 | 1,234   | 3          | true        | "
           "cluster=eu1,replica=0 | 5m0s       | compactor |\n"
           "| 01DRFZGREG36RDZRZ1WQFW7P8Y | 2019-10-31T02:00:00Z | 2019-10-31T04:00:00Z | 2h0m0s | "
           "38h0m0s    | 3       | 8,377,876 | 1,234   | 1          | false       | "
           "cluster=eu1,replica=0 | 0s         | sidecar   |\n");
    free(s);
}

static void cells_sort_by_what_they_mean(void **state)
{
    (void)state;
    an_meta v[] = {block("01DRFZGREG36RDZRZ1WQFW7P8Y", 2, 4, 10),
                   block("01DRFRN078DJ1RR6HJ104575S1", 0, 100, 9),
                   block("01DRGD8AVGKDAA0WHJ5GXFVGD7", 0, 8, 9)};
    v[0].stats.samples = 1000;
    v[1].stats.samples = 20000;
    v[2].stats.samples = 3;
    v[2].thanos.resolution = AN_RES_1H; /* UNTIL-DOWN is `-` */
    static const struct {
        const char *by;
        size_t order[3];
    } cases[] = {{"#SAMPLES", {2, 0, 1}},   {"RANGE", {0, 2, 1}}, {"COMP-LEVEL", {1, 2, 0}},
                 {"ULID", {1, 0, 2}},       {"UNTIL", {0, 2, 1}}, {"RESOLUTION", {1, 0, 2}},
                 {"COMP-FAILED", {1, 0, 2}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *s = table_of(v, 3, &cases[i].by, 1, (an_labels){0, NULL}, AN_TABLE_TSV);
        char *line = s;
        for (size_t k = 0; k < 3; k++) {
            char id[AN_ULID_TEXT + 1];
            line = strchr(line, '\n') + 1;
            an_ulid_format(v[cases[i].order[k]].ulid, id);
            assert_memory_equal(line, id, AN_ULID_TEXT);
        }
        free(s);
    }
}

static void csv_quotes_what_needs_it(void **state)
{
    (void)state;
    an_meta v[] = {block("01DRFZGREG36RDZRZ1WQFW7P8Y", 2, 4, 1)};
    v[0].thanos.labels = (an_labels){1, us2};
    const char *const by[] = {"FROM"};
    char *s = table_of(v, 1, by, 1, (an_labels){0, NULL}, AN_TABLE_CSV);
    assert_string_equal(
        s, "ULID,FROM,UNTIL,RANGE,UNTIL-DOWN,#SERIES,#SAMPLES,#CHUNKS,COMP-LEVEL,COMP-FAILED,"
           "LABELS,RESOLUTION,SOURCE\n"
           "01DRFZGREG36RDZRZ1WQFW7P8Y,2019-10-31T02:00:00Z,2019-10-31T04:00:00Z,2h0m0s,38h0m0s,3,"
           "\"8,377,876\",\"1,234\",1,false,\"cluster=us,\"\"2\",0s,sidecar\n");
    free(s);
}

static void a_selector_picks_blocks_by_all_its_labels(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_labels ls;
    an_err err;
    an_meta v[] = {block("01DRFZGREG36RDZRZ1WQFW7P8Y", 2, 4, 1),
                   block("01DRFRN078DJ1RR6HJ104575S1", 0, 2, 1)};
    v[1].thanos.labels = (an_labels){1, us2};
    const char *const flags[] = {"cluster=\"us,\\\"2\""};
    assert_int_equal(an_block_selector(a, flags, 1, &ls, &err), AN_OK);
    const char *const by[] = {"FROM"};
    char *s = table_of(v, 2, by, 1, ls, AN_TABLE_TSV);
    assert_non_null(strstr(s, "01DRFRN078DJ1RR6HJ104575S1"));
    assert_null(strstr(s, "01DRFZGREG36RDZRZ1WQFW7P8Y"));
    free(s);
    static const char *const wrong[][2] = {
        {"cluster", "unrecognized label \"cluster\""},
        {"=\"x\"", "unsupported format for label =\"x\""},
        {"cluster=eu1", "unquote label value: invalid syntax"},
    };
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(an_block_selector(a, wrong[i], 1, &ls, &err), AN_EINVALID);
        assert_string_equal(err.msg, wrong[i][1]);
    }
    an_arena_free(a);
}

static void template_is(const char *text, const char *want)
{
    an_arena *a = an_arena_new(NULL);
    an_block_template *t;
    an_err err;
    an_buf out;
    an_meta m = block("01DRFZGREG36RDZRZ1WQFW7P8Y", 2, 4, 1);

    m.compaction.sources = &m.ulid;
    an_buf_init(&out, 4096, NULL);
    if (an_block_template_parse(a, an_slice_str(text), &t, &err) == AN_OK) {
        an_block_template_print(t, &m, &out);
    } else {
        an_buf_str(&out, err.msg);
    }
    char *s = text_of(&out);
    assert_string_equal(s, want);
    free(s);
    an_buf_deinit(&out);
    an_arena_free(a);
}

static void a_template_names_fields_of_meta_json(void **state)
{
    (void)state;
    template_is("", "\n");
    template_is("plain } {", "plain } {\n");
    template_is("{{.ULID}}", "01DRFZGREG36RDZRZ1WQFW7P8Y\n");
    template_is("a{{ .MinTime }}b{{.Compaction.Failed}}", "a1572487200000bfalse\n");
    template_is("{{.Thanos.Labels}}", "map[cluster:eu1 replica:0]\n");
    template_is("{{.Thanos.Labels.cluster}}/{{.Thanos.Labels.x}}", "eu1/<no value>\n");
    template_is("{{.Compaction.Sources}}", "[01DRFZGREG36RDZRZ1WQFW7P8Y]\n");
    template_is("{{.Stats.NumSamples}} {{.Thanos.Downsample.Resolution}}", "8377876 0\n");
    template_is("x{{", "invalid template: unclosed action");
    template_is("{{.Nope}}", "invalid template: {{.Nope}} is not the name of a field such as "
                             "{{.ULID}} or {{.Thanos.Labels.cluster}}");
    template_is("{{range .}}", "invalid template: {{range .}} is not the name of a field such as "
                               "{{.ULID}} or {{.Thanos.Labels.cluster}}");
}

static void a_timeline_shows_levels_marks_and_totals(void **state)
{
    (void)state;
    an_meta m[] = {block("01DRFRN078DJ1RR6HJ104575S1", 0, 8, 2),
                   block("01DRFZGREG36RDZRZ1WQFW7P8Y", 0, 2, 1),
                   block("01DRG6CGNRZ7RKJN8BEZSR75K0", 8, 10, 1),
                   block("01DRGD88X0VV4982BNG2Q0J8BZ", 10, 12, 1),
                   block("01DRGM4148R9E5AWEWQTHPJ524", 0, 16, 1)};
    m[4].thanos.labels = (an_labels){1, us2};
    an_timeline_block v[] = {{&m[0], 1536, false, false},
                             {&m[1], 1024, true, false},
                             {&m[2], 1 << 20, false, true},
                             {&m[3], 0, false, false},
                             {&m[4], UINT64_C(3) << 30, false, false}};
    an_arena *a = an_arena_new(NULL);
    an_buf out;
    an_buf_init(&out, 1 << 20, NULL);
    an_timeline_draw(a, &out, v, 5, 69); /* 32 columns: 2 an hour */
    char *s = text_of(&out);
    assert_string_equal(
        s, "0@{cluster=\"eu1\", replica=\"0\"}   4 blocks  1.0 MiB  33.5M samples, 1 marked for "
           "deletion\n"
           "  level 2   |[==============]                |   1 block   1.5 KiB\n"
           "  level 1   |[..]            [nn][==]        |   3 blocks  1.0 MiB\n"
           "             2019-10-31 00:00 2019-10-31 16:00 UTC\n"
           "0@{cluster=\"us,\\\"2\"}   1 block   3.0 GiB  8.4M samples\n"
           "  level 1   |[==============================]|   1 block   3.0 GiB\n"
           "             2019-10-31 00:00 2019-10-31 16:00 UTC\n"
           "all groups:    5 blocks  3.0 GiB  41.9M samples\n"
           "[==] live  .. marked for deletion  nn marked for no compaction  % several blocks\n");
    free(s);
    an_buf_deinit(&out);
    an_arena_free(a);
}

static void a_timeline_survives_ranges_without_sense(void **state)
{
    (void)state;
    an_meta m[] = {block("01DRFRN078DJ1RR6HJ104575S1", 0, 0, 1),
                   block("01DRFZGREG36RDZRZ1WQFW7P8Y", 5, 1, 1),
                   block("01DRG6CGNRZ7RKJN8BEZSR75K0", 0, 0, INT64_MIN)};
    m[2].mint = INT64_MIN;
    m[2].maxt = INT64_MAX;
    an_timeline_block v[] = {
        {&m[0], UINT64_MAX, false, false}, {&m[1], 0, false, false}, {&m[2], 0, false, false}};
    an_arena *a = an_arena_new(NULL);
    an_buf out;
    an_buf_init(&out, 1 << 20, NULL);
    for (size_t n = 0; n <= 3; n++) {
        an_buf_clear(&out);
        an_timeline_draw(a, &out, v, n, n * 30);
        assert_true(out.n > 0 && !out.failed);
    }
    an_buf_deinit(&out);
    an_arena_free(a);
}

static void sizes_and_counts_are_short(void **state)
{
    (void)state;
    an_buf out;
    an_buf_init(&out, 256, NULL);
    static const uint64_t v[] = {0, 999, 1000, 1023, 1024, 999949, 999950, 1048575, UINT64_MAX};
    for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
        an_human_bytes(&out, v[i]);
        an_buf_str(&out, "/");
        an_human_count(&out, v[i]);
        an_buf_str(&out, " ");
    }
    char *s = text_of(&out);
    assert_string_equal(s, "0 B/0 999 B/999 1000 B/1.0k 1023 B/1.0k 1.0 KiB/1.0k 976.5 KiB/999.9k "
                           "976.5 KiB/1.0M 1.0 MiB/1.0M 16.0 EiB/18.4E ");
    free(s);
    an_buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_looks_as_upstream_draws_it),
        cmocka_unit_test(cells_sort_by_what_they_mean),
        cmocka_unit_test(csv_quotes_what_needs_it),
        cmocka_unit_test(a_selector_picks_blocks_by_all_its_labels),
        cmocka_unit_test(a_template_names_fields_of_meta_json),
        cmocka_unit_test(a_timeline_shows_levels_marks_and_totals),
        cmocka_unit_test(a_timeline_survives_ranges_without_sense),
        cmocka_unit_test(sizes_and_counts_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
