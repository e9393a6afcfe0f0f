// SPDX-License-Identifier: MIT
// Who may change something: an admin with a password (Basic, RFC 7617) from anywhere, and whoever
// is on this machine. A page of another site in the browser of one of them may not: a browser sends
// its requests with what the user is allowed.
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "base/code.h"
#include "base/digest.h"
#include "http_priv.h"

enum { CREDENTIALS_MOST = 600 };

void http_server_set_admin(struct http_server *server, const char *credentials)
{
    server->has_admin = credentials && credentials[0];
    if (server->has_admin)
        digest_sha256(credentials, strlen(credentials), server->admin);
}

static bool is_local(const struct http_request *request)
{
    const struct address *peer = &request->peer;
    // A proxy on this machine speaks for others.
    if (peer->length == 0 || http_header(request, "X-Forwarded-For") ||
        http_header(request, "Forwarded"))
        return false;
    if (peer->any.sa_family == AF_INET)
        return ntohl(peer->v4.sin_addr.s_addr) >> 24 == 127;
    return peer->any.sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&peer->v6.sin6_addr);
}

static bool is_admin(const struct http_request *request)
{
    const char *header = http_header(request, "Authorization");
    uint8_t text[CREDENTIALS_MOST], given[SHA256_SIZE];
    size_t length;
    if (!request->server->has_admin || !header || strncasecmp(header, "Basic ", 6) != 0)
        return false;
    header += strlen("Basic ");
    header += strspn(header, " ");
    if (!base64_decode(header, strlen(header), text, sizeof(text), &length))
        return false;
    // Digests: how long it takes to compare them tells nothing of the password.
    digest_sha256(text, length, given);
    return memcmp(given, request->server->admin, sizeof(given)) == 0;
}

// Fetched by a page, of this server or another.
static bool is_of_page(const struct http_request *request)
{
    const char *site = http_header(request, "Sec-Fetch-Site");
    return http_header(request, "Origin") || (site && strcmp(site, "none") != 0);
}

static bool is_of_own_page(const struct http_request *request)
{
    const char *site = http_header(request, "Sec-Fetch-Site");
    const char *origin = http_header(request, "Origin"), *host = http_header(request, "Host");
    const char *name = origin ? strstr(origin, "://") : NULL;
    if (site && strcmp(site, "same-origin") != 0)
        return false;
    return !origin || (name && host && strcmp(name + 3, host) == 0);
}

bool http_may_change(struct http_request *request)
{
    bool page = is_of_page(request);
    if (page ? is_admin(request) && is_of_own_page(request)
             : is_local(request) || is_admin(request))
        return true;
    if (!request->server->has_admin) {
        http_respond_error(request, 403, "changes are taken from this machine itself only");
    } else if (is_admin(request)) {
        http_respond_error(request, 403, "changes are not taken from pages of other sites");
    } else {
        http_set_header(request, "WWW-Authenticate", "Basic realm=\"sluice\", charset=\"UTF-8\"");
        http_respond_error(request, 401, "user and password of edit_auth are wanted");
    }
    return false;
}
