// SPDX-License-Identifier: Apache-2.0
/* An XOR chunk. */
#include "fuzz/chunk_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    chunk_fuzz_read(AN_ENC_XOR, an_slice_of(data, size));
    return 0;
}
