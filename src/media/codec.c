// SPDX-License-Identifier: MIT
// The table of codecs, made from media/codec.def, and its look-ups.
#include "media/codec.h"

#include <string.h>

#include "base/ensure.h"
#include "base/text.h"

static const struct codec_info table[CODEC_COUNT] = {
#define CODEC(id, kind, name, mp4, ts, rtp) {#id, kind, name, mp4, ts, rtp},
#include "media/codec.def"
#undef CODEC
};

const struct codec_info *codec_info(enum codec codec)
{
    ENSURE((unsigned)codec < CODEC_COUNT);
    return &table[codec];
}

enum codec codec_by_mp4(const char four[4])
{
    // The twins that may carry parameter sets in band are the same codecs.
    if (memcmp(four, "avc3", 4) == 0)
        return CODEC_H264;
    if (memcmp(four, "hev1", 4) == 0)
        return CODEC_H265;
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        if (table[i].mp4[0] && memcmp(table[i].mp4, four, 4) == 0)
            return (enum codec)i;
    return CODEC_COUNT;
}

enum codec codec_by_name(const char *name)
{
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        if (strcmp(table[i].name, name) == 0)
            return (enum codec)i;
    return CODEC_COUNT;
}

enum codec codec_by_rtp(const char *encoding)
{
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        if (table[i].rtp[0] && text_equal_nocase(table[i].rtp, encoding))
            return (enum codec)i;
    return CODEC_COUNT;
}
