// SPDX-License-Identifier: MIT
// Any bytes, read as an SPS, as an avcC and as a byte stream. A configuration that was made from
// what was read reads back as the same sets; access units are well formed.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "media/h264.h"
#include "media/nal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_config(struct param_sets *sets)
{
    struct buf *config, *again;
    if (h264_config_make(sets, &config) < 0)
        return;
    struct param_sets back = {0};
    struct track track;
    unsigned width;
    char string[64];
    ENSURE(h264_config_parse(buf_bytes(config), &back, &width) == 0 && width == 4);
    ENSURE(h264_config_make(&back, &again) == 0);
    ENSURE(again->length == config->length && !memcmp(again->data, config->data, config->length));
    ENSURE(h264_track_from_config(config, &track) == 0 && track.width > 0 && track.height > 0);
    track_codec_string(&track, string, sizeof(string));
    track_fini(&track);
    param_sets_fini(&back);
    buf_unref(&config);
    buf_unref(&again);
}

static void check_access_unit(struct au_builder *au)
{
    bool key, droppable;
    struct buf *buf = au_builder_take(au, &key, &droppable);
    if (!buf)
        return;
    struct bytes in = buf_bytes(buf), nal;
    int result;
    while ((result = nal_next_prefixed(&in, 4, &nal)) == 0)
        ENSURE(h264_nal_type(nal) != H264_SPS && h264_nal_type(nal) != H264_AUD);
    ENSURE(result == ERR_NOT_FOUND);
    buf_unref(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct bytes in = bytes_of(copy, size), nal;
    struct h264_sps sps;
    struct param_sets sets = {0};
    struct au_builder au = {0};
    unsigned width, type;
    if (h264_sps_parse(in, &sps) == 0)
        ENSURE(sps.width > 0 && sps.height > 0 && sps.reorder_frames <= 16);
    if (h264_config_parse(in, &sets, &width) == 0)
        check_config(&sets);
    param_sets_fini(&sets);
    while (nal_next_annexb(&in, &nal) == 0) {
        ENSURE(nal.length > 0 && nal.data >= copy && nal.data + nal.length <= copy + size);
        if (h264_starts_access_unit(&au, nal))
            check_access_unit(&au);
        if (h264_slice_type_parse(nal, &type) == 0)
            ENSURE(type <= 2);
        if (h264_au_add(&au, &sets, nal) < 0)
            au_builder_reset(&au);
    }
    check_access_unit(&au);
    check_config(&sets);
    param_sets_fini(&sets);
    mem_free(copy);
    ENSURE(mem_live_count() == 0);
    return 0;
}
