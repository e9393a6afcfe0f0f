// SPDX-License-Identifier: MIT
// One row per codec: kind, names in each container and protocol. The list is media/codec.def.
#ifndef MEDIA_CODEC_H
#define MEDIA_CODEC_H

#include <stdint.h>

enum media_kind { MEDIA_VIDEO, MEDIA_AUDIO, MEDIA_TEXT };

enum codec {
#define CODEC(id, kind, name, mp4, ts, rtp) CODEC_##id,
#include "media/codec.def"
#undef CODEC
    CODEC_COUNT
};

struct codec_info {
    const char *id; // "H264"
    enum media_kind kind;
    const char *name; // the API's name: "h264", "hevc", "aac", "pcma"
    const char *mp4;  // four-character code of the sample entry: "avc1"
    uint8_t ts_type;  // stream_type in a PMT (ISO/IEC 13818-1, table 2-34); 0: not carried in TS
    const char *rtp;  // encoding name in SDP: "H264", "MPEG4-GENERIC"
};

const struct codec_info *codec_info(enum codec codec);
// CODEC_COUNT when there is none. "avc3" and "hev1" are found too.
enum codec codec_by_mp4(const char four[4]);
enum codec codec_by_name(const char *name);
enum codec codec_by_rtp(const char *encoding); // case is ignored

#endif
