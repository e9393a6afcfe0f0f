// SPDX-License-Identifier: MIT
// Files from disk as a live stream: MP4 and MPEG-TS, looped for ever. docs/protocols/file.md.
#include "base/text.h"
#include "base/url_parse.h"
#include "file_priv.h"

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct url url;
    const char *text;
    if (url_parse(input->url, &url, &text) != 0) {
        text_copy(why, room, text);
        return ERR_INVALID;
    }
    if (url.host[0] || !url.path[0] || text_ends(url.path, "/")) {
        text_copy(why, room, "expected file:///absolute/path/of/a/file");
        return ERR_INVALID;
    }
    return 0;
}

const struct protocol proto_file = {
    .name = "file",
    .help = "MP4 and MPEG-TS from disk, looped in real time",
    .schemes = {"file"},
    .check = check,
    .pull = file_pull,
};
