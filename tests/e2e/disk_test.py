# SPDX-License-Identifier: MIT
"""Disks that hang, fail, fill up, turn read-only or go away under a recorder, end to end: through a
FUSE layer (fault_disk.py) and file systems of a few megabytes.

Points of the list of peers' troubles (2.1): recording stops in silence, live stutters when the disk
does, a disk that did not come up is filled behind its mount. Full disks are in dvr_test.py."""
import os
import threading
import time

from dvr_test import Watcher, archived, missing, ready
from fault_disk import FaultDisk, SmallDisk
from node import Node, decodes_cleanly, has_stream, packets, pair, probe, wait_for

LIVE_MS = 100  # what a hung disk may add to the p99: the machine of the test has other work


class Arrivals(Watcher):
    """How late each picture comes, and when."""

    def __init__(self, server, name="main"):
        self.late = []
        super().__init__(server, name)

    def saw(self, utc_us):
        now = time.time()
        self.late.append((now, now * 1e3 - utc_us / 1e3))

    def p99(self, begin, end):
        values = sorted(late for at, late in self.late if begin <= at <= end)
        assert len(values) > 25 * (end - begin) * .8, f"{len(values)} pictures in {end - begin:.0f} s"
        return values[int(len(values) * .99)]


class Answers(threading.Thread):
    """Asks each server for what needs no disk, again and again; keeps (when, seconds it took)."""

    PATHS = ("/main/index.m3u8", "/streamer/api/v3/streams/main", "/main/recording_status.json")

    def __init__(self, *servers):
        super().__init__(daemon=True)
        self.servers, self.took, self.ends = servers, [], False
        self.start()

    def run(self):
        while not self.ends:
            for server in self.servers:
                for path in self.PATHS:
                    began = time.time()
                    server.get(path, check=200)
                    self.took.append((began, time.time() - began))
            time.sleep(0.05)  # a pace, nothing is awaited

    def most(self, begin, end):
        took = [took for at, took in self.took if begin <= at <= end]
        assert len(took) > 50, f"{len(took)} answers in {end - begin:.0f} s"
        return max(took)


def rss_mb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024


def info(server, name="main"):
    return server.stats(name)["dvr_info"]


def written(server, name="main"):
    return info(server, name).get("segments_written", 0)


def status(server, name, begin, end):
    return server.get(f"/{name}/recording_status.json?from={int(begin)}&to={int(end) + 1}",
                      check=200).json[0]


def the_disk(server):
    return server.get("/streamer/api/v3/disks", check=200).json["disks"][0]


def holes(server, name, begin, end):
    return status(server, name, begin, end)["holes"]


def thinned(server, name, begin, end):
    return status(server, name, begin, end)["thinned"]


def newest_age(server):
    """Seconds since the newest segment of the live playlist began."""
    line = [line for line in server.get("/main/index.m3u8", check=200).text.splitlines()
            if line.startswith("#EXT-X-PROGRAM-DATE-TIME:")]
    text = line[-1].split(":", 1)[1][:19]
    return time.time() - time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S")) + time.timezone


