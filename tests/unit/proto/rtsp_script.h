// SPDX-License-Identifier: MIT
// A camera that follows a script: for each request it gets, one line of the script says what the
// request must look like and what is answered.
#ifndef TESTS_UNIT_PROTO_RTSP_SCRIPT_H
#define TESTS_UNIT_PROTO_RTSP_SCRIPT_H

#include "unit.h"

#include "base/text.h"
#include "base/writer.h"
#include "io/conn.h"
#include "io/listener.h"
#include "loop_fixture.h"
#include "rtsp_wire.h"

// wanted: parts that the request must have, separated by '|'; a part that begins with '!' must not
// be in it. answer: "200 OK\nHeader: x\n\nbody"; CSeq and Content-Length are added. NULL: no
// answer.
// "=": what follows is sent as it is. "x" closes the connection. "#" in it becomes the own port.
struct script_step {
    const char *wanted, *answer;
};

struct script_camera {
    struct loop *loop;
    struct listener *listener; // NULL on a pair
    uint16_t port;
    struct conn *conn; // the newest; NULL when closed
    const struct script_step *step;
    unsigned steps, at;
    unsigned connections;
    char requests[256];   // methods in their order
    char last[8192];      // the newest request
    uint8_t frames[4096]; // interleaved bytes from the client
    size_t frames_length;
    bool over; // the script is at its end: further requests are only written down
};

static inline void script_send(struct script_camera *camera, const char *answer, unsigned cseq)
{
    char text[8192] = "";
    size_t used = 0;
    bool raw = answer[0] == '=';
    for (const char *at = raw ? answer + 1 : answer; *at && used + 8 < sizeof(text); at++) {
        if (*at == '#')
            used += (size_t)snprintf(text + used, 8, "%u", camera->port);
        else
            text[used++] = *at;
    }
    text[used] = 0;
    if (raw) {
        conn_write_copy(camera->conn, text, used);
        return;
    }
    struct writer out = {0};
    char *body = strstr(text, "\n\n");
    char *headers = strchr(text, '\n');
    if (body) {
        *body = 0;
        body += 2;
    }
    if (headers == NULL || (body && headers >= body))
        headers = NULL;
    if (headers)
        *headers++ = 0;
    writer_printf(&out, "RTSP/1.0 %s\r\nCSeq: %u\r\n", text, cseq);
    for (char *line = headers; line && *line;) {
        size_t length = strcspn(line, "\n");
        writer_printf(&out, "%.*s\r\n", (int)length, line);
        line += length + (line[length] == '\n');
    }
    if (body)
        writer_printf(&out, "Content-Length: %zu\r\n", strlen(body));
    writer_printf(&out, "\r\n%s", body ? body : "");
    conn_write_copy(camera->conn, out.buf->data, out.buf->length);
    writer_fini(&out);
}

static inline void script_check(const char *request, const char *wanted)
{
    char part[256];
    while (*wanted) {
        size_t length = strcspn(wanted, "|");
        text_copy_n(part, sizeof(part), wanted, length);
        bool must_not = part[0] == '!';
        if ((strstr(request, part + must_not) != NULL) == must_not)
            fail_msg("'%s' in:\n%s", part, request);
        wanted += length + (wanted[length] == '|');
    }
}

static inline void script_request(struct script_camera *camera, struct bytes text,
                                  const struct rtsp_message *message)
{
    uint32_t cseq = 0;
    rtsp_header_number(message, "CSeq", &cseq);
    text_copy_n(camera->last, sizeof(camera->last), (const char *)text.data, text.length);
    text_append(camera->requests, sizeof(camera->requests), "%.*s ", (int)message->method.length,
                message->method.data);
    if (camera->at == camera->steps) {
        camera->over = true;
        return;
    }
    const struct script_step *step = &camera->step[camera->at++];
    script_check(camera->last, step->wanted);
    if (step->answer && strcmp(step->answer, "x") == 0)
        conn_finish(camera->conn, REASON_LOCAL);
    else if (step->answer)
        script_send(camera, step->answer, cseq);
}

static inline size_t script_data(void *arg, const uint8_t *data, size_t length)
{
    struct script_camera *camera = arg;
    struct bytes in = bytes_of(data, length);
    struct rtsp_item item;
    const uint8_t *from = in.data;
    while (rtsp_wire_next(&in, &item) == 0) {
        if (item.kind == RTSP_REQUEST)
            script_request(camera, bytes_of(from, (size_t)(in.data - from)), &item.message);
        else if (item.kind == RTSP_FRAME) {
            size_t whole = (size_t)(in.data - from);
            assert_true(camera->frames_length + whole <= sizeof(camera->frames));
            memcpy(camera->frames + camera->frames_length, from, whole);
            camera->frames_length += whole;
        }
        from = in.data;
    }
    return length - in.length;
}

static inline void script_closed(void *arg, enum reason reason)
{
    struct script_camera *camera = arg;
    (void)reason;
    camera->conn = NULL;
}

static const struct conn_events script_events = {.on_data = script_data,
                                                 .on_closed = script_closed};

static const struct conn_events script_no_events;

static inline void script_accept(void *arg, int descriptor, const struct address *from)
{
    struct script_camera *camera = arg;
    if (camera->conn) // the one before is let go
        conn_set_events(camera->conn, &script_no_events, NULL);
    camera->connections++;
    camera->conn = conn_accepted(camera->loop, descriptor, from, NULL, &script_events, camera);
}

// Listens on 127.0.0.1, a free port.
static inline void script_listen(struct script_camera *camera, struct loop *loop,
                                 const struct script_step *step, unsigned steps)
{
    *camera = (struct script_camera){.loop = loop, .step = step, .steps = steps};
    assert_int_equal(listener_open(loop, "127.0.0.1", 0, script_accept, camera, &camera->listener),
                     0);
    camera->port = listener_port(camera->listener);
}

static inline void script_close(struct script_camera *camera)
{
    listener_close(&camera->listener);
    if (camera->conn)
        conn_close(camera->conn, REASON_LOCAL);
    loop_turn(camera->loop, false);
}

#endif
