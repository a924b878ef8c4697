// SPDX-License-Identifier: Apache-2.0
/* The chain of filters against upstream's whole metadata fetch: golden/vectors/filters.json. */
#include "bucket/filters.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/vectors.h"

#include "unit/pass.h"

static char text_of[AN_ULID_TEXT + 1];
static const char *say(an_ulid id)
{
    an_ulid_format(id, text_of);
    return text_of;
}

static void check_ids(const pass *p, size_t no, const char *key, const pass_ids *got)
{
    pass_ids want = pass_want(p, key);

    for (size_t i = 0; i < got->n; i++) {
        if (!pass_has(&want, got->v[i])) fail_msg("case %zu %s: %s extra", no, key, say(got->v[i]));
    }
    for (size_t i = 0; i < want.n; i++) {
        if (!pass_has(got, want.v[i])) fail_msg("case %zu %s: %s missing", no, key, say(want.v[i]));
    }
    assert_int_equal(got->n, want.n);
}

/* Deviation (a block without sources is never redundant: upstream takes the empty set for a subset
 * of any other and deletes the block): such blocks among the recorded duplicates. */
static pass_ids kept_without_sources(const pass *p)
{
    pass_ids want = pass_want(p, "duplicates"), kept = {0};

    for (size_t i = 0; i < p->n_filtered; i++) {
        if (p->filtered[i].meta->compaction.n_sources == 0 && pass_has(&want, p->filtered[i].id))
            pass_add(&kept, p->filtered[i].id);
    }
    return kept;
}

static uint64_t recorded_state(const pass *p, const char *name)
{
    return (uint64_t)pass_int(vectors_get(p->want, "states"), name);
}

static void check_states(const pass *p, size_t no, const pass_ids *kept, const pass_ids *marked)
{
    uint64_t no_meta = 0, corrupted = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].no_meta)
            no_meta++;
        else if (p->v[i].meta_rc == AN_ECORRUPT)
            corrupted++;
    }
    for (int s = 0; s < AN_SYNCED__COUNT; s++) {
        const char *name = an_filter_state_name((an_filter_state)s);
        uint64_t got = p->counts.synced[s], want = recorded_state(p, name);
        if (s == AN_SYNCED_NO_META) got = no_meta;
        if (s == AN_SYNCED_CORRUPTED_META) got = corrupted;
        if (s == AN_SYNCED_LOADED) want += kept->n;
        if (s == AN_SYNCED_DUPLICATE) want -= kept->n;
        if (s == AN_SYNCED_MARKED_FOR_NO_COMPACT) want += marked[0].n;
        if (s == AN_SYNCED_MARKED_FOR_NO_DOWNSAMPLE) want += marked[1].n;
        if (got != want)
            fail_msg("case %zu %s: %llu, want %llu", no, name, (unsigned long long)got,
                     (unsigned long long)want);
    }
    if (p->counts.replica_labels_removed != (uint64_t)pass_int(p->want, "modified"))
        fail_msg("case %zu: modified", no);
}

static void check_labels(const pass *p, size_t no)
{
    const an_json *after = vectors_opt(p->want, "labels_after");

    for (size_t i = 0; after != NULL && i < after->n; i++) {
        const an_json *want = &after->items[i];
        an_ulid id;
        assert_true(an_ulid_parse(after->keys[i], &id));
        for (size_t k = 0; k < p->n_filtered; k++) {
            const an_labels *ls = &p->filtered[k].meta->thanos.labels;
            if (!an_ulid_eq(p->filtered[k].id, id)) continue;
            if (ls->n != want->n) fail_msg("case %zu: %zu labels", no, ls->n);
            for (size_t l = 0; l < ls->n; l++) {
                const an_json *v = an_json_key(want, ls->v[l].name);
                assert_true(v != NULL && an_slice_eq(v->text, ls->v[l].value));
            }
        }
    }
}

static void check_partial(const pass *p)
{
    const an_json *want = vectors_get(p->want, "partial");
    size_t n = 0;

    for (size_t i = 0; i < p->n; i++) {
        if (pass_has_meta(&p->v[i])) continue;
        assert_non_null(an_json_key(want, vectors_str(p->v[i].json, "id")));
        n++;
    }
    assert_int_equal(n, want->n);
}

