# SPDX-License-Identifier: MIT
"""The archive: what a kill, a stop, a full disk and a limit leave of it, and who can play its files."""
import glob
import http.client
import os
import random
import shutil
import tempfile
import threading
import time

import node
from fault_disk import own_mounts
from node import Node, decodes_cleanly, need, packets, probe, wait_for
from sei import stamps

KILLS = 6
LOSS_MOST_S = 1.0


class Watcher(threading.Thread):
    """Watches a live stream; keeps (UTC, number) of its pictures, in order."""

    def __init__(self, server, name="main"):
        super().__init__(daemon=True)
        self.seen = []
        self.client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        self.client.request("GET", f"/{name}/mpegts?low_delay=1")
        self.answer = self.client.getresponse()
        self.start()

    def run(self):
        data = b""
        try:
            while piece := self.answer.read1(65536):
                data += piece
                behind = 0
                for behind, utc_us, frame in stamps(data):
                    self.seen.append((utc_us, frame))
                    self.saw(utc_us)
                data = data[behind:]
        except (OSError, http.client.HTTPException):
            pass

    def saw(self, utc_us):
        """A picture has come."""

    def end(self):
        self.join(15)
        self.client.close()
        return self.seen


def archived(server, begin_us, end_us, name="main"):
    """(UTC, number) of the pictures that the archive has between the two times."""
    begin_s = begin_us // 1000000 - 1
    path = f"/{name}/archive-{begin_s}-{end_us // 1000000 + 2 - begin_s}.ts"
    body = server.get(path, check=200, timeout=60).body
    return sorted((utc, frame) for _, utc, frame in stamps(body) if begin_us <= utc <= end_us)


def whole(pictures):
    return missing(pictures) == 0


def missing(pictures):
    return sum(b[1] - a[1] - 1 for a, b in zip(pictures, pictures[1:]))


def undisturbed(watcher):
    """The source leaves pictures out on a machine that gives it no time for half a second."""
    seen = watcher.end()
    assert missing(seen) <= len(seen) // 50, f"{missing(seen)} of {len(seen)} pictures missing"


def ready(server, name="main"):
    wait_for(lambda: server.stats(name).get("dvr_info", {}).get("state") == "ready", 20,
             "the archive is open")


def ranges(server, name="main"):
    now = int(time.time())
    answer = server.get(f"/{name}/recording_status.json?from={now - 3600}&to={now + 2}", check=200)
    return answer.json[0]["ranges"]


def test_kill_loses_at_most_a_second_and_the_rest_plays():
    """peers.md 2.1.13."""
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    chance = random.Random(seed)
    print(f"  kills with SEED={seed}")
    # Segments of 4 s: most kills meet one that is open.
    server = Node("http @PORT@;\nstream main { url fake://fake; dvr @DIR@/dvr; segment_duration 4; }\n",
                  name="server")
    losses, lives = [], []
    for _ in range(KILLS):
        ready(server)
        wait_for(lambda: server.running("main"), 10, "main runs")
        watcher = Watcher(server)
        limit = 1.5 + 4 * chance.random()
        wait_for(lambda: watcher.seen and watcher.seen[-1][0] - watcher.seen[0][0] > limit * 1e6, 30,
                 "the moment of the kill")
        server.kill()
        seen = watcher.end()
        server.start()
        ready(server)
        kept = archived(server, seen[0][0], seen[-1][0])
        assert kept, f"nothing of a life of {limit:.1f} s is left"
        losses.append((seen[-1][0] - kept[-1][0]) / 1e6)
        assert losses[-1] <= LOSS_MOST_S, f"{losses[-1]:.2f} s lost by a kill after {limit:.2f} s"
        assert whole(kept), "a picture is missing before the end"
        lives.append((kept[0][0], kept[-1][0], len(kept)))
    print("  lost by a kill: " + ", ".join(f"{loss:.2f}" for loss in losses) + " s")
    for first, last, count in lives:  # later lives took nothing from earlier ones
        assert len(archived(server, first, last)) == count
    begin = ranges(server)[0]["from"]
    listed = server.playlist(f"/main/archive-{begin}-{int(time.time()) - begin}.m3u8")
    assert listed.discontinuities >= KILLS - 1, listed.text
    for uri in listed.uris:
        path = os.path.join(server.folder, "segment.ts")
        with open(path, "wb") as out:
            out.write(listed.fetch(uri))
        decodes_cleanly(path)


