// SPDX-License-Identifier: MIT
// /etc/fstab: which file systems belong where.
#ifndef ARCHIVE_FSTAB_PARSE_H
#define ARCHIVE_FSTAB_PARSE_H

#include "base/bytes.h"

// The longest mount point that is the path (absolute) or above it, but not "/": its length, 0 when
// there is none. Lines that are not understood are passed over.
size_t fstab_mount_point(struct bytes fstab, const char *path);

#endif
