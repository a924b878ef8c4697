// SPDX-License-Identifier: Apache-2.0
/* base/journal.h: systemd's journal by its native protocol, for --log.format=journald.
 *
 * An entry is one datagram of fields. A field is `NAME=value\n`, or, when the value holds a line
 * end, `NAME\n`, the length as 8 bytes little-endian, the value, `\n`. An entry too large for a
 * datagram goes as a sealed memory file whose descriptor is sent instead. Nobody answers.
 * Threads: any. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* A connected socket. path NULL: the system's journal. AN_EINVALID with upstream's text when there
 * is none. Close it with close(2). */
AN_MUST_CHECK an_rc an_journal_open(const char *path, int *fd, an_err *err);

/* name: upper case letters, digits and _, not beginning with _. */
void an_journal_field(an_buf *entry, const char *name, an_slice value);

/* A sink of the log: `arg` points at the socket. An entry that cannot be sent is lost, as a line is
 * that stderr does not take. */
void an_journal_send(void *arg, an_slice entry);
