"""English front ends of Kokoro, spoken by one engine: `python -m benchmarks.english --voices-dir DIR`.

Ours with misaki's dictionaries, ours with espeak-ng alone, and kokoro-onnx's: same voice, network and seed, in turns.
Whisper base writes down the sentences of each; with PyPI's speechmos, DNSMOS rates them. kokoro-onnx's phonemes need
PyPI's kokoro-onnx and phonemizer-fork. The first table is what the dictionaries cost.
"""

# First, as in the server: it sets the environment that OpenMP reads when torch loads.
import phonoscope.server.engines.vits  # noqa: F401, I001

import argparse
import importlib.util
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final
from unittest import mock

import jiwer
import numpy as np
import soxr
import structlog
from rich.console import Console
from rich.table import Table

from benchmarks.kokoro_listening import SENTENCES as TWENTY
from benchmarks.kokoro_listening import WHISPER_RATE_HZ, Samples, plain_words, whisper_base
from benchmarks.machine import neighbours, this_machine
from benchmarks.texts import TEXTS
from phonoscope.server.build import build_front_end
from phonoscope.server.engines.base import Engine
from phonoscope.server.engines.kokoro.alphabet import PAD, VOCABULARY
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.kokoro.loader import KOKORO, load_kokoro
from phonoscope.server.engines.loading import Loading
from phonoscope.server.settings import ServerSettings
from phonoscope.server.text.english import dictionary
from phonoscope.server.text.english.accents import ACCENTS
from phonoscope.server.text.phonemizers import build_phonemizers
from phonoscope.server.types import Utterance, Voice

Symbols = list[Sequence[int]]
Read = Callable[[str], Symbols]

SENTENCES: Final = (
    *TWENTY["en"],
    "The train to the coast leaves at seven in the morning.",
    "She put the kettle on and opened the kitchen window.",
    "Please turn off the lights when you leave the room.",
    "My brother works in a small shop near the river.",
    "It rained all night, but the roads were dry by noon.",
    "We need bread, milk, butter and a bag of apples.",
    "The children played in the garden until it was dark.",
    "Could you tell me the way to the nearest station?",
    "He wrote a long letter to his sister in Canada.",
    "The doctor told him to rest for three or four days.",
    "A black cat was sleeping on the warm stone wall.",
    "They bought an old house with a green front door.",
    "Nobody knew why the church bells were ringing.",
    "The museum is closed on Mondays and on public holidays.",
    "I have lost my keys, and I am already late for work.",
    "The soup is too hot, so wait a little before you eat.",
    "Our teacher asked us to read the first two chapters.",
    "The old man told us stories about ships and storms.",
    "There is a bridge across the valley, high above the trees.",
    "Thank you for your help, and have a pleasant evening.",
)
PAGE: Final = TEXTS[2000]
MEBIBYTE: Final = 2**20
PAGE_BYTES: Final = 4096


def main() -> None:
    """Runs the benchmark and prints its tables."""
    arguments = _arguments()
    console = Console()
    console.print(this_machine().line)
    console.print(neighbours().line)
    console.print(_costs())
    engine = _engine(arguments.voices_dir)
    listen, rate = whisper_base("en"), _rater()
    for voice_id in arguments.voices.split(","):
        [voice] = [one for one in engine.voices if one.id == voice_id]
        console.print(_heard(engine, voice, SENTENCES[: arguments.sentences], listen, rate))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices-dir", type=Path, required=True, help="with a folder kokoro*/ of style packs")
    parser.add_argument("--voices", default="af_heart,bf_emma", help="names of English voices, with commas")
    parser.add_argument("--sentences", type=int, default=len(SENTENCES), help="20 are Harvard's alone")
    return parser.parse_args()


def _costs() -> Table:
    """Returns what loading a dictionary takes, and reading a page with it."""
    table = Table("accent", "load, s", "memory, MiB", "page, ms", "page by espeak-ng, ms", title="Dictionaries")
    phonemizers = build_phonemizers()
    for voice, accent in ACCENTS.items():
        before, began = _resident_bytes(), time.perf_counter()
        dictionary.dictionary_of(accent)
        loaded = time.perf_counter() - began
        memory = (_resident_bytes() - before) / MEBIBYTE
        pages = [_page_ms(partial(phonemizers.clauses, PAGE, name)) for name in (voice, accent.espeak_voice)]
        table.add_row(voice, f"{loaded:.2f}", f"{memory:.0f}", *(f"{ms:.1f}" for ms in pages))
    table.caption = f"page: {len(PAGE)} characters, the fastest of 5"
    return table


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_BYTES


