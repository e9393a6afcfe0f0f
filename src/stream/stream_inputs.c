// SPDX-License-Identifier: MIT
// The inputs of a stream: which one runs, retry, fail-over and return.
//
// Invariants:
//  1. At most one input is active (its frames are taken). Others may run only to be tried: each is
//  better than the
//     active one, or there is no active one.
//  2. A tried input becomes active with a key frame of its leading track.
//  3. An engine's stop is called exactly once after each pull, from a turn's end, never from inside
//     the engine.
#include <string.h>

#include "base/clock.h"
#include "base/code.h"
#include "base/ensure.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "stream_priv.h"

// Retry of a lost input: soon, then slower; a refused password is tried far more slowly, because
// cameras lock out an address that fails too often.
#define RETRY_BASE_US 500000LL
#define RETRY_MOST_US (15 * 1000000LL)
#define RETRY_AUTH_BASE_US (30 * 1000000LL)
#define RETRY_AUTH_MOST_US (600 * 1000000LL)
// A better input that runs but gives no key frame for so long is given up until its next retry.
#define CANDIDATE_MOST_US (30 * 1000000LL)

static void source_begin(struct source *source);

static struct source *source_new(struct stream *stream, unsigned number);

static void on_retry(void *arg)
{
    struct source *source = arg;
    source->state = SOURCE_IDLE;
    if (source->stream->active >= 0 && source->stream->active < (int)source->number)
        return; // a better one runs
    source->stream->stats.retries++;
    source_begin(source);
}

static struct source *source_new(struct stream *stream, unsigned number)
{
    struct source *source = mem_alloc(sizeof *source);
    source->magic = SOURCE_MAGIC;
    source->stream = stream;
    source->number = number;
    input_conf_copy(&source->input, &stream->conf->input[number]);
    timeout_init(&source->retry, stream->owner->loop, on_retry, source);
    source->backoff = (struct backoff){.base_us = RETRY_BASE_US, .most_us = RETRY_MOST_US};
    return source;
}

static void source_stop_engine(struct source *source)
{
    const struct source_ops *ops = source->ops;
    source->ops = NULL;
    if (ops)
        ops->stop(source);
    source->engine = NULL;
    tracks_unref(&source->tracks);
    source->follows = source->unavailable = false;
    source->segment = (struct segment_info){0};
    source->candidate_since_us = 0;
}

static void source_free(struct source **source)
{
    struct source *gone = *source;
    *source = NULL;
    if (!gone)
        return;
    source_stop_engine(gone);
    timeout_stop(&gone->retry);
    loop_defer_cancel(gone->stream->owner->loop, &gone->ending);
    input_conf_fini(&gone->input);
    mem_free(gone);
}

static bool is_active(const struct source *source)
{
    return source->stream->active == (int)source->number;
}

// The next input to try after this one was lost: the following one in order, once around.
static void start_next(struct stream *stream, unsigned after)
{
    unsigned count = stream->conf->input_count;
    for (unsigned i = 1; i < count; i++) {
        struct source *next = stream->source[(after + i) % count];
        if (next && next->state == SOURCE_IDLE) {
            source_begin(next);
            return;
        }
        if (next && next->state != SOURCE_WAITING && !next->unavailable)
            return; // one is on its way already
    }
}

static void schedule_retry(struct source *source)
{
    bool refused = source->lost_reason == REASON_AUTH || source->lost_reason == REASON_FORBIDDEN;
    source->backoff.base_us = refused ? RETRY_AUTH_BASE_US : RETRY_BASE_US;
    source->backoff.most_us = refused ? RETRY_AUTH_MOST_US : RETRY_MOST_US;
    int64_t delay_us = backoff_next_us(&source->backoff);
    source->state = SOURCE_WAITING;
    timeout_start(&source->retry, delay_us);
    if (source->backoff.failures <= 3)
        log_warn(source->name, "lost reason=%s detail=\"%s\" retry=%.1fs",
                 reason_name(source->lost_reason),
                 source->lost_detail[0] ? source->lost_detail : reason_text(source->lost_reason),
                 delay_us / 1e6);
    else
        log_debug(source->name, "lost reason=%s retry=%.1fs", reason_name(source->lost_reason),
                  delay_us / 1e6);
}

