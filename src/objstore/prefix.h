// SPDX-License-Identifier: Apache-2.0
/* objstore/prefix.h: a decorator that keeps a bucket's objects below a folder of another: key `a`
 * here is `<prefix>/a` there. Listings and the object of an error speak of keys here.
 *
 * Threads: immutable; as the inner bucket. */
#pragma once
#include "objstore/bucket.h"

/* The setting `prefix` without the slashes at both ends; inner ones stay. Empty: no prefix.
 * spec/operations.md 2.1 */
an_slice an_prefix_trim(an_slice setting);

/* Takes `inner` over on success. AN_EINVALID, cause store-config: the prefix has empty, `.` or `..`
 * parts or is too long. An empty one gives `inner` back as it is. */
AN_MUST_CHECK an_rc an_prefix_bucket_new(an_bucket *inner, an_slice prefix, an_bucket **out,
                                         an_err *err);
