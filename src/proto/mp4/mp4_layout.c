// SPDX-License-Identifier: MIT
#include "mp4_layout.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/http.h"

int64_t mp4_wanted_read_from(const struct mp4_wanted *wanted)
{
    return wanted->from_us > US_PER_S ? wanted->from_us - US_PER_S : 0;
}

void mp4_layout_init(struct mp4_layout *layout, const struct mp4_wanted *wanted)
{
    *layout = (struct mp4_layout){0};
    layout->file = wanted->is_lapse
                       ? mp4_file_new_timelapse(wanted->from_us, wanted->to_us, wanted->lapse_us)
                       : mp4_file_new(wanted->from_us, wanted->to_us);
}

void mp4_layout_fini(struct mp4_layout *layout)
{
    mp4_file_free(&layout->file);
    mem_free(layout->infos);
    *layout = (struct mp4_layout){0};
}

int mp4_layout_add(struct mp4_layout *layout, const struct segment_info *info,
                   struct tracks *tracks, struct bytes heads)
{
    int err = mp4_file_add(layout->file, info, tracks, heads);
    if (err != 0) // damaged: the file goes on without it
        return err == ERR_LIMIT ? err : 0;
    if (layout->count == layout->capacity) {
        layout->capacity = layout->capacity ? layout->capacity * 2 : 64;
        layout->infos = mem_resize(layout->infos, layout->capacity * sizeof *layout->infos);
    }
    layout->infos[layout->count++] = *info;
    return 0;
}

int mp4_layout_finish(struct mp4_layout *layout)
{
    return layout->count ? mp4_file_finish(layout->file) : ERR_NOT_FOUND;
}

int mp4_layout_payload(const struct mp4_layout *layout, uint64_t at, uint64_t end,
                       struct segment *segment, struct chain *out)
{
    int number = -1; // of this segment
    while (at < end) {
        struct bytes head;
        int index;
        uint64_t offset, length;
        mp4_file_at(layout->file, at, &head, &index, &offset, &length);
        length = length < end - at ? length : end - at;
        if (index < 0) { // parameter sets
            chain_add_copy(out, head.data, (size_t)length);
        } else {
            if (number >= 0 && index != number)
                return 0;
            if ((segment->info.flags ^ layout->infos[index].flags) & SEGMENT_THINNED)
                return ERR_INVALID; // from somebody else who has more of it, or less
            number = index;
            int err = mp4_file_payload(segment, offset, length, out);
            if (err != 0)
                return err;
        }
        at += length;
    }
    return 0;
}

bool mp4_wanted_lapse(const struct http_request *request, struct mp4_wanted *wanted)
{
    char text[16];
    int64_t lapse_s = 0;
    wanted->is_lapse = http_query_get(request, "timelapse", text, sizeof text);
    if (wanted->is_lapse && text[0] && text_to_int(text, 1, MP4_DURATION_MOST_S, &lapse_s) != 0)
        return false;
    wanted->lapse_us = lapse_s * US_PER_S;
    return true;
}
