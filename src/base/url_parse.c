// SPDX-License-Identifier: MIT
// URLs. The authority ends at the first '/' or '?'; its user part ends at the last '@', because
// people write passwords with '@' and '#' in them. A fragment after the path is dropped.
#include "base/url_parse.h"

#include <string.h>

#include "base/text.h"

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_unreserved(char c)
{
    return is_alpha(c) || is_digit(c) || (c && strchr("-._~", c));
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static bool url_decode_with(char *text, bool plus_is_space)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        char c = *in;
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            int high = hex_digit(in[1]);
            int low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0 || (high | low) == 0)
                return false;
            c = (char)(high << 4 | low);
            in += 2;
        }
        *out++ = c;
    }
    *out = 0;
    return true;
}

bool url_decode(char *text)
{
    return url_decode_with(text, false);
}

bool url_encode(const char *text, char *out, size_t room)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t used = 0;
    for (; *text; text++) {
        bool plain = is_unreserved(*text) || *text == '/';
        if (room < used + (plain ? 2 : 4)) {
            if (room > 0)
                out[used] = 0;
            return false;
        }
        if (plain) {
            out[used++] = *text;
        } else {
            out[used++] = '%';
            out[used++] = digits[(uint8_t)*text >> 4];
            out[used++] = digits[(uint8_t)*text & 15];
        }
    }
    if (room == 0)
        return false;
    out[used] = 0;
    return true;
}

// Moves *text past "scheme://" when it begins with one.
static const char *url_parse_scheme(const char **text, struct url *out)
{
    const char *at = *text;
    while (is_alpha(*at) || (at > *text && (is_digit(*at) || (*at && strchr("+-.", *at)))))
        at++;
    if (at == *text || !text_starts(at, "://"))
        return NULL;
    if (!text_copy_n(out->scheme, sizeof(out->scheme), *text, (size_t)(at - *text)))
        return "the scheme is too long";
    for (char *c = out->scheme; *c; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    }
    *text = at + 3;
    return NULL;
}

static const char *url_parse_user(const char *text, size_t length, struct url *out)
{
    const char *colon = memchr(text, ':', length);
    size_t user = colon ? (size_t)(colon - text) : length;
    if (!text_copy_n(out->user, sizeof(out->user), text, user))
        return "the user name is too long";
    if (colon && !text_copy_n(out->password, sizeof(out->password), colon + 1, length - user - 1))
        return "the password is too long";
    if (!url_decode(out->user) || !url_decode(out->password))
        return "a '%' in the user name or password is not followed by two hexadecimal digits";
    return NULL;
}

static const char *url_parse_port(const char *text, size_t length, struct url *out)
{
    unsigned port = 0;
    if (length == 0)
        return "the port is missing after ':'";
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]))
            return "the port is not a number ('/' and '?' in a password are written %2F and %3F)";
        port = port * 10 + (unsigned)(text[i] - '0');
        if (port > 65535)
            break;
    }
    if (port == 0 || port > 65535)
        return "the port is not between 1 and 65535";
    out->port = (uint16_t)port;
    return NULL;
}

static const char *url_parse_host(const char *text, size_t length, struct url *out)
{
    const char *end = text + length;
    const char *host = text, *host_end;
    if (length > 0 && *text == '[') {
        host++;
        host_end = memchr(text, ']', length);
        if (!host_end || host_end == host)
            return "the IPv6 address is not closed by ']'";
        if (!memchr(host, ':', (size_t)(host_end - host)))
            return "what stands in brackets is not an IPv6 address";
        for (const char *c = host; c < host_end; c++) {
            // '%' begins a zone ("fe80::1%eth0").
            if (!is_unreserved(*c) && *c != ':' && *c != '%')
                return "the IPv6 address has a character that is not allowed";
        }
        text = host_end + 1;
    } else {
        while (text < end && *text != ':') {
            if (!is_unreserved(*text))
                return "the host has a character that is not allowed";
            text++;
        }
        host_end = text;
        if (text < end && memchr(text + 1, ':', (size_t)(end - text) - 1))
            return "more than one ':' after the host; an IPv6 address stands in brackets";
    }
    if (!text_copy_n(out->host, sizeof(out->host), host, (size_t)(host_end - host)))
        return "the host is too long";
    if (text == end)
        return NULL;
    if (*text != ':')
        return "the address goes on after ']'";
    return url_parse_port(text + 1, (size_t)(end - text) - 1, out);
}