static void tell_failed(struct stream *stream, enum reason reason)
{
    LIST_FOREACH(&stream->listeners, it, after)
    {
        struct segment_listener *listener = LIST_OWNER(it, struct segment_listener, node);
        if (listener->on_failed)
            listener->on_failed(listener->arg, reason);
    }
}

static void on_ending(void *arg)
{
    struct source *source = arg;
    struct stream *stream = source->stream;
    bool was_active = is_active(source);
    // An input that ran well for a while starts again at once.
    if (source->state == SOURCE_RUNNING && now_us() - source->started_us > 10 * US_PER_S)
        backoff_reset(&source->backoff);
    source_stop_engine(source);
    source->lost = false;
    stream->stats.last_reason = source->lost_reason;
    (void)text_copy(stream->stats.last_detail, sizeof stream->stats.last_detail,
                    source->lost_detail);
    if (was_active) {
        stream->active = -1;
        live_end_run(stream, source->lost_reason);
        stream_set_state(stream, STREAM_LOST);
    } else if (stream->active < 0) {
        tell_failed(stream, source->lost_reason);
    }
    schedule_retry(source);
    if (stream->active < 0)
        start_next(stream, source->number);
}

void source_lost(struct source *source, enum reason reason, const char *detail)
{
    OBJ_CHECK(source, SOURCE_MAGIC);
    if (source->lost)
        return;
    source->lost = true;
    source->lost_reason = reason;
    (void)text_copy(source->lost_detail, sizeof source->lost_detail, detail ? detail : "");
    loop_defer(source->stream->owner->loop, &source->ending, on_ending, source);
}

static void source_begin(struct source *source)
{
    ENSURE(!source->ops && source->state == SOURCE_IDLE);
    struct streams *owner = source->stream->owner;
    const char *why = NULL;
    const struct protocol *protocol = protocol_by_url(source->input.url, &why);
    (void)text_format(source->name, sizeof source->name, "%s input=%u %s", source->stream->log_name,
                      source->number + 1, protocol ? protocol->name : "?");
    source->state = SOURCE_STARTING;
    source->started_us = source->last_frame_us = now_us();
    if (!protocol || !protocol->pull) {
        source_lost(source, REASON_UNSUPPORTED, why ? why : "this protocol cannot be pulled");
        return;
    }
    int err = protocol->pull(owner->env, source);
    if (err != 0 && !source->lost)
        source_lost(source, err == ERR_UNSUPPORTED ? REASON_UNSUPPORTED : REASON_BAD_REQUEST,
                    err_name(err));
}

void inputs_start(struct stream *stream)
{
    for (unsigned i = 0; i < stream->conf->input_count; i++)
        if (!stream->source[i])
            stream->source[i] = source_new(stream, i);
    if (stream->conf->input_count && stream->source[0]->state == SOURCE_IDLE)
        source_begin(stream->source[0]);
}

void inputs_stop(struct stream *stream, enum reason reason)
{
    bool ran = stream->active >= 0;
    stream->active = -1;
    for (unsigned i = 0; i < STREAM_INPUTS_MAX; i++)
        source_free(&stream->source[i]);
    if (ran)
        live_end_run(stream, reason);
}

