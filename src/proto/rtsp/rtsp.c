// SPDX-License-Identifier: MIT
// RTSP: pictures and sound from cameras. docs/protocols/rtsp.md.
#include <string.h>

#include "base/text.h"
#include "base/url_parse.h"
#include "rtsp_priv.h"

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct url url;
    const char *text;
    const char *transport = input_conf_get(input, "rtp");
    if (url_parse(input->url, &url, &text) != 0) {
        text_copy(why, room, text);
        return ERR_INVALID;
    }
    if (!url.host[0]) {
        text_copy(why, room, "expected rtsp://user:password@host:port/path");
        return ERR_INVALID;
    }
    if (transport && strcmp(transport, "tcp") != 0 && strcmp(transport, "udp") != 0) {
        text_format(why, room, "rtp=%.32s: expected tcp or udp", transport);
        return ERR_INVALID;
    }
    return 0;
}

static const struct input_option_help options[] = {
    {"rtp", "tcp|udp", "transport of the packets; tcp unless said, the other when refused"},
    {0},
};

const struct protocol proto_rtsp = {
    .name = "rtsp",
    .help = "cameras: RTSP over TCP or UDP",
    .schemes = {"rtsp"},
    .input_options = options,
    .check = check,
    .pull = rtsp_pull,
};
