// SPDX-License-Identifier: MIT
#include "rtp_unpack_fixture.h"

// ---- H.264 -------------------------------------------------------------------------------------

static void rtp_unpack_h264_parameter_sets_in_the_band(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "packetization-mode=1");
    assert_null(rtp_unpack_track(out.unpack));
    assert_int_equal(rtp_unpack_timescale(out.unpack), 90000);
    send_slice(&out, 0, true, 'P', true); // nothing is known of it yet
    SEND(&out, 3600, false, 0x09, 0xf0);  // AUD
    send_sets(&out, 3600, 320);
    SEND(&out, 3600, false, 0x06, 0x05, 0x01, 0x00, 0x80);
    send_slice(&out, 3600, true, 'I', true);
    assert_text(&out, "");
    send_slice(&out, 7200, true, 'P', true);
    assert_text(&out, "T I@3600[6,5] ");
    assert_int_equal(rtp_unpack_track(out.unpack)->width, 320);
    send_slice(&out, 10800, true, 'P', true);
    assert_text(&out, "P@7200[1] P@10800[1] "); // by now the marker is believed
    assert_int_equal(out.last_length, 44);
    assert_int_equal(out.last[3], 40);
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_parameter_sets_in_the_description(void **state)
{
    (void)state;
    struct out out;
    // A broken one between them does no harm.
    open_unpack(&out, "H264", 0, 0,
                "sprop-parameter-sets=Z2QADKzZQUH7ARAAAAMAEAAAAwMg8UKZYA==,%%%,aOvjyyLA,");
    const struct track *track = rtp_unpack_track(out.unpack);
    assert_non_null(track);
    assert_int_equal(track->width, 320);
    assert_int_equal(track->codec, CODEC_H264);
    send_slice(&out, 0, true, 'I', true);
    send_slice(&out, 3600, true, 'P', true);
    assert_text(&out, "I@0[5] "); // no T: nothing changed
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_description_without_usable_sets_waits_for_the_band(void **state)
{
    (void)state;
    static const char *const fmtp[] = {"", "sprop-parameter-sets=", "sprop-parameter-sets=,,",
                                       "sprop-parameter-sets=AAAA,BBBB",
                                       "sprop-parameter-sets=Z2Q="};
    for (unsigned i = 0; i < 5; i++) {
        struct out out;
        open_unpack(&out, "H264", 90000, 0, fmtp[i]);
        assert_null(rtp_unpack_track(out.unpack));
        send_sets(&out, 0, 320);
        send_slice(&out, 0, true, 'I', true);
        send_slice(&out, 1, true, 'P', true);
        assert_text(&out, "T I@0[5] ");
        rtp_unpack_free(&out.unpack);
    }
}

static void rtp_unpack_h264_changed_sets_make_a_track_and_keep_the_frame(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    send_slice(&out, 0, true, 'I', true);
    send_sets(&out, 100, 320); // the same again: nothing changes
    send_slice(&out, 100, true, 'I', true);
    send_sets(&out, 200, 640);
    send_slice(&out, 200, true, 'I', true);
    send_slice(&out, 300, true, 'P', true);
    assert_text(&out, "T I@0[5] I@100[5] T I@200[5] P@300[1] ");
    assert_int_equal(rtp_unpack_track(out.unpack)->width, 640);
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_sets_with_a_time_of_their_own(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    SEND(&out, 1, true, 0x06, 0x05, 0x01, 0x00, 0x80);
    send_slice(&out, 3600, true, 'I', true);
    send_slice(&out, 7200, true, 'P', true);
    assert_text(&out, "T I@3600[6,5] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_marker_proven_gives_the_frame_at_once(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    send_slice(&out, 0, true, 'I', true);
    for (unsigned i = 1; i < 4; i++)
        send_slice(&out, i, true, 'P', true);
    assert_text(&out, "T I@0[5] P@1[1] P@2[1] P@3[1] "); // the last one on its marker
    send_slice(&out, 4, false, 'P', true);
    assert_text(&out, "");
    send_slice(&out, 4, true, 'P', false);
    assert_text(&out, "P@4[1,1] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_marker_on_every_packet_is_not_believed(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    for (unsigned i = 0; i < 10; i++) {
        send_sets(&out, i, 320);
        send_slice(&out, i, true, 'I', true);
        send_slice(&out, i, true, 'I', false);
        send_slice(&out, i, true, 'I', false);
    }
    assert_text(&out, "T I@0[5,5,5] I@1[5,5,5] I@2[5,5,5] I@3[5,5,5] I@4[5,5,5] I@5[5,5,5] "
                      "I@6[5,5,5] I@7[5,5,5] I@8[5,5,5] ");
    // One who was right at first and then lies costs one picture.
    rtp_unpack_free(&out.unpack);
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    for (unsigned i = 0; i < 4; i++)
        send_slice(&out, i, true, 'I', true);
    assert_text(&out, "T I@0[5] I@1[5] I@2[5] I@3[5] ");
    for (unsigned i = 4; i < 7; i++) {
        send_slice(&out, i, true, 'P', true);
        send_slice(&out, i, true, 'P', false);
    }
    assert_text(&out, "P@4[1] ! P@5[1,1] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_marker_missing_ends_at_the_next_time(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    for (unsigned i = 0; i < 5; i++) {
        send_slice(&out, i, false, 'I', true);
        send_slice(&out, i, false, 'I', false);
    }
    assert_text(&out, "T I@0[5,5] I@1[5,5] I@2[5,5] I@3[5,5] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_time_that_stands_still(void **state)
{
    (void)state;
    for (int marker = 0; marker < 2; marker++) {
        struct out out;
        open_unpack(&out, "H264", 90000, 0, "");
        send_sets(&out, 7, 320);
        send_slice(&out, 7, marker, 'I', true);
        for (unsigned i = 0; i < 5; i++) {
            send_slice(&out, 7, false, 'P', true);
            send_slice(&out, 7, marker, 'P', false);
        }
        // With markers the newest has gone out already.
        assert_text(&out, marker ? "T I@7[5] P@7[1,1] P@7[1,1] P@7[1,1] P@7[1,1] P@7[1,1] "
                                 : "T I@7[5] P@7[1,1] P@7[1,1] P@7[1,1] P@7[1,1] ");
        rtp_unpack_free(&out.unpack);
    }
}

static void rtp_unpack_h264_times_wrap_jump_and_run_back(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0xfffffff0, 320);
    send_slice(&out, 0xfffffff0, true, 'I', true);
    assert_int_equal(rtp_unpack_ticks(out.unpack, 0x10), 0x100000010);
    send_slice(&out, 0x10, true, 'P', true);
    send_slice(&out, 0x50000010, true, 'P', true);
    send_slice(&out, 0x10, true, 'P', true);
    send_slice(&out, 0x11, true, 'P', true);
    assert_text(&out, "T I@4294967280[5] P@4294967312[1] P@5637144592[1] P@4294967312[1] "
                      "P@4294967313[1] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_stap_a(void **state)
{
    (void)state;
    struct out out;
    uint8_t packet[128] = {24}, nal[64], slice[30];
    size_t at = 1, length = fixture_h264_sps(nal, 77, 320, 0, false);
    packet[at + 1] = (uint8_t)length;
    memcpy(packet + at + 2, nal, length);
    at += 2 + length;
    length = fixture_h264_pps(nal, 0);
    packet[at + 1] = (uint8_t)length;
    memcpy(packet + at + 2, nal, length);
    at += 2 + length;
    fixture_h264_slice(slice, sizeof(slice), 'I', true);
    packet[at + 1] = sizeof(slice);
    memcpy(packet + at + 2, slice, sizeof(slice));
    at += 2 + sizeof(slice);
    open_unpack(&out, "H264", 90000, 0, "");
    send(&out, 0, true, bytes_of(packet, at));
    send(&out, 10, true, bytes_of(packet, at - 1)); // one byte short: its last unit is lost
    send_slice(&out, 20, true, 'P', true);
    assert_text(&out, "T I@0[5] ! ");
    send_slice(&out, 30, true, 'P', true);
    assert_text(&out, "P@20[1] ");
    // STAP-B: the same with a decoding order number.
    memmove(packet + 3, packet + 1, at - 1);
    packet[0] = 25;
    send(&out, 40, true, bytes_of(packet, at + 2));
    send_slice(&out, 50, true, 'P', true);
    assert_text(&out, "P@30[1] I@40[5] P@50[1] "); // the markers told the truth three times
    rtp_unpack_free(&out.unpack);
}

// Sends a slice of 30 bytes in three fragments, without those whose bit in `skip` is set.
static void send_fragments(struct out *out, uint32_t timestamp, char kind, unsigned skip, bool end)
{
    uint8_t slice[31], packet[12];
    fixture_h264_slice(slice, sizeof(slice), kind, true);
    unsigned lost = 0;
    for (unsigned i = 0; i < 3; i++) {
        packet[0] = (uint8_t)((slice[0] & 0xe0) | 28);
        packet[1] = (uint8_t)((slice[0] & 0x1f) | (i == 0 ? 0x80 : 0) | (i == 2 && end ? 0x40 : 0));
        memcpy(packet + 2, slice + 1 + i * 10, 10);
        if (skip >> i & 1) {
            lost++;
            continue;
        }
        send_lost(out, timestamp, i == 2, bytes_of(packet, 12), lost);
        lost = 0;
    }
    if (lost) { // told by the packet that follows
        uint8_t next[20];
        fixture_h264_slice(next, sizeof(next), 'P', true);
        send_lost(out, timestamp + 1, true, bytes_of(next, sizeof(next)), lost);
    }
}

static void rtp_unpack_h264_fragments(void **state)
{
    (void)state;
    struct out out;
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    send_fragments(&out, 0, 'I', 0, true);
    send_fragments(&out, 10, 'P', 0, false); // a sender who sets no end bit
    send_fragments(&out, 20, 'P', 0, true);
    assert_text(&out, "T I@0[5] P@10[1] ");
    assert_int_equal(out.last_length, 35);
    uint8_t slice[31];
    fixture_h264_slice(slice, sizeof(slice), 'P', true);
    assert_memory_equal(out.last + 4, slice, sizeof(slice));
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_lost_fragment_costs_its_picture_only(void **state)
{
    (void)state;
    for (unsigned lost = 0; lost < 3; lost++) {
        struct out out;
        open_unpack(&out, "H264", 90000, 0, "");
        send_sets(&out, 0, 320);
        send_fragments(&out, 0, 'I', 0, true);
        send_fragments(&out, 100, 'P', 1u << lost, true);
        send_slice(&out, 200, true, 'P', true);
        send_slice(&out, 300, true, 'P', true);
        send_slice(&out, 400, true, 'P', true);
        // The loss of the last fragment is told by another picture. After the loss of the first one
        // it takes a picture more to believe the marker.
        static const char *const expected[] = {"T I@0[5] P@200[1] P@300[1] ",
                                               "T I@0[5] P@200[1] P@300[1] P@400[1] ",
                                               "T I@0[5] P@101[1] P@200[1] P@300[1] P@400[1] "};
        assert_text(&out, expected[lost]);
        rtp_unpack_free(&out.unpack);
    }
}

static void rtp_unpack_h264_lost_slice_makes_the_frame_corrupt_and_no_key(void **state)
{
    (void)state;
    struct out out;
    uint8_t slice[40];
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    send_slice(&out, 0, false, 'I', true);
    fixture_h264_slice(slice, sizeof(slice), 'I', false);
    send_lost(&out, 0, true, bytes_of(slice, sizeof(slice)), 1); // the second of three
    send_slice(&out, 1, true, 'P', true);
    assert_text(&out, "T C@0[5,5] ");
    // The first slice of the next picture is lost, or only the last one of this.
    fixture_h264_slice(slice, sizeof(slice), 'P', false);
    send_lost(&out, 2, true, bytes_of(slice, sizeof(slice)), 1);
    send_slice(&out, 3, false, 'P', true);
    fixture_h264_slice(slice, sizeof(slice), 'P', true);
    send_lost(&out, 4, true, bytes_of(slice, sizeof(slice)), 2);
    send_slice(&out, 5, true, 'P', true);
    assert_text(&out, "P@1[1] C@2[1] C@3[1] P@4[1] P@5[1] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_fields_of_one_time_stay_together(void **state)
{
    (void)state;
    struct out out;
    uint8_t sps[64], pps[8];
    open_unpack(&out, "H264", 90000, 0, "");
    send(&out, 0, false, bytes_of(sps, fixture_h264_sps(sps, 77, 320, 0, true)));
    send(&out, 0, false, bytes_of(pps, fixture_h264_pps(pps, 0)));
    send_slice(&out, 0, false, 'I', true);
    send_slice(&out, 1, false, 'I', true); // its second field comes below
    send_slice(&out, 1, true, 'P', true);
    send_slice(&out, 2, false, 'P', true);
    assert_text(&out, "T I@0[5] I@1[5,1] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_start_codes_in_a_packet(void **state)
{
    (void)state;
    struct out out;
    uint8_t packet[160], sps[64], pps[8], slice[30];
    size_t at = 0, length;
    length = fixture_h264_sps(sps, 77, 320, 0, false);
    memcpy(packet + at, "\0\0\0\1", 4);
    memcpy(packet + at + 4, sps, length);
    at += 4 + length;
    length = fixture_h264_pps(pps, 0);
    memcpy(packet + at, "\0\0\1", 3);
    memcpy(packet + at + 3, pps, length);
    at += 3 + length;
    fixture_h264_slice(slice, sizeof(slice), 'I', true);
    memcpy(packet + at, "\0\0\1", 3);
    memcpy(packet + at + 3, slice, sizeof(slice));
    at += 3 + sizeof(slice);
    open_unpack(&out, "H264", 90000, 0, "");
    send(&out, 0, true, bytes_of(packet, at));
    send_slice(&out, 1, true, 'P', true);
    assert_text(&out, "T I@0[5] ");
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_bounds(void **state)
{
    (void)state;
    struct out out;
    static uint8_t packet[60000];
    open_unpack(&out, "H264", 90000, 0, "");
    send_sets(&out, 0, 320);
    packet[0] = 28;
    packet[1] = 0x85;
    for (unsigned i = 0; i < FRAME_BYTES_MAX / sizeof(packet) + 2; i++) {
        send(&out, 0, false, bytes_of(packet, sizeof(packet)));
        packet[1] = 5;
    }
    assert_text(&out, "! ");
    send_slice(&out, 1, true, 'I', true);
    send_slice(&out, 2, true, 'P', true);
    assert_text(&out, "T I@1[5] ");
    // Units without a picture do not pile up.
    memset(packet, 0x55, sizeof(packet));
    packet[0] = 6;
    for (unsigned i = 3; i < 1000; i++)
        send(&out, i, true, bytes_of(packet, sizeof(packet)));
    assert_true(mem_live_count() < 20);
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_sets_numbered_anew_each_time(void **state)
{
    (void)state;
    struct out out;
    uint8_t pps[8];
    open_unpack(&out, "H264", 90000, 0, "");
    for (unsigned i = 0; i < 50; i++) {
        uint8_t sps[64];
        send(&out, i, false, bytes_of(sps, fixture_h264_sps(sps, 77, 320, 0, false)));
        send(&out, i, false, bytes_of(pps, fixture_h264_pps(pps, i)));
        out.text[0] = 0;
        send_slice(&out, i, true, 'I', true);
        send_slice(&out, i + 1, true, 'P', true);
    }
    assert_non_null(strstr(out.text, "@49[5]"));
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h264_no_memory_costs_frames_only(void **state)
{
    (void)state;
    for (long n = 1; n < 40; n++) {
        struct out out;
        open_unpack(&out, "H264", 90000, 0, "");
        mem_fail_nth(n);
        for (unsigned i = 0; i < 3; i++) {
            send_sets(&out, i, 320);
            send_slice(&out, i, true, 'I', true);
        }
        mem_fail_nth(0);
        out.text[0] = 0;
        send_sets(&out, 4, 320);
        send_slice(&out, 4, true, 'I', true);
        send_slice(&out, 5, true, 'P', true);
        if (!strstr(out.text, "I@4[5] "))
            fail_msg("allocation %ld: %s", n, out.text);
        rtp_unpack_free(&out.unpack);
    }
}

// ---- H.265 -------------------------------------------------------------------------------------

static const char h265_sprop[] =
    "sprop-vps=QAEMAf//AWAAAAMAkAAAAwAAAwA8lZQJ; "
    "sprop-sps=QgEBAWAAAAMAkAAAAwAAAwA8oAoIDxZZWWSTK8BaAgAAAwACAAADADIQ; "
    "sprop-pps=RAHBcrRiQA==";

static void rtp_unpack_h265_single_units_and_sets(void **state)
{
    (void)state;
    struct out out;
    uint8_t nal[64], slice[40];
    open_unpack(&out, "H265", 90000, 0, "");
    static const char *const hex[] = {H265_VPS_HEX, H265_SPS_HEX, H265_PPS_HEX};
    for (unsigned i = 0; i < 3; i++) {
        size_t length = fixture_hex(hex[i], nal);
        send(&out, 0, false, bytes_of(nal, length));
    }
    fixture_h265_slice(slice, sizeof(slice), true, true);
    send(&out, 0, false, bytes_of(slice, sizeof(slice)));
    fixture_h265_slice(slice, sizeof(slice), true, false);
    send(&out, 0, true, bytes_of(slice, sizeof(slice)));
    fixture_h265_slice(slice, sizeof(slice), false, true);
    send(&out, 1, true, bytes_of(slice, sizeof(slice)));
    assert_text(&out, "T I@0[19,19] ");
    assert_int_equal(rtp_unpack_track(out.unpack)->width, 320);
    rtp_unpack_free(&out.unpack);
    open_unpack(&out, "hevc", 90000, 0, h265_sprop);
    assert_non_null(rtp_unpack_track(out.unpack));
    rtp_unpack_free(&out.unpack);
}

static void rtp_unpack_h265_aggregates_and_fragments(void **state)
{
    (void)state;
    for (unsigned order = 0; order < 2; order++) { // without and with decoding order numbers
        struct out out;
        char fmtp[512];
        text_format(fmtp, sizeof(fmtp), "%s; sprop-max-don-diff=%u", h265_sprop, order);
        open_unpack(&out, "H265", 90000, 0, fmtp);
        uint8_t slice[40], packet[128];
        fixture_h265_slice(slice, sizeof(slice), true, true);
        size_t at = 0;
        packet[at++] = 48 << 1;
        packet[at++] = 1;
        for (unsigned i = 0; i < 2; i++) {
            for (unsigned k = 0; order && k < (i == 0 ? 2u : 1u); k++)
                packet[at++] = 0;
            packet[at++] = 0;
            packet[at++] = sizeof(slice);
            memcpy(packet + at, slice, sizeof(slice));
            packet[at + 2] = i == 0 ? 0x80 : 0;
            at += sizeof(slice);
        }
        send(&out, 0, true, bytes_of(packet, at));
        for (unsigned i = 0; i < 2; i++) { // the payload of a slice in two halves
            at = 0;
            packet[at++] = 49 << 1;
            packet[at++] = 1;
            packet[at++] = (uint8_t)(1 | (i == 0 ? 0x80 : 0x40));
            for (unsigned k = 0; order && i == 0 && k < 2; k++)
                packet[at++] = 0;
            memcpy(packet + at, slice + 2 + i * 19, 19);
            send(&out, 1, i == 1, bytes_of(packet, at + 19));
        }
        at = 0; // a single unit
        packet[at++] = 1 << 1;
        packet[at++] = 1;
        for (unsigned k = 0; order && k < 2; k++)
            packet[at++] = 0;
        memcpy(packet + at, slice + 2, 38);
        send(&out, 2, true, bytes_of(packet, at + 38));
        assert_text(&out, "I@0[19,19] P@1[1] ");
        assert_int_equal(out.last_length, 44);
        assert_memory_equal(out.last + 6, slice + 2, 38);
        send(&out, 3, true, bytes_of(packet, at + 38));
        assert_int_equal(out.last_length, 44);
        assert_memory_equal(out.last + 6, slice + 2, 38);
        rtp_unpack_free(&out.unpack);
    }
}

TEST_MAIN(TEST(rtp_unpack_h264_parameter_sets_in_the_band),
          TEST(rtp_unpack_h264_parameter_sets_in_the_description),
          TEST(rtp_unpack_h264_description_without_usable_sets_waits_for_the_band),
          TEST(rtp_unpack_h264_changed_sets_make_a_track_and_keep_the_frame),
          TEST(rtp_unpack_h264_sets_with_a_time_of_their_own),
          TEST(rtp_unpack_h264_marker_proven_gives_the_frame_at_once),
          TEST(rtp_unpack_h264_marker_on_every_packet_is_not_believed),
          TEST(rtp_unpack_h264_marker_missing_ends_at_the_next_time),
          TEST(rtp_unpack_h264_time_that_stands_still),
          TEST(rtp_unpack_h264_times_wrap_jump_and_run_back), TEST(rtp_unpack_h264_stap_a),
          TEST(rtp_unpack_h264_fragments),
          TEST(rtp_unpack_h264_lost_fragment_costs_its_picture_only),
          TEST(rtp_unpack_h264_lost_slice_makes_the_frame_corrupt_and_no_key),
          TEST(rtp_unpack_h264_fields_of_one_time_stay_together),
          TEST(rtp_unpack_h264_start_codes_in_a_packet), TEST(rtp_unpack_h264_bounds),
          TEST(rtp_unpack_h264_sets_numbered_anew_each_time),
          TEST(rtp_unpack_h264_no_memory_costs_frames_only),
          TEST(rtp_unpack_h265_single_units_and_sets),
          TEST(rtp_unpack_h265_aggregates_and_fragments))
