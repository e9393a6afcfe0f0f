# SPDX-License-Identifier: MIT
"""Cameras that change in mid-stream: parameter sets, resolution, audio that comes and goes. The
recording goes on, one timeline (peers.md 2.1.3, 2.1.8)."""
import atexit
import os
import shutil
import tempfile

import node
from browser import Browser
from camera import AAC, Camera, H264
from node import Node, decodes_cleanly, has_stream, need, packets, probe, wait_for


def clip(folder, name, size, sound):
    """Two seconds of MPEG-TS."""
    audio = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000"] if sound else []
    done = node.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25", *audio,
                     "-t", "2", "-c:v", "libx264", "-g", "25", "-bf", "2", "-c:a", "aac",
                     "-muxdelay", "0", name], cwd=folder)
    assert done.returncode == 0, done.stderr
    return os.path.join(folder, name)


def changing_file():
    """A file in which picture size and audio change every two seconds, without a break in time."""
    need("ffmpeg")
    folder = tempfile.mkdtemp(prefix="sluice-changes-")
    atexit.register(shutil.rmtree, folder, True)
    parts = [clip(folder, "a.ts", "320x240", True), clip(folder, "b.ts", "640x360", True),
             clip(folder, "c.ts", "640x360", False)]
    path = os.path.join(folder, "in.ts")
    with open(path, "wb") as out:
        for part in parts:
            with open(part, "rb") as taken:
                out.write(taken.read())
    return path


def archived(server, name):
    """Playlist of the whole past in fragments."""
    begin = server.get(f"/{name}/recording_status.json").json[name]["from"]
    return begin, server.playlist(f"/{name}/index-{begin}-600.fmp4.m3u8")


def segments_of(server, listed):
    """Picture size and audio of each segment, each decoded by itself behind its own init segment."""
    seen, head = [], None
    path = os.path.join(server.folder, "segment.mp4")
    for line in listed.text.splitlines():
        if line.startswith("#EXT-X-MAP"):
            head = listed.fetch(line.split('"')[1])
        elif line and not line.startswith("#"):
            with open(path, "wb") as out:
                out.write(head + listed.fetch(line))
            decodes_cleanly(path)
            found = probe(path)["streams"]
            seen.append((next(one["width"] for one in found if one["codec_type"] == "video"),
                         any(one["codec_type"] == "audio" for one in found)))
    return seen


def told(server, name, begin):
    return server.get(f"/{name}/recording_status.json?from={begin}&to=now").json[0]


def steps_across(server, name, begin):
    """Distances of the pictures' decode times in the whole past as one MPEG-TS file."""
    path = os.path.join(server.folder, "across.ts")
    with open(path, "wb") as out:
        out.write(server.get(f"/{name}/archive-{begin}-60.ts", check=200, timeout=60).body)
    times = [float(one["dts_time"]) for one in packets(path)]
    return [b - a for a, b in zip(times, times[1:])]


def written(server, name):
    return server.stats(name).get("dvr_info", {}).get("segments_written", 0)


def test_tracks_that_change_in_a_file_lose_no_picture():
    source, receiver = node.pair(f"stream clip {{ input file://{changing_file()}; dvr @DIR@/dvr; "
                                 "segment_duration 1; }")
    wait_for(lambda: written(source, "clip") >= 10, 40, "ten segments")
    wait_for(lambda: has_stream(receiver, "clip"), 10, "the stream on the receiver")
    kinds = [(320, True), (320, True), (640, True), (640, True), (640, False), (640, False)]
    for server in (source, receiver):
        begin, listed = archived(server, "clip")
        seen = segments_of(server, listed)
        assert seen == (kinds * 10)[:len(seen)], seen
        assert listed.durations == [1.0] * len(seen), listed.text
        status = told(server, "clip", begin)
        assert len(status["ranges"]) == 1 and not status["holes"], status
        steps = steps_across(server, "clip", begin)
        assert 0.039 < min(steps) and max(steps) < 0.041, (min(steps), max(steps))


def widths(path):
    """How many pictures of which width come one after the other when ffmpeg decodes the file."""
    found = probe(path, "frame=width", timeout=60, extra=["-select_streams", "v:0"])["frames"]
    seen = []
    for frame in found:
        if not seen or seen[-1][0] != frame["width"]:
            seen.append([frame["width"], 0])
        seen[-1][1] += 1
    return [tuple(one) for one in seen]


PLAYED = """(async () => {
  const video = document.createElement("video"), seen = [];
  let failed = null;
  video.muted = true;
  video.onerror = () => failed = video.error.message;
  const look = (now, picture) => {
    if (!seen.includes(picture.width)) seen.push(picture.width);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
  document.body.append(video);
  video.src = "%s";
  await video.play().catch(error => failed = failed || String(error));
  for (let i = 0; i < 400 && !video.ended && !failed; i++) await new Promise(go => setTimeout(go, 50));
  return {failed, ended: video.ended, seen, total: video.getVideoPlaybackQuality().totalVideoFrames};
})()"""


