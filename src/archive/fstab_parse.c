// SPDX-License-Identifier: MIT
// /etc/fstab (fstab(5)): the second word of each line is a mount point; \040 stands for a space.
#include "fstab_parse.h"

#include <stdbool.h>
#include <string.h>

enum { MOUNT_ROOM = 1024 };

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

// The next word of a line, decoded. False at its end, or when the word is too long.
static bool word_take(struct bytes *line, char out[MOUNT_ROOM])
{
    size_t length = 0, at = 0;
    while (at < line->length && is_blank(line->data[at]))
        at++;
    if (at == line->length || line->data[at] == '#')
        return false;
    while (at < line->length && !is_blank(line->data[at])) {
        unsigned c = line->data[at++];
        const uint8_t *digit = line->data + at;
        if (c == '\\' && at + 3 <= line->length && digit[0] >= '0' && digit[0] <= '3' &&
            digit[1] >= '0' && digit[1] <= '7' && digit[2] >= '0' && digit[2] <= '7') {
            c = (unsigned)(digit[0] - '0') << 6 | (unsigned)(digit[1] - '0') << 3 |
                (unsigned)(digit[2] - '0');
            at += 3;
        }
        if (length + 1 == MOUNT_ROOM || c == 0)
            return false;
        out[length++] = (char)c;
    }
    out[length] = 0;
    return bytes_skip(line, at);
}

size_t fstab_mount_point(struct bytes fstab, const char *path)
{
    size_t best = 0;
    while (fstab.length > 0) {
        const uint8_t *end = memchr(fstab.data, '\n', fstab.length);
        size_t length = end ? (size_t)(end - fstab.data) : fstab.length;
        struct bytes line = {.data = fstab.data, .length = length};
        char word[MOUNT_ROOM];
        if (word_take(&line, word) && word_take(&line, word) && word[0] == '/') {
            size_t mount = strlen(word);
            while (mount > 1 && word[mount - 1] == '/')
                mount--;
            if (mount > 1 && mount > best && strncmp(path, word, mount) == 0 &&
                (path[mount] == '/' || !path[mount]))
                best = mount;
        }
        if (!bytes_skip(&fstab, length + (end != NULL)))
            break;
    }
    return best;
}
