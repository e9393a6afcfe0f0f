// SPDX-License-Identifier: MIT
// M4F: segments from server to server, live and past; the receiver sets the pace.
// docs/protocols/m4f.md.
#include "base/text.h"
#include "m4f_priv.h"

static int check(const struct input_conf *input, char *why, size_t room)
{
    struct m4f_place place;
    const char *text;
    if (m4f_place_parse(input->url, &place, &text) == 0)
        return 0;
    (void)text_copy(why, room, text);
    return ERR_INVALID;
}

static const struct input_option_help options[] = {
    {"cluster_key", "text", "key of that server when it differs from the global cluster_key"},
    {0},
};

const struct protocol proto_m4f = {
    .name = "m4f",
    .help = "segments and archive from server to server over the link",
    .schemes = {"m4f"},
    .input_options = options,
    .check = check,
    .pull = m4f_pull,
    .history = m4f_history,
    .init = m4f_serve_init,
    .fini = m4f_serve_fini,
    .route_help = "link channel",
};
