// SPDX-License-Identifier: Apache-2.0
/* cli/version.h: which build this is.
 *
 * AN_VERSION is the release. Branch, revision, user and date come from the build
 * (-DAN_REVISION=..., see CMakeLists.txt); they are empty where nobody said them, so that equal
 * sources give equal binaries. */
#pragma once
#include "base/buf.h"

/* Upstream's six lines: name and version, user, date, compiler (there: Go), platform, tags. */
void an_version_print(an_buf *out, const char *prog);
