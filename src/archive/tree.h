// SPDX-License-Identifier: MIT
// Lists the hour files of a stream into archive->hours, folder by folder.
#ifndef ARCHIVE_TREE_H
#define ARCHIVE_TREE_H

struct place;
struct opening;

// done comes in a later turn: 0 (also when there is no folder yet), or ERR_IO, ERR_LIMIT and the
// errno; hours is empty then. NULL when the queue is full: then done is not called.
struct opening *tree_list(struct place *place, void (*done)(void *arg, int err, int os_error),
                          void *arg);
void tree_cancel(struct opening **opening); // NULL is fine

#endif
