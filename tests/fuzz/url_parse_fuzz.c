// SPDX-License-Identifier: MIT
// Any text: what is understood must print without its password and be read back the same.
#include <stdlib.h>
#include <string.h>

#include "base/ensure.h"
#include "base/mem.h"
#include "base/url_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup((const char *)data, size);
    struct url url, again;
    const char *why;
    char safe[URL_TEXT_MAX], value[64];
    if (url_parse(text, &url, &why) == 0) {
        url_print_safe(&url, safe, sizeof(safe));
        url_query_get(url.query, "x", value, sizeof(value));
        bool printed = safe[0] && strlen(safe) < sizeof(safe) - 1;
        if (printed && url_parse(safe, &again, &why) == 0) {
            ENSURE(again.user[0] == 0 && again.password[0] == 0);
            ENSURE(strcmp(again.host, url.host) == 0 && again.port == url.port);
            ENSURE(strcmp(again.path, url.path) == 0);
        } else {
            ENSURE(!printed);
        }
    } else {
        ENSURE(why != NULL);
    }
    char *encoded = mem_alloc(3 * strlen(text) + 1);
    ENSURE(url_encode(text, encoded, 3 * strlen(text) + 1));
    ENSURE(url_decode(encoded) && strcmp(encoded, text) == 0);
    url_decode(text);
    mem_free(encoded);
    mem_free(text);
    return 0;
}
