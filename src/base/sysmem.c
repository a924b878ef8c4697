// SPDX-License-Identifier: Apache-2.0
#include "base/sysmem.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FILE_MAX = 1 << 20, PATH_BYTES = 4096 }; /* mountinfo of a busy host has some 100 KiB */

/* Cuts the text before `sep` off *s; all of it when there is none. */
static an_slice cut(an_slice *s, char sep)
{
    const uint8_t *at = s->n == 0 ? NULL : memchr(s->p, sep, s->n);
    an_slice head = {s->p, at == NULL ? s->n : (size_t)(at - s->p)};
    size_t skip = at == NULL ? s->n : head.n + 1;

    s->p = skip == 0 ? s->p : s->p + skip;
    s->n -= skip;
    return head;
}

/* One of the words between commas. */
static bool has_word(an_slice list, const char *word)
{
    while (list.n > 0) {
        if (an_slice_eq(cut(&list, ','), an_slice_str(word))) return true;
    }
    return false;
}

/* Leading digits; false when there are none or too many. */
static bool number(an_slice s, uint64_t *out)
{
    uint64_t v = 0;
    size_t i = 0;

    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s.p[i] - '0', &v)) {
            return false;
        }
    }
    *out = v;
    return i > 0;
}

bool an_sysmem_field(an_slice text, const char *key, uint64_t *bytes)
{
    while (text.n > 0) {
        an_slice value = cut(&text, '\n');
        uint64_t kib;
        if (!an_slice_eq(cut(&value, ':'), an_slice_str(key))) continue;
        while (value.n > 0 && (*value.p == ' ' || *value.p == '\t')) cut(&value, (char)*value.p);
        return number(value, &kib) && !__builtin_mul_overflow(kib, 1024, bytes);
    }
    return false;
}

/* "5:cpu,memory:/path" (version 1) or "0::/path" (version 2). A machine may have both: the memory
 * controller belongs to one of them, and a line of version 1 that names it says to which. */
static bool find_path(an_slice text, an_slice *path, bool *v1)
{
    bool found = false;

    while (text.n > 0 && !(found && *v1)) {
        an_slice rest = cut(&text, '\n');
        an_slice id = cut(&rest, ':'), controllers = cut(&rest, ':');
        bool is_v1 = has_word(controllers, "memory");
        if (!is_v1 && !(controllers.n == 0 && an_slice_eq(id, AN_LIT("0")))) continue;
        if (rest.n == 0 || *rest.p != '/') continue;
        *path = rest;
        *v1 = is_v1;
        found = true;
    }
    return found;
}

/* "36 35 0:30 /root /mount options [optional ...] - type source superoptions" */
static bool find_mount(an_slice text, bool v1, an_slice *root, an_slice *mount)
{
    while (text.n > 0) {
        an_slice rest = cut(&text, '\n');
        for (int i = 0; i < 3; i++) cut(&rest, ' ');
        an_slice r = cut(&rest, ' '), m = cut(&rest, ' ');
        while (rest.n > 0 && !an_slice_eq(cut(&rest, ' '), AN_LIT("-"))) {}
        an_slice type = cut(&rest, ' ');
        cut(&rest, ' ');
        bool ours = v1 ? an_slice_eq(type, AN_LIT("cgroup")) && has_word(rest, "memory")
                       : an_slice_eq(type, AN_LIT("cgroup2"));
        if (!ours || m.n == 0) continue;
        *root = r;
        *mount = m;
        return true;
    }
    return false;
}

bool an_cgroup_find(an_slice self_cgroup, an_slice mountinfo, an_cgroup *out)
{
    an_slice path, root, mount;
    bool v1 = false;

    if (!find_path(self_cgroup, &path, &v1) || !find_mount(mountinfo, v1, &root, &mount)) {
        return false;
    }
    if (an_slice_eq(root, AN_LIT("/"))) root.n = 0;
    bool inside = an_slice_has_prefix(path, root) && (path.n == root.n || path.p[root.n] == '/') &&
                  !an_slice_has_prefix(path, AN_LIT("/..")); /* how the kernel says "outside" */
    path = inside ? an_slice_of(path.p + root.n, path.n - root.n) : AN_LIT("");
    if (an_slice_eq(path, AN_LIT("/"))) path.n = 0;
    *out = (an_cgroup){mount, path, v1 ? "memory.limit_in_bytes" : "memory.max"};
    return true;
}

uint64_t an_cgroup_limit(an_slice text)
{
    uint64_t v;

    /* Version 1 says "none" by the largest multiple of a page below 2^63. */
    return number(text, &v) && v < (uint64_t)INT64_MAX - (1 << 20) ? v : UINT64_MAX;
}

/* Appends the file, as far as it can be read; nothing when it cannot. */
static void read_file(const char *path, an_buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) return;
    while (an_buf_reserve(out, 4096)) {
        ssize_t n = read(fd, out->p + out->n, out->cap - out->n);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        out->n += (size_t)n;
    }
    (void)close(fd); /* read only: nothing can be lost */
}

static bool read_at(const char *root, const char *name, an_buf *out)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s", root, name);

    an_buf_clear(out);
    if (n > 0 && (size_t)n < sizeof path) read_file(path, out);
    return out->n > 0;
}

/* A limit holds for everything below it: the lowest of the group and its parents counts. */
static uint64_t lowest_limit(const char *root, an_cgroup g)
{
    uint64_t lowest = UINT64_MAX;
    an_buf text;

    an_buf_init(&text, FILE_MAX, NULL);
    for (;;) {
        char name[PATH_BYTES];
        int n = snprintf(name, sizeof name, "%.*s%.*s/%s", AN_PRI(g.mount), AN_PRI(g.path), g.file);
        if (n > 0 && (size_t)n < sizeof name && read_at(root, name, &text)) {
            uint64_t limit = an_cgroup_limit(an_buf_slice(&text));
            if (limit < lowest) lowest = limit;
        }
        if (g.path.n == 0) break;
        do {
            g.path.n--;
        } while (g.path.n > 0 && g.path.p[g.path.n] != '/');
    }
    an_buf_deinit(&text);
    return lowest;
}

an_sysmem an_sysmem_read(const char *root)
{
    an_sysmem m = {.cgroup_bytes = UINT64_MAX};
    an_buf a, b;
    an_cgroup g;

    an_buf_init(&a, FILE_MAX, NULL);
    an_buf_init(&b, FILE_MAX, NULL);
    if (read_at(root, "/proc/meminfo", &a)) {
        (void)an_sysmem_field(an_buf_slice(&a), "MemTotal", &m.ram_bytes); /* stays 0: unknown */
    }
    if (read_at(root, "/proc/self/status", &a)) {
        (void)an_sysmem_field(an_buf_slice(&a), "VmRSS", &m.rss_bytes);
        (void)an_sysmem_field(an_buf_slice(&a), "VmHWM", &m.rss_peak_bytes);
    }
    if (read_at(root, "/proc/self/cgroup", &a) && read_at(root, "/proc/self/mountinfo", &b) &&
        an_cgroup_find(an_buf_slice(&a), an_buf_slice(&b), &g)) {
        m.cgroup_bytes = lowest_limit(root, g);
    }
    an_buf_deinit(&a);
    an_buf_deinit(&b);
    return m;
}
