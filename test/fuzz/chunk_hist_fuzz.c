// SPDX-License-Identifier: Apache-2.0
/* A histogram chunk; the first byte says which of the four encodings. */
#include "fuzz/chunk_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t encodings[] = {AN_ENC_HIST, AN_ENC_FHIST, AN_ENC_HIST_ST, AN_ENC_FHIST_ST};

    if (size > 0) chunk_fuzz_read(encodings[data[0] % 4], an_slice_of(data + 1, size - 1));
    return 0;
}
