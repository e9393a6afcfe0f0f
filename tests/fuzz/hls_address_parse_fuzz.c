// SPDX-License-Identifier: MIT
// The end of an address of HLS, as a text in a block of exactly its size: as the name of a segment
// and as that of a playlist of the past. What was understood is written again and must mean the
// same.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "hls_address_parse.h"
#include "hls_playlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// A moment has one address: the one that playlists give.
static void check_segment(const char *tail)
{
    char address[64];
    int64_t utc_ms, again;
    if (hls_address_parse(tail, &utc_ms) != 0)
        return;
    const struct segment_info info = {.utc_start_us = utc_ms * US_PER_MS};
    hls_address(&info, NULL, address, sizeof address);
    ENSURE(hls_address_parse(address, &again) == 0 && again == utc_ms);
    ENSURE(strncmp(tail, address, strlen("YYYY/MM/DD/HH/MM/SS.mmm-")) == 0);
}

static void past_write(const struct hls_past_name *name, char *out, size_t room)
{
    static const char *const format[] = {[HLS_AUTO] = "", [HLS_TS] = ".ts", [HLS_FMP4] = ".fmp4"};
    char length[32] = "now";
    if (name->length_s)
        (void)text_format(length, sizeof length, "%lld", (long long)name->length_s);
    const char *end = format[name->format];
    switch (name->kind) {
    case HLS_WINDOW:
        (void)text_format(out, room, "archive-%lld-%s%s.m3u8", (long long)name->from_s, length,
                          end);
        break;
    case HLS_REWIND:
        (void)text_format(out, room, "rewind-%s%s.m3u8", length, end);
        break;
    case HLS_SHIFT_ABS:
        (void)text_format(out, room, "timeshift_abs-%lld%s.m3u8", (long long)name->from_s, end);
        break;
    case HLS_SHIFT_REL:
        (void)text_format(out, room, "timeshift_rel-%s%s.m3u8", length, end);
        break;
    }
}

static void check_past(const char *tail)
{
    char written[96];
    struct hls_past_name name, again;
    if (hls_past_parse(tail, &name) != 0)
        return;
    ENSURE(name.from_s >= 0 && name.from_s <= HLS_SECONDS_MAX);
    ENSURE(name.length_s >= 0 && name.length_s <= HLS_SECONDS_MAX);
    ENSURE(name.kind == HLS_WINDOW || (name.kind == HLS_SHIFT_ABS ? name.from_s : name.length_s));
    past_write(&name, written, sizeof written);
    ENSURE(hls_past_parse(written, &again) == 0);
    ENSURE(again.kind == name.kind && again.format == name.format);
    ENSURE(again.from_s == name.from_s && again.length_s == name.length_s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size + 1);
    memcpy(exact, data, size);
    exact[size] = '\0';
    check_segment(exact);
    check_past(exact);
    free(exact);
    ENSURE(mem_live_count() == 0);
    return 0;
}
