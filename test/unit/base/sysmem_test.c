// SPDX-License-Identifier: Apache-2.0
/* Memory of machine, control group and process, read from texts and from a folder that stands for
 * the root of a machine. */
#include "base/sysmem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void fields_are_found_by_their_whole_name(void **state)
{
    (void)state;
    static const char text[] =
        "Name:\tanneal\nVmHWM:\t  123456 kB\nVmRSS:\t    2048 kB\nHugeVmRSS: 1 kB\n"
        "Odd:\t kB\nHuge: 99999999999999999999 kB\nWrap: 18446744073709551615 kB\n";
    uint64_t v = 7;

    assert_true(an_sysmem_field(AN_LIT(text), "VmRSS", &v));
    assert_true(v == 2048 * 1024);
    assert_true(an_sysmem_field(AN_LIT("MemTotal:       65821700 kB"), "MemTotal", &v));
    assert_true(v == 65821700ull * 1024);
    assert_false(an_sysmem_field(AN_LIT(text), "Vm", &v));
    assert_false(an_sysmem_field(AN_LIT(text), "Odd", &v));
    assert_false(an_sysmem_field(AN_LIT(text), "Huge", &v));
    assert_false(an_sysmem_field(AN_LIT(text), "Wrap", &v));
    assert_false(an_sysmem_field(AN_LIT(""), "VmRSS", &v));
    assert_false(an_sysmem_field(AN_LIT("VmRSS"), "VmRSS", &v));
}

static void limits_are_numbers_or_none(void **state)
{
    (void)state;
    assert_true(an_cgroup_limit(AN_LIT("536870912\n")) == 536870912);
    assert_true(an_cgroup_limit(AN_LIT("0\n")) == 0);
    assert_true(an_cgroup_limit(AN_LIT("max\n")) == UINT64_MAX);
    assert_true(an_cgroup_limit(AN_LIT("9223372036854771712\n")) == UINT64_MAX);
    assert_true(an_cgroup_limit(AN_LIT("99999999999999999999999\n")) == UINT64_MAX);
    assert_true(an_cgroup_limit(AN_LIT("")) == UINT64_MAX);
}

#define V2_MOUNT "31 23 0:27 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID_MOUNTS                                                                              \
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"                          \
    "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"                         \
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:3 master:1 - cgroup cgroup rw,memory\n" \
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
#define DOCKER_V1 "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"

static const struct {
    const char *what, *cgroup, *mounts, *where; /* NULL: none */
} places[] = {
    {"version 2", "0::/user.slice/a.scope\n", V2_MOUNT,
     "/sys/fs/cgroup/user.slice/a.scope/memory.max"},
    {"version 2, root of its name space", "0::/\n", V2_MOUNT, "/sys/fs/cgroup/memory.max"},
    {"version 2, outside of its name space", "0::/../other\n", V2_MOUNT,
     "/sys/fs/cgroup/memory.max"},
    {"both, memory in version 1", "5:pids:/x\n4:memory:/a/b\n0::/unified\n", HYBRID_MOUNTS,
     "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes"},
    {"both, version 2 named first", "0::/unified\n4:cpu,memory:/a\n", HYBRID_MOUNTS,
     "/sys/fs/cgroup/memory/a/memory.limit_in_bytes"},
    {"both, memory in version 2", "5:pids:/x\n0::/unified\n", HYBRID_MOUNTS,
     "/sys/fs/cgroup/unified/unified/memory.max"},
    {"version 1, part of it mounted", "4:memory:/docker/abc/job\n", DOCKER_V1,
     "/sys/fs/cgroup/memory/job/memory.limit_in_bytes"},
    {"version 1, another part mounted", "4:memory:/docker/abcdef\n", DOCKER_V1,
     "/sys/fs/cgroup/memory/memory.limit_in_bytes"},
    {"not mounted", "4:memory:/a\n", V2_MOUNT, NULL},
    {"no group", "4:cpu:/a\n", HYBRID_MOUNTS, NULL},
    {"nothing", "", "", NULL},
    {"nonsense", "0:\n0::x\n:::\n\n4:memory", "1 2 3\n - \n\n", NULL},
};

