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
// MP4 files in: moov in memory (10 h of camera with audio are 15 MB), and the moof boxes kept for
// playing a fragmented file (12 h at one a second with 25 pictures and 47 audio frames are 30 MB).
#define MP4_MOOV_BYTES_MAX (64u << 20)
#define MP4_FRAGMENT_BYTES_MAX (64u << 20)
// A downloaded MP4: samples of all tracks; a day of 25 pictures and 47 audio frames a second are
// 6.2 million. Each costs 4 to 20 bytes of memory while the download runs.
#define MP4_FILE_SAMPLES_MAX (8u << 20)
// A part (CMAF chunk, the unit of a disk write): half a second keeps what a crash can lose, with
// one frame and the write itself, under a second.
#define PART_DURATION_US 500000LL
// Stream names: letters, digits, . - _ and '/' between parts.
#define STREAM_NAME_MAX 128
// Segments of a live playlist: with the longest segments more than an hour and a half in memory.
#define STREAM_SEGMENT_COUNT_MAX 100
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
// Numbers of channels on a link, half of them for each side to open. Every stream of the other
// server may be pulled, live and past, with requests besides.
#define LINK_CHANNELS_MAX 65536
// A piece of a message; with its head it fits a TLS record.
#define LINK_FRAGMENT_MAX 16368u
// The opening message of a channel; fits a fragment with its head.
#define LINK_OPEN_MAX 8192u
// Messages begun and not complete, by their totals: what one class may occupy at the receiver, and
// what a receiver gives to a peer. One largest message and several key frames side by side.
#define LINK_UNDERWAY_CLASS_MAX (16u << 20)
#define LINK_UNDERWAY_MAX (4 * LINK_UNDERWAY_CLASS_MAX)
// A channel's queue: when its producer is told to wait and to go on (at 2 Mbit/s a second), when
// the channel is closed (a key frame of the largest size may follow another), and all of a link
// together.
#define LINK_QUEUE_HIGH (256u << 10)
#define LINK_QUEUE_LOW (64u << 10)
#define LINK_QUEUE_MAX (3 * FRAME_BYTES_MAX)
#define LINK_QUEUE_TOTAL_MAX (256u << 20)
// Of a link, not yet taken by the kernel but out of reach of the classes; unsent in the kernel.
#define LINK_CONN_HIGH (32u << 10)
#define LINK_NOTSENT_LOW (32u << 10)
// Sent in one turn at most, so that a fast link does not hold up the loop (about 0.5 ms of TLS).
#define LINK_TURN_BYTES (1u << 20)
// Opens that are served: all streams at once after a reconnect, then a rate no viewer reaches.
#define LINK_OPENS_BURST 40000
#define LINK_OPENS_PER_S 2000
// Messages of the link itself (pings, opens, closes): ten times what an honest peer can cause.
#define LINK_CONTROL_BURST 200000
#define LINK_CONTROL_PER_S 20000
// Links that came in; handshakes in progress, of all strangers and of one address.
#define LINK_PEERS_MAX 1000
#define LINK_HANDSHAKES_MAX 64
#define LINK_HANDSHAKES_PER_ADDRESS 16

// The archive. Parts of one stream that wait for its disk (a minute at 4 Mbit/s), and of all
// streams of a disk (less than its file queue takes); what comes beyond is shed.
#define ARCHIVE_QUEUE_BYTES_MAX (32u << 20)
#define ARCHIVE_QUEUE_PARTS_MAX 4096
#define ARCHIVE_DISK_QUEUE_BYTES_MAX (192u << 20)
// When so much waits, segments are thinned: at 4 Mbit/s the other half of a stream's holds ten
// minutes of key pictures. Of a disk with 200 such cameras the whole is two seconds only, and most
// of it is for pauses that it makes up for.
#define ARCHIVE_THIN_BYTES (ARCHIVE_QUEUE_BYTES_MAX / 2)
#define ARCHIVE_THIN_PARTS (ARCHIVE_QUEUE_PARTS_MAX / 2)
#define ARCHIVE_DISK_THIN_BYTES (ARCHIVE_DISK_QUEUE_BYTES_MAX / 4 * 3)
// Collected into one write when the disk is behind.
#define ARCHIVE_APPEND_BYTES_MAX (8u << 20)
// Hour files of a stream (eleven years, 40 bytes each) and segments of one (an hour of the shortest
// ones is 3600; parts that come alone after damage are more).
#define ARCHIVE_HOURS_MAX 100000
#define ARCHIVE_ENTRIES_MAX 65536
// Holes inside of hour files that are kept in memory for a stream, 40 bytes each: one an hour for
// half a year. Those of other files are read from their indexes when asked for.
#define ARCHIVE_HOLES_MAX 4096
// Listings, recoveries and summaries that are done for their own sake, of one disk at a time: who
// asks for something waits for no more than these.
#define ARCHIVE_WALKS_MAX 2
// Hour files kept open with their index decoded for the next reader: a descriptor and 40 KB each.
#define ARCHIVE_OPENED_MAX 64
// Segments read lately that are kept for whoever reads the same next, of all archives: some seconds
// of twenty moments that several watch. Their TS is as much again.
#define ARCHIVE_KEPT_BYTES_MAX (32u << 20)
#define ARCHIVE_KEPT_MAX 256
// Requests to the archives of one server under way: each may hold two segments.
#define ARCHIVE_REQUESTS_MAX 4096
// Segments that the caches of one PATH keep (400 GB of 1 MB are 400000, 100 bytes of memory each);
// what may wait to be written there, beyond that it is not kept; heads and track list of one.
#define CACHE_ENTRIES_MAX 1000000
#define CACHE_QUEUE_BYTES_MAX (64u << 20)
#define CACHE_TAIL_MAX (4u << 20)
// Front of an hour file that is read for its init segment; sixteen tracks with the largest
// configurations fit.
#define ARCHIVE_INIT_MAX (2u << 20)
// What the journal of a stream says at most, 72 bytes of memory each. Holes with a reason: a camera
// that goes 130 times a day, for a month; the oldest are forgotten then. Files with a wrong clock:
// two years of hours. Stretches that are locked, and deleted ones that still stand in a file.
#define JOURNAL_MARKS_MAX 4096
#define JOURNAL_FILES_MAX 16384
#define JOURNAL_SPANS_MAX 4096
#define JOURNAL_CLOCKS_MAX 16
// The file: all of that, four times over before it is written anew.
#define JOURNAL_BYTES_MAX (8u << 20)

_Static_assert(CONN_OUT_LOW < CONN_OUT_HIGH, "a queue must drain before it fills");
_Static_assert(LINK_MESSAGE_MAX <= LINK_UNDERWAY_CLASS_MAX, "the largest message can be sent");
_Static_assert(LINK_MESSAGE_MAX <= LINK_QUEUE_MAX, "the largest message can be queued");
_Static_assert(LINK_OPEN_MAX + 16 <= LINK_FRAGMENT_MAX, "an open fits a fragment");
_Static_assert(RING_BYTES_MAX >= 4 * FRAME_BYTES_MAX, "the ring holds several largest frames");
_Static_assert(ARCHIVE_DISK_QUEUE_BYTES_MAX + ARCHIVE_APPEND_BYTES_MAX <= FILE_QUEUE_BYTES_MAX,
               "what the archive lets wait fits the queue of its disk");

#endif
