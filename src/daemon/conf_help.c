// SPDX-License-Identifier: MIT
// docs/CONFIG.md: the grammar in words, and the table of options printed.
#include <string.h>

#include "base/text.h"
#include "base/writer.h"
#include "conf.h"
#include "conf_option.h"

// clang-format off
static const char head[] =
    "<!-- Printed by `sluice --help-config`; tests/unit/daemon/conf_test.c compares it. -->\n"
    "# Configuration\n"
    "\n"
    "One text file, `/etc/sluice/sluice.conf` unless `-c FILE` names another. The "
    "smallest one that\n"
    "does something:\n"
    "\n"
    "    http 8888;\n"
    "    stream main {\n"
    "      input fake://fake;\n"
    "    }\n"
    "\n"
    "`sluice -n` checks a file and lists every problem with file, line and column. "
    "`sluice --dump`\n"
    "prints what is in effect, every default written out, secrets masked. `kill -HUP` (or\n"
    "`systemctl reload sluice`) reads the file again: what did not change in it is "
    "not touched, no\n"
    "frame, viewer or recording of it is disturbed.\n"
    "\n"
    "## How it is written\n"
    "\n"
    "- A statement is a word, what belongs to it, and `;`. A block has `{ ... }` "
    "instead of the `;`;\n"
    "  `source HOST:PORT;` is a block without a body. A statement may go over "
    "several lines, but a line\n"
    "  that begins with a known word begins a statement (unless the word stands in quotes).\n"
    "- `#` begins a comment that ends with the line. Inside a word it is an ordinary "
    "character.\n"
    "- A word with spaces or one of `; { }` in it stands in double quotes, whole or in part:\n"
    "  `title \"Gate 3\";`, `user_agent=\"VLC 1\"`. In quotes, `\\\"` is a quote and `\\\\` a "
    "backslash.\n"
    "- Times are seconds, or have `s`, `m` (minutes), `h` or `d` behind the number: "
    "`60`, `10h`, `7d`.\n"
    "  Sizes have `K`, `M`, `G` or `T` (powers of 1024): `10G`. Fills of a disk have "
    "`%`: `90%`.\n"
    "- A flag alone is on; `false` or `off` behind it switches it off.\n"
    "- Names of streams: letters, digits, `.` `-` `_`, and single `/` between parts.\n"
    "- A file that ends in `.cfg` is read in libconfig's own syntax: a statement is "
    "a member, several\n"
    "  of one kind are a list, an array holds the words of one statement, and `name` "
    "stands for what\n"
    "  follows the word of a block. It cannot include.\n"
    "  `stream = ( { name = \"main\"; input = [\"fake://fake\", \"fps=10\"]; } );`\n"
    "\n"
    "## What happens to mistakes\n"
    "\n"
    "    sluice.conf:4:3: found unknown word 'segment_duraton', expected an option "
    "of stream; did you mean 'segment_duration'?\n"
    "\n"
    "At start, a stream or source whose own lines are bad is left out with an error "
    "and the rest of the\n"
    "server starts; it gives up only when there are `http` lines and none of them "
    "can be opened. A\n"
    "reload changes nothing when a `;` or brace is missing, a file cannot be read, or a "
    "word of the file\n"
    "is unknown; after other mistakes what is bad stays as it was and the rest is "
    "applied. A port in use\n"
    "is told with its line, by `-n` too, where it is only a warning when a running "
    "sluice listens there.\n";

struct chapter {
    unsigned section;
    const char *title, *text;
};

static const struct chapter chapters[] = {
    {CONF_FILE, "In the file",
     ""},
    {CONF_STREAM, "In a stream",
     "`stream NAME { ... }`\n"
     "\n"},
    {CONF_SOURCE, "In a source",
     "`source [m4s://|m4f://]HOST:PORT[/PREFIX];` brings the streams of another "
     "sluice server, or those\n"
     "under a prefix: with `m4s://` frame by frame, a fraction of a second behind; "
     "with `m4f://`, or\n"
     "without a scheme, segment by segment. The past comes along either way: the "
     "archive of the other\n"
     "server plays here. Several addresses in one line share the options. A stream of "
     "the same name in\n"
     "this file wins; one that two sources offer is one stream with two inputs.\n"
     "\n"},
    {CONF_TEMPLATE, "In a template",
     "`template NAME { ... }` holds options for `template NAME;` in streams and sources.\n"
     "\n"},
};
// clang-format on

// One cell of a table: a bar would end it.
static void help_cell(struct writer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            writer_text(out, "\\|");
        else
            writer_bytes(out, text, 1);
    }
}

static void help_option(struct writer *out, const struct conf_option *option)
{
    writer_printf(out, "| `%s`", option->word);
    if (option->alias)
        writer_printf(out, ", `%s`", option->alias);
    writer_text(out, " | `");
    help_cell(out, option->argument);
    writer_text(out, "` | ");
    if (option->standard)
        writer_printf(out, "`%s`", option->standard);
    writer_text(out, " | ");
    if (option->type == CONF_TYPE_DURATION || option->type == CONF_TYPE_COUNT)
        writer_printf(out, "%lld to %lld", (long long)option->min, (long long)option->max);
    else if (option->type == CONF_TYPE_TEXT || option->type == CONF_TYPE_SECRET)
        writer_printf(out, "%lld to %lld bytes", (long long)option->min, (long long)option->max);
    writer_text(out, " | ");
    help_cell(out, option->help);
    if (option->flags & CONF_REPEAT)
        writer_text(out, " *Repeatable.*");
    writer_text(out, " |\n");
}

struct buf *conf_help(void)
{
    struct writer out;
    writer_init(&out, 16384);
    writer_text(&out, head);
    for (size_t i = 0; i < sizeof(chapters) / sizeof(chapters[0]); i++) {
        writer_printf(&out, "\n## %s\n\n%s", chapters[i].title, chapters[i].text);
        writer_text(&out, "| word | what follows | default | range | meaning |\n"
                          "|---|---|---|---|---|\n");
        for (size_t k = 0; k < conf_option_count; k++) {
            if (conf_options[k].sections & chapters[i].section)
                help_option(&out, &conf_options[k]);
        }
    }
    return writer_take(&out);
}
