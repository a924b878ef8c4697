// SPDX-License-Identifier: Apache-2.0
/* The reader against damage: cut anywhere, any bit flipped, contents changed under a good CRC,
 * lists that leave entries out, sources that fail; and against windows of every shape. */
#include "base/crc32c.h"
#include "support/index_v1_writer.h"
#include "support/index_walk.h"
#include "unit/prng.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { N = 24 };

/* Series of two to five labels; some with no, some with many chunks. */
static const raw_series *series_of_all_kinds(void)
{
    static raw_series v[N];
    static char pod[N][80];
    static const char *const jobs[] = {"api", "db", "web"};
    uint64_t seed = 7;

    for (size_t i = 0; i < N; i++) {
        memset(pod[i], 0, sizeof pod[i]);
        (void)snprintf(pod[i], sizeof pod[i], "pod-%02zu", i);
        if (i % 13 == 5) memset(pod[i] + 6, 'x', 70); /* longer than a piece of 64 */
        v[i] = (raw_series){.labels = {"__name__", i < N / 2 ? "up" : "zeit", "job",
                                       jobs[i * 3 / N], "pod", pod[i], "\xff\xfe", "\x01"},
                            .n_chunks = 1 + i % 8};
        if (i % 3 == 0) v[i].labels[6] = NULL;
        int64_t t = -5000 + (int64_t)i;
        uint64_t ref = 8 + i * 1000;
        for (size_t k = 0; k < v[i].n_chunks; k++) {
            v[i].chunks[k].mint = t;
            v[i].chunks[k].maxt = t += (int64_t)(prng(&seed) % 10000000);
            v[i].chunks[k].ref = ref;
            t += 1 + (int64_t)(prng(&seed) % 100);
            ref += k == 5 ? UINT64_C(1) << 32 : prng(&seed) % 300;
        }
    }
    return v;
}

/* kind 0: version 2 as written today; 1: version 2 as before Prometheus 3.7; 2: version 1 */
enum { KINDS = 3 };
static void make(int kind, an_buf *out, uint64_t *off)
{
    const raw_index ix = {.version = kind == 2 ? 1 : 2,
                          .series = series_of_all_kinds(),
                          .n_series = N,
                          .legacy = kind == 1};
    an_buf_init(out, SIZE_MAX, NULL);
    raw_index_write(&ix, out, off);
}

static an_rc walk_text(an_slice bytes, const walk_opts *o, an_buf *dump, an_err *err)
{
    an_buf_clear(dump);
    return index_walk(bytes, o, dump, err);
}

static bool same(const an_buf *a, const an_buf *b)
{
    return a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
}

static void any_window_shows_what_the_whole_file_shows(void **state)
{
    (void)state;
    static const size_t pieces[] = {64, 65, 67, 100, 128, 255, 1000, 4096};
    an_err err;
    an_buf b, want, got;

    an_buf_init(&want, SIZE_MAX, NULL);
    an_buf_init(&got, SIZE_MAX, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        make(kind, &b, NULL);
        const walk_opts whole = {.mode = TEST_SOURCE_ALL};
        if (walk_text(an_buf_slice(&b), &whole, &want, &err) != AN_OK) fail_msg("%s", err.msg);
        for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
            for (unsigned mode = 0; mode < TEST_SOURCE_MODES; mode++) {
                const walk_opts o = {.piece = pieces[i], .mode = (test_source_mode)mode};
                if (walk_text(an_buf_slice(&b), &o, &got, &err) != AN_OK)
                    fail_msg("kind %d, %zu, %u: %s", kind, pieces[i], mode, err.msg);
                if (!same(&want, &got)) fail_msg("kind %d, %zu, %u: other", kind, pieces[i], mode);
            }
        }
        an_buf_deinit(&b);
    }
    an_buf_deinit(&want);
    an_buf_deinit(&got);
}

