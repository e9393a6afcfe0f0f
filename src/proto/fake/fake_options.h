// SPDX-License-Identifier: MIT
// What an input line says about the test picture: "fake://fake width=1280 height=720", or the same
// words in the query of the url. The line wins over the query.
#ifndef FAKE_OPTIONS_H
#define FAKE_OPTIONS_H

#include "fake_h264.h"
#include "stream/protocol.h"

extern const struct input_option_help fake_option_help[];

// 0 with all of *out but the name set and within its range; or ERR_INVALID with a sentence in why.
MUST_USE int fake_options_read(const struct input_conf *input, struct fake_h264_options *out,
                               char *why, size_t room);

#endif
