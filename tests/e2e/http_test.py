# SPDX-License-Identifier: MIT
"""What an HTTP client meets: ranges, conditions, errors with a reason, clients that misbehave."""
import gzip
import http.client
import json
import re
import socket
import subprocess
import time

import node
from node import Node, has_stream, need, pair, wait_for
from sei import stamps

MAIN = "stream main { url fake://fake; dvr @DIR@/storage; segment_duration 1; }"


def one_server(streams=MAIN, extra=""):
    return Node(f"http @PORT@;\n{extra}\n{streams}\n", name="server")


def two_segments(server, name="main"):
    def ready():
        answer = server.get(f"/{name}/index.m3u8")
        return answer.status == 200 and answer.text.count("#EXTINF") >= 2
    wait_for(ready, 20, "two segments")


def raw(server, sent, limit=10):
    """What comes back for these bytes until the server closes, or the limit is over."""
    with socket.create_connection(("127.0.0.1", server.port), limit) as client:
        client.sendall(sent)
        client.settimeout(limit)
        got = b""
        try:
            while piece := client.recv(65536):
                got += piece
        except (ConnectionResetError, socket.timeout):
            pass
    return got


def curl(*arguments):
    done = node.run([need("curl"), "-s", "-m", "20", *arguments], timeout=30)
    return done.returncode, done.stdout


