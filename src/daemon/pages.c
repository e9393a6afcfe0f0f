// SPDX-License-Identifier: MIT
// GET "/" and what belongs to it: the files of src/ui, built into the program.
#include <string.h>

#include "api.h"
#include "base/buf.h"
#include "base/chain.h"
#include "http/http.h"
#include "ui_pages.h"

static void nothing(void *arg)
{
    (void)arg;
}

static void respond_page(struct http_request *request, const struct ui_page *page)
{
    // Everything comes from this server, no script stands in the page, nobody frames it.
    http_set_header(request, "Content-Security-Policy",
                    "default-src 'self'; media-src 'self' blob:; frame-ancestors 'none'");
    http_set_header(request, "X-Content-Type-Options", "nosniff");
    http_set_header(request, "Cache-Control", "no-cache");
    http_set_header(request, "ETag", page->etag);
    struct chain body = {0};
    struct buf *buf =
        buf_new_foreign((uint8_t *)(uintptr_t)page->data, page->length, nothing, NULL);
    chain_take(&body, &buf);
    http_respond_chain(request, 200, page->type, &body);
}

static void handle_page(void *arg, struct http_request *request)
{
    (void)arg;
    const char *name = strcmp(http_path(request), "/") == 0 ? "index.html" : http_prefix(request);
    for (size_t i = 0; i < sizeof(ui_pages) / sizeof(ui_pages[0]); i++) {
        if (strcmp(ui_pages[i].name, name) == 0) {
            respond_page(request, &ui_pages[i]);
            return;
        }
    }
    http_respond_error(request, 404, "there is no such page");
}

const struct http_route pages_routes[] = {
    {"/", HTTP_GET, handle_page},
    {"/streamer/ui/*", HTTP_GET, handle_page},
    {NULL, 0, NULL},
};
