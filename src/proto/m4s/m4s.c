// SPDX-License-Identifier: MIT
// M4S: a stream from server to server frame by frame, each sent in the loop turn in which it
// arrived. docs/protocols/m4s.md.
#include "base/text.h"
#include "base/url_parse.h"
#include "m4s_priv.h"

enum { PORT_STANDARD = 80 };

int m4s_place_parse(const char *text, struct m4s_place *out, const char **why)
{
    struct url url;
    if (url_parse(text, &url, why) != 0)
        return ERR_INVALID;
    *why = "expected m4s://host:port/name";
    if (!url.host[0] || !url_decode(url.path) || !url.path[0] || !stream_name_valid(url.path + 1))
        return ERR_INVALID;
    (void)text_copy(out->host, sizeof out->host, url.host);
    (void)text_copy(out->name, sizeof out->name, url.path + 1);
    out->port = url.port ? url.port : PORT_STANDARD;
    return 0;
}

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct m4s_place place;
    const char *text;
    if (m4s_place_parse(input->url, &place, &text) == 0)
        return 0;
    (void)text_copy(why, room, text);
    return ERR_INVALID;
}

static struct history *history(const struct protocol_env *env, const struct input_conf *input,
                               const char *stream_name)
{
    // Frames come by M4S, the past by M4F: the archive is found with no configuration.
    const struct protocol *m4f = protocol_by_scheme("m4f");
    return m4f && m4f->history ? m4f->history(env, input, stream_name) : NULL;
}

static const struct input_option_help options[] = {
    {"cluster_key", "text", "key of that server when it differs from the global cluster_key"},
    {0},
};

const struct protocol proto_m4s = {
    .name = "m4s",
    .help = "frames from server to server over the link",
    .schemes = {"m4s"},
    .input_options = options,
    .check = check,
    .pull = m4s_pull,
    .history = history,
    .init = m4s_serve_init,
    .fini = m4s_serve_fini,
    .route_help = "link channel",
};
