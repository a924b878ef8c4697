// SPDX-License-Identifier: Apache-2.0
#include "support/streams.h"

#include <stdlib.h>

static an_rc tick(uint64_t *calls, uint64_t fail_at, an_err *err)
{
    return ++*calls == fail_at ? AN_FAIL(err, AN_ERETRY, "made to fail") : AN_OK;
}

static an_rc source_at(void *arg, uint64_t off, size_t min, size_t max, an_slice *out, an_err *err)
{
    test_source *s = arg;
    an_rc rc = AN_OK;
    size_t n = max;

    an_assert(min <= max);
    free(s->view);
    s->view = NULL;
    AN_TRY(tick(&s->calls, s->fail_at, err));
    AN_CHECK(min <= s->piece, err, AN_ELIMIT, "%zu bytes in one piece of %zu", min, s->piece);
    AN_CHECK(off <= s->bytes.n && min <= s->bytes.n - off, err, AN_ECORRUPT,
             "%zu bytes at %llu of %zu", min, (unsigned long long)off, s->bytes.n);
    if (s->mode == TEST_SOURCE_ALIGNED && n > s->piece - off % s->piece)
        n = s->piece - (size_t)(off % s->piece);
    if (s->mode == TEST_SOURCE_MIN || n < min) n = min;
    if (n > s->piece) n = s->piece;
    if (n > s->bytes.n - off) n = s->bytes.n - (size_t)off;
    s->view = malloc(n == 0 ? 1 : n);
    an_assert(s->view != NULL);
    if (n > 0) memcpy(s->view, s->bytes.p + off, n);
    *out = an_slice_of(s->view, n);
out:
    return rc;
}

an_source test_source_open(test_source *s)
{
    s->calls = 0;
    s->view = NULL;
    return (an_source){source_at, s, s->bytes.n, s->piece};
}

void test_source_close(test_source *s)
{
    free(s->view);
    s->view = NULL;
}

static an_rc sink_write(void *arg, an_slice bytes, an_err *err)
{
    test_sink *s = arg;
    an_rc rc = tick(&s->calls, s->fail_at, err);

    if (rc != AN_OK) return rc;
    an_buf_slice_add(&s->out, bytes);
    an_assert(!s->out.failed);
    return AN_OK;
}

an_sink test_sink_open(test_sink *s)
{
    *s = (test_sink){0};
    an_buf_init(&s->out, SIZE_MAX, NULL);
    return (an_sink){sink_write, s};
}

void test_sink_close(test_sink *s) { an_buf_deinit(&s->out); }

static an_rc spill_open(void *arg, int *file, an_err *err)
{
    test_spill *s = arg;
    an_rc rc = tick(&s->calls, s->fail_at, err);
    int i = 0;

    if (rc != AN_OK) return rc;
    while (i < TEST_SPILL_FILES && s->open[i]) i++;
    an_assert(i < TEST_SPILL_FILES);
    an_buf_init(&s->files[i], SIZE_MAX, NULL);
    s->open[i] = true;
    s->opened++;
    *file = i;
    return AN_OK;
}

static an_rc spill_append(void *arg, int file, an_slice bytes, an_err *err)
{
    test_spill *s = arg;
    an_rc rc = tick(&s->calls, s->fail_at, err);

    an_assert(file >= 0 && file < TEST_SPILL_FILES && s->open[file]);
    if (rc != AN_OK) return rc;
    an_buf_slice_add(&s->files[file], bytes);
    an_assert(!s->files[file].failed);
    return AN_OK;
}

static an_rc spill_read(void *arg, int file, uint64_t off, size_t n, uint8_t *dst, an_err *err)
{
    test_spill *s = arg;
    an_rc rc = tick(&s->calls, s->fail_at, err);

    an_assert(file >= 0 && file < TEST_SPILL_FILES && s->open[file]);
    if (rc != AN_OK) return rc;
    an_assert(off <= s->files[file].n && n <= s->files[file].n - off);
    memcpy(dst, s->files[file].p + off, n);
    return AN_OK;
}

static void spill_close(void *arg, int file)
{
    test_spill *s = arg;

    an_assert(file >= 0 && file < TEST_SPILL_FILES && s->open[file]);
    an_buf_deinit(&s->files[file]);
    s->open[file] = false;
}

an_spill test_spill_open(test_spill *s)
{
    *s = (test_spill){0};
    return (an_spill){spill_open, spill_append, spill_read, spill_close, s};
}

void test_spill_close(test_spill *s)
{
    for (size_t i = 0; i < TEST_SPILL_FILES; i++) an_assert(!s->open[i]);
}