def test_hung_disk_delays_nobody_and_what_it_thins_is_told():
    with FaultDisk() as disk:
        source, receiver = pair(
            f"stream main {{ url fake://fake gop=1; dvr {disk.path}; segment_duration 1; }}\n"
            "stream large { url fake://fake width=1280 height=720 fps=50 bitrate=40M gop=1; "
            f"dvr {disk.path}; segment_duration 1; }}")
        wait_for(lambda: written(source) >= 3 and written(source, "large") >= 3, 20, "it records")
        wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
        viewers = [Arrivals(source), Arrivals(receiver)]
        answers = Answers(source, receiver)
        wait_for(lambda: all(len(v.late) > 50 for v in viewers), 20, "both watch")
        calm = time.time()
        wait_for(lambda: time.time() - calm > 6, 10, "a while without a fault")
        before_mb = rss_mb(source)
        disk.set("write hang")
        hung = time.time()
        most_mb = before_mb
        while time.time() - hung < 12:  # 60 MB of `large`, of which 16 MB wait whole
            most_mb = max(most_mb, rss_mb(source))
            assert newest_age(source) < 5 and newest_age(receiver) < 5
        assert info(source, "large")["problem"] == "disk_slow", info(source, "large")
        told = the_disk(source)
        assert told["problem"] == "disk_slow" and told["silent_ms"] > 10000, told
        assert told["queued"] > 16 << 20 and told["streams"] == 2, told
        assert source.metric_sum("sluice_disk_up", path=disk.path) == 0
        disk.set()
        over = time.time()
        before = written(source), written(source, "large")
        wait_for(lambda: written(source) > before[0] + 10 and written(source, "large") > before[1] + 4,
                 60, "it goes on")
        wait_for(lambda: the_disk(source)["problem"] is None, 20, "the disk is well")
        assert the_disk(source)["used"] > 0 and the_disk(source)["free"] > 0
        answers.ends = True
        for viewer, who in zip(viewers, ("source", "receiver")):
            without, during = viewer.p99(calm, hung), viewer.p99(hung, over)
            print(f"  {who}: p99 {without:.1f} ms, {during:.1f} ms while the disk hangs")
            assert during < without + LIVE_MS
        took = answers.most(hung, over)
        print(f"  longest answer {took * 1000:.0f} ms; {before_mb:.0f} MB, at most {most_mb:.0f} MB")
        assert took < 1
        assert most_mb - before_mb < 32 + 24, "the queue, and what malloc keeps"
        # What fits in memory is all there; the other has key pictures and sound where it does not.
        assert missing(archived(source, int(calm * 1e6), int(over * 1e6))) == 0
        assert holes(source, "main", calm, over) == thinned(source, "main", calm, over) == []
        assert holes(source, "large", calm, over) == []
        told = thinned(source, "large", calm, over)
        assert told and {stretch["reason"] for stretch in told} == {"thinned"}, told
        large = info(source, "large")
        assert large["segments_thinned"] > 4 and large["segments_skipped"] == 0, large
        assert info(source)["segments_thinned"] == 0


def seconds(packet):
    return float(packet["pts_time"])


def test_slow_disk_keeps_key_pictures_and_sound():
    """What is thinned plays like the rest: named, without a hole, a picture a second, sound all along."""
    with FaultDisk() as disk:
        server = Node("http @PORT@;\nstream main { url fake://fake width=1280 height=720 fps=50 "
                      f"bitrate=40M gop=1; dvr {disk.path}; segment_duration 2; }}\n")
        wait_for(lambda: written(server) >= 2, 20, "it records")
        begin = time.time() - 3
        disk.set("write slow 300")
        wait_for(lambda: info(server)["segments_thinned"] >= 4, 60, "it is behind")
        assert info(server)["problem"] == "disk_slow", info(server)
        disk.set()
        wait_for(lambda: info(server)["problem"] is None, 60, "it is well again")

        def whole_again():
            last = status(server, "main", begin, time.time())
            ends = [at["from"] + at["duration"] for at in (last["thinned"][-1], last["ranges"][-1])]
            return ends[1] > ends[0] + 5
        wait_for(whole_again, 30, "it goes on")
        told = status(server, "main", begin, time.time())
        assert len(told["ranges"]) == 1 and told["holes"] == [], told
        lacks = told["thinned"]
        assert lacks and {lack["reason"] for lack in lacks} == {"thinned"}, told
        from_s, to_s = lacks[0]["from"], lacks[-1]["from"] + lacks[-1]["duration"]
        assert sum(lack["duration"] for lack in lacks) >= 8 and to_s < time.time(), lacks
        print(f"  thinned {lacks}")
        server.kill()  # what is still in memory is whole
        server.start()
        ready(server)
        assert thinned(server, "main", begin, to_s + 1) == lacks
        # From whole over thinned to whole.
        first, length = int(from_s) - 3, int(to_s) + 4 - (int(from_s) - 3)
        for kind in ("m3u8", "mp4"):
            url = server.url(f"/main/archive-{first}-{length}.{kind}")
            decodes_cleanly(url, timeout=120)
            duration = float(probe(url, timeout=120)["format"]["duration"])
            assert abs(duration - length) < 2.5, (kind, duration, length)
            video = sorted(seconds(packet) for packet in packets(url, timeout=120))
            steps = [b - a for a, b in zip(video, video[1:])]
            assert max(steps) < 1.06, (kind, max(steps))  # gop=1
            assert sum(step > .9 for step in steps) >= 6, (kind, steps)
            sound = sorted(seconds(packet) for packet in packets(url, "a:0", timeout=120))
            assert max(b - a for a, b in zip(sound, sound[1:])) < .05, kind
            assert video[-1] - video[0] > length - 3 and sound[-1] - sound[0] > length - 3, kind
        assert server.playlist(f"/main/archive-{first}-{length}.m3u8").discontinuities == 0


