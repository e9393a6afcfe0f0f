// SPDX-License-Identifier: MIT
// Real media for tests of formats: files made by ffmpeg in a folder of their own, read into tracks
// and frames; segments cut from them; ffmpeg and ffprobe as judges.
#ifndef TESTS_SUPPORT_MEDIA_FILE_H
#define TESTS_SUPPORT_MEDIA_FILE_H

#include "base/chain.h"
#include "media/segment.h"

// A folder for this test program, made on first use and removed at exit.
const char *media_folder(void);
// Runs a shell command made by printf, in that folder; its standard output goes to out (cut to
// room, NULL: thrown away). Returns its exit code.
int media_run(char *out, size_t room, const char *format, ...) PRINTF_LIKE(3, 4);
// False when ffmpeg is not there: the test skips.
bool media_has_ffmpeg(void);
// Decodes a file of the folder with `ffmpeg -v warning -xerror`; false when it says anything (it is
// shown). options: put before -i, may be "".
bool media_decodes(const char *name, const char *options);
void media_write(const char *name, const struct chain *chain, const struct buf *head);
struct buf *media_read(const char *path);

// moov and all moof boxes of an MP4 file in memory; dies (in the test) when it cannot be read.
struct mp4_movie *media_movie(struct bytes file);

// All frames of an MP4 file, in decode order over all tracks.
struct media {
    struct tracks *tracks;
    struct frame **frames;
    unsigned count;
};
// Dies (in the test) when the file cannot be read. Decode times get start_us added.
void media_load(struct media *media, const char *path, int64_t start_us);
void media_free(struct media *media);
// The next segment: from frame *at up to the first key frame of the leading track that is at least
// min_us after its start, in parts of half a second; moves *at. Number and flags as given.
struct segment *media_segment(const struct media *media, unsigned *at, int64_t min_us,
                              uint64_t number, uint8_t flags);

#endif
