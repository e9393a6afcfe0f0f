# SPDX-License-Identifier: MIT
"""The link between two servers: strangers at its port, cuts, peers that stop, a second source."""
import http.client
import os
import random
import select
import signal
import socket
import ssl
import threading
import time

import node
from node import Node, has_stream, pair, wait_for
from sei import stamps

MAIN = "stream main { url fake://fake; dvr @DIR@/dvr; segment_duration 2; }"


class Watcher(threading.Thread):
    """Watches a live stream; keeps (arrival, UTC in the picture, number) of its pictures."""

    def __init__(self, server, name="main"):
        super().__init__(daemon=True)
        self.seen, self.ended, self.stopped = [], False, False
        self.client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
        self.client.request("GET", f"/{name}/mpegts?low_delay=1")
        self.answer = self.client.getresponse()
        self.start()

    def run(self):
        data = b""
        try:
            while not self.stopped and (piece := self.answer.read1(65536)):
                data += piece
                behind, arrived = 0, time.time()
                for behind, utc_us, frame in stamps(data):
                    self.seen.append((arrived, utc_us / 1e6, frame))
                data = data[behind:]
        except (OSError, http.client.HTTPException, ValueError):
            pass
        self.ended = not self.stopped

    def stop(self):
        self.stopped = True
        self.join(10)
        self.client.close()

    def more(self, count=25, limit=20, what="pictures"):
        at = len(self.seen)
        wait_for(lambda: len(self.seen) >= at + count, limit, what)

    def missed(self, since=0):
        frames = [frame for _, _, frame in self.seen[since:]]
        return sum(b - a - 1 for a, b in zip(frames, frames[1:]))


