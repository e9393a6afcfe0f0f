# SPDX-License-Identifier: MIT
"""HLS of the receiver, as players see it: a real browser in two ways and by its page, others, and lists."""
import contextlib
import datetime
import functools
import http.server
import os
import re
import shutil
import tempfile
import threading
import time

import node
from browser import Browser
from node import Playlist, has_stream, need, pair, wait_for
from sei import stamps

MAIN = "stream main { url fake://fake; dvr @DIR@/dvr; segment_duration 2; }"
QUICK = "stream main { url fake://fake gop=1; dvr @DIR@/dvr; segment_duration 1; }"
LONG = "stream main { url fake://fake; dvr @DIR@/dvr; segment_duration 6; }"
PLAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "npm",
                      "node_modules", "hls.js", "dist", "hls.min.js")
# Watches <video>: how far it is, how often it stalled, and the marker that crosses the picture once a
# second (docs/protocols/fake.md), which tells the milliseconds of the picture's clock.
WATCH = """
(() => {
  const video = document.querySelector("video");
  const seen = window.seen = { stalls: 0, playing: 0, marks: [], error: "" };
  video.addEventListener("playing", () => { seen.playing = seen.playing || Date.now(); });
  video.addEventListener("waiting", () => { if (seen.playing) seen.stalls++; });
  video.addEventListener("error", () => { seen.error = video.error && video.error.message; });
  const canvas = document.createElement("canvas");
  const look = (now, frame) => {
    const w = canvas.width = frame.width, h = canvas.height = frame.height;
    const to = canvas.getContext("2d", { willReadFrequently: true });
    to.drawImage(video, 0, 0);
    const rows = to.getImageData(0, Math.round(h * 0.84), w, Math.round(h * 0.04));
    let sum = 0, count = 0;
    for (let i = 0; i < rows.data.length; i += 4) {
      const [r, g, b] = rows.data.slice(i, i + 3);
      if (r > 200 && g > 120 && g < 210 && b < 110) { sum += (i / 4) % rows.width; count++; }
    }
    if (count > 20)
      seen.marks.push([frame.mediaTime, sum / count / w, window.clock ? window.clock(frame.mediaTime) : 0]);
    video.requestVideoFrameCallback(look);
  };
  video.requestVideoFrameCallback(look);
})()"""
PAGE = """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><video muted autoplay playsinline></video>
<script src="hls.min.js"></script><script>
const hls = new Hls({ lowLatencyMode: false });
window.fatal = "";
hls.on(Hls.Events.ERROR, (event, data) => { if (data.fatal) window.fatal = data.details; });
hls.loadSource(new URLSearchParams(location.search).get("play"));
hls.attachMedia(document.querySelector("video"));
// UTC of the picture at a media time, by the dates of the playlist.
window.clock = (at) => {
  const all = (hls.latestLevelDetails || hls.levels[hls.currentLevel]?.details)?.fragments || [];
  const one = all.find((part) => part.start <= at + 0.001 && at < part.start + part.duration);
  return one ? one.programDateTime + (at - one.start) * 1000 : 0;
};
</script>"""


def ready_pair(streams=MAIN, count=4):
    source, receiver = pair(streams)
    wait_for(lambda: has_stream(receiver, "main"), 15, "main on the receiver")

    def full():
        answer = source.get("/main/index.m3u8")
        return answer.status == 200 and answer.text.count("#EXTINF") >= count
    wait_for(full, 30, "a full window")
    return source, receiver


@contextlib.contextmanager
def page_elsewhere():
    """hls.js on a page of another origin, as a site would have it."""
    if not os.path.exists(PLAYER):
        raise node.Skip("hls.js is not installed (npm)")
    folder = tempfile.mkdtemp(prefix="sluice-e2e-page-")
    shutil.copy(PLAYER, folder)
    with open(f"{folder}/index.html", "w") as out:
        out.write(PAGE)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *words):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0),
                                             functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/index.html?play="
    finally:
        server.shutdown()
        server.server_close()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def shown_on_failure(browser, name):
    """A picture of what a person would have seen, kept when the test fails."""
    try:
        yield
    except Exception:
        path = browser.picture(os.path.join(tempfile.gettempdir(), f"sluice-e2e-{name}.png"))
        print(f"  what the browser showed: {path}\n  it complained: {browser.complaints()}")
        raise


