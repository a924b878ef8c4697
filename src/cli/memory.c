// SPDX-License-Identifier: Apache-2.0
#include "cli/memory.h"

#include "base/bytesize.h"

#define DEFAULT_LIMIT (UINT64_C(1) << 30)

static uint64_t default_limit(const an_sysmem *sys)
{
    uint64_t limit = sys->cgroup_bytes != UINT64_MAX ? sys->cgroup_bytes / 2 : DEFAULT_LIMIT;

    return sys->ram_bytes > 0 && limit > sys->ram_bytes / 2 ? sys->ram_bytes / 2 : limit;
}

an_rc an_memory_of(int64_t flag, const an_sysmem *sys, an_memory *out, an_err *err)
{
    uint64_t limit = flag == 0 ? default_limit(sys) : (uint64_t)flag;
    uint64_t base = sys->rss_bytes + AN_MEMORY_SLACK;
    uint64_t need = base + AN_MEMORY_JOBS_MIN / 3 * 4;
    char has[AN_BYTESIZE_TEXT], wants[AN_BYTESIZE_TEXT];

    if (flag < 0) return AN_FAIL(err, AN_EINVALID, "--memory-limit must not be negative");
    if (limit < need) {
        (void)an_bytesize_print((int64_t)limit, has);
        (void)an_bytesize_print((int64_t)((need + 1048575) >> 20 << 20), wants);
        return AN_FAIL(err, AN_EINVALID, "%s of memory is too little: at least %s is needed (%s)",
                       has, wants,
                       flag == 0 ? "half of the container's or the machine's memory is taken; "
                                   "--memory-limit says otherwise"
                                 : "--memory-limit");
    }
    uint64_t budget = limit - base;
    *out = (an_memory){.limit = limit, .metadata = (size_t)(budget / 4)};
    out->jobs = (size_t)(budget - budget / 4);
    return AN_OK;
}
