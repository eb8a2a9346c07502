// The page: requests samples and timings from POST /v1/speech, and plays, draws and marks them while they arrive.
import { Reading } from "./reading.js";
import { Recording } from "./recording.js";
import { Speech } from "./speech.js";

const find = (id) => document.getElementById(id);
const HEALTH_MS = 5000;
const LANGUAGE_NAMES = new Intl.DisplayNames(["en"], { type: "language" });
const recording = new Recording(...["recording", "reference", "reference-transcript", "reference-clear"].map(find));

let context = null;
let speech = null;
let reading = null;
let request = null; // an AbortController while a response is being received
let download = "";

function headers() {
  const key = find("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function isSsml() { return find("ssml").checked; }

async function body() {
  const seed = find("seed").value.trim();
  const members = { [isSsml() ? "ssml" : "text"]: find("text").value, stream_format: "sse", timings: ["word"] };
  if (find("markdown").checked) members.text_format = "markdown";
  for (const name of ["voice", "emotion", "language"]) members[name] = find(name).value;
  for (const name of ["speed", "pitch"]) members[name] = Number(find(name).value);
  members.pronunciations = find("pronunciations").value.split("\n").filter((line) => line.trim()).map(pronunciation);
  members.reference = await recording.member();
  let json = JSON.stringify(members);
  if (seed) json = `${json.slice(0, -1)},"seed":${BigInt(seed)}}`; // seeds have 64 bits, numbers in JavaScript 53
  return json;
}

function pronunciation(line) {
  const [, phrase, respelling, ipa] = /^([^=]+)=\s*(?:"(.*)"|(.+))$/.exec(line.trim()) || [];
  if (!phrase) throw new Error(`“${line.trim()}” is not a valid pronunciation; use word = IPA, or word = "respelling".`);
  return respelling === undefined ? { phrase: phrase.trim(), ipa } : { phrase: phrase.trim(), respelling };
}

function showError(message) {
  find("error").textContent = message;
  find("error").hidden = !message;
}

async function problemOf(response) {
  let problem = {};
  try { problem = await response.json(); } catch { /* not JSON: only the status is known */ }
  if (response.status === 401) find("key-field").hidden = false;
  const detail = problem.detail || `${response.status} ${response.statusText}`;
  const wait = response.headers.get("Retry-After");
  return new Error(wait ? `${detail} (retry after ${wait} s)` : detail);
}

async function speak() {
  stop();
  showError("");
  speech = null;
  draw();
  if (context === null) context = new AudioContext();
  context.resume();
  const mine = request = new AbortController();
  showState("Sending the request…");
  show("first-audio", "–"); show("rtf", "–"); show("length", "–"); show("request", "–");
  find("download").hidden = true;
  setBusy(true);
  const began = performance.now();
  try {
    const json = await body(), text = find("text").value;
    mine.signal.throwIfAborted();
    const response = await fetch("v1/speech", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: json,
      signal: mine.signal,
    });
    if (!response.ok) throw await problemOf(response);
    speech = new Speech(Number(response.headers.get("X-Sample-Rate")), context);
    reading = new Reading(find("reading"), text);
    showRequest(response.headers);
    markWords(speech);
    await receive(response.body, began, mine);
    show("rtf", ((performance.now() - began) / 1000 / speech.seconds).toFixed(3));
    offerDownload();
  } catch (error) {
    if (error.name === "AbortError") { if (!request) showState("Stopped."); return; }
    const incomplete = speech && speech.samples ? "The audio is incomplete: " : "";
    showError(incomplete + (error instanceof TypeError ? "Lost the connection to the gateway; try again." : error.message));
    showState(incomplete ? "Incomplete." : "Failed.");
  } finally {
    if (request === mine) { request = null; setBusy(Boolean(speech && speech.isPlaying)); }
  }
}

async function receive(stream, began, mine) {
  let isDone = false;
  for await (const event of eventsOf(stream)) {
    mine.signal.throwIfAborted();
    if (event.type === "error") throw new Error(event.detail);
    if (event.type === "done") isDone = true;
    if (event.type === "audio") handleAudio(event, began);
  }
  if (!isDone) throw new TypeError("the response is incomplete");
}

function handleAudio(event, began) {
  if (!speech.samples) show("first-audio", `${Math.round(performance.now() - began)} ms`);
  reading.addWords(event.timings.words);
  speech.take(bytesOf(event.audio));
  show("length", `${speech.seconds.toFixed(2)} s`);
  showState("Playing while the rest is synthesized…");
  requestAnimationFrame(draw);
}

// Yields server-sent events, which have one line of JSON each.
async function* eventsOf(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    for (const event of events) yield JSON.parse(event.slice("data: ".length));
  }
}

