// SPDX-License-Identifier: MIT
// Program tables of MPEG-TS (ISO/IEC 13818-1, 2.4.4) and what the muxer and demuxer share.
#ifndef TS_PSI_H
#define TS_PSI_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"
#include "media/codec.h"

enum {
    TS_PACKET = 188,
    TS_PAYLOAD = 184, // without an adaptation field
    TS_SYNC = 0x47,
    TS_PID_PAT = 0,
    TS_PID_SDT = 0x11,
    TS_PID_NULL = 0x1fff,
    TS_SECTION_MAX = 1024, // of PAT, PMT and SDT, head and checksum included (2.4.4.1)
};

// One elementary stream of a program, as far as this program can use it.
struct ts_stream {
    uint16_t pid;
    uint8_t type;      // stream_type
    enum codec codec;  // CODEC_COUNT: none of ours
    unsigned channels; // Opus, from its descriptor; else 0
    char language[4];  // ISO 639-2, "und" when not said
};

struct ts_program {
    uint16_t number, pcr_pid;
    unsigned count; // what is past TRACKS_MAX, or no codec of ours, is left out when reading
    struct ts_stream stream[TRACKS_MAX];
};

// Whole sections with checksum into out; return the length.
size_t ts_psi_write_pat(uint8_t out[TS_SECTION_MAX], unsigned version, uint16_t program,
                        uint16_t pmt_pid);
size_t ts_psi_write_pmt(uint8_t out[TS_SECTION_MAX], unsigned version,
                        const struct ts_program *program);
// ETSI EN 300 468, 5.2.3. The title is UTF-8 and may be cut.
size_t ts_psi_write_sdt(uint8_t out[TS_SECTION_MAX], unsigned version, uint16_t program,
                        const char *title);

// One whole section with its checksum. ERR_INVALID; ERR_UNSUPPORTED for a table that is not yet in
// force or is another one; ERR_NOT_FOUND for a PAT without a program.
MUST_USE int ts_psi_parse_pat(struct bytes section, uint16_t *program, uint16_t *pmt_pid);
MUST_USE int ts_psi_parse_pmt(struct bytes section, struct ts_program *out);

// Collects one section of a PID out of packet payloads.
struct ts_section {
    uint8_t data[TS_SECTION_MAX];
    size_t length; // bytes of data collected
    bool open;     // what comes next belongs to a section whose beginning was seen
};
// `section` is borrowed for the call.
typedef void (*ts_section_fn)(void *arg, struct bytes section);
// Takes the payload of one packet (unit_start: it begins with a pointer_field) and gives out every
// section that is whole by its own length.
void ts_section_add(struct ts_section *section, struct bytes payload, bool unit_start,
                    ts_section_fn on_section, void *arg);

#endif
