// SPDX-License-Identifier: MIT
// Basic and Digest.
#include "rtsp_auth.h"

#include <string.h>

#include "base/code.h"
#include "base/digest.h"
#include "base/text.h"

enum { HEX_MAX = 2 * SHA256_SIZE + 1 };

// ---- challenges --------------------------------------------------------------------------------

static bool is_token(uint8_t c)
{
    return c > ' ' && c < 127 && !strchr("()<>@,;:\\\"/[]?={}", c);
}

static void skip_blanks(struct bytes *in)
{
    while (in->length > 0 && (in->data[0] == ' ' || in->data[0] == '\t' || in->data[0] == ','))
        bytes_skip(in, 1);
}

static struct bytes take_token(struct bytes *in)
{
    size_t length = 0;
    while (length < in->length && is_token(in->data[length]))
        length++;
    struct bytes token = bytes_of(in->data, length);
    bytes_skip(in, length);
    return token;
}

// A quoted text without its quotes and backslashes, or what stands up to the next comma; senders
// leave quotes away around all kinds of characters. False when it does not fit.
static bool take_value(struct bytes *in, char *out, size_t room)
{
    size_t used = 0;
    bool fits = true, quoted = in->length > 0 && in->data[0] == '"';
    if (quoted)
        bytes_skip(in, 1);
    while (in->length > 0 && in->data[0] != (quoted ? '"' : ',')) {
        if (quoted && in->data[0] == '\\' && in->length > 1)
            bytes_skip(in, 1);
        if (used + 1 < room)
            out[used++] = (char)in->data[0];
        else
            fits = false;
        bytes_skip(in, 1);
    }
    if (quoted)
        bytes_skip(in, in->length > 0);
    while (!quoted && used > 0 && out[used - 1] == ' ')
        used--;
    out[used] = 0;
    return fits;
}

struct challenge {
    struct rtsp_auth auth;
    bool usable;
};

static void read_algorithm(struct challenge *challenge, const char *name)
{
    char word[16];
    size_t length = strlen(name);
    challenge->auth.algorithm = true;
    challenge->auth.session = length > 5 && text_equal_nocase(name + length - 5, "-sess");
    text_copy_n(word, sizeof(word), name, length - (challenge->auth.session ? 5 : 0));
    if (text_equal_nocase(word, "SHA-256"))
        challenge->auth.scheme = RTSP_AUTH_SHA256;
    else if (!text_equal_nocase(word, "MD5"))
        challenge->usable = false;
}

static bool has_qop_auth(const char *list)
{
    return rtsp_list_has(bytes_of(list, strlen(list)), "auth");
}

static void read_parameter(struct challenge *challenge, struct bytes name, struct bytes *in)
{
    struct rtsp_auth *auth = &challenge->auth;
    char value[64];
    if (rtsp_bytes_equal(name, "realm")) {
        challenge->usable &= take_value(in, auth->realm, sizeof(auth->realm));
    } else if (rtsp_bytes_equal(name, "nonce")) {
        challenge->usable &= take_value(in, auth->nonce, sizeof(auth->nonce));
    } else if (rtsp_bytes_equal(name, "opaque")) {
        challenge->usable &= take_value(in, auth->opaque, sizeof(auth->opaque));
    } else if (!take_value(in, value, sizeof(value))) {
        return;
    } else if (rtsp_bytes_equal(name, "algorithm") && value[0]) {
        read_algorithm(challenge, value);
    } else if (rtsp_bytes_equal(name, "stale")) {
        auth->stale = text_equal_nocase(value, "true");
    } else if (rtsp_bytes_equal(name, "qop")) {
        auth->qop = has_qop_auth(value);
    }
}

// The next challenge of a header: a scheme and its parameters, up to the next scheme.
static bool next_challenge(struct bytes *in, struct challenge *out)
{
    *out = (struct challenge){0};
    skip_blanks(in);
    struct bytes scheme = take_token(in);
    if (scheme.length == 0)
        return false;
    if (rtsp_bytes_equal(scheme, "Basic"))
        out->auth.scheme = RTSP_AUTH_BASIC;
    else if (rtsp_bytes_equal(scheme, "Digest"))
        out->auth.scheme = RTSP_AUTH_MD5;
    out->usable = out->auth.scheme != RTSP_AUTH_NONE;
    for (;;) {
        skip_blanks(in);
        struct bytes rest = *in, name = take_token(&rest);
        while (rest.length > 0 && rest.data[0] == ' ')
            bytes_skip(&rest, 1);
        if (name.length == 0 || rest.length == 0 || rest.data[0] != '=')
            return true;
        bytes_skip(&rest, 1);
        while (rest.length > 0 && rest.data[0] == ' ')
            bytes_skip(&rest, 1);
        read_parameter(out, name, &rest);
        *in = rest;
    }
}

