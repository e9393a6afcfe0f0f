// SPDX-License-Identifier: MIT
// Access units of H.264 and H.265 from NAL units and their fragments.
//
// An access unit ends when the timestamp changes. It also ends at the marker bit, which saves the
// wait for the next packet, once markers have proved to tell the truth: cameras exist that set
// none, or one on every packet. With a timestamp that stands still, the NAL units themselves tell.
//
// 1. The payload is built in `buf`; each byte is copied into it once. `judge` is fed only the heads
//    of slices and the small units whole, and says what kind of access unit this is and which units
//    belong into it.
// 2. With in_fragment, the unit that is being joined is the tail of buf, behind a length to be
// filled.
// 3. Parameter sets never stay in buf; those that changed make a new track before the frame goes
// out.
#include <string.h>

#include "base/code.h"
#include "rtp_unpack_priv.h"

enum {
    HEAD_MAX = 64,           // of a slice: enough for its type and numbers
    SMALL_MAX = 4096,        // of an SEI: what it says of random access stands in front
    HEADLESS_MAX = 64 << 10, // units without a picture that may wait for one
    BUF_MIN = 2048,
    MARKER_TRUST = 3,     // access units in a row that ended where their marker said
    MARKER_BROKEN = -100, // as many must be right before a sender who lied is believed again
    TRUST_MAX = 100,
};

void video_init(struct unpack_video *video, const struct video_codec *codec,
                const struct rtp_unpack_kind *kind, uint32_t clock)
{
    video->base.kind = kind;
    video->base.clock = clock ? clock : 90000;
    video->base.timescale = 90000;
    video->codec = codec;
}

void video_fini(struct rtp_unpack *unpack)
{
    struct unpack_video *video = (struct unpack_video *)unpack;
    param_sets_fini(&video->sets);
    au_builder_reset(&video->judge);
    buf_unref(&video->buf);
}

// ---- parameter sets ----------------------------------------------------------------------------

static void add_set(struct unpack_video *video, struct bytes nal)
{
    int result = video->codec->sets_add(&video->sets, nal);
    if (result == ERR_LIMIT) {
        // A sender who numbers its sets anew each time: what came before is not used any more.
        param_sets_fini(&video->sets);
        result = video->codec->sets_add(&video->sets, nal);
    }
    if (result < 0)
        unpack_error(&video->base, "a parameter set that cannot be read");
}

// True when the track changed.
static bool sets_apply(struct unpack_video *video)
{
    struct rtp_unpack *base = &video->base;
    struct buf *config;
    struct track track;
    if (!video->sets.changed || video->codec->config_make(&video->sets, &config) < 0)
        return false;
    const struct buf *old = base->has_track ? base->track.config : NULL;
    bool same = old && old->length == config->length &&
                memcmp(old->data, config->data, config->length) == 0;
    bool made = !same && video->codec->track_from_config(config, &track) == 0;
    buf_unref(&config);
    video->sets.changed = !same && !made; // tried again with the next frame
    if (!made)
        return false;
    track_fini(&base->track);
    base->track = track;
    base->has_track = true;
    video->fields = video->codec->has_fields && video->codec->has_fields(&video->sets);
    return true;
}

void video_add_described(struct unpack_video *video, const struct sdp_format *format,
                         const char *key)
{
    struct bytes list;
    if (!sdp_format_get(format, key, &list))
        return;
    const char *at = (const char *)list.data, *end = at + list.length;
    while (at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        size_t length = (size_t)((comma ? comma : end) - at), decoded;
        uint8_t nal[SMALL_MAX];
        if (base64_decode(at, length, nal, sizeof(nal), &decoded) &&
            video->codec->sets_add(&video->sets, bytes_of(nal, decoded)) < 0)
            decoded = 0; // not a parameter set, or not one that can be read
        at += length + 1;
    }
}

void video_sets_done(struct unpack_video *video)
{
    sets_apply(video);
}

// ---- the payload -------------------------------------------------------------------------------

