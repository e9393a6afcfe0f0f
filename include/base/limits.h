// SPDX-License-Identifier: MIT
// Every bound of the program, with its reason. Sizes that a peer, a file or a disk chooses are
// checked against these before any allocation.
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

// One access unit. A 4K intra picture of a visually lossless encoder stays under 4 MB.
#define FRAME_BYTES_MAX (8u << 20)
// Tracks of a stream: a camera has two; a broadcast programme with languages stays under this.
#define TRACKS_MAX 16
// Codec configuration (avcC with many parameter sets stays under 1 KB).
#define CODEC_CONFIG_MAX (64u << 10)
// Ring of frames of a stream: three GOPs of 10 s at 20 Mbit/s; also by count for audio-only.
#define RING_BYTES_MAX (64u << 20)
#define RING_FRAMES_MAX 8192
// A segment that finds no key frame is closed at this length; 60 s covers "smart" camera GOPs.
#define SEGMENT_DURATION_MAX_US (60 * 1000000LL)
#define SEGMENT_BYTES_MAX (128u << 20)
#define SEGMENT_FRAMES_MAX 65536
// A part (CMAF chunk, the unit of a disk write): half a second keeps what a crash can lose, with
// one frame and the write itself, under a second.
#define PART_DURATION_US 500000LL
// Stream names: letters, digits, . - _ and '/' between parts.
#define STREAM_NAME_MAX 128
// Streams of one server, own and remote together.
#define STREAMS_MAX 20000
// Output queued on a connection before its producer is told to wait, and when it may go on.
#define CONN_OUT_HIGH (512u << 10)
#define CONN_OUT_LOW (128u << 10)
// Input read from a connection and not yet eaten by its protocol.
#define CONN_IN_MAX (1u << 20)
// HTTP: the whole head of a request; a body we accept (JSON of the API).
#define HTTP_HEAD_MAX (16u << 10)
#define HTTP_BODY_MAX (1u << 20)
// Seconds for a client to finish a head, and for an idle keep-alive connection.
#define HTTP_HEAD_TIMEOUT_US (15 * 1000000LL)
#define HTTP_IDLE_TIMEOUT_US (60 * 1000000LL)
// A client that takes no byte of its answer for so long is closed.
#define HTTP_SEND_TIMEOUT_US (30 * 1000000LL)
#define HTTP_CONNECTIONS_MAX 50000
// Requests waiting for a stream to start or for an archive read, per stream.
#define STREAM_WAITERS_MAX 10000
// File operations queued for the worker: 200 recorded streams, four writes each, and as many reads.
#define FILE_QUEUE_MAX 4096
#define FILE_QUEUE_BYTES_MAX (256u << 20)
// One message of the link: a frame or a piece of a segment, with its head.
#define LINK_MESSAGE_MAX (FRAME_BYTES_MAX + 4096u)
#define LINK_CHANNELS_MAX 65536

_Static_assert(CONN_OUT_LOW < CONN_OUT_HIGH, "a queue must drain before it fills");
_Static_assert(RING_BYTES_MAX >= 4 * FRAME_BYTES_MAX, "the ring holds several largest frames");

#endif