class Proxy(threading.Thread):
    """A wire that can be cut and frozen, between whoever connects and the port."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target, self.listener = port, socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs, self.lock = {}, threading.Lock()
        self.frozen, self.closed = False, False
        self.start()

    def run(self):
        while not self.closed:
            with self.lock:
                ends = [] if self.frozen else list(self.pairs)
            readable = select.select([self.listener, *ends], [], [], 0.01)[0]
            for end in readable:
                if end is self.listener:
                    self.accept()
                else:
                    self.move(end)

    def accept(self):
        near = self.listener.accept()[0]
        if self.closed:
            return near.close()
        try:
            far = socket.create_connection(("127.0.0.1", self.target), 2)
        except OSError:
            return near.close()
        with self.lock:
            self.pairs[near], self.pairs[far] = far, near

    def move(self, end):
        other = self.pairs.get(end)
        try:
            piece = end.recv(65536)
            if piece and other:
                other.sendall(piece)
                return
        except OSError:
            pass
        self.drop(end)

    def drop(self, end):
        with self.lock:
            other = self.pairs.pop(end, None)
            self.pairs.pop(other, None)
        for one in (end, other):
            if one:
                one.close()

    def cut(self):
        """Resets what is there; new connections are refused until restore()."""
        self.closed = True
        self.join(5)
        self.listener.close()
        while self.pairs:
            end = next(iter(self.pairs))
            for one in (end, self.pairs[end]):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.drop(end)

    def restored(self):
        """The same wire again, on the same port."""
        again = Proxy.__new__(Proxy)
        threading.Thread.__init__(again, daemon=True)
        again.target, again.port = self.target, self.port
        again.listener = socket.create_server(("127.0.0.1", self.port))
        again.pairs, again.lock, again.frozen, again.closed = {}, threading.Lock(), False, False
        again.start()
        return again


def wired_pair(streams=MAIN, more=""):
    source = Node(f'http @PORT@;\ncluster_key "{node.KEY}";\n{streams}\n', name="source")
    wire = Proxy(source.port)
    receiver = Node(f'http @PORT@;\ncluster_key "{node.KEY}";\nsource m4s://127.0.0.1:{wire.port};\n'
                    f"{more}", name="receiver")
    wait_for(lambda: has_stream(receiver, "main"), 15, "main on the receiver")
    return source, wire, receiver


def test_cut_wire_is_noticed_and_viewers_stay():
    source, wire, receiver = wired_pair()
    far, near = Watcher(receiver), Watcher(source)
    far.more(50)
    for _ in range(2):
        wire.cut()
        wait_for(lambda: not receiver.running("main"), 5, "the cut is noticed")
        near.more(25, what="the source's own viewers go on")
        back = time.monotonic()
        wire = wire.restored()
        far.more(50, 20, "the viewer of the receiver goes on")
        assert time.monotonic() - back < 15
    assert not far.ended and near.missed() == 0
    numbers = [frame for _, _, frame in far.seen]
    assert numbers == sorted(set(numbers)), "no picture twice, none out of order"
    for who in (far, near):
        who.stop()
    # Past the cuts the segments are the source's again: numbers, bytes.
    def same():
        here, there = receiver.playlist("/main/index.m3u8"), source.playlist("/main/index.m3u8")
        both = [uri for uri in here.uris if uri in there.uris]
        return len(both) >= 3 and (here, there, both)
    here, there, both = wait_for(same, 30, "windows that meet")
    for uri in both:
        assert here.fetch(uri) == there.fetch(uri), uri
        assert (here.sequence + here.uris.index(uri) ==
                there.sequence + there.uris.index(uri)), (here.text, there.text)


def test_silent_wire_is_noticed_within_five_seconds():
    """Nothing is closed, nothing arrives: a router that forgot, a cable that was pulled."""
    source, wire, receiver = wired_pair()
    far = Watcher(receiver)
    far.more(50)
    wire.frozen = True
    began = time.monotonic()
    wait_for(lambda: not receiver.running("main"), 10, "the silence is noticed")
    took = time.monotonic() - began
    print(f"  a dead wire was noticed after {took:.1f} s")
    assert took < 5.5, took
    assert "reason=silent_peer" in receiver.log(), "and named"
    wire.cut()
    wire = wire.restored()
    far.more(50, 20, "the viewer goes on")
    far.stop()
    assert not far.ended


def test_peer_that_stops_reading_costs_nobody_else():
    source, receiver = pair(MAIN)
    other = Node(f'http @PORT@;\ncluster_key "{node.KEY}";\nsource m4s://127.0.0.1:{source.port};\n',
                 name="other")
    for who in (receiver, other):
        wait_for(lambda who=who: has_stream(who, "main"), 15, "main everywhere")
    stuck, well, own = Watcher(receiver), Watcher(other), Watcher(source)
    for who in (stuck, well, own):
        who.more(30)
    memory = source.metric_sum("process_resident_memory_bytes")
    receiver.process.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: "down reason=" in source.log(), 30, "the source lets the stopped one go")
        well.more(25)
    finally:
        receiver.process.send_signal(signal.SIGCONT)
    assert source.metric_sum("process_resident_memory_bytes") - memory < 30e6
    stuck.more(50, 30, "the stopped one comes back, and its viewer with it")
    for who in (stuck, well, own):
        who.stop()
        assert not who.ended
    assert own.missed() == 0 and well.missed() == 0
    late = sorted(arrived - utc for arrived, utc, _ in well.seen[40:])
    assert late[int(len(late) * 0.95)] < 0.5, f"others were {late[-1]:.2f} s late"


def test_second_source_takes_over_and_gives_back():
    first, second = (Node(f'http @PORT@;\ncluster_key "{node.KEY}";\n'
                          f"stream main {{ url fake://fake width={width} height=180; }}\n", name=name)
                     for name, width in (("first", 320), ("second", 384)))
    receiver = Node(f'http @PORT@;\ncluster_key "{node.KEY}";\n'
                    f"source m4s://127.0.0.1:{first.port};\nsource m4s://127.0.0.1:{second.port};\n",
                    name="receiver")

    def width():
        tracks = receiver.get("/main/media_info.json").json["tracks"]
        return tracks[0].get("width") if tracks else None

    wait_for(lambda: has_stream(receiver, "main"), 15, "main on the receiver")
    wait_for(lambda: receiver.log().count("catalogue") >= 2, 10, "both catalogues")
    assert len(receiver.stream("main")["inputs"]) == 2, receiver.stream("main")["inputs"]
    viewer = Watcher(receiver)
    viewer.more(30)
    wait_for(lambda: width() == 320, 10, "the first source plays")
    first.kill()
    began = time.monotonic()
    wait_for(lambda: width() == 384 and receiver.running("main"), 10, "the second one plays")
    print(f"  the second source played {time.monotonic() - began:.2f} s after the first died")
    viewer.more(25)
    first.start()
    wait_for(lambda: width() == 320, 30, "the first one plays again")
    viewer.more(25)
    viewer.stop()
    assert not viewer.ended, "the viewer stayed all the time"


def connections(server):
    """Of links, as the kernel counts those of the process."""
    found = node.run(["ss", "-Htnp", "state", "established"]).stdout.decode()
    return [line for line in found.splitlines() if f"pid={server.process.pid}," in line]


def test_servers_that_name_each_other_have_one_connection():
    """Both ways over one link; what one has from the other is not offered back."""
    node.need("ss")
    ports = [node.free_port(), node.free_port()]
    def text(at, source=True):
        line = f"source m4s://127.0.0.1:{ports[1 - at]};" if source else ""
        return (f'http @PORT@;\ncluster_key "{node.KEY}";\n{line}\n'
                f"stream cam{at} {{ url fake://fake; dvr @DIR@/dvr; segment_duration 2; }}\n")
    servers = [Node(text(at), port=ports[at], name=f"server{at}") for at in (0, 1)]
    for at in (0, 1):
        wait_for(lambda: has_stream(servers[at], f"cam{1 - at}"), 20, "the other one's stream")
    wait_for(lambda: [len(connections(one)) for one in servers] == [1, 1], 10, "one connection")
    watchers = [Watcher(servers[at], f"cam{1 - at}") for at in (0, 1)]
    for watcher in watchers:
        watcher.more(50)
    for at in (0, 1):
        got = servers[at].get("/streamer/api/v3/streams").json["streams"]
        assert {one["name"]: len(one["inputs"]) for one in got} == {"cam0": 1, "cam1": 1}, got
        links = servers[at].get("/streamer/api/v3/cluster/sources").json["links"]
        assert all(one["status"] == "running" for one in links), links
        assert sum(one["by"] is not None for one in links) <= 1, links
    # A reload takes one direction away: the other one goes on, without a break.
    rides = [any(one["by"] for one in one_of.get("/streamer/api/v3/cluster/sources").json["links"])
             for one_of in servers]
    assert sorted(rides) == [False, True], rides
    dialled = rides.index(False)
    servers[dialled].reload(text(dialled, source=False))
    wait_for(lambda: not has_stream(servers[dialled], f"cam{1 - dialled}"), 10, "the source is gone")
    stays = watchers[1 - dialled]
    stays.more(50)
    assert stays.missed() == 0 and not stays.ended
    # It comes back, and the connection breaks: one again.
    servers[dialled].reload(text(dialled))
    wait_for(lambda: has_stream(servers[dialled], f"cam{1 - dialled}"), 10, "the source is back")
    servers[1 - dialled].kill()
    servers[1 - dialled].start()
    for watcher in watchers:
        watcher.stop()
    for at in (0, 1):
        wait_for(lambda: has_stream(servers[at], f"cam{1 - at}"), 20, "the other one's stream")
    wait_for(lambda: [len(connections(one)) for one in servers] == [1, 1], 20, "one connection")
    for at in (0, 1):
        watcher = Watcher(servers[at], f"cam{1 - at}")
        watcher.more(25)
        watcher.stop()
    for server in servers:
        assert "reason=duplicate" not in server.log(), server.log()


def test_ring_of_three_servers_offers_each_stream_once():
    """peers.md 2.2: servers in a circle; a stream that is taken away goes everywhere."""
    ports = [node.free_port() for _ in range(3)]
    def text(at, streams):
        return (f'http @PORT@;\ncluster_key "{node.KEY}";\n'
                f"source m4s://127.0.0.1:{ports[(at + 1) % 3]};\n{streams}\n")
    servers = [Node(text(at, f"stream cam{at} {{ url fake://fake; }}"), port=ports[at],
                    name=f"server{at}") for at in range(3)]
    names = {f"cam{at}" for at in range(3)}
    def known(server):
        return {one["name"] for one in server.get("/streamer/api/v3/streams").json["streams"]}
    for server in servers:
        wait_for(lambda: known(server) == names, 20, "all three streams")
    watchers = [Watcher(server, name) for server in servers for name in names]
    for watcher in watchers:
        watcher.more(25)
        watcher.stop()
    servers[0].reload(text(0, ""))
    for server in servers:
        wait_for(lambda: known(server) == names - {"cam0"}, 20, "the stream is gone everywhere")


def hello():
    """What a TLS client says first."""
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    client = context.wrap_bio(theirs, ours, server_hostname="x")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return ours.read()


def test_garbage_at_the_port_disturbs_nobody():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    viewer = Watcher(receiver)
    viewer.more(30)
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"  SEED={seed}")
    chance = random.Random(seed)
    memory = source.metric_sum("process_resident_memory_bytes")
    real = hello()
    held = []
    for number in range(300):
        stranger = socket.create_connection(("127.0.0.1", source.port), 5)
        kind = number % 6
        try:
            if kind == 0:
                stranger.sendall(real + chance.randbytes(chance.randrange(2000)))
            elif kind == 1:
                stranger.sendall(real[:chance.randrange(1, len(real))])
            elif kind == 2:
                stranger.sendall(b"\x16\x03\x01" + chance.randbytes(400))
            elif kind == 3:
                broken = bytearray(real)
                for _ in range(5):
                    broken[chance.randrange(5, len(broken))] ^= 1 << chance.randrange(8)
                stranger.sendall(broken)
            elif kind == 4:
                stranger.sendall(chance.randbytes(chance.randrange(1, 3000)))
            else:
                stranger.sendall(b"GET /main/mpegts HTTP/1.1\r\nHo")  # and never the rest
        except OSError:
            pass
        if number % 3 == 0:
            stranger.close()
        else:
            held.append(stranger)
    viewer.more(50, what="pictures among strangers")
    # All of them are gone in the end, also those that say nothing more.
    wait_for(lambda: source.metric_sum("sluice_http_connections") <= 3, 40, "strangers are closed")
    for stranger in held:
        stranger.close()
    viewer.stop()
    assert not viewer.ended and viewer.missed() == 0
    assert source.metric_sum("process_resident_memory_bytes") - memory < 30e6
    assert "down reason" not in source.log().split("catalogue")[0], source.log()
    assert source.stop() == 0


def test_thousands_of_connections_come_and_go():
    source, receiver = pair(MAIN)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    viewer = Watcher(receiver)
    viewer.more(30)
    real, opened = hello(), 0
    for number in range(3000):
        with socket.socket() as stranger:
            stranger.settimeout(5)
            stranger.connect(("127.0.0.1", source.port))
            opened += 1
            if number % 3 == 0:
                stranger.sendall(real)
            elif number % 3 == 1:
                stranger.sendall(b"\r\n")
            if number % 2:
                stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    assert opened == 3000
    viewer.more(25)
    viewer.stop()
    assert not viewer.ended and viewer.missed() == 0, viewer.missed()
    wait_for(lambda: source.metric_sum("sluice_http_connections") <= 3, 30, "none is left")


def test_archive_download_does_not_delay_live():
    """A big download over the same link: live keeps its place before it."""
    streams = "stream main { url fake://fake bitrate=4M; dvr @DIR@/dvr; segment_duration 2; }"
    source, receiver = pair(streams)
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    viewer = Watcher(receiver)
    wait_for(lambda: source.stats("main").get("dvr_info", {}).get("depth", 0) >= 10, 40,
             "ten seconds of archive")
    began = source.stats("main")["dvr_info"]["from"]
    first = len(viewer.seen)
    sizes, stopped = [], time.monotonic() + 6

    def download():
        while time.monotonic() < stopped:
            sizes.append(len(receiver.get(f"/main/archive-{began}-10.ts", timeout=60).body))

    loads = [threading.Thread(target=download) for _ in range(2)]
    for load in loads:
        load.start()
    for load in loads:
        load.join(60)
    last = len(viewer.seen)
    viewer.stop()
    assert min(sizes) > 1e6, sizes
    late = sorted(arrived - utc for arrived, utc, _ in viewer.seen[first:last])
    print(f"  {sum(sizes) / 6e6:.0f} MB/s of archive beside live that was {late[len(late) // 2] * 1e3:.1f} ms "
          f"behind (99 % under {late[int(len(late) * 0.99)] * 1e3:.0f} ms)")
    assert viewer.missed() == 0
    assert late[len(late) // 2] < 0.1, late[len(late) // 2]
