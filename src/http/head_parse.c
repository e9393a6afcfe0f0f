// SPDX-License-Identifier: MIT
// The head of a request. Order: guard (bytes that parsers are known to read differently), request
// line, llhttp, and what llhttp lets through.
#include "head_parse.h"

#include <llhttp.h>
#include <string.h>

#include "base/ensure.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#if LLHTTP_STRICT_MODE != 1
#error "llhttp is only safe in strict mode"
#endif

_Static_assert(HTTP_HEAD_MAX + 2 * HEAD_FIELDS_MAX < UINT16_MAX, "places in a head fit 16 bits");

size_t head_find(struct bytes in)
{
    const uint8_t *end = in.length ? memmem(in.data, in.length, "\r\n\r\n", 4) : NULL;
    return end ? (size_t)(end - in.data) + 4 : 0;
}

static const char *guard(struct bytes in)
{
    for (size_t i = 0; i < in.length; i++) {
        uint8_t c = in.data[i];
        if (c == '\r') {
            if (i + 1 >= in.length || in.data[i + 1] != '\n')
                return "a CR without LF";
            if (i + 2 < in.length && (in.data[i + 2] == ' ' || in.data[i + 2] == '\t'))
                return "a folded header line";
            i++;
        } else if (c == '\n') {
            return "an LF without CR";
        } else if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return "a control character";
        }
    }
    return NULL;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

// "METHOD SP target SP HTTP/1.x CRLF". 0 or a status.
static int check_request_line(struct bytes in, const char **why)
{
    const uint8_t *end = memchr(in.data, '\r', in.length);
    const uint8_t *first = end ? memchr(in.data, ' ', (size_t)(end - in.data)) : NULL;
    const uint8_t *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    *why = "the request line needs a method, an address and a version";
    if (!second || first == in.data || second == first + 1)
        return 400;
    for (const uint8_t *at = in.data; at < end; at++) {
        if (*at == '\t' || *at >= 0x80)
            return 400;
    }
    const uint8_t *version = second + 1;
    if (end - version != 8 || memcmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) ||
        version[6] != '.' || !is_digit(version[7]))
        return 400;
    *why = "HTTP/1.0 or HTTP/1.1 is needed";
    if (version[5] != '1' || version[7] > '1')
        return 505;
    *why = "the address is too long";
    return second - first - 1 > HEAD_TARGET_MAX ? 414 : 0;
}

// ---- collecting what llhttp reports ------------------------------------------------------------

struct collector {
    llhttp_t parser; // first: callbacks get its address
    struct head *head;
    size_t used; // of head->text
    char *at;    // where the string under way begins; NULL: none
    bool too_many;
    bool complete;
};

// Spans may be empty, and one string may come in several.
static int on_span(llhttp_t *parser, const char *data, size_t length)
{
    struct collector *collector = (struct collector *)parser;
    if (!collector->at)
        collector->at = collector->head->text + collector->used;
    memcpy(collector->head->text + collector->used, data, length);
    collector->used += length;
    return 0;
}

static char *end_string(struct collector *collector)
{
    char *string = collector->at ? collector->at : collector->head->text + collector->used;
    collector->head->text[collector->used++] = 0;
    collector->at = NULL;
    return string;
}

static int on_url_end(llhttp_t *parser)
{
    struct collector *collector = (struct collector *)parser;
    collector->head->target = end_string(collector);
    return 0;
}

static int on_name_end(llhttp_t *parser)
{
    struct collector *collector = (struct collector *)parser;
    struct head *head = collector->head;
    if (head->field_count == HEAD_FIELDS_MAX) {
        collector->too_many = true;
        return -1;
    }
    head->field[head->field_count].name = (uint16_t)(end_string(collector) - head->text);
    return 0;
}

static int on_value_end(llhttp_t *parser)
{
    struct collector *collector = (struct collector *)parser;
    struct head *head = collector->head;
    char *value = end_string(collector);
    size_t length = strlen(value);
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = 0;
    head->field[head->field_count++].value = (uint16_t)(value - head->text);
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    ((struct collector *)parser)->complete = true;
    return HPE_PAUSED; // the body is not llhttp's business, nor is an upgrade
}

static llhttp_errno_t collect(struct collector *collector, struct bytes in)
{
    static llhttp_settings_t settings; // llhttp keeps a pointer to it
    if (!settings.on_url) {
        llhttp_settings_init(&settings);
        settings.on_url = on_span;
        settings.on_url_complete = on_url_end;
        settings.on_header_field = on_span;
        settings.on_header_field_complete = on_name_end;
        settings.on_header_value = on_span;
        settings.on_header_value_complete = on_value_end;
        settings.on_headers_complete = on_headers_complete;
    }
    llhttp_init(&collector->parser, HTTP_REQUEST, &settings);
    return llhttp_execute(&collector->parser, (const char *)in.data, in.length);
}