// Room for `more` bytes in buf.
static bool reserve(struct unpack_video *video, size_t more)
{
    size_t have = video->buf ? video->buf->length : 0;
    if (more > FRAME_BYTES_MAX || have + more > FRAME_BYTES_MAX)
        return false;
    if (video->buf && have + more <= video->buf->capacity)
        return true;
    size_t capacity = video->expected[video->looks_key];
    if (capacity < 2 * have)
        capacity = 2 * have;
    if (capacity < have + more)
        capacity = have + more;
    if (capacity < BUF_MIN)
        capacity = BUF_MIN;
    struct buf *wider = buf_try_new(capacity);
    if (!wider)
        return false;
    if (video->buf)
        buf_append(wider, video->buf->data, have);
    buf_unref(&video->buf);
    video->buf = wider;
    return true;
}

static void put_length(uint8_t *out, size_t length)
{
    for (unsigned i = 0; i < 4; i++)
        out[i] = (uint8_t)(length >> (24 - 8 * i));
}

// What the unit says of the access unit; false when it does not belong into the payload.
static bool judge_nal(struct unpack_video *video, struct bytes nal)
{
    size_t most = video->codec->is_slice(nal) ? HEAD_MAX : SMALL_MAX;
    size_t before = video->judge.buf ? video->judge.buf->length : 0;
    struct bytes head = bytes_of(nal.data, nal.length < most ? nal.length : most);
    if (video->codec->is_set(nal))
        add_set(video, nal);
    if (video->codec->au_add(&video->judge, NULL, head) < 0) {
        unpack_error(&video->base, "a NAL unit that cannot be used");
        return false;
    }
    return video->judge.buf && video->judge.buf->length > before;
}

static void remember_size(struct unpack_video *video, bool key, size_t length)
{
    // The largest of late, forgotten slowly, and an eighth more: most frames then fit at once.
    size_t want = length + length / 8 + 64, have = video->expected[key];
    video->expected[key] = want > have ? want : have - (have - want) / 16;
}

// The access unit is complete, or as complete as it will be.
static void close_unit(struct unpack_video *video)
{
    if (video->in_fragment)
        video_fragment_end(video); // some senders never set the end bit
    bool corrupt = video->corrupt;
    video->open = video->corrupt = video->marked = video->looks_key = false;
    if (!video->judge.has_picture) {
        // Units in front of a picture may have a timestamp of their own; they belong to what
        // follows.
        if (corrupt || (video->buf && video->buf->length > HEADLESS_MAX)) {
            buf_unref(&video->buf);
            au_builder_reset(&video->judge);
        }
        return;
    }
    bool key = video->judge.key, droppable = video->judge.droppable;
    struct buf *buf = video->buf;
    video->buf = NULL;
    remember_size(video, key, buf->length);
    buf_trim(&buf);
    au_builder_reset(&video->judge);
    struct frame *frame = frame_new(0, &buf);
    frame->dts = video->ticks;
    frame->arrived_us = video->arrived_us;
    if (corrupt)
        frame->flags = FRAME_CORRUPT;
    else if (key)
        frame->flags = FRAME_KEY;
    if (droppable)
        frame->flags |= FRAME_DROPPABLE;
    if (sets_apply(video))
        video->base.events->on_track(video->base.arg);
    if (video->base.has_track)
        video->base.events->on_frame(video->base.arg, &frame);
    else
        frame_unref(&frame); // nobody could decode it
}

// ---- packets -----------------------------------------------------------------------------------

void video_broken(struct unpack_video *video, const char *what)
{
    video->corrupt = true;
    unpack_error(&video->base, what);
}

static void fragment_drop(struct unpack_video *video)
{
    if (!video->in_fragment)
        return;
    video->in_fragment = false;
    video->buf->length = video->fragment_at;
    video->corrupt = true;
}

void video_packet_begin(struct unpack_video *video, int64_t ticks, unsigned lost,
                        int64_t arrived_us)
{
    if (lost) {
        fragment_drop(video);
        video->corrupt |= video->open && !video->marked;
    }
    if (video->open && ticks != video->ticks) {
        if (!lost && video->judge.has_picture)
            video->trust = video->marked ? video->trust + (video->trust < TRUST_MAX)
                                         : (video->trust < 0 ? video->trust : 0);
        close_unit(video);
    }
    if (!video->open) {
        video->suspect = lost > 0;
        video->closed_by_marker &= ticks == video->ticks;
    }
    video->open = true;
    video->ticks = ticks;
    video->arrived_us = arrived_us;
}

