# SPDX-License-Identifier: MIT
"""The past in every form that IPTV applications ask for, on the source and on the receiver alike."""
import base64
import os
import subprocess
import time
from urllib.parse import urlsplit

from node import has_stream, need, pair, probe, wait_for

QUICK = "stream main { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }"


def recorded_pair(extra=""):
    source, receiver = pair(QUICK, source_extra=extra)
    wait_for(lambda: has_stream(receiver, "main"), 15, "main on the receiver")
    wait_for(lambda: "from" in source.stats("main")["dvr_info"], 10, "an archive")
    began = int(source.stats("main")["dvr_info"]["from"]) + 1
    wait_for(lambda: time.time() > began + 9, 20, "9 s of archive")
    return source, receiver, began


def catchup(live, began, ago):
    """What applications with a catch-up mode called flussonic ask for instead of a live address.

    Kodi's IPTV Simple (flussonic, fs, flussonic-hls, flussonic-ts), OTT Navigator, Stalker."""
    parts = urlsplit(live)
    folder, last = parts.path.rsplit("/", 1)
    token = "?" + parts.query if parts.query else ""
    if last == "mpegts":
        return [f"{folder}/timeshift_abs-{began}.ts{token}", f"{folder}/timeshift_rel-{ago}.ts{token}",
                f"{folder}/timeshift_abs/{began}{token}", f"{folder}/archive-{began}-4.ts{token}"]
    name = last.removesuffix(".m3u8")
    first = "" if name == "index" else name + "-"
    return [f"{folder}/{first}timeshift_rel-{ago}.m3u8{token}",
            f"{folder}/{first}timeshift_abs-{began}.m3u8{token}",
            f"{folder}/{'archive' if name == 'index' else name}-{began}-4.m3u8{token}",
            f"{folder}/{name}-{began}-now.m3u8{token}",
            f"{folder}/{first}rewind-8.m3u8{token}"]


def test_catchup_addresses_of_iptv_applications():
    source, receiver, began = recorded_pair()
    checked = 0
    for server in (source, receiver):
        for live in ("/main/index.m3u8", "/main/index.m3u8?token=s3-cr.et", "/main/video.m3u8?token=a",
                     "/main/video1.m3u8", "/main/mono.m3u8?token=a&b=c", "/main/mpegts?token=a",
                     "/main/mpegts"):
            for path in catchup(live, began, 6):
                if ".m3u8" not in path:
                    head = subprocess.run(["curl", "-sI", "-m", "5", "-o", "/dev/null", "-w",
                                           "%{http_code} %{content_type}", server.url(path)],
                                          capture_output=True, text=True)
                    assert head.stdout == "200 video/mp2t", (path, head.stdout)
                    continue
                listed = server.playlist(path)
                if "#EXT-X-STREAM-INF" in listed.text:  # a session: the token goes along
                    inner = listed.address(listed.uris[0])
                    assert urlsplit(path).query in inner, inner
                    listed = server.playlist(inner)
                assert listed.uris and all(".ts" in uri for uri in listed.uris), (path, listed.text)
                assert server.get(listed.address(listed.uris[0]), check=200).body[0] == 0x47
                checked += 1
    assert checked >= 2 * 5 * 5, checked
    # One of each kind, as a player sees it.
    for path in catchup("/main/index.m3u8?token=a", began, 6)[:3]:
        seen = {one["codec_name"] for one in probe(receiver.url(path))["streams"]}
        assert seen == {"h264", "aac"}, (path, seen)
    need("ffmpeg")
    begin = time.monotonic()
    done = subprocess.run(["ffmpeg", "-v", "warning", "-nostdin", "-t", "8", "-i",
                           receiver.url(f"/main/timeshift_abs-{began}.ts?token=a"), "-c", "copy", "-f",
                           "null", "-"], capture_output=True, text=True, timeout=40)
    took = time.monotonic() - begin
    assert done.returncode == 0 and not done.stderr, done.stderr
    assert 1.5 < took < 9, f"8 s, of which 5 may come at once, took {took:.1f} s"