// ---- what llhttp lets through and we do not ----------------------------------------------------

static const char *name_at(const struct head *head, unsigned i)
{
    return head->text + head->field[i].name;
}

const char *head_field(const struct head *head, const char *name)
{
    for (unsigned i = 0; i < head->field_count; i++) {
        if (text_equal_nocase(name_at(head, i), name))
            return head->text + head->field[i].value;
    }
    return NULL;
}

static unsigned count_field(const struct head *head, const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < head->field_count; i++)
        count += text_equal_nocase(name_at(head, i), name);
    return count;
}

bool head_has_token(const char *value, const char *token)
{
    size_t wanted = strlen(token);
    while (*value) {
        value += strspn(value, " \t,");
        size_t length = strcspn(value, ",");
        size_t trimmed = length;
        while (trimmed && (value[trimmed - 1] == ' ' || value[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed == wanted && strncasecmp(value, token, wanted) == 0)
            return true;
        value += length;
    }
    return false;
}

static int check_body(struct head *head, const char **why)
{
    const char *coding = head_field(head, "Transfer-Encoding");
    *why = "a malformed Transfer-Encoding";
    if (coding && (head->minor == 0 || !*coding || count_field(head, "Content-Length") ||
                   count_field(head, "Transfer-Encoding") > 1))
        return 400;
    *why = "a body needs a Content-Length here";
    if (coding) // RFC 9112, 6.1
        return text_equal_nocase(coding, "chunked") ? 411 : 501;
    *why = "a malformed Content-Length";
    const char *text = head_field(head, "Content-Length");
    if (!text)
        return 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || text[digits] || count_field(head, "Content-Length") > 1)
        return 400;
    int64_t length;
    *why = "the body is too large";
    // Head and body wait in the connection's buffer together.
    if (text_to_int(text, 0, HTTP_BODY_MAX - HTTP_HEAD_MAX, &length) != 0)
        return 413;
    head->body_length = (uint64_t)length;
    return 0;
}

static int check(struct head *head, const char **why)
{
    unsigned hosts = count_field(head, "Host");
    *why = "exactly one Host is needed";
    if (hosts > 1 || (head->minor == 1 && hosts == 0))
        return 400;
    *why = "a malformed Host";
    if (hosts && strpbrk(head_field(head, "Host"), " \t/\\?#@,<>\""))
        return 400;
    *why = "a header without a name";
    for (unsigned i = 0; i < head->field_count; i++) {
        if (!name_at(head, i)[0])
            return 400;
    }
    int status = check_body(head, why);
    if (status != 0)
        return status;
    const char *expect = head_field(head, "Expect");
    *why = "this expectation cannot be met";
    if (expect && !text_equal_nocase(expect, "100-continue"))
        return 417;
    head->expects_continue = expect && head->minor == 1;
    const char *connection = head_field(head, "Connection");
    head->keep_alive = head->minor == 1 || (connection && head_has_token(connection, "keep-alive"));
    for (unsigned i = 0; i < head->field_count; i++) {
        if (text_equal_nocase(name_at(head, i), "Connection") &&
            head_has_token(head->text + head->field[i].value, "close"))
            head->keep_alive = false;
    }
    return 0;
}

static int parse(struct bytes in, struct head *out, const char **why)
{
    // Every string and its end fit: a string is shorter than its place in the head.
    out->text = mem_try_alloc(in.length + HEAD_FIELDS_MAX * 2 + 2);
    *why = "no memory";
    if (!out->text)
        return 503;
    struct collector collector = {.head = out};
    llhttp_errno_t err = collect(&collector, in);
    *why = "too many headers";
    if (collector.too_many)
        return 431;
    *why = "this method is not known here";
    if (err == HPE_INVALID_METHOD)
        return 501;
    *why = "malformed";
    if (!collector.complete || !out->target)
        return 400;
    out->minor = collector.parser.http_minor;
    out->method = llhttp_method_name(collector.parser.method);
    return check(out, why);
}

int head_parse(struct bytes in, struct head *out, const char **why)
{
    *out = (struct head){0};
    ENSURE(in.length <= HTTP_HEAD_MAX);
    *why = guard(in);
    if (*why)
        return 400;
    int status = check_request_line(in, why);
    if (status == 0)
        status = parse(in, out, why);
    if (status != 0)
        head_fini(out);
    else
        *why = NULL;
    return status;
}

void head_fini(struct head *head)
{
    mem_free(head->text);
    *head = (struct head){0};
}