/* Returns how many blocks without sources were kept. */
static size_t check_case(const pass *p, size_t no)
{
    pass_ids loaded = {0}, dup = {0}, del = {0}, nc = {0}, nd = {0}, more[2] = {{0}};
    pass_ids kept = kept_without_sources(p);
    pass_ids want_loaded = pass_want(p, "loaded");

    for (size_t i = 0; i < p->n_filtered; i++) {
        const an_filter_block *f = &p->filtered[i];
        bool extra = pass_has(&kept, f->id);
        if (f->state == AN_SYNCED_LOADED && !extra) pass_add(&loaded, f->id);
        if (f->state == AN_SYNCED_DUPLICATE) {
            pass_add(&dup, f->id);
            assert_non_null(f->by);
        }
        if (extra) {
            assert_int_equal(f->state, AN_SYNCED_LOADED);
            assert_false(pass_has(&want_loaded, f->id));
            pass_add(&dup, f->id); /* as recorded */
        }
        if (f->reached_marks && f->marks[AN_MARK_DELETION] != NULL) pass_add(&del, f->id);
        if (f->state != AN_SYNCED_LOADED) continue;
        if (f->marks[AN_MARK_NO_COMPACT] != NULL) pass_add(extra ? &more[0] : &nc, f->id);
        if (f->marks[AN_MARK_NO_DOWNSAMPLE] != NULL) pass_add(extra ? &more[1] : &nd, f->id);
    }
    check_ids(p, no, "loaded", &loaded);
    check_ids(p, no, "duplicates", &dup);
    check_ids(p, no, "deletion_marks", &del);
    check_ids(p, no, "no_compact", &nc);
    if (!p->opts.downsampling_disabled) check_ids(p, no, "no_downsample", &nd);
    if (p->opts.downsampling_disabled) more[1].n = 0;
    check_states(p, no, &kept, more);
    check_labels(p, no);
    check_partial(p);
    return kept.n;
}

static bool has_version_that_is_not_1(const pass *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].meta_rc == AN_EUNSUPPORTED) return true;
        for (int k = 0; k < AN_MARK__COUNT; k++) {
            if (!p->v[i].mark_there[k] || p->v[i].mark_rc[k] == AN_OK) continue;
            if (p->v[i].mark_rc[k] == AN_EUNSUPPORTED) return true;
            an_slice text = vectors_str(p->v[i].json, k == 0 ? "del" : k == 1 ? "nc" : "nd");
            if (an_slice_eq(text, AN_LIT("{}")) || an_slice_eq(text, AN_LIT("null"))) return true;
        }
    }
    return false;
}

static void every_recorded_fetch_comes_out_the_same(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL), *work = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "filters.json"), "cases");
    size_t same = 0, refused = 0, fails_upstream = 0, kept = 0;

    assert_int_equal(cases->n, 475);
    for (size_t i = 0; i < cases->n; i++) {
        pass p;
        an_err err = {0};
        an_arena_reset(work);
        an_rc rc = pass_read(work, &cases->items[i], &p, &err);
        if (vectors_opt(p.want, "start_err") != NULL || vectors_bool(p.want, "start_panic")) {
            if (rc != AN_EINVALID) fail_msg("case %zu: its selector is accepted", i);
            refused++;
            continue;
        }
        if (rc != AN_OK) fail_msg("case %zu: %s", i, err.msg);
        pass_filter(work, &p);
        if (pass_fails_upstream(&p)) { /* deviation: one block must not stop the bucket */
            assert_true(has_version_that_is_not_1(&p));
            fails_upstream++;
        } else {
            kept += check_case(&p, i);
            same++;
        }
        an_relabel_free(p.selector);
    }
    print_message("%zu fetches equal, %zu selectors refused, %zu syncs that fail upstream, "
                  "%zu blocks without sources kept\n",
                  same, refused, fails_upstream, kept);
    assert_int_equal(fails_upstream, 25);
    assert_int_equal(refused, 21);
    an_arena_free(work);
    an_arena_free(a);
}

