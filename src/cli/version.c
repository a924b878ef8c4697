// SPDX-License-Identifier: Apache-2.0
#include "cli/version.h"

#if defined(__clang__)
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif

#if defined(__x86_64__)
#define PLATFORM "linux/amd64"
#elif defined(__aarch64__)
#define PLATFORM "linux/arm64"
#else
#define PLATFORM "linux/other"
#endif

#if defined(__SANITIZE_ADDRESS__)
#define TAGS "asan"
#else
#define TAGS ""
#endif

void an_version_print(an_buf *out, const char *prog)
{
    an_buf_printf(out,
                  "%s, version %s (branch: %s, revision: %s)\n"
                  "  build user:       %s\n"
                  "  build date:       %s\n"
                  "  compiler:         %s\n"
                  "  platform:         %s\n"
                  "  tags:             %s\n",
                  prog, AN_VERSION, AN_BRANCH, AN_REVISION, AN_BUILD_USER, AN_BUILD_DATE, COMPILER,
                  PLATFORM, TAGS);
}
