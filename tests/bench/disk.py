# SPDX-License-Identifier: MIT
"""Figures of recording: a disk that hangs, many cameras, many readers."""
import os
import shutil
import statistics
import tempfile
import threading
import time

import node
from fault_disk import FaultDisk
from node import Node, has_stream, pair, wait_for

HANG_S = int(os.environ.get("BENCH_HANG_S", "60"))


def bench_disk_hang(run):
    with FaultDisk() as disk:
        others = "".join(f"stream r{n} {{ url fake://fake width=160 height=90; dvr {disk.path}; }}\n"
                         for n in range(20))
        source, receiver = pair(f"stream main {{ url fake://fake; dvr {disk.path}; }}\n{others}")
        wait_for(lambda: has_stream(receiver, "main") and source.running("r19"), 20, "all run")
        wait_for(lambda: source.stats("main")["dvr_info"]["segments_written"] >= 2, 20, "it records")
        seen = {}
        watcher = threading.Thread(target=run.arrivals, daemon=True,
                                   args=(receiver, "/main/mpegts?low_delay=1", 25 * (2 * HANG_S + 5), seen))
        watcher.start()
        wait_for(lambda: len(seen) > 50, 20, "the viewer sees it")
        calm, before = time.time(), [run.turns(s) for s in (source, receiver)]
        time.sleep(HANG_S)
        disk.set("write hang", "sync hang", "name hang")
        hung, between = time.time(), [run.turns(s) for s in (source, receiver)]
        time.sleep(HANG_S)
        over, after = time.time(), [run.turns(s) for s in (source, receiver)]
        problem = source.stats("main")["dvr_info"]["problem"]
        disk.set()
        assert problem == "disk_slow", problem

        def p99(begin, end):
            late = [(at - utc) * 1000 for at, utc in list(seen.values()) if begin <= at < end]
            assert len(late) > 25 * (end - begin) * .9, f"{len(late)} pictures"
            return run.percentile(late, .99)
        without, during = p99(calm, hung), p99(hung, over)
        run.row(f"live p99 through the receiver, the source's disk hangs for {HANG_S} s",
                f"{during:.2f} ms, without {without:.2f} ms", "equal within noise",
                during < 1.5 * without + 1)
        calm_ms = max(run.turn_ms(a, b)[0] for a, b in zip(before, between))
        p999, most = (max(each) for each in zip(*(run.turn_ms(a, b) for a, b in zip(between, after))))
        run.row("   loop turn meanwhile, 21 streams record",
                f"p99.9 <= {p999:.1f} ms, max <= {most:.1f} ms (calm {calm_ms:.1f})", "p99.9 < 5 ms", p999 < 5)


def steady(run, pid):
    """The windows are full when memory does not grow any more."""
    last = 0
    for _ in range(20):
        now = run.rss_kb(pid)
        if last and now < last * 1.01:
            return
        last = now
        time.sleep(4)


def bench_disk_cameras(run):
    """What recording adds to 200 cameras, and what the least does that writes the same bytes."""
    count, measured_s = 200, 20
    video = run.make_video("640x360", "2M", 25)
    folder = tempfile.mkdtemp(prefix="sluice-bench-", dir="/var/tmp")
    try:
        def measure(dvr):
            lines = "".join(f"stream v{n} {{ url file://{video}; {dvr} segment_duration 2; "
                            "segment_count 3; }\n" for n in range(count))
            server = Node(f"http @PORT@;\n{lines}")
            pid = server.process.pid
            run.pin(pid, 0)
            wait_for(lambda: server.running(f"v{count - 1}"), 30, "all run")
            steady(run, pid)

            def written():
                return server.metric_sum("sluice_archive_written_bytes_total") if dvr else 0
            spent, bytes_, began = run.cpu_s(pid), written(), time.monotonic()
            time.sleep(measured_s)
            result = (run.cpu_s(pid) - spent, (written() - bytes_) / 1e6, time.monotonic() - began)
            if dvr:
                shed = server.metric_sum("sluice_archive_segments_shed_total")
                assert shed == 0, f"{shed} segments shed"
            node.forget_nodes()
            return result
        run.touch_memory()
        whole, megabytes, seconds = measure(f"dvr {folder}/dvr;")
        plain, _, passed = measure("")
        floors = []
        for n in range(3):
            os.mkdir(f"{folder}/floor{n}")
            floors.append(run.load("floor-write", f"{folder}/floor{n}", count,
                                   int(megabytes * 1e6 / seconds / count / 2),  # half a second
                                   megabytes / seconds, 10)["cpu_us_per_mb"])
        base = statistics.median(floors)
        ours = (whole / seconds - plain / passed) * 1e6 / (megabytes / seconds)
        run.row(f"{count} cameras of 2 Mbit/s recorded: CPU per MB, against a bare write loop",
                f"{ours / base:.2f} x ({ours:.0f} against {base:.0f} us/MB)", "at most 2 x",
                ours <= 2 * base)
        run.row("   all of it, from files, segmented and recorded",
                f"{whole / seconds * 100:.1f} % of a core, {whole * 1e6 / megabytes:.0f} us/MB", "", None)
    finally:
        node.forget_nodes()
        shutil.rmtree(folder, ignore_errors=True)


def bench_disk_segments(run):
    """256 clients, segment after segment of an hour file that is in the page cache."""
    video = run.make_video("1280x720", "12M", 25)
    server = Node(f"http @PORT@;\nstream main {{ url file://{video}; dvr @DIR@/dvr; segment_duration 2; "
                  "segment_count 3; }\n")
    wait_for(lambda: server.running("main"), 20, "it runs")
    began = int(time.time()) + 2
    wait_for(lambda: server.stats("main")["dvr_info"].get("depth", 0) > 45, 80, "45 s are recorded")
    server.reload("http %d;\nstream main { url file:///dev/null; dvr %s/dvr; }\n" %
                  (server.port, server.folder))
    run.pin(server.process.pid, 0)
    listed = server.playlist(f"/main/archive-{began}-40.fmp4.m3u8")
    paths = [listed.address(uri) for uri in listed.uris]
    size = int(statistics.mean(len(listed.fetch(uri)) for uri in listed.uris))
    path = os.path.join(server.folder, "paths")
    file = max((os.path.join(at, name) for at, _, names in os.walk(f"{server.folder}/dvr")
                for name in names if name.endswith(".mp4")), key=os.path.getsize)
    run.touch_memory()
    # What several watch is kept in memory for a while; more than that is read and checked each time.
    for name, count, reach in (("the same ten", 10, 1.3), (f"{len(paths)}, {len(paths) * size >> 20} MB", None, None)):
        with open(path, "w") as out:
            out.write("\n".join(paths[:count]) + "\n")
        ratios, ours = [], []
        for _ in range(3):
            base, port = run.floor("floor-file", file, size)
            low = run.load("get", port, "/", 256, 4, base.pid)
            base.kill()
            base.wait()
            high = run.load("get", server.port, "@" + path, 256, 4, server.process.pid)
            ratios.append(high["cpu_us_per_mb"] / low["cpu_us_per_mb"])
            ours.append(high)
        ratio = statistics.median(ratios)
        run.row(f"archive segments to 256 clients from the page cache ({name})",
                f"{ratio:.2f} x floor ({statistics.median(o['cpu_us_per_mb'] for o in ours):.0f} us/MB, "
                f"{statistics.median(o['mbit'] for o in ours) / 1000:.1f} Gbit/s)",
                f"at most {reach} x" if reach else "", ratio <= reach if reach else None)
