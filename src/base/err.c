// SPDX-License-Identifier: Apache-2.0
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

an_rc an_err_set(an_err *err, an_rc rc, const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    memset(err, 0, offsetof(an_err, msg));
    err->rc = rc;
    err->retry_after_ms = -1;
    err->offset = -1;
    err->file = file;
    err->line = line;
    va_start(ap, fmt);
    (void)vsnprintf(err->msg, sizeof err->msg, fmt, ap); /* a cut text is still a text */
    va_end(ap);
    return rc;
}

void an_err_wrap(an_err *err, const char *fmt, ...)
{
    char inner[sizeof err->msg];
    va_list ap;

    memcpy(inner, err->msg, sizeof inner);
    va_start(ap, fmt);
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= sizeof err->msg) return;
    (void)snprintf(err->msg + n, sizeof err->msg - (size_t)n, ": %s", inner);
}

an_rc an_err_cause(an_err *err, an_cause cause)
{
    if (err->cause == AN_CAUSE_NONE) err->cause = cause;
    return err->rc;
}

an_rc an_err_at(an_err *err, const char *block, const char *object, int64_t offset)
{
    if (block != NULL && err->block[0] == '\0')
        (void)snprintf(err->block, sizeof err->block, "%s", block);
    if (object != NULL && err->object[0] == '\0')
        (void)snprintf(err->object, sizeof err->object, "%s", object);
    if (offset >= 0 && err->offset < 0) err->offset = offset;
    return err->rc;
}

an_rc an_err_values(an_err *err, uint64_t expected, uint64_t found)
{
    if (!err->has_values) {
        err->has_values = true;
        err->expected = expected;
        err->found = found;
    }
    return err->rc;
}

const char *an_rc_name(an_rc rc)
{
    static const char *const names[AN_RC__COUNT] = {
        [AN_OK] = "OK",
        [AN_ENOTFOUND] = "ENOTFOUND",
        [AN_ECORRUPT] = "ECORRUPT",
        [AN_EUNSUPPORTED] = "EUNSUPPORTED",
        [AN_EINVALID] = "EINVALID",
        [AN_EDENIED] = "EDENIED",
        [AN_ERETRY] = "ERETRY",
        [AN_EHALT] = "EHALT",
        [AN_ELIMIT] = "ELIMIT",
        [AN_ECANCELED] = "ECANCELED",
        [AN_EIO] = "EIO",
        [AN_EEXISTS] = "EEXISTS",
    };
    return (unsigned)rc < AN_RC__COUNT ? names[rc] : "?";
}

_Noreturn void an_assert_failed(const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "anneal: bug: %s:%d: %s\n", file, line, cond);
    abort();
}
