// SPDX-License-Identifier: Apache-2.0
/* Every index of the recorded cases: those upstream wrote are read and written again, byte for
 * byte; the damaged ones are refused for the recorded reason. */
#include "support/index_walk.h"
#include "tsdb/index/health.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

typedef struct found {
    unsigned same;    /* written again to the same bytes */
    unsigned refused; /* by reader or writer */
    uint64_t entries;
} found;

static bool load(const char *path, an_buf *out)
{
    uint8_t piece[65536];
    size_t n;
    FILE *f = fopen(path, "re");

    if (f == NULL) return false;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0) an_buf_add(out, piece, n);
    assert_int_equal(ferror(f), 0);
    assert_int_equal(fclose(f), 0);
    return true;
}

/* Reads and writes one index with a budget that makes it spill, over windows of 64 to 4096 bytes.
 */
static void copy_small(an_slice bytes, const char *path)
{
    static const size_t pieces[] = {64, 100, 4096};
    an_err err;
    an_index_written out;

    for (size_t i = 0; i < 3; i++) {
        test_sink s;
        test_spill sp;
        an_sink sink = test_sink_open(&s);
        an_spill spill = test_spill_open(&sp);
        const size_t limit = strstr(path, "c05a-labels") != NULL ? 256 << 10 : 64 << 10;
        an_budget *b = an_budget_new(limit);
        const walk_opts o = {.piece = pieces[i], .mode = TEST_SOURCE_ALIGNED};
        if (index_copy(bytes, &o, b, &spill, &sink, &out, &err) != AN_OK)
            fail_msg("%s: %s", path, err.msg);
        if (s.out.n != bytes.n || memcmp(s.out.p, bytes.p, bytes.n) != 0)
            fail_msg("%s: other bytes with windows of %zu", path, pieces[i]);
        assert_int_equal(an_budget_used(b), 0);
        an_budget_free(b);
        test_spill_close(&sp);
        test_sink_close(&s);
    }
}

static void copy_one(const char *path, found *f)
{
    an_err err;
    an_buf in;
    test_sink s;
    an_index_written out;
    const walk_opts o = {0};
    an_sink sink = test_sink_open(&s);

    an_buf_init(&in, SIZE_MAX, NULL);
    if (load(path, &in)) {
        if (index_copy(an_buf_slice(&in), &o, NULL, NULL, &sink, &out, &err) == AN_OK) {
            assert_int_equal(out.size, s.out.n);
            if (s.out.n != in.n || memcmp(s.out.p, in.p, in.n) != 0)
                fail_msg("%s: other bytes", path);
            f->same++;
            f->entries += out.n_series;
            copy_small(an_buf_slice(&in), path);
        } else {
            f->refused++;
        }
    }
    an_buf_deinit(&in);
    test_sink_close(&s);
}

typedef void (*each_fn)(const char *path, const char *name, void *arg);

static void each_entry(const char *dir, each_fn fn, void *arg)
{
    struct dirent **names = NULL;
    const int n = scandir(dir, &names, NULL, alphasort);

    for (int i = 0; i < n; i++) {
        char path[4096];
        assert_true((size_t)snprintf(path, sizeof path, "%s/%s", dir, names[i]->d_name) <
                    sizeof path);
        if (names[i]->d_name[0] != '.') fn(path, names[i]->d_name, arg);
        free(names[i]);
    }
    free(names);
}

static void each_block(const char *path, const char *name, void *arg)
{
    char index[4200];

    (void)name;
    (void)snprintf(index, sizeof index, "%s/index", path);
    copy_one(index, arg);
}

static void copy_blocks_of(const char *path, const char *sub, found *f)
{
    char dir[4200];

    (void)snprintf(dir, sizeof dir, "%s/%s", path, sub);
    each_entry(dir, each_block, f);
}

static void each_case_outputs(const char *path, const char *name, void *arg)
{
    (void)name;
    copy_blocks_of(path, "out", arg);
    copy_blocks_of(path, "out-prometheus", arg);
    copy_blocks_of(path, "out-prometheus-xor2", arg);
}

static void each_case_inputs(const char *path, const char *name, void *arg)
{
    (void)name;
    copy_blocks_of(path, "in", arg);
}

static const char *golden(const char *set)
{
    static char path[4096];
    const char *dir = getenv("AN_GOLDEN");

    assert_non_null(dir);
    assert_true((size_t)snprintf(path, sizeof path, "%s/%s", dir, set) < sizeof path);
    return path;
}

static void what_upstream_wrote_is_read_and_written_again_byte_for_byte(void **state)
{
    (void)state;
    static const struct {
        const char *set;
        each_fn which;
        unsigned same, refused;
    } sets[] = {{"compact", each_case_outputs, 136, 0},
                {"compact", each_case_inputs, 712, 18}, /* the sick ones below, and dup-chunks */
                {"downsample", each_case_outputs, 90, 0},
                {"downsample", each_case_inputs, 221, 1}};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        found f = {0};
        each_entry(golden(sets[i].set), sets[i].which, &f);
        printf("%s: %u the same, %u refused, %llu series\n", sets[i].set, f.same, f.refused,
               (unsigned long long)f.entries);
        assert_int_equal(f.same, sets[i].same);
        assert_int_equal(f.refused, sets[i].refused);
    }
}