def test_hole_of_a_restart_is_told_on_both_servers_and_played_across():
    """peers.md 2.1.3: a short break neither hides what is behind it nor breaks the playback."""
    source, receiver = node.pair("stream main { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }")
    wait_for(lambda: source.stats("main").get("dvr_info", {}).get("segments_written", 0) >= 3, 20,
             "three segments")
    source.kill()
    time.sleep(1)  # the hole: right after a segment was written, what is missing is too short to be one
    source.start()
    wait_for(lambda: source.stats("main").get("dvr_info", {}).get("segments_written", 0) >= 3, 20,
             "three segments of the second life")
    begin = ranges(source)[0]["from"]
    wait_for(lambda: node.has_stream(receiver, "main"), 10, "main on the receiver")
    query = f"?from={begin}&to=now"
    for server in (source, receiver):
        told = wait_for(lambda: server.get(f"/main/recording_status.json{query}").json[0], 5, "ranges")
        assert len(told["ranges"]) == 2, told
        assert [hole["reason"] for hole in told["holes"]] == ["restart"], told
        for form in ("ts", "mp4"):
            path = os.path.join(server.folder, f"across.{form}")
            with open(path, "wb") as out:
                out.write(server.get(f"/main/archive-{begin}-60.{form}", check=200, timeout=60).body)
            decodes_cleanly(path)
        listed = server.playlist(f"/main/archive-{begin}-60.m3u8")
        assert listed.discontinuities == 1, listed.text


def test_stop_loses_nothing_that_was_sent():
    server = Node("http @PORT@;\nstream main { url fake://fake; dvr @DIR@/dvr; segment_duration 4; }\n",
                  name="server")
    for _ in range(2):
        ready(server)
        wait_for(lambda: server.running("main"), 10, "main runs")
        watcher = Watcher(server)
        wait_for(lambda: len(watcher.seen) > 70, 20, "some seconds")
        assert server.stop() == 0
        seen = watcher.end()
        time.sleep(2.5)  # the hole that is looked for below
        server.start()
        ready(server)
        kept = archived(server, seen[0][0], seen[-1][0])
        assert kept == sorted(set(seen)), (len(seen), len(kept), seen[-1], kept[-1])
    hole = ranges(server)
    assert len(hole) >= 2, hole
    listed = server.playlist(f"/main/archive-{hole[0]['from']}-600.m3u8")
    assert listed.discontinuities >= 1, listed.text


def test_copied_files_play_elsewhere():
    server = Node("http @PORT@;\nstream main { url fake://fake; dvr @DIR@/dvr; segment_duration 2; }\n",
                  name="server")
    ready(server)
    wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] >= 2, 20, "two segments")
    server.kill()  # the worse case: a file that was not ended
    files = glob.glob(f"{server.folder}/dvr/main/*/*/*/*.mp4")
    assert files
    place = tempfile.mkdtemp(prefix="sluice-e2e-copy-")
    try:
        os.chmod(place, 0o777)
        for file in files:
            copy = shutil.copy(file, os.path.join(place, os.path.basename(file)))
            os.chmod(copy, 0o644)
            decodes_cleanly(copy)
            found = probe(copy, "stream=codec_name,nb_read_packets", packets=True)["streams"]
            pictures = int(found[0]["nb_read_packets"])
            assert [one["codec_name"] for one in found] == ["h264", "aac"] and pictures > 90, found
            play_in_vlc(copy, place, pictures)
            need("mpv")
            played = node.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--quiet",
                               copy], timeout=60)
            assert played.returncode == 0 and b"End of file" in played.stdout, played
    finally:
        shutil.rmtree(place, ignore_errors=True)


def play_in_vlc(file, place, pictures):
    """VLC reads and writes it again as MPEG-TS, which tells what it made of it. Not as root."""
    need("cvlc")
    out = os.path.join(place, "vlc.ts")
    command = ["cvlc", "--play-and-exit", "--sout", f"#std{{access=file,mux=ts,dst={out}}}", file,
               "vlc://quit"]
    if os.geteuid() == 0:
        command = [need("setpriv"), "--reuid", "65534", "--regid", "65534", "--clear-groups"] + command
    done = node.run(command, timeout=90, env={**os.environ, "HOME": place, "XDG_RUNTIME_DIR": place})
    assert done.returncode == 0, done.stderr[-2000:]
    got = probe(out, "stream=codec_name,nb_read_packets", packets=True)["streams"]
    assert {one["codec_name"] for one in got} == {"h264", "aac"}, got
    # It keeps the last pictures for a reorder that does not come.
    assert int(got[0]["nb_read_packets"]) >= pictures - 10, (got, pictures)


