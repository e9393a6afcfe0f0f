// SPDX-License-Identifier: MIT
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

size_t head_find(struct bytes in)
{
    const uint8_t *end = memmem(in.data, in.length, "\r\n\r\n", 4);
    return end ? (size_t)(end - in.data) + 4 : 0;
}

// The guard: bytes that parsers are known to read differently.
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
        } else if ((c < 32 && c != '\t') || c == 127) {
            return "a control character";
        }
    }
    return NULL;
}

// ---- collecting what llhttp reports ----------------------------------------------------------------

struct collector {
    llhttp_t parser; // first: callbacks get its address
    struct head *head;
    size_t used;     // of head->text
    char *at;        // where the string under way begins
    bool too_many;
};

static int append(struct collector *collector, const char *data, size_t length)
{
    if (!collector->at)
        collector->at = collector->head->text + collector->used;
    memcpy(collector->head->text + collector->used, data, length);
    collector->used += length;
    return 0;
}

static char *end_string(struct collector *collector)
{
    char *string = collector->at ? collector->at : collector->head->text + collector->used;
    collector->head->text[collector->used++] = '\0';
    collector->at = NULL;
    return string;
}

static int on_span(llhttp_t *parser, const char *data, size_t length)
{
    return append((struct collector *)parser, data, length);
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
    head->field[head->field_count].name = end_string(collector);
    head->field[head->field_count].value = "";
    return 0;
}

static int on_value_end(llhttp_t *parser)
{
    struct collector *collector = (struct collector *)parser;
    struct head *head = collector->head;
    char *value = end_string(collector);
    size_t length = strlen(value);
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    head->field[head->field_count++].value = value;
    return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
    (void)parser;
    return HPE_PAUSED; // the body is not llhttp's business
}

const char *head_field(const struct head *head, const char *name)
{
    for (unsigned i = 0; i < head->field_count; i++)
        if (text_equal_nocase(head->field[i].name, name))
            return head->field[i].value;
    return NULL;
}

static unsigned count_field(const struct head *head, const char *name)
{
    unsigned count = 0;
    for (unsigned i = 0; i < head->field_count; i++)
        count += text_equal_nocase(head->field[i].name, name);
    return count;
}

// What both the guard and llhttp let through and we do not.
static int check(struct head *head, const char **why)
{
    if (count_field(head, "Host") > 1 || (head->minor == 1 && !count_field(head, "Host"))) {
        *why = "exactly one Host is needed";
        return 400;
    }
    if (count_field(head, "Transfer-Encoding")) {
        *why = "a body needs a Content-Length here";
        return head->minor == 0 || count_field(head, "Content-Length") ? 400 : 411;
    }
    for (unsigned i = 0; i < head->field_count; i++)
        if (!head->field[i].name[0]) {
            *why = "a header without a name";
            return 400;
        }
    int64_t length = 0;
    const char *text = head_field(head, "Content-Length");
    if (count_field(head, "Content-Length") > 1 ||
        (text && text_to_int(text, 0, INT64_MAX, &length) != 0)) {
        *why = "a malformed Content-Length";
        return 400;
    }
    if (length > HTTP_BODY_MAX - HTTP_HEAD_MAX) {
        *why = "the body is too large";
        return 413;
    }
    head->body_length = (uint64_t)length;
    const char *expect = head_field(head, "Expect");
    head->expects_continue = expect && text_equal_nocase(expect, "100-continue");
    if (strlen(head->target) > HEAD_TARGET_MAX) {
        *why = "the address is too long";
        return 414;
    }
    return 0;
}

int head_parse(struct bytes in, struct head *out, const char **why)
{
    *out = (struct head){0};
    *why = guard(in);
    if (*why)
        return 400;
    llhttp_settings_t settings;
    llhttp_settings_init(&settings);
    settings.on_url = on_span;
    settings.on_url_complete = on_url_end;
    settings.on_header_field = on_span;
    settings.on_header_field_complete = on_name_end;
    settings.on_header_value = on_span;
    settings.on_header_value_complete = on_value_end;
    settings.on_headers_complete = on_headers_complete;
    struct collector collector = {.head = out};
    // Every string and its end fit: a string is shorter than its place in the head.
    out->text = mem_alloc(in.length + HEAD_FIELDS_MAX * 2 + 2);
    llhttp_init(&collector.parser, HTTP_REQUEST, &settings);
    llhttp_errno_t err = llhttp_execute(&collector.parser, (const char *)in.data, in.length);
    int status = 0;
    out->minor = collector.parser.http_minor;
    if (collector.too_many) {
        *why = "too many headers";
        status = 431;
    } else if (err != HPE_PAUSED && err != HPE_PAUSED_UPGRADE && err != HPE_OK) {
        *why = "malformed";
        status = err == HPE_INVALID_METHOD ? 501 : err == HPE_INVALID_VERSION ? 505 : 400;
    } else if (!out->target || collector.parser.http_major != 1 || out->minor > 1) {
        *why = "HTTP/1.0 or HTTP/1.1 is needed";
        status = 505;
    } else {
        out->method = llhttp_method_name(collector.parser.method);
        status = check(out, why);
    }
    const char *connection = head_field(out, "Connection");
    out->keep_alive = out->minor == 1;
    if (connection && text_equal_nocase(connection, "close"))
        out->keep_alive = false;
    if (connection && text_equal_nocase(connection, "keep-alive"))
        out->keep_alive = true;
    if (status != 0)
        head_fini(out);
    return status;
}

void head_fini(struct head *head)
{
    mem_free(head->text);
    *head = (struct head){0};
}
