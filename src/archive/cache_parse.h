// SPDX-License-Identifier: MIT
// The files of a cache as bytes, and their names: docs/formats/cache.md. No IO.
#ifndef ARCHIVE_CACHE_PARSE_H
#define ARCHIVE_CACHE_PARSE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "media/segment.h"

enum {
    CACHE_NAME_ROOM = 112, // of a file, with its zero
    CACHE_TAIL_HEAD = 12,  // bytes of the tail in front of the init segment
};

// START-NUMBER-DURATION-BYTES-GENERATION-FLAGS.seg
void cache_name_write(const struct segment_info *info, char out[CACHE_NAME_ROOM]);
// ERR_INVALID: not a name that cache_name_write makes.
MUST_USE int cache_name_parse(struct bytes name, struct segment_info *out);
// What stands behind the segment's bytes. Count one.
struct buf *cache_tail_write(const struct buf *init, const struct buf *heads);
// Parts borrowed from `in`. ERR_INVALID: other bytes than were written.
MUST_USE int cache_tail_parse(struct bytes in, struct bytes *init, struct bytes *heads);

#endif