def test_size_limit_takes_the_oldest():
    """peers.md 2.1.5."""
    server = Node("http @PORT@;\nstream main { url fake://fake bitrate=4M; dvr @DIR@/dvr 3M; "
                  "segment_duration 1; }\n", name="server")
    ready(server)
    wait_for(lambda: ranges(server), 20, "something is recorded")
    began = server.stats("main")["dvr_info"]["from"]
    watcher = Watcher(server)
    wait_for(lambda: server.stats("main")["dvr_info"]["from"] > began, 70, "the oldest goes")
    wait_for(lambda: server.stats("main")["dvr_info"]["bytes"] < 25e6, 70, "and the size is held")
    info = server.stats("main")["dvr_info"]
    assert info["problem"] is None and info["state"] == "ready", info
    assert len(ranges(server)) == 1, "what is left has no hole"
    server.kill()
    undisturbed(watcher)


def fill(path):
    """Takes all the room there is."""
    out = os.open(path, os.O_WRONLY | os.O_CREAT)
    for size in (1 << 20, 4096):
        try:
            while os.write(out, bytes(size)):
                pass
        except OSError:
            pass
    os.close(out)


def test_full_disk_is_named_and_recording_comes_back():
    """peers.md 2.1.4."""
    own_mounts()
    place = tempfile.mkdtemp(prefix="sluice-e2e-full-")
    if node.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place]).returncode != 0:
        raise node.Skip("mounting is not allowed here")
    try:
        server = Node("http @PORT@;\nstream main { url fake://fake bitrate=4M; "
                      f"dvr {place} 99%; segment_duration 1; }}\n", name="server")
        ready(server)
        wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] >= 3, 20, "it records")
        watcher = Watcher(server)
        # Somebody else takes the disk.
        other = os.path.join(place, "other")
        fill(other)
        wait_for(lambda: "reason=disk_full" in server.log(), 30, "the log says what is wrong")
        assert server.metric_sum("sluice_archive_errors_total") > 0
        # The disk stays full: the oldest file makes room for the newest, again and again.
        wait_for(lambda: server.log().count(" removed file=") >= 2, 40, "the oldest goes")
        # "problem" in the status is over within milliseconds; the count of errors stays.
        assert server.stats("main")["dvr_info"]["errors"] >= 2
        os.unlink(other)
        written = server.stats("main")["dvr_info"]["segments_written"]
        wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] > written + 8, 60,
                 "there is room again: it goes on by itself")
        info = server.stats("main")["dvr_info"]
        assert info["problem"] is None and info["state"] == "ready", info
        at = len(watcher.seen)
        wait_for(lambda: len(watcher.seen) > at + 25, 20, "live goes on")
        server.kill()
        undisturbed(watcher)
    finally:
        node.run(["umount", "-l", place])
        os.rmdir(place)


def test_small_disk_is_awaited_and_then_filled_twice_over():
    """Peers 2.1.4, 2.1.5: nothing is written where the disk belongs before it is there; and a full
    disk, of a few seconds here, never stops recording."""
    own_mounts()
    place = tempfile.mkdtemp(prefix="sluice-e2e-small-", dir="/var/tmp")
    if os.stat(place).st_dev != os.stat("/").st_dev:
        raise node.Skip("/var/tmp is a file system of its own")
    try:
        server = Node("http @PORT@;\nstream main { url fake://fake width=1280 height=720 "
                      f"bitrate=20M gop=1; dvr {place} mounted; segment_duration 1; }}\n", name="server")
        wait_for(lambda: server.stats("main")["alive"], 20, "it is live")
        wait_for(lambda: server.stats("main")["dvr_info"]["problem"] == "unmounted", 20, "refused")
        assert os.listdir(place) == []
        if node.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place]).returncode != 0:
            raise node.Skip("mounting is not allowed here")
        wait_for(lambda: server.stats("main")["dvr_info"]["problem"] is None, 20, "used")
        size = 16 << 20
        wait_for(lambda: server.metric_sum("sluice_archive_written_bytes_total") > 2 * size, 60,
                 "the disk is filled twice over")
        info = server.stats("main")["dvr_info"]
        assert info["segments_skipped"] == 0 and info["errors"] == 0, info
        assert info["bytes"] > size / 2 and len(ranges(server)) == 1, (info, ranges(server))
        server.kill()
    finally:
        node.run(["umount", "-l", place])
        os.rmdir(place)


