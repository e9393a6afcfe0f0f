// SPDX-License-Identifier: MIT
// Bytes of the link, inside TLS, to messages and back. No IO, no state. docs/formats/link.md has
// the offset tables.
#ifndef LINK_LINK_WIRE_H
#define LINK_LINK_WIRE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/reason.h"
#include "base/writer.h"

enum { LINK_WIRE_HEAD_MAX = 9, LINK_WIRE_NAME_MAX = 128, LINK_WIRE_SOFTWARE_MAX = 64 };

enum link_wire_kind { LINK_WIRE_WHOLE, LINK_WIRE_FIRST, LINK_WIRE_MIDDLE, LINK_WIRE_LAST };

// Head of a fragment.
struct link_wire_head {
    uint32_t channel; // below LINK_CHANNELS_MAX
    enum link_wire_kind kind;
    uint32_t total;  // of the whole message; kind FIRST only, otherwise 0
    uint32_t length; // bytes that follow
};

// 0, and *in is past the head; ERR_AGAIN: more bytes are needed, nothing moved; ERR_INVALID.
MUST_USE int link_wire_head_parse(struct bytes *in, struct link_wire_head *out);
// Returns the length.
size_t link_wire_head_write(uint8_t out[LINK_WIRE_HEAD_MAX], const struct link_wire_head *head);

// The link's own messages, on channel 0.
enum link_wire_type {
    LINK_WIRE_HELLO = 1,
    LINK_WIRE_PING = 2,
    LINK_WIRE_PONG = 3,
    LINK_WIRE_OPEN = 4,
    LINK_WIRE_CLOSE = 5,
    LINK_WIRE_GOODBYE = 6,
};

struct link_wire_message {
    enum link_wire_type type;
    uint64_t number;       // HELLO: identity of the process; PING, PONG: number of the ping
    uint64_t utc_us;       // PONG
    uint64_t abilities;    // HELLO
    struct bytes name;     // HELLO; borrowed, as below
    struct bytes software; // HELLO
    uint32_t channel;      // OPEN, CLOSE; 1 to LINK_CHANNELS_MAX - 1
    uint8_t service;       // OPEN
    uint8_t cls;           // OPEN; below LINK_CLASSES
    struct bytes open;     // OPEN
    enum reason reason;    // CLOSE, GOODBYE
};

// 0; ERR_UNSUPPORTED: a type of a later version, to be ignored; ERR_INVALID. *why (on ERR_INVALID)
// is a constant text.
MUST_USE int link_wire_parse(struct bytes in, struct link_wire_message *out, const char **why);
// The message without the fragment's head.
void link_wire_write(struct writer *out, const struct link_wire_message *message);

#endif
