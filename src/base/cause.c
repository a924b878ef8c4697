// SPDX-License-Identifier: Apache-2.0
#include "base/cause.h"

const char *an_cause_name(an_cause c)
{
    static const char *const names[] = {
#define AN_CAUSE_TEXT(id, text) [AN_CAUSE_##id] = text,
        AN_CAUSES(AN_CAUSE_TEXT)
#undef AN_CAUSE_TEXT
    };
    return (unsigned)c < AN_CAUSE__COUNT ? names[c] : "none";
}