def test_file_of_a_stretch_goes_on_where_the_tracks_change():
    source, receiver = node.pair(f"stream clip {{ input file://{changing_file()}; dvr @DIR@/dvr; "
                                 "segment_duration 1; }", source_extra="export_path @DIR@/exports;")
    wait_for(lambda: written(source, "clip") >= 8, 40, "eight segments")
    source.get("/flussonic/api/dvr_disable/clip", method="POST", check=204)
    wait_for(lambda: has_stream(receiver, "clip"), 10, "the stream on the receiver")
    begin = source.get("/clip/recording_status.json").json["clip"]["from"]
    recorded = os.path.join(source.folder, "recorded.ts")
    address = f"/clip/archive-{begin}-60.mp4"

    def whole():
        with open(recorded, "wb") as out:
            out.write(source.get(f"/clip/archive-{begin}-60.ts", check=200).body)
        return source.get(address, check=200).body
    body = wait_for(lambda: whole() if whole() == whole() else None, 20, "the end of the recording")
    path = os.path.join(source.folder, "whole.mp4")
    with open(path, "wb") as out:
        out.write(body)
    # Every picture that was recorded, each in its size: 50, 100, 50, 100 ...
    count = len(packets(recorded))
    wanted, left = [], count
    for width, length in [(320, 50), (640, 100)] * 9:
        if left > 0:
            wanted.append((width, min(length, left)))
        left -= length
    assert len(wanted) >= 3 and widths(path) == wanted, (widths(path), wanted)
    assert len(packets(path, "a:0")) == len(packets(recorded, "a:0"))
    decodes_cleanly(path)
    shown = [float(one["pts_time"]) for one in packets(path)]
    assert abs(max(shown) - min(shown) - (count - 1) / 25) < 0.001, (min(shown), max(shown), count)
    # The length is known before, ranges across the changes are the same bytes, here and there.
    for server in (source, receiver):
        answer = server.get(address, check=200)
        assert answer.body == body and int(answer.headers["content-length"]) == len(body)
        for first in range(0, len(body), len(body) // 23):
            last = min(first + len(body) // 20, len(body) - 1)
            part = server.get(address, check=206, headers={"Range": f"bytes={first}-{last}",
                                                           "If-Range": answer.headers["etag"]})
            assert part.body == body[first:last + 1], (server.name, first, last)
    # Key frames alone, and the export.
    lapse = os.path.join(source.folder, "lapse.mp4")
    with open(lapse, "wb") as out:
        out.write(source.get(f"{address}?timelapse", check=200).body)
    assert widths(lapse) == [(width, (length + 24) // 25) for width, length in wanted], widths(lapse)
    source.get(f"/clip/save-mp4-{begin}-60?file=clip.mp4", check=200)
    wait_for(lambda: '"done"' in source.get("/streamer/api/v3/dvr_export_jobs/1").text, 10, "the export")
    with open(f"{source.folder}/exports/clip.mp4", "rb") as exported:
        assert exported.read() == body
    with Browser() as browser:
        browser.open(source.url("/"))
        browser.value("new Promise(go => document.readyState == 'complete' ? go() : onload = go)")
        played = browser.value(PLAYED % address)
    assert played["ended"] and played["seen"] == [320, 640] and played["total"] == count, (played, count)


def test_camera_that_comes_back_with_another_picture_goes_on_in_one_archive():
    small = H264.replace("width=640,height=360", "width=320,height=240")
    with Camera(H264, AAC) as cam:
        port, url = cam.port, cam.url()
        source, receiver = node.pair(f"stream cam {{ input {url}; dvr @DIR@/dvr; segment_duration 1; }}")
        wait_for(lambda: written(source, "cam") >= 3, 40, "three segments")
    for payloads in ((small,), (H264, AAC)):
        had = written(source, "cam")
        with Camera(*payloads, port=port):
            wait_for(lambda: written(source, "cam") >= had + 4, 60, "segments of the camera that came back")
    wait_for(lambda: has_stream(receiver, "cam"), 10, "the stream on the receiver")
    for server in (source, receiver):
        begin, listed = archived(server, "cam")
        seen = segments_of(server, listed)
        lives = [kind for at, kind in enumerate(seen) if at == 0 or kind != seen[at - 1]]
        assert lives == [(640, True), (320, False), (640, True)], seen
        assert listed.discontinuities == 2, listed.text
        status = told(server, "cam", begin)
        reasons = [hole["reason"] for hole in status["holes"]]
        assert reasons[:2] == ["source_lost"] * 2 and len(status["ranges"]) == 3, status
        steps = steps_across(server, "cam", begin)
        assert len(steps) > 200 and min(steps) > 0.01, (len(steps), min(steps))
