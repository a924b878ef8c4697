// SPDX-License-Identifier: Apache-2.0
/* base/yaml_scalar.h: inside base/yaml only: what a scalar means. Threads: any. */
#pragma once
#include "base/yaml.h"

/* Fills in type and value of a scalar from its text. `tag`: "" for a plain scalar, "!!str" for a
 * quoted one, else the tag as written; the text of a !!binary becomes what it encodes.
 * AN_EINVALID when the tag contradicts the text. */
AN_MUST_CHECK an_rc an_yaml_resolve(an_arena *a, an_yaml *v, const char *tag, an_err *err);

/* "!!null", "!!bool", "!!int", "!!float", "!!str", "!!seq", "!!map". */
const char *an_yaml_tag(const an_yaml *v);
