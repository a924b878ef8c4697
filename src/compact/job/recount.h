// SPDX-License-Identifier: Apache-2.0
/* compact/job/recount.h: are the sample counts in chunk headers true? A header that counts more
 * samples than its payload holds has a good CRC and would be copied as it is; readers then see
 * samples that nobody wrote. So when the headers of a block do not add up to the numSamples of its
 * meta.json, all its chunks are decoded, once. Threads: one. */
#pragma once
#include "bucket/chunk_reader.h"

/* AN_ECORRUPT, cause chunk-count: a payload ends before its header says, or its times do not rise,
 * or leave the range that the index gives. AN_OK: the headers are right and meta.json is not. */
AN_MUST_CHECK an_rc an_recount(const an_block_reader *r, const an_window_opts *index_windows,
                               const an_chunk_reader_opts *chunks, an_err *err);
