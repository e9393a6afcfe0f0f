// SPDX-License-Identifier: MIT
// Program tables: written, collected from packets, read.
//
// 1. A section handed out by ts_section_add is whole by its own length; its checksum is checked by
//    the parsers.
// 2. What a descriptor says beyond its own length is not read.
#include "ts_psi.h"

#include <string.h>

#include "base/code.h"
#include "base/ensure.h"

enum {
    TABLE_PAT = 0,
    TABLE_PMT = 2,
    TABLE_SDT = 0x42,
    DESCRIPTOR_REGISTRATION = 5,
    DESCRIPTOR_LANGUAGE = 10,
    DESCRIPTOR_SERVICE = 0x48,
    DESCRIPTOR_EXTENSION = 0x7f,
    EXTENSION_OPUS = 0x80, // provisional tag of "Opus in MPEG-TS", as encoders write it
    TYPE_PRIVATE = 6,
    TYPE_MP3_LOW = 4, // ISO/IEC 13818-3, the low rates
    TITLE_MAX = 96,
};

// ---- writing
// -------------------------------------------------------------------------------------

struct section_out {
    uint8_t *data;
    size_t length;
};

static void put(struct section_out *out, unsigned value, unsigned width)
{
    ENSURE(out->length + width <= TS_SECTION_MAX - 4);
    for (unsigned i = width; i-- > 0;)
        out->data[out->length++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct section_out *out, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        put(out, ((const uint8_t *)bytes)[i], 1);
}

// The eight bytes in front of every table; `id` is the field behind the length.
static struct section_out begin(uint8_t *data, unsigned table, unsigned version, unsigned id)
{
    struct section_out out = {.data = data};
    put(&out, table, 1);
    put(&out, 0, 2); // the length, later
    put(&out, id, 2);
    put(&out, 0xc1 | (version & 31) << 1, 1); // in force
    put(&out, 0, 2);                          // the only section
    return out;
}

static size_t end(struct section_out *out)
{
    // section_syntax_indicator and reserved bits; the length counts what follows it
    unsigned length = (unsigned)out->length - 3 + 4;
    unsigned head = out->data[0] == TABLE_SDT ? 0xf000u : 0xb000u;
    out->data[1] = (uint8_t)((head | length) >> 8);
    out->data[2] = (uint8_t)length;
    uint32_t crc = crc32_mpeg(out->data, out->length);
    for (unsigned i = 0; i < 4; i++)
        out->data[out->length++] = (uint8_t)(crc >> (24 - 8 * i));
    return out->length;
}

size_t ts_psi_write_pat(uint8_t data[TS_SECTION_MAX], unsigned version, uint16_t program,
                        uint16_t pmt_pid)
{
    struct section_out out = begin(data, TABLE_PAT, version, 1);
    put(&out, program, 2);
    put(&out, 0xe000u | pmt_pid, 2);
    return end(&out);
}

static void put_descriptors(struct section_out *out, const struct ts_stream *stream)
{
    size_t at = out->length;
    put(out, 0, 2);
    const char *registration = stream->codec == CODEC_OPUS   ? "Opus"
                               : stream->codec == CODEC_H265 ? "HEVC"
                                                             : NULL;
    if (registration) {
        put(out, DESCRIPTOR_REGISTRATION << 8 | 4, 2);
        put_bytes(out, registration, 4);
    }
    if (stream->codec == CODEC_OPUS) {
        put(out, DESCRIPTOR_EXTENSION << 8 | 2, 2);
        put(out, EXTENSION_OPUS, 1);
        put(out, stream->channels, 1); // channel_config_code: 1 to 8 in the usual order
    }
    if (memcmp(stream->language, "und", 3) != 0 && stream->language[2]) {
        put(out, DESCRIPTOR_LANGUAGE << 8 | 4, 2);
        put_bytes(out, stream->language, 3);
        put(out, 0, 1); // audio_type: not said
    }
    size_t length = out->length - at - 2;
    out->data[at] = (uint8_t)(0xf0 | length >> 8);
    out->data[at + 1] = (uint8_t)length;
}

size_t ts_psi_write_pmt(uint8_t data[TS_SECTION_MAX], unsigned version,
                        const struct ts_program *program)
{
    struct section_out out = begin(data, TABLE_PMT, version, program->number);
    put(&out, 0xe000u | program->pcr_pid, 2);
    put(&out, 0xf000, 2);
    for (unsigned i = 0; i < program->count; i++) {
        put(&out, program->stream[i].type, 1);
        put(&out, 0xe000u | program->stream[i].pid, 2);
        put_descriptors(&out, &program->stream[i]);
    }
    return end(&out);
}

size_t ts_psi_write_sdt(uint8_t data[TS_SECTION_MAX], unsigned version, uint16_t program,
                        const char *title)
{
    size_t length = strnlen(title, TITLE_MAX);
    bool ascii = true;
    // A cut falls in front of a whole UTF-8 character.
    while (title[length] && length > 0 && ((uint8_t)title[length] & 0xc0) == 0x80)
        length--;
    for (size_t i = 0; i < length; i++)
        ascii = ascii && (uint8_t)title[i] < 0x80;
    size_t name = length + (ascii ? 0 : 1), service = 3 + name;
    struct section_out out = begin(data, TABLE_SDT, version, 1);
    put(&out, 0xff01, 2); // a private network
    put(&out, 0xff, 1);
    put(&out, program, 2);
    put(&out, 0xfc, 1);                              // no event information
    put(&out, 0x8000u | (unsigned)(service + 2), 2); // running
    put(&out, DESCRIPTOR_SERVICE, 1);
    put(&out, (unsigned)service, 1);
    put(&out, 1, 1); // television
    put(&out, 0, 1); // no provider
    put(&out, (unsigned)name, 1);
    if (!ascii)
        put(&out, 0x15, 1); // what follows is UTF-8 (annex A.2)
    put_bytes(&out, title, length);
    return end(&out);
}

// ---- reading
// -------------------------------------------------------------------------------------

// Checks head and checksum and leaves in *body what is between the eight bytes of head and the
// checksum; *id is the field behind the length.
static int open_section(struct bytes section, uint8_t table, uint16_t *id, struct bytes *body)
{
    if (section.length < 8 + 4)
        return ERR_INVALID;
    if (section.data[0] != table || !(section.data[5] & 1))
        return ERR_UNSUPPORTED;
    size_t length = 3 + ((section.data[1] & 15u) << 8 | section.data[2]);
    if (!(section.data[1] & 0x80) || length != section.length ||
        crc32_mpeg(section.data, section.length) != 0)
        return ERR_INVALID;
    *id = (uint16_t)(section.data[3] << 8 | section.data[4]);
    *body = bytes_of(section.data + 8, section.length - 8 - 4);
    return 0;
}

int ts_psi_parse_pat(struct bytes section, uint16_t *program, uint16_t *pmt_pid)
{
    struct bytes body;
    uint16_t id, number, pid;
    int result = open_section(section, TABLE_PAT, &id, &body);
    if (result < 0)
        return result;
    while (bytes_read_u16(&body, &number) && bytes_read_u16(&body, &pid)) {
        pid &= 0x1fff;
        if (number == 0 || pid < 0x10 || pid == TS_PID_NULL) // 0 is the network information
            continue;
        *program = number;
        *pmt_pid = pid;
        return 0;
    }
    return ERR_NOT_FOUND;
}

static enum codec codec_by_type(uint8_t type)
{
    if (type == TYPE_MP3_LOW)
        return CODEC_MP3;
    for (unsigned i = 0; i < CODEC_COUNT; i++)
        if (codec_info((enum codec)i)->ts_type == type && type != TYPE_PRIVATE)
            return (enum codec)i;
    return CODEC_COUNT;
}

static void read_descriptors(struct bytes in, struct ts_stream *stream)
{
    uint8_t tag, length;
    struct bytes body;
    while (bytes_read_u8(&in, &tag) && bytes_read_u8(&in, &length) &&
           bytes_take(&in, length, &body)) {
        if (tag == DESCRIPTOR_REGISTRATION && length >= 4 && stream->type == TYPE_PRIVATE) {
            if (memcmp(body.data, "Opus", 4) == 0)
                stream->codec = CODEC_OPUS;
            else if (memcmp(body.data, "HEVC", 4) == 0)
                stream->codec = CODEC_H265;
        } else if (tag == DESCRIPTOR_EXTENSION && length >= 2 && body.data[0] == EXTENSION_OPUS) {
            stream->channels = body.data[1];
        } else if (tag == DESCRIPTOR_LANGUAGE && length >= 3) {
            for (unsigned i = 0; i < 3; i++) // three lower-case letters or nothing
                if ((body.data[i] | 32) < 'a' || (body.data[i] | 32) > 'z')
                    return;
            for (unsigned i = 0; i < 3; i++)
                stream->language[i] = (char)(body.data[i] | 32);
        }
    }
}

int ts_psi_parse_pmt(struct bytes section, struct ts_program *out)
{
    struct bytes body, descriptors;
    struct ts_program program = {0};
    uint16_t pid, length;
    int result = open_section(section, TABLE_PMT, &program.number, &body);
    if (result < 0)
        return result;
    if (!bytes_read_u16(&body, &pid) || !bytes_read_u16(&body, &length) ||
        !bytes_skip(&body, length & 0xfff))
        return ERR_INVALID;
    program.pcr_pid = pid & 0x1fff;
    while (body.length > 0) {
        struct ts_stream stream = {.codec = CODEC_COUNT, .language = "und"};
        if (!bytes_read_u8(&body, &stream.type) || !bytes_read_u16(&body, &pid) ||
            !bytes_read_u16(&body, &length) || !bytes_take(&body, length & 0xfff, &descriptors))
            return ERR_INVALID;
        stream.pid = pid & 0x1fff;
        stream.codec = codec_by_type(stream.type);
        read_descriptors(descriptors, &stream);
        bool twice = false;
        for (unsigned i = 0; i < program.count; i++)
            twice = twice || program.stream[i].pid == stream.pid;
        if (stream.codec != CODEC_COUNT && !twice && program.count < TRACKS_MAX)
            program.stream[program.count++] = stream;
    }
    *out = program;
    return 0;
}

static void collect(struct ts_section *section, struct bytes in, ts_section_fn on_section,
                    void *arg)
{
    while (section->open && in.length > 0) {
        // The third byte completes the length; until then only three bytes are wanted.
        const uint8_t *head = section->data;
        size_t want = section->length < 3 ? 3 : 3 + ((head[1] & 15u) << 8 | head[2]);
        size_t take = want - section->length < in.length ? want - section->length : in.length;
        memcpy(section->data + section->length, in.data, take);
        section->length += take;
        bytes_skip(&in, take);
        if (section->length < 3)
            return;
        want = 3 + ((head[1] & 15u) << 8 | head[2]);
        if (head[0] == 0xff || want > TS_SECTION_MAX) {
            section->open = false; // stuffing behind the last section, or broken
        } else if (section->length == want) {
            on_section(arg, bytes_of(section->data, want));
            section->length = 0;
        }
    }
}

void ts_section_add(struct ts_section *section, struct bytes payload, bool unit_start,
                    ts_section_fn on_section, void *arg)
{
    if (unit_start) {
        uint8_t pointer;
        struct bytes end_of_last;
        if (!bytes_read_u8(&payload, &pointer) || !bytes_take(&payload, pointer, &end_of_last)) {
            section->open = false;
            return;
        }
        collect(section, end_of_last, on_section, arg);
        section->open = true;
        section->length = 0;
    }
    collect(section, payload, on_section, arg);
}
