# SPDX-License-Identifier: MIT
"""`sluice check`: an archive that was recorded for real, damaged for real, looked over and repaired."""
import glob
import os
import re
import subprocess
import time

import node
from node import Node, decodes_cleanly, wait_for

CONFIG = """http @PORT@;
stream main { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }
"""


def check(path, *options, status):
    done = subprocess.run([node.BINARY, "check", path, *options], capture_output=True, text=True, timeout=60,
                          env=node.ENVIRONMENT)
    assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    lines = done.stdout.splitlines()
    print("  " + "\n  ".join(lines + done.stderr.splitlines()))
    return lines


def has(lines, file, text):
    found = [line for line in lines if line.startswith(f"{file}: ") and re.search(text, line)]
    assert len(found) == 1, f"{file}: {text}\n" + "\n".join(lines)


def recorded(server, count):
    wait_for(lambda: server.stats("main").get("dvr_info", {}).get("segments_written", 0) >= count, 30,
             f"{count} segments")


def hour_files(server):
    return sorted(glob.glob(os.path.join(server.folder, "dvr/main/*/*/*/*.mp4")))


def change(path, what):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data = what(data)
    with open(path, "wb") as file:
        file.write(data)


def flip(data):
    at = len(data) // 2
    for i in range(at, at + 200):
        data[i] ^= 0xff
    return data


def played(server, begin, length):
    path = os.path.join(server.folder, "played.ts")
    with open(path, "wb") as out:
        out.write(server.get(f"/main/archive-{begin}-{length}.ts", check=200, timeout=60).body)
    decodes_cleanly(path)
    return os.path.getsize(path)


def test_damage_is_told_and_repaired_and_the_rest_is_served():
    server = Node(CONFIG, name="server")
    begin = int(time.time())
    path = os.path.join(server.folder, "dvr")
    lives = 5
    for life in range(lives):
        recorded(server, 6)
        assert server.stop() == 0 if life < lives - 1 else server.kill() is None
        if life < lives - 1:
            server.start()
    files = hour_files(server)
    assert len(files) == lives
    # A kill leaves an index open, and nothing else.
    lines = check(path, status=1)
    # Before the first sync, or after it.
    has(lines, files[-1].replace(".mp4", ".idx"), "the index is (missing|not closed)")
    assert "findings" in lines[-1] and ": 1 findings" in lines[-1], lines
    damaged, truncated, unindexed, garbled, newest = files
    index = {file: file.replace(".mp4", ".idx") for file in files}
    change(damaged, flip)
    change(truncated, lambda data: data[:-5000])
    os.remove(index[unindexed])
    change(index[garbled], lambda data: os.urandom(len(data)))
    change(newest, lambda data: data + b"\0" * 3000)
    day = os.path.dirname(newest)
    for name in ("day.sum", "note.txt", os.path.basename(newest)[:6] + ".idx.new"):
        with open(os.path.join(day, name), "wb") as out:
            out.write(b"not what it should be")
    lines = check(path, status=1)
    assert lines == check(os.path.join(path, "main") + "/", status=1)
    has(lines, damaged, r": damaged at \d{4}-.*, offset \d+, \d+ bytes, hides [0-9.]+ s$")
    has(lines, truncated, r": torn end of \d+ bytes, offset \d+$")
    has(lines, index[truncated], r": the index is of \d+ bytes, the file has \d+$")
    has(lines, index[unindexed], ": the index is missing$")
    has(lines, index[garbled], ": the index is damaged at its beginning$")
    has(lines, newest, ": torn end of 3000 bytes, ")
    has(lines, os.path.join(day, "day.sum"), ": the summary is damaged$")
    has(lines, os.path.join(day, "note.txt"), ": note: not a file of the archive$")
    has(lines, index[newest] + ".new", ": an index that was not finished$")
    before = os.path.getsize(newest)
    lines = check(path, "--repair", status=0)
    has(lines, newest, f": repaired: cut to {before - 3000} bytes$")
    assert os.path.getsize(newest) == before - 3000
    lines = check(path, status=0)
    has(lines, damaged, ": note: damaged .*; the index leaves it out$")
    has(lines, os.path.join(day, "note.txt"), ": note: not a file of the archive$")
    assert "5 files" in lines[-1] and " 0 findings, 3 notes" in lines[-1], lines[-1]
    server.start()
    recorded(server, 1)
    size = played(server, begin, int(time.time()) - begin + 2)
    assert size > 0.7 * sum(os.path.getsize(file) for file in files), size
    assert "recovered" not in server.log().rpartition(" starts ")[2], "the repair left something to do"


