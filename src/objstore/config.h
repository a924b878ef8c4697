// SPDX-License-Identifier: Apache-2.0
/* objstore/config.h: which bucket to open: upstream's YAML.
 *
 *   type: FILESYSTEM          any case
 *   config: {directory: d}    the provider's own keys
 *   prefix: tenant/one        optional folder inside the bucket
 *
 * The top level is strict (unknown or double keys are refused with their lines), the section of a
 * file system is not: it ignores unknown keys, as upstream does. Scalars in `config` are normalised
 * before they are used, so `directory: 0x10` is the folder `16`; put quotes around what looks like
 * a number. Source: spec/operations.md 2.1 and 2.7; oracle: golden/vectors/bucketconfig.
 *
 * Ownership: strings live in the arena. Threads: plain functions. */
#pragma once
#include "base/arena.h"
#include "objstore/fs/fs.h"

typedef struct an_bucket_config {
    an_slice type;      /* as written */
    an_slice prefix;    /* slashes at both ends trimmed; empty: none */
    an_slice directory; /* FILESYSTEM */
} an_bucket_config;

/* AN_EINVALID, cause store-config: not what it should be; sentences that are upstream's own are
 * its own. AN_EUNSUPPORTED, cause not-built: a type that upstream knows and anneal cannot open
 * yet. */
AN_MUST_CHECK an_rc an_bucket_config_parse(an_arena *a, an_slice yaml, an_bucket_config *out,
                                           an_err *err);
/* Opens it: the provider, and the prefix over it. `fs` is for tests that stop at steps of the file
 * system; its `tmp` is set here, below the prefix. NULL: defaults. AN_EINVALID also for a prefix
 * that leads out of the bucket. */
AN_MUST_CHECK an_rc an_bucket_config_open(const an_bucket_config *c, const an_fs_opts *fs,
                                          an_bucket **out, an_err *err);