static void an_index_cut_at_any_byte_is_corrupt(void **state)
{
    (void)state;
    an_err err;
    an_buf b;
    const walk_opts o = {.mode = TEST_SOURCE_ALL};

    for (int kind = 0; kind < KINDS; kind++) {
        make(kind, &b, NULL);
        for (size_t n = 0; n < b.n; n++) {
            assert_int_equal(index_walk(an_slice_of(b.p, n), &o, NULL, &err), AN_ECORRUPT);
            assert_int_equal(err.cause, AN_CAUSE_INDEX_UNREADABLE);
        }
        assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_OK);
        an_buf_deinit(&b);
    }
}

/* Bytes that nobody reads: the lists of single pairs, label indices and their table, and padding in
 * front of them. */
static bool is_unread(const an_index *ix, uint64_t all, uint32_t n_all, size_t at)
{
    if (at < ix->series_end || at >= ix->postings_table) return false;
    return at < all || at >= all + 12 + 4 * (uint64_t)n_all;
}

static void any_flipped_bit_is_an_error_or_in_a_byte_that_is_not_read(void **state)
{
    (void)state;
    an_err err;
    an_buf b, want, got;
    const walk_opts o = {.mode = TEST_SOURCE_ALL};

    an_buf_init(&want, SIZE_MAX, NULL);
    an_buf_init(&got, SIZE_MAX, NULL);
    for (int kind = 0; kind < KINDS; kind++) {
        an_index ix;
        uint64_t all;
        size_t harmless = 0, unread = 0;

        make(kind, &b, NULL);
        an_slice s = an_buf_slice(&b);
        an_source src = an_source_mem(&s);
        assert_int_equal(an_index_open(&src, &ix, &err), AN_OK);
        assert_int_equal(an_postings_table_walk(&ix, &src, NULL, NULL, NULL, &all, &err), AN_OK);
        assert_int_equal(walk_text(s, &o, &want, &err), AN_OK);
        for (size_t bit = 0; bit < 8 * b.n; bit++) {
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            const an_rc rc = walk_text(s, &o, &got, &err);
            unread += is_unread(&ix, all, N, bit / 8);
            if (rc == AN_OK) {
                if (!is_unread(&ix, all, N, bit / 8) || !same(&want, &got))
                    fail_msg("kind %d: bit %zu of byte %zu was not noticed", kind, bit % 8,
                             bit / 8);
                harmless++;
            } else if ((rc != AN_ECORRUPT && rc != AN_EUNSUPPORTED) ||
                       (err.cause != AN_CAUSE_INDEX_UNREADABLE &&
                        err.cause != AN_CAUSE_INDEX_INCOMPLETE) ||
                       err.offset < 0) {
                fail_msg("byte %zu: %s, cause %s: %s", bit / 8, an_rc_name(rc),
                         an_cause_name(err.cause), err.msg);
            }
            b.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(harmless, unread);
        printf("kind %d: %zu bits, %zu in bytes nobody reads\n", kind, 8 * b.n, harmless);
        an_buf_deinit(&b);
    }
    an_buf_deinit(&want);
    an_buf_deinit(&got);
}

static uint32_t be32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_crc(uint8_t *at, an_slice over)
{
    const uint32_t crc = an_crc32c(over);
    for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(crc >> (24 - 8 * i));
}

/* Puts the CRC of a section right if its length still makes one. */
static void fix_section(an_buf *b, size_t at)
{
    const size_t len = be32_at(b->p + at);
    if (len <= b->n - at - 8) put_crc(b->p + at + 4 + len, an_slice_of(b->p + at + 4, len));
}

static void fix_entry(an_buf *b, size_t at)
{
    size_t len = b->p[at], head = 1;
    if (len >= 0x80) {
        len = (len & 0x7f) | (size_t)b->p[at + 1] << 7;
        head = 2;
    }
    if (at + head + len + 4 <= b->n)
        put_crc(b->p + at + head + len, an_slice_of(b->p + at + head, len));
}

static void contents_changed_under_a_good_checksum_never_crash(void **state)
{
    (void)state;
    uint64_t seed = prng_seed(), off[N];
    an_err err;
    an_buf good, b;
    size_t ok = 0, corrupt = 0;

    for (int kind = 0; kind < KINDS; kind++) {
        an_index ix;
        uint64_t all;

        make(kind, &good, off);
        an_slice s = an_buf_slice(&good);
        an_source src = an_source_mem(&s);
        assert_int_equal(an_index_open(&src, &ix, &err), AN_OK);
        assert_int_equal(an_postings_table_walk(&ix, &src, NULL, NULL, NULL, &all, &err), AN_OK);
        for (size_t i = 0; i < 6000; i++) {
            an_buf_init(&b, SIZE_MAX, NULL);
            an_buf_slice_add(&b, s);
            const size_t changes = 1 + prng(&seed) % 4;
            for (size_t k = 0; k < changes; k++) {
                const uint64_t r = prng(&seed);
                /* half of them among the numbers at the end */
                const size_t at =
                    r & 1 ? (size_t)(r >> 8) % b.n
                          : (size_t)(ix.postings_table + (r >> 8) % (b.n - ix.postings_table));
                b.p[at] = r & 2 ? (uint8_t)(r >> 48) : (uint8_t)(b.p[at] + 1);
            }
            fix_section(&b, (size_t)ix.symbols);
            for (size_t k = 0; k < N; k++) fix_entry(&b, (size_t)off[k]);
            fix_section(&b, (size_t)all);
            fix_section(&b, (size_t)ix.postings_table);
            put_crc(b.p + b.n - 4, an_slice_of(b.p + b.n - 52, 48));
            const walk_opts o = {.piece = i % 2 == 0 ? 0 : 64 + prng(&seed) % 500,
                                 .mode = TEST_SOURCE_ALIGNED};
            const an_rc rc = index_walk(an_buf_slice(&b), &o, NULL, &err);
            if (rc == AN_OK)
                ok++;
            else if (rc == AN_ECORRUPT || rc == AN_EUNSUPPORTED || rc == AN_ELIMIT)
                corrupt++;
            else
                fail_msg("%s: %s", an_rc_name(rc), err.msg);
            an_buf_deinit(&b);
        }
        an_buf_deinit(&good);
    }
    printf("%zu refused, %zu read\n", corrupt, ok);
    assert_true(corrupt > 1000 && ok > 1000);
}

static an_rc walk_raw(const raw_index *ix, an_buf *dump, an_err *err)
{
    an_buf b;
    const walk_opts o = {.piece = 64, .mode = TEST_SOURCE_MIN};

    an_buf_init(&b, SIZE_MAX, NULL);
    raw_index_write(ix, &b, NULL);
    const an_rc rc = index_walk(an_buf_slice(&b), &o, dump, err);
    an_buf_deinit(&b);
    return rc;
}

static void an_entry_that_no_list_names_makes_the_index_incomplete(void **state)
{
    (void)state;
    static const size_t gone[] = {0, 1, N / 2, N - 1};
    raw_series v[N];
    an_err err;

    for (int version = 1; version <= 2; version++) {
        for (size_t i = 0; i < sizeof gone / sizeof *gone; i++) {
            memcpy(v, series_of_all_kinds(), sizeof v);
            v[gone[i]].unlisted = true;
            const raw_index ix = {.version = version, .series = v, .n_series = N};
            assert_int_equal(walk_raw(&ix, NULL, &err), AN_ECORRUPT);
            assert_int_equal(err.cause, AN_CAUSE_INDEX_INCOMPLETE);
            assert_int_equal(err.expected, N);
            assert_int_equal(err.found, N - 1);
        }
        const raw_index none = {
            .version = version, .series = series_of_all_kinds(), .n_series = N, .no_all = true};
        assert_int_equal(walk_raw(&none, NULL, &err), AN_ECORRUPT);
        assert_int_equal(err.cause, AN_CAUSE_INDEX_INCOMPLETE);
        assert_int_equal(err.found, 0);
        const raw_index empty = {
            .version = version, .series = series_of_all_kinds(), .no_all = true};
        assert_int_equal(walk_raw(&empty, NULL, &err), AN_OK); /* nothing to list, nothing lost */
    }
}

static void a_list_that_jumps_is_followed_when_it_names_all(void **state)
{
    (void)state;
    size_t order[N];
    an_err err;
    an_buf dump;

    an_buf_init(&dump, SIZE_MAX, NULL);
    for (int version = 1; version <= 2; version++) {
        for (size_t i = 0; i < N; i++) order[i] = i;
        order[3] = 15; /* forwards, then back */
        order[15] = 3;
        const raw_index ix = {.version = version,
                              .series = series_of_all_kinds(),
                              .n_series = N,
                              .list_order = order};
        an_buf_clear(&dump);
        assert_int_equal(walk_raw(&ix, &dump, &err), AN_OK);
        an_buf_u8(&dump, 0);
        const char *early = strstr((const char *)dump.p, "pod-15"); /* in its own list */
        early = strstr(early + 1, "pod-15");
        const char *late = strstr(strstr((const char *)dump.p, "pod-03") + 1, "pod-03");
        assert_true(early != NULL && late != NULL && early < late);

        order[15] = 4;                                      /* twice, and number 3 never */
        assert_int_equal(walk_raw(&ix, NULL, &err), AN_OK); /* as many as there are: label order
                                                               tells (health.h) */
    }
    an_buf_deinit(&dump);
}

static void every_call_of_a_source_may_fail(void **state)
{
    (void)state;
    an_err err;
    an_buf b;

    make(0, &b, NULL);
    uint64_t n = 1;
    for (;; n++) {
        const walk_opts o = {.piece = 64, .mode = TEST_SOURCE_MIN, .fail_at = n};
        const an_rc rc = index_walk(an_buf_slice(&b), &o, NULL, &err);
        if (rc == AN_OK) break;
        assert_int_equal(rc, AN_ERETRY);
        assert_int_equal(err.cause, AN_CAUSE_NONE);
    }
    printf("%" PRIu64 " calls\n", n - 1);
    assert_true(n > 50);
    an_buf_deinit(&b);
}

static void what_does_not_fit_the_budget_is_a_limit_not_a_crash(void **state)
{
    (void)state;
    an_err err;
    an_buf b;
    size_t limited = 0;

    make(0, &b, NULL);
    for (size_t limit = 0;; limit += 64) {
        an_budget *budget = an_budget_new(limit);
        const walk_opts o = {.piece = 64, .mode = TEST_SOURCE_ALIGNED, .budget = budget};
        const an_rc rc = index_walk(an_buf_slice(&b), &o, NULL, &err);
        assert_int_equal(an_budget_used(budget), 0);
        an_budget_free(budget);
        if (rc == AN_OK) break;
        assert_int_equal(rc, AN_ELIMIT);
        limited++;
        assert_true(limit < 1 << 20);
    }
    assert_true(limited > 0);
    an_buf_deinit(&b);
}

/* The bytes of one entry of a small index changed, its CRC put right. */
static void assert_entry_error(size_t at, uint8_t from, uint8_t to, const char *part)
{
    static const char *const symbols[] = {"a", "b", "c", "d", NULL};
    static const raw_series v[] = {
        {.labels = {"a", "b", "c", "d"}, .chunks = {{1, 2, 8}, {3, 4, 40}}, .n_chunks = 2}};
    const raw_index ix = {.version = 2, .symbols = symbols, .series = v, .n_series = 1};
    const walk_opts o = {.mode = TEST_SOURCE_ALL};
    uint64_t off;
    an_err err;
    an_buf b;

    an_buf_init(&b, SIZE_MAX, NULL);
    raw_index_write(&ix, &b, &off);
    assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_OK);
    assert_int_equal(b.p[off + at], from);
    b.p[off + at] = to;
    fix_entry(&b, (size_t)off);
    assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_UNREADABLE);
    assert_int_equal(err.offset, (int64_t)off);
    if (strstr(err.msg, part) == NULL) fail_msg("\"%s\" has no \"%s\"", err.msg, part);
    an_buf_deinit(&b);
}

