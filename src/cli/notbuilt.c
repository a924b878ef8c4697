// SPDX-License-Identifier: Apache-2.0
#include "cli/notbuilt.h"

#include <string.h>

#include "cli/commands.h"

#define LISTENER "the HTTP listener"

const an_not_built an_not_built_table[] = {
    {AN_NOT_BUILT_FLAG, "wait", NULL, "running as a service"},
    {AN_NOT_BUILT_FLAG, "downsample.concurrency", NULL, "downsampling"},
    {AN_NOT_BUILT_FLAG, "downsample.fused", NULL, "downsampling"},
    {AN_NOT_BUILT_VALUE, "output-encoding", "xor", "changing the encoding of chunks"},
    {AN_NOT_BUILT_CONTENT, "tracing.config-file", NULL, "trace export"},
    {AN_NOT_BUILT_CONTENT, "tracing.config", NULL, "trace export"},
    {AN_NOT_BUILT_IDLE, "auto-remedy", "safe", "healing without a human"},
    {AN_NOT_BUILT_IDLE, "auto-remedy", "all", "healing without a human"},
    {AN_NOT_BUILT_IDLE, "http-address", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "http-grace-period", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "http.config", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "web.disable", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "web.route-prefix", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "web.external-prefix", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "web.prefix-header", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "web.disable-cors", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "bucket-web-label", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "disable-admin-operations", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "block-viewer.global.sync-block-interval", NULL, LISTENER},
    {AN_NOT_BUILT_IDLE, "block-viewer.global.sync-block-timeout", NULL, LISTENER},
    {AN_NOT_BUILT_COMMAND, "tools bucket verify", NULL, "verification of whole buckets"},
    {AN_NOT_BUILT_COMMAND, "tools bucket web", NULL, LISTENER},
    {AN_NOT_BUILT_COMMAND, "tools bucket replicate", NULL, "copying to another bucket"},
    {AN_NOT_BUILT_COMMAND, "tools bucket downsample", NULL, "downsampling"},
    {AN_NOT_BUILT_COMMAND, "tools bucket cleanup", NULL, "cleaning without compacting"},
    {AN_NOT_BUILT_COMMAND, "tools bucket rewrite", NULL, "rewriting blocks"},
    {AN_NOT_BUILT_COMMAND, "tools bucket retention", NULL, "retention without compacting"},
    {AN_NOT_BUILT_COMMAND, "tools bucket upload-blocks", NULL, "uploading blocks"},
    {AN_NOT_BUILT_PLAN, "downsampling", NULL, "blocks that are due are named, exit code 1"},
    {.name = NULL}};

static const an_flag *find(const an_flags *fs, const char *name)
{
    for (size_t i = 0; i < fs->n; i++) {
        if (strcmp(fs->v[i].def->name, name) == 0) return &fs->v[i];
    }
    return NULL; /* a flag of another command */
}

static bool is_default(const an_flag *f)
{
    const char *def = f->def->def;

    if (!f->set) return true;
    switch (f->def->type) {
    case AN_FLAG_BOOL:
        return f->on == (def != NULL && strcmp(def, "true") == 0);
    case AN_FLAG_INT: /* 1 and 1.0 are the same */
        return def != NULL && strcmp(def, "1") == 0 && f->number == 1;
    default:
        return strcmp(f->texts[f->n - 1], def != NULL ? def : "") == 0;
    }
}

static bool has_value(const an_flag *f, const char *value)
{
    return value == NULL || (f->n > 0 && strcmp(f->texts[f->n - 1], value) == 0);
}

an_rc an_not_built_check(const an_flags *fs, an_err *err)
{
    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++) {
        const an_flag *f = find(fs, t->name);
        if (f == NULL) continue;
        if (t->kind == AN_NOT_BUILT_FLAG && !is_default(f)) {
            return AN_FAIL(err, AN_EINVALID, "flag --%s: %s is not built yet", t->name, t->text);
        }
        if (t->kind == AN_NOT_BUILT_VALUE && has_value(f, t->value)) {
            return AN_FAIL(err, AN_EINVALID, "flag --%s=%s: %s is not built yet", t->name, t->value,
                           t->text);
        }
    }
    return AN_OK;
}

bool an_not_built_idle(const an_flags *fs, an_buf *out)
{
    size_t before = out->n;

    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++) {
        const an_flag *f = find(fs, t->name);
        if (t->kind != AN_NOT_BUILT_IDLE || f == NULL || !f->set || !has_value(f, t->value))
            continue;
        an_buf_printf(out, "%s--%s", out->n > before ? "," : "", t->name);
    }
    return out->n > before;
}

const an_not_built *an_not_built_command(const char *name)
{
    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++) {
        if (t->kind == AN_NOT_BUILT_COMMAND && strcmp(t->name, name) == 0) return t;
    }
    return NULL;
}

void an_not_built_note(an_buf *out, const char *name)
{
    bool first = true;

    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++) {
        if (t->kind == AN_NOT_BUILT_COMMAND || t->kind == AN_NOT_BUILT_PLAN) continue;
        if (strcmp(t->name, name) != 0) continue;
        an_buf_str(out, first ? " Not built yet" : ",");
        if (t->value != NULL) an_buf_printf(out, "%s %s", first ? ":" : "", t->value);
        first = false;
    }
    if (!first) an_buf_u8(out, '.');
}

void an_not_built_print(an_buf *out)
{
    unsigned flags = 0, commands = 0, plans = 0;

    for (const an_not_built *t = an_not_built_table; t->name != NULL; t++) {
        switch (t->kind) {
        case AN_NOT_BUILT_FLAG:
        case AN_NOT_BUILT_VALUE:
        case AN_NOT_BUILT_CONTENT:
        case AN_NOT_BUILT_IDLE:
            an_buf_printf(out, "flag     --%s%s%s: %s%s\n", t->name, t->value != NULL ? "=" : "",
                          t->value != NULL ? t->value : "", t->text,
                          t->kind == AN_NOT_BUILT_IDLE ? " (taken with a warning)" : "");
            flags++;
            break;
        case AN_NOT_BUILT_COMMAND:
            an_buf_printf(out, "command  %s: %s\n", t->name, t->text);
            commands++;
            break;
        case AN_NOT_BUILT_PLAN:
            an_buf_printf(out, "plan     %s: %s\n", t->name, t->text);
            plans++;
            break;
        }
    }
    an_buf_printf(out, "not built yet: %u flags or values, %u commands, %u plans\n", flags,
                  commands, plans);
}

int an_run_not_built(an_cli *cli)
{
    an_buf name;

    an_buf_init(&name, 256, NULL);
    an_parse_cmd_name(&name, &cli->parse);
    an_buf_u8(&name, 0);
    const an_not_built *t = an_not_built_command((const char *)name.p);
    an_assert(t != NULL);
    an_buf_printf(&cli->err, "%s: error: %s is not built yet (%s)\n", cli->prog, t->name, t->text);
    an_buf_deinit(&name);
    return 1;
}
