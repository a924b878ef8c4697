// SPDX-License-Identifier: Apache-2.0
/* cli/commands.h: what each command does once its flags are understood. Every function returns the
 * exit code of the process; one file per command holds it. */
#pragma once
#include "cli/cli.h"

int an_run_compact(an_cli *cli);
int an_run_plan(an_cli *cli);
int an_run_bucket_ls(an_cli *cli);
int an_run_bucket_inspect(an_cli *cli);
int an_run_bucket_timeline(an_cli *cli);
int an_run_bucket_mark(an_cli *cli);
/* Says by name that the command is not built yet; exit code 1. */
int an_run_not_built(an_cli *cli);
