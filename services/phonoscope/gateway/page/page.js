// The page: asks POST /v1/speech for raw samples and timings, and plays, draws and marks them while they arrive.
import { Reading } from "./reading.js";
import { Speech } from "./speech.js";

const find = (id) => document.getElementById(id);
const HEALTH_MS = 5000;

let context = null;
let speech = null;
let reading = null;
let request = null; // an AbortController while audio is coming
let download = "";

function headers() {
  const key = find("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function isSsml() { return find("ssml").checked; }

function body() {
  const seed = find("seed").value.trim();
  const asked = { [isSsml() ? "ssml" : "text"]: find("text").value, stream_format: "sse", timings: ["word"] };
  for (const name of ["voice", "emotion", "language"]) asked[name] = find(name).value;
  for (const name of ["speed", "pitch"]) asked[name] = Number(find(name).value);
  asked.pronunciations = find("pronunciations").value.split("\n").filter((line) => line.trim()).map(pronunciation);
  let json = JSON.stringify(asked);
  if (seed) json = `${json.slice(0, -1)},"seed":${BigInt(seed)}}`; // seeds have 64 bits, numbers here 53
  return json;
}

function pronunciation(line) {
  const [, phrase, words, ipa] = /^([^=]+)=\s*(?:"(.*)"|(.+))$/.exec(line.trim()) || [];
  if (!phrase) throw new Error(`“${line.trim()}” is no pronunciation; write: word = IPA, or: word = "other words".`);
  return words === undefined ? { phrase: phrase.trim(), ipa } : { phrase: phrase.trim(), respelling: words };
}

function complain(message) {
  find("error").textContent = message;
  find("error").hidden = !message;
}

async function problemOf(response) {
  let problem = {};
  try { problem = await response.json(); } catch { /* no JSON: the status says what there is to say */ }
  if (response.status === 401) find("key-field").hidden = false;
  const words = problem.detail || `${response.status} ${response.statusText}`;
  const wait = response.headers.get("Retry-After");
  return new Error(wait ? `${words} (again in ${wait} s)` : words);
}

async function speak() {
  stop();
  complain("");
  speech = null;
  draw();
  if (context === null) context = new AudioContext();
  context.resume();
  const mine = request = new AbortController();
  showState("Asking…");
  show("first-audio", "–"); show("rtf", "–"); show("length", "–"); show("request", "–");
  find("download").hidden = true;
  setBusy(true);
  const began = performance.now();
  try {
    const asked = body(), text = find("text").value;
    const response = await fetch("v1/speech", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: asked,
      signal: mine.signal,
    });
    if (!response.ok) throw await problemOf(response);
    speech = new Speech(Number(response.headers.get("X-Sample-Rate")), context);
    reading = new Reading(find("reading"), text);
    showRequest(response.headers);
    follow(speech);
    await take(response.body, began, mine);
    show("rtf", ((performance.now() - began) / 1000 / speech.seconds).toFixed(3));
    offerDownload();
  } catch (error) {
    if (error.name === "AbortError") { if (!request) showState("Stopped."); return; }
    const cut = speech && speech.samples ? "The rest did not come: " : "";
    complain(cut + (error instanceof TypeError ? "The connection to the gateway broke; try again." : error.message));
    showState(cut ? "Cut short." : "Not spoken.");
  } finally {
    if (request === mine) { request = null; setBusy(Boolean(speech && speech.isPlaying)); }
  }
}

async function take(stream, began, mine) {
  let isDone = false;
  for await (const event of eventsOf(stream)) {
    mine.signal.throwIfAborted();
    if (event.type === "error") throw new Error(event.detail);
    if (event.type === "done") isDone = true;
    if (event.type === "audio") hear(event, began);
  }
  if (!isDone) throw new TypeError("the answer has no end");
}

function hear(event, began) {
  if (!speech.samples) show("first-audio", `${Math.round(performance.now() - began)} ms`);
  reading.expect(event.timings.words);
  speech.take(bytesOf(event.audio));
  show("length", `${speech.seconds.toFixed(2)} s`);
  showState("Speaking while the rest is made…");
  requestAnimationFrame(draw);
}

// Server-sent events of one line of JSON each.
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

// Keeps the mark at the word that is heard, as long as there is or will be sound.
function follow(mine) {
  if (mine !== speech) return;
  if (mine.isPlaying) reading.show(mine.playedSeconds);
  else reading.unmark();
  if (request || mine.isPlaying) requestAnimationFrame(() => follow(mine));
}

function stop() {
  if (request) request.abort();
  request = null;
  if (speech) {
    speech.silence();
    if (speech.samples) offerDownload();
  }
  setBusy(false);
  showState(speech ? "Stopped." : "Nothing spoken yet.");
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
    if (!request) showState(`Speaking, ${speech.playedSeconds.toFixed(1)} of ${speech.seconds.toFixed(1)} s.`);
  } else if (speech && !request && find("state").textContent.startsWith("Speaking")) {
    draw();
    setBusy(false);
    showState("Spoken.");
  }
  setTimeout(() => requestAnimationFrame(animate), 100);
}

async function lookAtServer() {
  let words = "The gateway does not answer.", isUp = false;
  try {
    const ready = await fetch("readyz", { cache: "no-store" });
    isUp = ready.ok;
    words = isUp ? "Speech server ready" : "The speech server is not ready; looking again.";
    if (isUp && find("voice").options.length < 2) await listVoices();
  } catch { /* said above */ }
  const server = find("server");
  if (server.textContent !== words) server.textContent = words;
  server.className = isUp ? "up" : "down";
  setTimeout(lookAtServer, HEALTH_MS);
}

async function listVoices() {
  const response = await fetch("v1/voices", { headers: headers() });
  if (!response.ok) { complain((await problemOf(response)).message); return; }
  const { voices } = await response.json();
  const options = voices.flatMap((voice) => {
    const names = voice.speakers.length ? voice.speakers.map((speaker) => `${voice.id}:${speaker}`) : [voice.id];
    return names.map((name) => new Option(`${name} (${voice.language})`, name));
  });
  find("voice").replaceChildren(new Option("Default", ""), ...options);
  listLanguages(voices);
}

function listLanguages(voices) {
  const chosen = find("language").value;
  const languages = [...new Set(voices.map((voice) => voice.language))].map((language) => new Option(language));
  find("language").replaceChildren(...[...find("language").options].slice(0, 2), ...languages);
  find("language").value = chosen;
}

// What is there becomes a document, so that there is something to begin with.
function makeDocument() {
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
find("ssml").addEventListener("change", makeDocument);
find("key").addEventListener("change", listVoices);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); find("form").requestSubmit(); }
  if (event.key === "Escape") stop();
});
window.addEventListener("resize", draw);
lookAtServer();
animate();
