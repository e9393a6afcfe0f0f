// SPDX-License-Identifier: MIT
// Playlists of the past: windows, "from then until now", rewind, and the two timeshifts. All are one
// question to history (which segments lie between two moments) and one answer; only the kind of the
// playlist differs.
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "hls_priv.h"

// A shifted list holds what a live one would: this much before the shifted now.
#define SHIFT_LIST_US (30 * US_PER_S)

struct asking {
    struct http_request *request;
    struct history_request *listing, *heads;
    enum hls_format format;
    enum hls_kind kind;
    const struct protocol_env *env;
    struct segment_info *infos; // kept while the track list is asked for
    size_t count;
    unsigned most;              // only so many of the newest; 0: all
    int64_t end_by_us;          // segments that end later are left out; 0: none are
};

static void asking_free(struct asking *asking)
{
    history_cancel(&asking->listing);
    history_cancel(&asking->heads);
    mem_free(asking->infos);
    mem_free(asking);
}

static void on_gone(void *arg) { asking_free(arg); }

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
        .up = "",
    };
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
        infos += count - asking->most;
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

static void ask(const struct protocol_env *env, struct http_request *request, int64_t from_us,
                int64_t to_us, enum hls_kind kind, unsigned most, int64_t end_by_us)
{
    const char *tail = http_tail(request);
    struct stream *stream = streams_get(env->streams, http_prefix(request));
    struct history *history = stream_history(stream);
    if (!history) {
        http_respond_error(request, 404, "this stream has no archive");
        return;
    }
    struct asking *asking = mem_alloc(sizeof *asking);
    asking->env = env;
    asking->request = request;
    asking->kind = kind;
    asking->most = most;
    asking->end_by_us = end_by_us;
    if (text_ends(tail, ".fmp4.m3u8"))
        asking->format = HLS_FMP4;
    else if (text_ends(tail, ".ts.m3u8") || text_starts(tail, "mono-") ||
             text_starts(tail, "video-"))
        asking->format = HLS_TS;
    asking->listing = history_list(history, from_us, to_us, on_list, asking);
    http_on_gone(request, on_gone, asking);
}

// The part of an address between its first '-' (after any of the prefixes) and its suffix.
static bool middle(const char *tail, const char *word, char *out, size_t room)
{
    const char *at = strstr(tail, word);
    if (!at)
        return false;
    at += strlen(word);
    size_t length = strcspn(at, ".");
    return text_copy_n(out, room, at, length);
}

void hls_handle_window(void *arg, struct http_request *request)
{
    struct stream *stream = hls_stream(arg, request, VIEWER_PAST);
    if (!stream)
        return;
    char text[64];
    int64_t from_s, to_s;
    if (!middle(http_tail(request), "-", text, sizeof text) ||
        hls_window_parse(text, &from_s, &to_s) != 0) {
        http_respond_error(request, 400, "expected archive-FROM-DURATION or archive-FROM-now");
        return;
    }
    int64_t now = utc_us();
    bool open = to_s == 0 || to_s * US_PER_S > now + US_PER_S;
    ask(arg, request, from_s * US_PER_S, open ? now : to_s * US_PER_S,
        open ? HLS_EVENT : HLS_VOD, 0, 0);
}

static bool seconds_after(struct http_request *request, const char *word, int64_t *out)
{
    char text[32];
    if (middle(http_tail(request), word, text, sizeof text) &&
        text_to_int(text, 1, INT64_MAX / US_PER_S / 4, out) == 0)
        return true;
    http_respond_error(request, 400, "expected a number of seconds");
    return false;
}

void hls_handle_rewind(void *arg, struct http_request *request)
{
    int64_t seconds;
    struct stream *stream = hls_stream(arg, request, VIEWER_PAST);
    if (!stream || !seconds_after(request, "rewind-", &seconds))
        return;
    int64_t now = utc_us();
    ask(arg, request, now - seconds * US_PER_S, now, HLS_LIVE, 0, 0);
}

static void ask_shifted(void *arg, struct http_request *request, struct stream *stream,
                        int64_t shifted_us)
{
    int64_t reach_us = SHIFT_LIST_US + stream_conf(stream)->segment_duration_us * 4;
    ask(arg, request, shifted_us - reach_us, shifted_us, HLS_LIVE,
        stream_conf(stream)->segment_count, shifted_us);
}

void hls_handle_timeshift_rel(void *arg, struct http_request *request)
{
    int64_t seconds;
    struct stream *stream = hls_stream(arg, request, VIEWER_PAST);
    if (!stream || !seconds_after(request, "timeshift_rel-", &seconds))
        return;
    ask_shifted(arg, request, stream, utc_us() - seconds * US_PER_S);
}

// The moment a session began is in the address of the list it was sent to, so that the server keeps
// nothing: the first answer is a master playlist with that one list.
void hls_handle_timeshift_abs(void *arg, struct http_request *request)
{
    int64_t from_s, began_ms;
    char began[32];
    struct stream *stream = hls_stream(arg, request, VIEWER_PAST);
    if (!stream || !seconds_after(request, "timeshift_abs-", &from_s))
        return;
    if (http_query_get(request, "began", began, sizeof began) &&
        text_to_int(began, 0, INT64_MAX / 4000, &began_ms) == 0) {
        int64_t passed_us = utc_us() - began_ms * US_PER_MS;
        // The list is as long as a live one at once: the session begins that far in.
        int64_t lead_us = stream_conf(stream)->segment_duration_us *
                          (int64_t)stream_conf(stream)->segment_count;
        ask_shifted(arg, request, stream, from_s * US_PER_S + lead_us + passed_us);
        return;
    }
    struct writer writer = {0};
    writer_printf(&writer,
                  "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-STREAM-INF:BANDWIDTH=2000000\n%s?began=%lld\n",
                  http_tail(request), (long long)(utc_us() / US_PER_MS));
    struct buf *body = writer_take(&writer);
    http_set_header(request, "Cache-Control", "no-cache");
    http_respond(request, 200, "application/vnd.apple.mpegurl", &body);
}