def test_what_cannot_be_done_has_its_own_status():
    server = Node(CONFIG, name="server")
    recorded(server, 1)
    server.stop()
    path = os.path.join(server.folder, "dvr")
    check(os.path.join(path, "nothing"), status=2)
    check(path, "--mend", status=2)
    check(path, path, status=2)
    check(path, status=0)


def problem(server):
    return server.stats("main").get("dvr_info", {}).get("problem")


def test_beside_a_server_and_after_it():
    server = Node(CONFIG, name="server")
    path = os.path.join(server.folder, "dvr")
    recorded(server, 3)
    pid = server.process.pid
    for _ in range(3):  # at any moment of an append
        lines = check(path, status=0)
        has(lines, path, f": note: in use by process {pid}: ")
    check(os.path.join(path, "main"), status=0)
    for below in ("", "main"):
        done = subprocess.run([node.BINARY, "check", os.path.join(path, below), "--repair"], capture_output=True,
                              text=True, timeout=60, env=node.ENVIRONMENT)
        assert done.returncode == 2 and f"in use by process {pid}," in done.stderr, (done.returncode, done.stderr)
    server.kill()
    check(path, "--repair", status=0)
    assert not any("in use" in line for line in check(path, status=0))


def test_second_server_waits_until_the_first_is_gone():
    first = Node(CONFIG, name="first")
    path = os.path.join(first.folder, "dvr")
    recorded(first, 2)
    files = len(hour_files(first))
    second = Node(CONFIG.replace("@DIR@", first.folder), name="second")
    wait_for(lambda: problem(second) == "in_use", 10, "it is told")
    told = f"disk not used path={path} reason=in_use pid={first.process.pid}"
    assert told in second.log(), second.log()
    segments = first.stats("main")["dvr_info"]["segments_written"]
    recorded(first, segments + 2)
    assert len(hour_files(first)) == files, "the second has written"
    assert problem(first) is None
    first.kill()
    began = time.monotonic()
    wait_for(lambda: problem(second) is None, 10, "it takes over")
    print(f"  taken over after {time.monotonic() - began:.1f} s")
    recorded(second, 2)
    assert len(hour_files(first)) == files + 1
    assert second.log().count("reason=in_use pid=") == 1
    second.stop()
    check(path, status=0)


def test_server_that_starts_again_has_the_path_at_once():
    server = Node(CONFIG, name="server")
    for end in (server.kill, server.stop) * 3:
        recorded(server, 1)
        end()
        server.start()
    recorded(server, 1)
    assert "in_use" not in server.log(), server.log()


def test_what_was_deleted_is_no_damage():
    server = Node(CONFIG, name="server")
    recorded(server, 8)
    server.stop()
    path = os.path.join(server.folder, "dvr")
    file, = hour_files(server)
    server.start()
    recorded(server, 1)
    begin = server.get("/main/recording_status.json?request=ranges", check=200).json[0]["ranges"][0]["from"]
    server.get(f"/streamer/api/v3/streams/main/dvr/ranges?from={begin + 3}&duration=2", method="DELETE", check=204)
    wait_for(lambda: "deleted of file=" in server.log(), 20, "its bytes are given back")
    check(path, status=0)
    server.stop()
    assert " 0 findings, 0 notes" in check(path, status=0)[-1]
    os.remove(file.replace(".mp4", ".idx"))
    has(check(path, status=1), file.replace(".mp4", ".idx"), ": the index is missing$")
    check(path, "--repair", status=0)
    assert " 0 findings, 0 notes" in check(path, status=0)[-1]
