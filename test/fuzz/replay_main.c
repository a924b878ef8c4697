// SPDX-License-Identifier: Apache-2.0
/* Feeds every file of a corpus to a fuzz target, and every prefix of the small ones: the run of
 * fuzz targets in the ordinary tests. No file at all is a failure. */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PREFIXES_UP_TO = 2048 };

/* In exactly n bytes of memory, so that ASan sees the first one too far. */
static void feed(const uint8_t *p, size_t n)
{
    uint8_t *copy = malloc(n == 0 ? 1 : n);

    if (copy == NULL) abort();
    if (n > 0) memcpy(copy, p, n);
    (void)LLVMFuzzerTestOneInput(copy, n); /* 0 by contract */
    free(copy);
}

static int replay(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *f = fopen(path, "re");

    if (f == NULL) {
        perror(path);
        return 1;
    }
    size_t n = fread(bytes, 1, sizeof bytes, f);
    int bad = ferror(f) != 0 || n == sizeof bytes;
    if (fclose(f) != 0 || bad) {
        fprintf(stderr, "%s: cannot be read, or is too large for a corpus\n", path);
        return 1;
    }
    feed(bytes, n);
    for (size_t k = 0; n <= PREFIXES_UP_TO && k < n; k++) feed(bytes, k);
    return 0;
}

static int no_dots(const struct dirent *e) { return e->d_name[0] != '.'; }

int main(int argc, char **argv)
{
    struct dirent **names = NULL;
    int bad = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
        return 2;
    }
    int n = scandir(argv[1], &names, no_dots, alphasort);
    if (n <= 0) {
        fprintf(stderr, "%s: no corpus\n", argv[1]);
        return 1;
    }
    for (int i = 0; i < n; i++) {
        char path[4096];
        int len = snprintf(path, sizeof path, "%s/%s", argv[1], names[i]->d_name);
        bad |= len < 0 || (size_t)len >= sizeof path ? 1 : replay(path);
        free(names[i]);
    }
    free(names);
    printf("%d inputs\n", n);
    return bad;
}
