// SPDX-License-Identifier: MIT
#include "fake_options.h"

#include <string.h>

#include "base/text.h"
#include "base/url_parse.h"

const struct input_option_help fake_option_help[] = {
    {"width", "64..3840", "pixels, even; 640 when absent"},
    {"height", "64..3840", "pixels, even; 360 when absent"},
    {"fps", "1..120", "pictures a second; 25 when absent"},
    {"bitrate", "bits a second", "of the video, as in 500k or 2M; by size and fps when absent"},
    {"gop", "seconds", "from one key frame to the next, as in 2 or 0.5; 2 when absent"},
    {0},
};

// Values as they are written, in thousandths: 2.5 is 2500, 500k is 500000000. 0: not given.
struct written {
    int64_t width, height, fps, bitrate, gop;
};

// A number of up to nine digits, up to three decimals, then perhaps k or M. False for anything
// else.
static bool number_read(const char *text, int64_t *thousandths)
{
    int64_t value = 0;
    unsigned digits = 0, decimals = 0;

    for (; *text >= '0' && *text <= '9' && digits < 9; text++, digits++)
        value = value * 10 + (*text - '0');
    if (digits && *text == '.')
        for (text++; *text >= '0' && *text <= '9' && decimals < 3; text++, decimals++)
            value = value * 10 + (*text - '0');
    for (; decimals < 3; decimals++)
        value *= 10;
    if (*text == 'k' || *text == 'K')
        value *= 1000, text++;
    else if (*text == 'M' || *text == 'm')
        value *= 1000000, text++;
    *thousandths = value;
    return digits && *text == 0 && value > 0;
}

static int option_set(struct written *written, const char *key, const char *value, char *why,
                      size_t room)
{
    const struct {
        const char *key;
        int64_t *value;
    } known[] = {{"width", &written->width},
                 {"height", &written->height},
                 {"fps", &written->fps},
                 {"bitrate", &written->bitrate},
                 {"gop", &written->gop}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(key, known[i].key) != 0)
            continue;
        if (number_read(value, known[i].value) &&
            (known[i].value == &written->gop || *known[i].value % 1000 == 0))
            return 0;
        (void)text_format(why, room, "%s=%s: expected a number", key, value);
        return ERR_INVALID;
    }
    (void)text_format(why, room, "unknown option '%s': fake has width, height, fps, bitrate, gop",
                      key);
    return ERR_INVALID;
}

// key=value&key=value
static int query_read(char *query, struct written *written, char *why, size_t room)
{
    char *rest = query, *pair;

    while ((pair = strsep(&rest, "&")) != NULL) {
        char *value = strchr(pair, '=');
        int err;

        if (*pair == 0)
            continue;
        if (value)
            *value++ = 0;
        err = option_set(written, pair, value ? value : "", why, room);
        if (err)
            return err;
    }
    return 0;
}

// Anything too large for an option is as wrong as the largest number that there is.
static unsigned whole(double value)
{
    return value < UINT32_MAX ? (unsigned)value : UINT32_MAX;
}

// Absent options get their usual values; then all are checked together.
static int options_complete(const struct written *written, struct fake_h264_options *out, char *why,
                            size_t room)
{
    *out = (struct fake_h264_options){
        .width = written->width ? whole(written->width / 1e3) : 640,
        .height = written->height ? whole(written->height / 1e3) : 360,
        .fps = written->fps ? whole(written->fps / 1e3) : 25,
        .bitrate = whole(written->bitrate / 1e3),
    };
    out->gop_frames = whole((written->gop ? written->gop / 1e3 : 2) * out->fps + 0.5);
    out->gop_frames = out->gop_frames ? out->gop_frames : 1;
    if (!written->bitrate)
        out->bitrate = fake_h264_bitrate_usual(out);
    return fake_h264_check(out, why, room) ? ERR_INVALID : 0;
}

int fake_options_read(const struct input_conf *input, struct fake_h264_options *out, char *why,
                      size_t room)
{
    struct written written = {0};
    struct url url;
    const char *wrong;
    int err = url_parse(input->url, &url, &wrong);

    if (err || strcmp(url.host, "fake") != 0 || (url.path[0] && strcmp(url.path, "/") != 0)) {
        text_copy(why, room, err ? wrong : "expected fake://fake");
        return ERR_INVALID;
    }
    err = query_read(url.query, &written, why, room);
    for (unsigned i = 0; i < input->option_count && !err; i++)
        err = option_set(&written, input->option[i].key, input->option[i].value, why, room);
    return err ? err : options_complete(&written, out, why, room);
}
