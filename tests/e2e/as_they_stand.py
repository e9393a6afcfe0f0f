#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run in namespaces of its own by pair_test: the two files of the mission, character for character."""
import os
import subprocess
import sys

SOURCE = """http 8888;
cluster_key 123;
stream main {
  url fake://fake;
  dvr /storage;
}
"""
RECEIVER = """http 9999;
cluster_key 123;
source m4s://FLUSSONIC-IP:8888;
"""


def main():
    binary = os.path.abspath(sys.argv[1])
    os.environ["SLUICE"] = binary
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    made = not os.path.isdir("/storage")
    os.makedirs("/storage", exist_ok=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/storage"], check=True)
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import node
        source = node.Node(SOURCE, port=8888, name="source")
        receiver = node.Node(RECEIVER.replace("FLUSSONIC-IP", "127.0.0.1"), port=9999,
                             name="receiver")
        try:
            node.wait_for(lambda: node.has_stream(receiver, "main"), 10, "main on the receiver")
            assert "guess" in source.log(), "a warning that 123 can be guessed\n" + source.log()
            node.decodes_cleanly(receiver.url("/main/mpegts"), seconds=3)
            node.wait_for(lambda: receiver.get("/main/recording_status.json").json["main"].get("to"),
                          20, "the archive is there, with nothing configured")
            began = receiver.get("/main/recording_status.json").json["main"]["from"]
            window = f"/main/archive-{began}-8.m3u8"
            node.wait_for(lambda: receiver.get(window).status == 200, 20, "the archive plays")
            node.decodes_cleanly(receiver.url(window))
            assert source.stop() == 0 and receiver.stop() == 0
            assert any(name.endswith(".mp4") for _, _, files in os.walk("/storage/main")
                       for name in files)
        except Exception:
            for server in (source, receiver):
                print(f"--- {server.name}\n{server.log()}")
            raise
        finally:
            node.forget_nodes()
    finally:
        subprocess.run(["umount", "/storage"], check=False)
        if made:
            os.rmdir("/storage")


if __name__ == "__main__":
    main()