int rtsp_auth_challenge(struct rtsp_auth *auth, const struct rtsp_message *message)
{
    struct rtsp_auth best = {0};
    struct bytes value;
    for (unsigned n = 0; rtsp_header_get(message, "WWW-Authenticate", n, &value); n++) {
        struct challenge challenge;
        while (next_challenge(&value, &challenge))
            if (challenge.usable && challenge.auth.scheme > best.scheme)
                best = challenge.auth;
    }
    if (best.scheme == RTSP_AUTH_NONE)
        return ERR_UNSUPPORTED;
    uint8_t random[8];
    digest_random(random, sizeof(random));
    hex_encode(random, sizeof(random), best.cnonce);
    *auth = best;
    return 0;
}

// ---- answers -----------------------------------------------------------------------------------

// Hash of the parts with ':' between them, as hexadecimal text.
static void hash(const struct rtsp_auth *auth, const char *const *parts, unsigned count,
                 char out[HEX_MAX])
{
    char text[RTSP_AUTH_TEXT_MAX * 2] = "";
    uint8_t digest[SHA256_SIZE];
    for (unsigned i = 0; i < count; i++)
        text_append(text, sizeof(text), "%s%s", i ? ":" : "", parts[i]);
    if (auth->scheme == RTSP_AUTH_SHA256)
        digest_sha256(text, strlen(text), digest);
    else
        digest_md5(text, strlen(text), digest);
    hex_encode(digest, auth->scheme == RTSP_AUTH_SHA256 ? SHA256_SIZE : MD5_SIZE, out);
}

// name includes what separates it from the one before.
static bool append_quoted(char *out, const char *name, const char *value)
{
    bool fits = text_append(out, RTSP_AUTH_TEXT_MAX, "%s=\"", name);
    for (; *value && fits; value++)
        fits = text_append(out, RTSP_AUTH_TEXT_MAX, "%s%c",
                           *value == '"' || *value == '\\' ? "\\" : "", *value);
    return fits && text_append(out, RTSP_AUTH_TEXT_MAX, "\"");
}

static bool write_digest(struct rtsp_auth *auth, const char *user, const char *password,
                         const char *method, const char *uri, char *out)
{
    char first[HEX_MAX], second[HEX_MAX], answer[HEX_MAX], count[9];
    hash(auth, (const char *[]){user, auth->realm, password}, 3, first);
    if (auth->session) {
        char plain[HEX_MAX];
        text_copy(plain, sizeof(plain), first);
        hash(auth, (const char *[]){plain, auth->nonce, auth->cnonce}, 3, first);
    }
    hash(auth, (const char *[]){method, uri}, 2, second);
    text_format(count, sizeof(count), "%08x", ++auth->count);
    if (auth->qop)
        hash(auth, (const char *[]){first, auth->nonce, count, auth->cnonce, "auth", second}, 6,
             answer);
    else
        hash(auth, (const char *[]){first, auth->nonce, second}, 3, answer);
    const char *algorithm = auth->scheme == RTSP_AUTH_SHA256 ? "SHA-256" : "MD5";
    text_copy(out, RTSP_AUTH_TEXT_MAX, "Digest");
    // In the order of the RFC's example: some cameras know no other.
    bool fits = append_quoted(out, " username", user) &&
                append_quoted(out, ", realm", auth->realm) &&
                append_quoted(out, ", nonce", auth->nonce) && append_quoted(out, ", uri", uri) &&
                append_quoted(out, ", response", answer);
    if (auth->algorithm)
        fits &= text_append(out, RTSP_AUTH_TEXT_MAX, ", algorithm=%s%s", algorithm,
                            auth->session ? "-sess" : "");
    if (auth->opaque[0])
        fits &= append_quoted(out, ", opaque", auth->opaque);
    if (auth->qop || auth->session)
        fits &= append_quoted(out, ", cnonce", auth->cnonce);
    if (auth->qop)
        fits &= text_append(out, RTSP_AUTH_TEXT_MAX, ", qop=auth, nc=%s", count);
    return fits;
}

bool rtsp_auth_write(struct rtsp_auth *auth, const char *user, const char *password,
                     const char *method, const char *uri, char out[RTSP_AUTH_TEXT_MAX])
{
    char pair[300];
    out[0] = 0;
    switch (auth->scheme) {
    case RTSP_AUTH_NONE:
        return true;
    case RTSP_AUTH_BASIC:
        text_copy(out, RTSP_AUTH_TEXT_MAX, "Basic ");
        return text_format(pair, sizeof(pair), "%s:%s", user, password) &&
               base64_encode(pair, strlen(pair), out + 6, RTSP_AUTH_TEXT_MAX - 6);
    default:
        return write_digest(auth, user, password, method, uri, out);
    }
}
