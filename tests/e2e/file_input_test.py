# SPDX-License-Identifier: MIT
"""Files as live streams: MP4 and MPEG-TS in a loop, judged by ffmpeg across the seams."""
import atexit
import os
import shutil
import tempfile

import node
from node import Node, decodes_cleanly, need, packets, wait_for

SOURCES = ("-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25",
           "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000")
FORMATS = {
    "mp4": ("-c:v", "libx264", "-bf", "2", "-g", "25", "-c:a", "aac", "in.mp4"),
    "ts": ("-c:v", "libx264", "-bf", "2", "-g", "25", "-c:a", "aac", "in.ts"),
    "hevc": ("-c:v", "libx265", "-x265-params", "log-level=error:keyint=25", "-c:a", "aac",
             "in.mp4"),
}


def make(kind, seconds=2):
    need("ffmpeg")
    folder = tempfile.mkdtemp(prefix="sluice-file-")
    atexit.register(shutil.rmtree, folder, True)
    done = node.run(["ffmpeg", "-v", "error", *SOURCES, "-t", str(seconds), *FORMATS[kind]],
                    cwd=folder)
    assert done.returncode == 0, done.stderr
    return os.path.join(folder, FORMATS[kind][-1])


def serve(path):
    return Node(f"http @PORT@;\nstream clip {{ input file://{path}; segment_duration 1; }}\n",
                name="server")


def one_loop_after_another(kind, playlist):
    server = serve(make(kind))
    wait_for(lambda: server.running("clip"), 15, "frames of the file")
    # Two seams at least lie in it.
    path = os.path.join(server.folder, "recorded")
    with open(path, "wb") as out:
        seen = set()

        def collect():
            answer = server.get(f"/clip/{playlist}")
            if answer.status != 200:
                return False
            listed = server.playlist(f"/clip/{playlist}")
            # The first segment of all begins a run; behind it there is no break.
            behind_first = listed.text.split(listed.uris[0])[-1]
            assert "#EXT-X-DISCONTINUITY\n" not in behind_first, "the loop has no break"
            for uri in listed.uris:
                if uri not in seen:
                    if not seen and listed.map:
                        out.write(listed.fetch(listed.map))
                    out.write(listed.fetch(uri))
                    seen.add(uri)
            return len(seen) >= 6
        wait_for(collect, 30, "six segments")
    decodes_cleanly(path)
    times = [float(packet["dts_time"]) for packet in packets(path)]
    steps = [b - a for a, b in zip(times, times[1:])]
    assert len(times) > 100
    assert min(steps) > 0.03 and max(steps) < 0.1, (min(steps), max(steps))
    sound = [float(packet["pts_time"]) for packet in packets(path, stream="a:0")]
    steps = [b - a for a, b in zip(sound, sound[1:])]
    assert min(steps) > 0.02 and max(steps) < 0.1, (min(steps), max(steps))


def test_mp4_with_b_frames_loops_without_a_break():
    one_loop_after_another("mp4", "index.m3u8")


def test_ts_loops_without_a_break():
    one_loop_after_another("ts", "index.m3u8")


def test_h265_loops_without_a_break():
    one_loop_after_another("hevc", "index.fmp4.m3u8")


def test_missing_file_is_named_and_taken_when_it_comes():
    path = make("mp4")
    os.rename(path, path + ".later")
    server = serve(path)
    wait_for(lambda: "lost reason=not_found" in server.log(), 10, "the reason in the log")
    os.rename(path + ".later", path)
    wait_for(lambda: server.running("clip"), 30, "frames of the file")