static void a_bad_entry_says_what_is_bad_about_it(void **state)
{
    (void)state;
    /* len | 2 | 0 1 | 2 3 | 2 | 02 01 08 | 01 01 40 */
    assert_entry_error(1, 2, 9, "label count 9: invalid size");
    assert_entry_error(2, 0, 4, "lookup label name: unknown symbol offset 4");
    assert_entry_error(5, 3, 100, "lookup label value: unknown symbol offset 100");
    assert_entry_error(6, 2, 3, "chunk count 3: invalid size");
    assert_entry_error(6, 2, 1, "3 bytes behind its last chunk");
    assert_entry_error(12, 64, 0xff, "read meta for chunk 1: invalid size");
    assert_entry_error(0, 12, 13, "invalid size: 13 bytes where 17 are left");
}

static void versions_and_headers_that_are_not_ours_are_named(void **state)
{
    (void)state;
    an_err err;
    an_buf b;
    const walk_opts o = {.mode = TEST_SOURCE_ALL};

    make(0, &b, NULL);
    b.p[4] = 3;
    assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_EUNSUPPORTED);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_UNREADABLE);
    b.p[4] = 9;
    assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_ECORRUPT);
    assert_string_equal(err.msg, "unknown index file version 9");
    b.p[4] = 2;
    b.p[0] = 0xbb;
    assert_int_equal(index_walk(an_buf_slice(&b), &o, NULL, &err), AN_ECORRUPT);
    assert_string_equal(err.msg, "invalid magic number bbaad700");
    assert_true(err.has_values && err.expected == 0xbaaad700 && err.found == 0xbbaad700);
    an_buf_deinit(&b);
}

