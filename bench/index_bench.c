// SPDX-License-Identifier: Apache-2.0
/* bench/index_bench.c: what one series entry costs, without chunks, windows and threads.
 *
 *   index_bench [rounds] INDEX ...
 *
 * Reads the given indexes (those of the 2 h blocks of bench_gen, say) into memory, then times, as
 * CPU per input entry, each step on top of the one before: walking the entries; the health counts;
 * the merge of all inputs by ordinals; writing the result to a sink that drops it. The last line
 * has the result's writer with a budget of 4 MiB, spilling to memory. */
#include "base/err.h"
#include "tsdb/index/health.h"
#include "tsdb/index/index_writer.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MAX_INPUTS = 64 };

typedef struct input {
    an_slice bytes;
    an_source src;
    an_index ix;
    uint64_t all;
    uint32_t *ords; /* of each reference (version 2) */
    an_series_iter *it;
    an_series_entry e;
    uint32_t labels[128];
    bool done;
} input;

typedef struct bench {
    input in[MAX_INPUTS];
    size_t n;
    an_strtab *symbols;
    uint64_t n_entries;
} bench;

static void must(an_rc rc, const an_err *err)
{
    if (rc == AN_OK) return;
    fprintf(stderr, "index_bench: %s\n", err->msg);
    exit(1);
}

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static an_slice load(const char *path)
{
    FILE *f = fopen(path, "re");
    an_assert(f != NULL && fseek(f, 0, SEEK_END) == 0);
    const size_t n = (size_t)ftell(f);
    uint8_t *p = malloc(n);
    an_assert(p != NULL && fseek(f, 0, SEEK_SET) == 0 && fread(p, 1, n, f) == n);
    an_assert(fclose(f) == 0);
    return an_slice_of(p, n);
}

static void merge_symbols(bench *b)
{
    an_err err;
    an_symbol_iter *it[MAX_INPUTS];
    an_slice sym[MAX_INPUTS];
    uint32_t ref[MAX_INPUTS];
    bool done[MAX_INPUTS];

    must(an_strtab_new(NULL, NULL, &b->symbols, &err), &err);
    for (size_t i = 0; i < b->n; i++) {
        input *in = &b->in[i];
        in->ords = calloc((size_t)in->ix.n_symbols + 1, sizeof *in->ords);
        an_assert(in->ords != NULL);
        must(an_symbol_iter_open(&in->ix, &in->src, NULL, &it[i], &err), &err);
        done[i] = an_symbol_iter_next(it[i], &sym[i], &ref[i], &err) != AN_OK;
    }
    for (;;) {
        size_t min = b->n;
        for (size_t i = 0; i < b->n; i++)
            if (!done[i] && (min == b->n || an_slice_cmp(sym[i], sym[min]) < 0)) min = i;
        if (min == b->n) break;
        const uint32_t ord = an_strtab_n(b->symbols);
        must(an_strtab_add(b->symbols, sym[min], &err), &err);
        const an_slice now = sym[min];
        for (size_t i = b->n; i-- > 0;) {
            if (done[i] || i == min || !an_slice_eq(sym[i], now)) continue;
            b->in[i].ords[ref[i]] = ord;
            done[i] = an_symbol_iter_next(it[i], &sym[i], &ref[i], &err) != AN_OK;
        }
        b->in[min].ords[ref[min]] = ord;
        done[min] = an_symbol_iter_next(it[min], &sym[min], &ref[min], &err) != AN_OK;
    }
    for (size_t i = 0; i < b->n; i++) an_symbol_iter_close(it[i]);
}

static void open_series(input *in)
{
    an_err err;
    must(an_series_iter_open(&in->ix, &in->src, &in->src, in->all, NULL, &in->it, &err), &err);
    in->done = false;
}

static void walk(bench *b, bool health)
{
    an_err err;
    an_rc rc;
    an_index_health h;

    for (size_t i = 0; i < b->n; i++) {
        input *in = &b->in[i];
        open_series(in);
        an_index_health_init(&h, &in->ix, INT64_MIN, INT64_MAX, NULL);
        while ((rc = an_series_iter_next(in->it, &in->e, &err)) == AN_OK)
            if (health) must(an_index_health_add(&h, &in->e, &err), &err);
        if (rc != AN_ENOTFOUND) must(rc, &err);
        an_index_health_deinit(&h);
        an_series_iter_close(in->it);
    }
}

static void advance(input *in)
{
    an_err err;
    const an_rc rc = an_series_iter_next(in->it, &in->e, &err);

    in->done = rc == AN_ENOTFOUND;
    if (in->done) return;
    must(rc, &err);
    an_assert(in->e.n_labels <= 64);
    for (size_t i = 0; i < 2 * in->e.n_labels; i++) in->labels[i] = in->ords[in->e.labels[i]];
}

static int cmp(const input *a, const input *b)
{
    const size_t na = 2 * a->e.n_labels, nb = 2 * b->e.n_labels, n = na < nb ? na : nb;
    for (size_t i = 0; i < n; i++)
        if (a->labels[i] != b->labels[i]) return a->labels[i] < b->labels[i] ? -1 : 1;
    return (na > nb) - (na < nb);
}