static const char *url_parse_all(const char *text, struct url *out)
{
    size_t whole = strnlen(text, URL_TEXT_MAX);
    if (whole == 0)
        return "the URL is empty";
    if (whole == URL_TEXT_MAX)
        return "the URL is too long";
    for (const char *c = text; *c; c++) {
        if ((unsigned char)*c <= 0x20 || *c == 0x7f)
            return "a space or control character; write a space as %20";
    }
    const char *why = url_parse_scheme(&text, out);
    if (why)
        return why;
    size_t authority = strcspn(text, "/?");
    const char *at = memrchr(text, '@', authority);
    const char *host = text;
    if (at) {
        why = url_parse_user(text, (size_t)(at - text), out);
        host = at + 1;
    }
    if (!why)
        why = url_parse_host(host, authority - (size_t)(host - text), out);
    if (why)
        return why;
    text += authority;
    size_t path = strcspn(text, "?#");
    text_copy_n(out->path, sizeof(out->path), text, path);
    if (text[path] == '?')
        text_copy_n(out->query, sizeof(out->query), text + path + 1, strcspn(text + path + 1, "#"));
    return NULL;
}

int url_parse(const char *text, struct url *out, const char **why)
{
    *out = (struct url){0};
    *why = url_parse_all(text, out);
    if (!*why)
        return 0;
    *out = (struct url){0};
    return ERR_INVALID;
}

// The parameter at *query: key and value as they stand; false at the end.
static bool query_next(const char **query, const char **key, size_t *key_length, const char **value,
                       size_t *value_length)
{
    const char *at = *query;
    if (!*at)
        return false;
    size_t length = strcspn(at, "&");
    const char *equals = memchr(at, '=', length);
    *key = at;
    *key_length = equals ? (size_t)(equals - at) : length;
    *value = equals ? equals + 1 : at + length;
    *value_length = (size_t)(at + length - *value);
    *query = at + length + (at[length] == '&');
    return true;
}

bool url_query_get(const char *query, const char *key, char *out, size_t room)
{
    const char *name, *value;
    size_t name_length, value_length;
    while (query_next(&query, &name, &name_length, &value, &value_length)) {
        char decoded[128];
        if (!text_copy_n(decoded, sizeof(decoded), name, name_length) ||
            !url_decode_with(decoded, true) || strcmp(decoded, key) != 0)
            continue;
        // Decoding only shrinks, so a value that fits decoded may not fit as it stands.
        char raw[URL_TEXT_MAX];
        return text_copy_n(raw, sizeof(raw), value, value_length) && url_decode_with(raw, true) &&
               text_copy(out, room, raw);
    }
    return false;
}

static bool is_secret(const char *name, size_t length)
{
    static const char *const words[] = {"pass", "pwd", "secret", "token", "key", "auth", "sig"};
    char decoded[128];
    if (!text_copy_n(decoded, sizeof(decoded), name, length) || !url_decode_with(decoded, true))
        return true; // nobody can tell
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcasestr(decoded, words[i]))
            return true;
    }
    return false;
}

void url_print_safe(const struct url *url, char *out, size_t room)
{
    bool bracket = strchr(url->host, ':') != NULL;
    text_format(out, room, "%s%s%s%s%s", url->scheme, url->scheme[0] ? "://" : "",
                bracket ? "[" : "", url->host, bracket ? "]" : "");
    if (url->port)
        text_append(out, room, ":%u", url->port);
    text_append(out, room, "%s", url->path);
    const char *query = url->query, *name, *value;
    size_t name_length, value_length;
    const char *separator = "?";
    while (query_next(&query, &name, &name_length, &value, &value_length)) {
        text_append(out, room, "%s%.*s", separator, (int)name_length, name);
        if (value != name + name_length)
            text_append(out, room, "=%.*s", is_secret(name, name_length) ? 3 : (int)value_length,
                        is_secret(name, name_length) ? "***" : value);
        separator = "&";
    }
}
