#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`make demo`: a source and a receiver with the two files of the README, a second stream from a real
video (or from INPUT), the addresses to open, a live line of state; Ctrl-C stops both cleanly."""
import argparse
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

VIDEO = "/usr/share/forensics-samples/original-files/movie2/movie-hello.mp4"


def free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
            return port
        except OSError:
            probe.bind(("", 0))
            other = probe.getsockname()[1]
            print(f"port {port} is taken, using {other}")
            return other


def own_address():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: this only chooses an address
            return probe.getsockname()[0]
        except OSError:
            return "127.0.0.1"


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None


def state_line(source, receiver, name):
    there = ask(source, f"/streamer/api/v3/streams/{name}") or {}
    here = ask(receiver, f"/streamer/api/v3/streams/{name}") or {}
    there, here = there.get("stats", {}), here.get("stats", {})
    status = ask(receiver, f"/{name}/recording_status.json")
    recorded = status.get(name) if isinstance(status, dict) else None
    archive, state = 0, here.get("status", "?")
    if isinstance(recorded, dict) and recorded.get("from"):
        archive = time.time() - recorded["from"]
    return (f"{name}: source {there.get('status', '?')} {(there.get('bitrate') or 0):.0f} kbit/s, "
            f"receiver {'pulls nothing yet' if state == 'waiting' else state}, "
            f"viewers {there.get('online_clients', 0)}+{here.get('online_clients', 0)}, "
            f"archive {archive:.0f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--input", help="for example rtsp://user:password@camera/stream")
    parser.add_argument("--seconds", type=float, default=0, help="end by itself")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="sluice-demo-")
    source, receiver = free(8888), free(9999)
    second = None
    if arguments.input:
        second = f"stream camera {{\n  input {arguments.input};\n  dvr {folder}/storage;\n}}\n"
    elif os.path.exists(VIDEO):
        second = f"stream video {{\n  input file://{VIDEO};\n  dvr {folder}/storage;\n}}\n"
    files = {
        "source.conf": f"http {source};\ncluster_key 123;\nstream main {{\n  url fake://fake;\n"
                       f"  dvr {folder}/storage;\n}}\n{second or ''}",
        "receiver.conf": f"http {receiver};\ncluster_key 123;\nsource m4s://127.0.0.1:{source};\n",
    }
    running = []
    for name, text in files.items():
        path = os.path.join(folder, name)
        with open(path, "w") as out:
            out.write(text)
        log = open(path.replace(".conf", ".log"), "w")
        running.append(subprocess.Popen([arguments.binary, "-d", "-c", path], stdout=log,
                                        stderr=log, start_new_session=True))
    # Whatever ends this program ends the servers.
    atexit.register(lambda: [p.terminate() for p in running if p.poll() is None])
    end = [False]

    def stop(number, frame):
        end[0] = True

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    host = own_address()
    names = ["main"] + (["camera"] if arguments.input else ["video"] if second else [])
    for role, port, name in (("source", source, "source.conf"),
                             ("receiver", receiver, "receiver.conf")):
        print(f"\n{role}, port {port}")
        print("\n".join("  " + line for line in files[name].splitlines()))
    print("\nEverything below is served by the receiver; only the source has the picture and "
          "the disk.")
    page = f"http://{host}:{receiver}/"
    print(f"  page       {page}")
    for name in names:
        print(f"  {name:9}  {page}{name}/index.m3u8          HLS, in a browser or VLC")
        print(f"             {page}{name}/mpegts?low_delay=1  MPEG-TS: ffplay, mpv, VLC")
        print(f"             {page}{name}/rewind-3600.m3u8    the archive of the source")
    print(f"logs and files: {folder}\nCtrl-C ends both.\n", flush=True)
    began = time.monotonic()
    code = 0
    limit = arguments.seconds or float("inf")
    while not end[0] and time.monotonic() - began < limit:
        time.sleep(1)
        dead = [p for p in running if p.poll() is not None]
        if dead:
            print(f"\na server ended with {dead[0].returncode}; see {folder}")
            code = 1
            break
        line = "   ".join(state_line(source, receiver, name) for name in names)
        if sys.stdout.isatty():
            print(f"\r\033[K{line[:shutil.get_terminal_size().columns - 1]}", end="", flush=True)
        else:
            print(line, flush=True)
    print("\nstopping both ...")
    for process in running:
        if process.poll() is None:
            process.terminate()
    for process in running:
        try:
            code = process.wait(15) or code
        except subprocess.TimeoutExpired:
            process.kill()
            code = 1
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    print("both ended cleanly" if code == 0 else f"not cleanly: see {folder}")
    return code


if __name__ == "__main__":
    sys.exit(main())