def test_pictures_that_a_disk_had_no_room_for_come_from_the_other_server():
    with FaultDisk() as disk:
        source, receiver = pair(
            "stream main { url fake://fake width=1280 height=720 bitrate=30M gop=1; "
            "dvr @DIR@/dvr; segment_duration 2; }", f"dvr {disk.path}; only main;")
        wait_for(lambda: receiver.running("main") and written(receiver) >= 2, 20, "both record")
        begin = time.time()
        disk.set("write slow 300")
        wait_for(lambda: info(receiver)["segments_thinned"] >= 3, 60, "it is behind")
        disk.set()
        wait_for(lambda: info(receiver)["problem"] is None, 60, "it is well again")
        end = time.time() - 4
        assert info(source)["segments_thinned"] == 0
        assert thinned(receiver, "main", begin, end) == [], "the source has them"
        url = receiver.url(f"/main/archive-{int(begin)}-{int(end - begin)}.mp4")
        video = sorted(seconds(packet) for packet in packets(url, timeout=120))
        assert max(b - a for a, b in zip(video, video[1:])) < .1, "all of them"
        source.kill()
        wait_for(lambda: thinned(receiver, "main", begin, end) != [], 20, "alone it has less")
        decodes_cleanly(url, timeout=120)


def test_disk_that_hangs_at_the_start_keeps_nobody_from_starting():
    with FaultDisk() as disk:
        disk.set("name hang")
        began = time.monotonic()
        server = Node("http @PORT@;\n"
                      f"stream main {{ url fake://fake gop=1; dvr {disk.path}; segment_duration 1; }}\n"
                      "stream other { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }\n",
                      wait=False)
        wait_for(server.answers, 30, "the server answers")
        took = time.monotonic() - began
        print(f"  served {took:.1f} s after the start")
        wait_for(lambda: written(server, "other") >= 3, 20, "the stream of another disk is recorded")
        wait_for(lambda: newest_age(server) < 5, 20, "main is live")
        assert "found no answer from the disk of archive path" in server.log(), server.log()
        disk.set()
        wait_for(lambda: written(server) >= 3, 90, "main is recorded when its disk answers")


def test_disk_that_refuses_is_named_and_written_again():
    with FaultDisk() as disk:
        server = Node(f"http @PORT@;\nstream main {{ url fake://fake gop=1; dvr {disk.path} sync=1s; "
                      "segment_duration 1; }\n")
        wait_for(lambda: written(server) >= 2, 20, "it records")
        begin = time.time()
        watcher = Watcher(server)
        for fault in ("write errno 5", "sync errno 5", "write errno 30", "all errno 5"):
            disk.set(fault)
            errors = info(server)["errors"]
            wait_for(lambda: info(server)["errors"] > errors, 20, f"{fault} is noticed")
            wait_for(lambda: info(server)["problem"] == "io", 20, f"{fault} is told")
            disk.set()
            before = written(server)
            wait_for(lambda: written(server) > before + 2 and info(server)["problem"] is None, 60,
                     f"{fault}: it goes on")
        end = time.time() - 2
        told = holes(server, "main", begin, end)
        kept = archived(server, int(begin * 1e6), int(end * 1e6))
        server.kill()
        seen = watcher.end()
        assert missing(seen) <= len(seen) // 50, "live was disturbed"
        server.start()
        ready(server)
        assert archived(server, int(begin * 1e6), int(end * 1e6)) == kept
        print(f"  {len(kept)} of {len(seen)} pictures; holes " +
              ", ".join(f"{hole['duration']} s {hole['reason']}" for hole in told))
        # What was refused waited in memory; of a segment that was begun in a file that failed, the
        # rest is left out, and said.
        assert {hole["reason"] for hole in told} <= {"io"}, told
        said = sum(hole["duration"] for hole in told)
        assert missing(kept) <= 25 * said + 2 * len(told) + 2 and said < 8, (missing(kept), told)


