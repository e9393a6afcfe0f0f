// SPDX-License-Identifier: MIT
// Names of exports, and what they ask of the disk beside reading and writing.
#ifndef PROTO_MP4_EXPORT_DISK_H
#define PROTO_MP4_EXPORT_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// A name below the folder of exports: letters, digits, ".", "-", "_"; parts between single slashes,
// none of which begins with a dot; ends in .mp4.
bool export_name_is_good(const char *name);

// The next two block: for a worker.
//
// Gives the whole file its name, for good: the folder is synced. Nothing is ever overwritten.
// ERR_EXISTS: the name is taken; ERR_IO: it could not be given, and is not there. In both cases the
// file is still at `part`, or nowhere.
MUST_USE int export_name_now(const char *part, const char *path);
// Locks the folder against other servers, and removes what exports that were cut off have left
// below it (*.mp4.part; not through links, not in hidden folders). *lock: a descriptor that holds
// the lock, to be closed; -1 when there is none, and then nothing is removed. Returns how many were
// removed; ERR_NOT_FOUND: there is no such folder; ERR_EXISTS: another server exports to it;
// ERR_IO.
MUST_USE int64_t export_sweep_now(const char *folder, int *lock);

#endif
