// SPDX-License-Identifier: Apache-2.0
#include "cli/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static an_sysmem machine(uint64_t ram, uint64_t cgroup)
{
    return (an_sysmem){.ram_bytes = ram, .cgroup_bytes = cgroup, .rss_bytes = 8 * MIB};
}

static uint64_t limit_of(int64_t flag, an_sysmem sys)
{
    an_memory m;
    an_err err;

    if (an_memory_of(flag, &sys, &m, &err) != AN_OK) fail_msg("%s", err.msg);
    assert_int_equal(m.metadata + m.jobs, m.limit - 8 * MIB - AN_MEMORY_SLACK);
    assert_true(m.jobs >= AN_MEMORY_JOBS_MIN);
    return m.limit;
}

static void
the_default_is_half_of_the_container_else_a_gigabyte_and_never_above_half_the_ram(void **state)
{
    (void)state;
    assert_int_equal(limit_of(0, machine(64 * GIB, UINT64_MAX)), GIB);
    assert_int_equal(limit_of(0, machine(64 * GIB, 3 * GIB)), 3 * GIB / 2);
    assert_int_equal(limit_of(0, machine(GIB, UINT64_MAX)), GIB / 2);
    assert_int_equal(limit_of(0, machine(GIB, 4 * GIB)), GIB / 2);
    assert_int_equal(limit_of(0, machine(0, UINT64_MAX)), GIB); /* nobody knows the RAM */
}

static void a_given_limit_is_taken_as_it_is(void **state)
{
    (void)state;
    assert_int_equal(limit_of((int64_t)(96 * MIB), machine(64 * GIB, GIB)), 96 * MIB);
    assert_int_equal(limit_of((int64_t)(32 * GIB), machine(GIB, GIB)), 32 * GIB);
}

static void too_little_is_refused_with_what_is_needed(void **state)
{
    (void)state;
    an_sysmem sys = machine(64 * GIB, UINT64_MAX);
    an_memory m;
    an_err err;
    uint64_t need = 8 * MIB + AN_MEMORY_SLACK + AN_MEMORY_JOBS_MIN / 3 * 4;

    assert_int_equal(an_memory_of((int64_t)(need + MIB), &sys, &m, &err), AN_OK);
    assert_int_equal(an_memory_of((int64_t)(need - MIB), &sys, &m, &err), AN_EINVALID);
    assert_non_null(strstr(err.msg, "63MiB is needed (--memory-limit)"));
    assert_int_equal(an_memory_of(-1, &sys, &m, &err), AN_EINVALID);
    assert_non_null(strstr(err.msg, "negative"));
    sys = machine(64 * MIB, UINT64_MAX);
    assert_int_equal(an_memory_of(0, &sys, &m, &err), AN_EINVALID);
    assert_non_null(strstr(err.msg, "half of the container's or the machine's memory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            the_default_is_half_of_the_container_else_a_gigabyte_and_never_above_half_the_ram),
        cmocka_unit_test(a_given_limit_is_taken_as_it_is),
        cmocka_unit_test(too_little_is_refused_with_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
