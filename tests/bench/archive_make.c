// SPDX-License-Identifier: MIT
// Makes an archive as the server leaves it, for the figures of tests/bench/archive.py:
//
//   archive_make PATH STREAMS DAYS END_UTC [crash] [hours=N] [pictures=N] [bytes=N]
//
// Hour files of 4 s segments up to END_UTC (seconds), with their indexes, of streams s0 to
// s(STREAMS - 1). Synthetic is: a segment is one chunk of two pictures (or `pictures`) of 100
// `bytes`, the first a key frame; every stream but s0 has hard links to the files of s0. With
// "crash" each stream's newest file is its own, its index has no end, and its last chunk is torn.
// With "hours" there are so many, and not whole days.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "base/text.h"
#include "format/cmaf.h"
#include "hours.h"
#include "index_parse.h"
#include "media/h264.h"
#include "media/timebase.h"

enum { HOUR_S = 3600, SEGMENT_S = 4, PICTURES_MOST = 400 };

static unsigned pictures = 2, picture_bytes = 100;

static struct tracks *make_tracks(void)
{
    static const char avcc[] = "014d400affe10015674d400adb11ec0440000003004000000c83c489b801000568"
                               "eac3cb20";
    struct track track;
    struct buf *config = buf_new(sizeof avcc);
    ENSURE(hex_decode(avcc, sizeof avcc - 1, config->data, config->capacity, &config->length));
    ENSURE(h264_track_from_config(config, &track) == 0);
    buf_unref(&config);
    return tracks_new(&track, 1);
}

static void add_segment(struct tracks *tracks, int64_t second, struct index *index,
                        struct writer *out)
{
    struct segment_info info = {
        .number = (uint64_t)(second / SEGMENT_S),
        .utc_start_us = second * US_PER_S,
        .duration_us = SEGMENT_S * US_PER_S,
        .generation = tracks->generation,
    };
    struct frame *frames[PICTURES_MOST];
    uint32_t timescale = tracks->track[0].timescale;
    for (unsigned i = 0; i < pictures; i++) {
        struct buf *buf = buf_new(picture_bytes);
        memset(buf->data, (int)(second + i), picture_bytes);
        buf->length = picture_bytes;
        frames[i] = frame_new(0, &buf);
        frames[i]->dts =
            second * (int64_t)timescale + (int64_t)i * SEGMENT_S * timescale / pictures;
        frames[i]->duration = (uint32_t)((uint64_t)SEGMENT_S * timescale / pictures);
        frames[i]->flags = i ? 0 : FRAME_KEY;
    }
    struct chain chain = {0};
    cmaf_chunk_write(tracks, frames, pictures, &info, 0, &chain);
    struct index_entry entry = {
        .number = info.number,
        .utc_start_us = info.utc_start_us,
        .offset = writer_length(out),
        .bytes = (uint32_t)chain.bytes,
        .head_bytes = (uint32_t)chain.bytes - pictures * picture_bytes,
        .duration_us = (uint32_t)info.duration_us,
        .parts = 1,
    };
    for (size_t i = 0; i < chain.count; i++) {
        const struct chain_slice *slice = &chain.slices[chain.first + i];
        writer_bytes(out, slice->buf->data + slice->offset, slice->length);
    }
    ENSURE(index_add(index, &entry));
    chain_fini(&chain);
    for (unsigned i = 0; i < pictures; i++)
        frame_unref(&frames[i]);
}

static void put(const char *path, const struct writer *out, size_t less)
{
    int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
    size_t length = writer_length(out) - less;
    if (descriptor < 0 || write(descriptor, out->buf->data, length) != (ssize_t)length) {
        perror(path);
        exit(1);
    }
    close(descriptor);
}

static void make_folders(const char *path)
{
    char part[HOUR_PATH];
    for (const char *at = path + 1; (at = strchr(at, '/')); at++) {
        (void)text_copy_n(part, sizeof part, path, (size_t)(at - path));
        mkdir(part, 0755);
    }
}

static void file_paths(const char *folder, int64_t second, char mp4[HOUR_PATH], char idx[HOUR_PATH])
{
    hour_path(mp4, folder, (struct hour_name){.second = second}, "mp4");
    hour_path(idx, folder, (struct hour_name){.second = second}, "idx");
}

static void make_hour(struct tracks *tracks, const char *folder, int64_t second, bool torn)
{
    char mp4[HOUR_PATH], idx[HOUR_PATH];
    struct writer media = {0}, entries = {0};
    struct buf *init = cmaf_init_write_at(tracks, second * US_PER_S);
    writer_bytes(&media, init->data, init->length);
    struct index *index = index_new(tracks->generation, (uint32_t)init->length);
    buf_unref(&init);
    for (int64_t at = second; at < second + HOUR_S; at += SEGMENT_S)
        add_segment(tracks, at, index, &media);
    index->closed = !torn;
    index->file_length = writer_length(&media);
    if (torn)
        index->count -= 3; // behind the last sync
    index_write(&entries, index);
    file_paths(folder, second, mp4, idx);
    make_folders(mp4);
    put(mp4, &media, torn ? picture_bytes / 2 : 0);
    put(idx, &entries, 0);
    writer_fini(&media);
    writer_fini(&entries);
    index_unref(&index);
}

static void link_hour(const char *from, const char *folder, int64_t second)
{
    char mp4[HOUR_PATH], idx[HOUR_PATH], to_mp4[HOUR_PATH], to_idx[HOUR_PATH];
    file_paths(from, second, mp4, idx);
    file_paths(folder, second, to_mp4, to_idx);
    if (link(mp4, to_mp4) != 0) {
        make_folders(to_mp4);
        ENSURE(link(mp4, to_mp4) == 0);
    }
    ENSURE(link(idx, to_idx) == 0);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    int64_t streams = atoll(argv[2]), hours = atoll(argv[3]) * 24;
    bool crash = false;
    for (int i = 5; i < argc; i++) {
        int64_t number = strchr(argv[i], '=') ? atoll(strchr(argv[i], '=') + 1) : 0;
        if (strcmp(argv[i], "crash") == 0)
            crash = true;
        else if (text_starts(argv[i], "hours="))
            hours = number;
        else if (text_starts(argv[i], "pictures=") && number > 0 && number <= PICTURES_MOST)
            pictures = (unsigned)number;
        else if (text_starts(argv[i], "bytes=") && number > 4)
            picture_bytes = (unsigned)number;
        else
            return 2;
    }
    int64_t end = atoll(argv[4]) / HOUR_S * HOUR_S, begin = end - hours * HOUR_S;
    struct tracks *tracks = make_tracks();
    char first[HOUR_PATH - 64], folder[HOUR_PATH - 64];
    (void)text_format(first, sizeof first, "%s/s0", argv[1]);
    for (int64_t n = 0; n < streams; n++) {
        (void)text_format(folder, sizeof folder, "%s/s%lld", argv[1], (long long)n);
        for (int64_t second = begin; second < end; second += HOUR_S) {
            bool torn = crash && second + HOUR_S == end;
            if (n == 0 || torn)
                make_hour(tracks, folder, second, torn);
            else
                link_hour(first, folder, second);
        }
    }
    tracks_unref(&tracks);
    return 0;
}
