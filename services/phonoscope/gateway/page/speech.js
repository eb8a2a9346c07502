// The samples of one request, played while they arrive (Web Audio), and kept as a WAV.
const LEAD_SECONDS = 0.05; // delay of playback, so that the next samples arrive in time

export class Speech {
  // The audio of one request, and its playback position.
  constructor(rate, context) {
    this.rate = rate;
    this.context = context;
    this.parts = [];
    this.samples = 0;
    this.endsAt = 0;
    this.startedAt = 0;
    this.sources = new Set();
  }

  take(bytes) {
    const count = bytes.length >> 1; // always whole samples
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
    const outputTime = this.context.currentTime - (this.context.outputLatency || 0);
    const left = Math.max(0, this.endsAt - outputTime);
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
