// The page: asks POST /v1/speech for raw samples, and plays and draws them while they arrive.
const find = (id) => document.getElementById(id);
const HEALTH_MS = 5000;
const LEAD_SECONDS = 0.05; // between the first samples and their sound, so that the next ones are there in time

class Speech {
  // One request: its samples so far, and where its player is.
  constructor(rate, context) {
    this.rate = rate;
    this.context = context;
    this.parts = [];
    this.samples = 0;
    this.odd = null; // half of a sample at the end of a part
    this.endsAt = 0;
    this.startedAt = 0;
    this.sources = new Set();
  }

  take(bytes) {
    if (this.odd !== null) {
      const joined = new Uint8Array(bytes.length + 1);
      joined[0] = this.odd;
      joined.set(bytes, 1);
      bytes = joined;
    }
    this.odd = bytes.length % 2 ? bytes[bytes.length - 1] : null;
    const count = bytes.length >> 1;
    if (!count) return;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const samples = new Float32Array(count);
    for (let i = 0; i < count; i++) samples[i] = view.getInt16(2 * i, true) / 32768;
    this.parts.push(samples);
    this.samples += count;
    this.play(samples);
  }

  play(samples) {
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.copyToChannel(samples, 0);
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    const soon = this.context.currentTime + LEAD_SECONDS;
    if (!this.startedAt) this.startedAt = soon;
    const at = Math.max(this.endsAt, soon);
    source.start(at);
    this.endsAt = at + buffer.duration;
    this.sources.add(source);
    source.onended = () => this.sources.delete(source);
  }

  silence() {
    for (const source of this.sources) source.stop();
    this.sources.clear();
  }

  get seconds() { return this.samples / this.rate; }

  get playedSeconds() {
    if (!this.startedAt) return 0;
    const left = Math.max(0, this.endsAt - this.context.currentTime);
    return Math.max(0, this.seconds - left);
  }

  get isPlaying() { return this.sources.size > 0; }

  wav() {
    const bytes = 2 * this.samples;
    const file = new DataView(new ArrayBuffer(44 + bytes));
    const write = (at, text) => [...text].forEach((c, i) => file.setUint8(at + i, c.charCodeAt(0)));
    write(0, "RIFF"); file.setUint32(4, 36 + bytes, true); write(8, "WAVEfmt ");
    file.setUint32(16, 16, true); file.setUint16(20, 1, true); file.setUint16(22, 1, true);
    file.setUint32(24, this.rate, true); file.setUint32(28, 2 * this.rate, true);
    file.setUint16(32, 2, true); file.setUint16(34, 16, true);
    write(36, "data"); file.setUint32(40, bytes, true);
    let at = 44;
    for (const part of this.parts) for (const s of part) { file.setInt16(at, s * 32768, true); at += 2; }
    return new Blob([file], { type: "audio/wav" });
  }
}

let context = null;
let speech = null;
let request = null; // an AbortController while audio is coming
let download = "";

function headers() {
  const key = find("key").value.trim();
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function body() {
  const seed = find("seed").value.trim();
  const asked = { text: find("text").value, voice: find("voice").value, emotion: find("emotion").value };
  for (const name of ["speed", "pitch"]) asked[name] = Number(find(name).value);
  let json = JSON.stringify(asked);
  if (seed) json = `${json.slice(0, -1)},"seed":${BigInt(seed)}}`; // seeds have 64 bits, numbers here 53
  return json;
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
  if (context === null) context = new AudioContext();
  context.resume();
  const mine = request = new AbortController();
  showState("Asking…");
  show("first-audio", "–"); show("rtf", "–"); show("length", "–"); show("request", "–");
  find("download").hidden = true;
  setBusy(true);
  const began = performance.now();
  try {
    const response = await fetch("v1/speech", {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers() },
      body: body(),
      signal: mine.signal,
    });
    if (!response.ok) throw await problemOf(response);
    speech = new Speech(Number(response.headers.get("X-Sample-Rate")), context);
    showRequest(response.headers);
    await take(response.body.getReader(), speech, began, mine);
    show("rtf", ((performance.now() - began) / 1000 / speech.seconds).toFixed(3));
    offerDownload();
  } catch (error) {
    if (error.name === "AbortError") { showState("Stopped."); return; }
    const cut = speech && speech.samples ? "The rest did not come: " : "";
    complain(cut + (error instanceof TypeError ? "The connection to the gateway broke; try again." : error.message));
    showState(cut ? "Cut short." : "Not spoken.");
  } finally {
    if (request === mine) { request = null; setBusy(Boolean(speech && speech.isPlaying)); }
  }
}

async function take(reader, into, began, mine) {
  for (;;) {
    const { done, value } = await reader.read();
    if (done || mine.signal.aborted) return;
    if (!into.samples) show("first-audio", `${Math.round(performance.now() - began)} ms`);
    into.take(value);
    show("length", `${into.seconds.toFixed(2)} s`);
    showState("Speaking while the rest is made…");
    requestAnimationFrame(draw);
  }
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
}

find("form").addEventListener("submit", (event) => { event.preventDefault(); speak(); });
find("stop").addEventListener("click", stop);
for (const name of ["speed", "pitch"]) {
  find(name).addEventListener("input", () => show(`${name}-shown`, Number(find(name).value).toFixed(1)));
}
find("key").addEventListener("change", listVoices);
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); find("form").requestSubmit(); }
  if (event.key === "Escape") stop();
});
window.addEventListener("resize", draw);
lookAtServer();
animate();
