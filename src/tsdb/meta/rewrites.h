// SPDX-License-Identifier: Apache-2.0
/* tsdb/meta/rewrites.h: `thanos.rewrites` of a meta.json, what a rewriting tool did to the block.
 *
 *   [{"sources":[ULID],"deletions_applied":[{"matchers":[{"Type":0,"Name":"","Value":""}],
 *     "intervals":[{"Mint":0,"Maxt":0}],"request_id":""}],"relabels_applied":[{relabel rule}]}]
 *
 * Nothing here looks inside; it is read as Go reads it into structs (unknown keys are lost, wrong
 * types are errors) and carried on as compact text in Go's order of fields. */
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"

/* Appends the canonical text of the array `v`. AN_ECORRUPT: not of these types. */
AN_MUST_CHECK an_rc an_rewrites_print(an_buf *out, const an_json *v, an_err *err);
