// SPDX-License-Identifier: Apache-2.0
#include "cli/content.h"

#include <stdlib.h>

#include "base/expand.h"
#include "cli/textfile.h"

static const char *process_env(void *arg, const char *name)
{
    (void)arg;
    return getenv(name); // NOLINT(concurrency-mt-unsafe): nobody sets variables
}

an_rc an_content_read(const an_flags *fs, const char *name, an_content_need need, an_buf *out,
                      an_err *err)
{
    an_rc rc = AN_OK;
    an_buf file_flag, raw;

    an_buf_init(&file_flag, 256, NULL);
    an_buf_init(&raw, AN_CONTENT_MAX, NULL);
    an_buf_printf(&file_flag, "%s-file", name);
    an_buf_u8(&file_flag, 0);
    const char *file_name = (const char *)file_flag.p;
    const char *path = an_flag_text(fs, file_name), *text = an_flag_text(fs, name);

    AN_CHECK(*path == 0 || *text == 0, err, AN_EINVALID, "both %s and %s flags set.", file_name,
             name);
    an_buf_str(&raw, text);
    if (*path != 0 && (rc = an_textfile_read(path, &raw, err)) != AN_OK) {
        an_err_wrap(err, "loading file %s for %s", path, file_name);
        goto out;
    }
    AN_CHECK(raw.n > 0 || need == AN_CONTENT_OPTIONAL, err, AN_EINVALID,
             "flag %s or %s is required for running this command and content cannot be empty.",
             file_name, name);
    AN_TRY(an_expand(an_buf_slice(&raw), process_env, NULL, out, err));
out:
    an_buf_deinit(&file_flag);
    an_buf_deinit(&raw);
    return rc;
}
