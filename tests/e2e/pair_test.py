# SPDX-License-Identifier: MIT
"""A source and a receiver: live by frames, the past by segments, found by themselves."""
import http.client
import os
import subprocess
import sys
import threading
import time

import node
from node import Node, decodes_cleanly, has_stream, need, packets, pair, probe, wait_for
from sei import stamps

MAIN = "stream main { url fake://fake; dvr @DIR@/storage; segment_duration 2; }"


def full_window(server, name="main", count=4):
    def ready():
        answer = server.get(f"/{name}/index.m3u8", timeout=20)
        return answer.status == 200 and answer.text.count("#EXTINF") >= count
    wait_for(ready, 30, f"{name} has {count} segments")


def test_the_two_files_run_as_they_stand():
    """Ports 8888 and 9999 and the folder /storage, in namespaces of their own."""
    need("unshare")
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "as_they_stand.py")
    done = node.run(["unshare", "--net", "--mount", sys.executable, script, node.BINARY],
                    timeout=90)
    output = (done.stdout + done.stderr).decode(errors="replace")
    if "Operation not permitted" in output:
        raise node.Skip("namespaces are not allowed here")
    assert done.returncode == 0, output[-5000:]


def test_every_output_of_both_decodes_without_a_warning():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source)
    for server in (source, receiver):
        decodes_cleanly(server.url("/main/mpegts"), seconds=3)
        for playlist in ("index.m3u8", "index.fmp4.m3u8", "video.m3u8", "mono.m3u8"):
            listed = server.playlist(f"/main/{playlist}")
            for uri in listed.uris[-2:]:
                path = os.path.join(server.folder, "segment")
                with open(path, "wb") as out:
                    if listed.map:
                        out.write(listed.fetch(listed.map))
                    out.write(listed.fetch(uri))
                decodes_cleanly(path)
        decodes_cleanly(server.url("/main/index.m3u8"), seconds=6)


def test_first_playlist_of_a_cold_receiver_is_full_and_equal():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source)
    assert receiver.stats("main")["status"] != "running", "nobody asked for it yet"
    first = receiver.playlist("/main/index.m3u8")
    there = source.playlist("/main/index.m3u8")
    assert len(first.uris) >= 4, first.text
    assert set(first.uris) & set(there.uris), (first.uris, there.uris)
    # It goes on with segments cut here, at the same borders, with the same numbers and bytes.
    last = first.sequence + len(first.uris)
    wait_for(lambda: receiver.playlist("/main/index.m3u8").sequence > last, 30, "six segments on")
    for name in ("index.m3u8", "index.fmp4.m3u8"):
        here, there = receiver.playlist(f"/main/{name}"), source.playlist(f"/main/{name}")
        both = [uri for uri in here.uris if uri in there.uris]
        assert len(both) >= 2, (here.uris, there.uris)
        for uri in both:
            assert here.fetch(uri) == there.fetch(uri), uri
            assert (here.sequence + here.uris.index(uri) ==
                    there.sequence + there.uris.index(uri)), uri


def test_playlist_of_the_receiver_lists_what_the_source_lists():
    counts = {"seven": 7, "two": 2}
    source, receiver = pair("".join(
        f"stream {name} {{ url fake://fake gop=0.5; segment_duration 1; segment_count {count}; }}\n"
        for name, count in counts.items()))
    for name, count in counts.items():
        full_window(source, name, count)

    def same(name):
        """The list of the receiver, which lay between two equal ones of the source."""
        path = f"/{name}/index.m3u8"
        before, here = source.playlist(path), receiver.playlist(path)
        after = source.playlist(path)
        return here if before.uris == after.uris and (
            here.sequence, here.uris) == (after.sequence, after.uris) else None

    first = {name: wait_for(lambda: same(name), 3, f"the list of {name}") for name in counts}
    for name, count in counts.items():
        assert len(first[name].uris) == count, first[name].text
        wait_for(lambda: receiver.playlist(f"/{name}/index.m3u8").sequence > first[name].sequence + 1,
                 10, f"{name} goes on")
        assert len(wait_for(lambda: same(name), 3, f"the list of {name} later").uris) == count