def test_segments_have_ranges_heads_and_conditions():
    server = one_server()
    two_segments(server)
    listed = server.playlist("/main/index.fmp4.m3u8")
    for uri in (listed.uris[-1], server.playlist("/main/index.m3u8").uris[-1]):
        path = listed.address(uri)
        whole = server.get(path, check=200)
        tag = whole.headers["etag"]
        assert int(whole.headers["content-length"]) == len(whole.body) > 10000
        head = server.get(path, method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["content-length"] == whole.headers["content-length"]
        assert head.headers["etag"] == tag
        part = server.get(path, {"Range": "bytes=100-299"})
        assert part.status == 206 and part.body == whole.body[100:300]
        assert part.headers["content-range"] == f"bytes 100-299/{len(whole.body)}"
        assert server.get(path, {"Range": "bytes=-7"}).body == whole.body[-7:]
        beyond = server.get(path, {"Range": f"bytes={len(whole.body)}-"})
        assert beyond.status == 416
        assert beyond.headers["content-range"] == f"bytes */{len(whole.body)}"
        assert json.loads(beyond.body)["error"] == "range_not_satisfiable", beyond.body
        same = server.get(path, {"If-None-Match": tag})
        assert (same.status, same.body) == (304, b""), same.status
        assert server.get(path, {"If-None-Match": '"other"'}).status == 200
    code, piece = curl("-r", "0-187", server.url(path))
    assert code == 0 and len(piece) == 188 and piece[0] == 0x47


def test_errors_are_a_status_and_a_reason():
    source, server = pair(MAIN + "\nstream off { url fake://fake; disabled; }")
    wait_for(lambda: has_stream(server, "main"), 10, "main on the receiver")
    for asked, status in (
            ("/nothing/here", 404), ("/nobody/index.m3u8", 404), ("/nobody/mpegts", 404),
            ("/main/index.mpd", 404), ("/main/archive-1-2.mp4", 404), ("/main/archive-1-2.ts", 404),
            ("/main/archive-1-2.m3u8", 404), ("/main/archive-x-2.m3u8", 400),
            ("/main/archive-1-0.m3u8", 400), ("/main/rewind-x.m3u8", 400),
            ("/streamer/api/v3/streams/nobody", 404), ("/main/../../etc/passwd", 400)):
        for who in (source, server):
            answer = who.get(asked)
            assert answer.status == status, (who.name, asked, answer.status, answer.body)
            said = answer.json
            assert said["error"] and said["reason"], (asked, said)
            assert answer.headers["content-type"] == "application/json"
    wrong = server.get("/main/index.m3u8", method="DELETE")
    assert wrong.status == 405 and "GET" in wrong.headers["allow"] and wrong.json["reason"]
    stopped = source.get("/off/index.m3u8")
    assert stopped.status == 503 and "disabled" in stopped.json["reason"], stopped.body
    # A stream of a server that is gone: a reason soon, not a client that hangs.
    source.kill()
    wait_for(lambda: "down" in server.log(), 10, "the loss is seen")
    began = time.monotonic()
    answer = server.get("/main/mpegts", timeout=30)
    assert answer.status == 503 and answer.json["reason"], (answer.status, answer.body)
    assert time.monotonic() - began < 15, "an answer within the time that players wait"


def test_requests_that_parsers_read_differently_are_refused():
    server = one_server()
    good = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    for bad in (b"GET / HTTP/1.1\n\r\n", good + b"Host: y\r\n\r\n", good + b"X:\rTransfer-Encoding: chunked\r\n\r\n",
                good + b"A: b\r\n folded\r\n\r\n", good + b"Host : x\r\n\r\n",
                good + b"Transfer-Encoding:\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                good + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"\x00\x01\x02\x03\r\n\r\n", good + b"A: " + b"x" * 40000 + b"\r\n\r\n"):
        answer = raw(server, bad + b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        head = answer.split(b"\r\n")[0]
        assert re.match(rb"HTTP/1.1 (400|431|505)", head), (bad[:60], answer[:200])
        assert answer.count(b"HTTP/1.1 ") == 1, (bad[:60], "the rest is not read as a request", answer)
    assert server.get("/metrics").status == 200


def test_connection_is_kept_and_pages_are_compressed():
    server = one_server()
    two_segments(server)
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.connect()
    own = client.sock.getsockname()
    for path in ("/main/index.m3u8", "/nothing/here", "/metrics", "/", "/streamer/api/v3/streams"):
        client.request("GET", path, headers={"Accept-Encoding": "gzip"})
        answer = client.getresponse()
        body = answer.read()
        if path == "/streamer/api/v3/streams":
            assert answer.getheader("Content-Encoding") == "gzip", path
            assert len(gzip.decompress(body)) > len(body)
        assert client.sock and client.sock.getsockname() == own, f"{path}: closed"
    client.close()
    two = raw(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
              b"GET /main/index.m3u8 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert two.count(b"HTTP/1.1 200") == 2 and b"#EXTM3U" in two, "two in one go, in order"
    old = raw(server, b"GET /main/index.m3u8 HTTP/1.0\r\n\r\n")
    assert b" 200 " in old[:20] and b"#EXTM3U" in old, old[:200]


def test_pages_of_other_sites_may_play():
    server = one_server()
    two_segments(server)
    listed = server.playlist("/main/index.m3u8")
    for path in ("/main/index.m3u8", listed.address(listed.uris[-1]), "/main/media_info.json"):
        asked = {"Origin": "http://elsewhere.example", "Access-Control-Request-Method": "GET",
                 "Access-Control-Request-Headers": "range"}
        answer = server.get(path, asked, method="OPTIONS")
        assert answer.status == 204, (path, answer.status)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "GET" in answer.headers["access-control-allow-methods"]
        assert "range" in answer.headers["access-control-allow-headers"].lower()
        plain = server.get(path, {"Origin": "http://elsewhere.example"})
        assert plain.headers["access-control-allow-origin"] == "*", path


def test_viewer_who_takes_nothing_is_closed_and_disturbs_nobody():
    server = one_server("stream main { url fake://fake width=1280 height=720 bitrate=12M; }")
    wait_for(lambda: server.running("main"), 10, "main runs")
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    stuck.connect(("127.0.0.1", server.port))
    stuck.sendall(b"GET /main/mpegts HTTP/1.1\r\nHost: x\r\n\r\n")
    began = time.monotonic()
    client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    client.request("GET", "/main/mpegts?low_delay=1")
    answer = client.getresponse()
    frames, data, closed = [], b"", None
    while closed is None or len(frames) < 300:
        data += answer.read1(262144)
        behind = 0
        for behind, _, frame in stamps(data):
            frames.append(frame)
        data = data[behind:]
        if closed is None and "slow_receiver" in server.log():
            closed = time.monotonic() - began
        assert time.monotonic() - began < 60, "the one who takes nothing is not closed"
    client.close()
    stuck.close()
    steps = {b - a for a, b in zip(frames, frames[1:])}
    assert steps == {1}, f"the other viewer missed pictures: {sorted(steps)}"
    assert 5 < closed < 45, closed
    assert server.process.poll() is None


def test_viewer_who_pauses_jumps_to_a_key_frame():
    """Slow, not gone: after the pause the picture goes on, from a key frame, without old ones."""
    server = one_server("stream main { url fake://fake bitrate=6M gop=1; }")
    wait_for(lambda: server.running("main"), 10, "main runs")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    client.settimeout(10)
    client.connect(("127.0.0.1", server.port))
    client.sendall(b"GET /main/mpegts?low_delay=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    data, seen = b"", []
    paused = False
    end = time.monotonic() + 40
    while time.monotonic() < end:
        data += client.recv(262144)
        behind = 0
        for behind, utc_us, frame in stamps(data):
            seen.append((frame, time.time() - utc_us / 1e6))
        data = data[behind:]
        if not paused and len(seen) > 50:
            paused = True
            time.sleep(8)  # the pause is what is tested
            resumed = len(seen)
        if paused and len(seen) > resumed + 20 and seen[-1][1] < 0.5:
            break
    client.close()
    assert paused and seen[-1][1] < 0.5, f"still {seen[-1][1]:.1f} s late"
    assert all(b[0] > a[0] for a, b in zip(seen, seen[1:])), "pictures in order"


def test_hundred_viewers_come_and_go():
    server = one_server()
    wait_for(lambda: server.running("main"), 10, "main runs")
    watchers = [subprocess.Popen([need("curl"), "-s", "-m", "3", "-o", "/dev/null", "-w",
                                  "%{size_download} ", server.url("/main/mpegts")],
                                 stdout=subprocess.PIPE) for _ in range(100)]
    wait_for(lambda: server.stats("main")["online_clients"] == 100, 20, "100 viewers are counted")
    sizes = [int(w.communicate(timeout=30)[0]) for w in watchers]
    assert min(sizes) > 100000, sorted(sizes)[:5]
    wait_for(lambda: server.stats("main")["online_clients"] == 0, 20, "nobody is left")
    wait_for(lambda: server.metric_sum("sluice_http_connections") <= 1, 10, "no connection is left")