def _page_ms(read: Callable[[], object]) -> float:
    def once() -> float:
        began = time.perf_counter()
        read()
        return (time.perf_counter() - began) * 1000

    return min(once() for _ in range(5))


def _engine(voices_dir: Path) -> Engine:
    loading = Loading(ServerSettings(voices_dir=voices_dir), structlog.get_logger(), lambda _: None, lambda _: None)
    loaded = load_kokoro(sorted(voices_dir.glob(KOKORO.pattern)), loading)
    if loaded is None:
        raise SystemExit(f"no voice in {voices_dir}")
    loaded.engine.warm_up()
    return loaded.engine


def _heard(
    engine: Engine,
    voice: Voice,
    texts: Sequence[str],
    listen: Callable[[Samples], str],
    rate: Callable[[Samples], float] | None,
) -> Table:
    """Returns the word errors, and the ratings, of each front end with a voice."""
    front_ends = dict(_front_ends(voice))
    heard: Mapping[str, list[str]] = {name: [] for name in front_ends}
    rated: Mapping[str, list[float]] = {name: [] for name in front_ends}
    for text in texts:
        for name, read in front_ends.items():
            samples = _spoken(engine, voice, read(text))
            heard[name].append(plain_words(listen(samples), "en"))
            if rate is not None:
                rated[name].append(rate(samples))
    table = Table("front end", "word errors", "DNSMOS", title=f"{voice.id}, {len(texts)} sentences")
    for name, written in heard.items():
        found = jiwer.process_words([plain_words(text, "en") for text in texts], written)
        errors = found.substitutions + found.deletions + found.insertions
        mos = f"{np.mean(rated[name]):.3f}" if rated[name] else "speechmos is not installed"
        table.add_row(name, f"{100 * found.wer:.1f} % ({errors})", mos)
    return table


def _front_ends(voice: Voice) -> Iterator[tuple[str, Read]]:
    front_end = build_front_end(ServerSettings())

    def ours(text: str) -> Symbols:
        return [[int(one) for one in sentence.symbols] for sentence in front_end.sentences(text, voice.phonemes)]

    def by_espeak(text: str) -> Symbols:
        with mock.patch.object(dictionary, "is_installed", return_value=False):
            return ours(text)

    yield "ours, dictionaries", ours
    yield "ours, espeak-ng", by_espeak
    if all(map(importlib.util.find_spec, ("kokoro_onnx", "phonemizer"))):
        tokenizer: Any = import_module("kokoro_onnx.tokenizer").Tokenizer()
        language = "en-gb" if voice.language == "en-GB" else "en-us"
        yield "kokoro-onnx", lambda text: [_numbers(tokenizer.phonemize(text, language))]


def _numbers(letters: str) -> Sequence[int]:
    return [PAD, *(VOCABULARY[letter] for letter in letters if letter in VOCABULARY), PAD]


def _spoken(engine: Engine, voice: Voice, sentences: Symbols) -> Samples:
    """Returns sentences at Whisper's rate."""
    spoken = []
    for symbols in sentences:
        job = engine.open(Utterance(voice.id, symbols))
        while step := job.next_step(0.0):
            spoken += [result.samples for result in engine.run([step])]
        engine.close(job)
    return np.asarray(soxr.resample(np.concatenate(spoken), SAMPLE_RATE_HZ, WHISPER_RATE_HZ), np.float32)


def _rater() -> Callable[[Samples], float] | None:
    if importlib.util.find_spec("speechmos") is None:
        return None
    rater: Any = import_module("speechmos.dnsmos")
    return lambda samples: float(rater.run(np.clip(samples, -1, 1), WHISPER_RATE_HZ)["ovrl_mos"])


if __name__ == "__main__":
    main()
