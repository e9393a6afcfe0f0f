// SPDX-License-Identifier: MIT
// The catalogue on the wire: what a server offers. Full once, then deltas the moment something
// changes. Tables: docs/formats/catalogue.md.
//
//   opening message (asker): version (1)
//   each message (offerer): records one after another. Numbers are varints unless said.
//
//   entry   0  1  type = 1
//           1  1  flags: live 1, kept running 2, archive 4
//           2  1  hops: 0 for a stream of the offerer's own, else the offer it comes from + 1
//              v  archive_from_us: UTC start of the archive, 0 when unknown or none
//              v  length and bytes: name
//              v  length and bytes: title
//              v  length and bytes: tracks, as text ("h264:1920x1080,aac")
//   gone    0  1  type = 2
//              v  length and bytes: name
//   complete 0 1  type = 3: every stream there is has been told
#ifndef CLUSTER_CATALOGUE_WIRE_H
#define CLUSTER_CATALOGUE_WIRE_H

#include "base/limits.h"
#include "base/writer.h"

enum catalogue_type { CATALOGUE_ENTRY = 1, CATALOGUE_GONE = 2, CATALOGUE_COMPLETE = 3 };
enum { CATALOGUE_LIVE = 1, CATALOGUE_STATIC = 2, CATALOGUE_ARCHIVE = 4 };
enum { CATALOGUE_VERSION = 1, CATALOGUE_TITLE_MAX = 256, CATALOGUE_TRACKS_MAX = 96 };

struct catalogue_record {
    enum catalogue_type type;
    uint8_t flags, hops;
    int64_t archive_from_us;
    char name[STREAM_NAME_MAX];
    char title[CATALOGUE_TITLE_MAX];
    char tracks[CATALOGUE_TRACKS_MAX];
};

void catalogue_write(struct writer *writer, const struct catalogue_record *record);
// Moves past one record. ERR_NOT_FOUND at the end, ERR_INVALID.
MUST_USE int catalogue_parse(struct bytes *in, struct catalogue_record *out);

#endif
