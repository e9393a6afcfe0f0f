// SPDX-License-Identifier: MIT
// Playlists of the past: windows, "from then until now", rewind, and the two timeshifts. All are
// one question to history (which segments lie between two moments) and one answer; only the kind of
// the playlist differs.
//
// Rewind and the timeshifts slide: theirs are sessions, and what is recorded since a session began
// is asked first, for the place of the session and for the discontinuities that have left its list.
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hls_priv.h"
#include "hls_session.h"

// A shifted list holds what a live one would: this much before the shifted now.
#define SHIFT_LIST_US (30 * US_PER_S)

struct asking {
    struct http_request *request;
    struct history_request *recorded, *listing, *heads;
    enum hls_format format;
    enum hls_kind kind;
    const struct protocol_env *env;
    struct segment_info *infos; // kept while the track list is asked for
    size_t count;
    enum hls_past past;
    int64_t now_us;
    struct hls_session session;   // of lists that slide
    struct history_range *ranges; // recorded since it began
    size_t range_count;
    unsigned most;     // only so many of the newest; 0: all
    bool oldest;       // ... of the oldest
    int64_t end_by_us; // segments that end later are left out; 0: none are
};

static void asking_free(struct asking *asking)
{
    history_cancel(&asking->recorded);
    history_cancel(&asking->listing);
    history_cancel(&asking->heads);
    mem_free(asking->infos);
    mem_free(asking->ranges);
    mem_free(asking);
}

static void on_gone(void *arg)
{
    asking_free(arg);
}

static void fail(struct asking *asking, int status, const char *why)
{
    struct http_request *request = asking->request;
    http_on_gone(request, NULL, NULL);
    asking_free(asking);
    http_respond_error(request, status, why);
}

static void answer(struct asking *asking, const struct tracks *tracks)
{
    struct http_request *request = asking->request;
    struct hls_playlist playlist = {
        .kind = asking->kind,
        .fmp4 = hls_wants_fmp4(tracks, asking->format),
        .infos = asking->infos,
        .count = asking->count,
    };
    if (asking->kind == HLS_LIVE)
        playlist.discontinuity_sequence = hls_session_breaks(&asking->session, asking->ranges,
                                                             asking->range_count, asking->infos);
    struct writer writer = {0};
    hls_playlist_write(&playlist, &writer);
    struct buf *body = writer_take(&writer);
    http_on_gone(request, NULL, NULL);
    asking_free(asking);
    http_set_header(request, "Cache-Control",
                    playlist.kind == HLS_VOD ? "public, max-age=60" : "no-cache");
    http_respond(request, 200, "application/vnd.apple.mpegurl", &body);
}

static void on_heads(void *arg, const struct segment_info *info, struct tracks *tracks,
                     struct bytes heads)
{
    struct asking *asking = arg;
    (void)info, (void)heads;
    answer(asking, tracks);
}

static void on_end(void *arg, int err)
{
    struct asking *asking = arg;
    asking->heads = NULL;
    fail(asking, err == ERR_NOT_FOUND ? 404 : 503, err_name(err));
}

static const struct history_events heads_events = {.on_heads = on_heads, .on_end = on_end};

static void on_list(void *arg, int err, const struct segment_info *infos, size_t count, bool cut)
{
    struct asking *asking = arg;
    (void)cut; // two days of segments are as much as a player can read
    asking->listing = NULL;
    while (asking->end_by_us && count &&
           infos[count - 1].utc_start_us + infos[count - 1].duration_us > asking->end_by_us)
        count--;
    if (asking->most && count > asking->most) {
        infos += asking->oldest ? 0 : count - asking->most;
        count = asking->most;
    }
    if (err != 0 || count == 0) {
        fail(asking, err && err != ERR_NOT_FOUND ? 503 : 404,
             err && err != ERR_NOT_FOUND ? err_name(err) : "nothing is recorded there");
        return;
    }
    asking->infos = mem_dup(infos, count * sizeof *infos);
    asking->count = count;
    struct stream *stream = streams_get(asking->env->streams, http_prefix(asking->request));
    if (!stream) {
        fail(asking, 404, "no such stream");
        return;
    }
    struct tracks *known = stream_known_tracks(stream);
    if (asking->format != HLS_AUTO || (known && known->generation == infos[0].generation)) {
        answer(asking, known);
        return;
    }
    asking->heads = history_read(stream_history(stream), infos[0].utc_start_us,
                                 infos[0].utc_start_us + 1, HISTORY_HEADS, &heads_events, asking);
}

// A list of the segments between two moments.
struct question {
    int64_t from_us, to_us;
    enum hls_kind kind;
    unsigned most;
    bool oldest;
    int64_t end_by_us;
};

static void ask(struct asking *asking, struct history *history, const struct question *question)
{
    asking->kind = question->kind;
    asking->most = question->most;
    asking->oldest = question->oldest;
    asking->end_by_us = question->end_by_us;
    asking->listing = history_list(history, question->from_us > 0 ? question->from_us : 0,
                                   question->to_us, on_list, asking);
}

static struct question window(const struct hls_past_name *name, int64_t now)
{
    int64_t to_us = (name->from_s + name->length_s) * US_PER_S;
    // What lies ahead of now was recorded under a clock that was ahead: nothing will come to it.
    bool ahead = name->length_s > 0 && name->from_s * US_PER_S > now;
    bool open = name->length_s == 0 || (to_us > now + US_PER_S && !ahead);
    return (struct question){.from_us = name->from_s * US_PER_S,
                             .to_us = open ? now : to_us,
                             .kind = open ? HLS_EVENT : HLS_VOD};
}