static void symbols_must_ascend(void **state)
{
    (void)state;
    static const char *const twice[] = {"a", "b", "b", "c", NULL};
    static const char *const falling[] = {"a", "c", "b", NULL};
    static const raw_series v[] = {{.labels = {"a", "b"}, .chunks = {{1, 2, 8}}, .n_chunks = 1}};
    raw_index ix = {.version = 2, .symbols = twice, .series = v, .n_series = 1};
    an_err err;

    assert_int_equal(walk_raw(&ix, NULL, &err), AN_ECORRUPT);
    assert_string_equal(err.msg,
                        "symbols: entry 2 of 4, \"b\", is not above its predecessor \"b\"");
    ix.symbols = falling;
    ix.version = 1;
    assert_int_equal(walk_raw(&ix, NULL, &err), AN_ECORRUPT);
    assert_int_equal(err.cause, AN_CAUSE_INDEX_UNREADABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_window_shows_what_the_whole_file_shows),
        cmocka_unit_test(an_index_cut_at_any_byte_is_corrupt),
        cmocka_unit_test(any_flipped_bit_is_an_error_or_in_a_byte_that_is_not_read),
        cmocka_unit_test(contents_changed_under_a_good_checksum_never_crash),
        cmocka_unit_test(an_entry_that_no_list_names_makes_the_index_incomplete),
        cmocka_unit_test(a_list_that_jumps_is_followed_when_it_names_all),
        cmocka_unit_test(every_call_of_a_source_may_fail),
        cmocka_unit_test(what_does_not_fit_the_budget_is_a_limit_not_a_crash),
        cmocka_unit_test(a_bad_entry_says_what_is_bad_about_it),
        cmocka_unit_test(versions_and_headers_that_are_not_ours_are_named),
        cmocka_unit_test(symbols_must_ascend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
