// SPDX-License-Identifier: Apache-2.0
/* cli/commands.h: what each command does once its flags are understood. Every function returns the
 * exit code of the process; one file per command holds it. */
#pragma once
#include "cli/cli.h"

/* Says by name that the command is not built yet; exit code 1. */
int an_run_not_built(an_cli *cli);
