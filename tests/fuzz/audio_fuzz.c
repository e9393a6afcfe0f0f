// SPDX-License-Identifier: MIT
// Any bytes, read as an AudioSpecificConfig, as a run of ADTS frames, as MP3 heads and as an Opus
// packet. What ADTS says comes back from a configuration and a header made of it.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "media/audio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_adts(struct bytes in)
{
    struct adts adts, again;
    struct aac_config aac;
    uint8_t config[2], header[ADTS_HEADER];
    while (adts_parse(in, &adts) == 0) {
        adts_config(&adts, config);
        if (aac_config_parse(bytes_of(config, 2), &aac) == 0) {
            size_t length = adts.frame_length - adts.header_length;
            adts_write(&aac, length, header);
            ENSURE(adts_parse(bytes_of(header, sizeof(header)), &again) == 0);
            ENSURE(again.frame_length == length + ADTS_HEADER);
            ENSURE(again.rate_index == adts.rate_index && again.object_type == adts.object_type);
            ENSURE(again.channel_config == adts.channel_config);
        }
        if (!bytes_skip(&in, adts.frame_length))
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size);
    struct track track;
    struct mp3_header mp3;
    char string[64];
    if (aac_track_from_config(in, &track) == 0) {
        ENSURE(track.timescale > 0 && track.channels > 0);
        track_codec_string(&track, string, sizeof(string));
        track_fini(&track);
    }
    check_adts(in);
    ENSURE(opus_packet_duration(in) <= 5760);
    while (mp3_header_parse(in, &mp3) == 0) {
        ENSURE(mp3.length >= 4 && mp3.samples > 0 && mp3.sample_rate >= 8000);
        if (!bytes_skip(&in, mp3.length))
            break;
    }
    mem_free(copy);
    ENSURE(mem_live_count() == 0);
    return 0;
}