def test_read_only_remount_is_a_failed_disk_that_reads_on():
    with SmallDisk(64) as disk:
        server = Node(f"http @PORT@;\nstream main {{ url fake://fake gop=1; dvr {disk.path}; "
                      "segment_duration 1; }\n")
        wait_for(lambda: written(server) >= 4, 20, "it records")
        begin = status(server, "main", time.time() - 60, time.time())["ranges"][0]["from"]
        # What ext4 does by itself after an error of the device.
        assert disk.mount("remount", "abort").returncode == 0
        wait_for(lambda: info(server)["problem"] == "io", 30, "it is told")
        assert server.playlist(f"/main/archive-{begin + 1}-2.m3u8").hashes(), "what is there plays"
        assert server.running("main")


def test_unmounted_path_is_not_filled():
    with SmallDisk(64) as disk:
        server = Node(f"http @PORT@;\nstream main {{ url fake://fake gop=1; dvr {disk.path}; "
                      "segment_duration 1; }\n")
        wait_for(lambda: written(server) >= 4, 20, "it records")
        begin = status(server, "main", time.time() - 60, time.time())["ranges"][0]["from"]
        disk.unmount()
        wait_for(lambda: info(server)["problem"] == "unmounted", 60, "it is noticed")
        assert os.listdir(disk.path) == [], "nothing is written where the disk belongs"
        assert server.running("main")
        wait_for(lambda: disk.mount().returncode == 0, 10, "it is mounted again")
        before = written(server)
        wait_for(lambda: written(server) > before + 2 and info(server)["problem"] is None, 90,
                 "it goes on")
        assert server.playlist(f"/main/archive-{begin + 1}-2.m3u8").hashes(), "what was there plays"


def test_second_disk_takes_over_and_hands_back():
    with FaultDisk() as first, FaultDisk() as second:
        server = Node(f"http @PORT@;\nstream main {{ url fake://fake gop=1; "
                      f"dvr {first.path} {second.path}; segment_duration 1; }}\n")
        wait_for(lambda: written(server) >= 2, 20, "it records")
        begin = time.time()
        for fault in ("write hang", "write errno 5"):
            first.set(fault)
            before = written(server)
            wait_for(lambda: written(server) > before + 3, 40, f"{fault}: the second takes over")
            files = [name for _, _, names in os.walk(second.below) for name in names]
            assert any(name.endswith(".mp4") for name in files), files
            first.set()

            def handed_back():
                newest = {disk: max(os.path.getmtime(os.path.join(at, name))
                                    for at, _, names in os.walk(disk.below) for name in names)
                          for disk in (first, second)}
                return newest[first] > newest[second] + 2
            wait_for(handed_back, 60, f"{fault}: the first is used again")
        end = time.time() - 3
        kept = archived(server, int(begin * 1e6), int(end * 1e6))
        told = holes(server, "main", begin, end)
        print(f"  {len(kept)} pictures; holes " +
              ", ".join(f"{hole['duration']} s {hole['reason']}" for hole in told))
        # Of a segment whose beginning the failed disk has, the rest is left out.
        assert missing(kept) <= 2 * 25 + 5 and sum(hole["duration"] for hole in told) < 2.5, told
        assert len(kept) > 25 * (end - begin) - 2 * 25 - 10
