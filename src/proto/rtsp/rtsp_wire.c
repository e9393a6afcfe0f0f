// SPDX-License-Identifier: MIT
// RTSP messages and interleaved frames out of bytes.
#include "rtsp_wire.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { FRAME_HEAD = 4, METHOD_MAX = 24, STATUS_MAX = 999 };

bool rtsp_bytes_equal(struct bytes bytes, const char *text)
{
    return bytes.length == strlen(text) &&
           strncasecmp((const char *)bytes.data, text, bytes.length) == 0;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct bytes trim(struct bytes bytes)
{
    while (bytes.length > 0 && is_blank(bytes.data[0]))
        bytes_skip(&bytes, 1);
    while (bytes.length > 0 && is_blank(bytes.data[bytes.length - 1]))
        bytes.length--;
    return bytes;
}

// Takes what stands in front of the separator, and the separator; all when there is none.
static struct bytes take_until(struct bytes *in, char separator)
{
    const uint8_t *at = in->length ? memchr(in->data, separator, in->length) : NULL;
    struct bytes part = bytes_of(in->data, at ? (size_t)(at - in->data) : in->length);
    bytes_skip(in, part.length + (at != NULL));
    return part;
}

static bool read_number(struct bytes in, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    if (in.length == 0 || in.length > 18)
        return false;
    for (size_t i = 0; i < in.length; i++) {
        if (!isdigit(in.data[i]))
            return false;
        value = value * 10 + (in.data[i] - '0');
    }
    *out = value;
    return value <= most;
}

// A line without its end; false when its end is not there yet.
static bool next_line(struct bytes *in, struct bytes *line)
{
    const uint8_t *end = in->length ? memchr(in->data, '\n', in->length) : NULL;
    if (!end)
        return false;
    bytes_take(in, (size_t)(end - in->data), line);
    bytes_skip(in, 1);
    while (line->length > 0 && line->data[line->length - 1] == '\r')
        line->length--;
    return true;
}

static bool starts_with(struct bytes in, const char *text)
{
    size_t length = strlen(text);
    return in.length >= length && memcmp(in.data, text, length) == 0;
}

// What can begin here, as far as the bytes tell: a response, or a request by its capital letters.
static bool may_be_message(struct bytes in)
{
    static const char version[] = "RTSP/";
    size_t length = in.length < 5 ? in.length : 5;
    if (memcmp(in.data, version, length) == 0)
        return true;
    size_t letters = 0;
    while (letters < in.length && letters <= METHOD_MAX &&
           (isupper(in.data[letters]) || in.data[letters] == '_'))
        letters++;
    return letters == in.length || (letters >= 3 && in.data[letters] == ' ');
}

// Skips to the next place where a frame or a response may begin.
static void take_junk(struct bytes *in, struct rtsp_item *out)
{
    size_t at = 1;
    for (; at < in->length; at++) {
        struct bytes rest = bytes_of(in->data + at, in->length - at);
        size_t known = rest.length < 5 ? rest.length : 5;
        if (rest.data[0] == '$' || memcmp(rest.data, "RTSP/", known) == 0)
            break;
    }
    out->kind = RTSP_JUNK;
    bytes_take(in, at, &out->payload);
}

static int take_frame(struct bytes *in, struct rtsp_item *out)
{
    if (in->length < FRAME_HEAD)
        return ERR_AGAIN;
    size_t length = (size_t)in->data[2] << 8 | in->data[3];
    if (in->length < FRAME_HEAD + length)
        return ERR_AGAIN;
    out->kind = RTSP_FRAME;
    out->channel = in->data[1];
    bytes_skip(in, FRAME_HEAD);
    bytes_take(in, length, &out->payload);
    return 0;
}

// RTSP/1.0 200 OK
static bool read_status_line(struct bytes line, struct rtsp_message *message)
{
    uint64_t status;
    take_until(&line, ' ');
    line = trim(line);
    if (!read_number(take_until(&line, ' '), STATUS_MAX, &status) || status < 100)
        return false;
    message->status = (unsigned)status;
    message->phrase = trim(line);
    return true;
}

// OPTIONS rtsp://host/path RTSP/1.0
static bool read_request_line(struct bytes line, struct rtsp_message *message)
{
    message->method = take_until(&line, ' ');
    message->uri = take_until(&line, ' ');
    return starts_with(line, "RTSP/");
}

static bool read_headers(struct bytes *in, struct rtsp_message *message)
{
    struct bytes line;
    message->header_count = 0;
    while (next_line(in, &line)) {
        if (line.length == 0)
            return true;
        struct rtsp_header header = {.name = trim(take_until(&line, ':')), .value = trim(line)};
        if (header.name.length > 0 && message->header_count < RTSP_HEADERS_MAX)
            message->header[message->header_count++] = header;
    }
    return false;
}

static int take_message(struct bytes *in, struct rtsp_item *out)
{
    struct bytes rest = *in, line;
    struct rtsp_message *message = &out->message;
    bool response = starts_with(rest, "RTSP/");
    if (!next_line(&rest, &line))
        return in->length > RTSP_HEAD_MAX ? ERR_LIMIT : ERR_AGAIN;
    bool understood = response ? read_status_line(line, message) : read_request_line(line, message);
    if (!understood) {
        if (starts_with(line, "HTTP/"))
            return ERR_INVALID;
        take_junk(in, out);
        return 0;
    }
    if (!read_headers(&rest, message))
        return in->length > RTSP_HEAD_MAX ? ERR_LIMIT : ERR_AGAIN;
    uint32_t length = 0;
    if (rtsp_header_number(message, "Content-Length", &length) && length > RTSP_BODY_MAX)
        return ERR_LIMIT;
    if (!bytes_take(&rest, length, &message->body))
        return ERR_AGAIN;
    out->kind = response ? RTSP_RESPONSE : RTSP_REQUEST;
    *in = rest;
    return 0;
}

int rtsp_wire_next(struct bytes *in, struct rtsp_item *out)
{
    while (in->length > 0 && (in->data[0] == '\r' || in->data[0] == '\n' || in->data[0] == 0))
        bytes_skip(in, 1);
    if (in->length == 0)
        return ERR_AGAIN;
    if (in->data[0] == '$')
        return take_frame(in, out);
    if (starts_with(*in, "HTTP/"))
        return ERR_INVALID;
    if (may_be_message(*in))
        return take_message(in, out);
    take_junk(in, out);
    return 0;
}

// ---- headers -----------------------------------------------------------------------------------

bool rtsp_header_get(const struct rtsp_message *message, const char *name, unsigned n,
                     struct bytes *value)
{
    for (unsigned i = 0; i < message->header_count; i++) {
        if (rtsp_bytes_equal(message->header[i].name, name) && n-- == 0) {
            *value = message->header[i].value;
            return true;
        }
    }
    return false;
}

bool rtsp_header_number(const struct rtsp_message *message, const char *name, uint32_t *out)
{
    struct bytes value;
    uint64_t number;
    if (!rtsp_header_get(message, name, 0, &value) || !read_number(value, UINT32_MAX, &number))
        return false;
    *out = (uint32_t)number;
    return true;
}

bool rtsp_list_has(struct bytes list, const char *word)
{
    while (list.length > 0)
        if (rtsp_bytes_equal(trim(take_until(&list, ',')), word))
            return true;
    return false;
}

bool rtsp_session_parse(struct bytes value, char *id, size_t room, unsigned *timeout_s)
{
    struct bytes name = trim(take_until(&value, ';'));
    if (name.length == 0 || name.length >= room)
        return false;
    for (size_t i = 0; i < name.length; i++)
        if (!isgraph(name.data[i])) // it goes into our own requests
            return false;
    text_copy_n(id, room, (const char *)name.data, name.length);
    *timeout_s = 0;
    while (value.length > 0) {
        struct bytes parameter = take_until(&value, ';');
        struct bytes key = trim(take_until(&parameter, '='));
        uint64_t number;
        if (rtsp_bytes_equal(key, "timeout") && read_number(trim(parameter), 86400, &number))
            *timeout_s = (unsigned)number;
    }
    return true;
}

// "6970-6971", or one number: then the second is the next one.
static bool read_pair(struct bytes value, uint64_t most, uint64_t out[2])
{
    if (!read_number(trim(take_until(&value, '-')), most, &out[0]))
        return false;
    if (!read_number(trim(value), most, &out[1]))
        out[1] = out[0] < most ? out[0] + 1 : out[0];
    return true;
}

static bool read_hex(struct bytes value, uint32_t *out)
{
    uint32_t number = 0;
    if (value.length == 0 || value.length > 8)
        return false;
    for (size_t i = 0; i < value.length; i++) {
        if (!isxdigit(value.data[i]))
            return false;
        uint8_t c = (uint8_t)tolower(value.data[i]);
        number = number << 4 | (uint32_t)(isdigit(c) ? c - '0' : c - 'a' + 10);
    }
    *out = number;
    return true;
}

void rtsp_transport_parse(struct bytes value, struct rtsp_transport *out)
{
    uint64_t pair[2];
    value = take_until(&value, ',');
    *out = (struct rtsp_transport){0};
    while (value.length > 0) {
        struct bytes parameter = take_until(&value, ';');
        struct bytes key = trim(take_until(&parameter, '='));
        parameter = trim(parameter);
        if (rtsp_bytes_equal(key, "RTP/AVP/TCP")) {
            out->tcp = true;
        } else if (rtsp_bytes_equal(key, "multicast")) {
            out->multicast = true;
        } else if (rtsp_bytes_equal(key, "interleaved") && read_pair(parameter, 255, pair)) {
            out->has_channels = true;
            out->channel[0] = (uint8_t)pair[0];
            out->channel[1] = (uint8_t)pair[1];
        } else if (rtsp_bytes_equal(key, "server_port") && read_pair(parameter, 65535, pair)) {
            out->has_server_ports = true;
            out->server_port[0] = (uint16_t)pair[0];
            out->server_port[1] = (uint16_t)pair[1];
        } else if (rtsp_bytes_equal(key, "ssrc")) {
            out->has_ssrc = read_hex(parameter, &out->ssrc);
        } else if (rtsp_bytes_equal(key, "source")) {
            text_copy_n(out->source, sizeof(out->source), (const char *)parameter.data,
                        parameter.length);
        }
    }
}
