# SPDX-License-Identifier: MIT
"""Figures of a long archive: 30 days of one stream, and of a thousand after a crash. The archives are
made (archive_make.c says what is synthetic in them)."""
import os
import shutil
import subprocess
import tempfile
import time

import node
from node import Node, wait_for

DAY = 86400


def made(streams, days, *more):
    """A folder with an archive that ends at the last full hour, and that time."""
    folder = tempfile.mkdtemp(prefix="sluice-archive-")
    end = int(time.time()) // 3600 * 3600
    tool = os.path.join(os.path.dirname(node.BINARY), "tests", "bench", "archive_make")
    subprocess.run([tool, folder, str(streams), str(days), str(end), *more], check=True)
    return folder, end


def lines(count, folder):
    dvr = f"dvr {folder};" if folder else ""
    return "".join(f"stream s{n} {{ url fake://fake; static false; {dvr} }}\n" for n in range(count))


def ms_of(server, path):
    began = time.monotonic()
    answer = server.get(path, check=200, timeout=60)
    return (time.monotonic() - began) * 1000, answer


def summaries(folder):
    return sum("day.sum" in names for _, _, names in os.walk(folder))


def bench_archive_days(run):
    folder, end = made(1, 30)
    try:
        everything = f"/s0/recording_status.json?from={end - 30 * DAY}&to={end}&request=ranges,force_detailed"
        times = []
        for _ in range(3):  # as the files came from elsewhere; and what a start knows of them after
            server = Node(f"http @PORT@;\n{lines(1, folder)}")
            wait_for(lambda: server.get("/s0/recording_status.json").json["s0"].get("from"), 20, "open")
            times.append(ms_of(server, everything)[0])
            again = min(ms_of(server, everything)[0] for _ in range(5))
            seeks, days = [], []
            for n in range(40):
                at = end - 1 - (n * 7919 % (30 * 86400 - 100) + 50)
                ms_of(server, f"/s0/archive-{at}-4.ts")
                seeks.append(server.get(f"/s0/archive-{at}-4.ts", check=200).first_byte_s * 1000)
            for n in range(3):
                path = f"/s0/archive-{end - (n + 2) * DAY}-{DAY}.m3u8"
                first, answer = ms_of(server, path)
                assert answer.text.count("#EXTINF") >= 21600 - 2, answer.text[-200:]
                days.append((first, min(ms_of(server, path)[0] for _ in range(5))))
            wait_for(lambda: server.get("/s0/recording_status.json").json["s0"]["from"] == end - 30 * DAY,
                     20, "all is listed")
            wait_for(lambda: summaries(folder) >= 29, 60, "the days are summed up")
            server.stop()
        run.row("30 days of one stream as ranges, first time after a start; again",
                f"{times[-1]:.1f}; {again:.1f} ms (without summaries {times[0]:.0f})", "< 10 ms",
                times[-1] < 10)
        seek, first, later = (run.percentile(seeks, .5), max(d[0] for d in days), max(d[1] for d in days))
        run.row("archive request of 4 s to its first byte, file used before",
                f"p50 {seek:.1f}, max {max(seeks):.1f} ms", "< 5 ms", run.percentile(seeks, .95) < 5)
        run.row("playlist of a day, 21,600 segments: first time; again", f"{first:.1f}; {later:.1f} ms",
                "< 20 ms", first < 20)
    finally:
        node.forget_nodes()
        shutil.rmtree(folder, ignore_errors=True)


def bench_archive_start(run):
    count = int(os.environ.get("BENCH_STREAMS", "1000"))
    folder, end = made(count, 30, "crash")
    try:
        plain = Node(f"http @PORT@;\n{lines(count, '')}")
        time.sleep(2)
        base_kb = run.rss_kb(plain.process.pid)
        plain.stop()
        # Other work of the machine has the page cache too: names and indexes are read from the disk.
        subprocess.run(["sh", "-c", "sync; echo 2 > /proc/sys/vm/drop_caches"], check=False,
                       stderr=subprocess.DEVNULL)
        began = time.monotonic()
        server = Node(f"http @PORT@;\n{lines(count, folder)}")
        night = end - end % DAY - 22 * 3600
        server.get(f"/s{count - 9}/archive-{night}-60.ts", check=200, timeout=60)
        answered = time.monotonic() - began
        torn = f"/s{count // 2}/archive-{end - 600}-60.ts"
        server.get(torn, check=200, timeout=60)
        mended = time.monotonic() - began
        run.row(f"start with {count} streams of 30 days after a crash: first answer",
                f"{answered:.2f} s (the torn hour of another {mended:.2f} s)", "< 2 s",
                answered < 2 and mended < 3)
        wait_for(lambda: server.get("/streamer/api/v3/streams?limit=1000").text.count(
            '"files":720') >= min(count, 1000), 120, "all is listed")
        listed = time.monotonic() - began
        wait_for(lambda: server.log().count("recovered file=") >= count, 120, "all is mended")
        run.row("   everything listed; everything mended behind it",
                f"{listed:.1f}; {time.monotonic() - began:.1f} s", "", None)
        each = (run.rss_kb(server.process.pid) - base_kb) / count
        run.row("resident memory of 30 days of archive, per stream", f"{each:.0f} KB", "at most 48 KB",
                each <= 48)
        size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in
                   os.walk(f"{folder}/s0") for name in names if not name.endswith(".mp4"))
        run.row("index of a stream on disk, of 4 s segments, a day", f"{size / 30 / 1000:.0f} KB", "", None)
    finally:
        node.forget_nodes()
        shutil.rmtree(folder, ignore_errors=True)
