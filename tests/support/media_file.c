// SPDX-License-Identifier: MIT
#include "media_file.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"
#include "format/mp4_parse.h"
#include "media/timebase.h"

static char folder[64];

static void folder_remove(void)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        perror(folder);
}

const char *media_folder(void)
{
    if (!folder[0]) {
        text_copy(folder, sizeof(folder), "/tmp/sluice-media-XXXXXX");
        ENSURE(mkdtemp(folder));
        atexit(folder_remove);
    }
    return folder;
}

int media_run(char *out, size_t room, const char *format, ...)
{
    char command[4096];
    int at = snprintf(command, sizeof(command), "cd '%s' && { ", media_folder());
    va_list args;
    va_start(args, format);
    at += vsnprintf(command + at, sizeof(command) - (size_t)at, format, args);
    va_end(args);
    ENSURE((size_t)at + 20 < sizeof(command));
    text_append(command, sizeof(command), "\n} </dev/null");
    FILE *pipe = popen(command, "r");
    ENSURE(pipe);
    size_t length = 0;
    for (int byte; (byte = fgetc(pipe)) != EOF;)
        if (out && length + 1 < room)
            out[length++] = (char)byte;
    if (out)
        out[length] = 0;
    return pclose(pipe);
}

bool media_has_ffmpeg(void)
{
    return media_run(NULL, 0, "ffmpeg -version") == 0;
}

bool media_decodes(const char *name, const char *options)
{
    char said[2000];
    int code =
        media_run(said, sizeof(said),
                  "timeout 60 ffmpeg -v warning -xerror %s -i '%s' -f null - 2>&1", options, name);
    if (code != 0 || said[0])
        fprintf(stderr, "ffmpeg on %s: exit %d\n%s\n", name, code, said);
    return code == 0 && !said[0];
}

void media_write(const char *name, const struct chain *chain, const struct buf *head)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", media_folder(), name);
    FILE *file = fopen(path, "wb");
    ENSURE(file);
    if (head)
        ENSURE(fwrite(head->data, 1, head->length, file) == head->length);
    for (size_t i = 0; i < chain->count; i++) {
        const struct chain_slice *slice = &chain->slices[chain->first + i];
        ENSURE(fwrite(slice->buf->data + slice->offset, 1, slice->length, file) == slice->length);
    }
    ENSURE(fclose(file) == 0);
}

struct buf *media_read(const char *path)
{
    char whole[300];
    snprintf(whole, sizeof(whole), "%s%s%s", path[0] == '/' ? "" : media_folder(),
             path[0] == '/' ? "" : "/", path);
    FILE *file = fopen(whole, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    size_t length = (size_t)ftell(file);
    rewind(file);
    struct buf *buf = buf_new(length);
    buf->length = fread(buf->data, 1, length, file);
    ENSURE(buf->length == length);
    fclose(file);
    return buf;
}

struct mp4_movie *media_movie(struct bytes file)
{
    struct mp4_movie *movie = NULL;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t at = 0; at < file.length;) {
            char type[5];
            uint64_t size;
            ENSURE(mp4_box_peek(bytes_of(file.data + at, file.length - at), type, &size) == 0);
            struct bytes box = {file.data + at, size ? size : file.length - at};
            ENSURE(box.length <= file.length - at);
            if (pass == 0 && strcmp(type, "moov") == 0)
                ENSURE(mp4_movie_parse(box, &movie) == 0);
            if (pass == 1 && strcmp(type, "moof") == 0)
                ENSURE(mp4_movie_add_fragment(movie, box, at) == 0);
            at += box.length;
        }
        ENSURE(movie);
    }
    return movie;
}

void media_load(struct media *media, const char *path, int64_t start_us)
{
    struct buf *file = media_read(path);
    ENSURE(file);
    struct mp4_movie *movie = media_movie(buf_bytes(file));
    *media = (struct media){.tracks = tracks_ref(mp4_movie_tracks(movie))};
    struct mp4_sample sample;
    while (mp4_movie_next(movie, &sample) == 0) {
        struct buf *payload;
        ENSURE(sample.offset + sample.length <= file->length);
        ENSURE(mp4_sample_payload(movie, &sample,
                                  bytes_of(file->data + sample.offset, sample.length),
                                  &payload) == 0);
        struct frame *frame = frame_new(sample.track, &payload);
        uint32_t timescale = media->tracks->track[sample.track].timescale;
        frame->flags = sample.key ? FRAME_KEY : 0;
        frame->dts = sample.dts + ticks_from_us(start_us, timescale);
        frame->cts = sample.cts;
        frame->duration = sample.duration;
        media->frames = mem_resize(media->frames, (media->count + 1) * sizeof(*media->frames));
        media->frames[media->count++] = frame;
    }
    mp4_movie_free(&movie);
    buf_unref(&file);
}

void media_free(struct media *media)
{
    for (unsigned i = 0; i < media->count; i++)
        frame_unref(&media->frames[i]);
    mem_free(media->frames);
    tracks_unref(&media->tracks);
}

static int64_t frame_us(const struct media *media, const struct frame *frame)
{
    return ticks_to_us(frame->dts, media->tracks->track[frame->track].timescale);
}

struct segment *media_segment(const struct media *media, unsigned *at, int64_t min_us,
                              uint64_t number, uint8_t flags)
{
    unsigned leading = tracks_leading(media->tracks), end = *at;
    int64_t start = INT64_MIN, stop = INT64_MIN, part = INT64_MIN;
    for (; end < media->count; end++) {
        const struct frame *frame = media->frames[end];
        int64_t us = frame_us(media, frame);
        if (frame->track != leading)
            continue;
        if (start == INT64_MIN)
            start = us;
        else if (frame_is_key(frame) && us - start >= min_us)
            break;
        stop = us + ticks_to_us(frame->duration, media->tracks->track[leading].timescale);
    }
    struct segment_info info = {.number = number,
                                .utc_start_us = start,
                                .duration_us = stop - start,
                                .generation = 1,
                                .flags = flags};
    struct segment *segment = segment_new(&info, media->tracks);
    for (; *at < end; ++*at) {
        struct frame *frame = frame_ref(media->frames[*at]);
        int64_t us = frame_us(media, frame);
        bool begins = false;
        if (frame->track == leading && (part == INT64_MIN || us - part >= PART_DURATION_US)) {
            begins = part != INT64_MIN;
            part = us;
        }
        segment_add_frame(segment, &frame, begins);
    }
    return segment;
}
