# SPDX-License-Identifier: MIT
"""What end-to-end tests share: real daemons on free ports in temporary folders, real clients.

A Node starts in its constructor, is stopped by close() (or `with`), and keeps its log, which the runner
shows when the test fails. Nothing here sleeps for a guess: wait_for() polls a condition until a limit.
"""
import contextlib
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

BINARY = os.path.abspath(os.environ.get("SLUICE", "build/sluice"))
# What the address sanitizer keeps of freed memory (256 MB unless told) must not look like a leak.
ENVIRONMENT = {"ASAN_OPTIONS": "quarantine_size_mb=8", **os.environ}
KEY = "a long enough key for tests"
EXPECTED = (signal.SIGKILL, signal.SIGTERM)
_nodes = []


class Skip(Exception):
    """Raised by a test that cannot run here; counted and printed."""


def need(program):
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    return path


def free_port():
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, limit=20.0, what="condition"):
    """Value of condition() as soon as it is true; AssertionError after limit seconds."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit} s (last: {value!r})")
        time.sleep(0.02)  # between two looks, not a guess of how long something takes


class Response:
    def __init__(self, status, headers, body, first_byte_s):
        self.status, self.headers, self.body = status, headers, body
        self.first_byte_s = first_byte_s

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)


class Node:
    def __init__(self, config, port=None, folder=None, wait=True, name="node", environment=None):
        self.port = port or free_port()
        self.folder = folder or tempfile.mkdtemp(prefix="sluice-e2e-")
        self.name = name
        self.environment = {**ENVIRONMENT, **(environment or {})}
        self.conf = os.path.join(self.folder, f"{name}.conf")
        self.log_path = os.path.join(self.folder, f"{name}.log")
        self.process = None
        self.write(config)
        self.start(wait)
        _nodes.append(self)

    def write(self, config):
        text = config.replace("@PORT@", str(self.port)).replace("@DIR@", self.folder)
        with open(self.conf + ".new", "w") as out:
            out.write(text)
        os.rename(self.conf + ".new", self.conf)  # nobody reads half of it

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([BINARY, "-d", "-c", self.conf], stdout=log, stderr=log,
                                            env=self.environment)
        if wait:
            wait_for(self.answers, 15, f"{self.name} answers on port {self.port}")

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}\n{self.log()}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def url(self, path):
        return f"http://127.0.0.1:{self.port}{path}"

    def get(self, path, headers=None, method="GET", timeout=20, check=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        began = time.monotonic()
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            first = time.monotonic() - began
            body = answer.read()
        finally:
            connection.close()
        if check is not None:
            assert answer.status == check, f"{path}: {answer.status} {body[:300]!r}"
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body, first)

    def stream(self, name):
        return self.get(f"/streamer/api/v3/streams/{name}", check=200).json

    def stats(self, name):
        return self.stream(name)["stats"]

    def metrics(self):
        values = {}
        for line in self.get("/metrics", check=200).text.splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                values[key] = float(value)
        return values

    def metric_sum(self, name, **labels):
        total, found = 0.0, False
        for key, value in self.metrics().items():
            if key == name or key.startswith(name + "{"):
                if all(f'{k}="{v}"' in key for k, v in labels.items()):
                    total, found = total + value, True
        assert found, f"no metric {name} {labels}"
        return total

    def running(self, name):
        """True when frames of the stream flow."""
        answer = self.get(f"/streamer/api/v3/streams/{name}")
        return answer.status == 200 and answer.json["stats"].get("status") == "running"

    def playlist(self, path, check=200):
        return Playlist(self, path, self.get(path, check=check).text)

    def log(self):
        with open(self.log_path, errors="replace") as text:
            return text.read()

    def reload(self, config=None):
        if config is not None:
            self.write(config)
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        self.process.kill()
        self.process.wait(10)

    def stop(self, limit=15):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(limit)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
                raise AssertionError(f"{self.name} did not end within {limit} s of SIGTERM")
        return self.process.returncode

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *failure):
        self.close()


class Playlist:
    """A media playlist, read."""

    def __init__(self, node, path, text):
        self.node, self.path, self.text = node, path, text
        assert text.startswith("#EXTM3U"), text[:100]
        self.uris = [line for line in text.splitlines() if line and not line.startswith("#")]
        self.durations = [float(d) for d in re.findall(r"#EXTINF:([0-9.]+)", text)]
        found = re.search(r"#EXT-X-MEDIA-SEQUENCE:(\d+)", text)
        self.sequence = int(found.group(1)) if found else None
        found = re.search(r'#EXT-X-MAP:URI="([^"]+)"', text)
        self.map = found.group(1) if found else None
        self.ended = "#EXT-X-ENDLIST" in text
        self.discontinuities = text.count("#EXT-X-DISCONTINUITY\n")

    def address(self, uri):
        return self.path.rsplit("/", 1)[0] + "/" + uri

    def fetch(self, uri):
        return self.node.get(self.address(uri), check=200).body

    def hashes(self):
        return {uri: hashlib.sha256(self.fetch(uri)).hexdigest() for uri in self.uris}


def forget_nodes():
    """Ends every node of the last test; returns their logs for a failure report, and what is wrong
    with a node whatever its test thought: it crashed, or a sanitizer complained. Under a sanitizer
    nodes end in order, so that it looks for leaks."""
    logs, wrong = [], []
    for node in _nodes:
        try:
            node.stop() if "/san/" in BINARY else node.close()
        except AssertionError as slow:
            wrong.append(str(slow))
        log = node.log()
        code = node.process.returncode
        if "Sanitizer" in log or "runtime error:" in log or (code < 0 and -code not in EXPECTED):
            wrong.append(f"{node.name} ended with {code}")
        logs.append((node.name, log))
        shutil.rmtree(node.folder, ignore_errors=True)
    _nodes.clear()
    return logs, wrong


def run(arguments, timeout=60, **options):
    return subprocess.run(arguments, capture_output=True, timeout=timeout, **options)


def decodes_cleanly(source, seconds=None, expect_warnings=(), timeout=60):
    """Decodes everything with ffmpeg; any word of complaint is a failure."""
    need("ffmpeg")
    limit = ["-t", str(seconds)] if seconds else []
    done = run(["ffmpeg", "-hide_banner", "-nostdin", "-v", "warning", "-xerror", *limit, "-i",
                source, *limit, "-f", "null", "-"], timeout=timeout)
    lines = [line for line in done.stderr.decode(errors="replace").splitlines()
             if not any(word in line for word in expect_warnings)]
    assert done.returncode == 0 and not lines, f"{source}: {done.returncode} {lines[:10]}"


def probe(source, entries="stream=codec_name,codec_type,width,height:format=duration",
          packets=False, timeout=40, extra=()):
    """packets: reads everything and counts (nb_read_packets)."""
    need("ffprobe")
    count = [*extra, "-count_packets"] if packets else extra
    done = run(["ffprobe", "-v", "error", *count, "-show_entries", entries, "-of", "json", source],
               timeout=timeout)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)


def packets(source, stream="v:0", timeout=40):
    """pts_time and flags of every packet of a stream."""
    need("ffprobe")
    done = run(["ffprobe", "-v", "error", "-select_streams", stream, "-show_entries",
                "packet=pts_time,dts_time,flags", "-of", "json", source], timeout=timeout)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    return json.loads(done.stdout)["packets"]


def pair(source_streams, receiver_extra="", source_extra="", key=KEY, scheme="m4s://"):
    """A source with these streams, and a receiver that has the source."""
    source = Node(f'http @PORT@;\ncluster_key "{key}";\n{source_extra}\n{source_streams}\n',
                  name="source")
    receiver = Node(f'http @PORT@;\ncluster_key "{key}";\n'
                    f'source {scheme}127.0.0.1:{source.port} {{ {receiver_extra} }}\n',
                    name="receiver")
    return source, receiver


def has_stream(node, name):
    return node.get(f"/streamer/api/v3/streams/{name}").status == 200
