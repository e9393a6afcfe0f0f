# SPDX-License-Identifier: MIT
"""The past of other servers, kept: caches, own archives with holes, several sources as one."""
import glob
import os
import time

from node import KEY, Node, decodes_cleanly, has_stream, pair, wait_for

MAIN = "stream main { url fake://fake; dvr @DIR@/storage; segment_duration 1; }"


def recorded(server, seconds, begin=None):
    """A window of whole seconds that is all there; its first second."""
    if begin is None:
        wait_for(lambda: server.get("/main/recording_status.json").json.get("main", {}).get("from"),
                 20,
                 "the recording has begun")
        begin = 2 + int(server.get("/main/recording_status.json").json["main"]["from"])
    wait_for(lambda: sum(server.playlist(f"/main/archive-{begin}-{seconds}.m3u8").durations
                         if server.get(f"/main/archive-{begin}-{seconds}.m3u8").status == 200
                         else [0]) >= seconds, 30, f"{seconds} s recorded")
    return begin


def sent_of_archive(source):
    return source.metric_sum("sluice_link_class_sent_bytes_total", **{"class": "archive"})


def answers(server, begin, seconds):
    """Everything that is made of a window."""
    window = f"/main/archive-{begin}-{seconds}"
    return [server.playlist(f"{window}.m3u8").hashes(),
            server.get(f"{window}.ts", check=200).body, server.get(f"{window}.mp4", check=200).body]


def test_second_look_costs_no_uplink_and_survives_what_befalls_the_cache():
    # Peers, 2.1: a segment cache at the centre, so that a second viewer costs no uplink.
    source, receiver = pair(MAIN, "cache @DIR@/ssd 2d 1G;")
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    begin = recorded(source, 6)
    there = answers(source, begin, 6)
    before = sent_of_archive(source)
    assert answers(receiver, begin, 6) == there
    first = sent_of_archive(source) - before
    assert first > 200000, first
    files = glob.glob(receiver.folder + "/ssd/*/main/*.seg")
    assert len(files) >= 3

    def again(what, most):
        base = sent_of_archive(source)
        assert answers(receiver, begin, 6) == there, what
        moved = sent_of_archive(source) - base
        assert moved <= most, f"{what}: {moved} bytes"
        return moved

    lists = 4096  # of segments, not segments
    again("a second look", lists)
    assert receiver.metric_sum("sluice_cache_hits_total") >= 9
    assert receiver.get("/streamer/api/v3/caches").json["caches"][0]["segments"] == len(files)
    assert receiver.stop() == 0
    with open(sorted(files)[2], "r+b") as damaged:
        damaged.seek(20000)
        byte = damaged.read(1)
        damaged.seek(20000)
        damaged.write(bytes([byte[0] ^ 1]))
    receiver.start()
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    moved = again("after a restart and with a damaged file", first / 2)
    assert moved > os.path.getsize(files[0]) / 4, "the damaged one was fetched"
    assert receiver.metric_sum("sluice_cache_damaged_total") == 1
    again("after it was healed", lists)
    source.kill()  # the uplink is cut
    wait_for(lambda: not receiver.metric_sum("sluice_link_up"), 20, "the link is down")
    assert answers(receiver, begin, 6) == there


def test_own_archive_with_a_hole_is_filled_from_the_source():
    # Peers, 2.7: own archive: records locally, fills holes from the origin on request.
    source, receiver = pair(MAIN, "only main; dvr @DIR@/own;")
    begin = recorded(receiver, 3)
    receiver.kill()
    gone = int(time.time())
    recorded(source, 3, gone + 1)  # which the receiver has not
    receiver.start()
    wait_for(lambda: has_stream(receiver, "main"), 10, "main on the receiver")
    now = int(time.time()) + 1
    wait_for(lambda: receiver.stats("main")["dvr_info"].get("segments_written", 0) > 3, 20,
             "it records again")
    seconds = now + 2 - begin
    recorded(source, seconds, begin)
    base = sent_of_archive(source)
    assert answers(receiver, begin, seconds) == answers(source, begin, seconds)
    moved = sent_of_archive(source) - base
    whole = len(source.get(f"/main/archive-{begin}-{seconds}.mp4").body)
    assert 0 < moved < 2.5 * whole, "what is here is not fetched"
    listed = receiver.get(f"/main/recording_status.json?from={begin}&to={begin + seconds}").json
    media = [r for r in listed[0]["ranges"] if r.get("reason", "none") == "none"]
    assert len(media) == 1, listed


def test_halves_of_two_sources_are_one_past():
    # Peers, 2.7: merging the archive of different servers.
    first = Node(f'http @PORT@; cluster_key "{KEY}"; {MAIN}', name="first")
    begin = recorded(first, 4)
    lost = MAIN.replace("fake://fake", "m4s://127.0.0.1:1/main")
    first.reload(f'http @PORT@; cluster_key "{KEY}"; {lost}')
    wait_for(lambda: not first.running("main"), 10, "the first has lost its input")
    second = Node(f'http @PORT@; cluster_key "{KEY}"; {MAIN}', name="second")
    later = recorded(second, 4)
    receiver = Node(f'http @PORT@; cluster_key "{KEY}"; source m4s://127.0.0.1:{second.port}; '
                    f'source m4s://127.0.0.1:{first.port};', name="receiver")
    wait_for(lambda: has_stream(receiver, "main") and
             len(receiver.stream("main")["inputs"]) == 2, 10, "both offer main")
    seconds = later + 4 - begin
    window = f"/main/archive-{begin}-{seconds}"
    merged = receiver.playlist(window + ".m3u8").hashes()
    early = first.playlist(f"/main/archive-{begin}-4.m3u8").hashes()
    late = second.playlist(f"/main/archive-{later}-4.m3u8").hashes()
    assert early.items() <= merged.items() and late.items() <= merged.items()
    assert len(early) >= 2 and len(late) >= 2
    path = os.path.join(receiver.folder, "both.ts")
    with open(path, "wb") as out:
        out.write(receiver.get(window + ".ts", check=200).body)
    assert os.path.getsize(path) > 200000