static void the_limit_is_looked_for_where_the_kernel_mounts_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        an_cgroup g;
        char got[200] = "";
        if (an_cgroup_find(an_slice_str(places[i].cgroup), an_slice_str(places[i].mounts), &g)) {
            (void)snprintf(got, sizeof got, "%.*s%.*s/%s", AN_PRI(g.mount), AN_PRI(g.path), g.file);
        }
        const char *want = places[i].where == NULL ? "" : places[i].where;
        if (strcmp(got, want) != 0) fail_msg("%s: %s, not %s", places[i].what, got, want);
    }
}

/* A folder that stands for "/": files and the folders above them are made as needed. */
static char root[] = "/tmp/anneal-sysmem-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[300];

    assert_true(snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path);
    for (char *at = path + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        (void)mkdir(path, 0700); /* there already: fine */
        *at = '/';
    }
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void drop(const char *name)
{
    char path[300];

    assert_true(snprintf(path, sizeof path, "%s%s", root, name) < (int)sizeof path);
    assert_int_equal(remove(path), 0);
}

static void the_lowest_limit_of_the_group_and_its_parents_counts(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(root));
    an_sysmem m = an_sysmem_read(root); /* an empty machine */
    assert_true(m.ram_bytes == 0 && m.rss_bytes == 0 && m.rss_peak_bytes == 0);
    assert_true(m.cgroup_bytes == UINT64_MAX);

    put("/proc/meminfo", "MemTotal:       4000 kB\nMemFree:        1000 kB\n");
    put("/proc/self/status", "Name:\ta\nVmHWM:\t   30 kB\nVmRSS:\t   20 kB\n");
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/proc/self/mountinfo", V2_MOUNT);
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    m = an_sysmem_read(root);
    assert_true(m.ram_bytes == 4000 * 1024 && m.rss_bytes == 20 * 1024);
    assert_true(m.rss_peak_bytes == 30 * 1024 && m.cgroup_bytes == UINT64_MAX);

    put("/sys/fs/cgroup/a/memory.max", "3000\n");
    assert_true(an_sysmem_read(root).cgroup_bytes == 3000);
    put("/sys/fs/cgroup/a/b/memory.max", "5000\n");
    assert_true(an_sysmem_read(root).cgroup_bytes == 3000);
    put("/sys/fs/cgroup/a/b/memory.max", "2000\n");
    assert_true(an_sysmem_read(root).cgroup_bytes == 2000);
    put("/sys/fs/cgroup/memory.max", "1000\n");
    assert_true(an_sysmem_read(root).cgroup_bytes == 1000);

    static const char *const made[] = {"/sys/fs/cgroup/memory.max",
                                       "/sys/fs/cgroup/a/memory.max",
                                       "/sys/fs/cgroup/a/b/memory.max",
                                       "/sys/fs/cgroup/a/b",
                                       "/sys/fs/cgroup/a",
                                       "/sys/fs/cgroup",
                                       "/sys/fs",
                                       "/sys",
                                       "/proc/meminfo",
                                       "/proc/self/status",
                                       "/proc/self/cgroup",
                                       "/proc/self/mountinfo",
                                       "/proc/self",
                                       "/proc",
                                       ""};
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) drop(made[i]);
}

static void this_process_has_memory(void **state)
{
    (void)state;
    an_sysmem m = an_sysmem_read("");

    assert_true(m.rss_bytes > 100000 && m.rss_bytes <= m.rss_peak_bytes);
    assert_true(m.rss_peak_bytes < m.ram_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_found_by_their_whole_name),
        cmocka_unit_test(limits_are_numbers_or_none),
        cmocka_unit_test(the_limit_is_looked_for_where_the_kernel_mounts_it),
        cmocka_unit_test(the_lowest_limit_of_the_group_and_its_parents_counts),
        cmocka_unit_test(this_process_has_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
