// SPDX-License-Identifier: MIT
// The protocols that are built in, and their matrix.
#include "protocols.h"

#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "stream/protocol.h"

#define PROTOCOL(name) extern const struct protocol proto_##name;
#include "proto/protocols.def"
#undef PROTOCOL

const struct protocol *const protocols_table[] = {
#define PROTOCOL(name) &proto_##name,
#include "proto/protocols.def"
#undef PROTOCOL
    NULL,
};

static const char *mark(bool there)
{
    return there ? "yes" : "-";
}

struct buf *protocols_print(const struct protocol *const *table)
{
    struct writer out;
    writer_init(&out, 4096);
    writer_printf(&out, "%-8s %-6s %-8s %-8s %s\n", "name", "input", "history", "output", "");
    for (const struct protocol *const *it = table; *it; it++)
        writer_printf(&out, "%-8s %-6s %-8s %-8s %s\n", (*it)->name, mark((*it)->pull != NULL),
                      mark((*it)->history != NULL), mark((*it)->routes != NULL), (*it)->help);
    for (const struct protocol *const *it = table; *it; it++) {
        const struct protocol *protocol = *it;
        writer_printf(&out, "\n%s\n", protocol->name);
        if (protocol->schemes[0]) {
            writer_text(&out, "  input:");
            for (unsigned i = 0; i < 8 && protocol->schemes[i]; i++)
                writer_printf(&out, " %s://", protocol->schemes[i]);
            writer_text(&out, "\n");
        }
        const struct input_option_help *option = protocol->input_options;
        for (; option && option->name; option++) {
            char written[64];
            text_format(written, sizeof(written), "%s=%s", option->name, option->value);
            writer_printf(&out, "    %-28s %s\n", written, option->help);
        }
        if (protocol->route_help)
            writer_printf(&out, "  addresses under /NAME/: %s\n", protocol->route_help);
    }
    return writer_take(&out);
}
