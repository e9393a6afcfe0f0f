# SPDX-License-Identifier: MIT
"""kill -9 again and again under load; each life goes on with the archive of those before.

Lives of 0.3 to 2 s with several recorded streams at a high rate. Of each life a live viewer of every
stream knows the last picture before the kill; the archive of the next life has to have all but the
last second of it. Points of the list of peers' troubles (2.1): power loss leaves unreadable files,
recording stops in silence, files on disk that the index does not know; of the design lessons (6): a
recorder's loss at a crash that is published, and the test that shows it.

    KILLS=100 make e2e T=crash
"""
import os
import random
import time

import node
from dvr_test import Watcher, archived, ready
from node import Node, decodes_cleanly

KILLS = int(os.environ.get("KILLS", "8"))
SEED = int(os.environ.get("SEED", "0")) or int(time.time())
LOSS_MOST_S = 1.0
STREAMS = ("one", "two", "three")


def config(folder):
    return "http @PORT@;\n" + "".join(
        f"stream {name} {{ input fake://fake width=320 height=180 bitrate={rate}; "
        f"dvr {folder}/dvr; segment_duration 1; }}\n"
        for name, rate in zip(STREAMS, ("2M", "1M", "500k")))


def one_life(server, chance):
    """(first, last) UTC that viewers saw of each stream before the kill."""
    for name in STREAMS:
        ready(server, name)
    watchers = {name: Watcher(server, name) for name in STREAMS}
    for name, watcher in watchers.items():
        node.wait_for(lambda w=watcher: w.seen, 20, f"the first picture of {name}")
    time.sleep(chance.uniform(0.3, 2.0))  # how long a life is, not a wait for something
    server.kill()
    return {name: watcher.end() for name, watcher in watchers.items()}


def test_kills_under_load_lose_the_last_second_at_most():
    chance = random.Random(SEED)
    server = Node(config("@DIR@"), name="crash")
    losses, holes, lives = [], 0, []
    for _ in range(KILLS):
        lives.append(one_life(server, chance))
        server.start()
    # What every life left, read in the last one.
    for name in STREAMS:
        ready(server, name)
    for number, life in enumerate(lives):
        for name, seen in life.items():
            kept = archived(server, seen[0][0], seen[-1][0], name)
            assert len(kept) == len(set(kept)), f"seed {SEED}: {name} has pictures twice"
            # A life of less than a part may leave nothing.
            loss = (seen[-1][0] - (kept[-1] if kept else seen[0])[0]) / 1e6
            had = {frame for _, frame in seen}
            gone = had - {frame for _, frame in kept}
            before = [f for u, f in seen if kept and u <= kept[-1][0] and f in gone]
            holes += len(before)
            losses.append(loss)
            assert loss <= LOSS_MOST_S, f"seed {SEED}: life {number} of {name} lost {loss:.2f} s"
    losses.sort()
    print(f"kill -9: kills={KILLS} streams={len(STREAMS)} seed={SEED} lost per stream and kill: "
          f"median={losses[len(losses) // 2]:.2f}s p90={losses[len(losses) * 9 // 10]:.2f}s "
          f"most={losses[-1]:.2f}s; pictures missing before that: {holes}")
    assert holes == 0, f"seed {SEED}: {holes} pictures are missing from the middle"
    first = min(life["one"][0][0] for life in lives[-3:]) // 1000000
    span = int(time.time()) - first
    for name in STREAMS:
        decodes_cleanly(server.url(f"/{name}/archive-{first}-{span}.mp4"))