// Looks at the head of a NAL unit before it goes in: does it belong to the access unit that is
// open? False: it is the rest of one that has gone out already, and is of no use.
static bool place_nal(struct unpack_video *video, struct bytes head)
{
    static const struct au_builder after_picture = {.has_picture = true};
    const struct video_codec *codec = video->codec;
    bool starts = codec->starts(&after_picture, head);
    if (video->closed_by_marker && !starts) {
        video->trust = MARKER_BROKEN;
        unpack_error(&video->base, "a marker in the middle of a picture");
        return false;
    }
    video->closed_by_marker = false; // a new picture, perhaps at the same time
    if (video->suspect) {
        video->corrupt |= !starts;
        video->suspect = false;
    }
    bool next = starts && (video->marked || (codec->is_slice(head) && !video->fields));
    if (video->judge.has_picture && next) {
        video->trust += video->marked && video->trust < TRUST_MAX;
        close_unit(video);
        video->open = true;
    } else if (video->judge.has_picture && video->marked) {
        video->trust = MARKER_BROKEN;
    }
    video->marked = false;
    video->looks_key |= codec->is_key_head(head);
    return true;
}

void video_nal(struct unpack_video *video, struct bytes nal)
{
    if (nal.length < video->codec->head)
        return;
    if (video->in_fragment)
        video_fragment_end(video);
    if (!place_nal(video, nal))
        return;
    // Before it is judged: a picture that counts is then also there.
    if (!reserve(video, 4 + nal.length)) {
        video_broken(video, "an access unit above the limit");
        return;
    }
    if (!judge_nal(video, nal))
        return;
    uint8_t length[4];
    put_length(length, nal.length);
    buf_append(video->buf, length, sizeof(length));
    buf_append(video->buf, nal.data, nal.length);
}

void video_fragment_begin(struct unpack_video *video, const uint8_t *head, struct bytes data)
{
    size_t head_length = video->codec->head;
    uint8_t start[HEAD_MAX];
    size_t seen = data.length < HEAD_MAX - head_length ? data.length : HEAD_MAX - head_length;
    memcpy(start, head, head_length);
    if (seen)
        memcpy(start + head_length, data.data, seen);
    struct bytes known = bytes_of(start, head_length + seen);
    if (video->in_fragment)
        video_fragment_end(video);
    if (!place_nal(video, known))
        return;
    if (!reserve(video, 4 + head_length + data.length)) {
        video_broken(video, "an access unit above the limit");
        return;
    }
    video->in_fragment = true;
    video->fragment_at = video->buf->length;
    buf_append(video->buf, "\0\0\0", 4);
    buf_append(video->buf, head, head_length);
    buf_append(video->buf, data.data, data.length);
}

void video_fragment_add(struct unpack_video *video, struct bytes data)
{
    if (!video->in_fragment) {
        video->corrupt = true; // its beginning is lost, and has been counted
        return;
    }
    if (!reserve(video, data.length)) {
        fragment_drop(video);
        video_broken(video, "an access unit above the limit");
        return;
    }
    buf_append(video->buf, data.data, data.length);
}

void video_fragment_end(struct unpack_video *video)
{
    if (!video->in_fragment)
        return;
    size_t at = video->fragment_at;
    struct bytes nal = bytes_of(video->buf->data + at + 4, video->buf->length - at - 4);
    video->in_fragment = false;
    if (judge_nal(video, nal))
        put_length(video->buf->data + at, nal.length);
    else
        video->buf->length = at;
}

void video_packet_end(struct unpack_video *video, bool marker)
{
    video->marked = marker;
    if (!marker || video->in_fragment || !video->judge.has_picture || video->trust < MARKER_TRUST)
        return;
    close_unit(video);
    video->closed_by_marker = true;
}