def test_pictures_time_lapses_and_exports():
    source, receiver, began = recorded_pair("export_path @DIR@/exports;")
    moment = began + 4
    utc = time.strftime("%Y/%m/%d/%H/%M/%S", time.gmtime(moment))
    for server in (source, receiver):
        for path in ("preview.mp4", f"{moment}-preview.mp4", f"{utc}-preview.mp4"):
            found = probe(server.url(f"/main/{path}"), "stream=codec_name,width,nb_read_packets", packets=True)
            assert found["streams"] == [{"codec_name": "h264", "width": 640, "nb_read_packets": "1"}], found
        for what, length in (("timelapse", 8 / 25), ("timelapse=4", 4)):
            found = probe(server.url(f"/main/archive-{began}-8.mp4?{what}"),
                          "stream=codec_name,nb_read_packets:format=duration", packets=True)
            assert len(found["streams"]) == 1 and found["streams"][0]["nb_read_packets"] == "8", found
            assert abs(float(found["format"]["duration"]) - length) < 0.05, found
    paths = (f"/main/archive-{began}-8.mp4?timelapse", f"/main/{moment}-preview.mp4")
    for path in paths:
        assert source.get(path, check=200).body == receiver.get(path, check=200).body, path
    # Exports: only where the configuration allows it, and the same bytes as the download.
    post = f"/streamer/api/v3/streams/main/dvr/export?from={began}&duration=6&path=day/one.mp4"
    assert receiver.get(post, method="POST").status == 403
    assert source.get(post, method="POST").status == 200
    wait_for(lambda: '"done"' in source.get("/streamer/api/v3/dvr_export_jobs/1").text, 10, "the export")
    with open(f"{source.folder}/exports/day/one.mp4", "rb") as exported:
        assert exported.read() == source.get(f"/main/archive-{began}-6.mp4", check=200).body


def test_exports_are_for_the_admin():
    source, _, began = recorded_pair("export_path @DIR@/exports; edit_auth admin \"s3cr:t\";")
    jobs = "/streamer/api/v3/dvr_export_jobs"
    save = f"/main/save-mp4-{began}-6?file="
    post = f"/streamer/api/v3/streams/main/dvr/export?from={began}&duration=6&path="
    # As through a proxy of another machine.
    other = {"X-Forwarded-For": "192.0.2.7"}
    wrong = {**other, "Authorization": "Basic " + base64.b64encode(b"admin:secret").decode()}
    admin = {**other, "Authorization": "Basic " + base64.b64encode(b"admin:s3cr:t").decode()}
    page = {**admin, "Origin": "http://elsewhere.example"}
    asked = ((save + "a.mp4", "GET"), (post + "b.mp4", "POST"), (jobs, "GET"), (jobs + "/1", "GET"),
             (jobs + "/1", "DELETE"))
    for headers, status in ((other, 401), (wrong, 401), (page, 403)):
        for path, method in asked:
            assert source.get(path, method=method, headers=headers).status == status, (path, headers)
    assert source.get(jobs).json == {"jobs": []} and not os.path.exists(f"{source.folder}/exports/a.mp4")
    first = source.get(save + "a.mp4", headers=admin, check=200).json
    second = source.get(post + "b.mp4", method="POST", headers=admin, check=200).json
    assert [one["id"] for one in source.get(jobs, headers=admin, check=200).json["jobs"]] == [first["id"], second["id"]]
    wait_for(lambda: source.get(f"{jobs}/1", headers=admin, check=200).json["status"] == "done", 10, "the export")
    source.get(f"{jobs}/1", method="DELETE", headers=admin, check=204)
    assert [one["id"] for one in source.get(jobs, headers=admin).json["jobs"]] == [second["id"]]
    # With a reload nobody from elsewhere is the admin any more.
    with open(source.conf) as text:
        source.reload(text.read().replace('edit_auth admin "s3cr:t";', ""))
    wait_for(lambda: source.get(jobs, headers=admin).status == 403, 10, "the reload")
    assert source.get(jobs).status == 200 and "s3cr:t" not in source.log()