/* Which inputs must not be read, and why. Cases not named here have healthy indexes. */
static const struct {
    const char *name;
    an_cause cause;
} sick[] = {
    {"c13a-ooo-chunks", AN_CAUSE_OOO_CHUNKS},
    {"c13b-ooo-chunks-skip", AN_CAUSE_OOO_CHUNKS},
    {"c14A-outside-chunk-partly", AN_CAUSE_OUTSIDE_CHUNKS},
    {"c14B-outside-chunk-complete", AN_CAUSE_OUTSIDE_CHUNKS},
    {"c14C-issue347", AN_CAUSE_ISSUE347},
    {"c14J-no-all-postings", AN_CAUSE_INDEX_INCOMPLETE},
    {"c14K-two-groups-one-broken", AN_CAUSE_INDEX_UNREADABLE},
    {"c14a-ooo-labels", AN_CAUSE_OOO_LABELS},
    {"c14b-ooo-labels-accept", AN_CAUSE_OOO_LABELS},
    {"c14c-duplicate-series", AN_CAUSE_OOO_SERIES},
    {"c14d-unsorted-series", AN_CAUSE_OOO_SERIES},
    {"c14e-empty-label-set", AN_CAUSE_EMPTY_SERIES},
    {"c14f-no-chunks-series", AN_CAUSE_EMPTY_SERIES},
    {"c14n-index-empty", AN_CAUSE_INDEX_UNREADABLE},
    {"c14o-index-truncated", AN_CAUSE_INDEX_UNREADABLE},
    {"c14p-index-magic", AN_CAUSE_INDEX_UNREADABLE},
    {"c14q-index-version", AN_CAUSE_INDEX_UNREADABLE},
    {"c14r-index-toc-crc", AN_CAUSE_INDEX_UNREADABLE},
    {"c14s-index-symbols-crc", AN_CAUSE_INDEX_UNREADABLE},
    {"c14t-index-series-crc", AN_CAUSE_INDEX_UNREADABLE},
    {"c14u-index-postings-crc", AN_CAUSE_INDEX_UNREADABLE},
    {"c14v-index-postings-table-crc", AN_CAUSE_INDEX_UNREADABLE},
};
enum { N_SICK = sizeof sick / sizeof *sick };

typedef struct inputs {
    const char *name; /* of the case */
    unsigned healthy, sick_blocks[N_SICK];
} inputs;

/* The door's walk: symbols, table, series, health with the range of meta.json. */
static an_rc judge(an_slice bytes, int64_t mint, int64_t maxt, an_err *err)
{
    an_rc rc = AN_OK;
    an_index ix;
    an_symbol_iter *syms = NULL;
    an_series_iter *it = NULL;
    an_series_entry e;
    an_index_health h = {0};
    an_source src = an_source_mem(&bytes);
    an_slice sym;
    uint32_t ref;
    uint64_t all;

    AN_TRY(an_index_open(&src, &ix, err));
    AN_TRY(an_symbol_iter_open(&ix, &src, NULL, &syms, err));
    while ((rc = an_symbol_iter_next(syms, &sym, &ref, err)) == AN_OK) {}
    if (rc != AN_ENOTFOUND) goto out;
    AN_TRY(an_postings_table_walk(&ix, &src, NULL, NULL, NULL, &all, err));
    AN_TRY(an_series_iter_open(&ix, &src, &src, all, NULL, &it, err));
    an_index_health_init(&h, &ix, mint, maxt, NULL);
    while ((rc = an_series_iter_next(it, &e, err)) == AN_OK)
        AN_TRY(an_index_health_add(&h, &e, err));
    if (rc != AN_ENOTFOUND) goto out;
    AN_TRY(an_index_health_input(&h, 0, err));
out:
    an_index_health_deinit(&h);
    an_series_iter_close(it);
    an_symbol_iter_close(syms);
    return rc;
}

/* "minTime" and "maxTime" of a meta.json, by their text. */
static int64_t number_of(const an_buf *meta, const char *key)
{
    const char *at = strstr((const char *)meta->p, key);

    assert_non_null(at);
    return strtoll(at + strlen(key) + 3, NULL, 10); /* past `": ` */
}

static void judge_block(const char *path, const char *name, void *arg)
{
    inputs *in = arg;
    char file[4200];
    an_buf index, meta;
    an_err err;

    (void)name;
    an_buf_init(&index, SIZE_MAX, NULL);
    an_buf_init(&meta, SIZE_MAX, NULL);
    (void)snprintf(file, sizeof file, "%s/meta.json", path);
    bool whole = load(file, &meta);
    (void)snprintf(file, sizeof file, "%s/index", path);
    whole = load(file, &index) && whole;
    an_buf_u8(&meta, 0);
    if (whole && strstr((const char *)meta.p, "\"minTime\"") != NULL) {
        size_t which = 0;
        while (which < N_SICK && strcmp(in->name, sick[which].name) != 0) which++;
        const an_rc rc = judge(an_buf_slice(&index), number_of(&meta, "minTime"),
                               number_of(&meta, "maxTime"), &err);
        if (rc == AN_OK) {
            in->healthy++;
        } else if (which == N_SICK || err.cause != sick[which].cause) {
            fail_msg("%s: %s (%s)", path, err.msg, an_cause_name(err.cause));
        } else {
            in->sick_blocks[which]++;
        }
    }
    an_buf_deinit(&meta);
    an_buf_deinit(&index);
}

static void judge_case(const char *path, const char *name, void *arg)
{
    inputs *in = arg;
    char dir[4200];

    in->name = name;
    (void)snprintf(dir, sizeof dir, "%s/in", path);
    each_entry(dir, judge_block, in);
}

static void inputs_are_healthy_but_for_the_recorded_defects(void **state)
{
    (void)state;
    inputs in = {0};

    each_entry(golden("compact"), judge_case, &in);
    printf("inputs: %u healthy\n", in.healthy);
    assert_int_equal(in.healthy, 697);
    for (size_t i = 0; i < N_SICK; i++)
        if (in.sick_blocks[i] == 0) fail_msg("%s: no block was refused", sick[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_upstream_wrote_is_read_and_written_again_byte_for_byte),
        cmocka_unit_test(inputs_are_healthy_but_for_the_recorded_defects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
