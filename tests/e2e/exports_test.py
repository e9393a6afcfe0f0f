# SPDX-License-Identifier: MIT
"""Exports of many hours, and what becomes of them when the disk is full, fails or hangs, and when the
server is killed (peers.md 2.1: exports that end in silence, or leave halves of files behind)."""
import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time

import node
from fault_disk import FaultDisk, SmallDisk
from node import Node, probe, wait_for
from sei import stamps

JOBS = "/streamer/api/v3/dvr_export_jobs"
HOURS = 6
PICTURES = HOURS * 3600 * 25


def archive():
    """A folder with six hours of 25 pictures a second, 180 MB, of a stream s0; made once."""
    if not archive.folder:
        archive.folder = tempfile.mkdtemp(prefix="sluice-hours-", dir="/var/tmp")
        atexit.register(shutil.rmtree, archive.folder, True)
        tool = os.path.join(os.path.dirname(node.BINARY), "tests", "bench", "archive_make")
        subprocess.run([tool, archive.folder, "1", "1", str(int(time.time())), f"hours={HOURS}",
                        "pictures=100", "bytes=300"], check=True)
    return archive.folder


archive.folder = None


def exporter(path="@DIR@/exports"):
    server = Node(f"http @PORT@;\nexport_path {path};\n"
                  f"stream s0 {{ input fake://fake; static false; dvr {archive()}; }}\n")
    begin = wait_for(lambda: server.get("/s0/recording_status.json").json["s0"].get("from"), 10, "the archive")
    return server, begin


def export(server, begin, name, hours=HOURS):
    return server.get(f"/s0/save-mp4-{begin}-{int(hours * 3600)}?file={name}", check=200, timeout=2).json["id"]


def job(server, number):
    return server.get(f"{JOBS}/{number}", check=200, timeout=2).json


def ended(server, number, limit=40):
    return wait_for(lambda: (lambda one: one if one["status"] in ("done", "failed", "cancelled") else None)(
        job(server, number)), limit, "the end of the export")