def plays(browser, seconds=8, limit=30):
    """Plays for so long without a stall; the share of real time that was played."""
    # Players begin somewhere and jump to where they want to be: counted from a second later on.
    wait_for(lambda: browser.value("window.seen.playing && Date.now() - window.seen.playing > 1500"),
             limit, "the picture begins")
    state = "(v => [v.currentTime, Date.now(), window.seen.stalls, v.videoWidth])" \
            "(document.querySelector('video'))"
    at, clock, stalls, width = browser.value(state)
    wait_for(lambda: browser.value(state)[0] > at + seconds, seconds + 25, f"{seconds} s of picture")
    end, later, more, width = browser.value(state)
    assert browser.value("window.seen.error") == "" and width == 640, width
    share = (end - at) * 1000 / (later - clock)
    assert more - stalls <= 1 and 0.85 < share < 1.2, f"{more - stalls} stalls, {share:.2f} of the time"
    return share


def test_chromium_plays_natively():
    # Segments of 6 s: see docs/protocols/hls.md, "Players".
    source, receiver = ready_pair(LONG, 3)
    with Browser() as browser, shown_on_failure(browser, "native"):
        page = "/streamer/api/v3/config/stats"  # any of the same origin, so that pixels can be read
        for playlist in ("index.m3u8", "index.fmp4.m3u8"):
            browser.open(receiver.url(f"{page}?{playlist}"))
            wait_for(lambda: browser.value("location.search + document.readyState") ==
                     f"?{playlist}complete", 20, "the page")
            browser.value("document.body.innerHTML = '<video muted autoplay></video>'; 0")
            browser.value(WATCH)
            browser.value(f"document.querySelector('video').src = '/main/{playlist}'; 0")
            wait_for(lambda: browser.value("window.seen.error || window.seen.marks.length > 20"), 20,
                     "the picture begins")
            assert not browser.value("window.seen.error"), browser.value("window.seen.error")
            plays(browser, 6)
            marks = browser.value("window.seen.marks")
            assert len(marks) > 60, f"{playlist}: the marker was seen {len(marks)} times"
            # The clock in the picture runs as the media time does.
            slips = [abs((b[1] - a[1]) - scale(b[0] - a[0])) for a, b in zip(marks, marks[1:])
                     if b[1] > a[1] and b[0] - a[0] < 0.5]
            assert slips and sorted(slips)[int(len(slips) * 0.9)] < 0.05, sorted(slips)[-10:]
        said = [one for one in browser.complaints() if "favicon.ico" not in one]
        assert not said, said


def scale(seconds):
    """Way of the marker, in widths of the picture: the ruler is 801 of 864 wide."""
    return seconds * 801 / 864