static void replica_flags_are_split_as_recorded(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    const an_json *cases = vectors_get(vectors_load(a, "grouper.json"), "replica_flag");

    assert_int_equal(cases->n, 13);
    for (size_t i = 0; i < cases->n; i++) {
        const an_json *flags = vectors_get(&cases->items[i], "flags");
        const an_json *want = vectors_get(&cases->items[i], "labels");
        an_slice *in = an_arena_alloc(a, (flags->n + 1) * sizeof *in), *out;
        size_t n;
        for (size_t k = 0; k < flags->n; k++) in[k] = flags->items[k].text;
        an_replica_labels(a, in, flags->n, &out, &n);
        assert_int_equal(n, want->n);
        for (size_t k = 0; k < n; k++) assert_true(an_slice_eq(out[k], want->items[k].text));
    }
    an_arena_free(a);
}

static void a_crowd_of_blocks_is_judged_in_one_walk(void **state)
{
    (void)state;
    enum { N = 20000 };
    an_arena *a = an_arena_new(NULL);
    an_filter_block *b = an_arena_alloc(a, N * sizeof *b);
    an_filter_opts o = {.min_time_ms = INT64_MIN, .max_time_ms = INT64_MAX};
    an_filter_counts c;
    an_err err;

    /* Every fourth block holds the sources of the three behind it. */
    for (size_t i = 0; i < N; i++) {
        an_meta *m = an_arena_alloc(a, sizeof *m);
        an_ulid *src = an_arena_alloc(a, 4 * sizeof *src);
        m->compaction.n_sources = i % 4 == 0 ? 4 : 1;
        m->compaction.sources = src;
        for (size_t k = 0; k < m->compaction.n_sources; k++) {
            uint8_t r[10] = {(uint8_t)((i + k) >> 8), (uint8_t)(i + k)};
            src[k] = an_ulid_make((i + k) / 4, r);
        }
        b[i] = (an_filter_block){.id = src[0], .meta = m};
        m->thanos.source = AN_LIT("compactor");
    }
    assert_int_equal(an_filters_run(a, b, N, &o, &c, &err), AN_OK);
    assert_int_equal(c.synced[AN_SYNCED_LOADED], N / 4);
    assert_int_equal(c.synced[AN_SYNCED_DUPLICATE], N - N / 4);
    for (size_t i = 0; i < N; i++) assert_ptr_equal(b[i].by, i % 4 == 0 ? NULL : &b[i - i % 4]);
    an_arena_free(a);
}

static void a_hidden_block_loses_its_replica_label_too(void **state)
{
    (void)state;
    an_arena *a = an_arena_new(NULL);
    an_label v[] = {{AN_LIT("a"), AN_LIT("1")}, {AN_LIT("replica"), AN_LIT("x")}};
    an_slice replica = AN_LIT("replica");
    an_meta m = {.thanos = {.labels = {2, v}, .source = AN_LIT("compactor")}};
    an_mark mark = {.version = 1, .time_s = 1};
    an_filter_block b = {.meta = &m, .marks = {&mark}};
    an_filter_opts o = {.min_time_ms = INT64_MIN,
                        .max_time_ms = INT64_MAX,
                        .n_replica_labels = 1,
                        .replica_labels = &replica,
                        .now_ms = 1000000};
    an_filter_counts c;
    an_err err;

    assert_int_equal(an_filters_run(a, &b, 1, &o, &c, &err), AN_OK);
    assert_int_equal(b.state, AN_SYNCED_MARKED_FOR_DELETION);
    assert_int_equal(b.meta->thanos.labels.n, 1);  /* as its successor has them */
    assert_int_equal(c.replica_labels_removed, 0); /* upstream counts survivors only */
    an_arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_recorded_fetch_comes_out_the_same),
        cmocka_unit_test(replica_flags_are_split_as_recorded),
        cmocka_unit_test(a_crowd_of_blocks_is_judged_in_one_walk),
        cmocka_unit_test(a_hidden_block_loses_its_replica_label_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
