// SPDX-License-Identifier: Apache-2.0
/* fuzz/fuzz.h: what every fuzz target defines. Inputs are arbitrary: the answer is a result or an
 * error; a crash, a leak, an overlong run or a failed an_assert is a bug. Returns 0. */
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