def test_archive_that_vanishes_is_told_and_found_again():
    server = Node("http @PORT@;\nstream main { url fake://fake; dvr @DIR@/dvr; segment_duration 1; }\n",
                  name="server")
    ready(server)
    wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] >= 2, 20, "it records")
    shutil.rmtree(f"{server.folder}/dvr")
    answer = server.get(f"/main/archive-{int(time.time()) - 3}-3.m3u8")
    assert answer.status in (200, 404, 503), answer.status
    written = server.stats("main")["dvr_info"]["segments_written"]
    wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] > written + 2, 30,
             "it goes on")
    assert server.process.poll() is None


def names(server):
    return {one["name"]: one["named_by"] for one in server.get("/streamer/api/v3/streams", check=200).json["streams"]}


def test_path_within_another_is_not_taken_for_a_stream_without_a_line():
    """Two archives over one folder would cut off what the other writes."""
    folder = tempfile.mkdtemp(prefix="sluice-e2e-")
    os.makedirs(f"{folder}/dvr/a")
    os.symlink(f"{folder}/dvr/a", f"{folder}/link")
    server = Node("http @PORT@;\nstream x { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }\n"
                  "stream cam { url fake://fake gop=1; dvr @DIR@/link/; segment_duration 1; }\n"
                  "stream two { url fake://fake gop=1; dvr @DIR@/dvr/b; segment_duration 1; }\n",
                  folder=folder, name="server")
    for name in ("cam", "two"):
        wait_for(lambda: server.stats(name).get("dvr_info", {}).get("segments_written", 0) >= 2, 20, "segments")
    assert sorted(os.listdir(f"{folder}/dvr/a")) == [".sluice.lock", "cam"]
    server.stop()
    server.start()
    assert names(server) == {"x": "config", "cam": "config", "two": "config"}


def test_archive_of_a_stream_without_a_line_is_kept():
    """peers.md 2.1.4: a camera that is renamed or taken away takes no footage with it."""
    head = "http @PORT@;\ncluster_key \"a long enough key for tests\";\n"
    old = "stream yard/old { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }\n"
    new = "stream yard/new { url fake://fake gop=1; dvr @DIR@/dvr 7d; segment_duration 1; }\n"
    server = Node(head + old, name="server")
    wait_for(lambda: server.stats("yard/old").get("dvr_info", {}).get("segments_written", 0) >= 4, 20, "segments")

    def plays(who):
        begin = wait_for(lambda: who.get("/yard/old/recording_status.json", check=200).json["yard/old"].get("from"),
                         5, "what there is")
        path = os.path.join(server.folder, "old.ts")
        with open(path, "wb") as out:
            out.write(who.get(f"/yard/old/archive-{begin}-60.ts", check=200).body)
        decodes_cleanly(path)
        assert len(packets(path)) >= 50
    server.reload(head + new)  # renamed, by a reload
    wait_for(lambda: names(server) == {"yard/old": "archive", "yard/new": "config"}, 10, "both names")
    plays(server)
    wait_for(lambda: server.stats("yard/new").get("dvr_info", {}).get("segments_written", 0) >= 1, 20, "recorded")
    server.stop()
    os.makedirs(f"{server.folder}/dvr/no/archive/at/all")
    server.start()  # and over a restart, which does not wait for the search
    wait_for(lambda: names(server) == {"yard/old": "archive", "yard/new": "config"}, 10, "both names again")
    plays(server)
    assert "no line, its archive is kept" in server.log()
    receiver = Node(head + f"source m4s://127.0.0.1:{server.port};\n", name="receiver")
    wait_for(lambda: node.has_stream(receiver, "yard/old"), 10, "the archive on a receiver")
    plays(receiver)
    assert server.get("/yard/old/index.m3u8", timeout=15).status in (404, 503)
    files = glob.glob(f"{server.folder}/dvr/yard/old/*/*/*/*.mp4")
    server.reload(head + new + old)  # it comes back and goes on
    wait_for(lambda: names(server)["yard/old"] == "config", 10, "a line again")
    wait_for(lambda: len(glob.glob(f"{server.folder}/dvr/yard/old/*/*/*/*.mp4")) > len(files), 20, "another file")
    plays(server)
    server.reload(head + new)
    wait_for(lambda: names(server)["yard/old"] == "archive", 10, "kept again")
    shutil.rmtree(f"{server.folder}/dvr/yard/old")
    server.stop()
    server.start()
    assert names(server) == {"yard/new": "config"}


