// SPDX-License-Identifier: MIT
// Socket addresses, IPv4 and IPv6.
#ifndef IO_ADDRESS_H
#define IO_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

// Room for any address as text, with brackets, scope and port.
enum { ADDRESS_TEXT_MAX = 80 };

struct address {
    socklen_t length; // 0: none
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
};

// "192.0.2.1", "::1", "[::1]", "fe80::1%eth0": a literal only; ERR_INVALID otherwise.
MUST_USE int address_parse(const char *text, uint16_t port, struct address *out);
// "192.0.2.1:80", "[::1]:80"; "-" when there is none.
void address_print(const struct address *address, char *out, size_t room);
void address_print_host(const struct address *address, char *out, size_t room); // "::1"
uint16_t address_port(const struct address *address);
// From what the system gave; an IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2) becomes IPv4.
// False (and *out none) for other families.
bool address_from_system(const struct sockaddr *from, socklen_t length, struct address *out);

#endif
