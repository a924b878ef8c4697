// SPDX-License-Identifier: Apache-2.0
/* cli/content.h: flags that name a file or hold its content: --x-file=PATH and --x=CONTENT.
 *
 * The two exclude each other. Where asked for, every $(NAME) in the content is replaced by the
 * environment variable of that name, as text, before anybody parses it.
 * Source: spec/operations.md 1.4; oracle: golden/vectors/cli.json. */
#pragma once
#include "cli/flag.h"

enum { AN_CONTENT_MAX = 8 << 20 };

typedef enum an_content_need { AN_CONTENT_OPTIONAL, AN_CONTENT_REQUIRED } an_content_need;

/* Appends the content for the flag pair of `name`; environment references are expanded. AN_EINVALID
 * with upstream's text. */
AN_MUST_CHECK an_rc an_content_read(const an_flags *fs, const char *name, an_content_need need,
                                    an_buf *out, an_err *err);