function bytesOf(base64) {
  const binary = atob(base64), bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// Marks the current word until playback ends.
function markWords(mine) {
  if (mine !== speech) return;
  if (mine.isPlaying) reading.show(mine.playedSeconds);
  else reading.unmark();
  if (request || mine.isPlaying) requestAnimationFrame(() => markWords(mine));
}

function stop() {
  if (request) request.abort();
  request = null;
  if (speech) {
    speech.silence();
    if (speech.samples) offerDownload();
  }
  setBusy(false);
  showState(speech ? "Stopped." : "No audio yet.");
}

function setBusy(isBusy) { find("stop").disabled = !isBusy; }
function show(id, text) { find(id).textContent = text; }
function showState(text) { if (find("state").textContent !== text) show("state", text); }

function showRequest(from) {
  const id = from.get("X-Request-Id"), trace = from.get("X-Trace-Id"), pattern = document.body.dataset.traceUrl;
  show("request", trace || id);
  if (trace && pattern) {
    const link = document.createElement("a");
    link.href = pattern.replaceAll("{trace_id}", encodeURIComponent(trace));
    link.textContent = trace;
    find("request").replaceChildren(link);
  }
  find("request").title = `request ${id}, seed ${from.get("X-Seed")}, voice ${from.get("X-Voice")}`;
}

function offerDownload() {
  if (download) URL.revokeObjectURL(download);
  download = URL.createObjectURL(speech.wav());
  find("download").href = download;
  find("download").hidden = false;
}

function draw() {
  const canvas = find("wave");
  const scale = window.devicePixelRatio || 1;
  const width = canvas.width = canvas.clientWidth * scale, height = canvas.height = canvas.clientHeight * scale;
  if (!speech || !speech.samples) return;
  const pen = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const perColumn = Math.max(1, Math.ceil(Math.max(speech.samples, 2 * speech.rate) / width));
  const playedTo = speech.playedSeconds * speech.rate / perColumn;
  let column = 0, index = 0, peak = 0;
  const bar = () => {
    pen.fillStyle = style.getPropertyValue(column <= playedTo ? "--accent" : "--faint");
    const tall = Math.max(scale, peak * height * 0.95);
    pen.fillRect(column, (height - tall) / 2, 1, tall);
    column += 1; index = 0; peak = 0;
  };
  for (const part of speech.parts) {
    for (const sample of part) {
      peak = Math.max(peak, Math.abs(sample));
      if (++index === perColumn) bar();
    }
  }
  if (index) bar();
}

function animate() {
  if (speech && speech.isPlaying) {
    draw();
    if (!request) showState(`Playing, ${speech.playedSeconds.toFixed(1)} of ${speech.seconds.toFixed(1)} s.`);
  } else if (speech && !request && find("state").textContent.startsWith("Playing")) {
    draw();
    setBusy(false);
    showState("Finished.");
  }
  setTimeout(() => requestAnimationFrame(animate), 100);
}

async function pollServer() {
  let status = "The gateway is not available.", isUp = false;
  try {
    const ready = await fetch("readyz", { cache: "no-store" });
    isUp = ready.ok;
    status = isUp ? "Speech server ready" : "The speech server is not ready; retrying.";
    if (isUp && find("voice").options.length < 2) await listVoices();
  } catch { /* the initial status applies */ }
  const server = find("server");
  if (server.textContent !== status) server.textContent = status;
  server.className = isUp ? "up" : "down";
  setTimeout(pollServer, HEALTH_MS);
}

async function listVoices() {
  const response = await fetch("v1/voices", { headers: headers() });
  if (!response.ok) { showError((await problemOf(response)).message); return; }
  const { voices } = await response.json();
  const languages = [...new Set(voices.map((voice) => voice.language))];
  const groups = languages.map((language) => {
    const group = document.createElement("optgroup");
    group.label = languageName(language);
    group.append(...voices.filter((voice) => voice.language === language).flatMap(voiceOptions));
    return group;
  });
  find("voice").replaceChildren(new Option("Default", ""), ...groups);
  listLanguages(voices);
  recording.offer(voices);
}

// Returns the options of a voice's speakers, with what its maker states: "af_heart (female, grade A)".
function voiceOptions(voice) {
  const names = voice.speakers.length ? voice.speakers.map((speaker) => `${voice.id}:${speaker}`) : [voice.id];
  const facts = [voice.gender, voice.grade && `grade ${voice.grade}`].filter(Boolean).join(", ");
  return names.map((name) => new Option(facts ? `${name} (${facts})` : name, name));
}

function languageName(tag) {
  try { return `${LANGUAGE_NAMES.of(tag)} (${tag})`; } catch { return tag; } // a voice may state any text
}

function listLanguages(voices) {
  const chosen = find("language").value;
  const languages = [...new Set(voices.map((voice) => voice.language))].map((language) => new Option(language));
  find("language").replaceChildren(...[...find("language").options].slice(0, 2), ...languages);
  find("language").value = chosen;
}

// Makes an SSML document of the plain text.
function convertToSsml() {
  const text = find("text").value;
  if (text.trimStart().startsWith("<")) return;
  const escaped = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  find("text").value = `<speak>\n${escaped}\n</speak>`;
}

find("form").addEventListener("submit", (event) => { event.preventDefault(); speak(); });
find("stop").addEventListener("click", stop);
for (const name of ["speed", "pitch"]) {
  find(name).addEventListener("input", () => show(`${name}-shown`, Number(find(name).value).toFixed(1)));
}
find("ssml").addEventListener("change", convertToSsml);
find("key").addEventListener("change", listVoices);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); find("form").requestSubmit(); }
  if (event.key === "Escape") stop();
});
window.addEventListener("resize", draw);
pollServer();
animate();
