// SPDX-License-Identifier: MIT
#include "http_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/ensure.h"
#include "base/mem.h"
#include "base/text.h"
#include "io/loop.h"

void http_client_open(struct http_client *client, struct loop *loop, uint16_t port)
{
    *client = (struct http_client){.loop = loop, .end.keep_open = true};
    client->end.conn = conn_connect(loop, "127.0.0.1", port, NULL, 5 * US_PER_S,
                                    conn_end_events(&client->end), &client->end);
    while (!client->end.opened && !client->end.closed)
        loop_turn(loop, true);
}

static void forget(struct http_client *client)
{
    mem_free(client->head);
    mem_free(client->body);
    client->head = client->body = NULL;
    client->body_length = 0;
    client->status = 0;
    client->cut = false;
}

void http_client_close(struct http_client *client)
{
    if (client->end.conn)
        conn_close(client->end.conn, REASON_LOCAL);
    while (!client->end.closed)
        loop_turn(client->loop, false);
    forget(client);
    conn_end_fini(&client->end);
}

void http_client_send(struct http_client *client, const char *text)
{
    if (client->end.conn)
        conn_end_send(&client->end, text);
}

void http_client_ask(struct http_client *client, const char *method, const char *path,
                     const char *lines)
{
    char text[8192];
    ENSURE(text_format(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: test\r\n%s\r\n", method, path,
                       lines));
    http_client_send(client, text);
}

static bool over(const struct http_client *client)
{
    return client->end.ended || client->end.closed;
}

// Waits for so many bytes from the answer's beginning on.
static bool wait_bytes(struct http_client *client, size_t count)
{
    while (client->end.got_length < client->at + count && !over(client))
        loop_turn(client->loop, true);
    return client->end.got_length >= client->at + count;
}

// Waits until `mark` is found at or behind `from`; the offset after it, 0 when it does not come.
static size_t wait_mark(struct http_client *client, size_t from, const char *mark)
{
    size_t length = strlen(mark);
    for (;;) {
        if (client->end.got_length > client->at + from) {
            const uint8_t *begin = client->end.got + client->at;
            size_t have = client->end.got_length - client->at;
            const uint8_t *found = memmem(begin + from, have - from, mark, length);
            if (found)
                return (size_t)(found - begin) + length;
        }
        if (over(client))
            return 0;
        loop_turn(client->loop, true);
    }
}

static void add_body(struct http_client *client, size_t from, size_t length)
{
    client->body = mem_resize(client->body, client->body_length + length + 1);
    if (length)
        memcpy(client->body + client->body_length, client->end.got + client->at + from, length);
    client->body_length += length;
    client->body[client->body_length] = 0;
}

// Returns where the answer ends.
static size_t read_chunks(struct http_client *client, size_t from)
{
    for (;;) {
        size_t line_end = wait_mark(client, from, "\r\n");
        if (!line_end) {
            client->cut = true;
            return from;
        }
        char *number_end;
        const char *line = (const char *)client->end.got + client->at + from;
        size_t size = strtoull(line, &number_end, 16);
        ENSURE(number_end == (const char *)client->end.got + client->at + line_end - 2);
        if (!wait_bytes(client, line_end + size + 2)) {
            client->cut = true;
            return from;
        }
        ENSURE(memcmp(client->end.got + client->at + line_end + size, "\r\n", 2) == 0);
        add_body(client, line_end, size);
        from = line_end + size + 2;
        if (size == 0)
            return from;
    }
}

static size_t read_body(struct http_client *client, size_t from)
{
    const char *length = http_client_header(client, "Content-Length");
    const char *coding = http_client_header(client, "Transfer-Encoding");
    if (coding && strcmp(coding, "chunked") == 0)
        return read_chunks(client, from);
    size_t count = length ? strtoull(length, NULL, 10) : 0;
    if (!length && client->status != 204 && client->status != 304) {
        while (!over(client))
            loop_turn(client->loop, true);
        count = client->end.got_length - client->at - from;
    } else if (!wait_bytes(client, from + count)) {
        client->cut = true;
        count = client->end.got_length - client->at - from;
    }
    add_body(client, from, count);
    return from + count;
}

int http_client_wait(struct http_client *client, bool no_body)
{
    forget(client);
    add_body(client, 0, 0);
    size_t head_length = wait_mark(client, 0, "\r\n\r\n");
    if (!head_length) {
        client->cut = true;
        return 0;
    }
    client->head = mem_strndup((const char *)client->end.got + client->at, head_length);
    client->status = (int)strtol(client->head + strlen("HTTP/1.1 "), NULL, 10);
    client->at += no_body ? head_length : read_body(client, head_length);
    return client->status;
}

int http_client_get(struct http_client *client, const char *path, const char *lines)
{
    http_client_ask(client, "GET", path, lines);
    return http_client_wait(client, false);
}

const char *http_client_header(const struct http_client *client, const char *name)
{
    static char value[1024];
    size_t length = strlen(name);
    const char *line = client->head ? strstr(client->head, "\r\n") : NULL;
    for (; line && line[2]; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, length) != 0 || line[2 + length] != ':')
            continue;
        const char *text = line + 3 + length + strspn(line + 3 + length, " ");
        text_copy_n(value, sizeof(value), text, strcspn(text, "\r"));
        return value;
    }
    return NULL;
}

size_t http_client_rest(const struct http_client *client)
{
    return client->end.got_length - client->at;
}