// A reload: an input whose line is the same goes on, under its new number.
void inputs_configure(struct stream *stream, const struct stream_conf *before)
{
    struct source *old[STREAM_INPUTS_MAX];
    const struct stream_conf *conf = stream->conf;
    int active = stream->active;
    memcpy(old, stream->source, sizeof old);
    memset(stream->source, 0, sizeof stream->source);
    stream->active = -1;
    for (unsigned i = 0; i < conf->input_count; i++)
        for (unsigned k = 0; k < before->input_count; k++)
            if (old[k] && input_conf_equal(&conf->input[i], &old[k]->input)) {
                stream->source[i] = old[k];
                stream->source[i]->number = i;
                if (active == (int)k)
                    stream->active = (int)i;
                old[k] = NULL;
                break;
            }
    for (unsigned k = 0; k < STREAM_INPUTS_MAX; k++)
        source_free(&old[k]);
    if (active >= 0 && stream->active < 0) {
        live_end_run(stream, REASON_CONFIG);
        stream_set_state(stream, STREAM_LOST);
    }
    for (unsigned i = 0; i < conf->input_count; i++)
        if (!stream->source[i])
            stream->source[i] = source_new(stream, i);
    // Better inputs than the running one are tried; with none running, the first.
    unsigned most = stream->active >= 0 ? (unsigned)stream->active : conf->input_count ? 1 : 0;
    for (unsigned i = 0; i < most; i++)
        if (stream->source[i]->state == SOURCE_IDLE)
            source_begin(stream->source[i]);
}

void inputs_tick(struct stream *stream, int64_t mono_us)
{
    int64_t limit_us = stream->conf->source_timeout_us;
    for (unsigned i = 0; i < stream->conf->input_count; i++) {
        struct source *source = stream->source[i];
        if (!source || !source->ops || source->lost)
            continue;
        if (limit_us && !source->unavailable && mono_us - source->last_frame_us > limit_us)
            source_lost(source, REASON_SOURCE_TIMEOUT, NULL);
        else if (source->candidate_since_us &&
                 mono_us - source->candidate_since_us > CANDIDATE_MOST_US)
            source_lost(source, REASON_NO_MEDIA, "no key frame to take over with");
    }
}

// ---- upward calls ------------------------------------------------------------------------------

void source_set_engine(struct source *source, const struct source_ops *ops, void *engine)
{
    OBJ_CHECK(source, SOURCE_MAGIC);
    source->ops = ops;
    source->engine = engine;
}

void *source_engine(const struct source *source)
{
    return source->engine;
}
const struct input_conf *source_input(const struct source *source)
{
    return &source->input;
}
const char *source_name(const struct source *source)
{
    return source->name;
}
struct loop *source_loop(const struct source *source)
{
    return source->stream->owner->loop;
}
const char *source_stream_name(const struct source *source)
{
    return source->stream->conf->name;
}
void source_follow(struct source *source)
{
    source->follows = true;
}
void source_count_error(struct source *source)
{
    source->stream->stats.frame_errors++;
}

void source_count_bytes(struct source *source, size_t bytes)
{
    source->stream->stats.input_bytes += bytes;
}

// Equal contents get equal generations, on every server and after every restart.
static uint32_t generation_of(const struct tracks *tracks)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < tracks->count; i++) {
        const struct track *track = &tracks->track[i];
        const uint32_t numbers[] = {track->codec,       track->timescale, track->width,
                                    track->height,      track->fps_num,   track->fps_den,
                                    track->sample_rate, track->channels};
        sum = crc32c(sum, numbers, sizeof numbers);
        if (track->config)
            sum = crc32c(sum, track->config->data, track->config->length);
        if (track->sample_entry)
            sum = crc32c(sum, track->sample_entry->data, track->sample_entry->length);
    }
    return sum ? sum : 1;
}

void source_tracks(struct source *source, struct tracks **tracks)
{
    OBJ_CHECK(source, SOURCE_MAGIC);
    struct tracks *given = *tracks;
    *tracks = NULL;
    if (source->lost || !source->ops) {
        tracks_unref(&given);
        return;
    }
    if (given->generation == 0)
        given->generation = generation_of(given);
    tracks_unref(&source->tracks);
    source->tracks = given;
    source->state = SOURCE_RUNNING;
    source->unavailable = false;
    if (is_active(source))
        live_set_tracks(source->stream, given);
}

