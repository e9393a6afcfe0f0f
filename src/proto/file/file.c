// SPDX-License-Identifier: MIT
// file://: a film on disk, looped for ever in real time without a break of its timestamps.
// docs/protocols/file.md.
#include "base/clock.h"
#include "base/text.h"
#include "base/url_parse.h"
#include "file_priv.h"

struct file_queue *film_queue; // for all films: two workers, so that one slow disk is not everybody's

// A disk that hangs does not hold up the end of the server for longer.
#define CLOSE_MOST_US (200 * US_PER_MS)

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct url url;
    const char *text;
    if (url_parse(input->url, &url, &text) != 0) {
        (void)text_copy(why, room, text);
        return ERR_INVALID;
    }
    if (url.host[0] || url.path[0] != '/' || !url_decode(url.path)) {
        (void)text_copy(why, room, "expected file:///path/of/a/film.mp4");
        return ERR_INVALID;
    }
    return 0;
}

static int init(const struct protocol_env *env)
{
    film_queue = file_queue_new(env->loop, "films", 2);
    return 0;
}

static void fini(const struct protocol_env *env)
{
    (void)env;
    (void)file_queue_flush(film_queue, CLOSE_MOST_US); // the streams have gone: closing is left
    file_queue_free(&film_queue);
}

const struct protocol proto_file = {
    .name = "file",
    .help = "a film on disk (MP4, MPEG-TS), looped in real time",
    .schemes = {"file"},
    .check = check,
    .pull = film_pull,
    .init = init,
    .fini = fini,
};
