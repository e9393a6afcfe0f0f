// SPDX-License-Identifier: MIT
// Any description: what is understood can be asked for everything, and be unpacked or refused.
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "format/rtp_unpack.h"
#include "format/sdp_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_track(void *arg)
{
    (void)arg;
}
static void on_error(void *arg, const char *what)
{
    (void)arg, (void)what;
}
static void on_frame(void *arg, struct frame **frame)
{
    (void)arg;
    frame_unref(frame);
}
static const struct rtp_unpack_events events = {on_track, on_frame, on_error};

static void try_format(const struct sdp_format *format)
{
    struct rtp_unpack *unpack;
    const char *why = NULL;
    ENSURE(format->payload_type >= 0 && format->payload_type < 128);
    if (rtp_unpack_new(format, &events, NULL, &unpack, &why) == 0) {
        struct rtp_packet packet = {.payload =
                                        bytes_of(format->encoding, strlen(format->encoding))};
        rtp_unpack_input(unpack, &packet, 0, 1);
        rtp_unpack_free(&unpack);
    } else {
        ENSURE(why != NULL && unpack == NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = mem_dup(data, size);
    struct sdp *sdp;
    if (sdp_parse(bytes_of(copy, size), &sdp) == 0) {
        ENSURE(sdp->media_count >= 1 && sdp->media_count <= TRACKS_MAX);
        for (unsigned i = 0; i < sdp->media_count; i++) {
            const struct sdp_media *media = &sdp->media[i];
            char url[256];
            sdp_control_url(sdp->control, media->control, url, sizeof(url));
            ENSURE(media->port <= 65535 && media->kind);
            for (unsigned k = 0; k < media->format_count; k++)
                try_format(&media->format[k]);
        }
        sdp_free(&sdp);
    }
    mem_free(copy);
    ENSURE(mem_live_count() == 0);
    return 0;
}