static void take_over(struct source *source)
{
    struct stream *stream = source->stream;
    unsigned before = stream->active >= 0 ? (unsigned)stream->active : source->number;
    if (before != source->number) {
        source_lost(stream->source[before], REASON_FAILOVER, NULL);
        live_end_run(stream, REASON_FAILOVER);
    }
    // Worse inputs that were being tried are not needed any more.
    for (unsigned i = source->number + 1; i < stream->conf->input_count; i++)
        if (stream->source[i] && i != before && stream->source[i]->ops)
            source_lost(stream->source[i], REASON_FAILOVER, NULL);
    stream->active = (int)source->number;
    stream->stats.active_input = source->number;
    source->candidate_since_us = 0;
    live_set_tracks(stream, source->tracks);
    if (source->segment.number)
        live_announce(stream, &source->segment, source->segment_whole);
    stream_set_state(stream, STREAM_LIVE);
    char summary[128] = "";
    for (unsigned i = 0; i < source->tracks->count; i++) {
        const struct track *track = &source->tracks->track[i];
        (void)text_append(summary, sizeof summary, "%s%s", i ? "," : "",
                          codec_info(track->codec)->name);
        if (track->width)
            (void)text_append(summary, sizeof summary, ":%ux%u", track->width, track->height);
    }
    log_info(source->name, "live tracks=%s", summary);
}

static bool takes(struct source *source, const struct frame *frame)
{
    struct stream *stream = source->stream;
    if (is_active(source))
        return true;
    bool better_runs = stream->active >= 0 && stream->active < (int)source->number;
    if (better_runs || frame->track != tracks_leading(source->tracks) || !frame_is_key(frame)) {
        if (!better_runs && !source->candidate_since_us)
            source->candidate_since_us = now_us();
        source->segment_whole = false;
        return false;
    }
    take_over(source);
    return true;
}

void source_push_frame(struct source *source, struct frame **frame)
{
    OBJ_CHECK(source, SOURCE_MAGIC);
    struct frame *given = *frame;
    *frame = NULL;
    if (!source->lost && source->ops && source->tracks && given->length > 0 &&
        given->track < source->tracks->count) {
        source->last_frame_us = now_us();
        if (takes(source, given))
            live_push(source->stream, given, source->follows);
    }
    frame_unref(&given);
}

void source_window(struct source *source, const struct segment_info *infos, size_t count,
                   unsigned listed, struct tracks *tracks)
{
    if (!source->lost && (source->stream->active < 0 || is_active(source)))
        live_add_far_window(source->stream, infos, count, listed, tracks);
}

void source_segment(struct source *source, uint64_t number, int64_t utc_start_us, uint8_t flags,
                    bool whole)
{
    if (source->lost)
        return;
    source->segment =
        (struct segment_info){.number = number, .utc_start_us = utc_start_us, .flags = flags};
    source->segment_whole = whole;
    if (is_active(source))
        live_announce(source->stream, &source->segment, whole);
}

void source_skipped(struct source *source)
{
    if (!source->lost && is_active(source))
        segmenter_skipped(source->stream->live->segmenter);
}

void source_unavailable(struct source *source, enum reason reason)
{
    struct stream *stream = source->stream;
    if (source->lost)
        return;
    source->unavailable = true;
    stream->stats.last_reason = reason;
    if (stream->active < 0)
        start_next(stream, source->number);
}

void source_push_segment(struct source *source, struct segment **segment)
{
    struct segment *given = *segment;
    *segment = NULL;
    int active = source->stream->active;
    bool wanted = !source->lost && source->ops && source->tracks &&
                  (active < 0 || active >= (int)source->number);
    if (wanted && segment_frames(given) != 0) {
        source_count_error(source);
        wanted = false;
    }
    if (wanted && given->frame_count > 0) {
        source->last_frame_us = now_us();
        if (!is_active(source))
            take_over(source);
        for (unsigned i = 0; i < given->frame_count; i++) {
            struct frame *frame = given->frames[i];
            frame->segment_number = given->info.number;
            if (i == 0)
                frame->flags |= FRAME_SEGMENT;
            if (i == 0 && given->info.flags & SEGMENT_DISCONTINUITY)
                frame->flags |= FRAME_SEGMENT_GAP;
        }
        live_push_ready(source->stream, given);
    }
    segment_unref(&given);
}
