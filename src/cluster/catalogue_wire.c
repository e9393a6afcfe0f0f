// SPDX-License-Identifier: MIT
#include "catalogue_wire.h"

#include <string.h>

static void text_write(struct writer *writer, const char *text)
{
    writer_varint(writer, strlen(text));
    writer_text(writer, text);
}

void catalogue_write(struct writer *writer, const struct catalogue_record *record)
{
    writer_u8(writer, (uint8_t)record->type);
    if (record->type == CATALOGUE_COMPLETE)
        return;
    if (record->type == CATALOGUE_ENTRY) {
        writer_u8(writer, record->flags);
        writer_u8(writer, record->hops);
        writer_varint(writer, (uint64_t)record->archive_from_us);
    }
    text_write(writer, record->name);
    if (record->type == CATALOGUE_ENTRY) {
        text_write(writer, record->title);
        text_write(writer, record->tracks);
    }
}

static bool text_read(struct bytes *in, char *out, size_t room)
{
    uint64_t length;
    struct bytes text;
    if (!bytes_read_varint(in, &length) || length >= room || !bytes_take(in, length, &text) ||
        (length && memchr(text.data, 0, length)))
        return false;
    if (length)
        memcpy(out, text.data, length);
    out[length] = '\0';
    return true;
}

int catalogue_parse(struct bytes *in, struct catalogue_record *out)
{
    uint8_t type;
    uint64_t from_us;
    struct bytes rest = *in;
    *out = (struct catalogue_record){0};
    if (!bytes_read_u8(&rest, &type))
        return ERR_NOT_FOUND;
    out->type = type;
    switch (type) {
    case CATALOGUE_ENTRY:
        if (!bytes_read_u8(&rest, &out->flags) || !bytes_read_u8(&rest, &out->hops) ||
            !bytes_read_varint(&rest, &from_us) || from_us > INT64_MAX / 4 ||
            !text_read(&rest, out->name, sizeof out->name) ||
            !text_read(&rest, out->title, sizeof out->title) ||
            !text_read(&rest, out->tracks, sizeof out->tracks))
            return ERR_INVALID;
        out->archive_from_us = (int64_t)from_us;
        break;
    case CATALOGUE_GONE:
        if (!text_read(&rest, out->name, sizeof out->name))
            return ERR_INVALID;
        break;
    case CATALOGUE_COMPLETE:
        break;
    default:
        return ERR_INVALID;
    }
    *in = rest;
    return 0;
}
