// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <string.h>
#include <unistd.h>

#include "base/journal.h"
#include "cli/content.h"
#include "cli/notbuilt.h"
#include "cli/terminal.h"
#include "objstore/config.h"

static an_log_level level_of(const char *text)
{
    an_log_level level = AN_LOG_ERROR;

    while (level < AN_LOG_DEBUG && strcmp(an_log_level_name[level], text) != 0) level++;
    return level;
}

static an_log_format format_of(const char *text)
{
    if (strcmp(text, "json") == 0) return AN_LOG_JSON;
    return strcmp(text, "journald") == 0 ? AN_LOG_JOURNAL : AN_LOG_LOGFMT;
}

static an_rc open_log(an_command *c, an_err *err)
{
    const an_flags *fs = &c->cli->flags;
    an_log_opts o = {
        .level = level_of(an_flag_text(fs, "log.level")),
        .format = format_of(an_flag_text(fs, "log.format")),
        .name = an_flag_text(fs, "debug.name"),
        .sink = an_screen_line,
        .arg = &c->screen,
    };
    an_rc rc = AN_OK;

    if (o.format == AN_LOG_JOURNAL) {
        if ((rc = an_journal_open(NULL, &c->journal, err)) != AN_OK) {
            an_err_wrap(err, "failed to create logger");
            return rc;
        }
        o.sink = an_journal_send;
        o.arg = &c->journal;
    }
    c->log = an_log_new(&o);
    return rc;
}

/* Checks of flags that every command has; their errors have texts of their own. False: told. */
static bool check_common(an_command *c)
{
    const an_flags *fs = &c->cli->flags;
    double ratio = an_flag_get(fs, "auto-gomemlimit.ratio")->real;
    an_buf content;
    an_err err;

    if (ratio <= 0 || ratio > 1) {
        AN_LOG(&c->log, AN_LOG_ERROR, "failed to configure Go runtime memory limits",
               AN_STR("err", "--auto-gomemlimit.ratio must be greater than 0 and less than or "
                             "equal to 1."));
        return false;
    }
    an_buf_init(&content, AN_CONTENT_MAX, NULL);
    an_rc rc = an_content_read(fs, "tracing.config", AN_CONTENT_OPTIONAL, &content, &err);
    if (rc != AN_OK) {
        AN_LOG(&c->log, AN_LOG_ERROR, "getting tracing config failed", AN_ERR(&err));
    } else if (content.n > 0) {
        rc = AN_FAIL(&err, AN_EINVALID, "tracing failed: trace export is not built yet");
        AN_LOG(&c->log, AN_LOG_ERROR, NULL, AN_ERR(&err));
    }
    an_buf_deinit(&content);
    return rc == AN_OK;
}

static void warn_idle(an_command *c)
{
    an_buf names;

    an_buf_init(&names, 4096, NULL);
    if (an_not_built_idle(&c->cli->flags, &names)) {
        AN_LOG(&c->log, AN_LOG_WARN, "flags have no effect in this version, ignoring",
               AN_TEXT("flags", an_buf_slice(&names)));
    }
    an_buf_deinit(&names);
}

static int finish(an_command *c, an_rc rc, bool prepared, int signo, an_err *err)
{
    if (rc == AN_ECANCELED && signo != 0) {
        AN_LOG(&c->log, AN_LOG_INFO, "exiting", AN_STR("interrupted", an_signal_name(signo)),
               AN_STR("note", "not all work was done; the next run goes on from here"));
        return 0;
    }
    if (rc != AN_OK) {
        an_err_wrap(err, prepared ? "%s command failed" : "preparing %s command failed", c->name);
        AN_LOG(&c->log, AN_LOG_ERROR, NULL, AN_ERR(err));
        return 1;
    }
    AN_LOG(&c->log, AN_LOG_INFO, "exiting");
    return 0;
}

/* What was started here is stopped here. */
static int run_parts(an_command *c, an_command_fn prepare, an_command_fn work)
{
    an_signals *signals = NULL;
    an_err err = {0};
    bool prepared = false;
    an_rc rc = an_signals_start(&c->log, &c->ctx, &signals, &err);

    if (rc == AN_OK) {
        warn_idle(c);
        rc = prepare(c, &err);
        prepared = rc == AN_OK;
    }
    if (rc == AN_OK && work != NULL) rc = work(c, &err);
    return finish(c, rc, prepared, an_signals_stop(signals), &err);
}

int an_command_run(an_cli *cli, an_command_fn prepare, an_command_fn work, void *arg)
{
    an_command c = {.cli = cli, .a = cli->a, .arg = arg, .journal = -1};
    an_buf name;
    an_err err;
    int code = 1;

    an_buf_init(&name, 256, NULL);
    an_parse_cmd_name(&name, &cli->parse);
    c.name = an_arena_str(cli->a, an_buf_slice(&name));
    an_buf_deinit(&name);
    an_ctx_init(&c.ctx, NULL);
    an_screen_init(&c.screen, AN_FD_ERR);
    if (open_log(&c, &err) == AN_OK) {
        if (check_common(&c)) code = run_parts(&c, prepare, work);
        an_log_free(&c.log);
    } else {
        an_buf_printf(&cli->err, "%s\n", err.msg);
    }
    if (c.journal >= 0) (void)close(c.journal);
    an_screen_deinit(&c.screen);
    return code;
}

an_rc an_command_bucket(an_command *c, bool required, an_bucket **out, an_err *err)
{
    an_rc rc = AN_OK;
    an_buf yaml;
    an_bucket_config config;

    *out = NULL;
    an_buf_init(&yaml, AN_CONTENT_MAX, NULL);
    AN_TRY(an_content_read(&c->cli->flags, "objstore.config",
                           required ? AN_CONTENT_REQUIRED : AN_CONTENT_OPTIONAL, &yaml, err));
    AN_CHECK(
        yaml.n > 0, err, AN_EINVALID,
        "no bucket is configured: --objstore.config-file or --objstore.config says where it is");
    AN_LOG(&c->log, AN_LOG_INFO, "loading bucket configuration");
    AN_TRY(an_bucket_config_parse(c->a, an_buf_slice(&yaml), &config, err));
    AN_TRY(an_bucket_config_open(&config, NULL, out, err));
out:
    an_buf_deinit(&yaml);
    return rc;
}
