// SPDX-License-Identifier: Apache-2.0
/* base/sysmem.h: how much memory this machine has, how much of it this process may use (control
 * groups, version 1 and 2) and how much it uses.
 *
 * Everything is read from /proc and /sys, which other programs write: what is missing or not
 * understood counts as "no limit" or 0, never as an error. Threads: any. */
#pragma once
#include "base/slice.h"

#include <stdint.h>

typedef struct an_sysmem {
    uint64_t ram_bytes; /* of the machine; 0: unknown */
    uint64_t
        cgroup_bytes; /* the lowest limit of our control group and its parents; UINT64_MAX: none */
    uint64_t rss_bytes;      /* resident now; 0: unknown */
    uint64_t rss_peak_bytes; /* highest so far; 0: unknown */
} an_sysmem;

/* Reads `root`/proc and `root`/sys: "" in a program, a folder of its own in a test. */
an_sysmem an_sysmem_read(const char *root);

/* The pure parts. */

/* Of /proc/meminfo or /proc/self/status: the bytes of the line "<key>: <n> kB"; false: no such. */
bool an_sysmem_field(an_slice text, const char *key, uint64_t *bytes);

/* Where a process's memory limit stands: mount[/path]/file, and in every parent up to mount. */
typedef struct an_cgroup {
    an_slice mount, path; /* path is "" or begins with '/' */
    const char *file;     /* memory.max or memory.limit_in_bytes */
} an_cgroup;

/* From /proc/self/cgroup and /proc/self/mountinfo, into which the slices point; false: none. A path
 * outside of what is mounted (a container without a name space of its own) means the mount itself.
 */
bool an_cgroup_find(an_slice self_cgroup, an_slice mountinfo, an_cgroup *out);

/* The content of a limit file; UINT64_MAX: no limit ("max", version 1's huge number, nonsense). */
uint64_t an_cgroup_limit(an_slice text);
