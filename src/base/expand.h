// SPDX-License-Identifier: Apache-2.0
/* base/expand.h: $(NAME) in the content of configuration flags.
 *
 * NAME is one or more of [A-Za-z0-9_]. The replacement is textual, before any parsing, and is not
 * looked at again; $NAME, ${NAME} and everything else stays. Source: spec/operations.md 1.4. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* The value of a variable, or NULL if it is unset: getenv in the program, a table in tests. */
typedef const char *(*an_expand_fn)(void *arg, const char *name);

/* Appends `in` with every reference replaced. AN_EINVALID: `found reference to unset environment
 * variable "NAME"` for the first that is unset; AN_ELIMIT: out's maximum. */
AN_MUST_CHECK an_rc an_expand(an_slice in, an_expand_fn get, void *arg, an_buf *out, an_err *err);