/* Chunks of equal series in the order of the inputs; references as if all were copied. */
static uint64_t merge(bench *b, an_index_writer *w)
{
    an_err err;
    static an_chunk_meta chunks[1 << 16];
    uint64_t ref = 8, n_out = 0;

    for (size_t i = 0; i < b->n; i++) {
        open_series(&b->in[i]);
        advance(&b->in[i]);
    }
    for (;;) {
        input *min = NULL;
        bool equal[MAX_INPUTS] = {false};
        for (size_t i = 0; i < b->n; i++) {
            if (b->in[i].done) continue;
            const int d = min == NULL ? -1 : cmp(&b->in[i], min);
            if (d < 0) {
                for (size_t k = 0; k < i; k++) equal[k] = false;
                min = &b->in[i];
            }
            equal[i] = d <= 0;
        }
        if (min == NULL) break;
        size_t n = 0;
        for (size_t i = 0; i < b->n; i++) {
            if (!equal[i]) continue;
            const an_series_entry *e = &b->in[i].e;
            for (size_t k = 0; k < e->n_chunks && n < 1 << 16; k++) {
                chunks[n] = e->chunks[k];
                chunks[n++].ref = ref;
                ref += 200;
            }
        }
        if (w != NULL)
            must(an_index_writer_add(w, min->labels, min->e.n_labels, chunks, n, &err), &err);
        n_out++;
        for (size_t i = 0; i < b->n; i++)
            if (equal[i]) advance(&b->in[i]);
    }
    for (size_t i = 0; i < b->n; i++) an_series_iter_close(b->in[i].it);
    return n_out;
}

static an_rc drop(void *arg, an_slice bytes, an_err *err)
{
    (void)err;
    *(uint64_t *)arg += bytes.n;
    return AN_OK;
}

static an_rc mem_open(void *arg, int *file, an_err *err)
{
    (void)err;
    an_buf_init(arg, SIZE_MAX, NULL);
    *file = 0;
    return AN_OK;
}
static an_rc mem_append(void *arg, int file, an_slice bytes, an_err *err)
{
    (void)file;
    (void)err;
    an_buf_slice_add(arg, bytes);
    return AN_OK;
}
static an_rc mem_read(void *arg, int file, uint64_t off, size_t n, uint8_t *dst, an_err *err)
{
    (void)file;
    (void)err;
    memcpy(dst, ((an_buf *)arg)->p + off, n);
    return AN_OK;
}
static void mem_close(void *arg, int file)
{
    (void)file;
    an_buf_deinit(arg);
}

static uint64_t merge_and_write(bench *b, size_t budget_bytes, an_index_written *out)
{
    an_err err;
    an_buf file;
    uint64_t written = 0;
    an_index_writer *w;
    const an_sink sink = {drop, &written};
    const an_spill spill = {mem_open, mem_append, mem_read, mem_close, &file};
    an_budget *budget = budget_bytes == 0 ? NULL : an_budget_new(budget_bytes);

    must(an_index_writer_open(&sink, b->symbols, budget, &spill, &w, &err), &err);
    const uint64_t n = merge(b, w);
    must(an_index_writer_finish(w, out, &err), &err);
    an_index_writer_close(w);
    an_budget_free(budget);
    return n;
}

typedef enum step { WALK, HEALTH, MERGE, WRITE, SPILL, STEPS } step;

static void run(bench *b, step s, an_index_written *out)
{
    switch (s) {
    case WALK:
        walk(b, false);
        break;
    case HEALTH:
        walk(b, true);
        break;
    case MERGE:
        (void)merge(b, NULL);
        break;
    case WRITE:
        (void)merge_and_write(b, 0, out);
        break;
    case SPILL:
        (void)merge_and_write(b, 4 << 20, out);
        break;
    case STEPS:
        break;
    }
}

int main(int argc, char **argv)
{
    static const char *const names[STEPS] = {"walk", "walk, health", "merge", "merge, write",
                                             "the same in 4 MiB"};
    static bench b;
    an_err err;
    an_index_written out = {0};
    int first = 1, rounds = 3;

    if (argc > 2 && argv[1][0] >= '1' && argv[1][0] <= '9' && argv[1][1] == '\0') {
        rounds = argv[1][0] - '0';
        first = 2;
    }
    if (argc <= first || argc - first > MAX_INPUTS) {
        fprintf(stderr, "usage: index_bench [rounds, 1 to 9] INDEX ...\n");
        return 2;
    }
    for (int i = first; i < argc; i++) {
        input *in = &b.in[b.n++];
        in->bytes = load(argv[i]);
        in->src = an_source_mem(&in->bytes);
        must(an_index_open(&in->src, &in->ix, &err), &err);
        must(an_postings_table_walk(&in->ix, &in->src, NULL, NULL, NULL, &in->all, &err), &err);
        open_series(in);
        b.n_entries += an_series_iter_n(in->it);
        an_series_iter_close(in->it);
    }
    double t = cpu_ns();
    merge_symbols(&b);
    printf("%" PRIu64 " entries, %u symbols merged in %.1f ms\n", b.n_entries,
           an_strtab_n(b.symbols), (cpu_ns() - t) / 1e6);
    for (step s = WALK; s < STEPS; s++) {
        double best = 0;
        for (int r = 0; r < rounds; r++) {
            t = cpu_ns();
            run(&b, s, &out);
            t = cpu_ns() - t;
            if (r == 0 || t < best) best = t;
        }
        printf("%-18s %7.1f ns/entry\n", names[s], best / (double)b.n_entries);
    }
    printf("result: %" PRIu64 " series, %" PRIu64 " bytes\n", out.n_series, out.size);
    for (size_t i = 0; i < b.n; i++) {
        free((void *)(uintptr_t)b.in[i].bytes.p);
        free(b.in[i].ords);
    }
    an_strtab_free(b.symbols);
    return 0;
}
