// SPDX-License-Identifier: MIT
// The texts a configuration is made of, by path, in memory: the file itself and what it includes.
// Reading them from disk is conf_load's business, so that a reload never waits for a disk inside
// the loop; making sense of them is conf_parse's.
#ifndef DAEMON_CONF_FILES_H
#define DAEMON_CONF_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

// A configuration of 20,000 streams is 4 MB; a hundred files a customer is a lot.
enum { CONF_TEXT_MAX = 64 << 20, CONF_FILES_MAX = 10000, CONF_PATH_MAX = 4096 };

struct conf_files;

struct conf_files *conf_files_new(void);
void conf_files_free(struct conf_files **files); // NULL is fine
// The text of a file (copied), or why it cannot be read ("No such file or directory").
void conf_files_put(struct conf_files *files, const char *path, struct bytes text);
void conf_files_put_error(struct conf_files *files, const char *path, const char *why);
// A folder's listing as io/file gives it: lines "f name size\n" and "d name\n".
void conf_files_put_folder(struct conf_files *files, const char *path, struct bytes listing);
size_t conf_files_count(const struct conf_files *files);
bool conf_files_has(const struct conf_files *files, const char *path);
// The text, borrowed; false with *why when it could not be read. *path_kept: the path with the life
// of `files`.
bool conf_files_get(const struct conf_files *files, const char *path, struct bytes *text,
                    const char **path_kept, const char **why);

// The path that an include in file `from` means; false when it is too long.
bool conf_files_resolve(const char *from, const char *pattern, char *out, size_t room);
// Whether it has a star, which may stand only in its last part: splits it into folder and pattern.
// Room of CONF_PATH_MAX each. 0: no star; 1: split; ERR_INVALID: a star in a folder's name.
int conf_files_split(const char *path, char *folder, char *pattern);
// Calls each for every file of the folder that fits, in the order of names; names that begin with a
// dot need a pattern that does. False with *why when the folder could not be read.
bool conf_files_match(const struct conf_files *files, const char *folder, const char *pattern,
                      void (*each)(void *arg, const char *path), void *arg, const char **why);

#endif
