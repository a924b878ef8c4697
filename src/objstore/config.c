// SPDX-License-Identifier: Apache-2.0
#include "objstore/config.h"

#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/yaml.h"
#include "objstore/prefix.h"

static const char *const known[] = {"S3",        "GCS",        "AZURE", "SWIFT", "COS",
                                    "ALIYUNOSS", "FILESYSTEM", "BOS",   "OCI",   "OBS"};

typedef struct top {
    an_slice type, prefix;
    const an_yaml *config;
} top;

/* The known type of that name in any case, or NULL. Go's upper case of other letters never makes
 * one of these. */
static const char *known_type(an_slice name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i]), same = 0;
        while (name.n == n && same < n) {
            uint8_t c = name.p[same];
            if (c >= 'a' && c <= 'z') c = (uint8_t)(c - ('a' - 'A'));
            if (c != (uint8_t)known[i][same]) break;
            same++;
        }
        if (same == n) return known[i];
    }
    return NULL;
}

static an_rc parse_filesystem(an_arena *a, const an_yaml *section, an_bucket_config *out,
                              an_err *err)
{
    static const an_yaml_field fields[] = {
        {"directory", AN_YAML_TO_STRING, offsetof(an_bucket_config, directory)},
    };
    an_rc rc = AN_OK;

    if (section != NULL)
        AN_TRY(
            an_yaml_decode(a, section, "filesystem.Config", fields, 1, AN_YAML_LENIENT, out, err));
    AN_CHECK(out->directory.n > 0, err, AN_EINVALID, "missing directory for filesystem bucket");
    AN_CHECK(memchr(out->directory.p, '\0', out->directory.n) == NULL, err, AN_EINVALID,
             "directory for filesystem bucket has a NUL in its name");
out:
    return rc;
}

an_rc an_bucket_config_parse(an_arena *a, an_slice yaml, an_bucket_config *out, an_err *err)
{
    static const an_yaml_field fields[] = {
        {"type", AN_YAML_TO_STRING, offsetof(top, type)},
        {"config", AN_YAML_TO_NODE, offsetof(top, config)},
        {"prefix", AN_YAML_TO_STRING, offsetof(top, prefix)},
    };
    an_rc rc = AN_OK;
    an_bucket_config c = {0};
    top t = {0};
    const an_yaml *doc = NULL;

    rc = an_yaml_parse(a, yaml, AN_YAML_DUP_ERROR, &doc, err);
    if (rc == AN_OK)
        rc = an_yaml_decode(a, doc, "client.BucketConfig", fields, 3, AN_YAML_STRICT, &t, err);
    if (rc != AN_OK) {
        an_err_wrap(err, "parsing config YAML file");
        goto out;
    }
    const char *type = known_type(t.type);
    AN_CHECK(type != NULL, err, AN_EINVALID, "bucket with type %.*s is not supported",
             AN_PRI(t.type));
    AN_CHECK_CAUSE(strcmp(type, "FILESYSTEM") == 0, err, AN_EUNSUPPORTED, AN_CAUSE_NOT_BUILT,
                   "create %.*s client: buckets of type %s are not built into this version yet",
                   AN_PRI(t.type), type);
    if (t.config != NULL) AN_TRY(an_yaml_normalize(a, t.config, &t.config, err));
    rc = parse_filesystem(a, t.config, &c, err);
    if (rc != AN_OK) {
        an_err_wrap(err, "create %.*s client", AN_PRI(t.type));
        goto out;
    }
    c.type = t.type;
    c.prefix = an_prefix_trim(t.prefix);
    *out = c;
out:
    if (rc != AN_OK) (void)an_err_cause(err, AN_CAUSE_STORE_CONFIG);
    return rc;
}

/* A prefix as a file system reads it: `.`, `..` and double slashes are resolved in the text, as Go
 * does when it joins names. False: it leads out. */
static bool clean(an_slice prefix, an_buf *out)
{
    for (size_t i = 0, start = 0; i <= prefix.n; i++) {
        if (i < prefix.n && prefix.p[i] != '/') continue;
        an_slice part = {prefix.p + start, i - start};
        start = i + 1;
        if (part.n == 0 || an_slice_eq(part, AN_LIT("."))) continue;
        if (!an_slice_eq(part, AN_LIT(".."))) {
            if (out->n > 0) an_buf_u8(out, '/');
            an_buf_slice_add(out, part);
            continue;
        }
        if (out->n == 0) return false;
        while (out->n > 0 && out->p[out->n - 1] != '/') out->n--;
        if (out->n > 0) out->n--;
    }
    return true;
}

an_rc an_bucket_config_open(const an_bucket_config *c, const an_fs_opts *fs, an_bucket **out,
                            an_err *err)
{
    an_rc rc = AN_OK;
    an_fs_opts opts = fs != NULL ? *fs : (an_fs_opts){0};
    an_arena *a = an_arena_new(NULL);
    an_bucket *b = NULL;
    an_buf prefix;

    *out = NULL;
    an_buf_init(&prefix, AN_KEY_MAX, NULL);
    AN_CHECK(clean(c->prefix, &prefix) && !prefix.failed, err, AN_EINVALID,
             "prefix %.*s leads out of the bucket, or is too long", AN_PRI(c->prefix));
    an_slice p = an_buf_slice(&prefix);
    opts.tmp = p.n > 0 ? an_arena_printf(a, "%.*s/anneal/tmp", AN_PRI(p)) : NULL;
    AN_TRY(an_fs_open(an_arena_str(a, c->directory), &opts, &b, err));
    AN_TRY(an_prefix_bucket_new(b, p, out, err));
    b = NULL;
out:
    if (rc != AN_OK) {
        (void)an_err_cause(err, AN_CAUSE_STORE_CONFIG);
        an_err_wrap(err, "create %.*s client", AN_PRI(c->type));
    }
    an_bucket_free(b);
    an_buf_deinit(&prefix);
    an_arena_free(a);
    return rc;
}
