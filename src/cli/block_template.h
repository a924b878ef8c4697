// SPDX-License-Identifier: Apache-2.0
/* cli/block_template.h: one line per block from a template: `tools bucket ls --output=...`.
 *
 * Upstream takes any Go template; ours is the part that names fields: literal text and
 * {{.Field.Field}}, with upstream's field names (ULID, MinTime, Stats.NumSeries, Compaction.Level,
 * Compaction.Sources, Thanos.Labels, Thanos.Labels.<name>, Thanos.Downsample.Resolution, ...).
 * Everything else is refused when the template is read. Threads: plain functions. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "tsdb/meta/meta.h"

typedef struct an_block_template an_block_template;

/* AN_EINVALID: `invalid template: ...`. Lives in `a`; the text is borrowed. */
AN_MUST_CHECK an_rc an_block_template_parse(an_arena *a, an_slice text, an_block_template **out,
                                            an_err *err);
/* Appends the text for one block and a line end. */
void an_block_template_print(const an_block_template *t, const an_meta *m, an_buf *out);