def test_archive_on_the_receiver_equals_the_source_byte_for_byte():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source, count=4)
    # Whole seconds: the first one after the beginning, so that all eight are there.
    began = 1 + int(source.get("/main/recording_status.json", check=200).json["main"]["from"])
    window = f"archive-{began}-8"
    wait_for(lambda: source.playlist(f"/main/{window}.m3u8").ended and
             sum(source.playlist(f"/main/{window}.m3u8").durations) >= 9, 30, "8 s recorded")
    here = receiver.playlist(f"/main/{window}.m3u8")
    there = source.playlist(f"/main/{window}.m3u8")
    assert here.text == there.text
    assert here.ended
    assert here.hashes() == there.hashes()
    for kind in ("ts", "mp4"):
        a = receiver.get(f"/main/{window}.{kind}", check=200)
        b = source.get(f"/main/{window}.{kind}", check=200)
        assert a.body == b.body and len(a.body) > 100000, kind
        path = os.path.join(receiver.folder, f"file.{kind}")
        with open(path, "wb") as out:
            out.write(a.body)
        decodes_cleanly(path)
    duration = float(probe(path)["format"]["duration"])
    assert 7.9 < duration < 8.2, duration
    assert (receiver.get("/main/recording_status.json").json["main"]["from"] == began - 1)
    assert receiver.stats("main")["status"] != "running", "the archive does not start live"


def test_mp4_has_a_length_and_ranges():
    """peers.md 2.1.10, 6.9."""
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source, count=4)
    began = int(source.get("/main/recording_status.json").json["main"]["from"])
    path = f"/main/archive-{began}-6.mp4"
    whole = receiver.get(path, check=200)
    assert int(whole.headers["content-length"]) == len(whole.body)
    head = receiver.get(path, method="HEAD")
    assert head.headers["content-length"] == whole.headers["content-length"] and not head.body
    size = len(whole.body)
    for first, last in ((0, 99), (1000, 200000), (size // 2, size // 2 + 70000),
                        (size - 5, size - 1)):
        part = receiver.get(path, {"Range": f"bytes={first}-{last}"})
        assert part.status == 206, part.status
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.body == whole.body[first:last + 1], (first, last)
    tail = receiver.get(path, {"Range": "bytes=-1000"})
    assert tail.status == 206 and tail.body == whole.body[-1000:]
    assert receiver.get(path, {"Range": f"bytes={size}-"}).status == 416
    stale = receiver.get(path, {"Range": "bytes=0-9", "If-Range": '"other"'})
    assert stale.status == 200 and stale.body == whole.body


def test_nothing_is_pulled_unasked_and_one_copy_serves_many():
    source, receiver = pair(MAIN, receiver_extra="clients_timeout 2;")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source)
    idle = receiver.metric_sum("sluice_link_received_bytes_total")
    time.sleep(3)  # the thing measured is what a span of time costs
    assert receiver.metric_sum("sluice_link_received_bytes_total") - idle < 2000
    before = source.stats("main")["bytes_in"]
    at = receiver.metric_sum("sluice_link_received_bytes_total")
    watchers = [subprocess.Popen(["curl", "-s", "-m", "6", "-o", "/dev/null",
                                  receiver.url("/main/mpegts")]) for _ in range(12)]
    for watcher in watchers:
        watcher.wait(20)
    made = source.stats("main")["bytes_in"] - before
    pulled = receiver.metric_sum("sluice_link_received_bytes_total") - at
    # At most what was made in that time, and the GOP before it.
    assert pulled < made * 1.8, (pulled, made)
    assert pulled > made * 0.5, (pulled, made)
    wait_for(lambda: receiver.stats("main")["status"] != "running", 15,
             "it stops after the viewers")
    at = receiver.metric_sum("sluice_link_received_bytes_total")
    time.sleep(2)
    assert receiver.metric_sum("sluice_link_received_bytes_total") - at < 2000


def test_ten_cold_viewers_are_all_served():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    wait_for(lambda: source.running("main"), 10, "main runs")
    answers = [None] * 10

    def watch(number):
        connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
        began = time.monotonic()
        connection.request("GET", "/main/mpegts?low_delay=1")
        answer = connection.getresponse()
        answer.read(188 * 20)
        answers[number] = (answer.status, time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=watch, args=(n,)) for n in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert all(a and a[0] == 200 for a in answers), answers
    assert max(a[1] for a in answers) < 1.0, answers


