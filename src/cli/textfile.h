// SPDX-License-Identifier: Apache-2.0
/* cli/textfile.h: a small file named on the command line, read whole.
 *
 * The texts are those of Go's os package, because upstream's users know them:
 * `open x: no such file or directory`, `read .: is a directory`. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

/* Appends the file to `out`, whose maximum bounds it. AN_EINVALID: cannot be opened or read, or is
 * larger than that. */
AN_MUST_CHECK an_rc an_textfile_read(const char *path, an_buf *out, an_err *err);

/* `no such file or directory`: the system's text with a small first letter, as Go prints it. */
void an_errno_text(int error, char out[128]);