def taken(path):
    """What `du` says of it."""
    return os.stat(path).st_blocks * 512


def test_deleted_stretch_gives_its_bytes_back_to_the_disk():
    server = Node("http @PORT@;\nstream main { url fake://fake bitrate=4M gop=1; dvr @DIR@/dvr; "
                  "segment_duration 1; }\n", name="server")
    ready(server)
    wait_for(lambda: server.stats("main")["dvr_info"]["segments_written"] >= 12, 30, "twelve segments")
    assert server.stop() == 0
    file, = glob.glob(f"{server.folder}/dvr/main/*/*/*/*.mp4")
    server.start()
    ready(server)
    server.get("/streamer/api/v3/streams/main/dvr/disable", method="POST", check=204)

    def counted():
        return server.stats("main")["dvr_info"]["bytes"]

    wait_for(lambda: counted() == sum(map(os.path.getsize, glob.glob(f"{server.folder}/dvr/main/*/*/*/*.[mi][pd]?"))),
             20, "nothing is recorded any more")
    before, size, bytes_before = taken(file), os.stat(file).st_size, counted()
    begin = ranges(server)[0]["from"]

    def past():
        path = os.path.join(server.folder, "past.ts")
        with open(path, "wb") as out:
            out.write(server.get(f"/main/archive-{begin}-11.ts", check=200, timeout=60).body)
        decodes_cleanly(path)
        return sorted(utc for _, utc, _ in stamps(open(path, "rb").read()))

    pictures = past()
    server.get(f"/streamer/api/v3/streams/main/dvr/ranges?from={begin + 3}&duration=5", method="DELETE", check=204)
    wait_for(lambda: taken(file) < before * 0.7, 20, "the disk has more room")
    freed = before - taken(file)
    print(f"  {before} bytes on the disk before, {before - freed} after")
    assert os.stat(file).st_size == size
    assert freed > size * 4 / 13, (freed, size)
    wait_for(lambda: "deleted of file=" in server.log(), 10, "it is done")
    assert abs(bytes_before - counted() - freed) < 65536, (bytes_before, counted(), freed)

    def told():
        answer = server.get(f"/main/recording_status.json?from={begin}&to={begin + 11}", check=200).json[0]
        return answer["ranges"], answer["holes"]

    def right():
        """Everything but the stretch and the segments at its ends, and the file plays everywhere."""
        left = past()
        assert set(left) <= set(pictures)
        gone = sorted(set(pictures) - set(left))
        assert (begin + 1.9) * 1e6 <= gone[0] <= (begin + 3.1) * 1e6, gone[0]
        assert (begin + 7.9) * 1e6 <= gone[-1] <= (begin + 9.1) * 1e6, gone[-1]
        assert all(not gone[0] <= utc <= gone[-1] for utc in left)
        media, holes = told()
        assert len(media) == 2 and [hole["reason"] for hole in holes] == ["deleted"], (media, holes)
        decodes_cleanly(file)
        found = probe(file, "stream=nb_read_packets", packets=True)["streams"]
        assert int(found[0]["nb_read_packets"]) < 25 * 9

    right()
    errors = server.stats("main")["dvr_info"]["errors"]
    assert errors == 0
    first = told()
    server.kill()
    os.unlink(file[:-3] + "idx")
    server.start()
    ready(server)
    right()
    assert [hole["reason"] for hole in told()[1]] == [hole["reason"] for hole in first[1]]
    assert server.stats("main")["dvr_info"]["errors"] == 0
    assert abs(bytes_before - counted() - freed) < 65536, (bytes_before, counted(), freed)
    need("mpv")
    played = node.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--quiet", file], timeout=60)
    assert played.returncode == 0 and b"End of file" in played.stdout, played
