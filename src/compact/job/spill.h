// SPDX-License-Identifier: Apache-2.0
/* compact/job/spill.h: scratch files below data-dir for what does not fit a job's memory: symbol
 * strings, symbol maps, postings. A file has no name from the moment it is open, so nothing is left
 * behind by a crash. The disk being full is AN_ERETRY, cause disk-full. Threads: one. */
#pragma once
#include "base/stream.h"

typedef struct an_spill_dir an_spill_dir;

/* `dir` must exist; no file is made before the first is needed. Never fails. */
an_spill_dir *an_spill_dir_new(const char *dir);
void an_spill_dir_free(an_spill_dir *d);             /* all files closed; NULL is fine */
const an_spill *an_spill_dir_table(an_spill_dir *d); /* as long as d */
