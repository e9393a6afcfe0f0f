// SPDX-License-Identifier: MIT
// The page at "/": lists the streams of the API, plays one, shows its addresses. Every text of the
// server goes into the page as text, never as HTML.
"use strict";

const API = "/streamer/api/v3";
const SHOWN_MAX = 500;
const REFRESH_MS = 2000;

const by = (id) => document.getElementById(id);
const rows = new Map(); // name -> { item, button, parts }
let streams = null;  // of the last answer; null before the first
let selected = null; // name
let playing = "";    // what the player was told: playlist of which stream

const player = new Player(by("video"), (text) => { by("message").textContent = text; });

// ---- words ---------------------------------------------------------------------------------------

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className)
    made.className = className;
  if (text !== undefined)
    made.textContent = text;
  return made;
}

function setText(target, text) {
  if (target.textContent !== text)
    target.textContent = text;
}

function prefixOf(name) {
  return "/" + name.split("/").map(encodeURIComponent).join("/") + "/";
}

function rate(kbit) {
  return kbit >= 1000 ? `${(kbit / 1000).toFixed(1)} Mbit/s` : `${kbit} kbit/s`;
}

function duration(seconds) {
  if (seconds >= 172800)
    return `${Math.floor(seconds / 86400)} days`;
  if (seconds >= 7200)
    return `${Math.floor(seconds / 3600)} h`;
  return seconds >= 120 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds)} s`;
}

function trackWords(tracks) {
  return tracks.map((track) => {
    const size = track.width ? ` ${track.width}×${track.height}` : "";
    const fps = track.fps ? ` ${Math.round(track.fps * 100) / 100} fps` : "";
    const channels = track.channels ? ` ${track.sample_rate / 1000} kHz` : "";
    return `${track.codec}${size}${fps}${channels}`;
  }).join(" · ");
}

function stateWords(stream) {
  if (stream.disabled)
    return "disabled";
  if (stream.stats.status === "running")
    return "running";
  if (stream.stats.state === "idle")
    return stream.static ? "idle" : "on demand";
  const why = stream.stats.source_error ? `: ${stream.stats.source_error}` : "";
  return stream.stats.status === "error" ? `no input${why}` : `starting${why}`;
}

// ---- the list ------------------------------------------------------------------------------------

function makeRow(name) {
  const item = element("li");
  const button = element("button");
  const parts = {
    dot: element("span", "dot"), name: element("span", "name"), rate: element("span", "rate"),
    sub: element("span", "sub"),
  };
  button.type = "button";
  button.append(parts.dot, parts.name, parts.rate, parts.sub);
  button.addEventListener("click", () => { location.hash = encodeURIComponent(name); });
  item.append(button);
  return { item, button, parts };
}

function showRow(row, stream) {
  const { parts, button } = row;
  const { stats } = stream;
  button.className = stats.status;
  button.setAttribute("aria-current", String(stream.name === selected));
  setText(parts.name, stream.title || stream.name);
  parts.name.title = stream.name;
  setText(parts.rate, stats.status === "running" ? rate(stats.bitrate) : "");
  const words = [stateWords(stream)];
  if (stream.named_by === "remote")
    words.push("remote");
  if (stats.online_clients)
    words.push(`${stats.online_clients} watching`);
  if (stats.dvr_enabled)
    words.push(stats.dvr_info?.depth ? `archive ${duration(stats.dvr_info.depth)}` : "archive");
  setText(parts.sub, words.join(" · "));
}

function showList() {
  const filter = by("filter").value.trim().toLowerCase();
  const list = by("streams");
  const shown = streams.filter((stream) =>
    `${stream.name} ${stream.title || ""}`.toLowerCase().includes(filter));
  const names = new Set(shown.map((stream) => stream.name));
  for (const [name, row] of rows) {
    if (!names.has(name)) {
      row.item.remove();
      rows.delete(name);
    }
  }
  shown.forEach((stream, place) => {
    if (!rows.has(stream.name))
      rows.set(stream.name, makeRow(stream.name));
    const row = rows.get(stream.name);
    showRow(row, stream);
    if (list.children[place] !== row.item)
      list.insertBefore(row.item, list.children[place] || null);
  });
  by("empty").hidden = shown.length > 0;
  setText(by("empty"), streams.length ? "No stream fits the filter."
    : "There is no stream yet. Write one into the configuration and reload.");
}

// ---- one stream ----------------------------------------------------------------------------------

function addressesOf(stream) {
  const prefix = location.origin + prefixOf(stream.name);
  const list = [
    ["HLS", prefix + "index.m3u8"],
    ["HLS, fMP4", prefix + "index.fmp4.m3u8"],
    ["MPEG-TS", prefix + "mpegts"],
  ];
  if (stream.stats.dvr_enabled) {
    const from = Math.floor(Date.now() / 60000) * 60 - 3600;
    list.push(["Last hour, HLS", `${prefix}archive-${from}-3600.m3u8`]);
    list.push(["Last hour, MP4", `${prefix}archive-${from}-3600.mp4`]);
    list.push(["Recorded ranges", prefix + "recording_status.json?request=ranges"]);
  }
  return list;
}

// The clipboard proper is only there on https and localhost; elsewhere the old way works.
async function toClipboard(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const area = element("textarea", "", text);
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(button, text) {
  const done = await toClipboard(text).catch(() => false);
  button.textContent = done ? "Copied" : "Not allowed";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

function showAddresses(stream) {
  const list = by("addresses");
  const wanted = addressesOf(stream);
  const key = JSON.stringify(wanted);
  if (list.dataset.key === key)
    return;
  list.dataset.key = key;
  list.replaceChildren();
  for (const [word, address] of wanted) {
    const value = element("dd");
    const link = element("a", "", address);
    const button = element("button", "copy", "Copy");
    link.href = address;
    button.type = "button";
    button.setAttribute("aria-label", `Copy the address: ${word}`);
    button.addEventListener("click", () => copy(button, address));
    value.append(link);
    list.append(element("dt", "", word), value, button);
  }
}

function showDetails() {
  const stream = streams.find((one) => one.name === selected);
  by("details").hidden = !stream;
  if (!stream) {
    setText(by("message"), selected ? "There is no stream of that name." : "Choose a stream.");
    return;
  }
  const { stats } = stream;
  setText(by("title"), stream.title || stream.name);
  by("state").className = `chip ${stats.status}`;
  setText(by("state"), stateWords(stream));
  const facts = [trackWords(stats.media_info.tracks)];
  if (stats.status === "running")
    facts.push(rate(stats.bitrate), `for ${duration(stats.lifetime / 1000)}`);
  if (stats.retry_count)
    facts.push(`${stats.retry_count} retries`);
  setText(by("facts"), facts.filter(Boolean).join(" · "));
  by("past").hidden = !stats.dvr_enabled;
  showAddresses(stream);
  if (!playing.startsWith(`${stream.name} `) && !stream.disabled)
    playList("index");
}

function playList(list) {
  const stream = streams.find((one) => one.name === selected);
  if (!stream)
    return;
  playing = `${stream.name} ${list}`;
  by("live").classList.toggle("primary", list === "index");
  const codecs = stream.stats.media_info.tracks.map((track) => track.codec_string);
  player.play(prefixOf(stream.name), list, codecs);
}

function choose() {
  let name = null;
  try {
    name = decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    // A hash that somebody typed.
  }
  if (name === selected)
    return;
  selected = name;
  playing = "";
  player.close();
  show();
}

// ---- refreshing ----------------------------------------------------------------------------------

function show() {
  if (!streams)
    return;
  showList();
  showDetails();
}

async function get(path) {
  const answer = await fetch(API + path, { cache: "no-store" });
  if (!answer.ok)
    throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  if (document.hidden)
    return;
  try {
    const [list, server] = await Promise.all([get(`/streams?limit=${SHOWN_MAX}`),
      get("/config/stats")]);
    streams = list.streams;
    const more = list.next ? ` (the first ${SHOWN_MAX} are shown)` : "";
    setText(by("server"), `${server.hostname} · ${server.server_version} · up ` +
      `${duration(server.uptime)} · ${server.online_streams} of ${server.total_streams} streams` +
      `${more} · ${server.total_clients} watching`);
    if (!location.hash && streams.length === 1)
      location.replace(`#${encodeURIComponent(streams[0].name)}`);
    show();
  } catch {
    setText(by("server"), "The server does not answer.");
  }
}

by("filter").addEventListener("input", show);
by("live").addEventListener("click", () => playList("index"));
for (const button of document.querySelectorAll("[data-ago]")) {
  button.addEventListener("click", () => {
    const from = Math.floor(Date.now() / 1000) - Number(button.dataset.ago);
    playList(`archive-${from}-now`);
  });
}
by("past").addEventListener("submit", (event) => {
  event.preventDefault();
  const from = Math.floor(new Date(by("from").value).getTime() / 1000);
  if (from > 0)
    playList(`archive-${from}-3600`);
});
window.addEventListener("hashchange", choose);
document.addEventListener("visibilitychange", refresh);
choose();
refresh();
setInterval(refresh, REFRESH_MS);