def test_chromium_plays_with_hls_js_and_the_clock_is_right():
    source, receiver = ready_pair()
    with page_elsewhere() as page, Browser() as browser, shown_on_failure(browser, "hls-js"):
        for playlist in ("index.m3u8", "index.fmp4.m3u8"):
            browser.open(page + receiver.url(f"/main/{playlist}"))
            wait_for(lambda: browser.value("!!document.querySelector('video') && "
                                           "location.search.endsWith('" + playlist + "')"), 20, "the page")
            browser.value(WATCH)
            plays(browser, 8)
            assert browser.value("window.fatal") == ""
            behind = browser.value("hls.latency")
            print(f"  {playlist}: {behind:.1f} s behind, as hls.js sees it")
            assert behind < 9, f"{behind} s behind with segments of 2 s"
            # The clock in the picture against the dates of the playlist.
            errors = []
            for _, place, utc_ms in browser.value("window.seen.marks"):
                shown = (place * 864 - 31) / 801 * 1000
                if utc_ms and 100 < shown < 900:
                    errors.append((shown - utc_ms) % 1000)
            errors = sorted(min(e, 1000 - e) for e in errors)
            assert len(errors) > 40, f"{len(errors)} pictures read"
            print(f"  {playlist}: the clock in {len(errors)} pictures differs from the dates by "
                  f"{errors[len(errors) // 2]:.0f} ms (90 %: {errors[int(len(errors) * 0.9)]:.0f})")
            assert errors[len(errors) // 2] < 60, errors[len(errors) // 2]
        assert not browser.complaints(), browser.complaints()


def test_page_plays_live_and_past():
    source, receiver = ready_pair(MAIN + "\nstream gate/north { url fake://fake; title \"<b>North</b>\"; }")
    wait_for(lambda: has_stream(receiver, "gate/north"), 10, "both streams")
    with Browser() as browser, shown_on_failure(browser, "page"):
        browser.open(receiver.url("/"))
        wait_for(lambda: browser.value("document.querySelectorAll('#streams li').length") == 2, 20,
                 "the list of streams")
        assert "<b>North</b>" in browser.value("document.getElementById('streams').textContent")
        browser.value("[...document.querySelectorAll('#streams button')]"
                      ".find(b => b.textContent.includes('main')).click(); 0")
        browser.value(WATCH)
        plays(browser, 5)
        wait_for(lambda: browser.value("document.getElementById('state').textContent") == "running", 10,
                 "its state")
        listed = browser.value("[...document.querySelectorAll('#addresses a')].map(a => a.href)")
        assert receiver.url("/main/index.m3u8") in listed and len(listed) >= 5, listed
        for address in listed:
            if "archive" not in address and "mpegts" not in address:
                assert receiver.get(address[len(receiver.url("")):]).status == 200, address
        # A stretch that began before the page was opened.
        began = source.stats("main")["dvr_info"]["from"]
        browser.value("window.seen.playing = 0; window.seen.stalls = 0; "
                      f"playList('archive-{began}-6'); 0")
        plays(browser, 3)
        # Another stream, the source's second one.
        browser.value("window.seen.playing = 0; window.seen.stalls = 0; location.hash = "
                      "encodeURIComponent('gate/north'); 0")
        plays(browser, 3)
        assert browser.value("document.querySelector('#details b')") is None, "a title is text"
        assert not browser.complaints(), browser.complaints()


def test_other_players_play():
    source, receiver = ready_pair(QUICK)
    began = int(source.stats("main")["dvr_info"]["from"])
    past = receiver.url(f"/main/archive-{began}-6.m3u8")
    need("gst-launch-1.0")
    for playbin in ("playbin", "playbin3"):
        done = node.run(["gst-launch-1.0", "-q", playbin, f"uri={past}", "video-sink=fakesink sync=false",
                         "audio-sink=fakesink sync=false"], timeout=60)
        assert done.returncode == 0, (playbin, done.stderr[-1500:])
    need("mpv")
    for address in (past, past.replace(".m3u8", ".fmp4.m3u8"), past.replace(".m3u8", ".mp4")):
        done = node.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--ytdl=no",
                         "--quiet", address], timeout=60)
        assert done.returncode == 0 and b"End of file" in done.stdout, (address, done)
    live = node.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--ytdl=no", "--quiet", "--length=3",
                     receiver.url("/main/index.m3u8")], timeout=60)
    assert live.returncode == 0, live


def dates(listed):
    """Start of each segment by its date in the list, UTC seconds."""
    found = re.findall(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)", listed.text)
    return [datetime.datetime.fromisoformat(one.replace("Z", "+00:00")).timestamp() for one in found]


def in_a_row(listed):
    starts = dates(listed)
    assert len(starts) == len(listed.uris) == len(listed.durations)
    return all(abs(a + d - b) < 0.005 for a, d, b in zip(starts, listed.durations, starts[1:]))