// As the live list was when shifted_us was now.
static struct question shifted(const struct stream *stream, int64_t shifted_us)
{
    const struct stream_conf *conf = stream_conf(stream);
    return (struct question){.from_us = shifted_us - SHIFT_LIST_US -
                                        conf->segment_duration_us * conf->segment_count,
                             .to_us = shifted_us,
                             .kind = HLS_LIVE,
                             .most = conf->segment_count,
                             .end_by_us = shifted_us};
}

// A list that begins at from_us and has the length of a live one, however long the segments are.
static struct question moving(const struct stream *stream, int64_t from_us)
{
    const struct stream_conf *conf = stream_conf(stream);
    return (struct question){.from_us = from_us,
                             .to_us = from_us + SHIFT_LIST_US +
                                      conf->segment_duration_us * conf->segment_count,
                             .kind = HLS_LIVE,
                             .most = conf->segment_count,
                             .oldest = true};
}

// ---- sessions ----------------------------------------------------------------------------------

static struct question sliding(const struct asking *asking, const struct stream *stream)
{
    bool waits;
    int64_t place_us =
        hls_session_place(&asking->session, asking->ranges, asking->range_count, &waits);
    if (asking->past == HLS_REWIND)
        return (struct question){
            .from_us = place_us - (waits ? 1 : 0), .to_us = asking->now_us, .kind = HLS_LIVE};
    return asking->past == HLS_SHIFT_REL ? shifted(stream, place_us)
                                         : moving(stream, place_us - (waits ? 1 : 0));
}

static void on_recorded(void *arg, int err, const struct history_range *ranges, size_t count)
{
    struct asking *asking = arg;
    asking->recorded = NULL;
    struct stream *stream = streams_get(asking->env->streams, http_prefix(asking->request));
    struct history *history = stream ? stream_history(stream) : NULL;
    if ((err && err != ERR_NOT_FOUND) || !history) {
        fail(asking, 503, history ? err_name(err) : "the archive is gone");
        return;
    }
    if (count)
        asking->ranges = mem_dup(ranges, count * sizeof *ranges);
    asking->range_count = count;
    struct question question = sliding(asking, stream);
    ask(asking, history, &question);
}

static void ask_recorded(struct asking *asking, const struct stream *stream,
                         struct history *history, const struct hls_past_name *name,
                         int64_t began_us)
{
    const struct stream_conf *conf = stream_conf(stream);
    char text[8];
    struct hls_session *session = &asking->session;
    session->origin_us = name->kind == HLS_SHIFT_ABS ? name->from_s * US_PER_S
                                                     : began_us - name->length_s * US_PER_S;
    if (session->origin_us < 0)
        session->origin_us = 0;
    session->elapsed_us = asking->now_us > began_us ? asking->now_us - began_us : 0;
    session->span_us = name->kind == HLS_REWIND ? name->length_s * US_PER_S
                       : name->kind == HLS_SHIFT_REL
                           ? 1
                           : SHIFT_LIST_US + conf->segment_duration_us * conf->segment_count;
    session->ignore_gaps = http_query_get(asking->request, "ignore_gaps", text, sizeof text) &&
                           strcmp(text, "false") != 0 && strcmp(text, "0") != 0;
    asking->recorded = history_ranges(history, session->origin_us,
                                      asking->now_us > session->origin_us ? asking->now_us
                                                                          : session->origin_us + 1,
                                      on_recorded, asking);
}

// The moment a session began is in the address of the list it is sent to, so that the server keeps
// nothing: the first answer is a master playlist with that one list. What else was in the query (a
// token) stays.
static void answer_session(struct http_request *request, int64_t now)
{
    struct writer writer = {0};
    const char *query = http_query(request);
    writer_printf(&writer,
                  "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=2000000\n"
                  "%s?%s%sbegan=%lld\n",
                  http_tail(request), query, *query ? "&" : "", (long long)(now / US_PER_MS));
    struct buf *body = writer_take(&writer);
    http_set_header(request, "Cache-Control", "no-cache");
    http_respond(request, 200, "application/vnd.apple.mpegurl", &body);
}

static bool session_began(const struct http_request *request, int64_t *began_us)
{
    char text[32];
    int64_t began_ms;
    if (!http_query_get(request, "began", text, sizeof text) ||
        text_to_int(text, 0, HLS_SECONDS_MAX * 1000, &began_ms) != 0)
        return false;
    *began_us = began_ms * US_PER_MS;
    return true;
}

void hls_handle_past(void *arg, struct http_request *request)
{
    struct hls_past_name name;
    int64_t now = utc_us(), began_us = 0;
    struct stream *stream = hls_stream(arg, request, VIEWER_PAST);
    if (!stream)
        return;
    if (hls_past_parse(http_tail(request), &name) != 0) {
        http_respond_error(request, 400,
                           "expected archive-FROM-DURATION, archive-FROM-now, rewind-N, "
                           "timeshift_abs-FROM or timeshift_rel-N in seconds");
        return;
    }
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    if (name.kind != HLS_WINDOW && !session_began(request, &began_us)) {
        answer_session(request, now);
        return;
    }
    struct asking *asking = mem_alloc(sizeof *asking);
    asking->env = arg;
    asking->request = request;
    asking->format = name.format;
    asking->past = name.kind;
    asking->now_us = now;
    if (name.kind == HLS_WINDOW) {
        struct question question = window(&name, now);
        ask(asking, history, &question);
    } else {
        ask_recorded(asking, stream, history, &name, began_us);
    }
    http_on_gone(request, on_gone, asking);
}
