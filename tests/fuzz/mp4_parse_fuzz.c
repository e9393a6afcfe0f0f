// SPDX-License-Identifier: MIT
// An MP4 file of any bytes: its boxes are walked as a reader of files does, samples are read to the
// end twice, the payload of those that lie within the bytes is made.
#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "format/cmaf.h"
#include "format/mp4_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES_MAX = 2000 }; // constant sizes may promise billions

static struct mp4_movie *open_movie(struct bytes in)
{
    struct mp4_movie *movie = NULL;
    char type[5];
    uint64_t size;
    for (size_t at = 0; mp4_box_peek(bytes_of(in.data + at, in.length - at), type, &size) == 0;) {
        if (size == 0 || size > in.length - at)
            size = in.length - at;
        struct bytes box = bytes_of(in.data + at, (size_t)size);
        if (!movie && strcmp(type, "moov") == 0 && mp4_movie_parse(box, &movie) < 0)
            ENSURE(!movie);
        if (movie && strcmp(type, "moof") == 0 && mp4_movie_add_fragment(movie, box, at) < 0)
            break;
        at += (size_t)size;
    }
    return movie;
}

static unsigned read_samples(struct mp4_movie *movie, struct bytes in)
{
    const struct tracks *tracks = mp4_movie_tracks(movie);
    struct mp4_sample sample;
    unsigned count = 0;
    while (count < SAMPLES_MAX && mp4_movie_next(movie, &sample) == 0) {
        ENSURE(sample.track < tracks->count);
        ENSURE(sample.length > 0 && sample.length <= FRAME_BYTES_MAX);
        ENSURE(sample.offset <= INT64_MAX);
        struct buf *payload;
        if (sample.offset <= in.length && sample.length <= in.length - sample.offset &&
            mp4_sample_payload(movie, &sample, bytes_of(in.data + sample.offset, sample.length),
                               &payload) == 0)
            buf_unref(&payload);
        count++;
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size);
    struct mp4_movie *movie = open_movie(in);
    if (movie) {
        unsigned count = read_samples(movie, in);
        mp4_movie_rewind(movie);
        ENSURE(read_samples(movie, in) == count);
        ENSURE(mp4_movie_tracks(movie)->count > 0 || mp4_movie_left_out(movie)[0]);
        struct buf *init = cmaf_init_write(mp4_movie_tracks(movie));
        buf_unref(&init);
        mp4_movie_free(&movie);
    }
    mem_free(copy);
    return 0;
}
