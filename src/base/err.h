// SPDX-License-Identifier: Apache-2.0
/* base/err.h: one error, made once, where it is known, carried up unchanged.
 * The class (an_rc) decides what the program does; the text is for people and is never parsed.
 * What code needs to know stands in fields: cause, block, object, offset, expected, found.
 *
 * Rules: everything that can fail returns an_rc; outputs come last, before `err`, and are written
 * on success only; `err` is never NULL; clean-up keeps the first error. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/cause.h"

typedef enum an_rc {
    AN_OK = 0,
    AN_ENOTFOUND,    /* often a normal answer, e.g. a marker that is not there */
    AN_ECORRUPT,     /* bytes contradict their own format: isolates */
    AN_EUNSUPPORTED, /* bytes are fine, we do not know them */
    AN_EINVALID,     /* flag, config or caller is wrong */
    AN_EDENIED,      /* credentials or permission; never reported as "not found" */
    AN_ERETRY,       /* the same call may succeed later */
    AN_EHALT,        /* a human decides: isolates the group */
    AN_ELIMIT,       /* over a budget or a format's limit */
    AN_ECANCELED,    /* the context ended; neither retry nor halt */
    AN_EIO,          /* the local system failed */
    AN_EEXISTS,      /* a conditional create found the object already there */
    AN_RC__COUNT
} an_rc;

typedef struct an_err {
    an_rc rc;
    an_cause cause;         /* AN_CAUSE_NONE: not a known defect */
    int http_status;        /* 0: no HTTP answer involved */
    int64_t retry_after_ms; /* -1: the server named none */
    int64_t offset;         /* in `object`, bytes; -1: none */
    uint64_t expected, found;
    bool has_values;  /* expected and found are set */
    char block[27];   /* ULID of the block concerned, "" if none */
    char object[128]; /* key below the block or in the bucket, "" if none; cut if longer */
    const char *file; /* where it was made */
    int line;
    char msg[480]; /* fixed: works when memory is gone */
} an_err;

#define AN_MUST_CHECK __attribute__((warn_unused_result))

/* Resets *err and fills rc, file, line and the text; returns rc. */
an_rc an_err_set(an_err *err, an_rc rc, const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* msg becomes "<fmt>: <msg>"; nothing else changes. */
void an_err_wrap(an_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Annotations, for use right after AN_FAIL or on the way up; all return err->rc. They never
 * overwrite what is set already: whoever was nearest to the defect knew best. */
an_rc an_err_cause(an_err *err, an_cause cause);
an_rc an_err_at(an_err *err, const char *block, const char *object, int64_t offset);
an_rc an_err_values(an_err *err, uint64_t expected, uint64_t found);

/* "ENOTFOUND", "ECORRUPT", ...: for logs and test output. */
const char *an_rc_name(an_rc rc);

_Noreturn void an_assert_failed(const char *cond, const char *file, int line); /* for an_assert */

/* All the macros there are. They expect a local `rc` and a label `out`. AN_FAIL says that an error
 * is never AN_OK, so that analyzers can follow. */
#define AN_FAIL(err, code, ...)                                                                    \
    ({                                                                                             \
        an_rc made_ = an_err_set((err), (code), __FILE__, __LINE__, __VA_ARGS__);                  \
        if (made_ == AN_OK) an_assert_failed("an error is not AN_OK", __FILE__, __LINE__);         \
        made_;                                                                                     \
    })
#define AN_TRY(call)                                                                               \
    do {                                                                                           \
        if ((rc = (call)) != AN_OK) goto out;                                                      \
    } while (0)
#define AN_CHECK(cond, err, code, ...)                                                             \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            rc = AN_FAIL(err, code, __VA_ARGS__);                                                  \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)
/* As AN_CHECK, with a cause for the field of the same name. */
#define AN_CHECK_CAUSE(cond, err, code, why, ...)                                                  \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            rc = AN_FAIL(err, code, __VA_ARGS__);                                                  \
            an_err_cause((err), (why));                                                            \
            goto out;                                                                              \
        }                                                                                          \
    } while (0)

/* For our own bugs, never for data; always on. */
#define an_assert(cond)                                                                            \
    do {                                                                                           \
        if (!(cond)) an_assert_failed(#cond, __FILE__, __LINE__);                                  \
    } while (0)
