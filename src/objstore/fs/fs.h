// SPDX-License-Identifier: Apache-2.0
/* objstore/fs/fs.h: a bucket that is a folder: key `a/b` is the file `a/b` below it.
 *
 * Never half an object: what is written goes to a file below `anneal/tmp/` first and is renamed
 * into its place; upstream, which lists top-level names of the form of a block only, does not see
 * that folder, and neither do our listings.
 *
 * Never outside: every part of a key is opened below its folder with O_NOFOLLOW, so neither names
 * nor links lead out. A symbolic link is listed (as upstream lists it) but reading it is
 * AN_EDENIED with a text that says so. Folders are no objects: they are made when needed and
 * removed when the last object in them is deleted. Sockets, pipes and devices do not exist here.
 *
 * Errors: no permission, read-only: AN_EDENIED (cause store-denied, when deleting delete-denied);
 * no space, quota, file size limit: AN_ERETRY (disk-full); no descriptors: AN_ERETRY
 * (fd-map-limit); other failures of the disk: AN_ERETRY. Texts name the absolute path.
 *
 * Reads keep a few files open. A listing, a stat and every change through this bucket forget what
 * they may concern; a file that somebody else replaces is read in its old form until then.
 *
 * Threads: internally locked (`mu` of the descriptor table, a leaf lock, never held over I/O). */
#pragma once
#include "objstore/bucket.h"

enum { /* an_fs_opts.without: calls that a file system may lack, switched off by tests */
       AN_FS_WITHOUT_RENAME_NOREPLACE = 1,
       AN_FS_WITHOUT_LINK = 2,
};

typedef struct an_fs_opts {
    const char *tmp;   /* key of the folder of unfinished files; NULL: "anneal/tmp" */
    unsigned max_open; /* files kept open for reading; 0: an eighth of RLIMIT_NOFILE, at most 128 */
    unsigned without;
    /* Called before each step that changes something, with its name ("mkdir", "create", "write",
     * "fsync", "fsync-dir", "rename", "link", "unlink", "rmdir") and the key concerned. Anything
     * but AN_OK ends the operation there, as a crash or a full disk would: that is how tests stop
     * at every step. NULL: none. */
    an_rc (*step)(void *arg, const char *name, an_slice key, an_err *err);
    void *step_arg;
} an_fs_opts;

/* `dir` may be relative; it is made absolute as Go does it, without looking at links. AN_EINVALID,
 * cause store-config: there is no such folder, or it is a file. opts may be NULL. */
AN_MUST_CHECK an_rc an_fs_open(const char *dir, const an_fs_opts *opts, an_bucket **out,
                               an_err *err);