def test_delay_from_picture_to_viewer_of_the_receiver():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    wait_for(lambda: source.running("main"), 10, "main runs")
    connection = http.client.HTTPConnection("127.0.0.1", receiver.port, timeout=10)
    connection.request("GET", "/main/mpegts?low_delay=1")
    answer = connection.getresponse()
    delays, data, behind = [], b"", 0
    while len(delays) < 160:
        piece = answer.read1(65536)
        arrived_us = time.time() * 1e6
        data += piece
        for position, utc_us, _ in stamps(data, behind):
            delays.append((arrived_us - utc_us) / 1000)
            behind = position
        data, behind = data[behind:], 0
    connection.close()
    delays = sorted(delays[60:])  # the first are the GOP that was there
    median = delays[len(delays) // 2]
    assert median < 100, f"median {median:.1f} ms"
    print(f"  picture to viewer of the receiver: median {median:.2f} ms, "
          f"max {delays[-1]:.2f} ms of {len(delays)}")


def test_a_stream_gets_an_archive_by_reload_and_the_receiver_knows():
    plain = "stream main { url fake://fake; segment_duration 2; }"
    source, receiver = pair(plain)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    assert not receiver.stats("main")["dvr_enabled"]
    assert receiver.get("/main/archive-1-2.m3u8").status == 404
    text = open(source.conf).read()
    source.reload(text.replace("segment_duration", f"dvr {source.folder}/dvr; segment_duration"))
    wait_for(lambda: receiver.stats("main")["dvr_enabled"], 5, "the receiver knows of the archive")


def test_receiver_outlives_cut_and_restart_of_the_source():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    wait_for(lambda: source.running("main"), 10, "main runs")
    watcher = subprocess.Popen(["curl", "-s", "-m", "60", "-o", "/dev/null", "-w",
                                "%{size_download}", receiver.url("/main/mpegts")], stdout=subprocess.PIPE)
    wait_for(lambda: receiver.running("main"), 10, "the receiver pulls")
    frames = receiver.stats("main")["frames_in"]
    source.kill()
    wait_for(lambda: not receiver.running("main"), 10, "the loss is seen")
    assert watcher.poll() is None, "the viewer stays"
    source.start()
    wait_for(lambda: receiver.running("main"), 20, "it runs again")
    wait_for(lambda: receiver.stats("main")["frames_in"] > frames + 50, 20, "frames flow")
    assert watcher.poll() is None, "the viewer stays"
    watcher.terminate()
    watcher.wait(5)


def test_wrong_key_is_named_on_both_sides_and_disturbs_nothing():
    source, receiver = pair(MAIN)
    wrong = Node('http @PORT@;\ncluster_key "another long enough key";\n'
                 f'source m4s://127.0.0.1:{source.port};\n', name="wrong")
    wait_for(lambda: "reason=wrong_key" in wrong.log(), 10, "the dialling side says why")
    wait_for(lambda: "wrong_key" in source.log(), 10, "the other side says why")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    assert not has_stream(wrong, "main")
    assert "another long enough key" not in wrong.log() + source.log()
    decodes_cleanly(receiver.url("/main/mpegts"), seconds=2)


def test_local_stream_of_the_same_name_wins():
    source, receiver = pair("stream main { url fake://fake; } stream other { url fake://fake; }",
                            source_extra="")
    wait_for(lambda: has_stream(receiver, "other"), 10, "other on the receiver")
    text = open(receiver.conf).read()
    receiver.reload(text + "stream main { url fake://fake width=320 height=180; title Mine; }\n")
    wait_for(lambda: receiver.running("main"), 10, "the local one runs")
    assert receiver.stream("main").get("title") == "Mine"
    receiver.reload(text)
    wait_for(lambda: has_stream(receiver, "main") and not receiver.stream("main").get("title"), 10,
             "the far one is back")


def test_m4f_live_gives_the_same_segments():
    source, receiver = pair(MAIN, scheme="m4f://")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source)
    wait_for(lambda: len(receiver.playlist("/main/index.m3u8").uris) >= 4, 20, "a full list")
    here = receiver.playlist("/main/index.fmp4.m3u8")
    there = source.playlist("/main/index.fmp4.m3u8")
    both = [uri for uri in here.uris if uri in there.uris]
    assert len(both) >= 2, (here.uris, there.uris)
    for uri in both:
        assert here.fetch(uri) == there.fetch(uri), uri
    decodes_cleanly(receiver.url("/main/mpegts"), seconds=2)


def test_pts_goes_on_without_a_break_on_the_receiver():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    full_window(source)
    began = int(source.get("/main/recording_status.json").json["main"]["from"])
    path = os.path.join(receiver.folder, "file.ts")
    with open(path, "wb") as out:
        out.write(receiver.get(f"/main/archive-{began}-6.ts", check=200).body)
    times = [float(p["dts_time"]) for p in packets(path)]
    steps = [b - a for a, b in zip(times, times[1:])]
    assert len(times) > 120 and max(steps) < 0.045 and min(steps) > 0.035, (len(times), steps[:5])
