// SPDX-License-Identifier: MIT
// Socket addresses as text and back.
#include "io/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>

#include "base/text.h"

static bool parse_v6(char *text, uint16_t port, struct address *out)
{
    char *scope = strchr(text, '%');
    unsigned scope_id = 0;
    if (scope) {
        *scope++ = 0;
        int64_t number;
        scope_id = if_nametoindex(scope);
        if (!scope_id && text_to_int(scope, 1, UINT32_MAX, &number) == 0)
            scope_id = (unsigned)number;
        if (!scope_id)
            return false;
    }
    struct address parsed = {.length = sizeof(parsed.v6)};
    if (inet_pton(AF_INET6, text, &parsed.v6.sin6_addr) != 1)
        return false;
    parsed.v6.sin6_family = AF_INET6;
    parsed.v6.sin6_port = htons(port);
    parsed.v6.sin6_scope_id = scope_id;
    *out = parsed;
    return true;
}

int address_parse(const char *text, uint16_t port, struct address *out)
{
    char host[ADDRESS_TEXT_MAX];
    struct address parsed = {.length = sizeof(parsed.v4)};
    if (inet_pton(AF_INET, text, &parsed.v4.sin_addr) == 1) {
        parsed.v4.sin_family = AF_INET;
        parsed.v4.sin_port = htons(port);
        *out = parsed;
        return 0;
    }
    if (!text_copy(host, sizeof(host), text))
        return ERR_INVALID;
    size_t length = strlen(host);
    char *inner = host;
    if (length > 2 && host[0] == '[' && host[length - 1] == ']') {
        host[length - 1] = 0;
        inner++;
    }
    return parse_v6(inner, port, out) ? 0 : ERR_INVALID;
}

// inet_ntop goes through printf, which every request would pay for.
static void print_v4(const struct in_addr *address, char *out)
{
    const uint8_t *bytes = (const uint8_t *)&address->s_addr;
    for (unsigned i = 0; i < 4; i++) {
        if (i)
            *out++ = '.';
        if (bytes[i] >= 100)
            *out++ = (char)('0' + bytes[i] / 100);
        if (bytes[i] >= 10)
            *out++ = (char)('0' + bytes[i] / 10 % 10);
        *out++ = (char)('0' + bytes[i] % 10);
    }
    *out = 0;
}

void address_print_host(const struct address *address, char *out, size_t room)
{
    char host[INET6_ADDRSTRLEN] = "-";
    if (address->length && address->any.sa_family == AF_INET)
        print_v4(&address->v4.sin_addr, host);
    else if (address->length)
        inet_ntop(AF_INET6, &address->v6.sin6_addr, host, sizeof(host));
    text_copy(out, room, host);
    if (address->length && address->any.sa_family == AF_INET6 && address->v6.sin6_scope_id)
        text_append(out, room, "%%%u", (unsigned)address->v6.sin6_scope_id);
}

void address_print(const struct address *address, char *out, size_t room)
{
    char host[ADDRESS_TEXT_MAX];
    address_print_host(address, host, sizeof(host));
    if (!address->length)
        text_copy(out, room, host);
    else if (address->any.sa_family == AF_INET6)
        text_format(out, room, "[%s]:%u", host, address_port(address));
    else
        text_format(out, room, "%s:%u", host, address_port(address));
}

uint16_t address_port(const struct address *address)
{
    if (!address->length)
        return 0;
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

bool address_from_system(const struct sockaddr *from, socklen_t length, struct address *out)
{
    *out = (struct address){0};
    if (from->sa_family == AF_INET && length >= sizeof(out->v4)) {
        memcpy(&out->v4, from, sizeof(out->v4));
        out->length = sizeof(out->v4);
        return true;
    }
    if (from->sa_family != AF_INET6 || length < sizeof(out->v6))
        return false;
    struct sockaddr_in6 v6;
    memcpy(&v6, from, sizeof(v6));
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
        out->length = sizeof(out->v4);
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = v6.sin6_port;
        memcpy(&out->v4.sin_addr, v6.sin6_addr.s6_addr + 12, 4);
        return true;
    }
    out->length = sizeof(out->v6);
    out->v6 = v6;
    return true;
}
