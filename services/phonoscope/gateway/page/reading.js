// The text with the current word marked. Timings count code points; JavaScript strings count UTF-16 units.
const HOLD_SECONDS = 0.25; // a word stays marked in a short silence after it

export class Reading {
  constructor(box, text) {
    this.box = box;
    this.points = [...text];
    this.words = [];
    this.marked = -1;
    this.before = new Text();
    this.mark = document.createElement("mark");
    this.after = new Text(text);
    box.replaceChildren(this.before, this.mark, this.after);
    box.scrollTop = 0;
    box.hidden = false;
  }

  addWords(words) { this.words.push(...words); }

  // Marks the word at a second of the audio.
  show(seconds) {
    let number = Math.max(this.marked, 0);
    while (number + 1 < this.words.length && this.words[number + 1].start_seconds <= seconds) number++;
    const word = this.words[number];
    if (!word || seconds < word.start_seconds) return;
    if (seconds >= word.end_seconds + HOLD_SECONDS) this.unmark();
    else if (number !== this.marked || !this.mark.textContent) this.markWord(number, word.text_span);
  }

  markWord(number, [start, stop]) {
    this.marked = number;
    this.split(start, stop);
    this.box.scrollTop = this.mark.offsetTop - (this.box.clientHeight - this.mark.offsetHeight) / 2;
  }

  unmark() { if (this.mark.textContent) this.split(0, 0); }

  split(start, stop) {
    this.before.data = this.points.slice(0, start).join("");
    this.mark.textContent = this.points.slice(start, stop).join("");
    this.after.data = this.points.slice(stop).join("");
  }
}
