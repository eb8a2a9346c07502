// The recording that the voice is to speak like: a file that is picked or dropped, sent with each request.
const MAX_BYTES = 10 * 2 ** 20;

export class Recording {
  // `box` is hidden unless a voice takes a recording; `input`, `words` and `clear` are in it.
  constructor(box, input, words, clear) {
    this.box = box;
    this.input = input;
    this.words = words;
    this.clear = clear;
    input.addEventListener("change", () => this.showChoice());
    clear.addEventListener("click", () => { input.value = ""; words.value = ""; this.showChoice(); });
    for (const name of ["dragenter", "dragover"]) {
      box.addEventListener(name, (event) => { event.preventDefault(); box.classList.add("over"); });
    }
    for (const name of ["dragleave", "drop"]) box.addEventListener(name, () => box.classList.remove("over"));
    box.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) { input.files = event.dataTransfer.files; this.showChoice(); }
    });
  }

  showChoice() { this.clear.hidden = !this.input.files.length; }

  offer(voices) {
    this.box.hidden = !voices.some((voice) => ["optional", "required"].includes(voice.reference_use));
  }

  // Returns the member `reference` of a request; undefined where no recording is chosen.
  async member() {
    const [file] = this.input.files;
    if (!file || this.box.hidden) return undefined;
    if (file.size > MAX_BYTES) throw new Error(`“${file.name}” is larger than 10 MiB; choose 3 to 30 s of speech.`);
    return { audio: await base64Of(file), transcript: this.words.value.trim() };
  }
}

async function base64Of(file) {
  const reader = new FileReader();
  await new Promise((resolve, reject) => {
    reader.onload = resolve;
    reader.onerror = () => reject(new Error(`“${file.name}” cannot be read; choose it again.`));
    reader.readAsDataURL(file);
  });
  return reader.result.slice(reader.result.indexOf(",") + 1);
}