def session(server, path):
    """A list that slides: the one that its master names."""
    master = server.playlist(path)
    assert "#EXT-X-STREAM-INF" in master.text, master.text
    return server.playlist(master.address(master.uris[0]))


def test_lists_of_the_past():
    """peers.md 2.1.11."""
    source, receiver = ready_pair(QUICK)
    began = int(source.stats("main")["dvr_info"]["from"])
    wait_for(lambda: time.time() > began + 11, 20, "11 s of archive")
    for server in (source, receiver):
        ended = server.playlist(f"/main/archive-{began}-6.m3u8")
        assert ended.ended and "PLAYLIST-TYPE:VOD" in ended.text and in_a_row(ended)
        assert 6 <= sum(ended.durations) <= 10 and abs(dates(ended)[0] - began) < 2
        assert ended.text == server.playlist(f"/main/index-{began}-6.m3u8").text, "the other name"
        # The dates are those of the pictures.
        for uri, start in zip(ended.uris, dates(ended)):
            pictures = [utc for _, utc, _ in stamps(ended.fetch(uri))]
            assert len(pictures) == 25 and abs(pictures[0] / 1e6 - start) < 0.1, (uri, pictures[0], start)
        fmp4 = server.playlist(f"/main/archive-{began}-6.fmp4.m3u8")
        assert fmp4.map and dates(fmp4) == dates(ended)
        growing = server.playlist(f"/main/archive-{began}-now.m3u8")
        assert not growing.ended and "PLAYLIST-TYPE:EVENT" in growing.text and in_a_row(growing)
        behind = time.time() - dates(growing)[-1] - growing.durations[-1]
        assert behind < 4, f"the list ends {behind:.1f} s ago"
        more = len(growing.uris)
        wait_for(lambda: len(server.playlist(growing.path).uris) > more, 10, "it grows")
        rewind = session(server, "/main/rewind-8.m3u8")
        assert not rewind.ended and in_a_row(rewind) and 7 <= sum(rewind.durations) <= 10
        shifted = session(server, "/main/timeshift_rel-6.m3u8")
        late = time.time() - dates(shifted)[-1] - shifted.durations[-1]
        assert not shifted.ended and 5 < late < 10, f"{late:.1f} s behind"
        sequence = shifted.sequence + len(shifted.uris)
        wait_for(lambda: (lambda now: now.sequence + len(now.uris) > sequence)
                 (server.playlist(shifted.path)), 10, "it moves on")
        inner = session(server, f"/main/timeshift_abs-{began + 2}.m3u8")
        assert -2 < dates(inner)[0] - began - 2 < 2, (server.name, dates(inner), began)
        assert len(inner.uris) == 4 and not inner.ended, inner.text
        assert server.get(f"/main/archive-{began - 7200}-60.m3u8").status == 404
    cut = [one.playlist(f"/main/archive-{began}-8.m3u8").text for one in (source, receiver)]
    assert cut[0] == cut[1]


def test_hole_is_a_discontinuity_and_players_go_over_it():
    source, receiver = ready_pair(QUICK, 2)
    began = int(source.stats("main")["dvr_info"]["from"])
    source.kill()
    time.sleep(3)  # the hole
    source.start()
    wait_for(lambda: source.running("main"), 15, "main runs again")
    again = time.time()
    wait_for(lambda: time.time() > again + 4, 10, "some more")
    path = f"/main/archive-{began}-{int(time.time()) - began}.m3u8"
    wait_for(lambda: receiver.get(path).status == 200, 15, "the receiver has it")
    listed = receiver.playlist(path)
    assert listed.discontinuities == 1, listed.text
    starts, place = dates(listed), listed.text.split("#EXT-X-DISCONTINUITY\n")[0].count("#EXTINF")
    hole = starts[place] - starts[place - 1] - listed.durations[place - 1]
    assert 2.5 < hole < 8, f"the dates jump by {hole:.1f} s"
    need("mpv")
    done = node.run(["mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--ytdl=no", "--quiet",
                     receiver.url(path)], timeout=60)
    assert done.returncode == 0 and b"End of file" in done.stdout, done
