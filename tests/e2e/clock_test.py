# SPDX-License-Identifier: MIT
"""A wall clock that is set while a source records and is watched (peers.md 2.1.6). Its clock is
that of tools/clock_shim.c; the receiver has the right one."""
import atexit
import datetime
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time

import node
from link_test import Watcher
from node import KEY, Node, decodes_cleanly, has_stream, need, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
STREAM = "stream main { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; segment_count 6; }"
_built = []


def shim():
    if not _built:
        need("cc")
        folder = tempfile.mkdtemp(prefix="sluice-clock-")
        atexit.register(shutil.rmtree, folder, True)
        library = os.path.join(folder, "clock_shim.so")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "tools", "clock_shim.c")], check=True)
        _built.append(library)
    return _built[0]


class Clock:
    """Of one node. set() to a number of seconds from the true time."""

    def __init__(self, seconds=0):
        handle, self.path = tempfile.mkstemp(prefix="sluice-clock-")
        os.close(handle)
        atexit.register(os.unlink, self.path)
        self.set(seconds)

    def set(self, seconds):
        self.seconds = seconds
        with open(self.path, "r+b") as out:
            out.write(struct.pack("q", int(seconds * 1e6)))

    def now(self):
        return time.time() + self.seconds

    def environment(self):
        # Before the sanitizer's own library, which bears that only when it is told to.
        return {"LD_PRELOAD": shim(), "CLOCK_SHIM": self.path,
                "ASAN_OPTIONS": node.ENVIRONMENT.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def pair_with(clock, zone=None, streams=STREAM):
    environment = clock.environment()
    if zone:
        environment["TZ"] = zone
    source = Node(f'http @PORT@;\ncluster_key "{KEY}";\n{streams}\n', name="source",
                  environment=environment)
    receiver = Node(f'http @PORT@;\ncluster_key "{KEY}";\nsource m4s://127.0.0.1:{source.port};\n',
                    name="receiver")
    wait_for(lambda: has_stream(receiver, "main"), 15, "main on the receiver")
    return source, receiver


def begins(listed):
    """UTC of the listed segments."""
    return [datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
            for text in re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", listed.text)]


def segments_decode(server, listed):
    path = os.path.join(server.folder, "segment.ts")
    for uri in listed.uris:
        with open(path, "wb") as out:
            out.write(listed.fetch(uri))
        decodes_cleanly(path)


def ranges(server):
    told = server.get("/main/recording_status.json?from=0&to=4000000000&request=ranges,force_detailed").json
    return [(one["from"], one["from"] + one["duration"]) for one in told[0]["ranges"]]


def one_stretch(server):
    spans = ranges(server)
    return spans if len(spans) == 1 else None


def written(server):
    return server.stats("main").get("dvr_info", {}).get("segments_written", 0)


def dated(server):
    spans = ranges(server)
    return spans if spans[0][0] > 3600 else None


def clock_is_set(by):
    clock = Clock()
    source, receiver = pair_with(clock)
    viewers = [Watcher(source), Watcher(receiver)]
    wait_for(lambda: written(source) >= 4, 20, "some segments")
    before = clock.now()
    lists = {server: server.playlist("/main/index.m3u8") for server in (source, receiver)}
    clock.set(by)
    for viewer in viewers:
        viewer.more(25 * 8)
    for server in (source, receiver):
        now = wait_for(lambda: begins(server.playlist("/main/index.m3u8")), 5, "a playlist")
        assert abs(now[-1] - clock.now()) < 5, (now, clock.now())
        listed = server.playlist("/main/index.m3u8")
        # The list goes on where it was: a player that polls it loses nothing.
        assert listed.sequence > lists[server].sequence and listed.sequence - lists[server].sequence < 20
        segments_decode(server, listed)
    for viewer in viewers:
        viewer.stop()
        assert viewer.missed() == 0 and not viewer.ended, viewer.missed()
    # What was recorded before is dated as if the clock had always been right: one stretch, whole, on
    # both servers.
    for server in (source, receiver):
        spans = wait_for(lambda: one_stretch(server), 20, "one stretch")
        assert spans[0][1] - spans[0][0] >= 9 and abs(spans[0][1] - clock.now()) < 6, spans
        assert spans[0][0] <= before + by, (spans, before)
        for begin, end in spans:
            listed = server.playlist(f"/main/archive-{begin}-{end - begin}.m3u8")
            assert sum(listed.durations) > end - begin - 2.5, listed.text
            segments_decode(server, listed)
            for form in ("ts", "mp4"):
                path = os.path.join(server.folder, f"past.{form}")
                with open(path, "wb") as out:
                    out.write(server.get(f"/main/archive-{begin}-{end - begin}.{form}", check=200).body)
                decodes_cleanly(path)
    assert abs(source.stats("main")["last_dts"] / 1000 - clock.now()) < 3


def test_clock_that_is_set_ahead_by_two_hours():
    clock_is_set(7200)


def test_clock_that_is_set_back_by_two_hours():
    clock_is_set(-7200)


def test_source_that_begins_in_1970_and_is_set_right():
    """A board without a battery: a power cut, a start in 1970, and NTP some seconds later."""
    clock = Clock()
    source, receiver = pair_with(clock)
    viewer = Watcher(receiver)
    wait_for(lambda: written(source) >= 4, 20, "some segments")
    source.kill()
    clock.set(30 - time.time())
    source.start()
    began = time.monotonic()
    viewer.more(25 * 4, 30, "the receiver goes on with frames of 1970")
    print(f"  the viewer had a hundred pictures {time.monotonic() - began:.1f} s after the start in 1970")
    wait_for(lambda: written(source) >= 4, 20, "segments of 1970")
    clock.set(0)
    viewer.more(25 * 6)
    viewer.stop()
    assert not viewer.ended
    for server in (source, receiver):
        listed = wait_for(lambda: server.playlist("/main/index.m3u8"), 5, "a playlist")
        assert abs(begins(listed)[-1] - time.time()) < 5, listed.text
        segments_decode(server, listed)
        # Nothing is dated 1970 any more: what was recorded before the power cut, and since then.
        spans = wait_for(lambda: dated(server), 20, "nothing dated 1970")
        # (Of a quick restart ranges in whole seconds may not show the hole.)
        assert len(spans) <= 2 and sum(end - begin for begin, end in spans) >= 12, spans
        for begin, end in spans:
            archived = server.playlist(f"/main/archive-{begin}-{end - begin}.m3u8")
            assert sum(archived.durations) > end - begin - 2.5, archived.text
            segments_decode(server, archived)


def test_leap_second_and_summer_time_change_nothing():
    """A leap second is a clock that is set back by one (peers.md 2.1.7: the local zone is nowhere)."""
    # Two o'clock and some seconds before summer time begins in Berlin: 2027-03-28 00:59:50 UTC.
    clock = Clock(datetime.datetime(2027, 3, 28, 0, 59, 50, tzinfo=datetime.timezone.utc).timestamp() -
                  time.time())
    source, receiver = pair_with(clock, zone="Europe/Berlin")
    viewer = Watcher(receiver)
    wait_for(lambda: clock.now() % 3600 < 60, 20, "the hour that does not exist there")
    clock.set(clock.seconds - 1)
    viewer.more(25 * 6)
    viewer.stop()
    assert viewer.missed() == 0 and not viewer.ended
    for server in (source, receiver):
        spans = ranges(server)
        assert len(spans) == 1 and spans[0][1] - spans[0][0] > 12, spans
        listed = server.playlist(f"/main/archive-{spans[0][0]}-{spans[0][1] - spans[0][0]}.m3u8")
        assert listed.discontinuities == 0, listed.text
        segments_decode(server, listed)
    assert len(os.listdir(f"{source.folder}/dvr/main/2027/03/28")) >= 2  # two hours, by UTC