def peak_mb(server):
    with open(f"/proc/{server.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024


def files(folder):
    return sorted(os.path.relpath(os.path.join(at, name), folder) for at, _, names in os.walk(folder)
                  for name in names if name != ".sluice-exports")


def test_export_of_hours_is_whole_and_small_in_memory():
    server, begin = exporter()
    before = peak_mb(server)
    number = export(server, begin, "all.mp4")
    slowest = 0
    while job(server, number)["status"] not in ("done", "failed"):
        asked = time.monotonic()
        server.get("/streamer/api/v3/config/stats", check=200)
        slowest = max(slowest, time.monotonic() - asked)
    one = job(server, number)
    path = f"{server.folder}/exports/all.mp4"
    assert one["status"] == "done" and one["bytes"] == one["size"] == os.path.getsize(path), one
    found = probe(path, "stream=nb_frames:format=duration", extra=["-probesize", "1000"])
    assert found["streams"][0]["nb_frames"] == str(PICTURES), found
    assert float(found["format"]["duration"]) == HOURS * 3600, found
    same = subprocess.run(["sh", "-c", f"curl -s '{server.url(f'/s0/archive-{begin}-{HOURS * 3600}.mp4')}' | "
                           f"cmp - {path}"], capture_output=True, text=True)
    assert same.returncode == 0, same.stdout + same.stderr
    # 540000 pictures: four bytes each, and one segment at a time, whatever the file is long.
    sanitized = "/san/" in node.BINARY
    assert sanitized or peak_mb(server) - before < 48, (before, peak_mb(server))
    assert slowest < 1, slowest


def test_export_to_a_full_disk_says_so_and_leaves_nothing():
    with SmallDisk(24) as disk:
        server, begin = exporter(disk.path)
        # Six hours do not fit: that is known before anything is written.
        one = ended(server, export(server, begin, "large.mp4"))
        assert one["status"] == "failed" and one["reason"] == "there is not enough room on the disk", one
        assert one["bytes"] == 0 and not files(disk.path), files(disk.path)
        assert "not enough room" in server.log()
        # Part of an hour does.
        assert ended(server, export(server, begin, "small.mp4", hours=.25))["status"] == "done"
        assert files(disk.path) == ["small.mp4"]
        server.close()  # one server for one archive
    with FaultDisk() as disk:  # it fills up, fails, is read-only under the export
        server, begin = exporter(disk.path)
        for number, (does, says) in enumerate(((28, "the disk is full"), (5, "Input/output error"),
                                               (27, "File too large")), 1):
            disk.set(f"write after 20 errno {does}")
            one = ended(server, export(server, begin, "cut.mp4"))
            assert one["status"] == "failed" and one["reason"] == says and 0 < one["bytes"] < one["size"], one
            assert f'detail="{says}"' in server.log()
            disk.set()
            wait_for(lambda: not files(disk.below), 10, "nothing is left")
        disk.set("sync errno 5")  # what is not known to be on the disk is not told as done
        one = ended(server, export(server, begin, "cut.mp4", hours=1))
        assert one["status"] == "failed" and one["reason"] == "Input/output error", one
        disk.set("name errno 30")
        one = ended(server, export(server, begin, "cut.mp4", hours=1))
        assert one["status"] == "failed" and one["reason"] == "Read-only file system", one
        disk.set()
        wait_for(lambda: not files(disk.below), 10, "nothing is left")
        assert ended(server, export(server, begin, "cut.mp4", hours=1))["status"] == "done"
        assert files(disk.below) == ["cut.mp4"]


def test_export_while_the_disk_hangs_delays_nobody_and_a_killed_one_is_cleaned_up():
    with FaultDisk() as disk:
        server, begin = exporter(disk.path)
        disk.set("write after 20 hang")
        number = export(server, begin, "day/hung.mp4")
        wait_for(lambda: job(server, number)["bytes"] > 0, 10, "it is written")
        stuck = job(server, number)["bytes"]
        began = time.monotonic()
        while time.monotonic() - began < 3:
            asked = time.monotonic()
            server.get("/s0/recording_status.json", check=200)
            assert server.get(f"/s0/archive-{begin}-60.mp4", check=200).body
            assert time.monotonic() - asked < 1
        assert job(server, number)["bytes"] - stuck < 16 << 20  # what is under way does not grow
        # Cancelled at once, removed when the disk comes back.
        server.get(f"{JOBS}/{number}", method="DELETE", check=204, timeout=2)
        assert job(server, number)["status"] == "cancelled"
        disk.set()
        wait_for(lambda: not files(disk.below), 10, "nothing is left")
        # Killed in the middle.
        disk.set("write after 20 hang")
        number = export(server, begin, "day/hung.mp4")
        wait_for(lambda: job(server, number)["bytes"] > 0, 10, "it is written")
        server.process.send_signal(signal.SIGKILL)
        disk.set()
        server.process.wait(10)
        assert files(disk.below) == ["day/hung.mp4.part"]
        server.start()
        wait_for(lambda: not files(disk.below), 10, "the next start removes it")
        assert "removed=1" in server.log()
        assert ended(server, export(server, begin, "day/hung.mp4", hours=1))["status"] == "done"
        assert files(disk.below) == ["day/hung.mp4"]
        # An end in order leaves nothing either.
        disk.set("write after 20 slow 100")
        number = export(server, begin, "day/other.mp4")
        wait_for(lambda: job(server, number)["bytes"] > 0, 10, "it is written")
        assert server.stop() == 0
        assert files(disk.below) == ["day/hung.mp4"]


def pictures(body):
    """What archive_make filled each picture of a file with: the second it is of, modulo 256."""
    data = body[body.rindex(b"mdat") + 4:]
    assert len(data) % 300 == 0, len(data)
    return [data[at] for at in range(0, len(data), 300) if len(set(data[at:at + 300])) == 1]


def test_pictures_and_time_lapses_over_an_hour_boundary_and_a_hole_are_exact():
    server, begin = exporter()
    hour, lost = begin + 3600, begin + 2 * 3600  # a boundary; an hour that is deleted
    server.get(f"/streamer/api/v3/streams/s0/dvr/ranges?from={lost}&duration=3600", method="DELETE", check=204)
    after = lost + 3600

    def seen_at(second):
        """The second of the key frame that a preview shows; each 4 s there is one."""
        answer = server.get(f"/s0/{second}-preview.mp4")
        if answer.status != 200:
            return answer.status
        told = int(answer.headers["x-thumbnail-utc"])
        assert pictures(answer.body) == [told % 256], (told, pictures(answer.body))
        return told
    wanted = {hour - 1: hour - 4, hour: hour, hour + 3: hour, hour + 4: hour + 4, lost - 1: lost - 4,
              # In the hole: what comes within 10 s, else nothing.
              lost: 404, lost + 1: 404, after - 11: 404, after - 9: after, after: after, begin: begin,
              begin + HOURS * 3600 - 1: begin + HOURS * 3600 - 4, begin + HOURS * 3600: 404}
    assert {second: seen_at(second) for second in wanted} == wanted
    for middle, left in ((hour, 0), (lost, 3600)):
        # 20 s before and behind, without what is not there.
        length = 40 + left
        keys = [*range(middle - 20, middle, 4), *range(middle + left, middle + left + 20, 4)]
        for what, lasts in (("timelapse", 10 / 25), ("timelapse=5", 5)):
            answer = server.get(f"/s0/archive-{middle - 20}-{length}.mp4?{what}", check=200)
            assert pictures(answer.body) == [key % 256 for key in keys], (what, pictures(answer.body))
            path = os.path.join(server.folder, "lapse.mp4")
            with open(path, "wb") as out:
                out.write(answer.body)
            found = probe(path, "stream=nb_frames:format=duration", extra=["-probesize", "1000"])
            assert found["streams"][0]["nb_frames"] == "10", found
            assert abs(float(found["format"]["duration"]) - lasts) < 0.001, found
        # All of it: every picture once.
        body = server.get(f"/s0/archive-{middle - 20}-{length}.mp4", check=200).body
        assert pictures(body) == [(key + i) % 256 for key in keys for i in range(100)], len(pictures(body))
    # A window that begins and ends between key frames, across the boundary: from 1 s before it to 2 s
    # behind it, with the pictures from the key frame before on.
    body = server.get(f"/s0/archive-{hour - 1}-3.mp4", check=200).body
    assert len(pictures(body)) >= 4 * 25 + 2 * 25
    path = os.path.join(server.folder, "cut.mp4")
    with open(path, "wb") as out:
        out.write(body)
    found = probe(path, "format=duration", extra=["-probesize", "1000"])
    assert abs(float(found["format"]["duration"]) - 3) < 0.001, found


def test_live_picture_is_the_newest_key_frame():
    server = Node("http @PORT@;\nstream main { input fake://fake gop=4; }\n"
                  "stream asleep { input fake://fake gop=1; static false; }\n")
    wait_for(lambda: server.running("main"), 10, "it runs")
    seen = set()

    def look():
        answer = server.get("/main/preview.mp4", check=200)
        stamp = list(stamps(answer.body))
        assert len(stamp) == 1 and int(answer.headers["x-thumbnail-utc"]) == stamp[0][1] // 10**6, stamp
        age = time.time() - stamp[0][1] / 1e6
        assert answer.first_byte_s < 1 and -0.2 < age < 4 + 1, (answer.first_byte_s, age)
        seen.add(stamp[0][1])
        return len(seen) >= 3
    wait_for(look, 20, "three key frames")
    times = sorted(seen)
    assert all(abs(b - a - 4e6) < 1e5 for a, b in zip(times, times[1:])), times  # none is left out
    # One that sleeps is woken.
    assert len(list(stamps(server.get("/asleep/preview.mp4", check=200).body))) == 1
