// SPDX-License-Identifier: MIT
// Session descriptions. The text is copied once and cut into terminated pieces in place.
#include "format/sdp_parse.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/text.h"

// Payload types with a meaning of their own (RFC 3551, table 4 and 5) that cameras use or that a
// log should be able to name.
static const struct {
    int type;
    const char *encoding;
    uint32_t clock;
    unsigned channels;
} static_formats[] = {
    {0, "PCMU", 8000, 1},   {3, "GSM", 8000, 1},    {4, "G723", 8000, 1},  {5, "DVI4", 8000, 1},
    {8, "PCMA", 8000, 1},   {9, "G722", 8000, 1},   {10, "L16", 44100, 2}, {11, "L16", 44100, 1},
    {13, "CN", 8000, 1},    {14, "MPA", 90000, 0},  {15, "G728", 8000, 1}, {18, "G729", 8000, 1},
    {26, "JPEG", 90000, 0}, {31, "H261", 90000, 0}, {32, "MPV", 90000, 0}, {33, "MP2T", 90000, 0},
    {34, "H263", 90000, 0},
};

static char *skip_blanks(char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

static void trim_end(char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        text[--length] = 0;
}

// Next line, terminated, its blanks cut off; NULL at the end.
static char *next_line(char **at)
{
    char *line = *at;
    if (!*line)
        return NULL;
    char *end = line + strcspn(line, "\r\n");
    *at = end + (*end != 0);
    *end = 0;
    trim_end(line);
    return skip_blanks(line);
}

// Cuts the first word off and moves *at to what follows it. May be empty.
static char *next_word(char **at)
{
    char *word = skip_blanks(*at);
    char *end = word + strcspn(word, " \t");
    *at = *end ? skip_blanks(end + 1) : end;
    *end = 0;
    return word;
}

// The digits at the front as a number of at most `most`; -1 when there are none or it is larger.
static int64_t leading_number(const char *text, int64_t most)
{
    int64_t value = -1;
    for (; *text >= '0' && *text <= '9' && value <= most; text++)
        value = (value < 0 ? 0 : value * 10) + (*text - '0');
    return value > most ? -1 : value;
}

static struct sdp_format *format_find(struct sdp_media *media, int payload_type)
{
    for (unsigned i = 0; i < media->format_count; i++)
        if (media->format[i].payload_type == payload_type)
            return &media->format[i];
    if (media->format_count == SDP_FORMATS_MAX)
        return NULL;
    struct sdp_format *format = &media->format[media->format_count++];
    *format = (struct sdp_format){.payload_type = payload_type, .encoding = "", .fmtp = ""};
    for (size_t i = 0; i < sizeof(static_formats) / sizeof(static_formats[0]); i++) {
        if (static_formats[i].type == payload_type) {
            format->encoding = static_formats[i].encoding;
            format->clock = static_formats[i].clock;
            format->channels = static_formats[i].channels;
        }
    }
    return format;
}

// m=video 0 RTP/AVP 96 97
static void read_media(struct sdp *sdp, char *value)
{
    if (sdp->media_count == TRACKS_MAX) {
        sdp->media_over++;
        return;
    }
    struct sdp_media *media = &sdp->media[sdp->media_count++];
    media->kind = next_word(&value);
    media->control = "";
    int64_t port = leading_number(next_word(&value), UINT16_MAX);
    media->port = port < 0 ? 0 : (unsigned)port;
    next_word(&value); // the transport: that it is RTP is known
    while (*value) {
        int64_t type = leading_number(next_word(&value), 127);
        if (type >= 0)
            format_find(media, (int)type);
    }
}

// rtpmap: 96 H264/90000 or 97 MPEG4-GENERIC/16000/2
static void read_rtpmap(struct sdp_media *media, char *value)
{
    int64_t type = leading_number(next_word(&value), 127);
    struct sdp_format *format = type < 0 ? NULL : format_find(media, (int)type);
    if (!format || !*value)
        return;
    char *slash = value + strcspn(value, "/");
    bool more = *slash;
    *slash = 0;
    trim_end(value);
    format->encoding = value;
    format->clock = 0;
    format->channels = 0;
    if (!more)
        return;
    int64_t clock = leading_number(skip_blanks(slash + 1), 10000000);
    format->clock = clock < 0 ? 0 : (uint32_t)clock;
    char *second = strchr(slash + 1, '/');
    int64_t channels = second ? leading_number(skip_blanks(second + 1), 64) : -1;
    format->channels = channels < 0 ? 0 : (unsigned)channels;
}

static void read_attribute(struct sdp *sdp, char *value)
{
    struct sdp_media *media = sdp->media_count ? &sdp->media[sdp->media_count - 1] : NULL;
    char *colon = strchr(value, ':');
    if (media && !sdp->media_over && text_equal_nocase(value, "recvonly"))
        media->direction = SDP_RECEIVE;
    if (media && !sdp->media_over && text_equal_nocase(value, "sendonly"))
        media->direction = SDP_SEND;
    if (!colon || sdp->media_over)
        return;
    *colon = 0;
    trim_end(value);
    char *rest = skip_blanks(colon + 1);
    if (text_equal_nocase(value, "control")) {
        if (media)
            media->control = rest;
        else
            sdp->control = rest;
    } else if (media && text_equal_nocase(value, "rtpmap")) {
        read_rtpmap(media, rest);
    } else if (media && text_equal_nocase(value, "fmtp")) {
        int64_t type = leading_number(next_word(&rest), 127);
        struct sdp_format *format = type < 0 ? NULL : format_find(media, (int)type);
        if (format)
            format->fmtp = rest;
    }
}

// A dynamic payload type whose rtpmap is missing tells by its parameters what it is.
static void guess_encoding(struct sdp_media *media)
{
    for (unsigned i = 0; i < media->format_count; i++) {
        struct sdp_format *format = &media->format[i];
        struct bytes value;
        if (*format->encoding)
            continue;
        if (sdp_format_get(format, "sprop-parameter-sets", &value))
            format->encoding = "H264";
        else if (sdp_format_get(format, "sprop-sps", &value))
            format->encoding = "H265";
        else if (sdp_format_get(format, "sizelength", &value))
            format->encoding = "MPEG4-GENERIC";
    }
}

int sdp_parse(struct bytes in, struct sdp **out)
{
    *out = NULL;
    if (in.length > SDP_BYTES_MAX)
        return ERR_LIMIT;
    struct sdp *sdp = mem_try_alloc(sizeof(*sdp));
    char *text = mem_try_alloc(in.length + 1);
    if (!sdp || !text) {
        mem_free(sdp);
        mem_free(text);
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < in.length; i++)
        text[i] = in.data[i] ? (char)in.data[i] : '\n';
    sdp->text = text;
    sdp->name = sdp->control = "";
    for (char *at = text, *line; (line = next_line(&at));) {
        char kind = (char)tolower((unsigned char)line[0]);
        char *value = line[0] ? skip_blanks(line + 1) : line;
        if (*value != '=')
            continue;
        value = skip_blanks(value + 1);
        if (kind == 'm')
            read_media(sdp, value);
        else if (kind == 'a')
            read_attribute(sdp, value);
        else if (kind == 's' && sdp->media_count == 0)
            sdp->name = value;
    }
    for (unsigned i = 0; i < sdp->media_count; i++)
        guess_encoding(&sdp->media[i]);
    if (sdp->media_count == 0) {
        sdp_free(&sdp);
        return ERR_INVALID;
    }
    *out = sdp;
    return 0;
}

void sdp_free(struct sdp **sdp)
{
    struct sdp *gone = *sdp;
    *sdp = NULL;
    if (!gone)
        return;
    mem_free(gone->text);
    mem_free(gone);
}

bool sdp_format_get(const struct sdp_format *format, const char *key, struct bytes *value)
{
    size_t key_length = strlen(key);
    const char *at = format->fmtp;
    while (*at) {
        at += strspn(at, "; \t");
        size_t length = strcspn(at, ";"), name = 0;
        while (name < length && at[name] != '=')
            name++;
        size_t from = name < length ? name + 1 : length, to = length, name_end = name;
        while (name_end > 0 && isspace((unsigned char)at[name_end - 1]))
            name_end--;
        while (from < to && isspace((unsigned char)at[from]))
            from++;
        while (to > from && isspace((unsigned char)at[to - 1]))
            to--;
        if (name_end == key_length && strncasecmp(at, key, key_length) == 0) {
            *value = bytes_of(at + from, to - from);
            return true;
        }
        at += length;
    }
    return false;
}

uint32_t sdp_format_number(const struct sdp_format *format, const char *key, uint32_t absent)
{
    struct bytes value;
    char text[16];
    int64_t number;
    if (!sdp_format_get(format, key, &value) ||
        !text_copy_n(text, sizeof(text), (const char *)value.data, value.length) ||
        text_to_int(text, 0, UINT32_MAX, &number) < 0)
        return absent;
    return (uint32_t)number;
}

// scheme://
static bool is_absolute(const char *url)
{
    size_t scheme =
        strspn(url, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return scheme > 0 && text_starts(url + scheme, "://");
}

bool sdp_control_url(const char *base, const char *control, char *out, size_t room)
{
    if (is_absolute(control))
        return text_copy(out, room, control);
    if (!*control || strcmp(control, "*") == 0)
        return text_copy(out, room, base);
    bool slash = text_ends(base, "/");
    while (*control == '/')
        control++;
    return text_format(out, room, "%s%s%s", base, slash ? "" : "/", control);
}
