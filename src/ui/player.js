// SPDX-License-Identifier: MIT
// Plays a playlist of this server in a <video> element: by Media Source Extensions from the fMP4 form
// of the playlist where the browser has them, else by the browser itself.
"use strict";

const NATIVE_HLS = "application/vnd.apple.mpegurl";
// Seconds kept behind the picture, and fetched ahead of it.
const BUFFER_BEHIND = 30;
const BUFFER_AHEAD = 20;

// What a playlist says: init segment, media segments in order, whether more will come.
function readPlaylist(text, base) {
  const list = { init: null, segments: [], ended: false, target: 4 };
  let sequence = 0;
  for (const line of text.split("\n").map((part) => part.trim())) {
    const map = line.match(/^#EXT-X-MAP:.*URI="([^"]+)"/);
    if (map)
      list.init = new URL(map[1], base).href;
    else if (line.startsWith("#EXT-X-MEDIA-SEQUENCE:"))
      sequence = Number(line.slice(22));
    else if (line.startsWith("#EXT-X-TARGETDURATION:"))
      list.target = Number(line.slice(22));
    else if (line === "#EXT-X-ENDLIST")
      list.ended = true;
    else if (line && !line.startsWith("#"))
      list.segments.push({ number: sequence++, url: new URL(line, base).href, init: list.init });
  }
  return list;
}

class SourcePlayer {
  constructor(video, address, codecs) {
    this.video = video;
    this.address = address;
    this.type = `video/mp4; codecs="${codecs.join(", ")}"`;
    this.stopper = new AbortController();
    this.next = null; // number of the segment wanted next
    this.init = null; // address of the init segment in the buffer
  }

  static can(codecs) {
    return codecs.length > 0 && "MediaSource" in window &&
      MediaSource.isTypeSupported(`video/mp4; codecs="${codecs.join(", ")}"`);
  }

  async start() {
    const source = new MediaSource();
    this.video.src = URL.createObjectURL(source);
    await this.event(source, "sourceopen");
    URL.revokeObjectURL(this.video.src);
    this.buffer = source.addSourceBuffer(this.type);
    this.buffer.mode = "sequence"; // times begin in 1970: put the first segment at zero
    while (!this.stopper.signal.aborted) {
      const list = readPlaylist(await (await this.fetch(this.address)).text(), this.address);
      const fresh = this.choose(list);
      for (const segment of fresh)
        await this.append(segment);
      if (list.ended && fresh.length === 0) {
        source.endOfStream();
        return;
      }
      await this.pause(list.target * 500);
    }
  }

  // The segments that are not in the buffer; at first, of a live list, the last three.
  choose(list) {
    const live = !list.ended;
    if (this.next === null || (live && list.segments[0]?.number > this.next))
      return live ? list.segments.slice(-3) : list.segments;
    return list.segments.filter((segment) => segment.number >= this.next);
  }

  async append(segment) {
    while (this.ahead() > BUFFER_AHEAD)
      await this.pause(500);
    if (segment.init && segment.init !== this.init) {
      await this.push(await (await this.fetch(segment.init)).arrayBuffer());
      this.init = segment.init;
    }
    await this.push(await (await this.fetch(segment.url)).arrayBuffer());
    this.next = segment.number + 1;
    const end = this.video.currentTime - BUFFER_BEHIND;
    if (this.buffer.buffered.length && this.buffer.buffered.start(0) < end) {
      this.buffer.remove(0, end);
      await this.event(this.buffer, "updateend");
    }
  }

  async push(bytes) {
    this.buffer.appendBuffer(bytes);
    await this.event(this.buffer, "updateend");
  }

  ahead() {
    const ranges = this.buffer.buffered;
    return ranges.length ? ranges.end(ranges.length - 1) - this.video.currentTime : 0;
  }

  async fetch(address) {
    const answer = await fetch(address, { signal: this.stopper.signal });
    if (!answer.ok)
      throw new Error(`${answer.status}`);
    return answer;
  }

  event(target, name) {
    return new Promise((resolve) => target.addEventListener(name, resolve, { once: true }));
  }

  pause(milliseconds) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  stop() {
    this.stopper.abort();
  }
}

// Shows one playlist at a time; comes back by itself when it breaks off.
class Player {
  constructor(video, tell) {
    this.video = video;
    this.tell = tell; // shows a text over the picture, "" for none
    this.source = null;
    this.retry = 0;
    this.wanted = null;
    video.addEventListener("playing", () => this.tell(""));
    video.addEventListener("error", () => this.again());
    video.addEventListener("ended", () => this.tell("The end."));
  }

  // prefix: "/name/"; list: "index" or "archive-FROM-DUR"; codecs: of the tracks, for MSE.
  play(prefix, list, codecs) {
    this.wanted = { prefix, list, codecs };
    this.open();
  }

  open() {
    const { prefix, list, codecs } = this.wanted;
    this.close();
    this.tell("Opening ...");
    // Chromium knows HLS too, but gives up on some live lists when it has read them to their end.
    if (SourcePlayer.can(codecs)) {
      const address = new URL(`${prefix}${list}.fmp4.m3u8`, location.href).href;
      this.source = new SourcePlayer(this.video, address, codecs);
      this.source.start().catch((why) => why.name === "AbortError" || this.again());
    } else if (this.video.canPlayType(NATIVE_HLS)) {
      this.video.src = `${prefix}${list}.m3u8`;
    } else {
      this.tell("This browser plays neither HLS nor these codecs. " +
        "An address below works in VLC and other players.");
      return;
    }
    this.video.play().catch(() => {}); // refused until somebody presses play
  }

  again() {
    if (!this.wanted || !this.video.getAttribute("src") && !this.source)
      return;
    this.tell("No picture. Trying again ...");
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.open(), 3000);
  }

  close() {
    clearTimeout(this.retry);
    this.source?.stop();
    this.source = null;
    this.video.removeAttribute("src");
    this.video.load();
  }
}
